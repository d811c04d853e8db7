// The devices that the driver offers, and what a context of the driver needs for our calls: the context to run in,
// workspace in stream order, numbers for each batch entry. One object for each context of the runtime; kernels share
// it.
#pragma once

#include "runtime/CudaDriver.h"
#include "runtime/GpuTarget.h"

#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace sattn::rt {

struct CudaDeviceInfo {
  int ordinal = 0;
  std::string name; ///< "NVIDIA H100"
  ComputeCapability capability;
  int sharedPerBlock = 0; ///< bytes of shared memory that a block may ask for
  int multiprocessors = 0;
  uint64_t bytes = 0; ///< of memory
  bool memoryPools = false;

  std::string id() const { return "cuda:" + std::to_string(ordinal); }
  /// "cuda:0 (NVIDIA H100, compute capability 9.0)".
  std::string description() const;
};

/// What we keep in one context of the driver. Made once, used under the context.
class CudaContext {
public:
  CudaContext(const CudaDriver &driver, const CudaDeviceInfo &info, cuda::Context handle)
      : driver(driver), info(info), handle(handle) {}
  ~CudaContext();
  CudaContext(const CudaContext &) = delete;
  CudaContext &operator=(const CudaContext &) = delete;

  /// Loads what calls need; not possible while a stream is captured.
  Status prepare();
  /// Memory that work of `stream` after this may use, until release(). Waits for nothing and can be captured where the
  /// device has memory pools; else one block for each stream is kept, and growing it waits for the device.
  Status acquire(uint64_t bytes, cuda::Stream stream, cuda::Address &address);
  /// For work of `stream` after this the memory is free.
  void release(cuda::Address address, cuda::Stream stream) const;
  /// Writes `values` to `address` in the order of the stream. The values travel with launches of a kernel: the caller's
  /// array may change at once, and a captured graph holds them.
  Status write(cuda::Address address, std::span<const int64_t> values, cuda::Stream stream) const;

  const CudaDeviceInfo &device() const { return info; }
  cuda::Context context() const { return handle; }

private:
  struct Block {
    cuda::Address address = 0;
    uint64_t bytes = 0;
  };

  const CudaDriver &driver;
  const CudaDeviceInfo &info;
  cuda::Context handle;
  cuda::MemoryPool pool = nullptr;
  cuda::Module helpers = nullptr;
  cuda::Function writer = nullptr;
  std::mutex mutex; ///< guards `blocks`
  std::map<cuda::Stream, Block> blocks;
};

class CudaDevices {
public:
  static Status open(const std::string &library, std::shared_ptr<CudaDevices> &out);
  ~CudaDevices();

  const CudaDriver &driver() const { return *theDriver; }
  const std::vector<CudaDeviceInfo> &list() const { return devices; }
  Status device(int ordinal, const CudaDeviceInfo *&out) const;
  /// The first device that runs code for `target`.
  Status deviceFor(std::string_view target, const CudaDeviceInfo *&out) const;

  /// The context that a call on `ordinal` with `stream` runs in: the stream's own; for the default streams the current
  /// one if it is of this device, else the device's primary context. Fails for a stream of another device.
  Status contextFor(int ordinal, cuda::Stream stream, CudaContext *&out);

  /// Whether work of `stream` is being captured into a graph; to be asked under its context.
  bool isCapturing(cuda::Stream stream) const;

private:
  Status primaryContext(const CudaDeviceInfo &info, cuda::Context &out);
  Status keepPrimary(const CudaDeviceInfo &info);
  Status ordinalOf(cuda::Context context, int &ordinal) const;
  CudaContext *known(cuda::Context context);
  Status enter(const CudaDeviceInfo &info, cuda::Context context, cuda::Stream stream, CudaContext *&out);

  std::shared_ptr<const CudaDriver> theDriver;
  std::vector<CudaDeviceInfo> devices;
  std::vector<cuda::DeviceId> ids;
  std::mutex mutex; ///< guards the rest
  std::map<int, cuda::Context> primaries;
  std::map<cuda::Context, std::unique_ptr<CudaContext>> contexts;
};

} // namespace sattn::rt

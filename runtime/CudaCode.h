// Kernels of GPUs on the driver of CUDA: PTX becomes machine code once for each compute capability, a module once for
// each context; a call is a sequence of launches on the caller's stream. Nothing waits for the device, and everything
// that a call does can be captured into a graph.
#pragma once

#include "runtime/CudaDevices.h"
#include "runtime/Device.h"
#include "runtime/DiskCache.h"

namespace sattn::rt {

class CudaCode final : public DeviceCode {
public:
  /// Where machine code is kept between processes: beside the artefact `stem`. `cache` null: nowhere.
  struct Store {
    DiskCache *cache = nullptr;
    std::string stem;
  };

  /// Makes the code ready for calls on the device `ordinal` in the current context, or in the primary one.
  static Status load(std::shared_ptr<CudaDevices> devices, int ordinal, const Manifest &manifest, std::string_view ptx,
                     const Store &store, std::unique_ptr<DeviceCode> &out);
  ~CudaCode() override;

  bool takesCudaMemory() const override { return true; }
  Status run(const Kernel &kernel, const sattn_call &call, RunState &state) override;

private:
  struct Module {
    cuda::Module handle = nullptr;
    std::vector<cuda::Function> functions; ///< by kernel of the manifest
  };
  class Launches;

  CudaCode(std::shared_ptr<CudaDevices> devices, int ordinal, std::string_view ptx)
      : devices(std::move(devices)), home(ordinal), ptx(ptx) {}

  Status prepare(const Manifest &manifest, CudaContext &context, cuda::Stream stream, const Store &store,
                 const Module *&out);
  Status makeImage(const CudaDeviceInfo &device, const Manifest &manifest, const Store &store);
  Status link(const CudaDeviceInfo &device, const Manifest &manifest, std::string &cubin) const;
  Status findFunctions(const Manifest &manifest, const CudaDeviceInfo &device, Module &module) const;
  Status launchAll(const Kernel &kernel, const sattn_call &call, RunState &state, const CudaContext &context,
                   const Module &module, void *memory) const;

  std::shared_ptr<CudaDevices> devices;
  int home;
  std::string ptx;
  std::mutex mutex;          ///< guards the rest
  ComputeCapability imageOf; ///< the devices that `image` is for; 0.0: none yet
  std::string image;
  std::map<cuda::Context, Module> modules;
};

} // namespace sattn::rt

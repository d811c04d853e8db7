// What the tests of kernels on CUDA share: the simulated driver (test/cuda-sim), device memory, PTX for @axpy.
#pragma once

#include "runtime/CudaTypes.h"
#include "test/runtime/ApiSupport.h"

#include <dlfcn.h>

#include <cstring>

namespace sattn::rt::cuda {
struct GraphObject; ///< of the simulated driver
}

namespace sattn::rt::testing {

/// The simulated driver under SATTN_LIBCUDA, freshly configured; nothing of ours may be left in it at the end.
class CudaSim {
public:
  explicit CudaSim(const char *machine = "");
  ~CudaSim();

  /// Calls a function of the driver, whose parameters are what is given, type for type. Fails the test unless it
  /// returns 0.
  template <typename... Args> void call(const char *name, Args... arguments) const {
    int result = status(name, arguments...);
    INFO(name);
    REQUIRE(result == 0);
  }
  template <typename... Args> int status(const char *name, Args... arguments) const {
    return reinterpret_cast<int (*)(Args...)>(symbol(name))(arguments...);
  }

  uint64_t calls(const char *function) const;
  uint64_t memoryInUse() const { return number("cusimMemoryInUse"); }
  uint64_t objects() const { return number("cusimObjects"); }
  uint64_t pending() const { return number("cusimPending"); }
  /// A context is lost after a fault; this one comes back.
  void recover() const { reinterpret_cast<void (*)()>(symbol("cusimRecover"))(); }

private:
  void *symbol(const char *name) const;
  uint64_t number(const char *name) const { return reinterpret_cast<uint64_t (*)()>(symbol(name))(); }

  void *library;
};

/// A context of the driver that is current while it lives: the primary one of a device, or one of its own.
class CurrentContext {
public:
  explicit CurrentContext(const CudaSim &sim, int ordinal = 0, bool own = false);
  ~CurrentContext();

private:
  const CudaSim &sim;
  cuda::DeviceId device = 0;
  cuda::Context context = nullptr;
  bool own;
};

/// Device memory with the values of a host array, in the current context.
template <typename T> class DeviceArray {
public:
  DeviceArray(const CudaSim &sim, std::vector<T> values) : sim(sim), host(std::move(values)) {
    sim.call("cuMemAlloc_v2", &address, size_t(host.size() * sizeof(T)));
    upload();
  }
  ~DeviceArray() { sim.call("cuMemFree_v2", address); }
  DeviceArray(const DeviceArray &) = delete;

  void upload() {
    sim.call("cuMemcpyHtoD_v2", address, static_cast<const void *>(host.data()), size_t(host.size() * sizeof(T)));
  }
  /// Waits for the device.
  const std::vector<T> &download() {
    sim.call("cuMemcpyDtoH_v2", static_cast<void *>(host.data()), address, size_t(host.size() * sizeof(T)));
    return host;
  }
  T *data() const { return reinterpret_cast<T *>(address); }

  const CudaSim &sim;
  std::vector<T> host;
  cuda::Address address = 0;
};

/// A DLTensor over device memory, filled with 0, 1, 2, ...
struct CudaTensor {
  CudaTensor(const CudaSim &sim, std::vector<int64_t> shape, int ordinal = 0);
  Tensor tensor;
  DeviceArray<float> memory;
};

/// PTX of the kernel `axpy` of Support.h, which reads W and the offset with it.
std::string axpyPtx(const char *target = "sm_80");

/// @axpy for a GPU with `shared` bytes of shared memory.
json cudaManifest(int64_t shared = 1024);

/// @axpy twice, through a workspace: o = scale * (scale * q + W + offset) + W + offset.
json twiceManifest();

} // namespace sattn::rt::testing

// NVIDIA's driver, opened at run time: one table of functions (CudaSymbols.def), the versions it tells, the texts of
// its errors. Needs no toolkit, neither to build nor to run.
#pragma once

#include "runtime/CudaTypes.h"
#include "runtime/Status.h"

#include <memory>
#include <string>

namespace sattn::rt {

namespace cuda {
struct CudaFunctions {
#define SATTN_CUDA(name, symbol, arguments) Result(*name) arguments = nullptr;
#define SATTN_CUDA_NEWER(name, symbol, arguments) Result(*name) arguments = nullptr;
#include "runtime/CudaSymbols.def"
};
} // namespace cuda

class CudaDriver : public cuda::CudaFunctions {
public:
  /// Opens `library` (a path or a name for the dynamic linker) and initialises the driver. Fails where there is no such
  /// library, where it is older than CUDA 11.2 and where the driver finds no device; the text says which.
  static Status open(const std::string &library, std::shared_ptr<const CudaDriver> &out);

  /// As the driver counts: 13000 for CUDA 13.0.
  int version() const { return cudaVersion; }
  const std::string &library() const { return path; }

  /// "CUDA_ERROR_INVALID_PTX: a PTX JIT compilation failed".
  std::string text(cuda::Result result) const;
  /// Fails with `what` (a verb with its object: "copy to the device") and the driver's text, unless `result` is
  /// success.
  Status check(cuda::Result result, const std::string &what) const;

private:
  CudaDriver() = default;

  int cudaVersion = 0;
  std::string path;
};

inline constexpr const char *defaultCudaLibrary = "libcuda.so.1";
inline constexpr int oldestCudaVersion = 11020, tensorMapCudaVersion = 12000;

/// "12.4" for 12040.
std::string cudaVersionText(int version);

/// Makes a context current for the life of this object.
class CudaScope {
public:
  CudaScope(const CudaDriver &driver, cuda::Context context) : driver(driver) {
    cuda::Context current = nullptr;
    if (driver.contextGetCurrent(&current) == cuda::Success && current == context)
      return;
    result = driver.contextPush(context);
    pushed = result == cuda::Success;
  }
  ~CudaScope() {
    cuda::Context popped;
    if (pushed)
      driver.contextPop(&popped);
  }
  CudaScope(const CudaScope &) = delete;
  CudaScope &operator=(const CudaScope &) = delete;

  Status status() const { return driver.check(result, "use the context"); }

private:
  const CudaDriver &driver;
  cuda::Result result = cuda::Success;
  bool pushed = false;
};

} // namespace sattn::rt

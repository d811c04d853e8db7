// Opening the driver (CudaDriver.h).
#include "runtime/CudaDriver.h"

#include <dlfcn.h>

namespace sattn::rt {

std::string cudaVersionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

Status CudaDriver::open(const std::string &library, std::shared_ptr<const CudaDriver> &out) {
  std::string path = library.empty() ? defaultCudaLibrary : library;
  // The driver keeps threads of its own: it is never closed.
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle) {
    const char *why = dlerror();
    return fail<Err::NoCudaDriver>(why ? why : path);
  }
  std::shared_ptr<CudaDriver> driver(new CudaDriver);
  driver->path = path;
  auto find = [&](const char *symbol, auto &function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, symbol));
    return function != nullptr;
  };
#define SATTN_CUDA(name, symbol, arguments)                                                                            \
  if (!find(#symbol, driver->name))                                                                                    \
    return fail<Err::OldCudaDriver>(path, #symbol, cudaVersionText(oldestCudaVersion));
#define SATTN_CUDA_NEWER(name, symbol, arguments) find(#symbol, driver->name);
#include "runtime/CudaSymbols.def"
  SATTN_TRY(driver->check(driver->init(0), "start the driver"));
  SATTN_TRY(driver->check(driver->driverGetVersion(&driver->cudaVersion), "ask for the version"));
  out = std::move(driver);
  return success();
}

std::string CudaDriver::text(cuda::Result result) const {
  const char *name = nullptr, *explanation = nullptr;
  if (getErrorName(result, &name) != cuda::Success || !name)
    return "error " + std::to_string(result);
  if (getErrorString(result, &explanation) != cuda::Success || !explanation)
    return name;
  return std::string(name) + ": " + explanation;
}

Status CudaDriver::check(cuda::Result result, const std::string &what) const {
  return result == cuda::Success ? success() : fail<Err::CudaFailed>(what, text(result));
}

} // namespace sattn::rt

// Calls of nvJitLink (NvJitLink.h).
#include "lib/nvidia/NvJitLink.h"
#include "lib/nvidia/Libraries.h"

namespace sattn::nvidia {

bool NvJitLink::open(std::string &problem) {
  void *handle = openLibrary("nvJitLink", "", path, problem);
  if (!handle)
    return false;
  if (find(handle, "nvJitLinkCreate", create) && find(handle, "nvJitLinkDestroy", destroy) &&
      find(handle, "nvJitLinkAddData", addData) && find(handle, "nvJitLinkComplete", complete) &&
      find(handle, "nvJitLinkGetLinkedCubinSize", cubinSize) && find(handle, "nvJitLinkGetLinkedCubin", getCubin) &&
      find(handle, "nvJitLinkGetErrorLogSize", errorSize) && find(handle, "nvJitLinkGetErrorLog", getError) &&
      find(handle, "nvJitLinkVersion", getVersion))
    return true;
  problem = "'" + path + "' lacks functions of nvJitLink 12.3; install a newer one";
  return false;
}

std::string NvJitLink::description() const {
  unsigned major = 0, minor = 0;
  getVersion(&major, &minor);
  return describe(major, minor, path);
}

bool NvJitLink::link(const std::string &target, const std::string &ptx, const std::string &name, std::string &cubin,
                     std::string &problem) const {
  constexpr int inputPtx = 2;
  std::string arch = "-arch=" + target;
  const char *options[] = {arch.c_str(), "-O3"};
  Handle linker = nullptr;
  if (int result = create(&linker, 2, options)) {
    problem =
        "nvJitLink does not know target '" + target + "' (error " + std::to_string(result) + "); install a newer one";
    return false;
  }
  // The terminating 0 belongs to the text.
  int result = addData(linker, inputPtx, ptx.c_str(), ptx.size() + 1, name.c_str());
  if (result == 0)
    result = complete(linker);
  size_t size = 0;
  if (result == 0 && (result = cubinSize(linker, &size)) == 0) {
    cubin.resize(size);
    result = getCubin(linker, cubin.data());
  }
  if (result != 0) {
    std::string log;
    if (errorSize(linker, &size) == 0 && size > 0) {
      log.resize(size);
      getError(linker, log.data());
      log.erase(log.find_last_not_of(std::string("\0\n\r ", 4)) + 1);
    }
    problem = "nvJitLink refuses the PTX (error " + std::to_string(result) + "): " + log;
  }
  destroy(&linker);
  return result == 0;
}

} // namespace sattn::nvidia

// Where NVIDIA's libraries are, and how they are opened: one search for nvJitLink and NVRTC. They come with the CUDA
// toolkit, or alone as Python packages (nvidia-nvjitlink, nvidia-cuda-nvrtc).
//
// A library is looked for in this order: the folders of SATTN_CUDA_TOOLS (separated by ':'), the folders of the dynamic
// linker, lib64 of CUDA_HOME, of CUDA_PATH and of /usr/local/cuda, and the Python packages of VIRTUAL_ENV.
#pragma once

#include <dlfcn.h>

#include <string>

namespace sattn::nvidia {

/// Opens the newest version of `lib<name>.so.13` or `.12` in the first folder that has one, and stays open. `path` is
/// what was opened. Null where there is none; `problem` says where it was looked for. `helper` names a library that it
/// opens by itself while it works ("nvrtc-builtins"): that of the same folder is opened before, so that it is found
/// wherever the folder is.
void *openLibrary(const std::string &name, const std::string &helper, std::string &path, std::string &problem);

/// Gives `function` the address of `symbol`; false where the library lacks it.
template <typename Function> bool find(void *library, const char *symbol, Function &function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  return function != nullptr;
}

/// "13.0 (/usr/local/cuda/lib64/libnvrtc.so.13)".
std::string describe(unsigned major, unsigned minor, const std::string &path);

} // namespace sattn::nvidia

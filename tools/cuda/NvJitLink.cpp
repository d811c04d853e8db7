// Finding and calling NVIDIA's libraries (NvJitLink.h).
#include "tools/cuda/NvJitLink.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

namespace sattn::tool {

namespace fs = std::filesystem;

static std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

/// The folders in which the libraries may be; "" stands for the dynamic linker's own.
static std::vector<std::string> searchFolders() {
  std::vector<std::string> folders;
  std::istringstream given(variable("SATTN_CUDA_TOOLS"));
  for (std::string folder; std::getline(given, folder, ':');)
    if (!folder.empty())
      folders.push_back(folder);
  folders.push_back("");
  for (const char *name : {"CUDA_HOME", "CUDA_PATH"})
    if (std::string home = variable(name); !home.empty())
      folders.push_back(home + "/lib64");
  folders.push_back("/usr/local/cuda/lib64");
  std::error_code error;
  if (std::string environment = variable("VIRTUAL_ENV"); !environment.empty())
    for (const fs::directory_entry &python : fs::directory_iterator(environment + "/lib", error))
      for (const char *package : {"cu13", "nvjitlink", "cuda_nvrtc"})
        folders.push_back((python.path() / "site-packages/nvidia" / package / "lib").string());
  return folders;
}

/// Opens the newest version of a library in the first folder that has one.
static void *openLibrary(const std::string &name, std::string &path, std::string &problem) {
  std::vector<std::string> folders = searchFolders();
  for (const std::string &folder : folders)
    for (const char *version : {"13", "12"}) {
      path = (folder.empty() ? "" : folder + "/") + "lib" + name + ".so." + version;
      if (void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL))
        return handle;
    }
  problem = "there is no lib" + name + ".so.13 or .12 (looked for";
  for (const std::string &folder : folders)
    problem +=
        (&folder == &folders.front() ? " in " : ", ") + (folder.empty() ? "the dynamic linker's folders" : folder);
  problem += "); install the CUDA toolkit or its Python package, or name its folder with SATTN_CUDA_TOOLS";
  path.clear();
  return nullptr;
}

template <typename Function> static bool find(void *handle, const char *symbol, Function &function) {
  function = reinterpret_cast<Function>(dlsym(handle, symbol));
  return function != nullptr;
}

bool NvJitLink::open(std::string &problem) {
  void *handle = openLibrary("nvJitLink", path, problem);
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

static std::string describe(unsigned major, unsigned minor, const std::string &path) {
  return std::to_string(major) + "." + std::to_string(minor) + " (" + path + ")";
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

std::string findNvrtc(std::string &problem) {
  std::string path;
  void *handle = openLibrary("nvrtc", path, problem);
  int (*getVersion)(int *, int *) = nullptr;
  int major = 0, minor = 0;
  if (!handle || !find(handle, "nvrtcVersion", getVersion) || getVersion(&major, &minor) != 0)
    return "";
  return describe(static_cast<unsigned>(major), static_cast<unsigned>(minor), path);
}

} // namespace sattn::tool

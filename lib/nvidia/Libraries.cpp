// The search for NVIDIA's libraries (Libraries.h).
#include "lib/nvidia/Libraries.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

namespace sattn::nvidia {

namespace fs = std::filesystem;

static std::string variable(const char *name) {
  const char *value = secure_getenv(name);
  return value ? value : "";
}

/// The paths in a folder, none where it cannot be read.
static std::vector<fs::path> entriesOf(const std::string &folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    paths.push_back(entry->path());
  return paths;
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
  if (std::string environment = variable("VIRTUAL_ENV"); !environment.empty())
    for (const fs::path &python : entriesOf(environment + "/lib"))
      for (const char *package : {"cu13", "nvjitlink", "cuda_nvrtc"})
        folders.push_back((python / "site-packages/nvidia" / package / "lib").string());
  return folders;
}

/// Opens `lib<helper>.so.<version>*` of the folder, so that its name is known when the library asks for it.
static void openHelper(const std::string &folder, const std::string &helper, const std::string &version) {
  if (folder.empty() || helper.empty())
    return;
  std::string begin = "lib" + helper + ".so." + version;
  for (const fs::path &path : entriesOf(folder))
    if (path.filename().string().rfind(begin, 0) == 0)
      dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
}

void *openLibrary(const std::string &name, const std::string &helper, std::string &path, std::string &problem) {
  std::vector<std::string> folders = searchFolders();
  for (const std::string &folder : folders)
    for (const char *version : {"13", "12"}) {
      path = (folder.empty() ? "" : folder + "/") + "lib" + name + ".so." + version;
      void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (!handle)
        continue;
      openHelper(folder, helper, version);
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

std::string describe(unsigned major, unsigned minor, const std::string &path) {
  return std::to_string(major) + "." + std::to_string(minor) + " (" + path + ")";
}

} // namespace sattn::nvidia

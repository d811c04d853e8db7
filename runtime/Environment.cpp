// The only place that reads environment variables (Environment.h).
#include "runtime/Environment.h"

#include <cstdlib>

namespace sattn::rt {

static std::string variable(const char *name) {
  const char *value = secure_getenv(name);
  return value ? value : "";
}

static std::string defaultCacheDir() {
  // The XDG specification: a relative path is invalid and ignored.
  if (std::string base = variable("XDG_CACHE_HOME"); !base.empty() && base[0] == '/')
    return base + "/sattn";
  if (std::string home = variable("HOME"); !home.empty() && home[0] == '/')
    return home + "/.cache/sattn";
  return "";
}

Environment readEnvironment() {
  Environment environment;
  environment.cacheDir = variable("SATTN_CACHE_DIR");
  if (environment.cacheDir.empty())
    environment.cacheDir = defaultCacheDir();
  environment.cudaLibrary = variable("SATTN_LIBCUDA");
  std::string jit = variable("SATTN_JIT");
  environment.jitOff = jit == "off";
  if (!jit.empty() && jit != "off" && jit != "on")
    environment.warning = "SATTN_JIT is '" + jit + "'; only 'off' and 'on' are known, and it is on";
  std::string verbose = variable("SATTN_VERBOSE");
  environment.verbose = !verbose.empty() && verbose != "0";
  return environment;
}

} // namespace sattn::rt

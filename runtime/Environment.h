// The environment variables of the runtime, all of them: SATTN_CACHE_DIR, SATTN_JIT, SATTN_VERBOSE, SATTN_LIBCUDA,
// and XDG_CACHE_HOME and HOME for the default cache directory. Read once for each context; nothing else in the runtime
// reads any.
#pragma once

#include <string>

namespace sattn::rt {

struct Environment {
  std::string cacheDir;    ///< SATTN_CACHE_DIR, else $XDG_CACHE_HOME/sattn, else $HOME/.cache/sattn, else ""
  bool jitOff = false;     ///< SATTN_JIT=off
  bool verbose = false;    ///< SATTN_VERBOSE is set, not empty and not "0"
  std::string cudaLibrary; ///< SATTN_LIBCUDA, else "": the driver's library under its own name
  std::string warning;     ///< what is wrong with a value, or ""
};

/// Programs that run with another user's rights (set-user-ID) see an empty environment.
Environment readEnvironment();

} // namespace sattn::rt

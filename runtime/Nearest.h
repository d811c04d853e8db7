// What differs between a request that no cache answers and the cached kernel that is nearest to it: the most useful
// line of a NO_COMPILER error.
#pragma once

#include "runtime/Manifest.h"

namespace sattn::rt {

/// "the nearest one differs in D (128, asked 64) and target (cpu-avx2, asked cpu-avx512)", or "nothing is cached".
/// `build` is the asked one, "" for any.
std::string describeNearest(const Request &asked, const std::string &build, const std::vector<ManifestHead> &cached);

} // namespace sattn::rt

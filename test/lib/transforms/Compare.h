// Runs a pattern twice in float64: as it stands by the oracle, and as the tile program that the passes make of it. The
// interpreter of tile programs is hostile (see lib/reference/TileInterp.h), so agreement also says that no dead row or
// unwritten memory reaches a result and that no full tile hides a key.
#pragma once
#include "lib/reference/Interpreter.h"
#include "lib/support/TargetInfo.h"
#include <cstdint>
#include <map>
#include <string>

namespace sattn {

/// Sizes of a call and what the pattern is bound to.
struct Case {
  /// The name of a shipped pattern, or a text.
  explicit Case(std::string pattern) : pattern(std::move(pattern)) {}

  std::string pattern;
  int64_t batch = 1, rows = 37, keys = 37, kvHeads = 2, group = 2, features = 8, valueFeatures = 8;
  std::map<std::string, int64_t> bind; ///< static params, feature axes, groups (group.g2)
  std::map<std::string, double> params;
  std::vector<int64_t> qOffset, kvOffset, kvLen;
  bool headsInside = true;
  TargetInfo target = smallTarget();
  uint64_t seed = 1;

  /// A made-up target with small tiles, so that small calls have many of them.
  static TargetInfo smallTarget();
  std::string text() const; ///< for messages
};

/// The largest difference over all results, relative to the largest reference value; where one is infinite or NaN, both
/// must be. `error` holds the first message of either side, and then the result is infinite.
double disagreement(const Case &one, std::string &error);

} // namespace sattn

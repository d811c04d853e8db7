// The formulas of CostModel.h.
#include "lib/analysis/CostModel.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace sattn::cost {

// More rows a task would leave too few tasks for the workers of short calls.
static constexpr int64_t kMaxChunk = 1024;

double cyclesPerKey(const TargetInfo &target, int64_t features, int64_t valueFeatures) {
  return 2.0 * static_cast<double>(features + valueFeatures) / target.flopsPerCycle + 1.0 / target.exp2PerCycle;
}

int64_t membersOf(const TargetInfo &target, int64_t heads) {
  int64_t quantum = target.rowQuantum / std::gcd(target.rowQuantum, heads);
  return quantum * std::max<int64_t>(1, target.rowTile / (quantum * heads));
}

/// Bytes of one block's keys and values.
static double blockBytes(const SelectedShape &shape) {
  return 4.0 * static_cast<double>(shape.block * (shape.features + shape.valueFeatures));
}

double gatheredCycles(const TargetInfo &target, const SelectedShape &shape) {
  double executed = std::ceil(static_cast<double>(shape.heads) / static_cast<double>(target.rowQuantum)) *
                    static_cast<double>(target.rowQuantum);
  double compute = cyclesPerKey(target, shape.features, shape.valueFeatures) * static_cast<double>(shape.block) *
                   executed / static_cast<double>(shape.heads);
  double memory = blockBytes(shape) / static_cast<double>(shape.heads) / target.largeBytesPerCycle;
  return static_cast<double>(shape.slots) * (compute + memory);
}

double invertedCycles(const TargetInfo &target, const SelectedShape &shape, int64_t chunk) {
  double blocks = std::max<double>(1.0, static_cast<double>(shape.keys) / static_cast<double>(shape.block));
  double chosen = std::min<double>(static_cast<double>(shape.slots), blocks);
  // Positions that chose a visited block: c positions choose a share p of the blocks each; a block that is visited has
  // at least one.
  double share = chosen / blocks;
  double visited = 1.0 - std::pow(1.0 - share, static_cast<double>(chunk));
  double sharing = static_cast<double>(chunk) * share / visited;
  double members = static_cast<double>(membersOf(target, shape.heads));
  double executed = std::max(1.0, std::ceil(sharing / members - 0.01)) * members;
  double compute = cyclesPerKey(target, shape.features, shape.valueFeatures) * static_cast<double>(shape.block) *
                   executed / sharing;
  // Queries, statistics and accumulator in, statistics and accumulator out.
  double state = 4.0 * static_cast<double>(shape.features + 2 * shape.valueFeatures + 4);
  double resident = 4.0 * static_cast<double>(chunk * shape.heads * (shape.features + shape.valueFeatures + 2));
  bool fits = resident <= static_cast<double>(target.largeBytes);
  double memory = state / (fits ? target.largeBytesPerCycle : target.bytesPerCycle) +
                  blockBytes(shape) / (sharing * static_cast<double>(shape.heads)) / target.bytesPerCycle;
  return chosen * (compute + memory);
}

double maskedCycles(const TargetInfo &target, const SelectedShape &shape) {
  return cyclesPerKey(target, shape.features, shape.valueFeatures) * static_cast<double>(shape.keys) / 2.0;
}

int64_t chooseChunk(const TargetInfo &target, const SelectedShape &shape) {
  int64_t least = 1;
  while (least < membersOf(target, shape.heads))
    least *= 2;
  int64_t best = least;
  for (int64_t chunk = least; chunk <= kMaxChunk; chunk *= 2)
    if (invertedCycles(target, shape, chunk) < invertedCycles(target, shape, best))
      best = chunk;
  return best;
}

int64_t breakEvenKeys(const TargetInfo &target, SelectedShape shape, int64_t chunk) {
  for (int64_t keys = shape.block; keys < int64_t(1) << 40; keys *= 2) {
    shape.keys = keys;
    if (invertedCycles(target, shape, chunk) < maskedCycles(target, shape))
      return keys;
  }
  return 0;
}

} // namespace sattn::cost

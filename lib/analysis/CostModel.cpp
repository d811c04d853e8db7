// The formulas of CostModel.h.
#include "lib/analysis/CostModel.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace sattn::cost {

double cyclesPerKey(const TargetInfo &target, int64_t features, int64_t valueFeatures) {
  return 2.0 * static_cast<double>(features + valueFeatures) / target.flopsPerCycle + 1.0 / target.exp2PerCycle;
}

int64_t membersOf(const TargetInfo &target, int64_t heads) {
  int64_t quantum = target.rowQuantum / std::gcd(target.rowQuantum, heads);
  return quantum * std::max<int64_t>(1, target.rowTile / (quantum * heads));
}

// Full groups of members that choose a block: more of them waste less on the last, partial one and read keys and values
// more rarely; fewer keep the state of a task's rows near, and make more tasks for the workers.
static constexpr int64_t kGroups = 2;

int64_t keyTile(const TargetInfo &target, int64_t rowBytes) {
  constexpr int64_t fewest = 16;
  int64_t tile = target.keyTile;
  while (tile % (2 * fewest) == 0 && tile * rowBytes > target.keyTileBytes)
    tile /= 2;
  return tile;
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

/// Bytes of one position in private memory: accumulator, statistics and, where they are kept, queries of all heads.
static int64_t stateBytes(const TargetInfo &target, const SelectedShape &shape) {
  return 4 * shape.heads * ((target.foldScale ? shape.features : 0) + shape.valueFeatures + 2);
}

// Blocks that a row of a causal prompt chooses, on average: all that it sees up to `slots`.
static double meanChosen(double slots, double blocks) {
  return blocks <= slots ? blocks / 2 : slots - slots * slots / (2 * blocks);
}

double invertedCycles(const TargetInfo &target, const SelectedShape &shape, int64_t chunk) {
  double blocks = std::max<double>(1.0, static_cast<double>(shape.keys) / static_cast<double>(shape.block));
  double slots = static_cast<double>(shape.slots), heads = static_cast<double>(shape.heads);
  // Positions that chose a visited block: c positions choose a share p of the blocks each; a block that is visited has
  // at least one.
  double share = std::min(slots, blocks) / blocks;
  double visited = 1.0 - std::pow(1.0 - share, static_cast<double>(chunk));
  double sharing = static_cast<double>(chunk) * share / visited;
  // The last group of a block's rows is not full: a target that can run parts of a tile wastes a quarter of it.
  double executed = sharing + static_cast<double>(membersOf(target, shape.heads)) / 4;
  double compute =
      cyclesPerKey(target, shape.features, shape.valueFeatures) * static_cast<double>(shape.block) * executed / sharing;
  // Queries, statistics and accumulator in, statistics and accumulator out. Positions are visited in ascending order,
  // so that caches fetch them ahead wherever they lie.
  double state = 4.0 * static_cast<double>(shape.features + 2 * shape.valueFeatures + 4);
  double memory = state / target.largeBytesPerCycle + target.rowCycles +
                  blockBytes(shape) / (sharing * heads) / target.bytesPerCycle;
  return meanChosen(slots, blocks) * (compute + memory);
}

double maskedCycles(const TargetInfo &target, const SelectedShape &shape) {
  return cyclesPerKey(target, shape.features, shape.valueFeatures) * static_cast<double>(shape.keys) / 2.0;
}

// Rows that choose all blocks share whole tiles; of those that do not, neighbours rarely agree on one.
double sharedCycles(const TargetInfo &target, const SelectedShape &shape) {
  double all = static_cast<double>(std::min(shape.slots * shape.block, shape.keys)) / static_cast<double>(shape.keys);
  return cyclesPerKey(target, shape.features, shape.valueFeatures) * shape.shared * all;
}

int64_t mostRows(const TargetInfo &target, const SelectedShape &shape) {
  int64_t members = membersOf(target, shape.heads);
  int64_t held = target.taskBytes / (members * stateBytes(target, shape));
  return std::max<int64_t>(std::min(held, target.taskLists / members), 1) * members;
}

int64_t keysPerRow(const TargetInfo &target, const SelectedShape &shape) {
  return std::max<int64_t>(shape.block * shape.slots / (kGroups * membersOf(target, shape.heads)), 1);
}

int64_t taskRows(const TargetInfo &target, const SelectedShape &shape) {
  int64_t members = membersOf(target, shape.heads);
  int64_t rows = shape.keys / keysPerRow(target, shape) / members * members;
  return std::clamp(rows, members, mostRows(target, shape));
}

int64_t splitRows(const TargetInfo &target, int64_t heads) {
  return target.decodeRows * heads * (1 + target.decodeShare) / (heads + target.decodeShare);
}

// A row of one head reads a key for little work of its own, a row of many computes longer than it reads.
int64_t walkedKeysPerRow(const TargetInfo &target, int64_t listed, int64_t heads) {
  double rows = target.packReuse * (1.0 + 1.0 / static_cast<double>(heads));
  return std::max<int64_t>(static_cast<int64_t>(static_cast<double>(listed) / rows), 1);
}

int64_t breakEvenKeys(const TargetInfo &target, SelectedShape shape, int64_t chunk) {
  auto pays = [&](int64_t blocks) {
    shape.keys = blocks * shape.block;
    int64_t positions = chunk != 0 ? chunk : taskRows(target, shape);
    return invertedCycles(target, shape, positions) + sharedCycles(target, shape) < maskedCycles(target, shape);
  };
  int64_t low = 0, high = shape.slots; // among `high` blocks lists cost less than masking, among `low` not
  for (; !pays(high); high *= 2) {
    if (high > int64_t(1) << 40)
      return 0;
    low = high;
  }
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    (pays(middle) ? high : low) = middle;
  }
  return high * shape.block;
}

} // namespace sattn::cost

// Cycles of attention dataflows on one worker of a target, from TargetInfo's numbers alone. Pure functions: what they
// compare is comparable, what they predict is rough. All costs are per query row and query head, means over the rows of
// a causal prompt.
//
//   range      a tile of rows streams key tiles of a cover
//   gathered   each position loads the blocks of its own list; rows are the heads that share the list
//   inverted   a task of neighbouring positions visits each selected block once, with all positions that chose it;
//              the softmax state of its rows waits in memory
//   masked     every key up to the row is computed, unselected ones masked
#pragma once
#include "lib/support/TargetInfo.h"
#include <cstdint>

namespace sattn::cost {

/// Attention over lists of blocks.
struct SelectedShape {
  int64_t block = 64; ///< keys of a block
  int64_t slots = 1;  ///< blocks of a list
  int64_t heads = 1;  ///< query heads that share a list and its keys
  int64_t features = 64, valueFeatures = 64;
  int64_t keys = 16384; ///< length at which the estimate is made
  /// Keys of a row that another branch sees and masked tiles compute for both, as long as rows choose all blocks.
  double shared = 0;
};

/// A row against one key: products, exponential.
double cyclesPerKey(const TargetInfo &target, int64_t features, int64_t valueFeatures);
/// Positions that are computed together: their rows fill whole quanta and come nearest to the row tile.
int64_t membersOf(const TargetInfo &target, int64_t heads);

/// Keys of a tile whose keys and values take `rowBytes` together.
int64_t keyTile(const TargetInfo &target, int64_t rowBytes);

double gatheredCycles(const TargetInfo &target, const SelectedShape &shape);
/// Task of `chunk` positions whose lists are independent, the worst case for sharing.
double invertedCycles(const TargetInfo &target, const SelectedShape &shape, int64_t chunk);
/// Causal attention over all keys of the shape.
double maskedCycles(const TargetInfo &target, const SelectedShape &shape);
/// What masked tiles save in another branch.
double sharedCycles(const TargetInfo &target, const SelectedShape &shape);

/// Keys of the call for each row of an inverted task: then each block is chosen, were lists independent, by two groups
/// of members, whatever the length.
int64_t keysPerRow(const TargetInfo &target, const SelectedShape &shape);
/// Most positions whose state a worker keeps in private memory; whole groups of members.
int64_t mostRows(const TargetInfo &target, const SelectedShape &shape);
/// Positions of a task at the length of the shape.
int64_t taskRows(const TargetInfo &target, const SelectedShape &shape);
/// Most query rows for which tiles of a row and so many heads, which read keys where they lie, cost less than tiles of
/// many rows, for which all keys are packed first.
int64_t splitRows(const TargetInfo &target, int64_t heads);
/// Keys of the call for each row from which walking lists of so many keys, which so many heads share, costs less than
/// inverting them, for which all keys are packed first.
int64_t walkedKeysPerRow(const TargetInfo &target, int64_t listed, int64_t heads);
/// Least number of keys from which inverted lists cost less than masking all keys. Tasks are of `chunk` positions, or
/// of as many as a length gives them where that is 0.
int64_t breakEvenKeys(const TargetInfo &target, SelectedShape shape, int64_t chunk = 0);

} // namespace sattn::cost

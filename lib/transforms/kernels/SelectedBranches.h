// What kernels that attend to selected blocks have in common: which accumulations they compute, and from what.
#pragma once
#include "lib/transforms/kernels/AttendKernels.h"

namespace sattn::lower {

/// Blocks that are weighed by scores of their own, and together with what a row has attended to elsewhere: the softmax
/// over blocks runs with the visits, each of which adds one key, the block, whose value is the block's own output.
struct JoinedWeights {
  ScoreChain chain; ///< scores of blocks
  RowOperand queries;
  KeyOperand keys; ///< where the caller put them
  Value lse, rest; ///< what stands beside the blocks; null: nothing
};

/// One accumulation over a selection.
struct SelectedBranch {
  AccumulateOp op;
  ScoreChain chain;
  SelectionLists lists;
  RowOperand queries;
  KeyOperand keys, values;
  FailureOr<LocalSet> residual = failure(); ///< the formula beside the selection, over tokens
  std::optional<RowWorkspace> weights;      ///< per block: weighted sum of finalised blocks
  std::optional<JoinedWeights> joined;      ///< the same with weights that are not stored

  int64_t blockKeys() const { return *literalInt(lists.block.getLen()); }
};

/// All accumulations of a pattern that no selection kernel has computed; at least one is over a selection.
struct SelectedBranches {
  std::vector<SelectedBranch> selected;
  std::map<Operation *, PreparedBranch> ranges; ///< those over formulas
  int64_t rowsPerList = 1;                      ///< more where blocks of rows share a list
  int64_t heads = 1;                            ///< query heads that share lists, keys and values
};

/// How key tiles and selected blocks lie: a block is one or more tiles, or a tile may hold several blocks.
enum class KeyTiles { WithinBlocks, AcrossBlocks };

/// Blocks of a tile that bits of one word tell apart, at most.
constexpr int64_t kMostBlocksPerTile = 31;

/// Prepares their operands.
FailureOr<SelectedBranches> selectedBranches(Context &context, Preparer &preparer, const Selections &selections,
                                             KeyTiles keyTiles = KeyTiles::WithinBlocks);

} // namespace sattn::lower

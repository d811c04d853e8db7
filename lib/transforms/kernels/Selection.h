// Selections as kernels see them: where their lists lie, and the kernel that makes them.
//
// One kernel scores blocks, keeps the best of each row and writes lists of block numbers. If the score is normalised it
// makes two passes: the first computes the softmax statistics and, since it has the probabilities at hand, the
// attention over the same blocks; the second recomputes the scores, pools them and selects. No rows x blocks array
// exists.
#pragma once
#include "lib/transforms/kernels/Streams.h"

namespace sattn::lower {

/// The chain from a dot product to a selection.
struct SelectionChain {
  SelectOp select;
  ScoreChain score;
  NormalizeOp normalize; // the rest may be null
  ReduceOp reduce;
  RebinOp rebin;
  SmallVector<WeighOp> weights;
  SmallVector<AccumulateOp> fused; ///< attention over the blocks of `normalize`, computed in its first pass
};

/// Lists of blocks in memory: for each row and head `slots` block numbers. Those of a selection are ascending and -1
/// padded; those that a caller hands in are a role and have neither order nor bounds.
struct SelectionLists {
  PlanRef lists;
  bool isRole = false, flags = false; ///< flags: one for each block, in place of numbers
  std::optional<PlanRef> starts;      ///< of compressed lists: where each begins among the `slots` of its head
  AxisAttr row;                       ///< t or u
  AxisAttr head;                      ///< null: one list for all heads
  AxisAttr block;                     ///< c(b)
  int64_t slots = 0;
  bool perChunk = true; ///< counted within a chunk of rows
};

/// A tensor that a selection kernel wrote, one row for each row of the lists.
struct RowWorkspace {
  PlanRef ref;
  AxisAttr head;
  int64_t features = 0;
};

struct Selections {
  llvm::DenseMap<Value, SelectionLists> lists;    ///< by the result of sattn.select
  llvm::DenseMap<Value, RowWorkspace> weights;    ///< by the result of sattn.weigh
  llvm::DenseMap<Value, RowWorkspace> attentions; ///< by the result of sattn.accumulate: finalised outputs
  llvm::DenseMap<Value, RowWorkspace> lses;       ///< by the result of sattn.lse: natural logarithms
  llvm::DenseMap<Value, RowWorkspace> scattered;  ///< by the result of sattn.scatter: all rows, not those of a chunk
};

/// Whether slots are weighed by other scores than those that select, or together with an lse. Such weights are never
/// stored: the kernel that attends to the slots joins them.
bool joinsSlots(WeighOp weigh);

/// The accumulations that the kernels of all rows compute: not those of gathered rows (RouteKernel.h), and none that
/// rides along with a selection.
SmallVector<AccumulateOp> accumulationsOf(Context &context, const Selections &selections);

/// Builds the kernels of all selections of the pattern.
FailureOr<Selections> buildSelections(Context &context, Preparer &preparer);

/// What a set was normalised to: a formula; a selection or lists of the caller's, and a formula that these must obey;
/// or random blocks, with those of `formula` they must obey and the keys of `beside`. Any of them may be null.
struct SetParts {
  SelectOp select;
  ListedOp listed;
  SetOp formula;
  RandomOp random;
  SetOp beside;
};
FailureOr<SetParts> partsOf(Context &context, Operation *user, Value set);
/// The lists that a caller hands in.
FailureOr<SelectionLists> listsOf(Context &context, ListedOp op);

/// Sets `forced` to the columns that `select` forces, over its rows; leaves it where there are none.
LogicalResult addForced(Context &context, SelectOp select, FailureOr<LocalSet> &forced);

/// The mask makes -inf of what is no candidate. A forced candidate is selected even where its own score is -inf, which
/// NaN stands for: sattn_tile.top_push and top_row take it by force only.
Value keepForced(KernelBuilder &k, Value z);

} // namespace sattn::lower

// The kernels that compute what a pattern yields for query rows. One kernel holds all branches of a pattern, so that
// gates and mixtures are its epilogue.
#pragma once
#include "lib/transforms/kernels/Epilogue.h"
#include "lib/transforms/kernels/Selection.h"

namespace sattn::lower {

/// Operands of one accumulation over a formula.
struct PreparedBranch {
  RangeBranch branch;
  RowOperand queries;
};
/// What sattn-choose-dataflow found that all sets imply.
Congruence congruenceOf(AccumulateOp op);
/// Prepares the operands of `op`, which must accumulate over a formula, for key tiles of `tile` rows. With a congruence
/// that the formula implies, keys are packed by residue classes, or stay where they lie.
FailureOr<PreparedBranch> prepareRange(Context &context, Preparer &preparer, AccumulateOp op, int64_t tile,
                                       Congruence congruence = {}, bool packClasses = true);
/// Makes the class of `row` (of the call) the task's: row = m * i + shift + r gives the symbol r, and i is returned.
Value enterClass(Task &task, Congruence congruence, Value row);
/// The branch among the keys of the task's class, r, r + m and so on, counted among themselves.
RangeBranch branchOfClass(Task &task, RangeBranch branch, Congruence congruence);

/// What selection kernels computed, as tiles for `rows`; `local` is the first row within the chunk. Null where `value`
/// is not such a tensor.
Value attendedTile(Task &task, const Rows &rows, Value local, const Selections &selections, Value value);

/// Range dataflow (every set is a formula): a task owns `rowTile` rows of one query head and streams each branch over
/// the cover of its set. Where all sets imply one congruence, rows and keys are those of one class of residues.
LogicalResult buildRangeKernel(Context &context, Preparer &preparer, const Selections &selections);

/// The target as the form for few rows uses it: operands lie where the caller put them.
TargetInfo decodeTarget(TargetInfo target);

/// The form for few query rows of a pattern whose sets are formulas: keys are split between tasks, partial results
/// joined.
LogicalResult buildDecodeKernels(Context &context, Preparer &preparer);

/// Rows of an inverted task: one for every `keysPerRow` keys of the call, so that as many rows share a block whatever
/// the length; `most` at most, and always where `keysPerRow` is 0.
struct TaskRows {
  int64_t most = 0, keysPerRow = 0;
};

/// Inverted dataflow (sets of selected blocks): a task owns neighbouring rows of the query heads that share a list,
/// keeps their softmax state in private memory, and visits each selected block once, with the rows that chose it. Where
/// blocks of rows share a list (listed dataflow) a task is a part of such a block.
LogicalResult buildInvertedKernel(Context &context, Preparer &preparer, const Selections &selections, TaskRows task);

/// Masked dataflow (sets of selected blocks): a task owns a tile of rows of one query head and streams all keys that
/// the formula beside the selection lets them see; what a row did not choose is hidden from it.
LogicalResult buildMaskedKernels(Context &context, Preparer &preparer, const Selections &selections);

/// The target as the form for few rows of a pattern with selections uses it.
TargetInfo listTarget(TargetInfo target);

/// The form for few query rows of a pattern with selections: a task owns one row of the query heads that share a list
/// and walks the list; keys are read where they lie.
LogicalResult buildListKernel(Context &context, Preparer &preparer, const Selections &selections);

} // namespace sattn::lower

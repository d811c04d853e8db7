// Selections of single tokens: of each row the scores of all keys that it may see are stored, for a chunk of rows, and
// the best of them become a list.
//
//   score    scores of rows and keys                 token_scores [row][tile of keys][key]
//   choose   the best of each row, ascending         tokens [row][slot], -1 padded
//
// A row's scores are as long as the keys, so chunks are as small as keeps them near TargetInfo.waveBytes.
#pragma once
#include "lib/transforms/kernels/Selection.h"

namespace sattn::lower {

/// The lists of one selection of tokens.
struct TokenLists {
  PlanRef ref;
  AxisAttr head;         ///< null: one list for all heads
  int64_t heads = 1;     ///< query heads for each list; 0: all there are
  bool rowsFirst = true; ///< the rows of a head follow one another, else the heads of a row
  int64_t rowTile = 1;   ///< rows of a chunk are padded to multiples of it
};

/// Whether a selection of the pattern is of single tokens.
bool selectsTokens(PatternOp pattern, const PatternFacts &facts);

/// Builds the kernels of all selections, which must be of tokens.
FailureOr<llvm::DenseMap<Value, TokenLists>> buildTokenSelections(Context &context, Preparer &preparer);

/// All kernels of a pattern that selects tokens: the selections, and one that attends to them and to ranges beside.
LogicalResult buildTokenKernels(Context &context, Preparer &preparer);

/// Number of the list of row `local` of the chunk for the task's heads.
Value listOf(Task &task, const TokenLists &lists, Value local);

} // namespace sattn::lower

// A call checked against the roles and params of its pattern: the sizes of all axes, the values of all params, and
// the positions of rows and keys. Everything after this file relies on these checks and repeats none of them.
#pragma once
#include "lib/reference/Errors.h"
#include "lib/reference/Evaluate.h"
#include "lib/reference/Interpreter.h"

namespace sattn::ref {

struct Binding {
  int64_t batch = 1;
  /// T and S; S is what the blocks of keys cover where no role has an axis s.
  int64_t rows = 0, keys = 0;
  /// Params by name, and sizes of feature axes.
  llvm::StringMap<double> numbers;
  /// Sizes of head axes.
  llvm::StringMap<int64_t> heads;
  /// For each batch entry.
  std::vector<int64_t> qOffset, kvOffset, kvLen;

  /// Value of a number over params; reports where it is not known.
  double number(ExprAttr expr, Errors &errors) const;
  /// The same where the verifier has seen that only integers take part.
  int64_t integer(ExprAttr expr, Errors &errors) const;
  /// Length and stride of an axis; single positions where it is not of blocks.
  Blocks blocks(AxisAttr axis, Errors &errors) const;

  /// Blocks of keys that exist in batch entry `b`: complete ones, or with `ragged` all that begin before the end.
  int64_t keyBlocks(Blocks blocks, bool ragged, int64_t b) const;
};

/// Blocks of `size` positions that are complete, or with `ragged` (disjoint ones) all that hold a position.
int64_t countBlocks(Blocks blocks, bool ragged, int64_t size);

FailureOr<Binding> bindCall(PatternOp pattern, const Call &call, Errors &errors);

/// True for a role that has a leading batch axis: one with an axis t, u, s or c.
bool hasBatch(ArrayRef<AxisAttr> axes);

} // namespace sattn::ref

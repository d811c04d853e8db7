// What formulas of maps and sets say of rows, for kernels whose units have rows from anywhere in a task: it is made
// once for all rows of the task, kept in private memory, and gathered for the rows of a unit.
#pragma once
#include "lib/transforms/kernels/SelectedBranches.h"

namespace sattn::lower {

class UnitRows {
public:
  /// Private memory for a branch of a task of `positions` rows of `heads` heads.
  void declare(Task &task, const SelectedBranch &branch, int64_t heads, int64_t positions);
  /// Stores what belongs to the tile `rows`, which begins `at` rows behind the first of the task.
  void store(Task &task, const Rows &rows, Value at) const;

  /// Gets a row vector out of a private view, for the rows of a unit.
  using Gather = llvm::function_ref<Value(Value view, Type element)>;
  RowValues valuesOf(const ScoreChain &chain, Gather gather) const;
  void addNumbers(Operation *branch, Predicate &predicate, Gather gather) const;

private:
  struct Kept {
    Value view;
    Type element;
    MapOp map;      ///< null for a load of a set
    TableLoad load; ///< of a set
  };
  /// By the map, or the branch whose set it is, and the leaf of its formula.
  llvm::MapVector<std::pair<Operation *, ExprAttr>, Kept> all;
};

} // namespace sattn::lower

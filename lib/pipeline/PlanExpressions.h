// Index values of a launch plan as expressions of the manifest: JSON numbers, names and ["op", a, b]. Used by
// PlanToManifest.cpp and KernelStreams.cpp.
#pragma once
#include "dialects/tile/Tile.h"
#include "lib/support/LLVM.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/JSON.h"

namespace sattn {

using Json = llvm::json::Value;

/// [op, a, b] with numbers folded and neutral elements dropped. Folds leave 64-bit overflow to the runtime's checks.
Json expression(StringRef op, Json a, Json b);

/// The operator of an op of two operands; "" if it has none.
StringRef planOperator(Operation *op);

class PlanExpressions {
public:
  struct Derived {
    std::string name;
    Json value;
  };

  /// Visits the plan in program order and gives each index (or i1) value an expression. Values that several ops use and
  /// that hold for the whole call get a name in `derived()`. Fails with a diagnostic at ops that have no form.
  LogicalResult build(tile::PlanOp plan);

  /// The expression of a value that build() has seen.
  const Json &of(Value value) const { return values.find(value)->second; }
  ArrayRef<Derived> derived() const { return derivedValues; }
  /// The variable of a loop: "i0", "i1", ...
  std::string variable(tile::LoopOp loop) const;

private:
  LogicalResult visit(Operation *op);
  LogicalResult visitArith(Operation *op);
  void name(Value value);
  void enter(tile::LoopOp loop);

  llvm::DenseMap<Value, Json> values;
  llvm::DenseMap<Value, int64_t> sizes; ///< nodes of an expression, to refuse explosions inside loops
  llvm::DenseSet<Value> inLoop;         ///< depends on a loop variable
  std::vector<Derived> derivedValues;
  int loops = 0;
};

} // namespace sattn

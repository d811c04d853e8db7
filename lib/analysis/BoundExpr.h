// Integer expressions of run-time values, for loop bounds and tile conditions: sums, products with constants, floor
// division and remainder by positive constants, min, max and select. One immutable DAG, unique per BoundPool, serves
// both the emission to arith ops (BoundEmit.h) and evaluation on numbers.
//
// Each node knows a range that its value cannot leave while the symbols stay within theirs; a node that could leave
// +-2^62 is not made (null instead), so neither emitted code nor evaluation overflows.
#pragma once
#include "lib/support/LLVM.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstdint>
#include <memory>
#include <string>

namespace sattn {

class BoundPool;

/// One node: constant + sum of coeff * node, or a single operation.
struct BoundNode {
  enum Kind : uint8_t { Sum, Symbol, FloorDiv, Mod, Min, Max, Select };
  struct Part {
    int64_t coeff;
    const BoundNode *node;
    friend bool operator==(const Part &, const Part &) = default;
  };
  Kind kind;
  int64_t number = 0;         // Sum: constant; FloorDiv, Mod: divisor
  SmallVector<Part, 3> parts; // Sum: terms, by id; others: operands with coefficient 1
  std::string name;           // Symbol
  int64_t lo, hi;             // range
  unsigned id;                // order of creation
};

/// A handle; null stands for "not known" (or not representable), which every operation passes on.
class BoundExpr {
public:
  BoundExpr() = default;
  explicit BoundExpr(const BoundNode *node) : impl(node) {}
  explicit operator bool() const { return impl; }
  const BoundNode *node() const { return impl; }
  friend bool operator==(BoundExpr, BoundExpr) = default;

  bool isConstant() const { return impl && impl->kind == BoundNode::Sum && impl->parts.empty(); }
  bool isConstant(int64_t v) const { return isConstant() && impl->number == v; }
  /// As conditions ("holds iff >= 0").
  bool alwaysHolds() const { return impl && impl->lo >= 0; }
  bool neverHolds() const { return impl && impl->hi < 0; }

  std::string str() const;

private:
  const BoundNode *impl = nullptr;
};

/// Makes and owns nodes. Not thread-safe; expressions live as long as their pool.
class BoundPool {
public:
  BoundPool();
  ~BoundPool();
  BoundPool(const BoundPool &) = delete;
  BoundPool &operator=(const BoundPool &) = delete;

  BoundExpr constant(int64_t value);
  /// A run-time value within [lo, hi]; the same name gives the same node (with the range of its first use).
  BoundExpr symbol(StringRef name, int64_t lo, int64_t hi);
  BoundExpr add(BoundExpr a, BoundExpr b);
  BoundExpr sub(BoundExpr a, BoundExpr b) { return add(a, scale(b, -1)); }
  BoundExpr add(BoundExpr a, int64_t value) { return add(a, constant(value)); }
  BoundExpr scale(BoundExpr a, int64_t factor);
  BoundExpr floorDiv(BoundExpr a, int64_t divisor);
  BoundExpr ceilDiv(BoundExpr a, int64_t divisor) { return floorDiv(add(a, divisor - 1), divisor); }
  BoundExpr mod(BoundExpr a, int64_t divisor);
  BoundExpr min(BoundExpr a, BoundExpr b);
  BoundExpr max(BoundExpr a, BoundExpr b);
  /// condition >= 0 ? a : b
  BoundExpr select(BoundExpr condition, BoundExpr a, BoundExpr b);

  // Conditions are expressions that hold iff >= 0; so `and` is min, `or` is max.
  BoundExpr allOf(BoundExpr a, BoundExpr b) { return min(a, b); }
  BoundExpr anyOf(BoundExpr a, BoundExpr b) { return max(a, b); }
  BoundExpr negate(BoundExpr condition) { return sub(constant(-1), condition); }

  /// The value of an expression; `lookup` gives those of its symbols.
  int64_t evaluate(BoundExpr expr, llvm::function_ref<int64_t(StringRef)> lookup) const;
  size_t size() const;

private:
  BoundExpr unique(BoundNode node);
  BoundExpr binary(BoundNode::Kind kind, BoundExpr a, BoundExpr b);
  struct Table;
  std::unique_ptr<Table> table;
};

} // namespace sattn

// Turns bound expressions (BoundExpr.h) into arith ops on index.
#pragma once
#include "lib/analysis/BoundExpr.h"
#include "mlir/IR/Builders.h"
#include <functional>

namespace sattn {

/// Emits expressions at the builder's insertion point; a node that was emitted before is reused, so keep one emitter
/// per block (values of an outer block dominate, those of a sibling do not).
class BoundEmitter {
public:
  using SymbolLookup = std::function<mlir::Value(StringRef name)>;
  /// `lookup` gives the index value of each symbol: the tile's rows, "j", params and sizes.
  BoundEmitter(mlir::OpBuilder &builder, Location loc, SymbolLookup lookup);

  /// The index value of a known (non-null) expression.
  mlir::Value emit(BoundExpr expr);
  /// The i1 value of "expr >= 0".
  mlir::Value emitCondition(BoundExpr expr);

private:
  mlir::Value emitNode(const BoundNode *node);
  mlir::Value emitSum(const BoundNode *node);
  mlir::Value constant(int64_t value);

  mlir::OpBuilder &builder;
  Location loc;
  SymbolLookup lookup;
  llvm::DenseMap<const BoundNode *, mlir::Value> known;
};

} // namespace sattn

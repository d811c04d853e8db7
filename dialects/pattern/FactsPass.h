// The forward pass behind deriveFacts: one visit function for each op, grouped by theme over Facts*.cpp. Not for use
// outside them. The first message ends the pass, because later facts would rest on wrong ones.
#pragma once
#include "dialects/pattern/Facts.h"
#include "dialects/pattern/KeySet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace sattn {

class FactsPass {
public:
  explicit FactsPass(PatternOp pattern) : pattern(pattern) {}
  FailureOr<PatternFacts> run();

private:
  using Names = ArrayRef<StringRef>;

  // Facts.cpp: the frame
  LogicalResult roles();
  LogicalResult params();
  LogicalResult body();
  LogicalResult nothingIdle();
  FailureOr<Facts> visit(Operation &op);
  LogicalResult visitYield(YieldOp op);

  // FactsSets.cpp
  FailureOr<Facts> visit(SetOp op);
  FailureOr<Facts> visit(RandomOp op);
  FailureOr<Facts> visit(ListedOp op);
  FailureOr<Facts> visit(UnionOp op) { return algebra(op, op.getSets()); }
  FailureOr<Facts> visit(IntersectOp op) { return algebra(op, op.getSets()); }
  FailureOr<Facts> visit(MinusOp op) { return algebra(op, op.getSets()); }
  FailureOr<Facts> visit(SelectOp op);
  FailureOr<Facts> algebra(Operation *op, mlir::OperandRange sets);
  LogicalResult joinHeads(Operation *op, mlir::OperandRange sets, Facts &facts);

  // FactsTensors.cpp
  FailureOr<Facts> visit(SummarizeOp op);
  FailureOr<Facts> visit(EncodeOp op);
  FailureOr<Facts> visit(PrefixOp op);
  FailureOr<Facts> visit(RouteOp op);
  FailureOr<Facts> visit(GatherOp op);
  FailureOr<Facts> visit(ScatterOp op);
  FailureOr<Facts> visit(SmoothOp op);
  FailureOr<Facts> visit(MixOp op);

  // FactsScores.cpp
  FailureOr<Facts> visit(ScoreOp op);
  FailureOr<Facts> visit(MapOp op);
  FailureOr<Facts> visit(NormalizeOp op);
  FailureOr<Facts> visit(ReduceOp op);
  FailureOr<Facts> visit(RebinOp op);
  FailureOr<Facts> visit(ColsumOp op);
  FailureOr<Facts> visit(WeighOp op);

  // FactsPartials.cpp
  FailureOr<Facts> visit(AccumulateOp op);
  FailureOr<Facts> visit(ReopenOp op);
  FailureOr<Facts> visit(MergeOp op);
  FailureOr<Facts> visit(FinalizeOp op);
  FailureOr<Facts> visit(LseOp op);
  FailureOr<Facts> visit(AttendOp op);
  FailureOr<Facts> visit(BlendOp op);
  FailureOr<Facts> output(Operation *op, Value score, Value set, Value values);
  LogicalResult sink(Operation *op, Value logits, AxisAttr head);

  // FactsFormulas.cpp: names, numbers and tables
  /// (C1), (C2): every name is a param, a feature axis or in `scope`. Marks params as used.
  LogicalResult names(Operation *op, ExprAttr expr, Names scope);
  /// Calls are `first(c)`, `last(c)`, `size(axis)` (where `positions`), functions of values (where `values`) or, in a
  /// map, of the author (C39).
  LogicalResult calls(Operation *op, ExprAttr expr, bool positions, bool values);
  /// (C39): a call `@f(...)` in a map.
  LogicalResult functionCall(Operation *op, ExprAttr call);
  /// True if an expression of a map is an integer wherever it is evaluated.
  bool isWhole(Operation *op, ExprAttr expr);
  /// (C14): an integer over params that is at least `least` where it is known.
  LogicalResult integer(Operation *op, ExprAttr number, StringRef clause, int64_t least);
  /// A float over params.
  LogicalResult real(Operation *op, ExprAttr number, StringRef clause);
  /// (C9) to (C11): no dynamic param in `expr`; its name stands for {} in `message`.
  LogicalResult isStatic(Operation *op, ExprAttr expr, StringRef message);
  /// (C11): the block length and stride of an axis.
  LogicalResult blocks(Operation *op, AxisAttr axis);
  /// (C9), (C10): divisors, params that scale positions, and one factor of every other product are static.
  LogicalResult factors(Operation *op, ExprAttr expr);
  /// (C15), (C16): loads have one index for each axis, of its kind and inside it.
  LogicalResult tables(Operation *op, ExprAttr expr, mlir::OperandRange operands, bool bareAllowed);
  LogicalResult load(Operation *op, ExprAttr load, Value table);

  // FactsScores.cpp: how sets meet scores
  /// (C21) to (C25): the set has the score's rows, columns and heads; blocks lift to tokens where `lift`.
  LogicalResult fits(Operation *op, Value set, Value score, bool lift = true);
  /// An lse has the axes `[row, head]` of the score.
  LogicalResult perRow(Operation *op, Value lse, const Facts &score);
  /// (C34): both operands stand at the same rows.
  LogicalResult sameRows(Operation *op, Value a, Value b);

  const Facts &of(Value value) const { return result.of(value); }
  /// A message at `op`, and one with a note at the definition of the operand that is wrong.
  InFlightDiagnostic error(Operation *op);
  InFlightDiagnostic error(Operation *op, Value operand);

  PatternOp pattern;
  PatternFacts result;
  llvm::StringMap<ParamAttr> declared;
  llvm::StringSet<> usedParams, features, heads, positions;
};

/// `'h'`, or `'one'` for a null axis.
std::string headText(AxisAttr head);
/// `[t, h, D]`.
std::string axesText(ArrayRef<AxisAttr> axes);
/// Blocks of rows; blocks of one row are rows.
AxisAttr rowBlocks(ExprAttr len);

} // namespace sattn

// Emission of bound expressions. Ranges are known, so nothing overflows; division by a power of two becomes a shift
// (arithmetic shift is floor division), by anything else arith.floordivsi.
#include "lib/analysis/BoundEmit.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

namespace sattn {
using namespace mlir;

BoundEmitter::BoundEmitter(OpBuilder &builder, Location loc, SymbolLookup lookup)
    : builder(builder), loc(loc), lookup(std::move(lookup)) {}

Value BoundEmitter::constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

Value BoundEmitter::emit(BoundExpr expr) { return emitNode(expr.node()); }

Value BoundEmitter::emitCondition(BoundExpr expr) {
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, emit(expr), constant(0));
}

Value BoundEmitter::emitSum(const BoundNode *node) {
  Value sum;
  auto accumulate = [&](Value v, bool negative) {
    if (!sum && negative)
      sum = constant(0);
    if (!sum)
      sum = v;
    else if (negative)
      sum = arith::SubIOp::create(builder, loc, sum, v);
    else
      sum = arith::AddIOp::create(builder, loc, sum, v);
  };
  // Positive terms first, so that most sums need no leading zero.
  for (bool negative : {false, true}) {
    for (const BoundNode::Part &p : node->parts) {
      if ((p.coeff < 0) != negative)
        continue;
      int64_t factor = negative ? -p.coeff : p.coeff;
      Value v = emitNode(p.node);
      if (factor != 1)
        v = arith::MulIOp::create(builder, loc, v, constant(factor));
      accumulate(v, negative);
    }
    if (!negative && (node->number > 0 || node->parts.empty()))
      accumulate(constant(node->number), false);
  }
  if (node->number < 0 && !node->parts.empty())
    accumulate(constant(-node->number), true);
  return sum;
}

Value BoundEmitter::emitNode(const BoundNode *node) {
  if (Value v = known.lookup(node))
    return v;
  // Operands first and in order, so that the text does not depend on the compiler's order of evaluation.
  SmallVector<Value, 3> operands;
  if (node->kind != BoundNode::Sum && node->kind != BoundNode::Select)
    for (const BoundNode::Part &p : node->parts)
      operands.push_back(emitNode(p.node));
  Value v;
  switch (node->kind) {
  case BoundNode::Sum:
    v = emitSum(node);
    break;
  case BoundNode::Symbol:
    v = lookup(node->name);
    break;
  case BoundNode::FloorDiv:
    if (llvm::isPowerOf2_64(node->number))
      v = arith::ShRSIOp::create(builder, loc, operands[0], constant(llvm::Log2_64(node->number)));
    else
      v = arith::FloorDivSIOp::create(builder, loc, operands[0], constant(node->number));
    break;
  case BoundNode::Mod: {
    Value x = operands[0];
    if (llvm::isPowerOf2_64(node->number)) {
      v = arith::AndIOp::create(builder, loc, x, constant(node->number - 1));
    } else {
      Value d = constant(node->number);
      Value whole = arith::MulIOp::create(builder, loc, arith::FloorDivSIOp::create(builder, loc, x, d), d);
      v = arith::SubIOp::create(builder, loc, x, whole);
    }
    break;
  }
  case BoundNode::Min:
    v = arith::MinSIOp::create(builder, loc, operands[0], operands[1]);
    break;
  case BoundNode::Max:
    v = arith::MaxSIOp::create(builder, loc, operands[0], operands[1]);
    break;
  case BoundNode::Select: {
    Value condition = emitCondition(BoundExpr(node->parts[0].node));
    Value a = emitNode(node->parts[1].node), b = emitNode(node->parts[2].node);
    v = arith::SelectOp::create(builder, loc, condition, a, b);
    break;
  }
  }
  return known[node] = v;
}

} // namespace sattn

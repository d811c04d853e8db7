// Formula trees to arith and math ops. Functions use the subset of math that code generators implement.
#include "lib/transforms/kernels/Formulas.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringSwitch.h"

namespace sattn::lower {
using namespace mlir;

namespace {
class FloatEmitter {
public:
  FloatEmitter(OpBuilder &b, Location loc, llvm::function_ref<Value(ExprAttr)> leaf,
               llvm::function_ref<bool(ExprAttr)> isLeaf)
      : b(b), loc(loc), leaf(leaf), isLeaf(isLeaf) {}

  Value emit(ExprAttr expr) {
    if (isLeaf && isLeaf(expr))
      return leaf(expr);
    switch (expr.getKind()) {
    case ExprKind::Int:
      return constant(static_cast<double>(expr.getValue()));
    case ExprKind::Float:
      return constant(expr.getFloat());
    case ExprKind::Name:
    case ExprKind::Table:
      return leaf(expr);
    default:
      break;
    }
    SmallVector<Value, 2> kids;
    for (ExprAttr kid : expr.getKids())
      kids.push_back(emit(kid));
    return expr.is(ExprKind::Call) ? function(expr.getText(), kids) : node(expr.getKind(), kids);
  }

private:
  Value constant(double value) {
    return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(value)));
  }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value exp(Value x) { return math::Exp2Op::create(b, loc, mul(x, constant(kLog2E))); }

  Value node(ExprKind kind, ArrayRef<Value> x) {
    switch (kind) {
    case ExprKind::Neg:
      return arith::NegFOp::create(b, loc, x[0]);
    case ExprKind::Add:
      return arith::AddFOp::create(b, loc, x[0], x[1]);
    case ExprKind::Sub:
      return arith::SubFOp::create(b, loc, x[0], x[1]);
    case ExprKind::Mul:
      return mul(x[0], x[1]);
    case ExprKind::Div:
      return arith::DivFOp::create(b, loc, x[0], x[1]);
    case ExprKind::FloorDiv:
      return math::FloorOp::create(b, loc, arith::DivFOp::create(b, loc, x[0], x[1]));
    case ExprKind::Mod: {
      Value whole = math::FloorOp::create(b, loc, arith::DivFOp::create(b, loc, x[0], x[1]));
      return arith::SubFOp::create(b, loc, x[0], mul(whole, x[1]));
    }
    default:
      llvm_unreachable("conditions are no values");
    }
  }

  /// A call of a function of the program; its integers stand in float32 as all leaves do.
  Value call(StringRef name, SmallVector<Value, 2> x) {
    Operation *parent = b.getInsertionBlock()->getParentOp();
    auto callee = SymbolTable::lookupNearestSymbolFrom<tile::FunctionOp>(parent, b.getStringAttr(name));
    for (auto [argument, type] : llvm::zip(x, callee.getType().getInputs()))
      if (type.isInteger(32))
        argument = arith::FPToSIOp::create(b, loc, type, argument);
    return tile::CallOp::create(b, loc, b.getF32Type(), name, x);
  }

  Value function(StringRef name, ArrayRef<Value> x) {
    if (name.consume_front("@"))
      return call(name, SmallVector<Value, 2>(x));
    if (name == "max" || name == "min") {
      Value y = x[0];
      for (Value next : x.drop_front())
        y = name == "max" ? Value(arith::MaximumFOp::create(b, loc, y, next))
                          : Value(arith::MinimumFOp::create(b, loc, y, next));
      return y;
    }
    if (name == "abs")
      return math::AbsFOp::create(b, loc, x[0]);
    if (name == "exp")
      return exp(x[0]);
    if (name == "log")
      return mul(math::Log2Op::create(b, loc, x[0]), constant(kLn2));
    if (name == "tanh")
      return math::TanhOp::create(b, loc, x[0]);
    if (name == "sigmoid") {
      Value down = exp(arith::NegFOp::create(b, loc, x[0]));
      return arith::DivFOp::create(b, loc, constant(1.0), arith::AddFOp::create(b, loc, down, constant(1.0)));
    }
    if (name == "relu")
      return arith::MaximumFOp::create(b, loc, x[0], constant(0.0));
    if (name == "rsqrt")
      return math::RsqrtOp::create(b, loc, x[0]);
    llvm_unreachable("the verifier knows the functions of formulas");
  }

  OpBuilder &b;
  Location loc;
  llvm::function_ref<Value(ExprAttr)> leaf;
  llvm::function_ref<bool(ExprAttr)> isLeaf;
};
} // namespace

Value emitFloat(OpBuilder &b, Location loc, ExprAttr expr, llvm::function_ref<Value(ExprAttr)> leaf,
                llvm::function_ref<bool(ExprAttr)> isLeaf) {
  return FloatEmitter(b, loc, leaf, isLeaf).emit(expr);
}

Value floatParam(Task &task, StringRef name) {
  KernelBuilder &k = task.k;
  for (auto param : task.context.pattern.getParams().getAsRange<ParamAttr>()) {
    if (param.getName() != name)
      continue;
    if (param.getIsFloat())
      return k.operand({PlanRef::Param, name.str(), k.b.getF32Type()});
    Value index = k.operand({PlanRef::Param, name.str(), k.b.getIndexType()});
    Value integer = arith::IndexCastOp::create(k.b, k.loc, k.b.getI64Type(), index);
    return arith::SIToFPOp::create(k.b, k.loc, k.b.getF32Type(), integer);
  }
  return {};
}

Value emitNumber(Task &task, ExprAttr expr, double factor) {
  KernelBuilder &k = task.k;
  auto none = [](ExprAttr) { return std::nullopt; };
  if (auto literal = evaluateFloat(expr, none))
    return k.float32(*literal * factor);
  Value number = emitFloat(k.b, k.loc, expr, [&](ExprAttr leaf) { return floatParam(task, leaf.getText()); });
  if (factor == 1.0)
    return number;
  return arith::MulFOp::create(k.b, k.loc, number, k.float32(factor));
}

Value emitInteger(IndexBuilder &b, ExprAttr expr, llvm::function_ref<Value(StringRef)> leaf) {
  if (!expr)
    return b.constant(0);
  if (expr.is(ExprKind::Int))
    return b.constant(expr.getValue());
  if (expr.is(ExprKind::Name))
    return leaf(expr.getText());
  Value x = emitInteger(b, expr.getKids()[0], leaf);
  if (expr.is(ExprKind::Neg))
    return b.sub(b.constant(0), x);
  Value y = emitInteger(b, expr.getKids()[1], leaf);
  return expr.is(ExprKind::Add) ? b.add(x, y) : expr.is(ExprKind::Sub) ? b.sub(x, y) : b.mul(x, y);
}

} // namespace sattn::lower

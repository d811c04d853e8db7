// The builder of ScalarCode.h.
#include "codegen/common/ScalarCode.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace sattn;
using namespace sattn::codegen;
using namespace mlir;

ScalarCode::ScalarCode(LLVM::LLVMFuncOp function) : b(function.getLoc(), function.getContext()), function(function) {
  i1 = b.getI1Type();
  i16 = b.getIntegerType(16);
  i32 = b.getI32Type();
  i64 = b.getI64Type();
  f32 = b.getF32Type();
  b.setInsertionPointToEnd(&function.getBody().front());
}

//===-- Constants ---------------------------------------------------------------------------------------===//

Value ScalarCode::constant(TypedAttr attribute) {
  Value &value = constants[attribute];
  if (!value) {
    OpBuilder head = OpBuilder::atBlockBegin(&function.getBody().front());
    value = arith::ConstantOp::create(head, function.getLoc(), attribute);
  }
  return value;
}
Value ScalarCode::int64(int64_t value) { return constant(b.getI64IntegerAttr(value)); }
Value ScalarCode::int32(int64_t value) { return constant(b.getI32IntegerAttr(static_cast<int32_t>(value))); }
Value ScalarCode::boolean(bool value) { return constant(b.getBoolAttr(value)); }
Value ScalarCode::float32(float value) { return constant(b.getF32FloatAttr(value)); }
std::optional<int64_t> ScalarCode::known(Value value) {
  IntegerAttr attribute;
  if (matchPattern(value, m_Constant(&attribute)))
    return attribute.getInt();
  return std::nullopt;
}

//===-- i64 arithmetic ----------------------------------------------------------------------------------===//

Value ScalarCode::add(Value a, Value c) {
  auto x = known(a), y = known(c);
  if (x && y)
    return int64(static_cast<int64_t>(static_cast<uint64_t>(*x) + static_cast<uint64_t>(*y)));
  if (x && *x == 0)
    return c;
  if (y && *y == 0)
    return a;
  return arith::AddIOp::create(b, a, c);
}
Value ScalarCode::sub(Value a, Value c) {
  auto x = known(a), y = known(c);
  if (x && y)
    return int64(static_cast<int64_t>(static_cast<uint64_t>(*x) - static_cast<uint64_t>(*y)));
  return y && *y == 0 ? a : Value(arith::SubIOp::create(b, a, c));
}
Value ScalarCode::mul(Value a, Value c) {
  auto x = known(a), y = known(c);
  if (x && y)
    return int64(static_cast<int64_t>(static_cast<uint64_t>(*x) * static_cast<uint64_t>(*y)));
  if (y && *y == 1)
    return a;
  if (x && *x == 1)
    return c;
  return arith::MulIOp::create(b, a, c);
}
Value ScalarCode::floorDiv(Value a, int64_t positive) {
  if (auto x = known(a))
    return int64(*x >= 0 ? *x / positive : -((-1 - *x) / positive) - 1);
  if (positive == 1)
    return a;
  if (llvm::isPowerOf2_64(positive))
    return arith::ShRSIOp::create(b, a, int64(llvm::Log2_64(positive)));
  Value quotient = arith::DivSIOp::create(b, a, int64(positive));
  Value rest = sub(a, mul(quotient, positive));
  Value negative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, rest, int64(0));
  return add(quotient, arith::ExtSIOp::create(b, i64, negative));
}
Value ScalarCode::floorDiv(Value a, Value c) {
  if (auto divisor = known(c); divisor && *divisor > 0)
    return floorDiv(a, *divisor);
  Value quotient = arith::DivSIOp::create(b, a, c);
  Value rest = sub(a, mul(quotient, c));
  Value inexact = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, rest, int64(0));
  Value signs = xori(rest, c);
  Value negative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, signs, int64(0));
  return add(quotient, arith::ExtSIOp::create(b, i64, andi(inexact, negative)));
}
Value ScalarCode::mod(Value a, int64_t positive) { return sub(a, mul(floorDiv(a, positive), positive)); }
Value ScalarCode::ceilDiv(Value a, Value c) { return sub(int64(0), floorDiv(sub(int64(0), a), c)); }
Value ScalarCode::min(Value a, Value c) { return arith::MinSIOp::create(b, a, c); }
Value ScalarCode::max(Value a, Value c) { return arith::MaxSIOp::create(b, a, c); }
Value ScalarCode::less(Value a, Value c) { return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, a, c); }
Value ScalarCode::lessUnsigned(Value a, Value c) { return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, a, c); }
Value ScalarCode::equal(Value a, Value c) { return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, a, c); }
Value ScalarCode::clampTo32(Value a, int64_t low, int64_t high) {
  return arith::TruncIOp::create(b, i32, min(max(a, int64(low)), int64(high)));
}

Value ScalarCode::affine(AffineExpr expr, unsigned dims, ArrayRef<Value> operands) {
  switch (expr.getKind()) {
  case AffineExprKind::Constant:
    return int64(cast<AffineConstantExpr>(expr).getValue());
  case AffineExprKind::DimId:
    return operands[cast<AffineDimExpr>(expr).getPosition()];
  case AffineExprKind::SymbolId:
    return operands[dims + cast<AffineSymbolExpr>(expr).getPosition()];
  default:
    break;
  }
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value x = affine(binary.getLHS(), dims, operands), y = affine(binary.getRHS(), dims, operands);
  if (!x || !y)
    return {};
  if (expr.getKind() == AffineExprKind::Add)
    return add(x, y);
  if (expr.getKind() == AffineExprKind::Mul)
    return mul(x, y);
  auto divisor = known(y);
  if (!divisor || *divisor <= 0)
    return {};
  return expr.getKind() == AffineExprKind::FloorDiv  ? floorDiv(x, *divisor)
         : expr.getKind() == AffineExprKind::CeilDiv ? ceilDiv(x, y)
                                                     : mod(x, *divisor);
}
Value ScalarCode::affine(AffineMap map, ArrayRef<Value> operands, llvm::function_ref<Value(Value, Value)> join) {
  Value result;
  for (AffineExpr expr : map.getResults()) {
    Value value = affine(expr, map.getNumDims(), operands);
    if (!value)
      return {};
    result = result ? join(result, value) : value;
  }
  return result;
}

//===-- Arithmetic on scalars or vectors ----------------------------------------------------------------===//

Value ScalarCode::addf(Value a, Value c) { return arith::AddFOp::create(b, a, c); }
Value ScalarCode::subf(Value a, Value c) { return arith::SubFOp::create(b, a, c); }
Value ScalarCode::mulf(Value a, Value c) { return arith::MulFOp::create(b, a, c); }
Value ScalarCode::divf(Value a, Value c) { return arith::DivFOp::create(b, a, c); }
Value ScalarCode::andi(Value a, Value c) { return arith::AndIOp::create(b, a, c); }
Value ScalarCode::ori(Value a, Value c) { return arith::OrIOp::create(b, a, c); }
Value ScalarCode::xori(Value a, Value c) { return arith::XOrIOp::create(b, a, c); }
Value ScalarCode::addi(Value a, Value c) { return arith::AddIOp::create(b, a, c); }
Value ScalarCode::subi(Value a, Value c) { return arith::SubIOp::create(b, a, c); }
Value ScalarCode::muli(Value a, Value c) { return arith::MulIOp::create(b, a, c); }
Value ScalarCode::compare(arith::CmpFPredicate predicate, Value a, Value c) {
  return arith::CmpFOp::create(b, predicate, a, c);
}
Value ScalarCode::compareI(arith::CmpIPredicate predicate, Value a, Value c) {
  return arith::CmpIOp::create(b, predicate, a, c);
}
Value ScalarCode::select(Value condition, Value a, Value c) { return arith::SelectOp::create(b, condition, a, c); }
Value ScalarCode::intrinsic(StringRef name, Type result, ValueRange arguments) {
  return LLVM::CallIntrinsicOp::create(b, result, b.getStringAttr(name), arguments).getResult(0);
}

//===-- Control -----------------------------------------------------------------------------------------===//

void ScalarCode::loop(Value low, Value high, int64_t step, Body body) {
  loop(low, high, step, {}, [&](Value i, ValueRange) -> Values {
    body(i);
    return {};
  });
}
Values ScalarCode::loop(Value low, Value high, int64_t step, ValueRange inits, CarryBody body) {
  auto first = known(low), last = known(high);
  if (first && last && *last <= *first)
    return Values(inits);
  if (first && last && *first + step >= *last)
    return body(low, inits);
  auto loop = scf::ForOp::create(b, low, high, constant(b.getIntegerAttr(low.getType(), step)), inits);
  OpBuilder::InsertionGuard guard(b);
  // A loop without carried values is born with its terminator.
  Block *block = loop.getBody();
  if (inits.empty())
    b.setInsertionPoint(block->getTerminator());
  else
    b.setInsertionPointToEnd(block);
  Values results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(b, results);
  return Values(loop.getResults());
}
Values ScalarCode::whileLoop(ValueRange inits, llvm::function_ref<std::pair<Value, Values>(ValueRange)> next,
                             llvm::function_ref<Values(ValueRange)> body) {
  // The types of what `next` gives are known only after it was emitted, so the op is made around it.
  OperationState state(b.getLoc(), scf::WhileOp::getOperationName());
  state.addOperands(inits);
  Region *before = state.addRegion(), *after = state.addRegion();
  auto addBlock = [&](Region *region, TypeRange types) -> Block & {
    Block &block = region->emplaceBlock();
    block.addArguments(types, SmallVector<Location>(types.size(), b.getLoc()));
    b.setInsertionPointToEnd(&block);
    return block;
  };
  {
    OpBuilder::InsertionGuard guard(b);
    Block &head = addBlock(before, inits.getTypes());
    auto [condition, given] = next(head.getArguments());
    scf::ConditionOp::create(b, condition, given);
    state.addTypes(TypeRange(ValueRange(given)));
    Block &block = addBlock(after, state.types);
    scf::YieldOp::create(b, body(block.getArguments()));
  }
  return Values(b.create(state)->getResults());
}
void ScalarCode::when(Value condition, llvm::function_ref<void()> body, llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/static_cast<bool>(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
  if (otherwise) {
    b.setInsertionPoint(branch.elseBlock()->getTerminator());
    otherwise();
  }
}
Values ScalarCode::when(Value condition, TypeRange types, llvm::function_ref<Values()> body,
                        llvm::function_ref<Values()> otherwise) {
  auto branch = scf::IfOp::create(b, types, condition, /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(branch.thenBlock());
  scf::YieldOp::create(b, body());
  b.setInsertionPointToEnd(branch.elseBlock());
  scf::YieldOp::create(b, otherwise());
  return Values(branch.getResults());
}

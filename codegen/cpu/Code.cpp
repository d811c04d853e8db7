// The builder of Code.h.
#include "codegen/cpu/Code.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include <limits>

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

Code::Code(LLVM::LLVMFuncOp function, const Atom &atom)
    : atom(atom), b(function.getLoc(), function.getContext()), function(function) {
  i1 = b.getI1Type();
  i16 = b.getIntegerType(16);
  i32 = b.getI32Type();
  i64 = b.getI64Type();
  f32 = b.getF32Type();
  v1 = VectorType::get({kLanes}, i1);
  v16 = VectorType::get({kLanes}, i16);
  vi = VectorType::get({kLanes}, i32);
  vf = VectorType::get({kLanes}, f32);
  ptr = LLVM::LLVMPointerType::get(function.getContext());
  b.setInsertionPointToEnd(&function.getBody().front());
}

//===-- Constants ---------------------------------------------------------------------------------------===//

Value Code::constant(TypedAttr attribute) {
  Value &value = constants[attribute];
  if (!value) {
    OpBuilder head = OpBuilder::atBlockBegin(&function.getBody().front());
    value = arith::ConstantOp::create(head, function.getLoc(), attribute);
  }
  return value;
}
Value Code::int64(int64_t value) { return constant(b.getI64IntegerAttr(value)); }
Value Code::int32(int64_t value) { return constant(b.getI32IntegerAttr(static_cast<int32_t>(value))); }
Value Code::boolean(bool value) { return constant(b.getBoolAttr(value)); }
Value Code::float32(float value) { return constant(b.getF32FloatAttr(value)); }
Value Code::strip(float value) { return constant(DenseElementsAttr::get(vf, b.getF32FloatAttr(value).getValue())); }
Value Code::stripI(int64_t value) { return constant(DenseElementsAttr::get(vi, static_cast<int32_t>(value))); }
Value Code::stripI(ArrayRef<int32_t> lanes) { return constant(DenseElementsAttr::get(vi, lanes)); }
Value Code::minusInf() { return strip(-std::numeric_limits<float>::infinity()); }

std::optional<int64_t> Code::known(Value value) {
  IntegerAttr attribute;
  if (matchPattern(value, m_Constant(&attribute)))
    return attribute.getInt();
  return std::nullopt;
}

//===-- i64 arithmetic ----------------------------------------------------------------------------------===//

Value Code::add(Value a, Value c) {
  auto x = known(a), y = known(c);
  if (x && y)
    return int64(static_cast<int64_t>(static_cast<uint64_t>(*x) + static_cast<uint64_t>(*y)));
  if (x && *x == 0)
    return c;
  if (y && *y == 0)
    return a;
  return arith::AddIOp::create(b, a, c);
}
Value Code::sub(Value a, Value c) {
  auto x = known(a), y = known(c);
  if (x && y)
    return int64(static_cast<int64_t>(static_cast<uint64_t>(*x) - static_cast<uint64_t>(*y)));
  return y && *y == 0 ? a : Value(arith::SubIOp::create(b, a, c));
}
Value Code::mul(Value a, Value c) {
  auto x = known(a), y = known(c);
  if (x && y)
    return int64(static_cast<int64_t>(static_cast<uint64_t>(*x) * static_cast<uint64_t>(*y)));
  if (y && *y == 1)
    return a;
  if (x && *x == 1)
    return c;
  return arith::MulIOp::create(b, a, c);
}
Value Code::floorDiv(Value a, int64_t positive) {
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
Value Code::mod(Value a, int64_t positive) { return sub(a, mul(floorDiv(a, positive), positive)); }
Value Code::floorDiv(Value a, Value c) {
  if (auto divisor = known(c); divisor && *divisor > 0)
    return floorDiv(a, *divisor);
  Value quotient = arith::DivSIOp::create(b, a, c);
  Value rest = sub(a, mul(quotient, c));
  Value inexact = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, rest, int64(0));
  Value signs = arith::XOrIOp::create(b, rest, c);
  Value negative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, signs, int64(0));
  return add(quotient, arith::ExtSIOp::create(b, i64, andi(inexact, negative)));
}
Value Code::ceilDiv(Value a, Value c) { return sub(int64(0), floorDiv(sub(int64(0), a), c)); }
Value Code::min(Value a, Value c) { return arith::MinSIOp::create(b, a, c); }
Value Code::max(Value a, Value c) { return arith::MaxSIOp::create(b, a, c); }
Value Code::less(Value a, Value c) { return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, a, c); }
Value Code::lessUnsigned(Value a, Value c) { return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, a, c); }
Value Code::equal(Value a, Value c) { return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, a, c); }
Value Code::differs(Value pointer, Value other) {
  return LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, pointer, other);
}
Value Code::clampTo32(Value a, int64_t low, int64_t high) {
  return arith::TruncIOp::create(b, i32, min(max(a, int64(low)), int64(high)));
}

//===-- Strips ------------------------------------------------------------------------------------------===//

Value Code::broadcast(Value scalar) {
  auto type = VectorType::get({kLanes}, scalar.getType());
  Value poison = LLVM::PoisonOp::create(b, type);
  Value first = LLVM::InsertElementOp::create(b, poison, scalar, int64(0));
  return shuffle(first, poison, SmallVector<int32_t>(kLanes, 0));
}
Value Code::fma(Value a, Value c, Value addend) {
  if (atom.fma)
    return LLVM::FMAOp::create(b, a, c, addend);
  return addf(mulf(a, c), addend);
}
Value Code::addf(Value a, Value c) { return arith::AddFOp::create(b, a, c); }
Value Code::subf(Value a, Value c) { return arith::SubFOp::create(b, a, c); }
Value Code::mulf(Value a, Value c) { return arith::MulFOp::create(b, a, c); }
Value Code::divf(Value a, Value c) { return arith::DivFOp::create(b, a, c); }
Value Code::andi(Value a, Value c) { return arith::AndIOp::create(b, a, c); }
Value Code::ori(Value a, Value c) { return arith::OrIOp::create(b, a, c); }
Value Code::addi(Value a, Value c) { return arith::AddIOp::create(b, a, c); }
Value Code::subi(Value a, Value c) { return arith::SubIOp::create(b, a, c); }
Value Code::muli(Value a, Value c) { return arith::MulIOp::create(b, a, c); }
Value Code::shl(Value a, int64_t bits) { return arith::ShLIOp::create(b, a, stripI(bits)); }
Value Code::shrLogical(Value a, int64_t bits) { return arith::ShRUIOp::create(b, a, stripI(bits)); }
Value Code::compare(arith::CmpFPredicate predicate, Value a, Value c) {
  return arith::CmpFOp::create(b, predicate, a, c);
}
Value Code::compareI(arith::CmpIPredicate predicate, Value a, Value c) {
  return arith::CmpIOp::create(b, predicate, a, c);
}
Value Code::select(Value condition, Value a, Value c) { return arith::SelectOp::create(b, condition, a, c); }
// Exactly what vmaxps does: its second operand wherever `a > c` does not hold.
Value Code::maxKeep(Value a, Value c) { return select(compare(arith::CmpFPredicate::OGT, a, c), a, c); }
Value Code::minKeep(Value a, Value c) { return select(compare(arith::CmpFPredicate::OLT, a, c), a, c); }
Value Code::maxNan(Value a, Value c) { return select(compare(arith::CmpFPredicate::UNO, a, a), a, maxKeep(a, c)); }
Value Code::asInt(Value a) { return arith::BitcastOp::create(b, vi, a); }
Value Code::asFloat(Value a) { return arith::BitcastOp::create(b, vf, a); }
Value Code::shuffle(Value a, Value c, ArrayRef<int32_t> mask) { return LLVM::ShuffleVectorOp::create(b, a, c, mask); }
Value Code::anyLane(Value mask) {
  Value bits = LLVM::BitcastOp::create(b, i16, mask);
  Value none = arith::ConstantOp::create(b, b.getIntegerAttr(i16, 0));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, bits, none);
}
Value Code::intrinsic(StringRef name, Type result, ValueRange arguments) {
  return LLVM::CallIntrinsicOp::create(b, result, b.getStringAttr(name), arguments).getResult(0);
}
Value Code::lanesBelow(int64_t count) {
  SmallVector<bool> lanes(kLanes);
  for (int64_t lane = 0; lane < kLanes; ++lane)
    lanes[lane] = lane < count;
  return constant(DenseElementsAttr::get(v1, lanes));
}

//===-- Memory ------------------------------------------------------------------------------------------===//

Value Code::at(Value pointer, Value bytes) {
  if (auto offset = known(bytes))
    return address({pointer, *offset});
  return LLVM::GEPOp::create(b, ptr, b.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{bytes},
                             LLVM::GEPNoWrapFlags::inbounds);
}
Ptr Code::atScaled(Ptr pointer, Value count, int64_t bytes) {
  if (auto n = known(count))
    return pointer.plus(*n * bytes);
  return at(pointer, mul(count, bytes));
}
Value Code::address(Ptr pointer) {
  if (pointer.offset == 0)
    return pointer.base;
  if (llvm::isInt<32>(pointer.offset))
    return LLVM::GEPOp::create(b, ptr, b.getI8Type(), pointer.base,
                               ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(pointer.offset)},
                               LLVM::GEPNoWrapFlags::inbounds);
  return LLVM::GEPOp::create(b, ptr, b.getI8Type(), pointer.base, ArrayRef<LLVM::GEPArg>{int64(pointer.offset)},
                             LLVM::GEPNoWrapFlags::inbounds);
}
Value Code::load(Type type, Ptr pointer, int64_t alignment) {
  return LLVM::LoadOp::create(b, type, address(pointer), static_cast<unsigned>(alignment));
}
void Code::store(Value value, Ptr pointer, int64_t alignment) {
  LLVM::StoreOp::create(b, value, address(pointer), static_cast<unsigned>(alignment));
}
Ptr Code::zeros(int64_t bytes) {
  auto module = function->getParentOfType<ModuleOp>();
  StringRef name = "zeros";
  auto global = module.lookupSymbol<LLVM::GlobalOp>(name);
  zeroBytes = std::max(zeroBytes, bytes);
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), zeroBytes);
  if (!global) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    global = LLVM::GlobalOp::create(top, b.getLoc(), type, /*isConstant=*/true, LLVM::Linkage::Internal, name,
                                    top.getZeroAttr(RankedTensorType::get({zeroBytes}, b.getI8Type())), 64);
  }
  global.setGlobalType(type);
  global.setValueAttr(b.getZeroAttr(RankedTensorType::get({zeroBytes}, b.getI8Type())));
  return {LLVM::AddressOfOp::create(b, ptr, name)};
}

//===-- Control -----------------------------------------------------------------------------------------===//

void Code::loop(Value low, Value high, int64_t step, Body body) {
  loop(low, high, step, {}, [&](Value i, ValueRange) -> Values {
    body(i);
    return {};
  });
}
Values Code::loop(Value low, Value high, int64_t step, ValueRange inits, CarryBody body) {
  auto first = known(low), last = known(high);
  if (first && last && *last <= *first)
    return Values(inits);
  if (first && last && *first + step >= *last)
    return body(low, inits);
  auto loop = scf::ForOp::create(b, low, high, int64(step), inits);
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
void Code::whileLoop(llvm::function_ref<std::pair<Value, Value>()> next, Body body) {
  // The type of the carried value is known only after `next` was emitted, so the op is made around it.
  OperationState state(b.getLoc(), scf::WhileOp::getOperationName());
  Region *before = state.addRegion(), *after = state.addRegion();
  before->emplaceBlock();
  after->emplaceBlock();
  Value value;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(&before->front());
    auto [condition, carried] = next();
    value = carried;
    scf::ConditionOp::create(b, condition, carried);
    Value argument = after->front().addArgument(carried.getType(), b.getLoc());
    b.setInsertionPointToEnd(&after->front());
    body(argument);
    scf::YieldOp::create(b);
  }
  state.addTypes(value.getType());
  b.create(state);
}
void Code::when(Value condition, llvm::function_ref<void()> body, llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/static_cast<bool>(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
  if (otherwise) {
    b.setInsertionPoint(branch.elseBlock()->getTerminator());
    otherwise();
  }
}
Values Code::when(Value condition, TypeRange types, llvm::function_ref<Values()> body,
                  llvm::function_ref<Values()> otherwise) {
  auto branch = scf::IfOp::create(b, types, condition, /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(branch.thenBlock());
  scf::YieldOp::create(b, body());
  b.setInsertionPointToEnd(branch.elseBlock());
  scf::YieldOp::create(b, otherwise());
  return Values(branch.getResults());
}

// The builder of Code.h.
#include "codegen/cpu/Code.h"
#include "mlir/IR/BuiltinOps.h"
#include <limits>
#include <numeric>

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

Code::Code(LLVM::LLVMFuncOp function, const Atom &atom) : ScalarCode(function), atom(atom) {
  v1 = VectorType::get({kLanes}, i1);
  v8 = VectorType::get({kLanes}, b.getI8Type());
  v16 = VectorType::get({kLanes}, i16);
  vi = VectorType::get({kLanes}, i32);
  vf = VectorType::get({kLanes}, f32);
  vPairs = VectorType::get({2 * kLanes}, b.getBF16Type());
  ptr = LLVM::LLVMPointerType::get(function.getContext());
}

//===-- Constants ---------------------------------------------------------------------------------------===//

Value Code::strip(float value) { return constant(DenseElementsAttr::get(vf, b.getF32FloatAttr(value).getValue())); }
Value Code::strip(ArrayRef<float> lanes) { return constant(DenseElementsAttr::get(vf, lanes)); }
Value Code::stripI(int64_t value) { return constant(DenseElementsAttr::get(vi, static_cast<int32_t>(value))); }
Value Code::stripI(ArrayRef<int32_t> lanes) { return constant(DenseElementsAttr::get(vi, lanes)); }
Value Code::minusInf() { return strip(-std::numeric_limits<float>::infinity()); }

//===-- Strips ------------------------------------------------------------------------------------------===//

Value Code::broadcast(Value scalar, int64_t lanes) {
  auto type = VectorType::get({lanes}, scalar.getType());
  Value poison = LLVM::PoisonOp::create(b, type);
  Value first = LLVM::InsertElementOp::create(b, poison, scalar, int64(0));
  return shuffle(first, poison, SmallVector<int32_t>(lanes, 0));
}
Value Code::fma(Value a, Value c, Value addend) {
  if (atom.fma)
    return LLVM::FMAOp::create(b, a, c, addend);
  return addf(mulf(a, c), addend);
}
Value Code::shl(Value a, int64_t bits) { return arith::ShLIOp::create(b, a, stripI(bits)); }
Value Code::shrLogical(Value a, int64_t bits) { return arith::ShRUIOp::create(b, a, stripI(bits)); }
// Exactly what vmaxps does: its second operand wherever `a > c` does not hold.
Value Code::maxKeep(Value a, Value c) { return select(compare(arith::CmpFPredicate::OGT, a, c), a, c); }
Value Code::minKeep(Value a, Value c) { return select(compare(arith::CmpFPredicate::OLT, a, c), a, c); }
Value Code::maxNan(Value a, Value c) { return select(compare(arith::CmpFPredicate::UNO, a, a), a, maxKeep(a, c)); }
Value Code::minNan(Value a, Value c) { return select(compare(arith::CmpFPredicate::UNO, a, a), a, minKeep(a, c)); }
Value Code::abs(Value a) { return LLVM::FAbsOp::create(b, a); }
Value Code::asInt(Value a) { return arith::BitcastOp::create(b, vi, a); }
Value Code::asFloat(Value a) { return arith::BitcastOp::create(b, vf, a); }
Value Code::asPairs(Value a) { return LLVM::BitcastOp::create(b, vPairs, a); }
Value Code::addPairs(Value sum, Value a, Value c) {
  return intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", vf, {sum, a, c});
}
Value Code::shuffle(Value a, Value c, ArrayRef<int32_t> mask) { return LLVM::ShuffleVectorOp::create(b, a, c, mask); }
Value Code::piece(Value a, int64_t first, int64_t count) {
  SmallVector<int32_t> lanes(count);
  std::iota(lanes.begin(), lanes.end(), static_cast<int32_t>(first));
  return count == kLanes ? a : shuffle(a, a, lanes);
}
Value Code::anyLane(Value mask) {
  Value bits = LLVM::BitcastOp::create(b, i16, mask);
  Value none = arith::ConstantOp::create(b, b.getIntegerAttr(i16, 0));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, bits, none);
}
Value Code::shl64(Value a, int64_t bits) { return bits == 0 ? a : arith::ShLIOp::create(b, a, int64(bits)); }
Value Code::countTrailingZeros(Value a) { return LLVM::CountTrailingZerosOp::create(b, a, /*is_zero_poison=*/false); }
Value Code::countLeadingZeros(Value a) { return LLVM::CountLeadingZerosOp::create(b, a, /*is_zero_poison=*/false); }
Value Code::loadLanes(Ptr pointer) { return LLVM::BitcastOp::create(b, v1, load(i16, pointer, 2)); }
void Code::storeLanes(Value mask, Ptr pointer) { store(LLVM::BitcastOp::create(b, i16, mask), pointer, 2); }
Value Code::nonEmptyLanes(Ptr pointer, int64_t count) {
  Value none = constant(DenseElementsAttr::get(v16, b.getI16IntegerAttr(0).getValue()));
  Value some = compareI(arith::CmpIPredicate::ne, load(v16, pointer, 2), none);
  if (count < kLanes)
    some = andi(some, lanesBelow(count));
  return arith::ExtUIOp::create(b, i64, LLVM::BitcastOp::create(b, i16, some));
}
Value Code::lanesBelow(int64_t count) {
  SmallVector<bool> lanes(kLanes);
  for (int64_t lane = 0; lane < kLanes; ++lane)
    lanes[lane] = lane < count;
  return constant(DenseElementsAttr::get(v1, lanes));
}

//===-- Memory ------------------------------------------------------------------------------------------===//

Value Code::differs(Value pointer, Value other) {
  return LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, pointer, other);
}
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
Value Code::loadElements(Ptr pointer, Type element, int64_t count) {
  int64_t alignment = element.getIntOrFloatBitWidth() / 8;
  bool wide = alignment == 4;
  VectorType type = wide ? vf : alignment == 2 ? v16 : v8;
  Value raw;
  if (count == kLanes) {
    raw = load(type, pointer, alignment);
  } else if (atom.maskedMemory) {
    Value none = arith::ConstantOp::create(b, type, b.getZeroAttr(type));
    raw = LLVM::MaskedLoadOp::create(b, type, address(pointer), lanesBelow(count), none,
                                     static_cast<uint32_t>(alignment));
  } else {
    raw = arith::ConstantOp::create(b, type, b.getZeroAttr(type));
    for (int64_t lane = 0; lane < count; ++lane)
      raw = LLVM::InsertElementOp::create(
          b, raw, load(type.getElementType(), pointer.plus(lane * alignment), alignment), int64(lane));
  }
  return wide ? raw : widen(raw, element);
}

void Code::storeElements(Value value, Ptr pointer, Type element, int64_t count) {
  int64_t alignment = element.getIntOrFloatBitWidth() / 8;
  bool wide = alignment == 4;
  Value raw = wide ? value : narrow(value, element);
  // One lane is stored as a scalar: LLVM 22 turns a masked store of one truncated lane into a store of the wide lane.
  if (count == kLanes) {
    store(raw, pointer, alignment);
  } else if (atom.maskedMemory && count != 1) {
    LLVM::MaskedStoreOp::create(b, raw, address(pointer), lanesBelow(count), static_cast<uint32_t>(alignment));
  } else {
    for (int64_t lane = 0; lane < count; ++lane)
      store(LLVM::ExtractElementOp::create(b, raw, int64(lane)), pointer.plus(lane * alignment), alignment);
  }
}
void Code::prefetch(Ptr pointer, Cache cache, Use use) {
  constexpr unsigned data = 1;
  LLVM::Prefetch::create(b, address(pointer), static_cast<unsigned>(use), static_cast<unsigned>(cache), data);
}
void Code::prefetchRow(Ptr row, int64_t bytes, Cache cache, Use use) {
  constexpr int64_t line = 64;
  for (int64_t byte = 0; byte < bytes; byte += line)
    prefetch(row.plus(byte), cache, use);
}
Ptr Code::zeros(int64_t bytes) {
  auto module = function->getParentOfType<ModuleOp>();
  StringRef name = "zeros";
  auto global = module.lookupSymbol<LLVM::GlobalOp>(name);
  if (global)
    bytes = std::max(bytes, static_cast<int64_t>(cast<LLVM::LLVMArrayType>(global.getGlobalType()).getNumElements()));
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes);
  auto value = b.getZeroAttr(RankedTensorType::get({bytes}, b.getI8Type()));
  if (!global) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    global =
        LLVM::GlobalOp::create(top, b.getLoc(), type, /*isConstant=*/true, LLVM::Linkage::Internal, name, value, 64);
  }
  global.setGlobalType(type);
  global.setValueAttr(value);
  return {LLVM::AddressOfOp::create(b, ptr, name)};
}

void Code::call(StringRef name, ValueRange arguments, llvm::function_ref<void(Code &, ValueRange)> body) {
  auto module = function->getParentOfType<ModuleOp>();
  auto callee = module.lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!callee) {
    OpBuilder end = OpBuilder::atBlockEnd(module.getBody());
    auto type =
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), llvm::to_vector(arguments.getTypes()));
    callee = LLVM::LLVMFuncOp::create(end, b.getLoc(), name, type, LLVM::Linkage::Internal);
    Block *entry = callee.addEntryBlock(end);
    Code inner(callee, atom);
    body(inner, entry->getArguments());
    LLVM::ReturnOp::create(inner.b, ValueRange());
  }
  LLVM::CallOp::create(b, callee, arguments);
}

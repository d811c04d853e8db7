// The builder of Code.h.
#include "codegen/gpu/Code.h"
#include <limits>

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

Code::Code(LLVM::LLVMFuncOp function) : ScalarCode(function) {
  global = LLVM::LLVMPointerType::get(function.getContext(), 1);
  shared = LLVM::LLVMPointerType::get(function.getContext(), 3);
  thread = intrinsic("llvm.nvvm.read.ptx.sreg.tid.x", i32, {});
  warp = arith::ShRUIOp::create(b, thread, int32(5));
  lane = andi(thread, int32(31));
  laneRow = arith::ShRUIOp::create(b, lane, int32(2));
  lanePair = andi(lane, int32(3));
}

//===-- Threads -----------------------------------------------------------------------------------------===//

void Code::barrier() {
  if (team != 0) {
    StringRef name = "llvm.nvvm.barrier.cta.sync.aligned.count";
    LLVM::CallIntrinsicOp::create(b, b.getStringAttr(name), ValueRange{int32(kTeamBarrier), int32(team)});
    return;
  }
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.barrier.cta.sync.aligned.all"), ValueRange{int32(0)});
}
void Code::warpBarrier() {
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.bar.warp.sync"), ValueRange{int32(-1)});
}
Value Code::shuffleXor(Value number, int64_t mask) {
  return intrinsic("llvm.nvvm.shfl.sync.bfly.f32", f32, {int32(-1), number, int32(mask), int32(31)});
}
Value Code::fromLane(Value word, Value lane) {
  StringRef name = word.getType() == f32 ? "llvm.nvvm.shfl.sync.idx.f32" : "llvm.nvvm.shfl.sync.idx.i32";
  return intrinsic(name, word.getType(), {int32(-1), word, lane, int32(31)});
}
Value Code::fromLaneBelow(Value word) {
  StringRef name = word.getType() == f32 ? "llvm.nvvm.shfl.sync.up.f32" : "llvm.nvvm.shfl.sync.up.i32";
  return intrinsic(name, word.getType(), {int32(-1), word, int32(1), int32(0)});
}
Value Code::ballot(Value condition) { return intrinsic("llvm.nvvm.vote.ballot.sync", i32, {int32(-1), condition}); }
Value Code::countBits(Value word) { return LLVM::CtPopOp::create(b, i32, word); }
Value Code::lowestBit(Value word) { return LLVM::CountTrailingZerosOp::create(b, i32, word, /*is_zero_poison=*/true); }
Value Code::leastOfWarp(Value word) { return intrinsic("llvm.nvvm.redux.sync.umin", i32, {word, int32(-1)}); }
Value Code::acrossRow(Value number, llvm::function_ref<Value(Value, Value)> join) {
  for (int64_t mask : {1, 2})
    number = join(number, shuffleXor(number, mask));
  return number;
}

//===-- Numbers -----------------------------------------------------------------------------------------===//

Value Code::minusInf() { return float32(-std::numeric_limits<float>::infinity()); }
Value Code::exp2(Value x) { return intrinsic("llvm.nvvm.ex2.approx.ftz", f32, {x}); }
Value Code::log2(Value x) { return intrinsic("llvm.nvvm.lg2.approx.f", f32, {x}); }
Value Code::maxNumber(Value a, Value c) { return LLVM::MaxNumOp::create(b, a, c); }
Value Code::bits(Value number) { return arith::BitcastOp::create(b, i32, number); }
Value Code::number(Value bits) { return arith::BitcastOp::create(b, f32, bits); }
Value Code::pack(Value low, Value high, Type element) {
  Value pair = LLVM::PoisonOp::create(b, VectorType::get({2}, f32));
  pair = LLVM::InsertElementOp::create(b, pair, low, int32(0));
  pair = LLVM::InsertElementOp::create(b, pair, high, int32(1));
  Value rounded = LLVM::FPTruncOp::create(b, VectorType::get({2}, element), pair);
  return LLVM::BitcastOp::create(b, i32, rounded);
}
Value Code::widen(Value shortFloat) { return arith::ExtFOp::create(b, f32, shortFloat); }
Value Code::anew(Value number) { return assembly("mov.b64 $0, $1;", "=l,l", {number}, {i64})[0]; }

Value Code::callFunction(StringRef symbol, ValueRange arguments) {
  auto module = function->getParentOfType<ModuleOp>();
  if (!module.lookupSymbol(symbol)) {
    auto type = LLVM::LLVMFunctionType::get(f32, SmallVector<Type>(arguments.getTypes()));
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    auto declared = LLVM::LLVMFuncOp::create(top, top.getUnknownLoc(), symbol, type);
    // Calls whose value is not needed go, equal ones become one.
    auto none = LLVM::ModRefInfo::NoModRef;
    declared.setMemoryEffectsAttr(LLVM::MemoryEffectsAttr::get(b.getContext(), {none, none, none, none, none, none}));
    declared.setNoUnwind(true);
    declared.setWillReturn(true);
  }
  return LLVM::CallOp::create(b, TypeRange{f32}, symbol, arguments).getResult();
}

//===-- Memory ------------------------------------------------------------------------------------------===//

Value Code::at(Value pointer, Value bytes) {
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{bytes});
}
Value Code::at(Value pointer, int64_t bytes) {
  if (bytes == 0)
    return pointer;
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
}
Value Code::load(Type type, Value pointer, int64_t alignment) {
  return LLVM::LoadOp::create(b, type, pointer, static_cast<unsigned>(alignment));
}
void Code::store(Value value, Value pointer, int64_t alignment) {
  LLVM::StoreOp::create(b, value, pointer, static_cast<unsigned>(alignment));
}
void Code::copyAsync(Value to, Value from, Value live) {
  Value bytes = select(live, int32(16), int32(0));
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.cp.async.cg.shared.global.16.s"),
                                ValueRange{to, from, bytes});
}
void Code::commitCopies() {
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.cp.async.commit.group"), ValueRange{});
}
void Code::awaitCopies() {
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.nvvm.cp.async.wait.all"), ValueRange{});
}

//===-- Matrices ----------------------------------------------------------------------------------------===//

Values Code::fields(Value structure, size_t count) {
  Values result;
  for (size_t i = 0; i < count; ++i)
    result.push_back(LLVM::ExtractValueOp::create(b, structure, ArrayRef<int64_t>{static_cast<int64_t>(i)}));
  return result;
}
Values Code::loadMatrices(Value pointer, bool transposed) {
  Type four = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(4, i32));
  StringRef name =
      transposed ? "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16" : "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16";
  return fields(intrinsic(name, four, {pointer}), 4);
}
Values Code::mma(MmaType type, ValueRange a, ValueRange bRegisters, ValueRange c) {
  StringRef name = type == MmaType::BF16  ? "llvm.nvvm.mma.m16n8k16.row.col.bf16"
                   : type == MmaType::F16 ? "llvm.nvvm.mma.m16n8k16.row.col.f32.f32"
                                          : "llvm.nvvm.mma.m16n8k8.row.col.tf32";
  Values arguments;
  for (Value half : llvm::concat<Value>(SmallVector<Value>(a), SmallVector<Value>(bRegisters)))
    arguments.push_back(type == MmaType::F16
                            ? LLVM::BitcastOp::create(b, VectorType::get({2}, b.getF16Type()), half).getResult()
                            : half);
  arguments.append(c.begin(), c.end());
  Type four = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(4, f32));
  return fields(intrinsic(name, four, arguments), 4);
}

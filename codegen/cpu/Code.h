// Builder of one kernel's code: strips (16 float32 or int32 lanes), addresses, loops. It emits `arith` on scalars
// and strips, `scf` loops and the `llvm` dialect for memory and shuffles, everything on i64, never on `index`, so that
// the way down to LLVM needs no type conversion. The families of tile ops (Lowering.h) are written on top.
#pragma once
#include "codegen/cpu/Atom.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <optional>

namespace sattn::cpu {

/// An address: a pointer and a constant number of bytes.
struct Ptr {
  Value base;
  int64_t offset = 0;
  Ptr plus(int64_t bytes) const { return {base, offset + bytes}; }
};

using Values = SmallVector<Value, 4>;

class Code {
public:
  Code(mlir::LLVM::LLVMFuncOp function, const Atom &atom);

  const Atom &atom;
  mlir::ImplicitLocOpBuilder b;

  //===-- Types -----------------------------------------------------------------------------------------===//
  mlir::IntegerType i1, i16, i32, i64;
  mlir::FloatType f32;
  mlir::VectorType v1, v16, vi, vf; ///< strips of i1, i16, i32, f32
  Type ptr;

  //===-- Constants (at the head of the function, one of each) ------------------------------------------===//
  Value int64(int64_t value);
  Value int32(int64_t value);
  Value boolean(bool value);
  Value float32(float value);
  Value strip(float value);
  Value stripI(int64_t value);
  Value stripI(ArrayRef<int32_t> lanes);
  Value zero() { return strip(0.0f); }
  Value minusInf();
  /// The integer that `value` is known to be.
  static std::optional<int64_t> known(Value value);

  //===-- i64 arithmetic, folded where both sides are known ---------------------------------------------===//
  Value add(Value a, Value c);
  Value add(Value a, int64_t c) { return c == 0 ? a : add(a, int64(c)); }
  Value sub(Value a, Value c);
  Value mul(Value a, Value c);
  Value mul(Value a, int64_t c) { return mul(a, int64(c)); }
  Value floorDiv(Value a, int64_t positive);
  Value mod(Value a, int64_t positive);
  Value floorDiv(Value a, Value c);
  Value ceilDiv(Value a, Value c);
  Value min(Value a, Value c);
  Value max(Value a, Value c);
  Value less(Value a, Value c);
  Value lessUnsigned(Value a, Value c);
  Value equal(Value a, Value c);
  Value differs(Value pointer, Value other);           ///< two pointers
  Value clampTo32(Value a, int64_t low, int64_t high); ///< i32 of a held within [low, high]

  //===-- Strips ----------------------------------------------------------------------------------------===//
  Value broadcast(Value scalar);
  Value fma(Value a, Value c, Value addend); ///< a*c + addend, fused where the atom fuses
  Value addf(Value a, Value c);
  Value subf(Value a, Value c);
  Value mulf(Value a, Value c);
  Value divf(Value a, Value c);
  Value andi(Value a, Value c);
  Value ori(Value a, Value c);
  Value addi(Value a, Value c);
  Value subi(Value a, Value c);
  Value muli(Value a, Value c);
  Value shl(Value a, int64_t bits);
  Value shrLogical(Value a, int64_t bits);
  Value compare(mlir::arith::CmpFPredicate predicate, Value a, Value c);
  Value compareI(mlir::arith::CmpIPredicate predicate, Value a, Value c);
  Value select(Value condition, Value a, Value c);
  /// The greater; `c` where the two do not compare, so a NaN in `a` is passed over and one in `c` stays.
  Value maxKeep(Value a, Value c);
  Value minKeep(Value a, Value c);
  Value maxNan(Value a, Value c); ///< the greater; NaN where either is
  Value asInt(Value a);
  Value asFloat(Value a);
  Value shuffle(Value a, Value c, ArrayRef<int32_t> mask);
  Value anyLane(Value mask); ///< i1: some lane of an i1 strip is set
  Value intrinsic(StringRef name, Type result, ValueRange arguments);
  Value widen(Value raw, Type element);    ///< i16 strip of float16 or bfloat16 bits to float32
  Value narrow(Value value, Type element); ///< float32 to such bits, rounded to nearest even
  Value exp2(Value x);                     ///< see Math.cpp
  Value log2(Value x);
  Value tanh(Value x);
  Value floor(Value x);
  Value roundEven(Value x);
  Value lanesBelow(int64_t count); ///< i1 strip of the first `count` lanes

  //===-- Memory ----------------------------------------------------------------------------------------===//
  Value at(Value pointer, Value bytes);
  Ptr at(Ptr pointer, Value bytes) { return {at(pointer.base, bytes), pointer.offset}; }
  Ptr atScaled(Ptr pointer, Value count, int64_t bytes);
  Value address(Ptr pointer);
  Value load(Type type, Ptr pointer, int64_t alignment);
  void store(Value value, Ptr pointer, int64_t alignment);
  Value loadStrip(Ptr pointer) { return load(vf, pointer, 64); }
  void storeStrip(Value value, Ptr pointer) { store(value, pointer, 64); }
  Value loadBroadcast(Ptr pointer) { return broadcast(load(f32, pointer, 4)); }
  /// Memory of the object that holds zeros.
  Ptr zeros(int64_t bytes);

  //===-- Control ---------------------------------------------------------------------------------------===//
  using Body = llvm::function_ref<void(Value)>;
  using CarryBody = llvm::function_ref<Values(Value, ValueRange)>;
  void loop(Value low, Value high, int64_t step, Body body);
  void loop(int64_t low, int64_t high, int64_t step, Body body) { loop(int64(low), int64(high), step, body); }
  Values loop(Value low, Value high, int64_t step, ValueRange inits, CarryBody body);
  Values loop(int64_t low, int64_t high, int64_t step, ValueRange inits, CarryBody body) {
    return loop(int64(low), int64(high), step, inits, body);
  }
  /// Repeats `body` on the value that `next` gives beside the condition, as long as that holds.
  void whileLoop(llvm::function_ref<std::pair<Value, Value>()> next, Body body);
  void when(Value condition, llvm::function_ref<void()> body, llvm::function_ref<void()> otherwise = nullptr);
  Values when(Value condition, mlir::TypeRange types, llvm::function_ref<Values()> body,
              llvm::function_ref<Values()> otherwise);

private:
  Value constant(mlir::TypedAttr attribute);

  mlir::LLVM::LLVMFuncOp function;
  llvm::DenseMap<Attribute, Value> constants;
  int64_t zeroBytes = 0;
};

} // namespace sattn::cpu

// Builder of one kernel's code on the CPU: to the scalars, loops and branches of ScalarCode it adds strips (16 float32
// or int32 lanes) and addresses. The families of tile ops (Lowering.h) are written on top.
#pragma once
#include "codegen/common/ScalarCode.h"
#include "codegen/cpu/Atom.h"

namespace sattn::cpu {

/// An address: a pointer and a constant number of bytes.
struct Ptr {
  Value base;
  int64_t offset = 0;
  Ptr plus(int64_t bytes) const { return {base, offset + bytes}; }
};

using codegen::Values;

class Code : public codegen::ScalarCode {
public:
  Code(mlir::LLVM::LLVMFuncOp function, const Atom &atom);

  const Atom &atom;

  //===-- Types -----------------------------------------------------------------------------------------===//
  mlir::VectorType v1, v8, v16, vi, vf; ///< strips of i1, i8, i16, i32, f32
  mlir::VectorType vPairs;              ///< 32 of bf16, the size of a strip of f32
  Type ptr;

  //===-- Constants -------------------------------------------------------------------------------------===//
  Value strip(float value);
  Value strip(ArrayRef<float> lanes);
  Value stripI(int64_t value);
  Value stripI(ArrayRef<int32_t> lanes);
  Value zero() { return strip(0.0f); }
  Value minusInf();

  //===-- Strips ----------------------------------------------------------------------------------------===//
  Value broadcast(Value scalar, int64_t lanes = kLanes);
  Value fma(Value a, Value c, Value addend); ///< a*c + addend, fused where the atom fuses
  Value shl(Value a, int64_t bits);
  Value shrLogical(Value a, int64_t bits);
  Value addPairs(Value sum, Value a, Value c); ///< lane i: sum + a[2i]*c[2i] + a[2i + 1]*c[2i + 1], of vPairs
  /// The greater; `c` where the two do not compare, so a NaN in `a` is passed over and one in `c` stays.
  Value maxKeep(Value a, Value c);
  Value minKeep(Value a, Value c);
  Value maxNan(Value a, Value c); ///< the greater; NaN where either is
  Value minNan(Value a, Value c); ///< the smaller; NaN where either is
  Value abs(Value a);
  Value asInt(Value a);
  Value asFloat(Value a);
  Value asPairs(Value a);
  Value shuffle(Value a, Value c, ArrayRef<int32_t> mask);
  Value piece(Value a, int64_t first, int64_t count); ///< lanes `first` .. `first + count - 1`, a vector of their own
  Value anyLane(Value mask);                          ///< i1: some lane of an i1 strip is set
  /// i16 strip of float16 or bfloat16 bits, or i8 strip of integers, to float32.
  Value widen(Value raw, Type element);
  /// float32 to such bits, rounded to nearest even; to the nearest byte that there is of integers, the least of NaN.
  Value narrow(Value value, Type element);
  Value exp2(Value x); ///< see Math.cpp
  Value log2(Value x);
  Value tanh(Value x);
  Value floor(Value x);
  Value roundEven(Value x);
  Value lanesBelow(int64_t count); ///< i1 strip of the first `count` lanes
  /// An i1 strip as 16 bits in memory; of the first `count` of 16 such strips those that are not empty, as i64 bits.
  Value loadLanes(Ptr pointer);
  void storeLanes(Value mask, Ptr pointer);
  Value nonEmptyLanes(Ptr pointer, int64_t count);
  Value shl64(Value a, int64_t bits);
  Value countTrailingZeros(Value a); ///< of i64; 64 for 0
  Value countLeadingZeros(Value a);

  //===-- Memory ----------------------------------------------------------------------------------------===//
  Value differs(Value pointer, Value other); ///< two pointers
  Value at(Value pointer, Value bytes);
  Ptr at(Ptr pointer, Value bytes) { return {at(pointer.base, bytes), pointer.offset}; }
  Ptr atScaled(Ptr pointer, Value count, int64_t bytes);
  Value address(Ptr pointer);
  Value load(Type type, Ptr pointer, int64_t alignment);
  void store(Value value, Ptr pointer, int64_t alignment);
  Value loadStrip(Ptr pointer) { return load(vf, pointer, 64); }
  void storeStrip(Value value, Ptr pointer) { store(value, pointer, 64); }
  /// `count` elements (at most 16) of a row as float32 or int32 lanes, the rest zero; and back.
  Value loadElements(Ptr pointer, Type element, int64_t count);
  void storeElements(Value value, Ptr pointer, Type element, int64_t count);
  /// Asks for a line that will be read or written, in the nearest cache or the one behind it; the address need not
  /// exist.
  enum class Cache { Near = 3, Next = 2 };
  enum class Use { Read = 0, Write = 1 };
  void prefetch(Ptr pointer, Cache cache = Cache::Near, Use use = Use::Read);
  /// The same of all lines of so many bytes.
  void prefetchRow(Ptr row, int64_t bytes, Cache cache = Cache::Near, Use use = Use::Read);
  Value loadBroadcast(Ptr pointer) { return broadcast(load(f32, pointer, 4)); }
  /// Memory of the object that holds zeros.
  Ptr zeros(int64_t bytes);

  //===-- Functions -------------------------------------------------------------------------------------===//
  /// Calls a function of the kernel's own that `body` writes at the first call of `name`: one copy of long code whose
  /// operands lie in memory.
  void call(StringRef name, ValueRange arguments, llvm::function_ref<void(Code &, ValueRange)> body);
};

} // namespace sattn::cpu

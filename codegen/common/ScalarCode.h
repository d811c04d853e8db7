// Builder of the scalar part of a kernel's code: addresses and index arithmetic on i64, loops and branches. It emits
// `arith`, `scf` and the `llvm` dialect on i64, never on `index`, so that the way down to LLVM needs no type
// conversion. Arithmetic is generic in its operands: the code generators use it on vectors, too. They derive their own
// builders from it (codegen/cpu/Code.h, codegen/gpu/Code.h).
#pragma once
#include "lib/support/LLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <optional>

namespace sattn::codegen {
using mlir::Type;
using mlir::TypeRange;
using mlir::Value;
using mlir::ValueRange;

using Values = SmallVector<Value, 4>;

class ScalarCode {
public:
  explicit ScalarCode(mlir::LLVM::LLVMFuncOp function);

  mlir::ImplicitLocOpBuilder b;
  mlir::IntegerType i1, i16, i32, i64;
  mlir::FloatType f32;

  //===-- Constants (at the head of the function, one of each) ------------------------------------------===//
  Value constant(mlir::TypedAttr attribute);
  Value int64(int64_t value);
  Value int32(int64_t value);
  Value boolean(bool value);
  Value float32(float value);
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
  Value clampTo32(Value a, int64_t low, int64_t high); ///< i32 of a held within [low, high]
  /// An affine expression of i64 operands, dims first; null where a divisor is not a positive constant.
  Value affine(mlir::AffineExpr expr, unsigned dims, ArrayRef<Value> operands);
  /// The results of a map, joined two by two.
  Value affine(mlir::AffineMap map, ArrayRef<Value> operands, llvm::function_ref<Value(Value, Value)> join);

  //===-- Arithmetic on scalars or vectors --------------------------------------------------------------===//
  Value addf(Value a, Value c);
  Value subf(Value a, Value c);
  Value mulf(Value a, Value c);
  Value divf(Value a, Value c);
  Value andi(Value a, Value c);
  Value ori(Value a, Value c);
  Value xori(Value a, Value c);
  Value addi(Value a, Value c);
  Value subi(Value a, Value c);
  Value muli(Value a, Value c);
  Value compare(mlir::arith::CmpFPredicate predicate, Value a, Value c);
  Value compareI(mlir::arith::CmpIPredicate predicate, Value a, Value c);
  Value select(Value condition, Value a, Value c);
  Value intrinsic(StringRef name, Type result, ValueRange arguments);

  //===-- Control ---------------------------------------------------------------------------------------===//
  /// Bounds are both i64 or both i32, as the number that a body gets.
  using Body = llvm::function_ref<void(Value)>;
  using CarryBody = llvm::function_ref<Values(Value, ValueRange)>;
  void loop(Value low, Value high, int64_t step, Body body);
  void loop(int64_t low, int64_t high, int64_t step, Body body) { loop(int64(low), int64(high), step, body); }
  Values loop(Value low, Value high, int64_t step, ValueRange inits, CarryBody body);
  Values loop(int64_t low, int64_t high, int64_t step, ValueRange inits, CarryBody body) {
    return loop(int64(low), int64(high), step, inits, body);
  }
  /// As long as the condition that `next` computes from the carried values holds, gives the values beside it to `body`,
  /// which computes the next carried ones. Returns what `next` gave last.
  Values whileLoop(ValueRange inits, llvm::function_ref<std::pair<Value, Values>(ValueRange)> next,
                   llvm::function_ref<Values(ValueRange)> body);
  void when(Value condition, llvm::function_ref<void()> body, llvm::function_ref<void()> otherwise = nullptr);
  Values when(Value condition, TypeRange types, llvm::function_ref<Values()> body,
              llvm::function_ref<Values()> otherwise);

protected:
  mlir::LLVM::LLVMFuncOp function;

private:
  llvm::DenseMap<Attribute, Value> constants;
};

} // namespace sattn::codegen

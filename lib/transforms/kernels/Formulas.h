// Numbers and value formulas of the pattern as float32 arithmetic.
#pragma once
#include "dialects/pattern/Formula.h"
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

inline constexpr double kLog2E = 1.4426950408889634;
inline constexpr double kLn2 = 0.6931471805599453;

/// Emits `expr`, a formula that the verifier of the pattern accepts; `leaf` gives names and table loads as float32, and
/// also those other nodes for which `isLeaf` holds.
Value emitFloat(mlir::OpBuilder &b, Location loc, ExprAttr expr, llvm::function_ref<Value(ExprAttr)> leaf,
                llvm::function_ref<bool(ExprAttr)> isLeaf = nullptr);

/// A number over params as a float32 scalar of the kernel; literals stay literals (`factor` times them).
Value emitNumber(Task &task, ExprAttr expr, double factor = 1.0);
/// An int number over params, whose values `leaf` gives; 0 for none.
Value emitInteger(IndexBuilder &b, ExprAttr expr, llvm::function_ref<Value(StringRef)> leaf);
/// A param as float32.
Value floatParam(Task &task, StringRef name);

} // namespace sattn::lower

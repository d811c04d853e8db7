// Rows of byte integers as vectors, for tiles of few rows (LinesBytes.cpp, LinesBits.cpp).
#pragma once
#include "codegen/cpu/Lowering.h"

namespace sattn::cpu {

/// Bytes of rows vector by vector.
struct ByteParts {
  Code &c;
  bool areDistances;
  int64_t cols, width; ///< bytes of a row, and that one instruction takes

  ByteParts(Code &c, Type element, int64_t cols) : c(c), areDistances(element.isUnsignedInteger()), cols(cols) {
    // Products are of 16-bit numbers.
    int64_t most = areDistances ? c.atom.vectorBytes : c.atom.vectorBytes / 2;
    width = std::min<int64_t>(most, llvm::bit_ceil(static_cast<uint64_t>(std::max(cols, kLanes))));
  }
  int64_t count() const { return llvm::divideCeil(cols, width); }
  int64_t rowBytes() const { return count() * width; }
  int64_t leftBytes() const { return areDistances ? 1 : 2; } ///< of a number of the left operand
  mlir::VectorType vectorOf(int64_t bits) const { return mlir::VectorType::get({width}, c.b.getIntegerType(bits)); }

  // Part `part` of a row, with zeros behind its end.
  Value load(Ptr row, int64_t part) const {
    Ptr at = row.plus(part * width);
    int64_t left = std::min(width, cols - part * width);
    mlir::VectorType type = vectorOf(8);
    if (left == width)
      return c.load(type, at, 1);
    Value all = mlir::arith::ConstantOp::create(c.b, type, c.b.getZeroAttr(type));
    if (c.atom.maskedMemory) {
      SmallVector<bool> live(width);
      for (int64_t i = 0; i < left; ++i)
        live[i] = true;
      Value mask = c.constant(mlir::DenseElementsAttr::get(mlir::VectorType::get({width}, c.i1), live));
      return mlir::LLVM::MaskedLoadOp::create(c.b, type, c.address(at), mask, all, 1u);
    }
    for (int64_t i = 0; i < left; ++i)
      all = mlir::LLVM::InsertElementOp::create(c.b, all, c.load(c.b.getI8Type(), at.plus(i), 1), c.int64(i));
    return all;
  }
};

} // namespace sattn::cpu

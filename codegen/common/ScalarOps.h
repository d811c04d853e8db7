// Scalar ops of a kernel's body (index arithmetic, conditions, numbers) to i64 arithmetic and scalar `arith`: the same
// on every target.
#pragma once
#include "codegen/common/ScalarCode.h"

namespace sattn::codegen {

/// What became of a scalar op.
struct ScalarResult {
  Value value;         ///< null: not supported
  std::string problem; ///< what is not supported, to follow "does not support "
};

/// `operands` are those of `op`, with index made i64.
ScalarResult emitScalarOp(ScalarCode &c, Operation *op, ArrayRef<Value> operands);

/// A number that an index value is always a multiple of, by how it is computed; 0 for 0.
int64_t divisorOf(Value index);

/// Ops of a map that mean the same on elements, strips and registers. Short floats have none.
bool isElementwise(Operation *op);

/// `op` on other operands, with a result of `type`.
Value cloneOn(ScalarCode &c, Operation *op, ArrayRef<Value> operands, Type type);

} // namespace sattn::codegen

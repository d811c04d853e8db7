// A kernel's arguments out of its frame (docs/artefact.md, section 2), and the scalar ops of a body.
#include "codegen/common/ScalarOps.h"
#include "codegen/cpu/Lowering.h"
#include "llvm/ADT/StringSwitch.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

void Lowering::decodeFrame() {
  int64_t slot = 0;
  auto next = [&](Type type) { return c.load(type, Ptr{frame, 8 * slot++}, 8); };
  for (BlockArgument operand : kernel.getBody().getArguments().drop_back(3)) {
    if (auto type = dyn_cast<tile::ArgType>(operand.getType())) {
      int64_t bytes = llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8);
      Argument &argument = arguments[operand];
      argument.data = next(c.ptr);
      for (Value &count : argument.counts)
        count = next(c.i64);
      for (Value &stride : argument.strides)
        stride = c.mul(next(c.i64), bytes);
    } else if (isa<tile::PerBatchType>(operand.getType())) {
      scalars[operand] = next(c.ptr);
    } else if (operand.getType().isF32()) {
      scalars[operand] = next(c.f32);
    } else {
      scalars[operand] = next(c.i64);
    }
  }
}

LogicalResult Lowering::lowerScalar(Operation *op) {
  Values operands;
  for (Value operand : op->getOperands()) {
    // Not a scalar, or of an op that this table lacks.
    Value held = scalars.lookup(operand);
    if (!held && !isa<tile::ArgType>(operand.getType()))
      return unsupported(op, "'" + op->getName().getStringRef() + "' here");
    operands.push_back(held);
  }
  auto set = [&](Value value) {
    scalars[op->getResult(0)] = value;
    return success();
  };
  if (auto count = dyn_cast<tile::CountOp>(op)) {
    unsigned axis = llvm::StringSwitch<unsigned>(count.getAxis()).Case("batch", 0).Case("positions", 1).Default(2);
    return set(arguments[count.getArg()].counts[axis]);
  }
  if (isa<tile::OfBatchOp>(op))
    return set(c.load(c.i64, c.atScaled(Ptr{operands[0]}, operands[1], 8), 8));
  codegen::ScalarResult result = codegen::emitScalarOp(c, op, operands);
  return result.value ? set(result.value) : LogicalResult(unsupported(op, result.problem));
}

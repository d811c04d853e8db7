// A kernel's arguments out of the parameters of its entry, the task out of the number of the block, and the scalar ops
// of a body.
#include "codegen/common/ScalarOps.h"
#include "codegen/gpu/Lowering.h"
#include "llvm/ADT/StringSwitch.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

/// Data pointer, three counts, three strides.
static constexpr int64_t kViewSlots = 7;

SmallVector<Type> Lowering::parameters(tile::KernelOp kernel) {
  MLIRContext *context = kernel.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context, 1), i64 = IntegerType::get(context, 64);
  SmallVector<Type> types;
  for (BlockArgument operand : kernel.getBody().getArguments().drop_back(3)) {
    if (isa<tile::ArgType>(operand.getType())) {
      types.push_back(pointer);
      types.append(kViewSlots - 1, i64);
    } else {
      types.push_back(isa<tile::PerBatchType>(operand.getType()) ? pointer
                      : operand.getType().isF32()                ? operand.getType()
                                                                 : i64);
    }
  }
  types.append(3, i64);
  return types;
}

void Lowering::decodeFrame() {
  auto next = parameterValues.begin();
  for (BlockArgument operand : kernel.getBody().getArguments().drop_back(3)) {
    auto type = dyn_cast<tile::ArgType>(operand.getType());
    if (!type) {
      scalars[operand] = *next++;
      continue;
    }
    int64_t bytes = llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8);
    Argument &argument = arguments[operand];
    argument.data = *next++;
    for (Value &count : argument.counts)
      count = *next++;
    for (Value &stride : argument.strides)
      stride = c.mul(*next++, bytes);
  }
}

// Blocks are numbered in one dimension; `order` lists the axes of the grid slowest first, '-' runs one from its end.
void Lowering::decodeTask(ArrayRef<std::string> order, ValueRange extents) {
  Value rest = arith::ExtUIOp::create(c.b, c.i64, c.intrinsic("llvm.nvvm.read.ptx.sreg.ctaid.x", c.i32, {}));
  for (auto [i, name] : llvm::enumerate(llvm::reverse(order))) {
    unsigned axis = name.back() - 'x';
    Value extent = extents[axis], index = rest;
    if (i + 1 != order.size()) {
      Value quotient = arith::DivUIOp::create(c.b, rest, extent);
      index = c.sub(rest, c.mul(quotient, extent));
      rest = quotient;
    }
    if (name.front() == '-')
      index = c.sub(c.add(extent, -1), index);
    scalars[kernel.getGrid(axis)] = index;
  }
}

LogicalResult Lowering::lowerScalar(Operation *op) {
  Values operands;
  for (Value operand : op->getOperands()) {
    // Not a scalar, or of an op that the table of ops lacks.
    Value held = arithmeticWaits ? scalar(operand) : scalars.lookup(operand);
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
    return set(c.load(c.i64, c.at(operands[0], c.mul(operands[1], 8)), 8));
  codegen::ScalarResult result = codegen::emitScalarOp(c, op, operands);
  return result.value ? set(result.value) : LogicalResult(unsupported(op, result.problem));
}

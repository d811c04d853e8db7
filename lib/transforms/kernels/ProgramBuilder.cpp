// Kernels under construction.
#include "lib/transforms/kernels/ProgramBuilder.h"

namespace sattn::lower {
using namespace mlir;

//===-- Index arithmetic --------------------------------------------------------------------------------===//

Value IndexBuilder::constant(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
Value IndexBuilder::add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(loc, x, y); }
Value IndexBuilder::sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(loc, x, y); }
Value IndexBuilder::mul(Value x, Value y) { return b.createOrFold<arith::MulIOp>(loc, x, y); }
Value IndexBuilder::min(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(loc, x, y); }
Value IndexBuilder::max(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(loc, x, y); }
Value IndexBuilder::floorDiv(Value x, Value y) { return b.createOrFold<arith::FloorDivSIOp>(loc, x, y); }
Value IndexBuilder::ceilDiv(Value x, Value y) { return b.createOrFold<arith::CeilDivSIOp>(loc, x, y); }
Value IndexBuilder::mod(Value x, Value y) { return sub(x, mul(floorDiv(x, y), y)); }

//===-- Kernels -----------------------------------------------------------------------------------------===//

Value KernelBuilder::operand(const PlanRef &ref) {
  Block &body = kernel.getBody().front();
  for (auto [i, known] : llvm::enumerate(operands))
    if (known == ref)
      return body.getArgument(i);
  SmallVector<Attribute> names(kernel.getArgNames().begin(), kernel.getArgNames().end());
  names.push_back(b.getStringAttr(ref.name));
  kernel.setArgNamesAttr(b.getArrayAttr(names));
  operands.push_back(ref);
  return body.insertArgument(operands.size() - 1, ref.type, loc);
}

tile::TileType KernelBuilder::tile(int64_t rows, int64_t cols, Type element) {
  return tile::TileType::get(b.getContext(), {rows, cols}, element ? element : b.getF32Type());
}
tile::TileType KernelBuilder::rowVector(int64_t rows, Type element) {
  return tile::TileType::get(b.getContext(), ArrayRef<int64_t>{rows}, element ? element : b.getF32Type());
}

Value KernelBuilder::splat(double value, tile::TileType type) {
  return tile::SplatOp::create(b, loc, type, b.getF32FloatAttr(static_cast<float>(value)));
}
Value KernelBuilder::float32(double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(value)));
}

Value KernelBuilder::map(ValueRange inputs, tile::TileType result,
                         llvm::function_ref<Value(OpBuilder &, Block::BlockArgListType)> body) {
  auto op = tile::MapOp::create(b, loc, result, inputs);
  Block &block = op.getBody().emplaceBlock();
  for (Value input : inputs) {
    auto type = dyn_cast<tile::TileType>(input.getType());
    block.addArgument(type ? type.getElementType() : input.getType(), loc);
  }
  OpBuilder inner = OpBuilder::atBlockEnd(&block);
  Value element = body(inner, block.getArguments());
  tile::YieldOp::create(inner, loc, ValueRange{element});
  return op.getResult();
}

//===-- Programs ----------------------------------------------------------------------------------------===//

ProgramBuilder::ProgramBuilder(ModuleOp module, Location loc, StringRef name) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  program = tile::ProgramOp::create(b, loc, name);
  program.getBody().emplaceBlock();
}

std::string ProgramBuilder::uniqueName(llvm::StringMap<int> &names, StringRef name) {
  int before = names[name]++;
  return before == 0 ? name.str() : (name + "_" + Twine(before)).str();
}

std::unique_ptr<KernelBuilder> ProgramBuilder::kernel(StringRef name) {
  OpBuilder b = OpBuilder::atBlockEnd(&program.getBody().front());
  auto op = tile::KernelOp::create(b, program.getLoc(), uniqueName(kernelNames, name), b.getStrArrayAttr({}));
  Block &body = op.getBody().emplaceBlock();
  for (int i = 0; i < 3; ++i)
    body.addArgument(b.getIndexType(), op.getLoc());
  return std::make_unique<KernelBuilder>(op, OpBuilder::atBlockEnd(&body));
}

} // namespace sattn::lower

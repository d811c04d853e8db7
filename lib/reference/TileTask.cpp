// Structure of a task: blocks, streams, loops, conditions, and scalar arithmetic.
#include "lib/reference/TileTask.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"
#include <set>

namespace sattn::ref {
using namespace tile;

void TileTask::run(KernelOp kernel, ArrayRef<TileValue> arguments) { run(kernel.getBody().front(), arguments); }

SmallVector<TileValue> TileTask::run(Block &block, ArrayRef<TileValue> arguments) {
  for (auto [argument, value] : llvm::zip_equal(block.getArguments(), arguments))
    values.set(argument, value);
  for (Operation &op : block.without_terminator()) {
    if (errors.occurred())
      return {};
    run(&op);
  }
  SmallVector<TileValue> passed;
  if (errors.occurred())
    return passed;
  for (Value operand : block.getTerminator()->getOperands())
    passed.push_back(values[operand]);
  return passed;
}

void TileTask::run(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<CountOp, OfBatchOp, CoverOp, StreamOp, StreamInverseOp>([&](auto op) { run(op); })
      .Case<SliceOp, PrivateOp, LoadOp, StoreOp, tile::GatherOp, tile::ScatterOp, GatherAtOp, EntryOp, FillOp,
            LoadBlocksOp>([&](auto op) { run(op); })
      .Case([](PrefetchOp) {})
      .Case<SplatOp, IotaOp, ColumnsOp, HadamardOp, DotOp, tile::MapOp, MaskOp, ChooseOp, tile::ReduceOp, RowScanOp,
            SoftmaxStepOp, SoftmaxFinishOp, tile::MergeOp>([&](auto op) { run(op); })
      .Case<PoolOp, TopInitOp, TopPushOp, TopMassOp, TopListOp, TopRowOp, LengthOp, MembersOp, InvertOp>(
          [&](auto op) { run(op); })
      .Case<mlir::scf::ForOp>([&](auto) { runLoop(op); })
      .Case<mlir::scf::IfOp>([&](auto) { runIf(op); })
      .Case<mlir::affine::AffineApplyOp, mlir::affine::AffineMinOp, mlir::affine::AffineMaxOp>(
          [&](auto) { runAffine(op); })
      .Default([&](Operation *) { runScalar(op); });
}

//===-- Scalars -------------------------------------------------------------------------------------------------===//

void TileTask::runScalar(Operation *op) {
  if (auto select = dyn_cast<mlir::arith::SelectOp>(op)) { // of numbers or of tiles
    Value chosen = values.index(select.getCondition()) ? select.getTrueValue() : select.getFalseValue();
    return values.set(select.getResult(), TileValue(values[chosen]));
  }
  SmallVector<Number> operands;
  for (Value operand : op->getOperands())
    operands.push_back(values.number(operand));
  values.set(op->getResult(0), evaluateScalar(op, operands, errors));
}

void TileTask::runAffine(Operation *op) {
  mlir::AffineMap map = cast<mlir::AffineMapAttr>(op->getAttr("map")).getValue();
  SmallVector<int64_t> operands = symbols(op->getOperands());
  ArrayRef<int64_t> dims = ArrayRef<int64_t>(operands).take_front(map.getNumDims());
  ArrayRef<int64_t> rest = ArrayRef<int64_t>(operands).drop_front(map.getNumDims());
  int64_t value = evaluateAffine(map.getResult(0), dims, rest);
  for (mlir::AffineExpr expr : map.getResults().drop_front()) {
    int64_t other = evaluateAffine(expr, dims, rest);
    value = isa<mlir::affine::AffineMinOp>(op) ? std::min(value, other) : std::max(value, other);
  }
  values.setIndex(op->getResult(0), value);
}

SmallVector<int64_t> TileTask::symbols(ValueRange operands) const {
  SmallVector<int64_t> numbers;
  for (Value operand : operands)
    numbers.push_back(values.index(operand));
  return numbers;
}

//===-- Control -------------------------------------------------------------------------------------------------===//

void TileTask::runLoop(Operation *op) {
  auto loop = cast<mlir::scf::ForOp>(op);
  SmallVector<TileValue> carried;
  for (Value init : loop.getInitArgs())
    carried.push_back(values[init]);
  int64_t step = values.index(loop.getStep());
  if (step <= 0) {
    errors.fail() << "loop has step " << step;
    return;
  }
  for (int64_t i = values.index(loop.getLowerBound()); i < values.index(loop.getUpperBound()) && !errors.occurred();
       i += step) {
    carried.insert(carried.begin(), Number::ofInteger(i));
    carried = run(*loop.getBody(), carried);
  }
  if (!errors.occurred())
    for (auto [result, value] : llvm::zip_equal(loop.getResults(), carried))
      values.set(result, value);
}

void TileTask::runIf(Operation *op) {
  auto branch = cast<mlir::scf::IfOp>(op);
  Region &taken = values.index(branch.getCondition()) ? branch.getThenRegion() : branch.getElseRegion();
  if (taken.empty())
    return;
  SmallVector<TileValue> passed = run(taken.front(), {});
  if (!errors.occurred())
    for (auto [result, value] : llvm::zip_equal(branch.getResults(), passed))
      values.set(result, value);
}

void TileTask::run(CountOp op) {
  const Memory &memory = *values.get<Operand>(op.getArg()).memory;
  int64_t count = op.getAxis() == "batch" ? memory.batch : op.getAxis() == "heads" ? memory.heads : memory.positions;
  values.setIndex(op.getValue(), count);
}

void TileTask::run(OfBatchOp op) {
  const std::vector<int64_t> &list = *values.get<PerBatch>(op.getValues());
  int64_t b = values.index(op.getBatch());
  if (b < 0 || b >= static_cast<int64_t>(list.size())) {
    errors.fail() << "batch entry " << b << " is read of " << list.size();
    return;
  }
  values.setIndex(op.getValue(), list[b]);
}

//===-- Streams -------------------------------------------------------------------------------------------------===//

void TileTask::run(CoverOp op) {
  Cover cover;
  for (size_t i = 0; i < op.getLo().size(); ++i)
    cover.runs.push_back({values.index(op.getLo()[i]), values.index(op.getHi()[i]), values.index(op.getFullLo()[i]),
                          values.index(op.getFullHi()[i])});
  values.set(op.getCover(), std::move(cover));
}

void TileTask::run(StreamOp op) {
  std::map<int64_t, bool> tiles; // ascending, and whether full
  for (const Cover::Run &run : values.get<Cover>(op.getCover()).runs)
    for (int64_t j = run.lo; j < run.hi; ++j)
      tiles[j] |= run.fullLo <= j && j < run.fullHi;

  SmallVector<TileValue> carried;
  for (Value init : op.getInits())
    carried.push_back(values[init]);
  bool outside = inFullTile;
  for (auto [j, full] : tiles) {
    inFullTile = full;
    carried.insert(carried.begin(), Number::ofInteger(j));
    carried = run(op.getBody().front(), carried);
    if (errors.occurred())
      return;
  }
  inFullTile = outside;
  for (auto [result, value] : llvm::zip_equal(op.getResults(), carried))
    values.set(result, value);
}

void TileTask::run(StreamInverseOp op) {
  int64_t width = op.getMembers();
  Inverse inverse = values.get<Inverse>(op.getInverse());
  for (const auto &[unit, members] : inverse)
    for (size_t from = 0; from < members.size(); from += width) {
      Tile ids = Tile::filled(width, 1, -1.0), slots = Tile::filled(width, 1, -1.0);
      for (size_t i = from; i < members.size() && i < from + width; ++i) {
        ids.at(i - from) = static_cast<double>(members[i].first);
        slots.at(i - from) = static_cast<double>(members[i].second);
      }
      run(op.getBody().front(), {Number::ofInteger(unit), ids, slots});
      if (errors.occurred())
        return;
    }
}

} // namespace sattn::ref

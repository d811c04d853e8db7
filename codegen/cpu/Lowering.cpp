// The walk over a kernel's ops, the table of op families, and the lifetimes of tile values.
#include "codegen/cpu/Lowering.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace sattn;
using namespace sattn::cpu;

Lowering::Lowering(tile::KernelOp kernel, mlir::LLVM::LLVMFuncOp function, const Atom &atom)
    : kernel(kernel), c(function, atom), frame(function.getArgument(0)), scratchBase(function.getArgument(1)),
      lines(computesLines(kernel)) {
  for (unsigned axis = 0; axis < 3; ++axis)
    scalars[kernel.getGrid(axis)] = function.getArgument(2 + axis);
}

Unsupported Lowering::unsupported(Operation *op, const Twine &what, const Twine &remedy) {
  // An op whose code stands in several copies is one error.
  if (refused.insert(op).second)
    op->emitError("[SA0262] the CPU code generator does not support ") << what << ": " << remedy;
  return {};
}

// A value is dead after the last op of its own block that uses it, be it inside that op's regions or through an op that
// waits for its consumer.
void Lowering::findLastUses() {
  auto note = [&](Value value) {
    if (!isa<tile::TileType, tile::TopType, tile::ViewType, tile::InverseType>(value.getType()))
      return;
    Block *block = value.getParentBlock();
    Operation *last = value.getDefiningOp();
    for (Operation *user : value.getUsers()) {
      Operation *ancestor = block->findAncestorOpInBlock(*consumerOf(user));
      if (!last || last->isBeforeInBlock(ancestor))
        last = ancestor;
    }
    if (last)
      lastUses[last].push_back(value);
  };
  kernel.getBody().walk([&](Block *block) {
    for (Value argument : block->getArguments())
      note(argument);
    for (Operation &op : *block)
      for (Value result : op.getResults())
        note(result);
  });
}

LogicalResult Lowering::run() {
  findLastUses();
  decodeFrame();
  if (failed(lowerBody(kernel.getBody().front())))
    return failure();
  mlir::LLVM::ReturnOp::create(c.b, ValueRange());
  tiles.clear();
  views.clear();
  inverses.clear();
  return success();
}

LogicalResult Lowering::lowerBody(Block &block, llvm::function_ref<LogicalResult()> finish) {
  return lowerFrom(&block.front(), finish);
}

LogicalResult Lowering::lowerFrom(Operation *op, llvm::function_ref<LogicalResult()> finish) {
  for (; !op->hasTrait<mlir::OpTrait::IsTerminator>(); op = op->getNextNode()) {
    mlir::OpBuilder::InsertionGuard guard(c.b);
    c.b.setLoc(op->getLoc());
    if (auto mask = dyn_cast<tile::MaskOp>(op);
        mask && splitsAt(mask, finish || op->getBlock()->back().getNumOperands() == 0))
      return lowerSplit(mask, finish);
    if (failed(lower(op)))
      return failure();
    for (Value dead : lastUses.lookup(op)) {
      tiles.erase(dead);
      views.erase(dead);
      inverses.erase(dead);
    }
  }
  return finish ? finish() : success();
}

// Rows of tiles whose code may stand twice: with more panels a copy costs the compiler more than it saves.
static constexpr int64_t kMostSplitRows = 64;

// Groups of rows that are not full share one copy: they are few.
bool Lowering::splitsAt(tile::MaskOp mask, bool canFinish) {
  return mask.getWhen() && !acts(mask) && canFinish && !isa<tile::KernelOp>(mask->getParentOp()) &&
         liveRows(mask.getResult()) == mask.getResult().getType().getRows() &&
         mask.getResult().getType().getRows() <= kMostSplitRows;
}

Lowering::Places Lowering::now() const {
  Places places{tiles, views, inverses};
  for (auto &[value, held] : places.tiles)
    if (held.pending) // added to as it is lowered
      held.pending = std::make_shared<Pending>(*held.pending);
  return places;
}

void Lowering::goBack(Places &&places) {
  tiles = std::move(places.tiles);
  views = std::move(places.views);
  inverses = std::move(places.inverses);
}

LogicalResult Lowering::lowerSplit(tile::MaskOp mask, llvm::function_ref<LogicalResult()> finish) {
  Places before = now();
  Value when = mask.getWhen();
  LogicalResult status = success();
  auto copy = [&](bool isActing) {
    decided[when] = isActing;
    if (failed(lowerFrom(mask, finish)))
      status = failure();
    decided.erase(when);
  };
  c.when(
      scalar(when), [&] { copy(true); },
      [&] {
        goBack(std::move(before));
        copy(false);
      });
  return status;
}

LogicalResult Lowering::lower(Operation *op) {
  if (lines)
    if (std::optional<LogicalResult> done = lowerLines(op))
      return *done;
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tile::SliceOp, tile::PrivateOp, tile::LoadOp, tile::GatherOp, tile::StoreOp, tile::ScatterOp,
            tile::PrefetchOp, tile::FillOp, tile::IotaOp, tile::ColumnsOp, tile::HadamardOp, tile::DotOp, tile::MapOp,
            tile::MaskOp, tile::ChooseOp, tile::SoftmaxStepOp, tile::SoftmaxFinishOp, tile::MergeOp, tile::ReduceOp,
            tile::RowScanOp, tile::GatherAtOp, tile::EntryOp, tile::LoadBlocksOp, tile::PoolOp, tile::TopPushOp,
            tile::TopMassOp, tile::TopListOp, tile::TopRowOp, tile::LengthOp, tile::MembersOp, tile::StreamOp,
            tile::InvertOp, tile::StreamInverseOp, mlir::scf::ForOp, mlir::scf::IfOp>(
          [&](auto specific) { return lower(specific); })
      .Case<tile::SplatOp>([&](tile::SplatOp splat) {
        tile(splat.getTile()).splat = splat.getValue().convertToFloat();
        return success();
      })
      .Case<tile::CoverOp, tile::TopInitOp>([&](auto) { return success(); })
      .Default([&](Operation *other) { return lowerScalar(other); });
}

//===-- Values ------------------------------------------------------------------------------------------===//

Panels Lowering::newPanels(int64_t rows, int64_t cols) {
  Panels panels;
  panels.rows = rows;
  panels.cols = cols;
  panels.owner = scratch.take(panels.count() * panels.panelBytes());
  panels.base = {scratchBase, panels.owner->offset};
  return panels;
}

bool Lowering::mayTake(Value value, Operation *user) {
  Block *block = user->getBlock();
  if (value.getParentBlock() != block || !tile(value).panels || !tile(value).panels->owner)
    return false;
  int64_t here = 0;
  for (mlir::OpOperand &use : value.getUses()) {
    Operation *at = block->findAncestorOpInBlock(*consumerOf(use.getOwner()));
    if (at == user)
      ++here;
    else if (!at || !at->isBeforeInBlock(user))
      return false;
  }
  return here == 1;
}

Panels Lowering::takeOrNew(Value operand, mlir::OpResult result) {
  if (!mayTake(operand, result.getOwner()))
    return newPanels(result);
  Panels taken = *tile(operand).panels;
  taken.rows = std::min(taken.rows, liveRows(result));
  return taken;
}

int64_t Lowering::liveRows(Value value) {
  int64_t rows = cast<tile::TileType>(value.getType()).getRows();
  return memberLimit != 0 && memberTiles.contains(value) ? std::min(rows, memberLimit) : rows;
}

Panels Lowering::newPanels(Value value) {
  return newPanels(liveRows(value), cast<tile::TileType>(value.getType()).getCols());
}

FailureOr<Panels> Lowering::panelsOf(Value value) {
  TileValue &held = tile(value);
  if (held.panels)
    return *held.panels;
  if (held.lines)
    return panelsFrom(*held.lines, value);
  Panels to = newPanels(value);
  if (held.splat) {
    fill(to, c.strip(*held.splat));
    return to; // not remembered: this may be inside a loop that the value is not
  }
  if (held.columns) {
    c.loop(0, to.cols, 1,
           [&](Value i) { c.storeStrip(c.loadBroadcast(c.atScaled(held.columns->base, i, 4)), stripAt(to, 0, i, 0)); });
    return to;
  }
  if (failed(materialise(held, to)))
    return failure();
  return to;
}

FailureOr<Panels> Lowering::columnsOf(Value value) {
  if (tile(value).columns)
    return *tile(value).columns;
  auto panels = panelsOf(value);
  if (failed(panels))
    return failure();
  Panels to = newPanels(panels->cols, 1);
  c.loop(0, panels->cols, 1,
         [&](Value i) { c.store(c.load(c.f32, stripAt(*panels, 0, i, 0), 4), c.atScaled(to.base, i, 4), 4); });
  return to;
}

Ptr Lowering::stripAt(const Panels &panels, int64_t panel, Value column, int64_t i) {
  return c.atScaled(panels.at(panel, i), column, kLanes * 4);
}

Ptr Lowering::stripAt(const Panels &panels, Value panel, int64_t p, Value column, int64_t i) {
  return c.atScaled(c.atScaled(panels.at(p, i), panel, panels.panelBytes()), column, kLanes * 4);
}

void Lowering::fill(const Panels &panels, Value strip) {
  c.loop(0, panels.count() * panels.cols, 1,
         [&](Value i) { c.storeStrip(strip, c.atScaled(panels.base, i, kLanes * 4)); });
}

void Lowering::copy(const Panels &from, const Panels &to) {
  // One of the two may have more rows than are live.
  c.loop(0, std::min(from.count(), to.count()) * to.cols, 1, [&](Value i) {
    c.storeStrip(c.loadStrip(c.atScaled(from.base, i, kLanes * 4)), c.atScaled(to.base, i, kLanes * 4));
  });
}

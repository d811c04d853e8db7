// The tiles of streams, copied by a warp of their own (sm_90a). It walks the same covers as the warps that compute, but
// does nothing but wait for an empty stage of the ring and start the copies of TMA that fill it; mbarriers tell the
// others that a tile has come, and it that they are done with one. What it needs besides are the scalars of the kernel.
#include "codegen/common/ScalarOps.h"
#include "codegen/gpu/Lowering.h"
#include "codegen/gpu/Runs.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

static constexpr int64_t kBarrierBytes = 8;
/// Stages at most, a power of two; and the shared memory that is left for everything else where there are more than
/// what two tiles of a stream need.
static constexpr int64_t kMostStages = 8, kOtherBytes = 32 << 10;
/// Registers of a thread that computes and of one that copies, where the block has too few for all to have the most.
static constexpr int64_t kComputeRegisters = 240, kCopyRegisters = 24;
/// Positions of a box at most.
static constexpr int64_t kMostBoxRows = 256;

//===-- What goes through the ring ----------------------------------------------------------------------===//

// Copies of boxes end at the counts of the operand, not at a limit of the view: what lies behind the limit is masked.
bool Lowering::copiesByBoxes(tile::StreamOp stream) {
  if (!stream.getCover().getDefiningOp<tile::CoverOp>())
    return false;
  Block &body = stream.getBody().front();
  bool masks = llvm::any_of(body.getOps<tile::MaskOp>(), [](tile::MaskOp mask) { return !mask.getWhen(); });
  SmallVector<tile::LoadOp> loads = loadsAhead(body);
  return !loads.empty() && llvm::all_of(loads, [&](tile::LoadOp load) {
    auto slice = load.getView().getDefiningOp<tile::SliceOp>();
    // Products in branches might not run, and would neither wait for a tile nor give it back.
    bool direct = llvm::all_of(load.getTile().getUsers(), [&](Operation *user) { return user->getBlock() == &body; });
    int64_t rows = load.getTile().getType().getRows();
    bool whole = !slice || !slice.getPages() ||
                 staysInPage(static_cast<int64_t>(*slice.getPage()), codegen::divisorOf(load.getPosition()), rows);
    return slice && whole && direct && feedsGroups(load.getTile()) && !slice.getFrom() &&
           (!slice.getLimit() || masks) && load.getView().getType().getGroup() == 1 &&
           load.getTile().getType().getRows() <= kMostBoxRows;
  });
}

// Streams that a producer reaches: through loops and branches whose bounds and conditions are scalars.
void Lowering::planRing() {
  Ring plan;
  bool onlyStreams = true;
  kernel.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<tile::PrivateOp, tile::StreamInverseOp>(op))
      onlyStreams = false;
    if (auto inverse = dyn_cast<tile::StreamInverseOp>(op)) {
      bool feeds = llvm::any_of(loadsAhead(inverse.getBody().front()),
                                [&](tile::LoadOp load) { return feedsGroups(load.getTile()); });
      std::string why = "which ones follows from lists that these warps turn around";
      if (feeds && remarked.insert(why).second)
        op->emitRemark("tiles of kernel '" + kernel.getSymName() +
                       "' are copied by the warps that multiply them, not by "
                       "TMA: ")
            << why;
    }
    if (op->getNumRegions() != 0 && !isa<scf::ForOp, scf::IfOp, tile::StreamOp>(op))
      return WalkResult::skip();
    auto stream = dyn_cast<tile::StreamOp>(op);
    if (!stream)
      return WalkResult::advance();
    bool paged = llvm::any_of(loadsAhead(stream.getBody().front()), [&](tile::LoadOp load) {
      auto slice = load.getView().getDefiningOp<tile::SliceOp>();
      return slice && slice.getPages() && feedsGroups(load.getTile());
    });
    std::string why = "their keys lie in pages that are no whole tiles";
    if (paged && !copiesByBoxes(stream) && remarked.insert(why).second)
      stream->emitRemark("tiles of kernel '" + kernel.getSymName() +
                         "' are copied by the warps that multiply them, not by TMA: ")
          << why;
    if (copiesByBoxes(stream)) {
      SmallVector<tile::LoadOp> loads = loadsAhead(stream.getBody().front());
      for (tile::LoadOp load : loads) {
        tile::TileType type = load.getTile().getType();
        plan.stageBytes = std::max(plan.stageBytes, type.getRows() * type.getCols() * 2);
      }
      plan.stages = std::max<int64_t>(plan.stages, llvm::PowerOf2Ceil(2 * loads.size()));
      plan.streams.insert(stream);
    }
    return WalkResult::skip();
  });
  if (plan.streams.empty())
    return;
  // A block of more than one warpgroup needs what registers its producers can spare, and gives them by warpgroups.
  plan.producers = layout.warps > kGroupWarps ? kGroupWarps : 1;
  while (onlyStreams && plan.stages < kMostStages &&
         2 * plan.stages * plan.stageBytes + kOtherBytes <= arch.sharedBytes)
    plan.stages *= 2;
  ring = std::move(plan);
}

FailureOr<SmallVector<Lowering::Staged>> Lowering::ringLoads(tile::StreamOp op) {
  SmallVector<Staged> staged;
  for (tile::LoadOp load : loadsAhead(op.getBody().front())) {
    FailureOr<SharedRows> rows = newSharedRows(load, load.getTile(), load.getView().getType());
    if (failed(rows))
      return failure();
    staged.push_back({load, *rows, ring->stageBytes});
  }
  return staged;
}

//===-- Turns -------------------------------------------------------------------------------------------===//

Value Lowering::stageOf(Value turn) { return c.andi(turn, c.int32(ring->stages - 1)); }
Value Lowering::parityOf(Value turn) {
  return c.andi(arith::ShRUIOp::create(c.b, turn, c.int32(llvm::Log2_64(ring->stages))), c.int32(1));
}
Value Lowering::barrierOf(Value barriers, Value turn) {
  return c.at(barriers, c.muli(stageOf(turn), c.int32(kBarrierBytes)));
}

Value Lowering::stageAt(Value turn) { return c.at(ring->base, c.muli(stageOf(turn), c.int32(ring->stageBytes))); }

// Each is awaited by the first product that reads it, so that the others may still be on their way.
void Lowering::useRing(ArrayRef<Staged> staged) {
  Value next = turn;
  for (const Staged &operand : staged) {
    SharedRows rows = operand.rows;
    rows.base = stageAt(next);
    rows.full = barrierOf(ring->full, next);
    rows.empty = barrierOf(ring->empty, next);
    rows.parity = parityOf(next);
    next = c.addi(next, c.int32(1));
    Value loaded = tile::LoadOp(operand.load).getTile();
    for (OpOperand &use : loaded.getUses())
      rows.usesLeft += isa<tile::DotOp>(use.getOwner()) && use.getOperandNumber() == 1;
    tile(loaded) = {};
    tile(loaded).right = rows;
  }
}

void Lowering::awaitTile(SharedRows &rows) {
  if (Value full = std::exchange(rows.full, Value()))
    c.await(full, rows.parity);
}

void Lowering::releaseTile(SharedRows &rows) {
  if (!rows.empty || --rows.usesLeft != 0)
    return;
  c.warpBarrier(); // all lanes have read it
  c.when(c.compareI(arith::CmpIPredicate::eq, c.lane, c.int32(0)), [&] { c.arrive(rows.empty); });
}

void Lowering::loopOnTurn(Value low, Value high, int64_t step, llvm::function_ref<void(Value)> body) {
  if (!turn)
    return c.loop(low, high, step, body);
  turn = c.loop(low, high, step, {turn}, [&](Value i, ValueRange now) -> Values {
    turn = now[0];
    body(i);
    return {turn};
  })[0];
}

void Lowering::branchOnTurn(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
  if (!turn)
    return c.when(condition, then, otherwise);
  Value before = turn;
  auto branch = [&](llvm::function_ref<void()> body) -> Values {
    turn = before;
    body();
    return {turn};
  };
  turn = c.when(condition, {Type(c.i32)}, [&] { return branch(then); }, [&] { return branch(otherwise); })[0];
}

//===-- The producer ------------------------------------------------------------------------------------===//

LogicalResult Lowering::lowerWithProducer() {
  Block &body = kernel.getBody().front();
  ring->base = c.at(sharedBase, memory.take(ring->stages * ring->stageBytes, kSwizzleAlignment));
  ring->full = c.at(sharedBase, memory.take(2 * ring->stages * kBarrierBytes));
  ring->empty = c.at(ring->full, ring->stages * kBarrierBytes);
  c.when(c.compareI(arith::CmpIPredicate::eq, c.thread, c.int32(0)), [&] {
    for (int64_t stage = 0; stage < ring->stages; ++stage) {
      c.initBarrier(c.at(ring->full, stage * kBarrierBytes), 1);
      c.initBarrier(c.at(ring->empty, stage * kBarrierBytes), layout.warps);
    }
    c.publishBarriers();
  });
  c.barrier();
  c.team = threads();
  auto scalarsOutside = scalars;
  auto viewsOutside = views;
  turn = c.int32(0);
  LogicalResult status = success();
  c.when(
      c.compareI(arith::CmpIPredicate::uge, c.thread, c.int32(threads())),
      [&] {
        if (ring->producers > 1)
          c.setRegisters(kCopyRegisters, /*more=*/false);
        producing = true;
        c.when(c.compareI(arith::CmpIPredicate::eq, c.thread, c.int32(threads())), [&] { status = produce(body); });
        producing = false;
        scalars = scalarsOutside;
        views = viewsOutside;
      },
      [&] {
        if (ring->producers > 1)
          c.setRegisters(kComputeRegisters, /*more=*/true);
        turn = c.int32(0);
        if (succeeded(status))
          status = lowerBody(body);
      });
  return status;
}

// The scalars, and the streams that go through the ring.
LogicalResult Lowering::produce(Block &block) {
  auto holdsStream = [&](Operation *op) {
    return llvm::any_of(ring->streams, [&](Operation *stream) { return op->isAncestor(stream); });
  };
  LogicalResult status = success();
  auto inside = [&](Region &region) {
    if (!region.empty() && succeeded(status))
      status = produce(region.front());
  };
  for (Operation &op : block.without_terminator()) {
    c.b.setLoc(op.getLoc());
    if (auto stream = dyn_cast<tile::StreamOp>(op); stream && ring->streams.contains(stream)) {
      status = produceStream(stream);
    } else if (auto loop = dyn_cast<scf::ForOp>(op); loop && holdsStream(loop)) {
      FailureOr<int64_t> step = stepOf(loop);
      if (failed(step))
        return failure();
      loopOnTurn(scalar(loop.getLowerBound()), scalar(loop.getUpperBound()), *step, [&](Value i) {
        scalars[loop.getInductionVar()] = i;
        inside(loop.getRegion());
      });
    } else if (auto branch = dyn_cast<scf::IfOp>(op); branch && holdsStream(branch)) {
      branchOnTurn(
          scalar(branch.getCondition()), [&] { inside(branch.getThenRegion()); },
          [&] { inside(branch.getElseRegion()); });
    } else if (isa<tile::SliceOp>(op)) {
      status = lower(&op);
    } else if (op.getNumRegions() == 0 && op.getNumResults() == 1 && op.getResult(0).getType().isIntOrIndexOrFloat()) {
      status = lowerScalar(&op);
    }
    if (failed(status))
      return failure();
  }
  return status;
}

LogicalResult Lowering::produceStream(tile::StreamOp op) {
  Block &body = op.getBody().front();
  FailureOr<SmallVector<Staged>> staged = ringLoads(op);
  if (failed(staged))
    return failure();
  Runs runs(c, op.getCover().getDefiningOp<tile::CoverOp>(), [&](Value value) { return scalar(value); });
  Value first = runs.next({});
  if (runs.bytes() != 0) { // of this thread alone: it never gives back what others might take before it is done
    Value table = c.at(sharedBase, memory.take(runs.bytes()));
    runs.store(table);
    runs.readFrom(table);
  }
  LogicalResult status = success();
  turn = c.whileLoop(
      {first, turn},
      [&](ValueRange now) {
        return std::pair(c.compareI(arith::CmpIPredicate::ne, now[0], c.int64(kEnd)), Values(now));
      },
      [&](ValueRange now) -> Values {
        turn = now[1];
        status = prefetch(body, *staged, now[0], {});
        return {runs.next(c.add(now[0], 1)), turn};
      })[1];
  return status;
}

//===-- Boxes -------------------------------------------------------------------------------------------===//

// The map of an operand as a parameter of the entry.
Value Lowering::mapOf(tile::SliceOp slice, int64_t rows) {
  auto operand = cast<BlockArgument>(slice.getArg());
  auto type = cast<tile::ArgType>(operand.getType());
  TensorMap map{operand.getArgNumber(),
                type.getElementType().getIntOrFloatBitWidth() / 8,
                type.getInner(),
                {kPanelColumns, rows}};
  auto found = llvm::find(maps, map);
  if (found != maps.end())
    return mapValues[found - maps.begin()];
  maps.push_back(map);
  mapValues.push_back(
      function.getBody().front().addArgument(LLVM::LLVMPointerType::get(c.b.getContext()), c.b.getLoc()));
  return mapValues.back();
}

// The next tile of the ring.
void Lowering::startBoxes(tile::LoadOp load, SharedRows rows) {
  auto slice = load.getView().getDefiningOp<tile::SliceOp>();
  needAlignment(views[load.getView()], 16);
  auto short32 = [&](Value number) { return arith::TruncIOp::create(c.b, c.i32, number).getResult(); };
  // The phase before the one that this tile will be in: of a fresh barrier it counts as ended.
  c.await(barrierOf(ring->empty, turn), c.xori(parityOf(turn), c.int32(1)));
  Value full = barrierOf(ring->full, turn), map = mapOf(slice, rows.rows);
  c.arriveExpecting(full, rows.bytes());
  rows.base = stageAt(turn);
  // The map of an axis whose entries are all one holds it once (runtime/TensorMaps.cpp).
  const Argument &argument = arguments[slice.getArg()];
  auto entry = [&](Value stride, Value index) { return c.select(c.equal(stride, c.int64(0)), c.int32(0), index); };
  Value position = short32(scalar(load.getPosition())), batch = short32(scalar(slice.getBatch()));
  Value head = entry(argument.strides[2], short32(scalar(slice.getHead())));
  // Of a view without rows, whose memory may be none, every box lies outside: TMA fills it with zeros. So does a box of
  // a page that there is not.
  constexpr int64_t outside = int64_t(1) << 30;
  const View &view = views[load.getView()];
  Value none = c.equal(view.limit, c.int64(0));
  if (view.pages) {
    Value at = scalar(load.getPosition());
    PagePlace place = placeInPages(view, at, c.lessUnsigned(at, view.limit));
    batch = place.page;
    position = short32(place.row);
    none = c.select(place.exists, c.boolean(false), c.boolean(true));
  }
  batch = entry(argument.strides[0], batch);
  position = c.select(none, c.int32(outside), position);
  int64_t first = slice.getColumn() ? static_cast<int64_t>(*slice.getColumn()) : 0;
  for (int64_t panel = 0; panel < rows.cols / kPanelColumns; ++panel)
    c.copyBox(c.at(rows.base, panel * rows.panelBytes()), map,
              {c.int32(first + panel * kPanelColumns), position, head, batch}, full);
  turn = c.addi(turn, c.int32(1));
}

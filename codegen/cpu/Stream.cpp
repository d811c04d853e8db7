// Streams: the runs of a cover become a table of ascending segments, and a loop over it enters one of two bodies, the
// one for full tiles or the one for partial tiles. Carried tiles are updated in place.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;

static constexpr int64_t kSlot = 8; ///< bytes of a table entry's field

// One run: partial up to the full part, full, partial after it. Returns the number of segments; each is (from, to,
// full) in the table.
static int64_t oneRun(Code &c, Ptr table, Value low, Value high, Value fullLow, Value fullHigh) {
  Value from = c.min(c.max(fullLow, low), c.max(low, high));
  Value to = c.min(c.max(fullHigh, from), c.max(low, high));
  std::pair<Value, Value> parts[3] = {{low, from}, {from, to}, {to, high}};
  for (auto [i, part] : llvm::enumerate(parts)) {
    Ptr entry = table.plus(static_cast<int64_t>(i) * 3 * kSlot);
    c.store(part.first, entry, kSlot);
    c.store(part.second, entry.plus(kSlot), kSlot);
    c.store(c.int64(i == 1), entry.plus(2 * kSlot), kSlot);
  }
  return 3;
}

// Many runs: all their bounds, sorted, cut the line into pieces; a piece is visited if some run holds it and full if
// some run's full part does.
static int64_t manyRuns(Code &c, Ptr table, Ptr cuts, tile::CoverOp cover, llvm::function_ref<Value(Value)> scalar) {
  int64_t runs = static_cast<int64_t>(cover.getLo().size()), count = 4 * runs;
  struct Run {
    Value low, high, fullLow, fullHigh;
  };
  SmallVector<Run> all;
  for (int64_t i = 0; i < runs; ++i) {
    Value low = scalar(cover.getLo()[i]), high = c.max(low, scalar(cover.getHi()[i]));
    Value fullLow = c.min(c.max(scalar(cover.getFullLo()[i]), low), high);
    Value fullHigh = c.min(c.max(scalar(cover.getFullHi()[i]), fullLow), high);
    all.push_back({low, high, fullLow, fullHigh});
    int64_t next = 4 * i;
    for (Value bound : {low, high, fullLow, fullHigh})
      c.store(bound, cuts.plus(next++ * kSlot), kSlot);
  }
  c.loop(1, count, 1, [&](Value end) {
    // The bound at `end` sinks into the sorted ones before it.
    c.loop(c.int64(0), end, 1, [&](Value i) {
      Ptr here = c.atScaled(cuts, i, kSlot), last = c.atScaled(cuts, end, kSlot);
      Value a = c.load(c.i64, here, kSlot), z = c.load(c.i64, last, kSlot);
      c.store(c.min(a, z), here, kSlot);
      c.store(c.max(a, z), last, kSlot);
    });
  });
  c.loop(0, count - 1, 1, [&](Value i) {
    Ptr cut = c.atScaled(cuts, i, kSlot), entry = c.atScaled(table, i, 3 * kSlot);
    Value from = c.load(c.i64, cut, kSlot), to = c.load(c.i64, cut.plus(kSlot), kSlot);
    auto holds = [&](Value low, Value high) { return c.lessUnsigned(c.sub(from, low), c.sub(high, low)); };
    Value visited = c.boolean(false), full = c.boolean(false);
    for (const Run &run : all) {
      visited = c.ori(visited, holds(run.low, run.high));
      full = c.ori(full, holds(run.fullLow, run.fullHigh));
    }
    c.store(from, entry, kSlot);
    c.store(c.select(visited, to, from), entry.plus(kSlot), kSlot);
    c.store(mlir::arith::ExtUIOp::create(c.b, c.i64, full), entry.plus(2 * kSlot), kSlot);
  });
  return count - 1;
}

// Whether a body is the same for full and partial tiles.
bool Lowering::hasMask(tile::StreamOp op) {
  bool found = false;
  op.getBody().walk([&](tile::MaskOp mask) { found |= !mask.getWhen(); });
  return found;
}

// Whether every run's full part is known to be empty: walks over lists mask each tile.
static bool isNeverFull(tile::CoverOp cover) {
  return llvm::all_of(llvm::zip(cover.getFullLo(), cover.getFullHi()), [](auto part) {
    auto [from, to] = part;
    std::optional<int64_t> known = mlir::getConstantIntValue(from);
    return known && known == mlir::getConstantIntValue(to);
  });
}

LogicalResult Lowering::lower(tile::StreamOp op) {
  auto cover = op.getCover().getDefiningOp<tile::CoverOp>();
  if (!cover)
    return unsupported(op, "a cover that is not made by sattn_tile.cover");

  // Memory of the carried values: that of the initial value if nobody else needs it.
  std::vector<TileValue> carried;
  for (Value init : op.getInits()) {
    FailureOr<TileValue> memory = startCarry(op, init);
    if (failed(memory))
      return failure();
    carried.push_back(*memory);
  }

  int64_t runs = static_cast<int64_t>(cover.getLo().size());
  Owner tableOwner = scratch.take((runs == 1 ? 3 : 4 * runs) * 3 * kSlot), cutsOwner = scratch.take(4 * runs * kSlot);
  Ptr table{scratchBase, tableOwner->offset}, cuts{scratchBase, cutsOwner->offset};
  int64_t segments = runs == 1 ? oneRun(c, table, scalar(cover.getLo()[0]), scalar(cover.getHi()[0]),
                                        scalar(cover.getFullLo()[0]), scalar(cover.getFullHi()[0]))
                               : manyRuns(c, table, cuts, cover, [&](Value value) { return scalar(value); });
  cutsOwner.reset();

  bool outerFull = fullTile, ok = true;
  c.loop(0, segments, 1, [&](Value segment) {
    Ptr entry = c.atScaled(table, segment, 3 * kSlot);
    Value from = c.load(c.i64, entry, kSlot), to = c.load(c.i64, entry.plus(kSlot), kSlot);
    auto body = [&](bool full) {
      Places before = now();
      c.loop(from, to, 1, [&](Value index) { ok = ok && succeeded(lowerStreamBody(op, index, carried, full)); });
      goBack(std::move(before));
    };
    if (bool masked = hasMask(op); !masked || isNeverFull(cover))
      return body(!masked);
    Value full = c.load(c.i64, entry.plus(2 * kSlot), kSlot);
    c.when(c.equal(full, c.int64(1)), [&] { body(true); }, [&] { body(false); });
  });
  fullTile = outerFull;
  if (!ok)
    return failure();
  for (auto [result, memory] : llvm::zip(op.getResults(), carried))
    tile(result) = memory;
  return success();
}

FailureOr<TileValue> Lowering::startCarry(Operation *op, Value init) {
  TileValue memory;
  if (isa<tile::TopType>(init.getType())) {
    FailureOr<TopState> top = topOf(op, init);
    if (failed(top))
      return failure();
    memory.top = *top;
    return memory;
  }
  if (!isa<tile::TileType>(init.getType()))
    return unsupported(op, "carried values that are not tiles");
  TileValue &held = tile(init);
  if (lines) {
    memory.lines = takeLines(init, op);
    return memory;
  }
  if (mayTake(init, op)) {
    memory.panels = *held.panels;
    return memory;
  }
  memory.panels = newPanels(init);
  if (held.panels)
    copy(*held.panels, *memory.panels);
  else if (held.splat)
    fill(*memory.panels, c.strip(*held.splat));
  else if (failed(materialise(held, *memory.panels)))
    return failure();
  return memory;
}

LogicalResult Lowering::lowerStreamBody(tile::StreamOp op, Value index, ArrayRef<TileValue> carried, bool full) {
  fullTile = full;
  scalars[op.getInductionVar()] = index;
  for (auto [argument, memory] : llvm::zip(op.getCarried(), carried))
    tile(argument) = memory;
  auto yield = cast<tile::YieldOp>(op.getBody().front().getTerminator());
  return lowerBody(op.getBody().front(),
                   [&] { return finishCarry(yield, SmallVector<Value>(yield.getValues()), carried); });
}

// Yielded values to the memory of the carried ones. Values that stand in another carried value's memory are saved
// first.
LogicalResult Lowering::finishCarry(Operation *yield, ArrayRef<Value> values, ArrayRef<TileValue> carried) {
  auto same = [](const Panels &a, const Panels &b) {
    return a.base.base == b.base.base && a.base.offset == b.base.offset;
  };
  if (lines) {
    finishLines(values, carried);
    return success();
  }
  SmallVector<std::pair<Panels, Panels>> moves;
  for (auto [i, value] : llvm::enumerate(values)) {
    if (carried[i].top) {
      FailureOr<TopState> top = topOf(yield, value);
      if (failed(top))
        return failure();
      moves.push_back({top->panels, carried[i].top->panels});
      continue;
    }
    auto panels = panelsOf(value);
    if (failed(panels))
      return failure();
    for (auto [j, memory] : llvm::enumerate(carried))
      if (i != j && memory.panels && same(*panels, *memory.panels)) {
        Panels saved = newPanels(panels->rows, panels->cols);
        copy(*panels, saved);
        panels = saved;
        break;
      }
    moves.push_back({*panels, *carried[i].panels});
  }
  for (auto [from, to] : moves)
    if (!same(from, to))
      copy(from, to);
  for (Value dead : lastUses.lookup(yield))
    tiles.erase(dead);
  return success();
}

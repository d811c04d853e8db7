// Index lists turned around: for each unit, ascending, the positions that selected it. The lists are brought into order
// once; then the next unit is the least of all lists' next ids, its members are the lists that stand there, and those
// lists move on. Nothing depends on the number of units, so scratch memory has a fixed size.
#include "codegen/cpu/Lowering.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <limits>

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;
using arith::CmpIPredicate;

// Ends every list; greater than any unit.
static constexpr int64_t kNoUnit = std::numeric_limits<int32_t>::max();

// From which element of position 0 to which the list of `position` lies.
static std::pair<Value, Value> boundsOf(Code &c, const View &starts, Value position, int64_t inner) {
  auto start = [&](Value p) {
    Value inside = c.lessUnsigned(p, starts.limit);
    Value place = c.mul(c.select(inside, p, c.int64(0)), starts.positionBytes);
    Value given = arith::ExtSIOp::create(c.b, c.i64, c.load(c.i32, Ptr{c.at(starts.base, place)}, 4));
    return c.select(inside, c.min(c.max(given, c.int64(0)), c.int64(inner)), c.int64(inner));
  };
  return {start(position), start(c.add(position, c.int64(1)))};
}

LogicalResult Lowering::lower(tile::InvertOp op) {
  const View &view = views[op.getLists()];
  const View *starts = op.getStarts() ? &views[op.getStarts()] : nullptr;
  int64_t count = static_cast<int64_t>(op.getCount()), width = view.type.getInner() + 1;
  int64_t padded = llvm::alignTo(count, kLanes);
  Inverse inverse;
  inverse.positions = count;
  inverse.width = width;
  inverse.repeats = op.getUnordered();
  int64_t listBytes = llvm::alignTo(count * width * 4, 64);
  inverse.owner = scratch.take(2 * listBytes + 2 * padded * 4);
  inverse.ids = {scratchBase, inverse.owner->offset};
  inverse.slots = inverse.ids.plus(listBytes);
  inverse.heads = inverse.slots.plus(listBytes);
  inverse.cursors = inverse.heads.plus(padded * 4);
  // Positions behind the end of the view have no list: what they would cost depends on the call, not on `count`.
  Value position = scalar(op.getPosition());
  Value live = c.min(c.max(c.sub(starts ? starts->limit : view.limit, position), c.int64(0)), c.int64(count));
  inverse.strips = c.floorDiv(c.add(live, kLanes - 1), kLanes);
  c.loop(c.int64(0), inverse.strips, 1, [&](Value strip) {
    c.store(c.stripI(kNoUnit), c.atScaled(inverse.heads, strip, kLanes * 4), 64);
    c.store(c.stripI(int64_t(0)), c.atScaled(inverse.cursors, strip, kLanes * 4), 64);
  });
  Value units = c.min(c.max(scalar(op.getUnits()), c.int64(0)), c.int64(kNoUnit));
  Value nothing = c.address(c.zeros(view.type.getInner() * 4));
  RowSource lists{view, starts ? c.int64(0) : position, std::nullopt, count};
  c.loop(c.int64(0), live, 1, [&](Value n) {
    Value row = rowPointer(lists, starts ? c.int64(0) : n, nothing);
    Value exists = c.differs(row, nothing), size = c.int64(width - 1);
    Ptr list{row};
    if (starts) {
      auto [from, to] = boundsOf(c, *starts, c.add(position, n), view.type.getInner());
      list = c.atScaled(list, from, 4);
      size = c.sub(to, from);
    }
    Ptr ids = c.atScaled(inverse.ids, n, width * 4), slots = c.atScaled(inverse.slots, n, width * 4);
    c.store(c.int32(kNoUnit), c.atScaled(ids, c.max(size, c.int64(0)), 4), 4);
    c.loop(c.int64(0), size, 1, [&](Value e) {
      Value id = c.load(c.i32, c.atScaled(list, e, 4), 4);
      if (op.getFlags()) {
        Value given = arith::CmpIOp::create(c.b, CmpIPredicate::ne, id, c.int32(0));
        id = c.select(given, arith::TruncIOp::create(c.b, c.i32, e), c.int32(-1));
      }
      Value wide = arith::ExtSIOp::create(c.b, c.i64, id);
      if (op.getBase()) {
        wide = c.sub(wide, scalar(op.getBase()));
        id = arith::TruncIOp::create(c.b, c.i32, wide);
      }
      Value valid = c.andi(exists, c.lessUnsigned(wide, units));
      Ptr here = c.atScaled(ids, e, 4), slotHere = c.atScaled(slots, e, 4);
      c.store(c.select(valid, id, c.int32(kNoUnit)), here, 4);
      c.store(arith::TruncIOp::create(c.b, c.i32, e), slotHere, 4);
      // An entry below its predecessor sinks to its place; lists made by a selection are in order already.
      Value before = c.load(c.i32, c.atScaled(ids, c.max(c.sub(e, c.int64(1)), c.int64(0)), 4), 4);
      Value disordered = arith::CmpIOp::create(c.b, CmpIPredicate::slt, c.load(c.i32, here, 4), before);
      c.when(disordered, [&] {
        c.loop(c.int64(0), e, 1, [&](Value i) {
          Ptr place = c.atScaled(ids, i, 4), slotPlace = c.atScaled(slots, i, 4);
          Value a = c.load(c.i32, place, 4), z = c.load(c.i32, here, 4);
          Value x = c.load(c.i32, slotPlace, 4), y = c.load(c.i32, slotHere, 4);
          Value swap = arith::CmpIOp::create(c.b, CmpIPredicate::sgt, a, z);
          c.store(c.select(swap, z, a), place, 4);
          c.store(c.select(swap, a, z), here, 4);
          c.store(c.select(swap, y, x), slotPlace, 4);
          c.store(c.select(swap, x, y), slotHere, 4);
        });
      });
    });
    c.store(c.load(c.i32, ids, 4), c.atScaled(inverse.heads, n, 4), 4);
  });
  inverses[op.getInverse()] = inverse;
  return success();
}

// The least of all heads.
static Value nextUnit(Code &c, const Inverse &inverse) {
  Values least =
      c.loop(c.int64(0), inverse.strips, 1, {c.stripI(kNoUnit)}, [&](Value strip, ValueRange carried) -> Values {
        Value heads = c.load(c.vi, c.atScaled(inverse.heads, strip, kLanes * 4), 64);
        return {arith::MinSIOp::create(c.b, heads, carried[0])};
      });
  return LLVM::vector_reduce_smin::create(c.b, c.i32, least[0]);
}

// Positions whose list stands at `unit`, ascending, to `members`; returns how many.
static Value collectMembers(Code &c, const Inverse &inverse, Value unit, Ptr members) {
  Value wanted = c.broadcast(unit);
  SmallVector<int32_t> lanes;
  for (int32_t lane = 0; lane < kLanes; ++lane)
    lanes.push_back(lane);
  return c.loop(c.int64(0), inverse.strips, 1, {c.int64(0)}, [&](Value strip, ValueRange carried) -> Values {
    Value heads = c.load(c.vi, c.atScaled(inverse.heads, strip, kLanes * 4), 64);
    Value stands = c.compareI(CmpIPredicate::eq, heads, wanted);
    Value first = arith::TruncIOp::create(c.b, c.i32, c.mul(strip, kLanes));
    Value positions = c.addi(c.broadcast(first), c.stripI(lanes));
    LLVM::masked_compressstore::create(c.b, positions, c.address(c.atScaled(members, carried[0], 4)), stands);
    Value bits = LLVM::BitcastOp::create(c.b, c.i16, stands);
    Value found = LLVM::CtPopOp::create(c.b, bits);
    return {c.add(carried[0], arith::ExtUIOp::create(c.b, c.i64, found))};
  })[0];
}

// Slots of the members at this unit, and their lists moved on.
static void advanceMembers(Code &c, const Inverse &inverse, Ptr members, Ptr slots, Value count) {
  c.loop(c.int64(0), count, 1, [&](Value i) {
    Value member = arith::ExtUIOp::create(c.b, c.i64, c.load(c.i32, c.atScaled(members, i, 4), 4));
    Ptr cursorAt = c.atScaled(inverse.cursors, member, 4);
    Value cursor = c.load(c.i32, cursorAt, 4);
    Value entry = c.add(c.mul(member, inverse.width), arith::ExtUIOp::create(c.b, c.i64, cursor));
    c.store(c.load(c.i32, c.atScaled(inverse.slots, entry, 4), 4), c.atScaled(slots, i, 4), 4);
    auto idBehind = [&](Value steps) {
      Value at = c.add(entry, arith::ExtUIOp::create(c.b, c.i64, steps).getResult());
      return c.load(c.i32, c.atScaled(inverse.ids, at, 4), 4);
    };
    Value steps = c.int32(1);
    if (inverse.repeats) {
      Value unit = idBehind(c.int32(0));
      steps = c.whileLoop(
          {steps},
          [&](ValueRange now) {
            return std::pair(c.compareI(CmpIPredicate::eq, idBehind(now[0]), unit), Values{now[0]});
          },
          [&](ValueRange now) -> Values { return {c.addi(now[0], c.int32(1))}; })[0];
    }
    c.store(c.addi(cursor, steps), cursorAt, 4);
    c.store(idBehind(steps), c.atScaled(inverse.heads, member, 4), 4);
  });
}

// Collects into `members` the tiles of a body whose rows are the stream's members, a row of `heads` for each. False
// where some op mixes rows, so that all of them must be computed.
static bool findMemberTiles(tile::StreamInverseOp op, llvm::DenseSet<Value> &members) {
  Block &body = op.getBody().front();
  int64_t rows = 0;
  auto mark = [&](Value value) {
    auto type = dyn_cast<tile::TileType>(value.getType());
    if (!type || (rows != 0 && type.getRows() != rows))
      return false;
    rows = type.getRows();
    return members.insert(value), true;
  };
  auto rowsOf = [&](Value value) { return members.contains(value); };
  auto walk = op.getBody().walk([&](Operation *inner) -> WalkResult {
    if (auto gather = dyn_cast<tile::GatherOp>(inner); gather && gather.getIds() == body.getArgument(1))
      return success(!gather.getView().getType().getOuter() && mark(gather.getTile()));
    if (auto pick = dyn_cast<tile::GatherAtOp>(inner); pick && pick.getIds() == body.getArgument(1))
      return success(!pick.getView().getType().getOuter() && mark(pick.getTile()));
    bool any = llvm::any_of(inner->getOperands(), rowsOf);
    if (!any || isa<tile::ScatterOp, tile::YieldOp>(inner))
      return WalkResult::advance();
    if (auto dot = dyn_cast<tile::DotOp>(inner))
      return success(!rowsOf(dot.getB()) && mark(dot.getResult()));
    bool rowByRow =
        isa<tile::MapOp, tile::MaskOp, tile::SoftmaxStepOp, tile::SoftmaxFinishOp, tile::MergeOp, tile::RowScanOp>(
            inner);
    if (auto reduce = dyn_cast<tile::ReduceOp>(inner))
      rowByRow = reduce.getOver() == "cols";
    return success(rowByRow && llvm::all_of(inner->getResults(), mark));
  });
  return !walk.wasInterrupted() && rows % kLanes == 0 && rows > kLanes &&
         rows % static_cast<int64_t>(op.getMembers()) == 0;
}

LogicalResult Lowering::lower(tile::StreamInverseOp op) {
  const Inverse inverse = inverses[op.getInverse()];
  int64_t members = static_cast<int64_t>(op.getMembers());
  // Room for all positions and one group of -1 behind them.
  int64_t room = llvm::alignTo(inverse.positions + members + kLanes, kLanes);
  Owner all = scratch.take(2 * room * 4);
  Ptr found{scratchBase, all->offset}, slots = found.plus(room * 4);
  TileValue idsTile, slotsTile;
  idsTile.panels = newPanels(members, 1);
  slotsTile.panels = newPanels(members, 1);
  Block &body = op.getBody().front();
  bool outerFull = fullTile, ok = true;
  fullTile = false;
  llvm::DenseSet<Value> rowTiles;
  bool byMembers = memberLimit == 0 && findMemberTiles(op, rowTiles);
  memberTiles = byMembers ? rowTiles : llvm::DenseSet<Value>();
  int64_t rows = 0;
  for (Value member : memberTiles)
    rows = cast<tile::TileType>(member.getType()).getRows();

  c.whileLoop(
      {},
      [&](ValueRange) {
        Value unit = nextUnit(c, inverse);
        return std::pair(arith::CmpIOp::create(c.b, CmpIPredicate::ne, unit, c.int32(kNoUnit)).getResult(),
                         Values{unit});
      },
      [&](ValueRange next) -> Values {
        Value unit = next[0], count = collectMembers(c, inverse, unit, found);
        advanceMembers(c, inverse, found, slots, count);
        for (int64_t i = 0; i < members; i += kLanes)
          for (Ptr list : {found, slots})
            c.store(c.stripI(-1), c.atScaled(list, count, 4).plus(i * 4), 4);
        scalars[body.getArgument(0)] = arith::ExtUIOp::create(c.b, c.i64, unit);
        c.loop(c.int64(0), count, members, [&](Value first) {
          for (auto [list, panels] : {std::pair{found, *idsTile.panels}, {slots, *slotsTile.panels}})
            for (int64_t i = 0; i < panels.count(); ++i)
              c.storeStrip(c.load(c.vf, c.atScaled(list, first, 4).plus(i * kLanes * 4), 4), panels.at(i));
          auto copyFor = [&](int64_t limit) {
            Places before = now();
            memberLimit = limit;
            tile(body.getArgument(1)) = idsTile;
            tile(body.getArgument(2)) = slotsTile;
            ok = ok && succeeded(lowerBody(body));
            memberLimit = 0;
            goBack(std::move(before));
          };
          if (!byMembers)
            return copyFor(0);
          // A group that is not full runs the copy for the panels it has: all, half, or one.
          Value live = c.mul(c.sub(count, first), rows / members);
          auto smaller = [&](auto &self, int64_t limit) -> void {
            int64_t half = llvm::alignTo(limit / 2, kLanes);
            if (limit <= kLanes || half == limit)
              return copyFor(limit);
            c.when(c.less(c.int64(half), live), [&] { copyFor(limit); }, [&] { self(self, half); });
          };
          smaller(smaller, rows);
        });
        return {};
      });
  fullTile = outerFull;
  memberTiles.clear();
  return success(ok);
}

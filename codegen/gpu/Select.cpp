// Pooling and the running top-k. Ranks of a row lie in the lanes of one warp, best first; a candidate is offered to all
// of them at once: the lanes that beat it vote for its rank, the others move up by one.
#include "codegen/gpu/Lowering.h"
#include <limits>

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

// Ids of forced entries carry this bit while they are in a state.
static constexpr int64_t kForced = int64_t(1) << 30;
// Ranks of a row at most: each 32 cost registers of all lanes.
static constexpr int64_t kMostRanks = 128;

//===-- Pooling -----------------------------------------------------------------------------------------===//

LogicalResult Lowering::lower(tile::PoolOp op) {
  FailureOr<SharedTile> x = sharedOf(op, op.getX()), halo = sharedOf(op, op.getHalo());
  if (failed(x) || failed(halo))
    return failure();
  SharedTile y = newShared(op.getY().getType()), newHalo = newShared(op.getNewHalo().getType());
  auto stride = static_cast<int64_t>(op.getStride());
  int64_t before = halo->width();
  forElements(y.count(), [&](Value i) {
    Value row = arith::DivUIOp::create(c.b, i, c.int32(y.width()));
    Value column = c.subi(i, c.muli(row, c.int32(y.width())));
    Value first = c.muli(column, c.int32(stride)), sum = c.float32(0);
    for (auto [n, weight] : llvm::enumerate(op.getWeights())) {
      // Column `at` of the halo followed by the tile; columns past the tile belong to the next one.
      Value at = c.addi(first, c.int32(static_cast<int64_t>(n)));
      Value ofHalo = c.compareI(CmpIPredicate::ult, at, c.int32(before));
      Value here = c.subi(at, c.int32(before));
      Value inTile = c.compareI(CmpIPredicate::ult, here, c.int32(x->width()));
      Value element = c.when(
          ofHalo, {Type(c.f32)},
          [&] { return Values{loadShared(*halo, c.addi(c.muli(row, c.int32(before)), at), c.f32)}; },
          [&] {
            return c.when(
                inTile, {Type(c.f32)},
                [&] { return Values{loadShared(*x, c.addi(c.muli(row, c.int32(x->width())), here), c.f32)}; },
                [&] { return Values{c.float32(0)}; });
          })[0];
      sum = c.addf(sum, c.mulf(c.float32(weight), element));
    }
    storeShared(y, i, sum);
  });
  forElements(newHalo.count(), [&](Value i) {
    Value row = arith::DivUIOp::create(c.b, i, c.int32(before));
    Value column = c.addi(c.subi(i, c.muli(row, c.int32(before))), c.int32(x->width() - before));
    storeShared(newHalo, i, loadShared(*x, c.addi(c.muli(row, c.int32(x->width())), column), c.f32));
  });
  tile(op.getY()) = {};
  tile(op.getY()).shared = y;
  tile(op.getNewHalo()) = {};
  tile(op.getNewHalo()).shared = newHalo;
  return success();
}

//===-- Running top-k -----------------------------------------------------------------------------------===//

LogicalResult Lowering::lower(tile::TopInitOp op) {
  TopState top;
  top.rows = op.getTop().getType().getRows();
  top.k = op.getTop().getType().getK();
  if (top.k > kMostRanks)
    return unsupported(op, "selections of more than " + Twine(kMostRanks) + " blocks", "select fewer or larger ones");
  int64_t registers = llvm::divideCeil(top.rows, layout.warps) * top.chunks();
  top.scores.assign(registers, c.minusInf());
  top.ids.assign(registers, c.int32(-1));
  tile(op.getTop()) = {};
  tile(op.getTop()).top = std::move(top);
  return success();
}

// Whether an entry ranks before a later one: forced first, then by score; of equals the earlier id.
static Value ranksBefore(Code &c, Value score, Value id, Value laterScore, Value laterId) {
  auto isForced = [&](Value x) { return c.compareI(CmpIPredicate::sge, x, c.int32(kForced)); };
  Value forced = isForced(id), laterForced = isForced(laterId);
  Value same = c.compareI(CmpIPredicate::eq, forced, laterForced);
  return c.select(same, c.compare(CmpFPredicate::OGE, score, laterScore), forced);
}

void Lowering::insert(Values &scores, Values &ids, Value score, Value id) {
  Value rank = c.int32(0);
  SmallVector<Value> before;
  for (auto [held, heldId] : llvm::zip(scores, ids)) {
    before.push_back(ranksBefore(c, held, heldId, score, id));
    rank = c.addi(rank, c.countBits(c.ballot(before.back())));
  }
  Values newScores, newIds;
  for (size_t chunk = 0; chunk < scores.size(); ++chunk) {
    // What the rank before holds: of the first lane, the last rank of the chunk before.
    Value scoreBelow = c.fromLaneBelow(scores[chunk]), idBelow = c.fromLaneBelow(ids[chunk]);
    if (chunk > 0) {
      Value first = c.compareI(CmpIPredicate::eq, c.lane, c.int32(0));
      scoreBelow = c.select(first, c.fromLane(scores[chunk - 1], c.int32(31)), scoreBelow);
      idBelow = c.select(first, c.fromLane(ids[chunk - 1], c.int32(31)), idBelow);
    }
    Value own = c.addi(c.lane, c.int32(static_cast<int64_t>(chunk) * kWarp));
    Value here = c.compareI(CmpIPredicate::eq, own, rank);
    newScores.push_back(c.select(before[chunk], scores[chunk], c.select(here, score, scoreBelow)));
    newIds.push_back(c.select(before[chunk], ids[chunk], c.select(here, id, idBelow)));
  }
  scores = newScores;
  ids = newIds;
}

LogicalResult Lowering::lower(tile::TopPushOp op) {
  TopState top = *tile(op.getTop()).top;
  FailureOr<SharedTile> scores = sharedOf(op, op.getScores());
  if (failed(scores))
    return failure();
  size_t chunks = static_cast<size_t>(top.chunks());
  LogicalResult status = success();
  for (size_t slot = 0; slot * chunks < top.scores.size(); ++slot) {
    Value row = c.addi(c.warp, c.int32(static_cast<int64_t>(slot) * layout.warps));
    Value exists = c.compareI(CmpIPredicate::ult, row, c.int32(top.rows));
    row = c.select(exists, row, c.int32(0));
    FailureOr<codegen::Position> t = rowPosition(op, op.getRowMap(), scalar(op.getRow()), row, top.rows);
    if (failed(t))
      return failure();
    Values state(top.scores.begin() + slot * chunks, top.scores.begin() + (slot + 1) * chunks);
    state.append(top.ids.begin() + slot * chunks, top.ids.begin() + (slot + 1) * chunks);
    for (int64_t column = 0; column < scores->cols; column += kWarp) {
      // A candidate for each lane.
      Value place = c.addi(c.lane, c.int32(column));
      Value offered = c.andi(exists, c.compareI(CmpIPredicate::ult, place, c.int32(scores->cols)));
      Value at = c.addi(c.muli(row, c.int32(scores->cols)), c.select(offered, place, c.int32(0)));
      Value score = c.select(offered, loadShared(*scores, at, c.f32), c.minusInf());
      // -inf and NaN do not enter, except NaN by force: then it ranks as -inf.
      Value visible = c.compare(CmpFPredicate::OGT, score, c.minusInf());
      Value id = c.addi(arith::TruncIOp::create(c.b, c.i32, scalar(op.getFirst())), place);
      if (!op.getForced().empty()) {
        FailureOr<Values> forced =
            inSets(op, op.getForced(), *t, {scalar(op.getFirst()), place, 0, scores->cols - 1}, op.getSymbols());
        if (failed(forced))
          return failure();
        Value holds = forced->front() ? forced->front() : c.boolean(true);
        id = c.select(holds, c.ori(id, c.int32(kForced)), id);
        Value noNumber = c.andi(holds, c.compare(CmpFPredicate::UNO, score, score));
        visible = c.ori(visible, noNumber);
        score = c.select(noNumber, c.minusInf(), score);
      }
      // Nor does what the last rank beats.
      auto last = [&](ValueRange words) {
        return c.fromLane(words[static_cast<size_t>((top.k - 1) / kWarp)], c.int32((top.k - 1) % kWarp));
      };
      Value loses = ranksBefore(c, last(ValueRange(state).take_front(chunks)),
                                last(ValueRange(state).drop_front(chunks)), score, id);
      Value enters = c.andi(visible, c.select(loses, c.boolean(false), c.boolean(true)));
      Values inits{c.ballot(enters)};
      inits.append(state);
      Values after = c.whileLoop(
          inits,
          [&](ValueRange now) { return std::pair(c.compareI(CmpIPredicate::ne, now[0], c.int32(0)), Values(now)); },
          [&](ValueRange now) -> Values {
            Value lane = c.lowestBit(now[0]);
            Values heldScores(now.slice(1, chunks)), heldIds(now.slice(1 + chunks, chunks));
            insert(heldScores, heldIds, c.fromLane(score, lane), c.fromLane(id, lane));
            Values next{c.andi(now[0], c.subi(now[0], c.int32(1)))};
            next.append(heldScores);
            next.append(heldIds);
            return next;
          });
      state.assign(after.begin() + 1, after.end());
    }
    std::copy(state.begin(), state.begin() + chunks, top.scores.begin() + slot * chunks);
    std::copy(state.begin() + chunks, state.end(), top.ids.begin() + slot * chunks);
  }
  tile(op.getResult()) = {};
  tile(op.getResult()).top = std::move(top);
  return status;
}

// Lane by lane the sum of its number and those of the lanes before.
static Value sumOfLanes(Code &c, Value number) {
  for (int64_t distance = 1; distance < kWarp; distance *= 2) {
    Value far = c.compareI(CmpIPredicate::sge, c.lane, c.int32(distance));
    Value other = c.fromLane(number, c.select(far, c.subi(c.lane, c.int32(distance)), c.lane));
    number = c.select(far, c.addf(number, other), number);
  }
  return number;
}

// A rank stays where the scores of those before it do not reach the mass.
LogicalResult Lowering::lower(tile::TopMassOp op) {
  TopState top = *tile(op.getTop()).top;
  Value mass = scalar(op.getMass()), sumBefore;
  for (size_t i = 0; i < top.scores.size(); ++i) {
    if (i % static_cast<size_t>(top.chunks()) == 0)
      sumBefore = c.float32(0);
    Value score = top.scores[i], id = top.ids[i];
    Value share = c.select(c.compare(CmpFPredicate::OGT, score, c.float32(0)), score, c.float32(0));
    Value sum = c.addf(sumBefore, sumOfLanes(c, share));
    Value isFirst = c.compareI(CmpIPredicate::eq, c.lane, c.int32(0));
    Value reached = c.select(isFirst, sumBefore, c.fromLaneBelow(sum));
    Value stays =
        c.ori(c.compare(CmpFPredicate::ULT, reached, mass), c.compareI(CmpIPredicate::sge, id, c.int32(kForced)));
    top.scores[i] = c.select(stays, score, c.minusInf());
    top.ids[i] = c.select(stays, id, c.int32(-1));
    sumBefore = c.fromLane(sum, c.int32(kWarp - 1));
  }
  tile(op.getResult()) = {};
  tile(op.getResult()).top = std::move(top);
  return success();
}

// The place of an id in the ascending list is the number of smaller ones.
LogicalResult Lowering::lower(tile::TopListOp op) {
  TopState top = *tile(op.getTop()).top;
  SharedTile ids = newShared(op.getIds().getType()), scores = newShared(op.getScores().getType());
  forElements(ids.count(), [&](Value i) {
    storeShared(ids, i, c.int32(-1));
    storeShared(scores, i, c.minusInf());
  });
  size_t chunks = static_cast<size_t>(top.chunks());
  constexpr int64_t none = std::numeric_limits<int32_t>::max();
  for (size_t slot = 0; slot * chunks < top.scores.size(); ++slot) {
    Value row = c.addi(c.warp, c.int32(static_cast<int64_t>(slot) * layout.warps));
    Values plain, places(chunks, c.int32(0));
    for (size_t chunk = 0; chunk < chunks; ++chunk) {
      Value id = top.ids[slot * chunks + chunk];
      Value rank = c.addi(c.lane, c.int32(static_cast<int64_t>(chunk) * kWarp));
      Value holds =
          c.andi(c.compareI(CmpIPredicate::sge, id, c.int32(0)), c.compareI(CmpIPredicate::ult, rank, c.int32(top.k)));
      plain.push_back(c.select(holds, c.andi(id, c.int32(kForced - 1)), c.int32(none)));
    }
    for (Value others : plain)
      places = c.loop(c.int32(0), c.int32(kWarp), 1, places, [&](Value i, ValueRange counts) {
        Value other = c.fromLane(others, i);
        Values next;
        for (auto [count, id] : llvm::zip(counts, plain))
          next.push_back(c.addi(count, arith::ExtUIOp::create(c.b, c.i32, c.compareI(CmpIPredicate::slt, other, id))));
        return next;
      });
    for (size_t chunk = 0; chunk < chunks; ++chunk) {
      Value holds = c.andi(c.compareI(CmpIPredicate::ne, plain[chunk], c.int32(none)),
                           c.compareI(CmpIPredicate::ult, row, c.int32(top.rows)));
      c.when(holds, [&] {
        Value at = c.addi(c.muli(row, c.int32(top.k)), places[chunk]);
        storeShared(ids, at, plain[chunk]);
        storeShared(scores, at, top.scores[slot * chunks + chunk]);
      });
    }
  }
  c.barrier();
  tile(op.getIds()) = {};
  tile(op.getIds()).shared = ids;
  tile(op.getScores()) = {};
  tile(op.getScores()).shared = scores;
  return success();
}

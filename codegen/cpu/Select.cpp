// Selections: overlap pooling and the running top-k. Rows are lanes, so sixteen lists are kept at once: column i of a
// state is everybody's rank i, best first, and a candidate sinks through the ranks by comparisons and selects.
#include "codegen/cpu/Lowering.h"
#include "mlir/IR/IntegerSet.h"

using namespace sattn;
using namespace sattn::cpu;
using mlir::arith::CmpFPredicate;
using mlir::arith::CmpIPredicate;

// A push costs k steps for each candidate that somebody wants.
static constexpr int64_t kMostRanks = 128;
// Forced ids carry this bit while they are in a state, so a class needs no array of its own.
static constexpr int64_t kForced = int64_t(1) << 30;

//===-- Pooling -----------------------------------------------------------------------------------------===//

LogicalResult Lowering::lower(tile::PoolOp op) {
  auto x = panelsOf(op.getX()), halo = panelsOf(op.getHalo());
  if (failed(x) || failed(halo))
    return failure();
  Panels newHalo = takeOrNew(op.getHalo(), op->getOpResult(1));
  int64_t haloCols = halo->cols, stride = static_cast<int64_t>(op.getStride());
  ArrayRef<float> weights = op.getWeights();
  Panels y = newPanels(op.getY());
  // y[j] from the columns q*j + i of halo and tile together; those before `haloCols` are the halo's.
  int64_t inHalo = std::min<int64_t>(y.cols, llvm::divideCeil(haloCols, stride));
  for (int64_t panel = 0; panel < x->count(); ++panel) {
    auto weighted = [&](llvm::function_ref<Value(int64_t)> strip) {
      Value sum;
      for (auto [i, weight] : llvm::enumerate(weights)) {
        Value column = strip(static_cast<int64_t>(i));
        sum = sum ? c.fma(column, c.strip(weight), sum) : c.mulf(column, c.strip(weight));
      }
      return sum;
    };
    for (int64_t j = 0; j < inHalo; ++j)
      c.storeStrip(weighted([&](int64_t i) {
                     int64_t col = stride * j + i;
                     return c.loadStrip(col < haloCols ? halo->at(panel, col) : x->at(panel, col - haloCols));
                   }),
                   y.at(panel, j));
    c.loop(inHalo, y.cols, 1, [&](Value j) {
      Ptr first = c.atScaled(x->at(panel).plus(-haloCols * kLanes * 4), j, stride * kLanes * 4);
      c.storeStrip(weighted([&](int64_t i) { return c.loadStrip(first.plus(i * kLanes * 4)); }),
                   stripAt(y, panel, j, 0));
    });
    // The last columns of halo and tile together are the next halo; a column moves down before it is overwritten.
    for (int64_t col = 0; col < haloCols; ++col) {
      int64_t from = x->cols + col;
      c.storeStrip(c.loadStrip(from < haloCols ? halo->at(panel, from) : x->at(panel, from - haloCols)),
                   newHalo.at(panel, col));
    }
  }
  tile(op.getY()) = {};
  tile(op.getY()).panels = y;
  tile(op.getNewHalo()) = {};
  tile(op.getNewHalo()).panels = newHalo;
  return success();
}

//===-- Top-k -------------------------------------------------------------------------------------------===//

FailureOr<TopState> Lowering::newTop(Operation *op, tile::TopType type) {
  if (type.getK() > kMostRanks)
    return unsupported(op, "selections of more than " + Twine(kMostRanks) + " blocks",
                       "select fewer, or run the pattern with the reference (--oracle)");
  TopState top{newPanels(type.getRows(), type.getK()), newPanels(type.getRows(), type.getK())};
  fill(top.scores, c.minusInf());
  fill(top.ids, c.asFloat(c.stripI(-1)));
  return top;
}

// The state that an op updates: that of its operand, or an empty one.
FailureOr<TopState> Lowering::topOf(Operation *op, Value value) {
  if (tile(value).top)
    return *tile(value).top;
  return newTop(op, cast<tile::TopType>(value.getType()));
}

// Offers column `place`, whose scores of the panel's rows are `score`; false where its forced sets cannot be computed.
bool Lowering::pushColumn(tile::TopPushOp op, const TopState &top, int64_t panel, Value score, Value place,
                          ArrayRef<Value> symbols) {
  int64_t ranks = top.scores.cols;
  bool hasForced = !op.getForced().empty();
  // Where the classes differ the forced one is better, else the greater score; of equal scores the earlier id stays.
  auto better = [&](Value score, Value id, Value rankScore, Value rankId) {
    Value wins = c.compare(CmpFPredicate::OGT, score, rankScore);
    if (!hasForced)
      return wins;
    Value candidate = c.compareI(CmpIPredicate::sge, id, c.stripI(kForced));
    Value holder = c.compareI(CmpIPredicate::sge, rankId, c.stripI(kForced));
    Value other = mlir::arith::XOrIOp::create(c.b, candidate, holder);
    return c.select(other, candidate, wins);
  };
  Value id = c.broadcast(mlir::arith::TruncIOp::create(c.b, c.i32, place));
  // -inf and NaN do not enter, except NaN by force: then it ranks as -inf.
  Value offered = c.compare(CmpFPredicate::OGT, score, c.minusInf());
  if (hasForced) {
    int64_t rows = op.getScores().getType().getRows();
    FailureOr<Value> forced = inSets(op.getForced(), op.getRowMap(), rows, panel, scalar(op.getRow()), place, symbols);
    if (failed(forced))
      return false;
    id = c.select(*forced, c.ori(id, c.stripI(kForced)), id);
    Value noNumber = c.andi(*forced, c.compare(CmpFPredicate::UNO, score, score));
    offered = c.ori(offered, noNumber);
    score = c.select(noNumber, c.minusInf(), score);
  }
  Ptr lastScore = top.scores.at(panel, ranks - 1), lastId = top.ids.at(panel, ranks - 1);
  Value enters = c.andi(offered, better(score, id, c.loadStrip(lastScore), c.asInt(c.loadStrip(lastId))));
  c.when(c.anyLane(enters), [&] {
    // The candidate takes the first rank that it beats; that rank and those behind it move down by one, up to the first
    // empty one.
    Value none = c.lanesBelow(0), candidate = c.select(enters, score, c.minusInf());
    Value candidateId = c.select(enters, id, c.stripI(-1));
    auto moves = [&](ValueRange now) {
      Value someone = c.anyLane(c.compareI(CmpIPredicate::sge, now[2], c.stripI(int64_t(0))));
      return std::pair(c.andi(c.less(now[0], c.int64(ranks)), someone), Values(now));
    };
    c.whileLoop({c.int64(0), candidate, candidateId, none}, moves, [&](ValueRange now) -> Values {
      Value rank = now[0];
      Ptr scoreAt = stripAt(top.scores, panel, rank, 0), idAt = stripAt(top.ids, panel, rank, 0);
      Value rankScore = c.loadStrip(scoreAt), rankId = c.asInt(c.loadStrip(idAt));
      Value beaten = better(candidate, candidateId, rankScore, rankId);
      Value newScore = c.select(now[3], now[1], c.select(beaten, candidate, rankScore));
      Value newId = c.select(now[3], now[2], c.select(beaten, candidateId, rankId));
      c.storeStrip(newScore, scoreAt);
      c.storeStrip(c.asFloat(newId), idAt);
      return {c.add(rank, c.int64(1)), rankScore, rankId, beaten};
    });
  });
  return true;
}

LogicalResult Lowering::lower(tile::TopPushOp op) {
  FailureOr<TopState> top = topOf(op, op.getTop());
  if (failed(top))
    return failure();
  Values symbols;
  for (Value symbol : op.getSymbols())
    symbols.push_back(scalar(symbol));
  bool ok = true;
  if (lines) {
    ok = pushLines(op, *top, symbols);
  } else {
    auto scores = panelsOf(op.getScores());
    if (failed(scores))
      return failure();
    for (int64_t panel = 0; panel < scores->count(); ++panel)
      c.loop(0, scores->cols, 1, [&](Value col) {
        Value score = c.loadStrip(stripAt(*scores, panel, col, 0));
        ok = ok && pushColumn(op, *top, panel, score, c.add(scalar(op.getFirst()), col), symbols);
      });
  }
  if (!ok)
    return unsupported(op,
                       "forced sets whose row positions or divisors exceed 2^30, or with divisors that are not "
                       "positive constants",
                       "use smaller divisors, or run the pattern with the reference (--oracle)");
  tile(op.getResult()) = {};
  tile(op.getResult()).top = *top;
  return success();
}

// The ranks stand in order: each adds its score to the sum of those before it, which decides about the next one.
LogicalResult Lowering::lower(tile::TopMassOp op) {
  FailureOr<TopState> top = topOf(op, op.getTop());
  if (failed(top))
    return failure();
  Value mass = c.broadcast(scalar(op.getMass()));
  for (int64_t panel = 0; panel < top->ids.count(); ++panel)
    c.loop(0, top->ids.cols, 1, {c.zero()}, [&](Value rank, ValueRange sum) -> Values {
      Ptr scoreAt = stripAt(top->scores, panel, rank, 0), idAt = stripAt(top->ids, panel, rank, 0);
      Value score = c.loadStrip(scoreAt), id = c.asInt(c.loadStrip(idAt));
      Value forced = c.compareI(CmpIPredicate::sge, id, c.stripI(kForced));
      Value stays = c.ori(c.compare(CmpFPredicate::ULT, sum[0], mass), forced);
      c.storeStrip(c.select(stays, score, c.minusInf()), scoreAt);
      c.storeStrip(c.asFloat(c.select(stays, id, c.stripI(-1))), idAt);
      Value share = c.select(c.compare(CmpFPredicate::OGT, score, c.zero()), score, c.zero());
      return {c.addf(sum[0], share)};
    });
  tile(op.getResult()) = {};
  tile(op.getResult()).top = *top;
  return success();
}

// Ranks `rank` and `rank` + `apart` in the order of their ids, as unsigned numbers, so that -1 comes last.
void Lowering::orderRanks(const TopState &top, Value panel, Value rank, int64_t apart) {
  Ptr id0 = stripAt(top.ids, panel, 0, rank, 0), id1 = stripAt(top.ids, panel, 0, rank, apart);
  Ptr score0 = stripAt(top.scores, panel, 0, rank, 0), score1 = stripAt(top.scores, panel, 0, rank, apart);
  Value a = c.asInt(c.loadStrip(id0)), z = c.asInt(c.loadStrip(id1));
  Value x = c.loadStrip(score0), y = c.loadStrip(score1);
  Value swap = c.compareI(CmpIPredicate::ugt, a, z);
  c.storeStrip(c.asFloat(c.select(swap, z, a)), id0);
  c.storeStrip(c.asFloat(c.select(swap, a, z)), id1);
  c.storeStrip(c.select(swap, y, x), score0);
  c.storeStrip(c.select(swap, x, y), score1);
}

// Batcher's odd-even merge sort, whose comparisons do not depend on what they find: n (log n)^2 / 4 of them. Sorted
// runs of `run` ranks become runs of twice as many.
void Lowering::sortRanks(const TopState &top, Value panel) {
  int64_t ranks = top.ids.cols;
  for (int64_t run = 1; run < ranks; run *= 2)
    for (int64_t apart = run; apart >= 1; apart /= 2)
      c.loop(apart % run, ranks - apart, 2 * apart, [&](Value first) {
        // Groups of `apart` comparisons; those that would reach into the next two runs are left out.
        Value rest = c.andi(c.add(first, apart), c.int64(2 * run - 1));
        c.when(c.less(c.int64(0), rest), [&] {
          Value count = c.min(c.int64(apart), c.sub(c.int64(ranks - apart), first));
          c.loop(c.int64(0), count, 1, [&](Value i) { orderRanks(top, panel, c.add(first, i), apart); });
        });
      });
}

LogicalResult Lowering::lower(tile::TopListOp op) {
  FailureOr<TopState> top = topOf(op, op.getTop());
  if (failed(top))
    return failure();
  c.loop(0, top->ids.count(), 1, [&](Value panel) {
    c.loop(0, top->ids.cols, 1, [&](Value rank) {
      Ptr at = stripAt(top->ids, panel, 0, rank, 0);
      Value id = c.asInt(c.loadStrip(at));
      Value plain = c.andi(id, c.stripI(kForced - 1));
      c.storeStrip(c.asFloat(c.select(c.compareI(CmpIPredicate::slt, id, c.stripI(int64_t(0))), id, plain)), at);
    });
    sortRanks(*top, panel);
  });
  tile(op.getIds()) = {};
  tile(op.getIds()).panels = top->ids;
  tile(op.getScores()) = {};
  tile(op.getScores()).panels = top->scores;
  return success();
}

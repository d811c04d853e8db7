// Selections: overlap pooling and the running top-k. Rows are lanes, so sixteen lists are kept at once (Ranks.h). The
// first candidates are ranks as they come; later ones that beat somebody's last rank wait until they are as many as
// ranks, and are merged with them.
#include "codegen/cpu/Lowering.h"
#include "codegen/cpu/Ranks.h"
#include "mlir/IR/IntegerSet.h"
#include <limits>

using namespace sattn;
using namespace sattn::cpu;
using mlir::arith::CmpFPredicate;
using mlir::arith::CmpIPredicate;

// The ranks of sixteen rows and those that wait are to stay in the nearest cache.
static constexpr int64_t kMostRanks = 128;

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
  int64_t wanted = type.getK(), ranks = static_cast<int64_t>(llvm::PowerOf2Ceil(wanted));
  if (wanted > kMostRanks)
    return unsupported(op, "selections of more than " + Twine(kMostRanks) + " blocks",
                       "select fewer, or run the pattern with the reference (--oracle)");
  constexpr int64_t each = Ranks::kColumnBytes / (kLanes * 4);
  TopState top{newPanels(type.getRows(), 2 * ranks * each + 2), ranks, wanted};
  for (int64_t panel = 0; panel < top.panels.count(); ++panel) {
    Ranks entries(c, top.entries(panel), ranks);
    c.loop(0, ranks, 1, [&](Value rank) { entries.store(noEntry(c), rank); });
    c.storeStrip(c.minusInf(), top.score(panel));
    c.store(c.int64(0), top.count(panel), 8);
  }
  return top;
}

// The state that an op updates: that of its operand, or an empty one.
FailureOr<TopState> Lowering::topOf(Operation *op, Value value) {
  if (tile(value).top)
    return *tile(value).top;
  return newTop(op, cast<tile::TopType>(value.getType()));
}

// Sorts a panel's entries where they are as many as ranks, merges them where they are twice as many.
void Lowering::settleTop(const TopState &top, int64_t panel) {
  int64_t ranks = top.ranks, wanted = top.wanted, scoreAt = top.score(panel).offset - top.entries(panel).offset,
          countAt = top.count(panel).offset - top.entries(panel).offset;
  std::string name = ("settle_" + Twine(wanted)).str();
  c.call(name, {c.address(top.entries(panel))}, [&](Code &inner, ValueRange arguments) {
    Ptr base{arguments[0]}, count = base.plus(countAt);
    Ranks entries(inner, base, ranks), waiting(inner, base.plus(ranks * Ranks::kColumnBytes), ranks);
    inner.when(
        inner.equal(inner.load(inner.i64, count, 8), inner.int64(ranks)), [&] { entries.sort(); },
        [&] {
          waiting.sort();
          entries.merge(waiting);
          inner.store(inner.int64(ranks), count, 8);
        });
    inner.storeStrip(entryOf(inner, entries.load(inner.int64(wanted - 1))).score, base.plus(scoreAt));
  });
}

// Leaves nothing waiting, and nothing in ranks beyond those that are wanted.
void Lowering::finishTop(const TopState &top, int64_t panel) {
  int64_t ranks = top.ranks, wanted = top.wanted;
  Ranks entries(c, top.entries(panel), 2 * ranks);
  Value count = c.load(c.i64, top.count(panel), 8), full = c.int64(2 * ranks);
  auto fillUp = [&](Value to) {
    c.loop(count, to, 1, [&](Value rank) { entries.store(noEntry(c), rank); });
    c.store(to, top.count(panel), 8);
    settleTop(top, panel);
  };
  c.when(
      c.less(c.int64(ranks), count), [&] { fillUp(full); },
      [&] { c.when(c.less(c.int64(wanted), count), [&] { fillUp(c.int64(ranks)); }); });
  c.loop(wanted, ranks, 1, [&](Value rank) { entries.store(noEntry(c), rank); });
}

// Offers column `place`, whose scores of the panel's rows are `score`; false where its forced sets cannot be computed.
bool Lowering::pushColumn(tile::TopPushOp op, const TopState &top, int64_t panel, Value score, Value place,
                          ArrayRef<Value> symbols) {
  // -inf and NaN do not enter, except NaN by force: then it ranks as -inf. Of equal scores the earlier id stays.
  Value enters = c.compare(CmpFPredicate::OGT, score, c.loadStrip(top.score(panel))), isForced;
  if (!op.getForced().empty()) {
    int64_t rows = op.getScores().getType().getRows();
    FailureOr<Value> forced = inSets(op.getForced(), op.getRowMap(), rows, panel, scalar(op.getRow()), place, symbols);
    if (failed(forced))
      return false;
    isForced = c.andi(*forced, c.compare(CmpFPredicate::UNE, score, c.minusInf()));
    enters = c.ori(enters, isForced);
    score = c.select(c.compare(CmpFPredicate::UNO, score, score), c.minusInf(), score);
  }
  c.when(c.anyLane(enters), [&] {
    Ranks entries(c, top.entries(panel), 2 * top.ranks);
    Value id = c.broadcast(mlir::arith::TruncIOp::create(c.b, c.i32, place));
    Value count = c.load(c.i64, top.count(panel), 8), more = c.add(count, 1);
    entries.store(c.select(enters, byScore(c, score, id, isForced), noEntry(c)), count);
    c.store(more, top.count(panel), 8);
    c.when(c.equal(c.andi(more, c.int64(top.ranks - 1)), c.int64(0)), [&] { settleTop(top, panel); });
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
  for (int64_t panel = 0; panel < top->panels.count(); ++panel) {
    finishTop(*top, panel);
    Ranks entries(c, top->entries(panel), top->ranks);
    entries.sort();
    c.loop(0, top->wanted, 1, {c.zero()}, [&](Value rank, ValueRange sum) -> Values {
      Value number = entries.load(rank);
      Entry entry = entryOf(c, number);
      Value stays = c.ori(c.compare(CmpFPredicate::ULT, sum[0], mass), entry.forced);
      entries.store(c.select(stays, number, noEntry(c)), rank);
      Value share = c.select(c.compare(CmpFPredicate::OGT, entry.score, c.zero()), entry.score, c.zero());
      return {c.addf(sum[0], share)};
    });
  }
  tile(op.getResult()) = {};
  tile(op.getResult()).top = *top;
  return success();
}

// Whether some row's ids do not rise: candidates that are no more than ranks stand as they came, in the order of a list
// unless a row has passed one over.
Value Lowering::isByScore(const TopState &top, int64_t panel) {
  Ranks entries(c, top.entries(panel), top.ranks);
  Value none = c.stripI(int64_t(0)), most = c.stripI(std::numeric_limits<int32_t>::max());
  Value rises = c.loop(0, top.wanted, 1, {most, none}, [&](Value rank, ValueRange now) -> Values {
    Value place = placeOf(c, entries.load(rank)), falls = c.compareI(CmpIPredicate::sgt, place, now[0]);
    return {place, c.select(falls, most, now[1])};
  })[1];
  return c.anyLane(c.compareI(CmpIPredicate::ne, rises, none));
}

LogicalResult Lowering::lower(tile::TopListOp op) {
  FailureOr<TopState> top = topOf(op, op.getTop());
  if (failed(top))
    return failure();
  Panels ids = newPanels(op.getIds()), scores = newPanels(op.getScores());
  for (int64_t panel = 0; panel < top->panels.count(); ++panel) {
    finishTop(*top, panel);
    Ranks entries(c, top->entries(panel), top->ranks);
    auto write = [&](const Entry &entry, Value rank) {
      c.storeStrip(c.asFloat(entry.id), stripAt(ids, panel, rank, 0));
      c.storeStrip(entry.score, stripAt(scores, panel, rank, 0));
    };
    c.when(
        isByScore(*top, panel),
        [&] {
          c.loop(0, top->ranks, 1, [&](Value rank) { entries.store(byId(c, entryOf(c, entries.load(rank))), rank); });
          entries.sort();
          c.loop(0, top->wanted, 1, [&](Value rank) { write(entryById(c, entries.load(rank)), rank); });
        },
        [&] { c.loop(0, top->wanted, 1, [&](Value rank) { write(entryOf(c, entries.load(rank)), rank); }); });
  }
  tile(op.getIds()) = {};
  tile(op.getIds()).panels = ids;
  tile(op.getScores()) = {};
  tile(op.getScores()).panels = scores;
  return success();
}

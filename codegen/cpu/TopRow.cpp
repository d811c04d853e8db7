// The best of one row of numbers in memory, exactly, however long the row: positions are lanes. Numbers become integer
// keys of the same order, and the n-th key is found by steps each of which counts the keys that are not less than a
// pivot. A long row is thinned out first: a pivot that a few more than n numbers should reach is taken from a
// sample, and one pass keeps those that do. Where that misjudges the row, the steps run over the row itself.
#include "codegen/common/SetCode.h"
#include "codegen/cpu/Lowering.h"
#include <functional>
#include <limits>
#include <numeric>

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

// Numbers that are kept of a row, and strips of a sample.
static constexpr int64_t kMostKept = 8192, kLeastSample = 256, kMostSample = kMostKept / kLanes;
// Strips of a row for each of its sample.
static constexpr int64_t kSampleEvery = 64;
// Keys: what is never selected, forced numbers without an order of their own, the least finite number. Marks the ids
// of forced numbers.
static constexpr int64_t kNever = std::numeric_limits<int32_t>::min(), kForcedKey = std::numeric_limits<int32_t>::max();
static constexpr int64_t kLeastFinite = static_cast<int32_t>(0x80800000);
static constexpr int64_t kForcedId = std::numeric_limits<int32_t>::min();
static constexpr int32_t kMagnitude = 0x7fffffff;

namespace {
/// Keys with their ids, strip by strip.
struct KeySource {
  Value strips;
  std::function<Value(Value)> keys, ids;
};

class RowSelection {
public:
  RowSelection(Code &c, tile::TopRowOp op, const View &scores, const View &ids, Ptr kept,
               llvm::function_ref<Value(Value)> scalar)
      : c(c), op(op), list(ids.base), room(ids.limit), keptIds(kept), keptKeys(kept.plus((kMostKept + kLanes) * 4)),
        hasForced(!op.getForced().empty()) {
    int64_t tile = scores.type.getInner();
    row = c.at(scores.base, c.mul(scalar(op.getFrom()), scores.positionBytes));
    first = c.mul(scalar(op.getFrom()), tile);
    together = std::gcd<int64_t>(tile / kLanes, 4);
    strips = c.mul(c.max(c.sub(scalar(op.getTo()), scalar(op.getFrom())), c.int64(0)), tile / kLanes);
    count = c.max(scalar(op.getCount()), c.int64(0));
    position = scalar(op.getRow());
    for (Value symbol : op.getSymbols())
      symbols.push_back(scalar(symbol));
    SmallVector<int32_t> numbers(kLanes);
    std::iota(numbers.begin(), numbers.end(), 0);
    lanes = c.stripI(numbers);
  }

  static constexpr int64_t kScratch = 2 * (kMostKept + kLanes) * 4;

  /// False where the forced sets have no code.
  bool run() {
    Value some = c.andi(c.less(c.int64(0), count), c.less(c.int64(0), strips));
    Value written = c.when(some, {c.i64}, [&] { return Values{select()}; }, [&] { return Values{c.int64(0)}; })[0];
    c.loop(written, room, kLanes,
           [&](Value at) { c.store(c.stripI(-1), c.atScaled(list, c.min(at, c.sub(room, c.int64(kLanes))), 4), 4); });
    return isKnown;
  }

private:
  //===-- Keys.

  Value numbers(Value strip) { return c.load(c.vf, c.atScaled(row, strip, kLanes * 4), 4); }
  Value idsOf(Value strip) {
    Value start = arith::TruncIOp::create(c.b, c.i32, c.add(first, c.mul(strip, kLanes)));
    return c.addi(c.broadcast(start), lanes);
  }
  Value lanesIn(Value mask) {
    Value found = LLVM::CtPopOp::create(c.b, Value(LLVM::BitcastOp::create(c.b, c.i16, mask)));
    return arith::ExtUIOp::create(c.b, c.i64, found);
  }
  Value spread(Value key) { return c.broadcast(arith::TruncIOp::create(c.b, c.i32, key)); }

  // The sign decides how the magnitude counts; the sum makes one zero of two.
  Value orderOf(Value x) {
    Value bits = c.asInt(c.addf(x, c.zero()));
    Value negative = arith::ShRSIOp::create(c.b, bits, c.stripI(31));
    Value key = arith::XOrIOp::create(c.b, bits, c.andi(negative, c.stripI(kMagnitude)));
    return c.select(c.compare(CmpFPredicate::OGT, x, c.minusInf()), key, c.stripI(kNever));
  }

  // Forced ones that may be selected: those that no mask has removed.
  Value forcedIn(Value strip, Value x) {
    codegen::Position t{position, nullptr, 0, 0}, i{c.add(first, c.mul(strip, kLanes)), lanes, 0, kLanes - 1};
    auto toAll = [&](Value number) { return c.broadcast(number); };
    FailureOr<Value> inside = codegen::inUnion(c, {c.vi, toAll}, op.getForced(), t, i, symbols);
    isKnown &= succeeded(inside);
    Value open = c.compare(CmpFPredicate::UNE, x, c.minusInf());
    return succeeded(inside) && *inside ? c.andi(*inside, open) : open;
  }
  Value countForced() {
    return c.loop(c.int64(0), strips, 1, {c.int64(0)}, [&](Value strip, ValueRange sum) -> Values {
      return {c.add(sum[0], lanesIn(forcedIn(strip, numbers(strip))))};
    })[0];
  }

  void lookForForced() {
    if (hasForced)
      onlyForced = c.less(count, countForced());
  }

  // Of more forced numbers than may be selected the best are: the others are out, and the forced ones have an order.
  Value keysOf(Value strip) {
    Value x = numbers(strip), key = orderOf(x);
    if (!hasForced)
      return key;
    Value forced = forcedIn(strip, x);
    Value least = arith::MaxSIOp::create(c.b, key, c.stripI(kNever + 1));
    Value alone = c.select(forced, least, c.stripI(kNever));
    return c.select(onlyForced, alone, c.select(forced, c.stripI(kForcedKey), key));
  }

  //===-- Counting.

  Value countWhere(const KeySource &source, CmpIPredicate predicate, Value pivot) {
    Value bound = spread(pivot), one = c.stripI(1), none = c.stripI(int64_t(0));
    Value sums = c.loop(c.int64(0), source.strips, 1, {none}, [&](Value strip, ValueRange sum) -> Values {
      return {c.addi(sum[0], c.select(c.compareI(predicate, source.keys(strip), bound), one, none))};
    })[0];
    return arith::ExtUIOp::create(c.b, c.i64, Value(LLVM::vector_reduce_add::create(c.b, c.i32, sums)));
  }

  /// The least and the greatest key that may be selected, and how many there are.
  struct Extent {
    Value least, most, count;
  };
  Extent extentOf(const KeySource &source) {
    Value never = c.stripI(kNever), one = c.stripI(1), none = c.stripI(int64_t(0));
    Values ends = c.loop(c.int64(0), source.strips, 1, {c.stripI(kForcedKey), never, none},
                         [&](Value strip, ValueRange now) -> Values {
                           Value keys = source.keys(strip), live = c.compareI(CmpIPredicate::ne, keys, never);
                           Value low = c.select(live, keys, c.stripI(kForcedKey));
                           return {arith::MinSIOp::create(c.b, low, now[0]), arith::MaxSIOp::create(c.b, keys, now[1]),
                                   c.addi(now[2], c.select(live, one, none))};
                         });
    auto wide = [&](Value number) -> Value { return arith::ExtSIOp::create(c.b, c.i64, number); };
    return {wide(LLVM::vector_reduce_smin::create(c.b, c.i32, ends[0])),
            wide(LLVM::vector_reduce_smax::create(c.b, c.i32, ends[1])),
            wide(LLVM::vector_reduce_add::create(c.b, c.i32, ends[2]))};
  }

  // The greatest key that at least `wanted` keys reach, or one that at most `spare` more do; the least one where fewer
  // are there. A pivot lies where the counts at both ends of the range let expect it, and in the middle every other
  // time, so that no row takes more than two steps for each bit.
  Value keyOfRank(const KeySource &source, Value wanted, Value spare) {
    Extent extent = extentOf(source);
    Value most = c.add(wanted, spare);
    auto real = [&](Value number) -> Value { return arith::SIToFPOp::create(c.b, c.f32, number); };
    Value fits = c.less(extent.count, c.add(most, 1));
    Value high = c.select(fits, extent.least, c.add(extent.most, 1));
    return c.whileLoop(
        {extent.least, high, extent.count, c.int64(0), c.int64(0)},
        [&](ValueRange now) { return std::pair(c.less(c.add(now[0], 1), now[1]), Values(now)); },
        [&](ValueRange now) -> Values {
          Value span = c.sub(now[1], now[0]), counted = c.sub(now[2], now[3]);
          Value share = c.divf(real(c.sub(now[2], most)), real(c.max(counted, c.int64(1))));
          Value expected = arith::FPToSIOp::create(c.b, c.i64, c.mulf(share, real(span)));
          Value step = c.select(c.equal(now[4], c.int64(0)), expected, c.floorDiv(span, 2));
          Value pivot = c.add(now[0], c.min(c.max(step, c.int64(1)), c.sub(span, c.int64(1))));
          Value reached = countWhere(source, CmpIPredicate::sge, pivot);
          Value enough = c.less(wanted, c.add(reached, 1)), ends = c.andi(enough, c.less(reached, c.add(most, 1)));
          Value above = c.select(ends, c.add(pivot, 1), c.select(enough, now[1], pivot));
          return {c.select(enough, pivot, now[0]), above, c.select(enough, reached, now[2]),
                  c.select(enough, now[3], reached), c.sub(c.int64(1), now[4])};
        })[0];
  }

  //===-- Lists.

  // The chosen lanes side by side; what stands behind them may be overwritten.
  void append(Value chosen, Value strip, Ptr to) {
    if (c.atom.maskedMemory)
      c.store(c.intrinsic("llvm.experimental.vector.compress", c.vi, {strip, chosen, c.stripI(int64_t(0))}), to, 4);
    else
      LLVM::masked_compressstore::create(c.b, strip, c.address(to), chosen);
  }

  // Of `equal` lanes the first `left`.
  Value firstLanes(Value equal, Value left) {
    Value bits = LLVM::BitcastOp::create(c.b, c.i16, equal);
    Value rest = c.loop(c.int64(0), left, 1, {bits}, [&](Value, ValueRange now) -> Values {
      Value lower = arith::SubIOp::create(c.b, now[0], arith::ConstantOp::create(c.b, c.b.getI16IntegerAttr(1)));
      return {c.andi(now[0], lower)};
    })[0];
    return LLVM::BitcastOp::create(c.b, c.v1, Value(arith::XOrIOp::create(c.b, bits, rest)));
  }

  // Writes the ids of the `count` best keys; returns how many there are.
  Value writeList(const KeySource &source) {
    Value border = keyOfRank(source, count, c.int64(0)), bound = spread(border);
    Value equals = c.sub(count, countWhere(source, CmpIPredicate::sgt, border));
    return c.loop(c.int64(0), source.strips, 1, {c.int64(0), equals}, [&](Value strip, ValueRange now) -> Values {
      Value keys = source.keys(strip), equal = c.compareI(CmpIPredicate::eq, keys, bound);
      Value found = lanesIn(equal), all = c.less(found, c.add(now[1], 1));
      Value taken =
          c.when(all, {c.v1}, [&] { return Values{equal}; }, [&] { return Values{firstLanes(equal, now[1])}; })[0];
      Value chosen = c.ori(c.compareI(CmpIPredicate::sgt, keys, bound), taken);
      append(chosen, source.ids(strip), c.atScaled(list, now[0], 4));
      return {c.add(now[0], lanesIn(chosen)), c.max(c.sub(now[1], found), c.int64(0))};
    })[0];
  }

  //===-- Thinning out.

  // A key that a few more than `count` numbers of the row should reach.
  Value pivotOfSample() {
    Value taken = c.min(c.max(c.floorDiv(strips, kSampleEvery), c.int64(kLeastSample)), c.int64(kMostSample));
    c.loop(c.int64(0), taken, 1, [&](Value i) {
      c.store(keysOf(c.floorDiv(c.mul(i, strips), taken)), c.atScaled(keptKeys, i, kLanes * 4), 64);
    });
    auto real = [&](Value number) -> Value { return arith::SIToFPOp::create(c.b, c.f32, number); };
    // How many of a sample lie above varies by the root of their number.
    Value expected = c.divf(c.mulf(real(count), real(taken)), real(strips));
    Value margin = c.mulf(c.float32(3.5f), LLVM::SqrtOp::create(c.b, expected));
    Value wanted = arith::FPToSIOp::create(c.b, c.i64, c.addf(expected, margin));
    wanted = c.add(wanted, 6);
    KeySource sample{taken, [&](Value strip) { return c.load(c.vi, c.atScaled(keptKeys, strip, kLanes * 4), 64); }, {}};
    return keyOfRank(sample, wanted, c.floorDiv(wanted, 8));
  }

  // Keeps the ids of what reaches `pivot` and of what is forced, marked; gives how many they are, of which kMostKept
  // are written.
  Value keep(Value pivot) {
    Value finite = c.max(pivot, c.int64(kLeastFinite));
    Value bits = arith::TruncIOp::create(c.b, c.i32, finite);
    bits = c.select(c.less(finite, c.int64(0)), Value(arith::XOrIOp::create(c.b, bits, c.int32(kMagnitude))), bits);
    Value number = c.broadcast(LLVM::BitcastOp::create(c.b, c.f32, bits));
    // Of few numbers in a row most groups of strips hold none.
    return c.loop(c.int64(0), strips, together, {c.int64(0)}, [&](Value strip, ValueRange now) -> Values {
      SmallVector<std::pair<Value, Value>> each; // lanes that are kept, forced ones among them
      Value any;
      for (int64_t i = 0; i < together; ++i) {
        Value at = c.add(strip, i), x = numbers(at), kept = c.compare(CmpFPredicate::OGE, x, number);
        Value forced = hasForced ? forcedIn(at, x) : Value();
        kept = forced ? c.ori(kept, forced) : kept;
        each.push_back({kept, forced});
        any = any ? c.ori(any, kept) : kept;
      }
      auto appendAll = [&] {
        Value count = now[0];
        for (auto [i, lanes] : llvm::enumerate(each)) {
          auto [kept, forced] = lanes;
          Value place = c.min(count, c.int64(kMostKept)), ids = idsOf(c.add(strip, static_cast<int64_t>(i)));
          if (forced)
            ids = c.select(forced, c.ori(ids, c.stripI(kForcedId)), ids);
          append(kept, ids, c.atScaled(keptIds, place, 4));
          count = c.add(count, lanesIn(kept));
        }
        return Values{count};
      };
      return c.when(c.anyLane(any), {c.i64}, appendAll, [&] { return Values{now[0]}; });
    })[0];
  }

  // Keys of the kept ids, and strips of keys that are never selected behind them. Gives how many are forced.
  Value finishKept(Value kept) {
    Ptr zeroth = c.at(row, c.mul(first, -4));
    c.loop(c.int64(0), kept, 1, [&](Value i) {
      Value id = arith::ExtUIOp::create(c.b, c.i64, c.load(c.i32, c.atScaled(keptIds, i, 4), 4));
      if (hasForced)
        id = c.andi(id, c.int64(kMagnitude));
      c.store(c.load(c.i32, c.atScaled(zeroth, id, 4), 4), c.atScaled(keptKeys, i, 4), 4);
    });
    Value none = c.stripI(int64_t(0)), one = c.stripI(1);
    c.store(none, c.atScaled(keptIds, kept, 4), 4);
    Value sums = c.loop(c.int64(0), kept, kLanes, {none}, [&](Value i, ValueRange now) -> Values {
      Ptr at = c.atScaled(keptKeys, i, 4), idsAt = c.atScaled(keptIds, i, 4);
      Value key = orderOf(c.load(c.vf, at, 64)), sum = now[0];
      if (hasForced) {
        Value ids = c.load(c.vi, idsAt, 64), forced = c.compareI(CmpIPredicate::slt, ids, none);
        c.store(c.andi(ids, c.stripI(kMagnitude)), idsAt, 64);
        key = c.select(forced, c.stripI(kForcedKey), key);
        sum = c.addi(sum, c.select(forced, one, none));
      }
      c.store(key, at, 64);
      return {sum};
    })[0];
    c.store(c.stripI(kNever), c.atScaled(keptKeys, kept, 4), 4);
    return arith::ExtUIOp::create(c.b, c.i64, Value(LLVM::vector_reduce_add::create(c.b, c.i32, sums)));
  }

  Value select() {
    Value isShort = c.less(strips, c.int64(kMostKept / kLanes + 1));
    return c.when(isShort, {c.i64}, [&] { return Values{selectShort()}; }, [&] { return Values{selectLong()}; })[0];
  }

  std::function<Value(Value)> stripsAt(Ptr from) {
    return [this, from](Value strip) { return c.load(c.vi, c.atScaled(from, strip, kLanes * 4), 64); };
  }

  // All keys are kept.
  Value selectShort() {
    lookForForced();
    c.loop(c.int64(0), strips, 1,
           [&](Value strip) { c.store(keysOf(strip), c.atScaled(keptKeys, strip, kLanes * 4), 64); });
    return writeList({strips, stripsAt(keptKeys), [this](Value strip) { return idsOf(strip); }});
  }

  // That more numbers are forced than may be selected is seen when all that are kept are known.
  Value selectLong() {
    onlyForced = c.boolean(false);
    Value kept = keep(pivotOfSample());
    Value suffices = c.andi(c.less(count, c.add(kept, 1)), c.less(kept, c.int64(kMostKept + 1)));
    suffices = c.when(
        suffices, {Type(c.i1)}, [&] { return Values{c.less(finishKept(kept), c.add(count, 1))}; },
        [&] { return Values{c.boolean(false)}; })[0];
    return c.when(
        suffices, {c.i64},
        [&] {
          Value keptStrips = c.floorDiv(c.add(kept, kLanes - 1), kLanes);
          return Values{writeList({keptStrips, stripsAt(keptKeys), stripsAt(keptIds)})};
        },
        [&] {
          lookForForced();
          auto keys = [this](Value strip) { return keysOf(strip); };
          auto ids = [this](Value strip) { return idsOf(strip); };
          return Values{writeList({strips, keys, ids})};
        })[0];
  }

  Code &c;
  tile::TopRowOp op;
  Ptr row, list;
  Value room, first, strips, count, position, lanes, onlyForced;
  Values symbols;
  Ptr keptIds, keptKeys;
  int64_t together; ///< strips of which a row has a multiple
  bool hasForced, isKnown = true;
};
} // namespace

LogicalResult Lowering::lower(tile::TopRowOp op) {
  Owner kept = scratch.take(RowSelection::kScratch);
  RowSelection selection(c, op, views[op.getScores()], views[op.getIds()], {scratchBase, kept->offset},
                         [&](Value value) { return scalar(value); });
  if (!selection.run())
    return unsupported(op,
                       "forced sets whose row positions or divisors exceed 2^30, or with divisors that are not "
                       "positive constants",
                       "use smaller divisors, or run the pattern with the reference (--oracle)");
  return success();
}

LogicalResult Lowering::lower(tile::LengthOp op) {
  const View &view = views[op.getIds()];
  Value one = c.stripI(1), none = c.stripI(int64_t(0));
  Value sums =
      c.loop(c.int64(0), c.floorDiv(view.limit, kLanes), 1, {none}, [&](Value strip, ValueRange sum) -> Values {
        Value ids = c.load(c.vi, c.atScaled(view.base, strip, kLanes * 4), 4);
        return {c.addi(sum[0], c.select(c.compareI(CmpIPredicate::sge, ids, none), one, none))};
      })[0];
  scalars[op.getLength()] =
      arith::ExtUIOp::create(c.b, c.i64, Value(LLVM::vector_reduce_add::create(c.b, c.i32, sums)));
  return success();
}

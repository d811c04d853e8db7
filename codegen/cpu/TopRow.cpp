// The best of one row of numbers in memory, exactly, however long the row: positions are lanes. Numbers become integer
// keys of the same order, and the n-th key is found by steps each of which counts the keys that are not less than a
// pivot. A long row is thinned out first: a pivot that a few more than n numbers should reach is taken from a
// sample, and one pass keeps those that do. Where that misjudges the row, the steps run over the row itself until they
// have a better pivot, or the n-th key where too many are equal to it.
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
static constexpr int64_t kMostKept = 8192, kSample = kMostKept / kLanes;
// Most strips of a sample of which only the greatest numbers are looked at.
static constexpr int64_t kMostMerged = 16;
// Binary places of the distance between two strips of a sample.
static constexpr int64_t kStepBits = 16;
// Strips between two looks at whether too many numbers are kept.
static constexpr int64_t kChunk = 64;
// Keys: what is never selected, forced numbers without an order of their own, the least finite number. Marks the ids
// of forced numbers.
static constexpr int64_t kNever = std::numeric_limits<int32_t>::min(), kForcedKey = std::numeric_limits<int32_t>::max();
static constexpr int64_t kLeastFinite = static_cast<int32_t>(0x80800000);
static constexpr int64_t kForcedId = std::numeric_limits<int32_t>::min();
// Ids that a group of strips writes without asking how many it has, in rows of which many numbers and few are kept, and
// those that it then writes without asking again.
static constexpr int64_t kUnaskedOfMany = 3, kUnaskedOfFew = 1, kUnaskedMore = 3;
// Steps to the n-th key after which the range is cut to the keys that are in it: few rows whose numbers differ need as
// many.
static constexpr int64_t kCutEvery = 16;
// How far ahead of the pass over a row its lines are asked for, in bytes: processors that wait for them by themselves
// take a third longer.
static constexpr int64_t kAhead = 1024;
// Strips of keys that one turn of a loop counts: groups of the row's, or of what is kept of it.
static constexpr int64_t kMostTogether = 4;
static constexpr int32_t kMagnitude = 0x7fffffff;

namespace {
/// Keys with their ids, strip by strip, of which there is a multiple of `together`.
struct KeySource {
  Value strips;
  std::function<Value(Value)> keys, ids;
  int64_t together = kMostTogether;
};

class RowSelection {
public:
  RowSelection(Code &c, tile::TopRowOp op, const View &scores, const View &ids, Ptr kept,
               llvm::function_ref<Value(Value)> scalar)
      : c(c), op(op), list(ids.base), room(ids.limit), keptIds(kept), keptKeys(kept.plus(kRoom * 4)),
        oneStrip(kept.plus(2 * kRoom * 4)), numbersOfIds(scores.base), hasForced(!op.getForced().empty()) {
    int64_t tile = scores.type.getInner();
    row = c.at(scores.base, c.mul(scalar(op.getFrom()), scores.positionBytes));
    first = c.mul(scalar(op.getFrom()), tile);
    together = std::gcd(tile / kLanes, kMostTogether);
    strips = c.mul(c.max(c.sub(scalar(op.getTo()), scalar(op.getFrom())), c.int64(0)), tile / kLanes);
    count = c.max(scalar(op.getCount()), c.int64(0));
    position = scalar(op.getRow());
    for (Value symbol : op.getSymbols())
      symbols.push_back(scalar(symbol));
    SmallVector<int32_t> numbers(kLanes);
    std::iota(numbers.begin(), numbers.end(), 0);
    lanes = c.stripI(numbers);
  }

  // Ids and keys, behind each what may be kept before the next look at how many they are and a group of strips, and one
  // strip.
  static constexpr int64_t kRoom = kMostKept + (kChunk + kMostTogether) * kLanes, kScratch = (2 * kRoom + kLanes) * 4;

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
    Value key = c.xori(bits, c.andi(negative, c.stripI(kMagnitude)));
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
    Values sums(source.together, none);
    sums = c.loop(c.int64(0), source.strips, source.together, sums, [&](Value strip, ValueRange now) -> Values {
      Values next;
      for (auto [i, sum] : llvm::enumerate(now)) {
        Value keys = source.keys(c.add(strip, static_cast<int64_t>(i)));
        next.push_back(c.addi(sum, c.select(c.compareI(predicate, keys, bound), one, none)));
      }
      return next;
    });
    for (Value sum : ArrayRef(sums).drop_front())
      sums[0] = c.addi(sums[0], sum);
    return arith::ExtUIOp::create(c.b, c.i64, Value(LLVM::vector_reduce_add::create(c.b, c.i32, sums[0])));
  }

  /// The least and the greatest key from `low` to `high`, and how many there are.
  struct Extent {
    Value least, most, count;
  };
  Extent extentOf(const KeySource &source, Value low, Value high) {
    Value least = c.stripI(kForcedKey), most = c.stripI(kNever), one = c.stripI(1), none = c.stripI(int64_t(0));
    Value from = spread(low), to = spread(high);
    Values ends = c.loop(c.int64(0), source.strips, 1, {least, most, none}, [&](Value strip, ValueRange now) -> Values {
      Value keys = source.keys(strip);
      Value inside = c.andi(c.compareI(CmpIPredicate::sge, keys, from), c.compareI(CmpIPredicate::sle, keys, to));
      return {arith::MinSIOp::create(c.b, c.select(inside, keys, least), now[0]),
              arith::MaxSIOp::create(c.b, c.select(inside, keys, most), now[1]),
              c.addi(now[2], c.select(inside, one, none))};
    });
    auto wide = [&](Value number) -> Value { return arith::ExtSIOp::create(c.b, c.i64, number); };
    return {wide(LLVM::vector_reduce_smin::create(c.b, c.i32, ends[0])),
            wide(LLVM::vector_reduce_smax::create(c.b, c.i32, ends[1])),
            wide(LLVM::vector_reduce_add::create(c.b, c.i32, ends[2]))};
  }

  // The greatest key that at least `wanted` keys reach, or one that at most `spare` more do; where fewer are there, one
  // that all of them reach. A pivot lies where the counts at both ends of the range let expect it, and in the middle
  // every other time, so that no row takes more than a few steps for each bit; the first two are `guess` and the key
  // above it, which ends the search where many keys are equal to the one looked for. Where few values are, the range
  // shrinks to them.
  Value keyOfRank(const KeySource &source, Value wanted, Value spare, Value guess = {}) {
    Extent extent = extentOf(source, c.int64(kNever + 1), c.int64(kForcedKey));
    Value most = c.add(wanted, spare);
    auto real = [&](Value number) -> Value { return arith::SIToFPOp::create(c.b, c.f32, number); };
    Value fits = c.less(extent.count, c.add(most, 1)), any = c.int64(kNever + 1);
    Value low = c.select(fits, any, extent.least), high = c.select(fits, any, c.add(extent.most, 1));
    auto cut = [&](ValueRange now) -> Values {
      Extent inside = extentOf(source, now[0], c.sub(now[1], c.int64(1)));
      return {inside.least, c.add(inside.most, 1), now[2], now[3]};
    };
    auto count = [&](ValueRange now) -> Values {
      Value span = c.sub(now[1], now[0]), counted = c.sub(now[2], now[3]);
      Value share = c.divf(real(c.sub(now[2], most)), real(c.max(counted, c.int64(1))));
      Value expected = arith::FPToSIOp::create(c.b, c.i64, c.mulf(share, real(span)));
      Value step = c.select(c.equal(c.mod(now[4], 2), c.int64(0)), expected, c.floorDiv(span, 2));
      if (guess) {
        Value guessed = c.sub(c.sub(c.add(guess, 1), now[4]), now[0]);
        step = c.select(c.andi(c.less(now[4], c.int64(2)), c.less(c.int64(0), guessed)), guessed, step);
      }
      Value pivot = c.add(now[0], c.min(c.max(step, c.int64(1)), c.sub(span, c.int64(1))));
      Value reached = countWhere(source, CmpIPredicate::sge, pivot);
      Value enough = c.less(wanted, c.add(reached, 1)), ends = c.andi(enough, c.less(reached, c.add(most, 1)));
      Value above = c.select(ends, c.add(pivot, 1), c.select(enough, now[1], pivot));
      return {c.select(enough, pivot, now[0]), above, c.select(enough, reached, now[2]),
              c.select(enough, now[3], reached)};
    };
    return c.whileLoop(
        {low, high, extent.count, c.int64(0), c.int64(0)},
        [&](ValueRange now) { return std::pair(c.less(c.add(now[0], 1), now[1]), Values(now)); },
        [&](ValueRange now) -> Values {
          Value cuts = c.equal(c.mod(now[4], kCutEvery), c.int64(kCutEvery - 1));
          Values next =
              c.when(cuts, {c.i64, c.i64, c.i64, c.i64}, [&] { return cut(now); }, [&] { return count(now); });
          next.push_back(c.add(now[4], 1));
          return next;
        })[0];
  }

  //===-- Lists.

  // The chosen lanes side by side; what stands behind them may be overwritten. Without such an instruction each is
  // written behind those chosen so far: asking for each costs more than ten times as much.
  void append(Value chosen, Value strip, Ptr to) {
    if (c.atom.maskedMemory)
      return c.store(c.intrinsic("llvm.experimental.vector.compress", c.vi, {strip, chosen, c.stripI(int64_t(0))}), to,
                     4);
    Value bits = arith::ExtUIOp::create(c.b, c.i64, Value(LLVM::BitcastOp::create(c.b, c.i16, chosen)));
    c.when(c.less(c.int64(0), bits), [&] {
      c.store(strip, oneStrip, 64);
      Ptr next = to;
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        c.store(c.load(c.i32, oneStrip.plus(lane * 4), 4), next, 4);
        Value bit = c.andi(arith::ShRUIOp::create(c.b, bits, c.int64(lane)), c.int64(1));
        next = c.atScaled(next, bit, 4);
      }
    });
  }

  // Of `equal` lanes the first `left`.
  Value firstLanes(Value equal, Value left) {
    Value bits = LLVM::BitcastOp::create(c.b, c.i16, equal);
    Value rest = c.loop(c.int64(0), left, 1, {bits}, [&](Value, ValueRange now) -> Values {
      Value lower = arith::SubIOp::create(c.b, now[0], arith::ConstantOp::create(c.b, c.b.getI16IntegerAttr(1)));
      return {c.andi(now[0], lower)};
    })[0];
    return LLVM::BitcastOp::create(c.b, c.v1, c.xori(bits, rest));
  }

  // Writes the ids of the `count` best keys; returns how many there are.
  Value writeList(const KeySource &source) { return writeFrom(source, keyOfRank(source, count, c.int64(0))); }

  // The same, given the least key of them.
  Value writeFrom(const KeySource &source, Value border) {
    Value bound = spread(border);
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

  // A key that a few more than `count` numbers of the row should reach. Of a sample of which few do, every so many
  // strips are merged to one of the greatest numbers of each lane: these tell nearly as much, and are fewer to look
  // through. Merged strips lie far apart, as neighbours in a row may be alike.
  Value pivotOfSample() {
    Value all = c.mul(strips, kLanes);
    Value merged = c.max(c.min(c.floorDiv(all, c.mul(count, 2)), c.int64(kMostMerged)), c.int64(1));
    Value taken = c.mul(c.floorDiv(c.floorDiv(c.int64(kSample), merged), kMostTogether), kMostTogether);
    Value step = c.floorDiv(c.mul(strips, int64_t(1) << kStepBits), kSample);
    c.loop(c.int64(0), taken, 1, [&](Value i) {
      Value best = c.loop(c.int64(0), merged, 1, {c.minusInf()}, [&](Value j, ValueRange now) -> Values {
        Value strip = c.floorDiv(c.mul(c.add(i, c.mul(j, taken)), step), int64_t(1) << kStepBits);
        Value x = numbers(strip);
        if (hasForced)
          x = c.select(forcedIn(strip, x), c.strip(std::numeric_limits<float>::infinity()), x);
        return {c.maxKeep(x, now[0])};
      })[0];
      c.store(orderOf(best), c.atScaled(keptKeys, i, kLanes * 4), 64);
    });
    auto real = [&](Value number) -> Value { return arith::SIToFPOp::create(c.b, c.f32, number); };
    // A merged number is below the n-th best where all that it was made of are.
    Value share = c.divf(real(c.max(c.sub(all, count), c.int64(0))), real(all));
    Value below = c.loop(c.int64(0), merged, 1, {c.float32(1)},
                         [&](Value, ValueRange now) -> Values { return {c.mulf(now[0], share)}; })[0];
    Value above = c.subf(c.float32(1), below), lanesTaken = real(c.mul(taken, kLanes));
    // How many of them are not varies by the root of this.
    Value expected = c.mulf(lanesTaken, above), variance = c.mulf(expected, below);
    Value margin = c.mulf(c.float32(3), LLVM::SqrtOp::create(c.b, variance));
    Value wanted = arith::FPToSIOp::create(c.b, c.i64, c.addf(expected, margin));
    KeySource sample{taken, [&](Value strip) { return c.load(c.vi, c.atScaled(keptKeys, strip, kLanes * 4), 64); }, {}};
    return keyOfRank(sample, c.add(wanted, 2), c.int64(0));
  }

  // Keeps the ids of what reaches `pivot` and of what is forced, marked; gives how many they are, or more than
  // kMostKept where they do not fit.
  Value keep(Value pivot) {
    Value finite = c.max(pivot, c.int64(kLeastFinite));
    Value bits = arith::TruncIOp::create(c.b, c.i32, finite);
    bits = c.select(c.less(finite, c.int64(0)), c.xori(bits, c.int32(kMagnitude)), bits);
    Value number = c.broadcast(LLVM::BitcastOp::create(c.b, c.f32, bits));
    Value areMany = c.less(strips, c.mul(count, 2 * together));
    return c.when(
        areMany, {c.i64}, [&] { return Values{keepFrom(number, kUnaskedOfMany)}; },
        [&] { return Values{keepFrom(number, kUnaskedOfFew)}; })[0];
  }

  Value keepFrom(Value number, int64_t unasked) {
    return c.whileLoop(
        {c.int64(0), c.int64(0)},
        [&](ValueRange now) {
          Value goesOn = c.andi(c.less(now[0], strips), c.less(now[1], c.int64(kMostKept + 1)));
          return std::pair(goesOn, Values(now));
        },
        [&](ValueRange now) -> Values {
          Value end = c.min(c.add(now[0], kChunk), strips);
          return {end, c.loop(now[0], end, together, {now[1]}, [&](Value strip, ValueRange kept) -> Values {
                    return {keepGroup(number, strip, kept[0], unasked)};
                  })[0]};
        })[1];
  }

  Value keepGroup(Value number, Value strip, Value kept, int64_t unasked) {
    SmallVector<Value> chosen, forced;
    for (int64_t i = 0; i < together; ++i) {
      Value at = c.add(strip, i), x = numbers(at);
      c.prefetch(c.atScaled(row.plus(kAhead), at, kLanes * 4));
      chosen.push_back(c.compare(CmpFPredicate::OGE, x, number));
      if (hasForced) {
        forced.push_back(forcedIn(at, x));
        chosen.back() = c.ori(chosen.back(), forced.back());
      }
    }
    return writeKept(bitsOf(chosen), hasForced ? bitsOf(forced) : Value(), strip, kept, unasked);
  }

  // A bit for each lane of some strips.
  Value bitsOf(SmallVector<Value> lanes) {
    int64_t bits = kLanes;
    for (; lanes.size() > 1; bits *= 2) {
      SmallVector<int32_t> all(2 * bits);
      std::iota(all.begin(), all.end(), 0);
      for (size_t i = 0; i < lanes.size() / 2; ++i)
        lanes[i] = c.shuffle(lanes[2 * i], lanes[2 * i + 1], all);
      lanes.resize(lanes.size() / 2);
    }
    Value number = LLVM::BitcastOp::create(c.b, c.b.getIntegerType(bits), lanes[0]);
    return bits == 64 ? number : Value(arith::ExtUIOp::create(c.b, c.i64, number));
  }

  // Ids of the bits of `kept` from `strip` on, behind the `count` that are there. How many a group of strips holds
  // cannot be foreseen, but is hardly ever more than `unasked`, so that as many are written whatever it holds.
  Value writeKept(Value kept, Value forced, Value strip, Value count, int64_t unasked) {
    Value start = arith::TruncIOp::create(c.b, c.i32, c.add(first, c.mul(strip, kLanes)));
    auto write = [&](Value bits, Value to) {
      Value bit = c.countTrailingZeros(bits);
      Value id = c.addi(start, arith::TruncIOp::create(c.b, c.i32, bit));
      if (forced) {
        Value mark = arith::ShRUIOp::create(c.b, forced, c.andi(bit, c.int64(63)));
        id = c.ori(id, arith::ShLIOp::create(c.b, Value(arith::TruncIOp::create(c.b, c.i32, mark)), c.int32(31)));
      }
      c.store(id, c.atScaled(keptIds, to, 4), 4);
      return c.andi(bits, c.sub(bits, c.int64(1)));
    };
    Value rest = kept, found = LLVM::CtPopOp::create(c.b, kept);
    for (int64_t i = 0; i < unasked; ++i)
      rest = write(rest, c.add(count, i));
    c.when(c.less(c.int64(unasked), found), [&] {
      Value more = rest;
      for (int64_t i = unasked; i < unasked + kUnaskedMore; ++i)
        more = write(more, c.add(count, i));
      c.loop(c.int64(unasked + kUnaskedMore), found, 1, {more},
             [&](Value i, ValueRange now) -> Values { return {write(now[0], c.add(count, i))}; });
    });
    return c.add(count, found);
  }

  // Fetches the kept numbers as keys, and a group of strips of keys that are never selected behind them. Gives how many
  // are forced.
  Value finishKept(Value kept) {
    Value none = c.stripI(int64_t(0)), one = c.stripI(1);
    c.store(none, c.atScaled(keptIds, kept, 4), 4);
    c.loop(c.int64(0), kept, kMostTogether, [&](Value i) {
      for (int64_t j = 0; j < kMostTogether; ++j) {
        Value id = c.load(c.i32, c.atScaled(keptIds.plus(j * 4), i, 4), 4);
        if (hasForced)
          id = c.andi(id, c.int32(kMagnitude));
        Value number = c.load(c.i32, c.atScaled(numbersOfIds, arith::ExtUIOp::create(c.b, c.i64, id), 4), 4);
        c.store(number, c.atScaled(keptKeys.plus(j * 4), i, 4), 4);
      }
    });
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
    endKeys(c.atScaled(keptKeys, kept, 4));
    return arith::ExtUIOp::create(c.b, c.i64, Value(LLVM::vector_reduce_add::create(c.b, c.i32, sums)));
  }

  // Fills the last group of strips with keys that are never selected.
  void endKeys(Ptr at) {
    for (int64_t i = 0; i < kMostTogether; ++i)
      c.store(c.stripI(kNever), at.plus(i * kLanes * 4), 4);
  }
  static constexpr int64_t kGroup = kMostTogether * kLanes;
  Value groupsOf(Value count, int64_t each) { return c.mul(c.floorDiv(c.add(count, each - 1), each), kMostTogether); }

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
    endKeys(c.atScaled(keptKeys, strips, kLanes * 4));
    Value all = groupsOf(strips, kMostTogether);
    return writeList({all, stripsAt(keptKeys), [this](Value strip) { return idsOf(strip); }});
  }

  // Keeps what reaches a key. Gives whether all that may be selected is kept, and how many are. That more numbers are
  // forced than may be selected is seen when all that are kept are known.
  Values thinOut(Value pivot) {
    Value kept = keep(pivot);
    Value enough = c.ori(c.less(count, c.add(kept, 1)), c.less(pivot, c.int64(kLeastFinite + 1)));
    Value fits = c.andi(enough, c.less(kept, c.int64(kMostKept + 1)));
    fits = c.when(
        fits, {Type(c.i1)}, [&] { return Values{c.less(finishKept(kept), c.add(count, 1))}; },
        [&] { return Values{c.boolean(false)}; })[0];
    return {fits, kept};
  }

  Value selectLong() {
    onlyForced = c.boolean(false);
    KeySource whole{strips, [this](Value strip) { return keysOf(strip); }, [this](Value strip) { return idsOf(strip); },
                    together};
    Value pivot = pivotOfSample(), neither = onlyForced;
    Values thin = thinOut(pivot);
    Values found = c.when(
        thin[0], {Type(c.i1), c.i64, c.i64, Type(c.i1)}, [&] { return Values{thin[0], thin[1], pivot, neither}; },
        [&] {
          lookForForced();
          Value spare = c.select(onlyForced, c.int64(0), c.max(c.sub(c.int64(kMostKept), count), c.int64(0)));
          Value border = keyOfRank(whole, count, spare, pivot);
          Values again = c.when(
              onlyForced, {Type(c.i1), c.i64}, [&] { return Values{neither, c.int64(0)}; },
              [&] { return thinOut(border); });
          return Values{again[0], again[1], border, onlyForced};
        });
    onlyForced = found[3];
    return c.when(
        found[0], {c.i64},
        [&] { return Values{writeList({groupsOf(found[1], kGroup), stripsAt(keptKeys), stripsAt(keptIds)})}; },
        [&] { return Values{writeFrom(whole, found[2])}; })[0];
  }

  Code &c;
  tile::TopRowOp op;
  Ptr row, list;
  Value room, first, strips, count, position, lanes, onlyForced;
  Values symbols;
  Ptr keptIds, keptKeys, oneStrip, numbersOfIds;
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

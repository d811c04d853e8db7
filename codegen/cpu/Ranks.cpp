// Sorting networks over ranks, and the numbers that they order (Ranks.h).
#include "codegen/cpu/Ranks.h"
#include <array>
#include <limits>

using namespace sattn;
using namespace sattn::cpu;
using mlir::arith::CmpIPredicate;

//===-- Networks ----------------------------------------------------------------------------------------===//

static mlir::VectorType wide(Code &c) { return mlir::VectorType::get(kLanes, c.i64); }

Value Ranks::load(Value rank) { return c.load(wide(c), c.atScaled(base, rank, kColumnBytes), 64); }
void Ranks::store(Value numbers, Value rank) { c.store(numbers, c.atScaled(base, rank, kColumnBytes), 64); }

// Each column whose bit `half` is clear meets the one in which it is set.
void Ranks::stage(Value half) {
  Value below = c.sub(half, c.int64(1));
  c.loop(0, count / 2, 1, [&](Value i) {
    Value first = c.sub(c.mul(i, 2), c.andi(i, below)), second = c.add(first, half);
    Value a = load(first), z = load(second);
    store(mlir::arith::MaxSIOp::create(c.b, a, z), first);
    store(mlir::arith::MinSIOp::create(c.b, a, z), second);
  });
}

// Two stages, of `half` and of half of it, of four columns at a time: what is stored between them bounds a stage. In
// `turned` ones the halves of a run meet as they would if the second one were turned round.
void Ranks::twoStages(Value half, bool turned) {
  Value quarter = c.floorDiv(half, 2), below = c.sub(quarter, c.int64(1));
  Value mask = turned ? c.sub(c.mul(half, 2), c.int64(1)) : half;
  c.loop(0, count / 4, 1, [&](Value i) {
    Value low = c.andi(i, below), first = c.add(c.mul(c.sub(i, low), 4), low), second = c.add(first, quarter);
    std::array<Value, 4> at{first, second, c.xori(first, mask), c.xori(second, mask)}, columns;
    if (turned) // the lower of two places first
      std::swap(at[2], at[3]);
    for (auto [column, place] : llvm::zip(columns, at))
      column = load(place);
    auto meet = [&](size_t a, size_t z) {
      Value more = mlir::arith::MaxSIOp::create(c.b, columns[a], columns[z]);
      columns[z] = mlir::arith::MinSIOp::create(c.b, columns[a], columns[z]);
      columns[a] = more;
    };
    meet(0, turned ? 3 : 2);
    meet(1, turned ? 2 : 3);
    meet(0, 1);
    meet(2, 3);
    for (auto [column, place] : llvm::zip(columns, at))
      store(column, place);
  });
}

// Columns that fall and then rise, or the other way round, are sorted in runs of 2 * `apart`.
void Ranks::stages(Value apart) {
  Value left = c.whileLoop(
      {apart}, [&](ValueRange now) { return std::pair(c.less(c.int64(1), now[0]), Values(now)); },
      [&](ValueRange now) -> Values {
        twoStages(now[0], /*turned=*/false);
        return {c.floorDiv(now[0], 4)};
      })[0];
  c.when(c.equal(left, c.int64(1)), [&] { stage(left); });
}

// Sorted runs become runs of twice as many: a run meets its neighbour turned round.
void Ranks::sort() {
  stage(c.int64(1));
  c.whileLoop(
      {c.int64(2)}, [&](ValueRange now) { return std::pair(c.less(now[0], c.int64(count)), Values(now)); },
      [&](ValueRange now) -> Values {
        twoStages(now[0], /*turned=*/true);
        stages(c.floorDiv(now[0], 4));
        return {c.mul(now[0], 2)};
      });
}

void Ranks::merge(Ranks more) {
  c.loop(0, count, 1, [&](Value i) {
    Value other = more.load(c.sub(c.int64(count - 1), i));
    store(mlir::arith::MaxSIOp::create(c.b, load(i), other), i);
  });
  stages(c.int64(count / 2));
}

//===-- Numbers -----------------------------------------------------------------------------------------===//

// From the top: one bit for forced entries, 32 that order the scores as unsigned numbers, 31 of the id, turned round.
// As a signed number, with the top bit changed.
static constexpr int64_t kIdBits = 31, kLargestId = (int64_t(1) << kIdBits) - 1;
static constexpr int64_t kNone = std::numeric_limits<int64_t>::min();

static Value wideOf(Code &c, int64_t value) {
  return c.constant(mlir::DenseElementsAttr::get(wide(c), c.b.getI64IntegerAttr(value).getValue()));
}
static Value extended(Code &c, Value strip) { return mlir::arith::ExtUIOp::create(c.b, wide(c), strip); }
static Value shortened(Code &c, Value numbers) { return mlir::arith::TruncIOp::create(c.b, c.vi, numbers); }
static Value upBy(Code &c, Value a, int64_t bits) { return mlir::arith::ShLIOp::create(c.b, a, wideOf(c, bits)); }
static Value downBy(Code &c, Value a, int64_t bits) { return mlir::arith::ShRUIOp::create(c.b, a, wideOf(c, bits)); }

Value cpu::noEntry(Code &c) { return wideOf(c, kNone); }

// The sign decides how the magnitude counts; the sum makes one zero of two.
Value cpu::byScore(Code &c, Value score, Value id, Value forced) {
  Value bits = c.asInt(c.addf(score, c.zero()));
  Value negative = mlir::arith::ShRSIOp::create(c.b, bits, c.stripI(31));
  Value order = c.xori(bits, c.ori(negative, c.stripI(std::numeric_limits<int32_t>::min())));
  Value place = c.xori(id, c.stripI(kLargestId));
  Value number = c.ori(upBy(c, extended(c, order), kIdBits), extended(c, place));
  Value plain = c.ori(number, wideOf(c, kNone));
  return forced ? c.select(forced, number, plain) : plain;
}

Value cpu::placeOf(Code &c, Value number) { return c.andi(shortened(c, number), c.stripI(kLargestId)); }

Entry cpu::entryOf(Code &c, Value number) {
  Value order = shortened(c, downBy(c, number, kIdBits)), place = placeOf(c, number);
  Value negative = c.compareI(CmpIPredicate::sge, order, c.stripI(int64_t(0)));
  Value bits = c.xori(order, c.select(negative, c.stripI(-1), c.stripI(std::numeric_limits<int32_t>::min())));
  Value none = c.compareI(CmpIPredicate::eq, number, wideOf(c, kNone));
  return {c.select(none, c.minusInf(), c.asFloat(bits)),
          c.select(none, c.stripI(-1), c.xori(place, c.stripI(kLargestId))),
          c.compareI(CmpIPredicate::sge, number, wideOf(c, 0))};
}

Value cpu::byId(Code &c, const Entry &entry) {
  Value place = c.xori(entry.id, c.stripI(kLargestId));
  return c.ori(upBy(c, extended(c, place), 32), extended(c, c.asInt(entry.score)));
}

Entry cpu::entryById(Code &c, Value number) {
  return {c.asFloat(shortened(c, number)), c.xori(shortened(c, downBy(c, number, 32)), c.stripI(kLargestId)), {}};
}

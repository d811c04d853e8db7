// Products of float32. Operands are cut in two TF32 numbers, x = high + low, and three of the four products are summed,
// which leaves an error of about 2^-21 of each term; numbers that were stored in 16 bits have no low part and need
// none. Within a step of eight the inner elements are taken in the order 0 2 4 6 1 3 5 7, as the columns of a fragment
// lie: a lane reads two neighbours.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

namespace {
/// high has the 10 bits of fraction that TF32 has, low what is left of x, cut likewise; null where x is exact. `finite`
/// is high, or 0 for an infinity, of which nothing is left: 0 times infinity must not come in.
struct Parts {
  Values high, low, finite;
};
} // namespace

// What the operand on the other side needs: its low parts are multiplied by `finite`.
static Parts cut(Code &c, ValueRange numbers, bool exact, bool needFinite) {
  Parts parts;
  Value keep = c.int32(static_cast<int32_t>(0xffffe000)), exponent = c.int32(0x7f800000);
  for (Value x : numbers) {
    Value high = exact ? c.bits(x) : c.andi(c.bits(x), keep);
    parts.high.push_back(high);
    if (!exact) {
      Value whole = c.number(high), same = c.compare(arith::CmpFPredicate::OEQ, x, whole);
      Value low = c.select(same, c.float32(0), c.subf(x, whole)); // a NaN leaves a NaN
      parts.low.push_back(c.andi(c.bits(low), keep));
    }
    if (needFinite) {
      Value full = c.compareI(arith::CmpIPredicate::eq, c.andi(high, exponent), exponent);
      parts.finite.push_back(c.select(full, c.int32(0), high));
    }
  }
  return parts;
}

// Two neighbours that were stored as `element`.
static Values loadPair(Code &c, Type element, Value pointer) {
  auto type = VectorType::get({2}, element);
  Value pair = c.load(type, pointer, llvm::divideCeil(type.getElementTypeBitWidth(), 8) * 2);
  Values numbers;
  for (int64_t i : {0, 1}) {
    Value number = LLVM::ExtractElementOp::create(c.b, pair, c.int32(i));
    numbers.push_back(element.isF32() ? number : c.widen(number));
  }
  return numbers;
}

// A map of one tile that only elementwise ops make (appliedAtDots).
Value Lowering::applyTo(tile::MapOp map, Value number) {
  Values inputs;
  for (Value input : map.getInputs())
    inputs.push_back(isa<tile::TileType>(input.getType()) ? number : scalar(input));
  return *emitScalarBody(map, inputs);
}

// The registers of a step of rows that stay in memory.
Values Lowering::readLeft(const LeftRows &left, Value step) {
  Values registers;
  Value offset = c.muli(step, c.int32(8 * left.element.getIntOrFloatBitWidth() / 8));
  for (size_t i = 0; i < left.rows.size(); i += 2) {
    Values halves[2];
    for (size_t half = 0; half < 2; ++half) {
      const LeftRows::Row &row = left.rows[i + half];
      halves[half] = c.when(
          row.inside, {Type(c.f32), Type(c.f32)}, [&] { return loadPair(c, left.element, c.at(row.pointer, offset)); },
          [&] { return Values(2, c.float32(0)); });
      for (Value &number : halves[half])
        number = left.map ? applyTo(left.map, number) : number;
    }
    for (size_t part = 0; part < 2; ++part)
      registers.append({halves[0][part], halves[1][part]});
  }
  return registers;
}

void Lowering::multiplyTf32(const LeftOperand &a, const SharedRows &b, bool transposed, Fragment &sums) {
  Tf32Operands operands{a.exact, !b.element.isF32(), transposed, b};
  int64_t bytes = b.element.getIntOrFloatBitWidth() / 8;
  operands.innerBytes = transposed ? bytes : b.rowBytes;
  operands.columnBytes = transposed ? b.rowBytes : bytes;
  // Inner element and column of the lane's first register.
  Value inner = c.muli(c.lanePair, c.int32(2 * operands.innerBytes));
  operands.base = c.at(b.base, c.addi(inner, c.muli(c.laneRow, c.int32(operands.columnBytes))));
  // Registers cannot be picked by the number of the step: those of a computed operand move on by a step, those of rows
  // in memory are read a step ahead.
  size_t count = sums.at.size(), perStep = 4;
  Values inits(sums.at);
  llvm::append_range(inits, a.rows ? readLeft(*a.rows, c.int32(0)) : a.at);
  Values results = c.loop(c.int32(0), c.int32(a.steps), 1, inits, [&](Value k, ValueRange now) -> Values {
    ValueRange held = now.drop_front(count);
    Values left, following;
    if (a.rows) {
      Value next = arith::MinUIOp::create(c.b, c.addi(k, c.int32(1)), c.int32(a.steps - 1));
      following = readLeft(*a.rows, next);
      left.assign(held.begin(), held.end());
    } else {
      size_t perBlock = perStep * static_cast<size_t>(a.steps);
      for (size_t first = 0; first < held.size(); first += perBlock) {
        llvm::append_range(left, held.slice(first, perStep));
        llvm::append_range(following, held.slice(first + perStep, perBlock - perStep));
        llvm::append_range(following, held.slice(first, perStep));
      }
    }
    Fragment next = sums;
    next.at.assign(now.begin(), now.begin() + count);
    stepTf32(operands, left, c.at(operands.base, c.muli(k, c.int32(8 * operands.innerBytes))), next);
    llvm::append_range(next.at, following);
    return next.at;
  });
  sums.at.assign(results.begin(), results.begin() + count);
}

// Eight inner elements, of which the right ones begin at `base`.
void Lowering::stepTf32(const Tf32Operands &operands, ValueRange left, Value base, Fragment &sums) {
  const SharedRows &b = operands.b;
  Parts lefts = cut(c, left, operands.leftExact, !operands.rightExact);
  for (int64_t j = 0; j < sums.cols / 8; ++j) {
    Value at = c.at(base, 8 * j * operands.columnBytes);
    Values numbers = operands.transposed
                         ? loadPair(c, b.element, at)
                         : Values{loadNumber(b.element, at), loadNumber(b.element, c.at(at, operands.innerBytes))};
    Parts right = cut(c, numbers, operands.rightExact, !operands.leftExact);
    for (int64_t block = 0; block < sums.blocks(); ++block) {
      Value *sum = &sums.element(block, j, 0);
      Values next{sum[0], sum[1], sum[2], sum[3]};
      auto ofBlock = [&](const Values &all) { return ArrayRef<Value>(all).slice(4 * block, 4); };
      // Small products first.
      if (!operands.rightExact)
        next = c.mma(MmaType::TF32, ofBlock(lefts.finite), right.low, next);
      if (!operands.leftExact)
        next = c.mma(MmaType::TF32, ofBlock(lefts.low), right.finite, next);
      next = c.mma(MmaType::TF32, ofBlock(lefts.high), right.high, next);
      std::copy(next.begin(), next.end(), sum);
    }
  }
}

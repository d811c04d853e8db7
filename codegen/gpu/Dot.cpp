// Matrix products. 16-bit operands are multiplied as they are stored; a computed left operand (the weights of a
// softmax) is rounded to the type of the right one. Float32 operands are cut in two TF32 numbers, x = high + low, and
// three of the four products are summed, which leaves an error of about 2^-21 of each term.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

// The element type in which an operand stands in memory; null for one that was computed.
static Type storedType(Value value) {
  auto load = value.getDefiningOp<tile::LoadOp>();
  return load ? load.getView().getType().getElementType() : Type();
}

FailureOr<DotForm> Lowering::formOf(tile::DotOp op) {
  Type a = storedType(op.getA()), b = storedType(op.getB());
  if (!b)
    return unsupported(op, "a right operand that is not loaded");
  DotForm form;
  if (!b.isF32() && (!a || a == b))
    form.type = b.isF16() ? MmaType::F16 : MmaType::BF16;
  return form;
}

// The layout of a fragment's columns is that of a left operand: two blocks of eight columns make the four registers of
// a step of 16, one block those of a step of 8 if its columns are taken in the order 0 2 4 6 1 3 5 7.
LeftOperand Lowering::toLeft(const Fragment &fragment, DotForm form, Type element) {
  LeftOperand left;
  left.permuted = form.tf32();
  left.blocks = fragment.blocks();
  left.steps = fragment.cols / form.step();
  Fragment from = fragment;
  for (int64_t block = 0; block < left.blocks; ++block)
    for (int64_t k = 0; k < left.steps; ++k) {
      if (form.tf32()) {
        for (int64_t e : {0, 2, 1, 3})
          left.at.push_back(from.element(block, k, e));
        continue;
      }
      for (int64_t j : {2 * k, 2 * k + 1})
        for (int64_t e : {0, 2})
          left.at.push_back(c.pack(from.element(block, j, e), from.element(block, j, e + 1), element));
    }
  return left;
}

FailureOr<LeftOperand> Lowering::leftOf(tile::DotOp op, DotForm form) {
  TileValue &held = tile(op.getA());
  if (auto &left = form.tf32() ? held.leftTf32 : held.left)
    return *left;
  FailureOr<Fragment> fragment = fragmentOf(op, op.getA());
  if (failed(fragment))
    return failure();
  if (fragment->cols % form.step() != 0)
    return unsupported(op, "inner extents that are not multiples of " + Twine(form.step()));
  return toLeft(*fragment, form, storedType(op.getB()));
}

// The condition under which a mask has removed elements of `value`, which a softmax step made; null where none has.
Value Lowering::maskedIn(Value value) {
  auto step = value.getDefiningOp<tile::SoftmaxStepOp>();
  for (Operation *from = step ? step.getS().getDefiningOp() : nullptr; from;
       from = from->getOperand(0).getDefiningOp()) {
    if (auto mask = dyn_cast<tile::MaskOp>(from))
      return mask.getWhen() ? scalar(mask.getWhen()) : fullTile ? Value() : c.boolean(true);
    if (!isa<tile::MapOp>(from))
      break;
  }
  return {};
}

LogicalResult Lowering::lower(tile::DotOp op) {
  FailureOr<DotForm> form = formOf(op);
  if (failed(form))
    return failure();
  FailureOr<LeftOperand> a = leftOf(op, *form);
  if (failed(a))
    return failure();
  if (!tile(op.getB()).right)
    return unsupported(op, "a right operand outside shared memory");
  const SharedRows &b = *tile(op.getB()).right;
  tile::TileType type = op.getResult().getType();
  if (type.getCols() % 16 != 0)
    return unsupported(op, "results whose columns are not a multiple of 16");

  if (arch.groups && !b.swizzled)
    remarkOnWarps(op);
  Fragment sums = emptyFragment(type);
  if (op.getAcc()) {
    FailureOr<Fragment> acc = fragmentOf(op, op.getAcc());
    if (failed(acc))
      return failure();
    sums = std::move(*acc);
    if (op.getScale()) {
      FailureOr<Fragment> scale = fragmentOf(op, op.getScale());
      if (failed(scale))
        return failure();
      for (int64_t block = 0; block < sums.blocks(); ++block)
        for (int64_t j = 0; j < sums.cols / 8; ++j)
          for (int64_t e = 0; e < 4; ++e)
            sums.element(block, j, e) = c.mulf(sums.element(block, j, e), scale->at[2 * block + e / 2]);
    }
  } else {
    std::fill(sums.at.begin(), sums.at.end(), c.float32(0));
  }
  Value masks = op.getKind() == "nn" ? maskedIn(op.getA()) : Value();
  if (b.swizzled && masks) {
    FailureOr<Fragment> p = fragmentOf(op, op.getA());
    if (failed(p))
      return failure();
    sums = multiplyVisibleByGroups(*a, *p, b, *form, sums, masks);
  } else if (b.swizzled) {
    multiplyByGroups(*a, b, op.getKind() == "nt", *form, sums, !op.getAcc());
  } else if (!masks) {
    multiply(*a, b, op.getKind() == "nt", *form, sums);
  } else {
    FailureOr<Fragment> p = fragmentOf(op, op.getA());
    if (failed(p))
      return failure();
    Fragment before = sums;
    sums.at = c.when(
        masks, ValueRange(sums.at).getTypes(), [&] { return multiplyVisible(*a, *p, b, *form, before).at; },
        [&] {
          Fragment all = before;
          multiply(*a, b, false, *form, all);
          return all.at;
        });
  }
  tile(op.getResult()) = {};
  tile(op.getResult()).fragment = std::move(sums);
  return success();
}

void Lowering::multiply(const LeftOperand &a, const SharedRows &b, bool transposed, DotForm form, Fragment &sums,
                        Value *noNumber) {
  if (form.tf32())
    multiplyTf32(a, b, transposed, sums, noNumber);
  else
    multiplyShort(a, b, transposed, form, sums, noNumber);
}

Value sattn::gpu::keepNumbers(Code &c, Value word, MmaType type, Value &found) {
  int64_t exponent = type == MmaType::TF32 ? 0x7f800000 : type == MmaType::F16 ? 0x7c00 : 0x7f80;
  for (int64_t shift : {0, 16}) {
    if (type == MmaType::TF32 && shift != 0)
      break;
    int64_t element = type == MmaType::TF32 ? 0xffffffff : int64_t(0xffff) << shift;
    Value mask = c.int32(static_cast<int32_t>(exponent << shift));
    Value full = c.compareI(arith::CmpIPredicate::eq, c.andi(word, mask), mask);
    found = c.ori(found, full);
    word = c.select(full, c.andi(word, c.int32(static_cast<int32_t>(~element))), word);
  }
  return word;
}

// One load gives the registers of two blocks of eight columns. Of `nt` the columns are rows of b, which lie as the
// instruction wants them; of `nn` the inner elements are rows of b, and the load transposes.
void Lowering::multiplyShort(const LeftOperand &a, const SharedRows &b, bool transposed, DotForm form, Fragment &sums,
                             Value *noNumber) {
  Value row8 = c.andi(c.lane, c.int32(7));
  Value low = c.andi(arith::ShRUIOp::create(c.b, c.lane, c.int32(3)), c.int32(1));
  Value high = arith::ShRUIOp::create(c.b, c.lane, c.int32(4));
  // Matrices 0 to 3 of a load: both inner halves of the first eight columns, then of the next eight.
  Value row = c.addi(row8, c.muli(transposed ? high : low, c.int32(8)));
  Value column = c.muli(transposed ? low : high, c.int32(16));
  Value base = c.at(b.base, c.addi(c.muli(row, c.int32(b.rowBytes)), column));
  for (int64_t k = 0; k < a.steps; ++k)
    for (int64_t j = 0; j < sums.cols / 16; ++j) {
      int64_t offset = transposed ? j * 16 * b.rowBytes + k * 32 : k * 16 * b.rowBytes + j * 32;
      Values matrices = c.loadMatrices(c.at(base, offset), !transposed);
      if (noNumber)
        for (Value &word : matrices)
          word = keepNumbers(c, word, form.type, *noNumber);
      for (int64_t block = 0; block < a.blocks; ++block)
        for (int64_t n = 0; n < 2; ++n) {
          Value *sum = &sums.element(block, 2 * j + n, 0);
          Values next = c.mma(form.type, a.registers(block, k), ArrayRef<Value>(matrices).slice(2 * n, 2),
                              ValueRange({sum[0], sum[1], sum[2], sum[3]}));
          std::copy(next.begin(), next.end(), sum);
        }
    }
}

namespace {
/// x = high + low: high has the 10 bits of fraction that TF32 has, low what is left of it, cut likewise. `finite` is
/// high, or 0 for an infinity, of which nothing is left: 0 times infinity must not come in.
struct Parts {
  Value high, low, finite;
};
} // namespace

static Parts cut(Code &c, Value x) {
  Value keep = c.int32(static_cast<int32_t>(0xffffe000));
  Value high = c.andi(c.bits(x), keep), whole = c.number(high);
  Value same = c.compare(arith::CmpFPredicate::OEQ, x, whole);
  Value low = c.andi(c.bits(c.select(same, c.float32(0), c.subf(x, whole))), keep); // a NaN leaves a NaN
  Value exponent = c.int32(0x7f800000);
  Value full = c.compareI(arith::CmpIPredicate::eq, c.andi(high, exponent), exponent);
  return {high, low, c.select(full, c.int32(0), high)};
}

void Lowering::multiplyTf32(const LeftOperand &a, const SharedRows &b, bool transposed, Fragment &sums,
                            Value *noNumber) {
  int64_t bytes = b.element.getIntOrFloatBitWidth() / 8;
  bool exact = !b.element.isF32(); // 16-bit numbers need no second part
  // Inner element and column of the lane's first register; the second stands `further` inner elements on.
  Value inner = a.permuted ? c.muli(c.lanePair, c.int32(2)) : c.lanePair;
  int64_t further = a.permuted ? 1 : 4;
  int64_t innerBytes = transposed ? bytes : b.rowBytes, columnBytes = transposed ? b.rowBytes : bytes;
  Value base = c.at(b.base, c.addi(c.muli(inner, c.int32(innerBytes)), c.muli(c.laneRow, c.int32(columnBytes))));
  for (int64_t k = 0; k < a.steps; ++k) {
    struct Registers {
      Values high, low, finite;
      void add(const Parts &parts) {
        high.push_back(parts.high);
        low.push_back(parts.low);
        finite.push_back(parts.finite);
      }
    };
    SmallVector<Registers> left(a.blocks);
    for (int64_t block = 0; block < a.blocks; ++block)
      for (Value x : a.registers(block, k))
        left[block].add(cut(c, x));
    for (int64_t j = 0; j < sums.cols / 8; ++j) {
      Registers right;
      for (int64_t part = 0; part < 2; ++part) {
        Value element = loadNumber(b.element, c.at(base, (8 * k + part * further) * innerBytes + 8 * j * columnBytes));
        if (noNumber)
          element = c.number(keepNumbers(c, c.bits(element), MmaType::TF32, *noNumber));
        right.add(cut(c, element));
      }
      for (int64_t block = 0; block < a.blocks; ++block) {
        Value *sum = &sums.element(block, j, 0);
        Values next{sum[0], sum[1], sum[2], sum[3]};
        // Small products first.
        if (!exact)
          next = c.mma(MmaType::TF32, left[block].finite, right.low, next);
        next = c.mma(MmaType::TF32, left[block].low, right.finite, next);
        next = c.mma(MmaType::TF32, left[block].high, right.high, next);
        std::copy(next.begin(), next.end(), sum);
      }
    }
  }
}

// The matrix instructions make NaN of 0 times infinity, and a value that one row does not see may be another row's. So
// they get 0 for what is no number, and such terms are added to the rows whose weight is not 0: those that see them.
Fragment Lowering::multiplyVisible(const LeftOperand &a, const Fragment &p, const SharedRows &b, DotForm form,
                                   const Fragment &before) {
  Fragment sums = before;
  Value noNumber = c.boolean(false);
  multiply(a, b, false, form, sums, &noNumber);
  Value any = c.compareI(arith::CmpIPredicate::ne, c.ballot(noNumber), c.int32(0));
  sums.at =
      c.when(any, ValueRange(sums.at).getTypes(), [&] { return addNoNumbers(p, b, sums); }, [&] { return sums.at; });
  return sums;
}

// Two keys at a time: the lane of the quad that holds their weights gives them to the others. Rare, so a loop over
// registers that are picked by comparison keeps it short.
Values Lowering::addNoNumbers(Fragment p, const SharedRows &b, const Fragment &sums) {
  int64_t bytes = b.element.getIntOrFloatBitWidth() / 8;
  auto count = static_cast<size_t>(sums.cols / 2);
  Value quad = c.subi(c.lane, c.lanePair), own = c.muli(c.lanePair, c.int32(2 * bytes));
  Values result(sums.at);
  for (int64_t block = 0; block < sums.blocks(); ++block) {
    auto first = result.begin() + static_cast<size_t>(block) * count;
    Values part = c.loop(0, p.cols / 2, 1, Values(first, first + count), [&](Value step, ValueRange carried) {
      Values next(carried);
      // Keys 2 * step and the next: columns of the lane step % 4 in the block of columns step / 4.
      Value pair = arith::TruncIOp::create(c.b, c.i32, step), from = c.addi(quad, c.andi(pair, c.int32(3)));
      Value tile = arith::ShRUIOp::create(c.b, pair, c.int32(2));
      for (int64_t e = 0; e < 2; ++e) {
        Value key = c.addi(c.muli(pair, c.int32(2)), c.int32(e)), weights[2];
        Value row = b.swizzled ? Value() : c.at(c.at(b.base, own), c.muli(key, c.int32(b.rowBytes)));
        Value unit;
        for (int64_t half = 0; half < 2; ++half) {
          Value picked = p.element(block, 0, 2 * half + e);
          for (int64_t j = 1; j < p.cols / 8; ++j)
            picked = c.select(c.compareI(arith::CmpIPredicate::eq, tile, c.int32(j)), p.element(block, j, 2 * half + e),
                              picked);
          weights[half] = c.fromLane(picked, from);
        }
        for (size_t i = 0; i < count; ++i) {
          // Register i: column 8 * (i / 4) + 2 * lanePair + i % 2 of half i % 4 / 2.
          auto column = static_cast<int64_t>(8 * (i / 4) + i % 2);
          if (b.swizzled && i % 4 == 0)
            unit = c.at(unitOf(b, key, c.int32(static_cast<int64_t>(i / 4))), own);
          Value at = b.swizzled ? c.at(unit, static_cast<int64_t>(i % 2) * bytes) : c.at(row, column * bytes);
          Value weight = weights[i % 4 / 2], value = loadNumber(b.element, at);
          Value difference = c.subf(value, value); // 0 for numbers, else NaN
          Value counts = c.andi(c.compare(arith::CmpFPredicate::UNE, weight, c.float32(0)),
                                c.compare(arith::CmpFPredicate::UNO, difference, difference));
          next[i] = c.select(counts, c.addf(next[i], c.mulf(weight, value)), next[i]);
        }
      }
      return next;
    });
    std::copy(part.begin(), part.end(), first);
  }
  return result;
}

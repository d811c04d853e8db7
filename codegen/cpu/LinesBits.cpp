// Distances of codes of two bits, for tiles of few rows, where bits are counted in one instruction. The bits of a key
// are taken apart once for all rows: bit i of a word belongs to feature i, and the words of 8 keys are a vector. With
// the numbers a = 2 a1 + a0 and b = 2 b1 + b0
//   |a - b| = 2 h + l,  l = a0 ^ b0,  h = (a1 ^ b1) & ~(l & (a0 ^ a1)),
// so the distance of 64 features is two counts, and no sum over lanes is left to do.
#include "codegen/cpu/ByteParts.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

/// Numbers below it have two bits.
static constexpr int64_t kTwoBits = 4;

static constexpr int64_t kWordBytes = 8, kWordsAtOnce = 8;

/// Words of a part of a key, its low and its high bits; of a row also where these differ.
static constexpr int64_t kKeyWords = 2, kRowWords = 3;

bool Lowering::countsBits(tile::DotOp op, const ByteRows &a) const {
  return c.atom.countsBits && op.getBelow() && static_cast<int64_t>(*op.getBelow()) <= kTwoBits && a.rows > kFewUses;
}

// Bit `bit` of each byte.
static Value bitsOf(Code &c, Value bytes, int64_t bit) {
  auto type = cast<VectorType>(bytes.getType());
  auto splat = [&](int64_t value) {
    return c.constant(DenseElementsAttr::get(type, c.b.getI8IntegerAttr(static_cast<int8_t>(value)).getValue()));
  };
  Value set = c.compareI(arith::CmpIPredicate::ne, c.andi(bytes, splat(int64_t(1) << bit)), splat(0));
  Value word = LLVM::BitcastOp::create(c.b, c.b.getIntegerType(static_cast<unsigned>(type.getNumElements())), set);
  return word.getType() == c.i64 ? word : arith::ExtUIOp::create(c.b, c.i64, word);
}

// Distances of a row, whose words lie from `row` on, and 8 keys, whose words are two for each part.
static Value distancesOf(Code &c, Ptr row, ArrayRef<Value> keys) {
  auto type = cast<VectorType>(keys[0].getType());
  auto plus = [&](Value sum, Value bits) {
    Value count = LLVM::CtPopOp::create(c.b, bits);
    return sum ? c.addi(sum, count) : count;
  };
  Value all = c.constant(DenseElementsAttr::get(type, c.b.getI64IntegerAttr(-1).getValue()));
  Value lows, highs;
  for (size_t part = 0; part < keys.size() / kKeyWords; ++part) {
    auto word = [&](size_t i) {
      Ptr place = row.plus((part * kRowWords + i) * kWordBytes);
      return c.broadcast(c.load(c.i64, place, kWordBytes), kWordsAtOnce);
    };
    Value low = c.xori(keys[part * kKeyWords], word(0)), high = c.xori(keys[part * kKeyWords + 1], word(1));
    lows = plus(lows, low);
    highs = plus(highs, c.andi(high, c.xori(c.andi(low, word(2)), all)));
  }
  return c.addi(lows, c.addi(highs, highs));
}

void Lowering::scoreBits(tile::DotOp op, const ByteRows &a) {
  Lines to = newLines(op.getResult().getType());
  RightRows from = rightOf(op);
  ByteParts parts(c, from.element, from.cols);
  constexpr int64_t wordsBytes = kLanes * kWordBytes, keysAtOnce = 4;
  int64_t rowBytes = parts.count() * kRowWords * kWordBytes, stripBytes = parts.count() * kKeyWords * wordsBytes;
  Owner rowWords = scratch.take(a.rows * rowBytes), keyWords = scratch.take(stripBytes);
  Ptr ofRows = {scratchBase, rowWords->offset}, ofKeys = {scratchBase, keyWords->offset};
  c.loop(0, a.rows, 1, [&](Value row) {
    for (int64_t part = 0; part < parts.count(); ++part) {
      Value bytes = c.load(parts.vectorOf(8), c.atScaled(a.base, row, a.rowBytes).plus(part * parts.width), 1);
      Value low = bitsOf(c, bytes, 0), high = bitsOf(c, bytes, 1);
      Ptr place = c.atScaled(ofRows, row, rowBytes).plus(part * kRowWords * kWordBytes);
      for (auto [i, word] : llvm::enumerate(Values{low, high, c.xori(low, high)}))
        c.store(word, place.plus(static_cast<int64_t>(i) * kWordBytes), kWordBytes);
    }
  });
  // Codes follow one another in memory, which the processor reads ahead by itself.
  c.loop(0, to.strips(), 1, [&](Value strip) {
    c.loop(0, kLanes, keysAtOnce, [&](Value at) {
      for (auto [i, key] : llvm::enumerate(rowsOf(from, c.add(c.mul(strip, kLanes), at), keysAtOnce)))
        for (int64_t part = 0; part < parts.count(); ++part) {
          Value bytes = parts.load(key, part);
          Ptr place = c.atScaled(ofKeys, at, kWordBytes);
          for (int64_t bit = 0; bit < kKeyWords; ++bit)
            c.store(bitsOf(c, bytes, bit),
                    place.plus((part * kKeyWords + bit) * wordsBytes + static_cast<int64_t>(i) * kWordBytes),
                    kWordBytes);
        }
    });
    auto type = VectorType::get({kWordsAtOnce}, c.i64);
    SmallVector<Values> words; // of 8 keys each
    for (int64_t key = 0; key < kLanes; key += kWordsAtOnce) {
      words.emplace_back();
      for (int64_t i = 0; i < parts.count() * kKeyWords; ++i)
        words.back().push_back(c.load(type, ofKeys.plus(i * wordsBytes + key * kWordBytes), 64));
    }
    c.loop(0, a.rows, 1, [&](Value row) {
      for (auto [i, keys] : llvm::enumerate(words)) {
        Value sums = distancesOf(c, c.atScaled(ofRows, row, rowBytes), keys);
        Value floats = arith::SIToFPOp::create(c.b, VectorType::get({kWordsAtOnce}, c.f32), sums);
        c.store(floats, lineAt(to, row, strip).plus(static_cast<int64_t>(i) * kWordsAtOnce * 4), 32);
      }
    });
  });
  setLines(op.getResult(), to);
}

// Scores of rows of byte integers, for tiles of few rows (Lines.cpp): distances of unsigned ones (of those of two bits
// see LinesBits.cpp), products of signed ones. Whole vectors of a key's bytes are met by one instruction that sums
// neighbours, psadbw or pmaddwd, and the sums of 16 keys become one strip. All sums are of integers below 2^31, exact
// in any order.
#include "codegen/cpu/ByteParts.h"
#include <numeric>

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

// A dot of `load` that bytes alone enter.
static bool meetsBytes(OpOperand &use, Type element) {
  auto dot = dyn_cast<tile::DotOp>(use.getOwner());
  auto right = dot ? dot.getB().getDefiningOp<tile::LoadOp>() : tile::LoadOp();
  return right && use.getOperandNumber() == 0 && !dot.getAcc() &&
         dot.getKind() == (element.isUnsignedInteger() ? "l1" : "nt") &&
         right.getView().getType().getElementType() == element;
}

bool Lowering::staysBytes(tile::LoadOp op) {
  Type element = op.getView().getType().getElementType();
  return element.isInteger(8) &&
         llvm::all_of(op.getTile().getUses(), [&](OpOperand &use) { return meetsBytes(use, element); });
}

namespace {
/// Sums of distances or of products, one instruction for each vector.
struct ByteSums : ByteParts {
  using ByteParts::ByteParts;

  Value widened(Value bytes) const { return arith::ExtSIOp::create(c.b, vectorOf(16), bytes); }

  // Of a row of the left operand and one of the right, both ended by zeros.
  Value sumOf(ArrayRef<Value> left, llvm::function_ref<Value(int64_t)> right) const {
    Value sum;
    for (int64_t part = 0; part < count(); ++part) {
      Value step = areDistances ? distances(left[part], right(part)) : products(left[part], widened(right(part)));
      sum = sum ? c.addi(sum, step) : step;
    }
    return sum;
  }
  // Eight distances each in 64 bits.
  Value distances(Value x, Value y) const {
    StringRef name = width == 64   ? "llvm.x86.avx512.psad.bw.512"
                     : width == 32 ? "llvm.x86.avx2.psad.bw"
                                   : "llvm.x86.sse2.psad.bw";
    return c.intrinsic(name, VectorType::get({width / 8}, c.i64), {x, y});
  }
  // Two products each in 32 bits.
  Value products(Value x, Value y) const {
    StringRef name = width == 32   ? "llvm.x86.avx512.pmaddw.d.512"
                     : width == 16 ? "llvm.x86.avx2.pmadd.wd"
                                   : "llvm.x86.sse2.pmadd.wd";
    return c.intrinsic(name, VectorType::get({width / 2}, c.i32), {x, y});
  }
  int64_t lanes() const { return areDistances ? width / 4 : width / 2; } ///< 32-bit ones of a sum
};

/// Sums in lanes of 32 bits, where each lane is a part of the sum of one key.
struct LaneSums {
  Value value;
  SmallVector<int32_t> keys;
};
} // namespace

static LaneSums joined(Code &c, const LaneSums &x, const LaneSums &y, ArrayRef<int32_t> low, ArrayRef<int32_t> high) {
  LaneSums sum;
  for (int32_t lane : low)
    sum.keys.push_back(lane < static_cast<int32_t>(x.keys.size()) ? x.keys[lane] : y.keys[lane - x.keys.size()]);
  sum.value = c.addi(c.shuffle(x.value, y.value, low), c.shuffle(x.value, y.value, high));
  return sum;
}

// The sums of two keys in neighbouring lanes.
static LaneSums pairOf(const ByteSums &parts, Value x, Value y, int32_t key, int32_t other) {
  Code &c = parts.c;
  auto lanes = static_cast<int32_t>(parts.lanes());
  if (!parts.areDistances) {
    SmallVector<int32_t> low, high;
    for (int32_t chunk = 0; chunk < lanes; chunk += 4) {
      low.append({chunk, chunk + lanes, chunk + 1, chunk + 1 + lanes});
      high.append({chunk + 2, chunk + 2 + lanes, chunk + 3, chunk + 3 + lanes});
    }
    SmallVector<int32_t> ofX(lanes, key), ofY(lanes, other);
    return joined(c, {x, ofX}, {y, ofY}, low, high);
  }
  LaneSums pair; // the upper half of 64 bits is free
  SmallVector<int32_t> lower;
  for (int32_t lane = 0; lane < lanes; lane += 2) {
    lower.append({lane, lane + lanes});
    pair.keys.append({key, other});
  }
  auto type = VectorType::get({lanes}, c.i32);
  auto narrow = [&](Value sum) { return Value(LLVM::BitcastOp::create(c.b, type, sum)); };
  pair.value = c.shuffle(narrow(x), narrow(y), lower);
  return pair;
}

// Adds what two vectors hold of their keys: pairs within 128 bits first, then whole chunks of 128 bits.
static LaneSums halved(Code &c, const LaneSums &x, const LaneSums &y, bool inChunks) {
  auto lanes = static_cast<int32_t>(x.keys.size());
  SmallVector<int32_t> low, high;
  if (inChunks) {
    for (int32_t chunk = 0; chunk < lanes; chunk += 4) {
      low.append({chunk, chunk + 1, chunk + lanes, chunk + 1 + lanes});
      high.append({chunk + 2, chunk + 3, chunk + 2 + lanes, chunk + 3 + lanes});
    }
  } else {
    for (int32_t chunk = 0; chunk < 2 * lanes; chunk += 8)
      for (int32_t i = 0; i < 4; ++i) {
        low.push_back(chunk + i);
        high.push_back(chunk + 4 + i);
      }
  }
  return joined(c, x, y, low, high);
}

// A strip of the sums of 16 keys, key i in lane i.
static Value stripOfSums(const ByteSums &parts, llvm::function_ref<Value(int64_t)> sumOfKey) {
  Code &c = parts.c;
  constexpr int32_t pairs = kLanes / 2;
  auto atOnce = static_cast<int32_t>(parts.lanes() / 2);
  std::function<LaneSums(int32_t, int32_t)> sumsOf = [&](int32_t first, int32_t count) -> LaneSums {
    if (count == 1)
      return pairOf(parts, sumOfKey(first), sumOfKey(first + pairs), first, first + pairs);
    LaneSums x = sumsOf(first, count / 2), y = sumsOf(first + count / 2, count / 2);
    return halved(c, x, y, count == 2);
  };
  SmallVector<LaneSums> all;
  for (int32_t first = 0; first < pairs; first += atOnce)
    all.push_back(sumsOf(first, atOnce));
  for (; all.size() > 1; all.truncate(all.size() / 2))
    for (size_t i = 0; i < all.size() / 2; ++i) {
      LaneSums &x = all[2 * i], &y = all[2 * i + 1];
      SmallVector<int32_t> both(x.keys.size() + y.keys.size());
      std::iota(both.begin(), both.end(), 0);
      LaneSums joint{c.shuffle(x.value, y.value, both), x.keys};
      joint.keys.append(y.keys);
      all[i] = std::move(joint);
    }
  SmallVector<int32_t> laneOf(kLanes);
  for (auto [lane, key] : llvm::enumerate(all[0].keys))
    laneOf[key] = static_cast<int32_t>(lane);
  return c.shuffle(all[0].value, all[0].value, laneOf);
}

//===-- Ops ---------------------------------------------------------------------------------------------===//

void Lowering::loadBytes(tile::LoadOp op, const RowSource &source) {
  ByteSums parts(c, source.view.type.getElementType(), source.view.type.getInner());
  ByteRows rows;
  rows.rows = source.rows;
  rows.rowBytes = parts.rowBytes() * parts.leftBytes();
  rows.owner = scratch.take(rows.rows * rows.rowBytes);
  rows.base = {scratchBase, rows.owner->offset};
  Value zeros = c.address(c.zeros(parts.cols));
  for (int64_t row = 0; row < rows.rows; ++row) {
    Ptr from{rowPointer(source, c.int64(row), zeros)};
    for (int64_t part = 0; part < parts.count(); ++part) {
      Value bytes = parts.load(from, part);
      Ptr to = rows.base.plus(row * rows.rowBytes + part * parts.width * parts.leftBytes());
      c.store(parts.areDistances ? bytes : parts.widened(bytes), to, 1);
    }
  }
  tile(op.getTile()) = {};
  tile(op.getTile()).bytes = rows;
}

void Lowering::scoreBytes(tile::DotOp op) {
  ByteRows a = *tile(op.getA()).bytes;
  if (countsBits(op, a))
    return scoreBits(op, a);
  Lines to = newLines(op.getResult().getType());
  RightRows from = rightOf(op);
  ByteSums parts(c, from.element, from.cols);
  // Keys that many rows meet are copied to rows of whole vectors, unless they lie so already.
  bool isShared = a.rows > kFewUses, canLieSo = from.allExist && !from.paged && parts.rowBytes() == from.cols;
  Owner copies = isShared ? scratch.take(kLanes * parts.rowBytes()) : Owner();
  Value liesSo = canLieSo ? c.equal(from.stride, c.int64(parts.rowBytes())) : c.boolean(false);
  int64_t ahead = llvm::divideCeil(kLanes, a.rows);
  c.loop(0, to.strips(), 1, [&](Value strip) {
    Value first = c.mul(strip, kLanes);
    SmallVector<Ptr> keys;
    Ptr near;
    if (isShared) {
      near = {scratchBase, copies->offset};
      auto copyAll = [&] {
        constexpr int64_t atOnce = 4;
        c.loop(0, kLanes, atOnce, [&](Value at) {
          for (auto [i, key] : llvm::enumerate(rowsOf(from, c.add(first, at), atOnce)))
            for (int64_t part = 0; part < parts.count(); ++part)
              c.store(parts.load(key, part),
                      c.atScaled(near, c.add(at, static_cast<int64_t>(i)), parts.rowBytes()).plus(part * parts.width),
                      1);
        });
      };
      Value here = c.address(near);
      if (canLieSo) {
        c.when(liesSo, [] {}, copyAll);
        near = {c.select(liesSo, c.address(c.atScaled(from.base, first, parts.rowBytes())), here)};
      } else {
        copyAll();
      }
      for (int64_t key = 0; key < kLanes; ++key)
        keys.push_back(near.plus(key * parts.rowBytes()));
    } else {
      keys = rowsOf(from, first, kLanes);
    }
    c.loop(0, a.rows, 1, [&](Value row) {
      prefetchNext(from, c.add(first, c.mul(row, ahead)), ahead, a.rows);
      Ptr left = c.atScaled(a.base, row, a.rowBytes);
      Values numbers;
      for (int64_t part = 0; part < parts.count(); ++part)
        numbers.push_back(
            c.load(parts.vectorOf(8 * parts.leftBytes()), left.plus(part * parts.width * parts.leftBytes()), 1));
      Value sums = stripOfSums(parts, [&](int64_t key) {
        return parts.sumOf(numbers, [&](int64_t part) {
          return isShared ? c.load(parts.vectorOf(8), keys[key].plus(part * parts.width), 1)
                          : parts.load(keys[key], part);
        });
      });
      c.storeStrip(arith::SIToFPOp::create(c.b, c.vf, sums), lineAt(to, row, strip));
    });
  });
  setLines(op.getResult(), to);
}

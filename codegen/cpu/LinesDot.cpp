// Products of tiles of few rows with rows of memory (Lines.cpp). Scores: the features of a key are lanes, 16 keys at a
// time, whose sums over the lanes become one strip of scores. Outputs: the features of a value are lanes, weights are
// broadcast.
#include "codegen/cpu/Lowering.h"
#include "codegen/cpu/Shuffles.h"

using namespace sattn;
using namespace sattn::cpu;
using mlir::arith::CmpFPredicate;

// Strips of accumulators that the registers hold beside the operands, a power of two.
static int64_t mostSums(const Atom &atom) {
  return std::min<int64_t>(kLanes, llvm::bit_floor<uint64_t>(atom.columnsFor(1)));
}

/// Keys that blocks of sums take turns over, and heads of one block each: the sums of few are moved more often, but
/// memory is read in its order.
static constexpr int64_t kKeysInTurn = 16, kKeysOfHead = 4;

/// Bytes of rows on their way to the nearest cache: what memory delivers while one group of rows is used up.
static constexpr int64_t kBytesAhead = 8192;

//===-- Rows of the right operand -----------------------------------------------------------------------===//

// In a full tile every row exists.
RightRows Lowering::rightOf(tile::DotOp op) {
  RightRows right;
  right.source = *tile(op.getB()).rows;
  RowSource &source = right.source;
  View &view = source.view;
  if (op.headCount() > 1) {
    right.heads = op.headCount();
    right.headStride = view.headBytes;
    tile::ViewType all = view.type;
    view.type = tile::ViewType::get(all.getContext(), all.getElementType(), all.getInner(), 1, false, all.getLayout());
    source.rows /= right.heads;
  }
  right.element = view.type.getElementType();
  right.rows = source.rows;
  right.cols = view.type.getInner();
  right.paged = view.pages.has_value();
  if (!right.paged)
    right.base = c.at(view.base, c.mul(source.position, view.positionBytes));
  right.stride = view.positionBytes;
  auto stream = dyn_cast<tile::StreamOp>(op->getParentOp());
  right.allExist = stream && fullTile && !source.ids && hasMask(stream) && source.rows % kLanes == 0;
  right.inStream = static_cast<bool>(stream);
  return right;
}

RightRows Lowering::ofHead(const RightRows &right, Value head) {
  RightRows one = right;
  one.heads = 1;
  if (right.heads == 1)
    return one;
  Value offset = c.mul(head, right.headStride);
  one.source.view.base = c.at(right.source.view.base, offset);
  if (!right.paged)
    one.base = c.at(right.base, offset);
  return one;
}

// Rows from `first` on, a multiple of `count`.
SmallVector<Ptr> Lowering::rowsOf(const RightRows &right, Value first, int64_t count) {
  SmallVector<Ptr> rows;
  if (right.paged && sharePage(right.source, count)) {
    Value zeros = c.address(c.zeros(right.cols * right.bytes()));
    for (Value row : rowsOfPage(right.source, first, count, zeros, right.allExist))
      rows.push_back(Ptr{row});
    return rows;
  }
  if (right.allExist && !right.paged) {
    Ptr row = c.at(right.base, c.mul(first, right.stride));
    for (int64_t i = 0; i < count; ++i, row = c.at(row, right.stride))
      rows.push_back(row);
    return rows;
  }
  Value zeros = c.address(c.zeros(right.cols * right.bytes()));
  for (int64_t i = 0; i < count; ++i)
    rows.push_back(Ptr{rowPointer(right.source, c.add(first, i), zeros)});
  return rows;
}

Value Lowering::stripOf(const RightRows &right, Ptr row, int64_t strip) {
  int64_t column = strip * kLanes;
  return c.loadElements(row.plus(column * right.bytes()), right.element, std::min(kLanes, right.cols - column));
}

// Asks for rows that are read later than `first`: what the processor itself looks ahead ends with each page and stands
// still while it computes. Rows that are used once come a tile ahead, others some kilobytes in groups of 16.
void Lowering::prefetchNext(const RightRows &right, Value first, int64_t count, int64_t uses) {
  if (!right.inStream || !right.allExist)
    return;
  int64_t rowBytes = right.cols * right.bytes();
  int64_t ahead =
      uses <= kFewUses ? right.rows : std::max<int64_t>(kLanes, llvm::alignDown(kBytesAhead / rowBytes, kLanes));
  Value distance = right.paged ? Value() : c.mul(right.stride, ahead);
  for (Ptr row : right.paged ? pagedRowsAhead(right, first, count, ahead) : rowsOf(right, first, count))
    c.prefetchRow(right.paged ? row : c.at(row, distance), rowBytes);
}

//===-- Scores ------------------------------------------------------------------------------------------===//

// Products of `rows` rows of `a` from the first on with `keys`, or distances, summed over the features but not over the
// lanes: sum i * keys + k is that of row i and key k. Each strip of a key is read once for as many rows as registers
// hold sums of.
Values Lowering::scoreSums(const Lines &a, int64_t rows, const RightRows &right, ArrayRef<Ptr> keys, Term term) {
  constexpr int64_t stripsAtOnce = 4;
  int64_t strips = a.strips(), count = static_cast<int64_t>(keys.size());
  bool pairs = term == Term::Pairs;
  int64_t stripBytes = pairs ? kLanes * 4 : kLanes * right.bytes();
  auto rightOf = [&](Ptr key, int64_t strip) {
    return pairs ? c.load(c.vPairs, key.plus(strip * stripBytes), right.bytes()) : stripOf(right, key, strip);
  };
  auto added = [&](Value strip, Value left, Value sum) {
    switch (term) {
    case Term::Pairs:
      return c.addPairs(sum, strip, c.asPairs(left));
    case Term::Distance:
      return c.addf(c.abs(c.subf(strip, left)), sum);
    default:
      return c.fma(strip, left, sum);
    }
  };
  // Sums of strips `first` + 0 .. number - 1; where `first` is not known they are whole ones.
  auto some = [&](int64_t row, int64_t rowsNow, ArrayRef<Ptr> keysNow, Value first, int64_t number, Values sums) {
    std::optional<int64_t> known = Code::known(first);
    for (int64_t i = 0; i < number; ++i) {
      Values ofKeys;
      for (Ptr key : keysNow)
        ofKeys.push_back(rightOf(known ? key : c.atScaled(key, first, stripBytes), known ? *known + i : i));
      auto *sum = sums.begin();
      for (int64_t r = row; r < row + rowsNow; ++r) {
        Value left = c.loadStrip(lineAt(a, c.int64(r), c.add(first, i)));
        if (known && *known + i + 1 == strips && a.cols % kLanes != 0)
          left = c.select(c.lanesBelow(a.cols % kLanes), left, c.zero());
        for (Value strip : ofKeys) {
          *sum = added(strip, left, *sum);
          ++sum;
        }
      }
    }
    return sums;
  };
  int64_t most = mostSums(c.atom), rowsAtOnce = std::min<int64_t>(llvm::bit_ceil<uint64_t>(rows), most);
  // The processor follows keys that are read to their end one after the other. Where many rows share a strip, what they
  // read of their own counts more.
  bool keyByKey = rows <= kFewUses && strips <= 2 * stripsAtOnce;
  int64_t keysAtOnce = keyByKey ? 1 : std::min(count, most / rowsAtOnce);
  int64_t whole = (a.cols / kLanes) / stripsAtOnce * stripsAtOnce;
  Values all(rows * count);
  for (int64_t key = 0; key < count; key += keysAtOnce)
    for (int64_t row = 0; row < rows; row += rowsAtOnce) {
      int64_t rowsNow = std::min(rowsAtOnce, rows - row);
      ArrayRef<Ptr> keysNow = keys.slice(key, keysAtOnce);
      Values sums(rowsNow * keysAtOnce, c.zero());
      if (strips <= 2 * stripsAtOnce) {
        sums = some(row, rowsNow, keysNow, c.int64(0), strips, sums);
      } else {
        sums = c.loop(0, whole, stripsAtOnce, sums, [&](Value first, ValueRange now) {
          return some(row, rowsNow, keysNow, first, stripsAtOnce, Values(now));
        });
        sums = some(row, rowsNow, keysNow, c.int64(whole), strips - whole, sums);
      }
      for (int64_t r = 0; r < rowsNow; ++r)
        for (int64_t k = 0; k < keysAtOnce; ++k)
          all[(row + r) * count + key + k] = sums[r * keysAtOnce + k];
    }
  return all;
}

// Whether a product is one of bfloat16 numbers that both stand in memory.
bool Lowering::dotsPairs(tile::DotOp op, const RightRows &right) {
  auto load = op.getA().getDefiningOp<tile::LoadOp>();
  return c.atom.dotsPairs && termOf(op) == Term::Product && right.element.isBF16() && right.cols % (2 * kLanes) == 0 &&
         load && load.getView().getType().getElementType().isBF16();
}

// Rows of bfloat16 numbers, which are the upper halves of these.
Lines Lowering::pairsOf(const Lines &lines) {
  Lines pairs = lines;
  pairs.cols = lines.cols / 2;
  pairs.owner = scratch.take(pairs.rows * pairs.rowBytes());
  pairs.base = {scratchBase, pairs.owner->offset};
  SmallVector<int32_t> upper;
  for (int32_t i = 0; i < 2 * kLanes; ++i)
    upper.push_back(2 * i + 1);
  forLines(pairs, [&](Value row, Value strip) {
    Values halves;
    for (int64_t i = 0; i < 2; ++i)
      halves.push_back(c.asPairs(c.loadStrip(lineAt(lines, row, c.add(c.mul(strip, 2), i)))));
    c.storeStrip(c.shuffle(halves[0], halves[1], upper), lineAt(pairs, row, strip));
  });
  return pairs;
}

// Of `rows` rows for each head.
Lines Lowering::ofHead(const Lines &lines, Value head, int64_t rows) {
  Lines own = lines;
  own.rows = rows;
  own.base = c.atScaled(lines.base, head, rows * lines.rowBytes());
  return own;
}

// All rows of a head meet as many keys at a time as make 16 sums with them, which one tree of additions leaves in the
// lanes of a strip: piece i of it, a lane for each key, belongs to row i.
void Lowering::scoreLines(tile::DotOp op) {
  Lines a = linesOf(op.getA()), to = newLines(op.getResult().getType());
  std::optional<Lines> before;
  if (op.getAcc())
    before = linesOf(op.getAcc());
  RightRows right = rightOf(op);
  int64_t rows = a.rows / right.heads;
  Term term = termOf(op);
  if (dotsPairs(op, right)) {
    a = pairsOf(a);
    term = Term::Pairs;
  }
  if (inTokenOrder(right, rows)) {
    scoreTokens(a, right, term, before, to);
    setLines(op.getResult(), to);
    return;
  }
  int64_t keysAtOnce = kLanes / static_cast<int64_t>(llvm::bit_ceil(static_cast<uint64_t>(rows)));
  auto add = [&](Value key, Value head) {
    if (right.heads > 1)
      prefetchTokens(right, key, c.mul(head, keysAtOnce), keysAtOnce, keysAtOnce);
    else
      prefetchNext(right, key, keysAtOnce, rows);
    RightRows own = ofHead(right, head);
    Values sums = scoreSums(ofHead(a, head, rows), rows, own, rowsOf(own, key, keysAtOnce), term);
    sums.resize(kLanes, c.zero());
    Value scores = sumLanes(c, sums);
    auto placeOf = [&](const Lines &lines, int64_t row) {
      return c.atScaled(ofHead(lines, head, rows).base.plus(row * lines.rowBytes()), key, 4);
    };
    for (int64_t row = 0; row < rows; ++row) {
      Value piece = c.piece(scores, row * keysAtOnce, keysAtOnce);
      if (before)
        piece = c.addf(c.load(piece.getType(), placeOf(*before, row), 4), piece);
      c.store(piece, placeOf(to, row), 4 * keysAtOnce);
    }
  };
  c.loop(0, to.strips() * kLanes, keysAtOnce,
         [&](Value key) { c.loop(0, right.heads, 1, [&](Value head) { add(key, head); }); });
  setLines(op.getResult(), to);
}

//===-- Weighted sums -----------------------------------------------------------------------------------===//

// Adds a block of products, where row i of `right` is key i, each key to one of several sums that do not wait for one
// another.
void Lowering::weighLines(const Lines &p, const Lines &to, const RightRows &right, const WeighBlock &block,
                          bool skipZeros) {
  // A power of two, so that the keys at once divide 16.
  int64_t perChain = block.rows * block.strips;
  int64_t most = std::clamp<int64_t>(mostSums(c.atom) / perChain, 1, block.keys);
  auto chains = static_cast<int64_t>(llvm::bit_floor(static_cast<uint64_t>(most)));
  int64_t keysAtOnce = std::min(block.keys, std::max<int64_t>(4, chains));
  // Each turn asks for its share of the rows to come, so that memory never waits.
  int64_t each = llvm::divideCeil(keysAtOnce, block.turns), first = block.turn * (block.keys / keysAtOnce) * each;
  auto placeOf = [&](int64_t i) {
    return lineAt(to, c.int64(block.row + i / block.strips), c.int64(block.strip + i % block.strips));
  };
  Values sums(chains * perChain, c.zero());
  for (int64_t i = 0; i < perChain; ++i)
    sums[i] = c.loadStrip(placeOf(i));
  sums = c.loop(0, block.keys, keysAtOnce, sums, [&](Value number, ValueRange now) {
    Values next(now);
    Value key = c.add(block.from, number);
    SmallVector<Ptr> rows = rowsOf(right, key, keysAtOnce);
    if (first < block.keys)
      block.prefetch(c.add(c.mul(c.floorDiv(number, keysAtOnce), each), first), each);
    for (auto [k, place] : llvm::enumerate(rows)) {
      Values strips;
      for (int64_t i = 0; i < block.strips; ++i)
        strips.push_back(stripOf(right, place, block.strip + i));
      Value *sum = &next[static_cast<int64_t>(k) % chains * perChain];
      for (int64_t row = 0; row < block.rows; ++row) {
        Ptr weights = c.atScaled(p.base.plus((block.row + row) * p.rowBytes()), key, 4);
        Value weight = c.loadBroadcast(weights.plus(static_cast<int64_t>(k) * 4));
        Value live = skipZeros ? c.compare(CmpFPredicate::UNE, weight, c.zero()) : Value();
        for (Value strip : strips) {
          Value added = c.fma(strip, weight, *sum);
          *sum = live ? c.select(live, added, *sum) : added;
          ++sum;
        }
      }
    }
    return next;
  });
  for (int64_t i = 0; i < perChain; ++i) {
    Value sum = sums[i];
    for (int64_t chain = 1; chain < chains; ++chain)
      sum = c.addf(sum, sums[chain * perChain + i]);
    c.storeStrip(sum, placeOf(i));
  }
}

void Lowering::sumLines(tile::DotOp op) {
  Lines p = linesOf(op.getA()), to;
  if (op.getAcc()) {
    to = takeLines(op.getAcc(), op);
  } else {
    to = newLines(op.getResult().getType());
    forLines(to, [&](Value row, Value strip) { c.storeStrip(c.zero(), lineAt(to, row, strip)); });
  }
  if (op.getScale()) {
    Lines scale = linesOf(op.getScale());
    forLines(to, [&](Value row, Value strip) {
      Ptr place = lineAt(to, row, strip);
      c.storeStrip(c.mulf(c.loadStrip(place), c.loadBroadcast(c.atScaled(scale.base, row, 4))), place);
    });
  }
  RightRows right = rightOf(op);
  bool skipZeros = maskedOperand(op.getA());
  // Rows first: what a block holds of a key is read, and widened, once for all of them.
  int64_t most = mostSums(c.atom), allKeys = p.strips() * kLanes, allRows = to.rows / right.heads;
  int64_t rows = std::min(allRows, most);
  int64_t strips =
      std::min({to.strips(), most / static_cast<int64_t>(llvm::bit_ceil(static_cast<uint64_t>(rows))), int64_t(8)});
  int64_t turns = llvm::divideCeil(allRows, rows) * llvm::divideCeil(to.strips(), strips);
  auto add = [&](Value from, int64_t keys, Value head, const RightRows &own, WeighBlock::Prefetch prefetch) {
    int64_t turn = 0;
    for (int64_t row = 0; row < allRows; row += rows)
      for (int64_t strip = 0; strip < to.strips(); strip += strips)
        weighLines(ofHead(p, head, allRows), ofHead(to, head, allRows), own,
                   {row, std::min(rows, allRows - row), strip, std::min(strips, to.strips() - strip), from, keys,
                    turn++, turns, prefetch},
                   skipZeros);
  };
  if (inTokenOrder(right, allRows)) {
    forTokens(right, allKeys, [&](Value key, Value head, const RightRows &own, Ptr next) {
      add(key, 1, head, own, [&](Value, int64_t) { c.prefetchRow(next, right.cols * right.bytes()); });
    });
    setLines(op.getResult(), to);
    return;
  }
  // Blocks of sums, and heads, take turns over few keys, whose values stay near.
  int64_t keys = turns > 1 ? kKeysInTurn : right.heads > 1 ? kKeysOfHead : allKeys;
  c.loop(0, allKeys, keys, [&](Value from) {
    c.loop(0, right.heads, 1, [&](Value head) {
      add(from, keys, head, ofHead(right, head), [&](Value row, int64_t count) {
        if (right.heads > 1)
          prefetchTokens(right, from, c.add(c.mul(head, keys), row), count, keys);
        else
          prefetchNext(right, c.add(from, row), count, allRows);
      });
    });
  });
  setLines(op.getResult(), to);
}

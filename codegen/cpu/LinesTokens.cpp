// Products of few rows with the rows of several key heads, which lie side by side in memory (LinesDot.cpp has the rest
// of these products). A row of one head is short, and the processor looks ahead in one direction only where it meets
// whole tokens: so each token's heads come one after the other, as memory holds them.
#include "codegen/cpu/Lowering.h"
#include "codegen/cpu/Shuffles.h"

using namespace sattn;
using namespace sattn::cpu;

/// Longer rows are read as fast head by head.
static constexpr int64_t kMostFeatures = 128;

/// Bytes of tokens on their way to the nearest cache: what memory delivers while one token is used up.
static constexpr int64_t kTokenBytesAhead = 8192;

bool Lowering::inTokenOrder(const RightRows &right, int64_t rows) {
  return right.heads > 1 && right.allExist && rows <= kFewUses && right.cols <= kMostFeatures;
}

//===-- Rows of a token ---------------------------------------------------------------------------------===//

// Rows that are read later than those at `first`, some kilobytes of all heads behind and a multiple of `inTurn`
// positions: of the head `offset` bytes behind the first, for `count` positions from a multiple of `count` on.
SmallVector<Ptr> Lowering::tokensAhead(const RightRows &right, Value first, Value offset, int64_t count,
                                       int64_t inTurn) {
  int64_t tokenBytes = right.heads * right.cols * right.bytes();
  int64_t ahead = std::max<int64_t>(inTurn, llvm::alignDown(kTokenBytesAhead / tokenBytes, inTurn));
  Value distance = right.paged ? offset : c.add(offset, c.mul(right.stride, ahead));
  SmallVector<Ptr> rows = right.paged ? pagedRowsAhead(right, first, count, ahead) : rowsOf(right, first, count);
  for (Ptr &row : rows)
    row = c.at(row, distance);
  return rows;
}

// Where heads take turns over `inTurn` positions: asks for `count` rows in the order of memory, from the one on that
// has number `row` among those of all heads from position `first` on.
void Lowering::prefetchTokens(const RightRows &right, Value first, Value row, int64_t count, int64_t inTurn) {
  if (!right.inStream || !right.allExist)
    return;
  int64_t positions = std::max<int64_t>(1, count / right.heads);
  Value number = c.floorDiv(row, right.heads);
  Value offset = c.mul(c.sub(row, c.mul(number, right.heads)), right.headStride);
  for (Ptr next : tokensAhead(right, c.add(first, number), offset, positions, inTurn))
    for (int64_t head = 0; head < count / positions; ++head, next = c.at(next, right.headStride))
      c.prefetchRow(next, right.cols * right.bytes());
}

// Bytes from a head of a token to the next: none where the page of the token does not exist, and all heads are zeros.
Value Lowering::headStep(const RightRows &right, Ptr token) {
  if (!right.paged)
    return right.headStride;
  Value zeros = c.address(c.zeros(right.cols * right.bytes()));
  return c.select(c.differs(c.address(token), zeros), right.headStride, c.int64(0));
}

//===-- Scores ------------------------------------------------------------------------------------------===//

// As many positions at a time as make 16 sums with all rows; their strips, a lane for each row and position, are turned
// around when they are those of 16 positions.
void Lowering::scoreTokens(const Lines &a, const RightRows &right, Term term, const std::optional<Lines> &before,
                           const Lines &to) {
  int64_t rows = a.rows / right.heads;
  int64_t positions = kLanes / static_cast<int64_t>(llvm::bit_ceil(static_cast<uint64_t>(a.rows)));
  int64_t groups = kLanes / positions;
  Owner owner = scratch.take(groups * kLanes * 4);
  Ptr turned{scratchBase, owner->offset};
  c.loop(0, to.strips(), 1, [&](Value strip) {
    c.loop(0, groups, 1, [&](Value group) {
      Value first = c.add(c.mul(strip, kLanes), c.mul(group, positions));
      SmallVector<Ptr> tokens = rowsOf(right, first, positions),
                       next = tokensAhead(right, first, c.int64(0), positions, positions);
      Values sums(kLanes, c.zero());
      for (int64_t position = 0; position < positions; ++position) {
        Ptr row = tokens[position], ahead = next[position];
        Value step = headStep(right, row);
        for (int64_t head = 0; head < right.heads; ++head) {
          Values own = scoreSums(ofHead(a, c.int64(head), rows), rows, right, row, term);
          for (int64_t r = 0; r < rows; ++r)
            sums[(head * rows + r) * positions + position] = own[r];
          c.prefetchRow(ahead, right.cols * right.bytes());
          row = c.at(row, step);
          ahead = c.at(ahead, right.headStride);
        }
      }
      c.storeStrip(sumLanes(c, sums), c.atScaled(turned, group, kLanes * 4));
    });
    Values strips;
    for (int64_t group = 0; group < groups; ++group)
      strips.push_back(c.loadStrip(turned.plus(group * kLanes * 4)));
    Values scores = transposeChunks(c, strips, positions);
    for (int64_t row = 0; row < a.rows; ++row) {
      Value sum = scores[row];
      if (before)
        sum = c.addf(c.loadStrip(lineAt(*before, c.int64(row), strip)), sum);
      c.storeStrip(sum, lineAt(to, c.int64(row), strip));
    }
  });
}

//===-- Weighted sums -----------------------------------------------------------------------------------===//

// Calls `body` for each head of each of `keys` tokens with the number of the key, that of the head, its row, and the
// row that is to come meanwhile.
void Lowering::forTokens(const RightRows &right, int64_t keys,
                         llvm::function_ref<void(Value, Value, const RightRows &, Ptr)> body) {
  c.loop(0, keys, 1, [&](Value key) {
    Ptr token = rowsOf(right, key, 1).front(), next = tokensAhead(right, key, c.int64(0), 1, 1).front();
    Value step = headStep(right, token);
    c.loop(0, right.heads, 1, [&](Value head) {
      RightRows row = ofHead(right, head);
      row.paged = false;
      row.base = c.at(token, c.mul(head, step));
      row.stride = c.int64(0);
      body(key, head, row, c.at(next, c.mul(head, right.headStride)));
    });
  });
}

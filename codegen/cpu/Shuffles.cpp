// Rounds of shuffles that pair the strips of a block.
#include "codegen/cpu/Shuffles.h"

using namespace sattn;
using namespace sattn::cpu;

Values sattn::cpu::interleave(Code &c, ArrayRef<Value> rows) {
  if (rows.size() == 1)
    return Values(rows);
  Values even, odd, result;
  for (size_t r = 0; r < rows.size(); r += 2) {
    even.push_back(rows[r]);
    odd.push_back(rows[r + 1]);
  }
  even = interleave(c, even);
  odd = interleave(c, odd);
  SmallVector<int32_t> low, high;
  for (int32_t lane = 0; lane < kLanes / 2; ++lane) {
    low.append({lane, lane + static_cast<int32_t>(kLanes)});
    high.append({lane + 8, lane + 8 + static_cast<int32_t>(kLanes)});
  }
  for (auto [x, y] : llvm::zip(even, odd)) {
    result.push_back(c.shuffle(x, y, low));
    result.push_back(c.shuffle(x, y, high));
  }
  return result;
}

Values sattn::cpu::transposeChunks(Code &c, ArrayRef<Value> rows, int64_t width) {
  if (rows.size() == 1)
    return Values(rows);
  SmallVector<int32_t> evenChunks, oddChunks;
  for (int32_t chunk = 0; chunk < 2 * kLanes / width; ++chunk)
    for (int32_t i = 0; i < width; ++i)
      (chunk % 2 == 0 ? evenChunks : oddChunks).push_back(chunk * static_cast<int32_t>(width) + i);
  Values even, odd, result;
  for (size_t r = 0; r < rows.size(); r += 2) {
    even.push_back(c.shuffle(rows[r], rows[r + 1], evenChunks));
    odd.push_back(c.shuffle(rows[r], rows[r + 1], oddChunks));
  }
  even = transposeChunks(c, even, width);
  odd = transposeChunks(c, odd, width);
  for (auto [x, y] : llvm::zip(even, odd)) {
    result.push_back(x);
    result.push_back(y);
  }
  return result;
}

Value sattn::cpu::sumLanes(Code &c, ArrayRef<Value> sums) {
  if (sums.size() == 1)
    return sums[0];
  size_t half = sums.size() / 2;
  Value x = sumLanes(c, sums.take_front(half)), y = sumLanes(c, sums.drop_front(half));
  constexpr int32_t quad = 4, other = kLanes;
  SmallVector<int32_t> low, high;
  for (int32_t chunk = 0; chunk < kLanes; chunk += quad) {
    int32_t place = chunk / quad;
    switch (half) {
    case 1: // x0 y0 x1 y1, and x2 y2 x3 y3
      low.append({chunk, chunk + other, chunk + 1, chunk + 1 + other});
      high.append({chunk + 2, chunk + 2 + other, chunk + 3, chunk + 3 + other});
      break;
    case 2: // x0 x1 y0 y1, and x2 x3 y2 y3
      low.append({chunk, chunk + 1, chunk + other, chunk + 1 + other});
      high.append({chunk + 2, chunk + 3, chunk + 2 + other, chunk + 3 + other});
      break;
    default: // the same of whole quads: neighbours once more, then every second one
      int32_t from = place % 2 * quad * (half == 4 ? 1 : 2) + place / 2 * other;
      for (int32_t i = 0; i < quad; ++i) {
        low.push_back(from + i);
        high.push_back(from + i + quad * (half == 4 ? 2 : 1));
      }
    }
  }
  return c.addf(c.shuffle(x, y, low), c.shuffle(x, y, high));
}

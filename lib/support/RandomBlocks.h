// The blocks that sattn.random names: a fixed function of seed, row block and number of key blocks, the same in the
// reference, in kernels (lib/transforms/kernels/RandomSet.cpp) and on every machine.
//
// The key blocks are cut into as many parts as blocks are drawn, part i from floor(i n / count) on, and each part gives
// one block. So the blocks differ, and a kernel knows each without the others. Numbers stay within 63 bits.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace sattn {

/// A mixer of 32-bit numbers: shifts, and products by a number of 27 bits.
struct RandomMixer {
  static constexpr int64_t mask = 0xffffffff, start = 0x9e3779b9, factor = 0x45d9f3b;
  static constexpr int shift = 16, rounds = 2;
  static constexpr int64_t mix(int64_t x) {
    x = (x + start) & mask;
    for (int round = 0; round < rounds; ++round) {
      x = x ^ (x >> shift);
      x = (x * factor) & mask;
    }
    return x ^ (x >> shift);
  }
};

/// A number below 2^32 for block number `i` of a row block.
inline int64_t randomNumber(int64_t seed, int64_t rowBlock, int64_t i) {
  using M = RandomMixer;
  return M::mix(M::mix(M::mix(seed & M::mask) ^ (rowBlock & M::mask)) ^ i);
}

/// `count` different key blocks of `keyBlocks`, ascending; all of them where there are fewer.
inline std::vector<int64_t> randomBlocks(int64_t seed, int64_t rowBlock, int64_t keyBlocks, int64_t count) {
  std::vector<int64_t> blocks;
  for (int64_t i = 0; i < count; ++i) {
    int64_t low = i * keyBlocks / count, high = (i + 1) * keyBlocks / count;
    if (low < high)
      blocks.push_back(low + randomNumber(seed, rowBlock, i) % (high - low));
  }
  return blocks;
}

} // namespace sattn

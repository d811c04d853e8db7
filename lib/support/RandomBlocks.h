// The blocks that sattn.random names: a fixed function of seed, row block and key block, the same in the reference,
// in kernels and on every machine.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace sattn {

/// One number for a (seed, row block, key block): two rounds of the splitmix64 mixer.
inline uint64_t randomBlockRank(uint64_t seed, uint64_t rowBlock, uint64_t keyBlock) {
  auto mix = [](uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  };
  return mix(mix(mix(seed) ^ rowBlock) ^ keyBlock);
}

/// The `count` key blocks of lowest rank among `keyBlocks`, ascending; all of them where there are fewer.
inline std::vector<int64_t> randomBlocks(int64_t seed, int64_t rowBlock, int64_t keyBlocks, int64_t count) {
  std::vector<std::pair<uint64_t, int64_t>> ranked;
  for (int64_t block = 0; block < keyBlocks; ++block)
    ranked.push_back({randomBlockRank(seed, rowBlock, block), block});
  count = std::clamp<int64_t>(count, 0, keyBlocks);
  std::partial_sort(ranked.begin(), ranked.begin() + count, ranked.end());
  std::vector<int64_t> blocks;
  for (int64_t i = 0; i < count; ++i)
    blocks.push_back(ranked[i].second);
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

} // namespace sattn

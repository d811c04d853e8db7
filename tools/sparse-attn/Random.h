// Seeded random numbers that are the same on every machine.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace sattn::tool {

/// splitmix64.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}

  uint64_t next() {
    uint64_t z = state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  /// 0 <= result < bound; the bias of 2^-64 * bound does not matter here.
  uint64_t below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  /// Mean 0, variance 1 (Box and Muller, one of the pair kept for the next call).
  float normal() {
    if (hasSpare) {
      hasSpare = false;
      return spare;
    }
    uint64_t bits = next();
    float radius = std::sqrt(-2 * std::log((static_cast<float>(bits >> 40) + 0.5f) * 0x1p-24f));
    float angle = 2 * static_cast<float>(M_PI) * (static_cast<float>(bits & 0xFFFFFF) * 0x1p-24f);
    spare = radius * std::sin(angle);
    hasSpare = true;
    return radius * std::cos(angle);
  }

private:
  uint64_t state;
  float spare = 0;
  bool hasSpare = false;
};

/// min(count, total) different numbers of 0 .. total - 1, ascending.
inline std::vector<int64_t> sampleWithoutReplacement(int64_t total, int64_t count, uint64_t seed) {
  std::vector<int64_t> all(std::max<int64_t>(total, 0));
  std::iota(all.begin(), all.end(), int64_t(0));
  count = std::min<int64_t>(count, static_cast<int64_t>(all.size()));
  Random random(seed);
  for (int64_t i = 0; i < count; ++i)
    std::swap(all[i], all[i + static_cast<int64_t>(random.below(all.size() - i))]);
  all.resize(count);
  std::sort(all.begin(), all.end());
  return all;
}

} // namespace sattn::tool

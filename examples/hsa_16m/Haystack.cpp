// The sequence of Haystack.h. Scores are scaled by features^-1/2 = 1/8, and planted vectors have 64 normal features, so
// a query that is four times the vector scores 4 * 64 / 8 = 32 with it and 4 N(0, 1) with noise: of 262,144 landmarks
// the best of the others scores about 18, which is a weight of e^-14.
#include "examples/hsa_16m/Haystack.h"
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

using namespace hsa;

static constexpr float kLoud = 4.0f;

/// Nearest even, as everywhere in the kernels; no NaN comes here.
static uint16_t narrow(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
static float widen(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

/// Chunks of the needles: edges first, then random ones, each once.
static std::vector<int64_t> chunksOf(const Sizes &sizes, int64_t count, std::mt19937_64 &random) {
  std::vector<int64_t> chosen;
  std::set<int64_t> seen;
  auto take = [&](int64_t chunk) {
    if (chunk >= 0 && chunk < sizes.chunks() && static_cast<int64_t>(chosen.size()) < count &&
        seen.insert(chunk).second)
      chosen.push_back(chunk);
  };
  constexpr int64_t chunkBytes = Sizes::chunk * Sizes::kvHeads * Sizes::features * 2;
  take(0);
  take(sizes.chunks() - 1);
  for (int64_t edge : {int64_t{1} << 31, int64_t{1} << 32}) {
    take(edge / chunkBytes - 1);
    take(edge / chunkBytes);
  }
  std::uniform_int_distribution<int64_t> any(0, sizes.chunks() - 1);
  while (static_cast<int64_t>(chosen.size()) < count)
    take(any(random));
  return chosen;
}

Haystack::Haystack(Sizes sizes, int64_t needles, const std::string &folder, uint64_t seed)
    : sizes(sizes), keys(folder, sizes.cache() * 2), values(folder, sizes.cache() * 2),
      landmarks(static_cast<size_t>(sizes.landmarks())), random(seed) {
  std::normal_distribution<float> normal;
  // One normal number costs more than reading a landmark; a pool of them, entered anywhere, serves all.
  std::vector<uint16_t> pool(1 << 20);
  for (uint16_t &number : pool)
    number = narrow(normal(random));
  for (int64_t row = 0; row < sizes.chunks() * Sizes::kvHeads; ++row)
    std::copy_n(pool.begin() + static_cast<int64_t>(random() % (pool.size() - Sizes::features)), Sizes::features,
                landmarks.begin() + row * Sizes::features);
  for (int64_t chunk : chunksOf(sizes, needles, random))
    plant(chunk);
}

void Haystack::plant(int64_t chunk) {
  std::normal_distribution<float> normal;
  Needle needle;
  needle.position = chunk * Sizes::chunk + static_cast<int64_t>(random() % Sizes::chunk);
  int64_t row = Sizes::kvHeads * Sizes::features;
  auto fill = [&](uint16_t *at, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      at[i] = narrow(normal(random));
  };
  fill(keys.data() + chunk * Sizes::chunk * row, Sizes::chunk * row);
  fill(values.data() + chunk * Sizes::chunk * row, Sizes::chunk * row);
  const uint16_t *key = keys.data() + needle.position * row, *value = values.data() + needle.position * row;
  for (int64_t h = 0; h < Sizes::heads; ++h)
    for (int64_t d = 0; d < Sizes::features; ++d)
      needle.query.push_back(narrow(kLoud * widen(key[h / Sizes::group * Sizes::features + d])));
  uint16_t *landmark = landmarks.data() + chunk * row;
  for (int64_t head = 0; head < Sizes::kvHeads; ++head) {
    std::vector<float> direction(Sizes::features);
    std::generate(direction.begin(), direction.end(), [&] { return normal(random); });
    float length = std::sqrt(std::inner_product(direction.begin(), direction.end(), direction.begin(), 0.0f));
    for (int64_t d = 0; d < Sizes::features; ++d)
      landmark[head * Sizes::features + d] = narrow(8 / length * direction[static_cast<size_t>(d)]);
  }
  for (int64_t i = 0; i < row; ++i) {
    needle.retrieval.push_back(narrow(kLoud * widen(landmark[i])));
    needle.answer.push_back(widen(value[i]));
  }
  needles.push_back(std::move(needle));
}

static float difference(const std::vector<uint16_t> &output, const Needle &needle) {
  float largest = 0;
  for (int64_t h = 0; h < Sizes::heads; ++h)
    for (int64_t d = 0; d < Sizes::features; ++d) {
      float wanted = needle.answer[static_cast<size_t>(h / Sizes::group * Sizes::features + d)];
      largest = std::max(largest, std::abs(widen(output[static_cast<size_t>(h * Sizes::features + d)]) - wanted));
    }
  return largest;
}

std::pair<size_t, float> Haystack::nearest(const std::vector<uint16_t> &output) const {
  std::pair<size_t, float> best{needles.size(), std::numeric_limits<float>::infinity()};
  for (size_t i = 0; i < needles.size(); ++i)
    if (float distance = difference(output, needles[i]); distance < best.second)
      best = {i, distance};
  return best;
}

// A sequence of keys and values that is nearly all zeros, with needles: chunks of noise in which one key answers one
// query.
#pragma once
#include "examples/hsa_16m/SparseFile.h"
#include <random>
#include <utility>
#include <vector>

namespace hsa {

/// Extents of the call. Elements are bfloat16; a chunk of l keys has one landmark.
struct Sizes {
  int64_t tokens = 0;
  static constexpr int64_t chunk = 64, heads = 16, kvHeads = 2, features = 64;
  static constexpr int64_t group = heads / kvHeads;
  int64_t chunks() const { return tokens / chunk; }
  /// Elements of k or v, and of the landmarks.
  int64_t cache() const { return tokens * kvHeads * features; }
  int64_t landmarks() const { return chunks() * kvHeads * features; }
};

/// What is asked for: the rows of one decoded token and the output that it must give.
struct Needle {
  int64_t position;
  std::vector<uint16_t> query;     ///< [heads, features]
  std::vector<uint16_t> retrieval; ///< [kvHeads, features]
  std::vector<float> answer;       ///< [kvHeads, features]
};

class Haystack {
public:
  /// Keys and values in files of `folder`, landmarks in memory, `needles` in chunks of their own: the first, the last,
  /// those at whose keys byte offsets pass 2^31 and 2^32, where there are such, and random ones.
  Haystack(Sizes sizes, int64_t needles, const std::string &folder, uint64_t seed);

  Sizes sizes;
  SparseFile keys, values;
  std::vector<uint16_t> landmarks; ///< [chunks, kvHeads, features]
  std::vector<Needle> needles;

  /// The needle whose answer is nearest to `output` [heads, features], and their largest difference.
  std::pair<size_t, float> nearest(const std::vector<uint16_t> &output) const;

private:
  void plant(int64_t chunk);
  std::mt19937_64 random;
};

} // namespace hsa

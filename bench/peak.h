// What this machine can do at most, measured: float32 multiply-adds and sequential reads, on a number of threads.
// Figures mean something only beside a measurement of the same moment, so callers interleave both.
#pragma once
#include <cstddef>
#include <vector>

namespace sattn::bench {

enum class VectorLevel { Sse2, Avx2, Avx512 };

/// The widest vectors of this processor and operating system.
VectorLevel vectorLevel();
const char *vectorLevelName(VectorLevel level); ///< "SSE2", "AVX2 + FMA", "AVX-512"

/// Float32 operations a second, a multiply-add counting two, of `threads` threads that each keep twelve chains of
/// vector multiply-adds running for about `seconds`.
double flopsPerSecond(int threads, double seconds, VectorLevel level = vectorLevel());

/// Sequential reads from memory.
class ReadBandwidth {
public:
  /// Touches `bytes` of memory, far more than caches hold.
  explicit ReadBandwidth(size_t bytes);
  /// Bytes a second of `threads` threads that each read a part of it once.
  double bytesPerSecond(int threads) const;

private:
  std::vector<float> memory;
};

} // namespace sattn::bench

// Loops that nothing but the execution ports or the memory can limit.
#include "bench/peak.h"

#include <chrono>
#include <immintrin.h>
#include <thread>

namespace sattn::bench {

using Clock = std::chrono::steady_clock;
static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

VectorLevel vectorLevel() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f"))
    return VectorLevel::Avx512;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? VectorLevel::Avx2 : VectorLevel::Sse2;
}

const char *vectorLevelName(VectorLevel level) {
  static constexpr const char *names[] = {"SSE2", "AVX2 + FMA", "AVX-512"};
  return names[static_cast<int>(level)];
}

// Twelve chains hide a latency of up to six cycles on two ports. The empty asm makes each value opaque, so that the
// compiler neither shortens nor reorders the chains.
// clang-format off: it does not settle on a layout of these lines
#define SATTN_CHAINS(OP, CONSTRAINT)                                                                                   \
  for (long trip = 0; trip < trips; ++trip) {                                                                          \
    OP(a0) OP(a1) OP(a2) OP(a3) OP(a4) OP(a5) OP(a6) OP(a7) OP(a8) OP(a9) OP(a10) OP(a11)                              \
    asm volatile("" : "+" CONSTRAINT(a0), "+" CONSTRAINT(a1), "+" CONSTRAINT(a2), "+" CONSTRAINT(a3),                  \
                 "+" CONSTRAINT(a4), "+" CONSTRAINT(a5), "+" CONSTRAINT(a6), "+" CONSTRAINT(a7), "+" CONSTRAINT(a8),   \
                 "+" CONSTRAINT(a9), "+" CONSTRAINT(a10), "+" CONSTRAINT(a11));                                        \
  }
// clang-format on

__attribute__((target("avx512f"))) static void chains512(long trips) {
  __m512 a0 = _mm512_set1_ps(1), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, a8 = a0, a9 = a0,
         a10 = a0, a11 = a0;
  const __m512 x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(0.5f);
#define SATTN_FMA(a) a = _mm512_fmadd_ps(a, x, y);
  SATTN_CHAINS(SATTN_FMA, "v")
#undef SATTN_FMA
}

__attribute__((target("avx2,fma"))) static void chains256(long trips) {
  __m256 a0 = _mm256_set1_ps(1), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, a8 = a0, a9 = a0,
         a10 = a0, a11 = a0;
  const __m256 x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(0.5f);
#define SATTN_FMA(a) a = _mm256_fmadd_ps(a, x, y);
  SATTN_CHAINS(SATTN_FMA, "x")
#undef SATTN_FMA
}

static void chains128(long trips) {
  __m128 a0 = _mm_set1_ps(1), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, a8 = a0, a9 = a0, a10 = a0,
         a11 = a0;
  const __m128 x = _mm_set1_ps(0.5f), y = _mm_set1_ps(0.5f);
#define SATTN_FMA(a) a = _mm_add_ps(_mm_mul_ps(a, x), y);
  SATTN_CHAINS(SATTN_FMA, "x")
#undef SATTN_FMA
}
#undef SATTN_CHAINS

/// One thread's rate.
static double runChains(VectorLevel level, double seconds) {
  constexpr long trips = 20000;
  const double lanes = level == VectorLevel::Avx512 ? 16 : level == VectorLevel::Avx2 ? 8 : 4;
  Clock::time_point start = Clock::now();
  double operations = 0, elapsed = 0;
  do {
    level == VectorLevel::Avx512 ? chains512(trips) : level == VectorLevel::Avx2 ? chains256(trips) : chains128(trips);
    operations += 12 * 2 * lanes * trips;
    elapsed = secondsSince(start);
  } while (elapsed < seconds);
  return operations / elapsed;
}

/// Runs work(i) on `threads` threads, the caller's included, and adds what they return.
template <typename Work> static double sumOverThreads(int threads, Work work) {
  std::vector<double> rates(threads, 0.0);
  std::vector<std::thread> helpers;
  for (int i = 1; i < threads; ++i)
    helpers.emplace_back([&rates, &work, i] { rates[i] = work(i); });
  rates[0] = work(0);
  for (std::thread &helper : helpers)
    helper.join();
  double sum = 0;
  for (double rate : rates)
    sum += rate;
  return sum;
}

double flopsPerSecond(int threads, double seconds, VectorLevel level) {
  return sumOverThreads(threads, [&](int) { return runChains(level, seconds); });
}

ReadBandwidth::ReadBandwidth(size_t bytes) : memory(bytes / sizeof(float), 1.0f) {}

double ReadBandwidth::bytesPerSecond(int threads) const {
  size_t share = memory.size() / threads / 64 * 64;
  return sumOverThreads(threads, [&](int thread) {
    const float *from = memory.data() + thread * share;
    Clock::time_point start = Clock::now();
    __m128 sums[4] = {};
    for (size_t i = 0; i < share; i += 16)
      for (int j = 0; j < 4; ++j)
        sums[j] = _mm_add_ps(sums[j], _mm_loadu_ps(from + i + 4 * j));
    __m128 sum = _mm_add_ps(_mm_add_ps(sums[0], sums[1]), _mm_add_ps(sums[2], sums[3]));
    asm volatile("" : : "x"(sum));
    return static_cast<double>(share * sizeof(float)) / secondsSince(start);
  });
}

} // namespace sattn::bench

// Programs that another compiler made: CUDA C++ through nvcc, checked against plain C++ here. Skipped without nvcc.
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

namespace {
std::vector<float> randomFloats(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float &value : values)
    value = uniform(random);
  return values;
}

constexpr std::string_view Basics = R"(
extern "C" __global__ void add(const float *a, const float *b, float *c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n) {
  __shared__ float s[16][17], t[16][17];
  int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, col = blockIdx.x * 16 + x;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    s[y][x] = a[row * n + k + x];
    t[y][x] = b[(k + y) * n + col];
    __syncthreads();
    for (int i = 0; i < 16; ++i) sum += s[y][i] * t[i][x];
    __syncthreads();
  }
  c[row * n + col] = sum;
}
__device__ __noinline__ float f(float x, int k) { return expf(x) * k + tanhf(x) + logf(x + 2.f) + sinf(x * 3.f); }
extern "C" __global__ void reduce(const float *a, float *o, int n) {
  float s = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) s += f(a[i], i % 7);
  for (int d = 16; d; d /= 2) s += __shfl_xor_sync(~0u, s, d);
  if (threadIdx.x % 32 == 0) atomicAdd(o, s);
}
extern "C" __global__ void histogram(const int *a, int *h, int n) {
  __shared__ int s[64];
  for (int i = threadIdx.x; i < 64; i += blockDim.x) s[i] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) atomicAdd(&s[a[i] & 63], 1);
  __syncthreads();
  for (int i = threadIdx.x; i < 64; i += blockDim.x) atomicAdd(&h[i], s[i]);
}
extern "C" __global__ void scan(const unsigned *a, unsigned long long *o, int n) {
  // Inclusive sums of each warp with divergent tails, 64-bit division, and popcounts.
  int lane = threadIdx.x & 31;
  unsigned long long v = threadIdx.x < n ? a[threadIdx.x] : 0;
  for (int d = 1; d < 32; d *= 2) {
    unsigned long long u = __shfl_up_sync(~0u, v, d);
    if (lane >= d) v += u;
  }
  unsigned odd = __ballot_sync(~0u, v & 1);
  switch (v % 5) {
  case 0: v = v * 3; break;
  case 1: v = v / 7; break;
  case 2: v ^= 0x5555; break;
  default: v += __popc(odd) * 1000ull;
  }
  if (threadIdx.x < n) o[threadIdx.x] = v;
}
)";

/// The PTX of Basics, compiled once; nothing without nvcc.
const std::optional<std::string> &basics() {
  static std::string why;
  static const std::optional<std::string> text = compileCuda(Basics, "sm_80", why);
  if (!text)
    MESSAGE(why);
  return text;
}
} // namespace

TEST_CASE("nvcc: vector addition with a ragged tail") {
  if (!basics())
    return;
  int n = 1000;
  std::vector<float> a = randomFloats(size_t(n), 1), b = randomFloats(size_t(n), 2), c(size_t(n), 0.0f);
  Device device;
  Launch launch{.grid = {8}, .block = {128}};
  launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
      .pointer(device.add("b", bytesOf(b), Contents::Defined))
      .pointer(device.add("c", bytesOf(c), Contents::Undefined))
      .value(n);
  Report report = launchText(*basics(), "add", device, launch, {.seed = 3});
  CHECK_MESSAGE(report.ok(), report.format());
  for (size_t i = 0; i < c.size(); ++i)
    REQUIRE(c[i] == a[i] + b[i]);
  CHECK(report.globalBytesRead == 8000);
  CHECK(report.globalBytesWritten == 4000);
}

TEST_CASE("nvcc: tiled matrix product in shared memory") {
  if (!basics())
    return;
  int n = 48;
  std::vector<float> a = randomFloats(size_t(n * n), 3), b = randomFloats(size_t(n * n), 4), c(size_t(n * n));
  Device device;
  Launch launch{.grid = {3, 3}, .block = {16, 16}};
  launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
      .pointer(device.add("b", bytesOf(b), Contents::Defined))
      .pointer(device.add("c", bytesOf(c), Contents::Undefined))
      .value(n);
  for (uint64_t seed : {0, 1, 2}) {
    Report report = launchText(*basics(), "matmul", device, launch, {.seed = seed});
    CHECK_MESSAGE(report.ok(), report.format());
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) {
        double sum = 0;
        for (int k = 0; k < n; ++k)
          sum += double(a[size_t(i * n + k)]) * b[size_t(k * n + j)];
        REQUIRE(c[size_t(i * n + j)] == doctest::Approx(sum).epsilon(1e-5));
      }
  }
}

TEST_CASE("nvcc: library functions, a called function, shuffles and atomics") {
  if (!basics())
    return;
  int n = 777;
  std::vector<float> a = randomFloats(size_t(n), 5), o(1, 0.0f);
  Device device;
  Launch launch{.block = {128}};
  launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
      .pointer(device.add("o", bytesOf(o), Contents::Defined))
      .value(n);
  Report report = launchText(*basics(), "reduce", device, launch);
  CHECK_MESSAGE(report.ok(), report.format());
  double expected = 0;
  for (int i = 0; i < n; ++i) {
    double x = a[size_t(i)];
    expected += std::exp(x) * (i % 7) + std::tanh(x) + std::log(x + 2) + std::sin(x * 3);
  }
  CHECK(o[0] == doctest::Approx(expected).epsilon(1e-5));
}

TEST_CASE("nvcc: histogram by shared and global atomics") {
  if (!basics())
    return;
  std::mt19937 random(6);
  std::vector<int> a(3000), h(64, 0), expected(64, 0);
  for (int &value : a) {
    value = int(random() % 1000);
    ++expected[size_t(value & 63)];
  }
  Device device;
  Launch launch{.block = {96}};
  launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
      .pointer(device.add("h", bytesOf(h), Contents::Defined))
      .value(int(a.size()));
  Report report = launchText(*basics(), "histogram", device, launch, {.seed = 9});
  CHECK_MESSAGE(report.ok(), report.format());
  CHECK(h == expected);
}

TEST_CASE("nvcc: warp scan, switch, 64-bit division") {
  if (!basics())
    return;
  int n = 50;
  std::vector<uint32_t> a(64);
  std::vector<uint64_t> o(64);
  for (uint32_t i = 0; i < 64; ++i)
    a[i] = i * 2654435761u;
  Device device;
  Launch launch{.block = {64}};
  launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
      .pointer(device.add("o", bytesOf(o), Contents::Undefined))
      .value(n);
  Report report = launchText(*basics(), "scan", device, launch, {.seed = 2});
  CHECK_MESSAGE(report.ok(), report.format());
  for (int warp = 0; warp < 2; ++warp) {
    uint64_t sum = 0, sums[32], odd = 0;
    for (int lane = 0; lane < 32; ++lane) {
      sum += 32 * warp + lane < n ? a[size_t(32 * warp + lane)] : 0;
      sums[lane] = sum;
      odd += sum & 1;
    }
    for (int lane = 0; lane < 32 && 32 * warp + lane < n; ++lane) {
      uint64_t v = sums[lane];
      uint64_t expected = v % 5 == 0 ? v * 3 : v % 5 == 1 ? v / 7 : v % 5 == 2 ? v ^ 0x5555 : v + odd * 1000;
      CHECK(o[size_t(32 * warp + lane)] == expected);
    }
  }
}

// Programs that another compiler made: CUDA C++ through nvcc, checked against plain C++ here. Skipped without nvcc.
#include "lib/ptx/Numbers.h"
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
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

constexpr std::string_view Asynchronous = R"(
#include <cuda/barrier>
#include <cuda_bf16.h>
#include <cuda_pipeline.h>
using barrier = cuda::barrier<cuda::thread_scope_block>;
namespace cde = cuda::device::experimental;
#pragma nv_diag_suppress static_var_with_dynamic_init
extern "C" __global__ void bulk(const int *a, int *o) {
  __shared__ alignas(16) int s[256];
  __shared__ barrier bar;
  if (threadIdx.x == 0) { init(&bar, blockDim.x); cde::fence_proxy_async_shared_cta(); }
  __syncthreads();
  barrier::arrival_token token;
  if (threadIdx.x == 0) {
    cde::cp_async_bulk_global_to_shared(s, a + blockIdx.x * 256, 1024, bar);
    token = cuda::device::barrier_arrive_tx(bar, 1, 1024);
  } else {
    token = bar.arrive();
  }
  bar.wait(std::move(token));
  for (int i = threadIdx.x; i < 256; i += blockDim.x) s[i] = s[i] * 2 + 1;
  cde::fence_proxy_async_shared_cta();
  __syncthreads();
  if (threadIdx.x == 0) {
    cde::cp_async_bulk_shared_to_global(o + blockIdx.x * 256, s, 1024);
    cde::cp_async_bulk_commit_group();
    cde::cp_async_bulk_wait_group_read<0>();
  }
}
extern "C" __global__ void pipeline(const float4 *a, float4 *o, int n) {
  __shared__ float4 s[2][64];
  int t = threadIdx.x;
  float4 sum = {0, 0, 0, 0};
  for (int i = 0; i <= n; ++i) {
    if (i < n) __pipeline_memcpy_async(&s[i & 1][t], &a[i * 64 + t], 16);
    __pipeline_commit();
    if (i == 0) continue;
    __pipeline_wait_prior(1);
    __syncthreads();
    float4 v = s[(i - 1) & 1][63 - t];
    sum.x += v.x; sum.y += v.y; sum.z += v.z; sum.w += v.w;
    __syncthreads();
  }
  o[t] = sum;
}
// C (16 x 8) = A (16 x 16) B (16 x 8), row-major, by one warp.
extern "C" __global__ void product(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c) {
  __shared__ alignas(16) __nv_bfloat16 sa[16][24], sb[16][8];
  int t = threadIdx.x;
  for (int i = t; i < 256; i += 32) sa[i / 16][i % 16] = a[i];
  for (int i = t; i < 128; i += 32) sb[i / 8][i % 8] = b[i];
  __syncthreads();
  unsigned fa[4], fb[2];
  unsigned pa = __cvta_generic_to_shared(&sa[t % 16][t / 16 * 8]), pb = __cvta_generic_to_shared(&sb[t % 16][0]);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3]) : "r"(pa));
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(fb[0]), "=r"(fb[1]) : "r"(pb));
  float d[4] = {0, 0, 0, 0};
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(fa[0]), "r"(fa[1]), "r"(fa[2]), "r"(fa[3]), "r"(fb[0]), "r"(fb[1]));
  int row = t / 4, column = t % 4 * 2;
  c[row * 8 + column] = d[0]; c[row * 8 + column + 1] = d[1];
  c[(row + 8) * 8 + column] = d[2]; c[(row + 8) * 8 + column + 1] = d[3];
}
#include <mma.h>
template <typename T, typename LayoutB, int K> __device__ void fragments(const T *a, const T *b, float *c) {
  using namespace nvcuda::wmma;
  using E = std::conditional_t<std::is_same_v<T, float>, precision::tf32, T>;
  fragment<matrix_a, 16, 16, K, E, row_major> fa;
  fragment<matrix_b, 16, 16, K, E, LayoutB> fb;
  fragment<accumulator, 16, 16, K, float> fc;
  load_matrix_sync(fc, c, 16, mem_col_major);
  load_matrix_sync(fa, a, 24);
  load_matrix_sync(fb, b, 24);
  mma_sync(fc, fa, fb, fc);
  for (int i = 0; i < fc.num_elements; ++i) fc.x[i] *= 2;
  store_matrix_sync(c, fc, 16, mem_row_major);
}
extern "C" __global__ void wmmaBf16(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c) {
  fragments<__nv_bfloat16, nvcuda::wmma::col_major, 16>(a, b, c);
}
extern "C" __global__ void wmmaF16(const __half *a, const __half *b, float *c) {
  fragments<__half, nvcuda::wmma::row_major, 16>(a, b, c);
}
extern "C" __global__ void wmmaTf32(const float *a, const float *b, float *c) {
  fragments<float, nvcuda::wmma::col_major, 8>(a, b, c);
}
extern "C" __global__ void choose(const int *a, float *o) {
  int x = a[threadIdx.x];
  float r;
  switch (x) {
  case 0: r = 1; break;
  case 1: r = sqrtf(x + 2.f); break;
  case 2: r = x * 3.f; break;
  case 3: r = sinf(x * 1000.f); break;
  case 4: r = x / 7.f; break;
  case 5: r = powf(x, 1.5f); break;
  case 6: r = fmodf(x, 4.f); break;
  case 7: r = __bfloat162float(__float2bfloat16(x * 1.001f)); break;
  default: r = -1;
  }
  o[threadIdx.x] = r;
}
extern "C" __global__ void wide(const unsigned long long *a, unsigned long long *o) {
  unsigned long long x = a[threadIdx.x];
  o[threadIdx.x] = __umul64hi(x, a[0]) + (unsigned long long)(((unsigned __int128)x * 12345 + a[1]) >> 40) + x / 1000003 % 77;
}
)";

const std::optional<std::string> &asynchronous() {
  static std::string why;
  static const std::optional<std::string> text = compileCuda(Asynchronous, "sm_90a", why);
  if (!text)
    MESSAGE(why);
  return text;
}

constexpr std::string_view Library = R"(
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cub/block/block_radix_sort.cuh>
#include <cuda/pipeline>
namespace cg = cooperative_groups;
extern "C" __global__ void sort(unsigned *a) {
  using Sort = cub::BlockRadixSort<unsigned, 128, 4>;
  __shared__ typename Sort::TempStorage storage;
  unsigned keys[4];
  for (int i = 0; i < 4; ++i) keys[i] = a[threadIdx.x * 4 + i];
  Sort(storage).Sort(keys);
  for (int i = 0; i < 4; ++i) a[threadIdx.x * 4 + i] = keys[i];
}
extern "C" __global__ void tiles(int *a, int *o) {
  auto block = cg::this_thread_block();
  auto warp = cg::tiled_partition<32>(block);
  auto four = cg::tiled_partition<4>(block);
  o[threadIdx.x] = cg::reduce(warp, a[threadIdx.x], cg::plus<int>()) + 1000 * cg::reduce(four, a[threadIdx.x], cg::greater<int>());
}
#pragma nv_diag_suppress static_var_with_dynamic_init
extern "C" __global__ void staged(const float *a, float *o) {
  __shared__ float s[2][128];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  auto block = cg::this_thread_block();
  auto pipe = cuda::make_pipeline(block, &state);
  for (int i = 0; i < 2; ++i) {
    pipe.producer_acquire();
    cuda::memcpy_async(block, s[i], a + i * 128, cuda::aligned_size_t<16>(512), pipe);
    pipe.producer_commit();
  }
  float sum = 0;
  for (int i = 0; i < 2; ++i) {
    pipe.consumer_wait();
    sum += s[i][127 - threadIdx.x];
    pipe.consumer_release();
  }
  o[threadIdx.x] = sum;
}
)";

const std::optional<std::string> &library() {
  static std::string why;
  static const std::optional<std::string> text = compileCuda(Library, "sm_90a", why);
  if (!text)
    MESSAGE(why);
  return text;
}

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

TEST_CASE("nvcc: cuda::barrier with bulk copies both ways") {
  if (!asynchronous())
    return;
  std::vector<int> a(768), o(768);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = int(i * 7);
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Device device;
    Launch launch{.grid = {3}, .block = {96}};
    launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
        .pointer(device.add("o", bytesOf(o), Contents::Undefined));
    std::fill(o.begin(), o.end(), 0);
    Report report = launchText(*asynchronous(), "bulk", device, launch, {.seed = seed});
    CHECK_MESSAGE(report.ok(), report.format());
    for (size_t i = 0; i < a.size(); ++i)
      REQUIRE(o[i] == a[i] * 2 + 1);
  }
  // Without the second fence the bulk store may read what was there before.
  std::string text = *asynchronous();
  size_t last = text.rfind("fence.proxy.async");
  text.erase(last, text.find(';', last) - last);
  Device device;
  Launch launch{.grid = {3}, .block = {96}};
  launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
      .pointer(device.add("o", bytesOf(o), Contents::Undefined));
  CHECK(has(launchText(text, "bulk", device, launch), FaultKind::MissingFence));
}

TEST_CASE("nvcc: a pipeline of asynchronous copies") {
  if (!asynchronous())
    return;
  int n = 5;
  std::vector<float> a = randomFloats(size_t(n) * 256, 8), o(256);
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Device device;
    Launch launch{.block = {64}};
    launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
        .pointer(device.add("o", bytesOf(o), Contents::Undefined))
        .value(n);
    Report report = launchText(*asynchronous(), "pipeline", device, launch, {.seed = seed});
    CHECK_MESSAGE(report.ok(), report.format());
    for (size_t t = 0; t < 64; ++t)
      for (size_t e = 0; e < 4; ++e) {
        float sum = 0;
        for (size_t i = 0; i < size_t(n); ++i)
          sum += a[i * 256 + (63 - t) * 4 + e];
        REQUIRE(o[t * 4 + e] == sum);
      }
  }
}

TEST_CASE("nvcc: ldmatrix and mma.sync") {
  if (!asynchronous())
    return;
  std::vector<float> values = randomFloats(384, 9), c(128);
  std::vector<uint16_t> a(256), b(128);
  for (size_t i = 0; i < 384; ++i)
    (i < 256 ? a[i] : b[i - 256]) = toBfloatNearest(values[i]);
  Device device;
  Launch launch{.block = {32}};
  launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
      .pointer(device.add("b", bytesOf(b), Contents::Defined))
      .pointer(device.add("c", bytesOf(c), Contents::Undefined));
  Report report = launchText(*asynchronous(), "product", device, launch);
  CHECK_MESSAGE(report.ok(), report.format());
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 8; ++j) {
      double sum = 0;
      for (size_t k = 0; k < 16; ++k)
        sum += double(bfloatToFloat(a[i * 16 + k])) * bfloatToFloat(b[k * 8 + j]);
      REQUIRE(c[i * 8 + j] == doctest::Approx(sum).epsilon(1e-5));
    }
}

namespace {
/// C (16 x 16) := 2 (C^T + A B), rows of A and rows or columns of B 24 elements apart.
template <typename T>
void checkWmma(std::string_view entry, int depth, bool columnsOfB, T (*encode)(float), float (*decode)(T)) {
  CAPTURE(std::string(entry));
  std::vector<float> values = randomFloats(2 * 16 * 24, 12), c = randomFloats(256, 13), before = c;
  std::vector<T> a(16 * 24), b(16 * 24);
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = encode(values[i]);
    b[i] = encode(values[a.size() + i]);
  }
  Device device;
  Launch launch{.block = {32}};
  launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
      .pointer(device.add("b", bytesOf(b), Contents::Defined))
      .pointer(device.add("c", bytesOf(c), Contents::Defined));
  Report report = launchText(*asynchronous(), entry, device, launch);
  CHECK_MESSAGE(report.ok(), report.format());
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) {
      double sum = before[size_t(j * 16 + i)];
      for (int k = 0; k < depth; ++k)
        sum += double(decode(a[size_t(i * 24 + k)])) * decode(b[size_t(columnsOfB ? j * 24 + k : k * 24 + j)]);
      REQUIRE(c[size_t(i * 16 + j)] == doctest::Approx(2 * sum).epsilon(1e-5));
    }
}
} // namespace

TEST_CASE("nvcc: nvcuda::wmma") {
  if (!asynchronous())
    return;
  checkWmma<uint16_t>("wmmaBf16", 16, true, toBfloatNearest, bfloatToFloat);
  checkWmma<uint16_t>("wmmaF16", 16, false, [](float x) { return toHalf(x); }, halfToFloat);
  auto truncated = [](float x) { return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xffffe000); };
  checkWmma<float>("wmmaTf32", 8, true, truncated, [](float x) { return x; });
}

TEST_CASE("nvcc: a switch over library functions; 128-bit integers") {
  if (!asynchronous())
    return;
  std::vector<int> a(32);
  std::vector<float> o(32);
  for (size_t i = 0; i < 32; ++i)
    a[i] = int(i % 9);
  Device device;
  Launch launch{.block = {32}};
  launch.arguments.pointer(device.add("a", bytesOf(a), Contents::Defined))
      .pointer(device.add("o", bytesOf(o), Contents::Undefined));
  Report report = launchText(*asynchronous(), "choose", device, launch);
  CHECK_MESSAGE(report.ok(), report.format());
  const double expected[] = {1, std::sqrt(3.0), 6, std::sin(3000.0), 4.0 / 7, std::pow(5, 1.5), 2, 7, -1};
  for (size_t i = 0; i < 32; ++i)
    CHECK(o[i] == doctest::Approx(expected[i % 9]).epsilon(1e-5));

  std::vector<uint64_t> x(32), y(32);
  std::mt19937_64 random(3);
  for (uint64_t &value : x)
    value = random();
  Device second;
  Launch wide{.block = {32}};
  wide.arguments.pointer(second.add("x", bytesOf(x), Contents::Defined))
      .pointer(second.add("y", bytesOf(y), Contents::Undefined));
  Report other = launchText(*asynchronous(), "wide", second, wide);
  CHECK_MESSAGE(other.ok(), other.format());
  for (size_t i = 0; i < 32; ++i) {
    using Wide = unsigned __int128;
    uint64_t high = uint64_t(Wide(x[i]) * x[0] >> 64), shifted = uint64_t((Wide(x[i]) * 12345 + x[1]) >> 40);
    CHECK(y[i] == high + shifted + x[i] / 1000003 % 77);
  }
}

TEST_CASE("nvcc: the toolkit's own block sort, tiles and staged pipeline") {
  if (!library())
    return;
  std::mt19937 random(10);
  for (uint64_t seed = 0; seed < 3; ++seed) {
    std::vector<uint32_t> keys(512);
    for (uint32_t &key : keys)
      key = random();
    std::vector<uint32_t> sorted = keys;
    std::sort(sorted.begin(), sorted.end());
    Device device;
    Launch launch{.block = {128}};
    launch.arguments.pointer(device.add("keys", bytesOf(keys), Contents::Defined));
    Report report = launchText(*library(), "sort", device, launch, {.seed = seed});
    CHECK_MESSAGE(report.ok(), report.format());
    CHECK(keys == sorted);

    std::vector<int> a(128), o(128);
    for (int &value : a)
      value = int(random() % 100);
    Device second;
    Launch tiles{.block = {128}};
    tiles.arguments.pointer(second.add("a", bytesOf(a), Contents::Defined))
        .pointer(second.add("o", bytesOf(o), Contents::Undefined));
    report = launchText(*library(), "tiles", second, tiles, {.seed = seed});
    CHECK_MESSAGE(report.ok(), report.format());
    for (int i = 0; i < 128; ++i) {
      auto warp = a.begin() + i / 32 * 32, four = a.begin() + i / 4 * 4;
      CHECK(o[size_t(i)] == std::accumulate(warp, warp + 32, 0) + 1000 * *std::max_element(four, four + 4));
    }

    std::vector<float> f = randomFloats(256, uint32_t(seed)), g(128);
    Device third;
    Launch staged{.block = {128}};
    staged.arguments.pointer(third.add("f", bytesOf(f), Contents::Defined))
        .pointer(third.add("g", bytesOf(g), Contents::Undefined));
    report = launchText(*library(), "staged", third, staged, {.seed = seed});
    CHECK_MESSAGE(report.ok(), report.format());
    for (size_t i = 0; i < 128; ++i)
      CHECK(g[i] == f[127 - i] + f[255 - i]);
  }
}

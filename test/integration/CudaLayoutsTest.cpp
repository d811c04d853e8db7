// What one head of keys or one batch entry means to a compiled kernel that copies boxes by TMA: the same bits as copies
// of it, on the simulated driver (test/cuda-sim), which takes no tensor map with a stride of 0.
#include "test/integration/ShippedPattern.h"
#include "test/runtime/CudaSupport.h"

#include <sattn/compiler.h>
#include <sattn/sattn.hpp>

namespace sattn::rt::testing {
namespace {

const int64_t batch = 2, length = 140, heads = 3, features = 64;
const std::vector<int64_t> whole = {batch, length, heads, features};

std::string readPattern(const std::string &name) { return sattn::testing::shippedPattern(SATTN_PATTERNS, name); }

/// Multiples of 1/8 from -2 to 2, in bfloat16.
std::vector<uint16_t> numbers(int64_t count, uint32_t seed) {
  std::vector<uint16_t> values;
  for (int64_t i = 0; i < count; ++i) {
    seed = seed * 1664525 + 1013904223;
    float value = (static_cast<float>((seed >> 16) % 33) - 16) / 8;
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    values.push_back(static_cast<uint16_t>(bits >> 16));
  }
  return values;
}

/// What a view of `shape` and `strides` shows, one element after the other.
std::vector<uint16_t> shown(const std::vector<uint16_t> &memory, const std::vector<int64_t> &strides) {
  std::vector<uint16_t> values;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < length; ++t)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t i = 0; i < features; ++i)
          values.push_back(
              memory[static_cast<size_t>(b * strides[0] + t * strides[1] + h * strides[2] + i * strides[3])]);
  return values;
}

sattn::Tensor view(const DeviceArray<uint16_t> &memory, const std::vector<int64_t> &strides) {
  return {memory.data(), sattn::bfloat16, whole, strides};
}

} // namespace

TEST_CASE("one head of keys, one batch entry or one of both for all, as boxes") {
  CudaSim sim("cc=90");
  CurrentContext current(sim);
  sattn::Options options;
  options.memoryOnly = true;
  sattn::Context context(options);
  sattn::check(sattn_compiler_install(context.get()));
  const std::vector<int64_t> compact = {length * heads * features, heads * features, features, 1};
  DeviceArray<uint16_t> q(sim, numbers(batch * length * heads * features, 1));
  for (const char *pattern : {"causal", "compressed"}) {
    std::string bind = "D=64,Dv=64,dtype=bf16,group=1";
    sattn::Kernel kernel = context.get(readPattern(pattern), bind, "cuda");
    CHECK(kernel.target() == "sm_90a");
    for (const std::vector<int64_t> &shared : {std::vector<int64_t>{length * features, features, 0, 1},
                                               {0, heads * features, features, 1},
                                               {0, features, 0, 1}}) {
      CAPTURE(pattern);
      CAPTURE(shared[0]);
      CAPTURE(shared[2]);
      std::vector<uint16_t> keys = numbers(batch * length * heads * features, 2), values = numbers(keys.size(), 3);
      DeviceArray<uint16_t> k(sim, keys), v(sim, values), allKeys(sim, shown(keys, shared)),
          allValues(sim, shown(values, shared)), o(sim, std::vector<uint16_t>(keys.size())), expected(sim, o.host);
      auto run = [&](const DeviceArray<uint16_t> &k, const DeviceArray<uint16_t> &v,
                     const std::vector<int64_t> &strides, const DeviceArray<uint16_t> &o) {
        sattn::Call()
            .cuda(0)
            .input("q", view(q, compact))
            .input("k", view(k, strides))
            .input("v", view(v, strides))
            .output("o", view(o, compact))
            .run(kernel);
      };
      run(allKeys, allValues, compact, expected);
      run(k, v, shared, o);
      CHECK(o.download() == expected.download());
      CHECK(std::any_of(o.host.begin(), o.host.end(), [](uint16_t bits) { return bits != 0; }));
    }
  }
  CHECK(sim.calls("cuTensorMapEncodeTiled") > 0);
}

} // namespace sattn::rt::testing

// Compiled kernels compute the same bits wherever their operands and results lie: permuted and padded axes, axes that
// run backwards, one head or batch entry for all, and strides past 2^31 elements. Numbers are right because the golden
// tests and the oracle say so of compact tensors; here every other layout is compared with the compact one.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "test/integration/ShippedPattern.h"

#include <sattn/compiler.h>
#include <sattn/sattn.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <cstring>
#include <map>
#include <sys/mman.h>

namespace {

/// Address space that is memory where it is touched.
class Space {
public:
  explicit Space(size_t size) : bytes(size) {
    start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(start != MAP_FAILED);
  }
  ~Space() { munmap(start, bytes); }
  Space(const Space &) = delete;
  char *data() const { return static_cast<char *>(start); }

private:
  size_t bytes;
  void *start;
};

using Sizes = std::map<std::string, int64_t>;

struct Case {
  std::string pattern, bind;
  Sizes sizes;
};

/// An axis that is no feature may lie anywhere.
bool isFeature(const std::string &axis) { return axis[0] == 'D' || (axis[0] >= '0' && axis[0] <= '9'); }

enum class Layout { Compact, Permuted, Padded, Reversed, FarBatch, FarPosition, FarHead };
constexpr Layout layouts[] = {Layout::Permuted, Layout::Padded,      Layout::Reversed,
                              Layout::FarBatch, Layout::FarPosition, Layout::FarHead};
constexpr int64_t far = (int64_t(1) << 31) + 4096;

/// One operand or result in memory of its own.
class Placed {
public:
  Placed(const sattn_operand_info &info, const Sizes &sizes, Layout layout)
      : axes(info.axes, info.axes + info.ndim), dtype(info.dtype), bytes(dtype == "f32" || dtype == "i32" ? 4 : 2) {
    for (int i = 0; i < info.ndim; ++i)
      shape.push_back(info.sizes[i] >= 0 ? info.sizes[i] : sizes.at(axes[i]));
    choose(layout);
    int64_t low = 0, high = 1;
    for (size_t i = 0; i < shape.size(); ++i)
      (strides[i] < 0 ? low : high) += strides[i] * std::max<int64_t>(shape[i] - 1, 0);
    space = std::make_unique<Space>(static_cast<size_t>((high - low) * bytes));
    base = space->data() - low * bytes;
  }

  sattn::Tensor tensor() const {
    DLDataType type = dtype == "f16" ? sattn::float16 : dtype == "bf16" ? sattn::bfloat16 : sattn::float32;
    return sattn::Tensor(base, type, shape, strides);
  }
  /// Calls `visit` with the bits of each element in the order of the compact tensor.
  template <typename Visit> void forEach(Visit visit) const {
    std::vector<int64_t> index(shape.size(), 0);
    int64_t count = 1;
    for (int64_t size : shape)
      count *= size;
    for (int64_t i = 0; i < count; ++i) {
      int64_t offset = 0;
      for (size_t axis = 0; axis < shape.size(); ++axis)
        offset += index[axis] * strides[axis];
      visit(base + offset * bytes);
      for (size_t axis = shape.size(); axis-- > 0;) {
        if (++index[axis] < shape[axis])
          break;
        index[axis] = 0;
      }
    }
  }
  /// Multiples of 1/8 from -2 to 2, which every dtype holds exactly.
  void fill(uint64_t seed) {
    uint64_t state = seed * 0x9E3779B97F4A7C15ull + 1;
    forEach([&](char *element) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      float value = (static_cast<float>((state >> 33) % 33) - 16) / 8;
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      if (dtype == "bf16")
        bits >>= 16;
      else if (dtype == "f16")
        bits = value == 0 ? 0 : (bits >> 16 & 0x8000) | ((bits >> 13 & 0x3ffff) - (112 << 10));
      std::memcpy(element, &bits, static_cast<size_t>(bytes));
    });
  }
  std::string content() const {
    std::string all;
    forEach([&](const char *element) { all.append(element, static_cast<size_t>(bytes)); });
    return all;
  }

private:
  void choose(Layout layout) {
    strides.assign(shape.size(), 1);
    int64_t stride = 1;
    std::vector<size_t> outer;
    for (size_t i = shape.size(); i-- > 0;)
      if (isFeature(axes[i])) {
        strides[i] = stride;
        stride *= shape[i];
      } else {
        outer.push_back(i);
      }
    if (layout == Layout::Permuted) // heads outside positions outside batch entries
      std::reverse(outer.begin(), outer.end());
    for (size_t i : outer) {
      bool isFar = (layout == Layout::FarBatch && axes[i] == "B") ||
                   (layout == Layout::FarPosition && std::strchr("tusc", axes[i][0])) ||
                   (layout == Layout::FarHead && std::strchr("hg", axes[i][0]));
      if (layout == Layout::Padded)
        stride += 3;
      // Inner axes stay inside one step of the far one.
      strides[i] = isFar ? std::max(far, stride) : stride;
      stride = std::max<int64_t>(strides[i] * std::max<int64_t>(shape[i], 1), 1);
      if (layout == Layout::Reversed)
        strides[i] = -strides[i];
    }
  }

  std::vector<std::string> axes;
  std::string dtype;
  int64_t bytes;
  std::vector<int64_t> shape, strides;
  std::unique_ptr<Space> space;
  char *base = nullptr;
};

std::string readPattern(const std::string &name) { return sattn::testing::shippedPattern(SATTN_PATTERNS, name); }

/// The bits of all results of a call in one layout.
std::vector<std::string> run(const sattn::Kernel &kernel, const Sizes &sizes, Layout layout, int threads) {
  sattn::Call call;
  std::vector<Placed> inputs, outputs;
  for (const sattn_operand_info &info : kernel.roles()) {
    inputs.emplace_back(info, sizes, layout).fill(inputs.size());
    call.input(info.name, inputs.back().tensor());
  }
  for (const sattn_operand_info &info : kernel.results()) {
    outputs.emplace_back(info, sizes, layout);
    call.output(info.name, outputs.back().tensor());
  }
  call.qOffset({sizes.at("s") - sizes.at("t"), 3}).kvLen({sizes.at("s"), 50}).threads(threads);
  call.run(kernel);
  std::vector<std::string> bits;
  for (const Placed &output : outputs)
    bits.push_back(output.content());
  return bits;
}

const Sizes plain = {{"B", 2}, {"t", 37}, {"s", 70}, {"h", 4}, {"g", 2}};
Sizes with(Sizes more) {
  more.insert(plain.begin(), plain.end());
  return more;
}

const Case cases[] = {
    {"causal", "D=16,Dv=24,dtype=f32,group=2", plain},
    {"window_sinks", "D=16,Dv=16,dtype=bf16,group=2", plain},
    {"strided", "D=16,Dv=16,dtype=f16,group=2,stride=7", plain},
    {"compressed", "D=16,Dv=16,d=8,dtype=f32,group=2,l=16", with({{"c(16, 8)", 7}})},
    {"moba", "D=16,Dv=8,dtype=f16,group=2,l=16,n=2", plain},
    {"quest", "D=16,Dv=8,dtype=bf16,group=2,n=2,page=16", plain},
    {"topk_blocks", "D=16,Dv=16,b=16,dtype=f32,group=2,n=2", plain},
    {"nsa", "D=16,Dv=16,b=16,d=8,dtype=bf16,dtype.g=f32,group=2,l=16,n=3", plain},
    {"nsa_ext", "D=16,Dv=16,b=16,d=8,dtype=f32,group=2,l=16,n=3", with({{"c(16, 8)", 7}})},
    {"hsa", "D=16,D2=16,Dv=16,dtype=f32,group=2,group.g2=2,l=16,n=2", with({{"g2", 2}, {"c(16)", 4}})},
};

} // namespace

TEST_CASE("a layout changes no bit of a result") {
  sattn::Options options;
  options.memoryOnly = true;
  sattn::Context context(options);
  sattn::check(sattn_compiler_install(context.get()));
  for (const Case &c : cases) {
    CAPTURE(c.pattern);
    sattn::Kernel kernel = context.get(readPattern(c.pattern), c.bind);
    std::vector<std::string> expected = run(kernel, c.sizes, Layout::Compact, 1);
    CHECK(std::any_of(expected[0].begin(), expected[0].end(), [](char byte) { return byte != 0; }));
    for (Layout layout : layouts) {
      CAPTURE(static_cast<int>(layout));
      CHECK(run(kernel, c.sizes, layout, 2) == expected);
    }
  }
}

TEST_CASE("one head of keys and one batch entry for all, without copies") {
  sattn::Options options;
  options.memoryOnly = true;
  sattn::Context context(options);
  sattn::check(sattn_compiler_install(context.get()));
  sattn::Kernel kernel = context.get(readPattern("moba"), "D=8,Dv=8,dtype=f32,group=1,l=16,n=2");
  const int64_t B = 2, T = 40, H = 3, D = 8;
  std::vector<float> q(B * T * H * D), keys(T * D), values(T * D), copied[2], o(q.size()), expected(q.size());
  for (size_t i = 0; i < q.size(); ++i)
    q[i] = static_cast<float>(i * 7 % 33) / 8 - 2;
  for (size_t i = 0; i < keys.size(); ++i) {
    keys[i] = static_cast<float>(i * 11 % 31) / 8 - 2;
    values[i] = static_cast<float>(i * 13 % 29) / 8 - 2;
  }
  for (int64_t b = 0; b < B; ++b)
    for (int64_t t = 0; t < T; ++t)
      for (int64_t h = 0; h < H; ++h)
        for (int64_t i = 0; i < D; ++i) {
          copied[0].push_back(keys[t * D + i]);
          copied[1].push_back(values[t * D + i]);
        }
  const std::vector<int64_t> shape = {B, T, H, D}, shared = {0, D, 0, 1};
  sattn::Call()
      .input("q", {q.data(), shape})
      .input("k", {copied[0].data(), shape})
      .input("v", {copied[1].data(), shape})
      .output("o", {expected.data(), shape})
      .run(kernel);
  sattn::Call()
      .input("q", {q.data(), shape})
      .input("k", {keys.data(), shape, shared})
      .input("v", {values.data(), shape, shared})
      .output("o", {o.data(), shape})
      .run(kernel);
  CHECK(o == expected);
}

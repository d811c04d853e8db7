// Byte integers at every level this machine runs: their way to float32 and back, distances and products of them against
// sums in integers, exactly. Few rows meet keys where these lie or where they were copied to, many rows in panels.
#include "test/codegen/cpu/OpHelpers.h"
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

namespace {
constexpr int64_t kTile = 64, kKeys = 250, kHeads = 2;

void fillBytes(Tensor &tensor, unsigned seed, unsigned count = 256) {
  std::mt19937 random(seed);
  int least = tensor.type == Tensor::I8 ? -128 : 0;
  tensor.fill([&] { return static_cast<double>(static_cast<int>(random() % count) + least); });
}

/// How the keys of a dot come: read in a stream, or computed.
enum class Keys { Read, Computed };

/// Scores of `rows` rows and the first n keys of a head, tile by tile; -inf behind them.
std::string scoresOf(const Tensor &a, int64_t rows, const std::string &kind, Keys keys, int64_t below) {
  return oneKernel("%a: A<$E$, $D$>, %b: A<$E$, $D$>, %y: A<f32, 64>, %n: index, %full: index", R"(
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %rows = arith.constant $R$ : index
    %av = @slice %a[%c0, %gy] : A<$E$, $D$> -> V<$E$, $D$>
    %bv = @slice %b[%c0, %gy] limit %n : A<$E$, $D$> -> V<$E$, $D$>
    %yv = @slice %y[%c0, %gy] : A<f32, 64> -> V<f32, 64>
    %at = @load %av[%c0] : V<$E$, $D$> -> T<$R$x$D$xf32>
    %hi = arith.ceildivsi %n, %c64 : index
    %cover = @cover hull(%c0 to %hi) full(%c0 to %full)
    @stream %j in %cover {
      %p = arith.muli %j, %c64 : index
      %first = arith.muli %j, %rows : index
      %bt = @load %bv[%p] : V<$E$, $D$> -> T<64x$D$xf32>$MAP$
      %z = @dot $K$ %at, $S$ $BELOW$: T<$R$x$D$xf32>, T<64x$D$xf32> -> T<$R$x64xf32>
      %m = @mask %z rows(%c0) cols(%p) symbols(%n) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s)[n] : (n - s - 1 >= 0)>]} : T<$R$x64xf32>
      @store %m, %yv[%first] : T<$R$x64xf32>, V<f32, 64>
    })",
                   {{"MAP", keys == Keys::Read ? "" : R"(
      %b2 = @map (%e = %bt) : T<64x$D$xf32> -> T<64x$D$xf32> {
        @yield %e : f32
      })"},
                    {"S", keys == Keys::Read ? "%bt" : "%b2"},
                    {"E", a.typeName()},
                    {"D", n(a.inner)},
                    {"R", n(rows)},
                    {"BELOW", below == 0 ? "" : "{below = " + n(below) + " : i64} "},
                    {"K", kind}});
}

void agree(Isa isa, Tensor::Type type, const std::string &kind, int64_t rows, int64_t features, int64_t heads,
           Keys keys, int64_t below = 0) {
  Tensor a(type, 1, rows, heads, features), b(type, 1, kKeys, heads, features);
  Tensor y(Tensor::F32, 1, (kKeys / kTile + 1) * rows, heads, kTile);
  unsigned count = below == 0 ? 256 : static_cast<unsigned>(below);
  fillBytes(a, 1, count);
  fillBytes(b, 2, count);
  auto program = compiled(scoresOf(a, rows, kind, keys, below), isa);
  for (int64_t live : {kKeys, kKeys / 2, kTile, int64_t(3)}) {
    y.fill([] { return NAN; });
    Frame frame;
    a.in(frame);
    b.in(frame);
    y.in(frame).index(live).index(live / kTile);
    program->run("k", frame, 1, heads, 1);
    bool same = true;
    for (int64_t key = 0; key < (live + kTile - 1) / kTile * kTile; ++key)
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t head = 0; head < heads; ++head) {
          int64_t sum = 0;
          for (int64_t d = 0; d < features && key < live; ++d) {
            auto x = static_cast<int64_t>(a.get(0, row, head, d)), z = static_cast<int64_t>(b.get(0, key, head, d));
            sum += kind == "l1" ? std::abs(x - z) : x * z;
          }
          double want = key < live ? static_cast<double>(sum) : -INFINITY;
          same &= y.get(0, key / kTile * rows + row, head, key % kTile) == want;
        }
    INFO(targetName(isa).str(), " ", std::string(a.typeName()), " ", kind, ": ", rows, " rows, ", features,
         " features, ", heads, " heads, ", live, " keys", keys == Keys::Read ? "" : ", computed");
    CHECK(same);
  }
}
} // namespace

TEST_CASE("distances and products of bytes are exact") {
  for (Isa isa : levels())
    for (auto [type, kind] :
         {std::pair{Tensor::U8, "l1"}, {Tensor::I8, "nt"}, {Tensor::I8, "l1"}, {Tensor::U8, "nt"}}) {
      for (int64_t rows : {1, 2, 3, 8, 20})
        for (int64_t features : {1, 16, 64, 128})
          agree(isa, type, kind, rows, features, 1, Keys::Read);
      // Rows that do not follow one another or end within a vector.
      for (int64_t features : {24, 96, 130, 200})
        for (int64_t rows : {1, 8})
          agree(isa, type, kind, rows, features, kHeads, Keys::Read);
      agree(isa, type, kind, 8, 64, kHeads, Keys::Read);
      agree(isa, type, kind, 3, 40, 1, Keys::Computed);
    }
}

TEST_CASE("distances of codes of two bits, or of more, are exact where bits are counted") {
  if (!runs(Isa::Avx512Bf16))
    return;
  for (int64_t rows : {1, 3, 8, 16})
    for (int64_t features : {1, 40, 64, 128, 200})
      agree(Isa::Avx512Bf16, Tensor::U8, "l1", rows, features, 1, Keys::Read, 4);
  for (int64_t below : {1, 2, 3, 5})
    agree(Isa::Avx512Bf16, Tensor::U8, "l1", 8, 16, 1, Keys::Read, below);
  agree(Isa::Avx512Bf16, Tensor::U8, "l1", 8, 128, kHeads, Keys::Read, 4);
  agree(Isa::Avx512Bf16, Tensor::U8, "l1", 8, 128, 1, Keys::Computed, 4);
  agree(Isa::Avx512, Tensor::U8, "l1", 8, 128, 1, Keys::Read, 4);
}

TEST_CASE("bytes are loaded as they are, and stored as the nearest there is") {
  for (Isa isa : levels())
    for (Tensor::Type type : {Tensor::I8, Tensor::U8})
      for (auto [rows, cols] : {std::pair<int64_t, int64_t>{32, 40}, {48, 1}, {16, 7}}) {
        Tensor a(type, 1, rows, 1, cols), f(Tensor::F32, 1, rows, 1, cols);
        Tensor b(type, 1, rows, 1, cols), g(Tensor::F32, 1, rows, 1, cols);
        fillBytes(a, 3);
        std::mt19937 random(4);
        f.fill([&] { return static_cast<double>(random() % 6000) / 10 - 300; });
        f.set(0, 1, 0, 0, INFINITY);
        f.set(0, 2, 0, 0, NAN);
        auto program = compiled(oneKernel("%a: A<$E$, $C$>, %f: A<f32, $C$>, %b: A<$E$, $C$>, %g: A<f32, $C$>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<$E$, $C$> -> V<$E$, $C$>
    %fv = @slice %f[%c0, %c0] : A<f32, $C$> -> V<f32, $C$>
    %bv = @slice %b[%c0, %c0] : A<$E$, $C$> -> V<$E$, $C$>
    %gv = @slice %g[%c0, %c0] : A<f32, $C$> -> V<f32, $C$>
    %x = @load %av[%c0] : V<$E$, $C$> -> T<$T$xf32>
    %y = @load %fv[%c0] : V<f32, $C$> -> T<$T$xf32>
    @store %x, %gv[%c0] : T<$T$xf32>, V<f32, $C$>
    @store %y, %bv[%c0] : T<$T$xf32>, V<$E$, $C$>)",
                                          {{"E", a.typeName()}, {"C", n(cols)}, {"T", n(rows) + "x" + n(cols)}}),
                                isa);
        Frame frame;
        for (Tensor *tensor : {&a, &f, &b, &g})
          tensor->in(frame);
        program->run("k", frame, 1, 1, 1);
        double least = type == Tensor::I8 ? -128 : 0, most = least + 255;
        bool same = true;
        for (int64_t row = 0; row < rows; ++row)
          for (int64_t col = 0; col < cols; ++col) {
            double x = f.get(0, row, 0, col), want = std::isnan(x) ? least : std::nearbyint(std::clamp(x, least, most));
            same &= g.get(0, row, 0, col) == a.get(0, row, 0, col) && b.get(0, row, 0, col) == want;
          }
        INFO(targetName(isa).str(), " ", std::string(a.typeName()), " ", rows, "x", cols);
        CHECK(same);
      }
}

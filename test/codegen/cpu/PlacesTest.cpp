// What stands for the places of rows and columns, at every level this machine runs: numbers that count, numbers for
// each key in one row, one number a head.
#include "test/codegen/cpu/OpHelpers.h"
#include <doctest/doctest.h>
#include <cmath>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

// y[r, c] = a[r, c] + (r floordiv 2) + 3 c + keys[from + c] + head, and 0 for keys that do not exist.
static double expected(const Tensor &a, const Tensor &keys, const Tensor &head, int64_t r, int64_t c, int64_t from,
                       int64_t limit) {
  double key = from + c >= 0 && from + c < limit ? keys.get(0, from + c, keys.heads - 1, 0) : 0;
  return a.get(0, r, 0, c) + static_cast<double>(r / 2 + 3 * c) + key + head.get(0, 0, 1, 0);
}

TEST_CASE("maps read numbers that count, a number for each column and one for all") {
  constexpr int64_t rows = 48, cols = 40, positions = 100;
  for (Isa isa : levels())
    for (Tensor::Type type : {Tensor::F32, Tensor::F16, Tensor::BF16, Tensor::I32})
      // With one head the keys stand side by side.
      for (int64_t heads : {1, 3})
        for (auto [from, limit] : {std::pair<int64_t, int64_t>{0, 100}, {7, 90}, {60, 100}, {70, 75}, {-5, 100}}) {
          Tensor a(Tensor::F32, 1, rows, 1, cols), y(Tensor::F32, 1, rows, 1, cols), head(Tensor::F32, 1, 1, 2, 1);
          Tensor keys(type, 1, positions, heads, 1);
          fillNormal(a, 1);
          fillNormal(head, 2);
          int64_t next = 0;
          keys.fill([&] { return static_cast<double>(++next % 50); });
          bool integers = type == Tensor::I32;
          Names names = {{"K", keys.typeName()},
                         {"E", integers ? "i32" : "f32"},
                         {"H", n(heads - 1)},
                         {"F", n(from)},
                         {"L", n(limit)},
                         {"W", integers ? "%w = arith.sitofp %k : i32 to f32" : "%w = arith.addf %k, %zero : f32"}};
          auto program = compiled(oneKernel("%a: A<f32, 40>, %keys: A<$K$, 1>, %head: A<f32, 1>, %y: A<f32, 40>", R"(
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %last = arith.constant $H$ : index
    %from = arith.constant $F$ : index
    %limit = arith.constant $L$ : index
    %av = @slice %a[%c0, %c0] : A<f32, 40> -> V<f32, 40>
    %yv = @slice %y[%c0, %c0] : A<f32, 40> -> V<f32, 40>
    %kv = @slice %keys[%c0, %last] limit %limit : A<$K$, 1> -> V<$K$, 1>
    %hv = @slice %head[%c0, %c1] repeat : A<f32, 1> -> V<f32, 1>
    %at = @load %av[%c0] : V<f32, 40> -> T<48x40xf32>
    %kt = @load %kv[%from] : V<$K$, 1> -> T<1x40x$E$>
    %ht = @load %hv[%c0] : V<f32, 1> -> T<48xf32>
    %rows = @iota affine_map<(r) -> (r floordiv 2)> : T<48xf32>
    %cols = @iota affine_map<(c) -> (3 * c)> : T<1x40xf32>
    %zero = arith.constant 0.0 : f32
    %u = @map (%e = %at, %k = %kt, %h = %ht, %r = %rows, %c = %cols) : T<48x40xf32>, T<1x40x$E$>, T<48xf32>, T<48xf32>, T<1x40xf32> -> T<48x40xf32> {
      $W$
      %s0 = arith.addf %e, %w : f32
      %s1 = arith.addf %s0, %h : f32
      %s2 = arith.addf %s1, %r : f32
      %s3 = arith.addf %s2, %c : f32
      @yield %s3 : f32
    }
    @store %u, %yv[%c0] : T<48x40xf32>, V<f32, 40>)",
                                            names),
                                  isa);
          Frame frame;
          for (Tensor *operand : {&a, &keys, &head, &y})
            operand->in(frame);
          program->run("k", frame, 1, 1, 1);
          double worst = 0;
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t c = 0; c < cols; ++c)
              worst = std::max(worst, std::fabs(y.get(0, r, 0, c) - expected(a, keys, head, r, c, from, limit)));
          INFO(targetName(isa).str(), " ", keys.typeName(), " from ", from, " to ", limit);
          CHECK(worst < 1e-4);
        }
}

TEST_CASE("a tile of one row is computed with as others are") {
  for (Isa isa : levels()) {
    Tensor keys(Tensor::F32, 1, 32, 1, 1), y(Tensor::F32, 1, 16, 1, 32);
    fillNormal(keys, 3);
    auto program = compiled(oneKernel("%keys: A<f32, 1>, %y: A<f32, 32>", R"(
    %c0 = arith.constant 0 : index
    %kv = @slice %keys[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %yv = @slice %y[%c0, %c0] : A<f32, 32> -> V<f32, 32>
    %kt = @load %kv[%c0] : V<f32, 1> -> T<1x32xf32>
    %twice = @map (%k = %kt) : T<1x32xf32> -> T<1x32xf32> {
      %s = arith.addf %k, %k : f32
      @yield %s : f32
    }
    %rows = @iota affine_map<(r) -> (r)> : T<16xf32>
    %u = @map (%k = %twice, %r = %rows) : T<1x32xf32>, T<16xf32> -> T<16x32xf32> {
      %s = arith.addf %k, %r : f32
      @yield %s : f32
    }
    @store %u, %yv[%c0] : T<16x32xf32>, V<f32, 32>)",
                                      {}),
                            isa);
    Frame frame;
    keys.in(frame);
    y.in(frame);
    program->run("k", frame, 1, 1, 1);
    bool same = true;
    for (int64_t r = 0; r < 16; ++r)
      for (int64_t c = 0; c < 32; ++c)
        same &= std::fabs(y.get(0, r, 0, c) - (2 * keys.get(0, c, 0, 0) + static_cast<double>(r))) < 1e-5;
    INFO(targetName(isa).str());
    CHECK(same);
  }
}

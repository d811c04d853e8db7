// Masks, covers, partial softmax results and selections against plain C++, at every level this machine runs.
#include "test/codegen/cpu/OpHelpers.h"
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <set>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

static int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
static int64_t mod(int64_t a, int64_t b) { return a - floorDiv(a, b) * b; }

TEST_CASE("masks hold integer sets over any positions") {
  struct Set {
    const char *text;
    bool (*holds)(int64_t t, int64_t s, int64_t w);
  };
  Set sets[] = {
      {"affine_set<(t, s)[w] : (t - s >= 0)>", [](int64_t t, int64_t s, int64_t) { return s <= t; }},
      {"affine_set<(t, s)[w] : (t - s >= 0, w - 1 - t + s >= 0)>",
       [](int64_t t, int64_t s, int64_t w) { return s <= t && t - s < w; }},
      {"affine_set<(t, s)[w] : ((t - s) mod 3 == 0, t - s >= 0)>",
       [](int64_t t, int64_t s, int64_t) { return s <= t && mod(t - s, 3) == 0; }},
      {"affine_set<(t, s)[w] : (t floordiv 16 - s floordiv 16 == 0)>",
       [](int64_t t, int64_t s, int64_t) { return floorDiv(t, 16) == floorDiv(s, 16); }},
      {"affine_set<(t, s)[w] : (s - w >= 0)>, affine_set<(t, s)[w] : (5 - s mod 7 >= 0, t * 2 - s * 3 - 1 >= 0)>",
       [](int64_t t, int64_t s, int64_t w) { return s >= w || (mod(s, 7) <= 5 && 2 * t - 3 * s - 1 >= 0); }},
      {"affine_set<(t, s)[w] : ((t * 3 - s * 5 + w) floordiv 7 - t ceildiv 4 + 20 >= 0)>",
       [](int64_t t, int64_t s, int64_t w) { return floorDiv(3 * t - 5 * s + w, 7) + floorDiv(-t, 4) + 20 >= 0; }},
      {"affine_set<(t, s)[w] : ((t + s floordiv 3) mod 1000000 - 20 >= 0)>",
       [](int64_t t, int64_t s, int64_t) { return mod(t + floorDiv(s, 3), 1000000) >= 20; }},
      {"affine_set<(t, s)[w] : (1 >= 0)>", [](int64_t, int64_t, int64_t) { return true; }},
  };
  struct Rows {
    const char *map;
    int64_t (*at)(int64_t);
  };
  Rows maps[] = {{"(r) -> (r)", [](int64_t r) { return r; }},
                 {"(r) -> (r floordiv 4)", [](int64_t r) { return r / 4; }},
                 {"(r) -> (r mod 8)", [](int64_t r) { return r % 8; }}};
  int64_t offsets[] = {0, 17, -40, (int64_t(1) << 40) + 5};
  for (Isa isa : levels())
    for (const Set &set : sets)
      for (const Rows &rows : maps) {
        Tensor a(Tensor::F32, 1, 32, 1, 24), y(Tensor::F32, 1, 32, 1, 24);
        fillNormal(a, 2);
        auto program =
            compiled(oneKernel("%a: A<f32, 24>, %y0: A<f32, 24>, %t0: index, %s0: index, %w: index, %on: index", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, 24> -> V<f32, 24>
    %yv = @slice %y0[%c0, %c0] : A<f32, 24> -> V<f32, 24>
    %t = @load %av[%c0] : V<f32, 24> -> T<32x24xf32>
    %is = arith.cmpi ne, %on, %c0 : index
    %m = @mask %t rows(%t0) cols(%s0) symbols(%w) when %is {row_map = affine_map<$M$>, sets = [$S$]} : T<32x24xf32>
    @store %m, %yv[%c0] : T<32x24xf32>, V<f32, 24>)",
                               {{"M", rows.map}, {"S", set.text}}),
                     isa);
        for (int64_t tOffset : offsets)
          for (int64_t sOffset : offsets)
            for (int64_t on : {0, 1}) {
              Frame frame;
              a.in(frame);
              y.in(frame).index(tOffset).index(sOffset).index(9).index(on);
              program->run("k", frame, 1, 1, 1);
              bool same = true;
              for (int64_t r = 0; r < 32; ++r)
                for (int64_t col = 0; col < 24; ++col)
                  same &= y.get(0, r, 0, col) ==
                          (!on || set.holds(tOffset + rows.at(r), sOffset + col, 9) ? a.get(0, r, 0, col) : -INFINITY);
              INFO(targetName(isa).str(), " ", set.text, " ", rows.map, " t0 ", tOffset, " s0 ", sOffset);
              CHECK(same);
            }
      }
}

TEST_CASE("covers visit every tile of their runs once, ascending, full where a run says so") {
  for (Isa isa : levels()) {
    // The carried row counts: visits, the sum of index + 1 where full (mask keeps), and an order hash.
    auto program =
        compiled(oneKernel("%y0: A<f32, 2>, %l0: index, %h0: index, %a0: index, %b0: index, %l1: index, %h1: index, "
                           "%a1: index, %b1: index",
                           R"(
    %c0 = arith.constant 0 : index
    %yv = @slice %y0[%c0, %c0] : A<f32, 2> -> V<f32, 2>
    %z = @splat 1.0 : T<16x2xf32>
    %cover = @cover hull(%l0 to %h0) full(%a0 to %b0), hull(%l1 to %h1) full(%a1 to %b1)
    %r = @stream %j in %cover carry(%s = %z) : T<16x2xf32> {
      %i = arith.index_cast %j : index to i32
      %one = @splat 1.0 : T<16x2xf32>
      %m = @mask %one rows(%c0) cols(%c0) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s) : (-s >= 0)>]} : T<16x2xf32>
      %u = @map (%e = %s, %k = %m, %n = %i) : T<16x2xf32>, T<16x2xf32>, i32 -> T<16x2xf32> {
        %f = arith.sitofp %n : i32 to f32
        %three = arith.constant 1.5 : f32
        %p = arith.mulf %e, %three : f32
        %q = arith.addf %p, %f : f32
        %zero = arith.constant 0.0 : f32
        %live = arith.cmpf ogt, %k, %zero : f32
        %y = arith.select %live, %q, %e : f32
        @yield %y : f32
      }
      @yield %u : T<16x2xf32>
    }
    @store %r, %yv[%c0] : T<16x2xf32>, V<f32, 2>)"),
                 isa);
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
      int64_t bounds[8];
      for (int64_t &bound : bounds)
        bound = static_cast<int64_t>(random() % 12) - 2;
      Tensor y(Tensor::F32, 1, 16, 1, 2);
      Frame frame;
      y.in(frame);
      for (int64_t bound : bounds)
        frame.index(bound);
      program->run("k", frame, 1, 1, 1);
      double all = 1, full = 1; // column 0 is kept by the mask, column 1 only in full tiles
      for (int64_t j = -5; j < 20; ++j) {
        bool visited = false, isFull = false;
        for (int run = 0; run < 2; ++run) {
          const int64_t *b = bounds + 4 * run;
          visited |= j >= b[0] && j < b[1];
          isFull |= j >= b[0] && j < b[1] && j >= b[2] && j < b[3];
        }
        if (visited)
          all = all * 1.5 + static_cast<double>(j);
        if (isFull)
          full = full * 1.5 + static_cast<double>(j);
      }
      INFO(targetName(isa).str(), " round ", round);
      CHECK(std::fabs(y.get(0, 3, 0, 0) - all) < 1e-5 * std::fabs(all) + 1e-5);
      CHECK(std::fabs(y.get(0, 3, 0, 1) - full) < 1e-5 * std::fabs(full) + 1e-5);
    }
  }
}

TEST_CASE("partial results merge, and a sink joins the denominator") {
  for (Isa isa : levels()) {
    int64_t rows = 20, cols = 6;
    Tensor m(Tensor::F32, 2, rows, 1, 1), l(Tensor::F32, 2, rows, 1, 1), acc(Tensor::F32, 2, rows, 1, cols),
        sink(Tensor::F32, 1, rows, 1, 1), o(Tensor::F32, 1, rows, 1, cols), lse(Tensor::F32, 1, rows, 1, 1);
    for (Tensor *tensor : {&m, &l, &acc, &sink})
      fillNormal(*tensor, 3);
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t r = 0; r < rows; ++r) {
        bool empty = r % 4 == b || r == 19;
        l.set(b, r, 0, 0, empty ? 0 : std::fabs(l.get(b, r, 0, 0)) + 0.1);
        if (empty) {
          m.set(b, r, 0, 0, -INFINITY);
          for (int64_t i = 0; i < cols; ++i)
            acc.set(b, r, 0, i, 0);
        }
      }
    auto program = compiled(
        oneKernel("%m: A<f32, 1>, %l: A<f32, 1>, %a: A<f32, 6>, %s: A<f32, 1>, %o: A<f32, 6>, %e: A<f32, 1>", R"(
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %m0v = @slice %m[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %m1v = @slice %m[%c1, %c0] : A<f32, 1> -> V<f32, 1>
    %l0v = @slice %l[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %l1v = @slice %l[%c1, %c0] : A<f32, 1> -> V<f32, 1>
    %a0v = @slice %a[%c0, %c0] : A<f32, 6> -> V<f32, 6>
    %a1v = @slice %a[%c1, %c0] : A<f32, 6> -> V<f32, 6>
    %sv = @slice %s[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %ov = @slice %o[%c0, %c0] : A<f32, 6> -> V<f32, 6>
    %ev = @slice %e[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %m0 = @load %m0v[%c0] : V<f32, 1> -> T<20xf32>
    %m1 = @load %m1v[%c0] : V<f32, 1> -> T<20xf32>
    %l0 = @load %l0v[%c0] : V<f32, 1> -> T<20xf32>
    %l1 = @load %l1v[%c0] : V<f32, 1> -> T<20xf32>
    %a0 = @load %a0v[%c0] : V<f32, 6> -> T<20x6xf32>
    %a1 = @load %a1v[%c0] : V<f32, 6> -> T<20x6xf32>
    %st = @load %sv[%c0] : V<f32, 1> -> T<20xf32>
    %m2, %l2, %a2 = @merge (%m0, %l0, %a0), (%m1, %l1, %a1) : T<20xf32>, T<20x6xf32>
    %ot, %et = @softmax_finish %m2, %l2, %a2 sink %st : T<20xf32>, T<20x6xf32>, T<20xf32>
    @store %ot, %ov[%c0] : T<20x6xf32>, V<f32, 6>
    @store %et, %ev[%c0] : T<20xf32>, V<f32, 1>)"),
        isa);
    Frame frame;
    for (Tensor *tensor : {&m, &l, &acc, &sink, &o, &lse})
      tensor->in(frame);
    program->run("k", frame, 1, 1, 1);
    for (int64_t r = 0; r < rows; ++r) {
      double best = std::max(m.get(0, r, 0, 0), m.get(1, r, 0, 0)), sum = 0, value = 0;
      for (int64_t b = 0; b < 2; ++b)
        if (l.get(b, r, 0, 0) > 0) {
          double factor = std::exp2(m.get(b, r, 0, 0) - best);
          sum += factor * l.get(b, r, 0, 0);
          value += factor * acc.get(b, r, 0, 2);
        }
      INFO(targetName(isa).str(), " row ", r);
      if (sum == 0) {
        CHECK(o.get(0, r, 0, 2) == 0);
        CHECK(lse.get(0, r, 0, 0) == -INFINITY);
      } else {
        double denominator = sum + std::exp2(sink.get(0, r, 0, 0) * 1.4426950408889634 - best);
        CHECK(std::fabs(o.get(0, r, 0, 2) - value / denominator) < 2e-6);
        CHECK(std::fabs(lse.get(0, r, 0, 0) - (best + std::log2(sum)) * 0.6931471805599453) < 2e-6);
      }
    }
  }
}

TEST_CASE("loops and branches carry tiles and numbers") {
  for (Isa isa : levels()) {
    auto program = compiled(oneKernel("%a: A<f32, 3>, %b: A<f32, 3>, %n: index", R"(
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %av = @slice %a[%c0, %c0] : A<f32, 3> -> V<f32, 3>
    %bv = @slice %b[%c0, %c0] : A<f32, 3> -> V<f32, 3>
    %t = @load %av[%c0] : V<f32, 3> -> T<20x3xf32>
    %s, %sum = scf.for %i = %c0 to %n step %c1 iter_args(%u = %t, %k = %c0) -> (!sattn_tile.tile<20x3xf32>, index) {
      %k1 = arith.addi %k, %i : index
      %ki = arith.index_cast %k1 : index to i32
      %odd = arith.cmpi sge, %i, %c3 : index
      %v = scf.if %odd -> (!sattn_tile.tile<20x3xf32>) {
        %w = @map (%e = %u, %f = %ki) : T<20x3xf32>, i32 -> T<20x3xf32> {
          %g = arith.sitofp %f : i32 to f32
          %y = arith.addf %e, %g : f32
          @yield %y : f32
        }
        scf.yield %w : !sattn_tile.tile<20x3xf32>
      } else {
        scf.yield %u : !sattn_tile.tile<20x3xf32>
      }
      scf.yield %v, %k1 : !sattn_tile.tile<20x3xf32>, index
    }
    %m = affine.min affine_map<(d0)[s0] -> (d0 floordiv 4 + s0 mod 3, d0 ceildiv 2, d0 * 2)>(%sum)[%n]
    %mi = arith.index_cast %m : index to i32
    %r = @map (%e = %s, %f = %mi) : T<20x3xf32>, i32 -> T<20x3xf32> {
      %g = arith.sitofp %f : i32 to f32
      %y = arith.addf %e, %g : f32
      @yield %y : f32
    }
    @store %r, %bv[%c0] : T<20x3xf32>, V<f32, 3>)"),
                            isa);
    for (int64_t count : {0, 3, 4, 7}) {
      Tensor a(Tensor::F32, 1, 20, 1, 3), b(Tensor::F32, 1, 20, 1, 3);
      fillNormal(a, 2);
      Frame frame;
      a.in(frame);
      b.in(frame).index(count);
      program->run("k", frame, 1, 1, 1);
      float want = static_cast<float>(a.get(0, 17, 0, 1));
      int64_t sum = 0;
      for (int64_t i = 0; i < count; ++i)
        if (sum += i; i >= 3)
          want += static_cast<float>(sum);
      want += static_cast<float>(std::min({sum / 4 + count % 3, (sum + 1) / 2, sum * 2}));
      INFO(targetName(isa).str(), " count ", count);
      CHECK(std::fabs(b.get(0, 17, 0, 1) - want) < 1e-5);
    }
  }
}

TEST_CASE("pooling carries its halo from tile to tile") {
  for (Isa isa : levels())
    for (auto [halo, stride] : {std::pair<int64_t, int64_t>{1, 4}, {3, 2}, {10, 4}}) {
      int64_t cols = 8, tiles = 3, rows = 20;
      std::vector<float> weights;
      std::string list;
      for (int64_t i = 0; i < halo + stride; ++i) {
        weights.push_back(static_cast<float>(i + 1));
        list += (i ? ", " : "") + n(i + 1) + ".0";
      }
      Tensor x(Tensor::F32, tiles, rows, 1, cols), y(Tensor::F32, tiles, rows, 1, cols / stride);
      fillNormal(x, 8);
      Names names = {{"C", n(cols)}, {"Y", n(cols / stride)}, {"H", n(halo)}, {"W", list}, {"S", n(stride)}};
      auto program = compiled(oneKernel("%x0: A<f32, $C$>, %y0: A<f32, $Y$>", R"(
    %c0 = arith.constant 0 : index
    %c3 = arith.constant 3 : index
    %h0 = @splat 0.0 : T<20x$H$xf32>
    %cover = @cover hull(%c0 to %c3) full(%c0 to %c0)
    %r = @stream %j in %cover carry(%h = %h0) : T<20x$H$xf32> {
      %xv = @slice %x0[%j, %c0] : A<f32, $C$> -> V<f32, $C$>
      %yv = @slice %y0[%j, %c0] : A<f32, $Y$> -> V<f32, $Y$>
      %t = @load %xv[%c0] : V<f32, $C$> -> T<20x$C$xf32>
      %u, %h1 = @pool %t, %h weights [$W$] stride $S$ : T<20x$C$xf32>, T<20x$H$xf32> -> T<20x$Y$xf32>
      @store %u, %yv[%c0] : T<20x$Y$xf32>, V<f32, $Y$>
      @yield %h1 : T<20x$H$xf32>
    })",
                                        names),
                              isa);
      Frame frame;
      x.in(frame);
      y.in(frame);
      program->run("k", frame, 1, 1, 1);
      double worst = 0;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t j = 0; j < tiles * cols / stride; ++j) {
          double want = 0;
          for (int64_t i = 0; i < halo + stride; ++i)
            if (int64_t col = j * stride + i - halo; col >= 0)
              want += weights[static_cast<size_t>(i)] * x.get(col / cols, r, 0, col % cols);
          worst = std::max(worst, std::fabs(want - y.get(j / (cols / stride), r, 0, j % (cols / stride))));
        }
      INFO(targetName(isa).str(), " halo ", halo);
      CHECK(worst < 1e-4);
    }
}

TEST_CASE("top-k is exact: forced first, then scores, then lower ids, up to a mass; ascending lists") {
  for (Isa isa : levels())
    for (auto [rows, k, hasForced, hasMass] : {std::tuple<int64_t, int64_t, bool, bool>{16, 4, false, true},
                                               {20, 16, true, true},
                                               {4, 3, true, false},
                                               {16, 1, true, true},
                                               {16, 24, true, false},
                                               {33, 48, false, true},
                                               {20, 64, true, true},
                                               {16, 128, false, true},
                                               {33, 72, true, false},
                                               {20, 128, false, false}}) {
      int64_t cols = 24, tiles = 3;
      Tensor x(Tensor::F32, tiles, rows, 1, cols), ids(Tensor::I32, 1, rows, 1, k), scores(Tensor::F32, 1, rows, 1, k);
      Names names = {{"R", n(rows)},
                     {"K", n(k)},
                     {"TOP", hasMass ? "kept" : "r"},
                     {"MASS", hasMass ? "%kept = @top_mass %r to(%mass) : Top<" + n(rows) + "x" + n(k) + ">" : ""},
                     {"F", hasForced ? "affine_set<(t, c)[w] : (-c >= 0)>, affine_set<(t, c)[w] : (t floordiv 2 - c >= "
                                       "0, c - t floordiv 2 + w >= 0)>"
                                     : ""}};
      auto program = compiled(
          oneKernel("%x0: A<f32, 24>, %i0: A<i32, $K$>, %s0: A<f32, $K$>, %t0: index, %w: index, %mass: f32", R"(
    %c0 = arith.constant 0 : index
    %c3 = arith.constant 3 : index
    %c24 = arith.constant 24 : index
    %top0 = @top_init : Top<$R$x$K$>
    %cover = @cover hull(%c0 to %c3) full(%c0 to %c0)
    %r = @stream %j in %cover carry(%top = %top0) : Top<$R$x$K$> {
      %xv = @slice %x0[%j, %c0] : A<f32, 24> -> V<f32, 24>
      %first = arith.muli %j, %c24 : index
      %t = @load %xv[%c0] : V<f32, 24> -> T<$R$x24xf32>
      %u = @top_push %top, %t ids(%first) rows(%t0) symbols(%w) {row_map = affine_map<(r) -> (r)>, forced = [$F$]} : Top<$R$x$K$>, T<$R$x24xf32>
      @yield %u : Top<$R$x$K$>
    }
    $MASS$
    %ids, %sc = @top_list %$TOP$ : Top<$R$x$K$> -> T<$R$x$K$xi32>, T<$R$x$K$xf32>
    %iv = @slice %i0[%c0, %c0] : A<i32, $K$> -> V<i32, $K$>
    %sv = @slice %s0[%c0, %c0] : A<f32, $K$> -> V<f32, $K$>
    @store %ids, %iv[%c0] : T<$R$x$K$xi32>, V<i32, $K$>
    @store %sc, %sv[%c0] : T<$R$x$K$xf32>, V<f32, $K$>)",
                    names),
          isa);
      for (int round = 0; round < (hasMass ? 15 : 5); ++round) {
        // Scores are whole numbers, whose sums are exact.
        int mode = round % 5;
        float some = mode == 0 ? 300000.0f : 4.0f, mass = round < 5 ? NAN : round < 10 ? some : 0.0f; // NAN: all
        std::mt19937 random(static_cast<unsigned>(mode));
        // Few different scores make ties; mode 2 is mostly invisible, mode 3 has infinities and NaN, mode 4 is causal.
        x.fill([&]() -> double {
          auto draw = random();
          if (mode == 2 && draw % 20 != 0)
            return -INFINITY;
          if (mode == 3 && draw % 5 == 0)
            return draw % 2 ? NAN : INFINITY;
          return mode == 0 ? static_cast<double>(draw % 100000) : static_cast<double>(draw % 7) - 3;
        });
        for (int64_t id = 0; mode == 4 && id < tiles * cols; ++id) // what a row sees ends with it
          for (int64_t r = 0; r < std::min(id, rows); ++r)
            x.set(id / cols, r, 0, id % cols, -INFINITY);
        int64_t t0 = 10, w = 2;
        Frame frame;
        for (Tensor *tensor : {&x, &ids, &scores})
          tensor->in(frame);
        frame.index(t0).index(w).number(mass);
        program->run("k", frame, 1, 1, 1);
        bool same = true;
        for (int64_t r = 0; r < rows; ++r) {
          struct Candidate {
            bool forced;
            double score;
            int64_t id;
          };
          std::vector<Candidate> all;
          for (int64_t id = 0; id < tiles * cols; ++id) {
            double score = x.get(id / cols, r, 0, id % cols);
            int64_t block = floorDiv(t0 + r, 2);
            bool forced = hasForced && (id == 0 || (id <= block && id >= block - w));
            if (score > -INFINITY)
              all.push_back({forced, score, id});
            else if (forced && std::isnan(score)) // by force only, as the lowest
              all.push_back({true, -INFINITY, id});
          }
          std::sort(all.begin(), all.end(), [](const Candidate &a, const Candidate &b) {
            if (a.forced != b.forced)
              return a.forced;
            return a.score != b.score ? a.score > b.score : a.id < b.id;
          });
          if (static_cast<int64_t>(all.size()) > k)
            all.resize(static_cast<size_t>(k));
          double sum = 0;
          all.erase(std::find_if(all.begin(), all.end(),
                                 [&](const Candidate &c) {
                                   bool ends = sum >= mass && !c.forced;
                                   sum += std::max(c.score, 0.0);
                                   return ends;
                                 }),
                    all.end());
          std::sort(all.begin(), all.end(), [](const Candidate &a, const Candidate &b) { return a.id < b.id; });
          for (int64_t i = 0; i < k; ++i) {
            bool exists = i < static_cast<int64_t>(all.size());
            same &= ids.get(0, r, 0, i) == (exists ? static_cast<double>(all[static_cast<size_t>(i)].id) : -1);
            same &= scores.get(0, r, 0, i) == (exists ? all[static_cast<size_t>(i)].score : -INFINITY);
          }
        }
        INFO(targetName(isa).str(), " rows ", rows, " k ", k, " mode ", mode, " mass ", mass);
        CHECK(same);
      }
    }
}

TEST_CASE("inverse lists: every (unit, position, slot) once, units and members ascending") {
  for (Isa isa : levels())
    for (auto [count, k, members] :
         {std::tuple<int64_t, int64_t, int64_t>{20, 5, 4}, {64, 16, 16}, {3, 1, 8}, {33, 7, 20}}) {
      int64_t units = 40, positions = count + 7;
      Tensor lists(Tensor::I32, 1, positions, 1, k);
      Names names = {{"K", n(k)}, {"N", n(count)}, {"M", n(members)}, {"W", n(count * 2)}};
      // Each visit appends (unit, member, slot) to a list by counting in private memory; here: a row of `out` for each
      // visit of a group holds the unit, and the members and slots are scattered beside it.
      auto program =
          compiled(oneKernel("%l0: A<i32, $K$>, %o0: A<f32, $K$>, %u0: A<f32, 1>, %p0: index, %units: index", R"(
    %c0 = arith.constant 0 : index
    %lv = @slice %l0[%c0, %c0] : A<i32, $K$> -> V<i32, $K$>
    %inv = @invert %lv[%p0] count $N$ units(%units) : V<i32, $K$>
    %ov = @slice %u0[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %pv = @private $N$ : V<f32, 1>
    %zero = arith.constant 0.0 : f32
    @fill %zero, %pv : V<f32, 1>
    @stream_inverse (%u, %ids, %slots) in %inv members $M$ {
      %ui = arith.index_cast %u : index to i32
      %old = @gather %pv[%c0 + %ids] : V<f32, 1>, T<$M$xi32> -> T<$M$xf32>
      %new = @map (%e = %old, %s = %slots, %i = %ui) : T<$M$xf32>, T<$M$xi32>, i32 -> T<$M$xf32> {
        %f = arith.sitofp %i : i32 to f32
        %g = arith.sitofp %s : i32 to f32
        %h = arith.constant 1.25 : f32
        %a = arith.mulf %e, %h : f32
        %b = arith.addf %a, %f : f32
        %c = arith.constant 0.125 : f32
        %d = arith.mulf %g, %c : f32
        %y = arith.addf %b, %d : f32
        @yield %y : f32
      }
      @scatter %new, %pv[%c0 + %ids] : T<$M$xf32>, V<f32, 1>, T<$M$xi32>
    }
    %r = @load %pv[%c0] : V<f32, 1> -> T<$N$xf32>
    @store %r, %ov[%c0] : T<$N$xf32>, V<f32, 1>)",
                             names),
                   isa);
      std::mt19937 random(4);
      for (int mode = 0; mode < 3; ++mode) {
        for (int64_t p = 0; p < positions; ++p) {
          std::vector<int64_t> row;
          for (int64_t i = 0; i < k; ++i)
            row.push_back(static_cast<int64_t>(random() % 50) - 5);
          std::sort(row.begin(), row.end());
          row.erase(std::unique(row.begin(), row.end()), row.end());
          if (mode == 1)
            std::shuffle(row.begin(), row.end(), random);
          row.resize(static_cast<size_t>(k), -1);
          for (int64_t i = 0; i < k; ++i)
            lists.set(0, p, 0, i, mode == 2 ? -1 : static_cast<double>(row[static_cast<size_t>(i)]));
        }
        Tensor out(Tensor::F32, 1, count, 1, 1), dummy(Tensor::F32, 1, 1, 1, k);
        Frame frame;
        lists.in(frame);
        dummy.in(frame);
        int64_t first = 10; // the last rows of the run do not exist
        out.in(frame).index(first).index(units);
        program->run("k", frame, 1, 1, 1);
        bool same = true;
        for (int64_t p = 0; p < count; ++p) {
          std::vector<std::pair<int64_t, int64_t>> entries;
          if (first + p < positions)
            for (int64_t i = 0; i < k; ++i)
              if (auto id = static_cast<int64_t>(lists.get(0, first + p, 0, i)); id >= 0 && id < units)
                entries.emplace_back(id, i);
          std::sort(entries.begin(), entries.end());
          float want = 0;
          for (auto [id, slot] : entries)
            want = want * 1.25f + static_cast<float>(id) + static_cast<float>(slot) * 0.125f;
          same &= std::fabs(out.get(0, p, 0, 0) - want) <= 1e-5 * std::fabs(want);
        }
        INFO(targetName(isa).str(), " count ", count, " k ", k, " members ", members, " mode ", mode);
        CHECK(same);
      }
    }
}

TEST_CASE("lists in any order, repeated, as flags, compressed") {
  for (Isa isa : levels())
    for (const std::string how : {"", "flags", "starts"})
      for (int64_t k : {1, 5, 40}) {
        int64_t positions = 9, units = 30, base = 2;
        Tensor lists(Tensor::I32, 1, how == "starts" ? 1 : positions, 1, k), starts(Tensor::I32, 1, positions, 1, 1);
        Names names = {{"K", n(k)},
                       {"S", how == "starts" ? "starts %sv" : ""},
                       {"F", how == "flags" ? "flags" : ""},
                       {"V", how == "starts" ? ", V<i32, 1>" : ""}};
        // The units in the order of their visits, as the digits of a number.
        auto program =
            compiled(oneKernel("%l0: A<i32, $K$>, %s0: A<i32, 1>, %o0: A<f32, 1>, %units: index, %base: index", R"(
    %c0 = arith.constant 0 : index
    %lv = @slice %l0[%c0, %c0] : A<i32, $K$> -> V<i32, $K$>
    %sv = @slice %s0[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %inv = @invert %lv[%gx] $S$ count 1 units(%units) base %base unordered $F$ : V<i32, $K$>$V$
    %ov = @slice %o0[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %pv = @private 1 : V<f32, 1>
    %zero = arith.constant 0.0 : f32
    @fill %zero, %pv : V<f32, 1>
    @stream_inverse (%u, %ids, %slots) in %inv members 1 {
      %ui = arith.index_cast %u : index to i32
      %old = @load %pv[%c0] : V<f32, 1> -> T<1xf32>
      %new = @map (%e = %old, %i = %ui) : T<1xf32>, i32 -> T<1xf32> {
        %f = arith.sitofp %i : i32 to f32
        %h = arith.constant 1.25 : f32
        %a = arith.mulf %e, %h : f32
        %y = arith.addf %a, %f : f32
        @yield %y : f32
      }
      @store %new, %pv[%c0] : T<1xf32>, V<f32, 1>
    }
    %r = @load %pv[%c0] : V<f32, 1> -> T<1xf32>
    @store %r, %ov[%gx] : T<1xf32>, V<f32, 1>)",
                               names),
                     isa);
        std::mt19937 random(4);
        for (int64_t p = 0; p < positions; ++p) {
          starts.set(0, p, 0, 0, static_cast<double>(static_cast<int64_t>(random() % (k + 4)) - 2));
          for (int64_t i = 0; i < k && (how != "starts" || p == 0); ++i)
            lists.set(0, p, 0, i, static_cast<double>(static_cast<int64_t>(random() % (how == "flags" ? 2 : 40)) - 1));
        }
        Tensor out(Tensor::F32, 1, positions, 1, 1);
        Frame frame;
        lists.in(frame);
        starts.in(frame);
        out.in(frame).index(units).index(base);
        program->run("k", frame, positions, 1, 1);
        auto start = [&](int64_t p) {
          return p < positions ? std::clamp<int64_t>(static_cast<int64_t>(starts.get(0, p, 0, 0)), 0, k) : k;
        };
        for (int64_t p = 0; p < positions; ++p) {
          std::set<int64_t> seen;
          int64_t from = how == "starts" ? start(p) : 0, to = how == "starts" ? start(p + 1) : k;
          for (int64_t i = from; i < to; ++i) {
            auto entry = static_cast<int64_t>(lists.get(0, how == "starts" ? 0 : p, 0, i));
            int64_t unit = (how == "flags" ? (entry != 0 ? i : -1) : entry) - base;
            if (unit >= 0 && unit < units)
              seen.insert(unit);
          }
          float want = 0;
          for (int64_t unit : seen)
            want = want * 1.25f + static_cast<float>(unit);
          INFO(targetName(isa).str(), " ", how, " k ", k, " position ", p);
          CHECK(std::fabs(out.get(0, p, 0, 0) - want) <= 1e-5 * std::fabs(want));
        }
      }
}

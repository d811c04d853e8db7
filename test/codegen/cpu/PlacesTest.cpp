// What stands for the places of rows and columns, at every level this machine runs: numbers that count, numbers for
// each key in one row, one number a head, bits for the blocks that a row chose.
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
          // Every type at one place, every place with one type.
          if (type != Tensor::F32 && from != 7)
            continue;
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

TEST_CASE("numbers for heads and keys, turned") {
  for (Isa isa : levels())
    for (auto [heads, outer] : {std::pair<int64_t, bool>{4, true}, {4, false}, {2, true}, {3, false}})
      for (Tensor::Type type : {Tensor::F32, Tensor::BF16}) {
        int64_t rows = heads == 2 ? 64 : 48;
        Tensor b(type, 1, 40, heads, 1), y(Tensor::F32, 1, rows, 1, 32);
        int64_t next = 0;
        b.fill([&] { return static_cast<double>(++next % 50); });
        Names names = {{"B", b.typeName()}, {"R", n(rows)}, {"G", n(heads) + (outer ? ", outer" : "")}};
        auto program = compiled(oneKernel("%b: A<$B$, 1>, %y: A<f32, 32>", R"(
    %c0 = arith.constant 0 : index
    %c12 = arith.constant 12 : index
    %bv = @slice %b[%c0, %c0] : A<$B$, 1> -> V<$B$, 1, group = $G$>
    %yv = @slice %y[%c0, %c0] : A<f32, 32> -> V<f32, 32>
    %t = @load %bv[%c12] turned : V<$B$, 1, group = $G$> -> T<$R$x32xf32>
    @store %t, %yv[%c0] : T<$R$x32xf32>, V<f32, 32>)",
                                          names),
                                isa);
        Frame frame;
        b.in(frame);
        y.in(frame);
        program->run("k", frame, 1, 1, 1);
        bool same = true;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t c = 0; c < 32; ++c) // the last 4 columns lie behind the positions
            same &= y.get(0, r, 0, c) == (c < 28 ? b.get(0, 12 + c, outer ? r / (rows / heads) : r % heads, 0) : 0.0);
        CHECK(same);
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

TEST_CASE("masks read a number for each row and each column, of any size") {
  constexpr int64_t rows = 48, cols = 40, row = 100, col = 90;
  struct Set {
    const char *text;
    bool (*holds)(int64_t t, int64_t s, int64_t a, int64_t b);
  };
  auto floorDiv = [](int64_t x, int64_t y) { return x >= 0 ? x / y : -((y - 1 - x) / y); };
  static auto quotient = floorDiv;
  const Set sets[] = {
      {"a - b == 0", [](int64_t, int64_t, int64_t a, int64_t b) { return a == b; }},
      {"-a + b >= 0", [](int64_t, int64_t, int64_t a, int64_t b) { return b >= a; }},
      {"a - b - 1 >= 0", [](int64_t, int64_t, int64_t a, int64_t b) { return a > b; }},
      {"t - s >= 0, a - b == 0", [](int64_t t, int64_t s, int64_t a, int64_t b) { return s <= t && a == b; }},
      {"t - b >= 0, b >= 0", [](int64_t t, int64_t, int64_t, int64_t b) { return b >= 0 && b <= t; }},
      {"a + b + t - s - 1000000 >= 0",
       [](int64_t t, int64_t s, int64_t a, int64_t b) { return a + b + t - s >= 1000000; }},
      {"a floordiv 7 - b floordiv 7 == 0",
       [](int64_t, int64_t, int64_t a, int64_t b) { return quotient(a, 7) == quotient(b, 7); }},
      {"(b + s) mod 5 - 2 == 0",
       [](int64_t, int64_t s, int64_t, int64_t b) { return b + s - 5 * quotient(b + s, 5) == 2; }},
      {"a * 3 - b * 2 >= 0", [](int64_t, int64_t, int64_t a, int64_t b) { return 3 * a >= 2 * b; }}};
  const double extremes[] = {-2147483648.0, 2147483647.0, -1, 0, 1, 105, -7, -8, 90, 6};
  for (Isa isa : levels())
    for (const Set &set : sets)
      for (bool whole : {false, true}) {
        Tensor x(Tensor::F32, 1, rows, 1, cols), y(Tensor::F32, 1, rows, 1, cols);
        Tensor a(Tensor::I32, 1, rows, 1, 1), b(Tensor::I32, 1, cols, 1, 1);
        fillNormal(x, 1);
        std::mt19937 random(5);
        auto draw = [&] { return extremes[random() % (whole ? 10u : 9u)]; };
        auto small = [&] { return static_cast<double>(random() % 20) - 8; };
        a.fill([&] { return whole ? draw() : small(); });
        b.fill([&] { return whole ? draw() : small(); });
        auto program = compiled(oneKernel("%x: A<f32, 40>, %a: A<i32, 1>, %b: A<i32, 1>, %y: A<f32, 40>", R"(
    %c0 = arith.constant 0 : index
    %row = arith.constant 100 : index
    %col = arith.constant 90 : index
    %xv = @slice %x[%c0, %c0] : A<f32, 40> -> V<f32, 40>
    %yv = @slice %y[%c0, %c0] : A<f32, 40> -> V<f32, 40>
    %av = @slice %a[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %bv = @slice %b[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %xt = @load %xv[%c0] : V<f32, 40> -> T<48x40xf32>
    %at = @load %av[%c0] : V<i32, 1> -> T<48xi32>
    %bt = @load %bv[%c0] : V<i32, 1> -> T<1x40xi32>
    %u = @mask %xt rows(%row) cols(%col) tables(%at, %bt : T<48xi32>, T<1x40xi32>) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s, a, b) : ($S$)>]} : T<48x40xf32>
    @store %u, %yv[%c0] : T<48x40xf32>, V<f32, 40>)",
                                          {{"S", set.text}}),
                                isa);
        Frame frame;
        for (Tensor *operand : {&x, &a, &b, &y})
          operand->in(frame);
        program->run("k", frame, 1, 1, 1);
        int64_t wrong = 0, seen = 0;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t c = 0; c < cols; ++c) {
            bool holds = set.holds(row + r, col + c, static_cast<int64_t>(a.get(0, r, 0, 0)),
                                   static_cast<int64_t>(b.get(0, c, 0, 0)));
            double got = y.get(0, r, 0, c);
            wrong += holds ? got != x.get(0, r, 0, c) : got != -INFINITY;
            seen += holds;
          }
        INFO(targetName(isa).str(), " ", set.text);
        CHECK(wrong == 0);
        if (whole)
          CHECK(seen > 0);
      }
}

// Rows of 64 over 4 tiles of 64 keys, of which 230 exist; `words` has one number for each tile and row.
static const char *const kChosen = R"(
    %c0 = arith.constant 0 : index
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    %c64 = arith.constant 64 : index
    %n = arith.constant 230 : index
    %qv = @slice %q[%c0, %c0] : A<f32, 64> -> V<f32, 64>
    %kv = @slice %k[%c0, %c0] limit %n : A<f32, 64> -> V<f32, 64>
    %vv = @slice %v[%c0, %c0] limit %n : A<f32, 64> -> V<f32, 64>
    %ov = @slice %o[%c0, %c0] : A<f32, 64> -> V<f32, 64>
    %lv = @slice %lse[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %qt = @load %qv[%c0] : V<f32, 64> -> T<64x64xf32>
    %cover = @cover hull(%c0 to %c4) full(%c0 to %c3)
    %m0 = @splat 0xFF800000 : T<64xf32>
    %l0 = @splat 0.0 : T<64xf32>
    %a0 = @splat 0.0 : T<64x64xf32>
    %r:3 = @stream %j in %cover carry(%m = %m0, %l = %l0, %a = %a0) : T<64xf32>, T<64xf32>, T<64x64xf32> {
      %s0 = arith.muli %j, %c64 : index
      %kt = @load %kv[%s0] : V<f32, 64> -> T<64x64xf32>
      %vt = @load %vv[%s0] : V<f32, 64> -> T<64x64xf32>
      %wv = @slice %words[%c0, %j] across : A<i32, 1> -> V<i32, 1>
      %w = @load %wv[%c0] : V<i32, 1> -> T<64xi32>
      %s = @dot nt %qt, %kt : T<64x64xf32>, T<64x64xf32> -> T<64x64xf32>
      %s1 = @choose %s by %w block $BLOCK$ : T<64x64xf32>, T<64xi32>
      %s2 = @mask %s1 rows(%c0) cols(%s0) symbols(%n) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s)[n] : (n - 1 - s >= 0)>]} : T<64x64xf32>
      %m1, %l1, %al, %p = @softmax_step %s2, %m, %l : T<64x64xf32>, T<64xf32>
      %a1 = @dot nn %p, %vt add %a scaled %al : T<64x64xf32>, T<64x64xf32>, T<64x64xf32>, T<64xf32> -> T<64x64xf32>
      @yield %m1, %l1, %a1 : T<64xf32>, T<64xf32>, T<64x64xf32>
    }
    %ot, %lt = @softmax_finish %r#0, %r#1, %r#2 : T<64xf32>, T<64x64xf32>
    @store %ot, %ov[%c0] : T<64x64xf32>, V<f32, 64>
    @store %lt, %lv[%c0] : T<64xf32>, V<f32, 1>)";

TEST_CASE("keys of blocks that a row did not choose are neither scored nor read, whatever they hold") {
  constexpr int64_t rows = 64, keys = 230, tiles = 4, d = 64;
  for (Isa isa : levels())
    for (int64_t block : {16, 64})
      for (bool others : {false, true}) {
        Tensor q(Tensor::F32, 1, rows, 1, d), k(Tensor::F32, 1, keys, 1, d), v(Tensor::F32, 1, keys, 1, d);
        Tensor o(Tensor::F32, 1, rows, 1, d), lse(Tensor::F32, 1, rows, 1, 1), words(Tensor::I32, 1, tiles, rows, 1);
        fillNormal(q, 1);
        fillNormal(k, 2);
        fillNormal(v, 3);
        std::mt19937 random(4);
        auto sees = [&](int64_t row, int64_t key) {
          auto word = static_cast<int64_t>(words.get(0, key / 64, row, 0));
          return ((word >> (key % 64 / block) & 1) != 0) != others;
        };
        // Tile 0 is chosen by all, tile 1 by none, the others by some rows; row 5 chooses nothing.
        for (int64_t tile = 0; tile < tiles; ++tile)
          for (int64_t row = 0; row < rows; ++row) {
            int64_t all = (int64_t(1) << (64 / block)) - 1, word = static_cast<int64_t>(random()) & all;
            word = tile == 0 ? all : tile == 1 ? 0 : row < 48 ? word : 0;
            word = row == 5 ? 0 : word;
            words.set(0, tile, row, 0, static_cast<double>(others ? all & ~word : word));
          }
        for (int64_t i = 0; i < d; ++i) {
          for (int64_t key = 64; key < 128; ++key) { // of tile 1
            k.set(0, key, 0, i, NAN);
            v.set(0, key, 0, i, i % 2 ? NAN : INFINITY);
          }
          for (int64_t key : {130, 229}) { // of tiles that some rows chose, full and partial
            k.set(0, key, 0, i, INFINITY);
            v.set(0, key, 0, i, i % 2 ? NAN : -INFINITY);
          }
        }
        auto program = compiled(oneKernel("%q: A<f32, 64>, %k: A<f32, 64>, %v: A<f32, 64>, %words: A<i32, 1>, %o: "
                                          "A<f32, 64>, %lse: A<f32, 1>",
                                          kChosen, {{"BLOCK", n(block) + (others ? " others" : "")}}),
                                isa);
        Frame frame;
        for (Tensor *operand : {&q, &k, &v, &words, &o, &lse})
          operand->in(frame);
        program->run("k", frame, 1, 1, 1);
        INFO(targetName(isa).str(), " block ", block, " others ", others);
        double worst = 0;
        int64_t poisoned = 0;
        for (int64_t r = 0; r < rows; ++r) {
          if (sees(r, 130) || sees(r, 229)) {
            ++poisoned;
            CHECK(!std::isfinite(o.get(0, r, 0, 0)));
            continue;
          }
          std::vector<double> weights(keys, 0.0);
          double best = -INFINITY, sum = 0;
          for (int64_t key = 0; key < keys; ++key)
            if (sees(r, key)) {
              double score = 0;
              for (int64_t i = 0; i < d; ++i)
                score += q.get(0, r, 0, i) * k.get(0, key, 0, i);
              weights[static_cast<size_t>(key)] = score;
              best = std::max(best, score);
            }
          for (int64_t key = 0; key < keys; ++key)
            if (sees(r, key))
              sum += weights[static_cast<size_t>(key)] = std::exp2(weights[static_cast<size_t>(key)] - best);
          for (int64_t i = 0; i < d; ++i) {
            double want = 0;
            for (int64_t key = 0; key < keys; ++key)
              if (sees(r, key))
                want += weights[static_cast<size_t>(key)] * v.get(0, key, 0, i) / sum;
            double got = o.get(0, r, 0, i);
            worst = std::max(worst, std::isfinite(got) ? std::fabs(got - want) : INFINITY);
          }
          CHECK((lse.get(0, r, 0, 0) == -INFINITY) == (sum == 0));
        }
        CHECK(worst < 1e-4);
        CHECK(poisoned > 4);
        CHECK(poisoned < 60);
      }
}

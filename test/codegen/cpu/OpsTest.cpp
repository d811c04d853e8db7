// Single tile ops against plain C++, at every level this machine runs: memory, arithmetic, reductions, maps.
#include "test/codegen/cpu/OpHelpers.h"
#include <doctest/doctest.h>
#include <cmath>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

TEST_CASE("rows are loaded and stored in any element type, extent and grouping") {
  for (Isa isa : levels())
    for (Tensor::Type from : {Tensor::F32, Tensor::F16, Tensor::BF16})
      for (Tensor::Type to : {Tensor::F32, Tensor::F16, Tensor::BF16})
        for (auto [rows, cols, group, outer] : {std::tuple<int64_t, int64_t, int64_t, bool>{64, 64, 1, false},
                                                {20, 1, 1, false},
                                                {48, 40, 4, false},
                                                {48, 17, 3, false},
                                                {32, 33, 2, true},
                                                {64, 3, 16, false}}) {
          // Every pair of types on one shape, every shape on the way there and back of a few.
          if (rows != 64 && !(from == Tensor::F32 && to == Tensor::F16) && !(from == Tensor::BF16 && to == Tensor::F32))
            continue;
          Tensor a(from, 2, 37, 2 * group, cols), b(to, 2, 37, 2 * group, cols);
          fillNormal(a, 1);
          // Numbers that rounding and the special cases of conversions care about.
          double special[] = {0.0,   -0.0, INFINITY, -INFINITY, NAN,    65504, 65519.99,
                              65520, 1e30, 6e-8,     3e-8,      2.9e-8, 6.1e-5};
          for (int i = 0; i < 13; ++i)
            a.set(0, i + 1, 0, 0, special[i]);
          b.fill([] { return 77; });
          Names names = {{"G", n(group)},        {"O", outer ? ", outer" : ""},
                         {"F", a.typeName()},    {"E", b.typeName()},
                         {"R", n(rows)},         {"C", n(cols)},
                         {"P", n(rows / group)}, {"T", cols == 1 ? n(rows) : n(rows) + "x" + n(cols)}};
          auto program = compiled(oneKernel("%a: A<$F$, $C$>, %b: A<$E$, $C$>", R"(
    %c = arith.constant $P$ : index
    %p = arith.muli %gx, %c : index
    %av = @slice %a[%gz, %gy] : A<$F$, $C$> -> V<$F$, $C$, group = $G$$O$>
    %bv = @slice %b[%gz, %gy] : A<$E$, $C$> -> V<$E$, $C$, group = $G$$O$>
    %t = @load %av[%p] : V<$F$, $C$, group = $G$$O$> -> T<$T$xf32>
    %u = @map (%e = %t) : T<$T$xf32> -> T<$T$xf32> {
      @yield %e : f32
    }
    @store %u, %bv[%p] : T<$T$xf32>, V<$E$, $C$, group = $G$$O$>)",
                                            names),
                                  isa);
          Frame frame;
          a.in(frame);
          b.in(frame);
          int64_t positions = rows / group;
          program->run("k", frame, (36 + positions) / positions, 2, 2);
          Tensor want(to, 1, 1, 1, 1);
          bool same = true;
          for (int64_t batch = 0; batch < 2; ++batch)
            for (int64_t p = 0; p < 37; ++p)
              for (int64_t h = 0; h < 2 * group; ++h)
                for (int64_t i = 0; i < cols; ++i) {
                  want.set(0, 0, 0, 0, a.get(batch, p, h, i));
                  double x = want.get(0, 0, 0, 0), y = b.get(batch, p, h, i);
                  // float32 subnormals may be flushed, those of float16 are kept.
                  bool equal = std::isnan(x) ? std::isnan(y) : x == y || std::fabs(x) < 1.2e-38;
                  if (!equal && same)
                    MESSAGE(targetName(isa).str(), " ", std::string(a.typeName()), " to ", std::string(b.typeName()),
                            " rows ", rows, " cols ", cols, " at ", batch, " ", p, " ", h, " ", i, ": ", y,
                            " instead of ", x);
                  same &= equal;
                }
          CHECK(same);
        }
}

TEST_CASE("products of any extents, with plain, prepared and computed right operands") {
  for (Isa isa : levels())
    for (auto [rows, cols, depth] : {std::tuple<int64_t, int64_t, int64_t>{64, 64, 64},
                                     {16, 16, 32},
                                     {32, 24, 33},
                                     {48, 10, 7},
                                     {80, 64, 300},
                                     {5, 3, 1}})
      for (bool nt : {true, false})
        for (bool computed : {false, true}) {
          int64_t br = nt ? cols : depth, bc = nt ? depth : cols;
          Tensor a(Tensor::F32, 1, rows, 1, depth), b(Tensor::F32, 1, br, 1, bc), y(Tensor::F32, 1, rows, 1, cols);
          fillNormal(a, 1);
          fillNormal(b, 2);
          y.fill([] { return NAN; });
          Names names = {{"A", n(rows) + "x" + n(depth)},
                         {"B", n(br) + "x" + n(bc)},
                         {"Y", n(rows) + "x" + n(cols)},
                         {"D", n(depth)},
                         {"BC", n(bc)},
                         {"C", n(cols)},
                         {"K", nt ? "nt" : "nn"},
                         {"RHS", computed ? "%b2" : "%bt"}};
          auto program = compiled(oneKernel("%a: A<f32, $D$>, %b: A<f32, $BC$>, %y0: A<f32, $C$>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, $D$> -> V<f32, $D$>
    %bv = @slice %b[%c0, %c0] : A<f32, $BC$> -> V<f32, $BC$>
    %yv = @slice %y0[%c0, %c0] : A<f32, $C$> -> V<f32, $C$>
    %at = @load %av[%c0] : V<f32, $D$> -> T<$A$xf32>
    %bt = @load %bv[%c0] : V<f32, $BC$> -> T<$B$xf32>
    %b2 = @map (%e = %bt) : T<$B$xf32> -> T<$B$xf32> {
      @yield %e : f32
    }
    %t = @dot $K$ %at, $RHS$ : T<$A$xf32>, T<$B$xf32> -> T<$Y$xf32>
    @store %t, %yv[%c0] : T<$Y$xf32>, V<f32, $C$>)",
                                            names),
                                  isa);
          Frame frame;
          a.in(frame);
          b.in(frame);
          y.in(frame);
          program->run("k", frame, 1, 1, 1);
          double worst = 0;
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t col = 0; col < cols; ++col) {
              double want = 0, size = 0;
              for (int64_t k = 0; k < depth; ++k) {
                double term = a.get(0, r, 0, k) * (nt ? b.get(0, col, 0, k) : b.get(0, k, 0, col));
                want += term;
                size += std::fabs(term);
              }
              worst = std::max(worst, std::fabs(want - y.get(0, r, 0, col)) / size);
              if (std::isnan(y.get(0, r, 0, col)))
                worst = INFINITY;
            }
          INFO(targetName(isa).str(), " ", rows, " ", cols, " ", depth, nt ? " nt " : " nn ", computed);
          CHECK(worst < 3e-6);
        }
}

TEST_CASE("functions of maps") {
  struct Function {
    const char *text;
    double (*exact)(double);
    double low, high, bound; ///< bound of the relative error
  };
  Function functions[] = {
      {"%y = math.exp2 %e : f32", [](double x) { return std::exp2(x); }, -120, 120, 3e-7},
      {"%y = math.log2 %e : f32", [](double x) { return std::log2(x); }, 1e-30, 5, 4e-7},
      {"%y = math.sqrt %e : f32", [](double x) { return std::sqrt(x); }, 0, 1e6, 1e-7},
      {"%y = math.rsqrt %e : f32", [](double x) { return 1 / std::sqrt(x); }, 1e-3, 1e6, 2e-7},
      {"%y = math.tanh %e : f32", [](double x) { return std::tanh(x); }, -10, 10, 5e-7},
      {"%y = math.absf %e : f32", [](double x) { return std::fabs(x); }, -10, 10, 1e-9},
      {"%y = math.floor %e : f32", [](double x) { return std::floor(x); }, -1e7, 1e7, 1e-9},
      {"%y = math.roundeven %e : f32", [](double x) { return std::nearbyint(x); }, -20, 20, 1e-9},
      {"%y = math.fma %e, %e, %e : f32", [](double x) { return x * x + x; }, 1, 10, 2e-7},
      {"%trunc = arith.fptosi %e : f32 to i32\n%three = arith.constant 3 : i32\n"
       "%int = arith.muli %trunc, %three : i32\n%y = arith.sitofp %int : i32 to f32",
       [](double x) { return 3 * std::trunc(x); }, -1000, 1000, 1e-9},
      {"%half = arith.constant 0.5 : f32\n%above = arith.cmpf ogt, %e, %half : f32\n%neg = arith.negf %e : f32\n"
       "%y = arith.select %above, %neg, %half : f32",
       [](double x) { return x > 0.5 ? -x : 0.5; }, -1, 1, 1e-9},
      {"%short = arith.truncf %e : f32 to bf16\n%y = arith.extf %short : bf16 to f32",
       [](double x) {
         Tensor t(Tensor::BF16, 1, 1, 1, 1);
         t.set(0, 0, 0, 0, x);
         return t.get(0, 0, 0, 0);
       },
       -10, 10, 1e-9}};
  for (Isa isa : levels())
    for (const Function &f : functions) {
      Tensor a(Tensor::F32, 1, 640, 1, 16), b(Tensor::F32, 1, 640, 1, 16);
      std::mt19937 random(3);
      std::uniform_real_distribution<double> uniform(f.low, f.high);
      a.fill([&] { return uniform(random); });
      auto program = compiled(oneKernel("%a: A<f32, 16>, %b: A<f32, 16>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, 16> -> V<f32, 16>
    %bv = @slice %b[%c0, %c0] : A<f32, 16> -> V<f32, 16>
    %t = @load %av[%c0] : V<f32, 16> -> T<640x16xf32>
    %u = @map (%e = %t) : T<640x16xf32> -> T<640x16xf32> {
      $F$
      @yield %y : f32
    }
    @store %u, %bv[%c0] : T<640x16xf32>, V<f32, 16>)",
                                        {{"F", f.text}}),
                              isa);
      Frame frame;
      a.in(frame);
      b.in(frame);
      program->run("k", frame, 1, 1, 1);
      double worst = 0, at = 0;
      for (int64_t p = 0; p < 640; ++p)
        for (int64_t i = 0; i < 16; ++i) {
          double x = a.get(0, p, 0, i), want = f.exact(x);
          double error = std::fabs(b.get(0, p, 0, i) - want) / std::max(std::fabs(want), 1e-3);
          if (!(error <= worst))
            worst = error, at = x;
        }
      INFO(targetName(isa).str(), " ", f.text, " at ", at);
      CHECK(worst < f.bound);
    }
}

TEST_CASE("special values of exp2 and log2") {
  for (Isa isa : levels()) {
    Tensor a(Tensor::F32, 1, 16, 1, 1), b(Tensor::F32, 1, 16, 1, 2);
    double values[] = {-INFINITY, INFINITY, NAN, 0, 127.5, 128, 200, -126, -200, -1000, 1, -1, 1e-45, 2, 0.5, -0.0};
    for (int i = 0; i < 16; ++i)
      a.set(0, i, 0, 0, values[i]);
    std::string both[] = {"exp2", "log2"};
    for (const std::string &name : both) {
      Tensor y(Tensor::F32, 1, 16, 1, 1);
      auto program = compiled(oneKernel("%a: A<f32, 1>, %b: A<f32, 1>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %bv = @slice %b[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %t = @load %av[%c0] : V<f32, 1> -> T<16xf32>
    %u = @map (%e = %t) : T<16xf32> -> T<16xf32> {
      %y = math.$F$ %e : f32
      @yield %y : f32
    }
    @store %u, %bv[%c0] : T<16xf32>, V<f32, 1>)",
                                        {{"F", name}}),
                              isa);
      Frame frame;
      a.in(frame);
      y.in(frame);
      program->run("k", frame, 1, 1, 1);
      for (int i = 0; i < 16; ++i) {
        float x = static_cast<float>(values[i]);
        double want = name == "exp2" ? std::exp2(x) : std::log2(std::fabs(x) < 1e-38 ? 0.0f : x),
               got = y.get(0, i, 0, 0);
        INFO(targetName(isa).str(), " ", name, " of ", x, " gives ", got);
        if (want > 3.4e38)
          want = INFINITY;
        if (std::isnan(want))
          CHECK(std::isnan(got));
        else if (std::isinf(want) || std::fabs(want) < 1e-37)
          CHECK((std::isinf(want) ? got == want : std::fabs(got) < 2e-38));
        else
          CHECK(std::fabs(got - want) <= 3e-7 * std::fabs(want));
      }
      if (name == "exp2")
        CHECK(y.get(0, 0, 0, 0) == 0);
    }
  }
}

TEST_CASE("reductions over columns and heads, prefix sums") {
  for (Isa isa : levels())
    for (auto [rows, cols, group, outer] : {std::tuple<int64_t, int64_t, int64_t, bool>{64, 64, 4, false},
                                            {64, 20, 16, false},
                                            {64, 16, 4, true},
                                            {48, 10, 3, false},
                                            {20, 6, 5, true},
                                            {128, 33, 32, false},
                                            {32, 8, 1, false},
                                            {24, 8, 2, false}})
      for (const char *kind : {"sum", "max"}) {
        Tensor a(Tensor::F32, 1, rows, 1, cols), r(Tensor::F32, 1, rows, 1, 1),
            h(Tensor::F32, 1, rows / group, 1, cols), s(Tensor::F32, 1, rows, 1, cols);
        fillNormal(a, 5);
        Names names = {{"R", n(rows)},         {"C", n(cols)}, {"G", n(group)},
                       {"H", n(rows / group)}, {"K", kind},    {"O", outer ? " outer" : ""}};
        auto program = compiled(oneKernel("%a: A<f32, $C$>, %r: A<f32, 1>, %h: A<f32, $C$>, %s: A<f32, $C$>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, $C$> -> V<f32, $C$>
    %rv = @slice %r[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %hv = @slice %h[%c0, %c0] : A<f32, $C$> -> V<f32, $C$>
    %sv = @slice %s[%c0, %c0] : A<f32, $C$> -> V<f32, $C$>
    %t = @load %av[%c0] : V<f32, $C$> -> T<$R$x$C$xf32>
    %rt = @reduce $K$ %t over cols : T<$R$x$C$xf32> -> T<$R$xf32>
    %ht = @reduce $K$ %t over heads($G$)$O$ : T<$R$x$C$xf32> -> T<$H$x$C$xf32>
    %u = @row_scan %t $REV$ : T<$R$x$C$xf32> -> T<$R$x$C$xf32>
    @store %rt, %rv[%c0] : T<$R$xf32>, V<f32, 1>
    @store %ht, %hv[%c0] : T<$H$x$C$xf32>, V<f32, $C$>
    @store %u, %sv[%c0] : T<$R$x$C$xf32>, V<f32, $C$>)",
                                          [&] {
                                            Names all = names;
                                            all.emplace_back("REV", *kind == 's' ? "reverse" : "");
                                            return all;
                                          }()),
                                isa);
        Frame frame;
        for (Tensor *tensor : {&a, &r, &h, &s})
          tensor->in(frame);
        program->run("k", frame, 1, 1, 1);
        bool sum = *kind == 's';
        auto combine = [&](double x, double y) { return sum ? x + y : std::max(x, y); };
        double worst = 0;
        auto check = [&](double got, double want) {
          worst = std::max(worst, std::isnan(got) ? INFINITY : std::fabs(got - want));
        };
        for (int64_t row = 0; row < rows; ++row) {
          double total = sum ? 0 : -INFINITY, running = 0;
          for (int64_t col = 0; col < cols; ++col)
            total = combine(total, a.get(0, row, 0, col));
          check(r.get(0, row, 0, 0), total);
          for (int64_t i = 0; i < cols; ++i) {
            int64_t col = sum ? cols - 1 - i : i;
            check(s.get(0, row, 0, col), running += a.get(0, row, 0, col));
          }
        }
        for (int64_t p = 0; p < rows / group; ++p)
          for (int64_t col = 0; col < cols; ++col) {
            double total = sum ? 0 : -INFINITY;
            for (int64_t head = 0; head < group; ++head)
              total = combine(total, a.get(0, outer ? head * (rows / group) + p : p * group + head, 0, col));
            check(h.get(0, p, 0, col), total);
          }
        INFO(targetName(isa).str(), " ", rows, " ", cols, " ", group, " ", outer, " ", kind);
        CHECK(worst < 2e-5);
      }
}

// Few rows beside a product: columns are lanes.
TEST_CASE("reductions over the columns of few rows") {
  for (Isa isa : levels())
    for (auto [rows, cols] : {std::pair<int64_t, int64_t>{1, 64}, {3, 16}, {5, 40}, {2, 7}})
      for (const char *kind : {"sum", "max"}) {
        constexpr int64_t features = 8;
        Tensor q(Tensor::F32, 1, rows, 1, features), k(Tensor::F32, 1, cols, 1, features),
            r(Tensor::F32, 1, rows, 1, 1);
        fillNormal(q, 3);
        fillNormal(k, 4);
        auto program = compiled(oneKernel("%q: A<f32, 8>, %k: A<f32, 8>, %r: A<f32, 1>", R"(
    %c0 = arith.constant 0 : index
    %qv = @slice %q[%c0, %c0] : A<f32, 8> -> V<f32, 8>
    %kv = @slice %k[%c0, %c0] : A<f32, 8> -> V<f32, 8>
    %rv = @slice %r[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %qt = @load %qv[%c0] : V<f32, 8> -> T<$R$x8xf32>
    %kt = @load %kv[%c0] : V<f32, 8> -> T<$C$x8xf32>
    %z = @dot nt %qt, %kt : T<$R$x8xf32>, T<$C$x8xf32> -> T<$R$x$C$xf32>
    %t = @reduce $K$ %z over cols : T<$R$x$C$xf32> -> T<$R$xf32>
    @store %t, %rv[%c0] : T<$R$xf32>, V<f32, 1>)",
                                          {{"R", n(rows)}, {"C", n(cols)}, {"K", kind}}),
                                isa);
        Frame frame;
        for (Tensor *tensor : {&q, &k, &r})
          tensor->in(frame);
        program->run("k", frame, 1, 1, 1);
        bool isSum = *kind == 's';
        for (int64_t row = 0; row < rows; ++row) {
          double want = isSum ? 0 : -INFINITY;
          for (int64_t col = 0; col < cols; ++col) {
            double product = 0;
            for (int64_t d = 0; d < features; ++d)
              product += q.get(0, row, 0, d) * k.get(0, col, 0, d);
            want = isSum ? want + product : std::max(want, product);
          }
          INFO(targetName(isa).str(), " ", rows, " ", cols, " ", kind);
          CHECK(std::fabs(r.get(0, row, 0, 0) - want) < 1e-4);
        }
      }
}

TEST_CASE("means, sums and extremes of blocks") {
  for (Isa isa : levels())
    for (bool ragged : {false, true})
      for (const std::string how : {"mean", "sum", "max", "min"})
        for (auto [rows, cols, length, stride] :
             {std::tuple<int64_t, int64_t, int64_t, int64_t>{16, 64, 32, 16}, {5, 130, 3, 4}, {16, 1, 2, 1}}) {
          int64_t positions = 37;
          Tensor a(Tensor::BF16, 1, positions, 2, cols), y(Tensor::F32, 1, rows, 2, cols);
          fillNormal(a, 9);
          Names names = {{"R", n(rows)},
                         {"C", n(cols)},
                         {"L", n(length)},
                         {"S", n(stride)},
                         {"K", how},
                         {"G", ragged ? "ragged" : ""},
                         {"T", cols == 1 ? n(rows) : n(rows) + "x" + n(cols)}};
          auto program = compiled(oneKernel("%a: A<bf16, $C$>, %y0: A<f32, $C$>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %gy] : A<bf16, $C$> -> V<bf16, $C$>
    %yv = @slice %y0[%c0, %gy] : A<f32, $C$> -> V<f32, $C$>
    %t = @load_blocks $K$ %av[%c0] blocks($L$, $S$) $G$ : V<bf16, $C$> -> T<$T$xf32>
    @store %t, %yv[%c0] : T<$T$xf32>, V<f32, $C$>)",
                                            names),
                                  isa);
          Frame frame;
          a.in(frame);
          y.in(frame);
          program->run("k", frame, 1, 2, 1);
          double worst = 0;
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t h = 0; h < 2; ++h)
              for (int64_t i = 0; i < cols; ++i) {
                int64_t first = r * stride, last = std::min(first + length, positions),
                        count = std::max<int64_t>(0, last - first);
                if (!ragged && count < length)
                  count = 0;
                double expected = count && how == "max" ? -INFINITY : count && how == "min" ? INFINITY : 0;
                for (int64_t p = first; p < first + count; ++p) {
                  double x = a.get(0, p, h, i);
                  expected = how == "max" ? std::max(expected, x) : how == "min" ? std::min(expected, x) : expected + x;
                }
                if (how == "mean" && count)
                  expected /= static_cast<double>(count);
                double got = y.get(0, r, h, i);
                worst = std::max(worst, std::isnan(got) ? INFINITY : std::fabs(got - expected));
              }
          INFO(targetName(isa).str(), " ", rows, " ", cols, " ", ragged, " ", how);
          CHECK(worst < 1e-5);
        }
}

TEST_CASE("tiles of private memory are changed in place and stay what they were where they are loaded before") {
  for (Isa isa : levels())
    for (auto [rows, cols, group] :
         {std::tuple<int64_t, int64_t, int64_t>{32, 20, 1}, {64, 7, 4}, {48, 1, 3}, {24, 5, 1}}) {
      int64_t positions = rows / group;
      Tensor a(Tensor::F32, 1, 2 * positions, group, cols), y(Tensor::F32, 1, 2 * positions, group, cols),
          z(Tensor::F32, 1, 2 * positions, group, cols);
      fillNormal(a, 5);
      Names names = {{"C", n(cols)}, {"G", n(group)}, {"P", n(positions)}, {"Q", n(2 * positions)}};
      names.push_back({"T", cols == 1 ? n(rows) + "xf32" : n(rows) + "x" + n(cols) + "xf32"});
      // Two tiles, both 3 at first. The second is multiplied by a twice a turn: by a copy, because what was loaded is
      // still needed after the store, and in place.
      auto program = compiled(oneKernel("%a: A<f32, $C$>, %y0: A<f32, $C$>, %z0: A<f32, $C$>", R"(
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %p = arith.constant $P$ : index
    %v = arith.constant 3.0 : f32
    %av = @slice %a[%c0, %c0] : A<f32, $C$> -> V<f32, $C$, group = $G$>
    %yv = @slice %y0[%c0, %c0] : A<f32, $C$> -> V<f32, $C$, group = $G$>
    %zv = @slice %z0[%c0, %c0] : A<f32, $C$> -> V<f32, $C$, group = $G$>
    %pv = @private $Q$ : V<f32, $C$, group = $G$>
    @fill %v, %pv : V<f32, $C$, group = $G$>
    %t = @load %av[%p] : V<f32, $C$, group = $G$> -> T<$T$>
    scf.for %i = %c0 to %c3 step %c1 {
      %u = @load %pv[%p] : V<f32, $C$, group = $G$> -> T<$T$>
      %w = @map (%e = %u, %f = %t) : T<$T$>, T<$T$> -> T<$T$> {
        %x = arith.mulf %e, %f : f32
        @yield %x : f32
      }
      @store %w, %pv[%p] : T<$T$>, V<f32, $C$, group = $G$>
      @store %u, %zv[%p] : T<$T$>, V<f32, $C$, group = $G$>
      %again = @load %pv[%p] : V<f32, $C$, group = $G$> -> T<$T$>
      %w2 = @map (%e = %again, %f = %t) : T<$T$>, T<$T$> -> T<$T$> {
        %x = arith.mulf %e, %f : f32
        @yield %x : f32
      }
      @store %w2, %pv[%p] : T<$T$>, V<f32, $C$, group = $G$>
    }
    %first = @load %pv[%c0] : V<f32, $C$, group = $G$> -> T<$T$>
    @store %first, %yv[%c0] : T<$T$>, V<f32, $C$, group = $G$>
    %second = @load %pv[%p] : V<f32, $C$, group = $G$> -> T<$T$>
    @store %second, %yv[%p] : T<$T$>, V<f32, $C$, group = $G$>)",
                                        names),
                              isa);
      Frame frame;
      for (Tensor *tensor : {&a, &y, &z})
        tensor->in(frame);
      program->run("k", frame, 1, 1, 1);
      bool same = true;
      for (int64_t p = 0; p < positions; ++p)
        for (int64_t h = 0; h < group; ++h)
          for (int64_t i = 0; i < cols; ++i) {
            float factor = static_cast<float>(a.get(0, positions + p, h, i)), loaded = 3, product = 3;
            for (int turn = 0; turn < 3; ++turn) {
              loaded = product;
              product = product * factor * factor;
            }
            same &= y.get(0, p, h, i) == 3 && z.get(0, positions + p, h, i) == loaded &&
                    y.get(0, positions + p, h, i) == product;
          }
      INFO(targetName(isa).str(), " ", rows, " ", cols, " ", group);
      CHECK(same);
    }
}

TEST_CASE("listed rows are gathered, scattered and picked from, in private memory too") {
  for (Isa isa : levels())
    for (int64_t group : {1, 3, 4}) {
      int64_t listed = 12, positions = 9, cols = 20;
      Tensor a(Tensor::F32, 1, positions, group, cols), ids(Tensor::I32, 1, listed, 1, 1),
          slots(Tensor::I32, 1, listed, 1, 1), y(Tensor::F32, 1, listed, group, cols),
          z(Tensor::F32, 1, listed + 1, group, 1);
      fillNormal(a, 11);
      int64_t values[] = {3, 0, -1, 7, 2, 100, 5, 1, 4, -1, 6, 8};
      for (int64_t i = 0; i < listed; ++i) {
        ids.set(0, i, 0, 0, static_cast<double>(values[i] < 0 ? values[i] : values[i] - 1));
        slots.set(0, i, 0, 0, static_cast<double>(i == 3 ? -1 : i == 4 ? cols : i));
      }
      Names names = {{"C", n(cols)}, {"G", n(group)}, {"R", n(listed * group)}, {"L", n(listed)}, {"P", n(listed)}};
      // Rows go to private memory at the listed places + 1, are read back from there in order, and are stored.
      auto program =
          compiled(oneKernel("%a: A<f32, $C$>, %i: A<i32, 1>, %s: A<i32, 1>, %y0: A<f32, $C$>, %z0: A<f32, 1>", R"(
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %cl = arith.constant $L$ : index
    %v = arith.constant 42.0 : f32
    %av = @slice %a[%c0, %c0] : A<f32, $C$> -> V<f32, $C$, group = $G$>
    %iv = @slice %i[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %sv = @slice %s[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %yv = @slice %y0[%c0, %c0] : A<f32, $C$> -> V<f32, $C$, group = $G$>
    %zv = @slice %z0[%c0, %c0] : A<f32, 1> -> V<f32, 1, group = $G$>
    %ids = @load %iv[%c0] : V<i32, 1> -> T<$L$xi32>
    %slots = @load %sv[%c0] : V<i32, 1> -> T<$L$xi32>
    %t = @gather %av[%c1 + %ids] : V<f32, $C$, group = $G$>, T<$L$xi32> -> T<$R$x$C$xf32>
    %pv = @private $P$ : V<f32, $C$, group = $G$>
    @fill %v, %pv : V<f32, $C$, group = $G$>
    @scatter %t, %pv[%c1 + %ids] : T<$R$x$C$xf32>, V<f32, $C$, group = $G$>, T<$L$xi32>
    %u = @load %pv[%c0] : V<f32, $C$, group = $G$> -> T<$R$x$C$xf32>
    @store %u, %yv[%c0] : T<$R$x$C$xf32>, V<f32, $C$, group = $G$>
    %w = @gather_at %av[%c1 + %ids, %slots] : V<f32, $C$, group = $G$>, T<$L$xi32>, T<$L$xi32> -> T<$R$xf32>
    @store %w, %zv[%c0] : T<$R$xf32>, V<f32, 1, group = $G$>
    // Element 1 of the position that list entry 3 names, at the first place behind those.
    %one = @slice %a[%c0, %c0] : A<f32, $C$> -> V<f32, $C$>
    %id = @entry %iv[%c3, %c0] : V<i32, 1> -> index
    %e = @entry %one[%id, %c1] : V<f32, $C$> -> f32
    %none = @splat 0.0 : T<1xf32>
    %et = @map (%p = %none, %q = %e) : T<1xf32>, f32 -> T<1xf32> {
      %sum = arith.addf %p, %q : f32
      @yield %sum : f32
    }
    %ev = @slice %z0[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    @store %et, %ev[%cl] : T<1xf32>, V<f32, 1>)",
                             names),
                   isa);
      Frame frame;
      for (Tensor *tensor : {&a, &ids, &slots, &y, &z})
        tensor->in(frame);
      program->run("k", frame, 1, 1, 1);
      bool same = z.get(0, listed, 0, 0) == a.get(0, 6, 0, 1);
      for (int64_t h = 0; h < group; ++h)
        for (int64_t i = 0; i < listed; ++i) {
          // ids + 1 = values, so private row p holds a's row p if some value is p; 0 and -1 are no ids.
          bool written = false;
          for (int64_t value : values)
            written |= value == i && value >= 1;
          for (int64_t k = 0; k < cols; ++k)
            same &= y.get(0, i, h, k) == (written && i < positions ? a.get(0, i, h, k) : 42);
          int64_t p = values[i], slot = static_cast<int64_t>(slots.get(0, i, 0, 0));
          bool exists = ids.get(0, i, 0, 0) >= 0 && p < positions && slot >= 0 && slot < cols;
          same &= z.get(0, i, h, 0) == (exists ? a.get(0, p, h, slot) : 0);
        }
      INFO(targetName(isa).str(), " group ", group);
      CHECK(same);
    }
}

// Of few rows, whose products read listed rows where they lie.
TEST_CASE("products with listed rows") {
  constexpr int64_t listed = 32, positions = 50, features = 40;
  for (Isa isa : levels())
    for (Tensor::Type type : {Tensor::F32, Tensor::BF16})
      for (int64_t rows : {1, 3}) {
        Tensor q(Tensor::F32, 1, rows, 1, features), k(type, 1, positions, 2, features),
            ids(Tensor::I32, 1, listed, 1, 1), z(Tensor::F32, 1, rows, 1, listed), y(Tensor::F32, 1, rows, 1, features);
        fillNormal(q, 5);
        fillNormal(k, 6);
        for (int64_t i = 0; i < listed; ++i) // some list nothing, some what does not exist
          ids.set(0, i, 0, 0, static_cast<double>(i % 7 == 3 ? -1 : i * 13 % 60 - 1));
        auto program =
            compiled(oneKernel("%q: A<f32, 40>, %k: A<$E$, 40>, %i: A<i32, 1>, %z0: A<f32, 32>, %y0: A<f32, 40>", R"(
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %qv = @slice %q[%c0, %c0] : A<f32, 40> -> V<f32, 40>
    %kv = @slice %k[%c0, %c1] : A<$E$, 40> -> V<$E$, 40>
    %iv = @slice %i[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %zv = @slice %z0[%c0, %c0] : A<f32, 32> -> V<f32, 32>
    %yv = @slice %y0[%c0, %c0] : A<f32, 40> -> V<f32, 40>
    %ids = @load %iv[%c0] : V<i32, 1> -> T<32xi32>
    %qt = @load %qv[%c0] : V<f32, 40> -> T<$R$x40xf32>
    %kt = @gather %kv[%c1 + %ids] : V<$E$, 40>, T<32xi32> -> T<32x40xf32>
    %s = @dot nt %qt, %kt : T<$R$x40xf32>, T<32x40xf32> -> T<$R$x32xf32>
    %t = @dot nn %s, %kt : T<$R$x32xf32>, T<32x40xf32> -> T<$R$x40xf32>
    @store %s, %zv[%c0] : T<$R$x32xf32>, V<f32, 32>
    @store %t, %yv[%c0] : T<$R$x40xf32>, V<f32, 40>)",
                               {{"R", n(rows)}, {"E", k.typeName()}}),
                     isa);
        Frame frame;
        for (Tensor *tensor : {&q, &k, &ids, &z, &y})
          tensor->in(frame);
        program->run("k", frame, 1, 1, 1);
        auto keyAt = [&](int64_t i, int64_t d) {
          auto id = static_cast<int64_t>(ids.get(0, i, 0, 0));
          return id < 0 || id + 1 >= positions ? 0.0 : k.get(0, id + 1, 1, d);
        };
        double worst = 0;
        for (int64_t row = 0; row < rows; ++row) {
          std::vector<double> sums(features);
          for (int64_t i = 0; i < listed; ++i) {
            double score = 0;
            for (int64_t d = 0; d < features; ++d)
              score += q.get(0, row, 0, d) * keyAt(i, d);
            for (int64_t d = 0; d < features; ++d)
              sums[d] += score * keyAt(i, d);
            worst = std::max(worst, std::fabs(z.get(0, row, 0, i) - score));
          }
          for (int64_t d = 0; d < features; ++d)
            worst = std::max(worst, std::fabs(y.get(0, row, 0, d) - sums[d]));
        }
        INFO(targetName(isa).str(), " ", std::string(k.typeName()), " ", rows);
        CHECK(worst < 2e-4);
      }
}

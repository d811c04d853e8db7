// Scores, and what is done to them before they select: each against numbers worked out by hand. Outputs of linear
// accumulation over one-hot values show the scores themselves: o_j = z_j / sum z.
#include <doctest/doctest.h>
#include "OracleTest.h"
#include <cmath>

using namespace sattn;
using namespace sattn::ref;
using doctest::Approx;

/// One row whose q is {1, 2} against three keys; the score made by `lines` (%z) weighs one-hot values linearly.
static Result weighed(const std::string &lines, Call call, const std::string &head = "",
                      const std::string &column = "s") {
  return run("sattn.pattern @p" + head + " -> (o) {\n" + lines + "  %keys = sattn.set (t, " + column + ") : all\n" +
                 "  %p = sattn.accumulate linear %z over %keys, %v\n  %o = sattn.finalize %p\n  sattn.yield %o\n}",
             call);
}

static const std::string plain = "(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv])";

static Call threeKeys() {
  Call call;
  call.roles["q"] = array({1, 1, 1, 2}, {1, 2});
  call.roles["k"] = array({1, 3, 1, 2}, {1, 0, 0, 1, 2, 1}); // dots 1, 2, 4
  call.roles["v"] = oneHot(3);
  return call;
}

TEST_CASE("dot products and their scale") {
  Result r = weighed("  %z = sattn.score dot %q, %k scale(3)\n", threeKeys(), plain);
  REQUIRE(r.error == "");
  CHECK(r["o"].data[0] == Approx(1.0 / 7.0));
  CHECK(r["o"].data[1] == Approx(2.0 / 7.0));
  CHECK(r["o"].data[2] == Approx(4.0 / 7.0));
}

TEST_CASE("map: score, positions, heads, params and tables") {
  Call call = threeKeys();
  call.qOffset = {10};
  call.roles["bias"] = array({3}, {5, 6, 7});
  call.roles["q"] = array({1, 1, 3, 2}, {1, 2, 1, 2, 1, 2});
  std::string head = "<w: float = 0.5>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %bias: [h])";
  std::string lines = "  %a = sattn.score dot %q, %k\n"
                      "  %z = sattn.map %a : w * z + max(t - s, 9) + %bias[h] + h\n";
  Result r = weighed(lines, call, head);
  REQUIRE(r.error == "");
  // w * z = .5, 1, 2; max(t - s, 9) = 10, 9, 9; bias + h = 5, 7, 9
  for (int64_t h = 0; h < 3; ++h) {
    double rest = 5.0 + 2.0 * h, total = 31.5 + 3.0 * rest;
    CHECK(r["o"].at({0, 0, h, 0}) == Approx((10.5 + rest) / total));
    CHECK(r["o"].at({0, 0, h, 1}) == Approx((10.0 + rest) / total));
    CHECK(r["o"].at({0, 0, h, 2}) == Approx((11.0 + rest) / total));
  }
}

TEST_CASE("functions of map") {
  auto first = [](const std::string &formula) {
    Result r = weighed("  %a = sattn.score dot %q, %k\n  %z = sattn.map %a : " + formula + "\n", threeKeys(), plain);
    CHECK(r.error == "");
    return r["o"].data[0] / r["o"].data[1]; // f(1) / f(2)
  };
  CHECK(first("min(z, 1.5)") == Approx(1.0 / 1.5));
  CHECK(first("abs(-z)") == Approx(0.5));
  CHECK(first("exp(z)") == Approx(std::exp(-1.0)));
  CHECK(first("log(z + 1)") == Approx(std::log(2.0) / std::log(3.0)));
  CHECK(first("tanh(z)") == Approx(std::tanh(1.0) / std::tanh(2.0)));
  CHECK(first("sigmoid(z)") == Approx((1 + std::exp(-2.0)) / (1 + std::exp(-1.0))));
  CHECK(first("relu(z - 1) + 1") == Approx(0.5));
  CHECK(first("rsqrt(z)") == Approx(std::sqrt(2.0)));
  CHECK(first("1 / z") == Approx(2.0));
}

TEST_CASE("a table of fewer heads serves groups of heads") {
  Call call = threeKeys();
  call.roles["q"] = array({1, 1, 4, 2}, {1, 2, 1, 2, 1, 2, 1, 2});
  call.roles["bias"] = array({2}, {0, 1});
  std::string lines = "  %a = sattn.score dot %q, %k\n  %z = sattn.map %a : z + %bias[h]\n";
  Result r = weighed(lines, call, "(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %bias: [h2])");
  REQUIRE(r.error == "");
  CHECK(r["o"].at({0, 0, 1, 0}) == Approx(1.0 / 7.0));
  CHECK(r["o"].at({0, 0, 2, 0}) == Approx(2.0 / 10.0));
}

/// Probabilities as column sums over one row.
static Result probabilities(const std::string &normalize, const Call &call, const std::string &roles = "") {
  return run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D]" + roles +
                 ") -> (p) {\n"
                 "  %a = sattn.score dot %q, %k\n"
                 "  %some = sattn.set (t, s) : s < 2\n"
                 "  %n = sattn.normalize " +
                 normalize +
                 "\n"
                 "  %all = sattn.set (t, s) : all\n"
                 "  %p = sattn.colsum %n over %all\n"
                 "  sattn.yield %p\n}",
             call);
}

TEST_CASE("normalize: probabilities over the set, 0 outside, with a further lse") {
  Call call = threeKeys();
  call.roles.erase("v");
  Result r = probabilities("%a over %some", call);
  REQUIRE(r.error == "");
  double a = std::exp(1.0), b = std::exp(2.0);
  CHECK(r["p"].shape == SmallVector<int64_t>{1, 3, 1});
  CHECK(r["p"].data[0] == Approx(a / (a + b)));
  CHECK(r["p"].data[1] == Approx(b / (a + b)));
  CHECK(r["p"].data[2] == 0.0);

  call.roles["l"] = array({1, 1, 1}, {std::log(3.0)});
  r = probabilities("%a over %some with %l", call, ", %l: [t, h]");
  REQUIRE(r.error == "");
  CHECK(r["p"].data[0] == Approx(a / (a + b + 3.0)));
  CHECK(r["p"].data[1] == Approx(b / (a + b + 3.0)));
  call.roles["l"].data[0] = -infinite;
  CHECK(probabilities("%a over %some with %l", call, ", %l: [t, h]")["p"].data[0] == Approx(a / (a + b)));
}

TEST_CASE("reduce: sum, mean and max of a group of heads") {
  Call call;
  call.roles["q"] = array({1, 1, 4, 1}, {1, 2, 10, 30});
  call.roles["k"] = array({1, 2, 2, 1}, {1, 1, 3, 3}); // head groups: keys 1 and 3 for both
  call.roles["v"] = array({1, 2, 2, 2}, {1, 0, 1, 0, 0, 1, 0, 1});
  auto pick = [&](const std::string &how) {
    Result r = run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {\n"
                   "  %a = sattn.score dot %q, %k\n"
                   "  %b = sattn.reduce " +
                       how +
                       " %a over h to g\n"
                       "  %z = sattn.map %b : z + g\n"
                       "  %keys = sattn.set (t, s) : all\n"
                       "  %p = sattn.accumulate softmax %z over %keys, %v\n"
                       "  %o = sattn.lse %p\n"
                       "  sattn.yield %o\n}",
                   call);
    CHECK(r.error == "");
    CHECK(r["o"].shape == SmallVector<int64_t>{1, 1, 2});
    return r["o"].data;
  };
  auto lse = [](double a, double b) { return std::log(std::exp(a) + std::exp(b)); };
  CHECK(pick("sum")[0] == Approx(lse(3, 9)));
  CHECK(pick("mean")[0] == Approx(lse(1.5, 4.5)));
  CHECK(pick("max")[0] == Approx(lse(2, 6)));
  CHECK(pick("max")[1] == Approx(lse(31, 91)));
}

TEST_CASE("bound: the largest dot product that keys of a page can have") {
  Call call;
  call.roles["q"] = array({1, 1, 1, 2}, {2, -1});
  call.roles["k"] = array({1, 4, 1, 2}, {1, 5, 3, 4, -1, 0, -2, 7});
  call.roles["v"] = oneHot(2);
  call.roles["v"].shape = {1, 2, 1, 2};
  Result r = run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [c(2), g, Dv]) -> (o) {\n"
                 "  %m = sattn.summarize minmax %k blocks(2)\n"
                 "  %z = sattn.score bound %q, %m\n"
                 "  %keys = sattn.set (t, c(2)) : all\n"
                 "  %p = sattn.accumulate linear %z over %keys, %v\n"
                 "  %o = sattn.finalize %p\n"
                 "  sattn.yield %o\n}",
                 call);
  REQUIRE(r.error == "");
  // page 0: max(2*1, 2*3) + max(-5, -4) = 2; page 1: max(-2, -4) + max(0, -7) = -2 ... sum 0 gives 0 by definition
  CHECK(r["o"].data == std::vector<double>{0, 0});
  call.roles["q"] = array({1, 1, 1, 2}, {2, 1});
  r = run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [c(2), g, Dv]) -> (o) {\n"
          "  %m = sattn.summarize minmax %k blocks(2)\n"
          "  %z = sattn.score bound %q, %m\n"
          "  %keys = sattn.set (t, c(2)) : all\n"
          "  %p = sattn.accumulate linear %z over %keys, %v\n"
          "  %o = sattn.finalize %p\n"
          "  sattn.yield %o\n}",
          call);
  CHECK(r["o"].data[0] == Approx(11.0 / 16.0)); // 6 + 5 against -2 + 7
}

TEST_CASE("l1 distance of codes: hadamard, then buckets") {
  Call call;
  call.roles["q"] = array({1, 1, 1, 2}, {3, 1});         // hadamard: 4/r2, 2/r2 = 2.83, 1.41
  call.roles["k"] = array({1, 2, 1, 2}, {3, 1, -1, -1}); // 2.83, 1.41 and -1.41, 0
  call.roles["v"] = oneHot(2);
  std::string lines = "  %qh = sattn.encode hadamard %q\n"
                      "  %kh = sattn.encode hadamard %k\n"
                      "  %qb = sattn.encode buckets %qh at(-1.0, 0.0, 2.0)\n" // 3, 2
                      "  %kb = sattn.encode buckets %kh at(-1.0, 0.0, 2.0)\n" // 3, 2 and 0, 1 (0 is in the lower one)
                      "  %a = sattn.score l1 %qb, %kb scale(-1)\n"
                      "  %z = sattn.map %a : z - 1\n";
  Result r = weighed(lines, call, plain);
  REQUIRE(r.error == "");
  CHECK(r["o"].data[0] == Approx(1.0 / 6.0)); // distances 0 and 4
}

TEST_CASE("rebin counts a source block once for each stride it shares") {
  // Blocks of 4 every 2 over 12 keys: 5 sources with probability 1/5 each; targets of 4 keys.
  Call call = showKeys(1, 12);
  auto pooled = [&](const std::string &how, const std::string &blocks, const std::string &set) {
    Result r = run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D]) -> (p) {\n"
                   "  %m = sattn.summarize mean %k blocks(" +
                       blocks +
                       ")\n"
                       "  %a = sattn.score dot %q, %m\n"
                       "  %all = sattn.set (t, c(" +
                       blocks + ")) : " + set +
                       "\n"
                       "  %n = sattn.normalize %a over %all\n"
                       "  %b = sattn.rebin " +
                       how +
                       " %n to blocks(4)\n"
                       "  %every = sattn.set (t, c(4)) : all\n"
                       "  %p = sattn.colsum %b over %every\n"
                       "  sattn.yield %p\n}",
                   call);
    CHECK(r.error == "");
    return r["p"].data;
  };
  call.roles.erase("v");
  // Strides of source c: c and c + 1. Target 0 has strides 0, 1: source 0 twice, source 1 once.
  std::vector<double> sum = pooled("sum", "4, 2", "all");
  REQUIRE(sum.size() == 3);
  CHECK(sum[0] == Approx(3 / 5.0));
  CHECK(sum[1] == Approx(4 / 5.0)); // source 1 once, 2 twice, 3 once
  CHECK(sum[2] == Approx(3 / 5.0)); // source 3 once, 4 twice
  CHECK(pooled("mean", "4, 2", "all")[1] == Approx(1 / 5.0));
  CHECK(pooled("max", "4, 2", "c == 2")[0] == 0.0); // outside the set a probability is 0
  CHECK(pooled("sum", "4, 2", "c == 3")[1] == Approx(1.0));
  CHECK(pooled("sum", "2, 2", "c == 3")[1] == Approx(1.0));               // smaller disjoint blocks: plain sums
  CHECK(pooled("sum", "4, 4", "c == 1") == std::vector<double>{0, 1, 0}); // the same blocks
}

TEST_CASE("rebin reaches into the last, incomplete block") {
  Call call = showKeys(1, 10);
  call.roles.erase("v");
  Result r = run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D]) -> (p) {\n"
                 "  %m = sattn.summarize mean %k blocks(4, 2)\n" // 4 complete ones: 0-3, 2-5, 4-7, 6-9
                 "  %a = sattn.score dot %q, %m\n"
                 "  %all = sattn.set (t, c(4, 2)) : all\n"
                 "  %n = sattn.normalize %a over %all\n"
                 "  %b = sattn.rebin sum %n to blocks(8)\n"
                 "  %every = sattn.set (t, c(8)) : all\n"
                 "  %p = sattn.colsum %b over %every\n"
                 "  sattn.yield %p\n}",
                 call);
  REQUIRE(r.error == "");
  CHECK(r["p"].data[0] == Approx(7 / 4.0)); // two strides each, one of the last block
  CHECK(r["p"].data[1] == Approx(1 / 4.0));
}

// Weights of slots, blends of blocks, and mixes of outputs.
#include <doctest/doctest.h>
#include "OracleTest.h"
#include <cmath>

using namespace sattn;
using namespace sattn::ref;
using doctest::Approx;

/// Four keys in two blocks of two, every score 0, one-hot values: a block's own result is 1/2 on each of its keys.
/// The weights come from the scores a0, a1 of the blocks.
static Result blended(const std::string &how, double a0, double a1, const std::string &more = "",
                      const std::string &blend = "%p by %w", double lse = 0.0) {
  Call call = showKeys(1, 4);
  call.roles["m"] = array({1, 2, 1, 1}, {a0, a1});
  call.roles["r"] = array({1, 1, 1, 1}, {1});
  std::string roles = ", %r: [t, h, D2], %m: [c(2), g, D2]";
  if (!more.empty()) {
    call.roles["o1"] = array({1, 1, 1, 4}, {10, 0, 0, 0});
    call.roles["l1"] = array({1, 1, 1}, {lse});
    roles += ", %o1: [t, h, Dv], %l1: [t, h]";
  }
  return run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]" + roles +
                 ") -> (o) {\n"
                 "  %a = sattn.score dot %r, %m\n"
                 "  %all = sattn.set (t, c(2)) : all\n"
                 "  %sel = sattn.select top(2) %a where %all\n"
                 "  %w = sattn.weigh " +
                 how + " %a over %sel" + more +
                 "\n"
                 "  %z = sattn.score dot %q, %k\n"
                 "  %some = sattn.set (t, s) : s < 3\n"
                 "  %keys = sattn.intersect %sel, %some\n"
                 "  %p = sattn.accumulate softmax %z over %keys, %v per block\n"
                 "  %o = sattn.blend " +
                 blend +
                 "\n"
                 "  sattn.yield %o\n}",
             call);
}

TEST_CASE("softmax weights of blocks, each with its own softmax") {
  Result r = blended("softmax", 0.0, std::log(3.0));
  REQUIRE(r.error == "");
  CHECK(r["o"].data[0] == Approx(0.125)); // weight 1/4, two keys
  CHECK(r["o"].data[1] == Approx(0.125));
  CHECK(r["o"].data[2] == Approx(0.75)); // weight 3/4, one key is left
  CHECK(r["o"].data[3] == 0.0);
}

TEST_CASE("stick-breaking takes the newest block first") {
  double a0 = 0.3, a1 = -0.7;
  auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  Result r = blended("stickbreak", a0, a1);
  REQUIRE(r.error == "");
  CHECK(r["o"].data[2] == Approx(sigmoid(a1)));
  CHECK(r["o"].data[0] == Approx(0.5 * sigmoid(a0) * (1.0 - sigmoid(a1))));
  CHECK(blended("stickbreak", 0.0, 800.0)["o"].data[2] == Approx(1.0));
  CHECK(blended("stickbreak", 0.0, 800.0)["o"].data[0] == Approx(0.0));
}

TEST_CASE("weights with the lse of a further output, which has the last slot") {
  Result r = blended("softmax", 0.0, 0.0, " with %l1", "%p and %o1 by %w", std::log(2.0));
  REQUIRE(r.error == "");
  CHECK(r["o"].data[0] == Approx(0.125 + 5.0));
  CHECK(r["o"].data[2] == Approx(0.25));
  CHECK(blended("softmax", 0.0, 0.0, " with %l1", "%p and %o1 by %w", -infinite)["o"].data[0] == Approx(0.25));
}

TEST_CASE("a row that selects nothing blends to 0") {
  CHECK(blended("softmax", -infinite, -infinite)["o"].data == std::vector<double>{0, 0, 0, 0});
  CHECK(blended("stickbreak", notANumber, -infinite)["o"].data == std::vector<double>{0, 0, 0, 0});
}

TEST_CASE("mix: outputs, gates and params") {
  Call call;
  call.roles["a"] = array({1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  call.roles["b"] = array({1, 2, 2, 2}, {10, 20, 30, 40, 50, 60, 70, 80});
  call.roles["g"] = array({1, 2, 2, 2}, {0, 1, 1, 0, 0.5, 0.5, 2, -1});
  Result r = run("sattn.pattern @p<lam: float = 3.0>(%a: [t, h, D], %b: [t, h, D], %g: [t, h, 2]) -> (o) {\n"
                 "  %o = sattn.mix %g[t, h, 0] * %a + lam * %g[t, h, 1] * %b\n"
                 "  sattn.yield %o\n}",
                 call);
  REQUIRE(r.error == "");
  CHECK(r["o"].shape == SmallVector<int64_t>{1, 2, 2, 2});
  CHECK(r["o"].data == std::vector<double>{30, 60, 3, 4, 77.5, 93, -196, -224});
}

TEST_CASE("mix: row weights multiply every feature") {
  Call call;
  call.roles["a"] = array({1, 2, 1, 2}, {1, 2, 3, 4});
  call.roles["w"] = array({1, 2, 1}, {10, 100});
  Result r = run("sattn.pattern @p(%a: [t, h, D], %w: [t, h]) -> (o) {\n"
                 "  %o = sattn.mix %w * %a\n"
                 "  sattn.yield %o\n}",
                 call);
  REQUIRE(r.error == "");
  CHECK(r["o"].data == std::vector<double>{10, 20, 300, 400});
}

TEST_CASE("a map may read the lse of an earlier attention at its own row and at others") {
  Call call = showKeys(3, 3);
  auto with = [&](const std::string &index) {
    return run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (lse) {\n"
               "  %keys = sattn.set (t, s) : s <= t\n"
               "  %z = sattn.score dot %q, %k\n"
               "  %p = sattn.accumulate softmax %z over %keys, %v\n"
               "  %l = sattn.lse %p\n" // log(t + 1)
               "  %y = sattn.map %z : z + %l[" +
                   index +
                   ", h]\n"
                   "  %p2 = sattn.accumulate softmax %y over %keys, %v\n"
                   "  %lse = sattn.lse %p2\n"
                   "  sattn.yield %lse\n}",
               call);
  };
  CHECK(with("t")["lse"].data[2] == Approx(std::log(9.0))); // 3 keys of weight 3
  CHECK(with("s")["lse"].data[2] == Approx(std::log(6.0))); // 1 + 2 + 3
}

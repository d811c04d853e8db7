// Whole tensors: summaries, prefixes, votes, routed and gathered rows.
#include <doctest/doctest.h>
#include "OracleTest.h"
#include <cmath>

using namespace sattn;
using namespace sattn::ref;
using doctest::Approx;
using Data = std::vector<double>;

/// Results of `lines` over the keys 1, 5, 3, 4, 8 of one head and one feature.
static Result summarized(const std::string &lines, Call call = {}) {
  call.roles["k"] = array({1, 5, 1, 1}, {1, 5, 3, 4, 8});
  return run("sattn.pattern @p(%k: [s, g, D]) -> (m) {\n" + lines + "  sattn.yield %m\n}", call);
}

TEST_CASE("summaries of complete blocks") {
  auto blocks = [](const std::string &how) { return summarized("  %m = sattn.summarize " + how + "\n"); };
  CHECK(blocks("mean %k blocks(2)")["m"].data == Data{3, 3.5});
  CHECK(blocks("sum %k blocks(2)")["m"].data == Data{6, 7});
  CHECK(blocks("min %k blocks(3)")["m"].data == Data{1});
  CHECK(blocks("max %k blocks(3)")["m"].data == Data{5});
  CHECK(blocks("mean %k blocks(3, 1)")["m"].data == Data{3, 4, 5});
  CHECK(blocks("mean %k blocks(3, 2)")["m"].data == Data{3, 5});
  CHECK(blocks("mean %k blocks(6)")["m"].data == Data{});
}

TEST_CASE("ragged summaries average what exists") {
  CHECK(summarized("  %m = sattn.summarize mean %k blocks(2) ragged\n")["m"].data == Data{3, 3.5, 8});
  Call call;
  call.kvLen = {3};
  CHECK(summarized("  %m = sattn.summarize mean %k blocks(2) ragged\n", call)["m"].data == Data{3, 3, 0});
  CHECK(summarized("  %m = sattn.summarize mean %k blocks(2)\n", call)["m"].data == Data{3, 0});
}

TEST_CASE("summaries of rows cover the last rows") {
  Call call;
  call.roles["q"] = array({1, 3, 1, 1}, {1, 5, 7});
  std::string text = "sattn.pattern @p(%q: [t, h, D]) -> (m) {\n"
                     "  %m = sattn.summarize mean %q blocks(2)\n  sattn.yield %m\n}";
  CHECK(run(text, call)["m"].data == Data{3, 7});
  call.qOffset = {1};
  CHECK(run(text, call).error == "q_offset 1 is not a multiple of the row blocks of 2");
}

TEST_CASE("summaries that need weights are refused by name") {
  Call call;
  call.roles["k"] = Array::zeros({1, 4, 1, 1});
  call.roles["w"] = Array::zeros({1, 4, 1});
  Result r = run("sattn.pattern @p(%k: [s, g, D], %w: [s, g]) -> (m) {\n"
                 "  %m = sattn.summarize weighted %k by %w blocks(2)\n  sattn.yield %m\n}",
                 call);
  CHECK(r.error == "sattn.summarize weighted has no reference: pass its result as a role");
}

TEST_CASE("a prefix is the first features") {
  Call call;
  call.roles["k"] = array({1, 2, 1, 3}, {1, 2, 3, 4, 5, 6});
  auto prefix = [&](const std::string &width) {
    return run("sattn.pattern @p(%k: [s, 1, D]) -> (m) {\n  %m = sattn.prefix %k to " + width + "\n  sattn.yield %m\n}",
               call);
  };
  CHECK(prefix("2")["m"].data == Data{1, 2, 4, 5});
  CHECK(prefix("2")["m"].shape == SmallVector<int64_t>{1, 2, 1, 2});
  CHECK(prefix("4").error == "sattn.prefix to 4 but the operand has 3 features");
}

TEST_CASE("codes") {
  Call call;
  call.roles["k"] = array({1, 1, 1, 4}, {1, 2, 3, 4});
  auto code = [&](const std::string &how) {
    return run("sattn.pattern @p(%k: [s, g, D]) -> (m) {\n  %m = sattn.encode " + how + "\n  sattn.yield %m\n}", call);
  };
  CHECK(code("hadamard %k")["m"].data == Data{5, -1, -2, 0});
  CHECK(code("buckets %k at(1.0, 2.5, 3.0)")["m"].data == Data{0, 1, 2, 3});
  CHECK(code("fp8 %k").error == "sattn.encode fp8 has no reference: pass the codes as a role");
  call.roles["k"] = array({1, 1, 1, 3}, {1, 2, 3});
  CHECK(code("hadamard %k").error ==
        "sattn.encode hadamard needs a number of features that is a power of 2, but got 3");
}

/// The rows of one call, encoded.
static Data encoded(const std::string &how, Data rows, int64_t width) {
  Call call;
  int64_t count = static_cast<int64_t>(rows.size()) / width;
  call.roles["k"] = array({1, count, 1, width}, std::move(rows));
  return run("sattn.pattern @p(%k: [s, g, D]) -> (m) {\n  %m = sattn.encode " + how + " %k\n  sattn.yield %m\n}",
             call)["m"]
      .data;
}

TEST_CASE("codes of integers: a scale for each row, ties to even") {
  CHECK(encoded("int8", {-127, 1.5, 2.5, 0.5, 0, 0, 0, 0, 254, 1, 3, -5}, 4) ==
        Data{-127, 2, 2, 0, 0, 0, 0, 0, 254, 0, 4, -4});
  CHECK(encoded("int4", {7, 1.5, 2.5, -3.4}, 4) == Data{7, 2, 2, -3});
  // The scale is a float32.
  float scale = 1.0f / 127.0f;
  CHECK(encoded("int8", {1, 0.5}, 2) == Data{127.0 * scale, 64.0 * scale}); // 63.5 to even
}

TEST_CASE("codes of integers: rows without a normal scale, NaN and infinity") {
  CHECK(encoded("int8", {1e-37, 0}, 2) == Data{0, 0});
  double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (double odd : {infinity, -infinity, nan})
    for (double value : encoded("int8", {odd, 1, 0}, 3))
      CHECK(std::isnan(value));
}

TEST_CASE("dot products of codes of integers are float32") {
  const std::string text = "sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (lse) {\n"
                           "  %all = sattn.set (t, s) : all\n"
                           "  %qi = sattn.encode int8 %q\n"
                           "  %ki = sattn.encode int8 %k\n"
                           "  %z = sattn.score dot %qi, %ki\n"
                           "  %p = sattn.accumulate softmax %z over %all, %v\n"
                           "  %lse = sattn.lse %p\n"
                           "  sattn.yield %lse\n}";
  Call call;
  call.roles["q"] = array({1, 1, 1, 2}, {1, 0.25});
  call.roles["k"] = array({1, 1, 1, 2}, {3, -2});
  call.roles["v"] = array({1, 1, 1, 1}, {1});
  float q = 1.0f / 127.0f, k = 3.0f / 127.0f;
  float left = static_cast<float>(127 * 127 + 32 * -85) * q;
  CHECK(run(text, call)["lse"].data == Data{left * k});
  call.roles["k"] = array({1, 1, 1, 2}, {0, 0});
  CHECK(run(text, call)["lse"].data == Data{0});
}

/// Votes 1, 5, 2, 4, 3 smoothed.
static Result smoothed(const std::string &how, Call call = {}) {
  call.roles["votes"] = array({1, 5, 1}, {1, 5, 2, 4, 3});
  return run("sattn.pattern @p(%votes: [s, h]) -> (m) {\n  %m = sattn.smooth " + how + "\n  sattn.yield %m\n}", call);
}

TEST_CASE("smoothing: a mean reads 0 outside, a maximum nothing") {
  Data mean = smoothed("mean %votes width(3)")["m"].data;
  CHECK(mean[0] == Approx(2.0));
  CHECK(mean[1] == Approx(8.0 / 3.0));
  CHECK(mean[4] == Approx(7.0 / 3.0));
  CHECK(smoothed("max %votes width(3)")["m"].data == Data{5, 5, 5, 4, 4});
  Call call;
  call.kvLen = {3};
  CHECK(smoothed("max %votes width(3)", call)["m"].data == Data{5, 5, 5, 0, 0});
}

TEST_CASE("an even width has no centre") {
  Call call;
  call.roles["votes"] = Array::zeros({1, 2, 1});
  call.params["w"] = 2;
  CHECK(run("sattn.pattern @p<w: int = 3>(%votes: [s, h]) -> (m) {\n"
            "  %m = sattn.smooth max %votes width(w)\n  sattn.yield %m\n}",
            call)
            .error == "sattn.smooth width(2) has no centre: the width must be odd");
}

static const std::string routed =
    R"(sattn.pattern @p<n: int = 2, a: int = 0, b: int = 0>(%x: [s, h, D], %r: [s, h]) -> (y) {
  %rows = sattn.route top(n) %r force(first(a) last(b))
  %y = sattn.gather %x at %rows
  sattn.yield %y
})";

TEST_CASE("routed rows are the best of each head, in order of position") {
  Call call;
  call.roles["x"] = array({1, 4, 2, 1}, {0, 10, 1, 11, 2, 12, 3, 13});
  call.roles["r"] = array({1, 4, 2}, {5, 0, 1, 9, 7, 9, 1, 9});
  CHECK(run(routed, call)["y"].data == Data{0, 11, 2, 12}); // head 0: 0 and 2; head 1: 1 and 2, ties to lower ones
  call.params["b"] = 1;
  CHECK(run(routed, call)["y"].data == Data{2, 11, 3, 13});
  call.params["a"] = 1;
  CHECK(run(routed, call)["y"].data == Data{0, 10, 3, 13});
  call.kvLen = {2};
  call.params["n"] = 3;
  CHECK(run(routed, call)["y"].data == Data{0, 10, 1, 11, 0, 0});
}

static const std::string expert =
    R"(sattn.pattern @p<n: int = 2>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv], %r: [t, h]) -> (o) {
  %rows = sattn.route top(n) %r
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %vr = sattn.gather %v at %rows
  %rr = sattn.gather %r at %rows
  %causal = sattn.set (t, s) : s <= t
  %z = sattn.score dot %qr, %kr
  %oh = sattn.attend %z over %causal, %vr
  %ow = sattn.mix %rr * %oh
  %o = sattn.scatter %ow at %rows
  sattn.yield %o
})";

TEST_CASE("gathered rows attend by their original positions and return to them") {
  Call call;
  call.roles["q"] = Array::zeros({1, 4, 2, 1});
  call.roles["k"] = Array::zeros({1, 4, 2, 1});
  call.roles["v"] = array({1, 4, 2, 1}, {1, 10, 2, 20, 3, 30, 4, 40});
  call.roles["r"] = array({1, 4, 2}, {0, 3, 5, 0, 0, 0, 2, 1}); // head 0: rows 1, 3; head 1: rows 0, 3
  Result r = run(expert, call);
  REQUIRE(r.error == "");
  CHECK(r["o"].data == Data{0, 30, 10, 0, 0, 0, 6, 25}); // 5 * 2, 2 * (2 + 4) / 2; 3 * 10, 1 * (10 + 40) / 2
  call.rows = SmallVector<int64_t>{3, 1};
  CHECK(run(expert, call)["o"].data == Data{6, 25, 10, 0});
}

TEST_CASE("routing of rows needs the whole sequence, and its results are no query rows") {
  Call call;
  call.roles["q"] = Array::zeros({1, 2, 1, 1});
  call.roles["k"] = call.roles["v"] = Array::zeros({1, 3, 1, 1});
  call.roles["r"] = Array::zeros({1, 2, 1});
  CHECK(run(expert, call).error == "routing of rows needs the whole sequence: q_offset 0, 2 rows, 3 keys");
  call = Call();
  call.roles["x"] = Array::zeros({1, 4, 2, 1});
  call.roles["r"] = Array::zeros({1, 4, 2});
  call.rows = SmallVector<int64_t>{};
  CHECK(run(routed, call).error == "result 'y' is not made of query rows: it cannot be sampled by rows");
}

TEST_CASE("votes of the last rows keep keys") {
  Call call = showKeys(4, 4);
  call.roles["k"].data = {0, 0, 1, 0};
  call.roles["q"] = Array::filled({1, 4, 1, 1}, std::log(3.0));
  Result r = run(R"(sattn.pattern @p<w: int = 2>(%q: [t, h, D], %k: [s, h, D], %v: [s, h, Dv]) -> (kept) {
  %causal = sattn.set (t, s) : s <= t
  %watch = sattn.set (t, s) : t >= size(s) - w
  %z = sattn.score dot %q, %k
  %p = sattn.normalize %z over %causal
  %votes = sattn.colsum %p over %watch
  %rows = sattn.route top(2) %votes
  %kept = sattn.gather %v at %rows
  sattn.yield %kept
})",
                 call);
  REQUIRE(r.error == "");
  // row 2: 1/5 1/5 3/5; row 3: 1/6 1/6 3/6 1/6: keys 2 and 0 (a tie with key 1)
  CHECK(r["kept"].data == Data{1, 0, 0, 0, 0, 0, 1, 0});
}

TEST_CASE("kept keys without a number are rows of 0, and no more are kept than there are") {
  Call call;
  call.roles["k"] = array({1, 3, 1, 1}, {5, 6, 7});
  call.roles["r"] = array({1, 3, 1}, {notANumber, 1, -infinite});
  std::string text = R"(sattn.pattern @p<n: int = 2>(%k: [s, h, D], %r: [s, h]) -> (kept) {
  %rows = sattn.route top(n) %r
  %kept = sattn.gather %k at %rows
  sattn.yield %kept
})";
  CHECK(run(text, call)["kept"].data == Data{6, 0});
  call.params["n"] = 9;
  CHECK(run(text, call)["kept"].data == Data{6, 0, 0});
  call.params["n"] = -1;
  CHECK(run(text, call)["kept"].data.empty());
}

TEST_CASE("a mix of tensors over keys reads positions, heads and tables") {
  Call call;
  call.roles["a"] = array({1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  call.roles["b"] = array({1, 2, 2}, {10, 20, 30, 40});
  std::string text = "sattn.pattern @p<x: float = 2.0>(%a: [s, g, D], %b: [s, g]) -> (o) {\n"
                     "  %o = sattn.mix x * %a + %b[s, g] - s + %b * g\n  sattn.yield %o\n}";
  CHECK(run(text, call)["o"].data == Data{12, 14, 46, 48, 39, 41, 93, 95});
  call.kvOffset = {3};
  CHECK(run(text, call)["o"].data == Data{9, 11, 43, 45, 36, 38, 90, 92});
  call.kvLen = {1};
  CHECK(run(text, call)["o"].data == Data{9, 11, 43, 45, 0, 0, 0, 0});
}

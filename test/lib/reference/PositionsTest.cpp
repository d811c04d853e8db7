// Positions are absolute, keys beyond kv_len do not exist, masked numbers are never read, rows can be sampled.
#include <doctest/doctest.h>
#include "OracleTest.h"
#include <cmath>

using namespace sattn;
using namespace sattn::ref;
using Ids = std::vector<int64_t>;

static const std::string causal =
    R"(sattn.pattern @causal<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
})";

static Call noisy(int64_t batch, int64_t rows, int64_t keys, int64_t heads, int64_t groups) {
  Call call;
  call.roles["q"] = noise({batch, rows, heads, 4}, 1);
  call.roles["k"] = noise({batch, keys, groups, 4}, 2);
  call.roles["v"] = noise({batch, keys, groups, 3}, 3);
  return call;
}

/// Softmax attention of row t of head h over keys 0..last, written without the oracle.
static std::vector<double> byHand(const Call &call, int64_t b, int64_t row, int64_t h, int64_t first, int64_t last,
                                  double *lse = nullptr) {
  const Array &q = call.roles.find("q")->second, &k = call.roles.find("k")->second, &v = call.roles.find("v")->second;
  int64_t group = h * k.shape[2] / q.shape[2];
  double total = 0.0;
  std::vector<double> o(3, 0.0);
  for (int64_t j = first; j <= last; ++j) {
    double z = 0.0;
    for (int64_t d = 0; d < 4; ++d)
      z += q.at({b, row, h, d}) * k.at({b, j, group, d}) / 2.0; // sqrt(4)
    total += std::exp(z);
    for (int64_t d = 0; d < 3; ++d)
      o[d] += std::exp(z) * v.at({b, j, group, d});
  }
  for (double &x : o)
    x /= total;
  if (lse)
    *lse = std::log(total);
  return o;
}

TEST_CASE("causal attention of grouped heads, output and lse") {
  Call call = noisy(2, 3, 3, 4, 2);
  Result r = run(causal, call);
  REQUIRE(r.error == "");
  CHECK(r["o"].shape == SmallVector<int64_t>{2, 3, 4, 3});
  CHECK(r["lse"].shape == SmallVector<int64_t>{2, 3, 4});
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t t = 0; t < 3; ++t)
      for (int64_t h = 0; h < 4; ++h) {
        double lse;
        std::vector<double> o = byHand(call, b, t, h, 0, t, &lse);
        CHECK(r["lse"].at({b, t, h}) == doctest::Approx(lse).epsilon(1e-13));
        for (int64_t d = 0; d < 3; ++d)
          CHECK(r["o"].at({b, t, h, d}) == doctest::Approx(o[d]).epsilon(1e-13));
      }
}

TEST_CASE("offsets and lengths are of each batch entry") {
  Call call = noisy(2, 2, 6, 1, 1);
  call.qOffset = {4, 11};
  call.kvOffset = {0, 10};
  call.kvLen = {6, 1};
  Result r = run(causal, call);
  REQUIRE(r.error == "");
  std::vector<double> o = byHand(call, 0, 1, 0, 0, 5); // row at 5 sees keys 0 to 5
  CHECK(r["o"].at({0, 1, 0, 2}) == doctest::Approx(o[2]).epsilon(1e-13));
  o = byHand(call, 1, 0, 0, 0, 0); // row at 11 sees position 10 alone: one key exists
  CHECK(r["o"].at({1, 0, 0, 1}) == doctest::Approx(o[1]).epsilon(1e-13));
}

TEST_CASE("a row without keys gives 0 and -inf") {
  Call call = noisy(1, 2, 3, 1, 1);
  call.kvOffset = {1};
  Result r = run(causal, call);
  for (int64_t d = 0; d < 3; ++d)
    CHECK(r["o"].at({0, 0, 0, d}) == 0.0);
  CHECK(r["lse"].at({0, 0, 0}) == -infinite);
  CHECK(std::isfinite(r["lse"].at({0, 1, 0})));
}

TEST_CASE("NaN and infinity behind the mask do not leak, a live NaN stays in its row") {
  Call clean = noisy(1, 3, 4, 1, 1), dirty = clean;
  for (int64_t d = 0; d < 4; ++d) {
    dirty.roles["k"].at({0, 2, 0, d}) = notANumber;
    dirty.roles["k"].at({0, 3, 0, d}) = infinite;
  }
  dirty.roles["v"].at({0, 2, 0, 0}) = infinite;
  dirty.roles["v"].at({0, 3, 0, 1}) = notANumber;
  Result a = run(causal, clean), b = run(causal, dirty);
  for (int64_t t = 0; t < 2; ++t)
    for (int64_t d = 0; d < 3; ++d)
      CHECK(a["o"].at({0, t, 0, d}) == b["o"].at({0, t, 0, d}));
  CHECK(std::isnan(b["o"].at({0, 2, 0, 2})));
  CHECK(std::isnan(b["lse"].at({0, 2, 0})));
}

TEST_CASE("rows that are sampled equal those of the whole call") {
  Call call = noisy(2, 5, 5, 2, 1), some = call;
  some.rows = SmallVector<int64_t>{3, 1};
  Result all = run(causal, call), sampled = run(causal, some);
  REQUIRE(sampled.error == "");
  CHECK(sampled["o"].shape == SmallVector<int64_t>{2, 2, 2, 3});
  CHECK(sampled["lse"].shape == SmallVector<int64_t>{2, 2, 2});
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t d = 0; d < 3; ++d) {
      CHECK(sampled["o"].at({b, 0, 1, d}) == all["o"].at({b, 3, 1, d}));
      CHECK(sampled["o"].at({b, 1, 0, d}) == all["o"].at({b, 1, 0, d}));
    }
}

TEST_CASE("decode equals the last row of the whole sequence") {
  Call whole = noisy(1, 6, 6, 2, 2), last = whole;
  last.roles["q"] = Array::zeros({1, 1, 2, 4});
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t d = 0; d < 4; ++d)
      last.roles["q"].at({0, 0, h, d}) = whole.roles["q"].at({0, 5, h, d});
  last.qOffset = {5};
  Result a = run(causal, whole), b = run(causal, last);
  for (int64_t h = 0; h < 2; ++h)
    CHECK(a["o"].at({0, 5, h, 1}) == b["o"].at({0, 0, h, 1}));
}

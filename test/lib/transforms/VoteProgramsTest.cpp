// Patterns that keep keys by sums of probabilities: the tile program says what the pattern says.
#include "test/lib/transforms/Compare.h"
#include <doctest/doctest.h>

using namespace sattn;

static void votesAgree(const Case &one) {
  std::string error;
  double difference = disagreement(one, error);
  INFO(one.text());
  INFO(error);
  CHECK(difference <= 2e-6);
}

// Ragged ends, offsets, lengths, few rows, none, several waves.
static void votesAgreeOnShapes(const Case &one) {
  votesAgree(one);
  Case wide = one;
  wide.batch = 2;
  wide.kvHeads = 1;
  wide.group = 3;
  wide.valueFeatures = 6;
  wide.rows = wide.keys = 150;
  votesAgree(wide);
  Case moved = one;
  moved.batch = 2;
  moved.rows = 13;
  moved.keys = 64;
  moved.qOffset = {40, 16};
  moved.kvLen = {53, 29};
  votesAgree(moved);
  moved.kvOffset = {16, 0};
  moved.qOffset = {56, 16};
  votesAgree(moved);
  for (int64_t rows : {0, 1, 64, 130}) {
    Case other = one;
    other.rows = rows;
    other.keys = 200;
    other.qOffset = {200 - rows};
    votesAgree(other);
  }
  Case empty = one;
  empty.keys = 0;
  empty.qOffset = {0};
  votesAgree(empty);
  Case large = wide;
  large.target = TargetInfo();
  votesAgree(large);
  Case small = wide;
  small.target.waveBytes = 1;
  votesAgree(small);
}

TEST_CASE("keys that the last rows vote for") {
  Case one("snapkv");
  for (double cap : {0, 1, 12, 300})
    for (double w : {1, 7}) {
      one.params = {{"cap", cap}, {"w", w}, {"pool", 3}};
      votesAgreeOnShapes(one);
    }
}

TEST_CASE("keys with the largest sums of all calls, and the last ones") {
  Case one("h2o");
  for (double heavy : {0, 5, 300}) {
    one.params = {{"heavy", heavy}, {"recent", 4}};
    votesAgreeOnShapes(one);
  }
}

TEST_CASE("votes for each query head, smoothed and mixed, are results") {
  Case one(R"(
sattn.pattern @votes<W: int = 9, wide: int = 4, gain: float = 0.5, cap: float = 2.0>
    (%q: [t, h, D], %k: [s, g, D], %r: [s, h]) -> (votes, most, both) {
  %near = sattn.set (t, s) : 0 <= t - s < W or s == 2
  %odd = sattn.set (t, s) : (t + s) mod 3 < 2
  %z = sattn.score dot %q, %k scale(0.5)
  %y = sattn.map %z : cap * tanh(z / cap)
  %p = sattn.normalize %y over %near
  %votes = sattn.colsum %p over %odd
  %most = sattn.smooth max %votes width(2 * wide + 1)
  %mean = sattn.smooth mean %most width(3)
  %both = sattn.mix gain * %mean - max(%r, 0) / W
  sattn.yield %votes, %most, %both
})");
  votesAgreeOnShapes(one);
}

TEST_CASE("keys by a role, beside an output and the mean of a group") {
  Case one(R"(
sattn.pattern @roles<n: int = 6>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [s, g]) -> (kk, o, rk, lse) {
  %past = sattn.set (t, s) : s <= t
  %kept = sattn.route top(n) %r force(first(1))
  %kk = sattn.gather %k at %kept
  %z = sattn.score dot %q, %k
  %p = sattn.normalize %z over %past
  %shared = sattn.reduce mean %p over h to g
  %votes = sattn.colsum %shared over %past
  %best = sattn.route top(n - 2) %votes
  %rk = sattn.gather %r at %best
  %a = sattn.accumulate softmax %z over %past, %v
  %o = sattn.finalize %a
  %lse = sattn.lse %a
  sattn.yield %kk, %o, %rk, %lse
})");
  votesAgreeOnShapes(one);
}

TEST_CASE("tables that are read at the key and at the distance") {
  Case one("vertical_slash");
  votesAgreeOnShapes(one);
  Case shared(R"(
sattn.pattern @shared(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %far: int[s, g], %kind: int[s]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and %kind[t] <= %far[t - s, g] or t == s
  %z = sattn.score dot %q, %k scale(0.5)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
})");
  shared.rows = shared.keys = 45;
  votesAgree(shared);
  shared.target = TargetInfo();
  votesAgree(shared);
}

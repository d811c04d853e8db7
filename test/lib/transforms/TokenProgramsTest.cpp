// Patterns that select single tokens: the tile program says what the pattern says.
#include "test/lib/transforms/Compare.h"
#include <doctest/doctest.h>

using namespace sattn;

static constexpr double kTolerance = 2e-6;

static void agree(const Case &one) {
  std::string error;
  double difference = disagreement(one, error);
  INFO(one.text());
  INFO(error);
  CHECK(difference <= kTolerance);
}

// Ragged ends, offsets, lengths, few rows, empty calls, several waves and chunks.
static void agreeOnShapes(const Case &one) {
  agree(one);
  Case wide = one;
  wide.batch = 2;
  wide.kvHeads = 1;
  wide.group = 3;
  wide.valueFeatures = 6;
  agree(wide);
  Case alone = one;
  alone.group = 1;
  agree(alone);
  Case moved = one;
  moved.batch = 2;
  moved.rows = 13;
  moved.keys = 64;
  moved.qOffset = {40, 16};
  moved.kvLen = {53, 29};
  agree(moved);
  Case evicted = moved;
  evicted.kvOffset = {16, 0};
  evicted.qOffset = {56, 16};
  agree(evicted);
  for (int64_t rows : {0, 1, 64}) {
    Case other = one;
    other.rows = rows;
    other.keys = 64;
    other.qOffset = {64 - rows};
    agree(other);
  }
  Case empty = one;
  empty.keys = 0;
  empty.qOffset = {0};
  agree(empty);
  Case large = one;
  large.target = TargetInfo();
  agree(large);
  Case split = large;
  split.target.decodeRows = 40;
  agree(split);
  Case small = one;
  small.target.waveBytes = 1;
  small.rows = small.keys = 130;
  agree(small);
}

TEST_CASE("one list for all heads, by an indexer with heads of its own") {
  for (const char *name : {"dsa", "dsa_sink"}) {
    Case one(name);
    one.bind = {{"dv", 6}, {"group.h2", 2}};
    for (double n : {0, 1, 5, 16, 1000}) {
      one.params["n"] = n;
      agreeOnShapes(one);
    }
  }
}

TEST_CASE("tokens of blocks that the same indexer chose") {
  Case one("hybrid_dsa_two_level");
  one.bind = {{"b", 16}, {"dv", 6}, {"group.h2", 2}};
  for (double m : {0, 1, 3, 1000}) {
    one.params = {{"m", m}, {"n", 9}};
    agreeOnShapes(one);
  }
}

TEST_CASE("an indexer whose padded heads would count") {
  Case one(R"(
sattn.pattern @padded<n: int = 4, gain: float = 0.5>(%q: [t, h, D], %k: [s, 1, D], %v: [s, 1, Dv], %iq: [t, h2, D2],
                                                  %ik: [s, 1, D2], %b: [h2]) -> (o) {
  %causal = sattn.set (t, s) : s <= t
  %a = sattn.score dot %iq, %ik scale(0.5)
  %y = sattn.map %a : exp(z * gain) + %b[h2]
  %i = sattn.reduce sum %y over h2 to one
  %keys = sattn.select top(n + 1) %i where %causal force(first(1) last(2))
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
})");
  one.bind = {{"group.h2", 1}};
  agreeOnShapes(one);
}

TEST_CASE("a list for each query head, with forced tokens") {
  Case one(R"(
sattn.pattern @each<n: int = 7, first: int = 1>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %near = sattn.set (t, s) : s <= t and (t - s < 30 or s < 4)
  %a = sattn.score dot %q, %k
  %keys = sattn.select top(n) %a where %near force(first(first) last(1))
  %z = sattn.score dot %q, %k scale(0.5)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
})");
  agreeOnShapes(one);
  one.params = {{"first", 12}, {"n", 7}}; // more forced than are selected
  agreeOnShapes(one);
}

TEST_CASE("a list for each query head, by the distance of codes") {
  Case one("adamas");
  one.params = {{"n", 6}, {"lo", -0.7}, {"hi", 0.7}};
  agreeOnShapes(one);
  Case plain(R"(
sattn.pattern @plain<n: int = 5>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %qb = sattn.encode buckets %q at(-0.5, 0.25)
  %kb = sattn.encode buckets %k at(-0.5, 0.25)
  %a = sattn.score l1 %qb, %kb scale(-2)
  %y = sattn.map %a : z * 0.5 + 1
  %keys = sattn.select top(n) %y where %past
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
})");
  agreeOnShapes(plain);
}

TEST_CASE("a list for each query head, by products of integer rows") {
  Case one("int8_topk");
  one.params = {{"n", 6}};
  agreeOnShapes(one);
  Case coarse(R"(
sattn.pattern @coarse<n: int = 5>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [t, h]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %qi = sattn.encode int4 %q
  %ki = sattn.encode int8 %k
  %a = sattn.score dot %qi, %ki scale(0.5)
  %y = sattn.map %a : z * %w[t, h]
  %b = sattn.reduce sum %y over h to g
  %keys = sattn.select top(n) %b where %past force(last(1))
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
})");
  agreeOnShapes(coarse);
}

// Two sequences of three heads without groups, on the case's target and on the default one.
static void agreeRouted(Case one, int64_t rows) {
  one.batch = 2;
  one.group = 1;
  one.kvHeads = 3;
  one.valueFeatures = 6;
  one.rows = one.keys = rows;
  agree(one);
  one.target = TargetInfo();
  agree(one);
}

TEST_CASE("rows that each head chooses by a routing list") {
  for (double n : {1, 7, 16, 200})
    for (double first : {0, 2})
      for (int64_t rows : {0, 1, 37, 150}) {
        Case one("mosa");
        one.params = {{"n", n}, {"first", first}};
        agreeRouted(one, rows);
      }
}

TEST_CASE("routed rows beside attention of all rows") {
  Case beside(R"(
sattn.pattern @beside<n: int = 20, W: int = 9>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %kr: [s, h, D], %vr: [s, h, Dv], %r: [t, h]) -> (o, near, both) {
  %rows = sattn.route top(n) %r
  %qn = sattn.gather %q at %rows
  %kn = sattn.gather %kr at %rows
  %vn = sattn.gather %vr at %rows
  %causal = sattn.set (t, s) : s <= t
  %window = sattn.set (t, s) : 0 <= t - s < W
  %zn = sattn.score dot %qn, %kn
  %on = sattn.attend %zn over %causal, %vn
  %o = sattn.scatter %on at %rows
  %z = sattn.score dot %q, %k
  %near = sattn.attend %z over %window, %v
  %both = sattn.mix %r[t, h] * %o + %near
  sattn.yield %o, %near, %both
})");
  for (int64_t rows : {0, 1, 37, 150}) {
    for (Case one : {Case("hybrid_hsa_mosa"), beside}) {
      if (one.pattern == "hybrid_hsa_mosa") {
        one.bind = {{"l", 8}, {"n", 3}};
        one.params["m"] = 20;
      }
      agreeRouted(one, rows);
    }
    Case shared = beside;
    shared.group = 3;
    shared.rows = shared.keys = rows;
    agree(shared);
  }
}

TEST_CASE("a list for each kv head beside a window, under a residual and gates") {
  Case one(R"(
sattn.pattern @group<n: int = 6, W: int = 9>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %w: [t, h]) -> (o) {
  %far = sattn.set (t, s) : W <= t - s
  %near = sattn.set (t, s) : 0 <= t - s < W
  %a = sattn.score dot %q, %k
  %am = sattn.reduce max %a over h to g
  %best = sattn.select top(n) %am where %far
  %odd = sattn.set (t, s) : (t + s) mod 3 < 2
  %keys = sattn.intersect %best, %odd
  %z = sattn.score dot %q, %k scale(0.5)
  %y = sattn.map %z : tanh(z)
  %ps = sattn.accumulate softmax %y over %keys, %v
  %pw = sattn.accumulate softmax %z over %near, %v
  %p = sattn.merge %ps, %pw
  %os = sattn.finalize %p
  %ow = sattn.finalize %pw
  %o = sattn.mix %w[t, h] * %os + %ow
  sattn.yield %o
})");
  agreeOnShapes(one);
}

TEST_CASE("a residual that differs between the heads of a list") {
  Case one(R"(
sattn.pattern @heads<n: int = 6>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %past = sattn.set (t, s) : s <= t
  %a = sattn.score dot %q, %k
  %am = sattn.reduce sum %a over h to g
  %best = sattn.select top(n) %am where %past
  %some = sattn.set (t, s) : (s + h) mod 2 == 0
  %keys = sattn.intersect %best, %some
  %o = sattn.attend %a over %keys, %v
  sattn.yield %o
})");
  agreeOnShapes(one);
}

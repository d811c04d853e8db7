// Every shipped pattern, and some of ours, on many shapes: the tile program says what the pattern says.
#include "test/lib/transforms/Compare.h"
#include <doctest/doctest.h>

using namespace sattn;

// The kernels' constants are float32.
static constexpr double kTolerance = 2e-6;

static void agree(const Case &one) {
  std::string error;
  double difference = disagreement(one, error);
  INFO(one.text());
  INFO(error);
  CHECK(difference <= kTolerance);
}

// Shapes that have ragged ends, offsets, lengths, empty calls, several waves. Query offsets are multiples of `unit`.
static void agreeOnShapes(Case one, int64_t unit = 1) {
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
  moved.qOffset = {40 / unit * unit, 16};
  moved.kvLen = {53, 29};
  agree(moved);
  Case evicted = moved;
  evicted.kvOffset = {16, 0};
  evicted.qOffset = {16 + 40 / unit * unit, 16};
  agree(evicted);
  for (int64_t rows : {int64_t(0), unit, int64_t(64)}) {
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
  Case none = one;
  none.batch = 0;
  agree(none);
  if (unit % 16 == 0 || unit == 1) {
    Case large = one;
    large.target = TargetInfo();
    agree(large);
  }
  Case plain = one;
  plain.target.keyLayout = plain.target.valueLayout = PanelLayout();
  plain.target.foldScale = false;
  agree(plain);
}

TEST_CASE("dense") { agreeOnShapes(Case("dense")); }
TEST_CASE("causal") { agreeOnShapes(Case("causal")); }
TEST_CASE("window") {
  Case one("window");
  for (double w : {0, 1, 5, 16, 1000}) {
    one.params["W"] = w;
    agreeOnShapes(one);
  }
}
TEST_CASE("window_sinks") {
  Case one("window_sinks");
  one.params = {{"W", 6}, {"S", 3}};
  agreeOnShapes(one);
  one.params = {{"W", 6}, {"S", 20}};
  agreeOnShapes(one);
}
TEST_CASE("strided") {
  Case one("strided");
  one.bind["stride"] = 5;
  agreeOnShapes(one);
  one.bind["stride"] = 16;
  agreeOnShapes(one);
  one.target.decodeRows = 40; // rows are tiles of their own
  agreeOnShapes(one);
}
// Every third key of a window, beside the first ones of the same residue.
TEST_CASE("dilated") {
  Case one(R"(
sattn.pattern @dilated<W: int = 20, S: int = 9, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod 3 == 1 and (t - s < W or s < S)
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
})");
  agreeOnShapes(one);
}
// Key heads that a task of few rows reads together: 4 or 2 of one query head each, 2 of two query heads, or one. One of
// all where a head's keys lie together.
TEST_CASE("heads of a token") {
  for (const char *pattern : {"causal", "window_sinks", "longformer", "dense"}) {
    Case one(pattern);
    one.target.decodeRows = 40;
    one.target.tokenRows = 4;
    one.target.splitTiles = 4;
    for (auto [heads, group] : {std::pair{4, 1}, {8, 1}, {6, 1}, {3, 1}, {4, 2}, {3, 2}, {2, 4}}) {
      one.kvHeads = heads;
      one.group = group;
      one.headsInside = true;
      agreeOnShapes(one);
      one.headsInside = false;
      agreeOnShapes(one);
    }
  }
}
TEST_CASE("longformer") {
  Case one("longformer");
  one.params["W"] = 7;
  agreeOnShapes(one);
}
TEST_CASE("compressed") {
  Case one("compressed");
  one.bind = {{"l", 4}, {"d", 2}};
  agreeOnShapes(one);
  one.bind = {{"l", 8}, {"d", 8}};
  agreeOnShapes(one);
}

TEST_CASE("moba") {
  Case one("moba");
  for (auto [block, slots] : {std::pair{4, 3}, {8, 1}, {16, 2}, {8, 20}}) {
    one.bind = {{"l", block}, {"n", slots}};
    agreeOnShapes(one);
  }
}
TEST_CASE("topk_blocks") {
  Case one("topk_blocks");
  for (auto [block, slots] : {std::pair{4, 3}, {8, 1}, {16, 2}, {8, 20}}) {
    one.bind = {{"b", block}, {"n", slots}, {"qblock", 1}};
    agreeOnShapes(one);
  }
}
TEST_CASE("quest") {
  Case one("quest");
  for (auto [page, slots] : {std::pair{4, 3}, {8, 1}, {16, 2}, {8, 20}}) {
    one.bind = {{"page", page}, {"n", slots}};
    agreeOnShapes(one);
  }
}
TEST_CASE("top_p") {
  Case one("top_p");
  for (auto [block, slots, rows] : {std::tuple{4, 3, 1}, {8, 20, 1}, {16, 2, 1}, {8, 5, 16}, {4, 20, 8}})
    for (double p : {0.0, 0.5, 0.8, 2.0}) {
      one.bind = {{"b", block}, {"n", slots}, {"qblock", rows}};
      one.params["p"] = p;
      agreeOnShapes(one, rows);
    }
}
TEST_CASE("seer_decode") {
  Case one("seer_decode");
  for (auto [block, slots] : {std::pair{4, 3}, {8, 20}, {16, 1}})
    for (double theta : {0.0, 0.2}) {
      one.bind = {{"b", block}, {"n", slots}};
      one.params["theta"] = theta;
      agreeOnShapes(one);
    }
}
// A mass beside a threshold, of gate scores for blocks of rows, and a union of forced blocks.
TEST_CASE("nucleus of a gate") {
  Case one(R"(
sattn.pattern @gate<p: float = 0.6, theta: float = 0.05>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %gq = sattn.summarize mean %q blocks(8)
  %gk = sattn.summarize mean %k blocks(8) ragged
  %open = sattn.set (u(8), c(8)) : first(c) <= last(u)
  %a = sattn.score dot %gq, %gk
  %p = sattn.normalize %a over %open
  %sel = sattn.select top(6) above(theta) mass(p) %p where %open force(first(1) last(1))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
})");
  agreeOnShapes(one, 8);
}
TEST_CASE("topk_blocks for blocks of rows") {
  Case one("topk_blocks");
  for (auto [rows, block] : {std::pair{8, 4}, {16, 8}, {4, 8}, {2, 8}}) {
    one.bind = {{"b", block}, {"n", 3}, {"qblock", rows}};
    agreeOnShapes(one, rows);
  }
}
TEST_CASE("nsa") {
  Case one("nsa");
  for (auto [l, d, b, n] : {std::tuple{4, 2, 8, 3}, {4, 4, 4, 3}, {8, 4, 16, 2}, {8, 2, 8, 4}}) {
    one.bind = {{"l", l}, {"d", d}, {"b", b}, {"n", n}};
    one.params = {{"W", 6}, {"init", 1}, {"local", 2}};
    agreeOnShapes(one);
  }
  one.params = {{"W", 1}, {"init", 0}, {"local", 1}};
  agreeOnShapes(one);
}
TEST_CASE("nsa_ext") {
  Case one("nsa_ext");
  one.bind = {{"l", 4}, {"d", 2}, {"b", 8}, {"n", 3}};
  one.params = {{"W", 6}, {"init", 1}, {"local", 2}};
  agreeOnShapes(one);
}
TEST_CASE("hsa") {
  for (const char *name : {"hsa", "hsa_stickbreak"}) {
    Case one(name);
    one.bind = {{"l", 8}, {"n", 2}};
    agreeOnShapes(one);
    one.bind = {{"l", 16}, {"n", 3}};
    agreeOnShapes(one);
    one.bind = {{"l", 4}, {"n", 3}, {"group.g2", 4}, {"group", 2}};
    one.kvHeads = 2;
    agree(one);
  }
}

TEST_CASE("hils") {
  Case one("hils");
  one.bind = {{"l", 8}, {"n", 2}};
  for (double window : {1, 6, 20}) {
    one.params["W"] = window;
    agreeOnShapes(one);
  }
  one.bind = {{"l", 16}, {"n", 3}};
  agreeOnShapes(one);
}

//===-- Patterns that nobody ships ----------------------------------------------------------------------===//

TEST_CASE("window and selected blocks in one softmax") {
  Case one(R"(
sattn.pattern @hybrid<W: int = 6, static b: int = 8, static n: int = 2, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %m = sattn.summarize mean %k blocks(b) ragged
  %a = sattn.score dot %q, %m
  %open = sattn.set (t, c(b)) : first(c) <= t
  %sel = sattn.select top(n) %a where %open force(last(1))
  %near = sattn.set (t, s) : t - s < W or s < 2
  %both = sattn.union %near, %sel
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %both, %causal
  %z = sattn.score dot %q, %k scale(scale)
  %acc = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %acc
  %lse = sattn.lse %acc
  sattn.yield %o, %lse
})");
  agreeOnShapes(one);
}

TEST_CASE("blocks weighed by a score of their own, alone and beside a window") {
  Case one(R"(
sattn.pattern @alone<static b: int = 8>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(b), g, D]) -> (o) {
  %far = sattn.set (t, c(b)) : last(c) < t
  %a = sattn.score dot %r, %m scale(0.5)
  %vote = sattn.reduce sum %a over h to g
  %sel = sattn.select top(2) %vote where %far
  %w = sattn.weigh softmax %a over %sel
  %even = sattn.set (t, s) : s mod 2 == 0
  %keys = sattn.intersect %sel, %even
  %z = sattn.score dot %q, %k
  %p = sattn.accumulate softmax %z over %keys, %v per block
  %o = sattn.blend %p by %w
  sattn.yield %o
})");
  agreeOnShapes(one);
  Case beside(R"(
sattn.pattern @beside<static b: int = 8>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, h, D], %m: [c(b), g, D], %b: [h]) -> (o, ow, lw) {
  %near = sattn.set (t, s) : 0 <= t - s < 5
  %far = sattn.set (t, c(b)) : last(c) <= t - 5
  %z = sattn.score dot %q, %k
  %pw = sattn.accumulate softmax %z over %near, %v
  %ow = sattn.finalize %pw
  %lw = sattn.lse %pw
  %a = sattn.score dot %r, %m
  %prob = sattn.normalize %a over %far with %lw
  %vote = sattn.reduce mean %prob over h to g
  %sel = sattn.select top(3) %vote where %far
  %w = sattn.weigh softmax %a over %sel with %lw
  %p = sattn.accumulate softmax %z over %sel, %v per block
  %ob = sattn.blend %p and %ow by %w
  %o = sattn.mix %ob * %b[h]
  sattn.yield %o, %ow, %lw
})");
  agreeOnShapes(beside);
}

TEST_CASE("capped scores, differences of maps, one kv head for all") {
  Case one(R"(
sattn.pattern @differential<lam: float = 0.2, cap: float = 3.0, W: int = 9>
    (%q0: [t, h, D], %q1: [t, h, D], %k: [s, 1, D], %v: [s, 1, Dv], %w: [t, h]) -> (o) {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %all = sattn.set (t, s) : s <= t and (t + s) mod 3 < 2
  %z0 = sattn.score dot %q0, %k scale(2.0)
  %z1 = sattn.score dot %q1, %k
  %y1 = sattn.map %z1 : cap * tanh(z / cap) + relu(z) * 0.5
  %o0 = sattn.attend %z0 over %keys, %v
  %o1 = sattn.attend %y1 over %all, %v
  %o = sattn.mix %o0 - lam * sigmoid(%w[t, h]) * %o1
  sattn.yield %o
})");
  agreeOnShapes(one);
}

TEST_CASE("sets that know heads and sizes") {
  Case one(R"(
sattn.pattern @heads(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t and (t - s) mod 4 == h mod 4
  %last = sattn.set (t, s) : size(s) - s <= 2 + g and size(t) - t < 30
  %z = sattn.score dot %q, %k
  %o0 = sattn.attend %z over %keys, %v
  %o1 = sattn.attend %z over %last, %v
  %o = sattn.mix %o0 + %o1
  sattn.yield %o
})");
  agreeOnShapes(one);
}

TEST_CASE("two selections, maximum over heads, per-head residual") {
  Case one(R"(
sattn.pattern @two<static b: int = 8>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %r: [t, g, D]) -> (o) {
  %m = sattn.summarize mean %k blocks(b) ragged
  %a = sattn.score dot %q, %m scale(0.5)
  %am = sattn.reduce max %a over h to g
  %open = sattn.set (t, c(b)) : first(c) <= t
  %near = sattn.set (t, c(b)) : 0 <= t - last(c) < 24
  %sel = sattn.select top(2) %am where %open force(first(1) last(1))
  %ar = sattn.score dot %r, %m
  %sel2 = sattn.select top(3) %ar where %near force(last(2))
  %causal = sattn.set (t, s) : s <= t and (t - s < 20 or (s + h) mod 2 == 0)
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k
  %o1 = sattn.attend %z over %keys, %v
  %w = sattn.weigh softmax %ar over %sel2
  %p = sattn.accumulate softmax %z over %sel2, %v per block
  %o2 = sattn.blend %p by %w
  %o = sattn.mix %o1 + 0.5 * %o2
  sattn.yield %o
})");
  agreeOnShapes(one);
}

// Facts of shipped and hand-made patterns, as passes read them.
#include "dialects/pattern/Facts.h"
#include "dialects/pattern/KeySet.h"
#include "test/dialects/pattern/Support.h"

using namespace sattn;
using sattn::test::Fixture;

namespace {
struct PatternFixture : Fixture {
  void parse(const std::string &roles, const std::string &body,
             const std::string &params = "<scale: float = rsqrt(D)>") {
    parsed = module("sattn.pattern @p" + params + "(" + roles + ") -> (o) {\n" + body + "\n}");
    REQUIRE_MESSAGE(parsed, lastMessage());
    pattern = *parsed->getOps<PatternOp>().begin();
    auto derived = deriveFacts(pattern);
    REQUIRE(succeeded(derived));
    facts = std::move(*derived);
  }
  /// Facts of the n-th op of a kind.
  template <typename OpT> const Facts &of(int n = 0) {
    auto ops = pattern.getBody().getOps<OpT>();
    return facts.of((*std::next(ops.begin(), n))->getResult(0));
  }
  static std::string text(ArrayRef<AxisAttr> axes) {
    std::string all;
    for (AxisAttr axis : axes)
      all += (all.empty() ? "" : " ") + toText(axis);
    return all;
  }
  static std::string text(AxisAttr axis) { return axis ? toText(axis) : "one"; }

  OwningOpRef<mlir::ModuleOp> parsed;
  PatternOp pattern;
  PatternFacts facts;
};
const std::string QKV = "%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]";
} // namespace

TEST_CASE_FIXTURE(PatternFixture, "axes, heads and slots of block selection with three branches") {
  parse(QKV + ", %g: [t, h, 2]", R"(
  %kc = sattn.summarize mean %k blocks(32, 16)
  %vc = sattn.summarize mean %v blocks(32, 16)
  %past = sattn.set (t, c(32, 16)) : last(c) <= t
  %zc = sattn.score dot %q, %kc scale(scale)
  %oc = sattn.attend %zc over %past, %vc
  %p = sattn.normalize %zc over %past
  %pg = sattn.reduce sum %p over h to g
  %imp = sattn.rebin sum %pg to blocks(64)
  %open = sattn.set (t, c(64)) : first(c) <= t
  %sel = sattn.select top(n) %imp where %open force(last(1))
  %causal = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %causal
  %z = sattn.score dot %q, %k scale(scale)
  %os = sattn.attend %z over %keys, %v
  %o = sattn.mix %g[t, h, 0] * %oc + %g[t, h, 1] * %os
  sattn.yield %o)",
        "<n: int = 4, scale: float = rsqrt(D)>");
  CHECK(text(of<SummarizeOp>().axes) == "c(32, 16) g D");
  CHECK(text(of<ScoreOp>().row) == "t");
  CHECK(text(of<ScoreOp>().key) == "c(32, 16)");
  CHECK(text(of<ScoreOp>().head) == "h");
  CHECK_FALSE(of<ScoreOp>().probability);
  CHECK(of<NormalizeOp>().probability);
  CHECK(text(of<ReduceOp>().head) == "g");
  CHECK(text(of<RebinOp>().key) == "c(64)");
  CHECK(of<RebinOp>().key.getRagged());
  const Facts &sel = of<SelectOp>(), &keys = of<IntersectOp>();
  CHECK(sel.selected);
  CHECK(text(sel.key) == "c(64)");
  CHECK(text(sel.head) == "g");
  CHECK(toText(sel.slots) == "n");
  CHECK(keys.selected);
  CHECK(text(keys.key) == "s");
  CHECK(text(keys.head) == "g");
  CHECK(keys.selection == sel.selection);
  CHECK_FALSE(of<SetOp>().selected);
  CHECK(text(of<AttendOp>(1).axes) == "t h Dv");
  CHECK(text(of<MixOp>().axes) == "t h Dv");
  CHECK(facts.of(pattern.getBody().getArgument(3)).axes.size() == 3);
}

TEST_CASE_FIXTURE(PatternFixture, "partial results per block know their selection") {
  parse(QKV + ", %r: [t, g2, D2], %m: [c(64), g2, D2], %l: [t, g2], %x: [t, h, Dv]", R"(
  %far = sattn.set (t, c(64)) : last(c) < t
  %a = sattn.score dot %r, %m
  %sel = sattn.select top(8) above(0.0) %a where %far
  %w = sattn.weigh softmax %a over %sel with %l
  %body = sattn.set (t, s) : s mod 64 < 63
  %keys = sattn.intersect %sel, %body
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v per block
  %o = sattn.blend %p and %x by %w
  sattn.yield %o)");
  const Facts &sel = of<SelectOp>(), &w = of<WeighOp>(), &p = of<AccumulateOp>();
  CHECK(sel.variableSlots);
  CHECK(w.selection == sel.selection);
  CHECK(w.extraSlot);
  CHECK(text(w.axes) == "t g2");
  CHECK(p.perBlock);
  CHECK(p.selection == sel.selection);
  CHECK(text(p.axes) == "t h Dv");
  CHECK_FALSE(of<BlendOp>().perBlock);
}

TEST_CASE_FIXTURE(PatternFixture, "row blocks lift to rows, blocks of one row are rows") {
  std::string body = R"(
  %mq = sattn.summarize mean %q blocks(B)
  %mk = sattn.summarize mean %k blocks(64) ragged
  %a = sattn.score dot %mq, %mk
  %i = sattn.reduce mean %a over h to one
  %open = sattn.set (u(B), c(64)) : first(c) <= last(u)
  %sel = sattn.select top(8) %i where %open
  %past = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %sel, %past
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o)";
  auto with = [&](const std::string &block) {
    std::string text = body;
    for (size_t at; (at = text.find('B')) != std::string::npos;)
      text.replace(at, 1, block);
    return text;
  };
  parse(QKV, with("128"));
  CHECK(text(of<SelectOp>().row) == "u(128)");
  CHECK(text(of<SelectOp>().head) == "one");
  CHECK(text(of<IntersectOp>().row) == "t");
  parse(QKV, with("1"));
  CHECK(text(of<SummarizeOp>().axes) == "t h D");
  CHECK(text(of<SelectOp>().row) == "t");
}

TEST_CASE_FIXTURE(PatternFixture, "gathered tensors, codes, prefixes, minmax pairs") {
  parse("%q: [t, h, D], %k: [s, h, D], %r: [t, h]", R"(
  %rows = sattn.route top(16) %r
  %qr = sattn.gather %q at %rows
  %kr = sattn.gather %k at %rows
  %v = sattn.prefix %kr to 8
  %qb = sattn.encode buckets %qr at(0.0)
  %kb = sattn.encode buckets %kr at(0.0)
  %past = sattn.set (t, s) : s <= t
  %z = sattn.score l1 %qb, %kb
  %x = sattn.attend %z over %past, %v
  %o = sattn.scatter %x at %rows
  sattn.yield %o)",
        "");
  CHECK(of<GatherOp>().gatheredAt == of<GatherOp>(1).gatheredAt);
  CHECK(of<ScoreOp>().gatheredAt == of<GatherOp>().gatheredAt);
  CHECK_FALSE(of<ScatterOp>().gatheredAt);
  CHECK(of<EncodeOp>().code == CodeKind::Buckets);
  CHECK(text(of<PrefixOp>().axes) == "s h D(8)");
  CHECK(toText(of<RouteOp>().slots) == "16");
}

TEST_CASE_FIXTURE(PatternFixture, "sets over heads and tables") {
  parse(QKV + ", %mask: int[h, u(8), c(8)]", R"(
  %a = sattn.set (t, s) : s <= t and %mask[h, t floordiv 8, s floordiv 8] == 1
  %b = sattn.set (t, s) : s < 4 + size(h)
  %keys = sattn.union %b, %a
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o)");
  CHECK(of<SetOp>(0).readsTables);
  CHECK(text(of<SetOp>(0).head) == "h");
  CHECK_FALSE(of<SetOp>(1).readsTables);
  CHECK(text(of<SetOp>(1).head) == "one");
  CHECK(text(of<UnionOp>().head) == "h");
  CHECK(of<UnionOp>().readsTables);
  CHECK(facts.of(Value()).axes.empty());
}

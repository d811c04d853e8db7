// Canonical key sets against brute force: random conditions keep their points, spellings of one condition give one
// attribute, and text reads back as the same attribute.
#include "dialects/pattern/KeySet.h"
#include "test/dialects/pattern/Support.h"
#include <functional>
#include <random>

using namespace sattn;
using sattn::test::Fixture;

namespace {
struct Point {
  int64_t t, s, W, S, doc;
};
/// A condition, and what it means in plain C++.
struct Source {
  ExprAttr expr;
  std::function<int64_t(const Point &)> value;
};

class Generator {
public:
  Generator(MLIRContext *context, unsigned seed) : context(context), random(seed) {}

  Source condition(int depth) {
    int pick = below(20);
    if (depth == 0 || pick < 6)
      return comparison();
    Source a = condition(depth - 1);
    if (pick < 9)
      return {nodeExpr(ExprKind::Not, a.expr), [a](const Point &p) { return !a.value(p); }};
    Source b = condition(depth - 1);
    if (pick < 14)
      return {nodeExpr(ExprKind::And, {a.expr, b.expr}), [a, b](const Point &p) { return a.value(p) && b.value(p); }};
    return {nodeExpr(ExprKind::Or, {a.expr, b.expr}), [a, b](const Point &p) { return a.value(p) || b.value(p); }};
  }

private:
  int below(int n) { return int(random() % unsigned(n)); }
  Source number(int64_t v) {
    return {intExpr(context, v), [v](const Point &) { return v; }};
  }
  Source name() {
    switch (below(6)) {
    case 0:
    case 1:
      return {nameExpr(context, "t"), [](const Point &p) { return p.t; }};
    case 2:
    case 3:
      return {nameExpr(context, "s"), [](const Point &p) { return p.s; }};
    case 4:
      return {nameExpr(context, "W"), [](const Point &p) { return p.W; }};
    default:
      return {nameExpr(context, "S"), [](const Point &p) { return p.S; }};
    }
  }
  Source sum(int depth) {
    int pick = below(10);
    if (depth == 0 || pick < 3)
      return pick == 0 ? number(below(9) - 4) : pick == 1 ? table(depth) : name();
    Source a = sum(depth - 1);
    if (pick < 5) {
      int64_t f = below(7) - 3;
      return {nodeExpr(ExprKind::Mul, {intExpr(context, f), a.expr}),
              [a, f](const Point &p) { return f * a.value(p); }};
    }
    if (pick == 5) {
      int64_t d = 1 + below(4);
      bool mod = below(2);
      return {nodeExpr(mod ? ExprKind::Mod : ExprKind::FloorDiv, {a.expr, intExpr(context, d)}),
              [a, d, mod](const Point &p) {
                int64_t x = a.value(p), q = (x - ((x % d) + d) % d) / d;
                return mod ? x - q * d : q;
              }};
    }
    Source b = sum(depth - 1);
    if (pick < 8)
      return {nodeExpr(ExprKind::Sub, {a.expr, b.expr}), [a, b](const Point &p) { return a.value(p) - b.value(p); }};
    return {nodeExpr(ExprKind::Add, {a.expr, b.expr}), [a, b](const Point &p) { return a.value(p) + b.value(p); }};
  }
  Source table(int depth) {
    Source index = sum(std::max(0, depth - 1));
    return {tableExpr(context, 0, index.expr), [index](const Point &p) { return loaded(p, index.value(p)); }};
  }
  Source comparison() {
    // Often a difference, so that bounds of one form meet.
    Source t{nameExpr(context, "t"), [](const Point &p) { return p.t; }};
    Source s{nameExpr(context, "s"), [](const Point &p) { return p.s; }};
    Source a{nodeExpr(ExprKind::Sub, {t.expr, s.expr}), [](const Point &p) { return p.t - p.s; }};
    if (below(2))
      a = sum(2);
    Source b = below(2) ? number(below(8) - 2) : sum(1);
    if (below(2))
      std::swap(a, b);
    if (below(5) == 0)
      return {nodeExpr(ExprKind::Eq, {a.expr, b.expr}), [a, b](const Point &p) { return a.value(p) == b.value(p); }};
    return {nodeExpr(ExprKind::Le, {a.expr, b.expr}), [a, b](const Point &p) { return a.value(p) <= b.value(p); }};
  }

public:
  static int64_t loaded(const Point &p, int64_t index) { return ((index * 5 + p.doc) % 7 + 7) % 7 - 3; }

private:
  MLIRContext *context;
  std::mt19937 random;
};

std::vector<Point> points() {
  std::vector<Point> all;
  for (int64_t W : {0, 1, 4})
    for (int64_t S : {0, 3})
      for (int64_t t = -1; t < 9; ++t)
        for (int64_t s = -1; s < 9; ++s)
          all.push_back({t, s, W, S, (t * s + W) % 4});
  return all;
}

std::function<std::optional<int64_t>(ExprAttr)> leafOf(const Point &p) {
  return [&p](ExprAttr e) -> std::optional<int64_t> {
    if (e.is(ExprKind::Table))
      return Generator::loaded(p, *evaluateInt(e.getKids()[0], leafOf(p)));
    StringRef n = e.getText();
    return n == "t" ? p.t : n == "s" ? p.s : n == "W" ? p.W : p.S;
  };
}

bool contains(const KeySetFormula &set, const Point &p) {
  auto leaf = leafOf(p);
  return llvm::any_of(set.disjuncts, [&](const Conjunction &conjunction) {
    return llvm::all_of(conjunction, [&](const Atom &atom) {
      int64_t value = atom.form.constant;
      for (const Term &term : atom.form.terms)
        value += term.coeff * *evaluateInt(term.factor, leaf);
      return atom.kind == AtomKind::EQ ? value == 0 : value >= 0;
    });
  });
}

/// The same condition in another spelling: operands swapped, negations doubled, comparisons turned round.
ExprAttr respell(ExprAttr e, std::mt19937 &random) {
  SmallVector<ExprAttr, 2> kids;
  if (!llvm::is_contained({ExprKind::And, ExprKind::Or, ExprKind::Not, ExprKind::Le, ExprKind::Eq}, e.getKind()))
    return e;
  for (ExprAttr kid : e.getKids())
    kids.push_back(respell(kid, random));
  bool swap = random() % 2;
  MLIRContext *context = e.getContext();
  if (e.is(ExprKind::Le) && swap) {
    // a <= b is not b + 1 <= a
    ExprAttr more = nodeExpr(ExprKind::Add, {intExpr(context, 1), kids[1]});
    return nodeExpr(ExprKind::Not, nodeExpr(ExprKind::Le, {more, kids[0]}));
  }
  if (e.is(ExprKind::And) && random() % 3 == 0)
    return nodeExpr(ExprKind::Not,
                    nodeExpr(ExprKind::Or, {nodeExpr(ExprKind::Not, kids[0]), nodeExpr(ExprKind::Not, kids[1])}));
  if (swap && kids.size() == 2)
    std::swap(kids[0], kids[1]);
  ExprAttr result = nodeExpr(e.getKind(), kids);
  return random() % 4 ? result : nodeExpr(ExprKind::Not, nodeExpr(ExprKind::Not, result));
}
} // namespace

TEST_CASE_FIXTURE(Fixture, "random sets keep their points, whatever their spelling") {
  AxisAttr t = AxisAttr::named(&context, "t"), s = AxisAttr::named(&context, "s");
  Generator generate(&context, 20260728);
  std::mt19937 random(7);
  std::vector<Point> all = points();
  int same = 0, empty = 0, tooBig = 0;
  std::string error;
  for (int i = 0; i < 1500; ++i) {
    Source source = generate.condition(3);
    auto set = canonicalKeySet(&context, t, s, source.expr, error);
    if (failed(set)) {
      CHECK_MESSAGE(error == "[SA0113] set has more than 64 disjuncts: name its parts and use sattn.union", error);
      ++tooBig;
      continue;
    }
    KeySetFormula formula = keySetOf(*set);
    for (const Point &p : all) {
      bool inside = source.value(p);
      if (contains(formula, p) != inside || evaluateInt(source.expr, leafOf(p)) != inside) {
        FAIL(toText(source.expr), " became ", toText(*set), " which differs at t=", p.t, " s=", p.s, " W=", p.W,
             " S=", p.S);
      }
    }
    (isEmpty(*set) ? empty : same)++;
    auto respelled = canonicalKeySet(&context, t, s, respell(source.expr, random), error);
    CHECK_MESSAGE(succeeded(respelled), error);
    CHECK_MESSAGE(*respelled == *set, toText(source.expr), " became ", toText(*set), " but also ", toText(*respelled));
    auto again = canonicalKeySet(&context, t, s, set->getCondition(), error);
    CHECK(*again == *set);
    if (isEmpty(*set))
      continue;
    std::string text;
    llvm::raw_string_ostream(text) << *set;
    CHECK_MESSAGE(mlir::parseAttribute(text, &context) == *set, text);
  }
  MESSAGE(same, " sets kept their points, ", empty, " are empty, ", tooBig, " are too big");
  CHECK(same > 1000);
}

TEST_CASE_FIXTURE(Fixture, "forms at the edge of 64 bits are refused, never wrapped") {
  AxisAttr t = AxisAttr::named(&context, "t"), s = AxisAttr::named(&context, "s");
  std::mt19937_64 random(3);
  std::string error;
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    auto factor = [&] { return intExpr(&context, int64_t(random()) >> (random() % 3 * 20)); };
    ExprAttr a = nodeExpr(ExprKind::Mul, {factor(), nameExpr(&context, "t")});
    ExprAttr b = nodeExpr(ExprKind::Add, {nodeExpr(ExprKind::Mul, {factor(), nameExpr(&context, "t")}), factor()});
    ExprAttr c = nodeExpr(random() % 2 ? ExprKind::Le : ExprKind::Eq, {nodeExpr(ExprKind::Mul, {factor(), a}), b});
    auto set = canonicalKeySet(&context, t, s, random() % 2 ? c : nodeExpr(ExprKind::Not, c), error);
    if (failed(set)) {
      CHECK(error == "[SA0109] a coefficient leaves 64 bits: use smaller numbers");
      ++refused;
    }
  }
  CHECK(refused > 50);
  CHECK(refused < 500);
}

TEST_CASE_FIXTURE(Fixture, "structs go in and out") {
  AxisAttr t = AxisAttr::named(&context, "t"), s = AxisAttr::named(&context, "s");
  std::string error;
  auto set = *canonicalKeySet(&context, t, s, expr("s le t and (t - s lt W or s lt S)"), error);
  KeySetFormula formula = keySetOf(set);
  REQUIRE(formula.disjuncts.size() == 2);
  REQUIRE(formula.disjuncts[0].size() == 2);
  CHECK(formula.disjuncts[0][0].kind == AtomKind::GE);
  CHECK(toText(toExpr(&context, formula.disjuncts[0][0].form)) == "t - s");
  CHECK(toText(toExpr(&context, formula.disjuncts[0][1].form)) == "-t + s + W - 1");
  CHECK(*canonicalKeySet(&context, t, s, conditionOf(&context, formula), error) == set);
  CHECK(keySetOf(*canonicalKeySet(&context, t, s, expr("all"), error)).disjuncts.size() == 1);
  auto none = *canonicalKeySet(&context, t, s, expr("s lt t and t lt s"), error);
  CHECK(isEmpty(none));
  CHECK(keySetOf(none).disjuncts.empty());
  CHECK(toText(none) == "not all");
}

TEST_CASE_FIXTURE(Fixture, "an op refuses a set that is not canonical") {
  auto parsed = module("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {\n"
                       "  %keys = sattn.set (t, s) : s <= t\n  %z = sattn.score dot %q, %k\n"
                       "  %o = sattn.attend %z over %keys, %v\n  sattn.yield %o\n}");
  REQUIRE(parsed);
  SetOp op;
  parsed->walk([&](SetOp set) { op = set; });
  KeySetAttr set = op.getFormula();
  op.setFormulaAttr(KeySetAttr::get(&context, set.getRow(), set.getKey(), expr("s le t")));
  CHECK(failed(op.verify()));
  CHECK(lastMessage() == "'sattn.set' op [SA0136] formula is not in canonical form: make it with canonicalKeySet");
  op.setFormulaAttr(KeySetAttr::get(&context, set.getRow(), set.getKey(), expr("t * s le 1")));
  CHECK(failed(op.verify()));
  op.setFormulaAttr(KeySetAttr::get(&context, set.getKey(), set.getRow(), set.getCondition()));
  CHECK(failed(op.verify()));
}

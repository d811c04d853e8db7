// Formula trees: text and back, literals at their limits, numbers in canonical form, evaluation.
#include "dialects/pattern/Linear.h"
#include "test/dialects/pattern/Support.h"
#include <cmath>
#include <limits>

using namespace sattn;
using sattn::test::Fixture;

TEST_CASE_FIXTURE(Fixture, "text reads back as the same tree") {
  for (std::string text : {"t",
                           "-t",
                           "--t",
                           "t - (s - 1)",
                           "t - s - 1",
                           "(t - s) * 2",
                           "t * (2 * s)",
                           "-(t + 1)",
                           "t - -3",
                           "a / b / c",
                           "a / (b / c)",
                           "(a + b) mod 4",
                           "a floordiv 4 mod 3",
                           "max(a, min(b, -c))",
                           "table(0)[t, s + 1] * table(1)",
                           "not (a le b or c eq d and e lt f)",
                           "(not all) and all",
                           "0.1",
                           "1.0e-05",
                           "1.0e+22",
                           "-2.5",
                           "size(s) - 1"}) {
    ExprAttr e = expr(text);
    REQUIRE_MESSAGE(e, text, ": ", lastMessage());
    std::string again = toText(e, nullptr, TextForm::Attribute);
    CHECK_MESSAGE(expr(again) == e, text, " printed as ", again);
  }
}

TEST_CASE_FIXTURE(Fixture, "text has no needless brackets") {
  CHECK(toText(expr("((t) - ((s))) le (W)")) == "t - s <= W");
  CHECK(toText(expr("(a and b) or c")) == "a and b or c");
  CHECK(toText(expr("a and (b or c)")) == "a and (b or c)");
  CHECK(toText(expr("not a and b")) == "not a and b");
  CHECK(toText(expr("table(2)[t]"), [](int64_t i) { return "%x" + std::to_string(i); }) == "%x2[t]");
}

TEST_CASE_FIXTURE(Fixture, "floats keep every bit") {
  for (double x : {0.0, -0.0, 0.1, 1.0 / 3, 1e22, 5e-324, std::numeric_limits<double>::max(), -123456789.125}) {
    ExprAttr e = floatExpr(&context, x), back = expr(toText(e));
    REQUIRE(back);
    CHECK(llvm::bit_cast<int64_t>(back.getFloat()) == llvm::bit_cast<int64_t>(x));
  }
}

TEST_CASE_FIXTURE(Fixture, "literals fold only where nothing is lost") {
  CHECK(expr("2 + 3 * 4") == intExpr(&context, 14));
  CHECK(expr("-7 floordiv 2") == intExpr(&context, -4));
  CHECK(expr("-7 mod 4") == intExpr(&context, 1));
  CHECK(expr("7 mod 0").is(ExprKind::Mod));
  CHECK(expr("9223372036854775807 + 1").is(ExprKind::Add));
  CHECK(expr("9223372036854775807 * 3").is(ExprKind::Mul));
}

TEST_CASE_FIXTURE(Fixture, "numbers are sorted sums") {
  std::string error;
  auto text = [&](const std::string &source) {
    auto number = canonicalNumber(expr(source), error);
    return succeeded(number) ? toText(*number) : "error: " + error;
  };
  CHECK(text("b + a + 1 + a") == "2 * a + b + 1");
  CHECK(text("(a + b) * (a - b)") == "a * a - b * b");
  CHECK(text("a - a") == "0");
  CHECK(text("2 * a floordiv 2") == "2 * a floordiv 2");
  CHECK(text("a * 1.5 + 2") == "a * 1.5 + 2");
  CHECK(text("4611686018427387904 * (4 * a)") == "error: [SA0109] a coefficient leaves 64 bits: use smaller numbers");
  CHECK(text("a floordiv 0") == "error: [SA0110] floordiv by 0: the divisor must be positive");
}

TEST_CASE_FIXTURE(Fixture, "evaluation checks what it cannot represent") {
  auto leaf = [](ExprAttr e) -> std::optional<int64_t> {
    if (e.isName("a"))
      return 7;
    return e.is(ExprKind::Table) ? std::optional<int64_t>(-2) : std::nullopt;
  };
  CHECK(evaluateInt(expr("a * 2 - table(0)[t] floordiv 4"), leaf) == 15);
  CHECK(evaluateInt(expr("3 le a and not a eq 8"), leaf) == 1);
  CHECK(evaluateInt(expr("b"), leaf) == std::nullopt);
  CHECK(evaluateInt(expr("a mod (a - 7)"), leaf) == std::nullopt);
  CHECK(evaluateInt(expr("a * 9223372036854775807"), leaf) == std::nullopt);
  auto value = [](ExprAttr e) -> std::optional<double> {
    return e.isName("z") ? std::optional(2.0) : e.isName("nan") ? std::optional(std::nan("")) : std::nullopt;
  };
  CHECK(evaluateFloat(expr("max(z, 3) / 4 + exp(0)"), value) == doctest::Approx(1.75));
  CHECK(evaluateFloat(expr("sigmoid(-z) * rsqrt(4) - relu(-z)"), value) == doctest::Approx(0.5 / (1 + std::exp(2.0))));
  CHECK(std::isnan(*evaluateFloat(expr("max(nan, 1)"), value)));
  CHECK(std::isnan(*evaluateFloat(expr("relu(nan)"), value)));
  CHECK(evaluateFloat(expr("median(z)"), value) == std::nullopt);
  CHECK(evaluateFloat(expr("2 * first(c)"), [](ExprAttr e) -> std::optional<double> {
          return e.is(ExprKind::Call) ? std::optional(8.0) : std::nullopt;
        }) == 16);
  CHECK(evaluateFloat(expr("max(z)"), value) == std::nullopt);
}

TEST_CASE_FIXTURE(Fixture, "names are replaced and literals fold again") {
  auto bind = [&](StringRef name) { return name == "b" ? intExpr(&context, 4) : ExprAttr(); };
  CHECK(toText(substituteNames(expr("(t - s) mod (b * 2) + table(0)[b - 1]"), bind)) == "(t - s) mod 8 + table(0)[3]");
  CHECK(mentionsName(expr("table(0)[t]"), "t"));
  CHECK_FALSE(mentionsName(expr("first(c)"), "first"));
}

TEST_CASE_FIXTURE(Fixture, "the order of trees is total and does not depend on addresses") {
  std::vector<ExprAttr> all;
  for (std::string text : {"s",           "t",
                           "a",           "b",
                           "1",           "2",
                           "t mod 2",     "t mod 3",
                           "s mod 2",     "first(c)",
                           "last(c)",     "table(0)[t]",
                           "table(1)[t]", "table(0)[t, s]",
                           "size(s)",     "a * b",
                           "a * t",       "h",
                           "c",           "u"})
    all.push_back(expr(text));
  for (ExprAttr a : all)
    for (ExprAttr b : all) {
      CHECK((compareExprs(a, b) == 0) == (a == b));
      CHECK((compareExprs(a, b) < 0) == (compareExprs(b, a) > 0));
      CHECK((compareFactors(a, b) < 0) == (compareFactors(b, a) > 0));
      for (ExprAttr c : all)
        if (compareFactors(a, b) < 0 && compareFactors(b, c) < 0)
          CHECK(compareFactors(a, c) < 0);
    }
  std::vector<ExprAttr> order;
  for (std::string text : {"t", "t mod 2", "u", "s", "first(c)", "h", "table(0)[t]", "size(s)", "a"})
    order.push_back(expr(text));
  CHECK(std::is_sorted(order.begin(), order.end(), [](ExprAttr a, ExprAttr b) { return compareFactors(a, b) < 0; }));
}

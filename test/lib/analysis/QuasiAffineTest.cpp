// Sets against direct evaluation of their text: fixed texts, thousands of random formulas, lifting, algebra, limits.
#include <doctest/doctest.h>
#include "FormulaText.h"
#include "RandomFormula.h"

using namespace sattn;
using namespace sattn::test;
using quasi::Set;

namespace {
SmallVector<int64_t> valuesOf(const Set &set, const std::map<std::string, int64_t> &env) {
  SmallVector<int64_t> values;
  for (const quasi::SymbolInfo &s : set.symbols())
    values.push_back(env.at(s.name));
  return values;
}

/// Compares a set with its formula on a grid.
void checkPoints(const std::string &text, const std::map<std::string, int64_t> &statics,
                 std::map<std::string, int64_t> env, int64_t lo, int64_t hi) {
  Formula formula = parseFormula(text);
  Set set = setOf(text, statics);
  env.insert(statics.begin(), statics.end());
  auto values = valuesOf(set, env);
  for (int64_t t = lo; t < hi; ++t)
    for (int64_t s = lo; s < hi; ++s) {
      env["t"] = t;
      env["s"] = s;
      REQUIRE_MESSAGE(set.contains(t, s, values) == bool(evaluate(formula, env)), text, " at ", t, ", ", s);
    }
}

} // namespace

TEST_CASE("sets agree with their text on every point") {
  checkPoints("s <= t", {}, {}, -5, 20);
  checkPoints("0 <= t - s < W", {}, {{"W", 6}}, -5, 20);
  checkPoints("s <= t and (t - s < W or s < S)", {}, {{"W", 6}, {"S", 3}}, 0, 30);
  checkPoints("s <= t and (t - s) mod stride == 0", {{"stride", 7}}, {}, -3, 40);
  checkPoints("s <= t and (t floordiv stride == s floordiv stride or s mod stride >= stride - verts)", {{"stride", 8}},
              {{"verts", 3}}, -9, 40);
  checkPoints("not (t - s == 2 or s > 3 * t)", {}, {}, -5, 20);
  checkPoints("-(2 * t + 4) mod 6 == 2 * ((s + 1) mod 3)", {}, {}, -20, 20);
}

TEST_CASE("random formulas agree with direct evaluation") {
  RandomFormula random(20240611);
  int sets = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = random.condition(int(random.upTo(3))), error;
    Formula formula = parseFormula(text);
    auto set = toSet(formula, {}, error);
    if (!set) {
      CHECK_MESSAGE((error.find("multiplies two variables") != std::string::npos ||
                     error.find("more than 64 disjuncts") != std::string::npos),
                    text, ": ", error);
      continue;
    }
    ++sets;
    for (int k = 0; k < 60; ++k) {
      std::map<std::string, int64_t> env{
          {"t", random.upTo(80) - 20}, {"s", random.upTo(80) - 20}, {"W", random.upTo(30) - 5}};
      auto values = valuesOf(*set, env);
      REQUIRE_MESSAGE(set->contains(env["t"], env["s"], values) == bool(evaluate(formula, env)), text,
                      " at t=", env["t"], " s=", env["s"], " W=", env["W"]);
    }
  }
  CHECK(sets > 2900);
}

TEST_CASE("equal texts give equal data") {
  for (const char *text : {"0 <= t - s < W", "s <= t and not t - s >= W", "W > t - s and t >= s"})
    CHECK(setOf(text).toString() == "-t + s + W - 1 >= 0 and t - s >= 0");
  CHECK(setOf("2 * s <= 2 * t + 1").toString() == "t - s >= 0");
  CHECK(setOf("s <= t or (s <= t and s < 4)").toString() == "t - s >= 0");
  CHECK(setOf("2 * t == 4 * s + 1").toString() == "none");
  CHECK(setOf("all or s < 3").toString() == "all");
  CHECK(setOf("(2 * t + 4) floordiv 4 == s").toString() == "s - (t floordiv 2) - 1 == 0");
  CHECK(setOf("(6 * t + 3) mod 4 >= 1").toString() == "(t + 1) mod 2 >= 0");
}

TEST_CASE("blocks lift to positions") {
  Set open = setOf("4 * c <= t", {}, "t", "c");
  auto lifted = open.lift(1, 4);
  REQUIRE(lifted);
  Set rows = *setOf("8 * u + 7 >= 4 * c", {}, "u", "c").lift(8, 4);
  for (int64_t t = 0; t < 40; ++t)
    for (int64_t s = 0; s < 60; ++s) {
      CHECK(lifted->contains(t, s, {}) == (4 * (s / 4) <= t));
      CHECK(rows.contains(t, s, {}) == (8 * (t / 8) + 7 >= 4 * (s / 4)));
    }
}

TEST_CASE("algebra of sets") {
  Set causal = setOf("s <= t"), window = setOf("t - s < W or s mod 3 == 1"), empty = setOf("s < s");
  std::string why;
  auto both = Set::intersect(causal, window, why), either = Set::unite(window, causal, why);
  auto rest = Set::subtract(causal, window, why);
  REQUIRE(both);
  REQUIRE(either);
  REQUIRE(rest);
  CHECK(Set::intersect(causal, empty, why)->disjuncts().empty());
  CHECK(Set::subtract(causal, Set::all(), why)->disjuncts().empty());
  for (int64_t t = 0; t < 30; ++t)
    for (int64_t s = 0; s < 30; ++s) {
      bool inWindow = t - s < 6 || s % 3 == 1, inCausal = s <= t;
      CHECK(both->contains(t, s, {6}) == (inWindow && inCausal));
      CHECK(either->contains(t, s, {6}) == (inWindow || inCausal));
      CHECK(rest->contains(t, s, {6}) == (inCausal && !inWindow));
    }
}

TEST_CASE("numbers out of range are refused with a reason") {
  auto errorOf = [](const std::string &text, const std::map<std::string, int64_t> &statics = {}) {
    std::string error;
    CHECK_FALSE(toSet(parseFormula(text), statics, error));
    return error;
  };
  CHECK(errorOf("t * s <= 4") == "'(t) * (s)' multiplies two variables: declare the param of one factor static");
  CHECK(errorOf("(t + 1) * W <= 4") ==
        "'(t + 1) * (W)' multiplies two variables: declare the param of one factor static");
  CHECK(errorOf("t mod b == 0", {{"b", 0}}) == "mod by 0: the divisor must be positive");
  CHECK(errorOf("t floordiv b == 0", {{"b", -3}}) == "floordiv by -3: the divisor must be positive");
  CHECK(errorOf("t mod b == 0", {{"b", (1LL << 31) + 1}}) == "mod by 2147483649: the largest divisor is 2^31");
  CHECK(errorOf("t floordiv b == 0", {{"b", 1LL << 40}}) == "floordiv by 1099511627776: the largest divisor is 2^31");
  CHECK(errorOf("b * t <= s", {{"b", (1LL << 31) + 1}}) ==
        "coefficient 2147483649 is out of range: the largest is 2^31");
  CHECK(errorOf("t <= b", {{"b", INT64_MIN}}) == "constant -9223372036854775808 is out of range: the largest is 2^45");
  CHECK(errorOf("b * b * b * t <= s", {{"b", 1LL << 31}}) ==
        "constant 4611686018427387904 is out of range: the largest is 2^45");
  CHECK(errorOf("b * (b * t) <= s", {{"b", 1LL << 31}}) ==
        "coefficient 4611686018427387904 is out of range: the largest is 2^31");
  std::string deep = "t";
  for (int i = 0; i < 12; ++i)
    deep = "(" + deep + " floordiv 3 + " + deep + " floordiv 2)";
  CHECK(errorOf(deep + " <= s") ==
        "floordiv and mod are nested too widely: name parts of the formula as sets of their own");
  std::string grows = "t";
  for (int i = 0; i < 5; ++i)
    grows = "(2147483648 * (" + grows + " floordiv 3))";
  CHECK(errorOf(grows + " <= s") == "numbers of the formula grow out of range: use smaller factors");
  CHECK(errorOf("35184372088832 * (2147483648 * t) <= s") == "numbers of the formula overflow 64 bits");
  std::string divisions = "t", conditions = "s <= t";
  for (int i = 0; i < 130; ++i) {
    divisions += " + t floordiv " + std::to_string(i + 2);
    conditions += " and s + " + std::to_string(i) + " * t >= 5";
  }
  CHECK(errorOf(divisions + " <= s") == "formula has more than 128 different floordiv and mod terms");
  CHECK(errorOf(conditions) == "one disjunct of the set has more than 128 conditions");
  std::string many = "s <= t";
  for (int i = 0; i < 70; ++i)
    many += " or s == " + std::to_string(1000 + i);
  CHECK(errorOf(many) == "set has more than 64 disjuncts: name its parts and use sattn.union");
}

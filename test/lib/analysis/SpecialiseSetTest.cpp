// From the dialect's key sets to quasi-affine sets, against direct evaluation of the text, and the refusals.
#include "lib/analysis/SpecialiseSet.h"
#include "dialects/pattern/Pattern.h"
#include "mlir/AsmParser/AsmParser.h"
#include <doctest/doctest.h>
#include "FormulaText.h"
#include "RandomFormula.h"

using namespace sattn;
using namespace sattn::test;

namespace {
MLIRContext &context() {
  static MLIRContext instance;
  static bool loaded = (instance.loadDialect<SattnDialect>(), true);
  (void)loaded;
  return instance;
}

/// The attribute of a set; text as in an op, comparisons are turned into the words of attributes.
KeySetAttr keySet(std::string domain, std::string text, std::string *error = nullptr) {
  for (auto [symbol, word] :
       {std::pair<std::string, std::string>{"<=", "le"}, {">=", "ge"}, {"==", "eq"}, {"<", "lt"}, {">", "gt"}})
    for (size_t at; (at = text.find(symbol)) != std::string::npos;)
      text.replace(at, symbol.size(), word);
  mlir::ScopedDiagnosticHandler handler(&context(), [&](mlir::Diagnostic &d) {
    if (error)
      *error = d.str();
    return success();
  });
  auto attr = mlir::parseAttribute("#sattn.keys<" + domain + " : " + text + ">", &context());
  return dyn_cast_or_null<KeySetAttr>(attr);
}

quasi::Set specialised(const char *domain, const char *text, const SetBindings &bindings = {}) {
  std::string error;
  KeySetAttr attr = keySet(domain, text);
  REQUIRE(attr);
  auto set = specialiseSet(attr, bindings, error);
  REQUIRE_MESSAGE(succeeded(set), error);
  return *set;
}

std::string errorOf(const char *domain, const char *text, const SetBindings &bindings = {}) {
  std::string error;
  KeySetAttr attr = keySet(domain, text);
  REQUIRE(attr);
  CHECK(failed(specialiseSet(attr, bindings, error)));
  return error;
}
} // namespace

TEST_CASE("first and last become affine, params integers or symbols") {
  SetBindings bindings;
  bindings.values = {{"l", 32}, {"d", 16}, {"b", 8}};
  bindings.defaults = {{"W", 512}};
  CHECK(specialised("(t, c(l, d))", "last(c) <= t", bindings).toString("t", "c") == "t - 16 * c - 31 >= 0");
  CHECK(specialised("(t, c(l))", "first(c) <= t", bindings).toString("t", "c") == "t - 32 * c >= 0");
  CHECK(specialised("(u(b), c(b))", "first(c) <= last(u)", bindings).toString("u", "c") == "u - c >= 0");
  auto window = specialised("(t, s)", "0 <= t - s < W", bindings);
  REQUIRE(window.symbols().size() == 1);
  CHECK(window.symbols()[0].name == "W");
  CHECK(window.symbols()[0].defaultValue == 512);
  auto sized = specialised("(t, s)", "t >= size(s) - b and g < 3 and h <= 2", bindings);
  CHECK(sized.toString() == "t - size(s) + 8 >= 0 and -g + 2 >= 0 and -h + 2 >= 0");
  for (const quasi::SymbolInfo &s : sized.symbols())
    CHECK(s.kind == (s.name == "g"   ? quasi::SymbolInfo::KvHead
                     : s.name == "h" ? quasi::SymbolInfo::Head
                                     : quasi::SymbolInfo::Size));
  auto table = specialised("(t, s)", "s <= t and table(0)[t] == table(0)[s]", bindings);
  CHECK(table.symbols().size() == 2);
  CHECK(table.usesOpaque(table.disjuncts()[0].front().form) != table.usesOpaque(table.disjuncts()[0].back().form));
}

TEST_CASE("random sets of the dialect agree with direct evaluation") {
  RandomFormula random(99);
  int sets = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string text = random.condition(int(random.upTo(3))), error;
    KeySetAttr attr = keySet("(t, s)", text, &error);
    if (!attr)
      continue; // multiplies positions, or more disjuncts than allowed
    auto set = specialiseSet(attr, {}, error);
    REQUIRE_MESSAGE(succeeded(set), text, ": ", error);
    ++sets;
    Formula formula = parseFormula(text);
    for (int k = 0; k < 40; ++k) {
      std::map<std::string, int64_t> env{
          {"t", random.upTo(80) - 20}, {"s", random.upTo(80) - 20}, {"W", random.upTo(30) - 5}};
      SmallVector<int64_t> values(set->symbols().size(), env["W"]);
      REQUIRE_MESSAGE(set->contains(env["t"], env["s"], values) == bool(evaluate(formula, env)), text);
    }
  }
  CHECK(sets > 1300);
}

TEST_CASE("what has no value, or too large a one, is refused") {
  SetBindings bindings;
  bindings.values = {{"l", 8}, {"zero", 0}, {"huge", int64_t(1) << 40}, {"d", 16}};
  CHECK(errorOf("(t, c(b))", "first(c) <= t") == "block length 'b' has no value yet: declare its params static");
  CHECK(errorOf("(t, c(zero))", "first(c) <= t", bindings) == "block length 'zero' is 0: it must be 1 to 2^31");
  CHECK(errorOf("(t, c(l, d))", "first(c) <= t", bindings) ==
        "blocks(8, 16) leave gaps: the stride must not exceed the length");
  CHECK(errorOf("(t, c(l))", "middle(c) <= t", bindings) ==
        "'middle(c)' is unknown: a set has first(c), last(c) and size(axis)");
  CHECK(errorOf("(t, c(l))", "first(W) <= t", bindings) == "'first(W)' needs the name of a block position");
  CHECK(errorOf("(t, s)", "s mod b <= 3") == "divisor 'b' has no value yet: declare its params static");
  CHECK(errorOf("(t, s)", "s mod zero <= 3", bindings) == "mod by 0: the divisor must be positive");
  CHECK(errorOf("(t, s)", "s floordiv huge <= 3", bindings) ==
        "floordiv by 1099511627776: the largest divisor is 2^31");
  CHECK(errorOf("(t, s)", "W * t <= s") ==
        "'(W) * (t)' multiplies two variables: declare the param of one factor static");
  CHECK(errorOf("(t, s)", "V * W <= s") ==
        "'(V) * (W)' multiplies two variables: declare the param of one factor static");
}

// Formulas bound to names, away from any pattern.
#include "lib/reference/Evaluate.h"
#include "dialects/pattern/Formula.h"
#include <doctest/doctest.h>
#include "OracleTest.h"

using namespace sattn;
using namespace sattn::ref;

namespace {
struct Names {
  Names() {
    context.loadDialect<SattnDialect>();
    numbers["W"] = 3;
    heads["h"] = 8;
    heads["g"] = 2;
    scope.numbers = &numbers;
    scope.heads = &heads;
    scope.row = "t";
    scope.key = "c";
    scope.keyBlocks = {4, 2};
  }
  ExprAttr name(StringRef text) { return nameExpr(&context, text); }
  ExprAttr integer(int64_t value) { return intExpr(&context, value); }
  ExprAttr call(StringRef callee, StringRef axis) { return callExpr(&context, callee, {name(axis)}); }

  double value(ExprAttr expr, const Point &point) {
    std::string error;
    FailureOr<Formula> formula = Formula::bind(expr, scope, error);
    REQUIRE_MESSAGE(succeeded(formula), error);
    return formula->value(point, [](int64_t, ArrayRef<int64_t> at) { return 100.0 + static_cast<double>(at[0]); });
  }
  std::string error(ExprAttr expr) {
    std::string error;
    CHECK(failed(Formula::bind(expr, scope, error)));
    return error;
  }

  MLIRContext context;
  llvm::StringMap<double> numbers;
  llvm::StringMap<int64_t> heads;
  Scope scope;
};
} // namespace

TEST_CASE("positions, params, heads and the bounds of blocks") {
  Names n;
  Point p;
  p.row = 7;
  p.key = 5;
  p.head = {6, 8};
  p.keysEnd = 99;
  CHECK(n.value(n.name("t"), p) == 7);
  CHECK(n.value(n.name("W"), p) == 3);
  CHECK(n.value(n.name("h"), p) == 6);
  CHECK(n.value(n.name("g"), p) == 1); // heads 4 to 7 share kv head 1
  CHECK(n.value(n.call("first", "c"), p) == 10);
  CHECK(n.value(n.call("last", "c"), p) == 13);
  CHECK(n.value(n.call("size", "s"), p) == 99);
  CHECK(n.value(n.call("size", "h"), p) == 8);
}

TEST_CASE("a head that indexes a table is mapped to the heads of the table") {
  Names n;
  Point p;
  p.head = {6, 8};
  ExprAttr load = tableExpr(&n.context, 0, {n.name("h")});
  CHECK(n.value(load, p) == 106);
  auto heads = [](int64_t, size_t) -> std::optional<int64_t> { return 4; };
  n.scope.tableHeads = heads;
  CHECK(n.value(load, p) == 103);
}

TEST_CASE("names without a value are reported") {
  Names n;
  CHECK(n.error(n.name("V")) == "name 'V' has no value here");
  CHECK(n.error(n.call("first", "s")) == "'first(s)' has no value here");
  CHECK(n.error(n.call("size", "h2")) == "'size(h2)' has no value here");
  CHECK(n.error(n.call("sin", "t")) == "there is no function 'sin'");
  n.numbers["W"] = 0;
  CHECK(n.error(nodeExpr(ExprKind::Mod, {n.name("t"), n.name("W")})) == "divisor 0 is not positive");
}

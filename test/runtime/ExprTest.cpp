// Expressions: values, rounding, overflow, malformed JSON.
#include "test/runtime/Support.h"

#include "runtime/Expr.h"

#include <climits>

using namespace sattn::rt;
using sattn::rt::testing::json;

namespace {
struct Names {
  SymbolTable symbols;
  std::vector<int64_t> values;
  Names() {
    add("t", 10);
    add("c(32, 16)", 7);
    add("big", INT64_MAX);
    add("small", INT64_MIN);
    add("$W", -5);
  }
  void add(const char *name, int64_t value) {
    symbols.add(name);
    values.push_back(value);
  }
};

Expr::Fault run(const char *text, int64_t &result) {
  Names names;
  Expr expr;
  Status status = Expr::compile(json::parse(text), names.symbols, "x", expr);
  REQUIRE_MESSAGE(status.ok(), status.text());
  return expr.evaluate(names.values.data(), result);
}

int64_t value(const char *text) {
  int64_t result = 0;
  CHECK(run(text, result) == Expr::Fault::None);
  return result;
}

Expr::Fault fault(const char *text) {
  int64_t result = 0;
  return run(text, result);
}

Status compileText(const std::string &text) {
  Names names;
  Expr expr;
  return Expr::compile(json::parse(text), names.symbols, "here", expr);
}
} // namespace

TEST_CASE("values") {
  CHECK(value("5") == 5);
  CHECK(value(R"("t")") == 10);
  CHECK(value(R"x(["+", "t", "c(32, 16)"])x") == 17);
  CHECK(value(R"(["-", "t", ["*", "$W", 3]])") == 25);
  CHECK(value(R"(["min", "t", 3])") == 3);
  CHECK(value(R"(["max", "t", 3])") == 10);
  for (const char *text : {R"(["==", 1, 1])", R"(["!=", 1, 2])", R"(["<", 1, 2])", R"(["<=", 2, 2])", R"([">", 3, 2])",
                           R"([">=", 3, 3])", R"(["and", 1, -1])", R"(["or", 0, 7])"})
    CHECK(value(text) == 1);
  for (const char *text : {R"(["==", 1, 2])", R"(["!=", 1, 1])", R"(["<", 2, 2])", R"(["<=", 3, 2])", R"([">", 2, 2])",
                           R"([">=", 2, 3])", R"(["and", 1, 0])", R"(["or", 0, 0])"})
    CHECK(value(text) == 0);
  CHECK(Expr().evaluate(nullptr, *std::make_unique<int64_t>()) == Expr::Fault::None);
}

TEST_CASE("division agrees with the definition for both signs") {
  for (int64_t a = -9; a <= 9; ++a)
    for (int64_t b = 1; b <= 4; ++b) {
      auto text = [&](const char *op) { return json({op, a, b}).dump(); };
      int64_t floor = value(text("floordiv").c_str()), ceil = value(text("ceildiv").c_str()),
              mod = value(text("mod").c_str());
      CHECK(floor * b <= a);
      CHECK((floor + 1) * b > a);
      CHECK(ceil * b >= a);
      CHECK((ceil - 1) * b < a);
      CHECK(mod == a - floor * b);
    }
  CHECK(value(R"(["floordiv", "small", 1])") == INT64_MIN);
  CHECK(value(R"(["ceildiv", "big", 1])") == INT64_MAX);
  CHECK(value(R"(["mod", "small", "big"])") == INT64_MAX - 1);
}

TEST_CASE("overflow and bad divisors are faults, never wrong numbers") {
  CHECK(fault(R"(["+", "big", 1])") == Expr::Fault::Overflow);
  CHECK(fault(R"(["-", "small", 1])") == Expr::Fault::Overflow);
  CHECK(fault(R"(["-", 0, "small"])") == Expr::Fault::Overflow);
  CHECK(fault(R"(["*", "big", 2])") == Expr::Fault::Overflow);
  CHECK(fault(R"(["*", "small", -1])") == Expr::Fault::Overflow);
  CHECK(fault(R"(["+", 1, ["*", ["*", "t", "big"], 0]])") == Expr::Fault::Overflow); // inner step
  for (const char *op : {"floordiv", "ceildiv", "mod"})
    for (int64_t divisor : {0, -1, -7})
      CHECK(fault(json({op, "t", divisor}).dump().c_str()) == Expr::Fault::Divisor);
  CHECK(exprFault(Expr::Fault::Overflow, "'n'").text() ==
        "[SA0331] 'n' does not fit into 64 bits for these sizes; use smaller sizes");
  CHECK(exprFault(Expr::Fault::Divisor, "'n'").error() == Err::Divisor);
}

TEST_CASE("malformed expressions") {
  for (const char *text : {"1.5", "true", "null", "{}", "[]", R"(["+", 1])", R"(["+", 1, 2, 3])", R"([1, 2, 3])",
                           R"([["+", 1, 2], 1, 2])"})
    CHECK_STATUS(compileText(text), Err::ManifestField, "here: expected an integer, a name or [op, a, b]");
  CHECK_STATUS(compileText(R"(["pow", 1, 2])"), Err::ManifestField, "unknown operation 'pow'");
  CHECK_STATUS(compileText(R"(["+", "x", 2])"), Err::ManifestField, "unknown name 'x'");
  CHECK_STATUS(compileText("9223372036854775808"), Err::ManifestField, "does not fit into 64 bits");
  CHECK_OK(compileText("9223372036854775807"));
  CHECK_OK(compileText("-9223372036854775808"));
}

TEST_CASE("depth and length are bounded") {
  auto nested = [](int depth, bool right) {
    std::string text = "1";
    for (int i = 0; i < depth; ++i)
      text = right ? R"(["+", 1, )" + text + "]" : R"(["+", )" + text + ", 1]";
    return text;
  };
  for (bool right : {false, true}) {
    CHECK(value(nested(63, right).c_str()) == 64);
    CHECK_STATUS(compileText(nested(64, right)), Err::ManifestField, "nested deeper than 64");
  }
  json wide = 1;
  for (int i = 0; i < 12; ++i)
    wide = {"+", wide, wide};
  CHECK_STATUS(compileText(wide.dump()), Err::ManifestField, "expression is too long");
}

TEST_CASE("names have one number each") {
  SymbolTable symbols;
  CHECK(symbols.add("a") == 0);
  CHECK(symbols.add("b") == 1);
  CHECK(symbols.add("a") == -1);
  symbols.hide(0);
  CHECK(symbols.find("a") == -1);
  CHECK(symbols.add("a") == 2);
  CHECK(symbols.size() == 3);
  Expr expr;
  CHECK_OK(Expr::compile(json::parse(R"(["+", "b", ["*", "a", "b"]])"), symbols, "x", expr));
  CHECK(expr.symbolsUsed() == std::vector<int>{1, 2});
}

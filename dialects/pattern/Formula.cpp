// Trees of the formula language: builders that fold literals, text, order, rewriting, evaluation.
#include "dialects/pattern/Formula.h"
#include "dialects/pattern/Linear.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/MathExtras.h"
#include <charconv>
#include <cmath>

namespace sattn {

AxisKind axisKindOf(StringRef name) {
  if (name.starts_with("D"))
    return AxisKind::Features;
  if (name.empty() || !llvm::all_of(name.drop_front(), llvm::isDigit))
    return AxisKind::Unknown;
  switch (name.front()) {
  case 't':
    return AxisKind::Rows;
  case 'u':
    return AxisKind::RowBlocks;
  case 's':
    return AxisKind::Keys;
  case 'c':
    return AxisKind::KeyBlocks;
  case 'h':
    return AxisKind::QueryHeads;
  case 'g':
    return AxisKind::KvHeads;
  default:
    return AxisKind::Unknown;
  }
}

bool isReservedName(StringRef name) {
  if (axisKindOf(name) != AxisKind::Unknown ||
      (name.starts_with("z") && llvm::all_of(name.drop_front(), llvm::isDigit)))
    return true;
  return llvm::is_contained({"all", "and", "or", "not", "mod", "floordiv"}, name);
}

// ---- Builders

ExprAttr intExpr(MLIRContext *context, int64_t value) { return ExprAttr::get(context, ExprKind::Int, value, "", {}); }
ExprAttr floatExpr(MLIRContext *context, double value) {
  return ExprAttr::get(context, ExprKind::Float, llvm::bit_cast<int64_t>(value), "", {});
}
ExprAttr nameExpr(MLIRContext *context, StringRef name) { return ExprAttr::get(context, ExprKind::Name, 0, name, {}); }
ExprAttr callExpr(MLIRContext *context, StringRef callee, ArrayRef<ExprAttr> arguments) {
  return ExprAttr::get(context, ExprKind::Call, 0, callee, arguments);
}
ExprAttr tableExpr(MLIRContext *context, int64_t index, ArrayRef<ExprAttr> indices) {
  return ExprAttr::get(context, ExprKind::Table, index, "", indices);
}

/// Result of an operator on two integer literals, nullopt where it is undefined or overflows.
static std::optional<int64_t> foldInts(ExprKind kind, int64_t a, int64_t b) {
  switch (kind) {
  case ExprKind::Add:
    return llvm::checkedAdd(a, b);
  case ExprKind::Sub:
    return llvm::checkedSub(a, b);
  case ExprKind::Mul:
    return llvm::checkedMul(a, b);
  case ExprKind::FloorDiv:
    return b > 0 ? std::optional(llvm::divideFloorSigned(a, b)) : std::nullopt;
  case ExprKind::Mod:
    return b > 0 ? std::optional(llvm::mod(a, b)) : std::nullopt;
  default:
    return std::nullopt;
  }
}

ExprAttr nodeExpr(ExprKind kind, ArrayRef<ExprAttr> kids) {
  MLIRContext *context = kids.front().getContext();
  if (kind == ExprKind::Neg) {
    ExprAttr kid = kids.front();
    if (kid.is(ExprKind::Int) && kid.getValue() != INT64_MIN)
      return intExpr(context, -kid.getValue());
    if (kid.is(ExprKind::Float))
      return floatExpr(context, -kid.getFloat());
  }
  if (kids.size() == 2 && kids[0].is(ExprKind::Int) && kids[1].is(ExprKind::Int))
    if (auto value = foldInts(kind, kids[0].getValue(), kids[1].getValue()))
      return intExpr(context, *value);
  return ExprAttr::get(context, kind, 0, "", kids);
}

// ---- Text

/// The shortest decimal that reads back as `value`, with the point that MLIR's lexer asks for.
static std::string floatText(double value) {
  char buffer[32];
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
  if (text.find('.') == std::string::npos && std::isfinite(value)) {
    size_t exponent = text.find('e');
    text.insert(exponent == std::string::npos ? text.size() : exponent, ".0");
  }
  return text;
}

namespace {
/// Prints a tree; a node is bracketed where its parent binds tighter.
class Printer {
public:
  Printer(llvm::function_ref<std::string(int64_t)> tableName, TextForm form) : tableName(tableName), form(form) {}

  void print(ExprAttr e, int parent = 0) {
    switch (e.getKind()) {
    case ExprKind::Int:
      text += std::to_string(e.getValue());
      return;
    case ExprKind::Float:
      text += floatText(e.getFloat());
      return;
    case ExprKind::Name:
      text += e.getText();
      return;
    case ExprKind::Table:
      text += tableName ? tableName(e.getValue()) : "table(" + std::to_string(e.getValue()) + ")";
      return e.getKids().empty() ? void() : list(e, "[", "]");
    case ExprKind::Call:
      text += e.getText();
      return list(e, "(", ")");
    case ExprKind::Neg:
      text += "-";
      return print(e.getKids()[0], 7);
    case ExprKind::Not:
      text += "not ";
      return print(e.getKids()[0], 3);
    case ExprKind::Add:
      return binary(e, " + ", 5, parent);
    case ExprKind::Sub:
      return binary(e, " - ", 5, parent);
    case ExprKind::Mul:
      return binary(e, " * ", 6, parent);
    case ExprKind::Div:
      return binary(e, " / ", 6, parent);
    case ExprKind::FloorDiv:
      return binary(e, " floordiv ", 6, parent);
    case ExprKind::Mod:
      return binary(e, " mod ", 6, parent);
    case ExprKind::Le:
      return binary(e, form == TextForm::Op ? " <= " : " le ", 4, parent);
    case ExprKind::Eq:
      return binary(e, form == TextForm::Op ? " == " : " eq ", 4, parent);
    case ExprKind::And:
      return binary(e, " and ", 2, parent);
    case ExprKind::Or:
      return binary(e, " or ", 1, parent);
    }
  }
  std::string text;

private:
  void binary(ExprAttr e, StringRef word, int precedence, int parent) {
    bool brackets = parent > precedence;
    text += brackets ? "(" : "";
    print(e.getKids()[0], precedence);
    text += word;
    print(e.getKids()[1], precedence + 1);
    text += brackets ? ")" : "";
  }
  void list(ExprAttr e, StringRef open, StringRef close) {
    text += open;
    for (auto [i, kid] : llvm::enumerate(e.getKids())) {
      text += i ? ", " : "";
      print(kid);
    }
    text += close;
  }
  llvm::function_ref<std::string(int64_t)> tableName;
  TextForm form;
};
} // namespace

std::string toText(ExprAttr expr, llvm::function_ref<std::string(int64_t)> tableName, TextForm form) {
  Printer printer(tableName, form);
  printer.print(expr);
  return std::move(printer.text);
}

// ---- Order, walks, rewriting

int compareExprs(ExprAttr a, ExprAttr b) {
  if (a == b)
    return 0;
  if (a.getKind() != b.getKind())
    return a.getKind() < b.getKind() ? -1 : 1;
  if (a.getValue() != b.getValue())
    return a.getValue() < b.getValue() ? -1 : 1;
  if (int order = a.getText().compare(b.getText()))
    return order;
  for (auto [x, y] : llvm::zip(a.getKids(), b.getKids()))
    if (int order = compareExprs(x, y))
      return order;
  return a.getKids().size() < b.getKids().size() ? -1 : 1;
}

void walkExpr(ExprAttr expr, llvm::function_ref<bool(ExprAttr)> visit) {
  if (!visit(expr))
    return;
  for (ExprAttr kid : expr.getKids())
    walkExpr(kid, visit);
}

bool mentionsName(ExprAttr expr, StringRef name) {
  bool found = false;
  walkExpr(expr, [&](ExprAttr e) { return !(found |= e.isName(name)); });
  return found;
}

ExprAttr replaceExpr(ExprAttr expr, llvm::function_ref<ExprAttr(ExprAttr)> replace) {
  if (!expr.getKids().empty()) {
    SmallVector<ExprAttr, 4> kids;
    for (ExprAttr kid : expr.getKids())
      kids.push_back(replaceExpr(kid, replace));
    if (ArrayRef<ExprAttr>(kids) != expr.getKids()) {
      bool named = expr.is(ExprKind::Call) || expr.is(ExprKind::Table);
      expr = named ? ExprAttr::get(expr.getContext(), expr.getKind(), expr.getValue(), expr.getText(), kids)
                   : nodeExpr(expr.getKind(), kids);
    }
  }
  ExprAttr other = replace(expr);
  return other ? other : expr;
}

ExprAttr substituteNames(ExprAttr expr, llvm::function_ref<ExprAttr(StringRef)> value) {
  return replaceExpr(expr, [&](ExprAttr e) { return e.is(ExprKind::Name) ? value(e.getText()) : ExprAttr(); });
}

FailureOr<ExprAttr> canonicalNumber(ExprAttr expr, std::string &error) {
  bool isInteger = true;
  walkExpr(expr, [&](ExprAttr e) { return isInteger &= !e.is(ExprKind::Float) && !e.is(ExprKind::Div); });
  if (!isInteger)
    return expr;
  auto form = linearForm(expr, error);
  if (failed(form))
    return failure();
  return toExpr(expr.getContext(), *form);
}

// ---- Evaluation

std::optional<int64_t> literalInt(ExprAttr expr) {
  return expr && expr.is(ExprKind::Int) ? std::optional(expr.getValue()) : std::nullopt;
}

std::optional<int64_t> evaluateInt(ExprAttr e, llvm::function_ref<std::optional<int64_t>(ExprAttr)> leaf) {
  switch (e.getKind()) {
  case ExprKind::Int:
    return e.getValue();
  case ExprKind::Name:
    if (e.getText() == "all")
      return 1;
    [[fallthrough]];
  case ExprKind::Table:
  case ExprKind::Call:
    return leaf(e);
  case ExprKind::Float:
  case ExprKind::Div:
    return std::nullopt;
  default:
    break;
  }
  auto a = evaluateInt(e.getKids()[0], leaf);
  if (!a)
    return std::nullopt;
  if (e.is(ExprKind::Neg))
    return llvm::checkedSub<int64_t>(0, *a);
  if (e.is(ExprKind::Not))
    return !*a;
  auto b = evaluateInt(e.getKids()[1], leaf);
  if (!b)
    return std::nullopt;
  switch (e.getKind()) {
  case ExprKind::Le:
    return *a <= *b;
  case ExprKind::Eq:
    return *a == *b;
  case ExprKind::And:
    return *a && *b;
  case ExprKind::Or:
    return *a || *b;
  default:
    return foldInts(e.getKind(), *a, *b);
  }
}

std::optional<unsigned> valueFunctionArity(StringRef name) {
  return llvm::StringSwitch<std::optional<unsigned>>(name)
      .Cases({"max", "min"}, 2)
      .Cases({"abs", "exp", "log", "tanh", "sigmoid", "relu", "rsqrt"}, 1)
      .Default(std::nullopt);
}

static std::optional<double> callFunction(StringRef name, ArrayRef<double> x) {
  if (valueFunctionArity(name) != x.size())
    return std::nullopt;
  double a = x[0];
  // max and min keep a NaN of either side: a live NaN must stay visible in its row.
  if (name == "max" || name == "min") {
    if (std::isnan(a) || std::isnan(x[1]))
      return std::nan("");
    return name == "max" ? std::max(a, x[1]) : std::min(a, x[1]);
  }
  return llvm::StringSwitch<double>(name)
      .Case("abs", std::fabs(a))
      .Case("exp", std::exp(a))
      .Case("log", std::log(a))
      .Case("tanh", std::tanh(a))
      .Case("sigmoid", 1 / (1 + std::exp(-a)))
      .Case("relu", std::isnan(a) ? a : std::max(a, 0.0))
      .Default(1 / std::sqrt(a));
}

std::optional<double> evaluateFloat(ExprAttr e, llvm::function_ref<std::optional<double>(ExprAttr)> leaf) {
  if (e.is(ExprKind::Int))
    return double(e.getValue());
  if (e.is(ExprKind::Float))
    return e.getFloat();
  bool function = e.is(ExprKind::Call) && valueFunctionArity(e.getText());
  if (e.is(ExprKind::Name) || e.is(ExprKind::Table) || (e.is(ExprKind::Call) && !function))
    return leaf(e);
  SmallVector<double, 2> x;
  for (ExprAttr kid : e.getKids()) {
    auto value = evaluateFloat(kid, leaf);
    if (!value)
      return std::nullopt;
    x.push_back(*value);
  }
  switch (e.getKind()) {
  case ExprKind::Call:
    return callFunction(e.getText(), x);
  case ExprKind::Neg:
    return -x[0];
  case ExprKind::Add:
    return x[0] + x[1];
  case ExprKind::Sub:
    return x[0] - x[1];
  case ExprKind::Mul:
    return x[0] * x[1];
  case ExprKind::Div:
    return x[0] / x[1];
  case ExprKind::FloorDiv:
    return std::floor(x[0] / x[1]);
  case ExprKind::Mod:
    return x[0] - x[1] * std::floor(x[0] / x[1]);
  default:
    return std::nullopt;
  }
}

} // namespace sattn

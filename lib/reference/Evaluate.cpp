// Binding of formula names and evaluation of bound trees.
#include "lib/reference/Evaluate.h"
#include "dialects/pattern/Formula.h"
#include "lib/reference/Partials.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include <cmath>
#include <numeric>

namespace sattn::ref {

//===-- Functions of value formulas -----------------------------------------------------------------------------===//

using Arguments = ArrayRef<double>;

static double maxOf(Arguments x) { return std::accumulate(x.begin() + 1, x.end(), x[0], maxWithNan); }
static double minOf(Arguments x) {
  return std::accumulate(x.begin() + 1, x.end(), x[0], [](double a, double b) { return -maxWithNan(-a, -b); });
}

/// The function of that name, null if there is none.
static double (*functionOf(StringRef name))(Arguments) {
  using Function = double (*)(Arguments);
  return llvm::StringSwitch<Function>(name)
      .Case("max", maxOf)
      .Case("min", minOf)
      .Case("abs", [](Arguments x) { return std::fabs(x[0]); })
      .Case("exp", [](Arguments x) { return std::exp(x[0]); })
      .Case("log", [](Arguments x) { return std::log(x[0]); })
      .Case("tanh", [](Arguments x) { return std::tanh(x[0]); })
      .Case("sigmoid", [](Arguments x) { return 1.0 / (1.0 + std::exp(-x[0])); })
      .Case("relu", [](Arguments x) { return maxWithNan(x[0], 0.0); })
      .Case("rsqrt", [](Arguments x) { return 1.0 / std::sqrt(x[0]); })
      .Default(nullptr);
}

//===-- Binding -------------------------------------------------------------------------------------------------===//

struct Formula::Binder {
  const Scope &scope;
  std::string &error;
  SmallVector<int64_t> counts;

  Node leaf(Leaf leaf, double number = 0.0) {
    Node node;
    node.leaf = leaf;
    node.number = number;
    return node;
  }
  Node headLeaf(int64_t count) {
    if (!llvm::is_contained(counts, count))
      counts.push_back(count);
    return leaf(Leaf::HeadIn, static_cast<double>(count));
  }
  Node fail(const Twine &text) {
    if (error.empty())
      error = text.str();
    return {};
  }

  Node name(StringRef name) {
    if (name == "all")
      return leaf(Leaf::Number, 1.0);
    if (name == scope.row)
      return leaf(Leaf::Row);
    if (name == scope.key)
      return leaf(Leaf::Key);
    if (name == "z")
      return leaf(Leaf::Score);
    if (scope.heads)
      if (auto count = scope.heads->find(name); count != scope.heads->end())
        return headLeaf(count->second);
    if (scope.numbers)
      if (auto number = scope.numbers->find(name); number != scope.numbers->end())
        return leaf(Leaf::Number, number->second);
    return fail("name '" + name + "' has no value here");
  }

  /// first, last and size take the name of an axis, not a value.
  Node axisCall(StringRef callee, StringRef axis) {
    bool row = axis == scope.row;
    if (callee == "size") {
      if (axisKindOf(axis) == AxisKind::Keys)
        return leaf(Leaf::KeysEnd);
      if (axisKindOf(axis) == AxisKind::Rows)
        return leaf(Leaf::RowsEnd);
      if (scope.heads)
        if (auto count = scope.heads->find(axis); count != scope.heads->end())
          return leaf(Leaf::Number, static_cast<double>(count->second));
      return fail("'size(" + axis + ")' has no value here");
    }
    if (!row && axis != scope.key)
      return fail("'" + callee + "(" + axis + ")' has no value here");
    Node node = leaf(callee == "first" ? (row ? Leaf::FirstOfRow : Leaf::FirstOfKey)
                                       : (row ? Leaf::LastOfRow : Leaf::LastOfKey));
    node.blocks = row ? scope.rowBlocks : scope.keyBlocks;
    return node;
  }

  Node bind(ExprAttr expr) {
    Node node;
    node.kind = expr.getKind();
    switch (expr.getKind()) {
    case ExprKind::Int:
      return leaf(Leaf::Number, static_cast<double>(expr.getValue()));
    case ExprKind::Float:
      return leaf(Leaf::Number, expr.getFloat());
    case ExprKind::Name:
      return name(expr.getText());
    case ExprKind::Call:
      if (llvm::is_contained({"first", "last", "size"}, expr.getText()))
        return axisCall(expr.getText(), expr.getKids().front().getText());
      node.function = functionOf(expr.getText());
      if (!node.function)
        return fail("there is no function '" + expr.getText() + "'");
      break;
    case ExprKind::Table:
      node.table = expr.getValue();
      break;
    default:
      break;
    }
    for (auto [i, kid] : llvm::enumerate(expr.getKids())) {
      // A head that indexes a table is mapped to the heads of the table: %slope[h] of 2 slopes and 8 heads.
      std::optional<int64_t> heads;
      if (node.kind == ExprKind::Table && kid.is(ExprKind::Name) && scope.tableHeads && scope.heads &&
          scope.heads->contains(kid.getText()))
        heads = scope.tableHeads(node.table, i);
      node.kids.push_back(heads ? headLeaf(*heads) : bind(kid));
      node.kids.back().isDistance = node.kind == ExprKind::Table && isDistance(kid, scope.row, scope.key);
    }
    if ((node.kind == ExprKind::FloorDiv || node.kind == ExprKind::Mod) && node.kids[1].leaf == Leaf::Number &&
        node.kids[1].number <= 0.0)
      return fail("divisor " + Twine(static_cast<int64_t>(node.kids[1].number)) + " is not positive");
    // Conditions without tables come first: a table is read only where they hold.
    if (node.kind == ExprKind::And && readsTable(node.kids[0]) && !readsTable(node.kids[1]))
      std::swap(node.kids[0], node.kids[1]);
    return node;
  }

  static bool readsTable(const Node &node) {
    return (node.leaf == Leaf::None && node.kind == ExprKind::Table) || llvm::any_of(node.kids, readsTable);
  }
};

FailureOr<Formula> Formula::bind(ExprAttr expr, const Scope &scope, std::string &error) {
  Binder binder{scope, error, {}};
  Formula formula;
  formula.root = binder.bind(expr);
  formula.counts = binder.counts;
  if (!error.empty())
    return failure();
  return formula;
}

//===-- Evaluation ----------------------------------------------------------------------------------------------===//

double Formula::value(const Node &node, const Point &p, Load load) const {
  switch (node.leaf) {
  case Leaf::None:
    break;
  case Leaf::Number:
    return node.number;
  case Leaf::Row:
    return static_cast<double>(p.row);
  case Leaf::Key:
    return static_cast<double>(p.key);
  case Leaf::HeadIn:
    return static_cast<double>(p.head.in(static_cast<int64_t>(node.number)));
  case Leaf::Score:
    return p.score;
  case Leaf::RowsEnd:
    return static_cast<double>(p.rowsEnd);
  case Leaf::KeysEnd:
    return static_cast<double>(p.keysEnd);
  case Leaf::FirstOfRow:
    return static_cast<double>(p.row * node.blocks.stride);
  case Leaf::LastOfRow:
    return static_cast<double>(p.row * node.blocks.stride + node.blocks.length - 1);
  case Leaf::FirstOfKey:
    return static_cast<double>(p.key * node.blocks.stride);
  case Leaf::LastOfKey:
    return static_cast<double>(p.key * node.blocks.stride + node.blocks.length - 1);
  }

  auto kid = [&](size_t i) { return value(node.kids[i], p, load); };
  auto isTrue = [&](const Node &condition) { return value(condition, p, load) != 0.0; };
  switch (node.kind) {
  case ExprKind::Neg:
    return -kid(0);
  case ExprKind::Add:
    return kid(0) + kid(1);
  case ExprKind::Sub:
    return kid(0) - kid(1);
  case ExprKind::Mul:
    return kid(0) * kid(1);
  case ExprKind::Div:
    return kid(0) / kid(1);
  case ExprKind::FloorDiv:
    return std::floor(kid(0) / kid(1));
  case ExprKind::Mod: {
    double dividend = kid(0), divisor = kid(1);
    return dividend - divisor * std::floor(dividend / divisor);
  }
  case ExprKind::Le:
    return kid(0) <= kid(1);
  case ExprKind::Eq:
    return kid(0) == kid(1);
  case ExprKind::And:
    return llvm::all_of(node.kids, isTrue);
  case ExprKind::Or:
    return llvm::any_of(node.kids, isTrue);
  case ExprKind::Not:
    return !isTrue(node.kids[0]);
  case ExprKind::Table: {
    SmallVector<int64_t, 4> index;
    for (size_t i = 0; i < node.kids.size(); ++i) {
      auto at = static_cast<int64_t>(kid(i));
      bool isDistance = node.kids[i].isDistance;
      if (isDistance && (at < 0 || at >= p.keysEnd - p.keysBegin))
        return 0.0;
      index.push_back(isDistance ? at + p.keysBegin : at);
    }
    return load(node.table, index);
  }
  case ExprKind::Call: {
    SmallVector<double, 4> arguments;
    for (size_t i = 0; i < node.kids.size(); ++i)
      arguments.push_back(kid(i));
    return node.function(arguments);
  }
  default:
    return node.number;
  }
}

} // namespace sattn::ref

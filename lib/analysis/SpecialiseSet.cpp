// Specialisation of key sets; see SpecialiseSet.h. Trees are walked recursively: the dialect bounds their depth and
// size when it reads them.
#include "lib/analysis/SpecialiseSet.h"
#include "llvm/ADT/Twine.h"

namespace sattn {
namespace {
class Specialiser {
public:
  Specialiser(KeySetAttr attr, const SetBindings &bindings, std::string &error)
      : attr(attr), bindings(bindings), error(error) {}

  FailureOr<quasi::Set> run() {
    auto row = blockShape(attr.getRow(), bindings, error), key = blockShape(attr.getKey(), bindings, error);
    if (failed(row) || failed(key))
      return failure();
    rowShape = *row;
    keyShape = *key;
    for (const Conjunction &conjunction : keySetOf(attr).disjuncts) {
      quasi::Set::Building building;
      for (const Atom &atom : conjunction) {
        auto form = formOf(atom.form);
        if (!form || !set.addAtom(building, atom.kind == AtomKind::GE ? quasi::Atom::GE : quasi::Atom::EQ, *form))
          return fail();
      }
      if (!set.addDisjunct(std::move(building)))
        return fail();
    }
    return std::move(set);
  }

private:
  using MaybeForm = std::optional<quasi::Form>;

  FailureOr<quasi::Set> fail() {
    if (error.empty())
      error = set.error().str();
    return failure();
  }
  std::nullopt_t refuse(const Twine &why) {
    if (error.empty())
      error = why.str();
    return std::nullopt;
  }

  MaybeForm formOf(const LinearForm &form) {
    MaybeForm sum = set.constant(form.constant);
    for (const Term &term : form.terms) {
      MaybeForm factor = sum ? formOf(term.factor) : std::nullopt;
      sum = factor ? set.add(*sum, *factor, term.coeff) : std::nullopt;
    }
    return sum;
  }

  MaybeForm formOf(ExprAttr e) {
    switch (e.getKind()) {
    case ExprKind::Int:
      return set.constant(e.getValue());
    case ExprKind::Name:
      return nameForm(e.getText());
    case ExprKind::Call:
      return callForm(e);
    case ExprKind::Table:
      return symbolForm(bindings.tableName ? toText(e, bindings.tableName) : toText(e), quasi::SymbolInfo::Table);
    case ExprKind::Neg: {
      MaybeForm kid = formOf(e.getKids()[0]);
      return kid ? set.scale(*kid, -1) : std::nullopt;
    }
    case ExprKind::Add:
    case ExprKind::Sub:
    case ExprKind::Mul: {
      MaybeForm a = formOf(e.getKids()[0]), b = a ? formOf(e.getKids()[1]) : std::nullopt;
      if (!b)
        return std::nullopt;
      return e.is(ExprKind::Mul) ? set.multiply(*a, *b) : set.add(*a, *b, e.is(ExprKind::Add) ? 1 : -1);
    }
    case ExprKind::FloorDiv:
    case ExprKind::Mod: {
      MaybeForm a = formOf(e.getKids()[0]), b = a ? formOf(e.getKids()[1]) : std::nullopt;
      if (!b)
        return std::nullopt;
      if (!b->isConstant())
        return refuse("divisor '" + toText(e.getKids()[1]) + "' has no value yet: declare its params static");
      return e.is(ExprKind::FloorDiv) ? set.floorDiv(*a, b->constant) : set.mod(*a, b->constant);
    }
    default:
      return refuse("'" + toText(e) +
                    "' is not an integer: a set compares integers, use an int param or a whole number");
    }
  }

  MaybeForm nameForm(StringRef name) {
    if (name == attr.getRow().getName())
      return quasi::Set::variable(quasi::Var::row());
    if (name == attr.getKey().getName())
      return quasi::Set::variable(quasi::Var::key());
    if (auto it = bindings.values.find(name); it != bindings.values.end())
      return set.constant(it->second);
    switch (axisKindOf(name)) {
    case AxisKind::QueryHeads:
      return symbolForm(name.str(), quasi::SymbolInfo::Head);
    case AxisKind::KvHeads:
      return symbolForm(name.str(), quasi::SymbolInfo::KvHead);
    default:
      return symbolForm(name.str(), quasi::SymbolInfo::Param);
    }
  }

  MaybeForm callForm(ExprAttr e) {
    if (e.getText() == "size")
      return symbolForm(toText(e), quasi::SymbolInfo::Size);
    bool last = e.getText() == "last";
    if (e.getKids().size() != 1 || (!last && e.getText() != "first"))
      return refuse("'" + toText(e) + "' is unknown: a set has first(c), last(c) and size(axis)");
    ExprAttr block = e.getKids()[0];
    bool isRow = block.isName(attr.getRow().getName());
    if (!isRow && !block.isName(attr.getKey().getName()))
      return refuse("'" + toText(e) + "' needs the name of a block position");
    const BlockShape &shape = isRow ? rowShape : keyShape;
    auto first = set.scale(quasi::Set::variable(isRow ? quasi::Var::row() : quasi::Var::key()), shape.stride);
    return first ? set.add(*first, {{}, last ? shape.length - 1 : 0}) : std::nullopt;
  }

  MaybeForm symbolForm(std::string name, quasi::SymbolInfo::Kind kind) {
    quasi::SymbolInfo info{std::move(name), kind};
    if (auto it = bindings.defaults.find(info.name); it != bindings.defaults.end())
      info.defaultValue = it->second;
    return quasi::Set::variable(set.symbol(info));
  }

  KeySetAttr attr;
  const SetBindings &bindings;
  std::string &error;
  quasi::Set set;
  BlockShape rowShape, keyShape;
};
} // namespace

std::optional<int64_t> numberOf(ExprAttr expr, const SetBindings &bindings) {
  return evaluateInt(expr, [&](ExprAttr leaf) -> std::optional<int64_t> {
    auto it = leaf.is(ExprKind::Name) ? bindings.values.find(leaf.getText()) : bindings.values.end();
    if (it == bindings.values.end())
      return std::nullopt;
    return it->second;
  });
}

FailureOr<BlockShape> blockShape(AxisAttr axis, const SetBindings &bindings, std::string &error) {
  BlockShape shape;
  if (!axis.isBlocks())
    return shape;
  for (auto [expr, into] : {std::pair{axis.getLen(), &shape.length}, {axis.getStride(), &shape.stride}}) {
    auto value = numberOf(expr, bindings);
    if (!value) {
      error = "block length '" + toText(expr) + "' has no value yet: declare its params static";
      return failure();
    }
    if (*value < 1 || *value > quasi::kMaxDivisor) {
      error = "block length '" + toText(expr) + "' is " + std::to_string(*value) + ": it must be 1 to 2^31";
      return failure();
    }
    *into = *value;
  }
  if (shape.stride > shape.length) {
    error = "blocks(" + std::to_string(shape.length) + ", " + std::to_string(shape.stride) +
            ") leave gaps: the stride must not exceed the length";
    return failure();
  }
  return shape;
}

FailureOr<quasi::Set> specialiseSet(KeySetAttr set, const SetBindings &bindings, std::string &error) {
  error.clear();
  return Specialiser(set, bindings, error).run();
}

} // namespace sattn

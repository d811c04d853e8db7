// Text of canonical key sets: two bounds of one sum become `lo <= sum <= hi`, a plain difference becomes `s <= t`.
#include "dialects/pattern/KeySetBounds.h"
#include "llvm/ADT/StringExtras.h"

namespace sattn {

std::string toText(AxisAttr axis) {
  if (axis.isFixed())
    return std::to_string(axis.getSize());
  std::string text = axis.getName().str();
  if (!axis.getLen())
    return text;
  text += "(" + toText(axis.getLen());
  if (axis.overlaps())
    text += ", " + toText(axis.getStride());
  return text + ")";
}

std::string domainText(KeySetAttr set) { return "(" + toText(set.getRow()) + ", " + toText(set.getKey()) + ")"; }

namespace {
/// Prints the bounds of one conjunction, those over the same positions together.
class ConjunctionText {
public:
  ConjunctionText(MLIRContext *context, llvm::function_ref<std::string(int64_t)> tableName, TextForm form)
      : context(context), tableName(tableName), op(form == TextForm::Op) {}

  std::string print(const Conjunction &conjunction) {
    SmallVector<Bound> bounds = llvm::map_to_vector(conjunction, boundOf);
    for (size_t from = 0, to = 0; from < bounds.size(); from = to) {
      while (to < bounds.size() && subject(bounds[to]) == subject(bounds[from]))
        ++to;
      group(ArrayRef(bounds).slice(from, to - from));
    }
    return items.empty() ? "all" : llvm::join(items, " and ");
  }

private:
  /// What a bound is about: its positions, or its params where it has none.
  static ArrayRef<Term> subject(const Bound &bound) {
    ArrayRef<Term> positions = positionalPart(bound);
    return positions.empty() ? ArrayRef<Term>(bound.terms) : positions;
  }

  /// The other side of the comparison: `at` minus the params beside the subject.
  static LinearForm limit(const Bound &bound) {
    LinearForm form{{}, bound.at};
    for (const Term &term : ArrayRef<Term>(bound.terms).drop_front(subject(bound).size()))
      form.terms.push_back({-term.coeff, term.factor});
    return form;
  }

  std::string text(const LinearForm &form) { return toText(toExpr(context, form), tableName); }
  std::string text(ArrayRef<Term> terms) { return text(LinearForm{SmallVector<Term, 4>(terms), 0}); }

  /// ` <= W`, or ` < W` for W - 1.
  std::string upTo(LinearForm form) {
    bool strict = form.constant == -1 && !form.terms.empty();
    form.constant += strict;
    return (strict ? lt : le) + text(form);
  }

  void group(ArrayRef<Bound> bounds) {
    ArrayRef<Term> terms = subject(bounds.front());
    bool difference = terms.size() == 2 && terms[0].coeff == 1 && terms[1].coeff == -1;
    auto is = [](Bound::Kind kind) { return [kind](const Bound &bound) { return bound.kind == kind; }; };
    if (bounds.size() == 2 && is(Bound::Lower)(bounds[0]) && is(Bound::Upper)(bounds[1])) {
      items.push_back(text(limit(bounds[0])) + le + text(terms) + upTo(limit(bounds[1])));
      return;
    }
    for (const Bound &bound : bounds) {
      LinearForm other = limit(bound);
      // A difference compared with 0 (or strictly, with 1) is two names compared: `s <= t`, `last(c) < t`.
      int64_t offset = bound.kind == Bound::Upper ? -other.constant : other.constant;
      bool strict = bound.kind != Bound::Equal && offset == 1;
      if (difference && other.isConstant() && (offset == 0 || strict)) {
        std::string a = toText(terms[0].factor, tableName), b = toText(terms[1].factor, tableName);
        if (bound.kind == Bound::Lower)
          std::swap(a, b);
        items.push_back(a + (bound.kind == Bound::Equal ? eq : strict ? lt : le) + b);
      } else if (bound.kind == Bound::Equal) {
        items.push_back(text(terms) + eq + text(other));
      } else {
        items.push_back(text(terms) + (bound.kind == Bound::Lower ? ge + text(other) : upTo(other)));
      }
    }
  }

  MLIRContext *context;
  llvm::function_ref<std::string(int64_t)> tableName;
  bool op;
  std::string lt = op ? " < " : " lt ", le = op ? " <= " : " le ", ge = op ? " >= " : " ge ", eq = op ? " == " : " eq ";
  SmallVector<std::string> items;
};
} // namespace

std::string toText(KeySetAttr set, llvm::function_ref<std::string(int64_t)> tableName, TextForm form) {
  if (isEmpty(set))
    return "not all";
  auto formula = decodeKeySet(set);
  if (!formula)
    return toText(set.getCondition(), tableName, form);
  SmallVector<std::string> disjuncts;
  for (const Conjunction &conjunction : formula->disjuncts)
    disjuncts.push_back(ConjunctionText(set.getContext(), tableName, form).print(conjunction));
  return llvm::join(disjuncts, " or ");
}

} // namespace sattn

// Canonical form of key sets: disjunctive normal form over integer bounds, tightened, absorbed and sorted.
//
// A conjunction holds at most one lower and one upper bound, or one equality, of each term list; a union holds no
// conjunction whose points all lie in another one by comparison of single bounds. Both are unique, so the result does
// not depend on the spelling's order.
#include "dialects/pattern/KeySetBounds.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

namespace sattn {

int compareTerms(ArrayRef<Term> a, ArrayRef<Term> b) {
  for (auto [x, y] : llvm::zip(a, b)) {
    if (int order = compareFactors(x.factor, y.factor))
      return order;
    if (x.coeff != y.coeff)
      return x.coeff < y.coeff ? -1 : 1;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

static void negate(llvm::MutableArrayRef<Term> terms) {
  for (Term &term : terms)
    term.coeff = -term.coeff;
}

Bound boundOf(const Atom &atom) {
  Bound bound{atom.kind == AtomKind::EQ ? Bound::Equal : Bound::Lower, atom.form.terms, -atom.form.constant};
  if (bound.terms.front().coeff < 0) {
    negate(bound.terms);
    bound.at = -bound.at;
    if (bound.kind == Bound::Lower)
      bound.kind = Bound::Upper;
  }
  return bound;
}

Atom atomOf(const Bound &bound) {
  Atom atom{bound.kind == Bound::Equal ? AtomKind::EQ : AtomKind::GE, {bound.terms, -bound.at}};
  if (bound.kind == Bound::Upper) {
    negate(atom.form.terms);
    atom.form.constant = bound.at;
  }
  return atom;
}

namespace {
using Bounds = SmallVector<Bound, 4>;
using Union = SmallVector<Bounds, 2>;

/// Order inside a conjunction: by positions, then equalities, lower and upper bounds, then by params.
int compareBounds(const Bound &a, const Bound &b) {
  if (int order = compareTerms(positionalPart(a), positionalPart(b)))
    return order;
  if (a.kind != b.kind)
    return a.kind < b.kind ? -1 : 1;
  if (int order = compareTerms(paramPart(a), paramPart(b)))
    return order;
  return a.at == b.at ? 0 : a.at < b.at ? -1 : 1;
}

int compareConjunctions(const Bounds &a, const Bounds &b) {
  for (auto [x, y] : llvm::zip(a, b))
    if (int order = compareBounds(x, y))
      return order;
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

/// Leaves one equality, or at most one lower and one upper bound, of each term list. False if they contradict.
bool tighten(Bounds &bounds) {
  llvm::sort(bounds, [](const Bound &a, const Bound &b) { return compareTerms(a.terms, b.terms) < 0; });
  Bounds result;
  for (auto group = bounds.begin(); group != bounds.end();) {
    auto end = std::find_if(group, bounds.end(), [&](const Bound &b) { return b.terms != group->terms; });
    int64_t low = -INT64_MAX, high = INT64_MAX;
    for (const Bound &bound : llvm::make_range(group, end)) {
      low = bound.kind == Bound::Upper ? low : std::max(low, bound.at);
      high = bound.kind == Bound::Lower ? high : std::min(high, bound.at);
    }
    if (low > high)
      return false;
    if (low == high) {
      result.push_back({Bound::Equal, group->terms, low});
    } else {
      if (low != -INT64_MAX)
        result.push_back({Bound::Lower, group->terms, low});
      if (high != INT64_MAX)
        result.push_back({Bound::Upper, group->terms, high});
    }
    group = end;
  }
  llvm::sort(result, [](const Bound &a, const Bound &b) { return compareBounds(a, b) < 0; });
  bounds = std::move(result);
  return true;
}

/// Every point of `a` satisfies `b`, seen from the two bounds alone.
bool implies(const Bound &a, const Bound &b) {
  if (a.terms != b.terms)
    return false;
  switch (b.kind) {
  case Bound::Equal:
    return a.kind == Bound::Equal && a.at == b.at;
  case Bound::Lower:
    return a.kind != Bound::Upper && a.at >= b.at;
  case Bound::Upper:
    return a.kind != Bound::Lower && a.at <= b.at;
  }
  return false;
}

/// `a` lies inside `b`: every bound of `b` follows from one of `a`.
bool inside(const Bounds &a, const Bounds &b) {
  return llvm::all_of(b,
                      [&](const Bound &y) { return llvm::any_of(a, [&](const Bound &x) { return implies(x, y); }); });
}

/// Adds a conjunction unless it lies inside one that is there; drops those that lie inside it.
void insert(Union &set, Bounds bounds) {
  if (!tighten(bounds) || llvm::any_of(set, [&](const Bounds &other) { return inside(bounds, other); }))
    return;
  llvm::erase_if(set, [&](const Bounds &other) { return inside(other, bounds); });
  set.push_back(std::move(bounds));
}

/// Turns a condition into a union of conjunctions, pushing negations down to the atoms.
class Normalizer {
public:
  explicit Normalizer(std::string &error) : error(error) {}

  FailureOr<Union> normalize(ExprAttr e, bool negated) {
    switch (e.getKind()) {
    case ExprKind::Not:
      return normalize(e.getKids()[0], !negated);
    case ExprKind::And:
    case ExprKind::Or:
      return connect(e, negated);
    case ExprKind::Le:
    case ExprKind::Eq:
      return compare(e, negated);
    default:
      if (e.isName("all"))
        return negated ? Union() : Union{Bounds()};
      return fail("[SA0112] '" + toText(e) + "' is not a condition: compare it with <, <=, ==, > or >=");
    }
  }

private:
  FailureOr<Union> fail(const Twine &message) {
    error = message.str();
    return failure();
  }

  FailureOr<Union> connect(ExprAttr e, bool negated) {
    auto a = normalize(e.getKids()[0], negated);
    if (failed(a))
      return failure();
    auto b = normalize(e.getKids()[1], negated);
    if (failed(b))
      return failure();
    Union result;
    if (e.is(ExprKind::And) != negated) {
      for (const Bounds &x : *a)
        for (const Bounds &y : *b) {
          Bounds both = x;
          both.append(y);
          insert(result, std::move(both));
          // Absorption may still shrink a union that is too big, but not without bound.
          if (result.size() > 4 * maxDisjuncts)
            return tooMany();
        }
    } else {
      result = *a;
      for (const Bounds &y : *b)
        insert(result, y);
    }
    if (result.size() > maxDisjuncts)
      return tooMany();
    return result;
  }

  FailureOr<Union> compare(ExprAttr e, bool negated) {
    auto left = linearForm(e.getKids()[0], error), right = linearForm(e.getKids()[1], error);
    if (failed(left) || failed(right))
      return failure();
    // a <= b is b - a >= 0; its negation is a - b - 1 >= 0; a == b is false above and below.
    if (e.is(ExprKind::Le))
      return negated ? atoms(*left, *right, {{1, -1}}) : atoms(*left, *right, {{-1, 0}});
    if (!negated) {
      LinearForm form = *right;
      if (!addScaled(form, *left, -1))
        return overflow();
      return atom(std::move(form), AtomKind::EQ);
    }
    return atoms(*left, *right, {{-1, -1}, {1, -1}});
  }

  /// The union of `sign * (left - right) + offset >= 0` over the given signs and offsets.
  FailureOr<Union> atoms(const LinearForm &left, const LinearForm &right, ArrayRef<std::pair<int, int>> sides) {
    Union result;
    for (auto [sign, offset] : sides) {
      LinearForm form{{}, offset};
      if (!addScaled(form, left, sign) || !addScaled(form, right, -sign))
        return overflow();
      auto side = atom(std::move(form), AtomKind::GE);
      if (failed(side))
        return failure();
      for (Bounds &bounds : *side)
        insert(result, std::move(bounds));
    }
    return result;
  }

  FailureOr<Union> tooMany() {
    return fail("[SA0113] set has more than 64 disjuncts: name its parts and use sattn.union");
  }
  FailureOr<Union> overflow() { return fail("[SA0109] a coefficient leaves 64 bits: use smaller numbers"); }

  /// form >= 0 or form == 0, divided by the gcd of its coefficients and tightened over the integers.
  FailureOr<Union> atom(LinearForm form, AtomKind kind) {
    if (form.isConstant())
      return (kind == AtomKind::EQ ? form.constant == 0 : form.constant >= 0) ? Union{Bounds()} : Union();
    if (form.terms.size() > maxTerms)
      return fail("[SA0113] a sum has more than 256 terms: split the formula into named sets");
    int64_t divisor = 0;
    for (const Term &term : form.terms)
      divisor = std::gcd(divisor, term.coeff);
    if (kind == AtomKind::EQ && form.constant % divisor)
      return Union();
    for (Term &term : form.terms)
      term.coeff /= divisor;
    form.constant = llvm::divideFloorSigned(form.constant, divisor);
    return Union{Bounds{boundOf({kind, std::move(form)})}};
  }

  std::string &error;
};

/// Rows u(1) are t: each block is one row.
ExprAttr rowsOfOne(ExprAttr condition, StringRef row) {
  ExprAttr t = nameExpr(condition.getContext(), "t");
  return replaceExpr(condition, [&](ExprAttr e) -> ExprAttr {
    if (e.isName(row))
      return t;
    bool bounds = e.is(ExprKind::Call) && (e.getText() == "first" || e.getText() == "last");
    return bounds && e.getKids().size() == 1 && e.getKids()[0] == t ? t : ExprAttr();
  });
}
} // namespace

StringRef withoutNumber(StringRef message) { return message.starts_with("[SA") ? message.split("] ").second : message; }

FailureOr<KeySetAttr> canonicalKeySet(MLIRContext *context, AxisAttr row, AxisAttr key, ExprAttr condition,
                                      std::string &error) {
  if (row.kind() == AxisKind::RowBlocks && row.getLen() && row.getLen().isInt(1)) {
    condition = rowsOfOne(condition, row.getName());
    row = AxisAttr::named(context, "t");
  }
  auto set = Normalizer(error).normalize(condition, /*negated=*/false);
  if (failed(set))
    return failure();
  llvm::sort(*set, [](const Bounds &a, const Bounds &b) { return compareConjunctions(a, b) < 0; });
  KeySetFormula formula;
  for (const Bounds &bounds : *set)
    formula.disjuncts.push_back(Conjunction(llvm::map_range(bounds, atomOf)));
  return KeySetAttr::get(context, row, key, conditionOf(context, formula));
}

ExprAttr conditionOf(MLIRContext *context, const KeySetFormula &set) {
  ExprAttr all = nameExpr(context, "all"), zero = intExpr(context, 0), either;
  for (const Conjunction &conjunction : set.disjuncts) {
    ExprAttr both;
    for (const Atom &atom : conjunction) {
      ExprAttr form = toExpr(context, atom.form);
      ExprAttr item =
          atom.kind == AtomKind::EQ ? nodeExpr(ExprKind::Eq, {form, zero}) : nodeExpr(ExprKind::Le, {zero, form});
      both = both ? nodeExpr(ExprKind::And, {both, item}) : item;
    }
    both = both ? both : all;
    either = either ? nodeExpr(ExprKind::Or, {either, both}) : both;
  }
  return either ? either : nodeExpr(ExprKind::Not, all);
}

/// The operands of a chain `((a op b) op c)`, in order.
static SmallVector<ExprAttr> operandsOf(ExprAttr e, ExprKind op) {
  SmallVector<ExprAttr> items;
  for (; e.is(op); e = e.getKids()[0])
    items.push_back(e.getKids()[1]);
  items.push_back(e);
  std::reverse(items.begin(), items.end());
  return items;
}

std::optional<KeySetFormula> decodeKeySet(KeySetAttr set) {
  KeySetFormula result;
  if (isEmpty(set))
    return result;
  std::string error;
  for (ExprAttr disjunct : operandsOf(set.getCondition(), ExprKind::Or)) {
    Conjunction &conjunction = result.disjuncts.emplace_back();
    for (ExprAttr atom : operandsOf(disjunct, ExprKind::And)) {
      if (atom.isName("all"))
        continue;
      bool equal = atom.is(ExprKind::Eq);
      if (!(equal || atom.is(ExprKind::Le)) || !atom.getKids()[equal].isInt(0))
        return std::nullopt;
      auto form = linearForm(atom.getKids()[!equal], error);
      if (failed(form) || form->isConstant())
        return std::nullopt;
      conjunction.push_back({equal ? AtomKind::EQ : AtomKind::GE, std::move(*form)});
    }
  }
  return result;
}

KeySetFormula keySetOf(KeySetAttr set) {
  auto formula = decodeKeySet(set);
  assert(formula && "key sets are made by canonicalKeySet");
  return formula ? std::move(*formula) : KeySetFormula();
}

bool isEmpty(KeySetAttr set) { return set.getCondition().is(ExprKind::Not); }
bool isAll(KeySetAttr set) { return set.getCondition().isName("all"); }

} // namespace sattn

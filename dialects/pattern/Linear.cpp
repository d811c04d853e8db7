// Linear forms: how an integer expression becomes one, checked arithmetic, and the way back to a tree.
#include "dialects/pattern/Linear.h"
#include "llvm/Support/CheckedArithmetic.h"

namespace sattn {

// ---- Order of factors

static int nameRank(StringRef name) {
  switch (axisKindOf(name)) {
  case AxisKind::Rows:
    return 0;
  case AxisKind::RowBlocks:
    return 1;
  case AxisKind::Keys:
    return 2;
  case AxisKind::KeyBlocks:
    return 3;
  case AxisKind::QueryHeads:
  case AxisKind::KvHeads:
    return 4;
  default:
    return 6;
  }
}

int factorRank(ExprAttr factor) {
  int rank = 6;
  walkExpr(factor, [&](ExprAttr e) {
    if (e.is(ExprKind::Call) && e.getText() == "size")
      return false;
    if (e.is(ExprKind::Name))
      rank = std::min(rank, nameRank(e.getText()));
    if (e.is(ExprKind::Table))
      rank = std::min(rank, 5);
    return !e.is(ExprKind::Table);
  });
  return rank;
}

int compareFactors(ExprAttr a, ExprAttr b) {
  if (a == b)
    return 0;
  // Of equal rank, plain names come first, then calls, then composite factors.
  // (`size(s) - b`: of the params, calls come before names.)
  int rank = factorRank(a);
  if (int order = rank - factorRank(b))
    return order;
  auto shape = [&](ExprAttr e) { return e.is(ExprKind::Name) ? 1 : e.is(ExprKind::Call) ? (rank == 6 ? 0 : 2) : 3; };
  if (int order = shape(a) - shape(b))
    return order;
  return compareExprs(a, b);
}

// ---- Checked arithmetic. INT64_MIN counts as overflow, so every number can be negated.

static bool store(std::optional<int64_t> value, int64_t &into) {
  if (!value || *value == INT64_MIN)
    return false;
  into = *value;
  return true;
}

bool addScaled(LinearForm &into, const LinearForm &other, int64_t factor) {
  if (!store(llvm::checkedMulAdd(other.constant, factor, into.constant), into.constant))
    return false;
  SmallVector<Term, 4> sum;
  auto a = into.terms.begin(), aEnd = into.terms.end();
  auto b = other.terms.begin(), bEnd = other.terms.end();
  while (a != aEnd || b != bEnd) {
    int order = a == aEnd ? 1 : b == bEnd ? -1 : compareFactors(a->factor, b->factor);
    Term term{order <= 0 ? a->coeff : 0, order <= 0 ? a->factor : b->factor};
    if (order >= 0 && !store(llvm::checkedMulAdd(b->coeff, factor, term.coeff), term.coeff))
      return false;
    if (term.coeff)
      sum.push_back(term);
    a += order <= 0;
    b += order >= 0;
  }
  into.terms = std::move(sum);
  return true;
}

ExprAttr toExpr(MLIRContext *context, const LinearForm &form) {
  ExprAttr sum;
  auto add = [&](int64_t coeff, ExprAttr factor) {
    // The first summand carries its sign, later ones are added or subtracted.
    int64_t shown = sum ? std::abs(coeff) : coeff;
    ExprAttr item;
    if (!factor)
      item = intExpr(context, shown);
    else if (shown == 1)
      item = factor;
    else if (shown == -1)
      item = nodeExpr(ExprKind::Neg, factor);
    else
      item = nodeExpr(ExprKind::Mul, {intExpr(context, shown), factor});
    sum = !sum ? item : nodeExpr(coeff < 0 ? ExprKind::Sub : ExprKind::Add, {sum, item});
  };
  for (const Term &term : form.terms)
    add(term.coeff, term.factor);
  if (form.constant || !sum)
    add(form.constant, ExprAttr());
  return sum;
}

// ---- From trees to forms

namespace {
class Builder {
public:
  Builder(MLIRContext *context, std::string &error) : context(context), error(error) {}

  FailureOr<LinearForm> form(ExprAttr e) {
    switch (e.getKind()) {
    case ExprKind::Int:
      return e.getValue() == INT64_MIN ? overflow() : LinearForm{{}, e.getValue()};
    case ExprKind::Name:
      if (e.getText() == "all")
        return notInteger(e);
      return LinearForm{{{1, e}}, 0};
    case ExprKind::Table:
    case ExprKind::Call:
      return leaf(e);
    case ExprKind::Neg:
      return sum(LinearForm(), e.getKids()[0], -1);
    case ExprKind::Add:
    case ExprKind::Sub: {
      auto left = form(e.getKids()[0]);
      return failed(left) ? left : sum(*left, e.getKids()[1], e.is(ExprKind::Add) ? 1 : -1);
    }
    case ExprKind::Mul:
      return product(e);
    case ExprKind::FloorDiv:
    case ExprKind::Mod:
      return division(e);
    default:
      return notInteger(e);
    }
  }

private:
  FailureOr<LinearForm> fail(const Twine &message) {
    error = message.str();
    return failure();
  }
  FailureOr<LinearForm> overflow() { return fail("[SA0109] a coefficient leaves 64 bits: use smaller numbers"); }
  FailureOr<LinearForm> notInteger(ExprAttr e) {
    return fail("[SA0109] '" + toText(e) +
                "' is not an integer: a set compares integers, use an int param or a whole number");
  }

  /// into + factor * e
  FailureOr<LinearForm> sum(LinearForm into, ExprAttr e, int64_t factor) {
    auto right = form(e);
    if (failed(right))
      return right;
    if (!addScaled(into, *right, factor))
      return overflow();
    if (into.terms.size() > maxTerms)
      return fail("[SA0113] a sum has more than 256 terms: split the formula into named sets");
    return into;
  }

  /// A load or call with its arguments in canonical form is one opaque factor.
  FailureOr<LinearForm> leaf(ExprAttr e) {
    SmallVector<ExprAttr, 4> kids;
    for (ExprAttr kid : e.getKids()) {
      auto argument = form(kid);
      if (failed(argument))
        return argument;
      kids.push_back(toExpr(context, *argument));
    }
    return LinearForm{{{1, ExprAttr::get(context, e.getKind(), e.getValue(), e.getText(), kids)}}, 0};
  }

  FailureOr<LinearForm> product(ExprAttr e) {
    auto a = form(e.getKids()[0]), b = form(e.getKids()[1]);
    if (failed(a) || failed(b))
      return failure();
    LinearForm result;
    if (!addScaled(result, *a, b->constant))
      return overflow();
    for (const Term &y : b->terms) {
      LinearForm row;
      if (!addScaled(row, LinearForm{{{1, y.factor}}, 0}, 1))
        return overflow();
      LinearForm line;
      for (const Term &x : a->terms) {
        if (isPositional(x.factor) && isPositional(y.factor))
          return fail("[SA0109] '" + toText(x.factor) + " * " + toText(y.factor) +
                      "' multiplies two positions: a set is quasi-affine; use floordiv, mod or a table");
        if (!addScaled(line, LinearForm{{{1, join(x.factor, y.factor)}}, 0}, x.coeff))
          return overflow();
      }
      if (!addScaled(line, row, a->constant) || !addScaled(result, line, y.coeff))
        return overflow();
      if (result.terms.size() > maxTerms)
        return fail("[SA0113] a sum has more than 256 terms: split the formula into named sets");
    }
    return result;
  }

  /// One factor for a product of two: params in order, then the position if there is one.
  ExprAttr join(ExprAttr a, ExprAttr b) {
    SmallVector<ExprAttr, 4> factors;
    for (ExprAttr e : {a, b}) {
      SmallVector<ExprAttr, 4> reversed;
      for (; e.is(ExprKind::Mul); e = e.getKids()[0])
        reversed.push_back(e.getKids()[1]);
      factors.push_back(e);
      factors.append(reversed.rbegin(), reversed.rend());
    }
    llvm::sort(factors, [](ExprAttr x, ExprAttr y) {
      if (isPositional(x) != isPositional(y))
        return isPositional(y);
      return compareFactors(x, y) < 0;
    });
    ExprAttr result = factors.front();
    for (ExprAttr e : ArrayRef(factors).drop_front())
      result = nodeExpr(ExprKind::Mul, {result, e});
    return result;
  }

  FailureOr<LinearForm> division(ExprAttr e) {
    bool isMod = e.is(ExprKind::Mod);
    auto a = form(e.getKids()[0]), b = form(e.getKids()[1]);
    if (failed(a) || failed(b))
      return failure();
    for (const Term &term : b->terms)
      if (isPositional(term.factor))
        return fail("[SA0109] divisor '" + toText(toExpr(context, *b)) +
                    "' holds a position: divide by an integer or a static param");
    if (b->isConstant()) {
      StringRef word = isMod ? "mod" : "floordiv";
      if (b->constant <= 0)
        return fail("[SA0110] " + word + " by " + Twine(b->constant) + ": the divisor must be positive");
      if (b->constant > maxDivisor)
        return fail("[SA0110] " + word + " by " + Twine(b->constant) + ": the divisor must be at most 2147483648");
      if (b->constant == 1)
        return isMod ? LinearForm() : *a;
    }
    ExprAttr result = nodeExpr(e.getKind(), {toExpr(context, *a), toExpr(context, *b)});
    if (result.is(ExprKind::Int))
      return LinearForm{{}, result.getValue()};
    return LinearForm{{{1, result}}, 0};
  }

  MLIRContext *context;
  std::string &error;
};
} // namespace

FailureOr<LinearForm> linearForm(ExprAttr expr, std::string &error) {
  return Builder(expr.getContext(), error).form(expr);
}

} // namespace sattn

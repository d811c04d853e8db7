// Linear forms over the factors of formulas, with overflow-checked 64-bit coefficients.
//
// A factor is what a set may hold beside integers: a position or head name, a param, size/first/last of an axis, a
// table load, a floordiv or mod node, a product of params, or (before specialisation) params times one of those.
// Coefficients and constants lie in (-2^63, 2^63): the one value without a negation counts as overflow.
#pragma once
#include "dialects/pattern/Formula.h"

namespace sattn {

struct Term {
  int64_t coeff;
  ExprAttr factor;
  bool operator==(const Term &other) const = default;
};

/// sum of coeff * factor, plus constant. Terms are in canonical order (t, u, s, c, heads, tables, params), each
/// factor once, no coefficient 0.
struct LinearForm {
  SmallVector<Term, 4> terms;
  int64_t constant = 0;
  bool isConstant() const { return terms.empty(); }
  bool operator==(const LinearForm &other) const { return constant == other.constant && terms == other.terms; }
};

/// Divisors are at most this (2^31).
inline constexpr int64_t maxDivisor = int64_t(1) << 31;
/// More terms than this in one form are refused.
inline constexpr size_t maxTerms = 256;

/// Where a factor stands in a form: 0 t, 1 u, 2 s, 3 c, 4 heads, 5 tables, 6 params and sizes.
int factorRank(ExprAttr factor);
/// Mentions a position, a head or a table: everything but params and sizes.
inline bool isPositional(ExprAttr factor) { return factorRank(factor) < 6; }
/// Canonical order of factors.
int compareFactors(ExprAttr a, ExprAttr b);

/// The linear form of an integer expression. Fails with `error` set for products of positions, floats, conditions,
/// divisors that are not positive, or overflow.
FailureOr<LinearForm> linearForm(ExprAttr expr, std::string &error);
/// into += factor * other; false on overflow (then `into` is unspecified).
[[nodiscard]] bool addScaled(LinearForm &into, const LinearForm &other, int64_t factor);
/// The tree of a form, as it is printed: `2 * t - s + 1`.
ExprAttr toExpr(MLIRContext *context, const LinearForm &form);

} // namespace sattn

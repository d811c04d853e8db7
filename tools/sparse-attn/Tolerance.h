// How far a compiled kernel may be from the float64 oracle: the one place where tolerances are derived.
//
// The rule is twice the error of a plain evaluation of the same formula in float32 with the results rounded to their
// type, plus a floor. That error is bounded from the operation counts:
//   a score is a sum of D products: about S * 2 * u, where S bounds |score| and u = 2^-24: by Cauchy-Schwarz for the
//   products, and by the greatest score of a row, as the oracle met it, for what maps add to them (a score far below
//   it weighs nothing, however wrong it is);
//   an error e of a score changes its weight by the factor 1 + e, and the weights of a row are normalised: 2 e;
//   a sum of n weighted values adds sqrt(n) * u by random rounding, exponential and division a few more;
//   rounding to the result's type adds half a unit in the last place.
#pragma once
#include "tools/sparse-attn/Invocation.h"
#include "tools/sparse-attn/Oracle.h"

namespace sattn::tool {

/// Bound on |result - oracle| where the largest finite |oracle| is `largest`, and the greatest score of any row has the
/// magnitude `greatestScore`.
double errorBound(const Invocation &call, Dtype resultDtype, double largest, double greatestScore = 0);
double greatestScore(const std::vector<OracleResult> &results);

/// The largest error of `got` against `expected` (same order of elements). Equal infinities and two NaNs agree; a NaN
/// or an infinity against anything else is an infinite error.
struct Difference {
  double error = 0;
  double largest = 0; ///< of the finite expected values
  size_t at = 0;      ///< element of the largest error
};
Difference compare(const Tensor &got, const std::vector<double> &expected);

/// Selections up to a mass (`sattn.select mass`) end where a sum of float32 probabilities decides, so that a row whose
/// sum comes within rounding of the mass may hold a column more or less. Its neighbours are the oracles of masses
/// kMassMargin smaller and greater, which differ in such rows alone.
inline constexpr double kMassMargin = 0x1p-18;
/// Takes into `expected` each row of `neighbour` that is nearer to `got`; returns how many. A row has `inner` elements.
int64_t takeNearer(const Tensor &got, std::vector<double> &expected, const std::vector<double> &neighbour,
                   int64_t inner);

} // namespace sattn::tool

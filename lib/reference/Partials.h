// The algebra of partial attention results, on plain numbers: one query row of one head. A partial is a sum of
// values under unnormalised weights, relative to the largest score m seen so far:
//   l = sum_j exp(z_j - m),   acc = sum_j exp(z_j - m) * v_j.
// Merging is associative and the empty partial (m = -inf) is its identity; see RowPartials.cpp for the ops.
#pragma once
#include "lib/support/LLVM.h"
#include <limits>
#include <vector>

namespace sattn::ref {

inline constexpr double negativeInfinity = -std::numeric_limits<double>::infinity();

struct Partial {
  double m = negativeInfinity;
  double l = 0.0;
  std::vector<double> acc; // empty stands for zeros of any length

  bool empty() const { return m == negativeInfinity; }
};

/// exp(x - reference) where x = -inf gives 0 whatever the reference is, so that -inf - -inf never appears.
double expRelative(double x, double reference);

/// The larger one; NaN if either is NaN, so that a live NaN is not lost by the order of operands.
double maxWithNan(double a, double b);

/// log(exp(a) + exp(b)); -inf is the identity.
double logAddExp(double a, double b);

/// Softmax partial over scores and the values of the same keys. A score of -inf takes its key out: the value is
/// not read, so a NaN there does not leak.
Partial softmaxPartial(ArrayRef<double> scores, ArrayRef<ArrayRef<double>> values);

/// Linear partial: the score itself is the weight, l = sum_j z_j, acc = sum_j z_j v_j, with m = 0. Merged with a
/// softmax partial this is the sum of both numerators over the sum of both denominators. No key: empty.
Partial linearPartial(ArrayRef<double> scores, ArrayRef<ArrayRef<double>> values);

/// The partial of a finished result (o, lse): weight exp(lse) on the value o. lse = -inf: empty, o is not read.
Partial reopen(ArrayRef<double> o, double lse);

/// Both sets of keys together; the sets must not overlap.
Partial merge(const Partial &a, const Partial &b);

/// acc / (l + exp(sink - m)), `width` numbers; zeros where the partial is empty. sink = -inf: no sink.
std::vector<double> finalize(const Partial &partial, int64_t width, double sink = negativeInfinity);

/// m + log(l), natural; -inf where the partial is empty. The sink of `finalize` is not in it.
double lseOf(const Partial &partial);

} // namespace sattn::ref

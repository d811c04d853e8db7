// The algebra of partial results in float64: plain loops over the definition in Partials.h.
#include "lib/reference/Partials.h"
#include <cmath>

namespace sattn::ref {

double expRelative(double x, double reference) { return x == negativeInfinity ? 0.0 : std::exp(x - reference); }

double maxWithNan(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::numeric_limits<double>::quiet_NaN();
  return a < b ? b : a;
}

double logAddExp(double a, double b) {
  double m = maxWithNan(a, b);
  if (m == negativeInfinity)
    return m;
  return m + std::log(expRelative(a, m) + expRelative(b, m));
}

/// acc += weight * value.
static void addScaled(std::vector<double> &acc, double weight, ArrayRef<double> value) {
  acc.resize(std::max(acc.size(), value.size()), 0.0);
  for (size_t i = 0; i < value.size(); ++i)
    acc[i] += weight * value[i];
}

Partial softmaxPartial(ArrayRef<double> scores, ArrayRef<ArrayRef<double>> values) {
  Partial p;
  for (double z : scores)
    p.m = maxWithNan(p.m, z);
  for (auto [z, v] : llvm::zip_equal(scores, values)) {
    if (z == negativeInfinity)
      continue;
    double weight = std::exp(z - p.m);
    p.l += weight;
    addScaled(p.acc, weight, v);
  }
  return p;
}

Partial linearPartial(ArrayRef<double> scores, ArrayRef<ArrayRef<double>> values) {
  Partial p;
  for (auto [z, v] : llvm::zip_equal(scores, values)) {
    p.m = 0.0;
    p.l += z;
    addScaled(p.acc, z, v);
  }
  return p;
}

Partial reopen(ArrayRef<double> o, double lse) {
  if (lse == negativeInfinity)
    return {};
  return {lse, 1.0, std::vector<double>(o.begin(), o.end())};
}

Partial merge(const Partial &a, const Partial &b) {
  if (a.empty())
    return b;
  if (b.empty())
    return a;
  Partial p;
  p.m = maxWithNan(a.m, b.m);
  for (const Partial *part : {&a, &b}) {
    double weight = std::exp(part->m - p.m);
    p.l += weight * part->l;
    addScaled(p.acc, weight, part->acc);
  }
  return p;
}

std::vector<double> finalize(const Partial &partial, int64_t width, double sink) {
  std::vector<double> o(width, 0.0);
  if (partial.empty() || partial.l == 0.0)
    return o;
  double m = maxWithNan(partial.m, sink);
  double weight = expRelative(partial.m, m);
  double denominator = weight * partial.l + expRelative(sink, m);
  for (size_t i = 0; i < partial.acc.size(); ++i)
    o[i] = weight * partial.acc[i] / denominator;
  return o;
}

double lseOf(const Partial &partial) { return partial.empty() ? negativeInfinity : partial.m + std::log(partial.l); }

} // namespace sattn::ref

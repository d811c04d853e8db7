// The bound of Tolerance.h, from the operands of a call.
#include "tools/sparse-attn/Tolerance.h"

#include <algorithm>
#include <cmath>

namespace sattn::tool {

static double unitRoundoff(Dtype dtype) {
  return dtype == Dtype::BF16 ? 0x1p-8 : dtype == Dtype::F16 ? 0x1p-11 : 0x1p-24;
}

/// The largest Euclidean norm of a row of features, over at most some thousand rows spread over the operand.
static double largestNorm(const Tensor &tensor) {
  int64_t width = tensor.shape.empty() ? 1 : tensor.shape.back();
  int64_t rows = width == 0 ? 0 : tensor.size() / width;
  int64_t step = std::max<int64_t>(1, rows / 8192);
  double largest = 0;
  for (int64_t row = 0; row < rows; row += step) {
    double sum = 0;
    for (int64_t i = 0; i < width; ++i)
      sum += tensor.get(row * width + i) * tensor.get(row * width + i);
    if (std::isfinite(sum))
      largest = std::max(largest, sum);
  }
  return std::sqrt(largest);
}

/// Bounds the scaled score of the first pair of operands over rows and keys that share features.
static double scoreBound(const Invocation &call) {
  auto find = [&](char kind, const std::string &feature) -> const Operand * {
    for (const RoleInfo &role : call.info.roles)
      if (role.axes.size() > 1 && role.axes[0][0] == kind && role.axes.back()[0] == 'D' &&
          (feature.empty() || role.axes.back() == feature))
        return call.operand(role.name);
    return nullptr;
  };
  const Operand *queries = find('t', "");
  if (!queries)
    return 1;
  std::string feature = call.info.role(queries->name)->axes.back();
  const Operand *keys = find('s', feature);
  if (!keys)
    return 1;
  double scale = 1 / std::sqrt(std::max<double>(1, static_cast<double>(call.size(feature))));
  for (const ParamValue &param : call.params)
    if (param.name == "scale")
      scale = std::abs(param.number);
  return std::max(1.0, largestNorm(queries->tensor) * largestNorm(keys->tensor) * scale);
}

double greatestScore(const std::vector<OracleResult> &results) {
  double greatest = 0;
  for (const OracleResult &result : results) {
    greatest = std::max(greatest, result.greatestScore);
    if (result.name == "lse") // of what others computed, too
      for (double value : result.values)
        if (std::isfinite(value))
          greatest = std::max(greatest, std::abs(value));
  }
  return greatest;
}

double errorBound(const Invocation &call, Dtype resultDtype, double largest, double greatestScore) {
  constexpr double u = 0x1p-24;
  double keys = static_cast<double>(std::max<int64_t>(1, call.size("s")));
  double scores = std::max(scoreBound(call), greatestScore);
  double plain = unitRoundoff(resultDtype) + u * (4 * scores + std::sqrt(keys) + 16);
  return 2 * plain * largest + 0x1p-126;
}

static double errorOf(double have, double want) {
  bool agree = want == have || (std::isnan(want) && std::isnan(have));
  return agree ? 0 : std::isfinite(want) && std::isfinite(have) ? std::abs(want - have) : INFINITY;
}

int64_t takeNearer(const Tensor &got, std::vector<double> &expected, const std::vector<double> &neighbour,
                   int64_t inner) {
  int64_t taken = 0;
  for (size_t row = 0; row < expected.size(); row += static_cast<size_t>(inner)) {
    double error = 0, other = 0;
    for (size_t i = row; i < row + static_cast<size_t>(inner); ++i) {
      double have = got.get(static_cast<int64_t>(i));
      error = std::max(error, errorOf(have, expected[i]));
      other = std::max(other, errorOf(have, neighbour[i]));
    }
    if (other >= error)
      continue;
    std::copy_n(neighbour.begin() + static_cast<std::ptrdiff_t>(row), inner,
                expected.begin() + static_cast<std::ptrdiff_t>(row));
    ++taken;
  }
  return taken;
}

Difference compare(const Tensor &got, const std::vector<double> &expected) {
  Difference difference;
  for (size_t i = 0; i < expected.size(); ++i) {
    double want = expected[i], have = got.get(static_cast<int64_t>(i));
    if (std::isfinite(want))
      difference.largest = std::max(difference.largest, std::abs(want));
    double error = errorOf(have, want);
    if (error > difference.error) {
      difference.error = error;
      difference.at = i;
    }
  }
  return difference;
}

} // namespace sattn::tool

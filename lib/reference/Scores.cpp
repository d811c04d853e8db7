// Scores of one row, for the columns that are asked for and no others: so a masked key is never read, and a NaN in
// it cannot leak.
#include "lib/reference/Env.h"
#include "llvm/ADT/TypeSwitch.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace sattn::ref {

std::vector<double> Row::scores(Value value, Head head, const Keys &columns) {
  int64_t heads = env.headCount(value);
  if (!env.checkHeads(value, heads, head.count))
    return std::vector<double>(columns.size(), 0.0);
  Head own = head.as(heads);
  return llvm::TypeSwitch<Operation *, std::vector<double>>(value.getDefiningOp())
      .Case<ScoreOp>([&](ScoreOp op) { return score(op, own, columns); })
      .Case<MapOp>([&](MapOp op) { return map(op, own, columns); })
      .Case<NormalizeOp>([&](NormalizeOp op) { return normalize(op, own, columns); })
      .Case<ReduceOp>([&](ReduceOp op) { return reduce(op, own, columns); })
      .Default([&](Operation *op) { return rebin(cast<RebinOp>(op), own, columns); });
}

//===-- score ---------------------------------------------------------------------------------------------------===//

/// q . k, in four interleaved sums so that long rows do not wait for each addition.
static double dot(ArrayRef<double> q, ArrayRef<double> k) {
  double sums[4] = {0.0, 0.0, 0.0, 0.0};
  size_t d = 0;
  for (; d + 4 <= q.size(); d += 4)
    for (size_t lane = 0; lane < 4; ++lane)
      sums[lane] += q[d + lane] * k[d + lane];
  for (; d < q.size(); ++d)
    sums[0] += q[d] * k[d];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/// sum_d |q_d - k_d|
static double distance(ArrayRef<double> q, ArrayRef<double> k) {
  double sum = 0.0;
  for (auto [a, b] : llvm::zip_equal(q, k))
    sum += std::fabs(a - b);
  return sum;
}

/// Upper bound of q . k for keys between the minima and maxima of `k`: sum_d max(q_d min_d, q_d max_d).
static double bound(ArrayRef<double> q, ArrayRef<double> k) {
  double sum = 0.0;
  for (size_t d = 0; d < q.size(); ++d)
    sum += maxWithNan(q[d] * k[d], q[d] * k[q.size() + d]);
  return sum;
}

/// Rows of integers times a scale: (sum of integer products * scale of q) * scale of k, in float32. A row's largest
/// integer is all of its `levels`, so its scale, and with it the integers, are exact here.
static float codedDot(ArrayRef<double> q, ArrayRef<double> k, double qLevels, double kLevels) {
  auto scaleOf = [](ArrayRef<double> row, double levels) {
    double most = 0.0;
    for (double value : row)
      most = maxWithNan(most, std::fabs(value));
    return most / levels;
  };
  double qScale = scaleOf(q, qLevels), kScale = scaleOf(k, kLevels), sum = 0.0;
  if (qScale == 0.0 || kScale == 0.0)
    return std::isnan(qScale + kScale) ? std::numeric_limits<float>::quiet_NaN() : 0.0f;
  for (auto [a, b] : llvm::zip_equal(q, k))
    sum += (a / qScale) * (b / kScale);
  float left = static_cast<float>(sum) * static_cast<float>(qScale);
  return left * static_cast<float>(kScale);
}

std::vector<double> Row::score(ScoreOp op, Head head, const Keys &columns) {
  ArrayRef<double> q = features(op.getQ(), head);
  auto qLevels = integerLevels(env.facts(op.getQ()).code), kLevels = integerLevels(env.facts(op.getK()).code);
  double scale = op.getScaleAttr() ? env.number(op.getScaleAttr()) : 1.0;
  size_t width = op.getHow() == ScoreKind::Bound ? 2 * q.size() : q.size();
  std::vector<double> z;
  for (int64_t column : columns) {
    ArrayRef<double> k = env.keyFeatures(op.getK(), b, column, head);
    if (k.size() != width) {
      env.error() << "queries have " << q.size() << " features but keys have "
                  << (op.getHow() == ScoreKind::Bound ? k.size() / 2 : k.size());
      return std::vector<double>(columns.size(), 0.0);
    }
    switch (op.getHow()) {
    case ScoreKind::Dot:
      if (qLevels && kLevels)
        z.push_back(static_cast<float>(scale) *
                    codedDot(q, k, static_cast<double>(*qLevels), static_cast<double>(*kLevels)));
      else
        z.push_back(scale * dot(q, k));
      break;
    case ScoreKind::L1:
      z.push_back(scale * distance(q, k));
      break;
    case ScoreKind::Bound:
      z.push_back(scale * bound(q, k));
      break;
    }
  }
  return z;
}

//===-- map, normalize, reduce ----------------------------------------------------------------------------------===//

std::vector<double> Row::map(MapOp op, Head head, const Keys &columns) {
  std::vector<double> z = scores(op.getZ(), head, columns);
  const Formula &formula = env.formula(op);
  for (int64_t heads : formula.headCounts())
    if (!env.checkHeads(op.getY(), heads, head.count))
      return z;
  auto read = [&](int64_t table, ArrayRef<int64_t> at) { return load(op.getTables()[table], at, head, 0); };
  Point at = point(head);
  for (auto [column, value] : llvm::zip_equal(columns, z)) {
    at.key = column;
    at.score = value;
    value = formula.value(at, read);
  }
  return z;
}

/// p_j = exp(z_j) / (sum over the set of exp(z) [+ exp(lse)]) inside the set, 0 outside.
std::vector<double> Row::normalize(NormalizeOp op, Head head, const Keys &columns) {
  Slot slot{op.getP().getAsOpaquePointer(), head.index};
  auto known = probabilitiesOf.find(slot);
  if (known == probabilitiesOf.end()) {
    Keys inside = columnsIn(op.getSet(), op.getZ(), head);
    std::vector<double> p = scores(op.getZ(), head, inside);
    double lse = op.getLse() ? features(op.getLse(), head)[0] : negativeInfinity, most = lse;
    for (double z : p)
      most = maxWithNan(most, z);
    double total = expRelative(lse, most);
    for (double z : p)
      total += expRelative(z, most);
    for (double &z : p)
      z = total == 0.0 ? 0.0 : expRelative(z, most) / total;
    known = probabilitiesOf.try_emplace(slot, std::move(inside), std::move(p)).first;
  }
  const auto &[inside, p] = known->second;
  std::vector<double> asked;
  for (int64_t column : columns) {
    auto place = llvm::lower_bound(inside, column);
    asked.push_back(place != inside.end() && *place == column ? p[place - inside.begin()] : 0.0);
  }
  return asked;
}

std::vector<double> Row::reduce(ReduceOp op, Head head, const Keys &columns) {
  int64_t heads = env.headCount(op.getZ());
  if (!env.checkHeads(op.getY(), head.count, heads))
    return std::vector<double>(columns.size(), 0.0);
  int64_t group = heads / head.count;
  std::vector<double> joined(columns.size(), op.getHow() == ReduceKind::Max ? negativeInfinity : 0.0);
  for (int64_t h = head.index * group; h < (head.index + 1) * group; ++h)
    for (auto [into, z] : llvm::zip_equal(joined, scores(op.getZ(), {h, heads}, columns)))
      into = op.getHow() == ReduceKind::Max ? maxWithNan(into, z) : into + z;
  if (op.getHow() == ReduceKind::Mean)
    for (double &z : joined)
      z /= static_cast<double>(group);
  return joined;
}

//===-- rebin ---------------------------------------------------------------------------------------------------===//

/// How many strides of source block `c` lie, wholly or in part, in target block `j` of `length` positions.
static int64_t sharedStrides(Blocks source, int64_t c, int64_t length, int64_t j) {
  int64_t shared = 0;
  for (int64_t from = 0; from < source.length; from += source.stride) {
    int64_t first = c * source.stride + from, end = c * source.stride + std::min(from + source.stride, source.length);
    shared += first < (j + 1) * length && j * length < end;
  }
  return shared;
}

/// Column j gets each source block once for each source stride that both share: their sum, their mean or maximum.
/// Blocks without a source get 0 (sum, mean) or -inf (max).
std::vector<double> Row::rebin(RebinOp op, Head head, const Keys &columns) {
  Blocks source = env.columns(op.getZ()).blocks;
  int64_t length = env.columns(op.getY()).blocks.length;
  auto sourcesOf = [&](int64_t j) { // candidates: from the first that may reach into j to the last that begins in it
    return std::pair(std::max<int64_t>(0, (j * length - source.length) / source.stride),
                     ((j + 1) * length - 1) / source.stride);
  };
  Keys wanted;
  for (int64_t j : columns)
    for (auto [c, last] = sourcesOf(j); c <= last; ++c)
      if (sharedStrides(source, c, length, j))
        wanted.push_back(c);
  llvm::sort(wanted);
  wanted.erase(llvm::unique(wanted), wanted.end());
  Keys all = existing(env.columns(op.getZ()), head), sources;
  std::set_intersection(wanted.begin(), wanted.end(), all.begin(), all.end(), std::back_inserter(sources));
  std::vector<double> z = scores(op.getZ(), head, sources);

  std::vector<double> pooled;
  for (int64_t j : columns) {
    double sum = 0.0, most = negativeInfinity;
    int64_t count = 0;
    for (auto [c, last] = sourcesOf(j); c <= last; ++c) {
      int64_t shared = sharedStrides(source, c, length, j);
      auto place = llvm::lower_bound(sources, c);
      if (!shared || place == sources.end() || *place != c)
        continue;
      double value = z[place - sources.begin()];
      sum += static_cast<double>(shared) * value;
      most = maxWithNan(most, value);
      count += shared;
    }
    if (op.getHow() == ReduceKind::Max)
      pooled.push_back(most);
    else
      pooled.push_back(op.getHow() == ReduceKind::Mean && count ? sum / static_cast<double>(count) : sum);
  }
  return pooled;
}

} // namespace sattn::ref

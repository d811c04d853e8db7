// Whole tensors: roles, summaries, codes, prefixes, gathered and scattered rows. Each is made once for a call.
// Positions that do not exist (beyond kv_len) are never read; what would stand for them is 0 and never read either.
#include "lib/reference/Env.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace sattn::ref {

/// Fills in what follows from `axes` and `data`.
static void describe(Tensor &t, const Binding &binding, Errors &errors) {
  t.width = 1;
  for (int i = 0; i < static_cast<int>(t.axes.size()); ++i) {
    AxisAttr axis = t.axes[i];
    if (axis.isPosition() && t.positionAxis < 0) {
      t.positionAxis = i;
      t.blocks = binding.blocks(axis, errors);
      t.width = 1;
    } else if (axis.isHead() && t.headAxis < 0) {
      t.headAxis = i;
      t.width = 1;
    } else {
      t.width *= t.data().shape[i + t.batched];
    }
  }
}

Tensor Env::make(Value value) {
  if (auto role = dyn_cast<mlir::BlockArgument>(value))
    return makeRole(role);
  if (isRowWise(value))
    return makeRowWise(value);
  return llvm::TypeSwitch<Operation *, Tensor>(value.getDefiningOp())
      .Case<SummarizeOp, EncodeOp, PrefixOp, GatherOp, ScatterOp, ColsumOp, SmoothOp, MixOp>(
          [&](auto op) { return make(op); });
}

Tensor Env::makeRole(mlir::BlockArgument argument) {
  auto role = cast<RoleAttr>(pattern.getRoles()[argument.getArgNumber()]);
  Tensor t;
  t.role = &call.roles.find(role.getName())->second;
  t.axes = SmallVector<AxisAttr>(role.getAxes());
  t.batched = hasBatch(t.axes);
  describe(t, bound, report);
  // Features must be what a position and a head hold together.
  for (int i = 0; i < std::max(t.positionAxis, t.headAxis); ++i)
    if (t.axes[i].isFeature())
      report.fail() << "role '" << role.getName() << "' has axis '" << t.axes[i].getName()
                    << "' before a position or head: features come last";
  if (!t.blocks.isTokens())
    t.ragged = t.blocks.disjoint() && t.positions() != countBlocks(t.blocks, false, bound.keys);
  return t;
}

Tensor Env::blank(Value value, int64_t positions) {
  Tensor t;
  t.axes.assign(facts(value).axes.begin(), facts(value).axes.end());
  t.batched = hasBatch(t.axes);
  SmallVector<int64_t> shape;
  if (t.batched)
    shape.push_back(bound.batch);
  for (AxisAttr axis : t.axes)
    shape.push_back(axis.isPosition() ? positions : extent(axis));
  if (facts(value).minmax)
    shape.back() *= 2;
  t.own = Array::zeros(shape);
  describe(t, bound, report);
  return t;
}

//===-- Summaries -----------------------------------------------------------------------------------------------===//

/// Joins rows [from, to) of x, for batch entry b and one head, into `out`: width numbers, or 2 * width for minmax.
static void summarizeBlock(SummaryKind how, const Tensor &x, int64_t b, int64_t head, int64_t from, int64_t to,
                           double *out) {
  for (int64_t d = 0; d < x.width; ++d) {
    double sum = 0.0, least = -negativeInfinity, most = negativeInfinity;
    for (int64_t i = from; i < to; ++i) {
      double value = x.features(b, i, head)[d];
      sum += value;
      least = -maxWithNan(-least, -value);
      most = maxWithNan(most, value);
    }
    switch (how) {
    case SummaryKind::Mean:
      out[d] = sum / static_cast<double>(to - from);
      break;
    case SummaryKind::Sum:
      out[d] = sum;
      break;
    case SummaryKind::Min:
      out[d] = least;
      break;
    case SummaryKind::Max:
      out[d] = most;
      break;
    default: // minmax: minima, then maxima
      out[d] = least;
      out[x.width + d] = most;
    }
  }
}

Tensor Env::make(SummarizeOp op) {
  const Tensor &x = tensor(op.getX());
  if (op.getHow() == SummaryKind::Weighted || op.getHow() == SummaryKind::Linear) {
    report.fail() << "sattn.summarize " << stringifySummaryKind(op.getHow())
                  << " has no reference: pass its result as a role";
    return x;
  }
  bool rows = x.axes[x.positionAxis].isRow(), ragged = op.getRagged() || rows;
  AxisAttr axis = facts(op.getY()).position();
  Blocks blocks = bound.blocks(axis, report);
  Tensor t = blank(op.getY(), countBlocks(blocks, ragged, x.positions()));
  t.ragged = ragged;
  if (rows && !checkRowBlocks(blocks))
    return t;
  for (int64_t b = 0; b < bound.batch; ++b) {
    int64_t size = rows ? bound.rows : bound.kvLen[b];
    for (int64_t c = 0, n = countBlocks(blocks, ragged, size); c < n; ++c)
      for (int64_t head = 0; head < x.heads(); ++head)
        summarizeBlock(op.getHow(), x, b, head, c * blocks.stride, std::min(c * blocks.stride + blocks.length, size),
                       t.place(b, c, head));
  }
  return t;
}

//===-- Codes, prefixes -----------------------------------------------------------------------------------------===//

/// y = H x / sqrt(D) in place, with H the Hadamard matrix in natural order: H[i][j] = (-1)^popcount(i & j).
static void hadamard(llvm::MutableArrayRef<double> x) {
  for (size_t half = 1; half < x.size(); half *= 2)
    for (size_t i = 0; i < x.size(); ++i)
      if (!(i & half)) {
        double a = x[i], b = x[i | half];
        x[i] = a + b;
        x[i | half] = a - b;
      }
  for (double &value : x)
    value /= std::sqrt(static_cast<double>(x.size()));
}

/// The row as integers times a scale, each step in float32; see sattn.encode.
static void roundToIntegers(llvm::MutableArrayRef<double> x, double levels) {
  double most = 0.0;
  for (double value : x)
    most = maxWithNan(most, std::fabs(value));
  float scale = static_cast<float>(most) / static_cast<float>(levels);
  if (scale < std::numeric_limits<float>::min())
    scale = 0.0f;
  for (double &value : x) {
    double code = scale == 0.0f ? 0.0 : std::nearbyint(static_cast<float>(value) / scale);
    value = std::clamp(code, -levels, levels) * static_cast<double>(scale);
  }
}

Tensor Env::make(EncodeOp op) {
  Tensor t = tensor(op.getX());
  t.own = t.data();
  t.role = nullptr;
  if (op.getHow() == CodeKind::Hadamard) {
    if (!llvm::isPowerOf2_64(t.width)) {
      report.fail() << "sattn.encode hadamard needs a number of features that is a power of 2, but got " << t.width;
      return t;
    }
    for (size_t i = 0; i < t.own.data.size(); i += t.width)
      hadamard(llvm::MutableArrayRef<double>(t.own.data).slice(i, t.width));
    return t;
  }
  if (op.getHow() == CodeKind::Buckets) {
    SmallVector<double> levels;
    for (auto level : op.getLevelsAttr().getAsRange<ExprAttr>())
      levels.push_back(number(level));
    // A value at a level belongs to the lower bucket.
    for (double &value : t.own.data)
      value = static_cast<double>(llvm::count_if(levels, [&](double level) { return value > level; }));
    return t;
  }
  if (auto levels = integerLevels(op.getHow())) {
    for (size_t i = 0; i < t.own.data.size(); i += t.width)
      roundToIntegers(llvm::MutableArrayRef<double>(t.own.data).slice(i, t.width), static_cast<double>(*levels));
    return t;
  }
  report.fail() << "sattn.encode " << stringifyCodeKind(op.getHow()) << " has no reference: pass the codes as a role";
  return t;
}

Tensor Env::make(PrefixOp op) {
  const Tensor &x = tensor(op.getX());
  int64_t width = integer(op.getWidth());
  if (width < 1 || width > x.width) {
    report.fail() << "sattn.prefix to " << width << " but the operand has " << x.width << " features";
    return x;
  }
  Tensor t = blank(op.getY(), x.positions());
  t.ragged = x.ragged;
  for (int64_t b = 0; b < (x.batched ? bound.batch : 1); ++b)
    for (int64_t i = 0; i < x.positions(); ++i)
      for (int64_t head = 0; head < x.heads(); ++head)
        llvm::copy(x.features(b, i, head).take_front(width), t.place(b, i, head));
  return t;
}

//===-- Rows that were chosen -----------------------------------------------------------------------------------===//

Tensor Env::make(GatherOp op) {
  const Tensor &x = tensor(op.getX());
  Tensor t = blank(op.getY(), rowCount(op.getY()));
  AxisAttr axis = x.axes[x.positionAxis];
  for (int64_t b = 0; b < bound.batch; ++b)
    for (int64_t head = 0; head < x.heads(); ++head)
      for (auto [slot, position] : llvm::enumerate(rows(op.getRows(), b, head))) {
        int64_t local = position - axisOffset(axis, b);
        if (local < 0 || local >= x.positions()) {
          report.fail() << "position " << position << " was chosen but the gathered operand holds " << position - local
                        << " to " << position - local + x.positions() - 1;
          return t;
        }
        llvm::copy(x.features(b, local, head), t.place(b, slot, head));
      }
  return t;
}

Tensor Env::make(ScatterOp op) {
  const Tensor &x = tensor(op.getX());
  if (report.occurred())
    return x;
  bool keys = x.axes[x.positionAxis].isKey();
  Tensor t = blank(op.getY(), keys ? bound.keys : bound.rows);
  for (int64_t b = 0; b < bound.batch; ++b)
    for (int64_t head = 0; head < x.heads(); ++head)
      for (auto [slot, position] : llvm::enumerate(rows(op.getRows(), b, head)))
        llvm::copy(x.features(b, slot, head), t.place(b, position - axisOffset(t.axes[t.positionAxis], b), head));
  return t;
}

//===-- Rows made one by one ------------------------------------------------------------------------------------===//

Tensor Env::makeRowWise(Value value) {
  int64_t heads = headCount(value), count = rowCount(value);
  Tensor t = blank(value, count);
  if (value.getDefiningOp<WeighOp>()) {
    report.fail() << "weights of slots have no reference as a whole: use them in sattn.blend";
    return t;
  }
  if (!checkRowBlocks(t.blocks))
    return t;
  Value chosen = facts(value).gatheredAt;
  for (int64_t b = 0; b < bound.batch; ++b)
    for (int64_t i = 0; i < count && !report.occurred(); ++i) {
      Row row(*this, b, i, t.blocks, chosen);
      for (int64_t head = 0; head < heads; ++head)
        if (!chosen || i < static_cast<int64_t>(rows(chosen, b, Head{head, heads}.in(headCount(chosen))).size()))
          llvm::copy(row.features(value, {head, heads}), t.place(b, i, head));
    }
  return t;
}

} // namespace sattn::ref

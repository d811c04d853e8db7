// What looks at all rows at once: column sums, their smoothing, and the routing of rows by such numbers.
#include "dialects/pattern/Formula.h"
#include "lib/reference/Env.h"
#include "lib/reference/Select.h"
#include <cmath>

namespace sattn::ref {

/// votes[j, h] = sum over rows i of p[i, h, j], for the (row, column) pairs of the set.
Tensor Env::make(ColsumOp op) {
  Value p = op.getP();
  Columns all = columns(p);
  int64_t heads = headCount(p);
  Tensor t = blank(op.getVotes(), countBlocks(all.blocks, all.ragged, bound.keys));
  t.ragged = all.ragged;
  for (int64_t b = 0; b < bound.batch; ++b)
    for (int64_t i = 0, n = rowCount(p); i < n && !report.occurred(); ++i) {
      Row row(*this, b, i, rowUnit(p));
      for (int64_t h = 0; h < heads; ++h) {
        Keys voted = row.columnsIn(op.getSet(), p, {h, heads});
        std::vector<double> probabilities = row.scores(p, {h, heads}, voted);
        for (auto [id, probability] : llvm::zip_equal(voted, probabilities))
          *t.place(b, id - firstColumn(all.blocks, b), h) += probability;
      }
    }
  return t;
}

/// Pools the `width` positions around each one. Outside the positions that exist a mean reads 0, a maximum nothing.
Tensor Env::make(SmoothOp op) {
  const Tensor &x = tensor(op.getX());
  int64_t width = integer(op.getWidth());
  if (width < 1 || width % 2 == 0) {
    report.fail() << "sattn.smooth width(" << width << ") has no centre: the width must be odd";
    return x;
  }
  Tensor t = blank(op.getY(), x.positions());
  t.ragged = x.ragged;
  bool rows = x.axes[x.positionAxis].isRow();
  for (int64_t b = 0; b < bound.batch; ++b) {
    int64_t size = rows ? x.positions() : bound.keyBlocks(x.blocks, x.ragged, b);
    for (int64_t head = 0; head < x.heads(); ++head)
      for (int64_t i = 0; i < size; ++i)
        for (int64_t d = 0; d < x.width; ++d) {
          double sum = 0.0, most = negativeInfinity;
          for (int64_t j = std::max<int64_t>(0, i - width / 2); j <= std::min(size - 1, i + width / 2); ++j) {
            sum += x.features(b, j, head)[d];
            most = maxWithNan(most, x.features(b, j, head)[d]);
          }
          t.place(b, i, head)[d] = op.getHow() == SmoothKind::Mean ? sum / static_cast<double>(width) : most;
        }
  }
  return t;
}

/// Numbers of keys; those of query rows are made row by row.
Tensor Env::make(MixOp op) {
  AxisAttr axis = facts(op.getO()).position();
  const Formula &known = formula(op);
  const Tensor *whole = nullptr;
  walkExpr(op.getFormula(), [&](ExprAttr e) {
    if (e.is(ExprKind::Table) && e.getKids().empty())
      whole = &tensor(op.getTables()[e.getValue()]);
    return !e.is(ExprKind::Table);
  });
  Tensor t = blank(op.getO(), whole->positions());
  t.ragged = whole->ragged;
  int64_t heads = headCount(op.getO());
  for (int64_t count : known.headCounts())
    if (!checkHeads(op.getO(), count, heads))
      return t;
  for (int64_t b = 0; b < bound.batch && !report.occurred(); ++b) {
    int64_t first = axisOffset(axis, b), size = bound.keyBlocks(t.blocks, t.ragged, b);
    for (int64_t i = 0; i < size; ++i)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t d = 0; d < t.width; ++d) {
          Point at{first + i, 0, {h, heads}, 0.0, bound.qOffset[b] + bound.rows, bound.kvOffset[b] + bound.kvLen[b]};
          t.place(b, i, h)[d] = known.value(at, [&](int64_t table, ArrayRef<int64_t> index) {
            Value operand = op.getTables()[table];
            if (!index.empty())
              return element(operand, b, index);
            ArrayRef<double> whole = tensor(operand).features(b, i, h);
            return whole[whole.size() == 1 ? 0 : d];
          });
        }
  }
  return t;
}

std::vector<Keys> Env::route(RouteOp op) {
  const Tensor &x = tensor(op.getX());
  AxisAttr axis = x.axes[x.positionAxis];
  int64_t n = integer(op.getTop());
  int64_t first = op.getFirstAttr() ? integer(op.getFirstAttr()) : 0;
  int64_t last = op.getLastAttr() ? integer(op.getLastAttr()) : 0;
  std::vector<Keys> chosen;
  for (int64_t b = 0; b < bound.batch; ++b) {
    int64_t size = axis.isRow() ? bound.rows : bound.kvLen[b], start = axisOffset(axis, b);
    if (axis.isRow() && (start || bound.kvOffset[b] || bound.kvLen[b] != bound.rows))
      report.fail() << "routing of rows needs the whole sequence: q_offset " << start << ", " << bound.rows << " rows, "
                    << bound.kvLen[b] << " keys";
    for (int64_t head = 0; head < x.heads(); ++head) {
      Keys positions;
      std::vector<double> scores;
      for (int64_t i = 0; i < size; ++i) {
        positions.push_back(start + i);
        scores.push_back(x.features(b, i, head)[0]);
      }
      auto forced = [&](int64_t position) { return position - start < first || position - start >= size - last; };
      chosen.push_back(chooseTop(positions, scores, {n}, forced));
    }
  }
  return chosen;
}

const Keys &Env::rows(Value value, int64_t b, int64_t head) {
  auto known = chosenRows.find(value);
  if (known == chosenRows.end()) {
    std::vector<Keys> made = route(value.getDefiningOp<RouteOp>());
    known = chosenRows.try_emplace(value, std::move(made)).first;
  }
  return known->second[b * headCount(value) + head];
}

} // namespace sattn::ref

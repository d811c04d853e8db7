// Reductions: over the columns of each row, over the heads of each position, and prefix sums along the columns.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;

static Value combine(Code &c, bool isMax, Value a, Value b) { return isMax ? c.maxNan(a, b) : c.addf(a, b); }

LogicalResult Lowering::lower(tile::ReduceOp op) {
  bool isMax = op.getKind() == "max";
  FailureOr<Panels> to = op.getOver() == "cols" ? reduceColumns(op, isMax) : reduceHeads(op, isMax);
  if (failed(to))
    return failure();
  tile(op.getResult()) = {};
  tile(op.getResult()).panels = *to;
  return success();
}

FailureOr<Panels> Lowering::reduceColumns(tile::ReduceOp op, bool isMax) {
  TileValue source = tile(op.getTile());
  Panels to = newPanels(op.getResult());
  LogicalResult status =
      forPanelGroups(to.count(), /*visible=*/nullptr, [&](Value panel, int64_t panels) -> LogicalResult {
        Values start(panels, isMax ? c.minusInf() : c.zero());
        auto total = forStrips(source, op.getTile().getType().getCols(), panel, panels, start,
                               [&](Strips &strips, ValueRange carried) {
                                 Values sums(carried);
                                 for (const Values &column : strips.at)
                                   for (auto [q, strip] : llvm::enumerate(column))
                                     sums[q] = combine(c, isMax, strip, sums[q]);
                                 return FailureOr<Values>(sums);
                               });
        if (failed(total))
          return failure();
        for (auto [q, strip] : llvm::enumerate(*total))
          c.storeStrip(strip, stripAt(to, panel, static_cast<int64_t>(q), c.int64(0), 0));
        return success();
      });
  if (failed(status))
    return failure();
  return to;
}

// Neighbouring lanes combined: two strips become one whose lane i is lanes 2i and 2i + 1 of both, one after the other.
static Value foldPairs(Code &c, bool isMax, Value a, Value b) {
  SmallVector<int32_t> even, odd;
  for (int32_t lane = 0; lane < 2 * kLanes; lane += 2) {
    even.push_back(lane);
    odd.push_back(lane + 1);
  }
  return combine(c, isMax, c.shuffle(a, b, even), c.shuffle(a, b, odd));
}

FailureOr<Panels> Lowering::reduceHeads(tile::ReduceOp op, bool isMax) {
  auto from = panelsOf(op.getTile());
  if (failed(from))
    return failure();
  int64_t group = static_cast<int64_t>(*op.getGroup());
  tile::TileType type = op.getResult().getType();
  int64_t positions = type.getRows(), inPanels = from->count();
  Panels to = newPanels(op.getResult());

  // Heads slowest: whole panels are combined.
  if (op.getOuter() && positions % kLanes == 0) {
    c.loop(0, to.cols, 1, [&](Value col) {
      for (int64_t panel = 0; panel < to.count(); ++panel) {
        Value total;
        for (int64_t head = 0; head < group; ++head) {
          Value strip = c.loadStrip(stripAt(*from, head * to.count() + panel, col, 0));
          total = total ? combine(c, isMax, strip, total) : strip;
        }
        c.storeStrip(total, stripAt(to, panel, col, 0));
      }
    });
    return to;
  }
  // Heads fastest, in powers of two: whole panels of a position, then pairs of lanes until one lane is a position. A
  // group is a part of a panel or whole panels, so lanes past the last row stay among themselves.
  if (llvm::isPowerOf2_64(group) && !op.getOuter()) {
    c.loop(0, to.cols, 1, [&](Value col) {
      Values strips;
      int64_t panelsEach = std::max<int64_t>(1, group / kLanes);
      for (int64_t first = 0; first < inPanels; first += panelsEach) {
        Value total = c.loadStrip(stripAt(*from, first, col, 0));
        for (int64_t next = 1; next < panelsEach; ++next)
          total = combine(c, isMax, c.loadStrip(stripAt(*from, first + next, col, 0)), total);
        strips.push_back(total);
      }
      for (int64_t lanes = std::min(group, kLanes); lanes > 1; lanes /= 2) {
        Values halves;
        for (size_t i = 0; i < strips.size(); i += 2)
          halves.push_back(foldPairs(c, isMax, strips[i], i + 1 < strips.size() ? strips[i + 1] : strips[i]));
        strips = halves;
      }
      for (auto [panel, strip] : llvm::enumerate(strips))
        c.storeStrip(strip, stripAt(to, static_cast<int64_t>(panel), col, 0));
    });
    return to;
  }
  // Any group: through rows in memory, where a head is a row.
  int64_t padded = llvm::alignTo(to.cols, kLanes);
  RowSource rows = scratchRows(from->rows, to.cols), sums = scratchRows(positions, to.cols);
  unpackRows(*from, rows);
  c.loop(0, positions, 1, [&](Value position) {
    Ptr first = c.atScaled(rows.view.base, position, (op.getOuter() ? 1 : group) * padded * 4);
    c.loop(0, padded, kLanes, [&](Value col) {
      Ptr here = c.atScaled(first, col, 4);
      Values total = c.loop(1, group, 1, {c.loadStrip(here)}, [&](Value head, ValueRange carried) -> Values {
        Ptr next = c.atScaled(here, head, (op.getOuter() ? positions : 1) * padded * 4);
        return {combine(c, isMax, c.loadStrip(next), carried[0])};
      });
      c.storeStrip(total[0], c.atScaled(c.atScaled(sums.view.base, position, padded * 4), col, 4));
    });
  });
  packRows(sums, to.base, kLanes);
  return to;
}

LogicalResult Lowering::lower(tile::RowScanOp op) {
  auto from = panelsOf(op.getTile());
  if (failed(from))
    return failure();
  Panels to = takeOrNew(op.getTile(), op->getOpResult(0));
  int64_t cols = from->cols;
  for (int64_t panel = 0; panel < from->count(); ++panel)
    c.loop(0, cols, 1, {c.zero()}, [&](Value i, ValueRange carried) -> Values {
      Value col = op.getReverse() ? c.sub(c.int64(cols - 1), i) : i;
      Value sum = c.addf(carried[0], c.loadStrip(stripAt(*from, panel, col, 0)));
      c.storeStrip(sum, stripAt(to, panel, col, 0));
      return {sum};
    });
  tile(op.getResult()) = {};
  tile(op.getResult()).panels = to;
  return success();
}

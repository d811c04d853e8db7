// Masks: integer sets over (t, s) on a block of strips (codegen/common/SetCode.h): rows are lanes, t = row + rowMap(r)
// and s = col + c.
#include "codegen/common/SetCode.h"
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;
using codegen::kMostLane;
using codegen::Position;

// Positions row + rowMap(r) of the rows of one panel.
static FailureOr<Position> rowPositions(Code &c, AffineMap map, int64_t rows, Value row, int64_t panel) {
  SmallVector<int32_t> lanes;
  Position t{row, nullptr, 0, 0};
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    // Lanes past the last row repeat it.
    int64_t r = std::min(panel * kLanes + lane, rows - 1);
    auto value = dyn_cast<AffineConstantExpr>(map.getResult(0).replaceDims(getAffineConstantExpr(r, map.getContext())));
    if (!value || std::abs(value.getValue()) > kMostLane)
      return failure();
    t.low = lane == 0 ? value.getValue() : std::min(t.low, value.getValue());
    t.high = lane == 0 ? value.getValue() : std::max(t.high, value.getValue());
    lanes.push_back(static_cast<int32_t>(value.getValue()));
  }
  t.lanes = c.stripI(lanes);
  return t;
}

// The greatest position that a list of row positions can hold.
static int64_t greatestId(Value ids) {
  auto argument = dyn_cast<BlockArgument>(ids);
  auto stream =
      argument ? dyn_cast<tile::StreamInverseOp>(argument.getOwner()->getParentOp()) : tile::StreamInverseOp();
  auto invert = stream ? stream.getInverse().getDefiningOp<tile::InvertOp>() : tile::InvertOp();
  return invert ? static_cast<int64_t>(invert.getCount()) - 1 : kMostLane;
}

// Positions row + ids[r / group] of the rows of one panel; -1 stands for a row that does not exist.
static Position listedPositions(Code &c, const Panels &ids, int64_t most, int64_t group, Value row, int64_t panel) {
  int64_t first = panel * kLanes / group;
  SmallVector<int32_t> lanes;
  for (int64_t lane = 0; lane < kLanes; ++lane)
    lanes.push_back(static_cast<int32_t>((panel * kLanes + lane) / group - first));
  // May read up to a strip past the ids: scratch memory ends with a spare line.
  Value listed = c.load(c.vi, ids.base.plus(first * 4), 4);
  Value bounded = arith::MinSIOp::create(c.b, c.shuffle(listed, listed, lanes), c.stripI(most));
  return {row, bounded, -1, most};
}

// i1 strip of the rows whose position lies, together with key `s`, in one of the sets.
static FailureOr<Value> inUnion(Code &c, ArrayAttr sets, Position t, Value s, ArrayRef<Value> symbols,
                                ArrayRef<Value> tables) {
  auto spread = [&](Value number) { return c.broadcast(number); };
  FailureOr<Value> inside = codegen::inUnion(c, {c.vi, spread}, sets, t, {s, nullptr, 0, 0}, symbols, tables);
  return failed(inside) || *inside ? inside : FailureOr<Value>(c.lanesBelow(kLanes));
}

FailureOr<Value> Lowering::inSets(ArrayAttr sets, AffineMap rowMap, int64_t rows, int64_t panel, Value row, Value s,
                                  ArrayRef<Value> symbols) {
  FailureOr<Position> t = rowPositions(c, rowMap, rows, row, panel);
  if (failed(t))
    return failure();
  return inUnion(c, sets, *t, s, symbols, {});
}

namespace {
/// What a mask leaves visible of a few panels.
class PanelMasks {
public:
  /// `ids` are the positions of the rows where the mask lists them; of each table its numbers, those of keys side by
  /// side.
  PanelMasks(Code &c, tile::MaskOp op, llvm::function_ref<Value(Value)> scalar, const Panels *ids,
             ArrayRef<Panels> tables, int64_t panel, int64_t panels)
      : c(c), op(op), tables(tables), firstKey(scalar(op.getCol())), firstPanel(panel) {
    for (Value symbol : op.getSymbols())
      symbols.push_back(scalar(symbol));
    int64_t rows = op.getTile().getType().getRows();
    for (int64_t p = panel; p < panel + panels; ++p)
      positions.push_back(ids ? listedPositions(c, *ids, greatestId(op.getIds()),
                                                rows / op.getIds().getType().getRows(), scalar(op.getRow()), p)
                              : rowPositions(c, op.getRowMap(), rows, scalar(op.getRow()), p));
  }

  /// i1 strip of the rows of panel number `p` of these that see column `column`.
  Value rows(size_t p, Value column) {
    FailureOr<Value> inside = failure();
    Values numbers;
    for (auto [table, operand] : llvm::zip(tables, op.getTables())) {
      auto type = cast<tile::TileType>(operand.getType());
      int64_t panel = firstPanel + static_cast<int64_t>(p), columns = op.getTile().getType().getCols();
      if (!type.isVector() && type.getCols() != columns) { // by distance: neighbouring rows have neighbouring numbers
        Value first = c.sub(c.int64(panel * kLanes + columns - 1), column);
        numbers.push_back(c.load(c.vi, c.atScaled(table.base, first, 4), 4));
        continue;
      }
      Value number =
          type.isVector() ? c.loadStrip(table.at(panel)) : c.loadBroadcast(c.atScaled(table.base, column, 4));
      numbers.push_back(c.asInt(number));
    }
    if (succeeded(positions[p]))
      inside = inUnion(c, op.getSets(), *positions[p], c.add(firstKey, column), symbols, numbers);
    isKnown &= succeeded(inside);
    return succeeded(inside) ? *inside : c.lanesBelow(0);
  }
  /// False once the sets had no such strip.
  bool isKnown = true;

private:
  Code &c;
  tile::MaskOp op;
  ArrayRef<Panels> tables;
  Value firstKey;
  int64_t firstPanel;
  Values symbols;
  SmallVector<FailureOr<Position>, 4> positions;
};
} // namespace

Unsupported Lowering::unsupportedMask(tile::MaskOp op) {
  return unsupported(op,
                     "sets whose row positions or divisors exceed 2^30, or with divisors that are not positive "
                     "constants",
                     "use smaller divisors, or run the pattern with the reference (--oracle)");
}

std::optional<bool> Lowering::acts(tile::MaskOp op) {
  if (!op.getWhen())
    return !fullTile;
  auto known = decided.find(op.getWhen());
  return known == decided.end() ? std::nullopt : std::optional(known->second);
}

LogicalResult Lowering::applyMask(tile::MaskOp op, Strips &strips, const Visible *visible) {
  if (acts(op) == false)
    return success();
  if (visible && visible->mask == op) {
    for (auto [i, column] : llvm::enumerate(strips.at))
      for (auto [p, strip] : llvm::enumerate(column)) {
        int64_t first = static_cast<int64_t>(p) * visible->panelBytes + static_cast<int64_t>(i) * Visible::kWordBytes;
        Ptr words = c.atScaled(visible->panels.plus(Visible::kWords + first), strips.panel, visible->panelBytes);
        strip = c.select(c.loadLanes(c.atScaled(words, strips.column, Visible::kWordBytes)), strip, c.minusInf());
      }
    return success();
  }
  size_t panels = strips.at.front().size();
  bool ok = true;
  SmallVector<Panels> tables = tablesOf(op);
  auto masked = [&]() -> Values {
    Values result;
    PanelMasks masks(
        c, op, [&](Value value) { return scalar(value); }, op.getIds() ? &*tile(op.getIds()).panels : nullptr, tables,
        *Code::known(strips.panel), static_cast<int64_t>(panels));
    for (auto [i, column] : llvm::enumerate(strips.at)) {
      Value at = c.add(strips.column, static_cast<int64_t>(i));
      for (auto [p, strip] : llvm::enumerate(column))
        result.push_back(c.select(masks.rows(p, at), strip, c.minusInf()));
    }
    ok &= masks.isKnown;
    return result;
  };
  auto unchanged = [&] {
    Values result;
    for (const Values &column : strips.at)
      result.append(column.begin(), column.end());
    return result;
  };
  Values result;
  if (!acts(op)) {
    SmallVector<Type> types(strips.at.size() * panels, c.vf);
    result = c.when(scalar(op.getWhen()), types, masked, unchanged);
  } else {
    result = masked();
  }
  if (!ok)
    return unsupportedMask(op);
  size_t next = 0;
  for (Values &column : strips.at)
    for (Value &strip : column)
      strip = result[next++];
  return success();
}

SmallVector<Panels> Lowering::tablesOf(tile::MaskOp op) {
  SmallVector<Panels> tables;
  for (Value table : op.getTables())
    tables.push_back(cast<tile::TileType>(table.getType()).isVector() ? *tile(table).panels : *tile(table).columns);
  return tables;
}

LogicalResult Lowering::storeMasks(tile::MaskOp op, const Visible &visible, int64_t panels) {
  SmallVector<Panels> tables = tablesOf(op);
  PanelMasks masks(
      c, op, [&](Value value) { return scalar(value); }, op.getIds() ? &*tile(op.getIds()).panels : nullptr, tables, 0,
      panels);
  c.loop(0, op.getTile().getType().getCols(), 1, [&](Value column) {
    for (int64_t panel = 0; panel < panels; ++panel)
      c.storeLanes(
          masks.rows(static_cast<size_t>(panel), column),
          c.atScaled(visible.panels.plus(panel * visible.panelBytes + Visible::kWords), column, Visible::kWordBytes));
  });
  return masks.isKnown ? success() : LogicalResult(unsupportedMask(op));
}

LogicalResult Lowering::lower(tile::MaskOp op) {
  for (Value table : op.getTables()) {
    bool ofRows = cast<tile::TileType>(table.getType()).isVector();
    auto held = ofRows ? panelsOf(table) : columnsOf(table);
    if (failed(held))
      return failure();
    (ofRows ? tile(table).panels : tile(table).columns) = *held;
  }
  // The identity, unless someone else still needs the memory. What is pending may not wait for longer than the mask:
  // the operands of its steps live no longer.
  if (acts(op) == false && op.getTile().hasOneUse()) {
    TileValue value = tile(op.getTile());
    if (value.pending && consumerOf(op) == op) {
      auto panels = panelsOf(op.getTile());
      if (failed(panels))
        return failure();
      value = {};
      value.panels = *panels;
    }
    tile(op.getResult()) = value;
    return success();
  }
  return deferOrCompute(op, op.getTile());
}

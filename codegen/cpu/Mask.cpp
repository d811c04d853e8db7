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
static FailureOr<Value> inUnion(Code &c, ArrayAttr sets, Position t, Value s, ArrayRef<Value> symbols) {
  auto spread = [&](Value number) { return c.broadcast(number); };
  FailureOr<Value> inside = codegen::inUnion(c, {c.vi, spread}, sets, t, {s, nullptr, 0, 0}, symbols);
  return failed(inside) || *inside ? inside : FailureOr<Value>(c.lanesBelow(kLanes));
}

FailureOr<Value> Lowering::inSets(ArrayAttr sets, AffineMap rowMap, int64_t rows, int64_t panel, Value row, Value s,
                                  ArrayRef<Value> symbols) {
  FailureOr<Position> t = rowPositions(c, rowMap, rows, row, panel);
  if (failed(t))
    return failure();
  return inUnion(c, sets, *t, s, symbols);
}

LogicalResult Lowering::applyMask(tile::MaskOp op, Strips &strips) {
  if (fullTile && !op.getWhen())
    return success();
  Values symbols;
  for (Value symbol : op.getSymbols())
    symbols.push_back(scalar(symbol));
  size_t panels = strips.at.front().size();
  int64_t rows = op.getTile().getType().getRows();
  bool ok = true;
  auto masked = [&]() -> Values {
    Values result;
    SmallVector<Position> positions;
    for (size_t p = 0; p < panels; ++p) {
      int64_t panel = strips.panel + static_cast<int64_t>(p);
      FailureOr<Position> t = op.getIds()
                                  ? listedPositions(c, *tile(op.getIds()).panels, greatestId(op.getIds()),
                                                    rows / op.getIds().getType().getRows(), scalar(op.getRow()), panel)
                                  : rowPositions(c, op.getRowMap(), rows, scalar(op.getRow()), panel);
      ok &= succeeded(t);
      positions.push_back(succeeded(t) ? *t : Position{});
    }
    for (auto [i, column] : llvm::enumerate(strips.at)) {
      Value key = c.add(scalar(op.getCol()), c.add(strips.column, static_cast<int64_t>(i)));
      for (auto [p, strip] : llvm::enumerate(column)) {
        FailureOr<Value> inside = ok ? inUnion(c, op.getSets(), positions[p], key, symbols) : FailureOr<Value>();
        ok &= succeeded(inside);
        result.push_back(ok ? c.select(*inside, strip, c.minusInf()) : strip);
      }
    }
    return result;
  };
  auto unchanged = [&] {
    Values result;
    for (const Values &column : strips.at)
      result.append(column.begin(), column.end());
    return result;
  };
  Values result;
  if (op.getWhen()) {
    SmallVector<Type> types(strips.at.size() * panels, c.vf);
    result = c.when(scalar(op.getWhen()), types, masked, unchanged);
  } else {
    result = masked();
  }
  if (!ok)
    return unsupported(op,
                       "sets whose row positions or divisors exceed 2^30, or with divisors that are not positive "
                       "constants",
                       "use smaller divisors, or run the pattern with the reference (--oracle)");
  size_t next = 0;
  for (Values &column : strips.at)
    for (Value &strip : column)
      strip = result[next++];
  return success();
}

LogicalResult Lowering::lower(tile::MaskOp op) {
  // The identity, unless someone else still needs the memory.
  if (fullTile && !op.getWhen() && op.getTile().hasOneUse()) {
    tile(op.getResult()) = tile(op.getTile());
    return success();
  }
  return deferOrCompute(op, op.getTile());
}

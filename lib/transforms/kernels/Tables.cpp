// Views of tables and loads from them.
#include "lib/transforms/kernels/Tables.h"

namespace sattn::lower {
using namespace mlir;

AffineMap Rows::positionOf(MLIRContext *context) const {
  AffineExpr row = getAffineDimExpr(0, context);
  if (across)
    return AffineMap::get(1, 0, getAffineConstantExpr(0, context));
  if (heads != 1)
    row = outer ? row % positions : row.floorDiv(heads);
  return AffineMap::get(1, 0, row);
}

// One number for each position and head, or one of a fixed count.
static bool fitsInner(ArrayRef<AxisAttr> axes) {
  return llvm::count_if(axes, [](AxisAttr axis) { return axis.isFixed(); }) <= 1 &&
         llvm::count_if(axes, [](AxisAttr axis) { return axis.isHead(); }) <= 1 &&
         llvm::none_of(axes, [](AxisAttr axis) { return axis.isFeature(); }) &&
         (axes.empty() || !axes.front().isFixed() || axes.size() == 1);
}

// Tables over rows are read at the row, those over keys at the key or, as both are positions, at the row.
static Along alongOf(const TableLoad &load, AxisAttr axis, ExprAttr index) {
  bool atRow = index.isName(load.row.getName()), atKey = index.isName(load.key.getName());
  if (axis.sameBlocks(load.row) && atRow)
    return Along::Rows;
  if (axis.sameBlocks(load.key) && atKey)
    return Along::Keys;
  bool tokens = !axis.isBlocks() && !load.row.isBlocks();
  if (axis.isKey() && tokens && !load.key.isBlocks() && isDistance(index, load.row.getName(), load.key.getName()))
    return Along::Distances;
  return axis.isKey() && tokens && atRow ? Along::Rows : Along::Other;
}

Along alongOf(Context &context, const TableLoad &load) {
  ArrayRef<AxisAttr> axes = context.factsOf(load.table).axes;
  if (load.table.getDefiningOp() || !fitsInner(axes))
    return Along::Other;
  Along along = Along::Nothing;
  for (auto [axis, index] : llvm::zip(axes, load.load.getKids())) {
    bool isKnown = axis.isHead() ? index.isName(axis.getName()) : axis.isFixed() ? index.is(ExprKind::Int) : false;
    if (isKnown)
      continue;
    if (!axis.isPosition() || along != Along::Nothing)
      return Along::Other;
    along = alongOf(load, axis, index);
  }
  return along;
}

bool servesHeads(Context &context, const TableLoad &load, int64_t heads) {
  auto ratio = context.ratio(context.factsOf(load.table).headAxis());
  // Rows without heads repeat what they have for each head of a tile, which a row vector does not.
  bool ofRows = alongOf(context, load) == Along::Rows;
  return heads == 1 || ratio == 1 || (!ratio && !ofRows);
}

// Of a table with a fixed axis: the element that is read.
static std::optional<int64_t> columnOf(Context &context, const TableLoad &load) {
  ArrayRef<AxisAttr> axes = context.factsOf(load.table).axes;
  for (auto [axis, index] : llvm::zip(axes, load.load.getKids()))
    if (axis.isFixed() && context.innerSize(axes) > 1)
      return index.getValue();
  return std::nullopt;
}

// The numbers for the heads of a tile. A table without positions repeats its one.
static Value viewOf(Task &task, const TableLoad &load, int64_t heads, bool outer, Value limit, Lattice lattice) {
  Context &context = task.context;
  const Facts &facts = context.factsOf(load.table);
  AxisAttr head = facts.headAxis();
  bool repeats = !facts.position();
  int64_t group = context.ratio(head) ? heads : 1;
  Value index = task.head(head);
  return task.slice(context.role(load.table), task.batch, group == 1 ? index : task.k.floorDiv(index, group), group,
                    outer && group != 1, repeats ? Value() : limit, columnOf(context, load),
                    repeats ? Lattice() : lattice, repeats);
}

Type elementOf(Task &task, const TableLoad &load) {
  return task.context.bound.role(load.table).getIsInt() ? Type(task.k.b.getI32Type()) : task.context.f32();
}

Value loadForRows(Task &task, const Rows &rows, const TableLoad &load) {
  KernelBuilder &k = task.k;
  AxisAttr position = task.context.factsOf(load.table).position();
  Value first = rows.first, limit;
  Lattice lattice = rows.lattice;
  if (!position) {
    first = k.constant(0);
  } else if (position.isKey()) {
    first = task.rowPosition(load.row, rows.first);
    limit = task.keyCount();
    lattice = {};
  }
  Value view = viewOf(task, load, rows.heads, rows.outer, limit, lattice);
  return tile::LoadOp::create(k.b, k.loc, k.rowVector(rows.count(), elementOf(task, load)), view, first);
}

Value loadForDistances(Task &task, int64_t rows, Value first, const Columns &columns, const TableLoad &load) {
  KernelBuilder &k = task.k;
  Value view = viewOf(task, load, 1, false, task.keyCount(), {});
  Value least = k.sub(k.sub(first, columns.first), k.constant(columns.count - 1));
  return tile::LoadOp::create(k.b, k.loc, k.tile(1, rows + columns.count, elementOf(task, load)), view, least);
}

Value loadForColumns(Task &task, const Rows &rows, const Columns &columns, const TableLoad &load) {
  KernelBuilder &k = task.k;
  const Facts &facts = task.context.factsOf(load.table);
  AxisAttr axis = facts.position();
  Value limit = axis.isBlocks() ? task.storedBlocks(load.table, axis) : task.keyCount();
  if (rows.heads > 1 && task.context.ratio(facts.headAxis()) == 1) {
    Value view = viewOf(task, load, rows.heads, rows.outer, limit, columns.lattice);
    return tile::LoadOp::create(k.b, k.loc, k.tile(rows.count(), columns.count, elementOf(task, load)), view,
                                columns.first, /*turned=*/true);
  }
  Value view = viewOf(task, load, 1, false, limit, columns.lattice);
  return tile::LoadOp::create(k.b, k.loc, k.tile(1, columns.count, elementOf(task, load)), view, columns.first);
}

} // namespace sattn::lower

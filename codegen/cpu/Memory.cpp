// Slices, loads, gathers, stores and scatters: which forms a loaded tile takes follows from its uses. How rows become
// panels and back: Pack.cpp.
#include "codegen/common/ScalarOps.h"
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;

LogicalResult Lowering::lower(tile::SliceOp op) {
  const Argument &argument = arguments[op.getArg()];
  tile::ViewType type = op.getView().getType();
  View view;
  view.type = type;
  if (op.getPages())
    view.pages = pagesOf(op);
  // Across, the head is a position, and positions are heads.
  unsigned along = op.getAcross() ? 2 : 1, beside = op.getAcross() ? 1 : 2;
  Value batch = op.getPages() ? c.int64(0) : c.mul(scalar(op.getBatch()), argument.strides[0]);
  Value offset = c.add(batch, c.mul(c.mul(scalar(op.getHead()), type.getGroup()), argument.strides[beside]));
  view.base = c.at(Ptr{argument.data}, offset);
  if (op.getColumn())
    view.base = view.base.plus(static_cast<int64_t>(*op.getColumn()) * view.elementBytes());
  view.positionBytes = op.getRepeat() ? c.int64(0) : argument.strides[along];
  view.headBytes = argument.strides[beside];
  view.limit = op.getRepeat()  ? c.int64(INT64_MAX)
               : op.getPages() ? c.mul(view.pages->entries, view.pages->size)
                               : argument.counts[along];
  if (op.getLimit())
    view.limit = c.min(view.limit, scalar(op.getLimit()));
  if (op.getFrom()) {
    int64_t every = static_cast<int64_t>(*op.getEvery());
    Value from = scalar(op.getFrom());
    if (!op.getPages()) {
      view.base = c.at(view.base, c.mul(from, view.positionBytes));
      view.positionBytes = c.mul(view.positionBytes, every);
    }
    view.limit = c.floorDiv(c.add(c.sub(view.limit, from), every - 1), every);
  }
  // A negative limit is an empty view; the test for "inside" is unsigned.
  view.limit = c.max(view.limit, c.int64(0));
  views[op.getView()] = view;
  return success();
}

// Whether private memory is read and written in tiles of one extent alone, at known places side by side.
static bool holdsTiles(tile::PrivateOp op) {
  tile::ViewType type = op.getView().getType();
  int64_t held = static_cast<int64_t>(op.getPositions()) * type.getGroup(), rows = 0;
  auto fits = [&](tile::TileType tile, Value position) {
    bool isFirst = rows == 0, same = isFirst || rows == tile.getRows();
    rows = tile.getRows();
    std::optional<int64_t> known = Code::known(position);
    if (!same || !known || *known < 0 || *known > static_cast<int64_t>(op.getPositions()))
      return false;
    int64_t row = *known * type.getGroup();
    return tile.getElementType().isF32() && rows % kLanes == 0 && row % rows == 0 && row + rows <= held;
  };
  return type.getElementType().isF32() && llvm::all_of(op.getView().getUsers(), [&](Operation *user) {
           if (auto load = dyn_cast<tile::LoadOp>(user))
             return fits(load.getTile().getType(), load.getPosition());
           if (auto store = dyn_cast<tile::StoreOp>(user))
             return fits(store.getTile().getType(), store.getPosition());
           auto fill = dyn_cast<tile::FillOp>(user);
           return fill && !fill.getPositions();
         });
}

LogicalResult Lowering::lower(tile::PrivateOp op) {
  tile::ViewType type = op.getView().getType();
  int64_t positions = op.getPositions(), rowBytes;
  View view;
  view.type = type;
  if (type.getLayout())
    return unsupported(op, "private memory with a layout");
  rowBytes = type.getInner() * view.elementBytes();
  // Nobody else sees this memory, so whole tiles stay as they are, and of others the heads of a position lie as they
  // lie in a strip, if they divide it.
  view.panels = holdsTiles(op);
  view.grouped = !view.panels && !type.getOuter() && type.getGroup() <= kLanes &&
                 llvm::isPowerOf2_64(type.getGroup()) && view.elementBytes() == 4;
  view.owner = scratch.take(positions * type.getGroup() * rowBytes);
  view.base = {scratchBase, view.owner->offset};
  view.positionBytes = c.int64(rowBytes * type.getGroup());
  view.headBytes = c.int64(view.grouped ? 4 : rowBytes);
  view.limit = c.int64(positions);
  view.isPrivate = true;
  views[op.getView()] = view;
  return success();
}

// Element types that memory may have; all are float32 or int32 in scratch.
static bool storable(Type element) {
  return element.isF32() || element.isF16() || element.isBF16() || element.isInteger(32) || element.isInteger(8);
}

// A tile of private memory that holds panels.
Panels Lowering::panelsAt(const View &view, Value position, tile::TileType type) {
  Panels panels;
  panels.rows = type.getRows();
  panels.cols = type.getCols();
  panels.base = c.at(view.base, c.mul(position, view.positionBytes));
  return panels;
}

// Whether the next op that sees the memory of a loaded tile stores into it, after all uses of the tile: these may then
// change it in place.
bool Lowering::isUpdated(tile::LoadOp op) {
  Block *block = op->getBlock();
  Operation *next = nullptr;
  for (Operation *user : op.getView().getUsers()) {
    Operation *at = block->findAncestorOpInBlock(*user);
    if (at && op->isBeforeInBlock(at) && (!next || at->isBeforeInBlock(next)))
      next = at;
  }
  auto store = dyn_cast_or_null<tile::StoreOp>(next);
  return store && store.getView() == op.getView() && store.getPosition() == op.getPosition() &&
         llvm::all_of(op.getTile().getUsers(), [&](Operation *user) {
           Operation *at = block->findAncestorOpInBlock(*consumerOf(user));
           return at && (at == store || at->isBeforeInBlock(store));
         });
}

LogicalResult Lowering::lower(tile::LoadOp op) {
  const View &view = views[op.getView()];
  tile::TileType type = op.getTile().getType();
  Value position = scalar(op.getPosition());
  if (view.panels) {
    Panels stored = panelsAt(view, position, type);
    if (isUpdated(op)) {
      stored.owner = view.owner;
    } else {
      Panels own = newPanels(op.getTile());
      copy(stored, own);
      stored = own;
    }
    TileValue &value = tile(op.getTile());
    value = {};
    value.panels = stored;
    value.keys = value.values = RightOperand::of(stored);
    return success();
  }
  if (op.getTurned())
    return loadTurned(op, view, position);
  if (op.getColumns())
    return loadColumns(op, {view, position, std::nullopt, type.getCols()});
  auto layout = view.type.getLayout();
  if (!layout)
    return defineFromRows(op, op.getTile(),
                          {view, position, std::nullopt, type.getRows(), codegen::divisorOf(op.getPosition())});

  // A prepared operand stays where it is. Its position is one of whole blocks.
  if (!view.type.getElementType().isF32())
    return unsupported(op, "prepared operands of an element type other than f32");
  Ptr base = c.at(view.base, c.mul(position, type.getCols() * 4));
  RightOperand operand = layout.getAxis() == tile::PanelAxis::Rows
                             ? RightOperand::rowsBy(base, layout.getWidth(), type.getRows(), type.getCols())
                             : RightOperand::colsBy(base, layout.getWidth(), layout.getBlock(), type.getCols());
  bool arePanels = layout.getAxis() == tile::PanelAxis::Rows && layout.getWidth() == kLanes;
  for (mlir::OpOperand &use : op.getTile().getUses())
    if (!isa<tile::DotOp>(use.getOwner()) || (use.getOperandNumber() != 1 && !arePanels))
      return unsupported(use.getOwner(), "a prepared operand anywhere but on the right of a dot");
  TileValue &value = tile(op.getTile());
  value = {};
  if (arePanels)
    value.panels = Panels{base, type.getRows(), type.getCols(), {}};
  value.keys = value.values = operand;
  return success();
}

// Numbers of consecutive positions, side by side as they mostly are in memory.
LogicalResult Lowering::loadColumns(tile::LoadOp op, const RowSource &source) {
  if (!storable(source.view.type.getElementType()))
    return unsupported(op, "memory of an element type other than f32, f16, bf16, i32 and bytes");
  Panels columns = newPanels(source.rows, 1);
  tile(op.getTile()) = {};
  tile(op.getTile()).columns = columns;
  loadColumns(source, columns);
  return success();
}

void Lowering::loadColumns(const RowSource &source, const Panels &columns) {
  const View &view = source.view;
  Type element = view.type.getElementType();
  int64_t bytes = view.elementBytes();
  if (view.pages)
    return moveColumn(source, columns, /*toPanels=*/true);
  Value last = c.add(source.position, source.rows);
  Value inside = c.andi(c.lessUnsigned(source.position, view.limit), c.lessUnsigned(last, c.add(view.limit, 1)));
  auto sideBySide = [&] {
    Ptr from = c.at(view.base, c.mul(source.position, bytes));
    for (int64_t i = 0; i < source.rows; i += kLanes)
      c.storeStrip(c.loadElements(from.plus(i * bytes), element, std::min(kLanes, source.rows - i)),
                   columns.base.plus(i * 4));
  };
  c.when(c.andi(inside, c.equal(view.positionBytes, c.int64(bytes))), sideBySide,
         [&] { moveColumn(source, columns, /*toPanels=*/true); });
}

// Head by head: its numbers stand in all rows of the head.
LogicalResult Lowering::loadTurned(tile::LoadOp op, const View &view, Value position) {
  if (!storable(view.type.getElementType()))
    return unsupported(op, "memory of an element type other than f32, f16, bf16, i32 and bytes");
  tile::TileType type = op.getTile().getType();
  int64_t heads = view.type.getGroup(), positions = type.getRows() / heads;
  Panels to = newPanels(op.getTile()), line = newPanels(type.getCols(), 1);
  for (int64_t head = 0; head < heads; ++head) {
    View own = view; // of one head
    own.type = tile::ViewType::get(op.getContext(), view.type.getElementType(), 1, 1, false, tile::PanelsAttr());
    own.base = c.at(view.base, c.mul(view.headBytes, head));
    loadColumns({own, position, std::nullopt, type.getCols()}, line);
    auto isOwn = [&](int64_t row) {
      return row < type.getRows() && head == (view.type.getOuter() ? row / positions : row % heads);
    };
    c.loop(0, type.getCols(), 1, [&](Value column) {
      Ptr number = c.atScaled(line.base, column, 4);
      for (int64_t panel = 0; panel < to.count(); ++panel) {
        Ptr strip = stripAt(to, panel, column, 0);
        SmallVector<int64_t> lanes;
        for (int64_t lane = 0; lane < kLanes; ++lane)
          if (isOwn(panel * kLanes + lane))
            lanes.push_back(lane);
        if (static_cast<int64_t>(lanes.size()) == kLanes)
          c.storeStrip(c.loadBroadcast(number), strip);
        else
          for (int64_t lane : lanes)
            c.store(c.load(c.f32, number, 4), strip.plus(lane * 4), 4);
      }
    });
  }
  TileValue &value = tile(op.getTile());
  value = {};
  value.panels = to;
  return success();
}

LogicalResult Lowering::lower(tile::GatherOp op) {
  auto ids = panelsOf(op.getIds());
  if (failed(ids))
    return failure();
  return defineFromRows(op, op.getTile(), {views[op.getView()], scalar(op.getBase()), *ids, liveRows(op.getTile())});
}

LogicalResult Lowering::defineFromRows(Operation *op, Value result, const RowSource &source) {
  Type element = source.view.type.getElementType();
  if (!storable(element))
    return unsupported(op, "memory of an element type other than f32, f16, bf16, i32 and bytes");
  auto type = cast<tile::TileType>(result.getType());
  bool panels = false, keys = false, values = false;
  for (mlir::OpOperand &use : result.getUses()) {
    auto dot = dyn_cast<tile::DotOp>(use.getOwner());
    auto stores = dyn_cast<tile::StoreOp>(use.getOwner());
    if (dot && use.getOperandNumber() == 1)
      (dot.getKind() == "nn" ? values : keys) = true;
    else if (stores && stores.getView().getType().getLayout() && stores->getBlock() == result.getParentBlock() &&
             !source.view.isPrivate)
      tile(result).rows = source;
    else
      panels = true;
  }
  TileValue value;
  value.rows = tile(result).rows;
  int64_t width = c.atom.panelWidth, rows = type.getRows(), cols = type.getCols();
  // What the panels serve as well need not be packed twice.
  if (panels || (values && cols % width != 0) || source.view.grouped) {
    value.panels = newPanels(result);
    if (source.view.grouped)
      moveGroups(source, *value.panels, /*toPanels=*/true);
    else if (cols == 1)
      moveColumn(source, *value.panels, /*toPanels=*/true);
    else
      packRows(source, value.panels->base, kLanes);
    prefetchNextTask(op, source, Code::Use::Read);
    value.keys = value.values = RightOperand::of(*value.panels);
  }
  if (keys && !value.keys) {
    Owner owner = scratch.take(llvm::alignTo(rows, width) * cols * 4);
    Ptr to{scratchBase, owner->offset};
    packRows(source, to, width);
    value.keys = RightOperand::rowsBy(to, width, rows, cols, owner);
  }
  // Values that are a prefix of the keys are not packed twice.
  if (values && keys && !value.values)
    value.values = value.keys;
  if (values && !value.values) {
    int64_t block = llvm::alignTo(rows, kLanes / width);
    Owner owner = scratch.take(block * cols * 4);
    Ptr to{scratchBase, owner->offset};
    packCols(source, to, width, block);
    value.values = RightOperand::colsBy(to, width, block, cols, owner);
  }
  tile(result) = value;
  return success();
}

LogicalResult Lowering::lower(tile::StoreOp op) {
  const View &view = views[op.getView()];
  Value position = scalar(op.getPosition());
  tile::TileType type = op.getTile().getType();
  if (!storable(view.type.getElementType()))
    return unsupported(op, "memory of an element type other than f32, f16, bf16, i32 and bytes");
  if (auto layout = view.type.getLayout()) {
    if (!tile(op.getTile()).rows || !view.type.getElementType().isF32())
      return unsupported(op, "storing into a layout anything but a tile loaded in the same block, as f32");
    int64_t width = layout.getWidth();
    if (width > kLanes || !llvm::isPowerOf2_64(width))
      return unsupported(op, "panels of a width other than 1, 2, 4, 8 or 16");
    Ptr to = c.at(view.base, c.mul(position, type.getCols() * 4));
    if (layout.getAxis() == tile::PanelAxis::Rows)
      packRows(*tile(op.getTile()).rows, to, width);
    else if (layout.getBlock() % (kLanes / width) == 0)
      packCols(*tile(op.getTile()).rows, to, width, layout.getBlock());
    else
      return unsupported(op, "blocks of " + Twine(layout.getBlock()) + " keys on this target",
                         "use a multiple of " + Twine(kLanes / width));
    return success();
  }
  if (tile(op.getTile()).columns && !view.panels && !view.grouped && type.getCols() == view.type.getInner())
    return storeColumns(*tile(op.getTile()).columns, {view, position, std::nullopt, 1});
  auto panels = panelsOf(op.getTile());
  if (failed(panels))
    return failure();
  if (view.panels) {
    Panels to = panelsAt(view, position, type);
    if (panels->base.base != to.base.base || panels->base.offset != to.base.offset)
      copy(*panels, to);
    return success();
  }
  RowSource to{view, position, std::nullopt, type.getRows()};
  storePanels(*panels, to);
  prefetchNextTask(op, to, Code::Use::Write);
  return success();
}

// One row whose columns stand side by side.
LogicalResult Lowering::storeColumns(const Panels &columns, const RowSource &to) {
  const View &view = to.view;
  int64_t count = columns.rows, bytes = view.elementBytes();
  Owner line = scratch.take(llvm::alignTo(count, kLanes) * bytes);
  Ptr row{rowPointer(to, c.int64(0), c.address({scratchBase, line->offset}))};
  int64_t whole = count / kLanes * kLanes;
  auto some = [&](Value column, int64_t lanes) {
    c.storeElements(c.loadStrip(c.atScaled(columns.base, column, 4)), c.atScaled(row, column, bytes),
                    view.type.getElementType(), lanes);
  };
  c.loop(0, whole, kLanes, [&](Value column) { some(column, kLanes); });
  if (whole != count)
    some(c.int64(whole), count - whole);
  return success();
}

LogicalResult Lowering::lower(tile::ScatterOp op) {
  const View &view = views[op.getView()];
  if (!storable(view.type.getElementType()))
    return unsupported(op, "memory of an element type other than f32, f16, bf16, i32 and bytes");
  auto ids = panelsOf(op.getIds());
  auto panels = panelsOf(op.getTile());
  if (failed(ids) || failed(panels))
    return failure();
  RowSource to{view, scalar(op.getBase()), *ids, op.getTile().getType().getRows()};
  storePanels(*panels, to);
  return success();
}

LogicalResult Lowering::lower(tile::PrefetchOp op) {
  const View &view = views[op.getView()];
  Value first = scalar(op.getPosition());
  c.loop(0, static_cast<int64_t>(op.getCount()), 1, [&](Value row) {
    Value position = c.add(first, row);
    Ptr at = view.pages ? Ptr{placeInPages(view, position, c.lessUnsigned(position, view.limit)).first}
                        : c.at(view.base, c.mul(position, view.positionBytes));
    c.prefetchRow(at, view.type.getInner() * view.elementBytes());
  });
  return success();
}

LogicalResult Lowering::lower(tile::FillOp op) {
  const View &view = views[op.getView()];
  Value positions = op.getPositions() ? c.min(c.max(scalar(op.getPositions()), c.int64(0)), view.limit) : view.limit;
  Value floats = c.mul(positions, view.type.getGroup() * view.type.getInner());
  Value strip = c.broadcast(scalar(op.getValue()));
  // Scratch ranges are whole lines, so the last strip may run past the end.
  c.loop(c.int64(0), c.floorDiv(c.add(floats, kLanes - 1), kLanes), 1,
         [&](Value i) { c.storeStrip(strip, c.atScaled(view.base, i, kLanes * 4)); });
  return success();
}

// Rows of memory to panels and back, 16 columns at a time through shuffles in registers, with the element types
// converted on the way. Rows that do not exist are read from a line of zeros and written to a line nobody reads, so
// that there is one path without branches.
#include "codegen/cpu/Lowering.h"
#include "codegen/cpu/Shuffles.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/FormatVariadic.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

//===-- Rows --------------------------------------------------------------------------------------------===//

// Row r of a tile is a position and a head of the group (types in TileTypes.td).
Value Lowering::rowPointer(const RowSource &source, Value row, Value outside) {
  const View &view = source.view;
  int64_t group = view.type.getGroup(), positions = source.rows / group;
  Value index = row, head = c.int64(0);
  if (group != 1 && view.type.getOuter()) {
    index = c.mod(row, positions);
    head = c.floorDiv(row, positions);
  } else if (group != 1) {
    index = c.floorDiv(row, group);
    head = c.sub(row, c.mul(index, group));
  }
  Value position = c.add(source.position, index), inside;
  if (source.ids) {
    Value id = arith::ExtSIOp::create(c.b, c.i64, c.load(c.i32, c.atScaled(source.ids->base, index, 4), 4));
    position = c.add(source.position, id);
    inside = c.andi(arith::CmpIOp::create(c.b, arith::CmpIPredicate::sge, id, c.int64(0)),
                    c.lessUnsigned(position, view.limit));
  } else {
    inside = c.lessUnsigned(position, view.limit);
  }
  auto known = Code::known(row);
  if (!known && source.rows % kLanes != 0)
    inside = c.andi(inside, c.less(row, c.int64(source.rows)));
  else if (known && *known >= source.rows)
    return outside;
  if (view.pages) {
    View ofHead = view;
    ofHead.base = c.at(view.base, c.mul(head, view.headBytes));
    return pagedPointer(ofHead, position, inside, outside);
  }
  Value offset = c.add(c.mul(position, view.positionBytes), c.mul(head, view.headBytes));
  return c.select(inside, c.at(c.address(view.base), offset), outside);
}

constexpr int64_t kPointer = 8;

// Rows first, first + step, .. with `first` a multiple of `count` where `step` is 1. Where the heads of a position do
// not divide a strip, rows have nothing in common: a loop finds them with one copy of the divisions and bounds.
Values Lowering::rowPointers(const RowSource &source, Value first, int64_t step, int64_t count, Value outside) {
  constexpr int64_t few = 4;
  Values pointers;
  if (step == 1 && sharePage(source, count))
    return rowsOfPage(source, first, count, outside, /*allInside=*/false);
  if (count <= few || llvm::isPowerOf2_64(source.view.type.getGroup())) {
    for (int64_t r = 0; r < count; ++r)
      pointers.push_back(rowPointer(source, c.add(first, r * step), outside));
    return pointers;
  }
  Owner owner = scratch.take(count * kPointer);
  Ptr table{scratchBase, owner->offset};
  tabulateRows(source, first, step, count, outside, table);
  for (int64_t r = 0; r < count; ++r)
    pointers.push_back(c.load(c.ptr, table.plus(r * kPointer), kPointer));
  return pointers;
}

// Where rows share a page or a position, straight code computes its address once.
void Lowering::tabulateRows(const RowSource &source, Value first, int64_t step, int64_t count, Value outside,
                            Ptr table) {
  int64_t group = source.view.type.getGroup();
  if (step == 1 && (sharePage(source, count) || (group > 2 && llvm::isPowerOf2_64(group)))) {
    for (auto [r, pointer] : llvm::enumerate(rowPointers(source, first, step, count, outside)))
      c.store(pointer, table.plus(static_cast<int64_t>(r) * kPointer), kPointer);
    return;
  }
  c.loop(c.int64(0), c.int64(count), 1, [&](Value r) {
    Value pointer = rowPointer(source, c.add(first, step == 1 ? r : c.mul(r, step)), outside);
    c.store(pointer, c.atScaled(table, r, kPointer), kPointer);
  });
}

// Runs `body` for columns 0, 16, .. with the number of columns that exist there.
static void forColumnBlocks(Code &c, int64_t cols, llvm::function_ref<void(Value, int64_t)> body) {
  int64_t whole = cols / kLanes * kLanes;
  c.loop(0, whole, kLanes, [&](Value column) { body(column, kLanes); });
  if (whole != cols)
    body(c.int64(whole), cols - whole);
}

//===-- Memory to panels --------------------------------------------------------------------------------===//

// Rows at `pointers` to a panel as wide as there are rows.
static void packPanel(Code &c, ValueRange pointers, Ptr panel, int64_t cols, Type element) {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8, width = static_cast<int64_t>(pointers.size());
  forColumnBlocks(c, cols, [&](Value column, int64_t count) {
    Values rows;
    for (Value pointer : pointers)
      rows.push_back(c.loadElements(c.atScaled(Ptr{pointer}, column, bytes), element, count));
    Ptr block = c.atScaled(panel, column, width * 4);
    int64_t left = count * width;
    for (Value strip : interleave(c, rows)) {
      if (left > 0)
        c.storeElements(strip, block, c.f32, std::min(left, kLanes));
      block = block.plus(kLanes * 4);
      left -= kLanes;
    }
  });
}

// The rows of a panel to `pointers`.
static void unpackPanel(Code &c, ValueRange pointers, Ptr panel, int64_t cols, Type element) {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  forColumnBlocks(c, cols, [&](Value column, int64_t count) {
    Values columns;
    for (int64_t i = 0; i < kLanes; ++i)
      columns.push_back(i < count ? c.loadStrip(c.atScaled(panel.plus(i * kLanes * 4), column, kLanes * 4)) : c.zero());
    for (auto [pointer, row] : llvm::zip(pointers, interleave(c, columns)))
      c.storeElements(row, c.atScaled(Ptr{pointer}, column, bytes), element, count);
  });
}

// Runs `move` for each panel with pointers to its rows or positions. Transposing many is the longest straight code
// there is and stands in a function, whatever tiles come that way.
void Lowering::forPanels(const RowSource &rows, const Panels &panels, int64_t step, int64_t count, Value outside,
                         StringRef name, llvm::function_ref<void(Code &, ValueRange, Ptr)> move) {
  constexpr int64_t many = 8;
  Owner owner = scratch.take(count * kPointer);
  Ptr table{scratchBase, owner->offset};
  c.loop(0, panels.count(), 1, [&](Value panel) {
    Value first = c.mul(panel, kLanes);
    Ptr strips = c.atScaled(panels.base, panel, panels.panelBytes());
    if (count < many)
      return move(c, rowPointers(rows, first, step, count, outside), strips);
    tabulateRows(rows, first, step, count, outside, table);
    c.call(name, {c.address(table), c.address(strips)}, [&](Code &inner, ValueRange arguments) {
      Values pointers;
      for (int64_t r = 0; r < count; ++r)
        pointers.push_back(inner.load(inner.ptr, Ptr{arguments[0]}.plus(r * kPointer), kPointer));
      move(inner, pointers, Ptr{arguments[1]});
    });
  });
}

// What a function is for, with what makes it different from others.
static std::string nameOf(StringRef what, int64_t cols, Type element) {
  std::string name;
  llvm::raw_string_ostream(name) << what << "_" << cols << "x" << element;
  return name;
}

void Lowering::packRows(const RowSource &source, Ptr to, int64_t width) {
  int64_t cols = source.view.type.getInner();
  Type element = source.view.type.getElementType();
  Value zeros = c.address(c.zeros(cols * source.view.elementBytes()));
  if (width == kLanes)
    return forPanels(source, {to, source.rows, cols, {}}, 1, kLanes, zeros, nameOf("pack", cols, element),
                     [&](Code &code, ValueRange rows, Ptr panel) { packPanel(code, rows, panel, cols, element); });
  c.loop(0, llvm::alignTo(source.rows, width), width, [&](Value first) {
    packPanel(c, rowPointers(source, first, 1, width, zeros), c.atScaled(to, first, cols * 4), cols, element);
  });
}

void Lowering::packCols(const RowSource &source, Ptr to, int64_t width, int64_t block) {
  int64_t cols = source.view.type.getInner(), bytes = source.view.elementBytes(), group = kLanes / width;
  Type element = source.view.type.getElementType();
  Value zeros = c.address(c.zeros(cols * bytes));
  c.loop(0, llvm::alignTo(source.rows, group), group, [&](Value first) {
    Values pointers = rowPointers(source, first, 1, group, zeros);
    Ptr place = source.rows <= block ? c.atScaled(to, first, width * 4)
                                     : c.atScaled(c.atScaled(to, c.floorDiv(first, block), block * cols * 4),
                                                  c.mod(first, block), width * 4);
    forColumnBlocks(c, cols, [&](Value column, int64_t count) {
      Values rows;
      for (Value pointer : pointers)
        rows.push_back(c.loadElements(c.atScaled(Ptr{pointer}, column, bytes), element, count));
      Ptr panel = c.atScaled(place, column, block * 4);
      for (auto [j, strip] : llvm::enumerate(transposeChunks(c, rows, width)))
        if (static_cast<int64_t>(j) * width < count)
          c.storeElements(strip, panel.plus(static_cast<int64_t>(j) * block * width * 4), c.f32, kLanes);
    });
  });
}

//===-- Panels to memory --------------------------------------------------------------------------------===//

void Lowering::unpackRows(const Panels &from, const RowSource &to) {
  Type element = to.view.type.getElementType();
  Owner line = scratch.take(llvm::alignTo(from.cols, kLanes) * to.view.elementBytes());
  forPanels(to, from, 1, kLanes, c.address({scratchBase, line->offset}), nameOf("unpack", from.cols, element),
            [&](Code &code, ValueRange rows, Ptr panel) { unpackPanel(code, rows, panel, from.cols, element); });
}

void Lowering::storePanels(const Panels &panels, const RowSource &to) {
  if (to.view.grouped)
    moveGroups(to, panels, /*toPanels=*/false);
  else if (panels.cols == 1)
    moveColumn(to, panels, /*toPanels=*/false);
  else
    unpackRows(panels, to);
}

// The heads of a position are a chunk of each strip, so a panel is 16 / heads positions with their chunks transposed.
static void moveChunks(Code &c, ValueRange pointers, Ptr panel, int64_t cols, bool toPanel) {
  int64_t positions = static_cast<int64_t>(pointers.size()), group = kLanes / positions;
  auto block = [&](Value column, int64_t count) {
    auto placeOf = [&](Value pointer) { return c.atScaled(Ptr{pointer}, column, group * 4); };
    auto stripOf = [&](int64_t i) { return c.atScaled(panel.plus(i * kLanes * 4), column, kLanes * 4); };
    Values vectors;
    if (toPanel) {
      for (Value pointer : pointers)
        vectors.push_back(c.loadElements(placeOf(pointer), c.f32, count * group));
      for (auto [i, strip] : llvm::enumerate(transposeChunks(c, vectors, group)))
        if (static_cast<int64_t>(i) < count)
          c.storeStrip(strip, stripOf(static_cast<int64_t>(i)));
      return;
    }
    for (int64_t i = 0; i < positions; ++i)
      vectors.push_back(i < count ? c.loadStrip(stripOf(i)) : c.zero());
    for (auto [pointer, chunks] : llvm::zip(pointers, transposeChunks(c, vectors, group)))
      c.storeElements(chunks, placeOf(pointer), c.f32, count * group);
  };
  int64_t whole = cols / positions * positions;
  c.loop(0, whole, positions, [&](Value column) { block(column, positions); });
  if (whole != cols)
    block(c.int64(whole), cols - whole);
}

void Lowering::moveGroups(const RowSource &source, const Panels &panels, bool toPanels) {
  int64_t group = source.view.type.getGroup(), positions = kLanes / group, cols = panels.cols;
  int64_t lineBytes = llvm::alignTo(cols, positions) * group * 4;
  Owner line = toPanels ? Owner() : scratch.take(lineBytes);
  Value other = toPanels ? c.address(c.zeros(lineBytes)) : c.address({scratchBase, line->offset});
  auto move = [&](Code &code, ValueRange pointers, Ptr panel) { moveChunks(code, pointers, panel, cols, toPanels); };
  std::string name = llvm::formatv("{0}_{1}_of_{2}", toPanels ? "gather" : "scatter", cols, positions);
  forPanels(source, panels, group, positions, other, name, move);
}

// Row vectors: one element of each row, one at a time.
void Lowering::moveColumn(const RowSource &source, const Panels &panels, bool toPanels) {
  Type element = source.view.type.getElementType();
  int64_t bytes = source.view.elementBytes();
  Owner line = scratch.take(64);
  Value other = toPanels ? c.address(c.zeros(64)) : c.address({scratchBase, line->offset});
  c.loop(0, source.rows, 1, [&](Value row) {
    Ptr pointer{rowPointer(source, row, other)};
    Ptr lane = c.atScaled(panels.base, row, 4);
    if (bytes == 4) {
      toPanels ? c.store(c.load(c.i32, pointer, 4), lane, 4) : c.store(c.load(c.i32, lane, 4), pointer, 4);
      return;
    }
    // The strip conversions serve here too, on one live lane.
    Type narrow = c.b.getIntegerType(8 * bytes);
    auto narrowType = VectorType::get({kLanes}, narrow);
    Value none = arith::ConstantOp::create(c.b, narrowType, c.b.getZeroAttr(narrowType));
    if (toPanels) {
      Value raw = LLVM::InsertElementOp::create(c.b, none, c.load(narrow, pointer, bytes), c.int64(0));
      c.store(LLVM::ExtractElementOp::create(c.b, c.widen(raw, element), c.int64(0)), lane, 4);
    } else {
      Value wide = LLVM::InsertElementOp::create(c.b, c.zero(), c.load(c.f32, lane, 4), c.int64(0));
      c.store(LLVM::ExtractElementOp::create(c.b, c.narrow(wide, element), c.int64(0)), pointer, bytes);
    }
  });
}

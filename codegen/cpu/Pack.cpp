// Rows of memory to panels and back, 16 columns at a time through shuffles in registers, with the element types
// converted on the way. Rows that do not exist are read from a line of zeros and written to a line nobody reads, so
// that there is one path without branches.
#include "codegen/cpu/Lowering.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

//===-- Shuffles ----------------------------------------------------------------------------------------===//

// w rows of 16 columns to w strips that hold column by column: element c*w + r. Each round interleaves pairs.
static Values interleave(Code &c, ArrayRef<Value> rows) {
  if (rows.size() == 1)
    return Values(rows);
  Values even, odd, result;
  for (size_t r = 0; r < rows.size(); r += 2) {
    even.push_back(rows[r]);
    odd.push_back(rows[r + 1]);
  }
  even = interleave(c, even);
  odd = interleave(c, odd);
  SmallVector<int32_t> low, high;
  for (int32_t lane = 0; lane < kLanes / 2; ++lane) {
    low.append({lane, lane + static_cast<int32_t>(kLanes)});
    high.append({lane + 8, lane + 8 + static_cast<int32_t>(kLanes)});
  }
  for (auto [x, y] : llvm::zip(even, odd)) {
    result.push_back(c.shuffle(x, y, low));
    result.push_back(c.shuffle(x, y, high));
  }
  return result;
}

// 16 / w rows, each seen as 16 / w chunks of w columns, transposed chunk-wise: strip j holds chunk j of every row.
static Values transposeChunks(Code &c, ArrayRef<Value> rows, int64_t width) {
  if (rows.size() == 1)
    return Values(rows);
  SmallVector<int32_t> evenChunks, oddChunks;
  for (int32_t chunk = 0; chunk < 2 * kLanes / width; ++chunk)
    for (int32_t i = 0; i < width; ++i)
      (chunk % 2 == 0 ? evenChunks : oddChunks).push_back(chunk * static_cast<int32_t>(width) + i);
  Values even, odd, result;
  for (size_t r = 0; r < rows.size(); r += 2) {
    even.push_back(c.shuffle(rows[r], rows[r + 1], evenChunks));
    odd.push_back(c.shuffle(rows[r], rows[r + 1], oddChunks));
  }
  even = transposeChunks(c, even, width);
  odd = transposeChunks(c, odd, width);
  for (auto [x, y] : llvm::zip(even, odd)) {
    result.push_back(x);
    result.push_back(y);
  }
  return result;
}

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
  if (view.pages)
    return pagedPointer(view, position, inside, outside);
  Value offset = c.add(c.mul(position, view.positionBytes), c.mul(head, view.headBytes));
  return c.select(inside, c.at(c.address(view.base), offset), outside);
}

// Rows first, first + step, .. with `first` a multiple of `count` where `step` is 1. Where the heads of a position do
// not divide a strip, rows have nothing in common: a loop finds them with one copy of the divisions and bounds, which
// 16 times over would be most of a kernel's instructions.
Values Lowering::rowPointers(const RowSource &source, Value first, int64_t step, int64_t count, Value outside) {
  constexpr int64_t few = 4, bytes = 8;
  Values pointers;
  if (step == 1 && sharePage(source, count))
    return rowsOfPage(source, first, count, outside, /*allInside=*/false);
  if (count <= few || llvm::isPowerOf2_64(source.view.type.getGroup())) {
    for (int64_t r = 0; r < count; ++r)
      pointers.push_back(rowPointer(source, c.add(first, r * step), outside));
    return pointers;
  }
  Owner owner = scratch.take(count * bytes);
  Ptr table{scratchBase, owner->offset};
  c.loop(c.int64(0), c.int64(count), 1, [&](Value r) {
    c.store(rowPointer(source, c.add(first, c.mul(r, step)), outside), c.atScaled(table, r, bytes), bytes);
  });
  for (int64_t r = 0; r < count; ++r)
    pointers.push_back(c.load(outside.getType(), table.plus(r * bytes), bytes));
  return pointers;
}

// `count` columns (at most 16) of a row as float32 or int32 lanes, the rest zero.
Value Lowering::loadElements(Ptr pointer, Type element, int64_t count) {
  bool wide = element.getIntOrFloatBitWidth() == 32;
  auto type = VectorType::get({kLanes}, wide ? Type(c.f32) : Type(c.i16));
  int64_t alignment = wide ? 4 : 2;
  Value raw;
  if (count == kLanes) {
    raw = c.load(type, pointer, alignment);
  } else if (c.atom.maskedMemory) {
    Value none = arith::ConstantOp::create(c.b, type, c.b.getZeroAttr(type));
    raw = LLVM::MaskedLoadOp::create(c.b, type, c.address(pointer), c.lanesBelow(count), none,
                                     static_cast<uint32_t>(alignment));
  } else {
    raw = arith::ConstantOp::create(c.b, type, c.b.getZeroAttr(type));
    for (int64_t lane = 0; lane < count; ++lane)
      raw = LLVM::InsertElementOp::create(
          c.b, raw, c.load(type.getElementType(), pointer.plus(lane * alignment), alignment), c.int64(lane));
  }
  return wide ? raw : c.widen(raw, element);
}

void Lowering::storeElements(Value strip, Ptr pointer, Type element, int64_t count) {
  bool wide = element.getIntOrFloatBitWidth() == 32;
  int64_t alignment = wide ? 4 : 2;
  Value raw = wide ? strip : c.narrow(strip, element);
  // One lane is stored as a scalar: LLVM 22 turns a masked store of one truncated lane into a store of the wide lane.
  if (count == kLanes) {
    c.store(raw, pointer, alignment);
  } else if (c.atom.maskedMemory && count != 1) {
    LLVM::MaskedStoreOp::create(c.b, raw, c.address(pointer), c.lanesBelow(count), static_cast<uint32_t>(alignment));
  } else {
    for (int64_t lane = 0; lane < count; ++lane)
      c.store(LLVM::ExtractElementOp::create(c.b, raw, c.int64(lane)), pointer.plus(lane * alignment), alignment);
  }
}

// Runs `body` for columns 0, 16, .. with the number of columns that exist there.
static void forColumnBlocks(Code &c, int64_t cols, llvm::function_ref<void(Value, int64_t)> body) {
  int64_t whole = cols / kLanes * kLanes;
  c.loop(0, whole, kLanes, [&](Value column) { body(column, kLanes); });
  if (whole != cols)
    body(c.int64(whole), cols - whole);
}

//===-- Memory to panels --------------------------------------------------------------------------------===//

void Lowering::packRows(const RowSource &source, Ptr to, int64_t width) {
  int64_t cols = source.view.type.getInner(), bytes = source.view.elementBytes();
  Type element = source.view.type.getElementType();
  Value zeros = c.address(c.zeros(cols * bytes));
  c.loop(0, llvm::alignTo(source.rows, width), width, [&](Value first) {
    Values pointers = rowPointers(source, first, 1, width, zeros);
    Ptr panel = c.atScaled(to, first, cols * 4);
    forColumnBlocks(c, cols, [&](Value column, int64_t count) {
      Values rows;
      for (Value pointer : pointers)
        rows.push_back(loadElements(c.atScaled(Ptr{pointer}, column, bytes), element, count));
      Ptr block = c.atScaled(panel, column, width * 4);
      int64_t left = count * width;
      for (Value strip : interleave(c, rows)) {
        if (left > 0)
          storeElements(strip, block, c.f32, std::min(left, kLanes));
        block = block.plus(kLanes * 4);
        left -= kLanes;
      }
    });
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
        rows.push_back(loadElements(c.atScaled(Ptr{pointer}, column, bytes), element, count));
      Ptr panel = c.atScaled(place, column, block * 4);
      for (auto [j, strip] : llvm::enumerate(transposeChunks(c, rows, width)))
        if (static_cast<int64_t>(j) * width < count)
          storeElements(strip, panel.plus(static_cast<int64_t>(j) * block * width * 4), c.f32, kLanes);
    });
  });
}

//===-- Panels to memory --------------------------------------------------------------------------------===//

void Lowering::unpackRows(const Panels &from, const RowSource &to) {
  int64_t cols = from.cols, bytes = to.view.elementBytes();
  Type element = to.view.type.getElementType();
  Owner line = scratch.take(llvm::alignTo(cols, kLanes) * bytes);
  Value nowhere = c.address({scratchBase, line->offset});
  c.loop(0, from.count(), 1, [&](Value panel) {
    Values pointers = rowPointers(to, c.mul(panel, kLanes), 1, kLanes, nowhere);
    Ptr strips = c.atScaled(from.base, panel, from.panelBytes());
    forColumnBlocks(c, cols, [&](Value column, int64_t count) {
      Values columns;
      for (int64_t i = 0; i < kLanes; ++i)
        columns.push_back(i < count ? c.loadStrip(c.atScaled(strips.plus(i * kLanes * 4), column, kLanes * 4))
                                    : c.zero());
      for (auto [pointer, row] : llvm::zip(pointers, interleave(c, columns)))
        storeElements(row, c.atScaled(Ptr{pointer}, column, bytes), element, count);
    });
  });
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
void Lowering::moveGroups(const RowSource &source, const Panels &panels, bool toPanels) {
  int64_t group = source.view.type.getGroup(), positions = kLanes / group, cols = panels.cols;
  int64_t lineBytes = llvm::alignTo(cols, positions) * group * 4;
  Owner line = toPanels ? Owner() : scratch.take(lineBytes);
  Value other = toPanels ? c.address(c.zeros(lineBytes)) : c.address({scratchBase, line->offset});
  c.loop(0, panels.count(), 1, [&](Value panel) {
    Values pointers = rowPointers(source, c.mul(panel, kLanes), group, positions, other);
    Ptr strips = c.atScaled(panels.base, panel, panels.panelBytes());
    auto block = [&](Value column, int64_t count) {
      auto placeOf = [&](Value pointer) { return c.atScaled(Ptr{pointer}, column, group * 4); };
      auto stripOf = [&](int64_t i) { return c.atScaled(strips.plus(i * kLanes * 4), column, kLanes * 4); };
      Values vectors;
      if (toPanels) {
        for (Value pointer : pointers)
          vectors.push_back(loadElements(placeOf(pointer), c.f32, count * group));
        for (auto [i, strip] : llvm::enumerate(transposeChunks(c, vectors, group)))
          if (static_cast<int64_t>(i) < count)
            c.storeStrip(strip, stripOf(static_cast<int64_t>(i)));
        return;
      }
      for (int64_t i = 0; i < positions; ++i)
        vectors.push_back(i < count ? c.loadStrip(stripOf(i)) : c.zero());
      for (auto [pointer, chunks] : llvm::zip(pointers, transposeChunks(c, vectors, group)))
        storeElements(chunks, placeOf(pointer), c.f32, count * group);
    };
    int64_t whole = cols / positions * positions;
    c.loop(0, whole, positions, [&](Value column) { block(column, positions); });
    if (whole != cols)
      block(c.int64(whole), cols - whole);
  });
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
    auto narrowType = VectorType::get({kLanes}, c.i16);
    Value none = arith::ConstantOp::create(c.b, narrowType, c.b.getZeroAttr(narrowType));
    if (toPanels) {
      Value raw = LLVM::InsertElementOp::create(c.b, none, c.load(c.i16, pointer, 2), c.int64(0));
      c.store(LLVM::ExtractElementOp::create(c.b, c.widen(raw, element), c.int64(0)), lane, 4);
    } else {
      Value wide = LLVM::InsertElementOp::create(c.b, c.zero(), c.load(c.f32, lane, 4), c.int64(0));
      c.store(LLVM::ExtractElementOp::create(c.b, c.narrow(wide, element), c.int64(0)), pointer, 2);
    }
  });
}

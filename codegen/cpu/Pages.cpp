// Views into pools of pages: position p is position p mod P of page table[p floordiv P]. Pages that the pool does not
// have are never read, whatever the table says. Neighbours that share a page share the look-up.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

static constexpr int64_t kEntry = 4; ///< bytes of an entry of a table

Pages Lowering::pagesOf(tile::SliceOp op) {
  const Argument &pool = arguments[op.getArg()], &table = arguments[op.getPages()];
  Pages pages;
  pages.size = static_cast<int64_t>(*op.getPage());
  pages.table = c.at(Ptr{table.data}, c.mul(scalar(op.getBatch()), table.strides[0]));
  pages.entries = table.counts[1];
  pages.entryBytes = table.strides[1];
  pages.count = pool.counts[0];
  pages.pageBytes = pool.strides[0];
  if (op.getFrom()) {
    pages.from = scalar(op.getFrom());
    pages.every = static_cast<int64_t>(*op.getEvery());
  }
  return pages;
}

std::pair<Value, Value> Lowering::placeInPages(const View &view, Value position, Value inside) {
  const Pages &pages = *view.pages;
  Value at = pages.from ? c.add(pages.from, c.mul(position, pages.every)) : position;
  Value entry = arith::DivUIOp::create(c.b, at, c.int64(pages.size));
  Value row = c.sub(at, c.mul(entry, pages.size));
  Value named = c.address(c.at(pages.table, c.mul(entry, pages.entryBytes)));
  if (inside)
    named = c.select(inside, named, c.address(c.zeros(kEntry)));
  Value page = arith::ExtSIOp::create(c.b, c.i64, c.load(c.i32, Ptr{named}, kEntry));
  Value place = c.address(c.at(view.base, c.add(c.mul(page, pages.pageBytes), c.mul(row, view.positionBytes))));
  return {place, c.lessUnsigned(page, pages.count)};
}

Value Lowering::pagedPointer(const View &view, Value position, Value inside, Value outside) {
  auto [place, exists] = placeInPages(view, position, inside);
  return c.select(c.andi(inside, exists), place, outside);
}

bool Lowering::sharePage(const RowSource &source, int64_t count) {
  const View &view = source.view;
  return view.pages && !view.pages->from && !source.ids && view.type.getGroup() == 1 && view.pages->size % count == 0 &&
         source.divisor % count == 0 && source.rows % count == 0;
}

Values Lowering::rowsOfPage(const RowSource &source, Value first, int64_t count, Value outside, bool allInside) {
  const View &view = source.view;
  Value position = c.add(source.position, first);
  Value inside = allInside ? Value() : c.lessUnsigned(position, view.limit);
  auto [place, exists] = placeInPages(view, position, inside);
  Values rows;
  if (allInside) {
    Value row = c.select(exists, place, outside), step = c.select(exists, view.positionBytes, c.int64(0));
    for (int64_t i = 0; i < count; ++i, row = c.at(row, step))
      rows.push_back(row);
    return rows;
  }
  exists = c.andi(exists, inside);
  Value left = c.select(exists, c.sub(view.limit, position), c.int64(0));
  for (int64_t i = 0; i < count; ++i, place = c.at(place, view.positionBytes))
    rows.push_back(c.select(c.less(c.int64(i), left), place, outside));
  return rows;
}

SmallVector<Ptr> Lowering::pagedRowsAhead(const RightRows &right, Value first, int64_t count, int64_t ahead) {
  const RowSource &source = right.source;
  const View &view = source.view;
  Value position = c.add(c.add(source.position, first), ahead);
  // The last tile has no next one; its look-ups stay within the table.
  Value last = c.add(c.mul(view.pages->entries, view.pages->size), -1);
  SmallVector<Ptr> rows;
  if (sharePage(source, count) && ahead % count == 0) {
    Value row = placeInPages(view, c.min(position, last)).first;
    for (int64_t i = 0; i < count; ++i, row = c.at(row, view.positionBytes))
      rows.push_back(Ptr{row});
    return rows;
  }
  for (int64_t i = 0; i < count; ++i)
    rows.push_back(Ptr{placeInPages(view, c.min(c.add(position, i), last)).first});
  return rows;
}

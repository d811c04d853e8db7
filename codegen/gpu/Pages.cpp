// Views into pools of pages: position p is position p mod P of page table[p floordiv P]. Pages that the pool does not
// have are never read, whatever the table says: a table in the memory of a device is seen by nobody before.
#include "codegen/gpu/Lowering.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

static constexpr int64_t kEntry = 4; ///< bytes of an entry of a table

Pages Lowering::pagesOf(tile::SliceOp op) {
  const Argument &pool = arguments[op.getArg()], &table = arguments[op.getPages()];
  Pages pages;
  pages.size = static_cast<int64_t>(*op.getPage());
  pages.table = c.at(table.data, c.mul(scalar(op.getBatch()), table.strides[0]));
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

PagePlace Lowering::placeInPages(const View &view, Value position, Value inside) {
  const Pages &pages = *view.pages;
  Value at = pages.from ? c.add(pages.from, c.mul(position, pages.every)) : position;
  Value entry = arith::DivUIOp::create(c.b, at, c.int64(pages.size));
  PagePlace place;
  place.row = c.sub(at, c.mul(entry, pages.size));
  place.page = c.when(
      inside, {Type(c.i32)},
      [&] { return Values{c.load(c.i32, c.at(pages.table, c.mul(entry, pages.entryBytes)), kEntry)}; },
      [&] { return Values{c.int32(-1)}; })[0];
  Value page = arith::ExtSIOp::create(c.b, c.i64, place.page);
  place.exists = c.lessUnsigned(page, pages.count);
  place.pointer = c.at(view.base, c.add(c.mul(page, pages.pageBytes), c.mul(place.row, view.positionBytes)));
  return place;
}

bool Lowering::staysInPage(int64_t page, int64_t divisor, int64_t rows) {
  return page % rows == 0 && divisor % rows == 0;
}

RowSource Lowering::inItsPage(const RowSource &source) {
  RowSource moved = source;
  View &view = moved.view;
  PagePlace place = placeInPages(view, source.position, c.lessUnsigned(source.position, view.limit));
  view.base = c.at(place.pointer, c.sub(c.int64(0), c.mul(source.position, view.positionBytes)));
  view.limit = c.select(place.exists, view.limit, c.int64(0));
  view.pages = std::nullopt;
  return moved;
}

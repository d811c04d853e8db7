// Memory ops of a task: slices, loads, stores, listed rows, block means.
#include "lib/reference/Partials.h"
#include "lib/reference/TileTask.h"
#include <algorithm>
#include <cmath>

namespace sattn::ref {
using namespace tile;

int64_t View::place(int64_t position, int64_t g) const {
  const Memory &memory = *of.memory;
  if (across) {
    int64_t p = of.hasPositions ? from : 0, b = of.hasBatch ? batch : 0;
    bool exists = position >= 0 && position < std::min(limit, memory.heads) && p >= 0 && p < memory.positions &&
                  b >= 0 && b < memory.batch;
    return exists ? memory.row(b, position, p) * memory.inner + column : -1;
  }
  int64_t b = of.hasBatch ? batch : 0, head = of.hasHeads ? firstHead + g : 0,
          p = of.hasPositions ? from + every * position : 0;
  if ((of.hasPositions && position < 0) || p < 0 || p >= limit)
    return -1;
  if (pages) {
    const Memory &table = *pages->table.memory;
    int64_t entry = p / pages->size;
    if (b < 0 || b >= table.batch || entry >= table.positions)
      return -1;
    b = static_cast<int64_t>(table.data[table.row(b, 0, entry)]);
    p %= pages->size;
  }
  if (b < 0 || b >= memory.batch || head < 0 || head >= memory.heads || p >= memory.positions)
    return -1;
  return memory.row(b, head, p) * memory.inner + column;
}

void TileTask::readRow(const View &view, int64_t position, int64_t head, Tile &tile, int64_t row) {
  int64_t from = view.place(position, head);
  for (int64_t c = 0; c < tile.cols; ++c)
    tile.at(row, c) = from < 0 ? dead() : view.of.memory->data[from + c];
}

void TileTask::writeRow(const View &view, int64_t position, int64_t head, const Tile &tile, int64_t row) {
  int64_t into = view.place(position, head);
  if (into < 0)
    return;
  Memory &memory = *view.of.memory;
  for (int64_t c = 0; c < tile.cols; ++c) {
    int64_t &writer = memory.writer[into + c];
    if (writer >= 0 && writer != number) {
      errors.fail() << "two tasks of one launch write position " << position << " of '" << memory.name << "'";
      return;
    }
    writer = number;
    memory.data[into + c] = tile.at(row, c);
  }
}

static Tile blank(TileType type) { return Tile::filled(type.getRows(), type.getCols(), notWritten); }

void TileTask::run(SliceOp op) {
  View view;
  view.of = values.get<Operand>(op.getArg());
  view.batch = values.index(op.getBatch());
  view.group = op.getView().getType().getGroup();
  view.outer = op.getView().getType().getOuter();
  view.firstHead = values.index(op.getHead()) * view.group;
  view.column = op.getColumn().value_or(0);
  view.inner = op.getView().getType().getInner();
  view.across = op.getAcross();
  view.limit = view.across ? view.of.memory->heads : view.of.memory->positions;
  if (op.getPages()) {
    view.pages = Pages{values.get<Operand>(op.getPages()), static_cast<int64_t>(*op.getPage())};
    view.limit = view.pages->table.memory->positions * view.pages->size;
  }
  if (op.getLimit())
    view.limit = values.index(op.getLimit());
  view.every = op.getRepeat() ? 0 : op.getEvery().value_or(1);
  view.from = view.across ? values.index(op.getHead()) : op.getFrom() ? values.index(op.getFrom()) : 0;
  values.set(op.getView(), std::move(view));
}

void TileTask::run(PrivateOp op) {
  ViewType type = op.getView().getType();
  auto memory = std::make_shared<Memory>();
  memory->name = "private";
  memory->heads = type.getGroup();
  memory->positions = op.getPositions();
  memory->inner = type.getInner();
  memory->data.assign(memory->heads * memory->positions * memory->inner, notWritten);
  memory->writer.assign(memory->data.size(), -1);
  View view;
  view.inner = memory->inner;
  view.limit = memory->positions;
  view.of.memory = std::move(memory);
  view.group = type.getGroup();
  view.outer = type.getOuter();
  values.set(op.getView(), std::move(view));
}

void TileTask::run(LoadOp op) {
  const View &view = values.get<View>(op.getView());
  Tile tile = blank(op.getTile().getType());
  int64_t positions = tile.rows / view.group, first = values.index(op.getPosition());
  bool turned = op.getTurned() || op.getColumns();
  for (int64_t r = 0; turned && r < tile.rows; ++r)
    for (int64_t c = 0; c < tile.cols; ++c) {
      int64_t from = view.place(first + c, view.outer ? r / positions : r % view.group);
      tile.at(r, c) = from < 0 ? dead() : view.of.memory->data[from];
    }
  for (int64_t i = 0; !turned && i < positions; ++i)
    for (int64_t g = 0; g < view.group; ++g)
      readRow(view, first + i, g, tile, view.tileRow(positions, i, g));
  values.set(op.getTile(), std::move(tile));
}

void TileTask::run(StoreOp op) {
  const View &view = values.get<View>(op.getView());
  const Tile &tile = values.get<Tile>(op.getTile());
  int64_t positions = tile.rows / view.group, first = values.index(op.getPosition());
  for (int64_t i = 0; i < positions; ++i)
    for (int64_t g = 0; g < view.group; ++g)
      writeRow(view, first + i, g, tile, view.tileRow(positions, i, g));
}

/// Position that id i of a list names; -1 where there is none.
static int64_t listed(const Tile &ids, int64_t i, int64_t base) {
  return ids.at(i) >= 0.0 ? base + static_cast<int64_t>(ids.at(i)) : -1;
}

void TileTask::run(tile::GatherOp op) {
  const View &view = values.get<View>(op.getView());
  const Tile &ids = values.get<Tile>(op.getIds());
  Tile tile = blank(op.getTile().getType());
  for (int64_t i = 0; i < ids.rows; ++i)
    for (int64_t g = 0; g < view.group; ++g)
      readRow(view, listed(ids, i, values.index(op.getBase())), g, tile, view.tileRow(ids.rows, i, g));
  values.set(op.getTile(), std::move(tile));
}

void TileTask::run(tile::ScatterOp op) {
  const View &view = values.get<View>(op.getView());
  const Tile &ids = values.get<Tile>(op.getIds());
  for (int64_t i = 0; i < ids.rows; ++i)
    for (int64_t g = 0; g < view.group; ++g)
      writeRow(view, listed(ids, i, values.index(op.getBase())), g, values.get<Tile>(op.getTile()),
               view.tileRow(ids.rows, i, g));
}

void TileTask::run(GatherAtOp op) {
  const View &view = values.get<View>(op.getView());
  const Tile &ids = values.get<Tile>(op.getIds()), &slots = values.get<Tile>(op.getSlots());
  Tile tile = blank(op.getTile().getType());
  int64_t repeats = tile.rows / (ids.rows * view.group);
  for (int64_t i = 0; i < ids.rows; ++i)
    for (int64_t g = 0; g < view.group; ++g) {
      int64_t place = view.place(listed(ids, i, values.index(op.getBase())), g),
              slot = static_cast<int64_t>(slots.at(i));
      bool exists = place >= 0 && slot >= 0 && slot < view.inner;
      for (int64_t repeat = 0; repeat < repeats; ++repeat)
        tile.at(view.tileRow(ids.rows, i, g) * repeats + repeat) = exists ? view.of.memory->data[place + slot] : dead();
    }
  values.set(op.getTile(), std::move(tile));
}

void TileTask::run(EntryOp op) {
  const View &view = values.get<View>(op.getView());
  int64_t place = view.place(values.index(op.getPosition()), 0), slot = values.index(op.getSlot());
  if (place < 0 || slot < 0 || slot >= view.inner) {
    errors.fail() << "entry " << slot << " of position " << values.index(op.getPosition()) << " does not exist";
    return;
  }
  double value = view.of.memory->data[place + slot];
  values.set(op.getValue(), op.getValue().getType().isIndex() ? Number::ofInteger(static_cast<int64_t>(value))
                                                              : Number::ofReal(value));
}

void TileTask::run(FillOp op) {
  Memory &memory = *values.get<View>(op.getView()).of.memory;
  int64_t positions = op.getPositions() ? values.index(op.getPositions()) : memory.positions;
  for (int64_t head = 0; head < memory.heads; ++head)
    for (int64_t p = 0; p < std::min(positions, memory.positions); ++p)
      std::fill_n(memory.data.begin() + memory.row(0, head, p) * memory.inner, memory.inner,
                  values.number(op.getValue()).real);
}

static double joined(StringRef how, double x, double y) {
  return how == "max" ? maxWithNan(x, y) : how == "min" ? -maxWithNan(-x, -y) : x + y;
}

void TileTask::run(LoadBlocksOp op) {
  const View &view = values.get<View>(op.getView());
  Tile tile = blank(op.getTile().getType());
  int64_t length = op.getLength(), stride = op.getStride();
  for (int64_t c = 0; c < tile.rows; ++c) {
    Tile all = Tile::filled(1, tile.cols, 0.0), row = all;
    int64_t from = (values.index(op.getFirst()) + c) * stride, count = 0;
    for (int64_t position = from; position < from + length; ++position) {
      if (view.place(position, 0) < 0)
        continue;
      readRow(view, position, 0, row, 0);
      for (int64_t d = 0; d < tile.cols; ++d)
        all.at(0, d) = count == 0 ? row.at(0, d) : joined(op.getReduce(), all.at(0, d), row.at(0, d));
      ++count;
    }
    bool exists = op.getRagged() ? count > 0 : count == length;
    for (int64_t d = 0; d < tile.cols; ++d) {
      double x = all.at(0, d);
      if (op.getReduce() == "mean")
        x /= static_cast<double>(count);
      if (op.getFinite() && !std::isnan(x))
        x = std::clamp<double>(x, -kFarthestExtreme, kFarthestExtreme);
      tile.at(c, d) = exists ? x : 0.0;
    }
  }
  values.set(op.getTile(), std::move(tile));
}

} // namespace sattn::ref

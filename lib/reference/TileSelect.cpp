// Selections of a task: overlap pooling, running top-k, inverted lists.
#include "lib/reference/Partials.h"
#include "lib/reference/TileTask.h"
#include <algorithm>
#include <cmath>

namespace sattn::ref {
using namespace tile;

void TileTask::run(PoolOp op) {
  const Tile &x = values.get<Tile>(op.getX()), &halo = values.get<Tile>(op.getHalo());
  TileType type = op.getY().getType();
  Tile y = Tile::filled(type.getRows(), type.getCols(), 0.0), next = halo;
  int64_t stride = op.getStride();
  auto column = [&](int64_t r, int64_t i) { // of the halo and the tile side by side
    return i < halo.cols ? halo.at(r, i) : x.at(r, i - halo.cols);
  };
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t j = 0; j < y.cols; ++j)
      for (auto [i, weight] : llvm::enumerate(op.getWeights()))
        y.at(r, j) += weight * column(r, stride * j + static_cast<int64_t>(i));
    for (int64_t c = 0; c < halo.cols; ++c)
      next.at(r, c) = column(r, x.cols + c);
  }
  values.set(op.getY(), std::move(y));
  values.set(op.getNewHalo(), std::move(next));
}

bool Top::Entry::operator<(const Entry &other) const {
  if (forced != other.forced)
    return forced;
  return score != other.score ? score > other.score : id < other.id;
}

void TileTask::run(TopInitOp op) {
  TopType type = op.getTop().getType();
  Top top;
  top.k = type.getK();
  top.rows.resize(type.getRows());
  values.set(op.getTop(), std::move(top));
}

void TileTask::run(TopPushOp op) {
  Top top = values.get<Top>(op.getTop());
  const Tile &scores = values.get<Tile>(op.getScores());
  SmallVector<int64_t> bound = symbols(op.getSymbols());
  for (int64_t r = 0; r < scores.rows; ++r) {
    int64_t t = values.index(op.getRow()) + evaluateAffine(op.getRowMap().getResult(0), {r}, {});
    std::vector<Top::Entry> &best = top.rows[r];
    for (int64_t c = 0; c < scores.cols; ++c) {
      int64_t id = values.index(op.getFirst()) + c;
      double score = scores.at(r, c);
      bool forced = isInSets(op.getForced(), {t, id}, bound);
      if (std::isnan(score) ? forced : score != negativeInfinity)
        best.push_back({forced, std::isnan(score) ? negativeInfinity : score, id});
    }
    llvm::sort(best);
    if (static_cast<int64_t>(best.size()) > top.k)
      best.resize(top.k);
  }
  values.set(op.getResult(), std::move(top));
}

void TileTask::run(TopMassOp op) {
  Top top = values.get<Top>(op.getTop());
  double mass = values.number(op.getMass()).real;
  for (std::vector<Top::Entry> &best : top.rows) {
    double sum = 0;
    auto end = llvm::find_if(best, [&](const Top::Entry &entry) {
      bool stays = entry.forced || !(sum >= mass);
      sum += std::max(entry.score, 0.0);
      return !stays;
    });
    best.erase(end, best.end());
  }
  values.set(op.getResult(), std::move(top));
}

void TileTask::run(TopListOp op) {
  const Top &top = values.get<Top>(op.getTop());
  int64_t rows = static_cast<int64_t>(top.rows.size());
  Tile ids = Tile::filled(rows, top.k, -1.0), scores = Tile::filled(rows, top.k, negativeInfinity);
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<Top::Entry> chosen = top.rows[r];
    llvm::sort(chosen, [](const Top::Entry &a, const Top::Entry &b) { return a.id < b.id; });
    for (auto [i, entry] : llvm::enumerate(chosen)) {
      ids.at(r, i) = static_cast<double>(entry.id);
      scores.at(r, i) = entry.score;
    }
  }
  values.set(op.getIds(), std::move(ids));
  values.set(op.getScores(), std::move(scores));
}

void TileTask::run(TopRowOp op) {
  const View &scores = values.get<View>(op.getScores()), &ids = values.get<View>(op.getIds());
  SmallVector<int64_t> bound = symbols(op.getSymbols());
  std::vector<Top::Entry> best;
  for (int64_t id = values.index(op.getFrom()) * scores.inner; id < values.index(op.getTo()) * scores.inner; ++id) {
    int64_t place = scores.place(id / scores.inner, 0);
    double score = place < 0 ? negativeInfinity : scores.of.memory->data[place + id % scores.inner];
    bool forced = isInSets(op.getForced(), {values.index(op.getRow()), id}, bound);
    if (std::isnan(score) ? forced : score != negativeInfinity)
      best.push_back({forced, std::isnan(score) ? negativeInfinity : score, id});
  }
  llvm::sort(best);
  best.resize(std::clamp<int64_t>(values.index(op.getCount()), 0, static_cast<int64_t>(best.size())));
  llvm::sort(best, [](const Top::Entry &a, const Top::Entry &b) { return a.id < b.id; });
  Tile one = Tile::filled(1, 1, -1.0);
  for (int64_t i = 0; i < std::min(ids.limit, ids.of.memory->positions); ++i) {
    one.at(0) = i < static_cast<int64_t>(best.size()) ? static_cast<double>(best[i].id) : -1.0;
    writeRow(ids, i, 0, one, 0);
  }
}

void TileTask::run(LengthOp op) {
  const View &ids = values.get<View>(op.getIds());
  int64_t length = 0;
  for (int64_t place = ids.place(0, 0); place >= 0 && ids.of.memory->data[place] >= 0.0;)
    place = ids.place(++length, 0);
  values.setIndex(op.getLength(), length);
}

void TileTask::run(MembersOp op) {
  const View &lists = values.get<View>(op.getLists()), &words = values.get<View>(op.getWords());
  int64_t per = static_cast<int64_t>(op.getPer()), place = lists.place(values.index(op.getPosition()), 0);
  std::vector<int64_t> bits(std::min(words.limit, words.of.memory->positions), 0);
  for (int64_t i = 0; place >= 0 && i < lists.inner; ++i) {
    auto id = static_cast<int64_t>(lists.of.memory->data[place + i]);
    if (id < 0 || id / per >= static_cast<int64_t>(bits.size()))
      break;
    bits[id / per] |= int64_t(1) << id % per;
  }
  Tile one = Tile::filled(1, 1, 0.0);
  for (auto [i, word] : llvm::enumerate(bits)) {
    one.at(0) = static_cast<double>(word);
    writeRow(words, static_cast<int64_t>(i), 0, one, 0);
  }
}

/// Elements of list `position` among `count`.
static std::pair<int64_t, int64_t> bounds(const View &starts, int64_t position, int64_t count) {
  auto start = [&](int64_t p) {
    int64_t place = starts.place(p, 0);
    return place < 0 ? count : std::clamp<int64_t>(static_cast<int64_t>(starts.of.memory->data[place]), 0, count);
  };
  return starts.place(position, 0) < 0 ? std::pair<int64_t, int64_t>(0, 0)
                                       : std::pair(start(position), start(position + 1));
}

void TileTask::run(InvertOp op) {
  const View &lists = values.get<View>(op.getLists());
  const View *starts = op.getStarts() ? &values.get<View>(op.getStarts()) : nullptr;
  const Memory &memory = *lists.of.memory;
  Inverse inverse;
  for (int64_t member = 0; member < static_cast<int64_t>(op.getCount()); ++member) {
    int64_t position = values.index(op.getPosition()) + member;
    auto [from, to] = starts ? bounds(*starts, position, lists.inner) : std::pair<int64_t, int64_t>(0, lists.inner);
    int64_t place = lists.place(starts ? 0 : position, 0);
    for (int64_t slot = from; place >= 0 && slot < to; ++slot) {
      double unit = memory.data[place + slot];
      if (std::isnan(unit)) {
        errors.fail() << "list " << member << " of '" << memory.name << "' was not written";
        return;
      }
      if (op.getFlags())
        unit = unit != 0 ? static_cast<double>(slot) : -1;
      unit -= op.getBase() ? static_cast<double>(values.index(op.getBase())) : 0.0;
      if (unit >= 0 && unit < static_cast<double>(values.index(op.getUnits())))
        if (auto &members = inverse[static_cast<int64_t>(unit)]; members.empty() || members.back().first != member)
          members.push_back({member, slot});
    }
  }
  values.set(op.getInverse(), std::move(inverse));
}

} // namespace sattn::ref

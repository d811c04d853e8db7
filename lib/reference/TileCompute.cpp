// Arithmetic of a task: dots, maps, masks, reductions and the online softmax, by the formulas of TileCompute.td.
#include "lib/reference/Partials.h"
#include "lib/reference/TileTask.h"
#include <cmath>

namespace sattn::ref {
using namespace tile;

void TileTask::run(SplatOp op) {
  TileType type = op.getTile().getType();
  values.set(op.getTile(), Tile::filled(type.getRows(), type.getCols(), op.getValue().convertToDouble()));
}

void TileTask::run(IotaOp op) {
  TileType type = op.getTile().getType();
  Tile tile = Tile::filled(type.getRows(), type.getCols(), 0.0);
  for (size_t i = 0; i < tile.data.size(); ++i)
    tile.data[i] = static_cast<double>(evaluateAffine(op.getNumbers().getResult(0), {static_cast<int64_t>(i)}, {}));
  values.set(op.getTile(), std::move(tile));
}

void TileTask::run(ColumnsOp op) {
  Tile tile = values.get<Tile>(op.getTile());
  std::swap(tile.rows, tile.cols);
  values.set(op.getResult(), std::move(tile));
}

void TileTask::run(HadamardOp op) {
  const Tile &x = values.get<Tile>(op.getTile());
  Tile y = Tile::filled(x.rows, x.cols, 0.0);
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t j = 0; j < x.cols; ++j)
      for (int64_t i = 0; i < x.cols; ++i)
        y.at(r, j) += llvm::popcount(static_cast<uint64_t>(i & j)) % 2 ? -x.at(r, i) : x.at(r, i);
  values.set(op.getResult(), std::move(y));
}

void TileTask::run(DotOp op) {
  const Tile &a = values.get<Tile>(op.getA()), &b = values.get<Tile>(op.getB());
  TileType type = op.getResult().getType();
  Tile y = Tile::filled(type.getRows(), type.getCols(), 0.0);
  bool nt = op.getKind() != "nn", distance = op.getKind() == "l1";
  int64_t heads = op.headCount();
  for (int64_t r = 0; r < y.rows; ++r)
    for (int64_t c = 0; c < y.cols; ++c) {
      double sum = 0.0;
      int64_t head = r / (y.rows / heads);
      auto right = [&](int64_t position, int64_t column) { return b.at(position * heads + head, column); };
      for (int64_t i = 0; i < a.cols; ++i)
        if (distance)
          sum += std::abs(a.at(r, i) - right(c, i));
        else if (nt || a.at(r, i) != 0.0) // a masked weight does not read its value
          sum += a.at(r, i) * (nt ? right(c, i) : right(i, c));
      if (op.getAcc()) {
        double scale = op.getScale() ? values.get<Tile>(op.getScale()).at(r) : 1.0;
        sum += scale * values.get<Tile>(op.getAcc()).at(r, c);
      }
      y.at(r, c) = sum;
    }
  values.set(op.getResult(), std::move(y));
}

void TileTask::run(tile::MapOp op) {
  TileType type = op.getResult().getType();
  int64_t size = type.getRows() * type.getCols();
  Block &body = op.getBody().front();
  // One op at a time on all elements.
  llvm::DenseMap<Value, std::vector<Number>> elements;
  for (auto [input, argument] : llvm::zip_equal(op.getInputs(), body.getArguments())) {
    std::vector<Number> &list = elements[argument];
    list.resize(size);
    const auto *number = std::get_if<Number>(&values[input]);
    const auto *tile = std::get_if<Tile>(&values[input]);
    for (int64_t i = 0; i < size; ++i)
      list[i] = number ? *number
                       : Number::fromTile(tile->at(tile->rows == 1 ? 0 : i / type.getCols(),
                                                   tile->cols == 1 ? 0 : i % type.getCols()),
                                          argument.getType());
  }
  // An element of a value, of the region or from outside.
  auto element = [&](Value value, int64_t i) {
    auto known = elements.find(value);
    return known != elements.end() ? known->second[i] : values.number(value);
  };
  for (Operation &inner : body.without_terminator()) {
    std::vector<Number> made(size);
    SmallVector<Number> operands(inner.getNumOperands());
    for (int64_t i = 0; i < size; ++i) {
      for (auto [operand, value] : llvm::zip_equal(operands, inner.getOperands()))
        operand = element(value, i);
      made[i] = evaluateScalar(&inner, operands, errors);
    }
    elements[inner.getResult(0)] = std::move(made);
  }
  Tile y = Tile::filled(type.getRows(), type.getCols(), 0.0);
  for (int64_t i = 0; i < size; ++i)
    y.data[i] = element(body.getTerminator()->getOperand(0), i).inTile(type.getElementType());
  values.set(op.getResult(), std::move(y));
}

void TileTask::run(MaskOp op) {
  Tile tile = values.get<Tile>(op.getTile());
  const Tile *ids = op.getIds() ? &values.get<Tile>(op.getIds()) : nullptr;
  SmallVector<int64_t> bound = symbols(op.getSymbols());
  bool acts = op.getWhen() ? values.index(op.getWhen()) != 0 : !inFullTile;
  int64_t first = values.index(op.getRow()), key = values.index(op.getCol());
  for (int64_t r = 0; r < tile.rows; ++r) {
    int64_t offset = ids ? static_cast<int64_t>(ids->at(r / (tile.rows / ids->rows)))
                         : evaluateAffine(op.getRowMap().getResult(0), {r}, {});
    for (int64_t c = 0; c < tile.cols; ++c) {
      SmallVector<int64_t> point{first + offset, key + c};
      for (Value operand : op.getTables()) {
        const Tile &table = values.get<Tile>(operand);
        double number = cast<TileType>(operand.getType()).isVector() ? table.at(r)
                        : table.cols == tile.cols                    ? table.at(0, c)
                                                                     : table.at(0, r - c + tile.cols - 1);
        point.push_back(std::isnan(number) ? 0 : static_cast<int64_t>(number)); // of what does not exist
      }
      if (isInSets(op.getSets(), point, bound))
        continue;
      if (acts) {
        tile.at(r, c) = negativeInfinity;
      } else if (options.poison && !std::isnan(tile.at(r, c))) {
        // Rows and keys that do not exist are NaN; any other score must survive.
        errors.fail() << "a full tile holds key " << key + c << " that the mask would remove from row "
                      << first + offset;
        return;
      }
    }
  }
  values.set(op.getResult(), std::move(tile));
}

void TileTask::run(ChooseOp op) {
  Tile tile = values.get<Tile>(op.getTile());
  const Tile &words = values.get<Tile>(op.getWords());
  for (int64_t r = 0; r < tile.rows; ++r)
    for (int64_t c = 0; c < tile.cols; ++c) {
      // Of rows that do not exist there is no word.
      auto word = std::isnan(words.at(r)) ? 0 : static_cast<int64_t>(words.at(r));
      bool isSet = (word >> (c / static_cast<int64_t>(op.getBlock())) & 1) != 0;
      if (isSet == op.getOthers())
        tile.at(r, c) = negativeInfinity;
    }
  values.set(op.getResult(), std::move(tile));
}

void TileTask::run(tile::ReduceOp op) {
  const Tile &x = values.get<Tile>(op.getTile());
  bool largest = op.getKind() == "max";
  TileType type = op.getResult().getType();
  Tile y = Tile::filled(type.getRows(), type.getCols(), largest ? negativeInfinity : 0.0);
  int64_t group = op.getGroup().value_or(1);
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c < x.cols; ++c) {
      double &into = op.getOver() == "cols" ? y.at(r) : y.at(op.getOuter() ? r % y.rows : r / group, c);
      into = largest ? maxWithNan(into, x.at(r, c)) : into + x.at(r, c);
    }
  values.set(op.getResult(), std::move(y));
}

void TileTask::run(RowScanOp op) {
  Tile x = values.get<Tile>(op.getTile());
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t i = 1; i < x.cols; ++i) {
      int64_t c = op.getReverse() ? x.cols - 1 - i : i;
      x.at(r, c) += x.at(r, op.getReverse() ? c + 1 : c - 1);
    }
  values.set(op.getResult(), std::move(x));
}

//===-- Softmax in base 2 ---------------------------------------------------------------------------------------===//

/// exp2(x - reference) where x = -inf gives 0.
static double exp2Relative(double x, double reference) {
  return x == negativeInfinity ? 0.0 : std::exp2(x - reference);
}

void TileTask::run(SoftmaxStepOp op) {
  Tile p = values.get<Tile>(op.getS()), m = values.get<Tile>(op.getM()), l = values.get<Tile>(op.getL());
  Tile alpha = m;
  for (int64_t r = 0; r < p.rows; ++r) {
    double before = m.at(r);
    for (int64_t c = 0; c < p.cols; ++c)
      m.at(r) = maxWithNan(m.at(r), p.at(r, c));
    alpha.at(r) = m.at(r) == negativeInfinity ? 1.0 : exp2Relative(before, m.at(r));
    l.at(r) *= alpha.at(r);
    for (int64_t c = 0; c < p.cols; ++c)
      l.at(r) += p.at(r, c) = exp2Relative(p.at(r, c), m.at(r));
  }
  values.set(op.getNewM(), std::move(m));
  values.set(op.getNewL(), std::move(l));
  values.set(op.getAlpha(), std::move(alpha));
  values.set(op.getP(), std::move(p));
}

void TileTask::run(SoftmaxFinishOp op) {
  constexpr double ln2 = 0.693147180559945309417;
  Tile m = values.get<Tile>(op.getM()), o = values.get<Tile>(op.getAcc());
  const Tile &l = values.get<Tile>(op.getL());
  for (int64_t r = 0; r < o.rows; ++r) {
    bool empty = l.at(r) == 0.0;
    double sink = op.getSink() ? values.get<Tile>(op.getSink()).at(r) / ln2 : negativeInfinity;
    double denominator = l.at(r) + exp2Relative(sink, m.at(r));
    for (int64_t c = 0; c < o.cols; ++c)
      o.at(r, c) = empty ? 0.0 : o.at(r, c) / denominator;
    m.at(r) = empty ? negativeInfinity : (m.at(r) + std::log2(l.at(r))) * ln2;
  }
  values.set(op.getO(), std::move(o));
  values.set(op.getLse(), std::move(m));
}

void TileTask::run(tile::MergeOp op) {
  Tile m = values.get<Tile>(op.getM0()), l = values.get<Tile>(op.getL0()), acc = values.get<Tile>(op.getAcc0());
  const Tile &m1 = values.get<Tile>(op.getM1()), &l1 = values.get<Tile>(op.getL1());
  const Tile &acc1 = values.get<Tile>(op.getAcc1());
  for (int64_t r = 0; r < m.rows; ++r) {
    if (m1.at(r) == negativeInfinity)
      continue;
    // An empty side is the identity: its accumulator is not read.
    bool empty = m.at(r) == negativeInfinity;
    double most = empty ? m1.at(r) : maxWithNan(m.at(r), m1.at(r));
    double a = empty ? 0.0 : std::exp2(m.at(r) - most), b = std::exp2(m1.at(r) - most);
    l.at(r) = (empty ? 0.0 : a * l.at(r)) + b * l1.at(r);
    for (int64_t c = 0; c < acc.cols; ++c)
      acc.at(r, c) = (empty ? 0.0 : a * acc.at(r, c)) + b * acc1.at(r, c);
    m.at(r) = most;
  }
  values.set(op.getM(), std::move(m));
  values.set(op.getL(), std::move(l));
  values.set(op.getAcc(), std::move(acc));
}

} // namespace sattn::ref

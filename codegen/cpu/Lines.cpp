// Kernels whose tiles have few rows, as those of a decoded token. Rows as lanes would leave most lanes empty, and to
// turn keys around costs more than to read them. So here the columns are lanes: keys and values are read where they
// lie, once, and what is computed stands in scratch memory as lines (Residency.h). The products: LinesDot.cpp.
#include "codegen/common/ScalarOps.h"
#include "codegen/common/SetCode.h"
#include "codegen/cpu/Lowering.h"
#include "llvm/ADT/TypeSwitch.h"
#include <numeric>

using namespace sattn;
using namespace sattn::cpu;
using mlir::arith::CmpFPredicate;

/// More rows than this fill the lanes of a panel better,
static constexpr int64_t kMostRowsAsLines = 8;
/// but those of several key heads never stand in one panel: each head has its own products.
static constexpr int64_t kMostRowsOfHeads = 16;

//===-- Which kernels -----------------------------------------------------------------------------------===//

static bool isFew(Value value, int64_t most) {
  auto type = dyn_cast<tile::TileType>(value.getType());
  return !type || (type.getRows() <= most && type.getElementType().isF32());
}

// Rows of memory that dots alone read, as their right operand.
template <typename OpT> static bool isRight(OpT load) {
  tile::ViewType view = load.getView().getType();
  return !view.getLayout() && !view.getElementType().isInteger(32) &&
         load.getView().template getDefiningOp<tile::SliceOp>() &&
         llvm::all_of(load.getTile().getUses(), [&](mlir::OpOperand &use) {
           auto dot = dyn_cast<tile::DotOp>(use.getOwner());
           return dot && use.getOperandNumber() == 1 && dot->getBlock() == load->getBlock() &&
                  view.getGroup() == dot.headCount();
         });
}

static bool isRight(Operation *op) {
  if (auto gather = dyn_cast_or_null<tile::GatherOp>(op))
    return isRight(gather);
  auto load = dyn_cast_or_null<tile::LoadOp>(op);
  return load && isRight(load);
}

// Ids of rows that are gathered.
static bool isOfIds(tile::LoadOp load) {
  return !load.getTurned() && !load.getColumns() && load.getTile().getType().isVector() &&
         llvm::all_of(load.getTile().getUsers(), llvm::IsaPred<tile::GatherOp>);
}

// `most`: rows of a tile.
static bool hasLines(Operation *op, int64_t most) {
  if (isa<tile::KernelOp, tile::ReturnOp, tile::YieldOp, tile::CoverOp, tile::CountOp, tile::OfBatchOp, tile::EntryOp>(
          op) ||
      op->getParentOfType<tile::MapOp>())
    return true;
  if (auto load = dyn_cast<tile::LoadOp>(op); isRight(op) || (load && isOfIds(load)))
    return true;
  if (auto push = dyn_cast<tile::TopPushOp>(op))
    return isFew(push.getScores(), most);
  if (auto mass = dyn_cast<tile::TopMassOp>(op))
    return mass.getTop().getType().getRows() <= kMostRowsAsLines;
  if (auto list = dyn_cast<tile::TopListOp>(op))
    return isFew(list.getScores(), most);
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    return isFew(reduce.getTile(), most) && isFew(reduce.getResult(), most);
  if (isa<tile::TopInitOp>(op))
    return true;
  if (!llvm::all_of(op->getResults(), [&](Value value) { return isFew(value, most); }))
    return false;
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return !load.getTurned() && !load.getView().getType().getLayout() && load.getView().getDefiningOp<tile::SliceOp>();
  if (auto store = dyn_cast<tile::StoreOp>(op))
    return !store.getView().getType().getLayout() && store.getView().getDefiningOp<tile::SliceOp>();
  if (auto dot = dyn_cast<tile::DotOp>(op))
    return (dot.getKind() == "nn" || !dot.getScale()) && isRight(dot.getB().getDefiningOp());
  if (auto mask = dyn_cast<tile::MaskOp>(op))
    return !mask.getWhen() && !mask.getIds();
  return isa<tile::SliceOp, tile::SplatOp, tile::MapOp, tile::SoftmaxStepOp, tile::SoftmaxFinishOp, tile::PoolOp,
             tile::StreamOp>(op) ||
         llvm::none_of(op->getResultTypes(), llvm::IsaPred<tile::TileType, tile::TopType>);
}

bool Lowering::computesLines(tile::KernelOp kernel) {
  bool anyDot = false;
  int64_t most = kMostRowsAsLines;
  kernel.walk([&](tile::DotOp dot) {
    anyDot = true;
    if (dot.headCount() > 1)
      most = kMostRowsOfHeads;
  });
  auto result = kernel.walk(
      [&](Operation *op) { return hasLines(op, most) ? mlir::WalkResult::advance() : mlir::WalkResult::interrupt(); });
  return anyDot && !result.wasInterrupted();
}

//===-- Values ------------------------------------------------------------------------------------------===//

Lines Lowering::newLines(tile::TileType type) {
  Lines lines;
  lines.isVector = type.isVector();
  lines.rows = lines.isVector ? 1 : type.getRows();
  lines.cols = lines.isVector ? type.getRows() : type.getCols();
  lines.owner = scratch.take(lines.rows * lines.rowBytes());
  lines.base = {scratchBase, lines.owner->offset};
  return lines;
}

Ptr Lowering::lineAt(const Lines &lines, Value row, Value strip) {
  return c.atScaled(c.atScaled(lines.base, row, lines.rowBytes()), strip, kLanes * 4);
}

// Calls `body` for each strip of each row.
void Lowering::forLines(const Lines &lines, llvm::function_ref<void(Value, Value)> body) {
  c.loop(0, lines.rows, 1, [&](Value row) { c.loop(0, lines.strips(), 1, [&](Value strip) { body(row, strip); }); });
}

void Lowering::copy(const Lines &from, const Lines &to) {
  forLines(from, [&](Value row, Value strip) {
    c.storeStrip(c.loadStrip(lineAt(from, row, strip)), lineAt(to, row, strip));
  });
}

Lines Lowering::linesOf(Value value) {
  TileValue &held = tile(value);
  if (held.lines)
    return *held.lines;
  Lines lines = newLines(cast<tile::TileType>(value.getType()));
  if (held.panels) {
    turn(*held.panels, lines);
    return lines;
  }
  Value splat = c.strip(*held.splat);
  forLines(lines, [&](Value row, Value strip) { c.storeStrip(splat, lineAt(lines, row, strip)); });
  return lines; // not remembered: this may be inside a loop that the value is not
}

// Some ops compute panels whatever the kernel's tiles are: those that see a tile once for each stream, or one row of
// it. Row vectors look alike in both forms; of other tiles there is one panel.
void Lowering::turn(const Panels &from, const Lines &to) {
  if (to.isVector) {
    c.loop(0, to.strips(), 1, [&](Value strip) {
      c.storeStrip(c.loadStrip(c.atScaled(from.base, strip, kLanes * 4)), lineAt(to, c.int64(0), strip));
    });
    return;
  }
  c.loop(0, to.cols, 1, [&](Value col) {
    for (int64_t row = 0; row < to.rows; ++row)
      c.store(c.load(c.f32, c.atScaled(from.base, col, kLanes * 4).plus(row * 4), 4),
              c.atScaled(to.base.plus(row * to.rowBytes()), col, 4), 4);
  });
}

Panels Lowering::panelsFrom(const Lines &lines, Value value) {
  Panels to = newPanels(value);
  if (lines.isVector) {
    c.loop(0, lines.strips(), 1, [&](Value strip) {
      c.storeStrip(c.loadStrip(lineAt(lines, c.int64(0), strip)), c.atScaled(to.base, strip, kLanes * 4));
    });
    return to;
  }
  c.loop(0, lines.cols, 1, [&](Value col) {
    Ptr at = c.atScaled(to.base, col, kLanes * 4);
    if (lines.rows == 1)
      return c.storeStrip(c.loadBroadcast(c.atScaled(lines.base, col, 4)), at);
    for (int64_t row = 0; row < lines.rows; ++row)
      c.store(c.load(c.f32, c.atScaled(lines.base.plus(row * lines.rowBytes()), col, 4), 4), at.plus(row * 4), 4);
  });
  return to;
}

void Lowering::setLines(Value value, const Lines &lines) {
  tile(value) = {};
  tile(value).lines = lines;
}

// Memory for the result of an op: that of `operand` if nobody else needs it.
Lines Lowering::takeLines(Value operand, Operation *user) {
  TileValue &held = tile(operand);
  if (!held.lines)
    return linesOf(operand);
  if (operand.hasOneUse() && operand.getParentBlock() == user->getBlock())
    return *held.lines;
  Lines lines = newLines(cast<tile::TileType>(operand.getType()));
  copy(linesOf(operand), lines);
  return lines;
}

//===-- Memory ------------------------------------------------------------------------------------------===//

void Lowering::loadLines(tile::LoadOp op, const RowSource &source) {
  if (isRight(op)) {
    tile(op.getTile()) = {};
    tile(op.getTile()).rows = source;
    return;
  }
  if (staysBytes(op))
    return loadBytes(op, source);
  const View &view = source.view;
  Type element = view.type.getElementType();
  Lines lines = newLines(op.getTile().getType());
  int64_t cols = view.type.getInner();
  Value zeros = c.address(c.zeros(lines.isVector ? 64 : cols * view.elementBytes()));
  for (int64_t row = 0; row < source.rows; ++row) {
    Ptr from{rowPointer(source, c.int64(row), zeros)};
    if (lines.isVector) {
      c.storeElements(c.loadElements(from, element, 1), lines.base.plus(row * 4), c.f32, 1);
      continue;
    }
    for (int64_t column = 0; column < cols; column += kLanes) {
      Value strip = c.loadElements(from.plus(column * view.elementBytes()), element, std::min(kLanes, cols - column));
      c.storeStrip(strip, lines.base.plus(row * lines.rowBytes() + column * 4));
    }
  }
  setLines(op.getTile(), lines);
}

// Listed rows are read when they are needed, and asked for now: nothing else knows where they lie.
LogicalResult Lowering::gatherLines(tile::GatherOp op) {
  auto ids = panelsOf(op.getIds());
  if (failed(ids))
    return failure();
  RowSource source{views[op.getView()], scalar(op.getBase()), *ids, op.getTile().getType().getRows()};
  int64_t bytes = source.view.type.getInner() * source.view.elementBytes();
  Value zeros = c.address(c.zeros(bytes));
  c.loop(0, source.rows, 1,
         [&](Value row) { c.prefetchRow(Ptr{rowPointer(source, row, zeros)}, bytes, Code::Cache::Next); });
  tile(op.getTile()) = {};
  tile(op.getTile()).rows = source;
  return success();
}

// Consecutive positions, which lie side by side as the columns of a line do.
LogicalResult Lowering::loadLine(tile::LoadOp op) {
  tile::TileType type = op.getTile().getType();
  if (failed(loadColumns(op, {views[op.getView()], scalar(op.getPosition()), std::nullopt, type.getCols()})))
    return failure();
  Panels columns = *tile(op.getTile()).columns;
  Lines lines;
  lines.rows = 1;
  lines.cols = type.getCols();
  lines.base = columns.base;
  lines.owner = columns.owner;
  setLines(op.getTile(), lines);
  return success();
}

void Lowering::storeLines(const Lines &lines, const RowSource &to) {
  const View &view = to.view;
  Type element = view.type.getElementType();
  int64_t cols = view.type.getInner();
  Owner line = scratch.take(llvm::alignTo(cols, kLanes) * view.elementBytes());
  Value nowhere = c.address({scratchBase, line->offset});
  for (int64_t row = 0; row < to.rows; ++row) {
    Ptr at{rowPointer(to, c.int64(row), nowhere)};
    if (lines.isVector) {
      Value number = c.load(c.f32, lines.base.plus(row * 4), 4);
      c.storeElements(c.broadcast(number), at, element, 1);
      continue;
    }
    for (int64_t column = 0; column < cols; column += kLanes)
      c.storeElements(c.loadStrip(lines.base.plus(row * lines.rowBytes() + column * 4)),
                      at.plus(column * view.elementBytes()), element, std::min(kLanes, cols - column));
  }
}

//===-- Element by element ------------------------------------------------------------------------------===//

LogicalResult Lowering::mapLines(tile::MapOp op) {
  tile::TileType type = op.getResult().getType();
  SmallVector<Lines> held(op.getInputs().size());
  for (auto [input, lines] : llvm::zip(op.getInputs(), held))
    if (isa<tile::TileType>(input.getType()) && !tile(input).splat)
      lines = linesOf(input);
  Lines to = newLines(type);
  bool ok = true;
  forLines(to, [&](Value row, Value strip) {
    Values inputs;
    for (auto [input, lines] : llvm::zip(op.getInputs(), held)) {
      auto tileType = dyn_cast<tile::TileType>(input.getType());
      if (!tileType)
        inputs.push_back(c.broadcast(scalar(input)));
      else if (tile(input).splat)
        inputs.push_back(c.strip(*tile(input).splat));
      else if (tileType.isVector() && !type.isVector())
        inputs.push_back(c.loadBroadcast(c.atScaled(lines.base, row, 4)));
      else // one row stands for every row
        inputs.push_back(c.loadStrip(lineAt(lines, lines.rows == 1 ? c.int64(0) : row, strip)));
    }
    FailureOr<Value> result = emitScalarBody(op, inputs);
    ok &= succeeded(result);
    if (ok)
      c.storeStrip(*result, lineAt(to, row, strip));
  });
  setLines(op.getResult(), to);
  return mlir::success(ok);
}

LogicalResult Lowering::maskLines(tile::MaskOp op) {
  Lines lines = takeLines(op.getTile(), op);
  setLines(op.getResult(), lines);
  if (acts(op) == false)
    return success();
  Values symbols;
  for (Value symbol : op.getSymbols())
    symbols.push_back(scalar(symbol));
  auto spread = [&](Value number) { return c.broadcast(number); };
  SmallVector<int32_t> lanes(kLanes);
  std::iota(lanes.begin(), lanes.end(), 0);
  bool ok = true;
  for (int64_t row = 0; row < lines.rows; ++row) {
    Value position = c.affine(op.getRowMap(), {c.int64(row)}, [&](Value a, Value b) { return c.add(a, b); });
    c.loop(0, lines.strips(), 1, [&](Value strip) {
      codegen::Position t{c.add(scalar(op.getRow()), position), nullptr, 0, 0};
      codegen::Position s{c.add(scalar(op.getCol()), c.mul(strip, kLanes)), c.stripI(lanes), 0, kLanes - 1};
      FailureOr<Value> inside = codegen::inUnion(c, {c.vi, spread}, op.getSets(), t, s, symbols);
      ok &= succeeded(inside);
      if (!ok || !*inside)
        return;
      Ptr place = lineAt(lines, c.int64(row), strip);
      c.storeStrip(c.select(*inside, c.loadStrip(place), c.minusInf()), place);
    });
  }
  return ok ? success() : LogicalResult(unsupportedMask(op));
}

// Most columns of long rows hold nothing that is better than the last rank of its row, and nothing forced; only others
// are offered, row r in lane r.
bool Lowering::pushLines(tile::TopPushOp op, const TopState &top, ArrayRef<Value> symbols) {
  Lines scores = linesOf(op.getScores());
  bool ok = true;
  c.loop(0, scores.strips(), 1, [&](Value strip) {
    Value from = c.mul(strip, kLanes), first = c.add(scalar(op.getFirst()), from), better;
    for (int64_t row = 0; row < scores.rows; ++row) {
      Value last = c.loadBroadcast(top.score(0).plus(row * 4));
      Value enters = c.compare(CmpFPredicate::OGT, c.loadStrip(lineAt(scores, c.int64(row), strip)), last);
      better = better ? c.ori(better, enters) : enters;
      FailureOr<Value> forced = forcedInLine(op, row, first, symbols);
      ok = ok && succeeded(forced);
      if (!ok)
        return;
      better = *forced ? c.ori(better, *forced) : c.lanesBelow(kLanes);
    }
    Value bits = mlir::arith::ExtUIOp::create(c.b, c.i64, mlir::LLVM::BitcastOp::create(c.b, c.i16, better));
    // What stands past the last column is anything.
    Value count = c.min(c.int64(kLanes), c.sub(c.int64(scores.cols), from));
    auto next = [&](ValueRange now) { return std::pair(c.less(c.countTrailingZeros(now[0]), count), Values(now)); };
    c.whileLoop({bits}, next, [&](ValueRange now) -> Values {
      Value lane = c.countTrailingZeros(now[0]), score = c.minusInf(), column = c.add(from, lane);
      for (int64_t row = scores.rows - 1; row >= 0; --row)
        score = c.select(c.lanesBelow(row + 1),
                         c.loadBroadcast(c.atScaled(scores.base.plus(row * scores.rowBytes()), column, 4)), score);
      ok = ok && pushColumn(op, top, 0, score, c.add(first, lane), symbols);
      return {c.andi(now[0], c.sub(now[0], c.int64(1)))};
    });
  });
  return ok;
}

// Which of the columns from `first` on are forced in a row; null: all of them.
FailureOr<Value> Lowering::forcedInLine(tile::TopPushOp op, int64_t row, Value first, ArrayRef<Value> symbols) {
  if (op.getForced().empty())
    return c.lanesBelow(0);
  SmallVector<int32_t> lanes(kLanes);
  std::iota(lanes.begin(), lanes.end(), 0);
  auto spread = [&](Value number) { return c.broadcast(number); };
  Value position = c.affine(op.getRowMap(), {c.int64(row)}, [&](Value a, Value b) { return c.add(a, b); });
  codegen::Position t{c.add(scalar(op.getRow()), position), nullptr, 0, 0};
  codegen::Position s{first, c.stripI(lanes), 0, kLanes - 1};
  return codegen::inUnion(c, {c.vi, spread}, op.getForced(), t, s, symbols);
}

//===-- Softmax -----------------------------------------------------------------------------------------===//

// All lanes get what `join` makes of them.
static Value acrossLanes(Code &c, Value strip, llvm::function_ref<Value(Value, Value)> join) {
  for (int32_t distance = kLanes / 2; distance > 0; distance /= 2) {
    SmallVector<int32_t> other;
    for (int32_t lane = 0; lane < kLanes; ++lane)
      other.push_back(lane ^ distance);
    strip = join(c.shuffle(strip, strip, other), strip);
  }
  return strip;
}

static void storeLane(Code &c, Value strip, Ptr place) {
  c.store(mlir::LLVM::ExtractElementOp::create(c.b, strip, c.int64(0)), place, 4);
}

// Row by row; a row's numbers stand in all lanes.
void Lowering::softmaxLines(tile::SoftmaxStepOp op) {
  Lines oldM = linesOf(op.getM()), oldL = linesOf(op.getL()), p = takeLines(op.getS(), op);
  tile::TileType vector = op.getM().getType();
  Lines m = newLines(vector), l = newLines(vector), alpha = newLines(vector);
  auto store = [&](Value strip, const Lines &to, Value row) { storeLane(c, strip, c.atScaled(to.base, row, 4)); };
  Value live = p.cols % kLanes == 0 ? Value() : c.lanesBelow(p.cols % kLanes);
  c.loop(0, p.rows, 1, [&](Value row) {
    Value before = c.loadBroadcast(c.atScaled(oldM.base, row, 4));
    Values scores;
    Value best = before;
    for (int64_t i = 0; i < p.strips(); ++i) {
      Value strip = c.loadStrip(lineAt(p, row, c.int64(i)));
      if (live && i + 1 == p.strips())
        strip = c.select(live, strip, c.minusInf());
      scores.push_back(strip);
      best = c.maxKeep(strip, best);
    }
    best = acrossLanes(c, best, [&](Value a, Value b) { return c.maxKeep(a, b); });
    Value base = c.select(c.compare(CmpFPredicate::OEQ, best, c.minusInf()), c.zero(), best);
    Value sum = c.zero();
    for (auto [i, strip] : llvm::enumerate(scores)) {
      Value power = c.exp2(c.subf(strip, base));
      c.storeStrip(power, lineAt(p, row, c.int64(static_cast<int64_t>(i))));
      sum = c.addf(sum, power);
    }
    sum = acrossLanes(c, sum, [&](Value a, Value b) { return c.addf(a, b); });
    // Rows that have seen no key: nothing to rescale.
    Value factor =
        c.select(c.compare(CmpFPredicate::OEQ, best, c.minusInf()), c.strip(1.0f), c.exp2(c.subf(before, base)));
    store(best, m, row);
    store(factor, alpha, row);
    store(c.fma(c.loadBroadcast(c.atScaled(oldL.base, row, 4)), factor, sum), l, row);
  });
  for (auto [result, lines] :
       {std::pair<Value, Lines>{op.getNewM(), m}, {op.getNewL(), l}, {op.getAlpha(), alpha}, {op.getP(), p}})
    setLines(result, lines);
}

void Lowering::reduceLines(tile::ReduceOp op) {
  Lines from = linesOf(op.getTile()), to = newLines(op.getResult().getType());
  setLines(op.getResult(), to);
  if (op.getOver() == "heads")
    return joinHeads(op, from, to);
  bool isMax = op.getKind() == "max";
  auto join = [&](Value a, Value b) { return isMax ? c.maxNan(a, b) : c.addf(a, b); };
  Value neutral = isMax ? c.minusInf() : c.zero();
  int64_t whole = from.cols / kLanes, left = from.cols % kLanes;
  c.loop(0, from.rows, 1, [&](Value row) {
    Values all = c.loop(0, whole, 1, {neutral}, [&](Value strip, ValueRange now) {
      return Values{join(c.loadStrip(lineAt(from, row, strip)), now[0])};
    });
    if (left != 0)
      all[0] = join(c.select(c.lanesBelow(left), c.loadStrip(lineAt(from, row, c.int64(whole))), neutral), all[0]);
    storeLane(c, acrossLanes(c, all[0], join), c.atScaled(to.base, row, 4));
  });
}

// Row r of the result joins the rows of its heads: r, r + rows and so on where heads are outer, else neighbours.
void Lowering::joinHeads(tile::ReduceOp op, const Lines &from, const Lines &to) {
  int64_t heads = from.rows / to.rows, step = op.getOuter() ? to.rows : 1;
  bool isMax = op.getKind() == "max";
  for (int64_t row = 0; row < to.rows; ++row)
    c.loop(0, to.strips(), 1, [&](Value strip) {
      int64_t first = op.getOuter() ? row : row * heads;
      Value sum = c.loadStrip(lineAt(from, c.int64(first), strip));
      for (int64_t head = 1; head < heads; ++head) {
        Value other = c.loadStrip(lineAt(from, c.int64(first + head * step), strip));
        sum = isMax ? c.maxNan(other, sum) : c.addf(other, sum);
      }
      c.storeStrip(sum, lineAt(to, c.int64(row), strip));
    });
}

//===-- The walk ----------------------------------------------------------------------------------------===//

std::optional<LogicalResult> Lowering::lowerLines(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<LogicalResult>>(op)
      .Case([&](tile::GatherOp gather) { return gatherLines(gather); })
      .Case([&](tile::LoadOp load) -> std::optional<LogicalResult> {
        if (isOfIds(load))
          return std::nullopt; // as panels
        if (load.getColumns())
          return loadLine(load);
        loadLines(load, {views[load.getView()], scalar(load.getPosition()), std::nullopt,
                         load.getTile().getType().getRows(), codegen::divisorOf(load.getPosition())});
        return success();
      })
      .Case([&](tile::StoreOp store) -> std::optional<LogicalResult> {
        if (store.getView().getType().getElementType().isInteger(32))
          return std::nullopt; // lists come as panels
        storeLines(linesOf(store.getTile()), {views[store.getView()], scalar(store.getPosition()), std::nullopt,
                                              store.getTile().getType().getRows()});
        return success();
      })
      .Case([&](tile::MapOp map) { return mapLines(map); })
      .Case([&](tile::ReduceOp reduce) {
        reduceLines(reduce);
        return success();
      })
      .Case([&](tile::MaskOp mask) { return maskLines(mask); })
      .Case([&](tile::DotOp dot) {
        if (dot.getKind() == "nn")
          sumLines(dot);
        else if (tile(dot.getA()).bytes)
          scoreBytes(dot);
        else
          scoreLines(dot);
        return success();
      })
      .Case([&](tile::SoftmaxStepOp step) {
        softmaxLines(step);
        return success();
      })
      .Default([](Operation *) { return std::nullopt; });
}

// Yielded values to the memory of the carried ones, which none of them shares with another's.
void Lowering::finishLines(ArrayRef<Value> values, ArrayRef<TileValue> carried) {
  for (auto [value, memory] : llvm::zip(values, carried)) {
    if (memory.top)
      continue; // updated in place
    Lines from = linesOf(value);
    if (from.base.offset != memory.lines->base.offset)
      copy(from, *memory.lines);
  }
}

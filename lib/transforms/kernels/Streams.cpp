// Scores, masks and the online softmax.
#include "lib/transforms/kernels/Streams.h"
#include "lib/transforms/kernels/Formulas.h"
#include <limits>

namespace sattn::lower {
using namespace mlir;

//===-- Scores ------------------------------------------------------------------------------------------===//

LogicalResult checkHeads(Context &context, const ScoreChain &chain, int64_t heads) {
  for (MapOp map : chain.maps)
    if (failed(checkPlaces(context, map, heads)))
      return failure();
  return success();
}

FailureOr<ScoreChain> scoreChain(Context &context, Operation *user, Value z) {
  ScoreChain chain;
  Operation *op = z.getDefiningOp();
  for (; isa<MapOp>(op); op = op->getOperand(0).getDefiningOp())
    chain.maps.insert(chain.maps.begin(), cast<MapOp>(op));
  chain.score = dyn_cast<ScoreOp>(op);
  if (!chain.score)
    return context.refuse(user, "'" + user->getName().getStringRef() + "' of a score made by '" +
                                    op->getName().getStringRef() + "'");
  bool ranks = chain.score.getHow() != ScoreKind::Dot && isa<SelectOp>(user);
  if (chain.score.getHow() != ScoreKind::Dot && !ranks)
    return context.refuse(chain.score, "'sattn.score " + stringifyScoreKind(chain.score.getHow()) + "'" +
                                           (isa<SelectOp>(user) ? "" : " in '" + user->getName().getStringRef() + "'"));
  if (failed(checkHeads(context, chain, 1)))
    return failure();
  return chain;
}

static Value scaled(Task &task, Value tile, Value factor) {
  return task.k.map({tile, factor}, cast<tile::TileType>(tile.getType()),
                    [&](OpBuilder &b, auto args) { return arith::MulFOp::create(b, task.k.loc, args[0], args[1]); });
}

// The factor of a dot product, null for 1.
static Value factorOf(Task &task, const ScoreChain &chain, bool base2) {
  ExprAttr scale = ScoreOp(chain.score).getScaleAttr();
  if (!scale && !base2)
    return {};
  double log2e = base2 ? kLog2E : 1.0;
  return scale ? emitNumber(task, scale, log2e) : task.k.float32(log2e);
}

// max(q, 0) or min(q, 0)
template <typename Extreme> static Value beyondZero(Task &task, Value q) {
  return task.k.map({q, task.k.float32(0.0)}, cast<tile::TileType>(q.getType()),
                    [&](OpBuilder &b, auto args) { return Extreme::create(b, task.k.loc, args[0], args[1]); });
}

// Products of stored bfloat16 numbers are exact in float32, and some targets add pairs of them.
static bool multipliesStored(const TargetInfo &target, Value tile) {
  auto load = tile.getDefiningOp<tile::LoadOp>();
  return load && load.getView().getType().getElementType().isBF16() &&
         cast<tile::TileType>(tile.getType()).getRows() <= target.storedRows;
}

QueryTile scaleQueries(Task &task, Value tile, const ScoreChain &chain, ScoreUnit unit) {
  QueryTile result{tile};
  if (ScoreOp(chain.score).getHow() == ScoreKind::Bound) {
    result.tile = beyondZero<arith::MaximumFOp>(task, tile);
    result.negative = beyondZero<arith::MinimumFOp>(task, tile);
    return result;
  }
  // Scores that rank are scaled after the product: equal products must stay equal, and folding would round each
  // feature.
  const TargetInfo &target = task.context.target;
  if (!target.foldScale || unit == ScoreUnit::Plain || chain.ranks || multipliesStored(target, tile))
    return result;
  result.scaled = true;
  result.base2 = unit == ScoreUnit::Base2 && chain.maps.empty();
  if (Value factor = factorOf(task, chain, result.base2))
    result.tile = scaled(task, tile, factor);
  return result;
}

QueryTile loadQueries(Task &task, const Rows &rows, const RowOperand &queries, const ScoreChain &chain,
                      ScoreUnit unit) {
  KernelBuilder &k = task.k;
  Value head = queries.isWorkspace ? task.headInUnit(queries.head) : task.head(queries.head);
  Value batch = queries.isWorkspace ? task.pair : task.batch;
  Value view = rows.across ? task.sliceAcross(queries.ref, batch, rows.across)
                           : task.slice(queries.ref, batch, rows.heads == 1 ? head : k.floorDiv(head, rows.heads),
                                        rows.heads, rows.outer, Value(), std::nullopt, rows.lattice);
  Value tile = tile::LoadOp::create(k.b, k.loc, k.tile(rows.count(), queries.features), view, rows.first);
  QueryTile result = scaleQueries(task, tile, chain, unit);
  for (MapOp map : chain.maps)
    addRowValues(task, rows, map, result.values);
  return result;
}

Value scoreTile(Task &task, const Rows &rows, const QueryTile &queries, Value keys, Value firstKey,
                const ScoreChain &chain, ScoreUnit unit, Lattice keyLattice, Value least) {
  KernelBuilder &k = task.k;
  Columns columns{cast<tile::TileType>(keys.getType()).getRows() / rows.keyHeads, firstKey, keyLattice};
  auto type = k.tile(cast<tile::TileType>(queries.tile.getType()).getRows(), columns.count);
  Value s = tile::DotOp::create(k.b, k.loc, type, "nt", queries.tile, keys, Value(), Value(), rows.keyHeads);
  if (least)
    s = tile::DotOp::create(k.b, k.loc, type, "nt", queries.negative, least, s, Value());
  bool base2 = unit == ScoreUnit::Base2;
  if (!queries.scaled)
    if (Value factor = factorOf(task, chain, base2 && chain.maps.empty()))
      s = scaled(task, s, factor);
  for (MapOp map : chain.maps)
    s = mapTile(task, rows, columns, map, queries.values, s, base2 && map == chain.maps.back() ? kLog2E : 1.0);
  return s;
}

Value maskTile(Task &task, Value scores, Value row, AffineMap rowMap, Value column, const Predicate &predicate,
               Value when, Value ids) {
  KernelBuilder &k = task.k;
  SmallVector<Value> tables;
  for (auto [number, load] : llvm::zip(predicate.numbers, predicate.loads)) {
    auto type = cast<tile::TileType>(scores.getType());
    Columns columns{type.getCols(), column, {}};
    if (number)
      tables.push_back(number);
    else if (alongOf(task.context, load) == Along::Distances)
      tables.push_back(loadForDistances(task, type.getRows(), row, columns, load));
    else
      tables.push_back(loadForColumns(task, {}, columns, load));
  }
  return tile::MaskOp::create(k.b, k.loc, scores.getType(), scores, row, column, predicate.symbols, when, ids, tables,
                              predicate.sets, AffineMapAttr::get(rowMap));
}

//===-- Streams -----------------------------------------------------------------------------------------===//

SmallVector<Value> stream(KernelBuilder &k, Value cover, ValueRange inits,
                          llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto op = tile::StreamOp::create(k.b, k.loc, inits.getTypes(), cover, inits);
  Block &block = op.getBody().emplaceBlock();
  block.addArgument(k.b.getIndexType(), k.loc);
  for (Value init : inits)
    block.addArgument(init.getType(), k.loc);
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToEnd(&block);
  SmallVector<Value> carried(block.getArguments().drop_front());
  SmallVector<Value> next = body(block.getArgument(0), carried);
  tile::YieldOp::create(k.b, k.loc, next);
  return SmallVector<Value>(op.getResults());
}

SoftmaxState emptyState(Task &task, int64_t rows, int64_t features) {
  KernelBuilder &k = task.k;
  return {k.splat(-std::numeric_limits<double>::infinity(), k.rowVector(rows)), k.splat(0.0, k.rowVector(rows)),
          k.splat(0.0, k.tile(rows, features))};
}

SoftmaxState softmaxStep(KernelBuilder &k, Value scores, Value values, const SoftmaxState &state, int64_t keyHeads) {
  auto step = tile::SoftmaxStepOp::create(k.b, k.loc, state.m.getType(), state.m.getType(), state.m.getType(),
                                          scores.getType(), scores, state.m, state.l);
  Value acc = tile::DotOp::create(k.b, k.loc, state.acc.getType(), "nn", step.getP(), values, state.acc,
                                  step.getAlpha(), keyHeads);
  return {step.getNewM(), step.getNewL(), acc};
}

SoftmaxState mergeStates(KernelBuilder &k, const SoftmaxState &a, const SoftmaxState &b) {
  auto both = tile::MergeOp::create(k.b, k.loc, a.m.getType(), a.l.getType(), a.acc.getType(), a.m, a.l, a.acc, b.m,
                                    b.l, b.acc);
  return {both.getM(), both.getL(), both.getAcc()};
}

Value addWeighted(KernelBuilder &k, Value sum, const SoftmaxState &state, Value weight) {
  Value factor = k.map({weight, state.l}, cast<tile::TileType>(state.l.getType()),
                       [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
                         Value zero = arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(0.0f));
                         Value none = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OEQ, args[1], zero);
                         Value share = arith::DivFOp::create(b, k.loc, args[0], args[1]);
                         return arith::SelectOp::create(b, k.loc, none, zero, share);
                       });
  return k.map({sum, state.acc, factor}, cast<tile::TileType>(sum.getType()),
               [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
                 return arith::AddFOp::create(b, k.loc, args[0], arith::MulFOp::create(b, k.loc, args[1], args[2]));
               });
}

RowRange rangeOf(Task &task, const Rows &rows, AxisAttr axis) {
  KernelBuilder &k = task.k;
  Value count = axis.isBlocks() ? k.ceilDiv(task.rowCount(), *literalInt(axis.getLen())) : task.rowCount();
  Value further = k.min(k.constant(rows.positions - 1), k.sub(k.sub(count, k.constant(1)), rows.first));
  return {task.rowPosition(axis, rows.first), further};
}

// The runs inside one part of the tiles from the first to the last that any run visits.
static SmallVector<RunValues> partOf(KernelBuilder &k, ArrayRef<RunValues> runs, const KeySplit &split) {
  Value low = runs[0].lo, high = runs[0].hi;
  for (const RunValues &run : runs.drop_front()) {
    low = k.min(low, run.lo);
    high = k.max(high, run.hi);
  }
  Value each = k.max(k.ceilDiv(k.sub(high, low), split.count), k.constant(split.leastTiles));
  Value from = k.add(low, k.mul(split.number, each)), to = k.add(from, each);
  auto cut = [&](Value bound) { return k.min(k.max(bound, from), to); };
  SmallVector<RunValues> parts;
  for (const RunValues &run : runs)
    parts.push_back({cut(run.lo), cut(run.hi), cut(run.fullLo), cut(run.fullHi)});
  return parts;
}

// -inf for blocks that the row did not choose, or for those that it did.
static Value chosenScores(Task &task, const Rows &rows, const RangeBranch &branch, Value scores, Value tileNumber) {
  KernelBuilder &k = task.k;
  const ChosenBlocks &chosen = *branch.chosen;
  auto type = cast<tile::TileType>(scores.getType());
  Value row = task.headOfRow(chosen.head, k.sub(rows.first, k.size("first_row")), chosen.rowTile);
  Value word = chosen.perWord > 1 ? tileNumber : k.floorDiv(tileNumber, chosen.block / branch.keys.tile);
  Value words = tile::LoadOp::create(k.b, k.loc, k.rowVector(type.getRows(), k.b.getI32Type()),
                                     task.sliceAcross(chosen.words, task.pair, word), row);
  int64_t block = chosen.perWord > 1 ? chosen.block : type.getCols();
  return tile::ChooseOp::create(k.b, k.loc, type, scores, words, static_cast<uint64_t>(block), chosen.others);
}

SoftmaxState streamRange(Task &task, const Rows &rows, RowRange range, const QueryTile &queries,
                         const RangeBranch &branch, const KeySplit *split) {
  KernelBuilder &k = task.k;
  int64_t tile = branch.keys.tile;
  Value end = branch.end ? branch.end : keyCountOf(task, branch.keys);
  if (branch.set.random)
    branch.set.random->define(task, rows);
  Lattice unpacked = branch.keys.every == 1 ? branch.lattice : Lattice();
  Value keyView = viewOf(task, branch.keys, unpacked, rows.keyHeads);
  Value valueView = branch.valuesAreKeys ? Value() : viewOf(task, branch.values, unpacked, rows.keyHeads);
  SmallVector<RunValues> runs = branch.set.runs(task, range, tile, end);
  Value cover = coverOf(task, split && !runs.empty() ? partOf(k, runs, *split) : runs);
  Predicate predicate = branch.set.predicate(task, end, &rows);
  SoftmaxState state = emptyState(task, rows.count(), branch.values.features);
  Value base = branch.firstKey;
  SmallVector<Value> results = stream(k, cover, {state.m, state.l, state.acc}, [&](Value j, ValueRange carried) {
    Value first = k.mul(j, tile), at = base ? k.add(base, first) : first;
    int64_t keyRows = tile * rows.keyHeads;
    Value keys = tile::LoadOp::create(k.b, k.loc, k.tile(keyRows, branch.keys.features), keyView, at);
    Value values = keys;
    if (!branch.valuesAreKeys)
      values = tile::LoadOp::create(k.b, k.loc, k.tile(keyRows, branch.values.features), valueView, at);
    Value scores = scoreTile(task, rows, queries, keys, first, branch.chain, ScoreUnit::Base2, branch.lattice);
    if (branch.chosen)
      scores = chosenScores(task, rows, branch, scores, j);
    Value visible = maskTile(task, scores, range.first, rows.positionOf(k.b.getContext()), first, predicate);
    SoftmaxState next = softmaxStep(k, visible, values, {carried[0], carried[1], carried[2]}, rows.keyHeads);
    return SmallVector<Value>{next.m, next.l, next.acc};
  });
  return {results[0], results[1], results[2]};
}

} // namespace sattn::lower

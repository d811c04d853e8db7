// Scoring blocks, keeping the best, weighing them.
#include "lib/transforms/kernels/SelectKernel.h"
#include "lib/transforms/kernels/Formulas.h"
#include "lib/transforms/kernels/LseKernel.h"
#include "lib/transforms/kernels/Plan.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <limits>

namespace sattn::lower {
using namespace mlir;

// More rows leave the code for few rows (codegen/cpu/Lines.cpp), which reads keys where they lie.
static constexpr int64_t kMostBeside = 8;

static constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

namespace {
class SelectKernel {
public:
  SelectKernel(Context &context, Preparer &preparer, SelectionChain chain, Selections &selections)
      : context(context), preparer(preparer), chain(std::move(chain)), selections(selections) {}

  LogicalResult build() {
    if (failed(sets()) || failed(shape()) || failed(operands()))
      return failure();
    declare();
    auto kernel = context.program.kernel("select");
    KernelBuilder &k = *kernel;
    k.loc = chain.select.getLoc();
    int64_t queryHeads = context.ratio(lists.head).value_or(1) * kept;
    Task task(context, k, queryHeads);
    Value local = k.mul(k.gridX(), positions);
    Value first = lists.perChunk ? k.add(k.size("first_row"), local) : local;
    Rows rows{positions, heads, true, first, {}};
    range = rangeOf(task, rows, lists.row);
    rowMap = Rows{positions, kept, true, first, {}}.positionOf(k.b.getContext());
    if (chain.normalize) {
      k.loc = chain.normalize.getLoc();
      statistics(task, rows, local);
      k.loc = chain.select.getLoc();
    }
    store(task, choose(task, rows), local);
    Launch launch;
    launch.x = [lists = lists, positions = positions](PlanWriter &plan) {
      return plan.index.ceilDiv(lists.perChunk ? plan.chunkRows : plan.axisSize(lists.row), positions);
    };
    launch.y = context.ratio(lists.head) ? context.tasksInUnit(queryHeads)
                                         : PlanSize([](PlanWriter &plan) { return plan.index.constant(1); });
    launch.order = {"z", "-x", "y"};
    launch.perChunk = lists.perChunk;
    launch.makes = results();
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

private:
  // Values that are stored for other kernels; attention that rides along is finalised here.
  SmallVector<Value> results() {
    SmallVector<Value> made{chain.select.getResult()};
    for (WeighOp weigh : chain.weights)
      made.push_back(weigh.getResult());
    for (AccumulateOp op : chain.fused) {
      made.push_back(op.getResult());
      for (Operation *finalize : op->getUsers())
        made.push_back(finalize->getResult(0));
    }
    return made;
  }

  //===-- Shape and operands.

  // A task has `positions` rows, each with `heads` scored heads: those that are reduced to one list, or, in calls of
  // few rows, those that are scored with the same keys and have a list each.
  LogicalResult shape() {
    const Facts &facts = context.factsOf(chain.select.getResult());
    lists.row = facts.row;
    lists.head = facts.head;
    lists.block = facts.key;
    lists.slots = *literalInt(*chain.select.getTop());
    lists.perChunk = !lists.row.isBlocks();
    if (chain.reduce) {
      auto to = context.ratio(lists.head), from = context.ratio(context.factsOf(chain.reduce.getZ()).head);
      if (!to || !from)
        return context.refuse(chain.reduce, "'sattn.reduce' to one");
      heads = *to / *from;
    } else if (context.target.rowTile == 1) {
      heads = kept = headsBeside();
    }
    if (heads > 1 && differByHead())
      return context.refuse(chain.select, "a set that differs between the heads of a group");
    int64_t quantum = context.target.rowQuantum;
    positions = std::max<int64_t>(1, context.target.rowTile / (heads * quantum)) * quantum;
    return success();
  }

  bool differByHead() const {
    return llvm::any_of(ArrayRef{&where, &past, &forced},
                        [](const auto *set) { return succeeded(*set) && (*set)->mentionsQueryHead(); });
  }

  // Heads with lists of their own that one pass over the keys serves.
  int64_t headsBeside() {
    AxisAttr keyHead = context.factsOf(chain.score.score.getK()).headAxis();
    SmallVector<AxisAttr> shared{keyHead};
    for (AccumulateOp op : chain.fused)
      shared.push_back(context.factsOf(op.getV()).headAxis());
    auto own = context.ratio(lists.head);
    bool readsTables = llvm::any_of(chain.score.maps, [](MapOp map) { return !map.getTables().empty(); });
    if (!own || readsTables || differByHead())
      return 1;
    return evenShare(std::max<int64_t>(context.sharedHeads(shared) / *own, 1), kMostBeside);
  }

  LogicalResult operands() {
    ScoreOp score = chain.score.score;
    if (failed(checkHeads(context, chain.score, heads)))
      return failure();
    auto rows = preparer.rows(chain.select, score.getQ());
    if (failed(rows))
      return failure();
    queries = *rows;
    SmallVector<Value> fused;
    for (AccumulateOp op : chain.fused)
      fused.push_back(op.getV());
    int64_t tile = context.keyTile(score.getK(), fused);
    auto keyOperand = preparer.keys(chain.select, score.getK(), Preparer::Use::Keys, tile);
    if (failed(keyOperand))
      return failure();
    keys = *keyOperand;
    auto keyRatio = context.ratio(keys.head), headRatio = context.ratio(queries.head);
    if (keyRatio && headRatio && heads * *headRatio > *keyRatio)
      return context.refuse(chain.reduce, "'sattn.reduce' over heads of different keys");
    for (AccumulateOp op : chain.fused) {
      auto operand = preparer.keys(op, op.getV(), Preparer::Use::Values, tile);
      if (failed(operand))
        return failure();
      values.push_back(*operand);
    }
    return chain.rebin ? pooling() : success();
  }

  // A source block of length l and stride d shares (number of common strides) strides with a block of length b.
  LogicalResult pooling() {
    int64_t length = *literalInt(keys.axis.getLen()), stride = *literalInt(keys.axis.getStride());
    int64_t block = *literalInt(lists.block.getLen());
    if (length % stride != 0 || block % stride != 0)
      return chain.rebin.emitError() << "[SA0207] blocks(" << length << ", " << stride
                                     << ") cannot be pooled to blocks(" << block
                                     << "): the stride must divide both lengths";
    perBlock = block / stride;
    halo = length / stride - 1;
    if (keys.tile % perBlock != 0)
      return context.refuse(chain.rebin, "'sattn.rebin' of " + Twine(perBlock) +
                                             " strides to a block, which do not divide a tile of " + Twine(keys.tile));
    // Column j of the result begins at source block perBlock * j - halo.
    for (int64_t i = 0; i < perBlock + halo; ++i) {
      int64_t shared = 0;
      for (int64_t part = 0; part <= halo; ++part)
        shared += i - halo + part >= 0 && i - halo + part < perBlock;
      weights.push_back(static_cast<float>(shared));
    }
    return success();
  }

  LogicalResult sets() {
    auto parts = partsOf(context, chain.select, chain.select.getWhere());
    if (failed(parts))
      return failure();
    if (parts->select)
      return context.refuse(chain.select, "'sattn.select' from another selection");
    where = LocalSet::make(parts->formula, parts->formula.getFormula());
    if (failed(where))
      return failure();
    if (chain.normalize) {
      auto over = partsOf(context, chain.normalize, chain.normalize.getSet());
      if (failed(over))
        return failure();
      if (over->select)
        return context.refuse(chain.normalize, "'sattn.normalize' over a selection");
      past = LocalSet::make(over->formula, over->formula.getFormula());
      if (failed(past))
        return failure();
    }
    return addForced(context, chain.select, forced);
  }

  //===-- Workspaces.

  void declare() {
    MLIRContext *mlir = context.pattern.getContext();
    auto typeOf = [&](Type element, int64_t inner) {
      return tile::ArgType::get(mlir, element, inner, tile::PanelsAttr());
    };
    auto workspace = [&](StringRef name, tile::ArgType type, AxisAttr head) {
      Workspace w;
      w.name = name.str();
      w.type = type;
      w.axis = lists.row;
      w.perChunk = lists.perChunk;
      w.head = head;
      return context.workspace(w);
    };
    lists.lists = workspace("lists", typeOf(IntegerType::get(mlir, 32), lists.slots), lists.head);
    selections.lists[chain.select.getResult()] = lists;
    for (WeighOp weigh : chain.weights)
      selections.weights[weigh.getResult()] = {workspace("weights", typeOf(context.f32(), lists.slots), lists.head),
                                               lists.head, lists.slots};
    for (auto [op, operand] : llvm::zip(chain.fused, values))
      selections.attentions[op.getResult()] = {
          workspace("attended", typeOf(context.f32(), operand.features), queries.head), queries.head, operand.features};
  }

  int64_t listRows() const { return positions * kept; }

  Value viewOfRows(Task &task, const PlanRef &ref, AxisAttr head, int64_t group) {
    Value index = task.headInUnit(head);
    Value limit = lists.perChunk ? task.k.size("rows") : Value();
    return task.slice(ref, task.pair, group == 1 ? index : task.k.floorDiv(index, group), group, group != 1, limit);
  }

  //===-- First pass: softmax statistics, attention over the blocks.

  void statistics(Task &task, const Rows &rows, Value local) {
    KernelBuilder &k = task.k;
    int64_t tile = keys.tile;
    scored = loadQueries(task, rows, queries, chain.score, ScoreUnit::Base2);
    Value end = keyCountOf(task, keys);
    Value cover = coverOf(task, past->runs(task, range, tile, end));
    Predicate predicate = past->predicate(task, end);
    SoftmaxState before = emptyState(task, rows.count(), 1);
    if (Value given = chain.normalize.getLse()) {
      const RowWorkspace &stored = selections.lses.at(given);
      Value view = viewOfRows(task, stored.ref, stored.head, heads);
      before = stateOfLse(k, tile::LoadOp::create(k.b, k.loc, k.rowVector(rows.count()), view, local), Value());
    }
    SmallVector<Value> inits{before.m, before.l};
    SmallVector<Value> valueViews;
    for (const KeyOperand &operand : values) {
      inits.push_back(k.splat(0.0, k.tile(rows.count(), operand.features)));
      valueViews.push_back(viewOf(task, operand));
    }
    Keys from = keysOf(task);
    SmallVector<Value> results = stream(k, cover, inits, [&](Value j, ValueRange carried) {
      Value visible = maskedScores(task, rows, from, j, predicate);
      auto step = tile::SoftmaxStepOp::create(k.b, k.loc, carried[0].getType(), carried[0].getType(),
                                              carried[0].getType(), visible.getType(), visible, carried[0], carried[1]);
      SmallVector<Value> next{step.getNewM(), step.getNewL()};
      for (auto [i, operand] : llvm::enumerate(values)) {
        Value rowsOfValues =
            tile::LoadOp::create(k.b, k.loc, k.tile(tile, operand.features), valueViews[i], k.mul(j, tile));
        next.push_back(tile::DotOp::create(k.b, k.loc, carried[2 + i].getType(), "nn", step.getP(), rowsOfValues,
                                           carried[2 + i], step.getAlpha()));
      }
      return next;
    });
    for (auto [i, op] : llvm::enumerate(chain.fused)) {
      auto finish = tile::SoftmaxFinishOp::create(k.b, k.loc, results[2 + i].getType(), results[0].getType(),
                                                  results[0], results[1], results[2 + i], Value());
      const RowWorkspace &workspace = selections.attentions[op.getResult()];
      tile::StoreOp::create(k.b, k.loc, finish.getO(), viewOfRows(task, workspace.ref, workspace.head, heads), local);
    }
    // lse in base 2; where a row has no block it is never used.
    lse = k.map({results[0], results[1]}, cast<tile::TileType>(results[0].getType()),
                [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
                  return arith::AddFOp::create(b, k.loc, args[0], math::Log2Op::create(b, k.loc, args[1]));
                });
  }

  // The keys of the task's heads; of a pair of extremes its two halves.
  struct Keys {
    Value view, least;
  };
  Keys keysOf(Task &task) { return {viewOf(task, keys), leastOf(task, keys)}; }

  Value scoresOf(Task &task, const Rows &rows, const Keys &from, Value j, ScoreUnit unit) {
    KernelBuilder &k = task.k;
    Value first = k.mul(j, keys.tile);
    auto load = [&](Value view) -> Value {
      return view ? tile::LoadOp::create(k.b, k.loc, k.tile(keys.tile, keys.features), view, first) : Value();
    };
    Value keyTile = load(from.view), least = load(from.least);
    return scoreTile(task, rows, scored, keyTile, first, chain.score, unit, Lattice(), least);
  }

  Value maskedScores(Task &task, const Rows &rows, const Keys &from, Value j, const Predicate &predicate) {
    Value scores = scoresOf(task, rows, from, j, ScoreUnit::Base2);
    return maskTile(task, scores, range.first, rows.positionOf(task.k.b.getContext()), task.k.mul(j, keys.tile),
                    predicate);
  }

  //===-- Second pass: scores, pooled and reduced, into the running top.

  Value choose(Task &task, const Rows &rows) {
    KernelBuilder &k = task.k;
    MLIRContext *mlir = k.b.getContext();
    int64_t tile = keys.tile, columns = chain.rebin ? tile / perBlock : tile;
    if (!chain.normalize)
      scored = loadQueries(task, rows, queries, chain.score, ScoreUnit::Plain);
    Value count = chain.rebin ? task.keyCount(raggedBlocks(lists.block)) : keyCountOf(task, keys);
    Value end = keyCountOf(task, keys);
    Value cover = coverOf(task, candidateRuns(task, columns, count, end));
    Predicate open = where->predicate(task, count), inside;
    if (chain.normalize)
      inside = past->predicate(task, end);
    Predicate force;
    force.sets = ArrayAttr::get(mlir, {});
    if (succeeded(forced))
      force = forced->predicate(task, Value());
    auto topType = tile::TopType::get(mlir, listRows(), lists.slots);
    SmallVector<Value> inits{tile::TopInitOp::create(k.b, k.loc, topType)};
    if (halo > 0)
      inits.push_back(k.splat(0.0, k.tile(listRows(), halo)));
    Keys from = keysOf(task);
    Value threshold;
    if (chain.select.getAboveAttr())
      threshold = emitNumber(task, chain.select.getAboveAttr());
    Value top = stream(k, cover, inits, [&](Value j, ValueRange carried) {
      SmallVector<Value> next(carried);
      Value z = candidateScores(task, rows, from, j, inside);
      if (chain.rebin) {
        Value before = halo > 0 ? carried[1] : Value();
        z = pool(task, z, before, next);
      }
      Value first = k.mul(j, columns);
      if (threshold)
        z = dropBelow(k, z, threshold);
      else if (!force.sets.empty() && !chain.normalize)
        z = keepForced(k, z);
      z = maskTile(task, z, range.first, rowMap, first, open);
      next[0] = tile::TopPushOp::create(k.b, k.loc, topType, carried[0], z, first, range.first, force.symbols,
                                        force.sets, AffineMapAttr::get(rowMap));
      return next;
    })[0];
    return chain.select.getMassAttr() ? upToMass(task, top) : top;
  }

  // The first ranks, whose probabilities sum to the mass within rounding.
  Value upToMass(Task &task, Value top) {
    KernelBuilder &k = task.k;
    Value enough = emitNumber(task, chain.select.getMassAttr());
    enough = arith::SubFOp::create(k.b, k.loc, enough, k.float32(kMassSlack));
    return tile::TopMassOp::create(k.b, k.loc, top.getType(), top, enough);
  }

  // z where it is above the threshold, else NaN, which is selected by force only.
  static Value dropBelow(KernelBuilder &k, Value z, Value threshold) {
    return k.map(
        {z, threshold}, cast<tile::TileType>(z.getType()), [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
          Value above = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OGT, args[0], args[1]);
          Value none = arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(std::numeric_limits<float>::quiet_NaN()));
          return arith::SelectOp::create(b, k.loc, above, args[0], none);
        });
  }

  static AxisAttr raggedBlocks(AxisAttr axis) {
    return AxisAttr::blocks(axis.getContext(), axis.getName(), axis.getLen(), axis.getStride(), true);
  }

  // Tiles with candidates. With two masks in the body a tile is full only if it is for both.
  SmallVector<RunValues> candidateRuns(Task &task, int64_t columns, Value count, Value end) {
    KernelBuilder &k = task.k;
    SmallVector<RunValues> runs = where->runs(task, range, columns, count);
    if (!chain.normalize || runs.empty())
      return runs;
    SmallVector<RunValues> visible = past->runs(task, range, keys.tile, end);
    for (RunValues &run : runs) {
      if (visible.size() == 1) {
        run.fullLo = k.max(run.fullLo, visible[0].fullLo);
        run.fullHi = k.min(run.fullHi, visible[0].fullHi);
      } else {
        run.fullHi = run.fullLo;
      }
    }
    return runs;
  }

  // Scores of one tile of source blocks, reduced over heads: probabilities where the score is normalised.
  Value candidateScores(Task &task, const Rows &rows, const Keys &from, Value j, const Predicate &inside) {
    KernelBuilder &k = task.k;
    Value z;
    if (chain.normalize) {
      Value visible = maskedScores(task, rows, from, j, inside);
      z = k.map(
          {visible, lse}, cast<tile::TileType>(visible.getType()),
          [&](OpBuilder &b, Block::BlockArgListType args) -> Value { return probability(b, k.loc, args[0], args[1]); });
    } else {
      z = scoresOf(task, rows, from, j, ScoreUnit::Plain);
    }
    return reduceHeads(task, z);
  }

  // exp2(s - lse), and 0 where s is -inf.
  static Value probability(OpBuilder &b, Location loc, Value s, Value lse) {
    Value none = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(kMinusInfinity)));
    Value zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0.0f));
    Value hidden = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, s, none);
    Value p = math::Exp2Op::create(b, loc, arith::SubFOp::create(b, loc, s, lse));
    return arith::SelectOp::create(b, loc, hidden, zero, p);
  }

  Value reduceHeads(Task &task, Value z) {
    if (!chain.reduce)
      return z;
    KernelBuilder &k = task.k;
    auto type = k.tile(positions, cast<tile::TileType>(z.getType()).getCols());
    StringRef kind = chain.reduce.getHow() == ReduceKind::Max ? "max" : "sum";
    if (heads > 1)
      z = tile::ReduceOp::create(k.b, k.loc, type, kind, z, "heads", k.b.getI64IntegerAttr(heads), /*outer=*/true);
    if (chain.reduce.getHow() != ReduceKind::Mean || heads == 1)
      return z;
    return k.map({z, k.float32(1.0 / static_cast<double>(heads))}, type,
                 [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
                   return arith::MulFOp::create(b, k.loc, args[0], args[1]);
                 });
  }

  Value pool(Task &task, Value z, Value before, SmallVectorImpl<Value> &next) {
    KernelBuilder &k = task.k;
    auto type = k.tile(listRows(), keys.tile / perBlock);
    if (!before)
      before = k.splat(0.0, k.tile(listRows(), 1));
    auto op =
        tile::PoolOp::create(k.b, k.loc, type, before.getType(), z, before,
                             DenseF32ArrayAttr::get(k.b.getContext(), padded(before)), k.b.getI64IntegerAttr(perBlock));
    if (halo > 0)
      next[1] = op.getNewHalo();
    return op.getY();
  }

  // Without overlap there is no halo; the op's one halo column then has weight 0.
  SmallVector<float> padded(Value before) {
    SmallVector<float> all(weights);
    if (halo == 0)
      all.insert(all.begin(), 0.0f);
    return all;
  }

  //===-- Results.

  void store(Task &task, Value top, Value local) {
    KernelBuilder &k = task.k;
    auto ids = k.tile(listRows(), lists.slots, k.b.getI32Type()), scores = k.tile(listRows(), lists.slots);
    auto list = tile::TopListOp::create(k.b, k.loc, ids, scores, top);
    tile::StoreOp::create(k.b, k.loc, list.getIds(), viewOfRows(task, lists.lists, lists.head, kept), local);
    for (WeighOp weigh : chain.weights) {
      Value w = weigh.getHow() == WeighKind::Softmax ? softmaxWeights(k, list.getScores())
                                                     : stickBreakingWeights(k, list.getScores());
      tile::StoreOp::create(k.b, k.loc, w,
                            viewOfRows(task, selections.weights[weigh.getResult()].ref, lists.head, kept), local);
    }
  }

  Value softmaxWeights(KernelBuilder &k, Value scores) {
    auto type = cast<tile::TileType>(scores.getType());
    auto rows = k.rowVector(listRows());
    Value base2 = k.map({scores}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
      Value log2e = arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(static_cast<float>(kLog2E)));
      return arith::MulFOp::create(b, k.loc, args[0], log2e);
    });
    Value most = tile::ReduceOp::create(k.b, k.loc, rows, "max", base2, "cols", IntegerAttr(), false);
    Value e = k.map({base2, most}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
      return probability(b, k.loc, args[0], args[1]);
    });
    Value sum = tile::ReduceOp::create(k.b, k.loc, rows, "sum", e, "cols", IntegerAttr(), false);
    return k.map({e, sum}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
      Value zero = arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(0.0f));
      Value none = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OEQ, args[1], zero);
      return arith::SelectOp::create(b, k.loc, none, zero, arith::DivFOp::create(b, k.loc, args[0], args[1]));
    });
  }

  // Newest first, which is the last slot first: w = exp(a - sum over this and newer slots of softplus(a)).
  Value stickBreakingWeights(KernelBuilder &k, Value scores) {
    auto type = cast<tile::TileType>(scores.getType());
    auto constant = [&](OpBuilder &b, double value) -> Value {
      return arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(static_cast<float>(value)));
    };
    // softplus(a) * log2(e) = max(x, 0) + log2(1 + exp2(-|x|)) with x = a * log2(e); 0 for a = -inf.
    Value softplus = k.map({scores}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
      Value x = arith::MulFOp::create(b, k.loc, args[0], constant(b, kLog2E));
      Value down = arith::NegFOp::create(b, k.loc, math::AbsFOp::create(b, k.loc, x));
      Value tail = math::Log2Op::create(
          b, k.loc, arith::AddFOp::create(b, k.loc, math::Exp2Op::create(b, k.loc, down), constant(b, 1.0)));
      return arith::AddFOp::create(b, k.loc, arith::MaximumFOp::create(b, k.loc, x, constant(b, 0.0)), tail);
    });
    Value used = tile::RowScanOp::create(k.b, k.loc, type, softplus, /*reverse=*/true);
    return k.map({scores, used}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
      Value x = arith::MulFOp::create(b, k.loc, args[0], constant(b, kLog2E));
      return probability(b, k.loc, x, args[1]);
    });
  }

  Context &context;
  Preparer &preparer;
  SelectionChain chain;
  Selections &selections;

  SelectionLists lists;
  int64_t heads = 1, kept = 1, positions = 0; ///< scored heads, lists of them, rows of each
  RowOperand queries;
  KeyOperand keys;
  SmallVector<KeyOperand> values;
  FailureOr<LocalSet> where = failure(), past = failure(), forced = failure();
  int64_t perBlock = 1, halo = 0;
  SmallVector<float> weights;

  RowRange range;
  AffineMap rowMap;
  QueryTile scored;
  Value lse;
};
} // namespace

LogicalResult buildSelectKernel(Context &context, Preparer &preparer, const SelectionChain &chain,
                                Selections &selections) {
  return SelectKernel(context, preparer, chain, selections).build();
}

} // namespace sattn::lower

// Softmax statistics of the rows, then sums over them.
#include "lib/transforms/kernels/VoteKernel.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/RouteList.h"
#include "lib/transforms/kernels/Selection.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <limits>

namespace sattn::lower {
using namespace mlir;

/// Keys of a task, so many that loading a tile of queries costs little beside its product; and rows of that tile.
static constexpr int64_t kVoteKeys = 128, kVoteRows = 64;

Value keepRows(KernelBuilder &k, Value tile, Value from, Value to, double otherwise) {
  auto type = cast<tile::TileType>(tile.getType());
  Value zero = k.constant(0), count = k.constant(type.getRows());
  // Positions may be large, what is left of them within a tile is a small number.
  auto bound = [&](Value at) -> Value {
    Value integer = arith::IndexCastOp::create(k.b, k.loc, k.b.getI64Type(), k.min(k.max(at, zero), count));
    return arith::SIToFPOp::create(k.b, k.loc, k.b.getF32Type(), integer);
  };
  auto counted = AffineMapAttr::get(AffineMap::getMultiDimIdentityMap(1, k.b.getContext()));
  Value number = tile::IotaOp::create(k.b, k.loc, k.rowVector(type.getRows()), counted);
  return k.map({tile, number, bound(from), bound(to)}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
    Value begun = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OGE, args[1], args[2]);
    Value open = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OLT, args[1], args[3]);
    Value none = arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(static_cast<float>(otherwise)));
    Value upTo = arith::SelectOp::create(b, k.loc, open, args[0], none);
    return arith::SelectOp::create(b, k.loc, begun, upTo, none);
  });
}

namespace {
class VoteKernels {
public:
  VoteKernels(Context &context, Preparer &preparer, ColsumOp op) : context(context), preparer(preparer), op(op) {}

  FailureOr<Votes> build() {
    if (failed(collect()) || failed(sets()) || failed(operands()))
      return failure();
    declare();
    sumRows();
    sumVotes();
    return votes;
  }

private:
  //===-- What is summed over what.

  LogicalResult collect() {
    Value p = op.getP();
    if ((reduce = p.getDefiningOp<ReduceOp>()))
      p = reduce.getZ();
    if (reduce && reduce.getHow() != ReduceKind::Sum && reduce.getHow() != ReduceKind::Mean)
      return context.refuse(reduce, "'sattn.reduce " + stringifyReduceKind(reduce.getHow()) + "' of probabilities");
    normalize = p.getDefiningOp<NormalizeOp>();
    if (!normalize)
      return context.refuse(op, "'sattn.colsum' of anything but probabilities, or sums of them over heads,");
    if (normalize.getLse())
      return context.refuse(normalize, "'sattn.normalize' with a given lse before 'sattn.colsum'");
    auto score = scoreChain(context, op, normalize.getZ());
    if (failed(score))
      return failure();
    chain = *score;
    for (MapOp map : chain.maps)
      if (readsPlaces(context, map))
        return context.refuse(map, "'sattn.map' with positions, heads or tables before 'sattn.colsum'");
    votes.head = context.factsOf(op.getVotes()).headAxis();
    heads = headsOfTask(context, votes.head);
    if (reduce && !context.ratio(votes.head))
      return context.refuse(reduce, "'sattn.reduce' to one before 'sattn.colsum'");
    return success();
  }

  LogicalResult sets() {
    KeySetAttr over[2];
    Value given[2] = {normalize.getSet(), op.getSet()};
    for (auto [value, attr] : llvm::zip(given, over)) {
      auto set = value.getDefiningOp<SetOp>();
      if (!set || !set.getTables().empty() || set.getFormula().getRow().isBlocks() ||
          set.getFormula().getKey().isBlocks())
        return context.refuse(op, "'sattn.colsum' over anything but formulas over rows and keys");
      attr = set.getFormula();
    }
    past = LocalSet::make(normalize, over[0]);
    watch = LocalSet::make(op, over[1]);
    both = LocalSet::byKeys(op, over);
    if (failed(past) || failed(watch) || failed(both))
      return failure();
    if (both->mentionsQueryHead() && heads > 1)
      return context.refuse(op, "a set that differs between the heads of a group");
    return success();
  }

  LogicalResult operands() {
    ScoreOp score = chain.score;
    auto rows = preparer.rows(op, score.getQ());
    auto packed = preparer.keys(op, score.getK(), Preparer::Use::Keys, context.keyTile(score.getK(), {}));
    if (failed(rows) || failed(packed))
      return failure();
    queries = *rows;
    keys = *packed;
    auto ratio = context.ratio(keys.head);
    if (ratio && *ratio % heads != 0)
      return context.refuse(reduce, "'sattn.reduce' over heads of different keys");
    return success();
  }

  void declare() {
    auto workspace = [&](StringRef name, AxisAttr head, PlanSize count) {
      Workspace w;
      w.name = name.str();
      w.type = tile::ArgType::get(context.pattern.getContext(), context.f32(), 1, tile::PanelsAttr());
      w.count = std::move(count);
      w.head = head;
      return context.workspace(w);
    };
    lse = workspace("lse", context.queryHeads(), [](PlanWriter &plan) { return plan.dim("t"); });
    votes.ref = workspace("votes", votes.head, [](PlanWriter &plan) { return plan.dim("s"); });
  }

  //===-- First pass.

  void sumRows() {
    auto kernel = context.program.kernel("lse");
    KernelBuilder &k = *kernel;
    k.loc = normalize.getLoc();
    Task task(context, k, 1);
    int64_t rowTile = context.target.rowTile;
    Rows rows{rowTile, 1, false, k.mul(k.gridX(), rowTile), {}};
    RowRange range = rangeOf(task, rows, past->row);
    Value end = keyCountOf(task, keys), any = k.constant(0);
    for (const RunValues &run : watch->runs(task, range, keys.tile, end))
      any = k.max(any, k.sub(run.hi, run.lo));
    // Rows that nothing is summed over have no use for a sum of their own.
    Value watches = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::sgt, any, k.constant(0));
    auto taken = scf::IfOp::create(k.b, k.loc, watches, /*withElseRegion=*/false);
    {
      OpBuilder::InsertionGuard guard(k.b);
      k.b.setInsertionPoint(taken.thenBlock()->getTerminator());
      Value view = task.slice(lse, task.pair, task.headInUnit(context.queryHeads()));
      tile::StoreOp::create(k.b, k.loc, statistics(task, rows, range), view, rows.first);
    }
    Launch launch;
    launch.x = [rowTile](PlanWriter &plan) { return plan.index.ceilDiv(plan.dim("t"), rowTile); };
    launch.y = context.tasksInUnit(1);
    launch.order = {"z", "-x", "y"};
    launch.makes = {normalize.getP()};
    context.finish(std::move(kernel), std::move(launch));
  }

  Value statistics(Task &task, const Rows &rows, RowRange range) {
    KernelBuilder &k = task.k;
    QueryTile scaled = loadQueries(task, rows, queries, chain, ScoreUnit::Base2);
    Value end = keyCountOf(task, keys), cover = coverOf(task, past->runs(task, range, keys.tile, end));
    Predicate inside = past->predicate(task, end);
    Value view = viewOf(task, keys);
    SoftmaxState empty = emptyState(task, rows.count(), 1);
    SmallVector<Value> sums = stream(k, cover, {empty.m, empty.l}, [&](Value j, ValueRange carried) {
      Value first = k.mul(j, keys.tile);
      Value keyTile = tile::LoadOp::create(k.b, k.loc, k.tile(keys.tile, keys.features), view, first);
      Value scores = scoreTile(task, rows, scaled, keyTile, first, chain, ScoreUnit::Base2);
      scores = maskTile(task, scores, range.first, rows.positionOf(k.b.getContext()), first, inside);
      auto step = tile::SoftmaxStepOp::create(k.b, k.loc, carried[0].getType(), carried[0].getType(),
                                              carried[0].getType(), scores.getType(), scores, carried[0], carried[1]);
      return SmallVector<Value>{step.getNewM(), step.getNewL()};
    });
    // Where a row has no key it is never used.
    return k.map({sums[0], sums[1]}, cast<tile::TileType>(sums[0].getType()),
                 [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
                   return arith::AddFOp::create(b, k.loc, args[0], math::Log2Op::create(b, k.loc, args[1]));
                 });
  }

  //===-- Second pass: rows of a tile are keys, its columns the rows of the call.

  void sumVotes() {
    auto kernel = context.program.kernel("votes");
    KernelBuilder &k = *kernel;
    k.loc = op.getLoc();
    Task task(context, k, heads);
    Value first = k.mul(k.gridX(), kVoteKeys), left = k.sub(task.keyCount(), first);
    RowRange range{first, k.max(k.min(k.constant(kVoteKeys), left), k.constant(1))};
    range.further = k.sub(range.further, k.constant(1));
    PlanRef role = context.role(chain.score.getK());
    Value keyView = task.slice(role, task.batch, task.head(keys.head), 1, false, task.keyCount());
    Value keyTile = tile::LoadOp::create(k.b, k.loc, k.tile(kVoteKeys, keys.features), keyView, first);
    QueryTile scaled = scaleQueries(task, keyTile, chain, ScoreUnit::Base2);
    Value cover = coverOf(task, both->runs(task, range, kVoteRows, task.rowCount()));
    Predicate inside = both->predicate(task, task.rowCount());
    Value none = k.splat(0.0, k.rowVector(kVoteKeys));
    Value sum = stream(k, cover, {none}, [&](Value j, ValueRange carried) {
      return SmallVector<Value>{addHeads(task, scaled, range, inside, k.mul(j, kVoteRows), carried[0])};
    })[0];
    if (reduce && reduce.getHow() == ReduceKind::Mean)
      sum = k.map({sum, k.float32(1.0 / static_cast<double>(heads))}, k.rowVector(kVoteKeys),
                  [&](OpBuilder &b, auto args) { return arith::MulFOp::create(b, k.loc, args[0], args[1]); });
    sum = keepRows(k, sum, k.constant(0), left, 0.0);
    tile::StoreOp::create(k.b, k.loc, sum, task.slice(votes.ref, task.pair, task.headInUnit(votes.head)), first);
    Launch launch;
    launch.x = [](PlanWriter &plan) { return plan.index.ceilDiv(plan.dim("s"), kVoteKeys); };
    launch.y = tasksOfHeads(context, votes.head);
    launch.order = {"z", "x", "y"};
    launch.makes = {op.getVotes()};
    context.finish(std::move(kernel), std::move(launch));
  }

  // The probabilities of a tile of rows, summed over them and over the heads of the task.
  Value addHeads(Task &task, const QueryTile &keyTile, RowRange range, const Predicate &inside, Value row, Value sum) {
    KernelBuilder &k = task.k;
    auto loop = scf::ForOp::create(k.b, k.loc, k.constant(0), k.constant(heads), k.constant(1), ValueRange{sum});
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToEnd(loop.getBody());
    Value head = loop.getInductionVar();
    AxisAttr of = queries.head ? queries.head : context.queryHeads();
    Value queryView = task.slice(queries.ref, task.batch, queries.head ? k.add(task.head(of), head) : k.constant(0));
    Value lseView = task.slice(lse, task.pair, k.add(task.headInUnit(context.queryHeads()), head));
    Value right = tile::LoadOp::create(k.b, k.loc, k.tile(kVoteRows, queries.features), queryView, row);
    Value sums = tile::LoadOp::create(k.b, k.loc, k.tile(1, kVoteRows), lseView, row);
    Rows keyRows{kVoteKeys, 1, false, range.first, {}};
    Value scores = scoreTile(task, keyRows, keyTile, right, row, chain, ScoreUnit::Base2);
    scores = maskTile(task, scores, range.first, keyRows.positionOf(k.b.getContext()), row, inside);
    Value p = k.map({scores, sums}, cast<tile::TileType>(scores.getType()),
                    [&](OpBuilder &b, Block::BlockArgListType args) -> Value { return probability(b, k.loc, args); });
    auto rowSum = k.rowVector(kVoteKeys);
    Value part = tile::ReduceOp::create(k.b, k.loc, rowSum, "sum", p, "cols", IntegerAttr(), false);
    Value next =
        k.map({loop.getRegionIterArgs()[0], part}, rowSum, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
          return arith::AddFOp::create(b, k.loc, args[0], args[1]);
        });
    scf::YieldOp::create(k.b, k.loc, ValueRange{next});
    return loop.getResult(0);
  }

  // 0 where the score is -inf, that is also outside the sets, where the row may have no sum.
  static Value probability(OpBuilder &b, Location loc, Block::BlockArgListType args) {
    auto constant = [&](float value) -> Value { return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value)); };
    Value lowest = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, args[0],
                                         constant(-std::numeric_limits<float>::infinity()));
    Value p = math::Exp2Op::create(b, loc, arith::SubFOp::create(b, loc, args[0], args[1]));
    return arith::SelectOp::create(b, loc, lowest, constant(0.0f), p);
  }

  Context &context;
  Preparer &preparer;
  ColsumOp op;
  ReduceOp reduce; ///< null: none
  NormalizeOp normalize;
  ScoreChain chain;
  FailureOr<LocalSet> past = failure(), watch = failure(), both = failure();
  RowOperand queries;
  KeyOperand keys;
  PlanRef lse;
  Votes votes;
  int64_t heads = 1; ///< query heads of a task of votes
};
} // namespace

FailureOr<Votes> buildVotes(Context &context, Preparer &preparer, ColsumOp op) {
  return VoteKernels(context, preparer, op).build();
}

} // namespace sattn::lower

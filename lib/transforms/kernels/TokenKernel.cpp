// Attention to lists of single tokens: a task is one row with query heads that share its list. The listed keys are
// gathered tile by tile into the form that a dot reads, and serve all heads of the task.
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/TokenSelection.h"
#include "mlir/IR/IntegerSet.h"

namespace sattn::lower {
using namespace mlir;

namespace {
/// Listed keys of a tile, and query heads of a task at most.
constexpr int64_t kListedKeys = 64, kMostHeads = 64;

/// One accumulation over a list.
struct ListedBranch {
  ScoreChain chain;
  TokenLists lists;
  RowOperand queries;
  KeyOperand keys, values;
  bool valuesAreKeys = false;
  std::optional<LocalSet> residual; ///< the formula beside the selection
};

class TokenKernel {
public:
  TokenKernel(Context &context, Preparer &preparer) : context(context), preparer(preparer) {}

  LogicalResult build() {
    auto made = buildTokenSelections(context, preparer);
    if (failed(made))
      return failure();
    lists = std::move(*made);
    for (Operation &op : context.pattern.getBody().front())
      if (auto accumulate = dyn_cast<AccumulateOp>(op); accumulate && failed(collect(accumulate)))
        return failure();
    if (failed(chooseHeads()))
      return failure();
    return attend();
  }

private:
  //===-- Branches.

  LogicalResult collect(AccumulateOp op) {
    auto parts = partsOf(context, op, op.getSet());
    if (failed(parts))
      return failure();
    if (!parts->select)
      return collectRange(op);
    ListedBranch branch;
    if (op.getHow() != AccumulateKind::Softmax)
      return context.refuse(op, "'sattn.accumulate linear'");
    branch.lists = lists.lookup(parts->select.getResult());
    auto chain = scoreChain(context, op, op.getZ());
    if (failed(chain) || failed(checkMaps(*chain)))
      return failure();
    branch.chain = *chain;
    ScoreOp score = chain->score;
    auto prefix = op.getV().getDefiningOp<PrefixOp>();
    branch.valuesAreKeys = prefix && prefix.getX() == score.getK();
    auto queries = preparer.rows(op, score.getQ());
    auto keys = listed(op, score.getK());
    auto values = branch.valuesAreKeys ? keys : listed(op, op.getV());
    if (failed(queries) || failed(keys) || failed(values))
      return failure();
    branch.queries = *queries;
    branch.keys = *keys;
    branch.values = *values;
    branch.values.features = context.innerSize(context.factsOf(op.getV()).axes);
    if (parts->formula) {
      auto set = LocalSet::make(parts->formula, parts->formula.getFormula());
      if (failed(set))
        return failure();
      if (set->row.isBlocks() || set->key.isBlocks())
        return context.refuse(parts->formula, "a formula over blocks beside a selection of single tokens");
      branch.residual = *set;
      single |= set->mentionsQueryHead();
    }
    headAxes.append({branch.lists.head, branch.keys.head, branch.values.head});
    listedBranches.insert({op, branch});
    return success();
  }

  LogicalResult collectRange(AccumulateOp op) {
    auto branch = prepareRange(context, preparer, op, /*tile=*/0);
    if (failed(branch) || failed(checkMaps(branch->branch.chain)))
      return failure();
    if (!branch->branch.set.loads.empty())
      return context.refuse(op, "a set of tables beside a selection of single tokens");
    single |= branch->branch.set.mentionsQueryHead();
    headAxes.append({branch->branch.keys.head, branch->branch.values.head});
    ranges.insert({op, *branch});
    return success();
  }

  LogicalResult checkMaps(const ScoreChain &chain) {
    for (MapOp map : chain.maps)
      if (readsPlaces(context, map))
        return context.refuse(map, "'sattn.map' with positions, heads or tables beside a selection of single tokens");
    return success();
  }

  // Listed rows are read where they lie.
  FailureOr<KeyOperand> listed(AccumulateOp op, Value tensor) {
    if (Operation *made = tensor.getDefiningOp())
      return context.refuse(made, "'" + made->getName().getStringRef() + "' as an operand of '" +
                                      op->getName().getStringRef() + "'");
    if (context.bound.role(tensor).getIsInt())
      return context.refuse(op, "an int role as an operand of a score");
    return storedKeys(context, tensor, kListedKeys);
  }

  //===-- Tasks.

  // Heads that share lists, keys and values: a static number of them, or all that the call has.
  LogicalResult chooseHeads() {
    sharesAll = !single && llvm::all_of(headAxes, [&](AxisAttr axis) { return !context.ratio(axis); });
    int64_t shared = single ? 1 : context.sharedHeads(headAxes);
    heads = sharesAll ? kMostHeads : evenShare(shared, kMostHeads);
    for (const auto &[op, branch] : listedBranches)
      if (branch.queries.isWorkspace || branch.queries.head != context.queryHeads())
        return context.refuse(op, "queries without heads of their own beside a selection of single tokens");
    return success();
  }

  LogicalResult attend() {
    auto kernel = context.program.kernel("attend");
    KernelBuilder &k = *kernel;
    Task task(context, k, heads);
    Value local = k.gridX(), row = k.add(k.size("first_row"), local);
    Rows rows{heads, 1, false, task.head(context.queryHeads()), {}, row};
    Epilogue epilogue(
        task, rows, [&](AccumulateOp op) { return accumulate(task, rows, local, op); }, [](Value) { return Value(); });
    if (failed(epilogue.storeResults()))
      return failure();
    Launch launch;
    launch.x = [](PlanWriter &plan) { return plan.chunkRows; };
    launch.y = context.tasksInUnit(heads);
    if (sharesAll)
      launch.y = [&context = context, heads = heads](PlanWriter &plan) {
        Value all = context.queryHeads() ? plan.dim(context.queryHeads().getName()) : plan.index.constant(1);
        return plan.index.ceilDiv(all, heads);
      };
    // Heads of a row read the same keys.
    launch.order = {"z", "x", "y"};
    launch.perChunk = true;
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

  FailureOr<SoftmaxState> accumulate(Task &task, const Rows &rows, Value local, AccumulateOp op) {
    KernelBuilder &k = task.k;
    RowRange range{task.rowPosition(AxisAttr::named(k.b.getContext(), "t"), rows.across), k.constant(0)};
    if (auto found = ranges.find(op); found != ranges.end()) {
      const PreparedBranch &prepared = found->second;
      QueryTile queries = loadQueries(task, rows, prepared.queries, prepared.branch.chain, ScoreUnit::Base2);
      return streamRange(task, rows, range, queries, prepared.branch);
    }
    return streamList(task, rows, range, local, listedBranches.find(op)->second);
  }

  // Slots are the columns of a tile; those behind the list's end are masked.
  SoftmaxState streamList(Task &task, const Rows &rows, RowRange range, Value local, const ListedBranch &branch) {
    KernelBuilder &k = task.k;
    QueryTile queries = loadQueries(task, rows, branch.queries, branch.chain, ScoreUnit::Base2);
    Value list = task.slice(branch.lists.ref, task.pair, listOf(task, branch.lists, local));
    Value length = tile::LengthOp::create(k.b, k.loc, k.b.getIndexType(), list);
    Value zero = k.constant(0), full = k.floorDiv(length, kListedKeys);
    Value cover = coverOf(task, RunValues{zero, k.ceilDiv(length, kListedKeys), zero, branch.residual ? zero : full});
    Predicate predicate = predicateOf(task, branch, length);
    Value keyView = viewOf(task, branch.keys);
    Value valueView = branch.valuesAreKeys ? Value() : viewOf(task, branch.values);
    SoftmaxState state = emptyState(task, rows.count(), branch.values.features);
    SmallVector<Value> results = stream(k, cover, {state.m, state.l, state.acc}, [&](Value j, ValueRange carried) {
      Value first = k.mul(j, kListedKeys);
      Value ids = tile::LoadOp::create(k.b, k.loc, k.rowVector(kListedKeys, k.b.getI32Type()), list, first);
      auto gather = [&](Value view, int64_t features) -> Value {
        return tile::GatherOp::create(k.b, k.loc, k.tile(kListedKeys, features), view, zero, ids);
      };
      Value keys = gather(keyView, branch.keys.features);
      Value values = branch.valuesAreKeys ? keys : gather(valueView, branch.values.features);
      Value scores = scoreTile(task, rows, queries, keys, first, branch.chain, ScoreUnit::Base2);
      SmallVector<Value> tables;
      if (branch.residual)
        tables.push_back(tile::LoadOp::create(k.b, k.loc, k.tile(1, kListedKeys, k.b.getI32Type()), list, first));
      Value visible =
          tile::MaskOp::create(k.b, k.loc, scores.getType(), scores, range.first, first, predicate.symbols, Value(),
                               Value(), tables, predicate.sets, AffineMapAttr::get(rows.positionOf(k.b.getContext())));
      SoftmaxState next = softmaxStep(k, visible, values, {carried[0], carried[1], carried[2]});
      return SmallVector<Value>{next.m, next.l, next.acc};
    });
    return {results[0], results[1], results[2]};
  }

  // Over (row, slot): the slot is used, and the key that it names, a table, lies in the residual.
  Predicate predicateOf(Task &task, const ListedBranch &branch, Value length) {
    MLIRContext *mlir = context.pattern.getContext();
    if (!branch.residual) {
      Predicate predicate;
      AffineExpr used = getAffineSymbolExpr(0, mlir) - getAffineDimExpr(1, mlir) - 1;
      predicate.symbols = {length};
      predicate.sets = ArrayAttr::get(mlir, {IntegerSetAttr::get(IntegerSet::get(2, 1, used, false))});
      return predicate;
    }
    return atSlots(branch.residual->predicate(task, Value()), length, getAffineDimExpr(0, mlir),
                   getAffineDimExpr(2, mlir), 3);
  }

  Context &context;
  Preparer &preparer;
  llvm::DenseMap<Value, TokenLists> lists;
  std::map<Operation *, ListedBranch> listedBranches;
  std::map<Operation *, PreparedBranch> ranges;
  SmallVector<AxisAttr> headAxes;
  bool single = false; ///< a set differs from head to head
  bool sharesAll = false;
  int64_t heads = 1; ///< of a task
};
} // namespace

LogicalResult buildTokenKernels(Context &context, Preparer &preparer) { return TokenKernel(context, preparer).build(); }

} // namespace sattn::lower

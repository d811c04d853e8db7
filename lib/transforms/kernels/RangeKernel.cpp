// The range kernel, and what it shares with the others.
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Plan.h"

namespace sattn::lower {
using namespace mlir;

FailureOr<PreparedBranch> prepareRange(Context &context, Preparer &preparer, AccumulateOp op, int64_t tile) {
  auto chain = scoreChain(context, op, op.getZ());
  auto parts = partsOf(context, op, op.getSet());
  if (failed(chain) || failed(parts))
    return failure();
  if (op.getHow() != AccumulateKind::Softmax)
    return context.refuse(op, "'sattn.accumulate linear'");
  auto set = LocalSet::make(parts->formula, parts->formula.getFormula());
  auto queries = preparer.rows(op, chain->score.getQ());
  auto keys = preparer.keys(op, chain->score.getK(), Preparer::Use::Keys, tile);
  auto values = preparer.keys(op, op.getV(), Preparer::Use::Values, tile);
  if (failed(set) || failed(queries) || failed(keys) || failed(values))
    return failure();
  if (set->row.isBlocks())
    return context.refuse(op, "attention of blocks of rows");
  return PreparedBranch{{*chain, *keys, *values, *set}, *queries};
}

Value attendedTile(Task &task, const Rows &rows, Value local, const Selections &selections, Value value) {
  auto finalize = value.getDefiningOp<FinalizeOp>();
  if (!finalize)
    return {};
  auto found = selections.attentions.find(finalize.getP());
  if (found == selections.attentions.end())
    return {};
  const RowWorkspace &workspace = found->second;
  KernelBuilder &k = task.k;
  Value head = task.headInUnit(workspace.head);
  Value view = task.slice(workspace.ref, task.pair, rows.heads == 1 ? head : k.floorDiv(head, rows.heads), rows.heads,
                          rows.outer, k.size("rows"));
  return tile::LoadOp::create(k.b, k.loc, k.tile(rows.count(), workspace.features), view, local);
}

namespace {
class RangeKernel {
public:
  RangeKernel(Context &context, Preparer &preparer, const Selections &selections)
      : context(context), preparer(preparer), selections(selections) {}

  LogicalResult build() {
    // Operands are prepared first: their kernels run before this one.
    for (Operation &op : context.pattern.getBody().front())
      if (auto accumulate = dyn_cast<AccumulateOp>(op); accumulate && !selections.attentions.contains(op.getResult(0))) {
        auto branch = prepareRange(context, preparer, accumulate, context.target.keyTile);
        if (failed(branch))
          return failure();
        branches.insert({&op, *branch});
      }
    bool perChunk = !selections.attentions.empty();
    auto kernel = context.program.kernel("attend");
    KernelBuilder &k = *kernel;
    Task task(context, k, 1);
    int64_t rowTile = context.target.rowTile;
    Value local = k.mul(k.gridX(), rowTile);
    Rows rows{rowTile, 1, false, perChunk ? k.add(k.size("first_row"), local) : local};
    Epilogue epilogue(
        task, rows, [&](AccumulateOp op) { return accumulate(task, rows, op); },
        [&](Value value) { return attendedTile(task, rows, local, selections, value); });
    if (failed(epilogue.storeResults()))
      return failure();
    Launch launch;
    launch.x = [rowTile, perChunk](PlanWriter &plan) {
      return plan.index.ceilDiv(perChunk ? plan.chunkRows : plan.dim("t"), rowTile);
    };
    launch.y = context.tasksInUnit(1);
    launch.order = {"z", "-x", "y"};
    launch.perChunk = perChunk;
    context.program.finish(std::move(kernel), std::move(launch));
    return success();
  }

private:
  FailureOr<SoftmaxState> accumulate(Task &task, const Rows &rows, AccumulateOp op) {
    const PreparedBranch &p = branches.at(op);
    QueryTile &queries = loaded[op.getZ()];
    if (!queries.tile)
      queries = loadQueries(task, rows, p.queries, p.branch.chain, ScoreUnit::Base2);
    return streamRange(task, rows, rangeOf(task, rows, p.branch.set.row), queries, p.branch);
  }

  Context &context;
  Preparer &preparer;
  const Selections &selections;
  std::map<Operation *, PreparedBranch> branches;
  llvm::DenseMap<Value, QueryTile> loaded;
};
} // namespace

LogicalResult buildRangeKernel(Context &context, Preparer &preparer, const Selections &selections) {
  return RangeKernel(context, preparer, selections).build();
}

} // namespace sattn::lower

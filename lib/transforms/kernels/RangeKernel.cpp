// The range kernel.
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Epilogue.h"
#include "lib/transforms/kernels/Plan.h"

namespace sattn::lower {
using namespace mlir;

namespace {
class RangeKernel {
public:
  RangeKernel(Context &context, Preparer &preparer) : context(context), preparer(preparer) {}

  LogicalResult build() {
    // Operands are prepared first: their kernels run before this one.
    for (Operation &op : context.pattern.getBody().front())
      if (auto accumulate = dyn_cast<AccumulateOp>(op))
        if (failed(prepare(accumulate)))
          return failure();
    auto kernel = context.program.kernel("attend");
    KernelBuilder &k = *kernel;
    Task task(context, k, 1);
    int64_t rowTile = context.target.rowTile;
    Rows rows{rowTile, 1, false, k.mul(k.gridX(), rowTile)};
    Epilogue epilogue(
        task, rows, [&](AccumulateOp op) { return accumulate(task, rows, op); }, [](Value) { return Value(); });
    if (failed(epilogue.storeResults()))
      return failure();
    Launch launch;
    launch.x = [rowTile](PlanWriter &plan) { return plan.index.ceilDiv(plan.dim("t"), rowTile); };
    launch.y = context.tasksInUnit(1);
    launch.order = {"z", "-x", "y"};
    context.program.finish(std::move(kernel), std::move(launch));
    return success();
  }

private:
  struct Prepared {
    RangeBranch branch;
    RowOperand queries;
  };

  LogicalResult prepare(AccumulateOp op) {
    auto chain = scoreChain(context, op, op.getZ());
    if (failed(chain))
      return failure();
    auto set = op.getSet().getDefiningOp<SetOp>();
    if (op.getHow() != AccumulateKind::Softmax)
      return context.refuse(op, "'sattn.accumulate linear'");
    if (!set)
      return context.refuse(op, "attention over this set");
    auto local = LocalSet::make(set, set.getFormula());
    auto queries = preparer.rows(op, chain->score.getQ());
    auto keys = preparer.keys(op, chain->score.getK(), Preparer::Use::Keys, context.target.keyTile);
    auto values = preparer.keys(op, op.getV(), Preparer::Use::Values, context.target.keyTile);
    if (failed(local) || failed(queries) || failed(keys) || failed(values))
      return failure();
    if (local->row.isBlocks())
      return context.refuse(op, "attention of blocks of rows");
    prepared.insert({op, Prepared{{*chain, *keys, *values, *local}, *queries}});
    return success();
  }

  FailureOr<SoftmaxState> accumulate(Task &task, const Rows &rows, AccumulateOp op) {
    const Prepared &p = prepared.at(op);
    QueryTile &queries = loaded[p.branch.chain.score];
    if (!queries.tile)
      queries = loadQueries(task, rows, p.queries, p.branch.chain, ScoreUnit::Base2);
    return streamRange(task, rows, rangeOf(task, rows, p.branch.set.row), queries, p.branch);
  }

  Context &context;
  Preparer &preparer;
  std::map<Operation *, Prepared> prepared;
  llvm::DenseMap<Operation *, QueryTile> loaded;
};
} // namespace

LogicalResult buildRangeKernel(Context &context, Preparer &preparer) {
  return RangeKernel(context, preparer).build();
}

} // namespace sattn::lower

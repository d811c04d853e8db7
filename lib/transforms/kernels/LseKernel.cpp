// Branches whose lse others need; see LseKernel.h.
#include "lib/transforms/kernels/LseKernel.h"
#include "lib/transforms/kernels/Formulas.h"
#include "lib/transforms/kernels/Plan.h"
#include <limits>

namespace sattn::lower {
using namespace mlir;

static bool readsLse(Operation *user, Value lse) {
  if (auto normalize = dyn_cast<NormalizeOp>(user))
    return normalize.getLse() == lse;
  auto weigh = dyn_cast<WeighOp>(user);
  return weigh && weigh.getLse() == lse;
}

static RowWorkspace rowWorkspace(Context &context, StringRef name, AxisAttr head, int64_t features) {
  Workspace workspace;
  workspace.name = name.str();
  workspace.type = tile::ArgType::get(context.pattern.getContext(), context.f32(), features, tile::PanelsAttr());
  workspace.axis = AxisAttr::named(context.pattern.getContext(), "t");
  workspace.perChunk = true;
  workspace.head = head;
  return RowWorkspace{context.workspace(workspace), head, features};
}

namespace {
class LseKernel {
public:
  LseKernel(Context &context, Preparer &preparer, AccumulateOp op, Selections &selections)
      : context(context), preparer(preparer), op(op), selections(selections) {}

  LogicalResult build() {
    auto parts = partsOf(context, op, op.getSet());
    if (failed(parts))
      return failure();
    if (parts->select || parts->listed)
      return context.refuse(op, "an lse over a selection beside the scores of another");
    for (Operation *user : op->getUsers())
      if (auto finalize = dyn_cast<FinalizeOp>(user); finalize ? bool(finalize.getSink()) : !isa<LseOp>(user))
        return context.refuse(user, "'" + user->getName().getStringRef() + (finalize ? "' with a sink of" : "' of") +
                                        " a partial result whose lse stands beside scores");
    auto prepared = prepareRange(context, preparer, op, /*tile=*/0);
    if (failed(prepared))
      return failure();
    emit(*prepared);
    return success();
  }

private:
  void emit(const PreparedBranch &prepared) {
    AxisAttr head = prepared.queries.head;
    RowWorkspace attended = rowWorkspace(context, "attended", head, prepared.branch.values.features);
    RowWorkspace lse = rowWorkspace(context, "lse", head, 1);
    selections.attentions[op.getResult()] = attended;
    auto kernel = context.program.kernel("range");
    KernelBuilder &k = *kernel;
    k.loc = op.getLoc();
    Task task(context, k, 1);
    int64_t rowTile = context.target.rowTile;
    Value local = k.mul(k.gridX(), rowTile);
    Rows rows{rowTile, 1, false, k.add(k.size("first_row"), local), {}};
    QueryTile queries = loadQueries(task, rows, prepared.queries, prepared.branch.chain, ScoreUnit::Base2);
    SoftmaxState state =
        streamRange(task, rows, rangeOf(task, rows, prepared.branch.set.row), queries, prepared.branch);
    auto finish = tile::SoftmaxFinishOp::create(k.b, k.loc, state.acc.getType(), state.m.getType(), state.m, state.l,
                                                state.acc, Value());
    auto store = [&](Value rowsTile, const RowWorkspace &to) {
      Value view = task.slice(to.ref, task.pair, task.headInUnit(head), 1, false, k.size("rows"));
      tile::StoreOp::create(k.b, k.loc, rowsTile, view, local);
    };
    store(finish.getO(), attended);
    store(finish.getLse(), lse);
    Launch launch;
    launch.makes = {op.getResult()};
    for (Operation *user : op->getUsers()) {
      launch.makes.push_back(user->getResult(0));
      if (isa<LseOp>(user))
        selections.lses[user->getResult(0)] = lse;
    }
    launch.x = [rowTile](PlanWriter &plan) { return plan.index.ceilDiv(plan.chunkRows, rowTile); };
    launch.y = context.tasksInUnit(1);
    launch.order = {"z", "-x", "y"};
    launch.perChunk = true;
    context.finish(std::move(kernel), std::move(launch));
  }

  Context &context;
  Preparer &preparer;
  AccumulateOp op;
  Selections &selections;
};
} // namespace

LogicalResult buildLseKernels(Context &context, Preparer &preparer, Selections &selections) {
  for (auto lse : context.pattern.getBody().front().getOps<LseOp>()) {
    Operation *reader = nullptr;
    for (Operation *user : lse->getUsers())
      if (readsLse(user, lse.getResult()))
        reader = user;
    if (!reader || selections.lses.contains(lse.getResult()))
      continue;
    auto accumulate = lse.getP().getDefiningOp<AccumulateOp>();
    if (!accumulate)
      return context.refuse(reader, "'" + reader->getName().getStringRef() + " with' the lse of '" +
                                        lse.getP().getDefiningOp()->getName().getStringRef() + "'");
    if (failed(LseKernel(context, preparer, accumulate, selections).build()))
      return failure();
  }
  for (Operation &op : context.pattern.getBody().front()) {
    auto normalize = dyn_cast<NormalizeOp>(op);
    auto weigh = dyn_cast<WeighOp>(op);
    Value lse = normalize ? normalize.getLse() : weigh ? weigh.getLse() : Value();
    if (lse && !selections.lses.contains(lse))
      return context.refuse(&op, "'" + op.getName().getStringRef() + " with' an lse that is no result of 'sattn.lse'");
  }
  return success();
}

SoftmaxState stateOfLse(KernelBuilder &k, Value lse, Value acc) {
  auto type = cast<tile::TileType>(lse.getType());
  auto constant = [&](OpBuilder &b, double value) -> Value {
    return arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(static_cast<float>(value)));
  };
  Value m = k.map({lse}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
    return arith::MulFOp::create(b, k.loc, args[0], constant(b, kLog2E));
  });
  Value l = k.map({lse}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
    Value none = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OEQ, args[0],
                                       constant(b, -std::numeric_limits<double>::infinity()));
    return arith::SelectOp::create(b, k.loc, none, constant(b, 0.0), constant(b, 1.0));
  });
  return {m, l, acc};
}

} // namespace sattn::lower

// Kernels of patterns that route.
#include "lib/transforms/kernels/RouteKernel.h"
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/RouteList.h"

namespace sattn::lower {
using namespace mlir;

namespace {
/// Chosen rows or keys of a tile.
constexpr int64_t kTile = kRouteTile;

class RouteKernels {
public:
  RouteKernels(Context &context, llvm::DenseMap<Value, RowWorkspace> &scattered)
      : context(context), scattered(scattered), mlir(context.pattern.getContext()) {}

  LogicalResult build() {
    if (failed(collect()))
      return failure();
    list = buildRouteList(context, route, [&](Task &task, Value first) -> Value {
      KernelBuilder &k = task.k;
      return tile::LoadOp::create(k.b, k.loc, k.rowVector(kTile), roleView(task, route.getX()), first);
    });
    for (const Output &output : outputs)
      clear(output);
    return attend();
  }

private:
  //===-- What the pattern says.

  LogicalResult collect() {
    Block &body = context.pattern.getBody().front();
    for (auto op : body.getOps<RouteOp>()) {
      if (route)
        return context.refuse(op, "a second 'sattn.route'");
      route = op;
    }
    if (Operation *made = route.getX().getDefiningOp())
      return context.refuse(made, "'" + made->getName().getStringRef() + "' as an operand of 'sattn.route'");
    if (context.bound.role(route.getX()).getIsInt())
      return context.refuse(route, "an int role as an operand of 'sattn.route'");
    const Facts &facts = context.factsOf(route.getX());
    if (facts.position().kind() != AxisKind::Rows || context.ratio(facts.headAxis()) != 1)
      return context.refuse(route, "'sattn.route' of anything but rows of query heads");
    for (auto gather : body.getOps<GatherOp>())
      if (gather.getX().getDefiningOp())
        return context.refuse(gather, "'sattn.gather' of anything but a role");
    auto yield = cast<YieldOp>(body.back());
    for (auto [value, name] :
         llvm::zip(yield.getValues(), context.pattern.getOutputs().getAsValueRange<StringAttr>())) {
      if (context.factsOf(value).gatheredAt)
        return context.refuse(yield, "a result of routed rows that 'sattn.scatter' does not put back");
      if (auto scatter = value.getDefiningOp<ScatterOp>())
        outputs.push_back({scatter, PlanRef{PlanRef::Result, name.str(), resultType(context, value)}});
    }
    for (auto scatter : body.getOps<ScatterOp>())
      if (!llvm::all_of(scatter->getUsers(), llvm::IsaPred<YieldOp>))
        outputs.push_back({scatter, workspace(scatter)});
    for (auto op : body.getOps<AccumulateOp>())
      if (context.factsOf(op.getZ()).gatheredAt && failed(collect(op)))
        return failure();
    return success();
  }

  /// Where a scattered tensor goes.
  struct Output {
    ScatterOp scatter;
    PlanRef ref;
    bool isWorkspace() const { return ref.kind == PlanRef::Workspace; }
  };

  PlanRef workspace(ScatterOp scatter) {
    const Facts &facts = context.factsOf(scatter.getResult());
    Workspace w;
    w.name = "scattered";
    w.type = tile::ArgType::get(mlir, context.f32(), context.innerSize(facts.axes), tile::PanelsAttr());
    w.axis = facts.position();
    w.head = facts.headAxis();
    PlanRef ref = context.workspace(w);
    scattered[scatter.getResult()] = {ref, facts.headAxis(), w.type.getInner()};
    return ref;
  }

  struct Branch {
    ScoreChain chain;
    FailureOr<LocalSet> set = failure();
  };
  LogicalResult collect(AccumulateOp op) {
    Branch branch;
    Operation *made = op.getZ().getDefiningOp();
    for (; isa<MapOp>(made); made = made->getOperand(0).getDefiningOp())
      branch.chain.maps.insert(branch.chain.maps.begin(), cast<MapOp>(made));
    branch.chain.score = cast<ScoreOp>(made);
    for (MapOp map : branch.chain.maps)
      if (readsPlaces(context, map))
        return context.refuse(map, "'sattn.map' with positions, heads or tables beside 'sattn.route'");
    bool gathered = branch.chain.score.getQ().getDefiningOp<GatherOp>() &&
                    branch.chain.score.getK().getDefiningOp<GatherOp>() && op.getV().getDefiningOp<GatherOp>();
    if (branch.chain.score.getHow() != ScoreKind::Dot || !gathered || op.getHow() != AccumulateKind::Softmax)
      return context.refuse(op, "'sattn.accumulate' of anything but gathered rows beside 'sattn.route'");
    auto parts = partsOf(context, op, op.getSet());
    if (failed(parts))
      return failure();
    bool alone = parts->formula && !parts->select && !parts->listed && !parts->random;
    if (!alone || !parts->formula.getTables().empty())
      return context.refuse(op, "'sattn.accumulate' of anything but gathered rows beside 'sattn.route'");
    branch.set = LocalSet::make(parts->formula, parts->formula.getFormula());
    if (failed(branch.set))
      return failure();
    branches[op] = branch;
    return success();
  }

  void finish(std::unique_ptr<KernelBuilder> kernel, PlanSize x, SmallVector<Value> makes = {}) {
    Launch launch;
    launch.makes = std::move(makes);
    launch.x = std::move(x);
    launch.y = context.tasksInUnit(1);
    context.finish(std::move(kernel), std::move(launch));
  }
  static PlanSize tilesOfRows() {
    return [](PlanWriter &plan) { return plan.index.ceilDiv(plan.dim("t"), kTile); };
  }
  Value roleView(Task &task, Value role) {
    return task.slice(context.role(role), task.batch, task.head(context.factsOf(role).headAxis()));
  }

  //===-- Attention.

  void clear(const Output &output) {
    auto kernel = context.program.kernel("clear");
    KernelBuilder &k = *kernel;
    k.loc = ScatterOp(output.scatter).getLoc();
    Task task(context, k, 1);
    int64_t inner = cast<tile::ArgType>(output.ref.type).getInner();
    Value zeros = k.splat(0.0, inner == 1 ? k.rowVector(kTile) : k.tile(kTile, inner));
    tile::StoreOp::create(k.b, k.loc, zeros, viewOf(task, output), k.mul(k.gridX(), kTile));
    finish(std::move(kernel), tilesOfRows());
  }
  Value viewOf(Task &task, const Output &output) {
    AxisAttr head = context.factsOf(ScatterOp(output.scatter).getResult()).headAxis();
    return output.isWorkspace() ? task.slice(output.ref, task.pair, task.headInUnit(head))
                                : task.slice(output.ref, task.batch, task.head(head));
  }

  // Numbers of rows are a row vector; an operand of a dot has columns, be it one.
  Value gathered(Task &task, Value tensor, Value ids, bool operand = true) {
    KernelBuilder &k = task.k;
    Value role = tensor.getDefiningOp<GatherOp>().getX();
    int64_t inner = context.innerSize(context.factsOf(role).axes);
    auto type = inner == 1 && !operand ? k.rowVector(kTile) : k.tile(kTile, inner);
    return tile::GatherOp::create(k.b, k.loc, type, roleView(task, role), k.constant(0), ids);
  }

  LogicalResult attend() {
    auto kernel = context.program.kernel("attend");
    KernelBuilder &k = *kernel;
    Task task(context, k, 1);
    Value first = k.mul(k.gridX(), kTile), listed = lower::viewOf(task, list), ids = routedIds(task, listed, first);
    Rows rows{kTile, 1, false, first, {}};
    Epilogue epilogue(
        task, rows, [&](AccumulateOp op) { return accumulate(task, listed, ids, op, branches.find(op)->second); },
        [&](Value value) {
          return value.getDefiningOp<GatherOp>() ? gathered(task, value, ids, /*operand=*/false) : Value();
        });
    SmallVector<Value> made;
    for (const Output &output : outputs) {
      ScatterOp scatter = output.scatter;
      auto tensor = epilogue.tensor(scatter, scatter.getX());
      if (failed(tensor))
        return failure();
      tile::ScatterOp::create(k.b, k.loc, *tensor, viewOf(task, output), k.constant(0), ids);
      if (output.isWorkspace())
        made.push_back(scatter.getResult());
    }
    finish(
        std::move(kernel), [most = list.most](PlanWriter &plan) { return plan.index.ceilDiv(most(plan), kTile); },
        std::move(made));
    return success();
  }

  // Slots are the columns of a tile; rows and columns stand at the positions that the list names.
  FailureOr<SoftmaxState> accumulate(Task &task, Value list, Value ids, AccumulateOp op, Branch &branch) {
    KernelBuilder &k = task.k;
    QueryTile queries =
        scaleQueries(task, gathered(task, branch.chain.score.getQ(), ids), branch.chain, ScoreUnit::Base2);
    Value length = tile::LengthOp::create(k.b, k.loc, k.b.getIndexType(), list), zero = k.constant(0);
    Value cover = coverOf(task, RunValues{zero, k.ceilDiv(length, kTile), zero, zero});
    Predicate predicate =
        atSlots(branch.set->predicate(task, Value()), length, getAffineDimExpr(2, mlir), getAffineDimExpr(3, mlir), 4);
    SoftmaxState state = emptyState(task, kTile, context.innerSize(context.factsOf(op.getV()).axes));
    SmallVector<Value> all = stream(k, cover, {state.m, state.l, state.acc}, [&](Value j, ValueRange carried) {
      Value first = k.mul(j, kTile), keyIds = routedIds(task, list, first);
      Value keys = gathered(task, branch.chain.score.getK(), keyIds), values = gathered(task, op.getV(), keyIds);
      Value scores = scoreTile(task, {kTile, 1, false, zero, {}}, queries, keys, first, branch.chain, ScoreUnit::Base2);
      SmallVector<Value> tables{ids, routedIds(task, list, first, /*columns=*/true)};
      Value visible =
          tile::MaskOp::create(k.b, k.loc, scores.getType(), scores, zero, first, predicate.symbols, Value(), Value(),
                               tables, predicate.sets, AffineMapAttr::get(AffineMap::getMultiDimIdentityMap(1, mlir)));
      SoftmaxState next = softmaxStep(k, visible, values, {carried[0], carried[1], carried[2]});
      return SmallVector<Value>{next.m, next.l, next.acc};
    });
    return SoftmaxState{all[0], all[1], all[2]};
  }

  Context &context;
  llvm::DenseMap<Value, RowWorkspace> &scattered;
  MLIRContext *mlir;
  RouteOp route;
  RouteList list;
  SmallVector<Output> outputs;
  std::map<Operation *, Branch> branches;
};
} // namespace

bool routes(PatternOp pattern) { return !pattern.getBody().front().getOps<RouteOp>().empty(); }

bool hasOtherResults(PatternOp pattern) {
  auto yield = cast<YieldOp>(pattern.getBody().front().back());
  return !llvm::all_of(yield.getValues(), [](Value value) { return bool(value.getDefiningOp<ScatterOp>()); });
}

LogicalResult buildRouteKernels(Context &context, llvm::DenseMap<Value, RowWorkspace> &scattered) {
  return RouteKernels(context, scattered).build();
}

} // namespace sattn::lower

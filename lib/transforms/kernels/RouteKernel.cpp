// Kernels of patterns that route.
#include "lib/transforms/kernels/RouteKernel.h"
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/RouteList.h"
#include "lib/transforms/kernels/Selection.h"

namespace sattn::lower {
using namespace mlir;

namespace {
/// Chosen rows or keys of a tile.
constexpr int64_t kTile = kRouteTile;

class RouteKernels {
public:
  explicit RouteKernels(Context &context) : context(context), mlir(context.pattern.getContext()) {}

  LogicalResult build() {
    if (failed(collect()))
      return failure();
    list = buildRouteList(context, route, [&](Task &task, Value first) -> Value {
      KernelBuilder &k = task.k;
      return tile::LoadOp::create(k.b, k.loc, k.rowVector(kTile), roleView(task, route.getX()), first);
    });
    for (auto [scatter, ref] : results)
      clear(scatter, ref);
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
      auto scatter = value.getDefiningOp<ScatterOp>();
      if (!scatter)
        return context.refuse(yield, "a result beside those of 'sattn.scatter'");
      results.push_back({scatter, PlanRef{PlanRef::Result, name.str(), resultType(context, value)}});
    }
    for (auto op : body.getOps<AccumulateOp>())
      if (failed(collect(op)))
        return failure();
    return success();
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
    if (!parts->formula || !parts->formula.getTables().empty())
      return context.refuse(op, "'sattn.accumulate' of anything but gathered rows beside 'sattn.route'");
    branch.set = LocalSet::make(parts->formula, parts->formula.getFormula());
    if (failed(branch.set))
      return failure();
    branches[op] = branch;
    return success();
  }

  void finish(std::unique_ptr<KernelBuilder> kernel, PlanSize x) {
    Launch launch;
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

  void clear(ScatterOp scatter, const PlanRef &ref) {
    auto kernel = context.program.kernel("clear");
    KernelBuilder &k = *kernel;
    k.loc = scatter.getLoc();
    Task task(context, k, 1);
    int64_t inner = cast<tile::ArgType>(ref.type).getInner();
    Value zeros = k.splat(0.0, inner == 1 ? k.rowVector(kTile) : k.tile(kTile, inner));
    tile::StoreOp::create(k.b, k.loc, zeros, resultView(task, scatter, ref), k.mul(k.gridX(), kTile));
    finish(std::move(kernel), tilesOfRows());
  }
  Value resultView(Task &task, ScatterOp scatter, const PlanRef &ref) {
    return task.slice(ref, task.batch, task.head(context.factsOf(scatter.getResult()).headAxis()));
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
    Value first = k.mul(k.gridX(), kTile), listed = viewOf(task, list), ids = routedIds(task, listed, first);
    Rows rows{kTile, 1, false, first, {}};
    Epilogue epilogue(
        task, rows, [&](AccumulateOp op) { return accumulate(task, listed, ids, op, branches.find(op)->second); },
        [&](Value value) {
          return value.getDefiningOp<GatherOp>() ? gathered(task, value, ids, /*operand=*/false) : Value();
        });
    for (auto [scatter, ref] : results) {
      auto tensor = epilogue.tensor(scatter, scatter.getX());
      if (failed(tensor))
        return failure();
      tile::ScatterOp::create(k.b, k.loc, *tensor, resultView(task, scatter, ref), k.constant(0), ids);
    }
    finish(std::move(kernel), [most = list.most](PlanWriter &plan) { return plan.index.ceilDiv(most(plan), kTile); });
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
  MLIRContext *mlir;
  RouteOp route;
  RouteList list;
  SmallVector<std::pair<ScatterOp, PlanRef>> results;
  std::map<Operation *, Branch> branches;
};
} // namespace

bool routes(PatternOp pattern) { return !pattern.getBody().front().getOps<RouteOp>().empty(); }

LogicalResult buildRouteKernels(Context &context) { return RouteKernels(context).build(); }

} // namespace sattn::lower

// The kernels that rank positions and list the best of each head.
#include "lib/transforms/kernels/RouteList.h"
#include "lib/transforms/kernels/Formulas.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/Selection.h"
#include "mlir/IR/IntegerSet.h"

namespace sattn::lower {
using namespace mlir;

/// Lists come in multiples of it, with one more behind the last.
static constexpr int64_t kListStrip = 16;

int64_t headsOfTask(Context &context, AxisAttr axis) { return context.ratio(axis).value_or(1); }

PlanSize tasksOfHeads(Context &context, AxisAttr axis) {
  if (auto ratio = context.ratio(axis))
    return context.tasksInUnit(*ratio);
  return [](PlanWriter &plan) { return plan.index.constant(1); };
}

Value viewOf(Task &task, const RouteList &list) { return task.slice(list.ref, task.pair, task.headInUnit(list.head)); }

Value routedIds(Task &task, Value list, Value first, bool columns) {
  KernelBuilder &k = task.k;
  Type i32 = k.b.getI32Type();
  return tile::LoadOp::create(k.b, k.loc, columns ? k.tile(1, kRouteTile, i32) : k.rowVector(kRouteTile, i32), list,
                              first);
}

namespace {
class RouteListKernels {
public:
  RouteListKernels(Context &context, RouteOp route)
      : context(context), route(route), mlir(context.pattern.getContext()),
        ofKeys(context.factsOf(route.getX()).position().isKey()), head(context.factsOf(route.getX()).headAxis()) {}

  RouteList build(RouteNumbers numbers) {
    RouteList list = declare();
    rank(numbers);
    choose(list);
    return list;
  }

private:
  // Positions that exist: in the plan those of the longest batch entry.
  static Value planSize(PlanWriter &plan, bool ofKeys) { return plan.dim(ofKeys ? "s" : "t"); }
  Value sizeOf(Task &task) { return ofKeys ? task.keyCount() : task.rowCount(); }

  PlanRef workspace(StringRef name, Type element, int64_t inner, PlanSize count) {
    Workspace w;
    w.name = name.str();
    w.type = tile::ArgType::get(mlir, element, inner, tile::PanelsAttr());
    w.count = std::move(count);
    w.head = head;
    return context.workspace(w);
  }

  RouteList declare() {
    scores = workspace("routed_scores", context.f32(), kRouteTile, [ofKeys = ofKeys](PlanWriter &plan) {
      return plan.index.ceilDiv(planSize(plan, ofKeys), kRouteTile);
    });
    PlanSize most = [top = route.getTop(), ofKeys = ofKeys](PlanWriter &plan) {
      Value n = emitInteger(plan.index, top, [&](StringRef name) { return plan.param(name); });
      return plan.index.min(plan.index.max(n, plan.index.constant(0)), planSize(plan, ofKeys));
    };
    PlanRef ref = workspace("routed", IntegerType::get(mlir, 32), 1, [most](PlanWriter &plan) {
      IndexBuilder &b = plan.index;
      return b.mul(b.add(b.ceilDiv(most(plan), kListStrip), 1), kListStrip);
    });
    return {ref, head, most};
  }

  void finish(std::unique_ptr<KernelBuilder> kernel, PlanSize x, Value makes = {}) {
    Launch launch;
    launch.x = std::move(x);
    launch.y = tasksOfHeads(context, head);
    if (makes)
      launch.makes = {makes};
    context.finish(std::move(kernel), std::move(launch));
  }

  // A forced position is chosen whatever its number.
  void rank(RouteNumbers numbers) {
    auto kernel = context.program.kernel("rank");
    KernelBuilder &k = *kernel;
    k.loc = route.getLoc();
    Task task(context, k, headsOfTask(context, head));
    Value first = k.mul(k.gridX(), kRouteTile);
    Value row = tile::ColumnsOp::create(k.b, k.loc, k.tile(1, kRouteTile), numbers(task, first));
    if (route.getFirst() || route.getLast())
      row = keepForced(k, row);
    AffineExpr inside = getAffineSymbolExpr(0, mlir) - getAffineDimExpr(1, mlir) - 1;
    row = tile::MaskOp::create(k.b, k.loc, row.getType(), row, k.constant(0), first, sizeOf(task), Value(), Value(),
                               ValueRange(),
                               ArrayAttr::get(mlir, {IntegerSetAttr::get(IntegerSet::get(2, 1, inside, false))}),
                               AffineMapAttr::get(AffineMap::get(1, 0, getAffineConstantExpr(0, mlir))));
    tile::StoreOp::create(k.b, k.loc, row, task.slice(scores, task.pair, task.headInUnit(head)), k.gridX());
    finish(std::move(kernel),
           [ofKeys = ofKeys](PlanWriter &plan) { return plan.index.ceilDiv(planSize(plan, ofKeys), kRouteTile); });
  }

  void choose(const RouteList &list) {
    auto kernel = context.program.kernel("choose");
    KernelBuilder &k = *kernel;
    k.loc = route.getLoc();
    Task task(context, k, headsOfTask(context, head));
    auto leaf = [&](StringRef name) { return task.symbol(name); };
    Value size = sizeOf(task);
    SmallVector<Value> symbols;
    SmallVector<Attribute> forced;
    auto force = [&](Value symbol, bool fromEnd) {
      AffineExpr i = getAffineDimExpr(1, mlir), bound = getAffineSymbolExpr(fromEnd ? 1 : 0, mlir);
      symbols.push_back(symbol);
      forced.push_back(IntegerSetAttr::get(IntegerSet::get(2, 2, fromEnd ? i - bound : bound - i - 1, false)));
    };
    if (route.getFirst() || route.getLast()) {
      force(emitInteger(k, route.getFirstAttr(), leaf), false);
      force(k.sub(size, emitInteger(k, route.getLastAttr(), leaf)), true);
    }
    Value count = k.min(k.max(emitInteger(k, route.getTop(), leaf), k.constant(0)), size);
    tile::TopRowOp::create(k.b, k.loc, task.slice(scores, task.pair, task.headInUnit(head)), k.constant(0),
                           k.ceilDiv(size, kRouteTile), count, k.constant(0), symbols, viewOf(task, list),
                           ArrayAttr::get(mlir, forced));
    finish(std::move(kernel), [](PlanWriter &plan) { return plan.index.constant(1); }, route.getResult());
  }

  Context &context;
  RouteOp route;
  MLIRContext *mlir;
  bool ofKeys;
  AxisAttr head;
  PlanRef scores;
};
} // namespace

RouteList buildRouteList(Context &context, RouteOp route, RouteNumbers numbers) {
  return RouteListKernels(context, route).build(numbers);
}

} // namespace sattn::lower

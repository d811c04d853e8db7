// Numbers of keys, and the keys that they choose.
#include "lib/transforms/kernels/KeepKernel.h"
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Formulas.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/RouteList.h"
#include "lib/transforms/kernels/VoteKernel.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

namespace sattn::lower {
using namespace mlir;

bool keepsKeys(PatternOp pattern) {
  return llvm::any_of(cast<YieldOp>(pattern.getBody().front().back()).getValues(), isOfKeys);
}

namespace {
class KeepKernels {
public:
  KeepKernels(Context &context, Preparer &preparer) : context(context), preparer(preparer) {}

  LogicalResult build() {
    auto yield = cast<YieldOp>(context.pattern.getBody().front().back());
    for (Operation &op : context.pattern.getBody().front())
      if (failed(check(&op)))
        return failure();
    bool anyRows = false;
    for (Value value : yield.getValues())
      anyRows |= isRowWise(value);
    if (anyRows && failed(buildRangeKernel(context, preparer, Selections())))
      return failure();
    for (auto [value, name] :
         llvm::zip(yield.getValues(), context.pattern.getOutputs().getAsValueRange<StringAttr>())) {
      if (!isOfKeys(value))
        continue;
      auto gather = value.getDefiningOp<GatherOp>();
      if (failed(gather ? keep(gather, name) : store(value, name)))
        return failure();
    }
    return success();
  }

private:
  //===-- What is compiled.

  LogicalResult check(Operation *op) {
    auto refuse = [&](StringRef where) {
      return context.refuse(op, "'" + op->getName().getStringRef() + "' " + where).operator LogicalResult();
    };
    if (isa<SelectOp, ListedOp, RandomOp>(op))
      return refuse("beside kept keys");
    if (isa<RouteOp>(op) && !isOfKeys(op->getOperand(0)))
      return refuse("of rows beside kept keys");
    if (isa<GatherOp>(op) && !llvm::all_of(op->getUsers(), [](Operation *user) { return isa<YieldOp>(user); }))
      return refuse("of keys that are attended to, or put back,");
    return success();
  }

  //===-- Numbers.

  /// Builds the kernels that numbers rest on, and refuses what is not compiled.
  LogicalResult prepare(Operation *user, Value tensor) {
    Operation *op = tensor.getDefiningOp();
    if (!op) {
      if (context.bound.role(tensor).getIsInt())
        return context.refuse(user, "an int role as an operand of '" + user->getName().getStringRef() + "'");
      return success();
    }
    if (votes.contains(tensor))
      return success();
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<ColsumOp>([&](ColsumOp colsum) -> LogicalResult {
          auto made = buildVotes(context, preparer, colsum);
          if (succeeded(made))
            votes[tensor] = *made;
          return made;
        })
        .Case<SmoothOp>([&](SmoothOp smooth) { return prepare(op, smooth.getX()); })
        .Case<MixOp>([&](MixOp mix) { return prepare(mix); })
        .Default([&](Operation *other) -> LogicalResult {
          return context.refuse(other, "'" + other->getName().getStringRef() + "' as an operand of '" +
                                           user->getName().getStringRef() + "'");
        });
  }
  LogicalResult prepare(MixOp mix) {
    LogicalResult status = success();
    walkExpr(mix.getFormula(), [&](ExprAttr e) {
      bool isPlain =
          e.is(ExprKind::Table) ? e.getKids().empty() : !e.is(ExprKind::Name) || context.isParam(e.getText());
      if (!isPlain && succeeded(status))
        status = context.refuse(mix, "an index, a head or a position in 'sattn.mix' of keys");
      return isPlain && succeeded(status);
    });
    for (Value table : mix.getTables())
      if (succeeded(status))
        status = prepare(mix, table);
    return status;
  }

  AxisAttr headOf(Value tensor) { return context.factsOf(tensor).headAxis(); }
  Value viewIn(Task &task, Value tensor) {
    if (auto known = votes.find(tensor); known != votes.end())
      return task.slice(known->second.ref, task.pair, task.headInUnit(known->second.head));
    return task.slice(context.role(tensor), task.batch, task.head(headOf(tensor)), 1, false, task.keyCount());
  }

  /// A row vector of the numbers of keys `first` .. ; of keys that do not exist they are anything.
  Value numbersAt(Task &task, Value tensor, Value first) {
    KernelBuilder &k = task.k;
    Operation *op = tensor.getDefiningOp();
    auto smooth = dyn_cast_or_null<SmoothOp>(op);
    if (smooth && !votes.contains(tensor))
      return smoothed(task, smooth, first);
    auto mix = dyn_cast_or_null<MixOp>(op);
    if (mix && !votes.contains(tensor))
      return mixed(task, mix, first);
    return tile::LoadOp::create(k.b, k.loc, k.rowVector(kRouteTile), viewIn(task, tensor), first);
  }

  // y[j] = mean or max of x[j - r .. j + r]; a mean counts 0 for what lies outside.
  Value smoothed(Task &task, SmoothOp op, Value first) {
    KernelBuilder &k = task.k;
    bool isMean = op.getHow() == SmoothKind::Mean;
    double none = isMean ? 0.0 : -std::numeric_limits<double>::infinity();
    auto type = k.rowVector(kRouteTile);
    Value width = emitInteger(k, op.getWidth(), [&](StringRef name) { return task.symbol(name); });
    auto loop = scf::ForOp::create(k.b, k.loc, k.constant(0), width, k.constant(1), ValueRange{k.splat(none, type)});
    {
      OpBuilder::InsertionGuard guard(k.b);
      k.b.setInsertionPointToEnd(loop.getBody());
      Value at = k.sub(k.add(first, loop.getInductionVar()), k.floorDiv(width, 2));
      Value next =
          keepRows(k, numbersAt(task, op.getX(), at), k.sub(k.constant(0), at), k.sub(task.keyCount(), at), none);
      next = k.map({loop.getRegionIterArgs()[0], next}, type, [&](OpBuilder &b, auto args) -> Value {
        if (isMean)
          return arith::AddFOp::create(b, k.loc, args[0], args[1]);
        return arith::MaximumFOp::create(b, k.loc, args[0], args[1]);
      });
      scf::YieldOp::create(k.b, k.loc, ValueRange{next});
    }
    if (!isMean)
      return loop.getResult(0);
    return k.map({loop.getResult(0), emitNumber(task, op.getWidth())}, type,
                 [&](OpBuilder &b, auto args) { return arith::DivFOp::create(b, k.loc, args[0], args[1]); });
  }

  Value mixed(Task &task, MixOp op, Value first) {
    KernelBuilder &k = task.k;
    SmallVector<Value> inputs;
    llvm::DenseMap<ExprAttr, unsigned> places;
    walkExpr(op.getFormula(), [&](ExprAttr e) {
      bool isLeaf = e.is(ExprKind::Table) || e.is(ExprKind::Name);
      if (isLeaf && !places.contains(e)) {
        places[e] = inputs.size();
        inputs.push_back(e.is(ExprKind::Name) ? floatParam(task, e.getText())
                                              : numbersAt(task, op.getTables()[e.getValue()], first));
      }
      return !isLeaf;
    });
    return k.map(inputs, k.rowVector(kRouteTile), [&](OpBuilder &b, Block::BlockArgListType args) {
      return emitFloat(b, k.loc, op.getFormula(), [&](ExprAttr leaf) { return args[places.lookup(leaf)]; });
    });
  }

  // Numbers that exist only where they are computed are written down.
  LogicalResult materialise(Operation *user, Value tensor) {
    if (failed(prepare(user, tensor)))
      return failure();
    if (!tensor.getDefiningOp() || votes.contains(tensor))
      return success();
    Workspace w;
    w.name = "numbers";
    w.type = tile::ArgType::get(context.pattern.getContext(), context.f32(), 1, tile::PanelsAttr());
    w.count = [](PlanWriter &plan) { return plan.dim("s"); };
    w.head = headOf(tensor);
    Votes made{context.workspace(w), w.head};
    launchOfKeys("numbers", tensor.getDefiningOp(), made.head, tensor, [&](Task &task, Value first) {
      KernelBuilder &k = task.k;
      Value to = task.slice(made.ref, task.pair, task.headInUnit(made.head));
      tile::StoreOp::create(k.b, k.loc, numbersAt(task, tensor, first), to, first);
    });
    votes[tensor] = made;
    return success();
  }

  // A task for each tile of keys and each head of `head`.
  void launchOfKeys(StringRef name, Operation *op, AxisAttr head, Value makes,
                    llvm::function_ref<void(Task &, Value first)> body) {
    auto kernel = context.program.kernel(name);
    KernelBuilder &k = *kernel;
    k.loc = op->getLoc();
    Task task(context, k, headsOfTask(context, head));
    body(task, k.mul(k.gridX(), kRouteTile));
    Launch launch;
    launch.x = [](PlanWriter &plan) { return plan.index.ceilDiv(plan.dim("s"), kRouteTile); };
    launch.y = tasksOfHeads(context, head);
    launch.makes = {makes};
    context.finish(std::move(kernel), std::move(launch));
  }

  //===-- Results.

  LogicalResult store(Value tensor, StringRef name) {
    Operation *op = tensor.getDefiningOp();
    auto yield = cast<YieldOp>(context.pattern.getBody().front().back());
    if (!op)
      return context.refuse(yield, "a role as a result");
    if (failed(prepare(yield, tensor)))
      return failure();
    PlanRef ref{PlanRef::Result, name.str(), resultType(context, tensor)};
    if (cast<tile::ArgType>(ref.type).getInner() != 1)
      return context.refuse(op, "'" + op->getName().getStringRef() + "' of keys with features");
    launchOfKeys(("store_" + name).str(), op, headOf(tensor), tensor, [&](Task &task, Value first) {
      KernelBuilder &k = task.k;
      Value numbers = keepRows(k, numbersAt(task, tensor, first), k.constant(0), k.sub(task.keyCount(), first), 0.0);
      tile::StoreOp::create(k.b, k.loc, numbers, task.slice(ref, task.batch, task.head(headOf(tensor))), first);
    });
    return success();
  }

  FailureOr<RouteList> listOf(RouteOp route) {
    auto known = lists.find(route);
    if (known != lists.end())
      return known->second;
    if (failed(prepare(route, route.getX())))
      return failure();
    RouteList list =
        buildRouteList(context, route, [&](Task &task, Value first) { return numbersAt(task, route.getX(), first); });
    lists.insert({route, list});
    return list;
  }

  // Slots behind the end of a list are 0.
  LogicalResult keep(GatherOp gather, StringRef name) {
    Value tensor = gather.getX();
    auto list = listOf(gather.getRows().getDefiningOp<RouteOp>());
    if (failed(list))
      return failure();
    int64_t inner = context.innerSize(context.factsOf(tensor).axes);
    if (context.factsOf(tensor).feature() && tensor.getDefiningOp())
      return context.refuse(gather, "'sattn.gather' of anything but roles, and numbers of keys,");
    if (failed(materialise(gather, tensor)))
      return failure();
    auto kernel = context.program.kernel(("gather_" + name).str());
    KernelBuilder &k = *kernel;
    k.loc = gather.getLoc();
    Task task(context, k, headsOfTask(context, list->head));
    Value first = k.mul(k.gridX(), kRouteTile), slots = viewOf(task, *list), zero = k.constant(0);
    Value length = tile::LengthOp::create(k.b, k.loc, k.b.getIndexType(), slots);
    auto type = inner == 1 ? k.rowVector(kRouteTile) : k.tile(kRouteTile, inner);
    Value rows = tile::GatherOp::create(k.b, k.loc, type, viewIn(task, tensor), zero, routedIds(task, slots, first));
    rows = keepRows(k, rows, zero, k.sub(length, first), 0.0);
    PlanRef ref{PlanRef::Result, name.str(), resultType(context, gather.getResult())};
    tile::StoreOp::create(k.b, k.loc, rows, task.slice(ref, task.batch, task.head(headOf(tensor))), first);
    Launch launch;
    launch.x = [most = list->most](PlanWriter &plan) { return plan.index.ceilDiv(most(plan), kRouteTile); };
    launch.y = tasksOfHeads(context, list->head);
    launch.makes = {gather.getResult()};
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

  Context &context;
  Preparer &preparer;
  llvm::DenseMap<Value, Votes> votes; ///< numbers in memory, by the tensor that they are
  std::map<Operation *, RouteList> lists;
};
} // namespace

LogicalResult buildKeepKernels(Context &context, Preparer &preparer) { return KeepKernels(context, preparer).build(); }

} // namespace sattn::lower

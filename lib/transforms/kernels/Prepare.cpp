// Kernels that pack keys and values and summarise blocks.
#include "lib/transforms/kernels/Prepare.h"
#include "lib/transforms/kernels/Kept.h"
#include "lib/transforms/kernels/Plan.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <numeric>

namespace sattn::lower {
using namespace mlir;

static constexpr int64_t kSummaryRows = 64;

static int64_t featuresOf(Context &context, Value tensor) { return context.innerSize(context.factsOf(tensor).axes); }

// The role that a tensor comes from, and the summary between them (null for the role itself).
FailureOr<Value> Preparer::source(Operation *user, Value tensor, SummarizeOp &summary) {
  summary = tensor.getDefiningOp<SummarizeOp>();
  Value role = summary ? summary.getX() : tensor;
  if (Operation *op = role.getDefiningOp())
    return context.refuse(op, "'" + op->getName().getStringRef() + "' as an operand of '" +
                                  user->getName().getStringRef() + "'");
  if (summary && (summary.getHow() == SummaryKind::Weighted || summary.getHow() == SummaryKind::Linear))
    return context.refuse(summary, "'sattn.summarize " + stringifySummaryKind(summary.getHow()) + "'");
  if (context.bound.role(role).getIsInt())
    return context.refuse(user, "an int role as an operand of a score");
  return role;
}

PanelLayout Preparer::wantedFor(Use use) const {
  if (use == Use::Values)
    return context.target.valueLayout;
  PanelLayout layout = context.target.keyLayout;
  if (use == Use::Left && layout.width != 0) // rows side by side, as many as a target computes at once
    layout = {layout.block, /*byRows=*/true, context.target.rowQuantum};
  return layout;
}

tile::ArgType Preparer::layoutFor(Use use, int64_t features, int64_t tile) {
  MLIRContext *mlir = context.pattern.getContext();
  PanelLayout wanted = wantedFor(use);
  tile::PanelsAttr panels;
  if (wanted.width != 0) {
    int64_t width = std::gcd(wanted.width, wanted.byRows ? tile : features);
    panels = tile::PanelsAttr::get(mlir, tile, wanted.byRows ? tile::PanelAxis::Rows : tile::PanelAxis::Cols, width);
  }
  return tile::ArgType::get(mlir, context.f32(), features, panels);
}

SmallVector<Value, 2> Preparer::blocks(KernelBuilder &k, Value view, Value first, SummarizeOp summary, AxisAttr axis,
                                       tile::TileType type) {
  const Facts &facts = context.factsOf(summary.getResult());
  bool ragged = summary.getRagged() || axis.isRow();
  int64_t length = *literalInt(axis.getLen()), stride = *literalInt(axis.getStride());
  auto load = [&](StringRef how) -> Value {
    // Half of a bound multiplies an extreme by 0, which must be 0 where it is infinite too.
    return tile::LoadBlocksOp::create(k.b, k.loc, type, view, first, length, stride, ragged, facts.minmax, how);
  };
  if (facts.minmax)
    return {load("max"), load("min")};
  return {load(stringifySummaryKind(summary.getHow()))};
}

Preparer::Source Preparer::sourceOf(Value role) const {
  const Facts &facts = context.factsOf(role);
  return {{context.role(role)}, facts.headAxis(), facts.position(), role};
}

Value Preparer::anySees(Task &task, Value tile, int64_t rows, Value end) const {
  KernelBuilder &k = task.k;
  Value any;
  for (const LocalSet &set : seen) {
    RowRange all{task.rowPosition(set.row, k.constant(0)), k.max(k.sub(task.rowCount(), k.constant(1)), k.constant(0))};
    Value sees = set.nonEmpty(task, all, rows, tile, end);
    any = any ? Value(arith::OrIOp::create(k.b, k.loc, any, sees)) : sees;
  }
  return any;
}

void Preparer::transfer(StringRef name, const Source &source, SummarizeOp summary, Value made, AxisAttr axis,
                        int64_t rows, int64_t every, llvm::function_ref<void(Task &, ArrayRef<Value>, Value)> store) {
  auto kernel = context.program.kernel(name);
  KernelBuilder &k = *kernel;
  Task task(context, k, context.ratio(source.head).value_or(1));
  Value number = k.gridX();
  Lattice lattice;
  if (every != 1) {
    Value tiles = tilesOfClass(k, k.size(axis.getName()), every, rows);
    lattice = {every, k.floorDiv(number, tiles)};
    number = k.sub(number, k.mul(lattice.from, tiles));
  }
  Value first = k.mul(number, rows);
  AxisAttr position = source.position;
  Value limit;
  if (!position.isRow())
    limit = position.isBlocks() && source.role ? task.storedBlocks(source.role, position) : task.keyCount(position);
  OpBuilder::InsertPoint end = k.b.saveInsertionPoint();
  if (!summary && every == 1 && position.kind() == AxisKind::Keys)
    if (Value any = anySees(task, number, rows, limit)) {
      auto taken = scf::IfOp::create(k.b, k.loc, any, /*withElseRegion=*/false);
      end = k.b.saveInsertionPoint();
      k.b.setInsertionPoint(taken.thenBlock()->getTerminator());
    }
  SmallVector<Value, 2> tiles;
  for (const PlanRef &ref : source.refs) {
    Value view = task.slice(ref, task.batch, task.head(source.head), 1, false, limit, std::nullopt, lattice);
    auto type = k.tile(rows, cast<tile::ArgType>(ref.type).getInner());
    if (summary)
      tiles = blocks(k, view, first, summary, axis, type);
    else
      tiles.push_back(tile::LoadOp::create(k.b, k.loc, type, view, first));
  }
  store(task, tiles, k.mul(k.gridX(), rows));
  k.b.restoreInsertionPoint(end);
  Launch launch;
  launch.x = [axis, rows, every](PlanWriter &plan) {
    Value size = plan.axisSize(axis);
    return every == 1 ? plan.index.ceilDiv(size, rows) : tilesOfClasses(plan.index, size, every, rows);
  };
  launch.y = context.tasksInUnit(source.head);
  launch.makes.push_back(made);
  context.finish(std::move(kernel), std::move(launch));
}

// Task x makes the blocks from firstNewBlock + x * rows on; most have none to make.
Preparer::Source Preparer::extended(SummarizeOp summary) {
  auto known = keptSources.find(summary);
  if (known != keptSources.end())
    return known->second;
  Source keys = sourceOf(summary.getX());
  AxisAttr axis = context.factsOf(summary.getResult()).position();
  Source kept{{}, keys.head, axis, Value()};
  for (const KeptTensor &tensor : keptTensors(context, summary))
    kept.refs.push_back(tensor.ref);
  auto kernel = context.program.kernel("extend_" + kept.refs[0].name);
  KernelBuilder &k = *kernel;
  Task task(context, k, context.ratio(keys.head).value_or(1));
  Value first = k.add(firstNewBlock(task, axis), k.mul(k.gridX(), kSummaryRows)), end = task.keyCount(axis);
  Value head = task.head(keys.head);
  Value view = task.slice(keys.refs[0], task.batch, head, 1, false, task.keyCount());
  SmallVector<Value, 2> views;
  for (const PlanRef &ref : kept.refs)
    views.push_back(task.slice(ref, task.batch, head, 1, false, end));
  Value any = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::slt, first, end);
  auto taken = scf::IfOp::create(k.b, k.loc, any, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPoint(taken.thenBlock()->getTerminator());
    auto type = k.tile(kSummaryRows, cast<tile::ArgType>(kept.refs[0].type).getInner());
    for (auto [tile, to] : llvm::zip(blocks(k, view, first, summary, axis, type), views))
      tile::StoreOp::create(k.b, k.loc, tile, to, first);
  }
  Launch launch;
  launch.x = [axis](PlanWriter &plan) { return plan.index.ceilDiv(plan.axisSize(axis), kSummaryRows); };
  launch.y = context.tasksInUnit(keys.head);
  launch.makes.push_back(summary.getResult());
  context.finish(std::move(kernel), std::move(launch));
  return keptSources[summary] = kept;
}

KeyOperand storedKeys(Context &context, Value role, int64_t tile) {
  const Facts &facts = context.factsOf(role);
  KeyOperand keys;
  keys.ref = context.role(role);
  keys.isWorkspace = false;
  keys.axis = facts.position();
  keys.head = facts.headAxis();
  keys.features = context.innerSize(facts.axes);
  keys.tile = tile;
  return keys;
}

FailureOr<KeyOperand> Preparer::keys(Operation *user, Value tensor, Use use, int64_t tile, int64_t every) {
  Key key{tensor.getAsOpaquePointer(), use, tile, every};
  auto known = made.find(key);
  if (known != made.end())
    return known->second;
  SummarizeOp summary;
  auto role = source(user, tensor, summary);
  if (failed(role))
    return failure();
  const Facts &facts = context.factsOf(tensor);
  KeyOperand operand;
  operand.axis = facts.position();
  operand.head = facts.headAxis();
  operand.features = featuresOf(context, tensor);
  operand.tile = tile;
  operand.every = every;
  if (!summary && operand.axis.isBlocks())
    operand.countedFrom = *role;
  Source source = sourceOf(*role);
  if (summary && context.bound.keepsSummaries() && isKept(summary)) {
    source = extended(summary);
    summary = {};
  }
  if (!summary && every == 1 && wantedFor(use).width == 0) {
    operand.ref = source.refs[0];
    if (source.refs.size() > 1)
      operand.least = source.refs[1];
    operand.isWorkspace = false;
    return made[key] = operand;
  }
  std::string name = summary ? "summary" : source.refs[0].name;
  Workspace workspace;
  workspace.name = name + (use == Use::Keys ? "_keys" : use == Use::Values ? "_values" : "_rows");
  workspace.type = layoutFor(use, operand.features, tile);
  // What only changes places stays as it is stored, unless the target wants it in panels.
  if (!summary && !workspace.type.getLayout())
    workspace.type =
        tile::ArgType::get(context.pattern.getContext(), cast<tile::ArgType>(source.refs[0].type).getElementType(),
                           operand.features, tile::PanelsAttr());
  workspace.axis = operand.axis;
  workspace.head = operand.head;
  workspace.every = every;
  workspace.tile = tile;
  operand.ref = context.workspace(workspace);
  std::string maker = (summary ? "summarize_" : "pack_") + operand.ref.name;
  if (facts.minmax) {
    workspace.name += "_least";
    operand.least = context.workspace(workspace);
  }
  Value packed = summary || !source.role ? tensor : *role;
  transfer(maker, source, summary, packed, operand.axis, tile, every,
           [&](Task &task, ArrayRef<Value> tiles, Value position) {
             auto keep = [&](Value rows, const PlanRef &ref) {
               Value view = task.slice(ref, task.pair, task.headInUnit(operand.head));
               tile::StoreOp::create(task.k.b, task.k.loc, rows, view, position);
             };
             keep(tiles[0], operand.ref);
             if (operand.least)
               keep(tiles[1], *operand.least);
           });
  made[key] = operand;
  return operand;
}

FailureOr<RowOperand> Preparer::rows(Operation *user, Value tensor) {
  auto known = madeRows.find(tensor);
  if (known != madeRows.end())
    return known->second;
  SummarizeOp summary;
  auto role = source(user, tensor, summary);
  if (failed(role))
    return failure();
  const Facts &facts = context.factsOf(tensor);
  RowOperand operand;
  operand.axis = facts.position();
  operand.head = facts.headAxis();
  operand.features = featuresOf(context, tensor);
  if (!summary) {
    operand.ref = context.role(tensor);
  } else {
    operand.isWorkspace = true;
    Workspace workspace;
    workspace.name = context.bound.role(*role).getName().str() + "_means";
    workspace.type =
        tile::ArgType::get(context.pattern.getContext(), context.f32(), operand.features, tile::PanelsAttr());
    workspace.axis = operand.axis;
    workspace.head = operand.head;
    operand.ref = context.workspace(workspace);
    transfer("summarize_" + operand.ref.name, sourceOf(*role), summary, tensor, operand.axis,
             std::max<int64_t>(context.target.rowQuantum, 16), 1,
             [&](Task &task, ArrayRef<Value> tiles, Value position) {
               Value view = task.slice(operand.ref, task.pair, task.headInUnit(operand.head));
               tile::StoreOp::create(task.k.b, task.k.loc, tiles[0], view, position);
             });
  }
  return madeRows[tensor] = operand;
}

LogicalResult Preparer::result(Operation *user, Value tensor, StringRef name) {
  SummarizeOp summary;
  auto role = source(user, tensor, summary);
  if (failed(role))
    return failure();
  const Facts &facts = context.factsOf(tensor);
  PlanRef ref{
      PlanRef::Result, name.str(),
      tile::ArgType::get(context.pattern.getContext(), context.f32(), featuresOf(context, tensor), tile::PanelsAttr())};
  transfer(("summarize_" + name).str(), sourceOf(*role), summary, tensor, facts.position(), kSummaryRows, 1,
           [&](Task &task, ArrayRef<Value> tiles, Value position) {
             Value view = task.slice(ref, task.batch, task.head(facts.headAxis()));
             tile::StoreOp::create(task.k.b, task.k.loc, tiles[0], view, position);
           });
  return success();
}

Value keyCountOf(Task &task, const KeyOperand &operand) {
  if (!operand.countedFrom)
    return task.keyCount(operand.axis);
  return task.storedBlocks(operand.countedFrom, operand.axis);
}

Value viewOf(Task &task, const KeyOperand &operand, Lattice lattice, int64_t heads) {
  if (operand.isWorkspace)
    return task.slice(operand.ref, task.pair, task.headInUnit(operand.head), 1, false, Value(), std::nullopt, lattice);
  Value head = task.head(operand.head);
  return task.slice(operand.ref, task.batch, heads == 1 ? head : task.k.floorDiv(head, heads), heads, false,
                    keyCountOf(task, operand), std::nullopt, lattice);
}

Value leastOf(Task &task, const KeyOperand &operand) {
  if (!operand.least)
    return {};
  KeyOperand other = operand;
  other.ref = *operand.least;
  return viewOf(task, other);
}

} // namespace sattn::lower

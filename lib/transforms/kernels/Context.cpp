// Heads, units, operands and task coordinates.
#include "lib/transforms/kernels/Context.h"
#include "lib/analysis/CostModel.h"
#include "lib/transforms/kernels/Plan.h"
#include "llvm/ADT/StringSwitch.h"

namespace sattn::lower {
using namespace mlir;

std::string CallRows::text() const {
  if (mostKeys != 0)
    return "other calls over at most " + std::to_string(mostKeys) + " keys";
  if (rows == All)
    return "all calls";
  std::string text = "calls of at most " + std::to_string(few) + " query rows";
  return keysPerRow == 0 ? text : text + ", or of one for every " + std::to_string(keysPerRow) + " keys";
}

Context::Context(PatternOp pattern, PatternFacts facts, const TargetInfo &target, ProgramBuilder &program)
    : pattern(pattern), bound(pattern), target(target), program(program), facts(std::move(facts)),
      groups(bound, this->facts) {}

void Context::finish(std::unique_ptr<KernelBuilder> kernel, Launch launch) {
  kernel->b.setInsertionPointToEnd(&kernel->kernel.getBody().front());
  tile::ReturnOp::create(kernel->b, kernel->loc);
  launch.kernel = std::move(kernel);
  launches.push_back(std::move(launch));
}

InFlightDiagnostic Context::refuse(Operation *op, const Twine &what) {
  return op->emitError() << "[SA0201] " << what
                         << " is not compiled yet: run the pattern with the reference (--oracle)";
}

bool Context::isParam(StringRef name) {
  return llvm::any_of(pattern.getParams().getAsRange<ParamAttr>(),
                      [&](ParamAttr param) { return param.getName() == name; });
}

Value tilesOfClass(IndexBuilder &b, Value size, int64_t every, int64_t tile) {
  return b.ceilDiv(b.ceilDiv(size, every), tile);
}

Value tilesOfClasses(IndexBuilder &b, Value size, int64_t every, int64_t tile) {
  return b.mul(b.min(size, b.constant(every)), tilesOfClass(b, size, every, tile));
}

//===-- Heads -------------------------------------------------------------------------------------------===//

Value Context::headsInUnit(PlanWriter &plan, AxisAttr axis) const {
  auto heads = ratio(axis);
  if (!heads)
    return plan.index.constant(1);
  if (unitHeads())
    return plan.index.constant(*unitHeads() / *heads);
  return plan.dim(axis.getName());
}

PlanSize Context::tasksInUnit(int64_t heads) const {
  return [this, heads](PlanWriter &plan) {
    if (unitHeads())
      return plan.index.constant(*unitHeads() / heads);
    return plan.index.floorDiv(plan.dim(queryHeads().getName()), heads);
  };
}

PlanSize Context::tasksInUnit(AxisAttr axis) const {
  if (auto heads = ratio(axis))
    return tasksInUnit(*heads);
  return [](PlanWriter &plan) { return plan.index.constant(1); };
}

//===-- Tensors -----------------------------------------------------------------------------------------===//

int64_t Context::innerSize(ArrayRef<AxisAttr> axes) const {
  AxisAttr last = axes.empty() ? AxisAttr() : axes.back();
  if (!last || !(last.isFeature() || last.isFixed()))
    return 1;
  // [s, 1] has one head and no features.
  bool isHead = last.isFixed() && axes.size() == 2 && axes[0].isKey() && last.getSize() == 1;
  return isHead ? 1 : bound.size(last);
}

Type Context::f32() const { return Float32Type::get(program.program.getContext()); }

tile::ArgType Context::roleType(Value tensor) const {
  RoleAttr role = bound.role(tensor);
  return tile::ArgType::get(program.program.getContext(), bound.dtype(role), innerSize(role.getAxes()),
                            tile::PanelsAttr());
}

std::optional<int64_t> Context::pageOf(const PlanRef &ref) const {
  if (ref.kind == PlanRef::Role)
    for (auto role : bound.op().getRoles().getAsRange<RoleAttr>())
      if (role.getName() == ref.name)
        return bound.page(role);
  return std::nullopt;
}

int64_t Context::keyTile(Value keys, ArrayRef<Value> values, bool packed) const {
  auto rowBytes = [&](Value tensor) {
    return (packed ? 4 : bound.elementBytes(tensor)) * innerSize(factsOf(tensor).axes);
  };
  int64_t bytes = 0;
  for (Value value : values)
    bytes = std::max(bytes, rowBytes(value));
  return cost::keyTile(target, rowBytes(keys) + bytes);
}

PlanRef Context::role(Value tensor) const {
  return {PlanRef::Role, bound.role(tensor).getName().str(), roleType(tensor)};
}

PlanRef Context::workspace(Workspace workspace) {
  workspace.name = program.workspaceName(workspace.name);
  workspaces.push_back(workspace);
  return {PlanRef::Workspace, workspace.name, workspace.type};
}

//===-- Tasks -------------------------------------------------------------------------------------------===//

Task::Task(Context &context, KernelBuilder &k, int64_t heads, int64_t units) : context(context), k(k), heads(heads) {
  pair = k.mul(k.gridZ(), units);
  Value global = k.add(k.size("first_pair"), pair);
  if (context.unitHeads()) {
    Value units = k.size("units");
    batch = k.floorDiv(global, units);
    unit = k.sub(global, k.mul(batch, units));
  } else {
    batch = global;
    unit = k.constant(0);
  }
  firstHead = k.mul(k.gridY(), heads);
}

Value Task::headInUnit(AxisAttr axis) {
  auto ratio = context.ratio(axis);
  if (!ratio || ratio == context.unitHeads())
    return k.constant(0);
  if (heads % *ratio == 0)
    return k.mul(k.gridY(), heads / *ratio);
  return k.floorDiv(firstHead, *ratio);
}

Value Task::headOfRow(AxisAttr axis, Value row, int64_t headRows) {
  Value padded = k.mul(k.ceilDiv(k.size("chunk"), headRows), headRows);
  return k.add(k.mul(headInUnit(axis), padded), row);
}

Value Task::head(AxisAttr axis) {
  auto ratio = context.ratio(axis);
  if (!ratio)
    return k.constant(0);
  Value local = headInUnit(axis);
  return context.unitHeads() ? k.add(k.mul(unit, *context.unitHeads() / *ratio), local) : local;
}

Value Task::batchValue(StringRef name) {
  Value &value = perBatch[name];
  if (!value) {
    // At the top of the task, so that it dominates every later use.
    OpBuilder::InsertionGuard guard(k.b);
    if (Operation *made = batch.getDefiningOp())
      k.b.setInsertionPointAfter(made);
    else
      k.b.setInsertionPointToStart(&k.kernel.getBody().front());
    Value all = k.operand({PlanRef::Offsets, name.str(), tile::PerBatchType::get(k.b.getContext())});
    value = tile::OfBatchOp::create(k.b, k.loc, k.b.getIndexType(), all, batch);
  }
  return value;
}
Value Task::qOffset() { return batchValue("q_offset"); }
Value Task::kvOffset() { return batchValue("kv_offset"); }
Value Task::keyCount() { return batchValue("kv_len"); }
Value Task::rowCount() { return k.size("t"); }

Value completeBlocks(KernelBuilder &k, Value positions, int64_t length, int64_t stride) {
  Value whole = k.add(k.floorDiv(k.sub(positions, k.constant(length)), stride), 1);
  return k.max(whole, k.constant(0));
}

Value Task::keyCount(AxisAttr axis) {
  if (!axis.isBlocks())
    return keyCount();
  int64_t length = *literalInt(axis.getLen()), stride = *literalInt(axis.getStride());
  if (axis.getRagged() && length == stride)
    return k.ceilDiv(keyCount(), length);
  return completeBlocks(k, keyCount(), length, stride);
}

Value Task::storedBlocks(Value role, AxisAttr axis) {
  Value stored = tile::CountOp::create(k.b, k.loc, k.b.getIndexType(), k.operand(context.role(role)), "positions");
  bool anyTokens = llvm::any_of(context.pattern.getRoles().getAsRange<RoleAttr>(), [](RoleAttr other) {
    return llvm::any_of(other.getAxes(), [](AxisAttr axis) { return axis.kind() == AxisKind::Keys; });
  });
  if (!anyTokens)
    return stored;
  int64_t length = *literalInt(axis.getLen()), stride = *literalInt(axis.getStride());
  Value complete = completeBlocks(k, keyCount(), length, stride);
  if (length != stride)
    return k.min(stored, complete);
  Value onlyComplete = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::eq, stored,
                                             completeBlocks(k, k.size("s"), length, stride));
  return arith::SelectOp::create(k.b, k.loc, onlyComplete, complete, k.ceilDiv(keyCount(), length));
}

Value Task::rowPosition(AxisAttr axis, Value row) {
  if (axis.isBlocks())
    return row;
  return k.add(k.sub(qOffset(), kvOffset()), row);
}

// Names: see SetLowering.h; those without a mark are the pattern's.
Value Task::symbol(StringRef name) {
  if (Value value = defined.lookup(name))
    return value;
  if (name == "kv_offset")
    return kvOffset();
  if (name == "q_offset")
    return qOffset();
  auto [base, divisor] = name.split('/');
  int64_t by = 0;
  if (!divisor.empty() && !divisor.getAsInteger(10, by))
    return k.floorDiv(base == "kv_offset" ? kvOffset() : qOffset(), by);
  if (name == "size(s)")
    return k.add(kvOffset(), keyCount());
  if (name == "size(t)")
    return k.add(qOffset(), rowCount());
  if (name.consume_front("size("))
    return k.size(name.drop_back());
  for (auto role : context.pattern.getRoles().getAsRange<RoleAttr>())
    for (AxisAttr axis : role.getAxes())
      if (axis.isHead() && axis.getName() == name)
        return head(axis);
  return k.operand({PlanRef::Param, name.str(), k.b.getIndexType()});
}

Value Task::slice(const PlanRef &ref, Value batch, Value head, int64_t group, bool outer, Value limit,
                  std::optional<int64_t> column, Lattice lattice, bool repeat) {
  auto type = cast<tile::ArgType>(ref.type);
  auto view = tile::ViewType::get(k.b.getContext(), type.getElementType(), column ? 1 : type.getInner(), group, outer,
                                  type.getLayout());
  auto first = column ? k.b.getI64IntegerAttr(*column) : IntegerAttr();
  auto every = lattice.from ? k.b.getI64IntegerAttr(lattice.every) : IntegerAttr();
  std::optional<int64_t> page = context.pageOf(ref);
  Value pages;
  if (page)
    pages = k.operand({PlanRef::Pages, "pages", tile::pageTableType(k.b.getContext())});
  return tile::SliceOp::create(k.b, k.loc, view, k.operand(ref), batch, head, limit, lattice.from, pages, every, first,
                               repeat, /*across=*/false, page ? k.b.getI64IntegerAttr(*page) : IntegerAttr());
}

Value Task::sliceAcross(const PlanRef &ref, Value batch, Value position, std::optional<int64_t> column) {
  auto type = cast<tile::ArgType>(ref.type);
  auto view = tile::ViewType::get(k.b.getContext(), type.getElementType(), column ? 1 : type.getInner(), 1, false,
                                  tile::PanelsAttr());
  auto first = column ? k.b.getI64IntegerAttr(*column) : IntegerAttr();
  return tile::SliceOp::create(k.b, k.loc, view, k.operand(ref), batch, position, Value(), Value(), Value(),
                               IntegerAttr(), first, /*repeat=*/false, /*across=*/true, IntegerAttr());
}

} // namespace sattn::lower

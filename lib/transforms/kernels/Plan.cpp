// The launch plan; see Plan.h.
#include "lib/transforms/kernels/Plan.h"

namespace sattn::lower {
using namespace mlir;

static tile::PlanOp makePlan(Context &context) {
  OpBuilder b = OpBuilder::atBlockEnd(&context.program.program.getBody().front());
  auto plan = tile::PlanOp::create(b, context.pattern.getLoc());
  plan.getBody().emplaceBlock();
  return plan;
}

PlanWriter::PlanWriter(ArrayRef<Context *> forms)
    : index(OpBuilder(forms[0]->pattern.getContext()), forms[0]->pattern.getLoc()), forms(forms), context(forms[0]),
      plan(makePlan(*context)) {
  index.b.setInsertionPointToEnd(&plan.getBody().front());
}

//===-- Names -------------------------------------------------------------------------------------------===//

Value PlanWriter::named(StringRef name, llvm::function_ref<Value(OpBuilder &)> make) {
  Value &value = names[name];
  if (!value) {
    OpBuilder b(plan.getContext());
    if (lastName)
      b.setInsertionPointAfter(lastName);
    else
      b.setInsertionPointToStart(&plan.getBody().front());
    value = make(b);
    lastName = value.getDefiningOp();
  }
  return value;
}

Value PlanWriter::dim(StringRef name) {
  return named(("dim " + name).str(),
               [&](OpBuilder &b) { return tile::DimOp::create(b, plan.getLoc(), b.getIndexType(), name); });
}

Value PlanWriter::size(StringRef name) {
  auto known = sizes.find(name);
  return known != sizes.end() ? known->second : dim(name);
}

Value PlanWriter::axisSize(AxisAttr axis) {
  if (!axis)
    return index.constant(1);
  if (axis.isFixed())
    return index.constant(axis.getSize());
  if (!axis.isBlocks())
    return dim(axis.getName());
  // Blocks of a role are an axis of the call; those that a summary makes follow from their positions.
  std::string text = toText(axis);
  for (auto role : context->pattern.getRoles().getAsRange<RoleAttr>())
    for (AxisAttr known : role.getAxes())
      if (toText(known) == text)
        return dim(text);
  int64_t length = *literalInt(axis.getLen()), stride = *literalInt(axis.getStride());
  Value positions = dim(axis.isRow() ? "t" : "s");
  if (axis.isRow() || axis.getRagged())
    return index.ceilDiv(positions, length);
  Value whole = index.floorDiv(index.add(index.sub(positions, index.constant(length)), stride), stride);
  return index.max(whole, index.constant(0));
}

Value PlanWriter::operand(const PlanRef &ref) {
  Location loc = plan.getLoc();
  switch (ref.kind) {
  case PlanRef::Size:
    return size(ref.name);
  case PlanRef::Role:
    return named("role " + ref.name, [&](OpBuilder &b) { return tile::RoleOp::create(b, loc, ref.type, ref.name); });
  case PlanRef::Result:
    return named("result " + ref.name,
                 [&](OpBuilder &b) { return tile::ResultOp::create(b, loc, ref.type, ref.name); });
  case PlanRef::Param:
    return named("param " + ref.name, [&](OpBuilder &b) { return tile::ParamOp::create(b, loc, ref.type, ref.name); });
  case PlanRef::Offsets:
    return named("offsets " + ref.name,
                 [&](OpBuilder &b) { return tile::OffsetsOp::create(b, loc, ref.type, ref.name); });
  case PlanRef::Pages:
    return named("pages", [&](OpBuilder &b) { return tile::PagesOp::create(b, loc, ref.type); });
  case PlanRef::Workspace:
    return sizes.lookup(("workspace " + ref.name));
  }
  llvm_unreachable("all kinds of operands are handled");
}

//===-- Waves and chunks --------------------------------------------------------------------------------===//

static int64_t elementBytes(tile::ArgType type) {
  return llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8) * type.getInner();
}

// Bytes of one pair.
Value PlanWriter::bytesOf(const Workspace &workspace, Value rows) {
  Value heads = context->headsInUnit(*this, workspace.head);
  return index.mul(index.mul(positionsOf(workspace, rows), elementBytes(workspace.type)),
                   workspace.headRows ? index.mul(heads, rows) : heads);
}

// As many for each head as kernels count (see the `chunk` of a kernel's sizes).
Value PlanWriter::headsOf(const Workspace &workspace) {
  Value heads = context->headsInUnit(*this, workspace.head);
  if (workspace.headRows == 0)
    return heads;
  return index.mul(heads, index.mul(index.ceilDiv(rowsPerChunk, workspace.headRows), workspace.headRows));
}

Value PlanWriter::positionsOf(const Workspace &workspace, Value rows) {
  if (workspace.perChunk && workspace.headRows == 0)
    return index.ceilDiv(rows, workspace.rowsPer);
  if (workspace.count)
    return workspace.count(*this);
  Value size = axisSize(workspace.axis);
  return workspace.every == 1 ? size
                              : index.mul(tilesOfClasses(index, size, workspace.every, workspace.tile), workspace.tile);
}

Value PlanWriter::isTaken() {
  const CallRows &calls = context->calls;
  Value zero = index.constant(0), one = index.constant(1), is;
  auto isMore = [&](Value size, Value than) { return index.min(index.max(index.sub(size, than), zero), one); };
  auto also = [&](Value condition) { is = is ? index.mul(is, condition) : condition; };
  if (calls.rows != CallRows::All) {
    Value few = index.constant(calls.few);
    if (calls.keysPerRow != 0)
      few = index.max(few, index.floorDiv(dim("s"), calls.keysPerRow));
    Value many = isMore(dim("t"), few);
    also(calls.rows == CallRows::Many ? many : index.sub(one, many));
  }
  if (calls.fewestKeys != 0)
    also(isMore(dim("s"), index.constant(calls.fewestKeys - 1)));
  if (calls.mostKeys != 0)
    also(index.sub(one, isMore(dim("s"), index.constant(calls.mostKeys))));
  return is;
}

void PlanWriter::sizeWaves() {
  Value one = index.constant(1), batch = dim("B"), rows = dim("t");
  Value units = one;
  if (context->unitHeads() && context->queryHeads())
    units = index.floorDiv(dim(context->queryHeads().getName()), *context->unitHeads());
  sizes["units"] = units;
  pairs = index.mul(batch, units);
  pairsPerWave = pairs;
  rowsPerChunk = rows;
  for (const auto &[name, size] : context->sizes)
    sizes[name] = size(*this);
  if (!anyWorkspace)
    return;
  Value fixed = index.constant(0), perRow = index.constant(0);
  for (const Workspace &workspace : context->workspaces) {
    Value &sum = workspace.perChunk ? perRow : fixed;
    // A row's share, rounded up; good enough to choose a chunk.
    sum = index.add(sum, bytesOf(workspace, one));
  }
  Value bound = index.constant(context->target.waveBytes);
  if (anyChunk) {
    Value fitting = index.floorDiv(bound, index.max(perRow, one));
    int64_t multiple = context->chunkMultiple;
    Value whole = index.mul(index.floorDiv(fitting, multiple), multiple);
    rowsPerChunk = index.min(index.max(whole, index.constant(multiple)), index.max(rows, one));
  }
  Value bytes = index.add(fixed, index.mul(perRow, rowsPerChunk));
  Value fitting = index.floorDiv(bound, index.max(bytes, one));
  if (int64_t multiple = context->pairMultiple; multiple > 1)
    fitting = index.mul(index.max(index.floorDiv(fitting, multiple), one), multiple);
  pairsPerWave = index.min(index.max(fitting, one), index.max(pairs, one));
}

void PlanWriter::writeWorkspaces() {
  for (const Workspace &workspace : context->workspaces) {
    Value positions = positionsOf(workspace, rowsPerChunk);
    Value heads = headsOf(workspace), entries = pairsPerWave;
    if (workspace.pairsAreHeads) {
      heads = index.mul(heads, pairsPerWave);
      entries = index.constant(1);
    }
    if (taken)
      entries = index.mul(entries, taken);
    sizes["workspace " + workspace.name] =
        tile::WorkspaceOp::create(index.b, plan.getLoc(), workspace.type, workspace.name, entries, positions, heads);
  }
}

//===-- Steps -------------------------------------------------------------------------------------------===//

Value PlanWriter::loop(Value count, llvm::function_ref<void(Value)> body) {
  auto op = tile::LoopOp::create(index.b, plan.getLoc(), count);
  Block &block = op.getBody().emplaceBlock();
  block.addArgument(index.b.getIndexType(), plan.getLoc());
  OpBuilder::InsertionGuard guard(index.b);
  index.b.setInsertionPointToEnd(&block);
  body(block.getArgument(0));
  return {};
}

void PlanWriter::writeLaunch(const Launch &launch) {
  for (const auto &[name, size] : launch.sizes)
    sizes[name] = size(*this);
  SmallVector<Value> args;
  for (const PlanRef &ref : launch.kernel->operands)
    args.push_back(operand(ref));
  Value x = launch.x(*this), y = launch.y(*this), z = launch.z ? launch.z(*this) : wavePairs;
  auto order = launch.order.empty() ? ArrayAttr() : index.b.getStrArrayAttr(launch.order);
  tile::LaunchOp::create(index.b, plan.getLoc(), launch.kernel->kernel.getSymName(), x, y, z, args, order);
}

void PlanWriter::writeWave(Value wave) {
  sizes["first_pair"] = index.mul(wave, pairsPerWave);
  sizes["chunk"] = rowsPerChunk;
  wavePairs = index.min(pairsPerWave, index.sub(pairs, sizes["first_pair"]));
  for (const Launch &launch : context->launches)
    if (!launch.perChunk)
      writeLaunch(launch);
  auto chunk = [&](Value number) {
    sizes["first_row"] = index.mul(number, rowsPerChunk);
    chunkRows = sizes["rows"] = index.min(rowsPerChunk, index.sub(dim("t"), sizes["first_row"]));
    for (const Launch &launch : context->launches)
      if (launch.perChunk)
        writeLaunch(launch);
  };
  if (anyChunk) {
    Value chunks = index.floorDiv(index.add(dim("t"), index.sub(rowsPerChunk, index.constant(1))), rowsPerChunk);
    loop(chunks, chunk);
    return;
  }
  chunk(index.constant(0));
}

void PlanWriter::writeForm() {
  anyWorkspace = !context->workspaces.empty();
  anyChunk = llvm::any_of(context->workspaces, [](const Workspace &workspace) { return workspace.perChunk; });
  sizes.clear();
  taken = isTaken();
  sizeWaves();
  writeWorkspaces();
  if (!anyWorkspace && !taken) {
    writeWave(index.constant(0));
    return;
  }
  Value waves = index.floorDiv(index.add(pairs, index.sub(pairsPerWave, index.constant(1))), pairsPerWave);
  if (taken)
    waves = anyWorkspace ? index.mul(waves, taken) : taken;
  loop(waves, [&](Value wave) { writeWave(wave); });
}

void PlanWriter::write() {
  for (Context *form : forms) {
    context = form;
    writeForm();
  }
}

} // namespace sattn::lower

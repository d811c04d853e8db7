// The range kernel, and what it shares with the others.
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Plan.h"

namespace sattn::lower {
using namespace mlir;

// A number that sattn-choose-dataflow has left at `op`.
static int64_t chosenFor(Operation *op, StringRef name, int64_t otherwise) {
  auto dataflow = op->getAttrOfType<DictionaryAttr>("dataflow");
  auto number = dataflow ? dataflow.getAs<IntegerAttr>(name) : IntegerAttr();
  return number ? number.getInt() : otherwise;
}

Congruence congruenceOf(AccumulateOp op) {
  int64_t every = chosenFor(op, "every", 0);
  return every ? Congruence{every, chosenFor(op, "shift", 0)} : Congruence();
}

static FailureOr<LocalSet> localSet(Context &context, AccumulateOp op, SetParts parts, Congruence congruence) {
  if (!parts.random)
    return LocalSet::make(parts.formula, parts.formula.getFormula(), congruence, parts.formula.getTables());
  auto random = RandomSet::make(context, parts.random, chosenFor(op, "rows", context.target.rowTile));
  if (failed(random))
    return failure();
  auto formulaOf = [](SetOp set) { return set ? set.getFormula() : KeySetAttr(); };
  return LocalSet::make(parts.random, *random, formulaOf(parts.formula), formulaOf(parts.beside));
}

FailureOr<PreparedBranch> prepareRange(Context &context, Preparer &preparer, AccumulateOp op, int64_t tile,
                                       Congruence congruence, bool packClasses) {
  int64_t every = packClasses ? congruence.modulus : 1;
  auto chain = scoreChain(context, op, op.getZ());
  auto parts = partsOf(context, op, op.getSet());
  if (failed(chain) || failed(parts))
    return failure();
  if (op.getHow() != AccumulateKind::Softmax)
    return context.refuse(op, "'sattn.accumulate linear'");
  Value k = chain->score.getK();
  auto prefix = op.getV().getDefiningOp<PrefixOp>();
  bool valuesAreKeys = prefix && prefix.getX() == k;
  if (tile == 0)
    tile = context.keyTile(k, valuesAreKeys ? ArrayRef<Value>() : ArrayRef<Value>(op.getV()), every != 1);
  auto set = localSet(context, op, *parts, congruence);
  for (auto &[text, load] : succeeded(set) ? set->loads : decltype(set->loads)())
    if (alongOf(context, load) == Along::Other)
      return context.refuse(parts->formula, "'" + text + "' in 'sattn.set'");
  auto queries = preparer.rows(op, chain->score.getQ());
  auto keys = preparer.keys(op, k, Preparer::Use::Keys, tile, every);
  auto values = valuesAreKeys ? keys : preparer.keys(op, op.getV(), Preparer::Use::Values, tile, every);
  if (failed(set) || failed(queries) || failed(keys) || failed(values))
    return failure();
  if (set->row.isBlocks())
    return context.refuse(op, "attention of blocks of rows");
  values->features = context.innerSize(context.factsOf(op.getV()).axes);
  return PreparedBranch{{*chain, *keys, *values, valuesAreKeys, *set, {}, {}, {}}, *queries};
}

Value enterClass(Task &task, Congruence congruence, Value row) {
  KernelBuilder &k = task.k;
  int64_t m = congruence.modulus;
  Value position = k.sub(k.add(k.sub(task.qOffset(), task.kvOffset()), row), k.constant(congruence.shift));
  Value whole = k.floorDiv(position, m);
  task.define(LocalSet::keyResidue, k.sub(position, k.mul(whole, m)));
  return whole;
}

RangeBranch branchOfClass(Task &task, RangeBranch branch, Congruence congruence) {
  KernelBuilder &k = task.k;
  int64_t m = congruence.modulus;
  Value residue = task.symbol(LocalSet::keyResidue);
  branch.lattice = {m, residue};
  branch.end = k.ceilDiv(k.max(k.sub(task.keyCount(), residue), k.constant(0)), m);
  return branch;
}

Value attendedTile(Task &task, const Rows &rows, Value local, const Selections &selections, Value value) {
  RowWorkspace workspace;
  bool isScattered = value.getDefiningOp<ScatterOp>() != nullptr;
  if (auto finalize = value.getDefiningOp<FinalizeOp>())
    workspace = selections.attentions.lookup(finalize.getP());
  else
    workspace = (isScattered ? selections.scattered : selections.lses).lookup(value);
  if (workspace.features == 0)
    return {};
  KernelBuilder &k = task.k;
  Value head = task.headInUnit(workspace.head);
  Value view = task.slice(workspace.ref, task.pair, rows.heads == 1 ? head : k.floorDiv(head, rows.heads), rows.heads,
                          rows.outer, isScattered ? Value() : k.size("rows"));
  bool isNumber = isScattered ? workspace.features == 1 : value.getDefiningOp<LseOp>() != nullptr;
  auto type = isNumber ? k.rowVector(rows.count()) : k.tile(rows.count(), workspace.features);
  return tile::LoadOp::create(k.b, k.loc, type, view, isScattered ? rows.first : local);
}

namespace {
class RangeKernel {
public:
  RangeKernel(Context &context, Preparer &preparer, const Selections &selections)
      : context(context), preparer(preparer), selections(selections) {}

  LogicalResult build() {
    auto accumulations = accumulationsOf(context, selections);
    if (failed(restrictPacking(accumulations)))
      return failure();
    // Operands are prepared first: their kernels run before this one.
    for (AccumulateOp op : accumulations) {
      congruence = congruenceOf(op);
      if (int64_t chosen = chosenFor(op, "rows", 0); chosen != 0)
        rowTile = rowTile == 0 ? chosen : std::min(rowTile, chosen);
      auto branch = prepareRange(context, preparer, op, chosenFor(op, "tile", 0), congruence);
      if (failed(branch))
        return failure();
      branches.insert({op, *branch});
    }
    if (rowTile == 0)
      rowTile = context.target.rowTile;
    bool perChunk = !selections.attentions.empty();
    auto kernel = context.program.kernel("attend");
    KernelBuilder &k = *kernel;
    Task task(context, k, 1);
    Value local = k.mul(k.gridX(), rowTile);
    Rows rows{rowTile, 1, false, perChunk ? k.add(k.size("first_row"), local) : local, {}};
    if (!congruence.isTrivial())
      enterClass(task, rows);
    Epilogue epilogue(
        task, rows, [&](AccumulateOp op) { return accumulate(task, rows, op); },
        [&](Value value) { return attendedTile(task, rows, local, selections, value); });
    if (failed(epilogue.storeResults()))
      return failure();
    Launch launch;
    launch.x = [rowTile = rowTile, perChunk, every = congruence.modulus](PlanWriter &plan) {
      if (every != 1)
        return tilesOfClasses(plan.index, plan.dim("t"), every, rowTile);
      return plan.index.ceilDiv(perChunk ? plan.chunkRows : plan.dim("t"), rowTile);
    };
    launch.y = context.tasksInUnit(1);
    launch.order = {"z", "-x", "y"};
    launch.perChunk = perChunk;
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

private:
  // Of a long cache a few rows may see a window alone. Sets that differ by head, or are made of blocks, pack all keys.
  LogicalResult restrictPacking(ArrayRef<AccumulateOp> accumulations) {
    std::vector<LocalSet> sets;
    for (AccumulateOp op : accumulations) {
      auto parts = partsOf(context, op, op.getSet());
      if (failed(parts))
        return failure();
      if (parts->random || !congruenceOf(op).isTrivial())
        return success();
      auto set = localSet(context, op, *parts, Congruence());
      if (failed(set))
        return failure();
      if (set->mentionsQueryHead() || set->row.isBlocks() || set->key.isBlocks())
        return success();
      sets.push_back(*set);
    }
    preparer.restrictTo(std::move(sets));
    return success();
  }

  FailureOr<SoftmaxState> accumulate(Task &task, const Rows &rows, AccumulateOp op) {
    const PreparedBranch &p = branches.at(op);
    QueryTile &queries = loaded[op.getZ()];
    if (!queries.tile)
      queries = loadQueries(task, rows, p.queries, p.branch.chain, ScoreUnit::Base2);
    if (congruence.isTrivial())
      return streamRange(task, rows, rangeOf(task, rows, p.branch.set.row), queries, p.branch);
    // Keys r, r + m and so on, counted among themselves; the longest class decides where the next one begins.
    KernelBuilder &k = task.k;
    int64_t m = congruence.modulus, tile = p.branch.keys.tile;
    RangeBranch branch = branchOfClass(task, p.branch, congruence);
    branch.firstKey = k.mul(branch.lattice.from, k.mul(tilesOfClass(k, k.size("s"), m, tile), tile));
    return streamRange(task, rows, classRows, queries, branch);
  }

  // Rows a, a + m and so on of the call. The first stands at m * i + shift + r (SetLowering.h), which gives i and r.
  void enterClass(Task &task, Rows &rows) {
    KernelBuilder &k = task.k;
    int64_t m = congruence.modulus;
    Value tiles = tilesOfClass(k, task.rowCount(), m, rows.positions), number = k.floorDiv(k.gridX(), tiles);
    rows.lattice = {m, number};
    rows.first = k.mul(k.sub(k.gridX(), k.mul(number, tiles)), rows.positions);
    Value whole = lower::enterClass(task, congruence, number);
    Value last = k.sub(k.sub(k.ceilDiv(k.sub(task.rowCount(), number), m), rows.first), k.constant(1));
    classRows = {k.add(whole, rows.first), k.max(k.min(k.constant(rows.positions - 1), last), k.constant(0))};
  }

  Context &context;
  Preparer &preparer;
  const Selections &selections;
  std::map<Operation *, PreparedBranch> branches;
  llvm::DenseMap<Value, QueryTile> loaded;
  Congruence congruence; ///< of all sets
  int64_t rowTile = 0;   ///< the least that an accumulation asks for
  RowRange classRows;
};
} // namespace

LogicalResult buildRangeKernel(Context &context, Preparer &preparer, const Selections &selections) {
  return RangeKernel(context, preparer, selections).build();
}

} // namespace sattn::lower

// The inverted kernel: selected blocks are visited once for a task, each with the rows that chose it.
#include "lib/analysis/CostModel.h"
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Formulas.h"
#include "lib/transforms/kernels/LseKernel.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/UnitRows.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <limits>

namespace sattn::lower {
using namespace mlir;

namespace {

/// A branch and the private memory of the task.
struct InvertedBranch : SelectedBranch {
  Value m{}, l{}, acc{};
  QueryTile loaded{}; ///< scaled queries of all rows, where these share a list
};

class InvertedKernel {
public:
  InvertedKernel(Context &context, Preparer &preparer, const Selections &selections, TaskRows rows)
      : context(context), preparer(preparer), selections(selections), chunk(rows.most), keysPerRow(rows.keysPerRow) {}

  LogicalResult build() {
    if (failed(prepare()))
      return failure();
    bool perChunk = rowsPerList == 1 || !selections.attentions.empty();
    auto kernel = context.program.kernel("attend");
    KernelBuilder &k = *kernel;
    Task task(context, k, heads);
    Value taskRows = grows() ? k.size("task_rows") : k.constant(chunk);
    local = k.mul(k.gridX(), taskRows);
    first = perChunk ? k.add(k.size("first_row"), local) : local;
    count = k.min(taskRows, k.sub(k.size(perChunk ? "rows" : "t"), local));
    allocate(task);
    forTiles(task, [&](Value at) { storeRows(task, at); });
    for (InvertedBranch &branch : branches)
      visitBlocks(task, branch);
    bool ok = true;
    forTiles(task, [&](Value at) { ok = ok && succeeded(finish(task, at)); });
    if (!ok)
      return failure();
    Launch launch;
    if (grows())
      launch.sizes = {{"task_rows", plannedRows()}};
    launch.x = [size = chunk, perChunk, grows = grows()](PlanWriter &plan) {
      Value rows = perChunk ? plan.chunkRows : plan.dim("t");
      return plan.index.ceilDiv(rows, grows ? plan.size("task_rows") : plan.index.constant(size));
    };
    launch.y = context.tasksInUnit(heads);
    launch.order = {"z", "-x", "y"};
    launch.perChunk = perChunk;
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

private:
  LogicalResult prepare() {
    auto all = selectedBranches(context, preparer, selections);
    if (failed(all))
      return failure();
    for (SelectedBranch &branch : all->selected)
      branches.push_back({std::move(branch)});
    ranges = std::move(all->ranges);
    rowsPerList = all->rowsPerList;
    heads = all->heads;
    return rowsPerList == 1 ? shapeOfChunk() : shapeOfPart();
  }

  // Each row has a list: whole groups of members, whose rows fill quanta of the target.
  LogicalResult shapeOfChunk() {
    members = cost::membersOf(context.target, heads);
    chunk = std::max<int64_t>(chunk / members, 1) * members;
    return success();
  }

  // A block of rows shares a list: a task is a part of the block that a tile holds, of as many heads as fit beside it.
  LogicalResult shapeOfPart() {
    int64_t quantum = context.target.rowQuantum, tile = context.target.rowTile, all = heads;
    chunk = 0;
    for (int64_t part = quantum; part <= std::min(tile, rowsPerList); part += quantum) {
      int64_t beside = evenShare(all, tile / part);
      if (rowsPerList % part == 0 && part * beside >= chunk * heads) {
        chunk = part;
        heads = beside;
      }
    }
    members = chunk;
    if (chunk == 0)
      return context.refuse(branches.front().op, "a selection for blocks of " + Twine(rowsPerList) +
                                                     " rows, which tiles of " + Twine(quantum) +
                                                     " rows do not divide,");
    return success();
  }

  /// The rows of a task follow the length of the call.
  bool grows() const { return keysPerRow != 0 && !shares(); }

  // Whole groups of members, one row for every `keysPerRow` keys.
  PlanSize plannedRows() const {
    constexpr int64_t kFewest = 64; // fewer would not pay for a task
    int64_t least = std::min(chunk, std::max(members, kFewest / members * members));
    return [members = members, keysPerRow = keysPerRow, least, most = chunk](PlanWriter &plan) {
      IndexBuilder &b = plan.index;
      Value rows = b.mul(b.ceilDiv(plan.dim("s"), keysPerRow * members), members);
      return b.min(b.max(rows, b.constant(least)), b.constant(most));
    };
  }

  //===-- Private memory.

  // What a unit holds of its rows: features, of which there may be one alone, or a number.
  tile::TileType rowTiles(KernelBuilder &k, int64_t features) const { return k.tile(members * heads, features); }
  tile::TileType rowNumbers(KernelBuilder &k) const { return k.rowVector(members * heads); }

  Value privateView(KernelBuilder &k, int64_t features) {
    auto type = tile::ViewType::get(k.b.getContext(), k.b.getF32Type(), features, heads, false, tile::PanelsAttr());
    return tile::PrivateOp::create(k.b, k.loc, type, chunk);
  }

  // The state of rows that saw no key yet, for the groups of members that the task has.
  void allocate(Task &task) {
    KernelBuilder &k = task.k;
    Value none = k.float32(-std::numeric_limits<double>::infinity()), zero = k.float32(0.0);
    Value positions = chunk == members ? Value() : k.mul(k.ceilDiv(count, members), members);
    auto filled = [&](Value value, int64_t features) {
      Value view = privateView(k, features);
      tile::FillOp::create(k.b, k.loc, value, view, positions);
      return view;
    };
    for (InvertedBranch &branch : branches) {
      branch.acc = filled(zero, branch.values.features);
      if (!branch.weights) {
        branch.m = filled(none, 1);
        branch.l = filled(zero, 1);
      }
      if (Value &queries = queryMemory[branch.op.getZ()]; !queries && !shares() && context.target.foldScale) {
        queries = privateView(k, branch.queries.features);
        queryBranches.push_back(&branch);
      }
      if (!shares())
        unitRows.declare(task, branch, heads, chunk);
    }
  }

  // A loop over the task's rows, `members` positions at a time; `body` gets the first position within the task.
  void forTiles(Task &task, llvm::function_ref<void(Value)> body) {
    KernelBuilder &k = task.k;
    if (chunk == members)
      return body(k.constant(0)); // a task has a row
    auto loop = scf::ForOp::create(k.b, k.loc, k.constant(0), k.ceilDiv(count, members), k.constant(1));
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPoint(loop.getBody()->getTerminator());
    body(k.mul(loop.getInductionVar(), members));
  }

  Rows rowsAt(Task &task, Value at) { return {members, heads, false, task.k.add(first, at), {}}; }

  void storeRows(Task &task, Value at) {
    KernelBuilder &k = task.k;
    unitRows.store(task, rowsAt(task, at), at);
    for (InvertedBranch *branch : queryBranches) {
      QueryTile queries = loadQueries(task, rowsAt(task, at), branch->queries, branch->chain, ScoreUnit::Base2);
      tile::StoreOp::create(k.b, k.loc, queries.tile, queryMemory[branch->op.getZ()], at);
      storesScaled = queries.scaled;
    }
  }

  // Queries as they were stored, scaled or not.
  QueryTile storedQueries(const InvertedBranch &branch, Value tile) {
    QueryTile result{tile};
    result.scaled = storesScaled;
    result.base2 = result.scaled && branch.chain.maps.empty();
    return result;
  }

  //===-- Selected blocks.

  void visitBlocks(Task &task, InvertedBranch &branch) {
    KernelBuilder &k = task.k;
    k.loc = branch.op.getLoc();
    int64_t block = *literalInt(branch.lists.block.getLen());
    Value end = keyCountOf(task, branch.keys);
    const SelectionLists &lists = branch.lists;
    Value starts = lists.starts ? task.slice(*lists.starts, task.batch, task.head(lists.head)) : Value();
    Value base = lists.isRole ? k.floorDiv(task.kvOffset(), block) : Value(); // a caller's blocks are absolute
    Value inverse = tile::InvertOp::create(k.b, k.loc, tile::InverseType::get(k.b.getContext()), listView(task, lists),
                                           firstList(task, lists.perChunk), starts, k.ceilDiv(end, block), base,
                                           static_cast<uint64_t>(shares() ? 1 : chunk),
                                           /*unordered=*/lists.isRole, lists.flags);
    Value keyView = viewOf(task, branch.keys), valueView = viewOf(task, branch.values);
    Rows taskRows = rowsAt(task, k.constant(0));
    Predicate predicate = branch.residual->predicate(task, end, shares() ? &taskRows : nullptr);
    if (shares())
      branch.loaded = loadQueries(task, taskRows, branch.queries, branch.chain, ScoreUnit::Base2);
    int64_t atOnce = shares() ? 1 : members;
    auto op = tile::StreamInverseOp::create(k.b, k.loc, inverse, k.b.getI64IntegerAttr(atOnce));
    Block &body = op.getBody().emplaceBlock();
    auto ids = k.rowVector(atOnce, k.b.getI32Type());
    body.addArgument(k.b.getIndexType(), k.loc);
    body.addArgument(ids, k.loc);
    body.addArgument(ids, k.loc);
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToEnd(&body);
    Unit unit{body.getArgument(0), body.getArgument(1),     body.getArgument(2), keyView, valueView, end,
              predicate,           block / branch.keys.tile};
    unitRows.addNumbers(branch.op, unit.predicate, [&](Value view, Type element) {
      return gather(task, view, unit, k.rowVector(members * heads, element));
    });
    OpBuilder::InsertPoint afterUnit = k.b.saveInsertionPoint();
    if (shares()) {
      // A block that the list names for other rows may hide from these.
      Value any = branch.residual->nonEmpty(task, rangeOfTask(task, branch), block, unit.number, end);
      auto seen = scf::IfOp::create(k.b, k.loc, any, /*withElseRegion=*/false);
      k.b.setInsertionPoint(seen.thenBlock()->getTerminator());
    }
    if (branch.weights)
      visitWeighted(task, branch, unit);
    else if (branch.joined)
      visitJoined(task, branch, unit);
    else
      visitOnline(task, branch, unit);
    k.b.restoreInsertionPoint(afterUnit);
    tile::YieldOp::create(k.b, k.loc, ValueRange());
  }

  /// Blocks of rows share a list, so that a task has one list for all its rows.
  bool shares() const { return rowsPerList != 1; }
  /// Of lists that are counted within a chunk, or within the call.
  Value firstList(Task &task, bool perChunk) {
    Value row = perChunk ? local : first;
    return shares() ? task.k.floorDiv(row, rowsPerList) : row;
  }
  Value listView(Task &task, const SelectionLists &lists) {
    if (!lists.isRole)
      return listView(task, lists.lists, lists.head, lists.perChunk);
    Value limit = shares() ? Value() : task.k.add(first, count);
    return task.slice(lists.lists, task.batch, task.head(lists.head), 1, false, limit, std::nullopt, {},
                      /*repeat=*/lists.starts.has_value());
  }
  Value listView(Task &task, const PlanRef &ref, AxisAttr head, bool perChunk) {
    Value limit = shares() ? Value() : task.k.add(perChunk ? local : first, count);
    return task.slice(ref, task.pair, task.headInUnit(head), 1, false, limit);
  }

  struct Unit {
    Value number, ids, slots, keyView, valueView, end;
    Predicate predicate;
    int64_t tiles; ///< key tiles of a block
  };

  Value gather(Task &task, Value view, const Unit &unit, tile::TileType type) {
    KernelBuilder &k = task.k;
    if (shares())
      return tile::LoadOp::create(k.b, k.loc, type, view, k.constant(0));
    return tile::GatherOp::create(k.b, k.loc, type, view, k.constant(0), unit.ids);
  }
  void scatter(Task &task, Value tile, Value view, const Unit &unit) {
    if (shares())
      tile::StoreOp::create(task.k.b, task.k.loc, tile, view, task.k.constant(0));
    else
      tile::ScatterOp::create(task.k.b, task.k.loc, tile, view, task.k.constant(0), unit.ids);
  }

  RowRange rangeOfTask(Task &task, const InvertedBranch &branch) {
    return {task.rowPosition(branch.residual->row, first), task.k.sub(count, task.k.constant(1))};
  }

  // One step of the online softmax of the unit's rows with key tile `j`.
  SoftmaxState step(Task &task, InvertedBranch &branch, const Unit &unit, const QueryTile &queries, Value j,
                    SoftmaxState state) {
    KernelBuilder &k = task.k;
    int64_t tile = branch.keys.tile;
    Value at = k.mul(j, tile);
    Value keys = tile::LoadOp::create(k.b, k.loc, k.tile(tile, branch.keys.features), unit.keyView, at);
    Value values = tile::LoadOp::create(k.b, k.loc, k.tile(tile, branch.values.features), unit.valueView, at);
    Value scores = scoreTile(task, rowsAt(task, k.constant(0)), queries, keys, at, branch.chain, ScoreUnit::Base2);
    RowRange range = rangeOfTask(task, branch);
    Value partial = branch.residual->notFull(task, range, tile, j, unit.end);
    AffineMap blockOf = AffineMap::get(1, 0, getAffineDimExpr(0, k.b.getContext()).floorDiv(heads));
    Value visible =
        maskTile(task, scores, range.first, blockOf, at, unit.predicate, partial, shares() ? Value() : unit.ids);
    return softmaxStep(k, visible, values, state);
  }

  // Queries as they are stored, from where they lie.
  Value gatherQueries(Task &task, const RowOperand &queries, const Unit &unit) {
    KernelBuilder &k = task.k;
    Value head = queries.isWorkspace ? task.headInUnit(queries.head) : task.head(queries.head);
    Value view = task.slice(queries.ref, queries.isWorkspace ? task.pair : task.batch,
                            heads == 1 ? head : k.floorDiv(head, heads), heads);
    return tile::GatherOp::create(k.b, k.loc, rowTiles(k, queries.features), view, first, unit.ids);
  }

  QueryTile queriesOf(Task &task, InvertedBranch &branch, const Unit &unit) {
    if (shares())
      return branch.loaded;
    KernelBuilder &k = task.k;
    Value stored = queryMemory.lookup(branch.op.getZ());
    QueryTile queries = storedQueries(branch, stored ? gather(task, stored, unit, rowTiles(k, branch.queries.features))
                                                     : gatherQueries(task, branch.queries, unit));
    queries.values = unitRows.valuesOf(branch.chain, [&](Value view, Type element) {
      return gather(task, view, unit, k.rowVector(members * heads, element));
    });
    return queries;
  }

  // All key tiles of the unit.
  SoftmaxState steps(Task &task, InvertedBranch &branch, const Unit &unit, SoftmaxState state) {
    KernelBuilder &k = task.k;
    QueryTile queries = queriesOf(task, branch, unit);
    if (unit.tiles == 1)
      return step(task, branch, unit, queries, unit.number, state);
    Value lo = k.mul(unit.number, unit.tiles);
    Value hi = k.min(k.add(lo, unit.tiles), k.ceilDiv(unit.end, branch.keys.tile));
    Value cover = coverOf(task, {{lo, hi, lo, lo}});
    SmallVector<Value> results = stream(k, cover, {state.m, state.l, state.acc}, [&](Value j, ValueRange carried) {
      SoftmaxState next = step(task, branch, unit, queries, j, {carried[0], carried[1], carried[2]});
      return SmallVector<Value>{next.m, next.l, next.acc};
    });
    return {results[0], results[1], results[2]};
  }

  void visitOnline(Task &task, InvertedBranch &branch, const Unit &unit) {
    KernelBuilder &k = task.k;
    SoftmaxState state{gather(task, branch.m, unit, rowNumbers(k)), gather(task, branch.l, unit, rowNumbers(k)),
                       gather(task, branch.acc, unit, rowTiles(k, branch.values.features))};
    SoftmaxState next = steps(task, branch, unit, state);
    scatter(task, next.m, branch.m, unit);
    scatter(task, next.l, branch.l, unit);
    scatter(task, next.acc, branch.acc, unit);
  }

  // One softmax for the block; acc += w / l * block. Rows that see no key of the block add nothing.
  void visitWeighted(Task &task, InvertedBranch &branch, const Unit &unit) {
    KernelBuilder &k = task.k;
    SoftmaxState state = steps(task, branch, unit, emptyState(task, members * heads, branch.values.features));
    bool perChunk = branch.lists.perChunk;
    Value view = listView(task, branch.weights->ref, branch.weights->head, perChunk);
    Value weights = tile::GatherAtOp::create(k.b, k.loc, k.rowVector(members * heads), view, firstList(task, perChunk),
                                             unit.ids, unit.slots);
    Value acc = gather(task, branch.acc, unit, rowTiles(k, branch.values.features));
    scatter(task, addWeighted(k, acc, state, weights), branch.acc, unit);
  }

  // One softmax for the block, whose output is the value of one key of the softmax over blocks.
  void visitJoined(Task &task, InvertedBranch &branch, const Unit &unit) {
    KernelBuilder &k = task.k;
    SoftmaxState block = steps(task, branch, unit, emptyState(task, members * heads, branch.values.features));
    Value one = k.splat(1.0, rowNumbers(k)), nothing = k.splat(0.0, rowTiles(k, branch.values.features));
    Value output = addWeighted(k, nothing, block, one);
    auto both =
        tile::MergeOp::create(k.b, k.loc, one.getType(), one.getType(), output.getType(),
                              gather(task, branch.m, unit, rowNumbers(k)), gather(task, branch.l, unit, rowNumbers(k)),
                              gather(task, branch.acc, unit, rowTiles(k, branch.values.features)),
                              blockScores(task, *branch.joined, unit), one, output);
    scatter(task, both.getM(), branch.m, unit);
    scatter(task, both.getL(), branch.l, unit);
    scatter(task, both.getAcc(), branch.acc, unit);
  }

  // The scores of the unit's block, in base 2.
  Value blockScores(Task &task, const JoinedWeights &joined, const Unit &unit) {
    KernelBuilder &k = task.k;
    QueryTile queries = scaleQueries(task, gatherQueries(task, joined.queries, unit), joined.chain, ScoreUnit::Base2);
    Value key =
        tile::LoadOp::create(k.b, k.loc, k.tile(1, joined.keys.features), viewOf(task, joined.keys), unit.number);
    Value scores =
        scoreTile(task, rowsAt(task, k.constant(0)), queries, key, unit.number, joined.chain, ScoreUnit::Base2);
    return tile::ReduceOp::create(k.b, k.loc, rowNumbers(k), "sum", scores, "cols", IntegerAttr(), false);
  }

  // What the softmax over blocks has come to, joined with what stands beside them.
  Value joinedOutput(Task &task, const Rows &rows, Value at, const InvertedBranch &branch) {
    KernelBuilder &k = task.k;
    SoftmaxState state = stateAt(task, at, branch);
    if (Value lse = branch.joined->lse) {
      Value place = k.add(local, at);
      SoftmaxState beside = stateOfLse(k, attendedTile(task, rows, place, selections, lse),
                                       attendedTile(task, rows, place, selections, branch.joined->rest));
      auto both = tile::MergeOp::create(k.b, k.loc, state.m.getType(), state.l.getType(), state.acc.getType(), state.m,
                                        state.l, state.acc, beside.m, beside.l, beside.acc);
      state = {both.getM(), both.getL(), both.getAcc()};
    }
    return tile::SoftmaxFinishOp::create(k.b, k.loc, state.acc.getType(), state.m.getType(), state.m, state.l,
                                         state.acc, Value())
        .getO();
  }

  //===-- Epilogue.

  SoftmaxState stateAt(Task &task, Value at, const InvertedBranch &branch) {
    KernelBuilder &k = task.k;
    return {loadPrivate(task, branch.m, at, rowNumbers(k)), loadPrivate(task, branch.l, at, rowNumbers(k)),
            loadPrivate(task, branch.acc, at, rowTiles(k, branch.values.features))};
  }

  InvertedBranch *selectedBranch(Operation *op) {
    auto found = llvm::find_if(branches, [&](InvertedBranch &branch) { return branch.op == op; });
    return found == branches.end() ? nullptr : &*found;
  }

  Value loadPrivate(Task &task, Value view, Value at, tile::TileType type) {
    return tile::LoadOp::create(task.k.b, task.k.loc, type, view, at);
  }

  LogicalResult finish(Task &task, Value at) {
    Rows rows = rowsAt(task, at);
    llvm::DenseMap<Value, QueryTile> loaded;
    auto partial = [&](AccumulateOp op) -> FailureOr<SoftmaxState> {
      if (InvertedBranch *branch = selectedBranch(op))
        return stateAt(task, at, *branch);
      const PreparedBranch &p = ranges.at(op);
      QueryTile &queries = loaded[op.getZ()];
      if (!queries.tile)
        queries = queriesAt(task, rows, at, op, p);
      return streamRange(task, rows, rangeOf(task, rows, p.branch.set.row), queries, p.branch);
    };
    auto given = [&](Value value) -> Value {
      if (auto blend = value.getDefiningOp<BlendOp>())
        if (InvertedBranch *branch = selectedBranch(blend.getP().getDefiningOp()))
          return branch->joined ? joinedOutput(task, rows, at, *branch)
                                : loadPrivate(task, branch->acc, at, rowTiles(task.k, branch->values.features));
      return attendedTile(task, rows, task.k.add(local, at), selections, value);
    };
    return Epilogue(task, rows, partial, given).storeResults();
  }

  // A score that selected branches share has its queries in private memory.
  QueryTile queriesAt(Task &task, const Rows &rows, Value at, AccumulateOp op, const PreparedBranch &p) {
    for (InvertedBranch *branch : queryBranches)
      if (branch->op.getZ() == op.getZ()) {
        Value view = queryMemory[op.getZ()];
        QueryTile queries =
            storedQueries(*branch, loadPrivate(task, view, at, rowTiles(task.k, branch->queries.features)));
        for (MapOp map : branch->chain.maps)
          addRowValues(task, rows, map, queries.values);
        return queries;
      }
    return loadQueries(task, rows, p.queries, p.branch.chain, ScoreUnit::Base2);
  }

  Context &context;
  Preparer &preparer;
  const Selections &selections;
  int64_t chunk, keysPerRow, heads = 1, members = 1; ///< chunk: most rows of a task
  int64_t rowsPerList = 1;                           ///< more where blocks of rows share a list
  std::vector<InvertedBranch> branches;
  std::map<Operation *, PreparedBranch> ranges;
  UnitRows unitRows;
  llvm::DenseMap<Value, Value> queryMemory;    ///< queries, by the score they serve
  SmallVector<InvertedBranch *> queryBranches; ///< one for each score
  bool storesScaled = context.target.foldScale;
  Value local, first, count; ///< first row within the chunk and the call; rows of the task
};
} // namespace

LogicalResult buildInvertedKernel(Context &context, Preparer &preparer, const Selections &selections, TaskRows rows) {
  return InvertedKernel(context, preparer, selections, rows).build();
}

} // namespace sattn::lower

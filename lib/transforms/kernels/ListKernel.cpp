// Calls of few query rows of patterns with selections. A block that is read for one row is not worth packing, and no
// other row shares it. So a task is one row of the query heads that share a list; it walks the list, slot after slot,
// and reads the keys of each block where they lie.
#include "lib/analysis/CostModel.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/SelectedBranches.h"

namespace sattn::lower {
using namespace mlir;

namespace {
class ListKernel {
public:
  ListKernel(Context &context, Preparer &preparer, const Selections &selections)
      : context(context), preparer(preparer), selections(selections) {}

  LogicalResult build() {
    auto collected = selectedBranches(context, preparer, selections);
    if (failed(collected))
      return failure();
    all = std::move(*collected);
    heads = all.heads;
    int64_t listed = 0;
    for (const SelectedBranch &branch : all.selected)
      listed = std::max(listed, branch.lists.slots * branch.blockKeys());
    context.calls.keysPerRow = cost::walkedKeysPerRow(context.target, listed, heads);
    bool perChunk = all.rowsPerList == 1 || !selections.attentions.empty();
    auto kernel = context.program.kernel("attend");
    KernelBuilder &k = *kernel;
    Task task(context, k, heads);
    local = k.gridX();
    Rows rows{1, heads, false, perChunk ? k.add(k.size("first_row"), local) : local, {}};
    Epilogue epilogue(
        task, rows, [&](AccumulateOp op) { return partial(task, rows, op); },
        [&](Value value) { return given(task, rows, value); });
    if (failed(epilogue.storeResults()))
      return failure();
    context.dataflow = {"lists", context.calls.text() + ": a task is one row of " + std::to_string(heads) +
                                     (heads == 1 ? " head" : " heads") +
                                     " and walks its list; keys are read where they lie"};
    Launch launch;
    launch.x = [perChunk](PlanWriter &plan) { return perChunk ? plan.chunkRows : plan.dim("t"); };
    launch.y = context.tasksInUnit(heads);
    launch.perChunk = perChunk;
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

private:
  const SelectedBranch *selectedBranch(Operation *op) const {
    auto found = llvm::find_if(all.selected, [&](const SelectedBranch &branch) { return branch.op == op; });
    return found == all.selected.end() ? nullptr : &*found;
  }

  QueryTile &queriesOf(Task &task, const Rows &rows, AccumulateOp op, const RowOperand &operand,
                       const ScoreChain &chain) {
    QueryTile &queries = loaded[op.getZ()];
    if (!queries.tile)
      queries = loadQueries(task, rows, operand, chain, ScoreUnit::Base2);
    return queries;
  }

  FailureOr<SoftmaxState> partial(Task &task, const Rows &rows, AccumulateOp op) {
    if (const SelectedBranch *branch = selectedBranch(op))
      return online(task, rows, *branch);
    const PreparedBranch &p = all.ranges.at(op);
    QueryTile &queries = queriesOf(task, rows, op, p.queries, p.branch.chain);
    return streamRange(task, rows, rangeOf(task, rows, p.branch.set.row), queries, p.branch);
  }

  Value given(Task &task, const Rows &rows, Value value) {
    if (auto blend = value.getDefiningOp<BlendOp>())
      if (const SelectedBranch *branch = selectedBranch(blend.getP().getDefiningOp()))
        return blended(task, rows, *branch);
    return attendedTile(task, rows, local, selections, value);
  }

  //===-- Walking a list.

  /// What the walk over a branch's list reads.
  struct Walk {
    Value list, weights, place; ///< `place` of the row's list among the lists
    Value keyView, valueView, end;
    Predicate predicate;
    RowRange range;
    QueryTile queries;
    int64_t tiles; ///< key tiles of a block
  };
  Walk walkOf(Task &task, const Rows &rows, const SelectedBranch &branch) {
    KernelBuilder &k = task.k;
    auto view = [&](const PlanRef &ref, AxisAttr head) { return task.slice(ref, task.pair, task.headInUnit(head)); };
    Walk walk;
    walk.list = view(branch.lists.lists, branch.lists.head);
    if (branch.weights)
      walk.weights = view(branch.weights->ref, branch.weights->head);
    walk.place = all.rowsPerList == 1 ? local : k.floorDiv(local, all.rowsPerList);
    walk.keyView = viewOf(task, branch.keys);
    walk.valueView = viewOf(task, branch.values);
    walk.end = keyCountOf(task, branch.keys);
    walk.predicate = branch.residual->predicate(task, walk.end, &rows);
    walk.range = rangeOf(task, rows, branch.residual->row);
    walk.queries = queriesOf(task, rows, branch.op, branch.queries, branch.chain);
    walk.tiles = branch.blockKeys() / branch.keys.tile;
    return walk;
  }

  // Every tile is masked: a block may end behind the row, or behind the keys.
  Value coverOfCount(Task &task, int64_t count) {
    KernelBuilder &k = task.k;
    Value zero = k.constant(0);
    return coverOf(task, RunValues{zero, k.constant(count), zero, zero});
  }

  // The first key of the block in `slot`; the end of all keys where the list has no more.
  Value blockOf(Task &task, const SelectedBranch &branch, const Walk &walk, Value slot) {
    KernelBuilder &k = task.k;
    Value id = tile::EntryOp::create(k.b, k.loc, k.b.getIndexType(), walk.list, walk.place, slot);
    Value none = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::slt, id, k.constant(0));
    return arith::SelectOp::create(k.b, k.loc, none, walk.end, k.mul(id, branch.blockKeys()));
  }

  // One step of the online softmax with the key tile that begins at `at`.
  SoftmaxState step(Task &task, const Rows &rows, const SelectedBranch &branch, const Walk &walk, Value at,
                    const SoftmaxState &state) {
    KernelBuilder &k = task.k;
    int64_t tile = branch.keys.tile;
    Value keys = tile::LoadOp::create(k.b, k.loc, k.tile(tile, branch.keys.features), walk.keyView, at);
    Value values = tile::LoadOp::create(k.b, k.loc, k.tile(tile, branch.values.features), walk.valueView, at);
    Value scores = scoreTile(task, rows, walk.queries, keys, at, branch.chain, ScoreUnit::Base2);
    Value visible = maskTile(task, scores, walk.range.first, rows.positionOf(k.b.getContext()), at, walk.predicate);
    return softmaxStep(k, visible, values, state);
  }

  // The first key of the tile with this number of the list; tiles behind the list are those of its last block.
  Value tileOf(Task &task, const SelectedBranch &branch, const Walk &walk, Value number, bool mayBeBehind) {
    KernelBuilder &k = task.k;
    Value slot = k.floorDiv(number, walk.tiles), part = k.sub(number, k.mul(slot, walk.tiles));
    if (mayBeBehind)
      slot = k.min(slot, k.constant(branch.lists.slots - 1));
    return k.add(blockOf(task, branch, walk, slot), k.mul(part, branch.keys.tile));
  }

  // Memory is asked for the tile with number `next` of the list while the one before is computed.
  void ask(Task &task, const SelectedBranch &branch, const Walk &walk, Value next) {
    KernelBuilder &k = task.k;
    Value at = tileOf(task, branch, walk, next, /*mayBeBehind=*/true);
    for (Value view : {walk.keyView, walk.valueView})
      tile::PrefetchOp::create(k.b, k.loc, view, at, static_cast<uint64_t>(branch.keys.tile));
  }

  // One softmax over all blocks of the list.
  SoftmaxState online(Task &task, const Rows &rows, const SelectedBranch &branch) {
    KernelBuilder &k = task.k;
    Walk walk = walkOf(task, rows, branch);
    SoftmaxState none = emptyState(task, rows.count(), branch.values.features);
    Value cover = coverOfCount(task, branch.lists.slots * walk.tiles);
    SmallVector<Value> made = stream(k, cover, {none.m, none.l, none.acc}, [&](Value j, ValueRange carried) {
      ask(task, branch, walk, k.add(j, 1));
      Value at = tileOf(task, branch, walk, j, /*mayBeBehind=*/false);
      SoftmaxState next = step(task, rows, branch, walk, at, {carried[0], carried[1], carried[2]});
      return SmallVector<Value>{next.m, next.l, next.acc};
    });
    return {made[0], made[1], made[2]};
  }

  // The weighted sum of the blocks, each under a softmax of its own.
  Value blended(Task &task, const Rows &rows, const SelectedBranch &branch) {
    KernelBuilder &k = task.k;
    Walk walk = walkOf(task, rows, branch);
    SoftmaxState none = emptyState(task, rows.count(), branch.values.features);
    return stream(k, coverOfCount(task, branch.lists.slots), {none.acc}, [&](Value slot, ValueRange sum) {
      ask(task, branch, walk, k.mul(k.add(slot, 1), walk.tiles));
      Value at = blockOf(task, branch, walk, slot);
      SoftmaxState block = blockState(task, rows, branch, walk, at);
      Value weight = tile::EntryOp::create(k.b, k.loc, k.b.getF32Type(), walk.weights, walk.place, slot);
      return SmallVector<Value>{addWeighted(k, sum[0], block, weight)};
    })[0];
  }

  SoftmaxState blockState(Task &task, const Rows &rows, const SelectedBranch &branch, const Walk &walk, Value at) {
    KernelBuilder &k = task.k;
    SoftmaxState none = emptyState(task, rows.count(), branch.values.features);
    if (walk.tiles == 1)
      return step(task, rows, branch, walk, at, none);
    SmallVector<Value> made =
        stream(k, coverOfCount(task, walk.tiles), {none.m, none.l, none.acc}, [&](Value part, ValueRange carried) {
          SoftmaxState next = step(task, rows, branch, walk, k.add(at, k.mul(part, branch.keys.tile)),
                                   {carried[0], carried[1], carried[2]});
          return SmallVector<Value>{next.m, next.l, next.acc};
        });
    return {made[0], made[1], made[2]};
  }

  Context &context;
  Preparer &preparer;
  const Selections &selections;
  SelectedBranches all;
  int64_t heads = 1;
  Value local; ///< row within the chunk
  llvm::DenseMap<Value, QueryTile> loaded;
};
} // namespace

TargetInfo listTarget(TargetInfo target) {
  target.keyLayout = target.valueLayout = PanelLayout();
  target.rowTile = target.rowQuantum = 1;
  return target;
}

LogicalResult buildListKernel(Context &context, Preparer &preparer, const Selections &selections) {
  return ListKernel(context, preparer, selections).build();
}

} // namespace sattn::lower

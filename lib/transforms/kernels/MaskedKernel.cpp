// Calls that choose a large part of their keys: visiting single blocks with the rows that chose them would cost more
// than all blocks do. Tiles of rows stream key tiles as for a formula, and bits say which blocks a row chose:
//
//   members   for each row: its list as one word for each key tile
//   attend    for each tile of rows: the online softmax over all key tiles, -inf where the row's bit is 0
//
// A second softmax of the same scores over a formula, a window beside the selection, shares what both see: keys in both
// sets, those of the selection alone and those of the formula alone are three partial results, merged to two.
#include "lib/transforms/SharedKeys.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/SelectedBranches.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace sattn::lower {
using namespace mlir;

namespace {
class MaskedKernels {
public:
  MaskedKernels(Context &context, Preparer &preparer, const Selections &selections)
      : context(context), preparer(preparer), selections(selections), rowTile(context.target.rowTile) {}

  LogicalResult build() {
    auto all = selectedBranches(context, preparer, selections, KeyTiles::AcrossBlocks);
    if (failed(all))
      return failure();
    assert(all->rowsPerList == 1 && "patterns of other lists have no such form (Forms.cpp)");
    branches = std::move(all->ranges);
    for (const SelectedBranch &selected : all->selected) {
      assert(!selected.weights && !selected.joined && "nor have those that weigh blocks");
      RangeBranch branch{selected.chain, selected.keys, selected.values, false, *selected.residual, {}, {}, {}};
      branch.chosen = spread(selected);
      if (failed(share(selected.op, branch)))
        return failure();
      branches.insert({selected.op, {branch, selected.queries}});
    }
    context.dataflow = {"masked", context.calls.text() + ": tiles of " + std::to_string(rowTile) +
                                      " rows of one head visit all keys that they may see, blocks that a row did not "
                                      "choose are hidden from it"};
    return attend();
  }

private:
  // The kernel that turns the lists of a selection into words.
  ChosenBlocks spread(const SelectedBranch &branch) {
    int64_t block = branch.blockKeys(), tile = branch.keys.tile;
    ChosenBlocks chosen{{}, branch.lists.head, block, std::max<int64_t>(tile / block, 1), rowTile};
    Workspace workspace;
    workspace.name = "members";
    workspace.type = tile::ArgType::get(context.pattern.getContext(),
                                        IntegerType::get(context.pattern.getContext(), 32), 1, tile::PanelsAttr());
    workspace.perChunk = true;
    workspace.headRows = rowTile;
    workspace.head = branch.lists.head;
    workspace.count = [keys = chosen.perWord * block](PlanWriter &plan) {
      IndexBuilder &b = plan.index;
      return b.mul(b.ceilDiv(b.ceilDiv(plan.dim("s"), keys), kWordStrip), kWordStrip);
    };
    chosen.words = context.workspace(workspace);
    auto kernel = context.program.kernel("members");
    KernelBuilder &k = *kernel;
    Task task(context, k, context.ratio(branch.lists.head).value_or(1));
    Value head = task.headInUnit(branch.lists.head), first = k.mul(k.gridX(), kRowsPerTask);
    Value lists = task.slice(branch.lists.lists, task.pair, head, 1, false, k.size("rows"));
    auto loop = scf::ForOp::create(k.b, k.loc, first, k.min(k.add(first, kRowsPerTask), k.size("rows")), k.constant(1));
    {
      OpBuilder::InsertionGuard guard(k.b);
      k.b.setInsertionPoint(loop.getBody()->getTerminator());
      Value row = loop.getInductionVar();
      Value words = task.slice(chosen.words, task.pair, task.headOfRow(chosen.head, row, rowTile));
      tile::MembersOp::create(k.b, k.loc, lists, row, static_cast<uint64_t>(chosen.perWord), words);
    }
    Launch launch;
    launch.x = [](PlanWriter &plan) { return plan.index.ceilDiv(plan.chunkRows, kRowsPerTask); };
    launch.y = context.tasksInUnit(branch.lists.head);
    launch.perChunk = true;
    AccumulateOp op = branch.op;
    launch.makes = {partsOf(context, op, op.getSet())->select.getResult()};
    context.finish(std::move(kernel), std::move(launch));
    return chosen;
  }

  // Cuts the keys of `selected` and of a softmax that shares some of them.
  LogicalResult share(AccumulateOp selected, const RangeBranch &branch) {
    std::optional<SharedKeys> found = sharedKeys(selected);
    auto other = found ? branches.find(found->other) : branches.end();
    if (other == branches.end() || parts.contains(found->other))
      return success();
    auto beyond = LocalSet::make(selected, found->beyond);
    if (failed(beyond))
      return failure();
    KeyParts keys{selected, branch, branch, other->second.branch};
    keys.both.set = keys.other.set; // which implies the formula beside the selection
    keys.selected.set = *beyond;
    keys.other.chosen = branch.chosen;
    keys.other.chosen->others = true;
    parts.insert({found->other, keys});
    parts.insert({selected, keys});
    return success();
  }

  LogicalResult attend() {
    auto kernel = context.program.kernel("attend");
    KernelBuilder &k = *kernel;
    Task task(context, k, 1);
    Value local = k.mul(k.gridX(), rowTile);
    Rows rows{rowTile, 1, false, k.add(k.size("first_row"), local), {}};
    llvm::DenseMap<Value, QueryTile> loaded;
    llvm::DenseMap<Operation *, SoftmaxState> common; // of keys that two branches see, by the one that selects
    auto partial = [&](AccumulateOp op) -> FailureOr<SoftmaxState> {
      const PreparedBranch &p = branches.at(op);
      QueryTile &queries = loaded[op.getZ()];
      if (!queries.tile)
        queries = loadQueries(task, rows, p.queries, p.branch.chain, ScoreUnit::Base2);
      auto streamed = [&](const RangeBranch &branch) {
        return streamRange(task, rows, rangeOf(task, rows, branch.set.row), queries, branch);
      };
      auto keys = parts.find(op);
      if (keys == parts.end())
        return streamed(p.branch);
      const KeyParts &of = keys->second;
      auto [both, isNew] = common.try_emplace(of.selection);
      if (isNew)
        both->second = streamed(of.both);
      return mergeStates(k, both->second, streamed(op == of.selection ? of.selected : of.other));
    };
    Epilogue epilogue(task, rows, partial,
                      [&](Value value) { return attendedTile(task, rows, local, selections, value); });
    if (failed(epilogue.storeResults()))
      return failure();
    Launch launch;
    launch.x = [rowTile = rowTile](PlanWriter &plan) { return plan.index.ceilDiv(plan.chunkRows, rowTile); };
    launch.y = context.tasksInUnit(1);
    launch.order = {"z", "-x", "y"};
    launch.perChunk = true;
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

  /// Keys of two branches: those of both, of the selection alone, and of the other one alone.
  struct KeyParts {
    AccumulateOp selection;
    RangeBranch both, selected, other;
  };

  static constexpr int64_t kWordStrip = 16;   ///< sattn_tile.members writes so many words at once
  static constexpr int64_t kRowsPerTask = 64; ///< lists that a task turns into words

  Context &context;
  Preparer &preparer;
  const Selections &selections;
  int64_t rowTile;
  std::map<Operation *, PreparedBranch> branches;
  std::map<Operation *, KeyParts> parts;
};
} // namespace

LogicalResult buildMaskedKernels(Context &context, Preparer &preparer, const Selections &selections) {
  return MaskedKernels(context, preparer, selections).build();
}

} // namespace sattn::lower

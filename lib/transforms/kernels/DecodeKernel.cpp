// Calls of few query rows. Their time is that of reading the keys, and their rows make few tasks. So the query heads of
// a key head stand side by side in one tile, keys and values are read where they lie, and the cover of a row is cut
// into splits, each a task of its own:
//
//   split   m, l, acc of one split                  partial_m, partial_l, partial_acc [split][row]
//   join    merge over the splits, then the epilogue of the pattern
//
// Where all sets imply a congruence, a row is a task of its own, which reads the keys of its class of residues.
//
// The number of splits follows from the sizes of the call alone, so results do not depend on the number of threads.
#include "lib/analysis/CostModel.h"
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Plan.h"

namespace sattn::lower {
using namespace mlir;

namespace {
/// Rows of a tile at most, for keys that very many heads share.
constexpr int64_t kMostTileRows = 64;

class DecodeKernels {
public:
  DecodeKernels(Context &context, Preparer &preparer) : context(context), preparer(preparer) {}

  LogicalResult build() {
    for (Operation &op : context.pattern.getBody().front())
      if (auto accumulate = dyn_cast<AccumulateOp>(op)) {
        congruence = congruenceOf(accumulate);
        auto branch = prepareRange(context, preparer, accumulate, /*tile=*/0, congruence, /*packClasses=*/false);
        if (failed(branch))
          return failure();
        branches.push_back({accumulate, *branch, {}, {}, {}});
      }
    heads = headsOfTile();
    positions = congruence.isTrivial() ? std::max<int64_t>(1, leastRows() / heads) : 1;
    context.calls.few = cost::splitRows(context.target, heads);
    addSizes();
    for (Branch &branch : branches)
      addPartials(branch);
    context.dataflow = {"split", context.calls.text() + ": tiles of " + std::to_string(positions) +
                                     (positions == 1 ? " row" : " rows") + " by " + std::to_string(heads) +
                                     (heads == 1 ? " head" : " heads") +
                                     " read keys where they lie; splits of them are joined"};
    buildSplit();
    return buildJoin();
  }

private:
  struct Branch {
    AccumulateOp op;
    PreparedBranch prepared;
    PlanRef m, l, acc;
  };

  // Heads that share the keys of all branches, as many as a tile may have.
  int64_t headsOfTile() {
    SmallVector<AxisAttr> axes;
    for (const Branch &branch : branches) {
      const RangeBranch &range = branch.prepared.branch;
      bool readsTables = !range.set.loads.empty() ||
                         llvm::any_of(range.chain.maps, [](MapOp map) { return !map.getTables().empty(); });
      if (readsTables || range.set.mentionsQueryHead() || branch.prepared.queries.head != context.queryHeads())
        return 1;
      axes.append({range.keys.head, range.values.head});
    }
    return evenShare(context.sharedHeads(axes), kMostTileRows);
  }

  // Numbers for the keys of a tile are a tile of one row, which no tile of scores may be.
  int64_t leastRows() {
    bool anyNumbers = llvm::any_of(branches, [&](const Branch &branch) {
      const RangeBranch &range = branch.prepared.branch;
      return !range.set.loads.empty() ||
             llvm::any_of(range.chain.maps, [&](MapOp map) { return readsPlaces(context, map); });
    });
    return anyNumbers ? std::max(context.target.decodeTile, context.target.rowQuantum) : context.target.decodeTile;
  }

  // The plan is written when this object is gone.
  void addSizes() {
    context.sizes.push_back({"row_tiles", [positions = positions](PlanWriter &plan) {
                               return plan.index.ceilDiv(plan.dim("t"), positions);
                             }});
    SmallVector<std::pair<AxisAttr, int64_t>> keyTiles;
    for (const Branch &branch : branches)
      keyTiles.push_back({branch.prepared.branch.keys.axis, branch.prepared.branch.keys.tile});
    context.sizes.push_back(
        {"splits", [&context = context, heads = heads, every = congruence.modulus, keyTiles](PlanWriter &plan) {
           IndexBuilder &b = plan.index;
           Value one = b.constant(1), tiles = one;
           for (auto [axis, tile] : keyTiles)
             tiles = b.max(tiles, tilesOfClass(b, plan.axisSize(axis), every, tile));
           Value tasks = b.mul(b.mul(plan.pairs, context.tasksInUnit(heads)(plan)), plan.size("row_tiles"));
           Value wanted = b.ceilDiv(b.constant(context.target.splitTasks), b.max(tasks, one));
           return b.min(wanted, b.ceilDiv(tiles, context.target.splitTiles));
         }});
  }

  PlanRef partial(StringRef name, int64_t inner) {
    Workspace workspace;
    workspace.name = ("partial_" + name).str();
    workspace.type = tile::ArgType::get(context.pattern.getContext(), context.f32(), inner, tile::PanelsAttr());
    workspace.count = [positions = positions](PlanWriter &plan) {
      return plan.index.mul(plan.size("splits"), plan.index.mul(plan.size("row_tiles"), positions));
    };
    workspace.head = context.queryHeads();
    return context.workspace(workspace);
  }
  void addPartials(Branch &branch) {
    branch.m = partial("m", 1);
    branch.l = partial("l", 1);
    branch.acc = partial("acc", branch.prepared.branch.values.features);
  }

  Rows rowsAt(Value first) { return Rows{positions, heads, false, first, {}}; }

  // The rows of the task's heads in a partial result, and where those of split `number` begin.
  Value viewOf(Task &task, const PlanRef &ref) { return task.slice(ref, task.pair, task.k.gridY(), heads); }
  Value placeOf(Task &task, Value number, Value first) {
    KernelBuilder &k = task.k;
    return k.add(k.mul(number, k.mul(k.size("row_tiles"), positions)), first);
  }

  void buildSplit() {
    auto kernel = context.program.kernel("split");
    KernelBuilder &k = *kernel;
    Task task(context, k, heads);
    Value tiles = k.size("row_tiles"), number = k.floorDiv(k.gridX(), tiles);
    Value first = k.mul(k.sub(k.gridX(), k.mul(number, tiles)), positions);
    Rows rows = rowsAt(first);
    KeySplit split{number, k.size("splits"), context.target.splitTiles};
    Value ofClass = congruence.isTrivial() ? Value() : enterClass(task, congruence, first);
    Launch launch;
    llvm::DenseMap<Value, QueryTile> loaded;
    for (Branch &branch : branches) {
      Location outer = std::exchange(k.loc, branch.op.getLoc());
      RangeBranch range = branch.prepared.branch;
      QueryTile &queries = loaded[branch.op.getZ()];
      if (!queries.tile)
        queries = loadQueries(task, rows, branch.prepared.queries, range.chain, ScoreUnit::Base2);
      RowRange at{ofClass, k.constant(0)};
      if (ofClass)
        range = branchOfClass(task, range, congruence);
      else
        at = rangeOf(task, rows, range.set.row);
      SoftmaxState state = streamRange(task, rows, at, queries, range, &split);
      Value place = placeOf(task, number, first);
      for (auto [value, ref] : {std::pair(state.m, branch.m), {state.l, branch.l}, {state.acc, branch.acc}})
        tile::StoreOp::create(k.b, k.loc, value, viewOf(task, ref), place);
      launch.makes.push_back(branch.op.getResult());
      k.loc = outer;
    }
    launch.x = [](PlanWriter &plan) { return plan.index.mul(plan.size("row_tiles"), plan.size("splits")); };
    launch.y = context.tasksInUnit(heads);
    // Neighbours read the same keys, or those beside them in memory.
    launch.order = {"x", "z", "y"};
    context.finish(std::move(kernel), std::move(launch));
  }

  LogicalResult buildJoin() {
    auto kernel = context.program.kernel("join");
    KernelBuilder &k = *kernel;
    Task task(context, k, heads);
    Rows rows = rowsAt(k.mul(k.gridX(), positions));
    Epilogue epilogue(
        task, rows, [&](AccumulateOp op) { return joined(task, rows, op); }, [](Value) { return Value(); });
    if (failed(epilogue.storeResults()))
      return failure();
    Launch launch;
    launch.x = [](PlanWriter &plan) { return plan.size("row_tiles"); };
    launch.y = context.tasksInUnit(heads);
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

  FailureOr<SoftmaxState> joined(Task &task, const Rows &rows, AccumulateOp op) {
    KernelBuilder &k = task.k;
    const Branch &branch = *llvm::find_if(branches, [&](const Branch &other) { return other.op == op; });
    SoftmaxState none = emptyState(task, rows.count(), branch.prepared.branch.values.features);
    Value m = viewOf(task, branch.m), l = viewOf(task, branch.l), acc = viewOf(task, branch.acc);
    Value zero = k.constant(0), splits = k.size("splits");
    Value cover = coverOf(task, RunValues{zero, splits, zero, splits});
    SmallVector<Value> all = stream(k, cover, {none.m, none.l, none.acc}, [&](Value number, ValueRange carried) {
      Value place = placeOf(task, number, rows.first);
      auto load = [&](Value view, Value like) -> Value {
        return tile::LoadOp::create(k.b, k.loc, like.getType(), view, place);
      };
      auto both = tile::MergeOp::create(k.b, k.loc, none.m.getType(), none.l.getType(), none.acc.getType(), carried[0],
                                        carried[1], carried[2], load(m, none.m), load(l, none.l), load(acc, none.acc));
      return SmallVector<Value>{both.getM(), both.getL(), both.getAcc()};
    });
    return SoftmaxState{all[0], all[1], all[2]};
  }

  Context &context;
  Preparer &preparer;
  std::vector<Branch> branches;
  Congruence congruence;            ///< of all sets
  int64_t heads = 1, positions = 1; ///< of a tile
};
} // namespace

TargetInfo decodeTarget(TargetInfo target) {
  target.keyLayout = target.valueLayout = PanelLayout();
  return target;
}

LogicalResult buildDecodeKernels(Context &context, Preparer &preparer) {
  return DecodeKernels(context, preparer).build();
}

} // namespace sattn::lower

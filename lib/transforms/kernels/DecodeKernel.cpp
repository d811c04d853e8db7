// Calls of few query rows. Their time is that of reading the keys, and their rows make few tasks. So the query heads of
// a key head stand side by side in one tile, keys and values are read where they lie, and the cover of a row is cut
// into splits, each a task of its own:
//
//   split   m, l, acc of one split                  partial_m, partial_l, partial_acc [split][row]
//   join    merge over the splits, then the epilogue of the pattern
//
// Where all sets imply a congruence, a row is a task of its own, which reads the keys of its class of residues.
//
// The heads of a token usually lie side by side in memory, which delivers whole tokens much faster than every n-th part
// of them. So where a tile has rows to spare a task reads several key heads, as many as divide those of the call:
//
//   split_16, split_8   as split, for the query heads of 16 or 8 key heads
//
// Where a call's strides hold the keys of a head together instead, `split` reads each head's.
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
/// Kernels that read several key heads at most; each has half as many heads as the one before.
constexpr size_t kMostHeadKernels = 2;

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
    keyHeads = keyHeadsOfTiles();
    if (!keyHeads.empty())
      context.pairMultiple = keyHeads.front();
    positions = congruence.isTrivial() ? std::max<int64_t>(1, leastRows() / heads) : 1;
    context.calls.few = cost::splitRows(context.target, heads);
    addSizes();
    for (Branch &branch : branches)
      addPartials(branch);
    context.dataflow = {"split", context.calls.text() + ": tiles of " + std::to_string(positions) +
                                     (positions == 1 ? " row" : " rows") + " by " + std::to_string(heads) +
                                     (heads == 1 ? " head" : " heads") +
                                     " read keys where they lie; splits of them are joined"};
    buildSplit(1);
    for (int64_t units : keyHeads)
      buildSplit(units);
    return buildJoin();
  }

private:
  struct Branch {
    AccumulateOp op;
    PreparedBranch prepared;
    PlanRef m, l, acc;
  };

  // Whether heads may stand side by side: none reads what differs between them.
  bool headsAreAlike() const {
    return llvm::none_of(branches, [&](const Branch &branch) {
      const RangeBranch &range = branch.prepared.branch;
      bool readsTables = !range.set.loads.empty() ||
                         llvm::any_of(range.chain.maps, [](MapOp map) { return !map.getTables().empty(); });
      return readsTables || range.set.mentionsQueryHead() || branch.prepared.queries.head != context.queryHeads();
    });
  }

  // Heads that share the keys of all branches, as many as a tile may have.
  int64_t headsOfTile() const {
    if (!headsAreAlike())
      return 1;
    SmallVector<AxisAttr> axes;
    for (const Branch &branch : branches)
      axes.append({branch.prepared.branch.keys.head, branch.prepared.branch.values.head});
    return evenShare(context.sharedHeads(axes), kMostTileRows);
  }

  // Numbers of key heads whose query heads may be neighbours in a tile, the greatest first: none where a task's query
  // heads are not all those of a key head.
  SmallVector<int64_t> keyHeadsOfTiles() const {
    int64_t most = context.target.tokenRows / heads;
    bool canBeMore = most > 1 && headsAreAlike() && !readsNumbers() && congruence.isTrivial() &&
                     context.unitHeads() == heads && context.target.decodeTile == 1;
    for (const Branch &branch : branches)
      for (const KeyOperand &operand : {branch.prepared.branch.keys, branch.prepared.branch.values})
        canBeMore = canBeMore && !operand.isWorkspace && context.ratio(operand.head) == heads;
    for (const Branch &branch : branches)
      canBeMore = canBeMore && !branch.prepared.branch.set.random;
    SmallVector<int64_t> numbers;
    if (canBeMore)
      for (auto n = static_cast<int64_t>(llvm::bit_floor(static_cast<uint64_t>(most)));
           n > 1 && numbers.size() < kMostHeadKernels; n /= 2)
        numbers.push_back(n);
    return numbers;
  }

  bool readsNumbers() const {
    return llvm::any_of(branches, [&](const Branch &branch) {
      const RangeBranch &range = branch.prepared.branch;
      return !range.set.loads.empty() ||
             llvm::any_of(range.chain.maps, [&](MapOp map) { return readsPlaces(context, map); });
    });
  }

  // Numbers for the keys of a tile are a tile of one row, which no tile of scores may be.
  int64_t leastRows() const {
    int64_t least = context.target.decodeTile;
    return readsNumbers() ? std::max(least, context.target.rowQuantum) : least;
  }

  // 1 where tasks of the call read `units` key heads, else 0: where heads lie side by side, the greatest of the numbers
  // that divides its key heads, elsewhere one. A number divides what twice as many divide.
  static Value isTaken(PlanWriter &plan, ArrayRef<int64_t> keyHeads, int64_t units) {
    IndexBuilder &b = plan.index;
    Value all = plan.size("units"), one = b.constant(1), inside = plan.dim("heads_inside");
    auto divides = [&](int64_t number) {
      Value rest = b.sub(all, b.mul(b.floorDiv(all, number), number));
      return b.mul(inside, b.sub(one, b.min(rest, one)));
    };
    Value taken = units == 1 ? one : divides(units);
    int64_t next = units == 1 ? keyHeads.back() : 2 * units;
    return llvm::is_contained(keyHeads, next) ? b.sub(taken, divides(next)) : taken;
  }

  // The plan is written when this object is gone.
  void addSizes() {
    context.sizes.push_back({"row_tiles", [positions = positions](PlanWriter &plan) {
                               return plan.index.ceilDiv(plan.dim("t"), positions);
                             }});
    SmallVector<std::pair<AxisAttr, int64_t>> keyTiles;
    for (const Branch &branch : branches)
      keyTiles.push_back({branch.prepared.branch.keys.axis, branch.prepared.branch.keys.tile});
    auto splits = [&context = context, keyHeads = keyHeads, tasksOfSplit = tasksOfSplit(), every = congruence.modulus,
                   keyTiles](PlanWriter &plan) {
      IndexBuilder &b = plan.index;
      Value tiles = b.constant(1), least = b.constant(leastTiles(context, 1));
      for (int64_t units : keyHeads)
        least =
            b.sub(least, b.mul(isTaken(plan, keyHeads, units), leastTiles(context, 1) - leastTiles(context, units)));
      for (auto [axis, tile] : keyTiles)
        tiles = b.max(tiles, tilesOfClass(b, plan.axisSize(axis), every, tile));
      Value wanted = b.ceilDiv(b.constant(context.target.splitTasks), tasksOfSplit(plan));
      return b.min(wanted, b.ceilDiv(tiles, least));
    };
    context.sizes.push_back({"splits", splits});
  }

  // Key tiles of a split at least, where a task reads so many key heads.
  static int64_t leastTiles(const Context &context, int64_t units) {
    return std::max<int64_t>(1, context.target.splitTiles / units);
  }

  PlanSize tasksOfSplit() const {
    return [&context = context, heads = heads, keyHeads = keyHeads](PlanWriter &plan) {
      IndexBuilder &b = plan.index;
      Value one = b.constant(1), together = one;
      for (int64_t units : keyHeads)
        together = b.add(together, b.mul(isTaken(plan, keyHeads, units), units - 1));
      Value tasks = b.mul(b.mul(plan.pairs, context.tasksInUnit(heads)(plan)), plan.size("row_tiles"));
      return b.max(b.floorDiv(tasks, together), one);
    };
  }

  PlanRef partial(StringRef name, int64_t inner) {
    Workspace workspace;
    workspace.name = ("partial_" + name).str();
    workspace.type = tile::ArgType::get(context.pattern.getContext(), context.f32(), inner, tile::PanelsAttr());
    workspace.count = [positions = positions](PlanWriter &plan) {
      return plan.index.mul(plan.size("splits"), plan.index.mul(plan.size("row_tiles"), positions));
    };
    workspace.head = context.queryHeads();
    workspace.pairsAreHeads = !keyHeads.empty();
    return context.workspace(workspace);
  }
  void addPartials(Branch &branch) {
    branch.m = partial("m", 1);
    branch.l = partial("l", 1);
    branch.acc = partial("acc", branch.prepared.branch.values.features);
  }

  Rows rowsAt(Value first, int64_t units = 1) {
    Rows rows{positions, heads * units, false, first, {}};
    rows.keyHeads = units;
    return rows;
  }

  // The rows of the task's heads in a partial result, and where those of split `number` begin.
  Value viewOf(Task &task, const PlanRef &ref, int64_t units = 1) {
    KernelBuilder &k = task.k;
    return keyHeads.empty() ? task.slice(ref, task.pair, k.gridY(), heads)
                            : task.slice(ref, k.constant(0), k.gridZ(), heads * units);
  }
  Value placeOf(Task &task, Value number, Value first) {
    KernelBuilder &k = task.k;
    return k.add(k.mul(number, k.mul(k.size("row_tiles"), positions)), first);
  }

  // The kernel of tasks that read the keys of `units` key heads.
  void buildSplit(int64_t units) {
    auto kernel = context.program.kernel(units == 1 ? "split" : "split_" + std::to_string(units));
    KernelBuilder &k = *kernel;
    Task task(context, k, heads, units);
    Value tiles = k.size("row_tiles"), number = k.floorDiv(k.gridX(), tiles);
    Value first = k.mul(k.sub(k.gridX(), k.mul(number, tiles)), positions);
    Rows rows = rowsAt(first, units);
    KeySplit split{number, k.size("splits"), leastTiles(context, units)};
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
        tile::StoreOp::create(k.b, k.loc, value, viewOf(task, ref, units), place);
      launch.makes.push_back(branch.op.getResult());
      k.loc = outer;
    }
    launch.x = [](PlanWriter &plan) { return plan.index.mul(plan.size("row_tiles"), plan.size("splits")); };
    launch.y = context.tasksInUnit(heads);
    if (!keyHeads.empty())
      launch.z = [keyHeads = keyHeads, units](PlanWriter &plan) {
        return plan.index.mul(plan.index.floorDiv(plan.wavePairs, units), isTaken(plan, keyHeads, units));
      };
    launch.isAlternative = units > 1;
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
  int64_t heads = 1, positions = 1; ///< of a tile, for one key head
  SmallVector<int64_t> keyHeads;    ///< of tasks that read several
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

// Collects the accumulations of a pattern with selections; see SelectedBranches.h.
#include "lib/transforms/kernels/SelectedBranches.h"
#include "lib/transforms/kernels/Formulas.h"

namespace sattn::lower {
using namespace mlir;

namespace {
class Collector {
public:
  Collector(Context &context, Preparer &preparer, const Selections &selections, KeyTiles keyTiles)
      : context(context), preparer(preparer), selections(selections), keyTiles(keyTiles) {}

  FailureOr<SelectedBranches> collect() {
    for (AccumulateOp accumulate : accumulationsOf(context, selections))
      if (failed(add(accumulate)))
        return failure();
    SmallVector<AxisAttr> axes;
    bool single = false;
    for (SelectedBranch &branch : all.selected) {
      if (failed(prepare(branch)))
        return failure();
      axes.append({branch.lists.head, branch.keys.head, branch.values.head});
      if (branch.joined) {
        axes.push_back(branch.joined->keys.head);
        single |= context.ratio(branch.joined->queries.head) != 1;
      }
      single |= branch.residual->mentionsQueryHead() || !branch.residual->loads.empty();
    }
    for (AccumulateOp op : formulas) {
      // Branches share packed keys and values where they can.
      auto branch = prepareRange(context, preparer, op, all.selected.front().keys.tile);
      if (failed(branch))
        return failure();
      single |= branch->branch.set.mentionsQueryHead() || !branch->branch.set.loads.empty();
      all.ranges.insert({op, *branch});
    }
    all.heads = single ? 1 : context.sharedHeads(axes);
    for (SelectedBranch &branch : all.selected)
      if (failed(checkHeads(context, branch.chain, all.heads)) ||
          (branch.joined && failed(checkHeads(context, branch.joined->chain, all.heads))))
        return failure();
    for (auto &[op, prepared] : all.ranges)
      if (failed(checkHeads(context, prepared.branch.chain, all.heads)))
        return failure();
    return std::move(all);
  }

private:
  LogicalResult add(AccumulateOp accumulate) {
    auto parts = partsOf(context, accumulate, accumulate.getSet());
    if (failed(parts))
      return failure();
    if (!parts->select && !parts->listed) {
      formulas.push_back(accumulate);
      return success();
    }
    if (accumulate.getHow() != AccumulateKind::Softmax)
      return context.refuse(accumulate, "'sattn.accumulate linear'");
    SelectedBranch branch;
    branch.op = accumulate;
    if (parts->listed) {
      auto lists = listsOf(context, parts->listed);
      if (failed(lists))
        return failure();
      branch.lists = *lists;
    } else {
      branch.lists = selections.lists.at(parts->select.getResult());
    }
    int64_t rows = branch.lists.row.isBlocks() ? *literalInt(branch.lists.row.getLen()) : 1;
    if (!all.selected.empty() && rows != all.rowsPerList)
      return context.refuse(accumulate, "attention to lists of single rows beside lists of blocks of rows");
    all.rowsPerList = rows;
    if (failed(addResidual(branch, *parts)) || failed(blendWeights(branch)))
      return failure();
    all.selected.push_back(std::move(branch));
    return success();
  }

  // The formula that remains beside the selection, over tokens; every token without one.
  LogicalResult addResidual(SelectedBranch &branch, SetParts parts) {
    MLIRContext *mlir = context.pattern.getContext();
    std::string error;
    FailureOr<KeySetAttr> set = failure();
    AxisAttr t = AxisAttr::named(mlir, "t"), s = AxisAttr::named(mlir, "s");
    if (!parts.formula) {
      set = canonicalKeySet(mlir, t, s, nameExpr(mlir, "all"), error);
    } else {
      KeySetAttr given = parts.formula.getFormula();
      if (given.getRow().isBlocks())
        return context.refuse(branch.op, "a formula over blocks of rows beside a selection");
      ExprAttr key = nameExpr(mlir, "s");
      if (given.getKey().isBlocks())
        key = nodeExpr(ExprKind::FloorDiv, {key, given.getKey().getLen()});
      set = canonicalKeySet(
          mlir, given.getRow(), s,
          substituteNames(given.getCondition(),
                          [&](StringRef name) { return name == given.getKey().getName() ? key : ExprAttr(); }),
          error);
    }
    if (failed(set))
      return branch.op.emitError() << "[SA0207] set cannot be compiled: " << withoutNumber(error);
    branch.residual =
        LocalSet::make(branch.op, *set, {}, parts.formula ? ValueRange(parts.formula.getTables()) : ValueRange());
    if (succeeded(branch.residual))
      for (const auto &[name, load] : branch.residual->loads)
        if (alongOf(context, load) == Along::Distances)
          return context.refuse(parts.formula, "'sattn.set' with tables by distance beside a selection");
    return branch.residual;
  }

  LogicalResult blendWeights(SelectedBranch &branch) {
    if (!branch.op.getPerBlock())
      return success();
    for (Operation *user : branch.op->getUsers()) {
      auto blend = dyn_cast<BlendOp>(user);
      auto weigh = blend ? blend.getW().getDefiningOp<WeighOp>() : WeighOp();
      if (weigh && joinsSlots(weigh) && !branch.joined && !branch.weights) {
        if (failed(joinWeights(branch, weigh, blend.getRest())))
          return failure();
        continue;
      }
      auto weights = blend ? selections.weights.find(blend.getW()) : selections.weights.end();
      if (weights == selections.weights.end() || blend.getRest() || branch.weights || branch.joined)
        return context.refuse(user, "this use of partial results for each block");
      branch.weights = weights->second;
    }
    return success();
  }

  LogicalResult joinWeights(SelectedBranch &branch, WeighOp weigh, Value rest) {
    if (branch.lists.isRole || branch.lists.row.isBlocks())
      return context.refuse(weigh, "'sattn.weigh' of a selection for blocks of rows by another score");
    auto chain = scoreChain(context, weigh, weigh.getZ());
    if (failed(chain))
      return failure();
    for (MapOp map : chain->maps)
      if (readsRows(context, map))
        return context.refuse(map, "'sattn.map' with positions or tables of rows in 'sattn.weigh'");
    Value k = chain->score.getK();
    if (Operation *made = k.getDefiningOp())
      return context.refuse(made,
                            "'" + made->getName().getStringRef() + "' as an operand of 'sattn.weigh' by another score");
    auto finalize = rest ? rest.getDefiningOp<FinalizeOp>() : FinalizeOp();
    if (rest && (!finalize || !selections.attentions.contains(finalize.getP())))
      return context.refuse(weigh, "'sattn.weigh with' the lse of another output than the one that is blended");
    auto queries = preparer.rows(weigh, chain->score.getQ());
    if (failed(queries))
      return failure();
    KeyOperand keys = storedKeys(context, k, /*tile=*/1);
    keys.countedFrom = k;
    branch.joined = JoinedWeights{*chain, *queries, keys, weigh.getLse(), rest};
    return success();
  }

  LogicalResult prepare(SelectedBranch &branch) {
    AccumulateOp op = branch.op;
    auto chain = scoreChain(context, op, op.getZ());
    if (failed(chain))
      return failure();
    branch.chain = *chain;
    int64_t block = branch.blockKeys();
    int64_t tile = keyTileOf(block, context.keyTile(chain->score.getK(), op.getV()));
    if (tile == 0)
      return context.refuse(op, "a selection of blocks of " + Twine(block) + " keys, which no key tile divides,");
    auto queries = preparer.rows(op, chain->score.getQ());
    auto keys = preparer.keys(op, chain->score.getK(), Preparer::Use::Keys, tile);
    auto values = preparer.keys(op, op.getV(), Preparer::Use::Values, tile);
    if (failed(queries) || failed(keys) || failed(values))
      return failure();
    branch.queries = *queries;
    branch.keys = *keys;
    branch.values = *values;
    return success();
  }

  // Keys of a tile: as many blocks as `most` holds where tiles may hold several, else the block, or the largest part
  // of it that is no more than `most`.
  int64_t keyTileOf(int64_t block, int64_t most) const {
    int64_t width = std::max<int64_t>(context.target.keyLayout.width, 1);
    if (keyTiles == KeyTiles::AcrossBlocks)
      for (int64_t blocks = std::min(most / block, kMostBlocksPerTile); blocks > 1; --blocks)
        if (blocks * block % width == 0)
          return blocks * block;
    for (int64_t tile = std::min(block, most); tile > 1; --tile)
      if (block % tile == 0 && tile % width == 0)
        return tile;
    return 0;
  }

  Context &context;
  Preparer &preparer;
  const Selections &selections;
  KeyTiles keyTiles;
  SelectedBranches all;
  SmallVector<AccumulateOp> formulas;
};
} // namespace

FailureOr<SelectedBranches> selectedBranches(Context &context, Preparer &preparer, const Selections &selections,
                                             KeyTiles keyTiles) {
  return Collector(context, preparer, selections, keyTiles).collect();
}

} // namespace sattn::lower

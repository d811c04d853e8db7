// Private memory for row values; see UnitRows.h.
#include "lib/transforms/kernels/UnitRows.h"

namespace sattn::lower {
using namespace mlir;

void UnitRows::declare(Task &task, const SelectedBranch &branch, int64_t heads, int64_t positions) {
  KernelBuilder &k = task.k;
  auto keep = [&](Operation *owner, ExprAttr leaf, Kept kept) {
    auto [place, isNew] = all.insert({{owner, leaf}, kept});
    if (!isNew)
      return;
    auto type = tile::ViewType::get(k.b.getContext(), kept.element, 1, heads, false, tile::PanelsAttr());
    place->second.view = tile::PrivateOp::create(k.b, k.loc, type, positions);
  };
  for (MapOp map : branch.chain.maps)
    for (auto [leaf, element] : rowLeaves(task, map, heads))
      keep(map, leaf, {{}, element, map, {}});
  for (const auto &[name, load] : branch.residual->loads)
    if (alongOf(task.context, load) != Along::Keys)
      keep(branch.op, load.load, {{}, elementOf(task, load), {}, load});
}

void UnitRows::store(Task &task, const Rows &rows, Value at) const {
  KernelBuilder &k = task.k;
  RowValues values;
  for (const auto &[key, kept] : all) {
    Value value;
    if (kept.map) {
      addRowValues(task, rows, kept.map, values, at);
      value = values.lookup(key);
    } else {
      value = loadForRows(task, rows, kept.load);
    }
    tile::StoreOp::create(k.b, k.loc, value, kept.view, at);
  }
}

RowValues UnitRows::valuesOf(const ScoreChain &chain, Gather gather) const {
  RowValues values;
  for (const auto &[key, kept] : all)
    if (kept.map && llvm::is_contained(chain.maps, kept.map))
      values[key] = gather(kept.view, kept.element);
  return values;
}

void UnitRows::addNumbers(Operation *branch, Predicate &predicate, Gather gather) const {
  for (auto [load, number] : llvm::zip(predicate.loads, predicate.numbers))
    if (auto kept = all.find({branch, load.load}); kept != all.end())
      number = gather(kept->second.view, kept->second.element);
}

} // namespace sattn::lower

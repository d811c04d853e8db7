// Partial results of one row: accumulate, reopen, merge; one for each slot where they are per block.
#include "lib/reference/Env.h"
#include "llvm/ADT/TypeSwitch.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace sattn::ref {

void Env::noteScores(ArrayRef<double> z) const {
  double most = -std::numeric_limits<double>::infinity();
  for (double value : z)
    most = std::max(most, value);
  if (call.greatestScore && std::isfinite(most))
    *call.greatestScore = std::max(*call.greatestScore, std::fabs(most));
}

Partial Row::accumulate(AccumulateKind how, Value score, const Keys &columns, Value values, Head head) {
  std::vector<double> z = scores(score, head, columns);
  env.noteScores(z);
  std::vector<ArrayRef<double>> rows;
  for (int64_t column : columns)
    rows.push_back(env.keyFeatures(values, b, column, head));
  return how == AccumulateKind::Softmax ? softmaxPartial(z, rows) : linearPartial(z, rows);
}

const Partial &Row::partial(Value value, Head head) {
  static const Partial none;
  int64_t heads = env.headCount(value);
  if (!env.checkHeads(value, heads, head.count))
    return none;
  Head own = head.as(heads);
  Slot slot{value.getAsOpaquePointer(), own.index};
  if (auto known = partialOf.find(slot); known != partialOf.end())
    return known->second;

  Partial made;
  llvm::TypeSwitch<Operation *>(value.getDefiningOp())
      .Case<AccumulateOp>([&](AccumulateOp op) {
        made = accumulate(op.getHow(), op.getZ(), columnsIn(op.getSet(), op.getZ(), own), op.getV(), own);
      })
      .Case<ReopenOp>([&](ReopenOp op) { made = reopen(features(op.getO(), own), features(op.getLse(), own)[0]); })
      .Default([&](Operation *op) {
        for (Value part : cast<MergeOp>(op).getParts()) {
          if (env.facts(part).linear != env.facts(value).linear)
            env.error() << "merging softmax and linear partial results has no reference";
          made = merge(made, partial(part, own));
        }
      });
  return partialOf[slot] = std::move(made);
}

const std::vector<Partial> &Row::blockPartials(Value value, Head head) {
  auto op = value.getDefiningOp<AccumulateOp>();
  Slot slot{value.getAsOpaquePointer(), head.index};
  if (auto known = blockPartialsOf.find(slot); known != blockPartialsOf.end())
    return known->second;

  std::vector<Partial> made;
  Value selection = env.facts(value).selection;
  Blocks unit = env.unit(selection);
  bool sameColumns = unit == env.columns(op.getZ()).blocks; // the score has one column for each block
  Keys inside = columnsIn(op.getSet(), op.getZ(), head);
  for (int64_t block : slots(op.getSet(), head)) {
    int64_t first = sameColumns ? block : block * unit.stride;
    int64_t end = sameColumns ? block + 1 : first + unit.length;
    Keys own(llvm::lower_bound(inside, first), llvm::lower_bound(inside, end));
    made.push_back(accumulate(op.getHow(), op.getZ(), own, op.getV(), head));
  }
  return blockPartialsOf[slot] = std::move(made);
}

} // namespace sattn::ref

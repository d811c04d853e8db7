// Tensors that are made row by row: finished outputs, their lse, weights of slots, and combinations of outputs.
#include "lib/reference/Env.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

namespace sattn::ref {

ArrayRef<double> Row::features(Value value, Head head) {
  int64_t heads = env.headCount(value);
  if (!env.checkHeads(value, heads, head.count))
    return featuresOf[{nullptr, 0}] = std::vector<double>(env.width(value), 0.0);
  Head own = head.as(heads);
  if (!env.isRowWise(value)) {
    const Tensor &t = env.tensor(value);
    // A tensor over blocks of rows serves each of their rows.
    int64_t local = unit.isTokens() && t.positionAxis >= 0 ? index / t.blocks.stride : index;
    return t.features(b, t.positionAxis < 0 ? 0 : local, own.index);
  }

  Slot slot{value.getAsOpaquePointer(), own.index};
  if (auto known = featuresOf.find(slot); known != featuresOf.end())
    return known->second;
  Blocks rows = env.rowUnit(value);
  std::vector<double> made;
  if (unit.isTokens() && !rows.isTokens())
    made = env.blockOf(b, rows, index)->features(value, own).vec();
  else
    made = output(value, own);
  return featuresOf[slot] = std::move(made);
}

std::vector<double> Row::output(Value value, Head head) {
  return llvm::TypeSwitch<Operation *, std::vector<double>>(value.getDefiningOp())
      .Case<FinalizeOp>([&](FinalizeOp op) {
        double sink = op.getSink() ? features(op.getSink(), head)[0] : negativeInfinity;
        return finalize(partial(op.getP(), head), env.width(op.getP()), sink);
      })
      .Case<AttendOp>([&](AttendOp op) {
        double sink = op.getSink() ? features(op.getSink(), head)[0] : negativeInfinity;
        Keys columns = columnsIn(op.getSet(), op.getZ(), head);
        return finalize(accumulate(AccumulateKind::Softmax, op.getZ(), columns, op.getV(), head), env.width(op.getO()),
                        sink);
      })
      .Case<LseOp>([&](LseOp op) { return std::vector<double>{lseOf(partial(op.getP(), head))}; })
      .Case<WeighOp>([&](WeighOp op) { return weigh(op, head); })
      .Case<BlendOp>([&](BlendOp op) { return blend(op, head); })
      .Case<MixOp>([&](MixOp op) { return mix(op, head); });
}

//===-- Weights of slots ----------------------------------------------------------------------------------------===//

/// w_i = exp(a_i) / sum_j exp(a_j); all 0 where every a is -inf.
static std::vector<double> softmax(std::vector<double> a) {
  double most = negativeInfinity, total = 0.0;
  for (double x : a)
    most = maxWithNan(most, x);
  for (double &x : a)
    total += x = expRelative(x, most);
  for (double &x : a)
    x = total == 0.0 ? 0.0 : x / total;
  return a;
}

/// log(1 + exp(x))
static double softplus(double x) { return x > 0.0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

/// Stick-breaking from the newest (last) slot: w_i = sigmoid(a_i) * product over newer j of (1 - sigmoid(a_j)),
/// which is exp(a_i - sum over j >= i of softplus(a_j)).
static std::vector<double> stickBreaking(std::vector<double> a) {
  double taken = 0.0;
  for (double &x : llvm::reverse(a)) {
    if (x == negativeInfinity) {
      x = 0.0;
      continue;
    }
    taken += softplus(x);
    x = std::exp(x - taken);
  }
  return a;
}

/// One weight for each slot of the selection; with an lse one more, the last. Slots that the set no longer holds
/// weigh 0.
std::vector<double> Row::weigh(WeighOp op, Head head) {
  const Keys &all = slots(op.getSet(), head);
  Blocks columns = env.columns(op.getZ()).blocks;
  Keys held = all;
  if (env.unit(op.getSet()) == columns)
    held = columnsIn(op.getSet(), op.getZ(), head);
  std::vector<double> z = scores(op.getZ(), head, held), a;
  for (int64_t slot : all) {
    auto place = llvm::lower_bound(held, slot);
    a.push_back(place != held.end() && *place == slot ? z[place - held.begin()] : negativeInfinity);
  }
  if (op.getLse())
    a.push_back(features(op.getLse(), head)[0]);
  return op.getHow() == WeighKind::Softmax ? softmax(std::move(a)) : stickBreaking(std::move(a));
}

/// sum over slots of w_i * o_i [+ w_last * rest], where o_i is the finished result of block i.
std::vector<double> Row::blend(BlendOp op, Head head) {
  const std::vector<Partial> &parts = blockPartials(op.getP(), head);
  std::vector<double> weights = features(op.getW(), head).vec();
  int64_t width = env.width(op.getP());
  std::vector<double> o(width, 0.0);
  if (weights.size() < parts.size() + (op.getRest() ? 1 : 0))
    return o; // heads that do not serve, reported
  auto add = [&](double weight, ArrayRef<double> value) {
    for (int64_t d = 0; d < width; ++d)
      o[d] += weight * value[d];
  };
  for (auto [weight, part] : llvm::zip(weights, parts))
    add(weight, finalize(part, width));
  if (op.getRest())
    add(weights.back(), features(op.getRest(), head));
  return o;
}

//===-- Combinations --------------------------------------------------------------------------------------------===//

double Row::load(Value table, ArrayRef<int64_t> at, Head head, int64_t feature) {
  if (at.empty()) {
    ArrayRef<double> whole = features(table, head);
    if (whole.size() == 1)
      return whole.front();
    if (feature < static_cast<int64_t>(whole.size()))
      return whole[feature];
    env.error() << "outputs of " << whole.size() << " features and more cannot be mixed";
    return 0.0;
  }
  // This row of an output is at hand; any other row needs the output as a whole.
  if (env.isRowWise(table) && !gathered && at.front() == rowName(head) && env.rowUnit(table) == unit) {
    int64_t heads = env.headCount(table);
    ArrayRef<double> numbers = features(table, heads == 1 ? Head() : Head{at[1], heads});
    return numbers[numbers.size() == 1 ? 0 : at.back()];
  }
  return env.element(table, b, at);
}

std::vector<double> Row::mix(MixOp op, Head head) {
  const Formula &formula = env.formula(op);
  for (int64_t heads : formula.headCounts())
    if (!env.checkHeads(op.getO(), heads, head.count))
      return {};
  Point at = point(head);
  std::vector<double> mixed;
  for (int64_t d = 0, width = env.width(op.getO()); d < width; ++d)
    mixed.push_back(formula.value(
        at, [&](int64_t table, ArrayRef<int64_t> index) { return load(op.getTables()[table], index, head, d); }));
  return mixed;
}

} // namespace sattn::ref

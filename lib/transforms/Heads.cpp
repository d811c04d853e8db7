// Ratios and units of head axes.
#include "lib/transforms/Heads.h"
#include <algorithm>
#include <numeric>

namespace sattn {

int64_t evenShare(int64_t all, int64_t most) {
  int64_t share = std::min(all, most);
  while (all % share != 0)
    --share;
  return share;
}

bool standAlone(PatternOp pattern, StringRef axis) {
  auto facts = deriveFacts(pattern);
  if (failed(facts))
    return false;
  auto headOf = [&](Value value) {
    const Facts &known = facts->of(value);
    AxisAttr head = known.head ? known.head : known.headAxis();
    return head && !head.isFixed() ? head.getName() : StringRef();
  };
  auto isOwn = [&](Value value) { return headOf(value) == axis; };
  return llvm::all_of(pattern.getBody().front(), [&](Operation &op) {
    if (llvm::none_of(op.getOperands(), isOwn))
      return true;
    if (auto score = dyn_cast<ScoreOp>(op))
      return headOf(score.getK()).empty();
    if (auto reduce = dyn_cast<ReduceOp>(op))
      return reduce.getTo() == "one";
    return isa<MapOp>(op) &&
           llvm::all_of(op.getOperands(), [&](Value operand) { return headOf(operand).empty() || isOwn(operand); });
  });
}

Heads::Heads(const BoundPattern &bound, const PatternFacts &facts) : bound(bound) {
  PatternOp pattern = bound.op();
  for (auto role : pattern.getRoles().getAsRange<RoleAttr>())
    for (AxisAttr axis : role.getAxes())
      if (axis.isHead() && (!baseAxis || axis.getName() == "h"))
        baseAxis = axis;
  auto share = [&](AxisAttr axis) {
    auto heads = ratio(axis);
    unitHeads = unitHeads && heads ? std::optional(std::max(*unitHeads, *heads)) : std::nullopt;
  };
  for (Operation &op : pattern.getBody().front()) {
    if (auto score = dyn_cast<ScoreOp>(op)) {
      share(facts.of(score.getQ()).headAxis());
      share(facts.of(score.getK()).headAxis());
    } else if (auto accumulate = dyn_cast<AccumulateOp>(op)) {
      share(facts.of(accumulate.getV()).headAxis());
    } else if (auto select = dyn_cast<SelectOp>(op)) {
      share(facts.of(select.getResult()).head);
    }
  }
}

std::optional<int64_t> Heads::ratio(AxisAttr axis) const {
  if (!axis || axis.isFixed())
    return baseAxis ? std::nullopt : std::optional<int64_t>(1);
  return axis.getName() == baseAxis.getName() ? 1 : bound.headRatio(axis);
}

int64_t Heads::shared(ArrayRef<AxisAttr> axes) const {
  int64_t heads = 0;
  for (AxisAttr axis : axes)
    if (auto group = ratio(axis))
      heads = std::gcd(heads, *group);
  return std::max<int64_t>(heads, 1);
}

} // namespace sattn

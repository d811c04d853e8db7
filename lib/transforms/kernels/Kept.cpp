// Summaries that stay with the caller; see Kept.h.
#include "lib/transforms/kernels/Kept.h"

namespace sattn::lower {
using namespace mlir;

SmallVector<PlanRef, 2> keptTensors(Context &context, SummarizeOp summary) {
  const Facts &facts = context.factsOf(summary.getResult());
  AxisAttr axis = facts.position();
  std::string role = context.bound.role(summary.getX()).getName().str();
  auto type = tile::ArgType::get(context.pattern.getContext(), context.f32(), context.innerSize(facts.axes),
                                 tile::PanelsAttr());
  auto tensor = [&](StringRef how) {
    std::string name = role + "_" + how.str() + "_" + std::to_string(*literalInt(axis.getLen())) + "_" +
                       std::to_string(*literalInt(axis.getStride())) + (axis.getRagged() ? "_ragged" : "");
    return PlanRef{PlanRef::Role, name, type};
  };
  if (facts.minmax)
    return {tensor("max"), tensor("min")};
  return {tensor(stringifySummaryKind(summary.getHow()))};
}

Value firstNewBlock(Task &task, AxisAttr axis) {
  KernelBuilder &k = task.k;
  int64_t length = *literalInt(axis.getLen()), stride = *literalInt(axis.getStride());
  Value known = k.min(k.max(k.sub(task.qOffset(), task.kvOffset()), k.constant(0)), task.keyCount());
  return completeBlocks(k, known, length, stride);
}

} // namespace sattn::lower

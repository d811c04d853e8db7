// Summaries that stay with the caller; see Kept.h.
#include "lib/transforms/kernels/Kept.h"
#include "lib/transforms/kernels/Encode.h"

namespace sattn::lower {
using namespace mlir;

AxisAttr KeptTensor::blocks() const {
  return *llvm::find_if(axes, [](AxisAttr axis) { return axis.isBlocks(); });
}

static SmallVector<KeptTensor, 2> tensorsOf(Context &context, SummarizeOp summary) {
  const Facts &facts = context.factsOf(summary.getResult());
  AxisAttr axis = facts.position();
  std::string role = context.bound.role(summary.getX()).getName().str();
  auto type = tile::ArgType::get(context.pattern.getContext(), context.f32(), context.innerSize(facts.axes),
                                 tile::PanelsAttr());
  auto tensor = [&](StringRef how) {
    std::string name = role + "_" + how.str() + "_" + std::to_string(*literalInt(axis.getLen())) + "_" +
                       std::to_string(*literalInt(axis.getStride())) + (axis.getRagged() ? "_ragged" : "");
    return KeptTensor{{PlanRef::Role, name, type}, SmallVector<AxisAttr, 4>(facts.axes)};
  };
  if (facts.minmax)
    return {tensor("max"), tensor("min")};
  return {tensor(stringifySummaryKind(summary.getHow()))};
}

static SmallVector<KeptTensor, 2> tensorsOf(Context &context, EncodeOp code) {
  MLIRContext *mlir = context.pattern.getContext();
  const Facts &facts = context.factsOf(code.getResult());
  Value source = code.getX();
  auto transform = source.getDefiningOp<EncodeOp>();
  std::string name = context.bound.role(transform ? transform.getX() : source).getName().str();
  name += ((transform ? "_" + stringifyCodeKind(transform.getHow()) : Twine()) + "_" + stringifyCodeKind(code.getHow()))
              .str();
  AxisAttr each = AxisAttr::blocks(mlir, "c", intExpr(mlir, 1));
  auto tensor = [&](const char *what, Type element, int64_t numbers) {
    KeptTensor made{{PlanRef::Role, name + what, tile::ArgType::get(mlir, element, numbers, tile::PanelsAttr())}, {}};
    // A call reads all codes of one head after the other.
    if (AxisAttr head = facts.headAxis())
      made.axes.push_back(head);
    made.axes.push_back(each);
    return made;
  };
  int64_t numbers = context.innerSize(facts.axes);
  SmallVector<KeptTensor, 2> tensors{tensor("_codes", elementOf(code), numbers)};
  tensors[0].axes.push_back(AxisAttr::fixed(mlir, numbers));
  if (integerLevels(code.getHow()))
    tensors.push_back(tensor("_scales", context.f32(), 1));
  return tensors;
}

SmallVector<KeptTensor, 2> keptTensors(Context &context, Operation *op) {
  if (auto summary = dyn_cast<SummarizeOp>(op))
    return tensorsOf(context, summary);
  return tensorsOf(context, cast<EncodeOp>(op));
}

Value firstNewBlock(Task &task, AxisAttr axis) {
  KernelBuilder &k = task.k;
  int64_t length = *literalInt(axis.getLen()), stride = *literalInt(axis.getStride());
  Value known = k.min(k.max(k.sub(task.qOffset(), task.kvOffset()), k.constant(0)), task.keyCount());
  return completeBlocks(k, known, length, stride);
}

} // namespace sattn::lower

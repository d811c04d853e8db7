// Runs a pattern on a call: checks the call, then makes each result, row by row where it is made of query rows.
#include "lib/reference/Interpreter.h"
#include "lib/reference/Env.h"

namespace sattn::ref {
namespace {

/// Results over single query rows can be sampled; others exist only as a whole, and weights of slots not even so.
bool isOfQueryRows(Env &env, Value value) {
  return env.isRowWise(value) && !value.getDefiningOp<WeighOp>() && env.rowAxis(value).kind() == AxisKind::Rows &&
         !env.facts(value).gatheredAt;
}

/// The asked rows of a whole tensor.
Array sampleRows(Env &env, Value value, ArrayRef<int64_t> rows) {
  const Tensor &whole = env.tensor(value);
  Array sampled;
  sampled.shape = whole.data().shape;
  sampled.shape[whole.positionAxis + whole.batched] = rows.size();
  int64_t inner = 1;
  for (int64_t extent : ArrayRef<int64_t>(sampled.shape).drop_front(whole.positionAxis + whole.batched + 1))
    inner *= extent;
  int64_t span = whole.positions() * inner;
  for (int64_t outer = 0, n = whole.data().size() / std::max<int64_t>(span, 1); outer < n; ++outer)
    for (int64_t row : rows)
      llvm::append_range(sampled.data, ArrayRef<double>(whole.data().data).slice(outer * span + row * inner, inner));
  return sampled;
}

} // namespace

FailureOr<std::vector<Output>> interpret(PatternOp pattern, const Call &call,
                                         llvm::function_ref<InFlightDiagnostic()> emitError) {
  Errors errors(emitError);
  FailureOr<Binding> binding = bindCall(pattern, call, errors);
  if (failed(binding))
    return failure();
  FailureOr<PatternFacts> facts = deriveFacts(pattern);
  if (failed(facts))
    return failure();
  Env env(pattern, std::move(*facts), call, *binding, errors);
  auto yield = cast<YieldOp>(pattern.getBody().front().back());

  std::vector<Output> outputs;
  SmallVector<size_t> byRow; // results that are made together, row by row
  for (auto [name, value] : llvm::zip_equal(pattern.getOutputs().getAsRange<mlir::StringAttr>(), yield.getValues())) {
    outputs.push_back({name.getValue().str(), {}});
    if (isOfQueryRows(env, value)) {
      byRow.push_back(outputs.size() - 1);
      continue;
    }
    const Tensor &whole = env.tensor(value);
    bool sampled = call.rows && whole.positionAxis >= 0 && whole.axes[whole.positionAxis].kind() == AxisKind::Rows &&
                   !env.facts(value).gatheredAt;
    if (call.rows && !sampled)
      errors.fail() << "result '" << name.getValue() << "' is not made of query rows: it cannot be sampled by rows";
    outputs.back().value = sampled ? sampleRows(env, value, *call.rows) : whole.data();
  }
  if (errors.occurred())
    return failure();

  SmallVector<int64_t> rows = call.rows.value_or(llvm::to_vector(llvm::seq<int64_t>(0, binding->rows)));
  for (size_t i : byRow) {
    Value value = yield.getValues()[i];
    SmallVector<int64_t> &shape = outputs[i].value.shape;
    shape.push_back(binding->batch);
    for (AxisAttr axis : env.facts(value).axes)
      shape.push_back(axis.isRow() ? static_cast<int64_t>(rows.size()) : env.extent(axis));
  }
  for (int64_t b = 0; b < binding->batch; ++b)
    for (int64_t index : rows) {
      Row row(env, b, index);
      for (size_t i : byRow)
        for (int64_t head = 0, heads = env.headCount(yield.getValues()[i]); head < heads; ++head)
          llvm::append_range(outputs[i].value.data, row.features(yield.getValues()[i], {head, heads}));
      if (errors.occurred())
        return failure();
    }
  if (errors.occurred())
    return failure();
  return outputs;
}

} // namespace sattn::ref

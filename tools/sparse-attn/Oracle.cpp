// Arrays of the tool to float64 arrays of the reference and back.
#include "dialects/pattern/Facts.h"
#include "lib/reference/Interpreter.h"
#include "lib/support/DiagnosticLog.h"
#include "tools/sparse-attn/OracleBridge.h"
#include "tools/sparse-attn/PatternModule.h"
#include "llvm/ADT/STLExtras.h"

using namespace sattn;
using namespace sattn::tool;

// Results that are not made of query rows cannot be sampled; they leave the pattern.
static void keepRowResults(PatternOp pattern) {
  auto yield = cast<YieldOp>(pattern.getBody().front().getTerminator());
  SmallVector<Attribute> names;
  SmallVector<Value> values;
  FailureOr<PatternFacts> facts = deriveFacts(pattern);
  for (auto [name, value] : llvm::zip(pattern.getOutputs(), yield.getValues())) {
    bool hasRows =
        succeeded(facts) && llvm::any_of(facts->of(value).axes, [](AxisAttr axis) { return axis.getName() == "t"; });
    if (hasRows) {
      names.push_back(name);
      values.push_back(value);
    }
  }
  yield->setOperands(values);
  pattern.setOutputsAttr(mlir::ArrayAttr::get(pattern.getContext(), names));
}

static ref::Array arrayOf(const OracleOperand &operand) {
  ref::Array array;
  array.shape.assign(operand.shape.begin(), operand.shape.end());
  array.data = operand.values;
  return array;
}

bool sattn::tool::interpretPattern(const OracleRequest &request, std::vector<OracleResult> &results,
                                   std::string &error) {
  PatternModule module(request.path, request.text);
  if (!module.pattern()) {
    error = module.error();
    return false;
  }
  ref::Call call;
  for (const OracleOperand &operand : request.operands)
    call.roles[operand.name] = arrayOf(operand);
  for (const auto &[name, value] : request.params)
    call.params[name] = value;
  call.qOffset = request.qOffset;
  call.kvOffset = request.kvOffset;
  call.kvLen = request.kvLen;
  call.massShift = request.massShift;
  double greatestScore = 0;
  call.greatestScore = &greatestScore;
  if (!request.rows.empty()) {
    call.rows.emplace(request.rows.begin(), request.rows.end());
    keepRowResults(module.pattern());
  }
  DiagnosticLog log(module.context(), request.path, request.text);
  auto emit = [&] {
    return std::move(emitError(module.pattern().getLoc()) << "[SA0368] the reference refuses this call: ");
  };
  FailureOr<std::vector<ref::Output>> outputs = ref::interpret(module.pattern(), call, emit);
  if (failed(outputs)) {
    error = log.text();
    return false;
  }
  for (ref::Output &output : *outputs)
    results.push_back({output.name, Shape(output.value.shape.begin(), output.value.shape.end()),
                       std::move(output.value.data), greatestScore});
  return true;
}

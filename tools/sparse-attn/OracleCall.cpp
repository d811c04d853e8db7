// Oracle.h over the bridge: tensors widened to float64, errors thrown.
#include "tools/sparse-attn/OracleBridge.h"
#include "tools/sparse-attn/ToolError.h"

namespace sattn::tool {

static std::vector<std::pair<std::string, double>> paramValues(const Invocation &call) {
  std::vector<std::pair<std::string, double>> values;
  // Kernels take float params as float32.
  for (const ParamValue &param : call.params)
    values.push_back(
        {param.name, param.isFloat ? static_cast<float>(param.number) : static_cast<double>(param.integer)});
  for (const auto &[name, value] : call.statics)
    values.push_back({name, static_cast<double>(value)});
  return values;
}

std::vector<OracleResult> runOracle(const Invocation &call) {
  for (const auto &[name, isGiven] : {std::pair("--cu-q", !call.cuQ.empty()), std::pair("--cu-kv", !call.cuKv.empty())})
    if (isGiven)
      fail(Err::OracleOption, name);
  OracleRequest request{call.file.path, call.file.text, {}, paramValues(call), {}, {}, {}, call.rows};
  for (const Operand &operand : call.operands) {
    OracleOperand &wide = request.operands.emplace_back();
    wide.name = operand.name;
    wide.shape = operand.tensor.shape;
    wide.values.resize(operand.tensor.size());
    for (size_t i = 0; i < wide.values.size(); ++i)
      wide.values[i] = operand.tensor.get(static_cast<int64_t>(i));
  }
  if (!call.qOffset.empty())
    request.qOffset = call.perBatch(call.qOffset, 0);
  if (!call.kvOffset.empty())
    request.kvOffset = call.perBatch(call.kvOffset, 0);
  if (!call.kvLen.empty())
    request.kvLen = call.perBatch(call.kvLen, 0);
  std::vector<OracleResult> results;
  std::string error;
  if (!interpretPattern(request, results, error))
    throw ToolError(error);
  return results;
}

UsefulWork usefulWork(const Invocation &call) {
  WorkRequest request{call.file.path, call.file.text, {}, paramValues(call), call.qOffset, call.kvOffset, call.kvLen};
  for (const auto &[axis, size] : call.sizes)
    request.sizes.push_back({axis, size});
  UsefulWork work;
  std::string error;
  if (!countWork(request, work, error))
    throw ToolError(error);
  // Keys and values that some row needs, everything else once.
  double keys = static_cast<double>(call.size("s", 1));
  double needed = keys == 0 ? 0
                            : std::min(1.0, work.keysPerHead *
                                                static_cast<double>(std::max<int64_t>(
                                                    1, call.size("h") / std::max<int64_t>(1, call.size("g")))) /
                                                keys);
  for (const Operand &operand : call.operands) {
    const RoleInfo *role = call.info.role(operand.name);
    bool ofKeys = std::find(role->axes.begin(), role->axes.end(), "s") != role->axes.end();
    work.bytes += static_cast<double>(operand.tensor.bytes()) * (ofKeys ? needed : 1);
  }
  return work;
}

} // namespace sattn::tool

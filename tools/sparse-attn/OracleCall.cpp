// Oracle.h over the bridge: tensors widened to float64, errors thrown.
#include "tools/sparse-attn/OracleBridge.h"
#include "tools/sparse-attn/Packed.h"
#include "tools/sparse-attn/ToolError.h"

#include <algorithm>

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

/// Adds `part` behind `whole` along dimension `axis`.
static void append(OracleResult &whole, const OracleResult &part, int axis) {
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < static_cast<int>(part.shape.size()); ++i)
    (i < axis ? outer : inner) *= i == axis ? 1 : part.shape[i];
  std::vector<double> values;
  values.reserve(whole.values.size() + part.values.size());
  auto take = [&](const OracleResult &from, int64_t row) {
    int64_t count = from.shape[axis] * inner;
    values.insert(values.end(), from.values.begin() + row * count, from.values.begin() + (row + 1) * count);
  };
  for (int64_t row = 0; row < outer; ++row) {
    take(whole, row);
    take(part, row);
  }
  whole.shape[axis] += part.shape[axis];
  whole.values = std::move(values);
}

/// Gives dimension `axis` of a result with one batch entry `size` rows, those that it lacks of 0.
static void fillUp(OracleResult &result, int axis, int64_t size) {
  OracleResult rest{result.name, result.shape, {}};
  rest.shape[axis] = size - result.shape[axis];
  int64_t elements = 1;
  for (int64_t extent : rest.shape)
    elements *= extent;
  rest.values.assign(static_cast<size_t>(std::max<int64_t>(elements, 0)), 0.0);
  if (rest.shape[axis] > 0)
    append(result, rest, axis);
}

/// The results of each sequence alone, put together as the call has them.
static std::vector<OracleResult> runPacked(const Invocation &call, double massShift) {
  std::vector<OracleResult> all;
  for (const ResultInfo &result : call.info.results) {
    Shape shape = call.resultShape(result);
    int axis = 0;
    while (call.isPacked(result.axes) && !isPositionAxis(result.axes[axis]))
      ++axis;
    shape[axis] = 0;
    all.push_back({result.name, shape, {}});
  }
  for (int64_t b = 0; b < call.size("B"); ++b) {
    Invocation sequence = sequenceOf(call, b);
    if (!call.rows.empty() && sequence.rows.empty())
      continue; // none of the sampled rows is of this sequence
    for (OracleResult &part : runOracle(sequence, massShift))
      for (size_t i = 0; i < all.size(); ++i) {
        const ResultInfo &result = call.info.results[i];
        if (all[i].name != part.name)
          continue;
        int axis = 0;
        if (call.isPacked(result.axes)) {
          part.shape.erase(part.shape.begin());
          while (!isPositionAxis(result.axes[axis]))
            ++axis;
        } else if (!result.top.empty()) {
          fillUp(part, 1, all[i].shape[1]);
        }
        append(all[i], part, axis);
        all[i].greatestScore = std::max(all[i].greatestScore, part.greatestScore);
      }
  }
  return all;
}

std::vector<OracleResult> runOracle(const Invocation &call, double massShift) {
  if (isPacked(call))
    return runPacked(call, massShift);
  OracleRequest request{call.file.path, call.file.text, {}, paramValues(call), {}, {}, {}, call.rows, massShift};
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

/// Each operand and result is needed by one sequence, so that bytes add up, too; what all share counts for each.
static UsefulWork packedWork(const Invocation &call) {
  UsefulWork all;
  for (int64_t b = 0; b < call.size("B"); ++b) {
    UsefulWork work = usefulWork(sequenceOf(call, b));
    all.flops += work.flops;
    all.pairs += work.pairs;
    all.keysPerHead += work.keysPerHead;
    all.bytes += work.bytes;
    all.sampled |= work.sampled;
    all.atMost |= work.atMost;
  }
  return all;
}

UsefulWork usefulWork(const Invocation &call) {
  if (isPacked(call))
    return packedWork(call);
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

// sparse-attn pack: one call as files that need no compiler: kernels for GPUs, operands, the oracle's results with
// their bounds. tools/gpu/GpuCheck.cpp reads them on a machine with a GPU.
#include "tools/sparse-attn/Npy.h"
#include "tools/sparse-attn/Oracle.h"
#include "tools/sparse-attn/Tolerance.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <sattn/compiler.h>

#include <nlohmann/json.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace sattn::tool {

using nlohmann::ordered_json;

static ordered_json describe(const std::string &name, Dtype dtype, const Shape &shape) {
  return {{"name", name}, {"dtype", dtypeName(dtype)}, {"shape", shape}};
}

/// FNV-1a.
static uint64_t hashOf(const std::string &text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text)
    hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

/// The kernel for one target, as `FOLDER/PATTERN.HASH.TARGET.sattn`, which calls of one text and bind share.
static std::string writeKernel(const Invocation &call, const PackOptions &options, const std::string &target) {
  std::string bind = call.bind();
  std::string file = fmt::format("{}.{:016x}.{}.sattn", call.info.name, hashOf(call.file.text + "\n" + bind), target);
  std::string path = options.folder + "/" + file;
  if (std::filesystem::exists(path))
    return file;
  sattn_spec spec{};
  spec.struct_size = sizeof spec;
  spec.pattern = call.file.text.c_str();
  spec.pattern_size = call.file.text.size();
  spec.bind = bind.c_str();
  spec.target = target.c_str();
  sattn_compile_options how{};
  how.struct_size = sizeof how;
  how.file_name = call.file.path.c_str();
  void *bytes = nullptr;
  size_t size = 0;
  char *text = nullptr;
  sattn_status status = sattn_compiler_compile(&spec, &how, &bytes, &size, &text);
  std::unique_ptr<void, decltype(&std::free)> ownBytes(bytes, std::free), ownText(text, std::free);
  if (status != SATTN_OK)
    throw ToolError(text ? text : sattn_status_name(status));
  // Another process may write the same kernel: the file appears whole.
  std::string temporary = fmt::format("{}.{}", path, getpid());
  std::ofstream out(temporary, std::ios::binary);
  out.write(static_cast<const char *>(bytes), static_cast<std::streamsize>(size));
  out.close();
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (!out || error)
    fail(Err::CannotWrite, path, error ? error.message() : "the disk or the folder refuses it");
  return file;
}

/// Results in float64, written as float32, which is far finer than the bounds.
static ordered_json writeExpected(const Invocation &call, const PackOptions &options, OutputFiles &files) {
  ordered_json results = ordered_json::array();
  const std::vector<OracleResult> oracle = runOracle(call);
  for (const OracleResult &expected : oracle) {
    const ResultInfo &info = *call.info.result(expected.name);
    Dtype dtype = call.resultDtype(info);
    Tensor tensor = Tensor::allocate(Dtype::F32, expected.shape, expected.name);
    double largest = 0;
    for (size_t i = 0; i < expected.values.size(); ++i) {
      tensor.set(static_cast<int64_t>(i), expected.values[i]);
      if (std::isfinite(expected.values[i]))
        largest = std::max(largest, std::abs(expected.values[i]));
    }
    std::string file = fmt::format("{}.{}.npy", options.name, expected.name);
    files.reserve(options.folder + "/" + file);
    files.writeNpy(options.folder + "/" + file, tensor);
    ordered_json result = describe(expected.name, dtype, expected.shape);
    result["file"] = file;
    result["bound"] = errorBound(call, dtype, largest, greatestScore(oracle)) + 0x1p-23 * largest;
    results.push_back(result);
  }
  return results;
}

int pack(const PackOptions &options) {
  Invocation call = openPattern(options);
  Dtype dtype = parseOperandDtype(options.dtype);
  generateOperands(call, {options.shape, dtype, options.seed, /*exact=*/true, /*fill=*/!options.timing}, options);
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  UsefulWork work = usefulWork(call);
  ordered_json report = {{"name", options.name},       {"pattern_name", call.info.name}, {"pattern", call.file.text},
                         {"bind", call.bind()},        {"shape", options.shape},         {"dtype", dtypeName(dtype)},
                         {"q_offset", call.qOffset},   {"kv_offset", call.kvOffset},     {"kv_len", call.kvLen},
                         {"useful_flops", work.flops}, {"useful_bytes", work.bytes}};
  report["params"] = ordered_json::array();
  for (const ParamValue &param : call.params) {
    report["params"].push_back({{"name", param.name}, {"float", param.isFloat}, {"value", param.integer}});
    if (param.isFloat)
      report["params"].back()["value"] = param.number;
  }
  OutputFiles files;
  auto write = [&](const std::string &name, const Tensor &tensor) {
    std::string file = fmt::format("{}.{}.npy", options.name, name);
    files.reserve(options.folder + "/" + file);
    files.writeNpy(options.folder + "/" + file, tensor);
    return file;
  };
  report["inputs"] = ordered_json::array();
  for (const Operand &operand : call.operands) {
    const Tensor &given = operand.pool.data ? operand.pool : operand.tensor;
    ordered_json input = describe(operand.name, given.dtype, given.shape);
    if (!options.timing)
      input["file"] = write(operand.name, given);
    report["inputs"].push_back(input);
  }
  if (call.pageSize != 0)
    report["pages"] = {{"size", call.pageSize}, {"file", write("pages", call.pageTable)}};
  report["outputs"] = options.timing ? ordered_json::array() : writeExpected(call, options, files);
  if (options.timing)
    for (const ResultInfo &result : call.info.results)
      report["outputs"].push_back(describe(result.name, call.resultDtype(result), call.resultShape(result)));
  for (const std::string &target : options.targets)
    report["kernels"][target] = writeKernel(call, options, target);
  std::string path = fmt::format("{}/{}.json", options.folder, options.name);
  std::ofstream(path) << report.dump(1) << "\n";
  files.commit();
  fmt::print("{}: {} kernel{}, {} operands, {}\n", path, options.targets.size(), options.targets.size() == 1 ? "" : "s",
             call.operands.size(), options.timing ? "for timing" : "with expected results");
  return 0;
}

} // namespace sattn::tool

// sparse-attn run: operands from files, results into files.
#include "tools/sparse-attn/Engine.h"
#include "tools/sparse-attn/Npy.h"
#include "tools/sparse-attn/Oracle.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <nlohmann/json.hpp>
#include <chrono>

namespace sattn::tool {

namespace {
struct Out {
  const ResultInfo *result;
  std::string path;
};
} // namespace

static std::vector<Out> parseOuts(const Invocation &call, const std::vector<std::string> &words) {
  std::vector<Out> outs;
  for (const std::string &word : words) {
    size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
      fail(Err::OptionSyntax, "--out", word, "NAME=FILE.npy");
    std::string name = word.substr(0, equals);
    const ResultInfo *result = call.info.result(name);
    if (!result)
      fail(Err::UnknownResult, name, resultList(call.info));
    for (const Out &out : outs)
      if (out.result == result)
        fail(Err::GivenTwice, name);
    if (!call.rows.empty() && call.rowDimension(*result) < 0)
      fail(Err::RowsOfResult, name, fmt::format("{}", fmt::join(result->axes, ", ")));
    outs.push_back({result, word.substr(equals + 1)});
  }
  if (outs.empty())
    fail(Err::NoResult, resultList(call.info));
  return outs;
}

static Tensor tensorOf(const OracleResult &result, Dtype dtype) {
  Tensor tensor = Tensor::allocate(dtype, result.shape, result.name);
  for (size_t i = 0; i < result.values.size(); ++i)
    tensor.set(static_cast<int64_t>(i), result.values[i]);
  return tensor;
}

int run(const RunOptions &options) {
  Invocation call = openPattern(options);
  std::vector<Out> outs = parseOuts(call, options.outs);
  readOperands(call, options);
  outs = parseOuts(call, options.outs); // now with the sampled rows
  OutputFiles files;
  for (const Out &out : outs)
    files.reserve(out.path);

  nlohmann::ordered_json report;
  report["pattern"] = call.info.name;
  std::vector<Tensor> tensors;
  if (options.oracle) {
    if (!options.target.empty())
      fail(Err::OracleOption, "--target");
    std::vector<OracleResult> results = runOracle(call);
    for (const Out &out : outs)
      for (const OracleResult &result : results)
        if (result.name == out.result->name)
          tensors.push_back(tensorOf(result, call.resultDtype(*out.result)));
    report["target"] = "oracle";
  } else {
    Engine engine({options.threads, false, options.target, options.warpOrder}, call.file.path);
    sattn_kernel *kernel = engine.get(call.file.text, call.bind());
    std::vector<std::string> names;
    for (const Out &out : outs)
      names.push_back(out.result->name);
    BoundCall bound(engine, call, names, options.threads);
    auto start = std::chrono::steady_clock::now();
    bound.run(kernel);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (const Out &out : outs) {
      const Tensor &full = bound.results().of(out.result->name);
      tensors.push_back(
          call.rows.empty() ? full : takeRows(full, call.rowDimension(*out.result), call.rows, out.result->name));
    }
    report["target"] = sattn_kernel_target(kernel);
    report["key"] = sattn_kernel_key(kernel);
    report["compile_ms"] = static_cast<double>(engine.stats().compile_ns) * 1e-6;
    report["run_ms"] = seconds * 1e3;
  }
  for (size_t i = 0; i < outs.size(); ++i) {
    files.writeNpy(outs[i].path, tensors[i]);
    report["outputs"][outs[i].result->name] = {
        {"file", outs[i].path}, {"dtype", dtypeName(tensors[i].dtype)}, {"shape", tensors[i].shape}};
  }
  files.commit();
  if (options.json) {
    fmt::print("{}\n", report.dump());
    return 0;
  }
  for (size_t i = 0; i < outs.size(); ++i)
    fmt::print("{}: {} [{}] -> {}\n", outs[i].result->name, dtypeName(tensors[i].dtype), shapeText(tensors[i].shape),
               outs[i].path);
  return 0;
}

} // namespace sattn::tool

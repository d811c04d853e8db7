// gpu-check: runs the calls that `sparse-attn pack` wrote on a GPU and compares them with the oracle's results, or
// times them. Needs libsattn, the driver, and nothing else: no LLVM, no toolkit. Prints one JSON object for each call.
#include "tools/sparse-attn/CudaMemory.h"
#include "tools/sparse-attn/Npy.h"
#include "tools/sparse-attn/ToolError.h"

#include <sattn/sattn.hpp>

#include <nlohmann/json.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

using nlohmann::json;
using namespace sattn::tool;

namespace {

constexpr const char *usage =
    "usage: gpu-check FOLDER [--target NAME] [--device N] [--time] [--repeat N] [--case NAME]\n"
    "Runs the calls of FOLDER/*.json. --target sm_80 takes the kernels for it in place of the best for the device;\n"
    "--time times the calls that have no expected results, the others are compared. Exit status 1 if one differs.\n";

struct Options {
  std::string folder, target, only;
  int device = 0, repeat = 20;
  bool time = false;
};

std::string readBytes(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    fail(Err::CannotRead, path, "it cannot be opened");
  return {std::istreambuf_iterator<char>(stream), {}};
}

Dtype dtypeOf(const json &entry) {
  Dtype dtype = Dtype::F32;
  parseDtype(entry.at("dtype"), dtype);
  return dtype;
}

/// Normal numbers for operands that only matter by their size; indices are 0.
Tensor fill(Tensor tensor) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.set(i, tensor.dtype == Dtype::I32 ? 0.0 : static_cast<double>(normal(engine)));
  return tensor;
}

struct Result {
  std::string name;
  Tensor host;
  void *memory;
  const json *expected;
};

/// One call with its memory on the device.
class Case {
public:
  Case(sattn::Context &context, const Options &options, const json &facts)
      : memory(options.device), facts(facts), kernel(load(context, options)) {
    for (const json &input : facts.at("inputs"))
      addInput(options, input);
    if (auto pages = facts.find("pages"); pages != facts.end()) {
      Tensor table = readNpy(options.folder + "/" + pages->at("file").get<std::string>(), "the page table");
      void *place = memory.upload(table.data.get(), table.bytes());
      call.pages({place, dlTypeOf(table.dtype), table.shape}, pages->at("size"));
    }
    for (const json &output : facts.at("outputs")) {
      Tensor host = Tensor::allocate(dtypeOf(output), output.at("shape"), "a result");
      results.push_back({output.at("name"), host, memory.allocate(host.bytes()), &output});
      call.output(results.back().name, {results.back().memory, dlTypeOf(host.dtype), host.shape});
    }
    for (const json &param : facts.at("params"))
      if (param.at("float"))
        call.param(param.at("name"), param.at("value").get<double>());
      else
        call.param(param.at("name"), param.at("value").get<int64_t>());
    call.cuda(options.device);
    call.qOffset(facts.at("q_offset").get<std::vector<int64_t>>());
    call.kvOffset(facts.at("kv_offset").get<std::vector<int64_t>>());
    call.kvLen(facts.at("kv_len").get<std::vector<int64_t>>());
  }

  std::string target() const { return kernel.target(); }

  /// Largest difference over its bound; above 1 the call differs.
  double compare() {
    call.run(kernel);
    memory.synchronize();
    double worst = 0;
    for (Result &result : results) {
      memory.download(result.host.data.get(), result.memory, result.host.bytes());
      Tensor expected = readNpy(folder + "/" + result.expected->at("file").get<std::string>(), result.name);
      for (int64_t i = 0; i < expected.size(); ++i) {
        double want = expected.get(i), have = result.host.get(i);
        bool agree = want == have || (std::isnan(want) && std::isnan(have));
        double error = agree ? 0 : std::isfinite(want) && std::isfinite(have) ? std::abs(want - have) : INFINITY;
        worst = std::max(worst, error / result.expected->at("bound").get<double>());
      }
    }
    return worst;
  }

  std::vector<double> time(int repeat) {
    call.run(kernel);
    memory.synchronize();
    std::vector<double> seconds;
    for (int i = 0; i < repeat; ++i)
      seconds.push_back(memory.seconds([&] { call.run(kernel); }));
    std::sort(seconds.begin(), seconds.end());
    return seconds;
  }

private:
  sattn::Kernel load(sattn::Context &context, const Options &options) {
    folder = options.folder;
    std::vector<std::string> targets;
    for (const auto &[name, file] : facts.at("kernels").items()) {
      targets.push_back(name);
      context.loadBundle(readBytes(folder + "/" + file.get<std::string>()));
    }
    std::string target = options.target.empty() ? memory.bestOf(targets) : options.target;
    if (target.empty())
      throw ToolError("this device runs none of the kernels that were packed");
    return context.get(facts.at("pattern").get<std::string>(), facts.at("bind"), target);
  }

  void addInput(const Options &options, const json &input) {
    bool isBf16 = input.at("dtype") == "bf16";
    Tensor host = input.contains("file")
                      ? readNpy(options.folder + "/" + input.at("file").get<std::string>(), "an operand", isBf16)
                      : fill(Tensor::allocate(dtypeOf(input), input.at("shape"), "an operand"));
    void *place = memory.upload(host.data.get(), host.bytes());
    call.input(input.at("name"), {place, dlTypeOf(host.dtype), host.shape});
  }

  CudaMemory memory;
  const json &facts;
  std::string folder;
  sattn::Kernel kernel;
  sattn::Call call;
  std::vector<Result> results;
};

bool parse(int argc, char **argv, Options &options) {
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool hasValue = i + 1 < argc;
    if (word == "--time")
      options.time = true;
    else if (word == "--target" && hasValue)
      options.target = argv[++i];
    else if (word == "--case" && hasValue)
      options.only = argv[++i];
    else if (word == "--device" && hasValue)
      options.device = std::atoi(argv[++i]);
    else if (word == "--repeat" && hasValue)
      options.repeat = std::max(1, std::atoi(argv[++i]));
    else if (word[0] != '-' && options.folder.empty())
      options.folder = word;
    else
      return false;
  }
  return !options.folder.empty();
}

std::vector<std::string> casesIn(const std::string &folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto &entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".json")
      files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  if (files.empty())
    fail(Err::CannotRead, folder, "it holds no call that `sparse-attn pack` wrote");
  return files;
}

/// Whether the call agrees; a call that only is to be timed does.
bool runCase(const Options &options, const json &facts) {
  json report = {{"case", facts.at("name")},
                 {"pattern", facts.at("pattern_name")},
                 {"dtype", facts.at("dtype")},
                 {"shape", facts.at("shape")}};
  bool agrees = true;
  try {
    // A context for each call: kernels of one bundle stay no longer than their call.
    sattn::Options how;
    how.memoryOnly = how.jitOff = true;
    sattn::Context context(how);
    Case one(context, options, facts);
    report["target"] = one.target();
    if (options.time) {
      std::vector<double> seconds = one.time(options.repeat);
      double median = seconds[seconds.size() / 2];
      report.update({{"run_ms", median * 1e3},
                     {"run_ms_min", seconds.front() * 1e3},
                     {"useful_tflops", facts.at("useful_flops").get<double>() / median * 1e-12},
                     {"useful_gbps", facts.at("useful_bytes").get<double>() / median * 1e-9}});
    } else {
      double worst = one.compare();
      agrees = worst <= 1;
      report.update({{"error_over_bound", worst}, {"agrees", agrees}});
    }
  } catch (const std::exception &error) {
    agrees = false;
    report.update({{"error", error.what()}, {"agrees", false}});
  }
  fmt::print("{}\n", report.dump());
  return agrees;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    fmt::print(stderr, "{}", usage);
    return 2;
  }
  try {
    int failed = 0, done = 0;
    for (const std::string &file : casesIn(options.folder)) {
      json facts = json::parse(readBytes(file));
      bool timed = !facts.at("inputs").at(0).contains("file");
      if (timed != options.time || (!options.only.empty() && facts.at("name") != options.only))
        continue;
      ++done;
      failed += !runCase(options, facts);
    }
    fmt::print("{{\"passed\": {}, \"failed\": {}}}\n", done - failed, failed);
    return failed || !done ? 1 : 0;
  } catch (const std::exception &error) {
    fmt::print(stderr, "gpu-check: error: {}\n", error.what());
    return 1;
  }
}

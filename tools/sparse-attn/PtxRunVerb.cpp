// sparse-attn ptx-run: one kernel of a PTX text in the interpreter, with arrays and numbers for its parameters. Faults
// of the kernel are printed and are the exit status.
#include "lib/ptx/Ptx.h"
#include "tools/sparse-attn/Npy.h"
#include "tools/sparse-attn/PatternFile.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <nlohmann/json.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace sattn::tool {

namespace {

/// Parameters of a launch in order, and the memory behind those that are addresses.
class Parameters {
public:
  void add(const std::string &word, OutputFiles &files);
  void write(OutputFiles &files) const;

  ptx::Device device;
  ptx::Arguments arguments;

private:
  void addNumber(const std::string &kind, const std::string &text);
  template <typename T> void addInteger(const std::string &kind, const std::string &text);
  void addArray(const std::string &name, Tensor tensor, ptx::Contents contents, bool isConstant);

  struct Output {
    Tensor tensor;
    std::string path;
  };
  std::vector<Tensor> tensors; ///< of all arrays; the device holds views of them
  std::vector<Output> outputs;
};

constexpr const char *paramForms = "i32=, u32=, i64=, u64=, f32=NUMBER, in=FILE.npy, inout=FILE.npy:RESULT.npy or "
                                   "out=TYPE[SIZES]:RESULT.npy";

template <typename T> void Parameters::addInteger(const std::string &kind, const std::string &text) {
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail(Err::BadNumber, "--param " + kind, text, "a number of that type");
  arguments.value(value);
}

void Parameters::addNumber(const std::string &kind, const std::string &text) {
  if (kind == "i32")
    return addInteger<int32_t>(kind, text);
  if (kind == "u32")
    return addInteger<uint32_t>(kind, text);
  if (kind == "i64")
    return addInteger<int64_t>(kind, text);
  if (kind == "u64")
    return addInteger<uint64_t>(kind, text);
  char *end = nullptr;
  float value = std::strtof(text.c_str(), &end);
  if (text.empty() || *end)
    fail(Err::BadNumber, "--param " + kind, text, "a number of that type");
  arguments.value(value);
}

void Parameters::addArray(const std::string &name, Tensor tensor, ptx::Contents contents, bool isConstant) {
  tensors.push_back(tensor); // shares the memory and keeps it
  std::span<std::byte> bytes(tensor.as<std::byte>(), tensor.bytes());
  arguments.pointer(isConstant ? device.addConstant(name, bytes) : device.add(name, bytes, contents));
}

/// "f32[2,3]"
Tensor emptyTensor(const std::string &text) {
  size_t open = text.find('[');
  Dtype dtype = Dtype::F32;
  if (open == std::string::npos || text.back() != ']' || !parseDtype(text.substr(0, open), dtype) || dtype > Dtype::I64)
    fail(Err::OptionSyntax, "--param", "out=" + text, paramForms);
  Shape shape;
  std::string sizes = text.substr(open + 1, text.size() - open - 2);
  const char *at = sizes.data(), *last = at + sizes.size();
  while (at != last) {
    auto [end, error] = std::from_chars(at, last, shape.emplace_back());
    if (error != std::errc() || shape.back() < 0 || (end != last && *end != ',') || end + 1 == last)
      fail(Err::OptionSyntax, "--param", "out=" + text, paramForms);
    at = end == last ? end : end + 1;
  }
  return Tensor::allocate(dtype, shape, "out");
}

void Parameters::add(const std::string &word, OutputFiles &files) {
  size_t equals = word.find('=');
  std::string kind = word.substr(0, equals), rest = equals == std::string::npos ? "" : word.substr(equals + 1);
  if (kind == "i32" || kind == "u32" || kind == "i64" || kind == "u64" || kind == "f32")
    return addNumber(kind, rest);
  if (kind == "in" && !rest.empty())
    return addArray(rest, readNpyBits(rest, "--param in"), ptx::Contents::Defined, true);
  size_t colon = rest.rfind(':');
  if ((kind != "inout" && kind != "out") || colon == std::string::npos || colon == 0 || colon + 1 == rest.size())
    fail(Err::OptionSyntax, "--param", word, paramForms);
  std::string from = rest.substr(0, colon), path = rest.substr(colon + 1);
  Tensor tensor = kind == "out" ? emptyTensor(from) : readNpyBits(from, "--param inout");
  files.reserve(path);
  outputs.push_back({tensor, path});
  addArray(path, tensor, kind == "out" ? ptx::Contents::Undefined : ptx::Contents::Defined, false);
}

void Parameters::write(OutputFiles &files) const {
  for (const Output &output : outputs)
    files.writeNpy(output.path, output.tensor);
  files.commit();
}

/// "4", "4,2" or "4,2,1".
ptx::Dim3 parseDim(const char *option, const std::string &text) {
  uint32_t sizes[3] = {1, 1, 1};
  const char *at = text.data(), *last = at + text.size();
  for (int axis = 0; axis < 3; ++axis) {
    auto [end, error] = std::from_chars(at, last, sizes[axis]);
    if (error != std::errc() || sizes[axis] == 0)
      break;
    if (end == last)
      return {sizes[0], sizes[1], sizes[2]};
    if (*end != ',')
      break;
    at = end + 1;
  }
  fail(Err::BadNumber, option, text, "one to three positive numbers: X[,Y[,Z]]");
}

/// The kernel that is named, or the only one.
std::string entryOf(const ptx::Module &module, const PtxRunOptions &options) {
  std::vector<std::string> entries = module.entries();
  if (options.kernel.empty() && entries.size() == 1)
    return entries[0];
  if (std::find(entries.begin(), entries.end(), options.kernel) == entries.end())
    fail(Err::NoEntry, options.kernel.empty() ? "--kernel is missing" : "there is no kernel '" + options.kernel + "'",
         options.file, entries.empty() ? "none" : fmt::format("{}", fmt::join(entries, ", ")));
  return options.kernel;
}

int printReport(const PtxRunOptions &options, const std::string &entry, const ptx::Launch &launch,
                const ptx::Report &report) {
  if (options.json) {
    nlohmann::ordered_json faults = nlohmann::ordered_json::array();
    for (const ptx::Fault &fault : report.faults)
      faults.push_back({{"kind", ptx::nameOf(fault.kind)},
                        {"message", fault.message},
                        {"line", fault.line},
                        {"text", fault.text},
                        {"block", {fault.block.x, fault.block.y, fault.block.z}},
                        {"thread", fault.thread},
                        {"count", fault.count}});
    nlohmann::ordered_json json = {{"kernel", entry},
                                   {"warp_instructions", report.warpInstructions},
                                   {"global_bytes_read", report.globalBytesRead},
                                   {"global_bytes_written", report.globalBytesWritten},
                                   {"shared_rounds", report.sharedRounds},
                                   {"shared_conflict_rounds", report.sharedConflictRounds},
                                   {"instructions", report.byOpcode},
                                   {"faults", faults}};
    fmt::print("{}\n", json.dump());
    return report.ok() ? 0 : 1;
  }
  fmt::print("{}: {} blocks of {} threads, {} warp instructions, {} bytes read, {} written, ", entry,
             launch.grid.count(), launch.block.count(), report.warpInstructions, report.globalBytesRead,
             report.globalBytesWritten);
  fmt::print("{}\n", report.ok() ? "no faults" : fmt::format("{} faults", report.faults.size()));
  fmt::print("{}", report.format());
  return report.ok() ? 0 : 1;
}

} // namespace

int ptxRun(const PtxRunOptions &options) {
  auto refuse = [&](const ptx::Error &error) { fail(Err::PtxRefused, options.file, error.format()); };
  auto module = ptx::Module::parse(readText(options.file));
  if (!module)
    refuse(module.error());
  std::string entry = entryOf(*module, options);
  auto kernel = module->entry(entry);
  if (!kernel)
    refuse(kernel.error());
  OutputFiles files;
  Parameters parameters;
  for (const std::string &word : options.params)
    parameters.add(word, files);
  ptx::Launch launch;
  launch.grid = parseDim("--grid", options.grid);
  launch.block = parseDim("--block", options.block);
  launch.sharedBytes = options.shared;
  launch.arguments = parameters.arguments;
  auto report = ptx::run(*kernel, parameters.device, launch, {.seed = options.seed});
  if (!report)
    refuse(report.error());
  if (report->ok())
    parameters.write(files);
  return printReport(options, entry, launch, *report);
}

} // namespace sattn::tool

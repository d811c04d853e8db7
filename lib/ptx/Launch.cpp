// The public functions: modules, kernels, launches and the text of reports.
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"

#include <fmt/format.h>

namespace sattn::ptx {
namespace {
/// What a device of compute capability 9.0 allows.
constexpr uint64_t MaxThreads = 1024, MaxSharedBytes = 232448;
/// Far more than can be interpreted.
constexpr uint64_t MaxBlocks = 1 << 24;

std::optional<Error> checkShape(const Program &program, const Launch &launch) {
  const Dim3 &block = launch.block, &grid = launch.grid;
  uint64_t threads = block.count(), shared = uint64_t(program.dynamicShared) + launch.sharedBytes;
  if (threads == 0 || threads > MaxThreads || grid.count() == 0 || grid.count() > MaxBlocks || grid.y > 65535 ||
      grid.z > 65535)
    return Error{fmt::format("cannot launch {} x {} x {} blocks of {} threads", grid.x, grid.y, grid.z, threads)};
  if ((program.requiredThreads && threads != program.requiredThreads) ||
      (program.maxThreads && threads > program.maxThreads))
    return Error{fmt::format("'{}' is compiled for blocks of {} threads, but the launch has {}", program.name,
                             program.requiredThreads ? program.requiredThreads : program.maxThreads, threads)};
  if (shared > MaxSharedBytes)
    return Error{fmt::format("{} bytes of shared memory, but a block has at most {}", shared, MaxSharedBytes)};
  return std::nullopt;
}

Result<std::vector<std::byte>> layOutArguments(const Program &program, const Launch &launch) {
  const auto &arguments = launch.arguments.list();
  if (arguments.size() != program.parameters.size())
    return Error{
        fmt::format("'{}' takes {} arguments, but got {}", program.name, program.parameters.size(), arguments.size())};
  std::vector<std::byte> bytes(program.parameterBytes);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Parameter &parameter = program.parameters[i];
    if (arguments[i].size() != parameter.bytes)
      return Error{fmt::format("argument {} of '{}' has {} bytes, but got {}", i, program.name, parameter.bytes,
                               arguments[i].size())};
    std::copy(arguments[i].begin(), arguments[i].end(), bytes.begin() + parameter.offset);
  }
  return bytes;
}

/// Variables of the module for the time of a launch, freshly initialised.
class ModuleVariables {
public:
  ModuleVariables(const Program &program, Device::Memory &memory) : program(program), memory(memory) {
    for (const ModuleVariable &variable : program.variables) {
      std::vector<std::byte> &bytes = storage.emplace_back(variable.initial);
      bytes.resize(variable.bytes);
      Allocation allocation{.name = variable.name,
                            .address = variable.address,
                            .bytes = variable.bytes,
                            .data = bytes.data(),
                            .readOnly = variable.readOnly};
      memory.place(std::move(allocation)); // without initial values they are zero
    }
  }
  ~ModuleVariables() {
    for (const ModuleVariable &variable : program.variables)
      memory.remove(variable.address);
  }
  ModuleVariables(const ModuleVariables &) = delete;
  ModuleVariables &operator=(const ModuleVariables &) = delete;

private:
  const Program &program;
  Device::Memory &memory;
  std::vector<std::vector<std::byte>> storage;
};

/// All blocks, in a seeded order: a block that relies on another one having run before is found out.
void runBlocks(LaunchState &state) {
  const Dim3 &grid = state.launch.grid;
  std::vector<uint64_t> order(grid.count());
  for (uint64_t i = 0; i < order.size(); ++i)
    order[i] = i;
  if (state.options.seed)
    for (uint64_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[state.random.next() % i]);
  for (uint64_t i : order) {
    state.blockNumber = uint32_t(i + 1);
    state.blockUsedAtomics = false;
    Cta(state, {uint32_t(i % grid.x), uint32_t(i / grid.x % grid.y), uint32_t(i / grid.x / grid.y)}).run();
    if (state.stopped)
      return;
  }
}
} // namespace

Result<Report> run(const Kernel &kernel, Device &device, const Launch &launch, const Options &options) {
  const Program &program = kernel.program();
  if (std::optional<Error> problem = checkShape(program, launch))
    return std::move(*problem);
  Result<std::vector<std::byte>> parameters = layOutArguments(program, launch);
  if (!parameters)
    return parameters.error();
  device.memory().beginLaunch();
  ModuleVariables variables(program, device.memory());
  LaunchState state{program,
                    device.memory(),
                    launch,
                    options,
                    std::move(*parameters),
                    Random(options.seed),
                    {},
                    {},
                    {},
                    {program.dynamicShared + launch.sharedBytes, Cta::clocksOf(launch)}};
  state.opcodeCounts.resize(program.opcodes.size());
  runBlocks(state);
  for (size_t i = 0; i < program.opcodes.size(); ++i)
    if (uint64_t count = state.opcodeCounts[i]) {
      state.report.byOpcode[program.opcodes[i]] = count;
      state.report.warpInstructions += count;
    }
  return std::move(state.report);
}

Result<Module> Module::parse(std::string_view text) {
  Result<std::shared_ptr<const Syntax>> syntax = parseSyntax(text);
  if (!syntax)
    return syntax.error();
  Module module;
  module.syntax = *syntax;
  return module;
}

std::vector<std::string> Module::entries() const {
  std::vector<std::string> names;
  for (const Function &function : syntax->functions)
    if (function.isEntry && function.defined)
      names.emplace_back(function.name);
  return names;
}

Result<Kernel> Module::entry(std::string_view name) const {
  Result<std::shared_ptr<const Program>> program = decode(syntax, name);
  if (!program)
    return program.error();
  return Kernel(*program);
}

std::vector<uint32_t> Kernel::parameterBytes() const {
  std::vector<uint32_t> bytes;
  for (const Parameter &parameter : decoded->parameters)
    bytes.push_back(parameter.bytes);
  return bytes;
}
uint64_t Kernel::requiredThreads() const { return decoded->requiredThreads; }
uint64_t Kernel::maxThreads() const { return decoded->maxThreads; }
uint32_t Kernel::staticSharedBytes() const { return decoded->dynamicShared; }

std::string Error::format() const { return line ? fmt::format("line {}: {}: '{}'", line, message, text) : message; }

std::string_view nameOf(FaultKind kind) {
  constexpr std::string_view names[] = {"out of bounds",
                                        "misaligned",
                                        "read-only",
                                        "uninitialised register",
                                        "uninitialised memory",
                                        "race",
                                        "missing wait",
                                        "missing fence",
                                        "barrier divergence",
                                        "barrier misuse",
                                        "mbarrier misuse",
                                        "deadlock",
                                        "trap",
                                        "invalid operand",
                                        "instruction limit"};
  return names[unsigned(kind)];
}

std::string Fault::format() const {
  return fmt::format("{}: {} (line {}: '{}', block ({},{},{}), thread {}, {} times)", nameOf(kind), message, line, text,
                     block.x, block.y, block.z, thread, count);
}

std::string Report::format() const {
  std::string text;
  for (const Fault &fault : faults)
    text += fault.format() + "\n";
  return text;
}

} // namespace sattn::ptx

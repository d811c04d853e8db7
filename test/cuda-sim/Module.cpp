// Modules, the linker and launches of the simulated driver. "Machine code" is the PTX behind a header that names the
// compute capability it was made for, so that code of another device is refused as a real one refuses it.
#include "test/cuda-sim/Simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sattn::rt::cuda {

constexpr std::string_view imageMark = "cuda-sim ";

static std::string headerOf(int capability) { return fmt::format("{}{}\n", imageMark, capability); }

/// The log that a caller gave among the options.
static std::pair<char *, size_t> logOf(unsigned count, JitOption *options, void **values) {
  std::pair<char *, size_t> log = {nullptr, 0};
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == JitErrorLogBuffer)
      log.first = static_cast<char *>(values[i]);
    if (options[i] == JitErrorLogBufferSizeBytes)
      log.second = reinterpret_cast<size_t>(values[i]);
  }
  return log;
}

static void write(std::pair<char *, size_t> log, const std::string &text) {
  if (log.first && log.second)
    std::copy_n(text.c_str(), std::min(text.size(), log.second - 1) + 1, log.first);
}

/// Parses PTX and checks that a device takes its target.
static Result parse(const std::string &text, int capability, std::pair<char *, size_t> log,
                    std::unique_ptr<ptx::Module> &out) {
  auto parsed = ptx::Module::parse(text);
  if (!parsed) {
    write(log, "ptxas application, " + parsed.error().format() + "\n");
    return InvalidPtx;
  }
  size_t at = text.find(".target sm_");
  if (at == std::string::npos) {
    write(log, "ptxas fatal: missing .target directive\n");
    return InvalidPtx;
  }
  int number = 0;
  const char *begin = text.c_str() + at + 11;
  auto [end, error] = std::from_chars(begin, text.c_str() + text.size(), number);
  bool exact = *end == 'a';
  if (error != std::errc() || (exact ? number != capability : number > capability)) {
    write(log,
          fmt::format("ptxas fatal: code for sm_{}{} cannot run on sm_{}\n", number, exact ? "a" : "", capability));
    return NoBinaryForGpu;
  }
  out = std::make_unique<ptx::Module>(std::move(*parsed));
  return Success;
}

CUSIM(cuModuleLoadDataEx(Module *module, const void *image, unsigned count, JitOption *options, void **values)) {
  Call call("cuModuleLoadDataEx");
  if (Result refused = call.whileNothingIsCaptured())
    return refused;
  if (!call->current())
    return InvalidContext;
  int capability = call->devices[call->current()->device]->capability;
  std::string text = static_cast<const char *>(image);
  if (text.starts_with(imageMark)) {
    std::string header = headerOf(capability);
    if (!text.starts_with(header))
      return NoBinaryForGpu;
    text.erase(0, header.size());
  }
  std::unique_ptr<ptx::Module> parsed;
  if (Result result = parse(text, capability, logOf(count, options, values), parsed))
    return result;
  *module = new ModuleObject{call->current(), std::move(*parsed), {}};
  ++call->objects;
  return Success;
}

CUSIM(cuModuleUnload(Module module)) {
  Call call("cuModuleUnload");
  if (call->breaksCapture())
    return StreamCaptureUnsupported;
  if (module->context != call->current())
    return InvalidContext;
  call->drain();
  delete module;
  --call->objects;
  return call.error();
}

CUSIM(cuModuleGetFunction(Function *function, Module module, const char *name)) {
  Call call("cuModuleGetFunction");
  if (!call)
    return call.error();
  std::vector<std::string> entries = module->module.entries();
  if (std::find(entries.begin(), entries.end(), name) == entries.end())
    return NotFound;
  auto kernel = module->module.entry(name);
  if (!kernel) {
    fmt::print(stderr, "cuda-sim: {}\n", kernel.error().format());
    return InvalidPtx;
  }
  std::unique_ptr<FunctionObject> &place = module->functions[name];
  if (!place)
    place.reset(new FunctionObject{*kernel, name, 48 << 10, module->context});
  *function = place.get();
  return Success;
}

static int sharedLimit(Simulation &simulation, const FunctionObject &function) {
  int capability = simulation.devices[function.context->device]->capability;
  return capability == 80 ? 163 << 10 : capability / 10 == 8 ? 99 << 10 : 227 << 10;
}

CUSIM(cuFuncGetAttribute(int *value, Attribute attribute, Function function)) {
  Call call("cuFuncGetAttribute");
  *value = attribute == SharedSizeBytes ? static_cast<int>(function->kernel.staticSharedBytes()) : 0;
  return call.error();
}

CUSIM(cuFuncSetAttribute(Function function, Attribute attribute, int value)) {
  Call call("cuFuncSetAttribute");
  int limit = sharedLimit(Simulation::get(), *function) - static_cast<int>(function->kernel.staticSharedBytes());
  if (attribute != MaxDynamicSharedSizeBytes || value < 0 || value > limit)
    return InvalidValue;
  function->dynamicShared = std::max(function->dynamicShared, value);
  return call.error();
}

CUSIM(cuLaunchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                     unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream handle, void **parameters,
                     void **extra)) {
  Call call("cuLaunchKernel");
  if (!call)
    return call.error();
  StreamObject *stream = call->streamOf(handle);
  ContextObject *context = stream ? stream->context : call->current();
  if (extra || !context || context != function->context)
    return InvalidHandle;
  uint64_t threads = uint64_t(blockX) * blockY * blockZ;
  if (threads == 0 || threads > 1024 || uint64_t(gridX) * gridY * gridZ == 0 ||
      sharedBytes > static_cast<unsigned>(function->dynamicShared))
    return InvalidValue;
  ptx::Launch launch;
  launch.grid = {gridX, gridY, gridZ};
  launch.block = {blockX, blockY, blockZ};
  launch.sharedBytes = sharedBytes;
  // Arguments are read now, addresses among them translated to the interpreter's: those of a device lie in a range.
  int device = context->device;
  size_t index = 0;
  for (uint32_t bytes : function->kernel.parameterBytes()) {
    if (bytes == ptx::TensorMapBytes) {
      std::array<std::byte, ptx::TensorMapBytes> map;
      std::memcpy(map.data(), parameters[index++], bytes);
      launch.arguments.value(map);
      continue;
    }
    uint64_t value = 0;
    std::memcpy(&value, parameters[index++], bytes);
    if (bytes == 8)
      launch.arguments.value(call->find(value, 0).first ? value - (Address(device) << 40) : value);
    else
      launch.arguments.value(static_cast<uint32_t>(value));
  }
  Simulation &simulation = Simulation::get();
  return call->issue(handle, [&simulation, device, launch, kernel = function->kernel, name = function->name] {
    if (simulation.lost != Success)
      return Success;
    auto report = ptx::run(kernel, simulation.devices[device]->memory, launch, {.seed = ++simulation.seed});
    if (report && report->ok())
      return Success;
    simulation.fault =
        fmt::format("kernel '{}' is wrong: {}", name, report ? report->format() : report.error().format());
    return LaunchFailed;
  });
}

/// The map is in the interpreter's format, as a driver's is in its own.
CUSIM(cuTensorMapEncodeTiled(void *out, int elementType, uint32_t rank, void *base, const uint64_t *counts,
                             const uint64_t *strides, const uint32_t *box, const uint32_t *elementStrides,
                             int interleave, int swizzle, int, int)) {
  Call call("cuTensorMapEncodeTiled");
  if (!call)
    return call.error();
  auto [allocation, offset] = call->find(reinterpret_cast<Address>(base), 1);
  if (!allocation || rank < 1 || rank > 5 || interleave != 0 || swizzle != MapSwizzle128 ||
      reinterpret_cast<uintptr_t>(out) % tensorMapAlignment != 0)
    return InvalidValue;
  ptx::TensorMap map;
  map.address = reinterpret_cast<Address>(base) - (Address(allocation->device) << 40);
  map.rank = rank;
  map.elementBytes = elementType == MapUint8 ? 1 : elementType == MapUint16 ? 2 : elementType == MapUint32 ? 4 : 8;
  map.swizzle = ptx::Swizzle::Bytes128;
  for (uint32_t i = 0; i < rank; ++i) {
    map.dims[i] = static_cast<uint32_t>(counts[i]);
    map.box[i] = box[i];
    if (i > 0)
      map.strides[i - 1] = strides[i - 1];
    if (elementStrides[i] != 1)
      return InvalidValue;
  }
  auto encoded = ptx::encode(map);
  if (!encoded)
    return InvalidValue;
  std::memcpy(out, encoded->data(), encoded->size());
  return Success;
}

// ---- The linker

CUSIM(cuLinkCreate_v2(unsigned count, JitOption *options, void **values, LinkState *state)) {
  Call call("cuLinkCreate_v2");
  if (!call)
    return call.error();
  if (!call->current())
    return InvalidContext;
  auto log = logOf(count, options, values);
  *state = new LinkStateObject{"", "", log.first, log.second};
  ++call->objects;
  return Success;
}

CUSIM(cuLinkAddData_v2(LinkState state, int type, void *data, size_t size, const char *, unsigned, JitOption *,
                       void **)) {
  Call call("cuLinkAddData_v2");
  if (!call)
    return call.error();
  auto *text = static_cast<const char *>(data);
  if (type != JitInputPtx || size == 0 || text[size - 1] != 0 || !state->ptx.empty())
    return InvalidValue;
  state->ptx.assign(text, size - 1);
  std::unique_ptr<ptx::Module> parsed;
  return parse(state->ptx, call->devices[call->current()->device]->capability, {state->log, state->logBytes}, parsed);
}

CUSIM(cuLinkComplete(LinkState state, void **image, size_t *size)) {
  Call call("cuLinkComplete");
  state->image = headerOf(call->devices[call->current()->device]->capability) + state->ptx;
  *image = state->image.data();
  *size = state->image.size() + 1;
  return call.error();
}

CUSIM(cuLinkDestroy(LinkState state)) {
  Call call("cuLinkDestroy");
  delete state;
  --call->objects;
  return call.error();
}

} // namespace sattn::rt::cuda

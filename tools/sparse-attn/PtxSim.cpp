// From the launches of the runtime to the interpreter's: the memory of a call becomes allocations of its device, and
// addresses among the arguments become addresses of these.
#include "tools/sparse-attn/PtxSim.h"
#include "lib/ptx/Ptx.h"
#include "tools/sparse-attn/Engine.h"

#include <fmt/format.h>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>

namespace sattn::tool {
namespace {

std::atomic<uint64_t> launches{0}; ///< each runs its warps in another order; the upper half is the user's choice

struct LoadedModule {
  explicit LoadedModule(ptx::Module module) : module(std::move(module)) {}

  std::mutex mutex; ///< guards everything below: a call's launches come in order, but calls may overlap
  ptx::Module module;
  std::map<std::string, ptx::Kernel> kernels;
  ptx::Device device;
  struct Span {
    const char *base;
    size_t size;
    uint64_t address;
  };
  std::vector<Span> spans;
};

sattn_status refuse(char **error, const std::string &text) {
  *error = strdup(text.c_str());
  return SATTN_ENVIRONMENT;
}

sattn_status load(void *, const char *, const void *code, size_t size, void **module, char **error) {
  auto parsed = ptx::Module::parse(std::string_view(static_cast<const char *>(code), size));
  if (!parsed)
    return refuse(error, "PTX " + parsed.error().format());
  *module = new LoadedModule(std::move(*parsed));
  return SATTN_OK;
}

void unload(void *, void *module) { delete static_cast<LoadedModule *>(module); }

void mapMemory(LoadedModule &module, const sattn_device_launch &launch) {
  module.device = ptx::Device();
  module.spans.clear();
  for (size_t i = 0; i < launch.memory_count; ++i) {
    const sattn_device_memory &memory = launch.memory[i];
    std::span<std::byte> bytes(static_cast<std::byte *>(memory.base), memory.size);
    // Kernels may count on 16-byte alignment of what they copy and on no more.
    auto misalignment = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(memory.base) % 256);
    auto contents = memory.writable == 1 ? ptx::Contents::Undefined : ptx::Contents::Defined;
    uint64_t address = memory.writable ? module.device.add(memory.name, bytes, contents, misalignment)
                                       : module.device.addConstant(memory.name, bytes, misalignment);
    module.spans.push_back({static_cast<const char *>(memory.base), memory.size, address});
  }
}

/// The device's address of a host address; 0 outside all memory of the call.
uint64_t addressOf(const LoadedModule &module, int64_t slot) {
  const char *pointer = reinterpret_cast<const char *>(slot);
  for (const LoadedModule::Span &span : module.spans)
    if (pointer >= span.base && pointer < span.base + span.size)
      return span.address + static_cast<uint64_t>(pointer - span.base);
  return 0;
}

ptx::Result<std::array<std::byte, ptx::TensorMapBytes>> encodeMap(const LoadedModule &module,
                                                                  const sattn_tensor_map &given) {
  ptx::TensorMap map;
  map.address = addressOf(module, static_cast<int64_t>(reinterpret_cast<intptr_t>(given.base)));
  map.rank = 4;
  map.elementBytes = static_cast<uint32_t>(given.element_bytes);
  map.swizzle = ptx::Swizzle::Bytes128;
  for (unsigned i = 0; i < map.rank; ++i) {
    map.dims[i] = static_cast<uint32_t>(given.counts[i]);
    map.box[i] = static_cast<uint32_t>(given.box[i]);
    if (i > 0)
      map.strides[i - 1] = static_cast<uint64_t>(given.strides[i - 1]);
  }
  return ptx::encode(map);
}

sattn_status run(void *, void *opaque, const sattn_device_launch *given, char **error) {
  auto &module = *static_cast<LoadedModule *>(opaque);
  std::lock_guard lock(module.mutex);
  auto found = module.kernels.find(given->symbol);
  if (found == module.kernels.end()) {
    auto kernel = module.module.entry(given->symbol);
    if (!kernel)
      return refuse(error, fmt::format("PTX of '{}', {}", given->symbol, kernel.error().format()));
    found = module.kernels.emplace(given->symbol, std::move(*kernel)).first;
  }
  if (given->first_step)
    mapMemory(module, *given);
  std::vector<int64_t> slots(given->slots, given->slots + given->slot_count);
  for (size_t i = 0; i < given->pointer_count; ++i)
    slots[given->pointers[i]] = static_cast<int64_t>(addressOf(module, slots[given->pointers[i]]));
  ptx::Launch launch;
  launch.grid = {static_cast<uint32_t>(given->blocks)};
  launch.block = {static_cast<uint32_t>(given->threads)};
  launch.sharedBytes = static_cast<uint32_t>(given->shared_bytes);
  std::vector<uint32_t> bytes = found->second.parameterBytes();
  for (size_t i = 0; i < slots.size(); ++i)
    if (i < bytes.size() && bytes[i] == 4)
      launch.arguments.value(static_cast<uint32_t>(slots[i]));
    else
      launch.arguments.value(slots[i]);
  for (size_t i = 0; i < given->map_count; ++i) {
    auto encoded = encodeMap(module, given->maps[i]);
    if (!encoded)
      return refuse(error, encoded.error().format());
    launch.arguments.value(*encoded);
  }
  auto report = ptx::run(found->second, module.device, launch, {.seed = launches.load()});
  if (!report)
    return refuse(error, fmt::format("launch of '{}': {}", given->symbol, report.error().format()));
  if (!report->ok())
    return refuse(error, fmt::format("kernel '{}' is wrong:\n{}", given->symbol, report->format()));
  ++launches;
  return SATTN_OK;
}

} // namespace

std::string ptxSimTarget(const std::string &name) {
  constexpr std::string_view prefix = "ptx-sim";
  if (name == prefix)
    return "sm_80";
  return name.rfind("ptx-sim:", 0) == 0 ? name.substr(prefix.size() + 1) : "";
}

void installPtxSim(sattn_context *context, uint64_t order) {
  launches = order << 32;
  sattn_device device{};
  device.struct_size = sizeof device;
  device.load = load;
  device.launch = run;
  device.unload = unload;
  check(sattn_set_device(context, &device));
}

} // namespace sattn::tool

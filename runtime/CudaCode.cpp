// Loading and running (CudaCode.h).
#include "runtime/CudaCode.h"

#include "runtime/Launch.h"

#include <algorithm>
#include <array>
#include <limits>

namespace sattn::rt {

using cuda::JitOption;

// ---- From PTX to machine code

namespace {

/// The options that make the driver's compiler explain itself.
class JitLog {
public:
  JitOption *options() { return names.data(); }
  void **values() { return pointers.data(); }
  static constexpr unsigned count = 2;

  /// What it wrote, on one line.
  std::string text() const {
    std::string line(buffer.data());
    line.erase(line.find_last_not_of("\n\r ") + 1);
    for (size_t at; (at = line.find('\n')) != std::string::npos;)
      line.replace(at, 1, "; ");
    return line;
  }

private:
  std::array<char, 4096> buffer = {};
  std::array<JitOption, count> names = {cuda::JitErrorLogBuffer, cuda::JitErrorLogBufferSizeBytes};
  std::array<void *, count> pointers = {buffer.data(), reinterpret_cast<void *>(buffer.size() - 1)};
};

Status loadFailure(const CudaDriver &driver, cuda::Result result, const Manifest &manifest,
                   const CudaDeviceInfo &device, const JitLog &log) {
  std::string text = log.text();
  return fail<Err::CudaModule>(manifest.name, manifest.request.target, device.description(),
                               driver.text(result) + (text.empty() ? "" : ": " + text));
}

} // namespace

Status CudaCode::link(const CudaDeviceInfo &device, const Manifest &manifest, std::string &cubin) const {
  const CudaDriver &driver = devices->driver();
  JitLog log;
  cuda::LinkState state = nullptr;
  SATTN_TRY(driver.check(driver.linkCreate(log.count, log.options(), log.values(), &state), "start the linker"));
  void *bytes = nullptr;
  size_t size = 0;
  cuda::Result result = driver.linkAddData(state, cuda::JitInputPtx, const_cast<char *>(ptx.c_str()), ptx.size() + 1,
                                           manifest.name.c_str(), 0, nullptr, nullptr);
  if (result == cuda::Success)
    result = driver.linkComplete(state, &bytes, &size);
  if (result == cuda::Success)
    cubin.assign(static_cast<const char *>(bytes), size);
  driver.linkDestroy(state);
  return result == cuda::Success ? success() : loadFailure(driver, result, manifest, device, log);
}

/// What the machine code depends on besides the PTX.
static std::string translationOf(const CudaDevices &devices, const CudaDeviceInfo &device) {
  return "compute " + std::to_string(device.capability.major) + "." + std::to_string(device.capability.minor) +
         " driver " + std::to_string(devices.driver().version());
}

Status CudaCode::makeImage(const CudaDeviceInfo &device, const Manifest &manifest, const Store &store) {
  if (imageOf.major == device.capability.major && imageOf.minor == device.capability.minor)
    return success();
  std::string cubin;
  if (store.cache) {
    std::string translation = translationOf(*devices, device);
    if (!store.cache->loadTranslation(store.stem, translation, ptx, cubin)) {
      SATTN_TRY(link(device, manifest, cubin));
      store.cache->storeTranslation(store.stem, translation, ptx, cubin);
    }
  } else {
    cubin = ptx; // the driver translates while it loads
  }
  image = std::move(cubin);
  imageOf = device.capability;
  return success();
}

// ---- Modules

Status CudaCode::load(std::shared_ptr<CudaDevices> devices, int ordinal, const Manifest &manifest, std::string_view ptx,
                      const Store &store, std::unique_ptr<DeviceCode> &out) {
  std::unique_ptr<CudaCode> code(new CudaCode(devices, ordinal, ptx));
  CudaContext *context = nullptr;
  SATTN_TRY(devices->contextFor(ordinal, nullptr, context));
  const Module *module = nullptr;
  SATTN_TRY(code->prepare(manifest, *context, nullptr, store, module));
  out = std::move(code);
  return success();
}

CudaCode::~CudaCode() {
  for (auto &[context, module] : modules) {
    CudaScope scope(devices->driver(), context);
    if (scope.status().ok())
      devices->driver().moduleUnload(module.handle);
  }
}

Status CudaCode::findFunctions(const Manifest &manifest, const CudaDeviceInfo &device, Module &module) const {
  const CudaDriver &driver = devices->driver();
  for (const KernelInfo &kernel : manifest.kernels) {
    cuda::Function function = nullptr;
    cuda::Result result = driver.moduleGetFunction(&function, module.handle, kernel.symbol.c_str());
    if (result == cuda::NotFound)
      return fail<Err::MissingSymbol>(kernel.symbol, kernel.name);
    SATTN_TRY(driver.check(result, "find kernel '" + kernel.name + "'"));
    if (!kernel.maps.empty() && !driver.tensorMapEncode)
      return fail<Err::OldCudaDriver>(driver.library(), "cuTensorMapEncodeTiled",
                                      cudaVersionText(tensorMapCudaVersion));
    int fixed = 0;
    SATTN_TRY(driver.check(driver.functionGetAttribute(&fixed, cuda::SharedSizeBytes, function),
                           "ask about kernel '" + kernel.name + "'"));
    if (kernel.shared > device.sharedPerBlock - fixed)
      return fail<Err::CudaShared>(kernel.name, kernel.shared, device.description(), device.sharedPerBlock - fixed);
    // Beyond 48 KiB a function has to ask for its shared memory.
    SATTN_TRY(driver.check(
        driver.functionSetAttribute(function, cuda::MaxDynamicSharedSizeBytes, static_cast<int>(kernel.shared)),
        "reserve shared memory for kernel '" + kernel.name + "'"));
    module.functions.push_back(function);
  }
  return success();
}

/// The module of a context, which is current.
Status CudaCode::prepare(const Manifest &manifest, CudaContext &context, cuda::Stream stream, const Store &store,
                         const Module *&out) {
  std::lock_guard lock(mutex);
  auto found = modules.find(context.context());
  if (found != modules.end()) {
    out = &found->second;
    return success();
  }
  const CudaDriver &driver = devices->driver();
  const CudaDeviceInfo &device = context.device();
  if (!runsOn(manifest.request.target, device.capability))
    return fail<Err::WrongCudaTarget>(manifest.request.target, device.description(), device.id());
  CudaScope scope(driver, context.context());
  SATTN_TRY(scope.status());
  if (devices->isCapturing(stream))
    return fail<Err::CudaCapture>("loading a kernel into another context", "run the kernel once before the capture");
  SATTN_TRY(makeImage(device, manifest, store));
  Module module;
  JitLog log;
  cuda::Result result = driver.moduleLoad(&module.handle, image.c_str(), log.count, log.options(), log.values());
  if (result != cuda::Success)
    return loadFailure(driver, result, manifest, device, log);
  Status status = findFunctions(manifest, device, module);
  if (status.failed()) {
    driver.moduleUnload(module.handle);
    return status;
  }
  out = &modules.emplace(context.context(), std::move(module)).first->second;
  return success();
}

// ---- Calls

class CudaCode::Launches final : public DeviceLaunches {
public:
  Launches(const CudaDriver &driver, const Manifest &manifest, const Module &module, cuda::Stream stream)
      : driver(driver), manifest(manifest), module(module), stream(stream) {}

  bool wantsMemory() const override { return false; }

  Status launch(int kernel, const sattn_device_launch &launch) override {
    if (launch.blocks > std::numeric_limits<int32_t>::max())
      return fail<Err::GridTooLarge>(manifest.kernels[kernel].name, launch.blocks);
    parameters.resize(launch.slot_count + launch.map_count);
    // A float32 stands in the low half of its slot, where the driver reads the four bytes of its parameter.
    for (size_t i = 0; i < launch.slot_count; ++i)
      parameters[i] = const_cast<int64_t *>(launch.slots + i);
    maps.resize(launch.map_count);
    for (size_t i = 0; i < launch.map_count; ++i) {
      SATTN_TRY(encode(launch.maps[i], maps[i]));
      parameters[launch.slot_count + i] = &maps[i];
    }
    cuda::Result result = driver.launchKernel(
        module.functions[kernel], static_cast<unsigned>(launch.blocks), 1, 1, static_cast<unsigned>(launch.threads), 1,
        1, static_cast<unsigned>(launch.shared_bytes), stream, parameters.data(), nullptr);
    if (result == cuda::Success)
      return success();
    return driver.check(result, "launch kernel '" + manifest.kernels[kernel].name + "' with " +
                                    std::to_string(launch.blocks) + " blocks of " + std::to_string(launch.threads) +
                                    " threads and " + std::to_string(launch.shared_bytes) + " bytes of shared memory");
  }

private:
  struct alignas(cuda::tensorMapAlignment) EncodedMap {
    unsigned char bytes[cuda::tensorMapBytes] = {};
  };

  Status encode(const sattn_tensor_map &map, EncodedMap &out) const {
    out = {};
    if (!map.base)
      return success();
    std::array<uint64_t, 4> counts;
    std::array<uint64_t, 3> strides;
    std::array<uint32_t, 4> box, ones = {1, 1, 1, 1};
    std::copy(std::begin(map.counts), std::end(map.counts), counts.begin());
    std::copy(std::begin(map.strides), std::end(map.strides), strides.begin());
    std::copy(std::begin(map.box), std::end(map.box), box.begin());
    int type = map.element_bytes == 1   ? cuda::MapUint8
               : map.element_bytes == 2 ? cuda::MapUint16
               : map.element_bytes == 4 ? cuda::MapUint32
                                        : cuda::MapUint64;
    return driver.check(driver.tensorMapEncode(&out, type, counts.size(), map.base, counts.data(), strides.data(),
                                               box.data(), ones.data(), 0, cuda::MapSwizzle128, cuda::MapPromote128, 0),
                        "describe a tensor for TMA");
  }

  const CudaDriver &driver;
  const Manifest &manifest;
  const Module &module;
  cuda::Stream stream;
  std::vector<void *> parameters;
  std::vector<EncodedMap> maps;
};

Status CudaCode::run(const Kernel &kernel, const sattn_call &call, RunState &state) {
  auto stream = static_cast<cuda::Stream>(call.stream);
  const CudaDriver &driver = devices->driver();
  CudaContext *context = nullptr;
  SATTN_TRY(devices->contextFor(state.device < 0 ? home : state.device, stream, context));
  CudaScope scope(driver, context->context());
  SATTN_TRY(scope.status());
  const Module *module = nullptr;
  SATTN_TRY(prepare(kernel.manifest(), *context, stream, {}, module));
  if (call.workspace || state.workspaceTotal == 0) {
    SATTN_TRY(checkWorkspace(call, state.workspaceTotal));
    return launchAll(kernel, call, state, *context, *module, call.workspace);
  }
  cuda::Address address = 0;
  SATTN_TRY(context->acquire(state.workspaceTotal, stream, address));
  Status status = launchAll(kernel, call, state, *context, *module, reinterpret_cast<void *>(address));
  context->release(address, stream);
  return status;
}

Status CudaCode::launchAll(const Kernel &kernel, const sattn_call &call, RunState &state, const CudaContext &context,
                           const Module &module, void *memory) const {
  auto stream = static_cast<cuda::Stream>(call.stream);
  auto *workspace = static_cast<char *>(memory);
  // Offsets and lengths that the caller has on the host, one array behind the other.
  char *numbers = workspace + state.perBatchOffset;
  state.perBatchJoined.clear();
  for (size_t i = 0; i < perBatchCount; ++i) {
    if (!state.perBatchCopied[i])
      continue;
    state.perBatchAddress[i] = numbers + state.perBatchJoined.size() * sizeof(int64_t);
    state.perBatchJoined.insert(state.perBatchJoined.end(), state.perBatchData[i], state.perBatchData[i] + state.batch);
  }
  SATTN_TRY(context.write(reinterpret_cast<cuda::Address>(numbers), state.perBatchJoined, stream));
  Launches launches(devices->driver(), kernel.manifest(), module, stream);
  return launchOnDevice(kernel, state, workspace, launches);
}

} // namespace sattn::rt

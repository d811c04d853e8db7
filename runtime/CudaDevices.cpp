// Devices, contexts, workspace (CudaDevices.h).
#include "runtime/CudaDevices.h"

#include <algorithm>
#include <array>

namespace sattn::rt {

std::string CudaDeviceInfo::description() const {
  return id() + " (" + name + ", compute capability " + std::to_string(capability.major) + "." +
         std::to_string(capability.minor) + ")";
}

// ---- What we keep in a context

/// Values that one launch of the helper carries: their 1 KiB is well within the 4 KiB of parameters of any device.
static constexpr size_t valuesPerLaunch = 128;

/// PTX of a kernel for one thread: writes its first `count` values to `to`.
static std::string writerPtx() {
  std::string text = ".version 7.0\n.target sm_80\n.address_size 64\n"
                     ".visible .entry sattn_write(\n  .param .u64 to,\n  .param .u32 count";
  for (size_t i = 0; i < valuesPerLaunch; ++i)
    text += ",\n  .param .u64 v" + std::to_string(i);
  text += ")\n{\n  .reg .pred %last;\n  .reg .b32 %count;\n  .reg .b64 %to, %value;\n"
          "  ld.param.u64 %to, [to];\n  ld.param.u32 %count, [count];\n  cvta.to.global.u64 %to, %to;\n";
  for (size_t i = 0; i < valuesPerLaunch; ++i) {
    std::string number = std::to_string(i);
    text += "  setp.le.u32 %last, %count, " + number + ";\n  @%last bra DONE;\n  ld.param.u64 %value, [v" + number +
            "];\n  st.global.u64 [%to+" + std::to_string(8 * i) + "], %value;\n";
  }
  return text + "DONE:\n  ret;\n}\n";
}

Status CudaContext::prepare() {
  static const std::string ptx = writerPtx();
  SATTN_TRY(driver.check(driver.moduleLoad(&helpers, ptx.c_str(), 0, nullptr, nullptr), "load a helper"));
  SATTN_TRY(driver.check(driver.moduleGetFunction(&writer, helpers, "sattn_write"), "find a helper"));
  if (!info.memoryPools)
    return success();
  cuda::MemoryPoolProperties properties;
  properties.locationId = info.ordinal;
  SATTN_TRY(driver.check(driver.poolCreate(&pool, &properties), "make a memory pool"));
  // Memory stays with the pool between calls; without this every synchronisation would give it back.
  uint64_t everything = UINT64_MAX;
  return driver.check(driver.poolSetAttribute(pool, cuda::ReleaseThreshold, &everything), "set up a memory pool");
}

CudaContext::~CudaContext() {
  // At the end of the process the driver may be gone already: what it then says does not matter.
  CudaScope scope(driver, handle);
  if (scope.status().failed())
    return;
  for (auto &[stream, block] : blocks)
    driver.memoryFree(block.address);
  if (pool)
    driver.poolDestroy(pool);
  if (helpers)
    driver.moduleUnload(helpers);
}

Status CudaContext::acquire(uint64_t bytes, cuda::Stream stream, cuda::Address &address) {
  auto check = [&](cuda::Result result) {
    return result == cuda::OutOfMemory ? fail<Err::NoCudaMemory>(bytes, info.id(), driver.text(result))
                                       : driver.check(result, "allocate workspace");
  };
  if (pool)
    return check(driver.poolAllocate(&address, bytes, pool, stream));
  std::lock_guard lock(mutex);
  Block &block = blocks[stream];
  if (block.bytes < bytes) {
    cuda::CaptureStatus status = 0;
    if (driver.streamIsCapturing(stream, &status) != cuda::Success || status != 0)
      return fail<Err::CudaCapture>("allocating workspace", "give the call a workspace (sattn_workspace_size)");
    // Freeing waits for the work that uses the block.
    if (block.address)
      driver.memoryFree(block.address);
    block = {};
    SATTN_TRY(check(driver.memoryAllocate(&block.address, bytes)));
    block.bytes = bytes;
  }
  address = block.address;
  return success();
}

void CudaContext::release(cuda::Address address, cuda::Stream stream) const {
  if (pool)
    driver.memoryFreeAsync(address, stream);
}

Status CudaContext::write(cuda::Address address, std::span<const int64_t> values, cuda::Stream stream) const {
  std::array<int64_t, valuesPerLaunch> carried;
  std::array<void *, valuesPerLaunch + 2> parameters;
  uint32_t count = 0;
  parameters[0] = &address;
  parameters[1] = &count;
  for (size_t i = 0; i < valuesPerLaunch; ++i)
    parameters[i + 2] = &carried[i];
  for (; !values.empty(); values = values.subspan(count), address += count * sizeof(int64_t)) {
    count = static_cast<uint32_t>(std::min(values.size(), valuesPerLaunch));
    carried.fill(0);
    std::copy_n(values.begin(), count, carried.begin());
    SATTN_TRY(driver.check(driver.launchKernel(writer, 1, 1, 1, 1, 1, 1, 0, stream, parameters.data(), nullptr),
                           "write offsets and lengths"));
  }
  return success();
}

// ---- Devices

static Status readDevice(const CudaDriver &driver, int ordinal, cuda::DeviceId &id, CudaDeviceInfo &info) {
  info.ordinal = ordinal;
  SATTN_TRY(driver.check(driver.deviceGet(&id, ordinal), "find " + info.id()));
  char name[256] = {};
  SATTN_TRY(driver.check(driver.deviceGetName(name, sizeof(name) - 1, id), "ask for the name of " + info.id()));
  info.name = name;
  int pools = 0;
  const std::pair<cuda::Attribute, int *> attributes[] = {
      {cuda::ComputeCapabilityMajor, &info.capability.major},
      {cuda::ComputeCapabilityMinor, &info.capability.minor},
      {cuda::MaxSharedMemoryPerBlockOptin, &info.sharedPerBlock},
      {cuda::MultiprocessorCount, &info.multiprocessors},
      {cuda::MemoryPoolsSupported, &pools},
  };
  for (auto [attribute, value] : attributes)
    SATTN_TRY(driver.check(driver.deviceGetAttribute(value, attribute, id), "ask about " + info.id()));
  info.memoryPools = pools != 0;
  size_t bytes = 0;
  SATTN_TRY(driver.check(driver.deviceTotalMem(&bytes, id), "ask for the memory of " + info.id()));
  info.bytes = bytes;
  return success();
}

Status CudaDevices::open(const std::string &library, std::shared_ptr<CudaDevices> &out) {
  auto devices = std::make_shared<CudaDevices>();
  SATTN_TRY(CudaDriver::open(library, devices->theDriver));
  const CudaDriver &driver = *devices->theDriver;
  int count = 0;
  SATTN_TRY(driver.check(driver.deviceGetCount(&count), "count the devices"));
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    devices->ids.emplace_back();
    SATTN_TRY(readDevice(driver, ordinal, devices->ids.back(), devices->devices.emplace_back()));
  }
  out = std::move(devices);
  return success();
}

CudaDevices::~CudaDevices() {
  contexts.clear();
  for (auto [ordinal, context] : primaries)
    theDriver->primaryContextRelease(ids[ordinal]);
}

Status CudaDevices::device(int ordinal, const CudaDeviceInfo *&out) const {
  if (ordinal < 0 || static_cast<size_t>(ordinal) >= devices.size())
    return fail<Err::NoCudaDevice>("cuda:" + std::to_string(ordinal), static_cast<uint64_t>(devices.size()));
  out = &devices[ordinal];
  return success();
}

Status CudaDevices::deviceFor(std::string_view target, const CudaDeviceInfo *&out) const {
  for (const CudaDeviceInfo &info : devices)
    if (runsOn(target, info.capability)) {
      out = &info;
      return success();
    }
  const CudaDeviceInfo *first = nullptr;
  SATTN_TRY(device(0, first));
  return fail<Err::WrongCudaTarget>(target, first->description(), "cuda");
}

Status CudaDevices::ordinalOf(cuda::Context context, int &ordinal) const {
  CudaScope scope(*theDriver, context);
  SATTN_TRY(scope.status());
  cuda::DeviceId id = 0;
  SATTN_TRY(theDriver->check(theDriver->contextGetDevice(&id), "ask for the device of the context"));
  ordinal = static_cast<int>(std::find(ids.begin(), ids.end(), id) - ids.begin());
  return success();
}

Status CudaDevices::primaryContext(const CudaDeviceInfo &info, cuda::Context &out) {
  std::lock_guard lock(mutex);
  cuda::Context &context = primaries[info.ordinal];
  if (!context) {
    Status status = theDriver->check(theDriver->primaryContextRetain(&context, ids[info.ordinal]),
                                     "use the primary context of " + info.id());
    if (status.failed()) {
      primaries.erase(info.ordinal);
      return status;
    }
  }
  out = context;
  return success();
}

/// The handles 0, 1 and 2 stand for the default streams of whichever context is current.
static bool isDefaultStream(cuda::Stream stream) { return reinterpret_cast<uintptr_t>(stream) <= 2; }

/// The primary context lives as long as somebody holds it: where it may be the one that we enter, we do too. Others are
/// the caller's to keep.
Status CudaDevices::keepPrimary(const CudaDeviceInfo &info) {
  unsigned flags = 0;
  int active = 0;
  SATTN_TRY(theDriver->check(theDriver->primaryContextGetState(ids[info.ordinal], &flags, &active),
                             "ask for the state of " + info.id()));
  cuda::Context primary;
  return active ? primaryContext(info, primary) : success();
}

CudaContext *CudaDevices::known(cuda::Context context) {
  std::lock_guard lock(mutex);
  auto found = contexts.find(context);
  return found == contexts.end() ? nullptr : found->second.get();
}

Status CudaDevices::contextFor(int ordinal, cuda::Stream stream, CudaContext *&out) {
  const CudaDeviceInfo *info = nullptr;
  SATTN_TRY(device(ordinal, info));
  cuda::Context context = nullptr;
  bool isDefault = isDefaultStream(stream);
  if (isDefault)
    theDriver->contextGetCurrent(&context);
  else
    SATTN_TRY(theDriver->check(theDriver->streamGetContext(stream, &context), "find the context of the stream"));
  int found = -1;
  out = known(context);
  if (out)
    found = out->device().ordinal;
  else if (context)
    SATTN_TRY(ordinalOf(context, found));
  if (found != ordinal) {
    if (!isDefault)
      return fail<Err::StreamDevice>("cuda:" + std::to_string(found), info->id());
    SATTN_TRY(primaryContext(*info, context));
    out = known(context);
  }
  return out ? success() : enter(*info, context, stream, out);
}

Status CudaDevices::enter(const CudaDeviceInfo &info, cuda::Context context, cuda::Stream stream, CudaContext *&out) {
  if (!*nearestGpuTarget(info.capability))
    return fail<Err::CudaTooOld>(info.description());
  auto made = std::make_unique<CudaContext>(*theDriver, info, context);
  CudaScope scope(*theDriver, context);
  SATTN_TRY(scope.status());
  if (isCapturing(stream))
    return fail<Err::CudaCapture>("the first call in a context", "run the kernel once before the capture");
  SATTN_TRY(keepPrimary(info));
  SATTN_TRY(made->prepare());
  std::lock_guard lock(mutex);
  // Another thread may have been quicker.
  out = contexts.try_emplace(context, std::move(made)).first->second.get();
  return success();
}

bool CudaDevices::isCapturing(cuda::Stream stream) const {
  cuda::CaptureStatus status = 0;
  // A stream that cannot be asked is one that another capture forbids to use.
  return theDriver->streamIsCapturing(stream, &status) != cuda::Success || status != 0;
}

} // namespace sattn::rt

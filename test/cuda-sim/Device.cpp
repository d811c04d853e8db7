// Devices and contexts of the simulated driver.
#include "test/cuda-sim/Simulation.h"

#include <fmt/format.h>

#include <algorithm>

namespace sattn::rt::cuda {

CUSIM(cuInit(unsigned flags)) {
  Call call("cuInit");
  if (!call)
    return call.error();
  if (call->devices.empty())
    return NoDevice;
  call->started = true;
  return flags ? InvalidValue : Success;
}

CUSIM(cuDriverGetVersion(int *version)) {
  Call call("cuDriverGetVersion");
  *version = call->version;
  return call.error();
}

CUSIM(cuDeviceGetCount(int *count)) {
  Call call("cuDeviceGetCount");
  *count = static_cast<int>(call->devices.size());
  return call.error();
}

/// Handles of devices are not their ordinals, so that nobody takes one for the other.
constexpr int firstHandle = 100;

static SimulatedDevice *deviceOf(Call &call, DeviceId id) {
  auto index = static_cast<size_t>(id - firstHandle);
  return id >= firstHandle && index < call->devices.size() ? call->devices[index].get() : nullptr;
}

CUSIM(cuDeviceGet(DeviceId *device, int ordinal)) {
  Call call("cuDeviceGet");
  if (ordinal < 0 || static_cast<size_t>(ordinal) >= call->devices.size())
    return InvalidDevice;
  *device = firstHandle + ordinal;
  return call.error();
}

CUSIM(cuDeviceGetName(char *name, int size, DeviceId id)) {
  Call call("cuDeviceGetName");
  if (!deviceOf(call, id))
    return InvalidDevice;
  std::string text = "simulated GPU";
  text.resize(std::min<size_t>(text.size(), static_cast<size_t>(size) - 1));
  std::copy_n(text.c_str(), text.size() + 1, name);
  return call.error();
}

CUSIM(cuDeviceGetAttribute(int *value, Attribute attribute, DeviceId id)) {
  Call call("cuDeviceGetAttribute");
  SimulatedDevice *device = deviceOf(call, id);
  if (!device)
    return InvalidDevice;
  switch (attribute) {
  case MultiprocessorCount:
    *value = 4;
    break;
  case ComputeCapabilityMajor:
    *value = device->capability / 10;
    break;
  case ComputeCapabilityMinor:
    *value = device->capability % 10;
    break;
  case MaxSharedMemoryPerBlockOptin:
    *value = device->capability == 80 ? 163 << 10 : device->capability / 10 == 8 ? 99 << 10 : 227 << 10;
    break;
  case MemoryPoolsSupported:
    *value = call->pools;
    break;
  default:
    return InvalidValue;
  }
  return call.error();
}

CUSIM(cuDeviceTotalMem_v2(size_t *bytes, DeviceId id)) {
  Call call("cuDeviceTotalMem_v2");
  SimulatedDevice *device = deviceOf(call, id);
  if (!device)
    return InvalidDevice;
  *bytes = device->bytes;
  return call.error();
}

CUSIM(cuDevicePrimaryCtxGetState(DeviceId id, unsigned *flags, int *active)) {
  Call call("cuDevicePrimaryCtxGetState");
  SimulatedDevice *device = deviceOf(call, id);
  if (!device)
    return InvalidDevice;
  *flags = 0;
  *active = device->retained > 0;
  return call.error();
}

CUSIM(cuDevicePrimaryCtxRetain(Context *context, DeviceId id)) {
  Call call("cuDevicePrimaryCtxRetain");
  SimulatedDevice *device = deviceOf(call, id);
  if (!device)
    return InvalidDevice;
  ++device->retained;
  ++call->objects;
  *context = &device->primary;
  return call.error();
}

CUSIM(cuDevicePrimaryCtxRelease_v2(DeviceId id)) {
  Call call("cuDevicePrimaryCtxRelease_v2");
  SimulatedDevice *device = deviceOf(call, id);
  if (!device || device->retained == 0)
    return InvalidContext;
  --device->retained;
  --call->objects;
  return call.error();
}

CUSIM(cuCtxCreate_v2(Context *context, unsigned, DeviceId id)) {
  Call call("cuCtxCreate_v2");
  if (!deviceOf(call, id))
    return InvalidDevice;
  *context = new ContextObject{id - firstHandle, false};
  call->made.insert(*context);
  Simulation::contexts.push_back(*context);
  return call.error();
}

CUSIM(cuCtxDestroy_v2(Context context)) {
  Call call("cuCtxDestroy_v2");
  if (!call->made.erase(context))
    return InvalidContext;
  std::erase(Simulation::contexts, context);
  delete context;
  return call.error();
}

CUSIM(cuCtxGetCurrent(Context *context)) {
  Call call("cuCtxGetCurrent");
  *context = call->current();
  return call.error();
}

CUSIM(cuCtxPushCurrent_v2(Context context)) {
  Call call("cuCtxPushCurrent_v2");
  bool isPrimary = std::any_of(call->devices.begin(), call->devices.end(),
                               [&](const auto &device) { return context == &device->primary && device->retained; });
  if (!isPrimary && !call->made.count(context))
    return InvalidContext;
  if (call)
    Simulation::contexts.push_back(context);
  return call.error();
}

CUSIM(cuCtxPopCurrent_v2(Context *context)) {
  Call call("cuCtxPopCurrent_v2");
  *context = call->current();
  if (!*context)
    return InvalidContext;
  Simulation::contexts.pop_back();
  return call.error();
}

CUSIM(cuCtxGetDevice(DeviceId *device)) {
  Call call("cuCtxGetDevice");
  if (!call->current())
    return InvalidContext;
  *device = firstHandle + call->current()->device;
  return call.error();
}

CUSIM(cuCtxSynchronize()) {
  Call call("cuCtxSynchronize");
  return call->breaksCapture() ? StreamCaptureUnsupported : call->drain();
}

} // namespace sattn::rt::cuda

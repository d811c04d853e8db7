// Code of targets that are not CPUs. The runtime works out grids, arguments and memory of a call; a device that was
// handed over with sattn_set_device() loads the code and runs it.
#pragma once

#include "runtime/Manifest.h"

#include <memory>
#include <string_view>

namespace sattn::rt {

/// "sm_80", "sm_90a": a GPU of NVIDIA by its compute capability.
bool isGpuTarget(std::string_view name);

/// A loaded module of a device; unloaded when destroyed. Holds the device, which must outlive every kernel of it.
class DeviceCode {
public:
  ~DeviceCode();
  DeviceCode(const DeviceCode &) = delete;
  DeviceCode &operator=(const DeviceCode &) = delete;

  static Status load(const sattn_device &device, const Manifest &manifest, std::string_view code,
                     std::unique_ptr<DeviceCode> &out);
  Status launch(const sattn_device_launch &launch) const;

private:
  explicit DeviceCode(const sattn_device &device) : device(device) {}

  sattn_device device;
  void *module = nullptr;
};

} // namespace sattn::rt

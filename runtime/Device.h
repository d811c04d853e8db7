// Code of targets that are not CPUs. The runtime works out grids, arguments and memory of a call; the code behind this
// interface runs it: functions that were handed over with sattn_set_device(), or the driver of CUDA (CudaCode.h).
#pragma once

#include "runtime/GpuTarget.h"
#include "runtime/Manifest.h"
#include "runtime/RunState.h"

#include <memory>
#include <string_view>

namespace sattn::rt {

class Kernel;

/// Loaded code of a device; unloaded when destroyed.
class DeviceCode {
public:
  virtual ~DeviceCode() = default;

  /// Whether roles, results and workspaces stand in memory of CUDA, not of the host.
  virtual bool takesCudaMemory() const = 0;
  /// Runs a call that bindCall() has checked.
  virtual Status run(const Kernel &kernel, const sattn_call &call, RunState &state) = 0;
};

/// Gets the launches of one call in their order.
struct DeviceLaunches {
  virtual ~DeviceLaunches() = default;
  /// `kernel` is the number of the kernel in the manifest.
  virtual Status launch(int kernel, const sattn_device_launch &launch) = 0;
  /// Whether launches list the memory that they may touch.
  virtual bool wantsMemory() const = 0;
};

/// Loads code with the functions of `device`, which must outlive every kernel of it.
Status loadWithHooks(const sattn_device &device, const Manifest &manifest, std::string_view code,
                     std::unique_ptr<DeviceCode> &out);

} // namespace sattn::rt

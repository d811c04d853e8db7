// The names of targets that are GPUs of NVIDIA, and which of them a device of some compute capability runs.
#pragma once

#include <string>
#include <string_view>

namespace sattn::rt {

/// "sm_80", "sm_90a": a GPU of NVIDIA by its compute capability.
bool isGpuTarget(std::string_view name);

struct ComputeCapability {
  int major = 0, minor = 0;
};

/// Whether code for `target` runs on a device: code for "sm_86" on 8.6 and everything newer, for "sm_90a" on 9.0 alone.
bool runsOn(std::string_view target, ComputeCapability device);

/// The best of the compiler's targets that such a device runs; "" below 8.0.
const char *nearestGpuTarget(ComputeCapability device);

/// "cuda" is device 0, "cuda:3" device 3. False for other names.
bool parseCudaTarget(std::string_view name, int &ordinal);

} // namespace sattn::rt

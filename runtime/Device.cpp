// Calls of a device's functions (Device.h).
#include "runtime/Device.h"

#include <algorithm>
#include <cstdlib>

namespace sattn::rt {

bool isGpuTarget(std::string_view name) {
  constexpr std::string_view prefix = "sm_";
  if (name.substr(0, prefix.size()) != prefix)
    return false;
  name.remove_prefix(prefix.size());
  if (!name.empty() && name.back() == 'a')
    name.remove_suffix(1);
  return (name.size() == 2 || name.size() == 3) &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The text is the device's own, or says that there is none.
static Status report(sattn_status status, char *error) {
  std::unique_ptr<char, decltype(&std::free)> own(error, std::free);
  return status == SATTN_OK ? success() : fail<Err::DeviceFailed>(error ? error : "it gave no reason");
}

Status DeviceCode::load(const sattn_device &device, const Manifest &manifest, std::string_view code,
                        std::unique_ptr<DeviceCode> &out) {
  std::unique_ptr<DeviceCode> loaded(new DeviceCode(device));
  char *error = nullptr;
  sattn_status status =
      device.load(device.user, manifest.request.target.c_str(), code.data(), code.size(), &loaded->module, &error);
  SATTN_TRY(report(status, error));
  out = std::move(loaded);
  return success();
}

DeviceCode::~DeviceCode() {
  if (module && device.unload)
    device.unload(device.user, module);
}

Status DeviceCode::launch(const sattn_device_launch &launch) const {
  char *error = nullptr;
  sattn_status status = device.launch(device.user, module, &launch, &error);
  return report(status, error);
}

} // namespace sattn::rt

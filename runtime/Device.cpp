// Devices that are functions of the caller (Device.h). Their memory is the host's.
#include "runtime/Device.h"

#include "runtime/Launch.h"

#include <cstdlib>

namespace sattn::rt {

namespace {

// The text is the device's own, or says that there is none.
Status report(sattn_status status, char *error) {
  std::unique_ptr<char, decltype(&std::free)> own(error, std::free);
  return status == SATTN_OK ? success() : fail<Err::DeviceFailed>(error ? error : "it gave no reason");
}

class HookCode final : public DeviceCode {
public:
  explicit HookCode(const sattn_device &device) : device(device) {}
  ~HookCode() override {
    if (module && device.unload)
      device.unload(device.user, module);
  }

  Status load(const Manifest &manifest, std::string_view code) {
    char *error = nullptr;
    sattn_status status =
        device.load(device.user, manifest.request.target.c_str(), code.data(), code.size(), &module, &error);
    return report(status, error);
  }

  bool takesCudaMemory() const override { return false; }

  Status run(const Kernel &kernel, const sattn_call &call, RunState &state) override {
    BufferPool::Buffer own;
    char *workspace = nullptr;
    SATTN_TRY(findWorkspace(kernel.engine(), call, state.workspaceTotal, own, workspace));
    Launches launches(*this, call.stream);
    return launchOnDevice(kernel, state, workspace, launches);
  }

private:
  struct Launches final : DeviceLaunches {
    Launches(HookCode &code, void *stream) : code(code), stream(stream) {}
    bool wantsMemory() const override { return true; }
    Status launch(int, const sattn_device_launch &given) override {
      sattn_device_launch launch = given;
      launch.stream = stream;
      char *error = nullptr;
      sattn_status status = code.device.launch(code.device.user, code.module, &launch, &error);
      return report(status, error);
    }
    HookCode &code;
    void *stream;
  };

  sattn_device device;
  void *module = nullptr;
};

} // namespace

Status loadWithHooks(const sattn_device &device, const Manifest &manifest, std::string_view code,
                     std::unique_ptr<DeviceCode> &out) {
  auto loaded = std::make_unique<HookCode>(device);
  SATTN_TRY(loaded->load(manifest, code));
  out = std::move(loaded);
  return success();
}

} // namespace sattn::rt

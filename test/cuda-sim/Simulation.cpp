// Configuration, the queue of work, texts of errors (Simulation.h).
#include "test/cuda-sim/Simulation.h"
#include "test/cuda-sim/CudaSim.h"

#include <cstdlib>
#include <sstream>

namespace sattn::rt::cuda {

thread_local std::vector<ContextObject *> Simulation::contexts;

Simulation &Simulation::get() {
  // Never destroyed: whoever still holds kernels at the end of the process may call.
  static auto *simulation = [] {
    auto *made = new Simulation;
    const char *text = std::getenv("SATTN_CUDA_SIM");
    if (!made->configure(text ? text : ""))
      made->configure("devices=0");
    return made;
  }();
  return *simulation;
}

static std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    parts.push_back(part);
  return parts;
}

bool Simulation::configure(const std::string &text) {
  uint64_t count = 1, bytes = uint64_t(1) << 30;
  std::vector<std::string> capabilities = {"90"};
  version = 13000;
  pools = true;
  refused.clear();
  for (const std::string &item : split(text, ',')) {
    size_t equals = item.find('=');
    if (equals == std::string::npos)
      return false;
    std::string key = item.substr(0, equals), value = item.substr(equals + 1);
    if (key == "devices")
      count = std::stoull(value);
    else if (key == "cc")
      capabilities = split(value, '+');
    else if (key == "memory")
      bytes = std::stoull(value);
    else if (key == "pools")
      pools = value != "0";
    else if (key == "version")
      version = std::stoi(value);
    else if (key == "refuse")
      refused = value;
    else
      return false;
  }
  queue.clear();
  allocations.clear();
  devices.clear();
  calls.clear();
  fault.clear();
  lost = Success;
  objects = 0;
  contexts.clear();
  for (size_t i = 0; i < count; ++i) {
    auto device = std::make_unique<SimulatedDevice>();
    device->capability = std::stoi(capabilities[std::min(i, capabilities.size() - 1)]);
    device->bytes = bytes;
    device->primary = {static_cast<int>(i), true};
    devices.push_back(std::move(device));
  }
  return true;
}

Result Simulation::issue(Stream handle, Task task) {
  StreamObject *stream = streamOf(handle);
  if (stream && stream->capture) {
    stream->capture->tasks.push_back(std::move(task));
    return Success;
  }
  // The default stream waits for the others, which a capture does not allow.
  if (!stream && breaksCapture())
    return StreamCaptureImplicit;
  if (lost != Success)
    return lost;
  queue.push_back(std::move(task));
  constexpr size_t much = 4096;
  return queue.size() > much ? drain() : Success;
}

Result Simulation::drain() {
  std::vector<Task> tasks;
  tasks.swap(queue);
  for (Task &task : tasks)
    if (Result result = task(); lost == Success)
      lost = result;
  return lost;
}

bool Simulation::breaksCapture() {
  bool any = false;
  for (StreamObject *stream : streams)
    if (stream->capture) {
      stream->broken = true;
      any = true;
    }
  return any;
}

StreamObject *Simulation::streamOf(Stream handle) {
  auto *stream = reinterpret_cast<StreamObject *>(handle);
  return streams.count(stream) ? stream : nullptr;
}

Call::Call(const char *function) : simulation(Simulation::get()), lock(simulation.mutex), allowed(Success) {
  ++simulation.calls[function];
  if (simulation.refused == function)
    allowed = 999;
}

namespace {
struct ErrorText {
  Result error;
  const char *name, *text;
};
constexpr ErrorText errorTexts[] = {
    {Success, "CUDA_SUCCESS", "no error"},
    {InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {InvalidPtx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {StreamCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {StreamCaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {StreamCaptureImplicit, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
     "operation would make the legacy stream depend on a "
     "capturing blocking stream"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const ErrorText *textOf(Result error) {
  for (const ErrorText &entry : errorTexts)
    if (entry.error == error)
      return &entry;
  return nullptr;
}
} // namespace

CUSIM(cuGetErrorName(Result error, const char **text)) {
  const ErrorText *entry = textOf(error);
  *text = entry ? entry->name : nullptr;
  return entry ? Success : InvalidValue;
}

CUSIM(cuGetErrorString(Result error, const char **text)) {
  Simulation &simulation = Simulation::get();
  const ErrorText *entry = textOf(error);
  *text = entry ? entry->text : nullptr;
  // The interpreter knows more than a GPU does.
  if (entry && error == LaunchFailed && !simulation.fault.empty())
    *text = simulation.fault.c_str();
  return entry ? Success : InvalidValue;
}

} // namespace sattn::rt::cuda

using sattn::rt::cuda::Simulation;
#define CUSIM_CONTROL extern "C" __attribute__((visibility("default")))

CUSIM_CONTROL int cusimConfigure(const char *text) {
  Simulation &simulation = Simulation::get();
  std::lock_guard lock(simulation.mutex);
  return simulation.configure(text) ? 0 : 1;
}
CUSIM_CONTROL void cusimRecover() {
  Simulation &simulation = Simulation::get();
  std::lock_guard lock(simulation.mutex);
  simulation.lost = sattn::rt::cuda::Success;
}
CUSIM_CONTROL uint64_t cusimCalls(const char *function) {
  Simulation &simulation = Simulation::get();
  std::lock_guard lock(simulation.mutex);
  return simulation.calls[function];
}
CUSIM_CONTROL uint64_t cusimMemoryInUse() {
  Simulation &simulation = Simulation::get();
  std::lock_guard lock(simulation.mutex);
  uint64_t bytes = 0;
  for (const auto &device : simulation.devices)
    bytes += device->used;
  return bytes;
}
CUSIM_CONTROL uint64_t cusimObjects() {
  Simulation &simulation = Simulation::get();
  std::lock_guard lock(simulation.mutex);
  return simulation.objects;
}
CUSIM_CONTROL uint64_t cusimPending() {
  Simulation &simulation = Simulation::get();
  std::lock_guard lock(simulation.mutex);
  return simulation.queue.size();
}

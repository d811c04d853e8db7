// Copies to and from CUDA devices (CudaMemory.h).
#include "tools/sparse-attn/CudaMemory.h"
#include "runtime/CudaDevices.h"
#include "tools/sparse-attn/ToolError.h"

#include <cstdlib>
#include <utility>

namespace sattn::tool {

using rt::CudaDriver;

static std::string library() {
  const char *name = std::getenv("SATTN_LIBCUDA");
  return name ? name : "";
}

static void check(const rt::Status &status) {
  if (status.failed())
    throw ToolError(status.text());
}

struct CudaMemory::State {
  std::shared_ptr<rt::CudaDevices> devices;
  std::unique_ptr<rt::CudaScope> current;
  std::vector<rt::cuda::Address> memory;
  rt::cuda::Event start = nullptr, end = nullptr;

  const CudaDriver &driver() const { return devices->driver(); }
};

CudaMemory::CudaMemory(int ordinal) : number(ordinal), state(std::make_unique<State>()) {
  check(rt::CudaDevices::open(library(), state->devices));
  rt::CudaContext *context = nullptr;
  check(state->devices->contextFor(ordinal, nullptr, context));
  state->current = std::make_unique<rt::CudaScope>(state->driver(), context->context());
  check(state->current->status());
}

CudaMemory::~CudaMemory() {
  for (rt::cuda::Address address : state->memory)
    state->driver().memoryFree(address);
  for (rt::cuda::Event event : {state->start, state->end})
    if (event)
      state->driver().eventDestroy(event);
  state->current.reset(); // before the driver goes
}

std::string CudaMemory::bestOf(const std::vector<std::string> &targets) const {
  rt::ComputeCapability capability = state->devices->list()[static_cast<size_t>(number)].capability;
  // "sm_90a" is better than "sm_90", which is better than "sm_89"; "sm_100a" has more digits than all of these.
  auto rank = [](const std::string &target) { return std::pair(std::atoi(target.c_str() + 3), target.back() == 'a'); };
  std::string best;
  for (const std::string &target : targets)
    if (rt::runsOn(target, capability) && (best.empty() || rank(best) < rank(target)))
      best = target;
  return best;
}

void *CudaMemory::allocate(size_t bytes) {
  if (bytes == 0)
    return nullptr;
  rt::cuda::Address address = 0;
  check(state->driver().check(state->driver().memoryAllocate(&address, bytes),
                              fmt::format("allocate {} bytes on cuda:{}", bytes, number)));
  state->memory.push_back(address);
  return reinterpret_cast<void *>(address);
}

void *CudaMemory::upload(const void *from, size_t bytes) {
  void *to = allocate(bytes);
  if (bytes)
    check(state->driver().check(state->driver().copyToDevice(reinterpret_cast<rt::cuda::Address>(to), from, bytes),
                                "copy to the device"));
  return to;
}

void CudaMemory::download(void *to, const void *from, size_t bytes) {
  if (bytes)
    check(state->driver().check(state->driver().copyToHost(to, reinterpret_cast<rt::cuda::Address>(from), bytes),
                                "copy from the device"));
}

void CudaMemory::synchronize() {
  check(state->driver().check(state->driver().streamSynchronize(nullptr), "finish the kernels"));
}

double CudaMemory::seconds(const std::function<void()> &launch) {
  const CudaDriver &driver = state->driver();
  for (rt::cuda::Event *event : {&state->start, &state->end})
    if (!*event)
      check(driver.check(driver.eventCreate(event, 0), "make an event"));
  check(driver.check(driver.eventRecord(state->start, nullptr), "record an event"));
  launch();
  check(driver.check(driver.eventRecord(state->end, nullptr), "record an event"));
  check(driver.check(driver.eventSynchronize(state->end), "finish the kernels"));
  float milliseconds = 0;
  check(driver.check(driver.eventElapsedTime(&milliseconds, state->start, state->end), "read the time"));
  return static_cast<double>(milliseconds) * 1e-3;
}

CudaFindings lookForCuda() {
  CudaFindings findings;
  std::shared_ptr<rt::CudaDevices> devices;
  if (rt::Status status = rt::CudaDevices::open(library(), devices); status.failed()) {
    findings.absent = status.text();
    return findings;
  }
  findings.driver =
      fmt::format("CUDA {} ({})", rt::cudaVersionText(devices->driver().version()), devices->driver().library());
  for (const rt::CudaDeviceInfo &info : devices->list()) {
    std::string target = rt::nearestGpuTarget(info.capability);
    findings.devices.push_back(fmt::format("{}, {:.1f} GiB, {} multiprocessors: {}", info.description(),
                                           static_cast<double>(info.bytes) * 0x1p-30, info.multiprocessors,
                                           target.empty() ? "too old for kernels of ours" : "target " + target));
  }
  return findings;
}

} // namespace sattn::tool

// The state of the simulated driver: devices, contexts, allocations, modules, streams, graphs. One mutex guards it all;
// every exported function takes it with `Call`. Relies on lib/ptx to execute kernels.
#pragma once

#include "lib/ptx/DeviceMemory.h"
#include "lib/ptx/Ptx.h"
#include "runtime/CudaTypes.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace sattn::rt::cuda {

/// Work that runs later; it returns what the driver would report at the next wait.
using Task = std::function<Result()>;

struct ContextObject {
  int device;
  bool isPrimary;
};

struct FunctionObject {
  ptx::Kernel kernel;
  std::string name;
  int dynamicShared = 48 << 10; ///< what a launch may ask for
  ContextObject *context;
};

struct ModuleObject {
  ContextObject *context;
  ptx::Module module;
  std::map<std::string, std::unique_ptr<FunctionObject>> functions;
};

struct LinkStateObject {
  std::string ptx, image;
  char *log = nullptr; ///< of the caller
  size_t logBytes = 0;
};

struct MemoryPoolObject {
  int device;
};

struct EventObject {
  double milliseconds = 0;
};

struct GraphObject {
  std::vector<Task> tasks;
  std::vector<Address> memory; ///< lives as long as the graph
};

struct StreamObject {
  ContextObject *context;
  std::unique_ptr<GraphObject> capture; ///< while it is captured
  bool broken = false;                  ///< a forbidden call happened meanwhile
};

struct SimulatedDevice {
  int capability = 90;
  uint64_t bytes = uint64_t(1) << 30, used = 0;
  ptx::Device memory;
  ContextObject primary;
  int retained = 0;
};

struct Allocation {
  std::vector<std::byte> bytes;
  int device;
  bool graphOwned = false;
};

class Simulation {
public:
  static Simulation &get();

  bool configure(const std::string &text);

  /// Issues work on a stream: into its graph while it is captured, else into the queue.
  Result issue(Stream stream, Task task);
  /// Runs what waits. Returns and keeps the first error: after a fault a context is lost.
  Result drain();
  /// What is forbidden while any stream is captured makes that capture fail.
  bool breaksCapture();
  StreamObject *streamOf(Stream handle);
  ContextObject *current() const { return contexts.empty() ? nullptr : contexts.back(); }
  Address allocate(int device, size_t bytes);
  bool release(Address address);
  std::pair<Allocation *, size_t> find(Address address, size_t bytes);

  std::recursive_mutex mutex;
  bool started = false;
  int version = 13000;
  bool pools = true;
  std::string refused, fault; ///< the function that fails; the report of a kernel that failed
  std::vector<std::unique_ptr<SimulatedDevice>> devices;
  std::map<Address, Allocation> allocations;
  std::set<StreamObject *> streams;
  std::set<ContextObject *> made; ///< contexts that are no primary ones
  std::map<std::string, uint64_t> calls;
  std::vector<Task> queue;
  Result lost = Success;
  uint64_t objects = 0, seed = 0;
  static thread_local std::vector<ContextObject *> contexts;
};

/// The beginning of every exported function: counts the call, takes the lock, knows whether it is to fail.
class Call {
public:
  explicit Call(const char *function);
  explicit operator bool() const { return allowed == Success; }
  Result error() const { return allowed; }
  /// Of functions that a capture does not allow: why this call fails, or Success.
  Result whileNothingIsCaptured() {
    return allowed != Success ? allowed : simulation.breaksCapture() ? StreamCaptureUnsupported : Success;
  }
  Simulation *operator->() const { return &simulation; }

private:
  Simulation &simulation;
  std::lock_guard<std::recursive_mutex> lock;
  Result allowed;
};

} // namespace sattn::rt::cuda

#define CUSIM(...) extern "C" __attribute__((visibility("default"))) Result __VA_ARGS__

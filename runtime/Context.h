// A context: the way from a spec to a kernel. Memory, then bundles, then the disk cache, then the compile hook; each
// miss is handled by one thread while others that want the same kernel wait for it (single flight).
#pragma once

#include "runtime/Bundles.h"
#include "runtime/CudaCode.h"
#include "runtime/DiskCache.h"
#include "runtime/Isa.h"
#include "runtime/Kernel.h"
#include "runtime/MemoryCache.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

namespace sattn::rt {

struct CompileHook {
  sattn_compile function = nullptr;
  void *user = nullptr;
  std::string build;
};

class Context final : ForkAware {
public:
  struct Options {
    std::string cacheDir;
    uint64_t cacheBytes;
    bool memoryOnly;
    bool jitOff;
    std::string jitOffReason; ///< "SATTN_JIT is off", for messages
    Isa target;
    std::string cudaLibrary; ///< the driver's library; "": its own name
  };

  Context(const Options &options, std::shared_ptr<Engine> engine);
  ~Context();

  /// The kernel of a spec as it was given, retained for the caller. A hit takes no lock and allocates nothing.
  Status get(const RawSpec &spec, Kernel *&out);

  void setCompileHook(CompileHook hook);
  void setDevice(const sattn_device &device);
  Status loadBundle(std::string_view bytes);

  /// Text for sattn_explain_spec().
  Status explain(const RawSpec &spec, std::string &out);

  Engine &engine() const { return *runEngine; }
  const DiskCache::Counters &diskCounters() const { return counters; }
  DiskCache *disk() const { return diskCache.get(); }

private:
  /// What get() works on once the spec was not found in memory.
  struct Question {
    Request request;
    bool exact;      ///< the spec names its target: no other level will do
    int device = -1; ///< "cuda:N": N
    Key key;
  };
  struct Flight {
    bool done = false;
    Status status;
    Kernel *kernel = nullptr;
    std::condition_variable landed;
  };
  using FlightKey = std::pair<Digest, bool>;

  Status ask(const RawSpec &spec, Question &question);
  Status getSlowly(const RawSpec &spec, uint64_t hash, Kernel *&out);
  Status produce(const Question &question, Kernel *&out);
  bool fromBundle(const Question &question, Status &status, Kernel *&out);
  bool fromDisk(const Question &question, Kernel *&out);
  Status compile(const Question &question, Kernel *&out);
  Status callHook(const Question &question, std::string &bytes);
  Status checkCompiled(const Question &question, std::string_view bytes, Manifest &manifest, std::string_view &code);
  bool fromLowerLevel(const Question &question, Kernel *&out);
  Status noCompiler(const Question &question);
  std::vector<ManifestHead> cachedHeads();
  Status loadKernel(Manifest manifest, std::string_view code, const std::string *stem, int device, Kernel *&out);
  Status loadDeviceKernel(Manifest manifest, std::string_view code, const std::string *stem, int device, Kernel *&out);
  /// Opens the driver of CUDA with the first kernel that needs it.
  Status openCuda(std::shared_ptr<CudaDevices> &out);
  /// The target that a spec's "cuda:N" stands for.
  Status resolveCuda(std::string_view name, int ordinal, std::string &target);
  CompileHook currentHook();
  std::optional<sattn_device> currentDevice();
  Kernel *loadedKernel(const Digest &request);

  void beforeFork() override { mutex.lock(); }
  void afterForkParent() override { mutex.unlock(); }
  void afterForkChild() override;

  const Options options;
  std::shared_ptr<Engine> runEngine;
  DiskCache::Counters counters;
  std::unique_ptr<DiskCache> diskCache; ///< null: memory-only
  std::atomic<bool> warnedNoExec{false};

  std::mutex cudaMutex; ///< guards `cuda`; opening a driver takes long
  std::shared_ptr<CudaDevices> cuda;

  MemoryCache memory; ///< read without the mutex
  std::mutex mutex;   ///< guards everything below, and writing `memory`
  CompileHook hook;
  std::optional<sattn_device> device;
  Bundles bundles;
  std::map<Digest, Kernel *> kernels; ///< by Key::request; one reference each
  std::map<FlightKey, std::shared_ptr<Flight>> flights;
};

} // namespace sattn::rt

// The runtime with the compiler behind it, for one run of the tool: owns a context, gets kernels, runs them.
#pragma once
#include "tools/sparse-attn/CudaMemory.h"
#include "tools/sparse-attn/Invocation.h"
#include "tools/sparse-attn/Placed.h"

#include <sattn/sattn.h>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace sattn::tool {

struct EngineOptions {
  int threads = 0;
  bool memoryOnly = false; ///< neither read nor write the disk cache
  std::string target = {}; ///< as the command line names it
  uint64_t warpOrder = 0;  ///< seed of the interpreter of PTX
};

/// Throws the runtime's text where `status` is an error.
void check(sattn_status status);

class Engine {
public:
  /// `file` names the pattern in messages of the compiler.
  explicit Engine(const EngineOptions &options, const std::string &file = "");
  Engine(const Engine &) = delete;
  ~Engine();

  sattn_context *context() const { return handle; }
  /// As the runtime names it.
  const std::string &target() const { return targetName; }
  sattn_kernel *get(const std::string &text, const std::string &bind);
  /// Null where the compiler has no such kernel of the pattern, which it says by number (SA0205).
  sattn_kernel *find(const std::string &text, const std::string &bind);
  /// The kernel of a call, which no longer keeps summaries where the pattern makes none.
  sattn_kernel *getKeeping(Invocation &call);
  /// Where operands and results stand: null for the host's memory. Opened when first asked for.
  CudaMemory *memory();
  /// Ordinal of the device of CUDA, -1 for other targets.
  int cudaDevice() const { return device; }
  sattn_stats_data stats() const;

private:
  sattn_context *handle = nullptr;
  std::string file;
  std::string targetName;
  int device = -1;
  std::vector<sattn_kernel *> kernels;
  std::unique_ptr<CudaMemory> deviceMemory;
};

/// The results of one call; memory for all that were asked for.
struct Results {
  std::vector<std::string> names;
  std::vector<Tensor> tensors;
  const Tensor &of(const std::string &name) const;
};

/// A sattn_call over an invocation and its results, with the memory that it points into.
class BoundCall {
public:
  /// Allocates `names`, or every result where it is empty; operands are copied to the engine's device. `strides` other
  /// than 0 seeds where operands and results lie in memory, compact arrays otherwise.
  BoundCall(Engine &engine, const Invocation &call, const std::vector<std::string> &names, int threads = 0,
            uint64_t strides = 0);
  /// For looking at a call: of the device there is no memory.
  struct Dry {};
  BoundCall(Dry, const Engine &engine, const Invocation &call);
  BoundCall(const BoundCall &) = delete;

  /// Gives a kernel of `keep=summaries` the tensors that it extends, and fills them by a call whose rows begin with the
  /// keys, as the calls of a sequence so far would have. Nothing for other kernels.
  void keep(sattn_kernel *kernel, const Invocation &call);
  /// Runs the kernel and waits; results() has its results then.
  void run(sattn_kernel *kernel);
  /// Runs the kernel, leaving results where they are, and returns the seconds that it took: of the device, where there
  /// is one.
  double time(sattn_kernel *kernel);
  const sattn_call *get() const { return &raw; }
  const Results &results() const { return made; }
  /// Whether the last run wrote between the elements of a result.
  bool wroteBetween() const { return strayed; }

private:
  void bind(const Invocation &call, const std::vector<std::string> &names, int threads);
  /// `upload`: the device gets the contents, else memory alone.
  DLTensor &view(const Tensor &tensor, bool upload);
  /// Sets the strides of a kept tensor.
  void headsFirst(DLTensor &tensor, const sattn_operand_info &info);
  /// Lets `view` of a tensor point to memory with drawn strides.
  Placed &place(DLTensor &view, const Tensor &tensor, const std::vector<std::string> &axes, Random &random);

  CudaMemory *memory = nullptr;
  int device = -1; ///< of CUDA
  Results made;
  std::vector<Tensor> kept;
  std::deque<std::vector<int64_t>> keptStrides; ///< whose elements do not move
  std::vector<std::unique_ptr<Placed>> placed;
  std::vector<Placed *> placedResults;
  bool strayed = false;
  std::vector<std::unique_ptr<DLTensor>> views;
  std::vector<sattn_tensor> inputs, outputs;
  std::vector<sattn_param> params;
  sattn_call raw{};
};

} // namespace sattn::tool

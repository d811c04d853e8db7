// The runtime with the compiler behind it, for one run of the tool: owns a context, gets kernels, runs them.
#pragma once
#include "tools/sparse-attn/Invocation.h"

#include <sattn/sattn.h>

#include <memory>
#include <string>
#include <vector>

namespace sattn::tool {

struct EngineOptions {
  int threads = 0;
  bool memoryOnly = false; ///< neither read nor write the disk cache
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
  sattn_kernel *get(const std::string &text, const std::string &bind, const std::string &target);
  sattn_stats_data stats() const;

private:
  sattn_context *handle = nullptr;
  std::string file;
  std::vector<sattn_kernel *> kernels;
};

/// A target as the command line names it: "" and "cpu" stand for this machine, "ptx-sim" for "sm_80" and
/// "ptx-sim:sm_90a" for "sm_90a", which the interpreter runs. Refuses names of other kinds of targets.
std::string checkTarget(const std::string &target);

/// The results of one call; memory for all that were asked for.
struct Results {
  std::vector<std::string> names;
  std::vector<Tensor> tensors;
  const Tensor &of(const std::string &name) const;
};

/// A sattn_call over an invocation and its results, with the memory that it points into.
class BoundCall {
public:
  /// Allocates `names`, or every result where it is empty.
  BoundCall(const Invocation &call, const std::vector<std::string> &names, int threads = 0);
  BoundCall(const BoundCall &) = delete;

  void run(sattn_kernel *kernel) { check(sattn_run(kernel, &raw)); }
  const sattn_call *get() const { return &raw; }
  const Results &results() const { return made; }

private:
  DLTensor &view(const Tensor &tensor);

  Results made;
  std::vector<std::unique_ptr<DLTensor>> views;
  std::vector<sattn_tensor> inputs, outputs;
  std::vector<sattn_param> params;
  sattn_call raw{};
};

} // namespace sattn::tool

// What the tests of the C interface share: a compile hook over the test kernels, contexts, tensors, calls.
#pragma once

#include "test/runtime/Support.h"

#include <sattn/sattn.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace sattn::rt::testing {

/// A compile hook that knows the manifests of Support.h by their pattern text and counts its calls.
class TestCompiler {
public:
  TestCompiler();

  /// Adds or replaces what `manifest["pattern"]` compiles to; an empty code means the test kernels.
  void add(const json &manifest, const std::string &code = "");

  /// Called before each compilation.
  std::function<void(const sattn_spec &)> before;

  static sattn_status compile(void *self, const sattn_spec *spec, void **bytes, size_t *size, char **error);

  std::atomic<int> calls{0};
  std::string build = "test 1";

private:
  std::mutex mutex;
  std::map<std::string, std::pair<json, std::string>> texts;
};

/// A context that logs into `lines`, with `compiler` as its hook if there is one.
class TestContext {
public:
  /// `cacheDir` empty: memory-only.
  explicit TestContext(TestCompiler *compiler, const std::string &cacheDir = "",
                       const std::function<void(sattn_options &)> &change = nullptr);
  ~TestContext();
  TestContext(const TestContext &) = delete;

  sattn_context *get() const { return context; }
  /// Destroys the context and its kernels before the end of its life.
  void close();
  std::vector<std::string> lines() const;
  sattn_stats_data stats() const;

  /// The kernel of a manifest of Support.h; fails the test if there is none. Released with the context.
  sattn_kernel *kernel(const json &manifest, const std::string &target = "");
  /// The status, releasing a kernel that was got.
  sattn_status tryGet(const json &manifest, const std::string &target = "");

private:
  static void log(void *self, sattn_log_level level, const char *line);

  sattn_context *context = nullptr;
  mutable std::mutex mutex;
  std::vector<std::string> logged;
  std::vector<sattn_kernel *> kernels;
};

/// A DLTensor with its shape, strides and, unless given, memory.
struct Tensor {
  /// Compact, filled with `fill`.
  Tensor(std::vector<int64_t> shape, float fill = 0);
  /// A view of other memory.
  Tensor(float *data, std::vector<int64_t> shape, std::vector<int64_t> strides);
  Tensor(const Tensor &) = delete;

  float &operator[](size_t i) { return memory[i]; }

  std::vector<int64_t> shape, strides;
  std::vector<float> memory;
  DLTensor dl = {};
};

/// A sattn_call that is built up.
struct CallBuilder {
  CallBuilder() { call.struct_size = sizeof(call); }
  CallBuilder &input(const char *name, Tensor &tensor);
  CallBuilder &output(const char *name, Tensor &tensor);
  CallBuilder &param(const char *name, int64_t value);
  CallBuilder &param(const char *name, double value);
  sattn_call *get();

  sattn_call call = {};
  std::vector<sattn_tensor> inputs, outputs;
  std::vector<sattn_param> params;
};

/// One number for all batch entries, or one for each.
struct PerBatchValues {
  PerBatchValues(std::vector<int64_t> values) : values(std::move(values)) {}
  operator sattn_per_batch() const { return {values.data(), static_cast<int64_t>(values.size())}; }
  std::vector<int64_t> values;
};

/// Checks that a call fails with `status` and a text that contains `part`.
void checkError(sattn_status actual, sattn_status status, const std::string &part);
#define CHECK_ERROR(call, status, part)                                                                                \
  do {                                                                                                                 \
    INFO(#call);                                                                                                       \
    ::sattn::rt::testing::checkError(call, status, part);                                                              \
  } while (false)
#define CHECK_RUN(call)                                                                                                \
  do {                                                                                                                 \
    sattn_status checkedCall = (call);                                                                                 \
    CHECK_MESSAGE(checkedCall == SATTN_OK, sattn_last_error());                                                        \
  } while (false)

} // namespace sattn::rt::testing

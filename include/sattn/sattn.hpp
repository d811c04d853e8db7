// sattn.hpp: the C interface of sattn.h as C++20, header-only. Handles own what they hold, failures throw sattn::Error,
// and a call is written as it reads:
//
//   sattn::Context context;
//   sattn::Kernel kernel = context.get(patternText, "D=64,Dv=64,dtype=f32,group=1");
//   sattn::Call()
//       .input("q", sattn::Tensor(q, {B, T, H, D}))
//       .input("k", sattn::Tensor(k, {B, S, H, D})).input("v", sattn::Tensor(v, {B, S, H, D}))
//       .output("o", sattn::Tensor(o, {B, T, H, D}))
//       .param("W", 512).qOffset(S - T)
//       .run(kernel);
//
// Contracts, costs and thread-safety are those of sattn.h. The library itself throws nothing: exceptions begin and end
// in the program that includes this file.
#ifndef SATTN_SATTN_HPP
#define SATTN_SATTN_HPP

#include <sattn/sattn.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sattn {

/// A failed call: its status, and the library's text as what().
class Error : public std::runtime_error {
public:
  Error(sattn_status status, const char *text) : std::runtime_error(text), code(status) {}
  sattn_status status() const { return code; }

private:
  sattn_status code;
};

inline void check(sattn_status status) {
  if (status != SATTN_OK)
    throw Error(status, sattn_last_error());
}

inline constexpr DLDataType float32{kDLFloat, 32, 1}, float16{kDLFloat, 16, 1}, bfloat16{kDLBfloat, 16, 1},
    int32{kDLInt, 32, 1}, int8{kDLInt, 8, 1}, uint8{kDLUInt, 8, 1};

/// A view of memory of the caller: data, dtype, shape and strides in elements (none: compact, row-major).
class Tensor {
public:
  Tensor(const void *data, DLDataType dtype, std::vector<int64_t> shape, std::vector<int64_t> strides = {})
      : memory(const_cast<void *>(data)), type(dtype), sizes(std::move(shape)), steps(std::move(strides)) {
    if (!steps.empty() && steps.size() != sizes.size())
      throw Error(SATTN_BAD_ARGUMENT, "sattn::Tensor: strides and shape differ in length");
  }
  Tensor(const float *data, std::vector<int64_t> shape, std::vector<int64_t> strides = {})
      : Tensor(data, float32, std::move(shape), std::move(strides)) {}
  Tensor(const int32_t *data, std::vector<int64_t> shape, std::vector<int64_t> strides = {})
      : Tensor(data, int32, std::move(shape), std::move(strides)) {}

  const std::vector<int64_t> &shape() const { return sizes; }

private:
  friend class Call;
  void *memory;
  DLDataType type;
  std::vector<int64_t> sizes, steps;
};

/// A kernel; copies share it.
class Kernel {
public:
  /// Takes over one reference.
  explicit Kernel(sattn_kernel *kernel) : handle(kernel, sattn_kernel_release) {}

  sattn_kernel *get() const { return handle.get(); }
  std::string name() const { return sattn_kernel_name(get()); }
  std::string target() const { return sattn_kernel_target(get()); }
  std::string bind() const { return sattn_kernel_bind(get()); }
  std::string build() const { return sattn_kernel_build(get()); }
  std::string key() const { return sattn_kernel_key(get()); }
  std::string manifest() const { return sattn_kernel_manifest(get()); }

  std::vector<sattn_operand_info> roles() const {
    return list<sattn_operand_info>(sattn_kernel_role_count(get()), sattn_kernel_role);
  }
  std::vector<sattn_operand_info> results() const {
    return list<sattn_operand_info>(sattn_kernel_result_count(get()), sattn_kernel_result);
  }
  std::vector<sattn_param_info> params() const {
    return list<sattn_param_info>(sattn_kernel_param_count(get()), sattn_kernel_param);
  }

  /// The plan and the compiler's reasons in words, and as JSON.
  std::string explain() const { return explained(sattn_explain, nullptr); }
  std::string explainJson() const { return explained(sattn_explain_json, nullptr); }

private:
  friend class Call;
  std::string explained(decltype(&sattn_explain) function, const sattn_call *call) const {
    char *text = nullptr;
    check(function(get(), call, &text));
    std::unique_ptr<char, decltype(&sattn_free)> own(text, sattn_free);
    return text;
  }

  template <typename Info, typename Function> std::vector<Info> list(size_t count, Function function) const {
    std::vector<Info> all(count, Info{});
    for (size_t i = 0; i < count; ++i) {
      all[i].struct_size = sizeof(Info);
      check(function(get(), i, &all[i]));
    }
    return all;
  }

  std::shared_ptr<sattn_kernel> handle;
};

/// One call, built up and then run, any number of times. Tensors are views: their memory must outlive run().
class Call {
public:
  Call &input(std::string name, Tensor tensor) { return add(inputs, std::move(name), std::move(tensor)); }
  Call &output(std::string name, Tensor tensor) { return add(outputs, std::move(name), std::move(tensor)); }

  template <typename Number> Call &param(std::string name, Number value) {
    static_assert(std::is_arithmetic_v<Number>, "params are numbers");
    sattn_param entry = {};
    entry.type = std::is_integral_v<Number> ? SATTN_PARAM_INT : SATTN_PARAM_FLOAT;
    if constexpr (std::is_integral_v<Number>)
      entry.int_value = static_cast<int64_t>(value);
    else
      entry.float_value = static_cast<double>(value);
    params.emplace_back(std::move(name), entry);
    return *this;
  }

  /// One number for all batch entries, or one each.
  Call &qOffset(std::vector<int64_t> values) { return set(qOffsets, std::move(values)); }
  Call &kvOffset(std::vector<int64_t> values) { return set(kvOffsets, std::move(values)); }
  Call &kvLen(std::vector<int64_t> values) { return set(kvLens, std::move(values)); }
  Call &qOffset(int64_t value) { return set(qOffsets, {value}); }
  Call &kvOffset(int64_t value) { return set(kvOffsets, {value}); }
  Call &kvLen(int64_t value) { return set(kvLens, {value}); }

  /// Packed sequences: rows over t, or over s, of sequence b are cu[b] up to cu[b + 1], without a batch dimension.
  Call &cuQ(std::vector<int64_t> cumulative) { return set(cuQs, std::move(cumulative)); }
  Call &cuKv(std::vector<int64_t> cumulative) { return set(cuKvs, std::move(cumulative)); }

  /// Keys and values lie in pools of pages of `size` positions: for kernels with 'paged=size' in their bind. The table
  /// is int32 [B, entries].
  Call &pages(Tensor table, int64_t size) {
    pageTable.assign(1, {"page_table", std::move(table)});
    pageSize = size;
    return *this;
  }

  /// Memory for the call, 64-byte aligned.
  Call &workspace(void *memory, size_t size) {
    workspaceMemory = memory;
    workspaceBytes = size;
    return *this;
  }
  Call &threads(int count) {
    threadCount = count;
    return *this;
  }
  /// The tensors stand in memory of a CUDA device; the kernel's launches go to `stream`, a CUstream of that device, and
  /// run() does not wait for them.
  Call &cuda(int ordinal, void *stream = nullptr) {
    device = {kDLCUDA, ordinal};
    cudaStream = stream;
    return *this;
  }

  void run(const Kernel &kernel) const {
    with([&](const sattn_call &call) { check(sattn_run(kernel.get(), &call)); });
  }

  size_t workspaceSize(const Kernel &kernel) const {
    size_t bytes = 0;
    with([&](const sattn_call &call) { check(sattn_workspace_size(kernel.get(), &call, &bytes)); });
    return bytes;
  }

  /// The plan and the compiler's reasons in words, and as JSON, with the sizes, launches and key tiles of this call.
  std::string explain(const Kernel &kernel) const { return explained(kernel, sattn_explain); }
  std::string explainJson(const Kernel &kernel) const { return explained(kernel, sattn_explain_json); }

private:
  using Named = std::pair<std::string, Tensor>;

  std::string explained(const Kernel &kernel, decltype(&sattn_explain) function) const {
    std::string text;
    with([&](const sattn_call &call) { text = kernel.explained(function, &call); });
    return text;
  }

  Call &add(std::vector<Named> &list, std::string name, Tensor tensor) {
    list.emplace_back(std::move(name), std::move(tensor));
    return *this;
  }
  Call &set(std::vector<int64_t> &place, std::vector<int64_t> values) {
    place = std::move(values);
    return *this;
  }

  static sattn_per_batch perBatch(const std::vector<int64_t> &values) {
    return {values.data(), static_cast<int64_t>(values.size())};
  }

  /// The C structs of the tensors of one list; `tensors` holds what they point to.
  static std::vector<sattn_tensor> flatten(const std::vector<Named> &list, DLDevice device,
                                           std::deque<DLTensor> &tensors) {
    std::vector<sattn_tensor> flat;
    for (const auto &[name, tensor] : list) {
      DLTensor view = {};
      view.data = tensor.memory;
      view.device = device;
      view.ndim = static_cast<int>(tensor.sizes.size());
      view.dtype = tensor.type;
      view.shape = const_cast<int64_t *>(tensor.sizes.data());
      view.strides = tensor.steps.empty() ? nullptr : const_cast<int64_t *>(tensor.steps.data());
      tensors.push_back(view);
      flat.push_back({name.c_str(), &tensors.back()});
    }
    return flat;
  }

  template <typename Body> void with(Body body) const {
    std::deque<DLTensor> tensors;
    std::vector<sattn_tensor> in = flatten(inputs, device, tensors), out = flatten(outputs, device, tensors);
    std::vector<sattn_tensor> table = flatten(pageTable, device, tensors);
    std::vector<sattn_param> values;
    for (const auto &[name, value] : params) {
      values.push_back(value);
      values.back().name = name.c_str();
    }
    sattn_call call = {};
    call.struct_size = sizeof(call);
    call.inputs = in.data();
    call.input_count = in.size();
    call.outputs = out.data();
    call.output_count = out.size();
    call.params = values.data();
    call.param_count = values.size();
    call.q_offset = perBatch(qOffsets);
    call.kv_offset = perBatch(kvOffsets);
    call.kv_len = perBatch(kvLens);
    call.cu_q = perBatch(cuQs);
    call.cu_kv = perBatch(cuKvs);
    call.page_table = table.empty() ? nullptr : table[0].tensor;
    call.page_size = pageSize;
    call.workspace = workspaceMemory;
    call.workspace_size = workspaceBytes;
    call.stream = cudaStream;
    call.threads = threadCount;
    body(call);
  }

  std::vector<Named> inputs, outputs, pageTable;
  int64_t pageSize = 0;
  std::vector<std::pair<std::string, sattn_param>> params;
  std::vector<int64_t> qOffsets, kvOffsets, kvLens, cuQs, cuKvs;
  void *workspaceMemory = nullptr;
  size_t workspaceBytes = 0;
  int threadCount = 0;
  DLDevice device = {kDLCPU, 0};
  void *cudaStream = nullptr;
};

/// Options of a context; what is not set has the default of sattn_options.
struct Options {
  std::string cacheDir;
  uint64_t cacheBytes = 0;
  bool memoryOnly = false;
  bool jitOff = false;
  int threads = 0;
  std::string target;
};

/// A context; it cannot be copied.
class Context {
public:
  explicit Context(const Options &options = {}) {
    sattn_options given = {};
    given.struct_size = sizeof(given);
    given.cache_dir = options.cacheDir.empty() ? nullptr : options.cacheDir.c_str();
    given.cache_bytes = options.cacheBytes;
    given.memory_only = options.memoryOnly;
    given.jit_off = options.jitOff;
    given.threads = options.threads;
    given.target = options.target.empty() ? nullptr : options.target.c_str();
    create(given);
  }
  /// For what Options does not have: hooks.
  explicit Context(const sattn_options &options) { create(options); }

  sattn_context *get() const { return handle.get(); }

  Kernel get(std::string_view pattern, const std::string &bind, const std::string &target = "") const {
    sattn_spec spec = specOf(pattern, bind, target);
    sattn_kernel *kernel = nullptr;
    check(sattn_get(get(), &spec, &kernel));
    return Kernel(kernel);
  }

  void setCompileHook(sattn_compile compile, void *user, const std::string &build) {
    check(sattn_set_compile_hook(get(), compile, user, build.c_str()));
  }

  void loadBundle(std::string_view bytes) { check(sattn_load_bundle(get(), bytes.data(), bytes.size())); }

  sattn_stats_data stats() const {
    sattn_stats_data data = {};
    data.struct_size = sizeof(data);
    check(sattn_stats(get(), &data));
    return data;
  }

  /// Where the kernel of a spec would come from, in words.
  std::string explain(std::string_view pattern, const std::string &bind, const std::string &target = "") const {
    sattn_spec spec = specOf(pattern, bind, target);
    char *text = nullptr;
    check(sattn_explain_spec(get(), &spec, &text));
    std::unique_ptr<char, decltype(&sattn_free)> own(text, sattn_free);
    return text;
  }

private:
  void create(const sattn_options &options) {
    sattn_context *context = nullptr;
    check(sattn_context_create(&options, &context));
    handle.reset(context);
  }

  static sattn_spec specOf(std::string_view pattern, const std::string &bind, const std::string &target) {
    sattn_spec spec = {};
    spec.struct_size = sizeof(spec);
    // Size 0 would mean "up to the terminating 0".
    spec.pattern = pattern.empty() ? "" : pattern.data();
    spec.pattern_size = pattern.size();
    spec.bind = bind.c_str();
    spec.target = target.empty() ? nullptr : target.c_str();
    return spec;
  }

  struct Destroy {
    void operator()(sattn_context *context) const { sattn_context_destroy(context); }
  };
  std::unique_ptr<sattn_context, Destroy> handle;
};

} // namespace sattn

#endif // SATTN_SATTN_HPP

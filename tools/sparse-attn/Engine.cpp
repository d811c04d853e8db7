// Context, compile hook with the file's name, and the call struct.
#include "tools/sparse-attn/Engine.h"
#include "runtime/GpuTarget.h"
#include "tools/sparse-attn/PtxSim.h"
#include "tools/sparse-attn/ToolError.h"

#include <sattn/compiler.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <utility>

namespace sattn::tool {

void check(sattn_status status) {
  if (status != SATTN_OK)
    throw ToolError(*sattn_last_error() ? sattn_last_error() : sattn_status_name(status));
}

/// The compile hook; `user` is the name of the pattern's file.
static sattn_status compile(void *user, const sattn_spec *spec, void **bytes, size_t *size, char **error) {
  sattn_compile_options options{};
  options.struct_size = sizeof options;
  options.file_name = static_cast<const std::string *>(user)->c_str();
  return sattn_compiler_compile(spec, &options, bytes, size, error);
}

/// A target as the command line names it becomes one of the runtime: "" and "cpu" stand for this machine, "ptx-sim" for
/// "sm_80" and "ptx-sim:sm_90a" for "sm_90a", which the interpreter runs; "cuda:1" and "sm_90a" are the driver's.
static std::string checkTarget(const std::string &target, bool &interpreted, int &device) {
  static const char *known[] = {"cpu", "cpu-baseline", "cpu-avx2", "cpu-avx512", "cpu-avx512-bf16", "cpu-amx"};
  device = -1;
  std::string arch = ptxSimTarget(target);
  interpreted = !arch.empty();
  if (interpreted)
    return arch;
  if (target.empty())
    return "cpu";
  if (std::find(std::begin(known), std::end(known), target) != std::end(known))
    return target;
  if (!rt::isGpuTarget(target) && !rt::parseCudaTarget(target, device))
    fail(Err::UnknownTarget, target);
  device = std::max(device, 0);
  return target;
}

Engine::Engine(const EngineOptions &options, const std::string &file) : file(file) {
  bool interpreted = false;
  targetName = checkTarget(options.target, interpreted, device);
  sattn_options raw{};
  raw.struct_size = sizeof raw;
  raw.threads = options.threads;
  raw.memory_only = options.memoryOnly;
  check(sattn_context_create(&raw, &handle));
  if (interpreted)
    installPtxSim(handle, options.warpOrder);
  check(sattn_set_compile_hook(handle, compile, &this->file, sattn_compiler_build()));
}

Engine::~Engine() {
  for (sattn_kernel *kernel : kernels)
    sattn_kernel_release(kernel);
  deviceMemory.reset();
  sattn_context_destroy(handle);
}

CudaMemory *Engine::memory() {
  if (device >= 0 && !deviceMemory)
    deviceMemory = std::make_unique<CudaMemory>(device);
  return deviceMemory.get();
}

sattn_kernel *Engine::get(const std::string &text, const std::string &bind) {
  sattn_spec spec{};
  spec.struct_size = sizeof spec;
  spec.pattern = text.c_str();
  spec.pattern_size = text.size();
  spec.bind = bind.c_str();
  spec.target = targetName.c_str();
  sattn_kernel *kernel = nullptr;
  check(sattn_get(handle, &spec, &kernel));
  kernels.push_back(kernel);
  return kernel;
}

sattn_kernel *Engine::find(const std::string &text, const std::string &bind) {
  try {
    return get(text, bind);
  } catch (const ToolError &error) {
    if (std::string_view(error.what()).find("[SA0205]") == std::string_view::npos)
      throw;
    return nullptr;
  }
}

sattn_kernel *Engine::getKeeping(Invocation &call) {
  if (call.keepSummaries)
    if (sattn_kernel *kernel = find(call.file.text, call.bind()))
      return kernel;
  call.keepSummaries = false;
  return get(call.file.text, call.bind());
}

sattn_stats_data Engine::stats() const {
  sattn_stats_data data{};
  data.struct_size = sizeof data;
  check(sattn_stats(handle, &data));
  return data;
}

const Tensor &Results::of(const std::string &name) const {
  size_t at = std::find(names.begin(), names.end(), name) - names.begin();
  return tensors[at];
}

DLTensor &BoundCall::view(const Tensor &tensor, bool upload) {
  DLTensor &raw = *views.emplace_back(std::make_unique<DLTensor>());
  raw.data = tensor.data.get();
  raw.device = {device < 0 ? kDLCPU : kDLCUDA, std::max(device, 0)};
  if (memory)
    raw.data = upload ? memory->upload(tensor.data.get(), tensor.bytes()) : memory->allocate(tensor.bytes());
  raw.ndim = static_cast<int32_t>(tensor.shape.size());
  raw.dtype = dlTypeOf(tensor.dtype);
  raw.shape = const_cast<int64_t *>(tensor.shape.data()); // only read
  raw.strides = nullptr;
  raw.byte_offset = 0;
  return raw;
}

static sattn_per_batch perBatch(const std::vector<int64_t> &values) {
  return {values.data(), static_cast<int64_t>(values.size())};
}

Placed &BoundCall::place(DLTensor &view, const Tensor &tensor, const std::vector<std::string> &axes, Random &random) {
  auto isFeature = [](const std::string &axis) { return axis[0] == 'D' || std::isdigit(axis[0]); };
  auto features = std::find_if_not(axes.rbegin(), axes.rend(), isFeature) - axes.rbegin();
  Placed &other = *placed.emplace_back(std::make_unique<Placed>(tensor, static_cast<int>(features), random));
  view.data = other.origin();
  view.strides = const_cast<int64_t *>(other.strides().data()); // only read
  return other;
}

BoundCall::BoundCall(Engine &engine, const Invocation &call, const std::vector<std::string> &names, int threads,
                     uint64_t strides)
    : memory(engine.memory()), device(engine.cudaDevice()) {
  bind(call, names, threads);
  if (strides == 0)
    return;
  if (memory)
    fail(Err::StridesOnDevice);
  Random random(strides);
  for (size_t i = 0; i < call.operands.size(); ++i) {
    const Operand &operand = call.operands[i];
    const Tensor &tensor = operand.pool.data ? operand.pool : operand.tensor;
    place(*views[i], tensor, call.info.role(operand.name)->axes, random).put();
  }
  for (size_t i = 0; i < made.names.size(); ++i)
    placedResults.push_back(
        &place(*views[call.operands.size() + i], made.tensors[i], call.info.result(made.names[i])->axes, random));
}

BoundCall::BoundCall(Dry, const Engine &engine, const Invocation &call) : device(engine.cudaDevice()) {
  bind(call, {}, 0);
}

// Blocks that cover `keys` keys, of an axis "c(32, 16) kept".
static int64_t blocksOf(const std::string &axis, int64_t keys) {
  int64_t length = 1, stride = 0;
  if (std::sscanf(axis.c_str(), "%*[^(](%" SCNd64 ", %" SCNd64, &length, &stride) < 2)
    stride = length;
  return (keys + stride - 1) / stride;
}

// Lets a compact tensor hold the blocks of each head together, as kernels read them.
void BoundCall::headsFirst(DLTensor &tensor, const sattn_operand_info &info) {
  std::vector<int> order(static_cast<size_t>(tensor.ndim)); // outermost first
  std::iota(order.begin(), order.end(), 0);
  auto axis = [&](std::string_view letters) {
    return std::find_if(order.begin(), order.end(),
                        [&](int d) { return letters.find(info.axes[d][0]) != std::string_view::npos; });
  };
  auto head = axis("gh"), block = axis("c");
  if (head == order.end() || head < block)
    return;
  std::rotate(block, head, head + 1);
  std::vector<int64_t> &strides = keptStrides.emplace_back(order.size());
  int64_t stride = 1;
  for (auto d = order.rbegin(); d != order.rend(); ++d)
    strides[static_cast<size_t>(*d)] = std::exchange(stride, stride * std::max<int64_t>(tensor.shape[*d], 1));
  tensor.strides = strides.data();
}

void BoundCall::keep(sattn_kernel *kernel, const Invocation &call) {
  for (size_t i = 0; i < sattn_kernel_role_count(kernel); ++i) {
    sattn_operand_info info = {};
    info.struct_size = sizeof info;
    check(sattn_kernel_role(kernel, i, &info));
    if (!info.kept)
      continue;
    Shape shape;
    for (int32_t d = 0; d < info.ndim; ++d) {
      std::string axis = info.axes[d];
      shape.push_back(info.sizes[d] >= 0 ? info.sizes[d]
                      : axis[0] == 'c'   ? blocksOf(axis, call.size("s"))
                                         : call.size(axis));
    }
    Dtype dtype = Dtype::F32;
    parseDtype(info.dtype, dtype);
    // The list may not move: views point to its tensors.
    kept.reserve(sattn_kernel_role_count(kernel));
    kept.push_back(Tensor::allocate(dtype, shape, info.name));
    DLTensor &tensor = view(kept.back(), false);
    if (placed.empty()) // drawn strides ask for others
      headsFirst(tensor, info);
    inputs.push_back({info.name, &tensor});
  }
  if (kept.empty())
    return;
  raw.inputs = inputs.data();
  raw.input_count = inputs.size();
  static constexpr int64_t zero = 0;
  sattn_per_batch offset = raw.q_offset;
  raw.q_offset = raw.kv_offset.count ? raw.kv_offset : sattn_per_batch{&zero, 1};
  run(kernel);
  raw.q_offset = offset;
}

void BoundCall::run(sattn_kernel *kernel) {
  check(sattn_run(kernel, &raw));
  strayed = false;
  for (Placed *result : placedResults)
    strayed |= !result->take();
  if (!memory)
    return;
  memory->synchronize();
  for (size_t i = 0; i < made.tensors.size(); ++i)
    memory->download(made.tensors[i].data.get(), outputs[i].tensor->data, made.tensors[i].bytes());
}

double BoundCall::time(sattn_kernel *kernel) {
  auto launch = [&] { check(sattn_run(kernel, &raw)); };
  if (memory)
    return memory->seconds(launch);
  auto start = std::chrono::steady_clock::now();
  launch();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void BoundCall::bind(const Invocation &call, const std::vector<std::string> &names, int threads) {
  for (const ResultInfo &result : call.info.results)
    if (names.empty() || std::find(names.begin(), names.end(), result.name) != names.end()) {
      made.names.push_back(result.name);
      made.tensors.push_back(Tensor::allocate(call.resultDtype(result), call.resultShape(result), result.name));
    }
  for (const Operand &operand : call.operands)
    inputs.push_back({operand.name.c_str(), &view(operand.pool.data ? operand.pool : operand.tensor, true)});
  for (size_t i = 0; i < made.names.size(); ++i)
    outputs.push_back({made.names[i].c_str(), &view(made.tensors[i], false)});
  for (const ParamValue &param : call.params)
    params.push_back(
        {param.name.c_str(), param.isFloat ? SATTN_PARAM_FLOAT : SATTN_PARAM_INT, 0, param.integer, param.number});
  raw.struct_size = sizeof raw;
  raw.inputs = inputs.data();
  raw.input_count = inputs.size();
  raw.outputs = outputs.data();
  raw.output_count = outputs.size();
  raw.params = params.data();
  raw.param_count = params.size();
  raw.q_offset = perBatch(call.qOffset);
  raw.kv_offset = perBatch(call.kvOffset);
  raw.kv_len = perBatch(call.kvLen);
  raw.cu_q = perBatch(call.cuQ);
  raw.cu_kv = perBatch(call.cuKv);
  raw.page_table = call.pageTable.data ? &view(call.pageTable, true) : nullptr;
  raw.page_size = call.pageSize;
  raw.threads = threads;
}

} // namespace sattn::tool

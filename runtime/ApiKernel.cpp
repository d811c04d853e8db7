// The C interface: looking at kernels and running them. Contracts: include/sattn/sattn.h.
#include "runtime/Api.h"
#include "runtime/Binding.h"
#include "runtime/Explain.h"
#include "runtime/Launch.h"
#include "runtime/Packed.h"

using namespace sattn::rt;

namespace {

/// A RunState for the length of a call.
class BorrowedState {
public:
  explicit BorrowedState(Engine &engine) : engine(engine), state(engine.runStates.take()) {}
  ~BorrowedState() { engine.runStates.giveBack(std::move(state)); }
  BorrowedState(const BorrowedState &) = delete;
  BorrowedState &operator=(const BorrowedState &) = delete;
  RunState &operator*() const { return *state; }

private:
  Engine &engine;
  std::unique_ptr<RunState> state;
};

Status readCall(const sattn_call *given, sattn_call &call) {
  SATTN_TRY(widen(given, "sattn_call", call));
  if ((call.input_count && !call.inputs) || (call.output_count && !call.outputs) || (call.param_count && !call.params))
    return fail<Err::NullArgument>(call.input_count && !call.inputs     ? "inputs"
                                   : call.output_count && !call.outputs ? "outputs"
                                                                        : "params");
  if (call.threads < 0 || call.threads > maxThreads)
    return fail<Err::ThreadCount>(call.threads, maxThreads);
  return success();
}

Place placeOf(const Kernel &kernel) {
  if (!kernel.device())
    return Place::Cpu;
  return kernel.device()->takesCudaMemory() ? Place::Cuda : Place::Device;
}

/// A packed call is one launch after the other there, in the order of the stream: one memory serves all.
Status runOnDevice(DeviceCode &device, const Kernel &kernel, const sattn_call &call, RunState &state) {
  if (!state.isPacked)
    return device.run(kernel, call, state);
  SATTN_TRY(checkWorkspace(call, state.workspaceTotal));
  for (RunState *sequence : state.packed->order)
    SATTN_TRY(device.run(kernel, call, *sequence));
  return success();
}

Status run(Kernel &kernel, const sattn_call *given) {
  Engine &engine = kernel.engine();
  Stopwatch watch;
  sattn_call call;
  SATTN_TRY(readCall(given, call));
  BorrowedState state(engine);
  SATTN_TRY(bindCall(kernel.manifest(), call, placeOf(kernel), false, *state));
  int threads = call.threads ? call.threads : engine.threads;
  if (DeviceCode *device = kernel.device()) {
    SATTN_TRY(runOnDevice(*device, kernel, call, *state));
  } else {
    BufferPool::Buffer own;
    char *workspace = nullptr;
    SATTN_TRY(findWorkspace(engine, call, (*state).workspaceTotal, own, workspace));
    SATTN_TRY(launch(kernel, *state, workspace, threads));
  }
  Stats::add(engine.stats.runs);
  if (engine.log.verbose())
    engine.log.event("run", kernel.manifest().name, kernel.manifest().request.target,
                     "threads=" + std::to_string(threads), watch.elapsed());
  return success();
}

Status operandInfo(const std::vector<Operand> &operands, const Kernel::OperandNames &names, size_t index,
                   sattn_operand_info *out) {
  sattn_operand_info info = {};
  info.name = operands[index].name.c_str();
  info.dtype = dtypeName(operands[index].dtype);
  info.ndim = operands[index].rank();
  info.kept = operands[index].kept;
  info.axes = names.axes.data();
  info.sizes = names.sizes.data();
  return narrow(info, "sattn_operand_info", out);
}

Status checkIndex(const sattn_kernel *kernel, size_t index, size_t count) {
  if (!kernel)
    return fail<Err::NullArgument>("kernel");
  return index < count ? success() : fail<Err::IndexRange>(static_cast<uint64_t>(index), static_cast<uint64_t>(count));
}

Status explain(Kernel &kernel, const sattn_call *given, Status (*write)(const Kernel &, RunState *, std::string &),
               char **text) {
  *text = nullptr;
  std::string out;
  if (!given) {
    SATTN_TRY(write(kernel, nullptr, out));
  } else {
    sattn_call call;
    SATTN_TRY(readCall(given, call));
    BorrowedState state(kernel.engine());
    SATTN_TRY(bindCall(kernel.manifest(), call, placeOf(kernel), true, *state));
    SATTN_TRY(write(kernel, &*state, out));
  }
  *text = copyText(out);
  return *text ? success() : fail<Err::OutOfMemory>();
}

} // namespace

extern "C" {

sattn_kernel *sattn_kernel_retain(sattn_kernel *kernel) {
  if (kernel)
    toKernel(kernel)->retain();
  return kernel;
}

void sattn_kernel_release(sattn_kernel *kernel) {
  if (kernel)
    toKernel(kernel)->release();
}

const char *sattn_kernel_name(const sattn_kernel *kernel) {
  return kernel ? toKernel(kernel)->manifest().name.c_str() : "";
}
const char *sattn_kernel_target(const sattn_kernel *kernel) {
  return kernel ? toKernel(kernel)->manifest().request.target.c_str() : "";
}
const char *sattn_kernel_bind(const sattn_kernel *kernel) {
  return kernel ? toKernel(kernel)->manifest().request.bind.c_str() : "";
}
const char *sattn_kernel_build(const sattn_kernel *kernel) {
  return kernel ? toKernel(kernel)->manifest().build.c_str() : "";
}
const char *sattn_kernel_key(const sattn_kernel *kernel) { return kernel ? toKernel(kernel)->keyText().c_str() : ""; }
const char *sattn_kernel_manifest(const sattn_kernel *kernel) {
  return kernel ? toKernel(kernel)->manifest().text.c_str() : "";
}

size_t sattn_kernel_role_count(const sattn_kernel *kernel) {
  return kernel ? toKernel(kernel)->manifest().roles.size() : 0;
}
size_t sattn_kernel_result_count(const sattn_kernel *kernel) {
  return kernel ? toKernel(kernel)->manifest().results.size() : 0;
}
size_t sattn_kernel_param_count(const sattn_kernel *kernel) {
  return kernel ? toKernel(kernel)->manifest().params.size() : 0;
}

sattn_status sattn_kernel_role(const sattn_kernel *kernel, size_t index, sattn_operand_info *info) {
  return guard([&]() -> Status {
    SATTN_TRY(checkIndex(kernel, index, sattn_kernel_role_count(kernel)));
    return operandInfo(toKernel(kernel)->manifest().roles, toKernel(kernel)->roleNames(index), index, info);
  });
}

sattn_status sattn_kernel_result(const sattn_kernel *kernel, size_t index, sattn_operand_info *info) {
  return guard([&]() -> Status {
    SATTN_TRY(checkIndex(kernel, index, sattn_kernel_result_count(kernel)));
    return operandInfo(toKernel(kernel)->manifest().results, toKernel(kernel)->resultNames(index), index, info);
  });
}

sattn_status sattn_kernel_param(const sattn_kernel *kernel, size_t index, sattn_param_info *out) {
  return guard([&]() -> Status {
    SATTN_TRY(checkIndex(kernel, index, sattn_kernel_param_count(kernel)));
    const Param &param = toKernel(kernel)->manifest().params[index];
    sattn_param_info info = {};
    info.name = param.name.c_str();
    info.type = param.isFloat ? SATTN_PARAM_FLOAT : SATTN_PARAM_INT;
    info.has_default = param.hasDefault;
    info.int_default = param.intDefault;
    info.float_default = param.floatDefault;
    return narrow(info, "sattn_param_info", out);
  });
}

sattn_status sattn_workspace_size(sattn_kernel *kernel, const sattn_call *given, size_t *bytes) {
  return guard([&]() -> Status {
    if (!kernel || !bytes)
      return fail<Err::NullArgument>(kernel ? "bytes" : "kernel");
    sattn_call call;
    SATTN_TRY(readCall(given, call));
    BorrowedState state(toKernel(kernel)->engine());
    SATTN_TRY(bindCall(toKernel(kernel)->manifest(), call, placeOf(*toKernel(kernel)), true, *state));
    *bytes = (*state).workspaceTotal;
    return success();
  });
}

sattn_status sattn_run(sattn_kernel *kernel, const sattn_call *call) {
  return guard([&]() -> Status {
    if (!kernel)
      return fail<Err::NullArgument>("kernel");
    return run(*toKernel(kernel), call);
  });
}

sattn_status sattn_explain(sattn_kernel *kernel, const sattn_call *call, char **text) {
  return guard([&]() -> Status {
    return !kernel || !text ? fail<Err::NullArgument>(kernel ? "text" : "kernel")
                            : explain(*toKernel(kernel), call, explainKernel, text);
  });
}

sattn_status sattn_explain_json(sattn_kernel *kernel, const sattn_call *call, char **json) {
  return guard([&]() -> Status {
    return !kernel || !json ? fail<Err::NullArgument>(kernel ? "json" : "kernel")
                            : explain(*toKernel(kernel), call, explainKernelJson, json);
  });
}

} // extern "C"

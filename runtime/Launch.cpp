// The interpreter of launch plans (Launch.h).
#include "runtime/Launch.h"

#include "runtime/TensorMaps.h"

#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>

namespace sattn::rt {

namespace {

/// Sets the floating-point mode that kernels are compiled for: all exceptions masked, round to nearest, flush to zero,
/// denormals are zero. Restores everything, the sticky flags included.
class KernelFloatMode {
public:
  KernelFloatMode() : saved(_mm_getcsr()) { _mm_setcsr(0x1f80 | 0x8000 | 0x0040); }
  ~KernelFloatMode() { _mm_setcsr(saved); }
  KernelFloatMode(const KernelFloatMode &) = delete;
  KernelFloatMode &operator=(const KernelFloatMode &) = delete;

private:
  unsigned saved;
};

/// The tasks of one step. Called once by each worker.
struct TaskLoop {
  KernelFunction function;
  const int64_t *frame;
  char *scratch;
  int64_t scratchBytes; ///< for each worker
  int64_t grid[3];
  const OrderedAxis *order;
  int64_t total;
  int64_t chunk; ///< tasks taken at a time
  std::atomic<int64_t> next{0};

  void task(int64_t index, char *own) const {
    int64_t at[3] = {0, 0, 0};
    for (int i = 2; i >= 0; --i) {
      int64_t size = grid[order[i].axis], place = index % size;
      index /= size;
      at[order[i].axis] = order[i].reversed ? size - 1 - place : place;
    }
    function(frame, own, at[0], at[1], at[2]);
  }

  void operator()(int worker) {
    KernelFloatMode mode;
    char *own = scratch ? scratch + worker * scratchBytes : nullptr;
    while (true) {
      int64_t begin = next.fetch_add(chunk, std::memory_order_relaxed);
      if (begin >= total)
        return;
      for (int64_t i = begin; i < std::min(begin + chunk, total); ++i)
        task(i, own);
    }
  }
};

class Launcher {
public:
  Launcher(const Kernel &kernel, RunState &state, char *workspace, int threads, StepObserver *observer,
           DeviceLaunches *device)
      : kernel(kernel), m(kernel.manifest()), state(state), workspace(workspace), threads(threads), observer(observer),
        device(device) {}

  Status run();

private:
  Status runSteps(const std::vector<Step> &steps);
  Status runLoop(const Step &step);
  Status runKernel(const Step &step);
  Status runOnDevice(const Step &step, const int64_t (&grid)[3], int64_t total);
  void listMemory();
  Status checkAlignment(const Step &step) const;
  Status buildFrame(const Step &step);
  Status buildWorkspaceView(const Step &step, const KernelArg &arg);
  Status evaluate(const Expr &expr, const Step &step, const char *what, int64_t &result) const;
  void pushView(const View &view);

  const Kernel &kernel;
  const Manifest &m;
  RunState &state;
  char *workspace;
  int threads;
  StepObserver *observer;
  DeviceLaunches *device; ///< null: the CPU
  BufferPool::Buffer scratch;
  std::vector<sattn_device_memory> memory; ///< of a device's launches
  std::vector<sattn_tensor_map> maps;      ///< of the present launch
  bool launched = false;
};

Status Launcher::evaluate(const Expr &expr, const Step &step, const char *what, int64_t &result) const {
  Expr::Fault fault = expr.evaluate(state.values.data(), result);
  return fault == Expr::Fault::None ? success() : exprFault(fault, std::string(what) + " of " + step.where);
}

void Launcher::pushView(const View &view) {
  state.pointers.push_back(state.frame.size());
  state.frame.push_back(static_cast<int64_t>(reinterpret_cast<intptr_t>(view.data)));
  state.frame.insert(state.frame.end(), view.counts.begin(), view.counts.end());
  state.frame.insert(state.frame.end(), view.strides.begin(), view.strides.end());
}

Status Launcher::buildWorkspaceView(const Step &step, const KernelArg &arg) {
  View view;
  view.data = workspace ? workspace + state.workspaceOffsets[arg.index] : nullptr; // null: none of it has a byte
  for (int i = 0; i < 3; ++i) {
    SATTN_TRY(evaluate(arg.counts[i], step, "a workspace count", view.counts[i]));
    SATTN_TRY(evaluate(arg.strides[i], step, "a workspace stride", view.strides[i]));
  }
  pushView(view);
  return success();
}

Status Launcher::buildFrame(const Step &step) {
  state.frame.clear();
  state.pointers.clear();
  state.frame.reserve(step.frameSlots);
  for (const KernelArg &arg : step.args) {
    int64_t slot = 0;
    switch (arg.kind) {
    case KernelArg::Kind::Role:
      pushView(state.roles[arg.index]);
      continue;
    case KernelArg::Kind::Result:
      pushView(state.results[arg.index]);
      continue;
    case KernelArg::Kind::Pages:
      pushView(state.pages);
      continue;
    case KernelArg::Kind::Workspace:
      SATTN_TRY(buildWorkspaceView(step, arg));
      continue;
    case KernelArg::Kind::Index:
      SATTN_TRY(evaluate(arg.value, step, "an argument", slot));
      break;
    case KernelArg::Kind::FloatParam:
      slot = std::bit_cast<uint32_t>(state.floats[arg.index]);
      break;
    case KernelArg::Kind::FloatConstant:
      slot = std::bit_cast<uint32_t>(arg.constant);
      break;
    case KernelArg::Kind::PerBatch:
      state.pointers.push_back(state.frame.size());
      slot = static_cast<int64_t>(reinterpret_cast<intptr_t>(state.perBatchAddress[arg.index]));
      break;
    }
    state.frame.push_back(slot);
  }
  return success();
}

Status Launcher::runKernel(const Step &step) {
  TaskLoop loop;
  loop.total = 1;
  for (int i = 0; i < 3; ++i) {
    SATTN_TRY(evaluate(step.grid[i], step, "the grid", loop.grid[i]));
    if (loop.grid[i] < 0)
      return fail<Err::NegativeCount>("the grid of " + step.where, loop.grid[i]);
  }
  if (loop.grid[0] == 0 || loop.grid[1] == 0 || loop.grid[2] == 0)
    return success();
  for (int64_t size : loop.grid)
    if (__builtin_mul_overflow(loop.total, size, &loop.total))
      return exprFault(Expr::Fault::Overflow, "the grid of " + step.where);
  // The counter passes the end by one chunk for each worker.
  if (loop.total > std::numeric_limits<int64_t>::max() / 2)
    return exprFault(Expr::Fault::Overflow, "the grid of " + step.where);
  if (observer && !observer->step(step, loop.grid))
    return success();
  SATTN_TRY(buildFrame(step));
  if (device)
    return runOnDevice(step, loop.grid, loop.total);
  auto workers = static_cast<int>(std::min<int64_t>(threads, loop.total));
  loop.function = kernel.function(step.kernel);
  loop.frame = state.frame.data();
  loop.scratch = scratch.data();
  loop.scratchBytes = m.kernels[step.kernel].scratch;
  loop.order = step.order.data();
  // Tiny tasks are taken several at a time, but never so many that the last ones leave workers idle.
  loop.chunk = std::clamp<int64_t>(loop.total / (int64_t(workers) * 32), 1, 64);
  Engine &engine = kernel.engine();
  if (workers == 1) {
    loop(0);
  } else if (engine.parallelFor) {
    auto call = [](void *arg, int64_t worker) { (*static_cast<TaskLoop *>(arg))(static_cast<int>(worker)); };
    engine.parallelFor(engine.parallelForUser, workers, call, &loop);
  } else {
    engine.pool.run(workers, loop);
  }
  Stats::add(engine.stats.tasks, static_cast<uint64_t>(loop.total));
  return success();
}

/// What the kernels of this call may touch.
void Launcher::listMemory() {
  enum Access { Read, Written, Extended };
  auto add = [&](const char *name, const void *base, size_t size, Access access) {
    if (size != 0)
      memory.push_back({name, const_cast<void *>(base), size, access, 0});
  };
  for (size_t i = 0; i < m.roles.size() + m.results.size(); ++i) {
    bool isRole = i < m.roles.size();
    const Extent &extent = state.extents[i];
    if (isRole || state.given[i - m.roles.size()])
      add((isRole ? m.roles[i] : m.results[i - m.roles.size()]).name.c_str(), reinterpret_cast<void *>(extent.low),
          extent.high - extent.low,
          !isRole           ? Written
          : m.roles[i].kept ? Extended
                            : Read);
  }
  add("page_table", reinterpret_cast<void *>(state.pagesExtent.low), state.pagesExtent.high - state.pagesExtent.low,
      Read);
  add("workspace", workspace, state.workspaceTotal, Written);
  for (int i = 0; i < perBatchCount; ++i)
    add(perBatchName(static_cast<PerBatch>(i)), state.perBatchData[i],
        static_cast<size_t>(state.batch) * sizeof(int64_t), Read);
}

/// Code for devices accesses several elements at a time.
Status Launcher::checkAlignment(const Step &step) const {
  const KernelInfo &info = m.kernels[step.kernel];
  for (size_t i = 0; i < std::min(step.args.size(), info.align.size()); ++i) {
    const KernelArg &arg = step.args[i];
    bool isRole = arg.kind == KernelArg::Kind::Role;
    if (info.align[i] == 0 || (!isRole && arg.kind != KernelArg::Kind::Result))
      continue;
    const View &view = (isRole ? state.roles : state.results)[arg.index];
    const Operand &operand = (isRole ? m.roles : m.results)[arg.index];
    bool aligned = reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(info.align[i]) == 0;
    for (int axis = 0; axis < 3; ++axis)
      aligned &= view.counts[axis] <= 1 || view.strides[axis] * dtypeBytes(operand.dtype) % info.align[i] == 0;
    if (!aligned)
      return fail<Err::DeviceAlignment>(operand.name, info.align[i], m.request.target);
  }
  return success();
}

Status Launcher::runOnDevice(const Step &step, const int64_t (&grid)[3], int64_t total) {
  SATTN_TRY(checkAlignment(step));
  if (!launched && device->wantsMemory())
    listMemory();
  const KernelInfo &info = m.kernels[step.kernel];
  state.frame.insert(state.frame.end(), std::begin(grid), std::end(grid));
  sattn_device_launch launch = {};
  launch.struct_size = sizeof launch;
  launch.symbol = info.symbol.c_str();
  launch.blocks = total;
  launch.threads = info.threads;
  launch.shared_bytes = info.shared;
  launch.slots = state.frame.data();
  launch.slot_count = state.frame.size();
  launch.pointers = state.pointers.data();
  launch.pointer_count = state.pointers.size();
  launch.memory = memory.data();
  launch.memory_count = memory.size();
  launch.first_step = launched ? 0 : 1;
  SATTN_TRY(describeTensors(m, step, state.frame, maps));
  launch.maps = maps.data();
  launch.map_count = maps.size();
  launched = true;
  Stats::add(kernel.engine().stats.tasks, static_cast<uint64_t>(total));
  return device->launch(step.kernel, launch);
}

Status Launcher::runLoop(const Step &step) {
  int64_t count = 0;
  SATTN_TRY(evaluate(step.condition, step, "the count", count));
  for (int64_t i = 0; i < count; ++i) {
    state.values[step.variable] = i;
    SATTN_TRY(runSteps(step.body));
  }
  return success();
}

Status Launcher::runSteps(const std::vector<Step> &steps) {
  for (const Step &step : steps) {
    int64_t condition = 0;
    switch (step.kind) {
    case Step::Kind::Kernel:
      SATTN_TRY(runKernel(step));
      break;
    case Step::Kind::Loop:
      SATTN_TRY(runLoop(step));
      break;
    case Step::Kind::If:
      SATTN_TRY(evaluate(step.condition, step, "the condition", condition));
      if (condition)
        SATTN_TRY(runSteps(step.body));
      break;
    }
  }
  return success();
}

Status Launcher::run() {
  for (size_t i = 0; i < m.results.size(); ++i)
    if (workspace && !state.given[i])
      state.results[i].data = workspace + state.resultOffsets[i];
  int64_t bytes = 0;
  for (const KernelInfo &info : m.kernels)
    bytes = std::max(bytes, info.scratch);
  if (!observer && bytes > 0) {
    size_t all = static_cast<size_t>(bytes) * static_cast<size_t>(threads);
    scratch = kernel.engine().buffers.acquire(all);
    if (!scratch.data())
      return fail<Err::NoWorkspace>(static_cast<uint64_t>(all));
  }
  return runSteps(m.steps);
}

} // namespace

Status launch(const Kernel &kernel, RunState &state, char *workspace, int threads, StepObserver *observer) {
  return Launcher(kernel, state, workspace, threads, observer, nullptr).run();
}

Status launchOnDevice(const Kernel &kernel, RunState &state, char *workspace, DeviceLaunches &launches) {
  return Launcher(kernel, state, workspace, 1, nullptr, &launches).run();
}

Status checkWorkspace(const sattn_call &call, uint64_t needed) {
  if (!call.workspace)
    return success();
  if (reinterpret_cast<uintptr_t>(call.workspace) % 64 != 0)
    return fail<Err::WorkspaceAlignment>();
  if (call.workspace_size < needed)
    return fail<Err::WorkspaceSize>(static_cast<uint64_t>(call.workspace_size), needed);
  return success();
}

Status findWorkspace(Engine &engine, const sattn_call &call, uint64_t needed, BufferPool::Buffer &own, char *&memory) {
  SATTN_TRY(checkWorkspace(call, needed));
  memory = static_cast<char *>(call.workspace);
  if (memory)
    return success();
  own = engine.buffers.acquire(needed);
  memory = own.data();
  return memory || needed == 0 ? success() : fail<Err::NoWorkspace>(needed);
}

} // namespace sattn::rt

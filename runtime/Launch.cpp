// The interpreter of launch plans (Launch.h).
#include "runtime/Launch.h"

#include "runtime/Packed.h"
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

void runTask(const StepTasks &tasks, int64_t index, char *scratch) {
  int64_t at[3] = {0, 0, 0};
  for (int i = 2; i >= 0; --i) {
    int64_t size = tasks.grid[tasks.order[i].axis], place = index % size;
    index /= size;
    at[tasks.order[i].axis] = tasks.order[i].reversed ? size - 1 - place : place;
  }
  tasks.function(tasks.frame, scratch, at[0], at[1], at[2]);
}

/// The tasks of one step of each call. Called once by each worker.
struct TaskLoop {
  RunState *const *calls;
  char *scratch;
  int64_t scratchBytes; ///< for each worker
  int64_t total;
  int64_t chunk; ///< tasks taken at a time
  std::atomic<int64_t> next{0};

  void operator()(int worker) {
    KernelFloatMode mode;
    char *own = scratch ? scratch + worker * scratchBytes : nullptr;
    RunState *const *of = calls; // a worker's tasks ascend
    while (true) {
      int64_t begin = next.fetch_add(chunk, std::memory_order_relaxed);
      if (begin >= total)
        return;
      for (int64_t i = begin; i < std::min(begin + chunk, total); ++i) {
        while (i >= (*of)->tasks.end)
          ++of;
        runTask((*of)->tasks, i - (*of)->tasks.begin, own);
      }
    }
  }
};

Status evaluate(const Expr &expr, const RunState &state, const Step &step, const char *what, int64_t &result) {
  Expr::Fault fault = expr.evaluate(state.values.data(), result);
  return fault == Expr::Fault::None ? success() : exprFault(fault, std::string(what) + " of " + step.where);
}

/// Follows the plan of one call.
class Planner {
public:
  Planner(const Manifest &manifest, RunState &state) : m(manifest), state(state) {}

  void start() { state.plan.assign(1, {&m.steps, 0, nullptr, 0, 1}); }
  /// The next step with tasks, whose grid goes to state.tasks; null at the end.
  Status next(const Step *&step);
  /// Visits all of them from the start, until a visit fails.
  template <typename Visit> Status forEach(Visit visit) {
    start();
    for (const Step *step = nullptr;;) {
      SATTN_TRY(next(step));
      if (!step)
        return success();
      SATTN_TRY(visit(*step));
    }
  }

private:
  Status enter(const Step &step);
  Status readGrid(const Step &step, bool &any);

  const Manifest &m;
  RunState &state;
};

Status Planner::enter(const Step &step) {
  bool isLoop = step.kind == Step::Kind::Loop;
  int64_t count = 0;
  SATTN_TRY(evaluate(step.condition, state, step, isLoop ? "the count" : "the condition", count));
  if (isLoop ? count <= 0 : count == 0)
    return success();
  if (isLoop)
    state.values[step.variable] = 0;
  state.plan.push_back({&step.body, 0, isLoop ? &step : nullptr, 0, isLoop ? count : 1});
  return success();
}

Status Planner::readGrid(const Step &step, bool &any) {
  StepTasks &tasks = state.tasks;
  for (int i = 0; i < 3; ++i) {
    SATTN_TRY(evaluate(step.grid[i], state, step, "the grid", tasks.grid[i]));
    if (tasks.grid[i] < 0)
      return fail<Err::NegativeCount>("the grid of " + step.where, tasks.grid[i]);
  }
  any = tasks.grid[0] != 0 && tasks.grid[1] != 0 && tasks.grid[2] != 0;
  int64_t total = any;
  for (int64_t size : tasks.grid)
    if (any && __builtin_mul_overflow(total, size, &total))
      return exprFault(Expr::Fault::Overflow, "the grid of " + step.where);
  // The counter passes the end by one chunk for each worker.
  if (total > std::numeric_limits<int64_t>::max() / 2)
    return exprFault(Expr::Fault::Overflow, "the grid of " + step.where);
  tasks.begin = 0;
  tasks.end = total;
  return success();
}

Status Planner::next(const Step *&step) {
  while (!state.plan.empty()) {
    PlanLevel &level = state.plan.back();
    if (level.next == level.steps->size()) {
      if (++level.index < level.count) {
        state.values[level.loop->variable] = level.index;
        level.next = 0;
      } else {
        state.plan.pop_back();
      }
      continue;
    }
    const Step &candidate = (*level.steps)[level.next++];
    if (candidate.kind != Step::Kind::Kernel) {
      SATTN_TRY(enter(candidate));
      continue;
    }
    bool any = false;
    SATTN_TRY(readGrid(candidate, any));
    if (any) {
      step = &candidate;
      return success();
    }
  }
  step = nullptr;
  return success();
}

/// Builds the frames of one call and hands its launches on.
class Launcher {
public:
  Launcher(const Kernel &kernel, RunState &state, char *workspace, DeviceLaunches *device)
      : kernel(kernel), m(kernel.manifest()), state(state), workspace(workspace), device(device) {}

  /// Results that nobody wants go into the workspace.
  void placeResults();
  Status buildFrame(const Step &step);
  /// All of the plan.
  Status runOnDevice();

private:
  Status runOnDevice(const Step &step);
  void listMemory();
  Status checkAlignment(const Step &step) const;
  Status buildWorkspaceView(const Step &step, const KernelArg &arg);
  void pushView(const View &view);

  const Kernel &kernel;
  const Manifest &m;
  RunState &state;
  char *workspace;
  DeviceLaunches *device;                  ///< null: the CPU
  std::vector<sattn_device_memory> memory; ///< of a device's launches
  std::vector<sattn_tensor_map> maps;      ///< of the present launch
  bool launched = false;
};

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
    SATTN_TRY(evaluate(arg.counts[i], state, step, "a workspace count", view.counts[i]));
    SATTN_TRY(evaluate(arg.strides[i], state, step, "a workspace stride", view.strides[i]));
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
      SATTN_TRY(evaluate(arg.value, state, step, "an argument", slot));
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

Status Launcher::runOnDevice(const Step &step) {
  SATTN_TRY(checkAlignment(step));
  if (!launched && device->wantsMemory())
    listMemory();
  const KernelInfo &info = m.kernels[step.kernel];
  state.frame.insert(state.frame.end(), std::begin(state.tasks.grid), std::end(state.tasks.grid));
  sattn_device_launch launch = {};
  launch.struct_size = sizeof launch;
  launch.symbol = info.symbol.c_str();
  launch.blocks = state.tasks.end;
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
  Stats::add(kernel.engine().stats.tasks, static_cast<uint64_t>(state.tasks.end));
  return device->launch(step.kernel, launch);
}

Status Launcher::runOnDevice() {
  placeResults();
  return Planner(m, state).forEach([&](const Step &step) -> Status {
    SATTN_TRY(buildFrame(step));
    return runOnDevice(step);
  });
}

void Launcher::placeResults() {
  for (size_t i = 0; i < m.results.size(); ++i)
    if (workspace && !state.given[i])
      state.results[i].data = workspace + state.resultOffsets[i];
}

// ---- Calls on the CPU

/// Calls that share nothing, side by side: in each round the next step of each.
class Rounds {
public:
  Rounds(const Kernel &kernel, char *workspace, int threads)
      : kernel(kernel), m(kernel.manifest()), workspace(workspace), threads(threads) {}

  /// Thread scratch, for all rounds.
  Status prepare();
  Status run(RunState *const *calls, size_t count);

private:
  /// Numbers the tasks of the next round; `total` 0: there is none.
  Status gather(RunState *const *calls, size_t count, int64_t &total);
  void runTasks(RunState *const *calls, int64_t total);

  const Kernel &kernel;
  const Manifest &m;
  char *workspace;
  int threads;
  BufferPool::Buffer scratch;
  int64_t scratchBytes = 0; ///< of a worker
};

Status Rounds::prepare() {
  for (const KernelInfo &info : m.kernels)
    scratchBytes = std::max(scratchBytes, info.scratch);
  if (scratchBytes == 0)
    return success();
  size_t all = static_cast<size_t>(scratchBytes) * static_cast<size_t>(threads);
  scratch = kernel.engine().buffers.acquire(all);
  return scratch.data() ? success() : fail<Err::NoWorkspace>(static_cast<uint64_t>(all));
}

Status Rounds::gather(RunState *const *calls, size_t count, int64_t &total) {
  total = 0;
  for (size_t i = 0; i < count; ++i) {
    RunState &state = *calls[i];
    StepTasks &tasks = state.tasks;
    const Step *step = nullptr;
    SATTN_TRY(Planner(m, state).next(step));
    if (!step) {
      tasks.begin = tasks.end = total;
      continue;
    }
    SATTN_TRY(
        Launcher(kernel, state, workspace ? workspace + state.workspaceBase : nullptr, nullptr).buildFrame(*step));
    tasks.function = kernel.function(step->kernel);
    tasks.frame = state.frame.data();
    tasks.order = step->order.data();
    tasks.begin = total;
    // Room for a chunk of each worker behind the last task, as in one call.
    if (__builtin_add_overflow(total, tasks.end, &total) || total > std::numeric_limits<int64_t>::max() / 2)
      return exprFault(Expr::Fault::Overflow, "the grid of " + step->where);
    tasks.end = total;
  }
  return success();
}

void Rounds::runTasks(RunState *const *calls, int64_t total) {
  auto workers = static_cast<int>(std::min<int64_t>(threads, total));
  TaskLoop loop;
  loop.calls = calls;
  loop.scratch = scratch.data();
  loop.scratchBytes = scratchBytes;
  loop.total = total;
  // Tiny tasks are taken several at a time, but never so many that the last ones leave workers idle.
  loop.chunk = std::clamp<int64_t>(total / (int64_t(workers) * 32), 1, 64);
  Engine &engine = kernel.engine();
  if (workers == 1) {
    loop(0);
  } else if (engine.parallelFor) {
    auto call = [](void *arg, int64_t worker) { (*static_cast<TaskLoop *>(arg))(static_cast<int>(worker)); };
    engine.parallelFor(engine.parallelForUser, workers, call, &loop);
  } else {
    engine.pool.run(workers, loop);
  }
  Stats::add(engine.stats.tasks, static_cast<uint64_t>(total));
}

Status Rounds::run(RunState *const *calls, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    RunState &state = *calls[i];
    Planner(m, state).start();
    Launcher(kernel, state, workspace ? workspace + state.workspaceBase : nullptr, nullptr).placeResults();
  }
  while (true) {
    int64_t total = 0;
    SATTN_TRY(gather(calls, count, total));
    if (total == 0)
      return success();
    runTasks(calls, total);
  }
}

} // namespace

Status launch(const Kernel &kernel, RunState &state, char *workspace, int threads) {
  Rounds rounds(kernel, workspace, threads);
  SATTN_TRY(rounds.prepare());
  if (!state.isPacked) {
    RunState *one = &state;
    state.workspaceBase = 0;
    return rounds.run(&one, 1);
  }
  const PackedCall &packed = *state.packed;
  for (const PackedCall::Group &group : packed.groups)
    SATTN_TRY(rounds.run(packed.order.data() + group.first, group.count));
  return success();
}

Status observe(const Kernel &kernel, RunState &state, StepObserver &observer) {
  return Planner(kernel.manifest(), state).forEach([&](const Step &step) {
    observer.step(step, state.tasks.grid);
    return success();
  });
}

Status launchOnDevice(const Kernel &kernel, RunState &state, char *workspace, DeviceLaunches &launches) {
  return Launcher(kernel, state, workspace, &launches).runOnDevice();
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

// The interpreter of launch plans (Launch.h).
#include "runtime/Launch.h"

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
  Launcher(const Kernel &kernel, RunState &state, char *workspace, int threads, StepObserver *observer)
      : kernel(kernel), m(kernel.manifest()), state(state), workspace(workspace), threads(threads), observer(observer) {
  }

  Status run();

private:
  Status runSteps(const std::vector<Step> &steps);
  Status runLoop(const Step &step);
  Status runKernel(const Step &step);
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
  BufferPool::Buffer scratch;
};

Status Launcher::evaluate(const Expr &expr, const Step &step, const char *what, int64_t &result) const {
  Expr::Fault fault = expr.evaluate(state.values.data(), result);
  return fault == Expr::Fault::None ? success() : exprFault(fault, std::string(what) + " of " + step.where);
}

void Launcher::pushView(const View &view) {
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
      slot = static_cast<int64_t>(reinterpret_cast<intptr_t>(state.perBatchData[arg.index]));
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
  return Launcher(kernel, state, workspace, threads, observer).run();
}

} // namespace sattn::rt

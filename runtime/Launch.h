// Executes the launch plan of a kernel for a bound call: steps in order, the tasks of each step on all workers. The
// frame of a step is built once; workers take tasks from one counter in the order that the plan gives. The sequences of
// a packed call follow their plans side by side: the tasks of a step of each are one set of tasks.
#pragma once

#include "runtime/Kernel.h"
#include "runtime/RunState.h"

namespace sattn::rt {

/// Sees the kernel steps that have tasks, in their order, for sattn_explain().
struct StepObserver {
  virtual ~StepObserver() = default;
  virtual void step(const Step &step, const int64_t (&grid)[3]) = 0;
};

/// Runs `kernel` for `state`, which bindCall() filled: one call, or all sequences of a packed one. `workspace` has
/// state.workspaceTotal bytes (null for none); `threads` >= 1.
Status launch(const Kernel &kernel, RunState &state, char *workspace, int threads);

/// Shows `observer` what launch() would run.
Status observe(const Kernel &kernel, RunState &state, StepObserver &observer);

/// The same for code of a device and one call: hands the launches to `launches`. `workspace` is an address of the
/// device.
Status launchOnDevice(const Kernel &kernel, RunState &state, char *workspace, DeviceLaunches &launches);

/// The caller's workspace must be aligned and have `needed` bytes; none at all is right too.
Status checkWorkspace(const sattn_call &call, uint64_t needed);

/// The caller's workspace if there is one, else memory of the host in `own`.
Status findWorkspace(Engine &engine, const sattn_call &call, uint64_t needed, BufferPool::Buffer &own, char *&memory);

} // namespace sattn::rt

// Executes the launch plan of a kernel for a bound call: steps in order, the tasks of each step on all workers. The
// frame of a step is built once; workers take tasks from one counter in the order that the plan gives.
#pragma once

#include "runtime/Kernel.h"
#include "runtime/RunState.h"

namespace sattn::rt {

/// Sees every kernel step that is reached, before it runs, for sattn_explain(); returns whether it shall run.
struct StepObserver {
  virtual ~StepObserver() = default;
  virtual bool step(const Step &step, const int64_t (&grid)[3]) = 0;
};

/// Runs `kernel` for `state`, which bindCall() filled. `workspace` has state.workspaceTotal bytes (null for none);
/// `threads` >= 1. With an `observer`, steps it declines are not run.
Status launch(const Kernel &kernel, RunState &state, char *workspace, int threads, StepObserver *observer = nullptr);

} // namespace sattn::rt

// The runtime's own threads: a caller asks for `workers` concurrent executions of a body, is worker 0 itself, and idle
// threads join as the others. Several callers may do so at once. Threads start when first needed, block all signals,
// spin for some microseconds between jobs (the steps of a launch plan follow one another at once) and then sleep.
// After a fork the child starts with a new pool.
#pragma once

#include "runtime/Fork.h"

#include <memory>

namespace sattn::rt {

/// A reference to a callable `void(int worker)` that outlives the call it is passed to.
class WorkerBody {
public:
  template <typename Callable>
  WorkerBody(Callable &callable)
      : object(&callable), call([](void *object, int worker) { (*static_cast<Callable *>(object))(worker); }) {}
  void operator()(int worker) const { call(object, worker); }

private:
  void *object;
  void (*call)(void *, int);
};

class ThreadPool final : ForkAware {
public:
  ThreadPool();
  ~ThreadPool();

  /// Calls body(0) on this thread and body(w) on other threads for some w in [1, workers), each w at most once, and
  /// returns when all have returned. How many helpers come in time is not promised: the bodies share a task counter.
  /// A body must not fork.
  void run(int workers, WorkerBody body);

private:
  struct State;
  void beforeFork() override;
  void afterForkParent() override;
  void afterForkChild() override;

  std::unique_ptr<State> state;
};

} // namespace sattn::rt

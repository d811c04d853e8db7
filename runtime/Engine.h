// What kernels need to run and contexts share with them: log, counters, threads, memory. It lives as long as any kernel
// of its context, so that kernels may outlive the context.
#pragma once

#include "runtime/BufferPool.h"
#include "runtime/Log.h"
#include "runtime/RunState.h"
#include "runtime/Stats.h"
#include "runtime/ThreadPool.h"

namespace sattn::rt {

inline constexpr int maxThreads = 1024;

struct Engine {
  Engine(Log log, int threads, sattn_parallel_for parallelFor, void *parallelForUser)
      : log(log), threads(threads), parallelFor(parallelFor), parallelForUser(parallelForUser) {}

  const Log log;
  const int threads;
  const sattn_parallel_for parallelFor; ///< null: the pool
  void *const parallelForUser;
  Stats stats;
  ThreadPool pool;
  BufferPool buffers;
  RunStates runStates;
};

/// CPUs that the calling process may use, 1 to maxThreads.
int availableThreads();

} // namespace sattn::rt

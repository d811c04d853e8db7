// Jobs live on their callers' stacks in a list; idle threads take the oldest job that still wants helpers.
#include "runtime/ThreadPool.h"

#include <immintrin.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace sattn::rt {

namespace {
struct Job {
  WorkerBody body;
  int workers;
  int joined = 1;             ///< workers that began, the caller included; under the mutex
  std::atomic<int> active{0}; ///< helpers inside the body; written under the mutex
  Job *next = nullptr;
};

/// About 20 microseconds: longer than the gap between two steps of a plan, shorter than anybody would notice.
constexpr int spins = 400;
} // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable wake; ///< workers: a job has come, or stop
  std::condition_variable done; ///< callers: a helper has left
  Job *jobs = nullptr;
  std::atomic<uint64_t> arrivals{0}; ///< counts jobs, for spinning workers
  bool stop = false;
  std::vector<std::thread> threads;

  Job *wanting() const {
    for (Job *job = jobs; job; job = job->next)
      if (job->joined < job->workers)
        return job;
    return nullptr;
  }

  void grow(int count);
  void add(Job &job);
  void remove(Job &job);
  void work();
};

void ThreadPool::State::work() {
  std::unique_lock lock(mutex);
  while (!stop) {
    Job *job = wanting();
    if (job) {
      int worker = job->joined++;
      job->active.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      job->body(worker);
      lock.lock();
      // The caller may leave, and the job end, as soon as it sees 0.
      if (job->active.fetch_sub(1, std::memory_order_release) == 1)
        done.notify_all();
      continue;
    }
    uint64_t seen = arrivals.load(std::memory_order_relaxed);
    lock.unlock();
    for (int i = 0; i < spins && arrivals.load(std::memory_order_relaxed) == seen; ++i)
      _mm_pause();
    lock.lock();
    wake.wait(lock, [&] { return stop || wanting(); });
  }
}

/// Starts threads up to `count`; fewer if the system gives no more.
void ThreadPool::State::grow(int count) {
  if (threads.size() >= static_cast<size_t>(count))
    return;
  threads.reserve(count);
  // Signals belong to the threads of the program.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    while (threads.size() < static_cast<size_t>(count)) {
      threads.emplace_back([this] { work(); });
      pthread_setname_np(threads.back().native_handle(), "sattn");
    }
  } catch (...) {
    // No more threads or no memory for one: the job runs with the threads there are.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ThreadPool::State::add(Job &job) {
  Job **place = &jobs;
  while (*place)
    place = &(*place)->next;
  *place = &job;
  arrivals.fetch_add(1, std::memory_order_relaxed);
}

void ThreadPool::State::remove(Job &job) {
  Job **place = &jobs;
  while (*place != &job)
    place = &(*place)->next;
  *place = job.next;
}

ThreadPool::ThreadPool() : state(std::make_unique<State>()) { enroll(); }

ThreadPool::~ThreadPool() {
  withdraw();
  {
    std::lock_guard lock(state->mutex);
    state->stop = true;
  }
  state->wake.notify_all();
  for (std::thread &thread : state->threads)
    thread.join();
}

void ThreadPool::run(int workers, WorkerBody body) {
  if (workers <= 1)
    return body(0);
  State &pool = *state;
  Job job{body, workers};
  {
    std::lock_guard lock(pool.mutex);
    pool.grow(workers - 1);
    pool.add(job);
  }
  if (workers == 2)
    pool.wake.notify_one();
  else
    pool.wake.notify_all();
  body(0);
  std::unique_lock lock(pool.mutex);
  pool.remove(job);
  lock.unlock();
  for (int i = 0; i < spins && job.active.load(std::memory_order_acquire) != 0; ++i)
    _mm_pause();
  // The last helper may still be between its decrement and its unlock, and touches only the pool there.
  if (job.active.load(std::memory_order_acquire) == 0)
    return;
  lock.lock();
  pool.done.wait(lock, [&] { return job.active.load(std::memory_order_acquire) == 0; });
}

void ThreadPool::beforeFork() { state->mutex.lock(); }

void ThreadPool::afterForkParent() { state->mutex.unlock(); }

void ThreadPool::afterForkChild() {
  state->mutex.unlock();
  // The child has none of the threads; their handles cannot be joined, so the old state is left behind.
  (void)state.release();
  state = std::make_unique<State>();
}

} // namespace sattn::rt

// The thread pool: every worker number at most once, the caller always, several callers, forks.
#include "test/runtime/Support.h"

#include "runtime/ThreadPool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>

using namespace sattn::rt;

TEST_CASE("each worker comes at most once, worker 0 always") {
  ThreadPool pool;
  for (int round = 0; round < 200; ++round) {
    std::mutex mutex;
    std::multiset<int> workers;
    auto body = [&](int worker) {
      std::lock_guard lock(mutex);
      workers.insert(worker);
    };
    pool.run(1 + round % 6, body);
    CHECK(workers.count(0) == 1);
    for (int worker : workers) {
      CHECK(workers.count(worker) == 1);
      CHECK(worker < 1 + round % 6);
    }
  }
}

TEST_CASE("helpers do come") {
  ThreadPool pool;
  std::atomic<int> here{0};
  auto body = [&](int) {
    here.fetch_add(1);
    // Each waits for the others: only true concurrency ends this.
    while (here.load() < 4)
      std::this_thread::yield();
  };
  pool.run(4, body);
  CHECK(here == 4);
}

TEST_CASE("a shared counter is worked off exactly once, job after job") {
  ThreadPool pool;
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> next{0};
    std::vector<std::atomic<int>> done(50);
    auto body = [&](int) {
      for (int task; (task = next.fetch_add(1)) < 50;)
        done[task].fetch_add(1);
    };
    pool.run(3, body);
    for (auto &count : done)
      CHECK(count == 1);
  }
}

TEST_CASE("jobs of several callers") {
  ThreadPool pool;
  std::atomic<int> total{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 5; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        std::atomic<int> next{0};
        auto body = [&](int) {
          while (next.fetch_add(1) < 20)
            total.fetch_add(1);
        };
        pool.run(4, body);
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  CHECK(total == 5 * 100 * 20);
}

TEST_CASE("a child of fork() has a pool of its own") {
  ThreadPool pool;
  std::atomic<int> here{0};
  auto meet = [&](int) {
    here.fetch_add(1);
    while (here.load() < 3)
      std::this_thread::yield();
  };
  pool.run(3, meet);
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    here = 0;
    pool.run(3, meet);
    _exit(here == 3 ? 0 : 1);
  }
  int result = -1;
  waitpid(child, &result, 0);
  CHECK(result == 0);
  here = 0;
  pool.run(3, meet);
  CHECK(here == 3);
}

TEST_CASE("signals are left to the program's threads") {
  ThreadPool pool;
  std::atomic<int> here{0}, blocked{0};
  auto body = [&](int worker) {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    if (worker > 0)
      blocked += sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
    here.fetch_add(1);
    while (here.load() < 3)
      std::this_thread::yield();
  };
  pool.run(3, body);
  CHECK(blocked == 2);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  CHECK(sigismember(&mask, SIGINT) == 0);
}

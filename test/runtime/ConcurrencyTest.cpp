// Threads, forks and processes that use the runtime at the same time.
#include "test/runtime/ApiSupport.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <set>
#include <thread>

using namespace sattn::rt::testing;

namespace {

json numbered(int id) {
  json m = identifyManifest();
  m["pattern"] = "sattn.pattern @id" + std::to_string(id);
  return m;
}

/// Runs @identify; -1 on an error. For threads and children, where doctest's checks are of no use.
float identify(sattn_kernel *kernel, int threads = 0) {
  float element[4] = {}, o = -1;
  int64_t inShape[] = {1, 1, 1, 4}, outShape[] = {1, 1, 1};
  DLTensor in = {element, {kDLCPU, 0}, 4, {kDLFloat, 32, 1}, inShape, nullptr, 0};
  DLTensor out = {&o, {kDLCPU, 0}, 3, {kDLFloat, 32, 1}, outShape, nullptr, 0};
  sattn_tensor input = {"q", &in}, output = {"o", &out};
  sattn_call call = {};
  call.struct_size = sizeof(call);
  call.inputs = &input;
  call.outputs = &output;
  call.input_count = call.output_count = 1;
  call.threads = threads;
  return sattn_run(kernel, &call) == SATTN_OK ? o : -1;
}

sattn_kernel *get(sattn_context *context, const json &manifest) {
  std::string pattern = manifest["pattern"], bind = manifest["bind"];
  sattn_spec spec = {sizeof(spec), pattern.c_str(), pattern.size(), bind.c_str(), nullptr};
  sattn_kernel *kernel = nullptr;
  return sattn_get(context, &spec, &kernel) == SATTN_OK ? kernel : nullptr;
}

/// @total over enough tasks that helpers join; the sum of all results, or -1.
double runTotal(sattn_kernel *kernel, int threads) {
  Tensor q({2, 40, 4, 4}, 1), k({2, 40, 2, 4}, 0.5f), o({2, 40, 4, 4});
  CallBuilder call;
  call.input("q", q).input("k", k).output("o", o);
  call.call.threads = threads;
  if (sattn_run(kernel, call.get()) != SATTN_OK)
    return -1;
  double sum = 0;
  for (float value : o.memory)
    sum += value;
  return sum;
}
constexpr double totalSum = 2 * 40 * 4 * 4 * (1 + 40 * 2.0);

template <typename Body> void inThreads(int count, Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back(body, i);
  for (std::thread &thread : threads)
    thread.join();
}

/// What a child returns: 0 when `body` does.
template <typename Body> int inChild(Body body) {
  pid_t child = fork();
  if (child == 0)
    _exit(body() ? 0 : 1);
  int result = -1;
  waitpid(child, &result, 0);
  return result;
}

} // namespace

TEST_CASE("16 threads that miss the same key compile once") {
  for (bool disk : {false, true}) {
    TemporaryFolder folder;
    TestCompiler compiler;
    compiler.before = [](const sattn_spec &) { usleep(20000); };
    TestContext context(&compiler, disk ? folder.path() : "");
    std::atomic<int> good{0};
    std::vector<sattn_kernel *> kernels(16);
    inThreads(16, [&](int i) {
      kernels[i] = get(context.get(), axpyManifest());
      good += kernels[i] != nullptr;
    });
    CHECK(good == 16);
    CHECK(std::set<sattn_kernel *>(kernels.begin(), kernels.end()).size() == 1);
    CHECK(compiler.calls == 1);
    CHECK(context.stats().compiles == 1);
    for (sattn_kernel *kernel : kernels)
      sattn_kernel_release(kernel);
  }
}

TEST_CASE("threads that wait for a failed compilation get its error") {
  TestCompiler compiler;
  compiler.before = [](const sattn_spec &) { usleep(20000); };
  TestContext context(&compiler);
  json m = axpyManifest();
  m["pattern"] = "sattn.pattern @nobody";
  std::atomic<int> failed{0};
  inThreads(8, [&](int) {
    std::string pattern = m["pattern"];
    sattn_spec spec = {sizeof(spec), pattern.c_str(), 0, nullptr, nullptr};
    sattn_kernel *kernel = nullptr;
    failed += sattn_get(context.get(), &spec, &kernel) == SATTN_COMPILE_FAILED && !kernel &&
              std::string(sattn_last_error()).find("no such pattern") != std::string::npos;
  });
  CHECK(failed == 8);
  CHECK(compiler.calls <= 8);
}

TEST_CASE("threads that compile, load, run and look up many kernels at once") {
  TemporaryFolder folder;
  TestCompiler compiler;
  constexpr int kernels = 64, threads = 8, rounds = 3;
  for (int i = 0; i < kernels; ++i)
    compiler.add(numbered(i), kernelCodeWithId(i));
  for (const std::string &dir : {std::string(), folder.path(), folder.path()}) {
    TestContext context(&compiler, dir);
    std::atomic<int> wrong{0};
    inThreads(threads, [&](int thread) {
      for (int i = 0; i < kernels * rounds; ++i) {
        int id = (i * 7 + thread * 13) % kernels;
        sattn_kernel *kernel = get(context.get(), numbered(id));
        wrong += !kernel || identify(kernel) != static_cast<float>(id);
        sattn_kernel_release(kernel);
      }
    });
    CHECK(wrong == 0);
    CHECK(context.lines().empty());
  }
  CHECK(compiler.calls == 2 * kernels); // in memory, then on disk, then read
}

TEST_CASE("runs of several threads share the pool and keep their results") {
  TestCompiler compiler;
  TestContext context(&compiler, "", [](sattn_options &options) { options.threads = 3; });
  sattn_kernel *kernel = context.kernel(totalManifest());
  std::atomic<int> wrong{0};
  inThreads(6, [&](int thread) {
    for (int i = 0; i < 50; ++i)
      wrong += runTotal(kernel, thread % 4) != totalSum;
  });
  CHECK(wrong == 0);
}

TEST_CASE("a child of fork() runs, compiles and forks again") {
  TemporaryFolder folder;
  TestCompiler compiler;
  for (const std::string &dir : {std::string(), folder.path()}) {
    TestContext context(&compiler, dir, [](sattn_options &options) { options.threads = 4; });
    sattn_kernel *kernel = context.kernel(totalManifest());
    CHECK(runTotal(kernel, 4) == totalSum); // the pool has threads
    int result = inChild([&] {
      if (runTotal(kernel, 4) != totalSum)
        return false;
      sattn_kernel *other = get(context.get(), axpyManifest());
      return other && inChild([&] { return runTotal(kernel, 4) == totalSum; }) == 0;
    });
    CHECK(result == 0);
    CHECK(runTotal(kernel, 4) == totalSum);
  }
}

TEST_CASE("fork() while other threads compile and run") {
  TestCompiler compiler;
  compiler.before = [](const sattn_spec &) { usleep(2000); };
  TestContext context(&compiler, "", [](sattn_options &options) { options.threads = 3; });
  sattn_kernel *kernel = context.kernel(totalManifest());
  for (int i = 0; i < 2000; ++i)
    compiler.add(numbered(i), kernelCode());
  std::atomic<bool> stop{false};
  std::atomic<int> next{0};
  std::thread compiling([&] {
    while (!stop)
      sattn_kernel_release(get(context.get(), numbered(next++ % 2000)));
  });
  std::thread running([&] {
    while (!stop)
      (void)runTotal(kernel, 3);
  });
  int failures = 0;
  for (int i = 0; i < 15; ++i) {
    // What the other thread is compiling now must not be waited for in the child: nobody compiles it there. The test
    // compiler has a mutex of its own that the child may find taken, so the child asks for what needs no compiler.
    failures += inChild([&] {
                  alarm(20);
                  return runTotal(kernel, 3) == totalSum && get(context.get(), totalManifest()) == kernel;
                }) != 0;
    usleep(1000);
  }
  stop = true;
  compiling.join();
  running.join();
  CHECK(failures == 0);
}

TEST_CASE("processes that miss the same key compile once") {
  TemporaryFolder folder;
  auto *compiled =
      static_cast<std::atomic<int> *>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(static_cast<void *>(compiled) != MAP_FAILED);
  constexpr int processes = 8;
  int failures = 0;
  std::vector<pid_t> children;
  for (int i = 0; i < processes; ++i) {
    pid_t child = fork();
    if (child == 0) {
      TestCompiler compiler;
      compiler.add(numbered(5), kernelCodeWithId(5));
      compiler.before = [&](const sattn_spec &) {
        compiled->fetch_add(1);
        usleep(50000);
      };
      TestContext context(&compiler, folder.path());
      sattn_kernel *kernel = get(context.get(), numbered(5));
      _exit(kernel && identify(kernel) == 5 && context.lines().empty() ? 0 : 1);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int result = -1;
    waitpid(child, &result, 0);
    failures += result != 0;
  }
  CHECK(failures == 0);
  CHECK(*compiled == 1);
  munmap(compiled, 4096);
}

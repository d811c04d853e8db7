// Prints what it costs to get a kernel that is cached, in memory and on disk, and what a call costs before the first
// task: medians, in microseconds. usage: hit_latency [CACHE-DIR]. The text of the pattern is as long as nsa's.
#include "test/runtime/ApiSupport.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace sattn::rt::testing;

namespace {
template <typename Body> double medianMicroseconds(int rounds, int batch, Body body) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    auto start = std::chrono::steady_clock::now();
    for (int j = 0; j < batch; ++j)
      body();
    std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    times.push_back(time.count() / batch);
  }
  std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
  return times[static_cast<size_t>(rounds) / 2];
}

sattn_context *makeContext(const std::string &dir, TestCompiler &compiler) {
  sattn_options options = {};
  options.struct_size = sizeof(options);
  options.cache_dir = dir.c_str();
  options.threads = 1;
  sattn_context *context = nullptr;
  if (sattn_context_create(&options, &context) != SATTN_OK ||
      sattn_set_compile_hook(context, TestCompiler::compile, &compiler, compiler.build.c_str()) != SATTN_OK)
    std::abort();
  return context;
}
} // namespace

TEST_CASE("hit latency") {
  TemporaryFolder folder;
  TestCompiler compiler;
  json manifest = identifyManifest();
  manifest["pattern"] = "sattn.pattern @identify" + std::string(1400, ' ') + "{}";
  compiler.add(manifest);
  std::string pattern = manifest["pattern"];
  sattn_spec spec = {sizeof(spec), pattern.c_str(), pattern.size(), "D=4,dtype=f32", nullptr};
  sattn_kernel *kernel = nullptr;
  sattn_context *context = makeContext(folder.path(), compiler);
  REQUIRE(sattn_get(context, &spec, &kernel) == SATTN_OK);
  double memory = medianMicroseconds(101, 1000, [&] {
    sattn_kernel *hit = nullptr;
    (void)sattn_get(context, &spec, &hit);
    sattn_kernel_release(hit);
  });
  Tensor q({1, 1, 1, 4}), o({1, 1, 1});
  CallBuilder call;
  call.input("q", q).output("o", o);
  sattn_call *ready = call.get();
  double run = medianMicroseconds(101, 100, [&] { (void)sattn_run(kernel, ready); });
  sattn_kernel_release(kernel);
  // Three steps of tiny tasks: the price of starting helpers and of waiting for them.
  std::string steps = totalManifest()["pattern"];
  spec.pattern = steps.c_str();
  spec.pattern_size = steps.size();
  REQUIRE(sattn_get(context, &spec, &kernel) == SATTN_OK);
  Tensor q64({1, 64, 1, 4}), k64({1, 64, 1, 4}), o64({1, 64, 1, 4});
  CallBuilder plan;
  plan.input("q", q64).input("k", k64).output("o", o64);
  double threaded[2];
  for (int threads : {1, 2}) {
    plan.call.threads = threads;
    sattn_call *planned = plan.get();
    threaded[threads - 1] = medianMicroseconds(101, 100, [&] { (void)sattn_run(kernel, planned); });
  }
  sattn_kernel_release(kernel);
  sattn_context_destroy(context);
  spec.pattern = pattern.c_str();
  spec.pattern_size = pattern.size();
  double create = medianMicroseconds(21, 1, [&] { sattn_context_destroy(makeContext(folder.path(), compiler)); });
  double disk = medianMicroseconds(21, 1, [&] {
    sattn_context *fresh = makeContext(folder.path(), compiler);
    sattn_kernel *hit = nullptr;
    (void)sattn_get(fresh, &spec, &hit);
    sattn_kernel_release(hit);
    sattn_context_destroy(fresh);
  });
  CHECK(compiler.calls == 2);
  std::printf("memory hit                 %8.3f us\ndisk hit                   %8.1f us\n", memory, disk - create);
  std::printf("call of 1 step, 1 task     %8.3f us\n", run);
  std::printf("call of 3 steps, 1 thread  %8.3f us\ncall of 3 steps, 2 threads %8.3f us\n", threaded[0], threaded[1]);
}

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
  sattn_context_destroy(context);
  double create = medianMicroseconds(21, 1, [&] { sattn_context_destroy(makeContext(folder.path(), compiler)); });
  double disk = medianMicroseconds(21, 1, [&] {
    sattn_context *fresh = makeContext(folder.path(), compiler);
    sattn_kernel *hit = nullptr;
    (void)sattn_get(fresh, &spec, &hit);
    sattn_kernel_release(hit);
    sattn_context_destroy(fresh);
  });
  CHECK(compiler.calls == 1);
  std::printf("memory hit      %8.3f us\ndisk hit        %8.1f us\ncall of 1 task  %8.3f us\n", memory, disk - create, run);
}

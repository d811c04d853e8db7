// The floating-point mode around tasks.
#include "test/runtime/Support.h"

#include "runtime/Binding.h"
#include "runtime/Launch.h"

#include <immintrin.h>

using namespace sattn::rt;
using namespace sattn::rt::testing;

namespace {
/// The kernel of a manifest, without a context.
Kernel *loadKernel(const json &manifest, int threads) {
  std::vector<Manifest> manifests;
  REQUIRE(parseManifests(manifest.dump(), manifests).ok());
  std::unique_ptr<LoadedCode> code;
  REQUIRE(LoadedCode::loadBytes(kernelCode(), "test", manifests[0].kernels, code).ok());
  auto engine = std::make_shared<Engine>(Log(nullptr, nullptr, false), threads, nullptr, nullptr);
  return new Kernel(engine, std::move(manifests[0]), std::move(code));
}

json denormalManifest() {
  json m = axpyManifest();
  m["params"] = json::array();
  m["steps"] = json::parse(R"([{"kernel": "denormal", "grid": ["t", "h", "B"],
                                "args": [{"role": "q"}, {"result": "o"}]}])");
  m["kernels"] = json::parse(R"({"denormal": {"symbol": "denormal", "scratch": 0}})");
  return m;
}
} // namespace

TEST_CASE("kernels flush denormals, callers keep their floating-point mode") {
  Kernel *kernel = loadKernel(denormalManifest(), 3);
  std::vector<float> q(64 * 4, 3.0f), o(64 * 4, 99.0f);
  int64_t shape[] = {1, 64, 1, 4};
  DLTensor in = {q.data(), {kDLCPU, 0}, 4, {kDLFloat, 32, 1}, shape, nullptr, 0}, out = in;
  out.data = o.data();
  sattn_tensor input = {"q", &in}, output = {"o", &out};
  sattn_call call = {};
  call.inputs = &input;
  call.outputs = &output;
  call.input_count = call.output_count = 1;
  unsigned before = _mm_getcsr();
  // Rounding up, denormals kept, the sticky division flag set: none of it may change, none of it may matter.
  for (unsigned mode : {before, 0x1f80u | 0x4000u | 0x4u, 0x1f80u}) {
    for (int threads : {1, 3}) {
      RunState state;
      _mm_setcsr(mode);
      Status bound = bindCall(kernel->manifest(), call, Place::Cpu, false, state);
      Status run = launch(*kernel, state, nullptr, threads);
      unsigned after = _mm_getcsr();
      _mm_setcsr(before);
      CHECK_OK(bound);
      CHECK_OK(run);
      CHECK((after & ~0x3fu) == (mode & ~0x3fu));
      CHECK((after & 0x4u) == (mode & 0x4u));
      for (float value : o)
        CHECK(value == 0.0f);
      std::fill(o.begin(), o.end(), 99.0f);
    }
  }
  kernel->release();
}

TEST_CASE("an observer sees the steps, and none of them runs") {
  struct Counter final : StepObserver {
    int count = 0;
    void step(const Step &, const int64_t (&grid)[3]) override {
      ++count;
      CHECK(grid[0] == 5);
    }
  } counter;
  Kernel *kernel = loadKernel(denormalManifest(), 1);
  int64_t shape[] = {1, 5, 1, 4};
  DLTensor in = {nullptr, {kDLCPU, 0}, 4, {kDLFloat, 32, 1}, shape, nullptr, 0};
  sattn_tensor input = {"q", &in};
  sattn_call call = {};
  call.inputs = &input;
  call.input_count = 1;
  RunState state;
  CHECK_OK(bindCall(kernel->manifest(), call, Place::Cpu, true, state));
  CHECK_OK(observe(*kernel, state, counter));
  CHECK(counter.count == 1);
  kernel->release();
}

// Kernels on CUDA through the C interface, on the simulated driver: what is compiled for which device, in which context
// and stream it runs, where workspaces come from, that nothing waits, and that all of it can be captured.
#include "test/runtime/CudaSupport.h"

#include <sattn/sattn.hpp>

#include <atomic>
#include <thread>

using namespace sattn::rt;
using namespace sattn::rt::testing;

namespace {

/// A compiler that knows the GPU forms of @axpy and @twice.
struct GpuCompiler : TestCompiler {
  explicit GpuCompiler(const char *target = "sm_80") {
    add(cudaManifest(), axpyPtx(target));
    add(twiceManifest(), axpyPtx(target));
  }
};

/// o of @axpy for q = 0, 1, 2, ... in [B, t, h, 4].
std::vector<float> axpyOf(size_t count, float scale, float shift) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = scale * static_cast<float>(i) + shift;
  return values;
}

sattn_status runAxpy(sattn_kernel *kernel, CudaTensor &q, CudaTensor &o, cuda::Stream stream = nullptr) {
  CallBuilder call;
  call.input("q", q.tensor).output("o", o.tensor);
  call.call.stream = stream;
  return sattn_run(kernel, call.get());
}

cuda::Stream makeStream(const CudaSim &sim) {
  cuda::Stream stream = nullptr;
  sim.call("cuStreamCreate", &stream, 0u);
  return stream;
}

} // namespace

TEST_CASE("cuda stands for the device's compute capability, and a call waits for nothing") {
  CudaSim sim("cc=90");
  CurrentContext current(sim);
  CudaTensor q(sim, {2, 3, 2, 4}), o(sim, {2, 3, 2, 4});
  GpuCompiler compiler("sm_90a");
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(cudaManifest(), "cuda");
  CHECK(std::string(sattn_kernel_target(kernel)) == "sm_90a");
  CHECK(context.kernel(cudaManifest(), "cuda:0") == kernel);
  CHECK(compiler.calls == 1);

  CHECK_RUN(runAxpy(kernel, q, o));
  CHECK(sim.pending() == 3); // the offsets, the kernel, and the end of the workspace
  CHECK(sim.calls("cuStreamSynchronize") == 0);
  CHECK(sim.calls("cuMemcpyHtoD_v2") == 2); // the test's own
  CHECK(o.memory.download() == axpyOf(48, 2, 3));
  CHECK(context.stats().runs == 1);
  CHECK(context.stats().tasks == 12);
}

TEST_CASE("packed sequences are launches in the order of the stream") {
  CudaSim sim;
  CurrentContext current(sim);
  CudaTensor q(sim, {6, 2, 4}), o(sim, {6, 2, 4});
  GpuCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(cudaManifest(), "cuda");
  PerBatchValues lengths{{0, 2, 2, 6}}, offsets{{10, 20, 30}};
  CallBuilder call;
  call.input("q", q.tensor).output("o", o.tensor);
  call.call.cu_q = lengths;
  call.call.q_offset = offsets;
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(sim.calls("cuStreamSynchronize") == 0);
  CHECK(context.stats().runs == 1);
  CHECK(context.stats().tasks == 12);
  std::vector<float> expected = axpyOf(48, 2, 3);
  for (size_t i = 0; i < expected.size(); ++i)
    expected[i] += i < 16 ? 10 : 30;
  CHECK(o.memory.download() == expected);
  call.call.per_batch_on_device = 1;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_UNSUPPORTED,
              "[SA0320] 'per_batch_on_device' is not supported by this version (the lengths of packed sequences are in "
              "host memory)");
}

TEST_CASE("the C++ interface on a device") {
  CudaSim sim("devices=2");
  CurrentContext current(sim, 1);
  CudaTensor q(sim, {1, 3, 1, 4}, 1), o(sim, {1, 3, 1, 4}, 1);
  GpuCompiler compiler;
  sattn::Options options;
  options.memoryOnly = true;
  sattn::Context context(options);
  context.setCompileHook(TestCompiler::compile, &compiler, compiler.build);
  std::string pattern = cudaManifest()["pattern"];
  sattn::Kernel kernel = context.get(pattern, "D=4,dtype=f32", "cuda:1");
  cuda::Stream stream = makeStream(sim);
  sattn::Call call;
  call.input("q", {q.memory.data(), {1, 3, 1, 4}}).output("o", {o.memory.data(), {1, 3, 1, 4}});
  call.cuda(1, stream).run(kernel);
  CHECK(o.memory.download() == axpyOf(12, 2, 3));
  CHECK_THROWS_WITH_AS(call.cuda(0, stream).run(kernel),
                       "[SA0343] the stream belongs to cuda:1, but the call runs on cuda:0; give a stream of that "
                       "device",
                       sattn::Error);
  sim.call("cuStreamDestroy_v2", stream);
}

TEST_CASE("targets by capability: the nearest that the compiler has") {
  auto expect = [](const char *machine, const char *target) {
    CudaSim sim(machine);
    GpuCompiler compiler("sm_80");
    TestContext context(&compiler);
    CHECK(std::string(sattn_kernel_target(context.kernel(cudaManifest(), "cuda"))) == target);
  };
  expect("cc=80", "sm_80");
  expect("cc=87", "sm_86");
  expect("cc=89", "sm_89");
  expect("cc=103", "sm_90");
  expect("cc=120", "sm_120a");
}

TEST_CASE("offsets on the host travel with the launch") {
  CudaSim sim;
  CurrentContext current(sim);
  // More than one launch of the helper carries.
  constexpr size_t batch = 300;
  CudaTensor q(sim, {batch, 1, 1, 4}), o(sim, {batch, 1, 1, 4});
  GpuCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(cudaManifest(), "cuda");
  std::vector<int64_t> offsets(batch);
  for (size_t i = 0; i < batch; ++i)
    offsets[i] = static_cast<int64_t>(1000 * i);
  CallBuilder call;
  call.input("q", q.tensor).output("o", o.tensor);
  call.call.q_offset = {offsets.data(), batch};
  CHECK_RUN(sattn_run(kernel, call.get()));
  std::vector<int64_t>(batch, -1).swap(offsets); // the call has what it needs
  std::vector<float> expected = axpyOf(batch * 4, 2, 3);
  for (size_t i = 0; i < expected.size(); ++i)
    expected[i] += static_cast<float>(1000 * (i / 4));
  CHECK(o.memory.download() == expected);
}

TEST_CASE("workspace: the library's own in stream order, or the caller's") {
  CudaSim sim;
  CurrentContext current(sim);
  CudaTensor q(sim, {1, 3, 2, 4}), o(sim, {1, 3, 2, 4});
  GpuCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(twiceManifest(), "cuda");
  uint64_t before = sim.memoryInUse();
  CHECK_RUN(runAxpy(kernel, q, o));
  CHECK(sim.calls("cuMemAllocFromPoolAsync") == 1);
  CHECK(sim.calls("cuMemFreeAsync") == 1);
  CHECK(o.memory.download() == axpyOf(24, 4, 9));
  CHECK(sim.memoryInUse() == before);

  CallBuilder call;
  call.input("q", q.tensor).output("o", o.tensor);
  size_t bytes = 0;
  CHECK_RUN(sattn_workspace_size(kernel, call.get(), &bytes));
  CHECK(bytes == 24 * 4 + 32 + 64); // rounded up to 64: the workspace, the offset
  DeviceArray<char> workspace(sim, std::vector<char>(bytes));
  call.call.workspace = workspace.data();
  call.call.workspace_size = bytes;
  o.memory.host.assign(24, 0);
  o.memory.upload();
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(sim.calls("cuMemAllocFromPoolAsync") == 1);
  CHECK(o.memory.download() == axpyOf(24, 4, 9));

  call.call.workspace_size = bytes - 1;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL, "[SA0334] workspace has 191 bytes");
}

TEST_CASE("without memory pools a block is kept for each stream") {
  CudaSim sim("pools=0");
  CurrentContext current(sim);
  CudaTensor q(sim, {1, 3, 2, 4}), o(sim, {1, 3, 2, 4});
  CudaTensor bigQ(sim, {1, 30, 2, 4}), bigO(sim, {1, 30, 2, 4});
  uint64_t own = sim.calls("cuMemAlloc_v2");
  GpuCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(twiceManifest(), "cuda");
  cuda::Stream stream = makeStream(sim);
  for (int i = 0; i < 3; ++i)
    CHECK_RUN(runAxpy(kernel, q, o, stream));
  CHECK(sim.calls("cuMemAlloc_v2") == own + 1);
  CHECK(o.memory.download() == axpyOf(24, 4, 9));
  CHECK_RUN(runAxpy(kernel, bigQ, bigO, stream)); // a larger block in its place
  CHECK_RUN(runAxpy(kernel, q, o));               // another stream, another block
  CHECK(sim.calls("cuMemAlloc_v2") == own + 3);
  CHECK(bigO.memory.download() == axpyOf(240, 4, 9));

  cuda::Stream fresh = makeStream(sim);
  sim.call("cuStreamBeginCapture_v2", fresh, 0);
  CHECK_ERROR(runAxpy(kernel, q, o, fresh), SATTN_UNSUPPORTED,
              "[SA0514] allocating workspace is not possible while the stream is captured; "
              "give the call a workspace (sattn_workspace_size)");
  cuda::GraphObject *graph = nullptr;
  sim.call("cuStreamEndCapture", fresh, &graph);
  sim.call("cuGraphDestroy", graph);
  sim.call("cuStreamDestroy_v2", fresh);
  sim.call("cuStreamDestroy_v2", stream);
}

TEST_CASE("a captured call runs again with what stands on the device then") {
  CudaSim sim;
  CurrentContext current(sim);
  CudaTensor q(sim, {2, 3, 1, 4}), o(sim, {2, 3, 1, 4});
  DeviceArray<int64_t> offsets(sim, {10, 20});
  GpuCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(twiceManifest(), "cuda");
  cuda::Stream stream = makeStream(sim);
  auto expected = [&](float first, float second) {
    std::vector<float> values = axpyOf(24, 4, 9);
    for (size_t i = 0; i < 24; ++i)
      values[i] += 3 * (i < 12 ? first : second);
    return values;
  };

  sim.call("cuStreamBeginCapture_v2", stream, 0);
  CallBuilder call;
  call.input("q", q.tensor).output("o", o.tensor);
  call.call.stream = stream;
  call.call.q_offset = {offsets.data(), 2};
  call.call.per_batch_on_device = 1;
  CHECK_RUN(sattn_run(kernel, call.get()));
  cuda::GraphObject *graph = nullptr;
  sim.call("cuStreamEndCapture", stream, &graph); // refuses what a capture does not allow
  CHECK(sim.pending() == 0);

  sim.call("cuGraphLaunch", graph, stream);
  CHECK(o.memory.download() == expected(10, 20));
  offsets.host = {5, 7};
  offsets.upload();
  sim.call("cuGraphLaunch", graph, stream);
  CHECK(o.memory.download() == expected(5, 7));
  sim.call("cuGraphDestroy", graph);
  sim.call("cuStreamDestroy_v2", stream);
}

TEST_CASE("values on the host are part of a captured graph") {
  CudaSim sim;
  CurrentContext current(sim);
  CudaTensor q(sim, {1, 3, 1, 4}), o(sim, {1, 3, 1, 4});
  GpuCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(cudaManifest(), "cuda");
  cuda::Stream stream = makeStream(sim);
  sim.call("cuStreamBeginCapture_v2", stream, 0);
  {
    int64_t offset = 100;
    CallBuilder call;
    call.input("q", q.tensor).output("o", o.tensor);
    call.call.stream = stream;
    call.call.q_offset = {&offset, 1};
    CHECK_RUN(sattn_run(kernel, call.get()));
    offset = -1;
  }
  cuda::GraphObject *graph = nullptr;
  sim.call("cuStreamEndCapture", stream, &graph);
  for (int i = 0; i < 2; ++i) {
    o.memory.host.assign(12, 0);
    o.memory.upload();
    sim.call("cuGraphLaunch", graph, stream);
    CHECK(o.memory.download() == axpyOf(12, 2, 103));
  }
  sim.call("cuGraphDestroy", graph);
  sim.call("cuStreamDestroy_v2", stream);
}

TEST_CASE("a call runs on the device of its tensors, in the stream's context or the current one") {
  CudaSim sim("devices=2,cc=90");
  GpuCompiler compiler("sm_90");
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(cudaManifest(), "cuda:1");
  uint64_t modules = sim.calls("cuModuleLoadDataEx");
  {
    CurrentContext current(sim, 1);
    CudaTensor q(sim, {1, 3, 1, 4}, 1), o(sim, {1, 3, 1, 4}, 1);
    CHECK_RUN(runAxpy(kernel, q, o));
    CHECK(o.memory.download() == axpyOf(12, 2, 3));
    CHECK(sim.calls("cuModuleLoadDataEx") == modules); // loaded with the kernel
  }
  CurrentContext current(sim, 0);
  CudaTensor q(sim, {1, 3, 1, 4}), o(sim, {1, 3, 1, 4});
  CHECK_RUN(runAxpy(kernel, q, o));
  CHECK(o.memory.download() == axpyOf(12, 2, 3));
  CHECK(sim.calls("cuModuleLoadDataEx") == modules + 2); // for the other device: a helper, the kernel
  CHECK_RUN(runAxpy(kernel, q, o));
  CHECK(sim.calls("cuModuleLoadDataEx") == modules + 2);

  CudaTensor elsewhere(sim, {1, 3, 1, 4}, 1);
  CHECK_ERROR(runAxpy(kernel, q, elsewhere), SATTN_BAD_CALL,
              "[SA0342] o is on cuda:1, but q is on cuda:0; a call runs on one device");
  cuda::Stream stream = makeStream(sim);
  CHECK_ERROR(runAxpy(kernel, elsewhere, elsewhere, stream), SATTN_BAD_CALL, "[SA0319] result o overlaps q");
  CudaTensor other(sim, {1, 3, 1, 4}, 1);
  CHECK_ERROR(runAxpy(kernel, elsewhere, other, stream), SATTN_BAD_CALL,
              "[SA0343] the stream belongs to cuda:0, but the call runs on cuda:1; give a stream of that device");
  sim.call("cuStreamDestroy_v2", stream);

  Tensor host({1, 3, 1, 4});
  CallBuilder call;
  call.input("q", host).output("o", o.tensor);
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL,
              "[SA0341] q is in memory of DLPack device type 1, but target 'sm_90a' takes memory of a CUDA device; "
              "copy it there");
  q.tensor.dl.device.device_type = kDLCUDAManaged;
  CHECK_RUN(runAxpy(kernel, q, o));
  CHECK(o.memory.download() == axpyOf(12, 2, 3));
}

TEST_CASE("threads with streams of their own share kernels, and load them once") {
  CudaSim sim;
  GpuCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(twiceManifest(), "cuda");
  auto own = std::make_unique<CurrentContext>(sim, 0, true); // the kernel is not loaded there yet
  uint64_t modules = sim.calls("cuModuleLoadDataEx");
  constexpr int threadCount = 6, runs = 8;
  std::vector<std::unique_ptr<CudaTensor>> tensors;
  std::vector<cuda::Stream> streams;
  for (int i = 0; i < threadCount; ++i) {
    tensors.push_back(std::make_unique<CudaTensor>(sim, std::vector<int64_t>{1, 3, 1, 4}));
    tensors.push_back(std::make_unique<CudaTensor>(sim, std::vector<int64_t>{1, 3, 1, 4}));
    streams.push_back(makeStream(sim));
  }
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < threadCount; ++i)
    threads.emplace_back([&, i] {
      for (int run = 0; run < runs; ++run)
        failures += runAxpy(kernel, *tensors[2 * i], *tensors[2 * i + 1], streams[i]) != SATTN_OK;
    });
  for (std::thread &thread : threads)
    thread.join();
  CHECK(failures == 0);
  for (int i = 0; i < threadCount; ++i) {
    CHECK(tensors[2 * i + 1]->memory.download() == axpyOf(12, 4, 9));
    sim.call("cuStreamDestroy_v2", streams[i]);
  }
  // The kernel once; of the helper, whoever came first may have made one that nobody needed.
  uint64_t loaded = sim.calls("cuModuleLoadDataEx") - modules;
  CHECK(loaded >= 2);
  CHECK(loaded <= 1 + threadCount);
  tensors.clear();
  context.close();
}

TEST_CASE("a context of the caller's own, and what has to come before a capture") {
  CudaSim sim;
  GpuCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(cudaManifest(), "cuda");
  sattn_kernel *second = context.kernel(twiceManifest(), "cuda");
  auto own = std::make_unique<CurrentContext>(sim, 0, true);
  {
    CudaTensor q(sim, {1, 3, 1, 4}), o(sim, {1, 3, 1, 4});
    cuda::Stream stream = makeStream(sim);
    auto captured = [&](sattn_kernel *tried) {
      sim.call("cuStreamBeginCapture_v2", stream, 0);
      sattn_status status = runAxpy(tried, q, o, stream);
      cuda::GraphObject *graph = nullptr;
      sim.call("cuStreamEndCapture", stream, &graph); // a refusal leaves the capture whole
      sim.call("cuGraphDestroy", graph);
      return status;
    };
    CHECK_ERROR(captured(kernel), SATTN_UNSUPPORTED,
                "[SA0514] the first call in a context is not possible while the stream is captured; "
                "run the kernel once before the capture");
    CHECK_RUN(runAxpy(kernel, q, o, stream));
    CHECK(o.memory.download() == axpyOf(12, 2, 3));
    CHECK_RUN(captured(kernel));
    CHECK_ERROR(captured(second), SATTN_UNSUPPORTED, "[SA0514] loading a kernel into another context is not possible");
    sim.call("cuStreamDestroy_v2", stream);
  }
  context.close(); // kernels go before the driver's context that they ran in
  own.reset();
}

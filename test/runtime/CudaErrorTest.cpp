// What goes wrong on CUDA: no driver, an old one, wrong devices and code, memory, faults of kernels; each with its
// text.
#include "test/runtime/CudaSupport.h"

#include <cstdlib>

using namespace sattn::rt;
using namespace sattn::rt::testing;

namespace {

struct GpuCompiler : TestCompiler {
  explicit GpuCompiler(const std::string &ptx = axpyPtx(), int64_t shared = 1024) {
    add(cudaManifest(shared), ptx);
    add(twiceManifest(), ptx);
  }
};

/// What sattn_get() says for a target on a machine.
std::string refusal(const char *machine, const char *target, const std::string &ptx = axpyPtx(),
                    int64_t shared = 1024) {
  CudaSim sim(machine);
  GpuCompiler compiler(ptx, shared);
  TestContext context(&compiler);
  CHECK(context.tryGet(cudaManifest(shared), target) != SATTN_OK);
  return sattn_last_error();
}

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("a machine without a driver, with an old one, without a device") {
  GpuCompiler compiler;
  setenv("SATTN_LIBCUDA", "/nowhere/libcuda.so.1", 1);
  TestContext none(&compiler);
  CHECK_ERROR(none.tryGet(cudaManifest(), "cuda"), SATTN_UNSUPPORTED,
              "[SA0506] there is no driver for CUDA (/nowhere/libcuda.so.1: cannot open shared object file: "
              "No such file or directory); install NVIDIA's driver, or name its library with SATTN_LIBCUDA");
  CHECK_ERROR(none.tryGet(cudaManifest(), "sm_80"), SATTN_UNSUPPORTED,
              "[SA0418] target 'sm_80' needs a device to run on, and there is none: [SA0506] there is no driver");
  setenv("SATTN_LIBCUDA", TEST_OLD_LIBCUDA, 1);
  TestContext old(&compiler);
  CHECK_ERROR(old.tryGet(cudaManifest(), "cuda"), SATTN_UNSUPPORTED,
              "has no function 'cuDriverGetVersion'; update it to one for CUDA 11.2 or newer");
  CHECK(std::string(sattn_last_error()).starts_with("[SA0507] the driver '"));
  CHECK(compiler.calls == 0);

  CHECK(refusal("devices=0", "cuda") ==
        "[SA0508] CUDA cannot start the driver: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected");
  CHECK(refusal("devices=2", "cuda:2") == "[SA0510] there is no device 'cuda:2'; this machine has 2");
  CHECK(refusal("", "cuda:x").starts_with("[SA0402] unknown target 'cuda:x'"));
}

TEST_CASE("code for another device") {
  CHECK(refusal("cc=90", "sm_100a") == "[SA0511] code for 'sm_100a' does not run on cuda:0 (simulated GPU, compute "
                                       "capability 9.0); get the kernel for target 'cuda', which finds the right code");
  CHECK(refusal("cc=75", "cuda") == "[SA0515] cuda:0 (simulated GPU, compute capability 7.5) is older than what "
                                    "kernels are compiled for, compute capability 8.0");
  // The kernel's own target is right, its PTX is not.
  CHECK(refusal("cc=80", "sm_80", axpyPtx("sm_90")) ==
        "[SA0509] CUDA cannot load kernel 'axpy' for 'sm_80' on cuda:0 (simulated GPU, compute capability 8.0): "
        "CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image is available for execution on the device: ptxas fatal: "
        "code for sm_90 cannot run on sm_80");
  {
    CudaSim sim("devices=2,cc=90+80");
    GpuCompiler compiler;
    TestContext context(&compiler);
    sattn_kernel *kernel = context.kernel(cudaManifest(), "sm_90");
    CurrentContext current(sim, 1);
    CudaTensor q(sim, {1, 1, 1, 4}, 1), o(sim, {1, 1, 1, 4}, 1);
    CallBuilder call;
    call.input("q", q.tensor).output("o", o.tensor);
    CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_UNSUPPORTED, "[SA0511] code for 'sm_90' does not run on cuda:1");
  }
}

TEST_CASE("a device of the caller takes the place of CUDA") {
  CudaSim sim;
  GpuCompiler compiler;
  TestContext context(&compiler);
  sattn_device hooks{};
  hooks.struct_size = sizeof hooks;
  hooks.load = [](void *, const char *, const void *, size_t, void **, char **) { return SATTN_OK; };
  hooks.launch = [](void *, void *, const sattn_device_launch *, char **) { return SATTN_OK; };
  REQUIRE(sattn_set_device(context.get(), &hooks) == SATTN_OK);
  CHECK_ERROR(context.tryGet(cudaManifest(), "cuda:0"), SATTN_BAD_ARGUMENT,
              "[SA0419] target 'cuda:0' asks for CUDA, but this context has a device of sattn_set_device(); "
              "use another context");
  CHECK(sim.calls("cuInit") == 0);
}

TEST_CASE("what the driver says about PTX, symbols and shared memory") {
  std::string broken = replaced(axpyPtx(), "rem.u64 %x, %n, %gx;", "rem.u64 %x %n;");
  std::string text = refusal("", "cuda", broken);
  CHECK(text.starts_with("[SA0509] CUDA cannot load kernel 'axpy' for 'sm_90a' on cuda:0 (simulated GPU, compute "
                         "capability 9.0): CUDA_ERROR_INVALID_PTX: a PTX JIT compilation failed: ptxas application, "
                         "line "));
  CHECK(text.find("rem.u64 %x %n") != std::string::npos);
  CHECK(refusal("", "cuda", replaced(axpyPtx(), ".entry axpy", ".entry other")) ==
        "[SA0417] code section does not define the symbol 'axpy' of kernel 'axpy'");
  CHECK(refusal("cc=86", "cuda", axpyPtx(), 150000) ==
        "[SA0513] kernel 'axpy' needs 150000 bytes of shared memory, but a block on cuda:0 (simulated GPU, compute "
        "capability 8.6) has 101376; get it for the target of that device");
  CHECK(refusal("refuse=cuMemPoolCreate", "cuda") ==
        "[SA0508] CUDA cannot make a memory pool: CUDA_ERROR_UNKNOWN: unknown error");
  {
    // 150000 bytes are more than a block gets unasked; the sm_80 has them.
    CudaSim sim("cc=80");
    CurrentContext current(sim);
    CudaTensor q(sim, {1, 1, 1, 4}), o(sim, {1, 1, 1, 4});
    GpuCompiler compiler(axpyPtx(), 150000);
    TestContext context(&compiler);
    CallBuilder call;
    call.input("q", q.tensor).output("o", o.tensor);
    CHECK_RUN(sattn_run(context.kernel(cudaManifest(150000), "cuda"), call.get()));
    CHECK(o.memory.download() == std::vector<float>{3, 5, 7, 9});
  }
}

TEST_CASE("calls that a device cannot take") {
  CudaSim sim("memory=4096");
  CurrentContext current(sim);
  GpuCompiler compiler;
  json huge = cudaManifest();
  huge["name"] = "huge";
  huge["pattern"] = "sattn.pattern @huge(...) {}";
  huge["steps"][0]["grid"] = {65536, 65536, 1};
  compiler.add(huge, axpyPtx());
  TestContext context(&compiler);
  CudaTensor q(sim, {1, 8, 4, 4}), o(sim, {1, 8, 4, 4});
  DeviceArray<char> rest(sim, std::vector<char>(2900));
  CallBuilder call;
  call.input("q", q.tensor).output("o", o.tensor);
  CHECK_ERROR(sattn_run(context.kernel(twiceManifest(), "cuda"), call.get()), SATTN_OUT_OF_MEMORY,
              "[SA0512] cannot allocate 576 bytes of workspace on cuda:0: CUDA_ERROR_OUT_OF_MEMORY: out of memory; "
              "free some memory, or use smaller sizes");
  CHECK_ERROR(sattn_run(context.kernel(huge, "cuda"), call.get()), SATTN_BAD_CALL,
              "[SA0348] kernel 'axpy' has 4294967296 blocks for these sizes, and a device starts at most 2^31 - 1; "
              "split the call");

  sattn_kernel *kernel = context.kernel(cudaManifest(), "cuda");
  int64_t offsets[2] = {0, 0};
  call.call.q_offset_divisor = 2;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL,
              "[SA0345] bounds of offsets and lengths are for values on a device; leave them zero or set "
              "'per_batch_on_device'");
  call.call.per_batch_on_device = 1;
  call.call.q_offset = {offsets, 2};
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL,
              "[SA0346] 'q_offset' on the device has 2 values, but the batch has 1 entries; give one for each");
  call.call.q_offset.count = 1;
  call.call.q_offset_divisor = -2;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL, "[SA0347] 'q_offset_divisor' is -2, outside 0 to");
  call.call.q_offset_divisor = 0;
  call.call.q_offset_max = int64_t(1) << 41;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL,
              "[SA0347] 'q_offset_max' is 2199023255552, outside 0 to 1099511627768");
  call.call.q_offset_max = 0;
  call.call.kv_len = {offsets, 1};
  call.call.kv_len_max = -1;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL, "[SA0347] 'kv_len_max' is -1, outside 0 to 0");
  call.call.q_offset.values = nullptr;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_ARGUMENT, "[SA0300] argument 'q_offset' is null");

  Tensor host({1, 1, 1, 4}), out({1, 1, 1, 4});
  CallBuilder onHost;
  onHost.input("q", host).output("o", out);
  onHost.call.per_batch_on_device = 1;
  TestCompiler cpu;
  TestContext cpuContext(&cpu);
  CHECK_ERROR(sattn_run(cpuContext.kernel(axpyManifest(), "cpu-baseline"), onHost.get()), SATTN_BAD_CALL,
              "[SA0344] 'per_batch_on_device' is for targets on CUDA, but the kernel is for 'cpu-baseline'; "
              "give the values in host memory");
}

TEST_CASE("bounds on the device decide what a kernel may count on") {
  CudaSim sim;
  CurrentContext current(sim);
  json strided = cudaManifest();
  strided["name"] = "strided";
  strided["pattern"] = "sattn.pattern @strided(...) {}";
  strided["requires"] = json::parse(
      R"([{"check": ["==", ["mod", "q_offset_gcd", 16], 0], "message": "offsets must be multiples of 16"},
          {"check": ["<=", "q_offset_max", 100], "message": "positions must be near"}])");
  GpuCompiler compiler;
  compiler.add(strided, axpyPtx());
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(strided, "cuda");
  CudaTensor q(sim, {1, 1, 1, 4}), o(sim, {1, 1, 1, 4});
  DeviceArray<int64_t> offset(sim, {32});
  CallBuilder call;
  call.input("q", q.tensor).output("o", o.tensor);
  call.call.q_offset = {offset.data(), 1};
  call.call.per_batch_on_device = 1;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL, "offsets must be multiples of 16");
  call.call.q_offset_divisor = 32;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL, "positions must be near");
  call.call.q_offset_max = 64;
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(o.memory.download() == std::vector<float>{35, 37, 39, 41});
}

TEST_CASE("launches that fail, at once and later") {
  CudaSim sim;
  CurrentContext current(sim);
  CudaTensor q(sim, {1, 1, 1, 4}), o(sim, {1, 1, 1, 4});
  {
    // The kernel leaves its results: 4 GiB behind them.
    GpuCompiler compiler(replaced(axpyPtx(), "st.global.f32 [%o], %v;",
                                  "add.u64 %o, %o, 4294967296;\n  "
                                  "st.global.f32 [%o], %v;"));
    TestContext context(&compiler);
    sattn_kernel *kernel = context.kernel(cudaManifest(), "cuda");
    CallBuilder call;
    call.input("q", q.tensor).output("o", o.tensor);
    CHECK_RUN(sattn_run(kernel, call.get())); // nothing has waited
    CHECK(sim.status("cuStreamSynchronize", cuda::Stream(nullptr)) == cuda::LaunchFailed);
    CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_ENVIRONMENT, "CUDA_ERROR_LAUNCH_FAILED: kernel 'axpy' is wrong: ");
    CHECK(std::string(sattn_last_error()).find("st.global.f32 [%o], %v") != std::string::npos);
  }
  sim.recover();
}

TEST_CASE("the text of a refused launch names the kernel and its shape") {
  CudaSim sim("refuse=cuLaunchKernel,pools=0");
  CurrentContext current(sim);
  CudaTensor q(sim, {1, 2, 1, 4}), o(sim, {1, 2, 1, 4});
  DeviceArray<int64_t> offset(sim, {0});
  GpuCompiler compiler;
  TestContext context(&compiler);
  CallBuilder call;
  call.input("q", q.tensor).output("o", o.tensor);
  sattn_kernel *kernel = context.kernel(cudaManifest(), "cuda");
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_ENVIRONMENT,
              "[SA0508] CUDA cannot write offsets and lengths: CUDA_ERROR_UNKNOWN: unknown error");
  call.call.q_offset = {offset.data(), 1};
  call.call.per_batch_on_device = 1;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_ENVIRONMENT,
              "[SA0508] CUDA cannot launch kernel 'axpy' with 2 blocks of 32 threads and 1024 bytes of shared memory: "
              "CUDA_ERROR_UNKNOWN: unknown error");
}

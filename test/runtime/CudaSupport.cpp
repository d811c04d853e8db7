// Helpers of the tests of kernels on CUDA (CudaSupport.h).
#include "test/runtime/CudaSupport.h"

#include <cstdlib>
#include <numeric>

namespace sattn::rt::testing {

CudaSim::CudaSim(const char *machine) {
  setenv("SATTN_LIBCUDA", TEST_LIBCUDA, 1);
  library = dlopen(TEST_LIBCUDA, RTLD_NOW | RTLD_LOCAL);
  REQUIRE_MESSAGE(library, dlerror());
  REQUIRE(reinterpret_cast<int (*)(const char *)>(symbol("cusimConfigure"))(machine) == 0);
}

CudaSim::~CudaSim() {
  status("cuCtxSynchronize"); // what is freed in stream order is free now
  CHECK(memoryInUse() == 0);
  CHECK(objects() == 0);
  dlclose(library);
}

void *CudaSim::symbol(const char *name) const {
  void *found = dlsym(library, name);
  REQUIRE_MESSAGE(found, name);
  return found;
}

uint64_t CudaSim::calls(const char *function) const {
  return reinterpret_cast<uint64_t (*)(const char *)>(symbol("cusimCalls"))(function);
}

CurrentContext::CurrentContext(const CudaSim &sim, int ordinal, bool own) : sim(sim), own(own) {
  sim.call("cuDeviceGet", &device, ordinal);
  if (own) {
    sim.call("cuCtxCreate_v2", &context, 0u, device);
  } else {
    sim.call("cuDevicePrimaryCtxRetain", &context, device);
    sim.call("cuCtxPushCurrent_v2", context);
  }
}

CurrentContext::~CurrentContext() {
  cuda::Context popped;
  if (own) {
    sim.call("cuCtxDestroy_v2", context);
  } else {
    sim.call("cuCtxPopCurrent_v2", &popped);
    sim.call("cuDevicePrimaryCtxRelease_v2", device);
  }
}

static std::vector<float> counted(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  std::vector<float> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

CudaTensor::CudaTensor(const CudaSim &sim, std::vector<int64_t> shape, int ordinal)
    : tensor(shape), memory(sim, counted(shape)) {
  tensor.dl.data = memory.data();
  tensor.dl.device = {kDLCUDA, ordinal};
}

std::string axpyPtx(const char *target) {
  std::string text = ".version 7.0\n.target " + std::string(target) + R"(
.address_size 64
.visible .entry axpy()";
  for (int i = 0; i < 20; ++i)
    text += std::string(i ? ", " : "") + ".param " + (i == 14 ? ".f32" : ".u64") + " p" + std::to_string(i);
  return text + R"()
{
  .reg .pred %out;
  .reg .b32 %lane, %block;
  .reg .b64 %n, %x, %y, %z, %gx, %gy, %s, %at, %q, %o, %w, %e;
  .reg .f32 %v, %a, %b;
  mov.u32 %lane, %tid.x;
  setp.ge.u32 %out, %lane, 4;
  @%out bra DONE;
  mov.u32 %block, %ctaid.x;
  cvt.u64.u32 %n, %block;
  ld.param.u64 %gx, [p17];
  ld.param.u64 %gy, [p18];
  rem.u64 %x, %n, %gx;
  div.u64 %n, %n, %gx;
  rem.u64 %y, %n, %gy;
  div.u64 %z, %n, %gy;
  cvt.u64.u32 %e, %lane;
  ld.param.u64 %s, [p4];
  mad.lo.u64 %at, %z, %s, %e;
  ld.param.u64 %s, [p5];
  mad.lo.u64 %at, %x, %s, %at;
  ld.param.u64 %s, [p6];
  mad.lo.u64 %at, %y, %s, %at;
  ld.param.u64 %q, [p0];
  shl.b64 %at, %at, 2;
  add.u64 %q, %q, %at;
  ld.global.f32 %v, [%q];
  ld.param.u64 %s, [p11];
  mad.lo.u64 %at, %z, %s, %e;
  ld.param.u64 %s, [p12];
  mad.lo.u64 %at, %x, %s, %at;
  ld.param.u64 %s, [p13];
  mad.lo.u64 %at, %y, %s, %at;
  ld.param.u64 %o, [p7];
  shl.b64 %at, %at, 2;
  add.u64 %o, %o, %at;
  ld.param.u64 %q, [p16];
  shl.b64 %z, %z, 3;
  add.u64 %q, %q, %z;
  ld.global.u64 %w, [%q];
  ld.param.u64 %s, [p15];
  add.u64 %w, %w, %s;
  cvt.rn.f32.s64 %b, %w;
  ld.param.f32 %a, [p14];
  fma.rn.f32 %v, %a, %v, %b;
  st.global.f32 [%o], %v;
DONE:
  ret;
}
)";
}

static json gpuKernel(int64_t shared) {
  json kernels;
  kernels["axpy"] = {{"symbol", "axpy"}, {"threads", 32}, {"shared", shared}, {"align", {4, 4, 0, 0, 0}}};
  return kernels;
}

json cudaManifest(int64_t shared) {
  json m = axpyManifest();
  m["kernels"] = gpuKernel(shared);
  return m;
}

json twiceManifest() {
  json m = cudaManifest();
  m["name"] = "twice";
  m["pattern"] = "sattn.pattern @twice(...) {}";
  m["workspaces"] = json::parse(R"([{"name": "w", "bytes": ["*", ["*", "B", "t"], ["*", "h", 16]], "life": [0, 1]}])");
  json first = m["steps"][0], second = first;
  json workspace = json::parse(R"({"workspace": "w", "counts": ["B", "t", "h"],
                                   "strides": [["*", "t", ["*", "h", 4]], ["*", "h", 4], 4]})");
  first["args"][1] = workspace;
  second["args"][0] = workspace;
  m["steps"] = {first, second};
  return m;
}

} // namespace sattn::rt::testing

// The sm_90a matrix product of the tests and its judge; see Kernels.h.
#include "lib/ptx/Numbers.h"
#include "test/lib/ptx/Kernels.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

namespace sattn::ptx::test {

const std::string_view GemmSm90 = R"(.version 8.0
.target sm_90a
.address_size 64
// Two stages of A (64 rows of 128 bytes) and B (32 rows), then the barriers: full[2], empty[2].
.extern .shared .align 1024 .b8 smem[];
.visible .entry gemm(.param .align 64 .b8 amap[128], .param .align 64 .b8 bmap[128], .param .u64 c, .param .u32 tiles)
.maxntid 160
{
  .reg .b64 %amap, %bmap, %c, %x, %adesc, %bdesc, %high;
  .reg .b32 %tid, %lane, %warp, %smem, %full, %empty, %i, %tiles, %stage, %phase, %t, %u, %fbar, %ebar, %dst, %k, %zero;
  .reg .f32 %d<16>;
  .reg .pred %p, %q, %more;
  ld.param.u64 %c, [c];
  ld.param.u32 %tiles, [tiles];
  mov.u32 %tid, %tid.x;
  and.b32 %lane, %tid, 31;
  shr.u32 %warp, %tid, 5;
  mov.u32 %zero, 0;
  mov.u32 %smem, smem;
  add.u32 %full, %smem, 24576;
  add.u32 %empty, %full, 16;
  setp.ne.u32 %p, %tid, 0;
  @%p bra READY;
  mbarrier.init.shared::cta.b64 [%full], 1;
  mbarrier.init.shared::cta.b64 [%full+8], 1;
  mbarrier.init.shared::cta.b64 [%empty], 128;
  mbarrier.init.shared::cta.b64 [%empty+8], 128;
  fence.mbarrier_init.release.cluster;
READY:
  bar.sync 0;
  mov.u32 %i, 0;
  setp.ne.u32 %p, %warp, 4;
  @%p bra CONSUMER;
  setmaxnreg.dec.sync.aligned.u32 24;
  elect.sync %t|%p, -1;
  @!%p bra END;
  mov.b64 %amap, amap;
  cvta.param.u64 %amap, %amap;
  mov.b64 %bmap, bmap;
  cvta.param.u64 %bmap, %bmap;
PRODUCE:
  and.b32 %stage, %i, 1;
  shr.u32 %phase, %i, 1;
  and.b32 %phase, %phase, 1;
  xor.b32 %phase, %phase, 1;
  shl.b32 %t, %stage, 3;
  add.u32 %fbar, %full, %t;
  add.u32 %ebar, %empty, %t;
FREE:
  mbarrier.try_wait.parity.shared::cta.b64 %q, [%ebar], %phase;
  @!%q bra FREE;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%fbar], 12288;
  mad.lo.u32 %dst, %stage, 12288, %smem;
  shl.b32 %k, %i, 6;
  cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%dst], [%amap, {%k, %zero}], [%fbar];
  add.u32 %dst, %dst, 8192;
  cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%dst], [%bmap, {%k, %zero}], [%fbar];
  add.u32 %i, %i, 1;
  setp.lt.u32 %more, %i, %tiles;
  @%more bra PRODUCE;
  bra.uni END;
CONSUMER:
  setmaxnreg.inc.sync.aligned.u32 240;
  mov.f32 %d0, 0f00000000;
  mov.f32 %d1, 0f00000000;
  mov.f32 %d2, 0f00000000;
  mov.f32 %d3, 0f00000000;
  mov.f32 %d4, 0f00000000;
  mov.f32 %d5, 0f00000000;
  mov.f32 %d6, 0f00000000;
  mov.f32 %d7, 0f00000000;
  mov.f32 %d8, 0f00000000;
  mov.f32 %d9, 0f00000000;
  mov.f32 %d10, 0f00000000;
  mov.f32 %d11, 0f00000000;
  mov.f32 %d12, 0f00000000;
  mov.f32 %d13, 0f00000000;
  mov.f32 %d14, 0f00000000;
  mov.f32 %d15, 0f00000000;
  // 128-byte swizzle; 1024 bytes from 8 rows to the next.
  mov.b64 %high, 0x4000004000010000;
CONSUME:
  and.b32 %stage, %i, 1;
  shr.u32 %phase, %i, 1;
  and.b32 %phase, %phase, 1;
  shl.b32 %t, %stage, 3;
  add.u32 %fbar, %full, %t;
  add.u32 %ebar, %empty, %t;
  mad.lo.u32 %t, %stage, 12288, %smem;
  shr.u32 %u, %t, 4;
  and.b32 %u, %u, 0x3fff;
  cvt.u64.u32 %adesc, %u;
  or.b64 %adesc, %adesc, %high;
  add.u64 %bdesc, %adesc, 512;
ARRIVED:
  mbarrier.try_wait.parity.shared::cta.b64 %q, [%fbar], %phase;
  @!%q bra ARRIVED;
  wgmma.fence.sync.aligned;
  wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {%d0, %d1, %d2, %d3, %d4, %d5, %d6, %d7, %d8, %d9, %d10, %d11, %d12, %d13, %d14, %d15}, %adesc, %bdesc, 1, 1, 1, 0, 0;
  add.u64 %adesc, %adesc, 2;
  add.u64 %bdesc, %bdesc, 2;
  wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {%d0, %d1, %d2, %d3, %d4, %d5, %d6, %d7, %d8, %d9, %d10, %d11, %d12, %d13, %d14, %d15}, %adesc, %bdesc, 1, 1, 1, 0, 0;
  add.u64 %adesc, %adesc, 2;
  add.u64 %bdesc, %bdesc, 2;
  wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {%d0, %d1, %d2, %d3, %d4, %d5, %d6, %d7, %d8, %d9, %d10, %d11, %d12, %d13, %d14, %d15}, %adesc, %bdesc, 1, 1, 1, 0, 0;
  add.u64 %adesc, %adesc, 2;
  add.u64 %bdesc, %bdesc, 2;
  wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {%d0, %d1, %d2, %d3, %d4, %d5, %d6, %d7, %d8, %d9, %d10, %d11, %d12, %d13, %d14, %d15}, %adesc, %bdesc, 1, 1, 1, 0, 0;
  wgmma.commit_group.sync.aligned;
  wgmma.wait_group.sync.aligned 0;
  mbarrier.arrive.shared::cta.b64 _, [%ebar];
  add.u32 %i, %i, 1;
  setp.lt.u32 %more, %i, %tiles;
  @%more bra CONSUME;
  // Row 16 warp + lane / 4 and 8 further, columns 8 j + 2 (lane % 4).
  shl.b32 %t, %warp, 4;
  shr.u32 %u, %lane, 2;
  add.u32 %t, %t, %u;
  shl.b32 %t, %t, 7;
  and.b32 %u, %lane, 3;
  shl.b32 %u, %u, 3;
  add.u32 %t, %t, %u;
  cvt.u64.u32 %x, %t;
  add.u64 %c, %c, %x;
  st.global.v2.f32 [%c], {%d0, %d1};
  st.global.v2.f32 [%c+1024], {%d2, %d3};
  st.global.v2.f32 [%c+32], {%d4, %d5};
  st.global.v2.f32 [%c+1056], {%d6, %d7};
  st.global.v2.f32 [%c+64], {%d8, %d9};
  st.global.v2.f32 [%c+1088], {%d10, %d11};
  st.global.v2.f32 [%c+96], {%d12, %d13};
  st.global.v2.f32 [%c+1120], {%d14, %d15};
END:
  ret;
}
)";

Verdict runGemm(std::string_view text, uint64_t seed) {
  constexpr int M = 64, N = 32, Tiles = 5, K = 64 * Tiles;
  Verdict verdict;
  std::mt19937 random(9);
  std::normal_distribution<float> normal(0, 0.3f);
  std::vector<uint16_t> a(M * K), b(N * K);
  for (auto *values : {&a, &b})
    for (uint16_t &value : *values)
      value = toBfloatNearest(normal(random));
  std::vector<float> c(M * N, NAN);
  Device device;
  Launch launch{.block = {160}, .sharedBytes = 24608};
  TensorMap map{
      .rank = 2, .elementBytes = 2, .dims = {K, M}, .strides = {2 * K}, .box = {64, M}, .swizzle = Swizzle::Bytes128};
  map.address = device.add("a", bytesOf(a), Contents::Defined);
  launch.arguments.value(*encode(map));
  map.address = device.add("b", bytesOf(b), Contents::Defined);
  map.dims[1] = map.box[1] = N;
  launch.arguments.value(*encode(map)).pointer(device.add("c", bytesOf(c), Contents::Undefined)).value(Tiles);
  Result<Module> parsed = Module::parse(text);
  Result<Kernel> kernel = parsed ? parsed->entry("gemm") : parsed.error();
  if (!kernel) {
    verdict.refused = kernel.error().format();
    return verdict;
  }
  verdict.report = *run(*kernel, device, launch, {.seed = seed, .maxInstructions = 100000});
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j) {
      double expected = 0;
      for (int k = 0; k < K; ++k)
        expected += double(bfloatToFloat(a[size_t(i * K + k)])) * bfloatToFloat(b[size_t(j * K + k)]);
      double deviation = std::abs(c[size_t(i * N + j)] - expected);
      verdict.error = deviation <= verdict.error ? verdict.error : std::isnan(deviation) ? INFINITY : deviation;
    }
  return verdict;
}

} // namespace sattn::ptx::test

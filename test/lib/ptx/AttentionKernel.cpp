// The sm_80 attention kernel of the tests and its judge; see Kernels.h.
#include "lib/ptx/Numbers.h"
#include "test/lib/ptx/Kernels.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

namespace sattn::ptx::test {

const std::string_view AttentionSm80 = R"(.version 8.0
.target sm_80
.address_size 64
.extern .shared .align 128 .b8 smem[];
.visible .entry attend(.param .u64 q, .param .u64 k, .param .u64 v, .param .u64 o, .param .u32 keys, .param .f32 scale)
.maxntid 64
{
  .reg .b64 %q, %k, %v, %o, %src, %x, %y;
  .reg .b32 %tid, %lane, %warp, %cta, %keys, %tiles, %i, %next, %t, %u, %size, %smem, %dst;
  .reg .b32 %qaddr, %kaddr, %vaddr, %stage, %a<4>, %b<4>, %p<4>, %row, %col, %key;
  .reg .f32 %scale, %s<8>, %o0<4>, %o1<4>, %m<2>, %n<2>, %l<2>, %c<2>, %f, %g;
  .reg .pred %lead, %in, %more, %first;
  ld.param.u64 %q, [q];
  ld.param.u64 %k, [k];
  ld.param.u64 %v, [v];
  ld.param.u64 %o, [o];
  ld.param.u32 %keys, [keys];
  ld.param.f32 %scale, [scale];
  mov.u32 %tid, %tid.x;
  mov.u32 %cta, %ctaid.x;
  and.b32 %lane, %tid, 31;
  shr.u32 %warp, %tid, 5;
  mov.u32 %smem, smem;
  add.u32 %tiles, %keys, 15;
  shr.u32 %tiles, %tiles, 4;
  setp.eq.u32 %lead, %warp, 0;
  // Queries: 64 chunks of 16 bytes, one for each thread.
  shl.b32 %t, %cta, 10;
  shl.b32 %u, %tid, 4;
  add.u32 %t, %t, %u;
  cvt.u64.u32 %x, %t;
  add.u64 %src, %q, %x;
  add.u32 %dst, %smem, %u;
  cp.async.cg.shared.global [%dst], [%src], 16;
  // Keys are copied by warp 0, values by warp 1: row lane / 2, half lane % 2.
  selp.b64 %src, %k, %v, %lead;
  selp.b32 %dst, 1024, 2048, %lead;
  add.u32 %dst, %dst, %smem;
  shl.b32 %u, %lane, 4;
  add.u32 %dst, %dst, %u;
  cvt.u64.u32 %x, %u;
  add.u64 %src, %src, %x;
  shr.u32 %row, %lane, 1;
  setp.lt.u32 %in, %row, %keys;
  selp.b32 %size, 16, 0, %in;
  cp.async.cg.shared.global [%dst], [%src], 16, %size;
  cp.async.commit_group;
  // Addresses of matrix rows for ldmatrix.
  and.b32 %t, %lane, 15;
  shl.b32 %t, %t, 5;
  shr.u32 %u, %lane, 4;
  shl.b32 %u, %u, 4;
  add.u32 %qaddr, %t, %u;
  shl.b32 %t, %warp, 9;
  add.u32 %qaddr, %qaddr, %t;
  add.u32 %qaddr, %qaddr, %smem;
  and.b32 %t, %lane, 7;
  shr.u32 %u, %lane, 4;
  shl.b32 %u, %u, 3;
  add.u32 %t, %t, %u;
  shl.b32 %kaddr, %t, 5;
  shr.u32 %u, %lane, 3;
  and.b32 %u, %u, 1;
  shl.b32 %u, %u, 4;
  add.u32 %kaddr, %kaddr, %u;
  add.u32 %kaddr, %kaddr, %smem;
  and.b32 %t, %lane, 15;
  shl.b32 %vaddr, %t, 5;
  shr.u32 %u, %lane, 4;
  shl.b32 %u, %u, 4;
  add.u32 %vaddr, %vaddr, %u;
  add.u32 %vaddr, %vaddr, %smem;
  mov.f32 %o00, 0f00000000;
  mov.f32 %o01, 0f00000000;
  mov.f32 %o02, 0f00000000;
  mov.f32 %o03, 0f00000000;
  mov.f32 %o10, 0f00000000;
  mov.f32 %o11, 0f00000000;
  mov.f32 %o12, 0f00000000;
  mov.f32 %o13, 0f00000000;
  mov.f32 %m0, 0fFF800000;
  mov.f32 %m1, 0fFF800000;
  mov.f32 %l0, 0f00000000;
  mov.f32 %l1, 0f00000000;
  mov.u32 %i, 0;
LOOP:
  add.u32 %next, %i, 1;
  setp.lt.u32 %more, %next, %tiles;
  @!%more bra COPIED;
  add.u32 %row, %row, 16;
  setp.lt.u32 %in, %row, %keys;
  selp.b32 %size, 16, 0, %in;
  add.u64 %src, %src, 512;
  and.b32 %stage, %next, 1;
  shl.b32 %stage, %stage, 9;
  add.u32 %t, %dst, %stage;
  cp.async.cg.shared.global [%t], [%src], 16, %size;
COPIED:
  cp.async.commit_group;
  cp.async.wait_group 1;
  bar.sync 0;
  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a0, %a1, %a2, %a3}, [%qaddr];
  and.b32 %stage, %i, 1;
  shl.b32 %stage, %stage, 9;
  add.u32 %t, %kaddr, %stage;
  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%b0, %b1, %b2, %b3}, [%t+1024];
  mov.f32 %f, 0f00000000;
  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%s0, %s1, %s2, %s3}, {%a0, %a1, %a2, %a3}, {%b0, %b1}, {%f, %f, %f, %f};
  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%s4, %s5, %s6, %s7}, {%a0, %a1, %a2, %a3}, {%b2, %b3}, {%f, %f, %f, %f};
  // Keys past the end.
  and.b32 %col, %lane, 3;
  shl.b32 %col, %col, 1;
  shl.b32 %key, %i, 4;
  add.u32 %key, %key, %col;
  setp.lt.u32 %in, %key, %keys;
  selp.f32 %s0, %s0, 0fFF800000, %in;
  selp.f32 %s2, %s2, 0fFF800000, %in;
  add.u32 %key, %key, 1;
  setp.lt.u32 %in, %key, %keys;
  selp.f32 %s1, %s1, 0fFF800000, %in;
  selp.f32 %s3, %s3, 0fFF800000, %in;
  add.u32 %key, %key, 7;
  setp.lt.u32 %in, %key, %keys;
  selp.f32 %s4, %s4, 0fFF800000, %in;
  selp.f32 %s6, %s6, 0fFF800000, %in;
  add.u32 %key, %key, 1;
  setp.lt.u32 %in, %key, %keys;
  selp.f32 %s5, %s5, 0fFF800000, %in;
  selp.f32 %s7, %s7, 0fFF800000, %in;
  // Online softmax of rows g and g + 8.
  max.f32 %n0, %s0, %s1;
  max.f32 %f, %s4, %s5;
  max.f32 %n0, %n0, %f;
  max.f32 %n1, %s2, %s3;
  max.f32 %f, %s6, %s7;
  max.f32 %n1, %n1, %f;
  shfl.sync.bfly.b32 %f, %n0, 1, 31, -1;
  max.f32 %n0, %n0, %f;
  shfl.sync.bfly.b32 %f, %n0, 2, 31, -1;
  max.f32 %n0, %n0, %f;
  shfl.sync.bfly.b32 %f, %n1, 1, 31, -1;
  max.f32 %n1, %n1, %f;
  shfl.sync.bfly.b32 %f, %n1, 2, 31, -1;
  max.f32 %n1, %n1, %f;
  mul.f32 %n0, %n0, %scale;
  mul.f32 %n1, %n1, %scale;
  max.f32 %n0, %n0, %m0;
  max.f32 %n1, %n1, %m1;
  sub.f32 %c0, %m0, %n0;
  ex2.approx.ftz.f32 %c0, %c0;
  sub.f32 %c1, %m1, %n1;
  ex2.approx.ftz.f32 %c1, %c1;
  mov.f32 %m0, %n0;
  mov.f32 %m1, %n1;
  neg.f32 %f, %n0;
  neg.f32 %g, %n1;
  fma.rn.f32 %s0, %s0, %scale, %f;
  fma.rn.f32 %s1, %s1, %scale, %f;
  fma.rn.f32 %s4, %s4, %scale, %f;
  fma.rn.f32 %s5, %s5, %scale, %f;
  fma.rn.f32 %s2, %s2, %scale, %g;
  fma.rn.f32 %s3, %s3, %scale, %g;
  fma.rn.f32 %s6, %s6, %scale, %g;
  fma.rn.f32 %s7, %s7, %scale, %g;
  ex2.approx.ftz.f32 %s0, %s0;
  ex2.approx.ftz.f32 %s1, %s1;
  ex2.approx.ftz.f32 %s2, %s2;
  ex2.approx.ftz.f32 %s3, %s3;
  ex2.approx.ftz.f32 %s4, %s4;
  ex2.approx.ftz.f32 %s5, %s5;
  ex2.approx.ftz.f32 %s6, %s6;
  ex2.approx.ftz.f32 %s7, %s7;
  mul.f32 %l0, %l0, %c0;
  mul.f32 %l1, %l1, %c1;
  add.f32 %l0, %l0, %s0;
  add.f32 %l0, %l0, %s1;
  add.f32 %l0, %l0, %s4;
  add.f32 %l0, %l0, %s5;
  add.f32 %l1, %l1, %s2;
  add.f32 %l1, %l1, %s3;
  add.f32 %l1, %l1, %s6;
  add.f32 %l1, %l1, %s7;
  mul.f32 %o00, %o00, %c0;
  mul.f32 %o01, %o01, %c0;
  mul.f32 %o02, %o02, %c1;
  mul.f32 %o03, %o03, %c1;
  mul.f32 %o10, %o10, %c0;
  mul.f32 %o11, %o11, %c0;
  mul.f32 %o12, %o12, %c1;
  mul.f32 %o13, %o13, %c1;
  cvt.rn.bf16x2.f32 %p0, %s1, %s0;
  cvt.rn.bf16x2.f32 %p1, %s3, %s2;
  cvt.rn.bf16x2.f32 %p2, %s5, %s4;
  cvt.rn.bf16x2.f32 %p3, %s7, %s6;
  add.u32 %t, %vaddr, %stage;
  ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%b0, %b1, %b2, %b3}, [%t+2048];
  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%o00, %o01, %o02, %o03}, {%p0, %p1, %p2, %p3}, {%b0, %b1}, {%o00, %o01, %o02, %o03};
  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%o10, %o11, %o12, %o13}, {%p0, %p1, %p2, %p3}, {%b2, %b3}, {%o10, %o11, %o12, %o13};
  bar.sync 0; // the stage is free again
  mov.u32 %i, %next;
  @%more bra LOOP;
  shfl.sync.bfly.b32 %f, %l0, 1, 31, -1;
  add.f32 %l0, %l0, %f;
  shfl.sync.bfly.b32 %f, %l0, 2, 31, -1;
  add.f32 %l0, %l0, %f;
  shfl.sync.bfly.b32 %f, %l1, 1, 31, -1;
  add.f32 %l1, %l1, %f;
  shfl.sync.bfly.b32 %f, %l1, 2, 31, -1;
  add.f32 %l1, %l1, %f;
  rcp.approx.ftz.f32 %l0, %l0;
  rcp.approx.ftz.f32 %l1, %l1;
  mul.f32 %o00, %o00, %l0;
  mul.f32 %o01, %o01, %l0;
  mul.f32 %o10, %o10, %l0;
  mul.f32 %o11, %o11, %l0;
  mul.f32 %o02, %o02, %l1;
  mul.f32 %o03, %o03, %l1;
  mul.f32 %o12, %o12, %l1;
  mul.f32 %o13, %o13, %l1;
  // Row 32 cta + 16 warp + lane / 4, columns 2 (lane % 4) and 8 further.
  shl.b32 %t, %cta, 5;
  shl.b32 %u, %warp, 4;
  add.u32 %t, %t, %u;
  shr.u32 %u, %lane, 2;
  add.u32 %t, %t, %u;
  shl.b32 %t, %t, 6;
  shl.b32 %col, %col, 2;
  add.u32 %t, %t, %col;
  cvt.u64.u32 %x, %t;
  add.u64 %o, %o, %x;
  st.global.v2.f32 [%o], {%o00, %o01};
  st.global.v2.f32 [%o+32], {%o10, %o11};
  st.global.v2.f32 [%o+512], {%o02, %o03};
  st.global.v2.f32 [%o+544], {%o12, %o13};
  ret;
}
)";

std::string replaced(std::string_view text, std::string_view from, std::string_view to, unsigned occurrence) {
  size_t at = text.find(from);
  for (; occurrence > 1 && at != std::string_view::npos; --occurrence)
    at = text.find(from, at + 1);
  REQUIRE_MESSAGE(at != std::string_view::npos, "no '" << std::string(from) << "' to mutate");
  return std::string(text.substr(0, at)) + std::string(to) + std::string(text.substr(at + from.size()));
}

Verdict runAttention(std::string_view text, uint64_t seed) {
  constexpr int Queries = 64, Keys = 75, D = 16;
  Verdict verdict;
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<uint16_t> q(Queries * D), k(Keys * D), v(Keys * D);
  for (auto *values : {&q, &k, &v})
    for (uint16_t &value : *values)
      value = toBfloatNearest(normal(random));
  std::vector<float> o(Queries * D, NAN);
  Device device;
  Launch launch{.grid = {2}, .block = {64}, .sharedBytes = 3072};
  launch.arguments.pointer(device.add("q", bytesOf(q), Contents::Defined))
      .pointer(device.add("k", bytesOf(k), Contents::Defined))
      .pointer(device.add("v", bytesOf(v), Contents::Defined))
      .pointer(device.add("o", bytesOf(o), Contents::Undefined))
      .value(Keys)
      .value(0.25f * 1.44269504f);
  Result<Module> parsed = Module::parse(text);
  Result<Kernel> kernel = parsed ? parsed->entry("attend") : parsed.error();
  if (!kernel) {
    verdict.refused = kernel.error().format();
    return verdict;
  }
  verdict.report = *run(*kernel, device, launch, {.seed = seed, .maxInstructions = 100000});
  for (int i = 0; i < Queries; ++i) {
    double weights[Keys], sum = 0, largest = -INFINITY;
    for (int j = 0; j < Keys; ++j) {
      weights[j] = 0;
      for (int d = 0; d < D; ++d)
        weights[j] += 0.25 * bfloatToFloat(q[size_t(i * D + d)]) * bfloatToFloat(k[size_t(j * D + d)]);
      largest = std::max(largest, weights[j]);
    }
    for (double &weight : weights)
      sum += weight = std::exp(weight - largest);
    for (int d = 0; d < D; ++d) {
      double expected = 0;
      for (int j = 0; j < Keys; ++j)
        expected += weights[j] / sum * bfloatToFloat(v[size_t(j * D + d)]);
      double deviation = std::abs(o[size_t(i * D + d)] - expected);
      verdict.error = deviation <= verdict.error ? verdict.error : std::isnan(deviation) ? INFINITY : deviation;
    }
  }
  return verdict;
}

} // namespace sattn::ptx::test

// Loads, stores, atomics and address spaces.
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

TEST_CASE("loads extend to the register, vectors take neighbours") {
  // %in points to the 64-bit arguments of lane 0.
  CHECK(word("ld.global.s8 %d, [%in];", 0x80) == 0xffffff80);
  CHECK(word("ld.global.u8 %d, [%in+1];", 0x8000) == 0x80);
  CHECK(word("ld.global.nc.L1::no_allocate.L2::128B.v2.b32 {%r0, %d}, [%in];", 0x700000001) == 7);
  CHECK(wide("ld.global.s32 %xd, [%in];", 0xffffffff) == ~0ull);
  CHECK(word("ld.global.v4.b16 {%h0, %h1, %h2, %h3}, [%in]; cvt.u32.u16 %d, %h2;", 0x5000000000) == 0x50);
  CHECK(wide("ld.global.v2.b64 {%l2, %xd}, [%in];", 11) == 11); // lane 1 has the same argument
}

TEST_CASE("shared memory, its generic addresses and windows") {
  std::string_view smem = ".shared .align 16 .b8 buffer[256];";
  std::string body = std::string(smem) + R"(
    shl.b32 %r0, %lane, 2;
    mov.u32 %r1, buffer;
    add.u32 %r1, %r1, %r0;
    st.shared.b32 [%r1], %a;
    bar.sync 0;
    mov.u32 %r2, buffer;
    ld.shared.b32 %d, [%r2+12];
    cvta.shared.u64 %l2, buffer;
    ld.b32 %r3, [%l2+8];
    add.u32 %d, %d, %r3;
    isspacep.shared %p, %l2;
    @%p add.u32 %d, %d, 1000;
    isspacep.global %p, %l2;
    @%p add.u32 %d, %d, 5000;
    cvta.to.shared.u64 %l3, %l2;
    ld.shared.b32 %r4, [%l3+4];
    add.u32 %d, %d, %r4;)";
  Outcome out = evaluate(body, Lanes([](unsigned lane) { return 100 + lane; }));
  CHECK(out.d[0] == 103 + 102 + 1000 + 101);
  CHECK(out.d[31] == out.d[0]);
}

TEST_CASE("cache policies and cluster addresses of a cluster of one") {
  CHECK(word("createpolicy.fractional.L2::evict_first.b64 %l2, 1.0; ld.global.L2::cache_hint.b32 %d, [%in], %l2;", 9) ==
        9);
  CHECK(word(".shared .b32 cell; mov.u32 %r0, cell; st.shared.b32 [%r0], %b; bar.warp.sync -1; "
             "mapa.shared::cluster.u32 %r1, %r0, 0;"
             "ld.shared::cluster.b32 %d, [%r1];",
             0, 6) == 6);
  CHECK(has(faultsOf("mov.u32 %r0, 0; mapa.shared::cluster.u32 %r1, %r0, 1; ret;"), FaultKind::InvalidOperand,
            "there is no block 1 in a cluster of one"));
}

TEST_CASE("local memory is private to a thread") {
  std::string body = R"(
    .local .align 8 .b8 depot[16];
    mov.u64 %l2, depot;
    cvta.local.u64 %l3, %l2;
    st.local.b32 [%l2+4], %lane;
    ld.b32 %d, [%l3+4];)";
  CHECK(evaluate(body).d[17] == 17);
}

TEST_CASE("module variables: initialised, zero, constant; extern shared follows the static one") {
  std::string text = R"(.version 8.0
.target sm_80
.address_size 64
.global .align 4 .b32 table[4] = {10, 20, 30, 40};
.global .align 8 .u64 counter;
.const .align 4 .f32 weights[2] = {0f3F800000, 2.0};
.shared .align 4 .b8 fixed[20];
.extern .shared .align 16 .b8 extra[];
.visible .entry k(.param .u64 out) {
  .reg .b32 %r<9>; .reg .b64 %rd<5>; .reg .f32 %f<3>;
  ld.param.u64 %rd0, [out];
  ld.global.u32 %r0, [table+8];
  ld.global.u64 %rd1, [counter];
  ld.const.f32 %f0, [weights+4];
  mov.u32 %r1, extra;
  mov.u32 %r2, %dynamic_smem_size;
  st.shared.u32 [extra+4], %r0;
  ld.shared.u32 %r3, [%r1+4];
  st.global.u32 [%rd0], %r0;
  st.global.u64 [%rd0+8], %rd1;
  st.global.f32 [%rd0+16], %f0;
  st.global.v2.u32 [%rd0+24], {%r1, %r2};
  st.global.u32 [%rd0+20], %r3;
  ret;
})";
  std::vector<uint32_t> out(8, ~0u);
  Device device;
  Launch launch{.sharedBytes = 64};
  launch.arguments.pointer(device.add("out", bytesOf(out), Contents::Undefined));
  Report report = launchText(text, "k", device, launch);
  CHECK_MESSAGE(report.ok(), report.format());
  CHECK(out[0] == 30);
  CHECK(out[2] == 0);
  CHECK(out[4] == 0x40000000);
  CHECK(out[5] == 30);
  CHECK(out[6] == 32); // 20 rounded up to 16
  CHECK(out[7] == 64);
  CHECK(report.globalBytesWritten == 4 + 8 + 4 + 8 + 4);
  CHECK(report.byOpcode.at("ld.const.f32") == 1);
}

TEST_CASE("atomics return the old value and combine") {
  auto atomic = [](std::string_view operation, uint64_t a) {
    std::string body = std::string(".shared .align 8 .b64 cell; setp.eq.u32 %p, %lane, 0;"
                                   "@%p st.shared.b64 [cell], %xb; bar.sync 0;") +
                       std::string(operation) + " bar.sync 0; ld.shared.b64 %xd, [cell];";
    return evaluate(body, a, 5);
  };
  Outcome sum = atomic("atom.shared.add.u32 %d, [cell], %a;", 2);
  CHECK(sum.xd[0] == 5 + 64);
  CHECK(sum.d[3] == 5 + 6);
  CHECK(atomic("atom.shared.exch.b32 %d, [cell], %lane;", 0).xd[9] == 31);
  // Only the lane that finds 5 stores.
  CHECK(atomic("mov.u32 %r9, 5; atom.shared.cas.b32 %d, [cell], %r9, %a;", 9).xd[0] == 9);
  CHECK(atomic("red.shared.max.u32 [cell], %lane;", 0).xd[0] == 31);
  CHECK(atomic("red.shared.min.s32 [cell], %a;", uint64_t(-3)).xd[0] == 0xfffffffd);
  CHECK(atomic("red.shared.or.b32 [cell], %a;", 0x10).xd[0] == 0x15);
  CHECK(atomic("red.shared.add.u64 [cell], %xa;", 1ull << 40).xd[0] == 5 + (32ull << 40));
  CHECK(atomic("atom.shared.inc.u32 %d, [cell], %a;", 6).xd[0] == (5 + 32) % 7);
}

TEST_CASE("floating-point and vector atomics on global memory") {
  std::string body = R"(
    mov.f32 %r0, 0f3F800000;
    red.global.add.f32 [%in], %r0;
    red.global.add.v2.f32 [%in+8], {%r0, %r0};
    red.global.add.noftz.bf16x2 [%in+16], %b;
    bar.sync 0;
    ld.global.b32 %d, [%in];
    ld.global.b32 %r1, [%in+12];
    ld.global.b32 %r2, [%in+16];
    add.f32 %d, %d, %r1;
    mov.b64 %xd, {%r2, %r2};)";
  Outcome out = evaluate(body, 0, 0x3f803f80);
  CHECK(std::bit_cast<float>(out.d[0]) == 64.0f);
  CHECK(uint32_t(out.xd[0]) == 0x42004200); // 32 in both halves
}

TEST_CASE("bank conflicts are counted, not faults") {
  auto rounds = [](std::string_view stride) {
    std::string body = ".shared .align 16 .b8 buffer[8192]; mov.u32 %r0, buffer; mul.lo.u32 %r1, %tid, " +
                       std::string(stride) + "; add.u32 %r0, %r0, %r1; st.shared.b32 [%r0], %tid; ret;";
    Report report = faultsOf(body);
    CHECK_MESSAGE(report.ok(), report.format());
    return report.sharedConflictRounds;
  };
  CHECK(rounds("4") == 0);
  CHECK(rounds("8") == 1);
  CHECK(rounds("128") == 31);
  CHECK(rounds("132") == 0);
}

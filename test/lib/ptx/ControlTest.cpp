// Branches, loops, calls, and what lanes exchange.
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>

#include <bit>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

TEST_CASE("lanes diverge in branches and loops and meet again") {
  std::string body = R"(
    mov.u32 %r0, %lane;
  LOOP:
    setp.eq.u32 %p, %r0, 0;
    @%p bra DONE;
    add.u32 %d, %d, %r0;
    sub.u32 %r0, %r0, 1;
    bra.uni LOOP;
  DONE:
    and.b32 %r1, %lane, 1;
    setp.ne.u32 %q, %r1, 0;
    @%q bra ODD;
    add.u32 %d, %d, 1000;
    bra JOIN;
  ODD:
    add.u32 %d, %d, 2000;
  JOIN:
    vote.sync.ballot.b32 %r2, %q, -1;
    activemask.b32 %r3;
    mov.b64 %xd, {%r2, %r3};)";
  Outcome out = evaluate(body);
  for (unsigned lane = 0; lane < 32; ++lane)
    CHECK(out.d[lane] == lane * (lane + 1) / 2 + (lane % 2 ? 2000 : 1000));
  CHECK(out.xd[5] == 0xffffffffaaaaaaaaull);
}

TEST_CASE("branch tables") {
  std::string body = R"(
    and.b32 %r0, %lane, 3;
    setp.ne.u32 %p, %r0, 3;
  TABLE: .branchtargets ZERO, ONE, TWO;
    @%p brx.idx %r0, TABLE;
    mov.u32 %d, 300;
    bra JOIN;
  ZERO:
    mov.u32 %d, 400;
    bra JOIN;
  ONE:
    mov.u32 %d, 500;
    bra JOIN;
  TWO:
    mov.u32 %d, 600;
  JOIN:
    activemask.b32 %r1;
    cvt.u64.u32 %xd, %r1;)";
  Outcome out = evaluate(body);
  const uint32_t expected[] = {400, 500, 600, 300};
  for (unsigned lane = 0; lane < 32; ++lane)
    CHECK(out.d[lane] == expected[lane % 4]);
  CHECK(out.xd[0] == 0xffffffff);
  CHECK(rejection("brx.idx %a, %b;").find("needs a list of '.branchtargets'") != std::string::npos);
  CHECK(has(faultsOf("mov.u32 %r0, 2; T: .branchtargets A; brx.idx %r0, T; A: ret;"), FaultKind::InvalidOperand,
            "index 2 into a table of 1 branch targets"));
}

TEST_CASE("lanes that wait for their own warp do not block it") {
  // Lane 0 spins on a flag that lane 1 sets after a join point: the smaller counter must not starve the larger one.
  std::string body = R"(
    .shared .align 4 .b32 flag;
    mov.u32 %r9, 0;
    setp.eq.u32 %p, %lane, 0;
    @%p st.volatile.shared.u32 [flag], %r9;
    bar.sync 0;
    @!%p bra OTHERS;
  SPIN:
    nanosleep.u32 20;
    ld.volatile.shared.u32 %r0, [flag];
    setp.eq.u32 %q, %r0, 7;
    @!%q bra SPIN;
    mov.u32 %d, 1;
    bra END;
  OTHERS:
    setp.eq.u32 %q, %lane, 1;
    mov.u32 %r1, 7;
    @%q st.volatile.shared.u32 [flag], %r1;
    mov.u32 %d, 2;
  END:)";
  Outcome out = evaluate(body);
  CHECK(out.d[0] == 1);
  CHECK(out.d[9] == 2);
}

TEST_CASE("instructions that need lanes together wait for them") {
  // Two paths arrive at the same shuffle at different times.
  std::string body = R"(
    and.b32 %r1, %lane, 1;
    setp.ne.u32 %p, %r1, 0;
    mov.u32 %r0, %lane;
    @%p bra AGAIN;
    bra SHUFFLE;
  AGAIN:
    add.u32 %r0, %r0, 100;
  SHUFFLE:
    shfl.sync.bfly.b32 %d, %r0, 1, 31, -1;)";
  Outcome out = evaluate(body);
  CHECK(out.d[0] == 101);
  CHECK(out.d[1] == 0);
}

TEST_CASE("disjoint member masks are independent") {
  // Four lanes a tile, in one instruction and on two sides of a branch.
  std::string body = R"(
    and.b32 %r0, %lane, 28;
    mov.u32 %r1, 15;
    shl.b32 %r1, %r1, %r0;
    redux.sync.add.u32 %d, %lane, %r1;
    setp.lt.u32 %p, %lane, 12;
    @%p bra LOW;
    redux.sync.max.u32 %r2, %lane, %r1;
    bra JOIN;
  LOW:
    redux.sync.min.u32 %r2, %lane, %r1;
  JOIN:
    cvt.u64.u32 %xd, %r2;)";
  Outcome out = evaluate(body);
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned tile = lane / 4 * 4;
    CHECK(out.d[lane] == 4 * tile + 6);
    CHECK(out.xd[lane] == (lane < 12 ? tile : tile + 3));
  }
}

TEST_CASE("shfl: modes, segments and the predicate") {
  auto shuffle = [](std::string_view form) {
    return evaluate("shfl.sync." + std::string(form) + ", -1; selp.u32 %r0, 1, 0, %p; cvt.u64.u32 %xd, %r0;",
                    Lanes([](unsigned lane) { return 10 * lane; }));
  };
  Outcome up = shuffle("up.b32 %d|%p, %a, 3, 0");
  CHECK(up.d[10] == 70);
  CHECK(up.d[2] == 20);
  CHECK(up.xd[2] == 0);
  CHECK(up.xd[3] == 1);
  Outcome down = shuffle("down.b32 %d|%p, %a, 1, 31");
  CHECK(down.d[30] == 310);
  CHECK(down.d[31] == 310);
  CHECK(down.xd[31] == 0);
  CHECK(shuffle("bfly.b32 %d|%p, %a, 16, 31").d[3] == 190);
  CHECK(shuffle("idx.b32 %d|%p, %a, 5, 31").d[20] == 50);
  // Width 8: segment mask 24 in bits 8 to 12, clamp 7.
  Outcome segment = shuffle("idx.b32 %d|%p, %a, 2, 0x181f");
  CHECK(segment.d[12] == 100);
  CHECK(shuffle("down.b32 %d|%p, %a, 4, 0x1807").d[13] == 130);
}

TEST_CASE("votes, matches, reductions, election") {
  Lanes lane([](unsigned lane) { return lane; });
  CHECK(evaluate("setp.lt.u32 %p, %a, 4; vote.sync.ballot.b32 %d, %p, -1;", lane).d[7] == 15);
  CHECK(evaluate("setp.lt.u32 %p, %a, 4; vote.sync.any.pred %q, %p, -1; selp.u32 %d, 1, 0, %q;", lane).d[9] == 1);
  CHECK(evaluate("setp.lt.u32 %p, %a, 4; vote.sync.all.pred %q, !%p, -1; selp.u32 %d, 1, 0, %q;", lane).d[9] == 0);
  CHECK(evaluate("shr.u32 %r0, %a, 3; match.any.sync.b32 %d, %r0, -1;", lane).d[17] == 0xff0000);
  CHECK(evaluate("match.all.sync.b32 %d|%p, %b, -1;", lane, 4).d[0] == 0xffffffff);
  CHECK(evaluate("match.all.sync.b32 %d|%p, %a, -1;", lane).d[0] == 0);
  CHECK(evaluate("redux.sync.add.s32 %d, %a, -1;", lane).d[3] == 496);
  CHECK(evaluate("sub.s32 %r0, 5, %a; redux.sync.min.s32 %d, %r0, -1;", lane).d[3] == uint32_t(-26));
  CHECK(evaluate("redux.sync.xor.b32 %d, %a, -1;", lane).d[3] == 0);
  CHECK(std::bit_cast<float>(evaluate("cvt.rn.f32.u32 %r0, %a; redux.sync.max.f32 %d, %r0, -1;", lane).d[3]) == 31.0f);
  CHECK(evaluate("elect.sync %d|%p, -1; @%p mov.u32 %d, 77;", lane).d[0] == 77);
  CHECK(evaluate("elect.sync %d|%p, -1; @%p mov.u32 %d, 77;", lane).d[1] == 0);
}

TEST_CASE("special registers of blocks and threads") {
  std::string text = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 out) .maxntid 64, 2, 1 {
  .reg .b32 %r<20>; .reg .b64 %rd<5>;
  ld.param.u64 %rd0, [out];
  mov.u32 %r0, %ctaid.y; mov.u32 %r1, %nctaid.x; mov.u32 %r2, %ctaid.x;
  mad.lo.u32 %r3, %r0, %r1, %r2;
  mov.u32 %r4, %ntid.x; mov.u32 %r5, %ntid.y; mul.lo.u32 %r6, %r4, %r5;
  mov.u32 %r7, %tid.y; mov.u32 %r8, %tid.x; mad.lo.u32 %r9, %r7, %r4, %r8;
  mad.lo.u32 %r9, %r3, %r6, %r9;
  mul.wide.u32 %rd1, %r9, 4; add.u64 %rd1, %rd0, %rd1;
  st.global.u32 [%rd1], %r9;
  ret;
})";
  std::vector<uint32_t> out(6 * 66);
  Device device;
  Launch launch{.grid = {3, 2}, .block = {33, 2}};
  uint64_t address = device.add("out", bytesOf(out), Contents::Undefined);
  launch.arguments.pointer(address);
  for (uint64_t seed : {0, 5}) {
    Report report = launchText(text, "k", device, launch, {.seed = seed});
    CHECK_MESSAGE(report.ok(), report.format());
  }
  for (uint32_t i = 0; i < out.size(); ++i)
    CHECK(out[i] == i);
  CHECK(device.fullyDefined(address));
}

TEST_CASE("device functions are inlined with their parameters and scopes") {
  std::string text = R"(.version 8.0
.target sm_80
.address_size 64
.func (.param .b32 result) twice(.param .b32 x) {
  .reg .b32 %r<3>;
  .reg .pred %p;
  ld.param.u32 %r0, [x];
  setp.gt.u32 %p, %r0, 100;
  @%p bra BIG;
  add.u32 %r1, %r0, %r0;
  st.param.b32 [result], %r1;
  ret;
BIG:
  mov.u32 %r2, 0;
  st.param.b32 [result], %r2;
  ret;
}
.func (.param .b32 result) four(.param .b32 x) {
  .reg .b32 %r<3>;
  ld.param.u32 %r0, [x];
  { .param .b32 p0; .param .b32 r0;
    st.param.b32 [p0+0], %r0;
    call.uni (r0), twice, (p0);
    ld.param.b32 %r1, [r0+0]; }
  { .param .b32 p0; .param .b32 r0;
    st.param.b32 [p0+0], %r1;
    call.uni (r0), twice, (p0);
    ld.param.b32 %r1, [r0+0]; }
  st.param.b32 [result+0], %r1;
  ret;
}
.visible .entry k(.param .u64 out) {
  .reg .b32 %r<5>; .reg .b64 %rd<5>; .reg .pred %p;
  ld.param.u64 %rd0, [out];
  mov.u32 %r0, %tid.x;
  mul.wide.u32 %rd1, %r0, 4; add.u64 %rd1, %rd0, %rd1;
  mov.u32 %r2, 7;
  setp.ne.u32 %p, %r0, 3;
  { .param .b32 p0; .param .b32 r0;
    st.param.b32 [p0], %r0;
    st.param.b32 [r0], %r2;
    @%p call (r0), four, (p0);
    ld.param.b32 %r2, [r0]; }
  st.global.u32 [%rd1], %r2;
  ret;
})";
  std::vector<uint32_t> out(64);
  Device device;
  Launch launch{.block = {64}};
  launch.arguments.pointer(device.add("out", bytesOf(out), Contents::Undefined));
  Report report = launchText(text, "k", device, launch);
  CHECK_MESSAGE(report.ok(), report.format());
  for (uint32_t i = 0; i < 64; ++i)
    CHECK(out[i] == (i == 3 ? 7 : 2 * i > 100 ? 0 : 4 * i));
}

TEST_CASE("a shared variable of a function is one, however often it is called") {
  std::string_view functions = R"(
.func bump() {
  .reg .b32 %x;
  .shared .align 4 .b32 counter;
  atom.shared.add.u32 %x, [counter], 1;
  ret;
}
.func start() { .shared .align 4 .b32 filler; ret; }
)";
  Report report = faultsOf(R"(
    call start; call bump; call bump; ret;)",
                           32, functions);
  // Nobody initialised it, which is the one fault, at the one address behind `filler`.
  CHECK(has(report, FaultKind::UninitialisedMemory, "shared address 4 was never written"));
  CHECK(report.faults.size() == 1);
}

TEST_CASE("numbered barriers: subsets, arrive without waiting, reductions") {
  // Warp 0 produces for warp 1 through barrier 3; both then meet at barrier 0.
  std::string body = R"(
    .shared .align 4 .b32 cell;
    setp.lt.u32 %p, %tid, 32;
    @!%p bra CONSUME;
    setp.eq.u32 %q, %tid, 0;
    mov.u32 %r0, 42;
    @%q st.shared.u32 [cell], %r0;
    bar.arrive 3, 64;
    bra END;
  CONSUME:
    bar.sync 3, 64;
    ld.shared.u32 %r1, [cell];
    setp.ne.u32 %q, %r1, 42;
    @%q trap;
  END:
    setp.lt.u32 %p, %tid, 10;
    bar.red.popc.u32 %r2, 0, %p;
    setp.ne.u32 %q, %r2, 10;
    @%q trap;
    bar.red.or.pred %q, 0, %p;
    @!%q trap;
    bar.red.and.pred %q, 0, %p;
    @%q trap;
    ret;)";
  for (uint64_t seed = 1; seed < 20; ++seed) {
    Report report = faultsOf(body, 64, "", seed);
    CHECK_MESSAGE(report.ok(), report.format());
  }
}

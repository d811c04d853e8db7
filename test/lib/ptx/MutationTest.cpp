// The judge judged: correct kernels pass for every order of warps, and each of a list of injected faults is caught, by
// a report or by a wrong result.
#include "test/lib/ptx/Kernels.h"

#include <doctest/doctest.h>

#include <optional>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

namespace {
struct Mutation {
  std::string_view name, from, to;
  unsigned occurrence = 1;
  /// The fault that must be reported; none: a wrong result is enough.
  std::optional<FaultKind> fault = std::nullopt;
};

constexpr std::string_view Mma = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 ";

const Mutation attentionMutations[] = {
    {"dropped wait", "cp.async.wait_group 1;", "", 1, FaultKind::MissingWait},
    {"wait for one group too few", "cp.async.wait_group 1;", "cp.async.wait_group 2;", 1, FaultKind::MissingWait},
    {"dropped commit", "COPIED:\n  cp.async.commit_group;", "COPIED:\n", 1, FaultKind::MissingWait},
    {"missing barrier after the copies", "wait_group 1;\n  bar.sync 0;", "wait_group 1;", 1, FaultKind::Race},
    {"missing barrier before the stage is reused", "bar.sync 0; // the stage", "// the stage", 1},
    {"barrier for one warp only", "bar.sync 0; // the stage", "@%lead bar.sync 0; // the stage", 1},
    {"barrier in a divergent branch", "bar.sync 0; // the stage", "@%in bar.sync 0; // the stage", 1,
     FaultKind::BarrierDivergence},
    {"values not transposed", ".trans.shared", ".shared", 1},
    {"keys transposed", "x4.shared.b16 {%b0", "x4.trans.shared.b16 {%b0", 1},
    {"wrong lane in the row maximum", "%f, %n0, 1, 31", "%f, %n0, 4, 31", 1},
    {"wrong lane in the row sum", "%f, %l1, 2, 31", "%f, %l1, 8, 31", 1},
    {"a lane missing in a member mask", "%f, %l1, 2, 31, -1", "%f, %l1, 2, 31, 0x7fffffff", 1,
     FaultKind::BarrierDivergence},
    {"row sum not reduced", "shfl.sync.bfly.b32 %f, %l0, 1, 31, -1;\n  add.f32 %l0, %l0, %f;", "", 1},
    {"swapped fragments of keys", "{%b2, %b3}, {%f", "{%b3, %b2}, {%f", 1},
    {"swapped fragments of queries", "{%a0, %a1, %a2, %a3}, {%b0", "{%a0, %a2, %a1, %a3}, {%b0", 1},
    {"swapped fragments of probabilities", "{%p0, %p1, %p2, %p3}, {%b0", "{%p0, %p2, %p1, %p3}, {%b0", 1},
    {"swapped halves of a pair", "%p2, %s5, %s4", "%p2, %s4, %s5", 1},
    {"the wrong half of the keys", "{%b2, %b3}, {%f", "{%b0, %b1}, {%f", 1},
    {"the wrong half of the values", "{%b2, %b3}, {%o10", "{%b0, %b1}, {%o10", 1},
    {"copies always into the first stage", "add.u32 %t, %dst, %stage;", "mov.u32 %t, %dst;", 1},
    {"reads always the first stage", "add.u32 %t, %kaddr, %stage;", "mov.u32 %t, %kaddr;", 1},
    {"mask off by one", "add.u32 %key, %key, 1;\n  setp.lt", "add.u32 %key, %key, 1;\n  setp.le", 2},
    {"mask dropped", "selp.f32 %s5, %s5, 0fFF800000, %in;", "", 1},
    {"copies one row too many", "add.u32 %row, %row, 16;\n  setp.lt.u32", "add.u32 %row, %row, 16;\n  setp.le.u32", 1,
     FaultKind::OutOfBounds},
    {"copies rows past the end", "[%t], [%src], 16, %size", "[%t], [%src], 16", 1, FaultKind::OutOfBounds},
    {"every second tile skipped", "add.u32 %next, %i, 1;", "add.u32 %next, %i, 2;", 1},
    {"one tile too few", "add.u32 %tiles, %keys, 15;", "add.u32 %tiles, %keys, 0;", 1},
    {"no rescaling of the sum", "mul.f32 %l1, %l1, %c1;", "", 1},
    {"no rescaling of the output", "mul.f32 %o12, %o12, %c1;", "", 1},
    {"the wrong row's factor", "mul.f32 %o02, %o02, %c1;", "mul.f32 %o02, %o02, %c0;", 1},
    {"scale forgotten", "fma.rn.f32 %s4, %s4, %scale, %f;", "add.f32 %s4, %s4, %f;", 1},
    {"accumulator not initialised", "mov.f32 %o12, 0f00000000;", "", 1, FaultKind::UninitialisedRegister},
    {"maximum not initialised", "mov.f32 %m1, 0fFF800000;", "", 1, FaultKind::UninitialisedRegister},
    {"misaligned copy", "add.u32 %dst, %smem, %u;", "add.u32 %dst, %smem, 8;", 1, FaultKind::Misaligned},
    {"misaligned matrix row", "[%t+2048]", "[%t+2056]", 1, FaultKind::Misaligned},
    {"matrix past the end of shared memory", "[%t+2048]", "[%t+2560]", 1},
    {"queries of the other warp", "shl.b32 %t, %warp, 9;", "shl.b32 %t, %warp, 0;", 1},
    {"queries of the other block", "shl.b32 %t, %cta, 10;", "mov.b32 %t, 0;", 1},
    {"outputs past the end", "shl.b32 %t, %cta, 5;", "shl.b32 %t, %cta, 6;", 1, FaultKind::OutOfBounds},
    {"output row off by 8", "[%o+544], {%o12", "[%o+32], {%o12", 1},
    {"a warp leaves early", "LOOP:\n", "@%lead ret;\nLOOP:\n", 1},
    {"a lane leaves early", "LOOP:\n", "setp.eq.u32 %first, %tid, 9;\n@%first ret;\nLOOP:\n", 1,
     FaultKind::BarrierDivergence},
};
} // namespace

TEST_CASE("the attention kernel is right for every order of warps, and bit-equal") {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    Verdict verdict = runAttention(AttentionSm80, seed);
    CHECK_MESSAGE(!verdict.caught(), verdict.refused << verdict.report.format() << verdict.error);
    CHECK(verdict.report.byOpcode.at(std::string(Mma.substr(0, Mma.size() - 1))) == 2 * 2 * 5 * 4);
    CHECK(verdict.error == runAttention(AttentionSm80, 0).error);
  }
}

TEST_CASE("mutations of the attention kernel are caught") {
  for (const Mutation &mutation : attentionMutations) {
    CAPTURE(std::string(mutation.name));
    std::string text = replaced(AttentionSm80, mutation.from, mutation.to, mutation.occurrence);
    bool caught = false, named = !mutation.fault;
    std::string reports;
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      Verdict verdict = runAttention(text, seed);
      caught |= verdict.caught();
      named |= mutation.fault && has(verdict.report, *mutation.fault);
      reports += verdict.refused + verdict.report.format();
    }
    CHECK(caught);
    CHECK_MESSAGE(named, reports);
  }
}

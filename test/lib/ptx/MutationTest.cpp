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

constexpr std::string_view Commit = "  wgmma.commit_group.sync.aligned;\n",
                           Wait = "  wgmma.wait_group.sync.aligned 0;\n",
                           Arrive = "  mbarrier.arrive.shared::cta.b64 _, [%ebar];\n";

const Mutation gemmMutations[] = {
    {"expects too few bytes", "[%fbar], 12288", "[%fbar], 8192", 1, FaultKind::Deadlock},
    {"expects too many bytes", "[%fbar], 12288", "[%fbar], 12304", 1, FaultKind::Deadlock},
    {"arrives without expecting bytes", "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%fbar], 12288;",
     "mbarrier.arrive.shared::cta.b64 _, [%fbar];"},
    {"dropped wait for the tiles",
     "ARRIVED:\n  mbarrier.try_wait.parity.shared::cta.b64 %q, [%fbar], %phase;\n  @!%q bra ARRIVED;", "", 1},
    {"dropped wait for a free stage",
     "FREE:\n  mbarrier.try_wait.parity.shared::cta.b64 %q, [%ebar], %phase;\n  @!%q bra FREE;", "", 1},
    {"does not try the wait again", "@!%q bra ARRIVED;", ""},
    {"does not try the producer's wait again", "@!%q bra FREE;", ""},
    {"wrong parity of the consumer", "and.b32 %phase, %phase, 1;\n  shl.b32 %t, %stage, 3;",
     "xor.b32 %phase, %phase, 1;\n  and.b32 %phase, %phase, 1;\n  shl.b32 %t, %stage, 3;"},
    {"wrong parity of the producer", "xor.b32 %phase, %phase, 1;", "", 1, FaultKind::Deadlock},
    {"phase changes with every tile", "shr.u32 %phase, %i, 1;", "mov.u32 %phase, %i;", 2},
    {"dropped wgmma.wait_group", Wait, "", 1, FaultKind::UninitialisedRegister},
    {"wgmma.wait_group one group too few", "wait_group.sync.aligned 0", "wait_group.sync.aligned 1", 1,
     FaultKind::UninitialisedRegister},
    {"dropped wgmma.commit_group", Commit, "", 1, FaultKind::UninitialisedRegister},
    {"dropped wgmma.fence", "  wgmma.fence.sync.aligned;\n", "", 1, FaultKind::MissingFence},
    {"stage freed before its last use", "  wgmma.commit_group.sync.aligned;\n",
     "  wgmma.commit_group.sync.aligned;\n  mbarrier.arrive.shared::cta.b64 _, [%ebar];\n"},
    {"stage never freed", Arrive, "", 1, FaultKind::Deadlock},
    {"stage freed by one lane only", "  mbarrier.arrive.shared::cta.b64 _, [%ebar];",
     "  elect.sync %t|%p, -1;\n  @%p mbarrier.arrive.shared::cta.b64 _, [%ebar];", 1, FaultKind::Deadlock},
    {"frees the other stage", "[%ebar];\n  add.u32 %i", "[%fbar];\n  add.u32 %i", 1},
    {"empty barrier counts a warp too few", "[%empty], 128", "[%empty], 96", 1},
    {"empty barrier counts half", "[%empty+8], 128", "[%empty+8], 64", 1},
    {"barrier not initialised", "  mbarrier.init.shared::cta.b64 [%full+8], 1;\n", "", 1, FaultKind::MbarrierMisuse},
    {"initialisation not fenced", "  fence.mbarrier_init.release.cluster;\n", "", 1, FaultKind::MissingFence},
    {"initialisation not ordered", "READY:\n  bar.sync 0;", "READY:\n", 1},
    {"wrong stride in the descriptor", "0x4000004000010000", "0x4000002000010000", 1},
    {"wrong swizzle in the descriptor", "0x4000004000010000", "0x8000004000010000", 1},
    {"no swizzle in the descriptor", "0x4000004000010000", "0x0000004000010000", 1},
    {"wrong step along the depth", "add.u64 %adesc, %adesc, 2;", "add.u64 %adesc, %adesc, 4;", 1},
    {"dropped step along the depth", "add.u64 %bdesc, %bdesc, 2;", "", 2},
    {"B where A is", "add.u64 %bdesc, %adesc, 512;", "mov.b64 %bdesc, %adesc;", 1},
    {"B transposed", "1, 1, 1, 0, 0;", "1, 1, 1, 0, 1;", 3},
    {"sign of A", "1, 1, 1, 0, 0;", "1, -1, 1, 0, 0;", 4},
    {"sums begin anew", "1, 1, 1, 0, 0;", "0, 1, 1, 0, 0;", 1},
    {"coordinates exchanged", "[%bmap, {%k, %zero}]", "[%bmap, {%zero, %k}]", 1},
    {"map of the other operand", "mov.b64 %bmap, bmap;", "mov.b64 %bmap, amap;", 1},
    {"the same tile again", "shl.b32 %k, %i, 6;", "mov.u32 %k, 0;", 1},
    {"tile off by one column", "shl.b32 %k, %i, 6;", "shl.b32 %k, %i, 6;\n  add.u32 %k, %k, 1;", 1},
    {"B lands on A", "add.u32 %dst, %dst, 8192;", "add.u32 %dst, %dst, 7168;", 1, FaultKind::MissingWait},
    {"misaligned destination", "add.u32 %dst, %dst, 8192;", "add.u32 %dst, %dst, 8256;", 1, FaultKind::Misaligned},
    {"copies always into the first stage", "mad.lo.u32 %dst, %stage, 12288, %smem;", "mov.u32 %dst, %smem;", 1},
    {"B of the first stage", "add.u64 %bdesc, %adesc, 512;", "add.u64 %bdesc, %high, 512;", 1},
    {"one tile too few produced", "add.u32 %i, %i, 1;\n  setp.lt.u32 %more, %i, %tiles;\n  @%more bra PRODUCE;",
     "add.u32 %i, %i, 1;\n  add.u32 %t, %i, 1;\n  setp.lt.u32 %more, %t, %tiles;\n  @%more bra PRODUCE;", 1,
     FaultKind::Deadlock},
    {"one tile too many produced", "setp.lt.u32 %more, %i, %tiles;\n  @%more bra PRODUCE;",
     "setp.le.u32 %more, %i, %tiles;\n  @%more bra PRODUCE;", 1, FaultKind::MissingWait},
    {"one tile too many consumed", "setp.lt.u32 %more, %i, %tiles;\n  @%more bra CONSUME;",
     "setp.le.u32 %more, %i, %tiles;\n  @%more bra CONSUME;", 1, FaultKind::Deadlock},
    {"all lanes produce", "@!%p bra END;", "", 1},
    {"accumulator not initialised", "  mov.f32 %d9, 0f00000000;\n", "", 1, FaultKind::UninitialisedRegister},
    {"accumulators exchanged", "%d2, %d3, %d4, %d5", "%d4, %d5, %d2, %d3", 2},
    {"a warp skips the products", "CONSUME:\n", "CONSUME:\n  setp.eq.u32 %p, %warp, 2;\n  @%p bra END;\n", 1},
    {"output row of another warp", "shl.b32 %t, %warp, 4;", "shl.b32 %t, %warp, 3;", 1},
    {"outputs past the end", "shl.b32 %t, %warp, 4;", "shl.b32 %t, %warp, 5;", 1, FaultKind::OutOfBounds},
};

void checkMutations(std::span<const Mutation> mutations, std::string_view original,
                    Verdict (*judge)(std::string_view, uint64_t)) {
  for (const Mutation &mutation : mutations) {
    CAPTURE(std::string(mutation.name));
    std::string text = replaced(original, mutation.from, mutation.to, mutation.occurrence);
    bool caught = false, named = !mutation.fault;
    std::string reports;
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      Verdict verdict = judge(text, seed);
      caught |= verdict.caught();
      named |= mutation.fault && has(verdict.report, *mutation.fault);
      reports += verdict.refused + verdict.report.format();
    }
    CHECK(caught);
    CHECK_MESSAGE(named, reports);
  }
}
} // namespace

TEST_CASE("the attention kernel is right for every order of warps, and bit-equal") {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    Verdict verdict = runAttention(AttentionSm80, seed);
    CHECK_MESSAGE(!verdict.caught(), verdict.refused << verdict.report.format() << verdict.error);
    CHECK(verdict.report.byOpcode.at(std::string(Mma.substr(0, Mma.size() - 1))) == 2 * 2 * 5 * 4);
    CHECK(verdict.error == runAttention(AttentionSm80, 0).error);
  }
}

TEST_CASE("the matrix product with TMA and wgmma is right for every order of warps, and bit-equal") {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    Verdict verdict = runGemm(GemmSm90, seed);
    CHECK_MESSAGE(!verdict.caught(), verdict.refused << verdict.report.format() << verdict.error);
    CHECK(verdict.error == runGemm(GemmSm90, 0).error);
  }
}

TEST_CASE("one lane of each warp may free a stage after wgmma.wait_group") {
  std::string text = replaced(GemmSm90, "[%empty], 128", "[%empty], 4");
  text = replaced(text, "[%empty+8], 128", "[%empty+8], 4");
  text = replaced(text, Arrive, "  elect.sync %t|%p, -1;\n  @%p mbarrier.arrive.shared::cta.b64 _, [%ebar];\n");
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Verdict verdict = runGemm(text, seed);
    CHECK_MESSAGE(!verdict.caught(), verdict.refused << verdict.report.format() << verdict.error);
  }
  // Of three warps it is too few.
  std::string three = replaced(replaced(text, "[%empty], 4", "[%empty], 3"), "[%empty+8], 4", "[%empty+8], 3");
  bool caught = false;
  for (uint64_t seed = 0; seed < 6; ++seed)
    caught |= runGemm(three, seed).caught();
  CHECK(caught);
}

TEST_CASE("mutations of the attention kernel are caught") {
  checkMutations(attentionMutations, AttentionSm80, runAttention);
}

TEST_CASE("mutations of the matrix product are caught") { checkMutations(gemmMutations, GemmSm90, runGemm); }

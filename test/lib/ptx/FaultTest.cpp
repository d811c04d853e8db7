// Every fault that plain code can have, with the line and thread that the report names; and correct code that must not
// be blamed.
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

#define CHECK_FAULT(report, ...)                                                                                       \
  do {                                                                                                                 \
    Report r = (report);                                                                                               \
    CHECK_MESSAGE(has(r, __VA_ARGS__), "got: " << r.format());                                                         \
  } while (false)
#define CHECK_CLEAN(report)                                                                                            \
  do {                                                                                                                 \
    Report r = (report);                                                                                               \
    CHECK_MESSAGE(r.ok(), r.format());                                                                                 \
  } while (false)

TEST_CASE("global memory: bounds, alignment, permission, definedness") {
  CHECK_FAULT(faultsOf("mul.wide.u32 %l0, %tid, 4; add.u64 %l0, %in, %l0; ld.global.b32 %d, [%l0+3972]; ret;"),
              FaultKind::OutOfBounds, "4 bytes at global address");
  CHECK_FAULT(faultsOf("ld.global.b32 %d, [%in+4096]; ret;"), FaultKind::OutOfBounds,
              "0 bytes past the end of 'in' (4096 bytes)");
  CHECK_FAULT(faultsOf("ld.global.b32 %d, [%in+-4]; ret;"), FaultKind::OutOfBounds, "before every allocation");
  CHECK_FAULT(faultsOf("ld.global.b32 %d, [%out+-4]; ret;"), FaultKind::OutOfBounds, "4 bytes before 'out'");
  CHECK_FAULT(faultsOf("ld.global.b64 %xd, [%in+4092]; ret;"), FaultKind::OutOfBounds,
              "at byte 4092 of 'in' (4096 bytes)");
  CHECK_FAULT(faultsOf("ld.global.b32 %d, [%in+2]; ret;"), FaultKind::Misaligned, "is not a multiple of 4");
  CHECK_FAULT(faultsOf("ld.global.v4.b32 {%r0,%r1,%r2,%r3}, [%in+8]; ret;"), FaultKind::Misaligned,
              "is not a multiple of 16");
  CHECK_FAULT(faultsOf("ld.global.b32 %d, [%out+8]; ret;"), FaultKind::UninitialisedMemory,
              "byte 8 of 'out' was never written");
  CHECK_CLEAN(faultsOf("st.global.b32 [%out+8], %tid; ld.global.b32 %d, [%out+8]; ret;"));
  CHECK_FAULT(faultsOf("st.const.b32 [c], %tid; ret;", 32, ".const .b32 c = 5;"), FaultKind::ReadOnly,
              "'c' must not be written");
  CHECK_FAULT(faultsOf("mov.u64 %l0, in; cvta.param.u64 %l0, %l0; st.b32 [%l0], %tid; ret;"), FaultKind::ReadOnly,
              "parameters of the entry must not be written");
}

namespace {
Report gridFaults(std::string_view body) {
  std::string text =
      ".version 8.0\n.target sm_80\n.address_size 64\n.entry k(.param .u64 out) {\n"
      ".reg .b64 %out, %x; .reg .b32 %r<9>, %cta; .reg .pred %p;\n"
      "ld.param.u64 %out, [out]; mov.u32 %cta, %ctaid.x; mul.wide.u32 %x, %cta, 4; add.u64 %x, %out, %x;\n" +
      std::string(body) + "\nret; }";
  std::vector<uint32_t> out(64);
  Device device;
  Launch launch{.grid = {4}};
  launch.arguments.pointer(device.add("out", bytesOf(out), Contents::Defined));
  return launchText(text, "k", device, launch, {.seed = 3});
}
} // namespace

TEST_CASE("global memory: blocks must not rely on each other") {
  CHECK_CLEAN(gridFaults("st.global.b32 [%x], %cta; ld.global.b32 %r0, [%x];"));
  CHECK_CLEAN(gridFaults("mov.u32 %r0, 7; st.global.b32 [%out], %r0;"));
  CHECK_FAULT(gridFaults("st.global.b32 [%out], %cta;"), FaultKind::Race,
              "is written, but another block of this launch wrote it");
  CHECK_FAULT(gridFaults("st.global.b32 [%x], %cta; ld.global.b32 %r0, [%out];"), FaultKind::Race,
              "is read, but another block of this launch wrote it");
  // The last block to come reads what the others wrote.
  CHECK_CLEAN(gridFaults("st.global.b32 [%x+64], %cta; membar.gl; atom.global.add.u32 %r0, [%out], 1;"
                         "setp.eq.u32 %p, %r0, 3; @%p ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%out+64];"));
  CHECK_FAULT(gridFaults("st.global.b32 [%x], %cta; ld.global.nc.b32 %r0, [%x];"), FaultKind::Race,
              "is read by a non-coherent load, but this launch wrote it");
  CHECK_CLEAN(gridFaults("ld.global.nc.b32 %r0, [%x];"));
}

TEST_CASE("local and parameter memory have bounds, too") {
  std::string depot = ".local .align 4 .b8 depot[8]; mov.u64 %l0, depot; ";
  CHECK_FAULT(faultsOf(depot + "st.local.b32 [%l0+8], %tid; ret;"), FaultKind::OutOfBounds,
              "local address 8, but there are 8");
  CHECK_FAULT(faultsOf(depot + "st.local.b32 [%l0+2], %tid; ret;"), FaultKind::Misaligned, "local address 0x2");
  CHECK_FAULT(faultsOf(depot + "ld.local.b32 %d, [%l0]; ret;"), FaultKind::UninitialisedMemory,
              "local address 0 was never");
  CHECK_FAULT(faultsOf("ld.param.b64 %xd, [out+8]; ret;"), FaultKind::OutOfBounds,
              "param address 16, but there are 16");
}

TEST_CASE("registers must be written before they are read") {
  Report report = faultsOf("setp.lt.u32 %p, %tid, 5;\n@%p mov.u32 %r1, 3;\nadd.u32 %d, %r1, 1;\nret;");
  CHECK_FAULT(report, FaultKind::UninitialisedRegister, "register '%r1' was never written");
  CHECK(report.faults[0].thread == 5);
  CHECK(report.faults[0].text == "add.u32 %d, %r1, 1;");
  CHECK_FAULT(faultsOf("@%q mov.u32 %d, 1; ret;"), FaultKind::UninitialisedRegister, "'%q'");
  // A copy of an undefined value is no fault, a use of the copy is.
  CHECK_CLEAN(faultsOf("mov.u32 %r1, %r2; ret;"));
  CHECK_FAULT(faultsOf("mov.u32 %r1, %r2; st.global.b32 [%out], %r1; ret;"), FaultKind::UninitialisedRegister, "'%r1'");
  // A choice is as defined as what it chooses.
  std::string choose = "setp.lt.u32 %p, %tid, 32; selp.b32 %d, %tid, %r2, %p; st.global.b32 [%out], %d; ret;";
  CHECK_CLEAN(faultsOf(choose, 32));
  CHECK_FAULT(faultsOf(choose, 64), FaultKind::UninitialisedRegister, "'%d'");
  // What a lane that takes no part would have sent.
  CHECK_FAULT(faultsOf("setp.lt.u32 %p, %tid, 16; @!%p bra E; shfl.sync.idx.b32 %d, %tid, 20, 31, 0xffff; add.u32 %d, "
                       "%d, 1; E: ret;"),
              FaultKind::UninitialisedRegister, "'%d'");
}

namespace {
constexpr std::string_view Shared = ".shared .align 16 .b8 buffer[1024];";
/// %r0: the thread's word; %r1: the word of the thread 33 further, of another warp and lane.
std::string withWords(std::string_view rest) {
  return R"(
    mov.u32 %r2, buffer;
    shl.b32 %r0, %tid, 2;
    add.u32 %r0, %r0, %r2;
    add.u32 %r1, %tid, 33;
    and.b32 %r1, %r1, 63;
    shl.b32 %r1, %r1, 2;
    add.u32 %r1, %r1, %r2;
)" + std::string(rest) +
         "\nret;";
}
} // namespace

TEST_CASE("shared memory: bounds, alignment, definedness") {
  CHECK_FAULT(faultsOf("mov.u32 %r0, buffer; st.shared.b32 [%r0+1024], %tid; ret;", 32, Shared), FaultKind::OutOfBounds,
              "4 bytes at shared address 1024, but the block has 1024 bytes");
  CHECK_FAULT(faultsOf("mov.u32 %r0, buffer; st.shared.b32 [%r0+-4], %tid; ret;", 32, Shared), FaultKind::OutOfBounds);
  CHECK_FAULT(faultsOf("st.shared.b64 [buffer+4], %in; ret;", 32, Shared), FaultKind::Misaligned,
              "is not a multiple of 8");
  CHECK_FAULT(faultsOf("ld.shared.b32 %d, [buffer+4]; ret;", 32, Shared), FaultKind::UninitialisedMemory,
              "shared address 4 was never written");
}

TEST_CASE("shared memory: races between and inside warps") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    CHECK_CLEAN(faultsOf(withWords("st.shared.b32 [%r0], %tid; bar.sync 0; ld.shared.b32 %d, [%r1]; bar.sync 0;"
                                   "st.shared.b32 [%r1], %tid;"),
                         64, Shared, seed));
    // The second barrier dropped: reads race with the writes of others.
    CHECK_FAULT(faultsOf(withWords("st.shared.b32 [%r0], %tid; bar.sync 0; ld.shared.b32 %d, [%r1];"
                                   "mov.u32 %r3, 77; st.shared.b32 [%r0], %r3;"),
                         64, Shared, seed),
                FaultKind::Race);
  }
  CHECK_FAULT(
      faultsOf(
          withWords("mov.u32 %r3, 9; st.shared.b32 [%r0], %r3; ld.shared.b32 %d, [%r0]; ld.shared.b32 %d, [buffer];"),
          32, Shared),
      FaultKind::Race, "nothing orders this after the write by thread 0");
  CHECK_FAULT(faultsOf("st.shared.b32 [buffer], %tid; ret;", 32, Shared), FaultKind::Race,
              "is written, but nothing orders this after the write");
  CHECK_CLEAN(faultsOf("mov.u32 %r0, 5; st.shared.b32 [buffer], %r0; ret;", 64, Shared)); // all write the same
  CHECK_CLEAN(
      faultsOf(withWords("st.shared.b32 [%r0], %tid; bar.warp.sync -1; ld.shared.b32 %d, [buffer];"), 32, Shared));
  Report atomics = faultsOf("setp.eq.u32 %p, %tid, 0; mov.u32 %r0, 0; @%p st.shared.b32 [buffer], %r0; bar.sync 0; "
                            "red.shared.add.u32 [buffer], 1; ret;",
                            128, Shared);
  CHECK_MESSAGE(atomics.ok(), atomics.format());
  CHECK_FAULT(faultsOf("setp.eq.u32 %p, %tid, 0; mov.u32 %r0, 0; @%p st.shared.b32 [buffer], %r0; bar.sync 0; "
                       "red.shared.add.u32 [buffer], 1; ld.shared.b32 %d, [buffer]; ret;",
                       128, Shared),
              FaultKind::Race);
}

namespace {
/// The instruction, by one thread alone.
std::string by(unsigned thread, std::string_view instruction) {
  return "setp.eq.u32 %p, %tid, " + std::to_string(thread) + "; @%p " + std::string(instruction) + ";";
}
constexpr std::string_view Vector = ".shared .align 16 .b8 buffer[64];", Load = "ld.shared.v4.b32 {%r4,%r5,%r6,%r7}, ",
                           Store = "st.shared.v4.b32 [buffer], ";
std::string vectors(std::string_view body) {
  return "mov.u32 %r0, 0; mov.u32 %r1, 1; mov.u64 %l0, 9;" + std::string(body) + "ret;";
}
std::string load() { return std::string(Load) + "[buffer]"; }
std::string store(std::string_view words) { return std::string(Store) + "{" + std::string(words) + "}"; }
} // namespace

TEST_CASE("shared memory: what touches 16 bytes and what touches some of them see each other") {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    // Halves of different threads, then all by one, are one value for whoever reads after a barrier.
    CHECK_CLEAN(faultsOf(vectors(by(0, "st.shared.b64 [buffer], %l0") + by(32, "st.shared.b64 [buffer+8], %l0") +
                                 "bar.sync 0;" + load() + ";bar.sync 0;" + by(32, store("%r1,%r1,%r1,%r0")) +
                                 "bar.sync 0;" + load() + ";"),
                         64, Vector, seed));
    // Other bytes of the same 16.
    CHECK_CLEAN(faultsOf(vectors(by(0, store("%r0,%r0,%r0,%r0")) + "bar.sync 0;" +
                                 by(0, "st.shared.b64 [buffer], %l0") + by(32, "ld.shared.b64 %l1, [buffer+8]")),
                         64, Vector, seed));
    CHECK_FAULT(faultsOf(vectors(by(0, store("%r0,%r0,%r0,%r0")) + "bar.sync 0;" +
                                 by(0, "st.shared.b64 [buffer+8], %l0") + by(32, load())),
                         64, Vector, seed),
                FaultKind::Race);
    // Two warps read, and one of them is waited for before a word is written.
    std::string readers = by(0, store("%r0,%r0,%r0,%r0")) + "bar.sync 0;" + by(32, load()) + by(64, load());
    std::string write = by(0, "st.shared.b32 [buffer+4], %r1");
    CHECK_CLEAN(faultsOf(vectors(readers + "bar.sync 0;" + write), 96, Vector, seed));
    CHECK_FAULT(faultsOf(vectors(readers + "setp.lt.u32 %p, %tid, 64; @%p bar.sync 1, 64;" + write), 96, Vector, seed),
                FaultKind::Race);
    // Three words are the same, so only the last one races.
    CHECK_FAULT(faultsOf(vectors(by(0, store("%r0,%r0,%r0,%r0")) + by(32, store("%r0,%r0,%r0,%r1"))), 64, Vector, seed),
                FaultKind::Race, "shared address 12 is written");
  }
  CHECK_FAULT(
      faultsOf(vectors(by(0, "st.shared.b64 [buffer], %l0") + by(0, "st.shared.b32 [buffer+8], %r0") + by(0, load())),
               32, Vector),
      FaultKind::UninitialisedMemory, "shared address 12 was never written");
}

TEST_CASE("barriers of a part of the block order only that part") {
  // Warps 0 and 1 meet at barrier 1; warp 2 reads without having met them.
  std::string body = withWords(R"(
    setp.ge.u32 %p, %tid, 64;
    @%p bra THIRD;
    st.shared.b32 [%r0], %tid;
    bar.sync 1, 64;
    bra END;
  THIRD:
    ld.shared.b32 %d, [buffer];
  END:)");
  bool raced = false;
  for (uint64_t seed = 1; seed <= 16; ++seed) {
    Report report = faultsOf(body, 96, Shared, seed);
    CHECK(!report.ok());
    raced |= has(report, FaultKind::Race);
  }
  CHECK(raced);
}

TEST_CASE("barrier divergence, misuse and deadlock") {
  CHECK_FAULT(faultsOf("setp.lt.u32 %p, %tid, 7; @%p bra A;\nbar.sync 0; bra E;\nA: bar.sync 1; E: ret;"),
              FaultKind::BarrierDivergence, "stand apart: lanes 0xffffff80 of warp 0 in line");
  CHECK_FAULT(faultsOf("setp.lt.u32 %p, %tid, 7; @%p bra E; vote.sync.ballot.b32 %d, %p, -1; E: bar.sync 0; ret;"),
              FaultKind::BarrierDivergence);
  CHECK_CLEAN(faultsOf("setp.lt.u32 %p, %tid, 7; @%p ret; bar.sync 0; ret;"));
  CHECK_CLEAN(faultsOf("setp.lt.u32 %p, %tid, 32; @%p ret; bar.sync 0; ret;", 96));
  CHECK_FAULT(faultsOf("shfl.sync.idx.b32 %d, %tid, 0, 31, 0xff; ret;"), FaultKind::BarrierDivergence,
              "lane 8 executes with member mask 0xff, of which it is no member");
  CHECK_FAULT(faultsOf("mov.u32 %r0, 17; bar.sync %r0; ret;"), FaultKind::BarrierMisuse,
              "barrier 17 does not exist: there are 16");
  CHECK_FAULT(faultsOf("bar.sync 1, 40; ret;"), FaultKind::BarrierMisuse,
              "barrier 1 expects 40 threads, which is no multiple of 32");
  CHECK_FAULT(faultsOf("shr.u32 %r0, %tid, 5; shl.b32 %r0, %r0, 5; add.u32 %r0, %r0, 64; bar.sync 1, %r0; ret;", 64),
              FaultKind::BarrierMisuse, "with another number of threads or another operation");
  CHECK_FAULT(faultsOf("setp.lt.u32 %p, %tid, 16; setp.ge.or.u32 %p, %tid, 32, %p; @%p barrier.sync 1, 32; ret;", 64),
              FaultKind::BarrierMisuse, "barrier 1 expects 32 threads, but 48 arrived");
  CHECK_FAULT(faultsOf("setp.lt.u32 %p, %tid, 32; @%p bra E; bar.sync 2, 64; E: bar.sync 0; ret;", 64),
              FaultKind::Deadlock, "warp 1 waits at barrier 2");
  CHECK_FAULT(faultsOf("setp.eq.u32 %p, %tid, 40; @%p trap; ret;", 64), FaultKind::Trap, "the kernel trapped");
}

TEST_CASE("endless loops end with a fault") {
  Result<Module> module = Module::parse(".entry k() { LOOP: bra LOOP; }");
  REQUIRE(module);
  Device device;
  Result<Report> report = run(*module->entry("k"), device, Launch(), {.maxInstructions = 5000});
  REQUIRE(report);
  CHECK_FAULT(*report, FaultKind::InstructionLimit, "did not end within 5000 warp instructions");
}

TEST_CASE("one fault for each kind and line, with its count") {
  Report report = faultsOf("ld.global.b32 %d, [%in+2];\nld.global.b32 %d, [%in+2];\nret;", 64);
  CHECK(report.faults.size() == 2);
  CHECK(report.faults[0].count == 64);
  CHECK(report.format().find("misaligned: global address") == 0);
}

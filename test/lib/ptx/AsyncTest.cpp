// mbarriers, bulk and tensor copies against their definitions in the PTX ISA document, and every way to misuse them.
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

namespace {
constexpr std::string_view Shared =
    ".shared .align 1024 .b8 buffer[4096]; .shared .align 8 .b64 bar; .shared .align 8 .b64 bar2;";

/// Thread 0 initialises the barrier for `count` arrivals, and all know it.
std::string withBarrier(unsigned count, std::string_view rest) {
  return fmt::format(R"(
    setp.eq.u32 %p, %tid, 0;
    @%p mbarrier.init.shared::cta.b64 [bar], {};
    @%p fence.mbarrier_init.release.cluster;
    bar.sync 0;
    {}
    ret;)",
                     count, rest);
}
Report report(std::string_view body, uint32_t threads = 32, uint64_t seed = 1) {
  return faultsOf(body, threads, Shared, seed);
}
void checkFault(const Report &r, FaultKind kind, std::string_view text = "") {
  CHECK_MESSAGE(has(r, kind, text), "got: " << r.format());
}
void checkClean(const Report &r) { CHECK_MESSAGE(r.ok(), r.format()); }

constexpr std::string_view Wait = "W: mbarrier.try_wait.parity.shared::cta.b64 %q, [bar], 0;\n@!%q bra W;\n";
constexpr std::string_view BulkLoad =
    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%in], 256, [bar];\n";
} // namespace

TEST_CASE("mbarrier: phases order the threads that arrive before those that wait") {
  std::string body = withBarrier(32, fmt::format(R"(
    shl.b32 %r0, %tid, 2;
    mov.u32 %r1, buffer;
    add.u32 %r0, %r0, %r1;
    setp.ge.u32 %p, %tid, 32;
    @%p bra CONSUME;
    st.shared.b32 [%r0], %tid;
    mbarrier.arrive.shared::cta.b64 %l2, [bar];
    bra END;
  CONSUME:
    {}
    ld.shared.b32 %r2, [%r0+-128];
    add.u32 %r2, %r2, 32;
    setp.ne.u32 %q, %r2, %tid;
    @%q trap;
  END:)",
                                                 Wait));
  for (uint64_t seed = 0; seed < 20; ++seed)
    checkClean(report(body, 64, seed));
  // Without the wait the read races in some order of warps; without the loop it does when the wait times out.
  for (std::string_view broken :
       {"@!%q bra W;", "W: mbarrier.try_wait.parity.shared::cta.b64 %q, [bar], 0;\n@!%q bra W;"}) {
    std::string text = body;
    text.erase(text.find(broken), broken.size());
    bool raced = false;
    for (uint64_t seed = 0; seed < 20; ++seed)
      raced |= !report(text, 64, seed).ok();
    CHECK(raced);
  }
}

TEST_CASE("mbarrier: tokens, counts, drops and test_wait") {
  checkClean(report(withBarrier(64, R"(
    mbarrier.arrive.shared::cta.b64 %l2, [bar], 2;
    S: mbarrier.test_wait.shared::cta.b64 %q, [bar], %l2;
    @!%q bra S;
    mbarrier.test_wait.parity.shared::cta.b64 %q, [bar], 0;
    @!%q trap;
    mbarrier.test_wait.parity.shared::cta.b64 %q, [bar], 1;
    @%q trap;
    mbarrier.arrive_drop.shared::cta.b64 _, [bar], 2;
    setp.eq.u32 %p, %tid, 0;
    bar.warp.sync -1;
    @%p mbarrier.inval.shared::cta.b64 [bar];
    @%p mbarrier.init.shared::cta.b64 [bar], 1;
    @%p mbarrier.arrive.shared::cta.b64 %l3, [bar];
    @%p mbarrier.pending_count.b64 %r3, %l3;
    setp.ne.and.u32 %q, %r9, 1, %p;
    )")
                        .replace(0, 0, "mov.u32 %r9, 1;")));
  checkFault(report(withBarrier(16, "mbarrier.arrive.shared::cta.b64 _, [bar], 20;")), FaultKind::MbarrierMisuse,
             "20 more arrivals at the mbarrier at shared address 4096, but its phase 0 waits for 16 of 16");
  checkFault(report("mbarrier.arrive.shared::cta.b64 %l2, [bar]; ret;"), FaultKind::MbarrierMisuse,
             "there is no initialised mbarrier at shared address 4096");
  checkFault(report(withBarrier(1, "@%p mbarrier.init.shared::cta.b64 [bar], 1;")), FaultKind::MbarrierMisuse,
             "is initialised while it is in use");
  checkFault(report("setp.eq.u32 %p, %tid, 0; @%p mbarrier.init.shared::cta.b64 [bar], 0; ret;"),
             FaultKind::MbarrierMisuse, "an mbarrier cannot expect 0 arrivals");
  checkFault(report("setp.eq.u32 %p, %tid, 0; @%p mbarrier.init.shared::cta.b64 [bar+4], 1; ret;"),
             FaultKind::Misaligned);
  checkFault(report(withBarrier(1, "ld.shared.b32 %d, [bar];")), FaultKind::MbarrierMisuse,
             "belongs to an mbarrier object");
  checkFault(report(withBarrier(1, "st.shared.b32 [bar+4], %tid;")), FaultKind::MbarrierMisuse,
             "belongs to an mbarrier object");
  checkFault(report(withBarrier(1, "mbarrier.test_wait.parity.shared::cta.b64 %q, [bar], 2;")),
             FaultKind::InvalidOperand, "2 is no parity");
  checkFault(report("setp.eq.u32 %p, %tid, 0; @%p mbarrier.init.shared::cta.b64 [bar], 32; "
                    "mbarrier.arrive.shared::cta.b64 _, [bar]; ret;"),
             FaultKind::Race, "nothing orders this after the initialisation of the mbarrier");
}

TEST_CASE("mbarrier: nobody arrives") {
  // Two arrivals a phase: 32 of them make 16 phases, and parity 0 is the one that is not complete.
  std::string arriveAndWait = std::string("mbarrier.arrive.shared::cta.b64 _, [bar]; ") + std::string(Wait);
  checkFault(report(withBarrier(2, arriveAndWait)), FaultKind::Deadlock, "(phase 16: 2 of 2 arrivals and 0 bytes");
  checkFault(report(withBarrier(33, arriveAndWait)), FaultKind::Deadlock, "lanes 0xffffffff of warp 0 wait in line");
  checkFault(report(withBarrier(33, arriveAndWait)), FaultKind::Deadlock,
             "for the mbarrier at shared address 4096 (phase 0: 1 of 33 arrivals and 0 bytes are outstanding)");
  // Polling does not end it either.
  checkFault(report(withBarrier(1, "S: mbarrier.test_wait.parity.shared::cta.b64 %q, [bar], 0; @!%q bra S;"), 32),
             FaultKind::Deadlock);
}

TEST_CASE("bulk copies: bytes, waits, fences") {
  auto load = [](std::string_view bytes, std::string_view rest) {
    return withBarrier(1, fmt::format(R"(
      @%p mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], {};
      @%p {}
      {})",
                                      bytes, BulkLoad, rest));
  };
  std::string read = "ld.shared.b32 %d, [buffer+8];";
  for (uint64_t seed = 0; seed < 8; ++seed) {
    checkClean(report(load("256", std::string(Wait) + read), 32, seed));
    checkFault(report(load("256", read + std::string(Wait)), 32, seed), FaultKind::MissingWait,
               "is read while the asynchronous copy of line");
    checkFault(report(load("240", std::string(Wait) + read), 32, seed), FaultKind::Deadlock,
               "0 of 1 arrivals and -16 bytes are outstanding");
    checkFault(report(load("272", std::string(Wait) + read), 32, seed), FaultKind::Deadlock,
               "16 bytes are outstanding");
    checkFault(report(load("256", ""), 32, seed), FaultKind::MissingWait,
               "the block ends while this copy may still use its shared memory");
  }
  // A warp that did not wait, although another one did.
  std::string other = load("256", fmt::format("setp.ge.u32 %t, %tid, 32; @%t bra R; {} R: {}", Wait, read));
  bool seen = false;
  for (uint64_t seed = 0; seed < 8; ++seed)
    seen |= !report(other, 64, seed).ok();
  CHECK(seen);
  checkFault(report(fmt::format("setp.eq.u32 %p, %tid, 0; @%p mbarrier.init.shared::cta.b64 [bar], 1; @%p "
                                "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 256; @%p {} bar.sync 0; @%p "
                                "mbarrier.arrive.shared::cta.b64 _, [bar]; {} ret;",
                                BulkLoad, Wait)),
             FaultKind::MissingFence, "no 'fence.mbarrier_init' or 'fence.proxy.async' follows its initialisation");
  checkFault(
      report(withBarrier(1, "mov.u32 %r0, 40; @%p cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                            "[buffer], [%in], %r0, [bar];")),
      FaultKind::InvalidOperand, "the size 40 of a bulk copy is no multiple of 16");
  checkFault(
      report(withBarrier(
          1, "@%p cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%in+4088], 16, [bar];")),
      FaultKind::OutOfBounds);
  // Bytes that other threads read are overwritten without an order, or without the proxy knowing of writes.
  std::string fill = "shl.b32 %r0, %tid, 2; mov.u32 %r1, buffer; add.u32 %r0, %r0, %r1; st.shared.b32 [%r0], %tid; ";
  checkFault(report(withBarrier(1, fill + "@%p mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], 256; @%p " +
                                       std::string(BulkLoad) + std::string(Wait))),
             FaultKind::Race, "is written, but nothing orders this after the write by thread");
}

TEST_CASE("bulk stores read shared memory until they are waited for") {
  std::string fill = R"(
    mov.u32 %r0, buffer; shl.b32 %r1, %tid, 2; add.u32 %r0, %r0, %r1;
    st.shared.b32 [%r0], %tid;
    fence.proxy.async.shared::cta;
    bar.sync 0;
    setp.eq.u32 %p, %tid, 0;
    @%p cp.async.bulk.global.shared::cta.bulk_group [%out], [buffer], 128;
    @%p cp.async.bulk.commit_group;
)";
  checkClean(report(fill + "@%p cp.async.bulk.wait_group 0; bar.sync 0; mul.wide.u32 %l0, %tid, 4; add.u64 %l0, %out, "
                           "%l0; ld.global.b32 %r2, [%l0]; setp.ne.u32 %q, %r2, %tid; @%q trap; ret;"));
  checkClean(report(fill + "@%p cp.async.bulk.wait_group.read 0; bar.sync 0; st.shared.b32 [%r0], %r0; ret;"));
  checkFault(report(fill + "bar.sync 0; st.shared.b32 [%r0], %r0; @%p cp.async.bulk.wait_group 0; ret;"),
             FaultKind::MissingWait, "is written while the asynchronous operation of line");
  checkFault(report(fill + "@%p cp.async.bulk.wait_group 1; bar.sync 0; st.shared.b32 [%r0], %r0; ret;"),
             FaultKind::MissingWait);
  checkFault(report(fill + "ret;"), FaultKind::MissingWait, "the block ends while this copy");
  checkFault(report(fill + "@%p cp.async.bulk.wait_group.read 0; bar.sync 0; ld.global.b32 %d, [%out]; ret;"),
             FaultKind::UninitialisedMemory);
  std::string noFence = fill;
  noFence.erase(noFence.find("fence.proxy.async.shared::cta;"), 30);
  checkFault(report(noFence + "@%p cp.async.bulk.wait_group 0; ret;"), FaultKind::MissingFence,
             "no 'fence.proxy.async' follows the write by thread");
  // The fence of the reader after the barrier serves as well.
  std::string late = noFence;
  late.insert(late.find("@%p cp.async"), "fence.proxy.async;");
  checkClean(report(late + "@%p cp.async.bulk.wait_group 0; ret;"));
  checkFault(report(fill + "@%p cp.async.bulk.global.shared::cta.bulk_group [%out+8], [buffer], 16; @%p "
                           "cp.async.bulk.commit_group; @%p cp.async.bulk.wait_group 0; ret;"),
             FaultKind::Misaligned);
}

TEST_CASE("cp.async.mbarrier.arrive: copies land with the phase") {
  auto body = [](std::string_view form, unsigned count, std::string_view wait) {
    return withBarrier(count, fmt::format(R"(
      mov.u32 %r0, buffer; shl.b32 %r1, %tid, 4; add.u32 %r0, %r0, %r1;
      cp.async.cg.shared.global [%r0], [%in], 16;
      cp.async.mbarrier.arrive{}.shared::cta.b64 [bar];
      {}
      ld.shared.b32 %d, [buffer+496];)",
                                          form, wait));
  };
  for (uint64_t seed = 0; seed < 8; ++seed) {
    checkClean(report(body(".noinc", 32, Wait), 32, seed));
    checkClean(report(body("", 32, "mbarrier.arrive.shared::cta.b64 _, [bar];" + std::string(Wait)), 32, seed));
    checkFault(report(body(".noinc", 32, ""), 32, seed), FaultKind::MissingWait);
    checkFault(report(body("", 32, Wait), 32, seed), FaultKind::Deadlock);
  }
}

namespace {
/// Loads one box of a tensor of 16-bit elements, value 1000 z + 100 y + x, and returns the shared bytes.
std::vector<uint16_t> loadBox(const TensorMap &shape, const std::vector<int> &at, bool storeBack = false,
                              std::vector<uint16_t> *target = nullptr) {
  std::vector<uint16_t> tensor(size_t(shape.dims[0]) * std::max(1u, shape.dims[1]) * std::max(1u, shape.dims[2]));
  for (size_t i = 0; i < tensor.size(); ++i)
    tensor[i] = uint16_t(i % shape.dims[0] + 100 * (i / shape.dims[0] % std::max(1u, shape.dims[1])) +
                         1000 * (i / shape.dims[0] / std::max(1u, shape.dims[1])));
  std::vector<uint16_t> out(4096 / 2, 0xffff);
  Device device;
  TensorMap map = shape;
  map.address = device.add("tensor", bytesOf(tensor), Contents::Defined);
  auto encoded = encode(map);
  REQUIRE_MESSAGE(encoded, encoded.error().format());
  std::string coordinates, bytes;
  uint32_t size = 2;
  for (unsigned i = 0; i < map.rank; ++i) {
    coordinates += fmt::format("{}{}", i ? ", " : "", at[i]);
    size *= map.box[i];
  }
  std::string text = fmt::format(
      R"(.version 8.0
.target sm_90a
.address_size 64
.entry k(.param .align 64 .b8 map[128], .param .align 64 .b8 to[128], .param .u64 out) {{
  .reg .b64 %m, %t, %out, %x; .reg .b32 %r<4>; .reg .pred %p, %q;
  .shared .align 1024 .b8 box[4096];
  .shared .align 8 .b64 bar;
  mov.b64 %m, map; cvta.param.u64 %m, %m;
  mov.b64 %t, to; cvta.param.u64 %t, %t;
  ld.param.u64 %out, [out];
  mov.u32 %r0, %tid.x;
  setp.eq.u32 %p, %r0, 0;
  @%p mbarrier.init.shared::cta.b64 [bar], 1;
  @%p fence.proxy.async;
  @%p mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], {0};
  @%p cp.async.bulk.tensor.{1}d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [box], [%m, {{{2}}}], [bar];
  bar.sync 0;
W: mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %q, [bar], 0, 1000;
  @!%q bra W;
  {3}
  setp.ge.u32 %q, %r0, {4};
  @%q ret;
  mul.wide.u32 %x, %r0, 16; add.u64 %x, %out, %x;
  shl.b32 %r1, %r0, 4; mov.u32 %r2, box; add.u32 %r1, %r1, %r2;
  .reg .b32 %v<4>;
  ld.shared.v4.b32 {{%v0, %v1, %v2, %v3}}, [%r1];
  st.global.v4.b32 [%x], {{%v0, %v1, %v2, %v3}};
  ret;
}})",
      size, map.rank, coordinates,
      storeBack ? fmt::format("@%p cp.async.bulk.tensor.{}d.global.shared::cta.tile.bulk_group [%t, {{{}}}], [box];"
                              "@%p cp.async.bulk.commit_group; @%p cp.async.bulk.wait_group 0;",
                              map.rank, coordinates)
                : std::string(),
      size / 16);
  TensorMap back = map;
  std::vector<uint16_t> copy(tensor.size(), 0);
  back.address = device.add("copy", bytesOf(copy), Contents::Defined);
  Launch launch{.block = {256}};
  launch.arguments.value(*encoded).value(*encode(back)).pointer(device.add("out", bytesOf(out), Contents::Undefined));
  Report r = launchText(text, "k", device, launch, {.seed = 4});
  CHECK_MESSAGE(r.ok(), r.format());
  if (target)
    *target = copy;
  return out;
}
} // namespace

TEST_CASE("tensor copies place boxes row by row, zero outside, swizzled") {
  TensorMap map{.rank = 2, .elementBytes = 2, .dims = {40, 20}, .strides = {80}, .box = {8, 4}};
  std::vector<uint16_t> out = loadBox(map, {16, 3});
  CHECK(out[0] == 316);
  CHECK(out[8 * 2 + 5] == 521);
  out = loadBox(map, {36, 18}); // 4 columns and 2 rows inside
  CHECK(out[3] == uint16_t(1839));
  CHECK(out[4] == 0);
  CHECK(out[8 * 2] == 0);
  out = loadBox(map, {-3, -1});
  CHECK(out[8 + 2] == 0);
  CHECK(out[8 + 3] == 0);
  CHECK(out[8 + 4] == 1);
  out = loadBox(map, {-8, 0});
  CHECK(out[7] == 0);
  TensorMap cube{.rank = 3, .elementBytes = 2, .dims = {16, 5, 4}, .strides = {32, 160}, .box = {8, 2, 2}};
  out = loadBox(cube, {8, 1, 1});
  CHECK(out[0] == 1108);
  CHECK(out[8] == 1208);
  CHECK(out[16] == 2108);
  // Swizzle<B, 4, 3>: bits 4.. of the byte address are exchanged by bits 7...
  for (auto [swizzle, width, bits] : {std::tuple(Swizzle::Bytes32, 32u, 1u), std::tuple(Swizzle::Bytes64, 64u, 3u),
                                      std::tuple(Swizzle::Bytes128, 128u, 7u)}) {
    TensorMap wide{
        .rank = 2, .elementBytes = 2, .dims = {64, 16}, .strides = {128}, .box = {width / 2, 16}, .swizzle = swizzle};
    out = loadBox(wide, {0, 0});
    for (uint32_t row = 0; row < 16; ++row)
      for (uint32_t column = 0; column < width / 2; ++column) {
        uint32_t address = row * width + 2 * column;
        address ^= (address >> 7 & bits) << 4;
        REQUIRE(out[address / 2] == 100 * row + column);
      }
  }
}

TEST_CASE("tensor stores invert loads and leave out what is outside") {
  std::vector<uint16_t> copy;
  TensorMap map{
      .rank = 2, .elementBytes = 2, .dims = {48, 20}, .strides = {96}, .box = {32, 8}, .swizzle = Swizzle::Bytes64};
  loadBox(map, {-8, 16}, true, &copy);
  for (uint32_t y = 0; y < 20; ++y)
    for (uint32_t x = 0; x < 48; ++x)
      REQUIRE(copy[y * 48 + x] == (y >= 16 && x < 24 ? 100 * y + x : 0));
}

TEST_CASE("tensor maps obey the rules of the hardware") {
  TensorMap good{.address = 1024,
                 .rank = 2,
                 .elementBytes = 2,
                 .dims = {64, 64},
                 .strides = {128},
                 .box = {64, 64},
                 .swizzle = Swizzle::Bytes128};
  CHECK(encode(good));
  auto message = [&](auto change) {
    TensorMap map = good;
    change(map);
    auto result = encode(map);
    return result ? std::string() : result.error().format();
  };
  CHECK(message([](TensorMap &m) { m.rank = 6; }) == "tensor map: rank 6 is not in 1..5");
  CHECK(message([](TensorMap &m) { m.elementBytes = 3; }) == "tensor map: elements of 3 bytes do not exist");
  CHECK(message([](TensorMap &m) { m.address = 8; }) == "tensor map: address 0x8 is not a multiple of 16");
  CHECK(message([](TensorMap &m) { m.dims[1] = 0; }) == "tensor map: dimension 1 is empty");
  CHECK(message([](TensorMap &m) { m.box[1] = 257; }) == "tensor map: box dimension 1 is 257, not in 1..256");
  CHECK(message([](TensorMap &m) { m.strides[0] = 130; }) ==
        "tensor map: stride 130 of dimension 1 is not a multiple of 16 from 16 to 2^40");
  CHECK(message([](TensorMap &m) { m.strides[0] = 0; }) ==
        "tensor map: stride 0 of dimension 1 is not a multiple of 16 from 16 to 2^40");
  CHECK(message([](TensorMap &m) { m.box[0] = 4; }) ==
        "tensor map: the box is 8 bytes wide, which is no multiple of 16");
  CHECK(message([](TensorMap &m) {
          m.rank = 3;
          m.dims[2] = m.box[1] = m.box[2] = 256;
          m.strides[1] = 8192;
        }) == "tensor map: the box has 8388608 bytes, more than shared memory");
  CHECK(message([](TensorMap &m) { m.box[0] = 128; }) == "tensor map: the box is 256 bytes wide, but the swizzle 128");
}

TEST_CASE("asynchronous instructions: what is refused, and operands that are wrong") {
  auto refused = [](std::string_view text, std::string_view part) {
    std::string message = rejection(text, Shared);
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
  };
  refused("mbarrier.foo.b64 [bar];", "'mbarrier.foo.b64' is not supported");
  refused("cp.async.bulk.tensor.2d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [buffer], [%in, {%a, "
          "%b}], [bar];",
          "modifier '.im2col' of 'cp' is not supported");
  refused("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [buffer], "
          "[%in, {%a, %b}], [bar], %h0;",
          "modifier '.multicast::cluster' of 'cp' is not supported");
  refused("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%in, {%a}], [bar];",
          "does not match 1 coordinates");
  refused("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%in], [bar];",
          "is not supported");
  refused("cp.async.bulk.shared::cluster.global [buffer], [%in], 16, [bar];", "is not supported");
  refused("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%in], [buffer], 16;",
          "modifier '.reduce' of 'cp' is not supported");
  refused("cp.async.mbarrier.test.b64 [bar];", "is not supported");
  refused("setmaxnreg.inc.sync.aligned.u32 100;", "100 registers are not a multiple of 8 in 24..256");
  refused("setmaxnreg.sync.aligned.u32 64;", "is not supported");
  checkFault(report(withBarrier(1, "@%p cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
                                   "[buffer], [%in, {%tid, %tid}], [bar];")),
             FaultKind::InvalidOperand, "there is no tensor map at address");
}

// wgmma against the canonical layouts of the PTX ISA document, and the order of fence, commit and wait.
#include "lib/ptx/Numbers.h"
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <random>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

namespace {
/// A canonical layout: mode sizes and byte strides of the row (M or N) and of the depth, as the document writes
/// "((T,8,m),(8,k)):((1,T,LBO),(8T,SBO))"; a size of 0 is the last, open one.
struct Layout {
  std::vector<std::pair<unsigned, unsigned>> row, depth;
  unsigned leading, stride, mode, swizzleBits;

  static unsigned along(unsigned index, const std::vector<std::pair<unsigned, unsigned>> &modes) {
    unsigned offset = 0;
    for (auto [size, step] : modes) {
      offset += (size ? index % size : index) * step;
      index = size ? index / size : 0;
    }
    return offset;
  }
  unsigned address(unsigned base, unsigned r, unsigned k) const {
    unsigned a = base + along(r, row) + along(k, depth);
    return a ^ ((a >> 7 & swizzleBits) << 4);
  }
  uint64_t descriptor(unsigned base) const {
    return uint64_t(base >> 4) | uint64_t(leading >> 4) << 16 | uint64_t(stride >> 4) << 32 | uint64_t(mode) << 62;
  }
};

/// e: bytes of an element; T = 16 / e. Strides in bytes.
Layout layoutOf(bool transposed, Swizzle swizzle, unsigned e, unsigned rows) {
  unsigned T = 16 / e, w = swizzle == Swizzle::None ? 1 : 1u << unsigned(swizzle); // units of 16 bytes in a line
  unsigned mode = std::array{0u, 3u, 2u, 1u}[unsigned(swizzle)], bits = w - 1;
  if (!transposed && swizzle == Swizzle::None) {
    unsigned stride = 128, leading = 128 * (rows / 8);
    return {{{8, 16}, {0, stride}}, {{T, e}, {0, leading}}, leading, stride, mode, 0};
  }
  if (!transposed) { // ((8,m),(T,2k)):((wT,SBO),(1,T))
    unsigned stride = 16 * w * 8;
    return {{{8, 16 * w}, {0, stride}}, {{T, e}, {0, 16}}, 16, stride, mode, bits};
  }
  if (swizzle == Swizzle::None) { // ((T,1,m),(8,k)):((1,T,SBO),(1T,LBO))
    unsigned stride = 128, leading = 128 * (rows / T);
    return {{{T, e}, {0, stride}}, {{8, 16}, {0, leading}}, leading, stride, mode, 0};
  }
  // ((T,w,m),(8,k)):((1,T,LBO),(wT,SBO))
  unsigned stride = 128 * w, leading = 2 * stride;
  return {{{T, e}, {w, 16}, {0, leading}}, {{8, 16 * w}, {0, stride}}, leading, stride, mode, bits};
}

struct Case {
  std::string_view types;
  unsigned bytes, depth;
  uint32_t (*encode)(double);
  double (*decode)(uint32_t);
  double tolerance;
};
const Case Bfloat{"f32.bf16.bf16",
                  2,
                  16,
                  [](double x) { return uint32_t(toBfloat(x)); },
                  [](uint32_t b) { return double(bfloatToFloat(uint16_t(b))); },
                  1e-5};
const Case Half{"f16.f16.f16",
                2,
                16,
                [](double x) { return uint32_t(toHalf(x)); },
                [](uint32_t b) { return double(halfToFloat(uint16_t(b))); },
                4e-3};
const Case Tf32{"f32.tf32.tf32",
                4,
                8,
                [](double x) { return toTf32(float(x), false); },
                [](uint32_t b) { return double(std::bit_cast<float>(b)); },
                1e-5};
const Case Float8{"f32.e4m3.e4m3",
                  1,
                  32,
                  [](double x) { return uint32_t(toE4m3(float(x))); },
                  [](uint32_t b) { return double(e4m3ToFloat(uint8_t(b))); },
                  1e-5};

struct Options2 {
  bool transposeA = false, transposeB = false, registers = false, negateA = false, keep = true;
};

/// The kernel: copies an image into shared memory, multiplies, stores the 16 columns of registers of each thread.
std::string kernelText(const Case &c, unsigned columns, unsigned imageBytes, uint64_t a, uint64_t b, const Options2 &o,
                       std::string_view mutateFrom = "", std::string_view mutateTo = "") {
  unsigned count = columns / (c.types[1] == '1' ? 4 : 2);
  std::string list, zero, store;
  for (unsigned i = 0; i < count; ++i) {
    list += fmt::format("{}%d{}", i ? ", " : "", i);
    zero += fmt::format("mov.b32 %d{}, {};\n", i, c.types[1] == '1' ? "0x3c003c00" : "0f3F800000");
    store += fmt::format("st.global.b32 [%out+{}], %d{};\n", 512 * i, i);
  }
  std::string source = o.registers ? "{%a0, %a1, %a2, %a3}" : "%adesc";
  std::string scale = c.bytes == 2 ? fmt::format(", {}, 1{}, {}", o.negateA ? -1 : 1,
                                                 o.registers    ? ""
                                                 : o.transposeA ? ", 1"
                                                                : ", 0",
                                                 int(o.transposeB))
                                   : fmt::format(", {}, 1", o.negateA ? -1 : 1);
  std::string text =
      fmt::format(R"(.version 8.0
.target sm_90a
.address_size 64
.entry k(.param .u64 in, .param .u64 out, .param .u64 fragments) {{
  .reg .b64 %in, %out, %f, %x, %adesc, %bdesc; .reg .b32 %r<4>, %d<128>, %a<4>; .reg .pred %p, %scale;
  .shared .align 1024 .b8 image[{0}];
  ld.param.u64 %in, [in];
  ld.param.u64 %out, [out];
  ld.param.u64 %f, [fragments];
  mov.u32 %r0, %tid.x;
  shl.b32 %r1, %r0, 2;
  cvt.u64.u32 %x, %r1;
  add.u64 %in, %in, %x;
  add.u64 %out, %out, %x;
  add.u64 %f, %f, %x;
  mov.u32 %r2, image;
  add.u32 %r1, %r1, %r2;
COPY:
  ld.global.b32 %r3, [%in];
  st.shared.b32 [%r1], %r3;
  add.u64 %in, %in, 512;
  add.u32 %r1, %r1, 512;
  setp.lt.u32 %p, %r1, {0};
  @%p bra COPY;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  ld.global.b32 %a0, [%f];
  ld.global.b32 %a1, [%f+512];
  ld.global.b32 %a2, [%f+1024];
  ld.global.b32 %a3, [%f+1536];
  mov.b64 %adesc, {1};
  mov.b64 %bdesc, {2};
  setp.ne.u32 %scale, {3}, 0;
{4}  wgmma.fence.sync.aligned;
  wgmma.mma_async.sync.aligned.m64n{5}k{6}.{7} {{{8}}}, {9}, %bdesc, %scale{10};
  wgmma.commit_group.sync.aligned;
  wgmma.wait_group.sync.aligned 0;
{11}  ret;
}})",
                  imageBytes, a, b, int(o.keep), zero, columns, c.depth, c.types, list, source, scale, store);
  if (!mutateFrom.empty()) {
    size_t at = text.find(mutateFrom);
    REQUIRE(at != std::string::npos);
    text = text.substr(0, at) + std::string(mutateTo) + text.substr(at + mutateFrom.size());
  }
  return text;
}

struct Run {
  Report report;
  double deviation = 0;
};

Run multiply(const Case &c, unsigned columns, Swizzle swizzleA, Swizzle swizzleB, const Options2 &o,
             std::string_view mutateFrom = "", std::string_view mutateTo = "") {
  Layout la = layoutOf(o.transposeA, swizzleA, c.bytes, 64), lb = layoutOf(o.transposeB, swizzleB, c.bytes, columns);
  std::mt19937 random(11);
  std::uniform_real_distribution<double> uniform(-1, 1);
  unsigned baseB = 0;
  for (unsigned row = 0; row < 64; ++row)
    for (unsigned k = 0; k < c.depth; ++k)
      baseB = std::max(baseB, la.address(0, row, k) + c.bytes);
  baseB = (baseB + 1023) / 1024 * 1024;
  std::vector<uint32_t> image(baseB / 4), fragments(4 * 128), out(128 * 128);
  auto put = [&](unsigned address, uint32_t bits) {
    image.resize(std::max<size_t>(image.size(), (address / 4 + 128) / 128 * 128));
    std::memcpy(reinterpret_cast<std::byte *>(image.data()) + address, &bits, c.bytes);
  };
  std::vector<std::vector<double>> a(64, std::vector<double>(c.depth)), b(columns, std::vector<double>(c.depth));
  for (unsigned row = 0; row < 64; ++row)
    for (unsigned k = 0; k < c.depth; ++k) {
      uint32_t bits = c.encode(uniform(random));
      a[row][k] = c.decode(bits);
      put(la.address(0, row, k), bits);
      // Fragment of A: warp row / 16, g = row % 8, t and register from k.
      unsigned e = 4 / c.bytes, lane = row % 8 * 4 + k / e % 4, reg = row % 16 / 8 + 2 * (k / (4 * e));
      fragments[128 * reg + 32 * (row / 16) + lane] |= bits << (8 * c.bytes * (k % e));
    }
  for (unsigned n = 0; n < columns; ++n)
    for (unsigned k = 0; k < c.depth; ++k) {
      uint32_t bits = c.encode(uniform(random));
      b[n][k] = c.decode(bits);
      put(lb.address(baseB, n, k), bits);
    }
  Device device;
  Launch launch{.block = {128}};
  launch.arguments.pointer(device.add("in", bytesOf(image), Contents::Defined))
      .pointer(device.add("out", bytesOf(out), Contents::Undefined))
      .pointer(device.add("fragments", bytesOf(fragments), Contents::Defined));
  std::string text = kernelText(c, columns, unsigned(image.size() * 4), la.descriptor(0), lb.descriptor(baseB), o,
                                mutateFrom, mutateTo);
  Run result{launchText(text, "k", device, launch, {.seed = 2})};
  bool half = c.types[1] == '1';
  for (unsigned row = 0; row < 64; ++row)
    for (unsigned n = 0; n < columns; ++n) {
      double expected = o.keep ? 1 : 0;
      for (unsigned k = 0; k < c.depth; ++k)
        expected += (o.negateA ? -1 : 1) * a[row][k] * b[n][k];
      unsigned thread = 32 * (row / 16) + row % 8 * 4 + n % 8 / 2;
      unsigned reg = half ? n / 8 * 2 + row % 16 / 8 : n / 8 * 4 + row % 16 / 8 * 2 + n % 2;
      uint32_t word = out[128 * reg + thread];
      double got = half ? halfToFloat(uint16_t(word >> (16 * (n % 2)))) : double(std::bit_cast<float>(word));
      double deviation = std::abs(got - expected);
      result.deviation = deviation <= result.deviation ? result.deviation
                         : std::isnan(deviation)       ? INFINITY
                                                       : deviation;
    }
  return result;
}

constexpr Swizzle Swizzles[] = {Swizzle::None, Swizzle::Bytes32, Swizzle::Bytes64, Swizzle::Bytes128};
} // namespace

TEST_CASE("wgmma: every canonical layout of both operands") {
  for (Swizzle sa : Swizzles)
    for (Swizzle sb : Swizzles)
      for (unsigned transposes = 0; transposes < 4; ++transposes) {
        CAPTURE(int(sa));
        CAPTURE(int(sb));
        CAPTURE(transposes);
        Options2 o{.transposeA = (transposes & 1) != 0, .transposeB = (transposes & 2) != 0};
        Run run = multiply(Bfloat, 64, sa, sb, o);
        CHECK_MESSAGE(run.report.ok(), run.report.format());
        CHECK(run.deviation < Bfloat.tolerance);
      }
}

TEST_CASE("wgmma: types, columns, A in registers, scale and sign") {
  for (const Case *c : {&Bfloat, &Half, &Tf32, &Float8})
    for (unsigned columns : {8u, 24u, 128u, 256u})
      for (bool registers : {false, true}) {
        CAPTURE(std::string(c->types));
        CAPTURE(columns);
        CAPTURE(registers);
        Run run = multiply(*c, columns, Swizzle::Bytes128, Swizzle::Bytes64,
                           {.registers = registers, .negateA = columns == 8, .keep = columns != 24});
        CHECK_MESSAGE(run.report.ok(), run.report.format());
        CHECK(run.deviation < c->tolerance);
      }
}

TEST_CASE("wgmma: mistakes in the order of fence, commit and wait") {
  auto mutate = [](std::string_view from, std::string_view to, FaultKind kind, std::string_view text,
                   bool registers = false) {
    CAPTURE(std::string(from) + " -> " + std::string(to));
    Run run = multiply(Bfloat, 16, Swizzle::Bytes128, Swizzle::Bytes128, {.registers = registers}, from, to);
    CHECK_MESSAGE(has(run.report, kind, text), run.report.format());
  };
  mutate("  wgmma.wait_group.sync.aligned 0;\n", "", FaultKind::UninitialisedRegister,
         "register '%d0' was never written: the 'wgmma.mma_async' of line");
  mutate("wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 1;", FaultKind::UninitialisedRegister,
         "gives its result at 'wgmma.wait_group'");
  mutate("  wgmma.commit_group.sync.aligned;\n", "", FaultKind::UninitialisedRegister, "gives its result at");
  mutate("  wgmma.fence.sync.aligned;\n", "", FaultKind::MissingFence,
         "register '%d0' was written, and no 'wgmma.fence' follows");
  mutate("  wgmma.fence.sync.aligned;\n", "  wgmma.fence.sync.aligned;\n  mov.b32 %a2, %a2;\n", FaultKind::MissingFence,
         "register '%a2' was written", true);
  mutate("  wgmma.commit_group.sync.aligned;\n", "  wgmma.commit_group.sync.aligned;\n  mov.b32 %a2, 0;\n",
         FaultKind::MissingWait, "register '%a2' is written while 'wgmma.mma_async' uses it", true);
  mutate("  wgmma.commit_group.sync.aligned;\n", "  wgmma.commit_group.sync.aligned;\n  st.shared.b32 [image], %r0;\n",
         FaultKind::MissingWait, "is written while the asynchronous operation of line");
  mutate("  fence.proxy.async.shared::cta;\n", "", FaultKind::MissingFence,
         "no 'fence.proxy.async' follows the write by thread");
  mutate("mov.b32 %d7, 0f3F800000;\n", "", FaultKind::UninitialisedRegister, "register '%d7' was never written");
  mutate("mov.b64 %bdesc, ", "mov.b64 %bdesc, 562949953421312; //", FaultKind::InvalidOperand,
         "with a base offset is not supported");
  mutate("  wgmma.fence.sync.aligned;\n",
         "  shr.u32 %r1, %r0, 5; setp.eq.u32 %p, %r1, 2; @%p ret;\n  wgmma.fence.sync.aligned;\n",
         FaultKind::BarrierDivergence, "did not execute this product equally often with the same descriptors");
  mutate("  wgmma.fence.sync.aligned;\n",
         "  shr.u32 %r1, %r0, 6; cvt.u64.u32 %x, %r1; add.u64 %bdesc, %bdesc, %x;\n  wgmma.fence.sync.aligned;\n",
         FaultKind::BarrierDivergence, "with the same descriptors");
  mutate("  wgmma.fence.sync.aligned;\n",
         "  and.b32 %r1, %r0, 1; cvt.u64.u32 %x, %r1; add.u64 %bdesc, %bdesc, %x;\n  wgmma.fence.sync.aligned;\n",
         FaultKind::InvalidOperand, "lane 1 has another matrix descriptor or scale than lane 0");
  mutate("  wgmma.fence.sync.aligned;\n", "  setp.eq.u32 %p, %r0, 2; @%p ret;\n  wgmma.fence.sync.aligned;\n",
         FaultKind::BarrierDivergence, "needs all 32 lanes");
}

TEST_CASE("setmaxnreg: the registers of a block are finite") {
  auto body = [](std::string kept) {
    return "shr.u32 %r0, %tid, 7; setp.eq.u32 %p, %r0, 0; @%p bra A; setmaxnreg.inc.sync.aligned.u32 240; "
           "ret; A: setmaxnreg.dec.sync.aligned.u32 " +
           kept + "; ret;";
  };
  CHECK(faultsOf(body("24"), 384).ok());
  // 384 threads start with 168 each: what the file has beyond them is nobody's.
  CHECK(has(faultsOf(body("32"), 384), FaultKind::InvalidOperand, "ask for 65536 registers, but it has 64512"));
  CHECK(has(faultsOf(body("24"), 512), FaultKind::InvalidOperand, "registers, but it has 65536"));
}

TEST_CASE("wgmma: what is refused") {
  auto refused = [](std::string_view text, std::string_view part) {
    std::string message = rejection(text);
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
  };
  refused("wgmma.mma_async.sync.aligned.m64n12k16.f32.bf16.bf16 {%r0}, %xa, %xb, %p, 1, 1, 0, 0;", "is not supported");
  refused("wgmma.mma_async.sync.aligned.m64n8k8.f32.bf16.bf16 {%r0}, %xa, %xb, %p, 1, 1, 0, 0;", "is not supported");
  refused("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%r0}, %xa, %xb, %p, 1, 1, 0, 0;",
          "does not match 1 registers");
  refused("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%r0,%r1,%r2,%r3}, %xa, %xb, %p, 1, 1;",
          "takes 8 operands, but got 6");
  refused("wgmma.foo.sync.aligned;", "'wgmma.foo.sync.aligned' is not supported");
  CHECK(has(faultsOf("mov.b64 %l0, 0; wgmma.fence.sync.aligned; wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "
                     "{%r0,%r1,%r2,%r3}, %l0, %l0, 0, 1, 1, 0, 0; ret;",
                     64),
            FaultKind::BarrierDivergence, "a warpgroup has four warps, but the block ends before"));
}

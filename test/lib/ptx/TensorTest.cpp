// mma.sync, ldmatrix, stmatrix and cp.async against their definitions in the PTX ISA document.
#include "lib/ptx/Numbers.h"
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <random>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

namespace {
/// One kernel that loads the fragments of each lane from memory, multiplies, and stores the accumulators.
std::string productKernel(std::string_view opcode, unsigned a, unsigned b, unsigned c) {
  auto list = [](char name, unsigned count) {
    std::string text = "{";
    for (unsigned i = 0; i < count; ++i)
      text += fmt::format("{}%{}{}", i ? ", " : "", name, i);
    return text + "}";
  };
  std::string body;
  unsigned offset = 0;
  for (auto [name, count] : {std::pair('a', a), std::pair('b', b), std::pair('c', c)})
    for (unsigned i = 0; i < count; ++i, offset += 128)
      body += fmt::format("ld.global.b32 %{}{}, [%in+{}];\n", name, i, offset);
  body += fmt::format("{} {}, {}, {}, {};\n", opcode, list('d', c), list('a', a), list('b', b), list('c', c));
  for (unsigned i = 0; i < c; ++i)
    body += fmt::format("st.global.b32 [%out+{}], %d{};\n", 128 * i, i);
  return fmt::format(R"(.version 8.0
.target sm_90a
.address_size 64
.entry k(.param .u64 in, .param .u64 out) {{
  .reg .b32 %a<4>, %b<2>, %c<4>, %d<4>, %t;
  .reg .b64 %in, %out, %x;
  ld.param.u64 %in, [in];
  ld.param.u64 %out, [out];
  mov.u32 %t, %tid.x;
  mul.wide.u32 %x, %t, 4;
  add.u64 %in, %in, %x;
  add.u64 %out, %out, %x;
{}  ret;
}})",
                     body);
}

using Matrix = std::vector<std::vector<double>>;
Matrix zeros(size_t rows, size_t columns) { return Matrix(rows, std::vector<double>(columns)); }

/// `small`: an element of 8, 16 or 32 bits with the value; what the format keeps of a random number.
struct Format {
  unsigned bits;
  uint32_t (*encode)(double);
  double (*decode)(uint32_t);
};
const Format Bfloat{16, [](double x) { return uint32_t(toBfloat(x)); },
                    [](uint32_t b) { return double(bfloatToFloat(uint16_t(b))); }};
const Format Half{16, [](double x) { return uint32_t(toHalf(x)); },
                  [](uint32_t b) { return double(halfToFloat(uint16_t(b))); }};
const Format Tf32{32, [](double x) { return toTf32(float(x), false); },
                  [](uint32_t b) { return double(std::bit_cast<float>(b)); }};
const Format Signed8{8, [](double x) { return uint32_t(int32_t(x * 100)) & 255; },
                     [](uint32_t b) { return double(int8_t(b)); }};
const Format Float8{8, [](double x) { return uint32_t(toE4m3(float(x))); },
                    [](uint32_t b) { return double(e4m3ToFloat(uint8_t(b))); }};

/// Checks m16n8k<depth> with the fragments as the ISA document lays them out.
void checkProduct(std::string_view opcode, const Format &format, unsigned depth, bool integers, bool halfResult) {
  CAPTURE(std::string(opcode));
  unsigned e = 32 / format.bits, aCount = 16 * depth / 32 / e, bCount = aCount / 2, cCount = halfResult ? 2 : 4;
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<uint32_t> in(32 * (aCount + bCount + cCount)), out(32 * cCount);
  Matrix a = zeros(16, depth), b = zeros(depth, 8), c = zeros(16, 8);
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned groupId = lane >> 2, threadInGroup = lane % 4;
    auto element = [&](unsigned reg, unsigned i, double &value) {
      uint32_t bits = format.encode(uniform(random));
      value = format.decode(bits);
      in[32 * reg + lane] |= bits << (format.bits * i);
    };
    for (unsigned i = 0; i < aCount * e; ++i) {
      // "row = groupID for registers 0 and 2, groupID + 8 otherwise; col grows by half the depth in the second half".
      unsigned reg = i / e, row = reg == 0 || reg == 2 ? groupId : groupId + 8;
      unsigned col = threadInGroup * e + i % e + (reg >= 2 ? 4 * e : 0);
      element(reg, i % e, a[row][col]);
    }
    for (unsigned i = 0; i < bCount * e; ++i)
      element(aCount + i / e, i % e, b[threadInGroup * e + i % e + (i / e ? 4 * e : 0)][groupId]);
    for (unsigned i = 0; i < 4; ++i) {
      double &value = c[i < 2 ? groupId : groupId + 8][threadInGroup * 2 + (i & 1)];
      value = integers ? std::round(uniform(random) * 1000) : double(halfToFloat(toHalf(uniform(random))));
      uint32_t &word = in[32 * (aCount + bCount + (halfResult ? i / 2 : i)) + lane];
      if (halfResult)
        word |= uint32_t(toHalf(value)) << (16 * (i & 1));
      else
        word = integers ? uint32_t(int32_t(value)) : std::bit_cast<uint32_t>(float(value));
    }
  }
  Device device;
  Launch launch{.block = {32}};
  launch.arguments.pointer(device.add("in", bytesOf(in), Contents::Defined))
      .pointer(device.add("out", bytesOf(out), Contents::Undefined));
  Report report = launchText(productKernel(opcode, aCount, bCount, cCount), "k", device, launch);
  CHECK_MESSAGE(report.ok(), report.format());
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < 4; ++i) {
      unsigned row = i < 2 ? lane >> 2 : (lane >> 2) + 8, col = lane % 4 * 2 + (i & 1);
      double expected = c[row][col];
      for (unsigned k = 0; k < depth; ++k)
        expected += a[row][k] * b[k][col];
      uint32_t word = out[32 * (halfResult ? i / 2 : i) + lane];
      double got = halfResult ? halfToFloat(uint16_t(word >> (16 * (i & 1))))
                   : integers ? double(int32_t(word))
                              : double(std::bit_cast<float>(word));
      REQUIRE(got == doctest::Approx(expected).epsilon(halfResult ? 2e-3 : 1e-6));
    }
}
} // namespace

TEST_CASE("mma.sync: fragments and products of every type") {
  checkProduct("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", Bfloat, 16, false, false);
  checkProduct("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", Bfloat, 8, false, false);
  checkProduct("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", Half, 16, false, false);
  checkProduct("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", Half, 8, false, false);
  checkProduct("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16", Half, 16, false, true);
  checkProduct("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", Tf32, 8, false, false);
  checkProduct("mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", Tf32, 4, false, false);
  checkProduct("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", Signed8, 32, true, false);
  checkProduct("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32", Signed8, 16, true, false);
  checkProduct("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32", Float8, 32, false, false);
}

TEST_CASE("mma.sync: zeros on one side give the sum, unless the other side holds infinities or NaN") {
  auto product = [](float a, float b, float c) {
    std::string_view body = "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%d, %r0, %r1, %r2}, {%a, %a, %a, %a}, "
                            "{%b, %b}, {%c, %c, %c, %c};";
    return std::bit_cast<float>(
        word(body, std::bit_cast<uint32_t>(a), std::bit_cast<uint32_t>(b), std::bit_cast<uint32_t>(c)));
  };
  float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(product(2, 3, 1) == 49);
  CHECK(product(0, 3, 1) == 1);
  CHECK(product(-3, -0.0f, 1) == 1);
  CHECK(product(0, 0, nan) != product(0, 0, nan));
  for (float zero : {0.0f, -0.0f}) {
    CHECK(std::bit_cast<uint32_t>(product(zero, 3, -0.0f)) == 0);
    for (float other : {infinity, -infinity, nan, -nan}) {
      CHECK(std::isnan(product(zero, other, 1)));
      CHECK(std::isnan(product(other, zero, 1)));
    }
  }
  // Bits that TF32 lacks count neither as a number nor as a NaN.
  float small = std::bit_cast<float>(0x00001fffu), almost = std::bit_cast<float>(0x7f801fffu);
  CHECK(product(small, 3, 1) == 1);
  CHECK(product(almost, 1, 1) == infinity);
  CHECK(std::isnan(product(almost, 0, 1)));
  CHECK(std::isnan(product(small, infinity, 1)));
}

TEST_CASE("mma.sync: what is refused") {
  auto reject = [](std::string_view text) { return rejection(text); };
  CHECK(
      reject("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%r0}, {%r0}, {%r0}, {%r0};").find("is not supported") !=
      std::string::npos);
  CHECK(reject("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r0}, {%r0}, {%r0}, {%r0};")
            .find("operand 0 of 'mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32' has 4 registers, but got 1") !=
        std::string::npos);
  CHECK(reject("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r0}, [%a];").find("does not match 1 registers") !=
        std::string::npos);
  CHECK(reject("ldmatrix.sync.aligned.m16n16.x1.shared.b8 {%r0}, [%a];").find("is not supported") != std::string::npos);
  CHECK(reject("cp.async.cg.shared.global [%a], [%in], 8;").find("a copy of 8 bytes is not supported") !=
        std::string::npos);
  CHECK(reject("wmma.load.a.sync.aligned.row.m32n8k16.f16 {%r0}, [%in];").find("is not supported") !=
        std::string::npos);
  CHECK(reject("wmma.load.a.sync.aligned.row.m16n16k16.f16 {%r0}, [%in];").find("does not match 1 registers") !=
        std::string::npos);
  CHECK(reject("wmma.mma.sync.aligned.row.col.m16n16k16.f32.f32 {%r0}, {%r0}, {%r0}, {%r0};")
            .find("operand 0 of 'wmma.mma.sync.aligned.row.col.m16n16k16.f32.f32' has 8 registers, but got 1") !=
        std::string::npos);
  CHECK(reject("wmma.mma.sync.aligned.row.col.m16n16k8.f32.bf16.bf16.f32 {%r0}, {%r0}, {%r0}, {%r0};")
            .find("is not supported") != std::string::npos);
  CHECK(reject("cp.async.shared.global [%a], [%in], 16;").find("is not supported") != std::string::npos);
}

TEST_CASE("ldmatrix gives lane l row l / 4, columns 2 (l % 4) and the next; .trans exchanges them; stmatrix inverts") {
  // Element (r, c) of matrix j is 256 j + 16 r + c; rows are 32 bytes apart.
  std::string fill = R"(
    .shared .align 16 .b8 buffer[2048];
    mov.u32 %r0, buffer;
    shl.b32 %r1, %lane, 5;
    add.u32 %r0, %r0, %r1;
    shr.u32 %r2, %lane, 3;
    shl.b32 %r2, %r2, 8;
    and.b32 %r3, %lane, 7;
    shl.b32 %r3, %r3, 4;
    or.b32 %r2, %r2, %r3;
    mad.lo.u32 %r2, %r2, 0x10001, 0x10000;
    st.shared.b32 [%r0], %r2; add.u32 %r2, %r2, 0x20002;
    st.shared.b32 [%r0+4], %r2; add.u32 %r2, %r2, 0x20002;
    st.shared.b32 [%r0+8], %r2; add.u32 %r2, %r2, 0x20002;
    st.shared.b32 [%r0+12], %r2;
    bar.warp.sync -1;
)";
  auto at = [](unsigned j, unsigned r, unsigned c) { return 256 * j + 16 * r + c; };
  for (unsigned j = 0; j < 4; ++j) {
    std::string pick = fmt::format(" mov.u32 %d, %r{};", 4 + j);
    Outcome plain = evaluate(fill + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4,%r5,%r6,%r7}, [%r0];" + pick);
    Outcome trans = evaluate(fill + "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r4,%r5,%r6,%r7}, [%r0];" + pick);
    for (unsigned lane = 0; lane < 32; ++lane) {
      unsigned r = lane / 4, c = 2 * (lane % 4);
      CHECK(plain.d[lane] == (at(j, r, c) | at(j, r, c + 1) << 16));
      CHECK(trans.d[lane] == (at(j, c, r) | at(j, c + 1, r) << 16));
    }
  }
  for (std::string_view form : {"", ".trans"}) {
    Outcome back = evaluate(fill + fmt::format(R"(
      ldmatrix.sync.aligned.m8n8.x4{0}.shared.b16 {{%r4,%r5,%r6,%r7}}, [%r0];
      bar.warp.sync -1;
      add.u32 %r8, %r0, 1024;
      stmatrix.sync.aligned.m8n8.x4{0}.shared.b16 [%r8], {{%r4,%r5,%r6,%r7}};
      bar.warp.sync -1;
      ld.shared.b32 %d, [%r0+1028];)",
                                               form));
    for (unsigned lane = 0; lane < 32; ++lane)
      CHECK(back.d[lane] == (at(lane / 8, lane % 8, 2) | at(lane / 8, lane % 8, 3) << 16));
  }
}

TEST_CASE("matrix instructions: faults") {
  std::string_view shared = ".shared .align 16 .b8 buffer[512];";
  CHECK(has(faultsOf("mov.u32 %r0, buffer; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r0+8]; ret;", 32, shared),
            FaultKind::Misaligned));
  CHECK(has(faultsOf("ldmatrix.sync.aligned.m8n8.x1.b16 {%r1}, [%in]; ret;", 32, shared), FaultKind::InvalidOperand,
            "of a matrix row does not lie in shared memory"));
  CHECK(has(faultsOf("setp.lt.u32 %p, %tid, 8; @%p ret; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [buffer]; ret;",
                     32, shared),
            FaultKind::BarrierDivergence, "needs all 32 lanes"));
  // The rows were written by other lanes of the warp, and nothing orders that.
  CHECK(has(faultsOf(R"(mov.u32 %r0, buffer; shl.b32 %r1, %tid, 4; add.u32 %r0, %r0, %r1; mov.u32 %r2, 0;
      st.shared.v4.b32 [%r0], {%r2, %r2, %r2, %r2};
      ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r3, %r4, %r5, %r6}, [%r0]; ret;)",
                     32, shared),
            FaultKind::Race));
}

TEST_CASE("cp.async: sizes, zero fill, groups, and what is visible when") {
  std::string prologue = ".shared .align 16 .b8 buffer[1024]; mov.u32 %r0, buffer; shl.b32 %r1, %lane, 4; "
                         "add.u32 %r0, %r0, %r1; cvt.u64.u32 %l2, %r1; add.u64 %l3, %in, %l2; ";
  Lanes numbers([](unsigned lane) { return 1000 + lane; });
  // 16 bytes hold the 64-bit arguments of two lanes.
  CHECK(evaluate(prologue + "cp.async.cg.shared.global [%r0], [%l3], 16; cp.async.wait_all; ld.shared.b32 %d, [%r0+8];",
                 numbers)
            .d[3] == 1007);
  CHECK(evaluate(
            prologue +
                "cp.async.ca.shared.global.L2::128B [%r0], [%l3], 8, 4; cp.async.wait_all; ld.shared.b64 %xd, [%r0];",
            numbers)
            .xd[3] == 1006);
  CHECK(
      evaluate(prologue + "cp.async.cg.shared.global [%r0], [%l3], 16, 0; cp.async.wait_all; ld.shared.b32 %d, [%r0];",
               numbers)
          .d[3] == 0);
  CHECK(evaluate(prologue + "setp.eq.u32 %p, %lane, 3; cp.async.ca.shared.global [%r0], [%l3], 4, %p; "
                            "cp.async.wait_all; ld.shared.b32 %d, [%r0];",
                 numbers)
            .d[3] == 0);
  CHECK(evaluate(prologue + R"(cp.async.ca.shared.global [%r0], [%l3], 4; cp.async.commit_group;
      cp.async.ca.shared.global [%r0+4], [%l3], 4; cp.async.commit_group; cp.async.wait_group 1;
      ld.shared.b32 %d, [%r0]; cp.async.wait_group 0; ld.shared.b32 %r2, [%r0+4]; add.u32 %d, %d, %r2;)",
                 numbers)
            .d[2] == 2008);
  std::string_view shared = ".shared .align 16 .b8 buffer[1024];";
  std::string copy = "mov.u32 %r0, buffer; shl.b32 %r1, %tid, 4; add.u32 %r0, %r0, %r1; "
                     "cp.async.cg.shared.global [%r0], [%in], 16;\ncp.async.commit_group;\n";
  CHECK(has(faultsOf(copy + "ld.shared.b32 %d, [%r0]; ret;", 32, shared), FaultKind::MissingWait,
            "is read while the asynchronous copy of line"));
  CHECK(has(faultsOf(copy + "st.shared.b32 [%r0], %tid; ret;", 32, shared), FaultKind::MissingWait,
            "is written while the asynchronous copy of line"));
  CHECK(
      has(faultsOf(copy + "cp.async.wait_group 1; ld.shared.b32 %d, [%r0]; ret;", 32, shared), FaultKind::MissingWait));
  CHECK(has(faultsOf(copy + "cp.async.wait_group 0; ld.shared.b32 %d, [buffer]; ret;", 32, shared), FaultKind::Race));
  CHECK(faultsOf(copy + "cp.async.wait_group 0; bar.sync 0; ld.shared.b32 %d, [buffer]; ret;", 64, shared).ok());
  CHECK(has(faultsOf("mov.u32 %r1, 20; cp.async.cg.shared.global [buffer], [%in], 16, %r1; ret;", 32, shared),
            FaultKind::InvalidOperand, "the source size 20 exceeds the size 16 of the copy"));
  CHECK(has(faultsOf("cp.async.cg.shared.global [buffer+8], [%in], 16; ret;", 32, shared), FaultKind::Misaligned));
  CHECK(has(faultsOf("cp.async.cg.shared.global [buffer], [%in+4088], 16; ret;", 32, shared), FaultKind::OutOfBounds));
}

// Floating-point instructions against their definitions in the PTX ISA document.
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

namespace {
constexpr float Inf = INFINITY;
const float NaN = std::nanf("");
} // namespace

TEST_CASE("f32 arithmetic: rounding, saturation, flushing") {
  CHECK(single("add.f32 %d, %a, %b;", 1.5f, 2.25f) == 3.75f);
  CHECK(single("sub.rn.f32 %d, %a, %b;", 1.0f, 0x1p-25f) == 1.0f);
  CHECK(single("sub.rz.f32 %d, %a, %b;", 1.0f, 0x1p-30f) == 0x1.fffffep-1f);
  CHECK(single("add.rp.f32 %d, %a, %b;", 1.0f, 0x1p-30f) == 0x1.000002p0f);
  CHECK(single("add.rm.f32 %d, %a, %b;", -1.0f, -0x1p-30f) == -0x1.000002p0f);
  CHECK(single("mul.f32 %d, %a, %b;", 3.0f, -0.5f) == -1.5f);
  CHECK(single("add.sat.f32 %d, %a, %b;", 3.0f, -0.5f) == 1.0f);
  CHECK(single("mul.ftz.f32 %d, %a, %b;", 0x1p-100f, 0x1p-40f) == 0.0f);
  CHECK(single("mul.f32 %d, %a, %b;", 0x1p-100f, 0x1p-40f) == 0x1p-140f);
  CHECK(single("add.ftz.f32 %d, %a, %b;", 0x1p-130f, 0.0f) == 0.0f);
  CHECK(single("fma.rn.f32 %d, %a, %b, %c;", 0x1.000002p0f, 0x1.000002p0f, -0x1.000004p0f) == 0x1p-46f);
  CHECK(single("fma.rm.f32 %d, %a, %b, %c;", 1.0f, 1.0f, -0x1p-40f) == 0x1.fffffep-1f);
  CHECK(single("div.rn.f32 %d, %a, %b;", 1.0f, 3.0f) == 1.0f / 3.0f);
  CHECK(single("div.approx.ftz.f32 %d, %a, %b;", 1.0f, 4.0f) == 0.25f);
  CHECK(single("neg.f32 %d, %a;", 2.0f) == -2.0f);
  CHECK(single("abs.f32 %d, %a;", -2.0f) == 2.0f);
  CHECK(single("copysign.f32 %d, %a, %b;", -1.0f, 5.0f) == -5.0f);
}

TEST_CASE("min and max ignore a NaN unless told to propagate it") {
  CHECK(single("max.f32 %d, %a, %b;", NaN, 2.0f) == 2.0f);
  CHECK(single("min.f32 %d, %a, %b;", 3.0f, NaN) == 3.0f);
  CHECK(std::isnan(single("max.NaN.f32 %d, %a, %b;", NaN, 2.0f)));
  CHECK(std::signbit(single("min.f32 %d, %a, %b;", 0.0f, -0.0f)));
  CHECK(!std::signbit(single("max.f32 %d, %a, %b;", -0.0f, 0.0f)));
  CHECK(single("max.f32 %d, %a, %b;", -Inf, -Inf) == -Inf);
}

TEST_CASE("functions of f32 and f64") {
  CHECK(single("ex2.approx.ftz.f32 %d, %a;", 3.0f) == 8.0f);
  CHECK(single("ex2.approx.f32 %d, %a;", -Inf) == 0.0f);
  CHECK(single("ex2.approx.ftz.f32 %d, %a;", -130.0f) == 0.0f);
  CHECK(single("lg2.approx.f32 %d, %a;", 8.0f) == 3.0f);
  CHECK(single("lg2.approx.f32 %d, %a;", 0.0f) == -Inf);
  CHECK(single("rcp.approx.ftz.f32 %d, %a;", 4.0f) == 0.25f);
  CHECK(single("rcp.rn.f32 %d, %a;", 3.0f) == 1.0f / 3.0f);
  CHECK(single("rsqrt.approx.f32 %d, %a;", 16.0f) == 0.25f);
  CHECK(single("sqrt.rn.f32 %d, %a;", 2.0f) == std::sqrt(2.0f));
  CHECK(single("tanh.approx.f32 %d, %a;", 0.5f) == doctest::Approx(std::tanh(0.5f)));
  CHECK(single("sin.approx.f32 %d, %a;", 0.5f) == doctest::Approx(std::sin(0.5f)));
  CHECK(single("cos.approx.f32 %d, %a;", 0.5f) == doctest::Approx(std::cos(0.5f)));
  CHECK(real("fma.rn.f64 %xd, %xa, %xb, %xc;", 3, 4, 5) == 17);
  CHECK(real("div.rn.f64 %xd, %xa, %xb;", 1, 3) == 1.0 / 3.0);
  CHECK(real("sqrt.rn.f64 %xd, %xa;", 2) == std::sqrt(2.0));
}

TEST_CASE("halves: one rounding, both lanes of a pair") {
  // 1.5 + 2.25 = 3.75; 1024 + 0.25 rounds to 1024 in f16.
  CHECK(word("add.f16x2 %d, %a, %b;", 0x64003e00, 0x34004080) == 0x64004380);
  CHECK(word("mul.bf16x2 %d, %a, %b;", 0x40003f80, 0x40404000) == 0x40c04000);
  CHECK(word("fma.rn.bf16x2 %d, %a, %b, %c;", 0x3f803f80, 0x40004000, 0x3f80bf80) == 0x40403f80);
  CHECK(word("fma.rn.relu.f16x2 %d, %a, %b, %c;", 0x3c003c00, 0xbc003c00, 0x00000000) == 0x00003c00);
  CHECK(word("max.f16x2 %d, %a, %b;", 0x7e003c00, 0x40004000) == 0x40004000);
  CHECK(word("neg.bf16x2 %d, %a;", 0x3f80bf80) == 0xbf803f80);
  CHECK(word("mov.b32 {%h0, %h1}, %a; add.f16 %h2, %h0, %h1; mov.b32 %d, {%h2, %h2};", 0x3c003c00) == 0x40004000);
  CHECK(word("mov.b32 {%h0, %h1}, %a; setp.gt.bf16 %p, %h1, %h0; selp.u32 %d, 1, 0, %p;", 0x3f80bf80) == 1);
  CHECK(word("ex2.approx.ftz.bf16x2 %d, %a;", 0x3f800000) == 0x40003f80);
  CHECK(word("tanh.approx.bf16x2 %d, %a;", 0) == 0);
  // Subnormal results and sources count as zero with .ftz.
  CHECK(word("mul.ftz.f16x2 %d, %a, %b;", 0x04000001, 0x38003c00) == 0);
  CHECK(word("mul.f16x2 %d, %a, %b;", 0x04000001, 0x38003c00) == 0x02000001);
  CHECK(word("ex2.approx.ftz.bf16x2 %d, %a;", 0xc300c300) == 0);
}

TEST_CASE("cvt with floating point") {
  CHECK(single("cvt.rn.f32.s32 %d, %a;", std::bit_cast<float>(-7)) == -7.0f);
  CHECK(word("cvt.rzi.s32.f32 %d, %a;", std::bit_cast<uint32_t>(-2.75f)) == uint32_t(-2));
  CHECK(word("cvt.rni.s32.f32 %d, %a;", std::bit_cast<uint32_t>(2.5f)) == 2);
  CHECK(word("cvt.rmi.s32.f32 %d, %a;", std::bit_cast<uint32_t>(-2.25f)) == uint32_t(-3));
  CHECK(word("cvt.rpi.u32.f32 %d, %a;", std::bit_cast<uint32_t>(2.25f)) == 3);
  CHECK(word("cvt.rzi.u32.f32 %d, %a;", std::bit_cast<uint32_t>(-5.0f)) == 0);
  CHECK(word("cvt.rzi.s32.f32 %d, %a;", std::bit_cast<uint32_t>(3e9f)) == 0x7fffffff);
  CHECK(single("cvt.rni.f32.f32 %d, %a;", 3.5f) == 4.0f);
  CHECK(single("cvt.sat.f32.f32 %d, %a;", 3.5f) == 1.0f);
  CHECK(wide("cvt.f64.f32 %xd, %a;", std::bit_cast<uint32_t>(0.5f)) == std::bit_cast<uint64_t>(0.5));
  CHECK(word("cvt.rn.f32.f64 %d, %xa;", std::bit_cast<uint64_t>(1.0 + 0x1p-30)) == 0x3f800000);
  CHECK(word("cvt.rp.f32.f64 %d, %xa;", std::bit_cast<uint64_t>(1.0 + 0x1p-30)) == 0x3f800001);
  CHECK(word("cvt.rn.f32.u64 %d, %xa;", ~0ull) == std::bit_cast<uint32_t>(0x1p64f));
  CHECK(word("cvt.rn.bf16x2.f32 %d, %a, %b;", std::bit_cast<uint32_t>(1.0f), std::bit_cast<uint32_t>(-2.0f)) ==
        0x3f80c000);
  // 1 + 2^-8 lies between two bf16 values and goes to the even one; 1 + 3 * 2^-8 as well.
  CHECK(word("cvt.rn.bf16x2.f32 %d, %a, %b;", 0x3f808000, 0x3f818000) == 0x3f803f82);
  CHECK(word("cvt.rn.relu.f16x2.f32 %d, %a, %b;", std::bit_cast<uint32_t>(-1.0f), std::bit_cast<uint32_t>(1.0f)) ==
        0x00003c00);
  CHECK(word("cvt.rn.f16.f32 %h0, %a; cvt.f32.f16 %d, %h0;", std::bit_cast<uint32_t>(0x1p-24f)) ==
        std::bit_cast<uint32_t>(0x1p-24f));
  CHECK(word("cvt.rn.f16.f32 %h0, %a; cvt.f32.f16 %d, %h0;", std::bit_cast<uint32_t>(70000.0f)) == 0x7f800000);
  CHECK(word("cvt.rn.bf16.f32 %h0, %a; cvt.u32.u16 %d, %h0;", std::bit_cast<uint32_t>(NaN)) == 0x7fff);
  CHECK(word("cvt.rna.tf32.f32 %d, %a;", 0x3f801000) == 0x3f802000);
  CHECK(word("cvt.rn.satfinite.e4m3x2.f32 %h0, %a, %b; cvt.u32.u16 %d, %h0;", std::bit_cast<uint32_t>(1.0f),
             std::bit_cast<uint32_t>(1000.0f)) == 0x387e);
  CHECK(word("cvt.rn.satfinite.e5m2x2.f32 %h0, %a, %b; cvt.rn.f16x2.e5m2x2 %d, %h0;", std::bit_cast<uint32_t>(-1.5f),
             std::bit_cast<uint32_t>(0.25f)) == 0xbe003400);
}

TEST_CASE("set on halves and pairs") {
  CHECK(word("setp.gt.bf16x2 %p|%q, %a, %b; selp.u32 %d, 1, 0, %p; @%q add.u32 %d, %d, 2;", 0x40003f80, 0x3f803f80) ==
        2);
  CHECK(word("set.gt.f16x2.f16x2 %d, %a, %b;", 0x40003c00, 0x3c003c00) == 0x3c000000);
  CHECK(word("set.leu.bf16x2.bf16x2 %d, %a, %b;", 0x7fff3f80, 0x3f803f80) == 0x3f803f80);
  CHECK(word("mov.b32 {%h0, %h1}, %a; set.lt.f16.f16 %h2, %h0, %h1; cvt.u32.u16 %d, %h2;", 0x40003c00) == 0x3c00);
}

TEST_CASE("comparisons of unordered numbers") {
  std::string_view ordered = "setp.lt.f32 %p, %a, %b; selp.f32 %d, 0f3F800000, 0f00000000, %p;";
  CHECK(single(ordered, NaN, 1.0f) == 0.0f);
  CHECK(single("setp.ltu.f32 %p, %a, %b; selp.f32 %d, 0f3F800000, 0f00000000, %p;", NaN, 1.0f) == 1.0f);
  CHECK(single("setp.nan.f32 %p, %a, %b; selp.f32 %d, 0f3F800000, 0f00000000, %p;", 1.0f, NaN) == 1.0f);
  CHECK(single("setp.neu.f32 %p, %a, %b; selp.f32 %d, 0f3F800000, 0f00000000, %p;", 1.0f, 1.0f) == 0.0f);
  CHECK(single("testp.infinite.f32 %p, %a; selp.f32 %d, 0f3F800000, 0f00000000, %p;", -Inf) == 1.0f);
}

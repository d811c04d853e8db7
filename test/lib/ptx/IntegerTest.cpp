// Integer, bit and conversion instructions against their definitions in the PTX ISA document.
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

namespace {
constexpr uint64_t minus(uint64_t x) { return ~x + 1; }
constexpr uint32_t minus32(uint32_t x) { return ~x + 1; }
} // namespace

TEST_CASE("add, sub, mul, mad wrap and take the half they name") {
  CHECK(word("add.s32 %d, %a, %b;", 0xffffffff, 2) == 1);
  CHECK(word("sub.u32 %d, %a, 7;", 3) == minus32(4));
  CHECK(word("add.sat.s32 %d, %a, %b;", 0x7fffffff, 1) == 0x7fffffff);
  CHECK(word("sub.sat.s32 %d, %a, %b;", 0x80000000, 1) == 0x80000000);
  CHECK(wide("add.s64 %xd, %xa, -1;", 5) == 4);
  CHECK(word("mul.lo.s32 %d, %a, %b;", minus(3), 7) == minus32(21));
  CHECK(word("mul.hi.s32 %d, %a, %b;", minus(1), 1) == 0xffffffff);
  CHECK(word("mul.hi.u32 %d, %a, %b;", 0xffffffff, 0xffffffff) == 0xfffffffe);
  CHECK(wide("mul.hi.u64 %xd, %xa, %xb;", ~0ull, ~0ull) == ~0ull - 1);
  CHECK(wide("mul.wide.s32 %xd, %a, %b;", minus(2), 3) == minus(6));
  CHECK(wide("mul.wide.u32 %xd, %a, %b;", 0xffffffff, 2) == 0x1fffffffeull);
  CHECK(word("mov.b32 {%h0, %h1}, %a; mul.wide.s16 %d, %h0, %h1;", 0x0002ffff) == minus32(2));
  CHECK(word("mad.lo.s32 %d, %a, %b, %c;", 5, 6, 7) == 37);
  CHECK(word("mad.hi.u32 %d, %a, %b, %c;", 0x80000000, 4, 1) == 3);
  CHECK(wide("mad.wide.u32 %xd, %a, %b, %xc;", 0xffffffff, 0xffffffff, 1) == 0xfffffffe00000002ull);
}

TEST_CASE("sums and differences with carries") {
  CHECK(word("add.cc.u32 %r0, %a, %b; addc.u32 %d, %c, 0;", 0xffffffff, 1, 7) == 8);
  CHECK(word("sub.cc.u32 %r0, %a, %b; subc.u32 %d, %c, 0;", 0, 1, 7) == 6);
  // 0xffffffff squared, plus 0xffffffff: low and high word.
  CHECK(wide("mad.lo.cc.u32 %r0, %a, %a, %a; madc.hi.u32 %r1, %a, %a, 0; mov.b64 %xd, {%r0, %r1};", 0xffffffff) ==
        0xffffffffull * 0xffffffffull + 0xffffffffull);
  CHECK(wide("add.cc.u64 %l2, %xa, %xb; addc.cc.u64 %xd, %xa, 0; addc.u64 %xd, %xd, 0;", ~0ull, 5) == 1);
}

TEST_CASE("div and rem truncate; min, max, abs, neg, sad follow the sign of the type") {
  CHECK(word("div.s32 %d, %a, %b;", minus(7), 2) == minus32(3));
  CHECK(word("rem.s32 %d, %a, %b;", minus(7), 2) == minus32(1));
  CHECK(word("div.u32 %d, %a, %b;", 0xfffffff9, 2) == 0x7ffffffc);
  CHECK(word("div.s32 %d, %a, %b;", 0x80000000, minus(1)) == 0x80000000);
  CHECK(wide("rem.u64 %xd, %xa, %xb;", 1000000007ull, 1000) == 7);
  CHECK(word("min.s32 %d, %a, %b;", minus(1), 1) == 0xffffffff);
  CHECK(word("min.u32 %d, %a, %b;", 0xffffffff, 1) == 1);
  CHECK(word("max.s32 %d, %a, %b;", minus(1), 1) == 1);
  CHECK(word("max.s32.relu %d, %a, %b;", minus(5), minus(3)) == 0);
  CHECK(word("abs.s32 %d, %a;", minus(9)) == 9);
  CHECK(wide("neg.s64 %xd, %xa;", 9) == minus(9));
  CHECK(word("sad.s32 %d, %a, %b, %c;", minus(3), 4, 10) == 17);
  CHECK(word("dp4a.s32.u32 %d, %a, %b, %c;", 0xff010203, 0x04030201, 100) == 100 - 4 + 3 + 4 + 3);
  CHECK(word("max.s16x2 %d, %a, %b;", 0xffff0005, 0x00010003) == 0x00010005);
}

TEST_CASE("logic and shifts") {
  CHECK(word("and.b32 %d, %a, %b;", 0xf0f0, 0xff00) == 0xf000);
  CHECK(word("xor.b32 %d, %a, -1;", 0xf0f0) == 0xffff0f0f);
  CHECK(wide("not.b64 %xd, %xa;", 1) == ~1ull);
  CHECK(word("cnot.b32 %d, %a;", 0) == 1);
  CHECK(word("mov.b32 {%h0, %h1}, %a; not.b16 %h2, %h0; cnot.b16 %h3, %h2; mov.b32 %d, {%h3, %h2};", 0xffff) == 0x1);
  CHECK(word("shl.b32 %d, %a, %b;", 1, 31) == 0x80000000);
  CHECK(word("shl.b32 %d, %a, %b;", 1, 32) == 0);
  CHECK(word("shr.s32 %d, %a, %b;", 0x80000000, 40) == 0xffffffff);
  CHECK(word("shr.u32 %d, %a, %b;", 0x80000000, 31) == 1);
  CHECK(wide("shr.u64 %xd, %xa, %b;", 1ull << 40, 39) == 2);
  CHECK(word("shf.l.wrap.b32 %d, %a, %b, %c;", 0x80000001, 0x1, 33) == 3);
  CHECK(word("shf.r.clamp.b32 %d, %a, %b, %c;", 0x1, 0x7, 32) == 7);
  CHECK(word("shf.r.wrap.b32 %d, %a, %b, %c;", 0x80000000, 0x1, 4) == 0x18000000);
  CHECK(word("lop3.b32 %d, %a, %b, %c, 0xE8;", 0b1100, 0b1010, 0b1001) == 0b1000); // majority
  CHECK(word("lop3.b32 %d, %a, %b, %c, 0x96;", 0xff, 0x0f, 0x33) == (0xffu ^ 0x0fu ^ 0x33u));
}

TEST_CASE("bit fields and counts") {
  CHECK(word("bfe.u32 %d, %a, 4, 8;", 0x12345678) == 0x67);
  CHECK(word("bfe.s32 %d, %a, 4, 4;", 0xf0) == 0xffffffff);
  CHECK(word("bfe.u32 %d, %a, 4, 0;", 0xf0) == 0);
  CHECK(word("bfe.s32 %d, %a, 28, 8;", 0x80000000) == 0xfffffff8);
  CHECK(wide("bfe.u64 %xd, %xa, 32, 16;", 0x1234567800000000ull) == 0x5678);
  CHECK(word("bfi.b32 %d, %a, %b, 8, 8;", 0xab, 0x11111111) == 0x1111ab11);
  CHECK(word("bfi.b32 %d, %a, %b, 0, 32;", 0xab, 0x11111111) == 0xab);
  CHECK(word("popc.b32 %d, %a;", 0xff01) == 9);
  CHECK(word("popc.b64 %d, %xa;", ~0ull) == 64);
  CHECK(word("clz.b32 %d, %a;", 1) == 31);
  CHECK(word("clz.b32 %d, %a;", 0) == 32);
  CHECK(word("brev.b32 %d, %a;", 1) == 0x80000000);
  CHECK(word("bfind.u32 %d, %a;", 0x100) == 8);
  CHECK(word("bfind.s32 %d, %a;", 0xffffff00) == 7);
  CHECK(word("bfind.u32 %d, %a;", 0) == 0xffffffff);
  CHECK(word("bfind.shiftamt.u32 %d, %a;", 0x100) == 23);
  CHECK(word("fns.b32 %d, %a, 4, 2;", 0b1101'0000) == 6);
  CHECK(word("fns.b32 %d, %a, 7, -2;", 0b1101'0000) == 6);
  CHECK(word("bmsk.clamp.b32 %d, %a, %b;", 4, 8) == 0xff0);
}

TEST_CASE("prmt picks bytes of the pair and repeats signs") {
  CHECK(word("prmt.b32 %d, %a, %b, 0x7531;", 0x33221100, 0x77665544) == 0x77553311);
  CHECK(word("prmt.b32 %d, %a, %b, 0x5410;", 0x33221100, 0x77665544) == 0x55441100);
  CHECK(word("prmt.b32 %d, %a, %b, 0x000b;", 0x80000000, 0) == 0x000000ff);
  CHECK(word("prmt.b32.rc8 %d, %a, %b, 2;", 0x33221100, 0) == 0x22222222);
  CHECK(word("prmt.b32.f4e %d, %a, %b, 1;", 0x33221100, 0x77665544) == 0x44332211);
}

TEST_CASE("setp compares, combines and gives the complement") {
  std::string_view body = "setp.lt.s32 %p, %a, %b; selp.b32 %d, 1, 0, %p;";
  CHECK(word(body, minus(1), 0) == 1);
  CHECK(word("setp.lt.u32 %p, %a, %b; selp.b32 %d, 1, 0, %p;", minus(1), 0) == 0);
  CHECK(word("setp.ne.b64 %p, %xa, %xb; selp.b32 %d, 1, 0, %p;", 1ull << 40, 0) == 1);
  CHECK(word("setp.eq.u32 %q, 0, 1; setp.gt.or.u32 %p|%t, %a, %b, !%q; selp.b32 %d, 1, 0, %p; @%t add.u32 %d, %d, 2;",
             1, 2) == 3);
  CHECK(word("set.eq.u32.s32 %d, %a, %b;", 4, 4) == 0xffffffff);
  CHECK(word("set.lt.f32.s32 %d, %a, %b;", 3, 4) == 0x3f800000);
  CHECK(word("slct.b32.s32 %d, %a, %b, %c;", 1, 2, minus(1)) == 2);
  CHECK(word("setp.lo.u32 %p, %a, %b; @!%p mov.b32 %d, 9;", 5, 4) == 9);
}

TEST_CASE("cvt between integers extends, truncates and saturates") {
  // A narrower type takes the low part of a wide register.
  CHECK(wide("cvt.s64.s32 %xd, %xa;", 0x1fffffff4ull) == minus(12));
  CHECK(word("cvt.u32.u16 %d, %xa;", 0x1fffffff4ull) == 0xfff4);
  CHECK(wide("cvt.s64.s32 %xd, %a;", 0xffffffff) == ~0ull);
  CHECK(wide("cvt.u64.u32 %xd, %a;", 0xffffffff) == 0xffffffffull);
  CHECK(word("cvt.u32.u64 %d, %xa;", 0x1234567890ull) == 0x34567890);
  CHECK(word("cvt.s32.s8 %d, %a;", 0x80) == 0xffffff80);
  CHECK(word("cvt.u32.u8 %d, %a;", 0x1ff) == 0xff);
  CHECK(word("cvt.u16.u32 %h0, %a; cvt.s32.s16 %d, %h0;", 0x8001) == 0xffff8001);
  CHECK(word("cvt.sat.u8.s32 %d, %a;", 300) == 255);
  CHECK(word("cvt.sat.u8.s32 %d, %a;", minus(5)) == 0);
  CHECK(word("cvt.sat.s8.s32 %d, %a;", minus(500)) == minus32(128));
}

TEST_CASE("mov packs and unpacks") {
  CHECK(word("mov.b32 {%h0, %h1}, %a; mov.b32 %d, {%h1, %h0};", 0x12345678) == 0x56781234);
  CHECK(wide("mov.b64 %xd, {%a, %b};", 1, 2) == 0x200000001ull);
  CHECK(word("mov.b64 {_, %d}, %xa;", 0x500000001ull) == 5);
  CHECK(word(".reg .b128 %w; mov.b128 %w, {%xa, %xb}; mov.b128 {%l2, %l3}, %w; cvt.u32.u64 %d, %l3;", 1, 77) == 77);
}

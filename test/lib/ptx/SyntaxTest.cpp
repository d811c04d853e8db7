// What the parser and the decoder accept, and how they refuse.
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

namespace {
std::string parseError(std::string_view text) {
  Result<Module> module = Module::parse(text);
  return module ? "" : module.error().format();
}
bool contains(const std::string &text, std::string_view part) { return text.find(part) != std::string::npos; }
} // namespace

TEST_CASE("comments, debug sections, pragmas and nested scopes are read over") {
  CHECK(word(R"(
    .pragma "nounroll";
    // begin inline asm
    {
      .reg.b32 %r0; /* hides the outer one
        over two lines */
      mov.u32 %r0, 5;
    LAB: .loc 1 2 3
      add.u32 %d, %d, %r0;
      setp.lt.u32 %p, %d, 12;
      @%p bra LAB;
    }
    { LAB: add.u32 %d, %d, 100; }
    ;)") == 115);
  CHECK(parseError(".version 8.0\n.target sm_80\n.section .debug_str { .b8 1,2 { 3 } }\n.file 1 \"a.cu\"\n") == "");
}

TEST_CASE("errors of the text name the line") {
  CHECK(parseError(".version 8.0\n.entry k() { # }") == "line 2: unexpected character '#': '.entry k() { # }'");
  CHECK(contains(parseError(".version 8.0\n.bogus"), "line 2: unknown directive '.bogus'"));
  CHECK(contains(parseError(".entry k() { add.u32 %r1 %r2; }"), "expected ';', but got '%r2'"));
  CHECK(contains(parseError(".entry k() { add.u32 %r1, ; "), "expected an operand, but got ';'"));
  CHECK(contains(parseError(".entry k() { ret; "), "expected an instruction, but got 'end of text'"));
  CHECK(contains(parseError(".entry ;"), "expected a name, but got ';'"));
  CHECK(contains(parseError(".entry k() .maxntid x {}"), "expected an integer, but got 'x'"));
  CHECK(contains(parseError(".entry k() .foo {}"), "unknown directive '.foo'"));
  CHECK(contains(parseError(".entry k() .reqnctapercluster 2, 1, 1 {}"), "clusters of more than one block"));
  CHECK(contains(parseError(".reg .b32 %r;"), "'.reg' cannot stand outside a function"));
  CHECK(contains(parseError(".entry k(.global .u32 x) {}"), "expected '.param' or '.reg', but got '.global'"));
  CHECK(contains(parseError(".global .align 4 x;"), "a declaration without a type"));
  CHECK(contains(parseError(".global .align 3 .b32 x;"), "alignment 3 is not a power of two up to 65536"));
  CHECK(contains(parseError(".global .b32 .odd x;"), "unknown directive '.odd' in a declaration"));
  CHECK(contains(parseError(".global .b8 x[99999999999];"), "variable 'x' is too large"));
  CHECK(contains(parseError(".global .b32 x[2] = {1, 2, 3};"), "more initial values than 'x' has elements"));
  CHECK(contains(parseError(".global .u64 x = y;"), "the value 'y' of 'x' is not supported: only numbers are"));
  CHECK(contains(parseError(".global .f32 x = 1;"), "the value '1' does not fit the type of 'x'"));
  CHECK(contains(parseError(".extern .global .b32 x;"), "variable 'x' is defined in another module"));
  CHECK(contains(parseError(".entry k() {" + std::string(1000, '{')), "braces and brackets nest too deep"));
  CHECK(contains(parseError(".entry k() { mov.b32 %r, " + std::string(100000, '{')),
                 "braces and brackets nest too deep"));
  CHECK(contains(parseError(".global .b32 x = " + std::string(100000, '{')), "braces and brackets nest too deep"));
  CHECK(contains(parseError(".global .b8 x[65536][65536][65536][65536];"), "variable 'x' is too large"));
  CHECK(contains(parseError(".entry k() { .bogus x; }"), "unknown directive '.bogus'"));
}

TEST_CASE("what cannot be executed is refused when the entry is decoded") {
  CHECK(contains(rejection("vadd.s32.s32.s32 %d, %a, %b;"), "instruction 'vadd.s32.s32.s32' is not supported"));
  CHECK(contains(rejection("add.s32.foo %d, %a, %b;"), "modifier '.foo' of 'add' is not supported"));
  CHECK(contains(rejection("add.s32 %d, %a;"), "'add.s32' takes 3 operands, but got 2"));
  CHECK(contains(rejection("st.global.u32 [%in];"), "'st.global.u32' takes 2 to 3 operands, but got 1"));
  CHECK(contains(rejection("add.s32 %d, %a, %zz;"), "unknown name '%zz'"));
  CHECK(contains(rejection("add.s32 %d, %a, %r10;"), "unknown name '%r10'"));
  CHECK(
      contains(rejection("add.s32 %xd, %a, %b;"), "register '%xd' is declared as '.b64', but 'add.s32' takes '.s32'"));
  CHECK(contains(rejection("add.s32 %d, %p, %b;"), "register '%p' is declared as '.pred'"));
  CHECK(contains(rejection("add.s32 5, %a, %b;"), "expected a register"));
  CHECK(contains(rejection("add.s32 in, %a, %b;"), "'in' is not a register"));
  CHECK(contains(rejection("add.s32 %d, [%a], %b;"), "expected a register or a number"));
  CHECK(contains(rejection("add %d, %a, %b;"), "'add' names no type"));
  CHECK(contains(rejection("mul.s32 %d, %a, %b;"), "'mul.s32' needs one of '.lo', '.hi' and '.wide'"));
  CHECK(contains(rejection("add.b8 %h0, %h1, %h2;"), "'add' does not take '.b8'"));
  CHECK(contains(rejection("mad.wide.cc.u32 %d, %a, %b, %c;"), "'mad.wide.cc.u32' is not supported"));
  CHECK(contains(rejection("max.relu.u32 %d, %a, %b;"), "'.relu' needs '.s32'"));
  CHECK(contains(rejection("fma.rn.relu.f32 %d, %a, %b, %c;"), "does not take '.f32'"));
  CHECK(contains(rejection("setp.foo.s32 %p, %a, %b;"), "comparison '.foo' is not supported"));
  CHECK(contains(rejection("setp.lt.f16x2 %p, %a, %b;"),
                 "'setp.lt.f16x2' takes a pair of predicates and no third source"));
  CHECK(contains(rejection("set.lt.u64.s32 %xd, %a, %b;"), "'set' with a result of '.u64' is not supported"));
  CHECK(contains(rejection("set.lt.u32.f16x2 %d, %a, %b;"), "'set.lt.u32.f16x2' is not supported"));
  CHECK(contains(rejection("setp.lt.tf32 %p, %a, %b;"), "'setp' does not take '.tf32'"));
  CHECK(contains(rejection("bra NOWHERE;"), "'NOWHERE' is not a label"));
  CHECK(contains(rejection("@%a mov.u32 %d, 0;"), "guard '%a' is not a predicate register"));
  CHECK(contains(rejection("mov.u64 %d, %gridid;"), "register '%d' is declared as '.b32'"));
  CHECK(contains(rejection("mov.u32 %d, %gridid;"), "'%gridid' has 64 bits, but 'mov.u32' takes 32"));
  CHECK(contains(rejection("ld.global.u32 %d, %in;"), "expected an address in brackets"));
  CHECK(contains(rejection("ld.global.u32 %d, [%a];"), "register '%a' is too narrow for an address"));
  CHECK(contains(rejection("ld.global.u32 %d, [in];"), "'in' lies in param memory"));
  CHECK(contains(rejection("ld.global.u32 %d, [nothing];"), "unknown name 'nothing'"));
  CHECK(contains(rejection("ld.global.v2.u32 %d, [%in];"), "'ld.global.v2.u32' does not match 1 registers"));
  CHECK(contains(rejection("ld.global.u64 %d, [%in];"), "a register is narrower than the element"));
  CHECK(contains(rejection("ld.global.v2.u32 {%d, %xd}, [%in];"), "the registers of a vector differ in width"));
  CHECK(contains(rejection("lop3.b32 %d, %a, %b, %c, %r0;"), "'lop3.b32' takes an integer here"));
  CHECK(contains(rejection("shf.l.b32 %d, %a, %b, %c;"), "'shf.l.b32' is not supported"));
  CHECK(contains(rejection("shfl.bfly.b32 %d, %a, 1, 31;"), "'shfl' without '.sync' is not supported"));
  CHECK(contains(rejection("vote.any.pred %p, %q;"), "'vote' without '.sync' is not supported"));
  CHECK(contains(rejection("elect.sync %p, -1;"), "'elect.sync' takes a pair of destinations"));
  CHECK(contains(rejection("cvt.s16.f32 %d, %a; cvt.u64.u32 %d, %a;"), "register '%d' is declared") == false);
  CHECK(contains(rejection("cvt.u32.u64 %d, %a;"), "the source register is narrower than its type"));
  CHECK(contains(rejection("atom.global.add.f16x2 %d, [%in], %h0;"), "register '%h0' is declared as '.b16'"));
  CHECK(contains(rejection("atom.global.xor.f32 %d, [%in], %a;"), "'atom.global.xor.f32' is not supported"));
  CHECK(contains(rejection("barrier.cluster.arrive;"), "'barrier.cluster.arrive' is not supported"));
  CHECK(contains(rejection("add.s32 %d, -%a, %b;"), "register '%a' cannot be changed inside an operand"));
  CHECK(contains(rejection(".global .b32 inner;"), "variable 'inner' is not supported inside a function"));
  CHECK(contains(rejection(".reg .b32 %z<9999999>;"), "too many registers '%z'"));
  CHECK(contains(rejection(".shared .b8 z[600000];"), "variable 'z' is too large for shared memory"));
  CHECK(contains(rejection(".local .b8 z[600000];"), "variable 'z' is too large for local memory"));
}

TEST_CASE("calls that cannot be inlined are refused") {
  std::string_view loop = ".func self() { call self; ret; }";
  CHECK(contains(rejection("call self;", loop), "recursion of 'self' is not supported"));
  CHECK(contains(rejection("call other;", ".extern .func other();"), "function 'other' has no body in this module"));
  CHECK(contains(rejection("call %xa, (%a);"), "'%xa' is not a function: indirect calls are not supported"));
  CHECK(contains(rejection("call (%d), one, (%a);", ".func one() { ret; }"), "expected 0 arguments, but got 1"));
  CHECK(contains(rejection("call one, (%a);", ".func one(.param .b32 x) { ret; }"),
                 "argument 0 is not a '.param' variable"));
  CHECK(contains(rejection("call one, (5);", ".func one(.reg .b32 x) { ret; }"), "argument 0 is not a register"));
  CHECK(contains(rejection("call 5;"), "expected the name of a function"));
}

TEST_CASE("entries and launches are checked") {
  Result<Module> module =
      Module::parse(".entry k(.param .u32 x) .reqntid 64 { .shared .b8 s[100]; ret; } .func f() { ret; }");
  REQUIRE(module);
  CHECK(module->entries() == std::vector<std::string>{"k"});
  CHECK(module->entry("f").error().format() == "the module has no entry 'f'");
  Result<Kernel> kernel = module->entry("k");
  REQUIRE(kernel);
  CHECK(kernel->parameterBytes() == std::vector<uint32_t>{4});
  CHECK(kernel->staticSharedBytes() == 112);
  CHECK(kernel->requiredThreads() == 64);
  CHECK(kernel->maxThreads() == 0);
  Device device;
  Launch launch{.block = {64}};
  CHECK(run(*kernel, device, launch).error().format() == "'k' takes 1 arguments, but got 0");
  launch.arguments.value(uint64_t(1));
  CHECK(run(*kernel, device, launch).error().format() == "argument 0 of 'k' has 4 bytes, but got 8");
  launch.block.x = 32;
  CHECK(contains(run(*kernel, device, launch).error().format(),
                 "compiled for blocks of 64 threads, but the launch has 32"));
  launch.block.x = 2048;
  CHECK(contains(run(*kernel, device, launch).error().format(), "cannot launch 1 x 1 x 1 blocks of 2048 threads"));
  launch.block.x = 64;
  launch.sharedBytes = 1 << 20;
  CHECK(contains(run(*kernel, device, launch).error().format(), "a block has at most 232448"));
}

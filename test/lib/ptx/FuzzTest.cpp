// Damaged texts: whatever a text says, the answer is an Error, or a Report of a bounded run, and never a crash. Most
// useful under the sanitizers.
#include "test/lib/ptx/Kernels.h"

#include <doctest/doctest.h>

#include <random>

using namespace sattn::ptx;
using namespace sattn::ptx::test;

namespace {
/// The words, numbers and signs of a text, with the blanks after them.
std::vector<std::string> piecesOf(std::string_view text) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    auto isWord = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '%' || c == '.' || c == ':';
    };
    while (end < text.size() && isWord(text[at]) && isWord(text[end]))
      ++end;
    while (end < text.size() && std::isspace(static_cast<unsigned char>(text[end])))
      ++end;
    pieces.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

/// Up to three pieces dropped, doubled, exchanged with one of their kind (mostly valid text), or replaced by one that
/// means trouble.
std::string damaged(std::vector<std::string> pieces, std::mt19937 &random) {
  static const char *const trouble[] = {
      "0 ", "-1 ", "4294967295 ", "0x7fffffffffffffff ", "%tid ", "{ ",   "} ",   "[ ", "; ",
      "| ", "_ ",  "1 ",          "0f7FC00000 ",         "! ",    "%d0 ", "smem "};
  for (unsigned n = random() % 4 ? 1 : 3; n > 0; --n) {
    size_t a = random() % pieces.size(), b = random() % pieces.size();
    while (pieces[b][0] != pieces[a][0])
      b = (b + 1) % pieces.size();
    switch (random() % 6) {
    case 0:
      pieces.erase(pieces.begin() + long(a));
      break;
    case 1:
      pieces.insert(pieces.begin() + long(a), pieces[b]);
      break;
    case 2:
      pieces[a] = trouble[random() % std::size(trouble)];
      break;
    default:
      std::swap(pieces[a], pieces[b]);
    }
  }
  std::string text;
  for (const std::string &piece : pieces)
    text += piece;
  return text;
}
} // namespace

TEST_CASE("damaged kernels give errors or reports") {
  std::mt19937 random(20);
  std::vector<std::string> attention = piecesOf(AttentionSm80), gemm = piecesOf(GemmSm90);
  unsigned refused = 0, faulty = 0;
  for (unsigned i = 0; i < 300; ++i) {
    bool first = i % 2;
    std::string text = damaged(first ? attention : gemm, random);
    Verdict verdict = first ? runAttention(text, i) : runGemm(text, i);
    refused += !verdict.refused.empty();
    faulty += !verdict.report.ok();
  }
  // Both kinds of answer occur: the damage reaches the decoder and the execution.
  CHECK(refused > 50);
  CHECK(faulty > 10);
}

TEST_CASE("damaged operands of single instructions") {
  const char *const instructions[] = {
      "add.s32 %d, %a, %b;",
      "mad.wide.u32 %xd, %a, %b, %xc;",
      "bfe.u32 %d, %a, %b, %c;",
      "prmt.b32 %d, %a, %b, %c;",
      "lop3.b32 %d, %a, %b, %c, 0x96;",
      "shf.l.wrap.b32 %d, %a, %b, %c;",
      "setp.lt.and.s32 %p|%q, %a, %b, !%t;",
      "selp.b32 %d, %a, %b, %p;",
      "cvt.rzi.s32.f32 %d, %a;",
      "cvt.rn.bf16x2.f32 %d, %a, %b;",
      "mov.b64 {%a, %b}, %xa;",
      "ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%in+16];",
      "st.shared.v2.b32 [%a+8], {%b, %c};",
      "ld.b32 %d, [%xa];",
      "atom.shared.cas.b32 %d, [%a], %b, %c;",
      "red.global.add.v2.f32 [%in], {%a, %b};",
      "shfl.sync.idx.b32 %d|%p, %a, %b, %c, -1;",
      "vote.sync.ballot.b32 %d, %p, -1;",
      "match.any.sync.b32 %d, %a, -1;",
      "redux.sync.add.s32 %d, %a, -1;",
      "elect.sync %d|%p, -1;",
      "bar.sync %a, %b;",
      "bar.red.popc.u32 %d, %a, %p;",
      "barrier.sync 1, 32;",
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r0, %r1, %r2, %r3}, [%a];",
      "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%r0,%r1,%r2,%r3}, {%a,%b}, {%c}, {%r0,%r1,%r2,%r3};",
      "cp.async.cg.shared.global [%a], [%in], 16, %b;",
      "cp.async.wait_group 0;",
      "mbarrier.init.shared.b64 [%a], %b;",
      "mbarrier.try_wait.parity.shared.b64 %p, [%a], %b;",
      "mbarrier.arrive.expect_tx.shared.b64 _, [%a], %b;",
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%a], [%in], %b, [%c];",
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%a], [%in, {%b, %c}], [%a];",
      "cp.async.bulk.global.shared::cta.bulk_group [%in], [%a], %b;",
      "cp.async.bulk.wait_group.read 0;",
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%r0,%r1,%r2,%r3}, %xa, %xb, %p, 1, 1, 0, 0;",
      "wgmma.wait_group.sync.aligned 0;",
      "brx.idx %a, %b;",
      "call (%a), %b, (%c);",
      "fns.b32 %d, %a, %b, %c;",
      "div.s64 %xd, %xa, %xb;",
      "ex2.approx.ftz.f32 %d, %a;",
      "addc.cc.u32 %d, %a, %b;",
      "isspacep.shared %p, %xa;"};
  std::string_view values = R"(
    mov.u64 %xa, %in; mov.u64 %xb, 0x4000004000010000; mov.u64 %xc, -1;
    mov.u32 %a, %tid; mul.lo.u32 %b, %tid, 0x9e3779b1; mov.u32 %c, -7;
    setp.lt.u32 %p, %tid, 77; setp.ne.u32 %q, %b, 0; mov.pred %t, %q;
    mov.u32 %r0, 0; mov.u32 %r1, 1; mov.u32 %r2, 2; mov.u32 %r3, 3;
)";
  std::mt19937 random(21);
  for (unsigned i = 0; i < 1500; ++i) {
    std::string text = instructions[i % std::size(instructions)];
    if (i >= std::size(instructions))
      text = damaged(piecesOf(text), random);
    Result<Module> module =
        Module::parse(".shared .align 16 .b8 smem[512];\n.visible .entry k(.param .u64 in) {\n"
                      ".reg .b32 %r<4>, %a, %b, %c, %d, %tid, %lane; .reg .b64 %xa, %xb, %xc, %xd, %in;"
                      ".reg .pred %p, %q, %t; ld.param.u64 %in, [in]; mov.u32 %tid, %tid.x; mov.u32 %lane, %laneid;" +
                      std::string(values) + text + "\n bar.sync 0; ret; }");
    Result<Kernel> kernel = module ? module->entry("k") : module.error();
    if (!kernel)
      continue;
    std::vector<uint32_t> in(64);
    Device device;
    Launch launch{.block = {128}};
    launch.arguments.pointer(device.add("in", bytesOf(in), Contents::Defined));
    Result<Report> report = run(*kernel, device, launch, {.seed = i, .maxInstructions = 20000});
    REQUIRE(report);
  }
}

TEST_CASE("texts that are no PTX at all") {
  std::mt19937 random(22);
  std::string_view alphabet = ".%$_abefxz0159 \n\t{}()[]<>,;:=+-*@!|\"/*\\#\xff";
  for (unsigned i = 0; i < 3000; ++i) {
    std::string text = i % 2 ? ".entry k(.param .u64 x) { .reg .b32 %a; " : "";
    for (unsigned n = random() % 60; n > 0; --n)
      text += alphabet[random() % alphabet.size()];
    Result<Module> module = Module::parse(text);
    if (module && !module->entries().empty())
      (void)module->entry(module->entries().front());
  }
  for (std::string_view text :
       {"", "/*", "//", "\"", "0x", "0f", "1.", ".", "%", ".entry", ".entry k(", ".func (", "@", "0b2"})
    (void)Module::parse(text);
}

// What the CPU code generator refuses, each with its message: nothing is lowered slowly or wrongly instead.
#include "codegen/cpu/Emit.h"
#include "test/codegen/cpu/Harness.h"
#include "test/codegen/cpu/Programs.h"
#include <doctest/doctest.h>
#include <sys/resource.h>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

static void refuses(const std::string &args, const std::string &body, const std::string &message) {
  std::string error;
  auto program = Program::compile(oneKernel(args, body), Isa::Avx512, error);
  CHECK(!program);
  CHECK_MESSAGE(error.find("[SA0262] the CPU code generator does not support " + message) != std::string::npos, error);
}

static const char *const kHead = R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, 64> -> V<f32, 64>
    %t = @load %av[%c0] : V<f32, 64> -> T<16x64xf32>
)";

TEST_CASE("memory that is not supported") {
  refuses("%a: A<f64, 64>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f64, 64> -> V<f64, 64>
    %t = @load %av[%c0] : V<f64, 64> -> T<16x64xf32>)",
          "memory of an element type other than f32, f16, bf16, i32 and bytes");
  refuses("%a: A<f32, 64>, %b: A<f64, 64>", std::string(kHead) + R"(
    %bv = @slice %b[%c0, %c0] : A<f64, 64> -> V<f64, 64>
    @store %t, %bv[%c0] : T<16x64xf32>, V<f64, 64>)",
          "memory of an element type other than f32, f16, bf16, i32 and bytes");
  refuses("%a: A<f16, 64, <block = 16, rows by 4>>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f16, 64, <block = 16, rows by 4>> -> V<f16, 64, <block = 16, rows by 4>>
    %t = @load %av[%c0] : V<f16, 64, <block = 16, rows by 4>> -> T<16x64xf32>)",
          "prepared operands of an element type other than f32");
  refuses("%a: A<f32, 64, <block = 16, rows by 4>>, %b: A<f32, 64>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, 64, <block = 16, rows by 4>> -> V<f32, 64, <block = 16, rows by 4>>
    %bv = @slice %b[%c0, %c0] : A<f32, 64> -> V<f32, 64>
    %t = @load %av[%c0] : V<f32, 64, <block = 16, rows by 4>> -> T<16x64xf32>
    @store %t, %bv[%c0] : T<16x64xf32>, V<f32, 64>)",
          "a prepared operand anywhere but on the right of a dot");
  refuses("%a: A<f32, 64>, %b: A<f32, 64, <block = 48, rows by 3>>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, 64> -> V<f32, 64>
    %bv = @slice %b[%c0, %c0] : A<f32, 64, <block = 48, rows by 3>> -> V<f32, 64, <block = 48, rows by 3>>
    %t = @load %av[%c0] : V<f32, 64> -> T<48x64xf32>
    @store %t, %bv[%c0] : T<48x64xf32>, V<f32, 64, <block = 48, rows by 3>>)",
          "panels of a width other than 1, 2, 4, 8 or 16");
  refuses("%a: A<f32, 64>, %b: A<f32, 64, <block = 6, cols by 4>>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, 64> -> V<f32, 64>
    %bv = @slice %b[%c0, %c0] : A<f32, 64, <block = 6, cols by 4>> -> V<f32, 64, <block = 6, cols by 4>>
    %t = @load %av[%c0] : V<f32, 64> -> T<6x64xf32>
    @store %t, %bv[%c0] : T<6x64xf32>, V<f32, 64, <block = 6, cols by 4>>)",
          "blocks of 6 keys on this target: use a multiple of 4");
  refuses("%a: A<f32, 64>, %b: A<f32, 64, <block = 16, rows by 4>>", std::string(kHead) + R"(
    %bv = @slice %b[%c0, %c0] : A<f32, 64, <block = 16, rows by 4>> -> V<f32, 64, <block = 16, rows by 4>>
    %u = @map (%e = %t) : T<16x64xf32> -> T<16x64xf32> {
      @yield %e : f32
    }
    @store %u, %bv[%c0] : T<16x64xf32>, V<f32, 64, <block = 16, rows by 4>>)",
          "storing into a layout anything but a tile loaded in the same block, as f32");
  refuses("%a: A<f32, 64>", R"(
    %av = @private 16 : V<f32, 64, <block = 16, rows by 4>>)",
          "private memory with a layout");
  refuses("%a: A<i32, 64>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<i32, 64> -> V<i32, 64>
    %t = @load_blocks mean %av[%c0] blocks(4, 4) : V<i32, 64> -> T<16x64xf32>)",
          "blocks of elements other than f32, f16 and bf16");
  refuses("%a: A<f16, 64>, %i: A<i32, 1>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f16, 64> -> V<f16, 64>
    %iv = @slice %i[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %ids = @load %iv[%c0] : V<i32, 1> -> T<16xi32>
    %t = @gather_at %av[%c0 + %ids, %ids] : V<f16, 64>, T<16xi32>, T<16xi32> -> T<16xf32>)",
          "elements of listed rows of an element type other than f32");
  refuses("%a: A<f32, 64>, %b: A<f64, 64>, %i: A<i32, 1>", std::string(kHead) + R"(
    %bv = @slice %b[%c0, %c0] : A<f64, 64> -> V<f64, 64>
    %iv = @slice %i[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %ids = @load %iv[%c0] : V<i32, 1> -> T<16xi32>
    @scatter %t, %bv[%c0 + %ids] : T<16x64xf32>, V<f64, 64>, T<16xi32>)",
          "memory of an element type other than f32, f16, bf16, i32 and bytes");
}

TEST_CASE("arithmetic that is not supported") {
  refuses("%a: A<f32, 64>", std::string(kHead) + R"(
    %u = @map (%e = %t) : T<16x64xf32> -> T<16x64xf32> {
      %o = arith.constant 2.0 : f32
      %y = arith.remf %e, %o : f32
      @yield %y : f32
    })",
          "'arith.remf' in a map: write it as --emit=tile does");
  refuses("%a: A<f32, 64>", std::string(kHead) + R"(
    %u = @map (%e = %t) : T<16x64xf32> -> T<16x64xf32> {
      %d = arith.extf %e : f32 to f64
      %y = arith.truncf %d : f64 to f32
      @yield %y : f32
    })",
          "'arith.extf' on these types in a map");
  refuses("%a: A<f32, 64>", std::string(kHead) + R"(
    %u = @map (%e = %t) : T<16x64xf32> -> T<16x64xi1> {
      %z = arith.constant 0.0 : f32
      %y = arith.cmpf ogt, %e, %z : f32
      @yield %y : i1
    })",
          "maps to elements other than f32, f16, bf16 and i32");
  refuses("%a: A<f32, 64>, %n: index", std::string(kHead) + R"(
    %u = @map (%e = %t, %i = %n) : T<16x64xf32>, index -> T<16x64xf32> {
      @yield %e : f32
    })",
          "map operands of this type");
  refuses("%a: A<f32, 64>", std::string(kHead) + R"(
    %m = @mask %t rows(%c0) cols(%c0) {row_map = affine_map<(r) -> (r * 2000000000)>, sets = [affine_set<(t, s) : (t - s >= 0)>]} : T<16x64xf32>
    %u = @reduce max %m over cols : T<16x64xf32> -> T<16xf32>)",
          "sets whose row positions or divisors exceed 2^30");
  refuses(
      "%a: A<f32, 64>", std::string(kHead) + R"(
    %m = @mask %t rows(%c0) cols(%c0) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s) : (t floordiv 2000000000 - s >= 0)>]} : T<16x64xf32>
    %u = @reduce max %m over cols : T<16x64xf32> -> T<16xf32>)",
      "sets whose row positions or divisors exceed 2^30, or with divisors that are not positive constants: use smaller "
      "divisors, or run the pattern with the reference (--oracle)");
  refuses("%a: A<f32, 64>", std::string(kHead) + R"(
    %c64 = arith.constant 64 : i64
    %f = arith.constant 1.0 : f64
    %s = @splat 1.0 : T<16x64xf32>)",
          "constants of type f64");
  refuses("%a: A<f32, 64>, %x: f32", R"(
    %y = arith.remf %x, %x : f32)",
          "'arith.remf'");
  refuses("%a: A<f32, 64>, %n: index", R"(
    %c0 = arith.constant 0 : index
    scf.for %i = %c0 to %n step %n {
    })",
          "loops whose step is not a positive constant");
  refuses("%a: A<f32, 64>, %n: index", R"(
    %m = affine.apply affine_map<(d)[s] -> (d floordiv s)>(%n)[%n])",
          "divisors that are not positive constants");
}

TEST_CASE("control flow that is not supported") {
  refuses("%n: index", R"(
    %b = arith.cmpi eq, %n, %n : index
    %cover = scf.if %b -> !sattn_tile.cover {
      %c1 = @cover hull(%n to %n) full(%n to %n)
      scf.yield %c1 : !sattn_tile.cover
    } else {
      %c2 = @cover hull(%n to %n) full(%n to %n)
      scf.yield %c2 : !sattn_tile.cover
    })",
          "branches that give anything but tiles and numbers");
  refuses("%n: index", R"(
    %c1 = arith.constant 1 : index
    %cover = @cover hull(%n to %n) full(%n to %n)
    %r = scf.for %i = %n to %n step %c1 iter_args(%x = %cover) -> (!sattn_tile.cover) {
      scf.yield %x : !sattn_tile.cover
    })",
          "loops that carry anything but tiles and numbers");
  refuses("%n: index", R"(
    %cover = @cover hull(%n to %n) full(%n to %n)
    %r = @stream %j in %cover carry(%x = %n) : index {
      @yield %x : index
    })",
          "carried values that are not tiles");
}

TEST_CASE("selections that are not supported") {
  refuses("%a: A<f32, 64>", R"(
    %top = @top_init : Top<16x300>
    %ids, %sc = @top_list %top : Top<16x300> -> T<16x300xi32>, T<16x300xf32>)",
          "selections of more than 128 blocks: select fewer, or run the pattern with the reference (--oracle)");
  refuses(
      "%a: A<f32, 64>", std::string(kHead) + R"(
    %top = @top_init : Top<16x4>
    %u = @top_push %top, %t ids(%c0) rows(%c0) symbols() {row_map = affine_map<(r) -> (r)>, forced = [affine_set<(t, c) : (t floordiv 2000000000 - c >= 0)>]} : Top<16x4>, T<16x64xf32>)",
      "forced sets whose row positions or divisors exceed 2^30, or with divisors that are not positive constants: use "
      "smaller divisors, or run the pattern with the reference (--oracle)");
  refuses("%n: index", R"(
    %b = arith.cmpi eq, %n, %n : index
    %top = @top_init : Top<16x4>
    %r = scf.if %b -> Top<16x4> {
      scf.yield %top : Top<16x4>
    } else {
      scf.yield %top : Top<16x4>
    })",
          "selections as results of a branch");
}

TEST_CASE("a program without kernels") {
  std::string error;
  CHECK(!Program::compile("sattn_tile.program @p {\n sattn_tile.plan {}\n}", Isa::Baseline, error));
  CHECK_MESSAGE(error.find("expected at least one kernel") != std::string::npos, error);
}

TEST_CASE("what is no object is refused by the linker, which goes on working") {
  Object damaged;
  damaged.bytes = {'n', 'o', 't', ' ', 'a', 'n', ' ', 'E', 'L', 'F'};
  std::string error;
  CHECK(mlir::failed(link({damaged}, error)));
  CHECK_MESSAGE(error.find("the linker refused the object: ") == 0, error);
  error.clear();
  CHECK_MESSAGE(Program::compile(oneKernel("%n: index", ""), Isa::Baseline, error), error);
}

TEST_CASE("a process without descriptors to spare") {
  rlimit full;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &full) == 0);
  rlimit none{0, full.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  std::string error;
  bool compiled = Program::compile(oneKernel("%n: index", ""), Isa::Baseline, error) != nullptr;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &full) == 0);
  CHECK(!compiled);
  CHECK_MESSAGE(
      error.find("cannot link the kernels: cannot write an object to anonymous memory: Too many open files") !=
          std::string::npos,
      error);
}

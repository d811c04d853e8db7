// Whole programs: a packed, windowed attention in waves against the pattern's own oracle, and what the interpreter
// finds wrong in programs: full tiles that are not, workspaces read too early, tasks that collide.
#include <doctest/doctest.h>
#include "TileTest.h"
#include <cmath>

using namespace sattn;
using namespace sattn::ref;
using Data = std::vector<double>;

static void replace(std::string &text, const std::string &from, const std::string &to) {
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

static const std::string windowPattern =
    R"(sattn.pattern @window<W: int = 3, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
})";

// Tiles of 2 rows and 4 keys; two query heads for each kv head; one wave for each batch entry; K is packed.
static const std::string windowProgram = R"(
sattn_tile.program @window attributes {
    roles = [{name = "q", axes = ["t", "h", "D"]}, {name = "k", axes = ["s", "g", "D"]}, {name = "v", axes = ["s", "g", "Dv"]}],
    results = [{name = "o", axes = ["t", "h", "3"]}, {name = "lse", axes = ["t", "h"]}],
    params = [{name = "W", default = 3}]} {
  sattn_tile.kernel @pack(%k: $arg<f32, 2>, %kp: $arg<f32, 2, <block = 4, rows by 2>>, %klen: !sattn_tile.per_batch, %b: index) grid(%j, %h, %z) {
    %c0 = arith.constant 0 : index
    %c4 = arith.constant 4 : index
    %n = sattn_tile.of_batch %klen[%b]
    %p = arith.muli %j, %c4 : index
    %src = sattn_tile.slice %k[%b, %h] limit %n : $arg<f32, 2> -> $view<f32, 2>
    %dst = sattn_tile.slice %kp[%c0, %h] : $arg<f32, 2, <block = 4, rows by 2>> -> $view<f32, 2, <block = 4, rows by 2>>
    %t = sattn_tile.load %src[%p] : $view<f32, 2> -> $tile<4x2xf32>
    sattn_tile.store %t, %dst[%p] : $tile<4x2xf32>, $view<f32, 2, <block = 4, rows by 2>>
    sattn_tile.return
  }
  sattn_tile.kernel @attend(%q: $arg<f32, 2>, %kp: $arg<f32, 2, <block = 4, rows by 2>>, %v: $arg<f32, 3>, %o: $arg<f32, 3>, %lse: $arg<f32, 1>,
                            %qoff: !sattn_tile.per_batch, %klen: !sattn_tile.per_batch, %w: index, %c: f32, %b: index) grid(%i, %h, %z) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %p = arith.muli %i, %c2 : index
    %hk = arith.floordivsi %h, %c2 : index
    %q0 = sattn_tile.of_batch %qoff[%b]
    %n = sattn_tile.of_batch %klen[%b]
    %t0 = arith.addi %q0, %p : index
    %t1 = arith.addi %t0, %c2 : index
    %qv = sattn_tile.slice %q[%b, %h] : $arg<f32, 2> -> $view<f32, 2>
    %kv = sattn_tile.slice %kp[%c0, %hk] limit %n : $arg<f32, 2, <block = 4, rows by 2>> -> $view<f32, 2, <block = 4, rows by 2>>
    %vv = sattn_tile.slice %v[%b, %hk] limit %n : $arg<f32, 3> -> $view<f32, 3>
    %ov = sattn_tile.slice %o[%b, %h] : $arg<f32, 3> -> $view<f32, 3>
    %lv = sattn_tile.slice %lse[%b, %h] : $arg<f32, 1> -> $view<f32, 1>
    %qt = sattn_tile.load %qv[%p] : $view<f32, 2> -> $tile<2x2xf32>
    %qs = sattn_tile.map (%e = %qt, %f = %c) : $tile<2x2xf32>, f32 -> $tile<2x2xf32> {
      %log2e = arith.constant 1.4426950408889634 : f32
      %y = arith.mulf %e, %f : f32
      %y2 = arith.mulf %y, %log2e : f32
      sattn_tile.yield %y2 : f32
    }
    %end = arith.minsi %t1, %n : index
    %hi = arith.ceildivsi %end, %c4 : index
    %w0 = arith.subi %t0, %w : index
    %w1 = arith.addi %w0, %c1 : index
    %first = arith.maxsi %w1, %c0 : index
    %lo = arith.floordivsi %first, %c4 : index
    %wf = arith.subi %t1, %w : index
    %wf0 = arith.maxsi %wf, %c0 : index
    %fl = arith.ceildivsi %wf0, %c4 : index
    %t01 = arith.addi %t0, %c1 : index
    %fe = arith.minsi %t01, %n : index
    %fh = arith.floordivsi %fe, %c4 : index
    %cover = sattn_tile.cover hull(%lo to %hi) full(%fl to %fh)
    %m0 = sattn_tile.splat 0xFF800000 : $tile<2xf32>
    %l0 = sattn_tile.splat 0.0 : $tile<2xf32>
    %a0 = sattn_tile.splat 0.0 : $tile<2x3xf32>
    %r:3 = sattn_tile.stream %j in %cover carry(%m = %m0, %l = %l0, %a = %a0) : $tile<2xf32>, $tile<2xf32>, $tile<2x3xf32> {
      %s0 = arith.muli %j, %c4 : index
      %kt = sattn_tile.load %kv[%s0] : $view<f32, 2, <block = 4, rows by 2>> -> $tile<4x2xf32>
      %vt = sattn_tile.load %vv[%s0] : $view<f32, 3> -> $tile<4x3xf32>
      %s = sattn_tile.dot nt %qs, %kt : $tile<2x2xf32>, $tile<4x2xf32> -> $tile<2x4xf32>
      %s1 = sattn_tile.mask %s rows(%t0) cols(%s0) symbols(%w, %n) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s)[w, n] : (t - s >= 0, w - 1 - t + s >= 0, n - 1 - s >= 0)>]} : $tile<2x4xf32>
      %m1, %l1, %al, %pt = sattn_tile.softmax_step %s1, %m, %l : $tile<2x4xf32>, $tile<2xf32>
      %a1 = sattn_tile.dot nn %pt, %vt add %a scaled %al : $tile<2x4xf32>, $tile<4x3xf32>, $tile<2x3xf32>, $tile<2xf32> -> $tile<2x3xf32>
      sattn_tile.yield %m1, %l1, %a1 : $tile<2xf32>, $tile<2xf32>, $tile<2x3xf32>
    }
    %ot, %lt = sattn_tile.softmax_finish %r#0, %r#1, %r#2 : $tile<2xf32>, $tile<2x3xf32>
    sattn_tile.store %ot, %ov[%p] : $tile<2x3xf32>, $view<f32, 3>
    sattn_tile.store %lt, %lv[%p] : $tile<2xf32>, $view<f32, 1>
    sattn_tile.return
  }
  sattn_tile.plan {
    %batch = sattn_tile.dim "B"
    %t = sattn_tile.dim "t"
    %s = sattn_tile.dim "s"
    %h = sattn_tile.dim "h"
    %g = sattn_tile.dim "g"
    %most = sattn_tile.dim "kv_len_max"
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %nk = arith.ceildivsi %most, %c4 : index
    %nq = arith.ceildivsi %t, %c2 : index
    %q = sattn_tile.role "q" : $arg<f32, 2>
    %k = sattn_tile.role "k" : $arg<f32, 2>
    %v = sattn_tile.role "v" : $arg<f32, 3>
    %o = sattn_tile.result "o" : $arg<f32, 3>
    %lse = sattn_tile.result "lse" : $arg<f32, 1>
    %w = sattn_tile.param "W" : index
    %c = sattn_tile.param "scale" : f32
    %qoff = sattn_tile.offsets "q_offset"
    %klen = sattn_tile.offsets "kv_len"
    %kp = sattn_tile.workspace "kp"[%c1, %s, %g] : $arg<f32, 2, <block = 4, rows by 2>>
    sattn_tile.loop %b to %batch {
      sattn_tile.launch @pack grid(%nk, %g, %c1) args(%k, %kp, %klen, %b : $arg<f32, 2>, $arg<f32, 2, <block = 4, rows by 2>>, !sattn_tile.per_batch, index)
      sattn_tile.launch @attend grid(%nq, %h, %c1) args(%q, %kp, %v, %o, %lse, %qoff, %klen, %w, %c, %b : $arg<f32, 2>, $arg<f32, 2, <block = 4, rows by 2>>, $arg<f32, 3>, $arg<f32, 3>, $arg<f32, 1>, !sattn_tile.per_batch, !sattn_tile.per_batch, index, f32, index) {order = ["-x", "z", "y"]}
    }
  }
})";

static Call window() {
  Call call;
  call.roles["q"] = noise({2, 5, 4, 2}, 1);
  call.roles["k"] = noise({2, 21, 2, 2}, 2);
  call.roles["v"] = noise({2, 21, 2, 3}, 3);
  call.params["scale"] = 0.75;
  call.params["W"] = 13;
  call.qOffset = {16, 9};
  call.kvLen = {21, 11};
  for (int64_t j = 11; j < 21; ++j) // keys that do not exist
    call.roles["k"].at({1, j, 0, 1}) = call.roles["v"].at({1, j, 1, 0}) = notANumber;
  return call;
}

TEST_CASE("a windowed attention in waves over packed keys equals its pattern") {
  for (double width : {1.0, 3.0, 13.0, 40.0}) {
    Call call = window();
    call.params["W"] = width;
    Result pattern = run(windowPattern, call), program = runProgram(windowProgram, call);
    REQUIRE(pattern.error == "");
    REQUIRE(program.error == "");
    for (const char *name : {"o", "lse"}) {
      REQUIRE(pattern[name].shape == program[name].shape);
      for (size_t i = 0; i < pattern[name].data.size(); ++i) {
        double expected = pattern[name].data[i], got = program[name].data[i];
        CHECK((got == expected || got == doctest::Approx(expected).epsilon(1e-6)));
      }
    }
  }
}

/// The program with k and v in pages of `page` keys.
static std::string windowInPages(const std::string &page) {
  std::string text = windowProgram, paged = " paged %pages by " + page, table = "%pages: $arg<i32, 1>, ";
  replace(text, R"(axes = ["s", "g", "D"]})", R"(axes = ["s", "g", "D"], page = )" + page + "}");
  replace(text, R"(axes = ["s", "g", "Dv"]})", R"(axes = ["s", "g", "Dv"], page = )" + page + "}");
  replace(text, "@pack(%k", "@pack(" + table + "%k");
  replace(text, "@attend(%q", "@attend(" + table + "%q");
  replace(text, "%src = sattn_tile.slice %k[%b, %h] limit %n", "%src = sattn_tile.slice %k[%b, %h] limit %n" + paged);
  replace(text, "%vv = sattn_tile.slice %v[%b, %hk] limit %n", "%vv = sattn_tile.slice %v[%b, %hk] limit %n" + paged);
  replace(text, "args(%k, %kp, %klen, %b : ", "args(%pages, %k, %kp, %klen, %b : $arg<i32, 1>, ");
  replace(text, "args(%q, %kp, %v, %o, %lse, %qoff, %klen, %w, %c, %b : ",
          "args(%pages, %q, %kp, %v, %o, %lse, %qoff, %klen, %w, %c, %b : $arg<i32, 1>, ");
  replace(text, "    %qoff = sattn_tile.offsets", "    %pages = sattn_tile.pages\n    %qoff = sattn_tile.offsets");
  return text;
}

TEST_CASE("keys and values in pages are those in one piece") {
  Result whole = runProgram(windowProgram, window());
  for (const char *page : {"1", "3", "4", "8", "21", "64"}) {
    CAPTURE(page);
    Result paged = runProgram(windowInPages(page), window());
    REQUIRE(paged.error == "");
    CHECK(paged["o"].data == whole["o"].data);
    CHECK(paged["lse"].data == whole["lse"].data);
  }
  // The pool is in another order: a slice that takes the page of a batch entry for the entry itself reads other keys.
  std::string wrong = windowInPages("4");
  replace(wrong, "%vv = sattn_tile.slice %v[%b, %hk] limit %n paged %pages by 4",
          "%vv = sattn_tile.slice %v[%b, %hk] limit %n");
  Result other = runProgram(wrong, window());
  REQUIRE(other.error == "");
  CHECK(other["o"].data != whole["o"].data);
}

TEST_CASE("params that are not given take the defaults of the program") {
  Call call = window(), given = window();
  call.params.erase("W");
  given.params["W"] = 3;
  CHECK(runProgram(windowProgram, call)["o"].data == runProgram(windowProgram, given)["o"].data);
  call.params.erase("scale");
  CHECK(runProgram(windowProgram, call).error == "param 'scale' has no value");
}

TEST_CASE("a full tile that holds a masked key is found") {
  std::string wrong = windowProgram;
  replace(wrong, "%fe = arith.minsi %t01, %n : index",
          "%fe = arith.minsi %t1, %n : index"); // full for the last row only
  CHECK(runProgram(wrong, window()).error == "a full tile holds key 19 that the mask would remove from row 18");
}

TEST_CASE("a tile that is left out, or a length that is forgotten, shows in the results") {
  std::string wrong = windowProgram;
  replace(wrong, "%hi = arith.ceildivsi %end, %c4", "%hi = arith.floordivsi %end, %c4");
  Result r = runProgram(wrong, window());
  REQUIRE(r.error == "");
  CHECK(r["o"].data != runProgram(windowProgram, window())["o"].data);
  wrong = windowProgram;
  replace(wrong, ", n - 1 - s >= 0)", ")");
  replace(wrong, "%end = arith.minsi %t1, %n", "%end = arith.addi %t1, %c0");
  Data data = runProgram(wrong, window())["o"].data;
  CHECK(std::any_of(data.begin(), data.end(), [](double x) { return std::isnan(x); }));
}

TEST_CASE("a workspace is NaN in each wave until the wave writes it") {
  std::string wrong = windowProgram;
  replace(wrong, "@pack grid(%nk,", "@pack grid(%c1,"); // only the first tile of keys
  Data data = runProgram(wrong, window())["o"].data;
  CHECK(std::all_of(data.begin(), data.begin() + 60, [](double x) { return std::isnan(x); })); // rows at 16 to 20
  CHECK(std::any_of(data.begin() + 60, data.end(), [](double x) { return std::isnan(x); }));
}

TEST_CASE("two tasks that write one row are found") {
  std::string wrong = windowProgram;
  replace(wrong, "sattn_tile.store %lt, %lv[%p]", "sattn_tile.store %lt, %lv[%c0]");
  CHECK(runProgram(wrong, window()).error == "two tasks of one launch write position 0 of 'lse'");
}

TEST_CASE("calls that do not fit the program") {
  Call call = window();
  call.roles.erase("v");
  CHECK(runProgram(windowProgram, call).error == "role 'v' is not given to the program");
  call.roles["v"] = Array::zeros({2, 21});
  CHECK(runProgram(windowProgram, call).error == "role 'v' has 2 axes in the call but the program has 4");
  call.roles["v"].shape = {2, 21, 2, 3};
  CHECK(runProgram(windowProgram, call).error == "role 'v' has 42 elements but its shape needs 252");
  call = window();
  call.roles["v"] = Array::zeros({2, 21, 2, 4});
  CHECK(runProgram(windowProgram, call).error == "role v has 4 inner elements but its operand 3");
  call = window();
  call.rows = SmallVector<int64_t>{0};
  CHECK(runProgram(windowProgram, call).error == "a program computes every row: rows cannot be sampled");
}

TEST_CASE("programs whose interface is incomplete") {
  auto without = [](const std::string &from, const std::string &to) {
    std::string wrong = windowProgram;
    replace(wrong, from, to);
    return runProgram(wrong, window()).error;
  };
  CHECK(without("roles = ", "rolls = ") == "program lacks the attribute 'roles'");
  CHECK(without("{name = \"q\", axes", "{name = \"q\", axis") ==
        "attribute 'roles' holds an item without name and axes");
  CHECK(without("\"t\", \"h\", \"3\"", "\"c(4)\", \"h2\", \"3\"") ==
        "axis 'h2' of result 'o' has no size in this call");
  CHECK(without("sattn_tile.dim \"B\"", "sattn_tile.dim \"A\"") == "the call has no size 'A'");
  CHECK(without("sattn_tile.role \"v\"", "sattn_tile.role \"w\"") == "the interface of the program has no role w");
}

TEST_CASE("results over blocks count the complete ones, or all of them") {
  auto size = [](const std::string &axis, const std::string &ragged) {
    Call call;
    call.roles["k"] = Array::zeros({1, 10, 1, 1});
    Result r = runProgram("sattn_tile.program @p attributes {roles = [{name = \"k\", axes = [\"s\", \"g\", \"D\"]}], "
                          "results = [{name = \"m\", axes = [\"" +
                              axis + "\", \"g\"]" + ragged +
                              "}]} {\n"
                              " sattn_tile.plan {}\n}",
                          call);
    REQUIRE(r.error == "");
    return r["m"].shape[1];
  };
  CHECK(size("c(4)", "") == 2);
  CHECK(size("c(4)", ", ragged") == 3);
  CHECK(size("c(4, 2)", "") == 4);
  CHECK(size("c(12)", "") == 0);
}

TEST_CASE("what a kernel or plan computes wrongly") {
  Result r = runKernel({role("a", "t", 1, 1, {1}), result("y", "t", 1)},
                       " %s = scf.for %i = %c0 to %c2 step %c0 iter_args(%x0 = %c0) -> (index) {\n"
                       "   scf.yield %x0 : index\n }\n"
                       " %at = tile.load %av[%s] : $view<f32, 1> -> $tile<1xf32>\n"
                       " tile.store %at, %yv[%s] : $tile<1xf32>, $view<f32, 1>\n");
  CHECK(r.error == "loop has step 0");
  std::string wrong = windowProgram;
  replace(wrong, "%q0 = sattn_tile.of_batch %qoff[%b]", "%q0 = sattn_tile.of_batch %qoff[%c4]");
  CHECK(runProgram(wrong, window()).error == "batch entry 4 is read of 2");
  wrong = windowProgram;
  replace(wrong, "\"kp\"[%c1, %s, %g]", "\"kp\"[%c1, %minus, %g]");
  replace(wrong, "%c4 = arith.constant 4 : index\n    %nk",
          "%c4 = arith.constant 4 : index\n    %minus = arith.constant "
          "-1 : index\n    %nk");
  CHECK(runProgram(wrong, window()).error == "workspace 'kp' has a negative size");
  r = runKernel({role("a", "t", 1, 1, {1}), result("y", "t", 1)},
                " %p = tile.private 2 : $view<i32, 1>\n %inv = tile.invert %p[%c0] count 2 units(%c4) : $view<i32, 1>\n"
                " sattn_tile.stream_inverse (%u, %m, %sl) in %inv members 2 {\n }\n"
                " %at = tile.load %av[%c0] : $view<f32, 1> -> $tile<1xf32>\n"
                " tile.store %at, %yv[%c0] : $tile<1xf32>, $view<f32, 1>\n");
  CHECK(r.error == "list 0 of 'private' was not written");
}

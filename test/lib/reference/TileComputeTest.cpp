// Arithmetic of the tile interpreter: one kernel for each op, numbers worked out by hand.
#include <doctest/doctest.h>
#include "TileTest.h"
#include <cmath>

using namespace sattn;
using namespace sattn::ref;
using Data = std::vector<double>;
using doctest::Approx;

static const std::string loads = " %at = tile.load %av[%c0] : $view<f32, 2> -> $tile<2x2xf32>\n"
                                 " %bt = tile.load %bv[%c0] : $view<f32, 2> -> $tile<3x2xf32>\n";
static TestOperand two(Data data) { return role("a", "t", 2, 2, std::move(data)); }
static TestOperand three(Data data) { return role("b", "s", 3, 2, std::move(data)); }

TEST_CASE("dot nt and nn, added to scaled rows") {
  std::string body = loads + " %s = tile.dot nt %at, %bt : $tile<2x2xf32>, $tile<3x2xf32> -> $tile<2x3xf32>\n"
                             " %v = tile.load %wv[%c0] : $view<f32, 1> -> $tile<2xf32>\n"
                             " %y = tile.dot nn %s, %bt add %at scaled %v : $tile<2x3xf32>, $tile<3x2xf32>, "
                             "$tile<2x2xf32>, $tile<2xf32> -> $tile<2x2xf32>\n"
                             " tile.store %s, %sv[%c0] : $tile<2x3xf32>, $view<f32, 3>\n"
                             " tile.store %y, %yv[%c0] : $tile<2x2xf32>, $view<f32, 2>\n";
  Result r = runKernel({two({1, 2, 3, 4}), three({1, 0, 0, 1, 1, 1}), role("w", "t", 2, 1, {10, 100}),
                        result("s", "t", 3), result("y", "t", 2)},
                       body);
  REQUIRE(r.error == "");
  CHECK(r["s"].data == Data{1, 2, 3, 3, 4, 7});
  CHECK(r["y"].data == Data{1 + 3 + 10, 2 + 3 + 20, 3 + 7 + 300, 4 + 7 + 400});
}

// Head 0 has the first row of a and rows 0 and 2 of b, head 1 the other ones.
TEST_CASE("dot of several heads") {
  std::string body = " %at = tile.load %av[%c0] : $view<f32, 2> -> $tile<2x2xf32>\n"
                     " %bt = tile.load %bv[%c0] : $view<f32, 2> -> $tile<4x2xf32>\n"
                     " %s = tile.dot nt %at, %bt {heads = 2 : i64} : $tile<2x2xf32>, $tile<4x2xf32> -> $tile<2x2xf32>\n"
                     " %y = tile.dot nn %s, %bt {heads = 2 : i64} : $tile<2x2xf32>, $tile<4x2xf32> -> $tile<2x2xf32>\n"
                     " tile.store %s, %sv[%c0] : $tile<2x2xf32>, $view<f32, 2>\n"
                     " tile.store %y, %yv[%c0] : $tile<2x2xf32>, $view<f32, 2>\n";
  Result r = runKernel(
      {two({1, 2, 3, 4}), role("b", "s", 4, 2, {1, 0, 0, 1, 1, 1, 2, 5}), result("s", "t", 2), result("y", "t", 2)},
      body);
  REQUIRE(r.error == "");
  CHECK(r["s"].data == Data{1, 3, 4, 26});
  CHECK(r["y"].data == Data{1 + 3, 3, 2 * 26, 4 + 5 * 26});
}

TEST_CASE("a weight that is 0 does not read its value") {
  std::string body = loads + " %y = tile.dot nn %at, %at : $tile<2x2xf32>, $tile<2x2xf32> -> $tile<2x2xf32>\n"
                             " tile.store %y, %yv[%c0] : $tile<2x2xf32>, $view<f32, 2>\n";
  Result r = runKernel({two({2, 0, 0, notANumber}), three({0, 0, 0, 0, 0, 0}), result("y", "t", 2)}, body);
  CHECK(r["y"].at({0, 0, 0, 0}) == 4);
  CHECK(r["y"].at({0, 0, 0, 1}) == 0);
  CHECK(std::isnan(r["y"].at({0, 1, 0, 1})));
}

TEST_CASE("map: element-wise over tiles, row vectors and scalars") {
  std::string body = loads + " %v = tile.load %wv[%c0] : $view<f32, 1> -> $tile<2xf32>\n"
                             " %h = arith.constant 0.5 : f32\n"
                             " %y = tile.map (%e = %at, %r = %v, %k = %h) : $tile<2x2xf32>, $tile<2xf32>, f32 -> "
                             "$tile<2x2xf32> {\n"
                             "   %p = arith.mulf %e, %r : f32\n"
                             "   %q = arith.addf %p, %k : f32\n"
                             "   %g = arith.cmpf ogt, %q, %h : f32\n"
                             "   %n = arith.negf %q : f32\n"
                             "   %u = arith.select %g, %q, %n : f32\n"
                             "   sattn_tile.yield %u : f32\n }\n"
                             " tile.store %y, %yv[%c0] : $tile<2x2xf32>, $view<f32, 2>\n";
  Result r = runKernel(
      {two({1, -2, 3, 0}), three({0, 0, 0, 0, 0, 0}), role("w", "t", 2, 1, {10, 100}), result("y", "t", 2)}, body);
  REQUIRE(r.error == "");
  CHECK(r["y"].data == Data{10.5, 19.5, 300.5, -0.5});
}

TEST_CASE("iota, and a tile of one row that stands for every row") {
  std::string body = loads + " %r = tile.iota affine_map<(r) -> (10 * r)> : $tile<2xf32>\n"
                             " %c = tile.iota affine_map<(c) -> (c floordiv 2)> : $tile<1x3xf32>\n"
                             " %w = tile.load %bv[%c0] : $view<f32, 2> -> $tile<3x2xf32>\n"
                             " %s = tile.dot nt %at, %w : $tile<2x2xf32>, $tile<3x2xf32> -> $tile<2x3xf32>\n"
                             " %y = tile.map (%e = %s, %f = %r, %g = %c) : $tile<2x3xf32>, $tile<2xf32>, "
                             "$tile<1x3xf32> -> $tile<2x3xf32> {\n"
                             "   %p = arith.addf %e, %f : f32\n"
                             "   %q = arith.addf %p, %g : f32\n"
                             "   sattn_tile.yield %q : f32\n }\n"
                             " tile.store %y, %yv[%c0] : $tile<2x3xf32>, $view<f32, 3>\n";
  Result r = runKernel({two({0, 0, 0, 0}), three({0, 0, 0, 0, 0, 0}), result("y", "t", 3)}, body);
  REQUIRE(r.error == "");
  CHECK(r["y"].data == Data{0, 0, 1, 10, 10, 11});
}

// The scores 1 to 4 after `op`, which makes %y of %at and the numbers %ids of the rows.
static Data scoresAfter(Data ids, const std::string &op) {
  Result r = runKernel({two({1, 2, 3, 4}), role("i", "t", 2, 1, std::move(ids), "i32"), result("y", "t", 2)},
                       " %at = tile.load %av[%c0] : $view<f32, 2> -> $tile<2x2xf32>\n"
                       " %ids = tile.load %iv[%c0] : $view<i32, 1> -> $tile<2xi32>\n"
                       " %true = arith.constant true\n %false = arith.constant false\n" +
                           op + " tile.store %y, %yv[%c0] : $tile<2x2xf32>, $view<f32, 2>\n");
  CHECK(r.error == "");
  return r["y"].data;
}

TEST_CASE("mask: -inf outside the sets, by positions or listed positions") {
  auto masked = [](const std::string &op) { return scoresAfter({5, -1}, op); };
  std::string set = "{row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s) : (t - s >= 0)>]} : $tile<2x2xf32>\n";
  CHECK(masked(" %y = tile.mask %at rows(%c3) cols(%c3) " + set) == Data{1, -infinite, 3, 4});
  CHECK(masked(" %y = tile.mask %at rows(%c3) cols(%c4) " + set) == Data{-infinite, -infinite, 3, -infinite});
  std::string bound = "{row_map = affine_map<(r) -> (r floordiv 2)>, sets = [affine_set<(t, s)[w] : (s - w == 0)>, "
                      "affine_set<(t, s)[w] : (s mod 4 == 0)>]} : $tile<2x2xf32>\n";
  CHECK(masked(" %y = tile.mask %at rows(%c0) cols(%c3) symbols(%c3) " + bound) == Data{1, 2, 3, 4});
  CHECK(masked(" %y = tile.mask %at rows(%c0) cols(%c2) symbols(%c3) " + bound) == Data{-infinite, 2, -infinite, 4});
  // numbers 5 and -1 of the rows, 1 and 2 of the columns
  std::string tables =
      " %b = tile.load %iv[%c0] : $view<i32, 1> -> $tile<1x2xi32>\n"
      " %y = tile.mask %at rows(%c0) cols(%c0) tables(%ids, %b : $tile<2xi32>, $tile<1x2xi32>) {row_map = "
      "affine_map<(r) -> (r)>, sets = [affine_set<(t, s, a, b) : (";
  CHECK(masked(tables + "a - b == 0)>]} : $tile<2x2xf32>\n") == Data{1, -infinite, -infinite, 4});
  CHECK(masked(tables + "a - b - 1 >= 0)>, affine_set<(t, s, a, b) : (t - s - b - 1 >= 0)>]} : $tile<2x2xf32>\n") ==
        Data{-infinite, 2, -infinite, 4});
  // listed rows stand at 1 + 5 and 1 - 1
  CHECK(masked(" %y = tile.mask %at rows(%c1 + %ids : $tile<2xi32>) cols(%c0) " + set) == Data{1, 2, 3, -infinite});
}

TEST_CASE("choose: -inf where the bit of the column's block is not set, or is") {
  auto chosen = [](const std::string &how) {
    return scoresAfter({2, -1}, " %y = tile.choose %at by %ids block " + how + " : $tile<2x2xf32>, $tile<2xi32>\n");
  };
  // words 2 and -1: the second block of row 0, every block of row 1
  CHECK(chosen("1") == Data{-infinite, 2, 3, 4});
  CHECK(chosen("1 others") == Data{1, -infinite, -infinite, -infinite});
  CHECK(chosen("2") == Data{-infinite, -infinite, 3, 4});
  CHECK(chosen("2 others") == Data{1, 2, -infinite, -infinite});
}

TEST_CASE("reduce over columns and over the heads of a position") {
  auto reduced = [](const std::string &op, const std::string &shape, int64_t inner) {
    Result r = runKernel({role("a", "t", 4, 2, {1, 2, 3, 4, 5, 6, 7, -8}), result("y", "t", inner)},
                         " %at = tile.load %av[%c0] : $view<f32, 2> -> $tile<4x2xf32>\n %y = tile.reduce " + op +
                             " : $tile<4x2xf32> -> " + shape + "\n tile.store %y, %yv[%c0] : " + shape +
                             ", $view<f32, " + std::to_string(inner) + ">\n");
    CHECK(r.error == "");
    Data data = r["y"].data;
    data.erase(std::remove_if(data.begin(), data.end(), [](double x) { return std::isnan(x); }), data.end());
    return data;
  };
  CHECK(reduced("max %at over cols", "$tile<4xf32>", 1) == Data{2, 4, 6, 7});
  CHECK(reduced("sum %at over cols", "$tile<4xf32>", 1) == Data{3, 7, 11, -1});
  CHECK(reduced("sum %at over heads(2)", "$tile<2x2xf32>", 2) == Data{4, 6, 12, -2});
  CHECK(reduced("sum %at over heads(2) outer", "$tile<2x2xf32>", 2) == Data{6, 8, 10, -4});
  CHECK(reduced("max %at over heads(4)", "$tile<1x2xf32>", 2) == Data{7, 6});
}

TEST_CASE("row scans") {
  auto scanned = [](const std::string &word) {
    return runKernel({role("a", "t", 1, 3, {1, 2, 4}), result("y", "t", 3)},
                     " %at = tile.load %av[%c0] : $view<f32, 3> -> $tile<1x3xf32>\n %y = tile.row_scan %at " + word +
                         " : $tile<1x3xf32> -> $tile<1x3xf32>\n tile.store %y, %yv[%c0] : $tile<1x3xf32>, $view<f32, "
                         "3>\n")["y"]
        .data;
  };
  CHECK(scanned("") == Data{1, 3, 7});
  CHECK(scanned("reverse") == Data{7, 6, 4});
}

/// Two steps of the online softmax over the columns of a, then the finish; y is the output, l the lse.
static Result softmax(Data scores, const std::string &sink = "") {
  return runKernel(
      {role("a", "t", 2, 2, std::move(scores)), role("z", "t", 2, 1, {std::log(3.0), 0}), result("y", "t", 2),
       result("l", "t", 1)},
      " %at = tile.load %av[%c0] : $view<f32, 2> -> $tile<2x2xf32>\n"
      " %zt = tile.load %zv[%c0] : $view<f32, 1> -> $tile<2xf32>\n"
      " %m0 = tile.splat 0xFF800000 : $tile<2xf32>\n %l0 = tile.splat 0.0 : $tile<2xf32>\n"
      " %e = tile.splat 0.0 : $tile<2x2xf32>\n"
      " %m1, %l1, %al1, %p1 = tile.softmax_step %at, %m0, %l0 : $tile<2x2xf32>, $tile<2xf32>\n"
      " %acc1 = tile.dot nn %p1, %p1 add %e scaled %al1 : $tile<2x2xf32>, $tile<2x2xf32>, $tile<2x2xf32>, $tile<2xf32> "
      "-> $tile<2x2xf32>\n"
      " %m2, %l2, %al2, %p2 = tile.softmax_step %at, %m1, %l1 : $tile<2x2xf32>, $tile<2xf32>\n"
      " %one = tile.splat 1.0 : $tile<2x2xf32>\n"
      " %acc = tile.dot nn %p2, %one : $tile<2x2xf32>, $tile<2x2xf32> -> $tile<2x2xf32>\n"
      " %o, %lse = tile.softmax_finish %m2, %l2, %acc" +
          sink + " : $tile<2xf32>, $tile<2x2xf32>" + (sink.empty() ? "" : ", $tile<2xf32>") +
          "\n"
          " tile.store %o, %yv[%c0] : $tile<2x2xf32>, $view<f32, 2>\n"
          " tile.store %lse, %lv[%c0] : $tile<2xf32>, $view<f32, 1>\n");
}

TEST_CASE("softmax steps in base 2, rows without keys, sinks") {
  Result r = softmax({0, 2, -infinite, -infinite});
  REQUIRE(r.error == "");
  // Row 0: twice the weights 1 and 4; the second step's 5/4 over 10/4 (relative to the maximum 2).
  CHECK(r["l"].data[0] == Approx(std::log(10.0)));
  CHECK(r["y"].data[0] == Approx(0.5));
  CHECK(r["l"].data[1] == -infinite);
  CHECK(r["y"].data[2] == 0.0);
  r = softmax({0, 2, -infinite, -infinite}, " sink %zt");
  CHECK(r["y"].data[0] == Approx(5.0 / 13.0));
  CHECK(r["l"].data[0] == Approx(std::log(10.0)));
  CHECK(r["y"].data[2] == 0.0);
}

TEST_CASE("merging partial results; an empty one is the identity, its accumulator unread") {
  Result r =
      runKernel({role("a", "t", 3, 1, {1, notANumber, 5}), role("b", "t", 3, 1, {10, 30, notANumber}),
                 role("ma", "t", 3, 1, {3, -infinite, 3}), role("mb", "t", 3, 1, {4, 4, -infinite}),
                 result("y", "t", 1), result("l", "t", 1), result("m", "t", 1)},
                " %at = tile.load %av[%c0] : $view<f32, 1> -> $tile<3x1xf32>\n"
                " %bt = tile.load %bv[%c0] : $view<f32, 1> -> $tile<3x1xf32>\n"
                " %m0 = tile.load %mav[%c0] : $view<f32, 1> -> $tile<3xf32>\n"
                " %m1 = tile.load %mbv[%c0] : $view<f32, 1> -> $tile<3xf32>\n"
                " %one = tile.splat 1.0 : $tile<3xf32>\n"
                " %mt, %lt, %acc = tile.merge (%m0, %one, %at), (%m1, %one, %bt) : $tile<3xf32>, $tile<3x1xf32>\n"
                " tile.store %acc, %yv[%c0] : $tile<3x1xf32>, $view<f32, 1>\n"
                " tile.store %lt, %lv[%c0] : $tile<3xf32>, $view<f32, 1>\n"
                " tile.store %mt, %mv[%c0] : $tile<3xf32>, $view<f32, 1>\n");
  REQUIRE(r.error == "");
  CHECK(r["y"].data == Data{10.5, 30, 5});
  CHECK(r["l"].data == Data{1.5, 1, 1});
  CHECK(r["m"].data == Data{4, 4, 3});
}

TEST_CASE("scalars: integers are exact and wrap, floats do not round") {
  auto number = [](const std::string &lines) {
    Result r = runKernel({role("a", "t", 1, 1, {7}), result("y", "t", 1)},
                         " %at = tile.load %av[%c0] : $view<f32, 1> -> $tile<1xf32>\n"
                         " %y = tile.map (%e = %at) : $tile<1xf32> -> $tile<1xf32> {\n" +
                             lines +
                             "   sattn_tile.yield %n : f32\n }\n"
                             " tile.store %y, %yv[%c0] : $tile<1xf32>, $view<f32, 1>\n");
    CHECK(r.error == "");
    return r["y"].data[0];
  };
  auto integer = [&](const std::string &type, const std::string &a, const std::string &b, const std::string &op) {
    return number(
        " %p = arith.constant " + a + " : " + type + "\n %q = arith.constant " + b + " : " + type + "\n %r = arith." +
        op + " %p, %q : " + type + "\n" +
        (type == "i32" ? " %w = arith.extsi %r : i32 to i64\n" : " %w = arith.index_cast %r : index to i64\n") +
        " %n = arith.sitofp %w : i64 to f32\n");
  };
  CHECK(integer("index", "-7", "2", "floordivsi") == -4);
  CHECK(integer("index", "-7", "2", "ceildivsi") == -3);
  CHECK(integer("index", "-7", "2", "divsi") == -3);
  CHECK(integer("index", "-7", "2", "remsi") == -1);
  CHECK(integer("index", "-7", "1", "shrsi") == -4);
  CHECK(integer("index", "6", "3", "andi") == 2);
  CHECK(integer("index", "6", "3", "ori") == 7);
  CHECK(integer("index", "6", "3", "xori") == 5);
  CHECK(integer("index", "6", "3", "shli") == 48);
  CHECK(integer("index", "-1", "3", "minsi") == -1);
  CHECK(integer("index", "-1", "3", "minui") == 3);
  CHECK(integer("index", "-1", "3", "maxsi") == 3);
  CHECK(integer("index", "-1", "62", "shrui") == 3);
  CHECK(integer("i32", "2147483647", "1", "addi") == -2147483648.0);
  CHECK(integer("i32", "-2147483648", "-1", "divsi") == -2147483648.0);
  CHECK(integer("i32", "65536", "65536", "muli") == 0);
  CHECK(integer("i32", "-1", "1", "shrui") == 2147483647);
  CHECK(number(" %n = arith.constant 0.1 : f32\n") == static_cast<double>(0.1f));
  CHECK(number(" %p = arith.constant 2.5 : f32\n %n = math.roundeven %p : f32\n") == 2);
  CHECK(number(" %p = arith.constant -2.5 : f32\n %n = math.floor %p : f32\n") == -3);
  CHECK(number(" %p = arith.constant 3.0 : f32\n %n = math.exp2 %p : f32\n") == 8);
  CHECK(number(" %p = arith.constant 8.0 : f32\n %n = math.log2 %p : f32\n") == 3);
  CHECK(number(" %p = arith.constant 4.0 : f32\n %n = math.rsqrt %p : f32\n") == 0.5);
  CHECK(number(" %p = arith.constant 4.0 : f32\n %n = math.sqrt %p : f32\n") == 2);
  CHECK(number(" %p = arith.constant 4.0 : f32\n %n = math.fma %p, %p, %p : f32\n") == 20);
  CHECK(number(" %p = arith.constant 1.0 : f32\n %n = math.tanh %p : f32\n") == Approx(std::tanh(1.0)));
  CHECK(number(" %p = arith.constant -1.5 : f32\n %q = arith.fptosi %p : f32 to i32\n %n = arith.sitofp %q : i32 to "
               "f32\n") == -1);
}

TEST_CASE("ops without an interpretation are refused by name") {
  Result r = runKernel({role("a", "t", 1, 1, {7}), result("y", "t", 1)},
                       " %z = arith.divsi %c1, %c0 : index\n"
                       " %at = tile.load %av[%z] : $view<f32, 1> -> $tile<1xf32>\n"
                       " tile.store %at, %yv[%z] : $tile<1xf32>, $view<f32, 1>\n");
  CHECK(r.error == "'arith.divsi' has no float64 interpretation, or divides by 0");
}

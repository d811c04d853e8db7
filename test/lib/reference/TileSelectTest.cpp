// Selections of the tile interpreter: pooling with halos, running top-k, inverted lists.
#include <doctest/doctest.h>
#include "TileTest.h"

using namespace sattn;
using namespace sattn::ref;
using Data = std::vector<double>;

TEST_CASE("pool: strided weighted sums over the halo and the tile") {
  Result r = runKernel(
      {role("a", "t", 1, 4, {1, 2, 3, 4}), role("b", "t", 1, 1, {10}), result("y", "t", 2), result("z", "t", 1)},
      " %at = tile.load %av[%c0] : $view<f32, 4> -> $tile<1x4xf32>\n"
      " %bt = tile.load %bv[%c0] : $view<f32, 1> -> $tile<1x1xf32>\n"
      " %y, %h = tile.pool %at, %bt weights [1.0, 2.0, 1.0] stride 2 : $tile<1x4xf32>, $tile<1x1xf32> "
      "-> $tile<1x2xf32>\n"
      " tile.store %y, %yv[%c0] : $tile<1x2xf32>, $view<f32, 2>\n"
      " tile.store %h, %zv[%c0] : $tile<1x1xf32>, $view<f32, 1>\n");
  REQUIRE(r.error == "");
  CHECK(r["y"].data == Data{10 + 2 * 1 + 2, 2 + 2 * 3 + 4});
  CHECK(r["z"].data == Data{4});
}

/// The two best of two rows of scores, pushed as columns 0 to 2 and then once more as 3 to 5.
static Result best(Data scores, const std::string &forced = "[]", const std::string &symbols = "") {
  return runKernel({role("a", "t", 2, 3, std::move(scores)), result("i", "t", 2, "i32"), result("s", "t", 2)},
                   " %at = tile.load %av[%c0] : $view<f32, 3> -> $tile<2x3xf32>\n"
                   " %t0 = tile.top_init : $top<2x2>\n"
                   " %t1 = tile.top_push %t0, %at ids(%c0) rows(%c4) symbols(" +
                       symbols + ") {forced = " + forced +
                       ", row_map = affine_map<(r) -> (r)>} : $top<2x2>, $tile<2x3xf32>\n"
                       " %t2 = tile.top_push %t1, %at ids(%c3) rows(%c4) symbols(" +
                       symbols + ") {forced = " + forced +
                       ", row_map = affine_map<(r) -> (r)>} : $top<2x2>, $tile<2x3xf32>\n"
                       " %ids, %sc = tile.top_list %t2 : $top<2x2> -> $tile<2x2xi32>, $tile<2x2xf32>\n"
                       " tile.store %ids, %iv[%c0] : $tile<2x2xi32>, $view<i32, 2>\n"
                       " tile.store %sc, %sv[%c0] : $tile<2x2xf32>, $view<f32, 2>\n");
}

TEST_CASE("running top-k: higher scores, then lower ids; NaN and -inf never enter") {
  Result r = best({1, 5, 3, -infinite, notANumber, 2});
  REQUIRE(r.error == "");
  CHECK(r["i"].data == Data{1, 4, 2, 5});
  CHECK(r["s"].data == Data{5, 5, 2, 2});
  CHECK(best({4, 4, 4, 0, 1, 2})["i"].data == Data{0, 1, 2, 5});
  r = best({-infinite, -infinite, notANumber, notANumber, 7, -infinite});
  CHECK(r["i"].data == Data{-1, -1, 1, 4});
  CHECK(r["s"].data[0] == -infinite);
}

TEST_CASE("forced columns rank above all and count inside k") {
  // Rows stand at 4 and 5: column t - 4 is forced, and every column from 5 on.
  Result r =
      best({1, 5, 3, 1, 5, 3}, "[affine_set<(t, c) : (t - c - 4 == 0)>, affine_set<(t, c)[w] : (c - w >= 0)>]", "%c4");
  CHECK(r.error != ""); // sets take the same symbols
  r = best({1, 5, 3, 1, 5, 3}, "[affine_set<(t, c)[w] : (t - c - w == 0)>, affine_set<(t, c)[w] : (c - w - 1 >= 0)>]",
           "%c4");
  REQUIRE(r.error == "");
  CHECK(r["i"].data == Data{0, 5, 1, 5});
  CHECK(r["s"].data == Data{1, 3, 5, 3});
  // Row 0 is forced to take its NaN, which ranks as -inf; a forced -inf is what a mask made and does not enter.
  r = best({notANumber, 5, 3, -infinite, 5, 3}, "[affine_set<(t, c)[w] : (t - c - w == 0)>]", "%c4");
  REQUIRE(r.error == "");
  CHECK(r["i"].data == Data{0, 1, 1, 4});
  CHECK(r["s"].data == Data{-infinite, 5, 5, 5});
}

TEST_CASE("a mass keeps the first ranks, forced ones whatever they add") {
  // Row 0 stands at 4: its column 4 - 4 is forced. Row 1 has its column 1 forced.
  auto upTo = [](const std::string &mass, Data scores) {
    Result r = runKernel({role("a", "t", 2, 4, std::move(scores)), result("i", "t", 3, "i32"), result("s", "t", 3)},
                         " %at = tile.load %av[%c0] : $view<f32, 4> -> $tile<2x4xf32>\n"
                         " %t0 = tile.top_init : $top<2x3>\n"
                         " %t1 = tile.top_push %t0, %at ids(%c0) rows(%c4) symbols() {forced = [affine_set<(t, c) : "
                         "(t - c - 4 == 0)>], row_map = affine_map<(r) -> (r)>} : $top<2x3>, $tile<2x4xf32>\n"
                         " %mass = arith.constant " +
                             mass +
                             " : f32\n"
                             " %t2 = tile.top_mass %t1 to(%mass) : $top<2x3>\n"
                             " %ids, %sc = tile.top_list %t2 : $top<2x3> -> $tile<2x3xi32>, $tile<2x3xf32>\n"
                             " tile.store %ids, %iv[%c0] : $tile<2x3xi32>, $view<i32, 3>\n"
                             " tile.store %sc, %sv[%c0] : $tile<2x3xf32>, $view<f32, 3>\n");
    REQUIRE(r.error == "");
    return r;
  };
  Data scores{0.125, 0.25, 0.5, 0.125, 0.5, notANumber, 0.25, 0.25};
  CHECK(upTo("0.0", scores)["i"].data == Data{0, -1, -1, 1, -1, -1});
  CHECK(upTo("0.125", scores)["i"].data == Data{0, -1, -1, 0, 1, -1});
  CHECK(upTo("0.5", scores)["i"].data == Data{0, 2, -1, 0, 1, -1});
  CHECK(upTo("0.7", scores)["i"].data == Data{0, 1, 2, 0, 1, 2});
  CHECK(upTo("0.5", scores)["s"].data == Data{0.125, 0.5, -infinite, 0.5, -infinite, -infinite});
}

TEST_CASE("the best of a row in memory: an ascending list, -1 behind it") {
  auto list = [](Data scores, const std::string &from, const std::string &forced) {
    return runKernel({role("a", "t", 2, 16, std::move(scores)), result("i", "t", 1, "i32")},
                     " tile.top_row %av[" + from + " to %c2] count(%c3) rows(%c4) symbols() into %iv {forced = [" +
                         forced + "]} : $view<f32, 16>, $view<i32, 1>\n");
  };
  Data scores(32, 0.0);
  scores[3] = scores[20] = scores[21] = 2;
  scores[30] = notANumber;
  scores[31] = -infinite;
  // A result has as many positions as the call has rows; a list is cut there.
  REQUIRE(list(scores, "%c0", "").error == "");
  CHECK(list(scores, "%c0", "")["i"].data == Data{3, 20});
  CHECK(list(scores, "%c1", "")["i"].data == Data{16, 20});
  CHECK(list(scores, "%c1", "affine_set<(t, i) : (i - t * 7 - 2 >= 0)>")["i"].data == Data{20, 21});
  CHECK(list(Data(32, -infinite), "%c0", "")["i"].data == Data{-1, -1});
}

TEST_CASE("the ids of a list as bits of words, in the order of the ids") {
  auto words = [](const std::string &position, int64_t per) {
    return runKernel({role("a", "t", 2, 4, {0, 2, 4, -1, 1, 1, 5, 7}, "i32"), result("w", "t", 1, "i32")},
                     " tile.members %av[" + position + "] per " + std::to_string(per) +
                         " into %wv : $view<i32, 4>, $view<i32, 1>\n");
  };
  REQUIRE(words("%c0", 4).error == "");
  CHECK(words("%c0", 4)["w"].data == Data{1 + 4, 1});
  CHECK(words("%c1", 4)["w"].data == Data{2, 2 + 8});
  CHECK(words("%c0", 2)["w"].data == Data{1, 1}); // 4 is beyond two words of two
  CHECK(words("%c2", 4)["w"].data == Data{0, 0}); // no such list
}

TEST_CASE("inverted lists: units ascend, members come in groups, with their slots") {
  // Lists of three positions; private counters sum 100 * unit + 10 * member slot for each member.
  Result r = runKernel(
      {role("a", "t", 3, 2, {4, 1, 1, -1, 9, 4}, "i32"), result("y", "t", 1)},
      " %acc = tile.private 3 : $view<f32, 1>\n"
      " %zero = arith.constant 0.0 : f32\n"
      " sattn_tile.fill %zero, %acc : $view<f32, 1>\n"
      " %nine = arith.constant 9 : index\n"
      " %inv = tile.invert %av[%c0] count 3 units(%nine) : $view<i32, 2>\n"
      " sattn_tile.stream_inverse (%u, %members, %slots) in %inv members 2 {\n"
      "   %old = tile.gather %acc[%c0 + %members] : $view<f32, 1>, $tile<2xi32> -> $tile<2xf32>\n"
      "   %ui = arith.index_cast %u : index to i32\n"
      "   %new = tile.map (%o = %old, %s = %slots, %i = %ui) : $tile<2xf32>, $tile<2xi32>, i32 -> $tile<2xf32> {\n"
      "     %h = arith.constant 100.0 : f32\n     %t = arith.constant 10.0 : f32\n"
      "     %uf = arith.sitofp %i : i32 to f32\n     %sf = arith.sitofp %s : i32 to f32\n"
      "     %p = arith.mulf %uf, %h : f32\n     %q = arith.mulf %sf, %t : f32\n"
      "     %r = arith.addf %p, %q : f32\n     %n = arith.addf %o, %r : f32\n"
      "     sattn_tile.yield %n : f32\n   }\n"
      "   sattn_tile.scatter %new, %acc[%c0 + %members] : $tile<2xf32>, $view<f32, 1>, $tile<2xi32>\n"
      " }\n"
      " %sum = tile.load %acc[%c0] : $view<f32, 1> -> $tile<3xf32>\n"
      " tile.store %sum, %yv[%c0] : $tile<3xf32>, $view<f32, 1>\n");
  REQUIRE(r.error == "");
  CHECK(r["y"].data == Data{400 + 110, 100, 410}); // unit 9 is beyond the 9 units
}

TEST_CASE("lists in any order, repeated, as flags, compressed") {
  // The units of one list in the order in which they are visited, as digits.
  auto digits = [](const Data &entries, const Data &starts, const std::string &invert) {
    Result r =
        runKernel({role("a", "t", 2, 4, entries, "i32"), role("b", "t", 2, 1, starts, "i32"), result("y", "t", 1)},
                  " %acc = tile.private 1 : $view<f32, 1>\n"
                  " %zero = arith.constant 0.0 : f32\n"
                  " sattn_tile.fill %zero, %acc : $view<f32, 1>\n"
                  " %nine = arith.constant 9 : index\n"
                  " %inv = tile.invert " +
                      invert +
                      "\n"
                      " sattn_tile.stream_inverse (%u, %members, %slots) in %inv members 1 {\n"
                      "   %old = tile.load %acc[%c0] : $view<f32, 1> -> $tile<1xf32>\n"
                      "   %ui = arith.index_cast %u : index to i32\n"
                      "   %new = tile.map (%o = %old, %i = %ui) : $tile<1xf32>, i32 -> $tile<1xf32> {\n"
                      "     %t = arith.constant 10.0 : f32\n     %uf = arith.sitofp %i : i32 to f32\n"
                      "     %p = arith.mulf %o, %t : f32\n     %n = arith.addf %p, %uf : f32\n"
                      "     sattn_tile.yield %n : f32\n   }\n"
                      "   sattn_tile.store %new, %acc[%c0] : $tile<1xf32>, $view<f32, 1>\n"
                      " }\n"
                      " %sum = tile.load %acc[%c0] : $view<f32, 1> -> $tile<1xf32>\n"
                      " tile.store %sum, %yv[%c0] : $tile<1xf32>, $view<f32, 1>\n");
    REQUIRE(r.error == "");
    return r["y"].data[0];
  };
  std::string one = " count 1 units(%nine)", lists = " : $view<i32, 4>", both = " : $view<i32, 4>, $view<i32, 1>";
  CHECK(digits({7, 2, 7, 9, 0, 0, 0, 0}, {0, 0}, "%av[%c0]" + one + " unordered" + lists) == 27);
  CHECK(digits({7, 2, 3, 1, 0, 0, 0, 0}, {0, 0}, "%av[%c0]" + one + " base %c2 unordered" + lists) == 15);
  CHECK(digits({0, 5, 0, -1, 0, 0, 0, 0}, {0, 0}, "%av[%c0]" + one + " unordered flags" + lists) == 13);
  CHECK(digits({7, 2, 3, 1, 0, 0, 0, 0}, {1, 3}, "%av[%c0] starts %bv" + one + " unordered" + both) == 23);
  CHECK(digits({7, 2, 3, 1, 0, 0, 0, 0}, {1, 3}, "%av[%c1] starts %bv" + one + " unordered" + both) == 1);
  CHECK(digits({7, 2, 3, 1, 0, 0, 0, 0}, {-4, 99}, "%av[%c0] starts %bv" + one + " unordered" + both) == 1237);
  CHECK(digits({7, 2, 3, 1, 0, 0, 0, 0}, {3, 2}, "%av[%c0] starts %bv" + one + " unordered" + both) == 0);
}

// Memory of the tile interpreter: views, limits, groups of heads, lists, private memory; what does not exist is NaN.
#include <doctest/doctest.h>
#include "TileTest.h"
#include <cmath>

using namespace sattn;
using namespace sattn::ref;
using Data = std::vector<double>;

/// The numbers with -99 for NaN.
static Data shown(Data data) {
  for (double &x : data)
    if (std::isnan(x))
      x = -99;
  return data;
}

TEST_CASE("rows outside a view are dead when loaded and dropped when stored") {
  std::string body = " %lim = tile.slice %ao[%c0, %c0] limit %c2 : $arg<f32, 1> -> $view<f32, 1>\n"
                     " %at = tile.load %lim[%c1] : $view<f32, 1> -> $tile<4xf32>\n"
                     " tile.store %at, %yv[%c0] : $tile<4xf32>, $view<f32, 1>\n";
  std::vector<TestOperand> operands{role("a", "t", 3, 1, {1, 2, 3}), result("y", "t", 1)};
  CHECK(shown(runKernel(operands, body)["y"].data) == Data{2, -99, -99});
  CHECK(runKernel(operands, body, {false})["y"].data == Data{2, 0, 0});
  // What the body does not write stays unwritten.
  body = " %at = tile.load %av[%c0] : $view<f32, 1> -> $tile<2xf32>\n"
         " tile.store %at, %yv[%c2] : $tile<2xf32>, $view<f32, 1>\n";
  CHECK(shown(runKernel(operands, body, {false})["y"].data) == Data{-99, -99, 1});
}

TEST_CASE("groups of heads: heads fastest, or slowest with outer") {
  auto loaded = [](const std::string &outer) {
    TestOperand a{"a", "\"t\", \"h\"", "f32", 1, array({1, 3, 4}, {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23})};
    TestOperand y{"y", "\"t\", \"1\"", "f32", 1, std::nullopt};
    TestOperand b{"b", "\"s\"", "f32", 1, array({1, 4}, {0, 0, 0, 0})};
    y.axes = "\"s\"";
    return runKernel({a, b, y}, " %g = tile.slice %ao[%c0, %c1] : $arg<f32, 1> -> $view<f32, 1, group = 2" + outer +
                                    ">\n %bt = tile.load %bv[%c0] : $view<f32, 1> -> $tile<1xf32>\n"
                                    " %at = tile.load %g[%c1] : $view<f32, 1, group = 2" +
                                    outer +
                                    "> -> $tile<4xf32>\n tile.store %at, %yv[%c0] : $tile<4xf32>, $view<f32, 1>\n");
  };
  Result r = loaded("");
  REQUIRE(r.error == "");
  CHECK(r["y"].data == Data{12, 13, 22, 23});
  CHECK(loaded(", outer")["y"].data == Data{12, 22, 13, 23});
}

TEST_CASE("listed rows are gathered and scattered; -1 and rows outside are dead") {
  std::string body = " %ids = tile.load %iv[%c0] : $view<i32, 1> -> $tile<4xi32>\n"
                     " %at = tile.gather %av[%c1 + %ids] : $view<f32, 2>, $tile<4xi32> -> $tile<4x2xf32>\n"
                     " tile.scatter %at, %yv[%c0 + %ids] : $tile<4x2xf32>, $view<f32, 2>, $tile<4xi32>\n";
  Result r = runKernel({role("a", "t", 4, 2, {0, 1, 10, 11, 20, 21, 30, 31}),
                        role("i", "s", 4, 1, {2, -1, 0, 3}, "i32"), result("y", "t", 2)},
                       body);
  REQUIRE(r.error == "");
  CHECK(shown(r["y"].data) == Data{10, 11, -99, -99, 30, 31, -99, -99}); // position 4 does not exist
}

TEST_CASE("gather_at reads one element of each listed row") {
  Result r = runKernel({role("a", "t", 3, 2, {1, 2, 3, 4, 5, 6}), role("i", "s", 4, 1, {2, 0, -1, 1}, "i32"),
                        role("j", "s", 4, 1, {1, 0, 0, -1}, "i32"), result("y", "s", 1)},
                       " %ids = tile.load %iv[%c0] : $view<i32, 1> -> $tile<4xi32>\n"
                       " %slots = tile.load %jv[%c0] : $view<i32, 1> -> $tile<4xi32>\n"
                       " %at = tile.gather_at %av[%c0 + %ids, %slots] : $view<f32, 2>, $tile<4xi32>, $tile<4xi32> -> "
                       "$tile<4xf32>\n"
                       " tile.store %at, %yv[%c0] : $tile<4xf32>, $view<f32, 1>\n");
  REQUIRE(r.error == "");
  CHECK(shown(r["y"].data) == Data{6, 1, -99, -99});
}

TEST_CASE("gather_at repeats a number for heads that share it") {
  Result r =
      runKernel({role("a", "t", 2, 2, {1, 2, 3, 4}), role("i", "s", 4, 1, {1, 0, 0, 0}, "i32"), result("y", "s", 1)},
                " %ids = tile.load %iv[%c0] : $view<i32, 1> -> $tile<2xi32>\n"
                " %at = tile.gather_at %av[%c0 + %ids, %ids] : $view<f32, 2>, $tile<2xi32>, $tile<2xi32> -> "
                "$tile<4xf32>\n"
                " tile.store %at, %yv[%c0] : $tile<4xf32>, $view<f32, 1>\n");
  REQUIRE(r.error == "");
  CHECK(r["y"].data == Data{4, 4, 1, 1});
}

TEST_CASE("entry reads one element as a scalar") {
  std::string body = " %at = tile.entry %iv[%c1, %c0] : $view<i32, 1> -> index\n"
                     " %weight = tile.entry %av[%at, %c1] : $view<f32, 2> -> f32\n"
                     " %rows = sattn_tile.splat 1.0 : $tile<3xf32>\n"
                     " %sum = tile.map (%x0 = %rows, %w = %weight) : $tile<3xf32>, f32 -> $tile<3xf32> {\n"
                     "   %both = arith.addf %x0, %w : f32\n"
                     "   sattn_tile.yield %both : f32\n }\n"
                     " tile.store %sum, %yv[%c0] : $tile<3xf32>, $view<f32, 1>\n";
  Result r = runKernel(
      {role("a", "t", 3, 2, {1, 2, 3, 4, 5, 6}), role("i", "s", 3, 1, {0, 2, 1}, "i32"), result("y", "s", 1)}, body);
  REQUIRE(r.error == "");
  CHECK(r["y"].data == Data{7, 7, 7});
  Result outside =
      runKernel({role("a", "t", 1, 2, {1, 2}), role("i", "s", 3, 1, {0, 2, 1}, "i32"), result("y", "s", 1)}, body);
  CHECK(outside.error == "entry 1 of position 2 does not exist");
}

TEST_CASE("private memory is filled up to a position") {
  std::string body = " %p = tile.private 3 : $view<f32, 1>\n"
                     " %f = arith.constant 4.0 : f32\n"
                     " sattn_tile.fill %f, %p to %c2 : $view<f32, 1>\n"
                     " %at = tile.load %p[%c0] : $view<f32, 1> -> $tile<3xf32>\n"
                     " tile.store %at, %yv[%c0] : $tile<3xf32>, $view<f32, 1>\n";
  CHECK(shown(runKernel({role("a", "t", 3, 1, {1, 2, 3}), result("y", "t", 1)}, body)["y"].data) == Data{4, 4, -99});
}

TEST_CASE("a slice of every third position") {
  std::string body = " %third = tile.slice %ao[%c0, %c0] limit %n every 3 from %c1 : $arg<f32, 1> -> $view<f32, 1>\n"
                     " %at = tile.load %third[%c0] : $view<f32, 1> -> $tile<3xf32>\n"
                     " tile.store %at, %yv[%c0] : $tile<3xf32>, $view<f32, 1>\n";
  auto loaded = [&](const std::string &limit) {
    return shown(runKernel({role("a", "t", 8, 1, {0, 1, 2, 3, 4, 5, 6, 7}), result("y", "t", 1)},
                           " %n = arith.constant " + limit + " : index\n" + body)["y"]
                     .data);
  };
  CHECK(loaded("8") == Data{1, 4, 7, -99, -99, -99, -99, -99});
  CHECK(loaded("7") == Data{1, 4, -99, -99, -99, -99, -99, -99});
  CHECK(loaded("1") == Data{-99, -99, -99, -99, -99, -99, -99, -99});
}

TEST_CASE("positions as the columns of one row, and one position for all") {
  Result r = runKernel({role("a", "t", 4, 2, {1, 2, 3, 4, 5, 6, 7, 8}), role("b", "s", 1, 1, {9}), result("y", "t", 3)},
                       " %second = tile.slice %ao[%c0, %c0] column 1 : $arg<f32, 2> -> $view<f32, 1>\n"
                       " %one = tile.slice %bo[%c0, %c0] repeat : $arg<f32, 1> -> $view<f32, 1>\n"
                       " %row = tile.load %second[%c2] : $view<f32, 1> -> $tile<1x3xf32>\n"
                       " %nine = tile.load %one[%c2] : $view<f32, 1> -> $tile<2xf32>\n"
                       " %sum = tile.map (%p = %row, %q = %nine) : $tile<1x3xf32>, $tile<2xf32> -> $tile<2x3xf32> {\n"
                       "   %s = arith.addf %p, %q : f32\n   sattn_tile.yield %s : f32\n }\n"
                       " tile.store %sum, %yv[%c0] : $tile<2x3xf32>, $view<f32, 3>\n",
                       {false});
  REQUIRE(r.error == "");
  CHECK(shown(r["y"].data) == Data{15, 17, 9, 15, 17, 9, -99, -99, -99, -99, -99, -99});
}

TEST_CASE("a slice of some columns") {
  Result r = runKernel({role("a", "t", 2, 3, {1, 2, 3, 4, 5, 6}), result("y", "t", 3)},
                       " %some = tile.slice %ao[%c0, %c0] column 1 : $arg<f32, 3> -> $view<f32, 2>\n"
                       " %into = tile.slice %yo[%c0, %c0] column 0 : $arg<f32, 3> -> $view<f32, 2>\n"
                       " %at = tile.load %some[%c0] : $view<f32, 2> -> $tile<2x2xf32>\n"
                       " tile.store %at, %into[%c0] : $tile<2x2xf32>, $view<f32, 2>\n");
  REQUIRE(r.error == "");
  CHECK(shown(r["y"].data) == Data{2, 3, -99, 5, 6, -99});
}

TEST_CASE("means, sums and extremes of blocks, complete or ragged") {
  auto means = [](const std::string &op) {
    return runKernel({role("a", "t", 5, 1, {1, 3, 5, 7, 10}), result("y", "t", 1)},
                     " %m = tile.load_blocks " + op +
                         " : $view<f32, 1> -> $tile<3xf32>\n"
                         " tile.store %m, %yv[%c0] : $tile<3xf32>, $view<f32, 1>\n")["y"]
        .data;
  };
  CHECK(shown(means("mean %av[%c0] blocks(2, 2)")) == Data{2, 6, 0, -99, -99});
  CHECK(shown(means("mean %av[%c0] blocks(2, 2) ragged")) == Data{2, 6, 10, -99, -99});
  CHECK(shown(means("sum %av[%c1] blocks(3, 1)")) == Data{15, 22, 0, -99, -99});
  CHECK(shown(means("max %av[%c0] blocks(2, 2) ragged")) == Data{3, 7, 10, -99, -99});
  CHECK(shown(means("min %av[%c1] blocks(2, 2)")) == Data{5, 0, 0, -99, -99});
  Result r =
      runKernel({role("a", "t", 3, 1, {-INFINITY, 2, INFINITY}), result("y", "t", 1)},
                " %m = tile.load_blocks max %av[%c0] blocks(2, 2) ragged finite : $view<f32, 1> -> $tile<2xf32>\n"
                " %n = tile.load_blocks min %av[%c0] blocks(1, 1) finite : $view<f32, 1> -> $tile<1xf32>\n"
                " tile.store %m, %yv[%c0] : $tile<2xf32>, $view<f32, 1>\n"
                " tile.store %n, %yv[%c2] : $tile<1xf32>, $view<f32, 1>\n");
  REQUIRE(r.error == "");
  CHECK(shown(r["y"].data) == Data{2, 0x1p126, -0x1p126});
}

TEST_CASE("private memory holds NaN until it is filled or written") {
  std::string body = " %p = tile.private 2 : $view<f32, 1>\n"
                     " %a0 = tile.load %p[%c0] : $view<f32, 1> -> $tile<2xf32>\n"
                     " %f = arith.constant 4.0 : f32\n"
                     " sattn_tile.fill %f, %p : $view<f32, 1>\n"
                     " %at = tile.load %av[%c0] : $view<f32, 1> -> $tile<1xf32>\n"
                     " tile.store %at, %p[%c1] : $tile<1xf32>, $view<f32, 1>\n"
                     " %a1 = tile.load %p[%c0] : $view<f32, 1> -> $tile<2xf32>\n"
                     " tile.store %a0, %yv[%c0] : $tile<2xf32>, $view<f32, 1>\n"
                     " tile.store %a1, %yv[%c2] : $tile<2xf32>, $view<f32, 1>\n";
  Result r = runKernel({role("a", "t", 4, 1, {7, 0, 0, 0}), result("y", "t", 1)}, body);
  REQUIRE(r.error == "");
  CHECK(shown(r["y"].data) == Data{-99, -99, 4, 7});
}

TEST_CASE("counts, loops, conditions and affine arithmetic") {
  Result r = runKernel({role("a", "t", 4, 1, {1, 2, 3, 4}), result("y", "t", 1)},
                       " %n = tile.count positions of %ao : $arg<f32, 1>\n"
                       " %last = affine.apply affine_map<(d)[s] -> (d - s)>(%n)[%c1]\n"
                       " %low = affine.min affine_map<(d) -> (d, 2)>(%last)\n"
                       " %z = tile.splat 0.0 : $tile<1xf32>\n"
                       " %sum = scf.for %i = %c0 to %n step %c2 iter_args(%s = %z) -> ($tile<1xf32>) {\n"
                       "   %e = tile.load %av[%i] : $view<f32, 1> -> $tile<1xf32>\n"
                       "   %first = arith.cmpi eq, %i, %c0 : index\n"
                       "   %t = scf.if %first -> ($tile<1xf32>) {\n"
                       "     scf.yield %e : $tile<1xf32>\n"
                       "   } else {\n"
                       "     %d = tile.map (%u = %e, %v = %s) : $tile<1xf32>, $tile<1xf32> -> $tile<1xf32> {\n"
                       "       %w = arith.addf %u, %v : f32\n       sattn_tile.yield %w : f32\n     }\n"
                       "     scf.yield %d : $tile<1xf32>\n"
                       "   }\n"
                       "   scf.yield %t : $tile<1xf32>\n"
                       " }\n"
                       " tile.store %sum, %yv[%low] : $tile<1xf32>, $view<f32, 1>\n");
  REQUIRE(r.error == "");
  CHECK(shown(r["y"].data) == Data{-99, -99, 4, -99}); // 1 + 3, stored at min(4 - 1, 2)
}

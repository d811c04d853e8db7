// Key sets: which keys a row sees, on sizes small enough to list them.
#include "lib/support/RandomBlocks.h"
#include <doctest/doctest.h>
#include "OracleTest.h"

using namespace sattn;
using namespace sattn::ref;
using Ids = std::vector<int64_t>;

TEST_CASE("a window and sinks") {
  Result r = run(attendOver("W: int = 2, S: int = 1", "  %keys = sattn.set (t, s) : s <= t and (t - s < W or s < S)\n"),
                 showKeys(5, 5));
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 0) == Ids{0});
  CHECK(seen(r["o"], 1) == Ids{0, 1});
  CHECK(seen(r["o"], 4) == Ids{0, 3, 4});
}

TEST_CASE("params override defaults") {
  Call call = showKeys(5, 5);
  call.params["W"] = 3;
  Result r = run(attendOver("W: int = 2", "  %keys = sattn.set (t, s) : 0 <= t - s < W\n"), call);
  CHECK(seen(r["o"], 4) == Ids{2, 3, 4});
}

TEST_CASE("floordiv and mod of positions, also of negative differences") {
  Result r = run(attendOver("", "  %keys = sattn.set (t, s) : (t - s) mod 3 == 1\n"), showKeys(4, 6));
  CHECK(seen(r["o"], 0) == Ids{2, 5}); // 0 - 2 = -2 = 1 mod 3
  CHECK(seen(r["o"], 3) == Ids{2, 5});
  r = run(attendOver("", "  %keys = sattn.set (t, s) : (t - s) floordiv 2 == -1\n"), showKeys(4, 6));
  CHECK(seen(r["o"], 1) == Ids{2, 3}); // -1 and -2
}

TEST_CASE("every key, and the size of the keys") {
  CHECK(seen(run(attendOver("", "  %keys = sattn.set (t, s) : all\n"), showKeys(2, 3))["o"], 0) == Ids{0, 1, 2});
  CHECK(seen(run(attendOver("", "  %keys = sattn.set (t, s) : size(s) - 2 <= s\n"), showKeys(2, 5))["o"], 0) ==
        Ids{3, 4});
}

TEST_CASE("blocks become their tokens, causality is not added") {
  const char *lines = "  %b = sattn.set (t, c(2)) : first(c) <= t\n"
                      "  %all = sattn.set (t, s) : all\n"
                      "  %keys = sattn.intersect %b, %all\n";
  Result r = run(attendOver("", lines), showKeys(4, 5));
  CHECK(seen(r["o"], 0) == Ids{0, 1});
  CHECK(seen(r["o"], 2) == Ids{0, 1, 2, 3});
}

TEST_CASE("a set over blocks that ends in part of a block") {
  Result r = run(attendOver("", "  %keys = sattn.set (t, c(2)) : last(c) < 100\n"), showKeys(1, 5));
  CHECK(seen(r["o"], 0) == Ids{0, 1, 2, 3, 4});
}

TEST_CASE("sets over blocks of rows hold for each row") {
  const char *lines = "  %b = sattn.set (u(2), c(2)) : c == u\n"
                      "  %all = sattn.set (t, s) : all\n"
                      "  %keys = sattn.intersect %b, %all\n";
  Result r = run(attendOver("", lines), showKeys(5, 6));
  CHECK(seen(r["o"], 1) == Ids{0, 1});
  CHECK(seen(r["o"], 2) == Ids{2, 3});
  CHECK(seen(r["o"], 4) == Ids{4, 5});
}

TEST_CASE("union, intersect and minus") {
  const char *sets = "  %a = sattn.set (t, s) : s < 3\n"
                     "  %b = sattn.set (t, s) : 2 <= s\n"
                     "  %c = sattn.set (t, s) : s == 0\n";
  auto with = [&](const std::string &line) { return run(attendOver("", sets + line), showKeys(1, 5)); };
  CHECK(seen(with("  %d = sattn.union %a, %c\n  %keys = sattn.minus %d, %b\n")["o"], 0) == Ids{0, 1});
  CHECK(seen(with("  %d = sattn.intersect %a, %b\n  %keys = sattn.union %c, %d\n")["o"], 0) == Ids{0, 2});
  CHECK(seen(with("  %keys = sattn.minus %a, %b, %c\n")["o"], 0) == Ids{1});
}

TEST_CASE("tables are opaque terms, indexed by absolute positions") {
  Call call = showKeys(2, 5);
  call.roles["doc"] = array({1, 5}, {0, 0, 1, 1, 1});
  call.qOffset = {2};
  Result r =
      run(attendOver("", "  %keys = sattn.set (t, s) : s <= t and %doc[t] == %doc[s]\n", ", %doc: int[s]"), call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 0) == Ids{2});
  CHECK(seen(r["o"], 1) == Ids{2, 3});
}

TEST_CASE("a table is read only where the rest of its conjunction holds") {
  Call call = showKeys(2, 4);
  call.roles["next"] = array({1, 4}, {1, 0, 1, 1});
  const char *lines = "  %keys = sattn.set (t, s) : s < 3 and %next[s + 1] == 1\n";
  Result r = run(attendOver("", lines, ", %next: int[s]"), call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 0) == Ids{1, 2});
}

TEST_CASE("a table over keys reads 0 where no key stands") {
  Call call = showKeys(2, 4);
  call.qOffset = {2};
  call.kvLen = {3};
  call.roles["doc"] = array({1, 4}, {1, 0, 0, 1});
  Result r = run(attendOver("", "  %keys = sattn.set (t, s) : %doc[t] == %doc[s]\n", ", %doc: int[s]"), call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 0) == Ids{1, 2});
  CHECK(seen(r["o"], 1) == Ids{1, 2}); // row 3 stands at no key, and what its place holds does not count
  call.roles.erase("doc");
  call.roles["next"] = array({1, 4}, {1, 0, 1, 1});
  r = run(attendOver("", "  %keys = sattn.set (t, s) : %next[s + 1] == 1\n", ", %next: int[s]"), call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 0) == Ids{1});
}

TEST_CASE("a table is not read behind its other axes") {
  Call call = showKeys(2, 4);
  call.roles["next"] = array({1, 2}, {1, 0});
  Result r = run(attendOver("", "  %keys = sattn.set (t, s) : %next[t + 1] == s\n", ", %next: int[t]"), call);
  CHECK(r.error == "table is read at 2 of axis 't', which holds 0 to 1");
}

TEST_CASE("listed blocks: -1, blocks beyond the end and repetitions are left out") {
  Call call = showKeys(2, 5);
  call.roles["idx"] = array({1, 2, 1, 3}, {2, -1, 0, 7, 1, 1});
  Result r = run(attendOver("", "  %keys = sattn.listed %idx blocks(2)\n", ", %idx: int[t, g, 3]"), call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 0) == Ids{0, 1, 4});
  CHECK(seen(r["o"], 1) == Ids{2, 3});
}

TEST_CASE("random blocks: as many as asked, the same in each run, others with another seed") {
  auto with = [&](int64_t seed, int64_t count) {
    Call call = showKeys(8, 64);
    call.params["seed"] = static_cast<double>(seed);
    call.params["r"] = static_cast<double>(count);
    return run(attendOver("r: int = 2, seed: int = 1", "  %keys = sattn.random count(r) seed(seed) blocks(4)\n"), call);
  };
  CHECK(seen(with(1, 2)["o"], 0).size() == 8);
  CHECK(seen(with(1, 2)["o"], 0) == seen(with(1, 2)["o"], 3)); // rows of one block share them
  CHECK(seen(with(1, 2)["o"], 0) != seen(with(1, 2)["o"], 4));
  CHECK(seen(with(1, 2)["o"], 0) != seen(with(2, 2)["o"], 0));
  CHECK(seen(with(1, 99)["o"], 0).size() == 64);
  CHECK(randomBlocks(7, 0, 16, 3) == randomBlocks(7, 0, 16, 3));
  CHECK(randomBlocks(7, 0, 16, 16).size() == 16);
}

TEST_CASE("a set that names the head differs for each query head") {
  Call call;
  call.roles["q"] = Array::zeros({1, 1, 2, 1});
  call.roles["k"] = Array::zeros({1, 3, 1, 1});
  call.roles["v"] = oneHot(3);
  Result r = run(attendOver("", "  %keys = sattn.set (t, s) : s <= h\n"), call);
  CHECK(r["o"].at({0, 0, 0, 0}) == 1.0);
  CHECK(r["o"].at({0, 0, 1, 0}) == 0.5);
  CHECK(r["o"].at({0, 0, 1, 1}) == 0.5);
}

TEST_CASE("a table is read by distance, whatever the offsets, and beyond its keys as 0") {
  Call call = showKeys(5, 5);
  call.roles["far"] = array({1, 5}, {1, 0, 1, 0, 0});
  std::string text = attendOver("", "  %keys = sattn.set (t, s) : %far[t - s] == 1\n", ", %far: int[s]");
  for (int64_t offset : {0, 16}) {
    call.qOffset = {offset};
    call.kvOffset = {offset};
    Result r = run(text, call);
    REQUIRE(r.error == "");
    CHECK(seen(r["o"], 1) == std::vector<int64_t>{1});
    CHECK(seen(r["o"], 4) == std::vector<int64_t>{2, 4});
  }
  call.qOffset = {3};
  call.kvOffset = {0};
  CHECK(seen(run(text, call)["o"], 4) == std::vector<int64_t>{}); // distances 3 to 7
}

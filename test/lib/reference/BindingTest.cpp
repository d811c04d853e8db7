// What a wrong call is told: role, axis, both sizes. One case for each message.
#include <doctest/doctest.h>
#include "OracleTest.h"

using namespace sattn;
using namespace sattn::ref;

static std::string errorOf(const std::function<void(Call &)> &change, const std::string &roles = "",
                           const std::string &lines = "  %keys = sattn.set (t, s) : 0 <= t - s < W\n") {
  Call call = showKeys(4, 4);
  change(call);
  return run(attendOver("W: int = 2", lines, roles), call).error;
}

TEST_CASE("roles") {
  CHECK(errorOf([](Call &c) { c.roles.erase("k"); }) == "role 'k' is not given");
  CHECK(errorOf([](Call &c) { c.roles["x"] = array({1}, {0}); }) == "@p has no role 'x'");
  CHECK(errorOf([](Call &c) { c.roles["k"] = Array::zeros({4, 1, 1}); }) ==
        "role 'k' has 3 axes but needs 4, the first of them the batch");
  CHECK(errorOf([](Call &c) { c.roles["k"].data.pop_back(); }) == "role 'k' has 3 elements but its shape needs 4");
  CHECK(errorOf([](Call &c) { c.roles["v"] = Array::zeros({1, 3, 1, 1}); }) ==
        "role 'k' has 4 of 's' but 'v' has 3: axes of one name have one size");
  CHECK(errorOf([](Call &c) { c.roles["v"] = Array::zeros({2, 4, 1, 1}); }) ==
        "role 'q' has 1 of 'batch' but 'v' has 2: axes of one name have one size");
  CHECK(errorOf([](Call &c) { c.roles["k"] = Array::zeros({1, 4, 1, 2}); }) ==
        "role 'q' has 1 of 'D' but 'k' has 2: axes of one name have one size");
  CHECK(errorOf([](Call &c) {
          c.roles["q"] = Array::zeros({1, 4, 3, 1});
          c.roles["k"] = Array::zeros({1, 4, 2, 1});
          c.roles["v"] = Array::zeros({1, 4, 2, 1});
        }) == "2 kv heads do not divide 3 query heads (role 'k', axis 'g')");
  CHECK(errorOf([](Call &c) { c.roles["q"] = Array::zeros({1, 4, 0, 1}); }) == "role 'q' has no heads (axis 'h')");
}

TEST_CASE("params") {
  CHECK(errorOf([](Call &c) { c.params["w"] = 1; }) == "@p has no param 'w'");
  CHECK(errorOf([](Call &c) { c.params["W"] = 1.5; }) == "param 'W' is an int but is given 1.500000e+00");
  Call call = showKeys(1, 1);
  CHECK(run(attendOver("W: int", "  %keys = sattn.set (t, s) : s < W\n"), call).error ==
        "param 'W' has no default: give its value");
}

TEST_CASE("a specialised pattern holds its static params") {
  std::string text = "sattn.pattern @p<W: int = 2>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)\n"
                     "    bind {D = 1 : i64, Dv = 4 : i64, b = 2 : i64, dtype.k = f32, group = 1 : i64} {\n"
                     "  %keys = sattn.set (t, s) : t floordiv 2 == s floordiv 2 and t - s < W\n"
                     "  %z = sattn.score dot %q, %k\n"
                     "  %acc = sattn.accumulate softmax %z over %keys, %v\n"
                     "  %o = sattn.finalize %acc\n"
                     "  sattn.yield %o\n}";
  Call call = showKeys(4, 4);
  Result r = run(text, call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 3) == std::vector<int64_t>{2, 3});
  call.params["b"] = 2;
  CHECK(run(text, call).error == "");
  call.params["b"] = 3;
  CHECK(run(text, call).error == "'b' is 3.000000e+00 but the pattern is specialised for 2.000000e+00");
  call = showKeys(4, 5);
  CHECK(run(text, call).error == "'Dv' is 5.000000e+00 but the pattern is specialised for 4.000000e+00");
}

TEST_CASE("offsets and lengths") {
  CHECK(errorOf([](Call &c) { c.qOffset = {1, 2}; }) == "'q_offset' has 2 numbers for a batch of 1");
  CHECK(errorOf([](Call &c) { c.kvLen = {5}; }) == "'kv_len' is 5, outside 0 to 4");
  CHECK(errorOf([](Call &c) { c.rows = SmallVector<int64_t>{4}; }) == "row 4 is outside the 4 query rows");
}

TEST_CASE("fixed counts") {
  Call call;
  call.roles["o"] = Array::zeros({1, 2, 1, 4});
  call.roles["w"] = Array::zeros({1, 2, 1, 2});
  Result r = run("sattn.pattern @p(%o: [t, h, D], %w: [t, h, 3]) -> (y) {\n"
                 "  %y = sattn.mix %w[t, h, 0] * %o\n  sattn.yield %y\n}",
                 call);
  CHECK(r.error == "role 'w' has 2 of '3' but needs 3");
}

TEST_CASE("block lengths and strides") {
  Call call;
  call.roles["k"] = Array::zeros({1, 8, 1, 1});
  call.params["d"] = 5;
  Result r = run("sattn.pattern @p<static l: int = 4, static d: int = 2>(%k: [s, g, D]) -> (m) {\n"
                 "  %m = sattn.summarize mean %k blocks(l, d)\n  sattn.yield %m\n}",
                 call);
  CHECK(r.error == "blocks 'c(l, d)' have length 4 and stride 5: need 1 <= stride <= length");
}

TEST_CASE("blocks") {
  auto withBlocks = [](int64_t blocks, int64_t offset) {
    return errorOf(
        [=](Call &c) {
          c.roles["m"] = Array::zeros({1, blocks, 1, 1});
          c.kvOffset = {offset};
        },
        ", %m: [c(3), g, D]",
        "  %a = sattn.set (t, c(3)) : first(c) <= t + W\n"
        "  %zm = sattn.score dot %q, %m\n"
        "  %keys = sattn.select top(1) %zm where %a\n");
  };
  CHECK(withBlocks(1, 0) == "");
  CHECK(withBlocks(2, 0) == "");
  CHECK(withBlocks(3, 0) == "role 'm' has 3 of 'c(3)' but 4 positions make 2, 1 of them complete");
  CHECK(withBlocks(1, 4) == "kv_offset 4 is not a multiple of the stride 3 of 'c(3)' (role 'm')");
}

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

TEST_CASE("offsets and lengths") {
  CHECK(errorOf([](Call &c) { c.qOffset = {1, 2}; }) == "'q_offset' has 2 numbers for a batch of 1");
  CHECK(errorOf([](Call &c) { c.kvLen = {5}; }) == "'kv_len' is 5, outside 0 to 4");
  CHECK(errorOf([](Call &c) { c.rows = SmallVector<int64_t>{4}; }) == "row 4 is outside the 4 query rows");
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

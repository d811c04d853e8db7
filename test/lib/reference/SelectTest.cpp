// Selections: the total order on plain numbers, then sattn.select with blocks, forced blocks and thresholds.
#include "lib/reference/Select.h"
#include <doctest/doctest.h>
#include "OracleTest.h"
#include <cmath>

using namespace sattn;
using namespace sattn::ref;
using Ids = std::vector<int64_t>;

static Ids choose(std::vector<double> scores, std::optional<int64_t> n, double above = -infinite, Ids forced = {}) {
  Ids ids;
  for (size_t i = 0; i < scores.size(); ++i)
    ids.push_back(static_cast<int64_t>(i));
  return chooseTop(ids, scores, {n, above}, [&](int64_t id) { return llvm::is_contained(forced, id); });
}

TEST_CASE("higher scores, then lower ids, ascending") {
  CHECK(choose({1, 5, 3, 4}, 2) == Ids{1, 3});
  CHECK(choose({2, 2, 2, 2}, 2) == Ids{0, 1});
  CHECK(choose({0, 2, 1, 2, 2}, 2) == Ids{1, 3});
  CHECK(choose({1, 2}, 5) == Ids{0, 1});
  CHECK(choose({}, 3) == Ids{});
}

TEST_CASE("NaN and -inf are chosen by force only, +inf is") {
  CHECK(choose({notANumber, -infinite, 1}, 3) == Ids{2});
  CHECK(choose({notANumber, 0, infinite}, 1) == Ids{2});
  CHECK(choose({notANumber, 0, 1}, 1, -infinite, {0}) == Ids{0});
  CHECK(choose({2, -infinite, 1}, 2, -infinite, {1}) == Ids{0, 1});
  CHECK(choose({notANumber, 0, 1}, 1, -infinite, {0, 1}) == Ids{1}); // a number is better
  CHECK(choose({notANumber, -infinite, 1}, 1, -infinite, {0, 1}) == Ids{0});
}

TEST_CASE("forced ones rank above all and count inside n") {
  CHECK(choose({9, 8, 0, 7}, 2, -infinite, {2}) == Ids{0, 2});
  CHECK(choose({9, 8, 0, 1}, 2, -infinite, {2, 3, 1}) == Ids{1, 3}); // the best of the forced ones
}

TEST_CASE("a threshold is strict and does not hold back forced ones") {
  CHECK(choose({1, 2, 3}, std::nullopt, 2) == Ids{2});
  CHECK(choose({1, 2, 3}, std::nullopt, 1) == Ids{1, 2});
  CHECK(choose({1, 2, 3}, 1, 0.5, {0}) == Ids{0});
  CHECK(choose({1, 2, 3}, std::nullopt, 2, {0}) == Ids{0, 2});
}

static Ids upTo(double mass, std::vector<double> scores, Ids forced = {}, std::optional<int64_t> n = std::nullopt) {
  Ids ids;
  for (size_t i = 0; i < scores.size(); ++i)
    ids.push_back(static_cast<int64_t>(i));
  return chooseTop(ids, scores, {n, -infinite, mass}, [&](int64_t id) { return llvm::is_contained(forced, id); });
}

TEST_CASE("a mass takes the fewest that reach it, forced ones first and always") {
  std::vector<double> scores{0.125, 0.25, 0.5, 0.125};
  CHECK(upTo(0.5, scores) == Ids{2});
  CHECK(upTo(0.6, scores) == Ids{1, 2});
  CHECK(upTo(0.8, scores) == Ids{0, 1, 2}); // of equal ones the lower id
  CHECK(upTo(0.8, scores, {}, 1) == Ids{2});
  CHECK(upTo(1.5, scores) == Ids{0, 1, 2, 3}); // all together have less
  CHECK(upTo(0.0, scores) == Ids{});
  CHECK(upTo(0.0, scores, {0, 3}) == Ids{0, 3});
  CHECK(upTo(0.2, scores, {0, 3}) == Ids{0, 3});
  CHECK(upTo(0.6, scores, {3}) == Ids{2, 3}); // the forced one counts
  CHECK(upTo(notANumber, scores) == Ids{0, 1, 2, 3});
}

TEST_CASE("a mass is reached by sums that lack less than rounding makes") {
  std::vector<double> tenths(10, 0.1);
  CHECK(upTo(0.9, tenths).size() == 9);
  CHECK(upTo(0.3, tenths).size() == 3); // 0.1 + 0.1 + 0.1 > 0.3
  CHECK(upTo(0.9 + 0x1p-17, tenths).size() == 9);
  CHECK(upTo(0.9 + 0x1p-15, tenths).size() == 10);
}

TEST_CASE("forced ones without a number add nothing to a mass") {
  CHECK(upTo(0.5, {notANumber, 0.3, 0.3, 0.1}, {0}) == Ids{0, 1, 2});
  CHECK(upTo(0.5, {-infinite, 0.3, 0.3, 0.1}, {0}) == Ids{0, 1, 2});
  CHECK(upTo(2.0, {notANumber, 0.3, -infinite, 0.1}) == Ids{1, 3});
}

/// Keys of two tokens a block with the block means as scores.
static Call blocks(std::vector<double> means, int64_t rows) {
  Call call = showKeys(rows, 2 * static_cast<int64_t>(means.size()));
  call.roles["m"] = array({1, static_cast<int64_t>(means.size()), 1, 1}, means);
  call.roles["r"] = Array::filled({1, rows, 1, 1}, 1.0);
  return call;
}

static std::string selecting(const std::string &select, const std::string &params = "") {
  return attendOver(params,
                    "  %a = sattn.score dot %r, %m\n"
                    "  %open = sattn.set (t, c(2)) : first(c) <= t\n"
                    "  %sel = sattn.select " +
                        select + "\n" +
                        "  %past = sattn.set (t, s) : s <= t\n"
                        "  %keys = sattn.intersect %sel, %past\n",
                    ", %r: [t, h, D2], %m: [c(2), g, D2]");
}

TEST_CASE("select top among open blocks") {
  Result r = run(selecting("top(1) %a where %open"), blocks({1, 3, 2, 9}, 8));
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 0) == Ids{0});
  CHECK(seen(r["o"], 1) == Ids{0, 1});
  CHECK(seen(r["o"], 4) == Ids{2, 3});
  CHECK(seen(r["o"], 6) == Ids{6});
}

TEST_CASE("forced first and last blocks obey where and count inside top") {
  Result r = run(selecting("top(2) %a where %open force(first(1) last(1))"), blocks({1, 3, 2, 0}, 8));
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 1) == Ids{0, 1});
  CHECK(seen(r["o"], 5) == Ids{0, 1, 4, 5});
  CHECK(seen(r["o"], 7) == Ids{0, 1, 6, 7});
  r = run(selecting("top(3) %a where %open force(last(2))"), blocks({1, 3, 2, 0}, 8));
  CHECK(seen(r["o"], 7) == Ids{2, 3, 4, 5, 6, 7});
}

TEST_CASE("last counts from the block that holds the absolute position") {
  Call call = blocks({1, 3, 2, 0}, 1);
  call.qOffset = {5};
  CHECK(seen(run(selecting("top(1) %a where %open force(last(1))"), call)["o"], 0) == Ids{4, 5});
  call.kvOffset = {4}; // blocks 2 to 5 at positions 4 to 11
  call.qOffset = {7};
  CHECK(seen(run(selecting("top(1) %a where %open force(last(1))"), call)["o"], 0) == Ids{2, 3});
  call.qOffset = {11}; // of the blocks 0 to 2 only block 2 exists
  CHECK(seen(run(selecting("top(1) %a where %open force(first(a))", "a: int = 3"), call)["o"], 0) == Ids{0, 1});
}

TEST_CASE("above without top takes a varying number") {
  Result r = run(selecting("above(1.5) %a where %open"), blocks({1, 3, 2, 9}, 8));
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 1) == Ids{});
  CHECK(seen(r["o"], 7) == Ids{2, 3, 4, 5, 6, 7});
}

TEST_CASE("mass takes blocks until their probabilities suffice; a caller may ask for its neighbours") {
  // Over blocks that begin at or before the row: shares 1/4 and 3/4 of two, 1/16, 3/16 and 12/16 of three.
  Call call = blocks({std::log(1.0), std::log(3.0), std::log(12.0), -infinite}, 8);
  std::string probabilities = "  %p = sattn.normalize %a over %open\n",
              text = selecting("mass(x) %p where %open", "x: float");
  text.insert(text.find("  %sel"), probabilities);
  auto rows = [&](double mass, double shift, int64_t row) {
    call.params["x"] = mass;
    call.massShift = shift;
    Result r = run(text, call);
    REQUIRE(r.error == "");
    return seen(r["o"], row);
  };
  CHECK(rows(0.7, 0, 0) == Ids{0});
  CHECK(rows(0.7, 0, 3) == Ids{2, 3});
  CHECK(rows(0.8, 0, 3) == Ids{0, 1, 2, 3});
  CHECK(rows(0.7, 0, 5) == Ids{4, 5});
  CHECK(rows(0.9, 0, 5) == Ids{2, 3, 4, 5});
  CHECK(rows(0.75, 0, 5) == Ids{4, 5});
  CHECK(rows(0.75, 0x1p-14, 5) == Ids{2, 3, 4, 5});
  CHECK(rows(0.75 + 0x1p-14, -0x1p-14, 5) == Ids{4, 5});
}

TEST_CASE("blocks that end behind kv_len are not candidates") {
  Call call = blocks({1, 3, 2, 9}, 8);
  call.kvLen = {7};
  CHECK(seen(run(selecting("top(1) %a where %open"), call)["o"], 7) == Ids{2, 3});
}

TEST_CASE("a selection for each kv head serves the group, one for each head does not mix") {
  Call call;
  call.roles["q"] = Array::zeros({1, 1, 4, 1});
  call.roles["k"] = Array::zeros({1, 3, 2, 1});
  call.roles["v"] = array({1, 3, 2, 3}, {1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1});
  call.roles["r"] = array({1, 1, 4, 1}, {1, 2, -1, -3});
  call.roles["m"] = array({1, 3, 1, 1}, {3, 2, 1});
  std::string roles = ", %r: [t, h, D2], %m: [s, 1, D2]";
  std::string open = "  %a = sattn.score dot %r, %m\n  %open = sattn.set (t, s) : all\n";
  Result r = run(attendOver("",
                            open + "  %b = sattn.reduce sum %a over h to g\n"
                                   "  %keys = sattn.select top(1) %b where %open\n",
                            roles),
                 call);
  REQUIRE(r.error == "");
  for (int64_t h = 0; h < 4; ++h)
    CHECK(r["o"].at({0, 0, h, h < 2 ? 0 : 2}) == 1.0);
  call.roles["r"].data = {1, -1, -1, 1};
  r = run(attendOver("", open + "  %keys = sattn.select top(1) %a where %open\n", roles), call);
  for (int64_t h = 0; h < 4; ++h)
    CHECK(r["o"].at({0, 0, h, h == 0 || h == 3 ? 0 : 2}) == 1.0);
}

// Proofs about sets: known answers with their counter-examples, random sets against brute force, and the limits.
#include "lib/analysis/SetProofs.h"
#include <doctest/doctest.h>
#include "FormulaText.h"
#include "RandomFormula.h"
#include <iostream>

using namespace sattn;
using namespace sattn::test;

namespace {
std::string say(const SetAnswer &a) {
  switch (a.kind) {
  case SetAnswer::Empty:
    return "empty";
  case SetAnswer::Unknown:
    return "unknown: " + a.reason;
  case SetAnswer::Found:
    return "row " + std::to_string(a.point.row) + " key " + std::to_string(a.point.key) + a.point.assumptions() +
           (a.point.readsTable ? " for some table" : "");
  }
  return "";
}
std::string future(const char *text, const std::map<std::string, int64_t> &statics = {}) {
  return say(findFuture(setOf(text, statics)));
}
std::string overlap(const char *a, const char *b, const std::map<std::string, int64_t> &statics = {}) {
  return say(findOverlap(setOf(a, statics), setOf(b, statics)));
}
std::string outside(const char *a, const char *b) { return say(findOutside(setOf(a), setOf(b))); }
/// Blocks (l, d) visible to tokens.
std::string openBlock(const char *text, int64_t l, int64_t d) {
  return say(findFuture(setOf(text, {{"l", l}, {"d", d}}, "t", "c"), {}, {l, d}, {"t", "c"}));
}
} // namespace

TEST_CASE("causality") {
  CHECK(future("s <= t") == "empty");
  CHECK(future("t <= s") == "row 0 key 1");
  CHECK(future("s <= t + 1") == "row 0 key 1");
  CHECK(future("0 <= t - s < W") == "empty");
  CHECK(future("s <= t and (t - s < W or s < S)") == "empty");
  CHECK(future("t - s < W and s < S") == "row 0 key 1 with W = 0 and S = 2");
  CHECK(future("-W <= t - s <= W") == "row 0 key 1 with W = 1");
  CHECK(future("all") == "row 0 key 1");
  CHECK(future("s <= t and (t - s) mod n == 0", {{"n", 128}}) == "empty");
  CHECK(future("s <= t and (t floordiv n == s floordiv n or s mod n >= n - verts)", {{"n", 128}}) == "empty");
  CHECK(future("t floordiv n == s floordiv n", {{"n", 16}}) == "row 0 key 1");
  CHECK(future("s floordiv n < t floordiv n", {{"n", 16}}) == "empty");
  CHECK(future("s floordiv n <= (t - 1) floordiv n", {{"n", 16}}) == "row 1 key 2");
  CHECK(future("s > t + 99 and (s + t) mod 7 == 3 and t mod 5 == 4") == "row 4 key 104");
  CHECK(future("s mod 2 == 1 and #doc == s") == "row 0 key 1 for some table");
  CHECK(future("t == 2 and s >= size_s - 3") == "row 2 key 3 with size_s = 0");
}

TEST_CASE("sizes bound their positions") {
  auto sized = [](const char *name, const char *text) {
    quasi::Set set, from = setOf(text);
    quasi::SymbolInfo size{name, quasi::SymbolInfo::Size};
    quasi::Set::Building building;
    for (const quasi::Atom &atom : from.disjuncts()[0]) {
      quasi::Form form;
      form.constant = atom.form.constant;
      for (quasi::Monomial m : atom.form.terms)
        form =
            *set.add(form, quasi::Set::variable(m.var.kind == quasi::Var::Symbol ? set.symbol(size) : m.var), m.coeff);
      set.addAtom(building, atom.kind, form);
    }
    set.addDisjunct(building);
    return say(findPoint(set));
  };
  CHECK(sized("size(s)", "s >= N") == "empty");
  CHECK(sized("size(t)", "t >= N") == "empty");
  CHECK(sized("size(s)", "t >= N + 3") == "row 4 key 0 with size(s) = 1");
}

TEST_CASE("blocks that a query sees before they end") {
  CHECK(openBlock("d * c + l - 1 <= t", 32, 16) == "empty");
  CHECK(openBlock("d * c <= t", 32, 16) == "row 0 key 0");
  CHECK(openBlock("d * c + l - 2 <= t", 32, 16) == "row 30 key 0");
  CHECK(openBlock("d * c + l - 1 < t", 64, 64) == "empty");
  CHECK(openBlock("c < (t - W + 1) floordiv l", 64, 64) == "row 0 key 0 with W = -63");
  auto far = setOf("c < (t - W + 1) floordiv 64", {}, "t", "c");
  CHECK(say(findFuture(far, {}, {64, 64}, {"t", "c", false})) == "empty");
  // Rows in blocks of 8 end with their last query.
  auto open = setOf("8 * c <= 8 * u + 7", {}, "u", "c"), wide = setOf("8 * c <= 8 * u + 8", {}, "u", "c");
  CHECK(say(findFuture(open, {8, 8}, {8, 8}, {"u", "c"})) == "empty");
  CHECK(say(findFuture(wide, {8, 8}, {8, 8}, {"u", "c"})) == "row 0 key 1");
}

TEST_CASE("overlap") {
  CHECK(overlap("s <= t and t - s < W", "s <= t and t - s >= W") == "empty");
  CHECK(overlap("0 <= t - s < W", "s <= t and s < S") == "row 0 key 0 with W = 1 and S = 1");
  CHECK(overlap("0 <= t - s < 4", "2 <= s and s <= t - 3") == "row 5 key 2");
  CHECK(overlap("(t - s) mod 2 == 0", "(t + s) mod 2 == 1") == "empty");
  CHECK(overlap("s floordiv 8 < t floordiv 8", "s floordiv 8 == t floordiv 8") == "empty");
  CHECK(overlap("s floordiv b < (t - W + 1) floordiv b", "s floordiv b >= (t - W + 1) floordiv b", {{"b", 64}}) ==
        "empty");
  CHECK(overlap("s floordiv 64 < (t - W + 1) floordiv 64", "0 <= t - s < W") == "empty");
  CHECK(overlap("#mask == 1", "#mask == 0") == "empty");
  CHECK(overlap("#mask == 1", "#other == 0") == "row 0 key 0 for some table");
}

TEST_CASE("subset") {
  CHECK(outside("0 <= t - s < 8", "s <= t") == "empty");
  CHECK(outside("s <= t", "0 <= t - s < 8") == "row 8 key 0");
  CHECK(outside("s <= t and s mod 4 == 3", "s <= t and s mod 2 == 1") == "empty");
  CHECK(outside("s <= t", "s <= t and (s mod 2 == 0 or s mod 2 == 1)") == "empty");
  CHECK(outside("all", "s <= t or s > t + 1") == "row 0 key 1");
}

TEST_CASE("defaults are preferred in counter-examples") {
  auto set = setOf("s <= t");
  quasi::Form form = *set.add(quasi::Set::variable(quasi::Var::key()),
                              quasi::Set::variable(set.symbol({"W", quasi::SymbolInfo::Param, 512})), -1);
  quasi::Set::Building building;
  set.addAtom(building, quasi::Atom::GE, form);
  quasi::Set withDefault = set;
  withDefault.addDisjunct(building);
  quasi::Set only;
  only.symbol({"W", quasi::SymbolInfo::Param, 512});
  only.addDisjunct(building);
  CHECK(say(findPoint(withDefault)) == "row 0 key 0");
  CHECK(say(findPoint(only)) == "row 0 key 512");
}

TEST_CASE("questions about known patterns take few checks") {
  const std::map<std::string, int64_t> statics{{"stride", 128}, {"dil", 4}, {"b", 64}, {"l", 64}, {"d", 16}};
  const char *texts[] = {"s <= t",
                         "0 <= t - s < W",
                         "s <= t and (t - s < W or s < S)",
                         "s <= t and (t - s) mod stride == 0",
                         "-W <= t - s <= W",
                         "0 <= t - s < dil * W and (t - s) mod dil == 0",
                         "s <= t and (t floordiv stride == s floordiv stride or s mod stride >= stride - verts)",
                         "-1 <= t floordiv b - s floordiv b <= 1",
                         "t < b or s < b or size_s - b <= t or size_s - b <= s",
                         "s <= t and (s < a or s floordiv b == t floordiv b)",
                         "s <= t and s floordiv l >= (t - W + 1) floordiv l and s mod l < l - 1",
                         "s floordiv l < (t - W + 1) floordiv l",
                         "l * (s floordiv l) + l - 1 < t",
                         "s <= t and #doc_t == #doc_s"};
  unsigned worst = 0, total = 0, questions = 0;
  auto ask = [&](auto question) {
    SetAnswer answer = question();
    CHECK(answer.kind != SetAnswer::Unknown);
    worst = std::max(worst, answer.checks);
    total += answer.checks;
    ++questions;
  };
  for (const char *a : texts) {
    auto set = setOf(a, statics);
    ask([&] { return findFuture(set); });
    for (const char *b : texts)
      ask([&] { return findOverlap(set, setOf(b, statics)); });
  }
  std::cout << "  known patterns: " << questions << " questions, " << total << " checks, most " << worst << "\n";
  CHECK(total / questions < 10);
  CHECK(worst < 60);
}

TEST_CASE("random sets agree with brute force") {
  RandomFormula random(4242);
  unsigned worst = 0;
  int empty = 0, found = 0, unknown = 0;
  constexpr int64_t grid = 24;
  for (int i = 0; i < 2000; ++i) {
    std::string text = random.condition(int(random.upTo(4))), error;
    auto set = toSet(parseFormula(text), {{"W", 6}}, error);
    if (!set)
      continue;
    SetAnswer answer = findPoint(*set);
    worst = std::max(worst, answer.checks);
    std::pair<int64_t, int64_t> first{-1, -1};
    for (int64_t t = 0; t < grid && first.first < 0; ++t)
      for (int64_t s = 0; s < grid && first.first < 0; ++s)
        if (set->contains(t, s, {}))
          first = {t, s};
    switch (answer.kind) {
    case SetAnswer::Empty:
      ++empty;
      REQUIRE_MESSAGE(first.first < 0, text);
      break;
    case SetAnswer::Found:
      ++found;
      REQUIRE_MESSAGE(set->contains(answer.point.row, answer.point.key, {}), text);
      // The smallest point of the grid is the smallest of all unless a row of the grid sees a far key only.
      if (first.first >= 0)
        REQUIRE_MESSAGE(std::pair(answer.point.row, answer.point.key) <= first, text, " ", say(answer));
      if (answer.point.row < grid && answer.point.key < grid)
        REQUIRE_MESSAGE(std::pair(answer.point.row, answer.point.key) == first, text, " ", say(answer));
      break;
    case SetAnswer::Unknown:
      ++unknown;
      break;
    }
  }
  std::cout << "  proofs of random sets: " << empty << " empty, " << found << " with a point, " << unknown
            << " unknown; at most " << worst << " checks\n";
  CHECK(worst < kMaxChecks / 2);
  CHECK(unknown == 0);
  CHECK(empty > 50);
  CHECK(found > 1000);
}

TEST_CASE("hard sets end") {
  struct {
    const char *name, *text;
  } cases[] = {
      {"two large moduli", "t mod 2147483647 == 5 and t mod 2147483629 == 7"},
      {"three moduli", "(t + s) mod 65537 == 5 and (t - s) mod 65521 == 7 and (3 * t + s) mod 65519 == 11"},
      {"contradicting moduli", "(t + s) mod 65536 == 5 and (t - s) mod 65534 == 8"},
      {"nested",
       "((t floordiv 3 + s) mod 1009 + (t + 2 * s) floordiv 7) mod 1013 == 500 and s mod 997 == 3 and t mod 991 == 2"},
      {"knapsack", "1234567 * t + 7654321 * s == 2147483647 * 3 - 1"},
      {"thin", "1000000 * t - 1000001 * s >= 1 and 1000000 * t - 1000001 * s <= 2 and s >= 77777"},
      {"symbols", "W mod 65537 == 3 and V mod 65521 == 4 and (W + V + t) mod 65519 == 9 and s == W and t > s"},
  };
  for (auto &c : cases) {
    SetAnswer answer = findPoint(setOf(c.text));
    std::cout << "  " << c.name << ": " << say(answer) << ", " << answer.checks << " checks\n";
    CHECK(answer.checks <= kMaxChecks);
  }
}

TEST_CASE("too large a question is unknown, with the reason") {
  std::string many = "s <= t";
  for (int i = 0; i < 40; ++i)
    many +=
        " and (t + " + std::to_string(3 * i) + " * s) mod " + std::to_string(7 + i) + " <= " + std::to_string(5 + i);
  CHECK(say(findPoint(setOf(many))) ==
        "unknown: one of its disjuncts has too many conditions, params or floordiv and mod terms");
  std::string several = "t mod 1021 == 1 and s mod 1019 == 2 and (s + t) mod 1013 == 3 and (s - t) mod 1009 == 4";
  CHECK(say(findPoint(setOf(
            several + " and (2 * s + t) mod 997 == 5 and (s + 3 * t) mod 991 == 6 and (5 * s + t) mod 983 == 1"))) ==
        "unknown: one of its disjuncts has too many conditions, params or floordiv and mod terms");
  std::string blocks = "t == 1 and s == 1";
  for (int i = 0; i < 20; ++i)
    blocks += " or (t == " + std::to_string(3 * i + 5) + " and s == " + std::to_string(i) + ")";
  CHECK(say(findOutside(setOf("all"), setOf(blocks))) ==
        "unknown: set has more than 64 disjuncts: name its parts and use sattn.union");
}

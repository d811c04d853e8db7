// Congruences that all points of a set share, against brute force.
#include "lib/analysis/Congruence.h"
#include <doctest/doctest.h>
#include "FormulaText.h"

using namespace sattn;
using namespace sattn::test;

TEST_CASE("a congruence is read from every way to write it") {
  CHECK(commonCongruence(setOf("s <= t and (t - s) mod 128 == 0")) == Congruence{128, 0});
  CHECK(commonCongruence(setOf("(s - t) mod 5 == 2 and s <= t")) == Congruence{5, 3});
  CHECK(commonCongruence(setOf("(t - s + 4) mod 6 == 1")) == Congruence{6, 3});
  CHECK(commonCongruence(setOf("2 == (t - s) mod 3")) == Congruence{3, 2});
  CHECK(commonCongruence(setOf("(2 * t - 2 * s) mod 6 == 4")) == Congruence{3, 2});
}

TEST_CASE("all disjuncts must agree") {
  CHECK(commonCongruence(setOf("(t - s) mod 4 == 1 and (s < 7 or t < 9)")) == Congruence{4, 1});
  CHECK(commonCongruence(setOf("(t - s) mod 4 == 1 or (t - s) mod 4 == 2")).isTrivial());
  CHECK(commonCongruence(setOf("(t - s) mod 4 == 0 or t - s < 8")).isTrivial());
}

TEST_CASE("what does not tie the key to the row is no congruence") {
  for (const char *text : {"s <= t", "s mod 4 == 0", "(t + s) mod 4 == 0", "(t - 2 * s) mod 4 == 0",
                           "(t - s) mod 4 < 2", "(t - s + W) mod 4 == 0", "(t - s) floordiv 4 == 0"})
    CHECK_MESSAGE(commonCongruence(setOf(text)).isTrivial(), text);
}

TEST_CASE("every point of the set obeys what was read") {
  for (const char *text :
       {"s <= t and (t - s) mod 7 == 3", "(s - t - 1) mod 4 == 2", "(3 * s - 3 * t) mod 12 == 9 and s < 20"}) {
    quasi::Set set = setOf(text);
    Congruence congruence = commonCongruence(set);
    REQUIRE(!congruence.isTrivial());
    int points = 0;
    for (int64_t t = -20; t < 20; ++t)
      for (int64_t s = -20; s < 20; ++s)
        if (set.contains(t, s, {})) {
          ++points;
          CHECK((t - s - congruence.shift) % congruence.modulus == 0);
        }
    CHECK(points > 0);
  }
}

// Test support: random set formulas over t, s and a symbol W, the same for the same seed on every machine.
#pragma once
#include <cstdint>
#include <random>
#include <string>

namespace sattn::test {

class RandomFormula {
public:
  explicit RandomFormula(uint32_t seed) : engine(seed) {}
  /// A number in [0, n).
  int64_t upTo(int64_t n) { return int64_t(engine() % uint32_t(n)); }
  /// A number over t, s and W.
  std::string sum(int depth) {
    static const char *names[] = {"t", "s", "t", "s", "W", "1", "2", "5"};
    if (depth == 0)
      return names[upTo(8)];
    switch (upTo(7)) {
    case 0:
    case 1:
      return "(" + sum(depth - 1) + " + " + sum(depth - 1) + ")";
    case 2:
    case 3:
      return "(" + sum(depth - 1) + " - " + sum(depth - 1) + ")";
    case 4:
      return std::to_string(1 + upTo(6)) + " * " + sum(depth - 1);
    case 5:
      return "(" + sum(depth - 1) + " floordiv " + std::to_string(1 + upTo(9)) + ")";
    default:
      return "(" + sum(depth - 1) + " mod " + std::to_string(1 + upTo(9)) + ")";
    }
  }
  std::string condition(int depth) {
    static const char *compare[] = {" <= ", " < ", " == ", " >= ", " > "};
    if (depth == 0)
      return sum(2) + compare[upTo(5)] + sum(1);
    switch (upTo(4)) {
    case 0:
      return "(not " + condition(depth - 1) + ")";
    case 1:
      return "(" + condition(depth - 1) + " or " + condition(depth - 1) + ")";
    default:
      return "(" + condition(depth - 1) + " and " + condition(depth - 1) + ")";
    }
  }

private:
  std::mt19937 engine;
};

} // namespace sattn::test

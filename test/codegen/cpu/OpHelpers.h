// What the tests of single tile ops share: compiling a text or failing the test, and operands of normal numbers.
#pragma once
#include "test/codegen/cpu/Harness.h"
#include "test/codegen/cpu/Programs.h"
#include <doctest/doctest.h>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace sattn::cpu::test {

using Names = std::vector<std::pair<std::string, std::string>>;

inline std::string n(int64_t value) { return std::to_string(value); }

inline std::unique_ptr<Program> compiled(const std::string &text, Isa isa) {
  std::string error;
  auto program = Program::compile(text, isa, error);
  REQUIRE_MESSAGE(program, error << "\n" << text);
  return program;
}

inline void fillNormal(Tensor &tensor, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  tensor.fill([&] { return normal(random); });
}

} // namespace sattn::cpu::test

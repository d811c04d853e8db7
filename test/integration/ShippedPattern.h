// The texts of examples/patterns, for tests whose targets say where these are.
#pragma once
#include <doctest/doctest.h>
#include <fstream>
#include <sstream>
#include <string>

namespace sattn::testing {

inline std::string shippedPattern(const std::string &folder, const std::string &name) {
  std::ifstream file(folder + "/" + name + ".mlir");
  std::ostringstream text;
  text << file.rdbuf();
  REQUIRE(!text.str().empty());
  return text.str();
}

} // namespace sattn::testing

// Test support: reads the formulas of sets from text, independently of the dialect's parser, evaluates them directly
// (the truth that the analysis is compared with) and builds quasi-affine sets from them.
#pragma once
#include "lib/analysis/QuasiAffine.h"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sattn::test {

struct Node {
  enum Kind { Int, Name, Add, Sub, Mul, FloorDiv, Mod, Le, Lt, Eq, And, Or, Not, All };
  Kind kind;
  int64_t value = 0;
  std::string name;
  std::vector<std::shared_ptr<Node>> kids;
};
using Formula = std::shared_ptr<Node>;

/// Grammar of the language without tables and calls; any name that is not row or key is a symbol or a static param.
Formula parseFormula(const std::string &text);

/// Direct evaluation of a condition (0 or 1) or of a number.
int64_t evaluate(const Formula &f, const std::map<std::string, int64_t> &env);

/// The set of a condition over (row, key). Names in `statics` become integers; names that begin with '#' are opaque
/// (they stand for table loads).
std::optional<quasi::Set> toSet(const Formula &f, const std::map<std::string, int64_t> &statics, std::string &error,
                                const std::string &row = "t", const std::string &key = "s");
/// The same of text that must be valid.
quasi::Set setOf(const std::string &text, const std::map<std::string, int64_t> &statics = {},
                 const std::string &row = "t", const std::string &key = "s");

} // namespace sattn::test

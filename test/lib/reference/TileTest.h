// Helpers of the tile interpreter's tests: run one kernel, or a whole program, from text.
#pragma once
#include "lib/reference/TileInterp.h"
#include "OracleTest.h"

namespace sattn::ref {

/// Runs the tile program in `text`, in which $tile, $view and $arg stand for the types of the dialect.
Result runProgram(std::string text, const Call &call, TileOptions options = {});

/// An operand of the kernel that runKernel makes: a role if it has an array, else a result.
struct TestOperand {
  std::string name;
  /// As the attributes of the program write them, e.g. `"t", "h", "D"`.
  std::string axes;
  std::string type = "f32";
  int64_t inner = 1;
  std::optional<Array> array;
};

/// Runs `body` as one task. In it %NAMEo is the kernel operand and %NAMEv a view of its first batch entry and head,
/// and %c0 to %c4 are indices. Results hold NaN where the body does not write them.
Result runKernel(const std::vector<TestOperand> &operands, const std::string &body, TileOptions options = {});

/// A role with `data` as [1, rows, 1, cols] over (axis, h).
TestOperand role(const std::string &name, const std::string &axis, int64_t rows, int64_t cols, std::vector<double> data,
                 const std::string &type = "f32");
/// A result of `inner` numbers a row over (axis, h).
TestOperand result(const std::string &name, const std::string &axis, int64_t inner, const std::string &type = "f32");

} // namespace sattn::ref

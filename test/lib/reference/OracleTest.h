// Helpers of the oracle's tests: run a pattern text on small arrays, and read off what it did.
#pragma once
#include "lib/reference/Interpreter.h"
#include "mlir/IR/BuiltinOps.h"
#include <map>

namespace sattn::ref {

/// What a run gave: results by name, or the text of its first error.
struct Result {
  std::map<std::string, Array> outputs;
  std::string error;

  /// The result of that name; the test ends with the error where there is none.
  const Array &operator[](const std::string &name) const;
};

/// Parses `text` with the dialects of `registry` and gives it to `interpret`. The first message of the parser or of
/// `interpret` is the error.
Result interpretText(const std::string &text, const mlir::DialectRegistry &registry,
                     llvm::function_ref<FailureOr<std::vector<Output>>(mlir::ModuleOp)> interpret);

/// Interprets `text`, which holds one pattern.
Result run(const std::string &text, const Call &call);

/// An array of `shape` with the given elements, row-major.
Array array(ArrayRef<int64_t> shape, std::vector<double> data);
/// An array of `shape` with a fixed pseudo-random content in [-1, 1).
Array noise(ArrayRef<int64_t> shape, uint64_t seed);
/// [1, n, 1, n]: values that say which key they are of.
Array oneHot(int64_t n);

/// q, k, v of one head, T rows and S keys, in which every score is 0 and the values are one-hot: an output then
/// holds 1 / n for each of the n keys of the row.
Call showKeys(int64_t rows, int64_t keys);
/// The keys that row `row` of such an output saw.
std::vector<int64_t> seen(const Array &o, int64_t row, int64_t batch = 0);

/// The pattern that attends over %keys, made by `lines`, with scores of 0 from showKeys.
std::string attendOver(const std::string &params, const std::string &lines, const std::string &roles = "");

inline constexpr double infinite = std::numeric_limits<double>::infinity();
inline constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

} // namespace sattn::ref

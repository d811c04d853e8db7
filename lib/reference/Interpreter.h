// The oracle: interprets a pattern in float64, one plain function for each op. It is the definition of what a
// pattern means; every pass, backend and element type is compared with it.
//
// Results are computed row by row from lazy scores, so no T x S array ever exists and a sample of rows of a long
// sequence costs only those rows. Single-threaded; deterministic. Reads the plain and the specialised pattern.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "lib/reference/Array.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include <optional>
#include <string>

namespace sattn::ref {

/// The arguments of one call. Arrays have the axes of their role, after a leading batch axis where the role has an
/// axis t, u, s or c.
struct Call {
  llvm::StringMap<Array> roles;
  /// Params that are not given take their default.
  llvm::StringMap<double> params;
  /// One number for each batch entry; empty stands for 0, 0 and the size S of the axis s. Row i of the call is at
  /// position q_offset + i, key j at kv_offset + j; keys at j >= kv_len do not exist and are never read.
  std::vector<int64_t> qOffset, kvOffset, kvLen;
  bool headsInside = true; ///< what a tile program is told of the strides of keys, which arrays do not have
  /// Only these query rows (indices into T), in this order. Refused where a result is not made of query rows.
  std::optional<SmallVector<int64_t>> rows;
  /// Added to every `mass(p)`. Whoever compares kernels asks for both neighbours of a selection that rounding decides.
  double massShift = 0;
  /// Where it points, the magnitude of the greatest score that attention met in any row is left: so large are the
  /// numbers whose roundings kernels exponentiate.
  double *greatestScore = nullptr;
};

struct Output {
  std::string name;
  /// Batch, then the axes of the result; the row axis holds the asked rows.
  Array value;
};

/// Interprets `pattern` on `call`: the results in the order of the pattern. Wrong calls (missing roles, sizes that
/// disagree, offsets that split a block) and ops without a reference are reported through `emitError`, once.
FailureOr<std::vector<Output>> interpret(PatternOp pattern, const Call &call,
                                         llvm::function_ref<InFlightDiagnostic()> emitError);

} // namespace sattn::ref

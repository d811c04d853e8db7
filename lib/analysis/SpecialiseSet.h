// From key sets of the pattern dialect to quasi-affine sets: static params become integers, first(c) and last(c)
// become affine, floordiv and mod become local terms. The dialect stores sets before any number is known; everything
// that computes with a set starts here.
#pragma once
#include "dialects/pattern/KeySet.h"
#include "lib/analysis/QuasiAffine.h"
#include "llvm/ADT/StringMap.h"
#include <functional>

namespace sattn {

/// What is known of names when a set is specialised.
struct SetBindings {
  /// Params with a value: all static ones, and any others that are to be fixed.
  llvm::StringMap<int64_t> values;
  /// Defaults of the params that stay symbols; counter-examples prefer them.
  llvm::StringMap<int64_t> defaults;
  /// The name of table operand i of the set's op; equal names must be equal tables. Default: "table(i)".
  std::function<std::string(int64_t)> tableName;
};

/// The blocks of an axis; 1 and 1 for positions.
/// Fails with `error` set where a number is unknown, not positive or larger than 2^31.
FailureOr<BlockShape> blockShape(AxisAttr axis, const SetBindings &bindings, std::string &error);

/// The value of a number over params; nullopt where a param has none, or 64 bits overflow.
std::optional<int64_t> numberOf(ExprAttr expr, const SetBindings &bindings);

/// The set over its own axes (row t or u, key s or c). Fails with `error` set to a message without place: a divisor
/// that is not static, positive and at most 2^31, a product of two variables, numbers out of range.
FailureOr<quasi::Set> specialiseSet(KeySetAttr set, const SetBindings &bindings, std::string &error);

} // namespace sattn

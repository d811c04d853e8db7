// The order that selections follow, on plain numbers.
#pragma once
#include "lib/support/LLVM.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <limits>
#include <optional>
#include <vector>

namespace sattn::ref {

/// How far the ranking is followed; a column is taken that each limit takes.
struct Pick {
  std::optional<int64_t> n = std::nullopt;                 ///< so many columns
  double above = -std::numeric_limits<double>::infinity(); ///< forced ones, and scores greater than this
  std::optional<double> mass = std::nullopt;               ///< forced ones, and others until their scores sum to this
};

/// The best of `ids` (ascending), ascending. Order: forced ones, then higher score, then lower id. NaN and -inf are
/// left out unless forced; a forced NaN ranks as -inf. In sums, which may lack kMassSlack, NaN and negative scores
/// count as 0.
std::vector<int64_t> chooseTop(ArrayRef<int64_t> ids, ArrayRef<double> scores, const Pick &pick,
                               llvm::function_ref<bool(int64_t)> forced);

} // namespace sattn::ref

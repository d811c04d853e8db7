// The order that selections follow, on plain numbers.
#pragma once
#include "lib/support/LLVM.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <optional>
#include <vector>

namespace sattn::ref {

/// The at most `n` best of `ids` (ascending), ascending; without `n` all of them. Order: forced ones, then higher
/// score, then lower id. Scores that are not above `above`, NaN and -inf are left out unless forced; a forced NaN ranks
/// as -inf.
std::vector<int64_t> chooseTop(ArrayRef<int64_t> ids, ArrayRef<double> scores, std::optional<int64_t> n, double above,
                               llvm::function_ref<bool(int64_t)> forced);

} // namespace sattn::ref

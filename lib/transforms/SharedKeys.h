// A softmax over blocks that are selected among the keys of a formula, and a softmax of the same scores and values over
// a formula within that one: a window beside a selection. Where tiles of rows stream all keys (masked dataflow), keys
// that both see are computed once.
#pragma once
#include "dialects/pattern/KeySet.h"
#include "dialects/pattern/Pattern.h"

namespace sattn {

/// What a softmax over a selection shares with another one.
struct SharedKeys {
  AccumulateOp other;
  KeySetAttr beyond; ///< keys that may be selected and that the other one does not see
};
/// Nothing where there is no such softmax, or where a set reads tables or blocks of rows or keys.
std::optional<SharedKeys> sharedKeys(AccumulateOp selected);

/// Keys of a row that lie in the set of `op`, which is a formula: a mean over the rows of a sequence of so many keys,
/// with the defaults of params; 0 where a param has none.
double meanKeys(AccumulateOp op, int64_t keys);

} // namespace sattn

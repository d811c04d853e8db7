// Codes of rows for scores that compare them (`sattn.score l1`), made once for a wave by a kernel of their own.
//
// A code of `buckets` counts the levels below an element, and the distance of two codes is the number of levels that
// lie below one of them alone. So an element becomes one number for each level, 1 where the level is below it and -1
// where it is not, and the distance of two rows is (n - a . b) / 2 of their n numbers: a dot product of small integers,
// exact in float32.
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

/// A workspace of such numbers: for each position and head the features once for each level.
struct Codes {
  PlanRef ref;
  AxisAttr axis, head;
  int64_t features = 0; ///< numbers of a row
};

/// The codes of `tensor`, which `sattn.encode buckets` made of a role or of its Hadamard transform.
FailureOr<Codes> encode(Context &context, Operation *user, Value tensor);

} // namespace sattn::lower

// Codes of rows for scores of codes, made once for a wave by a kernel of their own.
//
// A code of `buckets` counts the levels below an element, and the distance of two codes is the number of levels that
// lie below one of them alone. So an element becomes one number for each level, 1 where the level is below it and -1
// where it is not, and the distance of two rows is (n - a . b) / 2 of their n numbers: a dot product of small integers,
// exact in float32. A code of `int8` or `int4` is small integers and a scale for the row; their dot product is exact
// too, up to the number of features at which a sum could reach 2^24.
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

/// Such numbers in bfloat16, which holds them exactly: a workspace, or a tensor that the caller keeps (Kept.h).
struct Codes {
  PlanRef ref;
  bool isWorkspace = true;
  std::optional<PlanRef> scales; ///< of codes of integers: one float32 for each position and head
  AxisAttr axis, head;
  int64_t features = 0; ///< numbers of a row
};

/// The codes of `tensor`: `sattn.encode buckets` of a role or of its Hadamard transform, or `int8` or `int4` of a role.
FailureOr<Codes> encode(Context &context, Operation *user, Value tensor);

} // namespace sattn::lower

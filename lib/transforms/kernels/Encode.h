// Codes of rows for scores of codes, made once for a wave by a kernel of their own.
//
// A code of `buckets` counts the levels below each element, and `dot l1` of two such rows is their distance. A code of
// `int8` or `int4` is small integers and a scale for the row. Sums of both are exact in float32, up to the number of
// features at which one could reach 2^24.
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

/// Such numbers in bytes: a workspace, or a tensor that the caller keeps (Kept.h).
struct Codes {
  PlanRef ref;
  bool isWorkspace = true;
  std::optional<PlanRef> scales; ///< of codes of integers: one float32 for each position and head
  AxisAttr axis, head;
  int64_t features = 0; ///< numbers of a row
};

/// The type of these numbers: `ui8` of counts, `i8` of integers.
Type elementOf(EncodeOp code);

/// The codes of `tensor`: `sattn.encode buckets` of a role or of its Hadamard transform, or `int8` or `int4` of a role.
FailureOr<Codes> encode(Context &context, Operation *user, Value tensor);

} // namespace sattn::lower

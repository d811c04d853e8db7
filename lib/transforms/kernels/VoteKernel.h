// Column sums of probabilities (`sattn.colsum`). Two passes over the scores and no array of rows x keys:
//
//   lse     m + log2 l of each row that the sum has, in base 2             lse [query head][row]
//   votes   a task owns keys and streams the rows that see them: the products of keys and queries, e^(z - lse), summed
//           over rows, and over the heads that `sattn.reduce` joins        votes [head][key]
//
// A task sums rows in ascending order, so that results do not depend on the number of threads. Queries are read where
// they lie, so a call of the watching rows alone reads no others.
#pragma once
#include "lib/transforms/kernels/Prepare.h"

namespace sattn::lower {

/// A number for each key and head, in memory; 0 for keys that do not exist.
struct Votes {
  PlanRef ref;
  AxisAttr head;
};

FailureOr<Votes> buildVotes(Context &context, Preparer &preparer, ColsumOp op);

/// Element (i, ...) of `tile` where `from` <= i < `to`, else `otherwise`, whatever the element is.
Value keepRows(KernelBuilder &k, Value tile, Value from, Value to, double otherwise);

} // namespace sattn::lower

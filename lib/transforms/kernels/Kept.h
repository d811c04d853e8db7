// Summaries and codes of keys that stay with the caller (`keep=summaries`): tensors that a call reads, and extends by
// the blocks of the keys that came since the call before; a code is of a block of one key. What came is known by a
// contract: keys before the first query row have their summaries already. So decoding one token makes at most one new
// row, and a call whose rows begin with the keys makes all.
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

struct KeptTensor {
  PlanRef ref;
  SmallVector<AxisAttr, 4> axes;
  AxisAttr blocks() const;
};
/// The tensors of a summary: one, or maxima and minima. Each is `[c(l, d), g, D]` in float32 with the name of the role,
/// the reduction and the blocks: `k_mean_32_16`. Those of a code (Encode.h): `k_int8_codes`, `[g, c(1), N]` in
/// bytes, and of integers `k_int8_scales`, `[g, c(1)]` in float32.
SmallVector<KeptTensor, 2> keptTensors(Context &context, Operation *op);

/// The first of the blocks along `axis` that a call makes: those before hold only keys before the first query row.
Value firstNewBlock(Task &task, AxisAttr axis);

} // namespace sattn::lower

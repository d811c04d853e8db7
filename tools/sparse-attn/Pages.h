// Keys in pools of pages, for the tool: operands in one piece are laid out in pages, pools from files are put together.
// An invocation keeps both: kernels get the pools, the reference and whatever counts gets the operands in one piece.
#pragma once
#include "tools/sparse-attn/Invocation.h"

namespace sattn::tool {

/// Roles that a kernel with `paged` in its bind takes as pools: of floats over s, with features.
bool isPaged(const RoleInfo &role);

/// Whether another operand over s than those in pages tells how many keys there are.
bool otherTellsKeys(const Invocation &call);

/// Leaves `keys` keys, and of operands over blocks as many as they have: of a whole call all, and kernels still get
/// what there was of them, since beside pages it may be more; of a `sequence` of a packed call all or complete ones, as
/// the call has.
void cutToKeys(Invocation &call, int64_t keys, bool sequence = false);

/// Puts the pools of `call`, whose paged operands are such and whose page table is given, together to operands in one
/// piece. Sets the size of s.
void joinPages(Invocation &call);

/// Lays the operands of `call` out in pages of `call.pageSize` in an order that looks like none, beside pages and
/// positions that hold NaN, and makes the page table. Keys behind the longest sequence go.
void layOutPages(Invocation &call);

} // namespace sattn::tool

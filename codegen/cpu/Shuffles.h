// Blocks of strips turned around, or added up, in registers.
#pragma once
#include "codegen/cpu/Code.h"

namespace sattn::cpu {

/// w rows of 16 columns to w strips that hold column by column: element c*w + r.
Values interleave(Code &c, ArrayRef<Value> rows);

/// 16 / w rows, each seen as 16 / w chunks of w columns, transposed chunk-wise: strip j holds chunk j of every row.
Values transposeChunks(Code &c, ArrayRef<Value> rows, int64_t width);

/// One strip whose lane i is the sum over the lanes of sums[i], for 16 of them: neighbours are joined by shuffles that
/// keep to 128 bits first.
Value sumLanes(Code &c, ArrayRef<Value> sums);

} // namespace sattn::cpu

// Floating-point arithmetic of the opcodes that integers share: the integer decoders hand their floating-point types
// on.
#pragma once

#include "lib/ptx/Decoder.h"

namespace sattn::ptx {

/// add, sub, mul, mad, fma, div, min, max, neg, abs on f16, bf16, their pairs, f32, f32x2 and f64; `type` is consumed.
void decodeFloat(Build &build, Scalar type);

} // namespace sattn::ptx

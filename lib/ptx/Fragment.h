// Which element of a matrix a lane's register holds, for mma.sync and wgmma. With g = lane / 4, t = lane % 4 and e
// elements in a 32-bit register:
//   A (rows x k): register r, element i: row g + 8 (r % 2), k = 4 e (r / 2) + e t + i
//   B (k x 8):    register r, element i: k = 4 e r + e t + i, column g
//   C, D (f32, s32; rows x 8): register r: row g + 8 (r / 2), column 2 t + r % 2
// C and D in f16 hold the two columns of a row in one register. (PTX ISA, "Matrix fragments for mma".)
#pragma once

#include "lib/ptx/Program.h"

#include <cstdint>

namespace sattn::ptx {

/// Element types of A and B.
bool isMatrixElement(Scalar type);
/// Elements in a 32-bit register.
inline unsigned elementsOf(Scalar type) { return type == Scalar::TF32 ? 1 : 4 / bytesOf(type); }
/// Element `index` of a register as a number; bits that the type ignores are dropped.
float elementOf(uint32_t word, unsigned index, Scalar type);
/// The same from its bits in memory, in the low bytes of `bits`.
float elementFromBits(uint32_t bits, Scalar type);

class Warp;
/// The 16 rows of A that the registers of a warp hold, into a matrix with `pitch` numbers in a row.
void gatherA(Warp &warp, Range registers, Scalar type, float *a, unsigned pitch);

} // namespace sattn::ptx

// Small floating-point formats and rounding: binary16, bfloat16, tf32, e4m3 and e5m2 from and to float and double.
#pragma once

#include "lib/ptx/Program.h"

#include <bit>
#include <cstdint>

namespace sattn::ptx {

float halfToFloat(uint16_t bits);
inline float bfloatToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }
uint16_t toHalf(double value, Rounding rounding = Rounding::Nearest);
uint16_t toBfloat(double value, Rounding rounding = Rounding::Nearest);
/// Round to nearest even, the common case, from the bits alone.
inline uint16_t toBfloatNearest(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return 0x7fff; // NaN
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
/// Ties away from zero, as cvt.rna does; the low 13 bits of the result are zero.
uint32_t toTf32(float value, bool tiesAway);
float toFloat(double value, Rounding rounding);
/// Saturating, as every conversion to these is; NaN stays NaN.
uint8_t toE4m3(float value);
uint8_t toE5m2(float value);
float e4m3ToFloat(uint8_t bits);
float e5m2ToFloat(uint8_t bits);

inline float flushed(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  return bits & 0x7f800000 ? value : std::bit_cast<float>(bits & 0x80000000);
}

} // namespace sattn::ptx

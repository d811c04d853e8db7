// Conversions of small formats; see Numbers.h.
#include "lib/ptx/Numbers.h"

#include <cmath>

namespace sattn::ptx {
namespace {
struct Format {
  int mantissaBits, minExponent, maxExponent; // exponents of normal numbers
};
constexpr Format Half{10, -14, 15}, Bfloat{7, -126, 127}, Single{23, -126, 127}, E4m3{3, -6, 8}, E5m2{2, -14, 15};

double roundedInteger(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::Nearest:
    return std::nearbyint(value);
  case Rounding::Zero:
    return std::trunc(value);
  case Rounding::Down:
    return std::floor(value);
  case Rounding::Up:
    return std::ceil(value);
  }
  return value;
}

/// The value of the format next to `value`; may lie beyond the largest finite one. Scaling by powers of two and
/// rounding to an integer are exact in double.
double roundTo(double value, const Format &format, Rounding rounding) {
  if (value == 0 || !std::isfinite(value))
    return value;
  int exponent = std::max(std::ilogb(value), format.minExponent);
  double unit = std::ldexp(1.0, exponent - format.mantissaBits);
  return std::copysign(roundedInteger(value / unit, rounding) * unit, value);
}

/// True if a value that overflowed becomes infinite rather than the largest finite one.
bool overflowsToInfinity(double value, Rounding rounding) {
  return rounding == Rounding::Nearest || (rounding == Rounding::Up && value > 0) ||
         (rounding == Rounding::Down && value < 0);
}

double largest(const Format &format) {
  return std::ldexp(2 - std::ldexp(1.0, -format.mantissaBits), format.maxExponent);
}

double toFormat(double value, const Format &format, Rounding rounding) {
  double rounded = roundTo(value, format, rounding), limit = largest(format);
  if (std::isfinite(rounded) && std::abs(rounded) > limit)
    return std::copysign(overflowsToInfinity(value, rounding) ? INFINITY : limit, value);
  return rounded;
}

/// The bits of a value that the format represents exactly; `bias` positions the exponent.
uint32_t encode(double value, const Format &format, unsigned width) {
  uint32_t sign = std::signbit(value) ? uint32_t(1) << (width - 1) : 0;
  double magnitude = std::abs(value);
  int bias = 1 - format.minExponent;
  if (std::isinf(value))
    return sign | uint32_t(bias + format.maxExponent + 1) << format.mantissaBits;
  if (magnitude == 0)
    return sign;
  int exponent = std::max(std::ilogb(magnitude), format.minExponent);
  auto mantissa = uint32_t(std::ldexp(magnitude, format.mantissaBits - exponent));
  bool normal = mantissa >> format.mantissaBits;
  return sign | ((normal ? uint32_t(exponent + bias) << format.mantissaBits : 0) |
                 (mantissa & ((uint32_t(1) << format.mantissaBits) - 1)));
}

float decode(uint32_t bits, const Format &format, unsigned width) {
  uint32_t mantissa = bits & ((uint32_t(1) << format.mantissaBits) - 1);
  int exponent = int(bits >> format.mantissaBits & ((uint32_t(1) << (width - 1 - unsigned(format.mantissaBits))) - 1));
  int bias = 1 - format.minExponent;
  double value = exponent ? std::ldexp(double(mantissa | uint32_t(1) << format.mantissaBits),
                                       exponent - bias - format.mantissaBits)
                          : std::ldexp(double(mantissa), format.minExponent - format.mantissaBits);
  return float(bits >> (width - 1) & 1 ? -value : value);
}
} // namespace

float halfToFloat(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = bits >> 10 & 31, mantissa = bits & 1023;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent)
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  float value = float(mantissa) * 0x1p-24f;
  return sign ? -value : value;
}

uint16_t toHalf(double value, Rounding rounding) {
  return std::isnan(value) ? 0x7fff : uint16_t(encode(toFormat(value, Half, rounding), Half, 16));
}

uint16_t toBfloat(double value, Rounding rounding) {
  return std::isnan(value) ? 0x7fff : uint16_t(encode(toFormat(value, Bfloat, rounding), Bfloat, 16));
}

float toFloat(double value, Rounding rounding) {
  return rounding == Rounding::Nearest ? float(value) : float(toFormat(value, Single, rounding));
}

uint32_t toTf32(float value, bool tiesAway) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7f800000) == 0x7f800000)
    return bits & 0x7fffff ? 0x7fffffff : bits;
  uint32_t half = tiesAway ? 0x1000 : 0xfff + (bits >> 13 & 1);
  return (bits + half) & ~uint32_t(0x1fff);
}

uint8_t toE4m3(float value) {
  if (std::isnan(value))
    return 0x7f;
  double rounded = roundTo(value, E4m3, Rounding::Nearest);
  // The format has no infinity: 1.75 * 2^8 is its largest value.
  if (std::abs(rounded) > 448)
    rounded = std::copysign(448.0, rounded);
  return uint8_t(encode(rounded, E4m3, 8));
}

uint8_t toE5m2(float value) {
  if (std::isnan(value))
    return 0x7f;
  double rounded = roundTo(value, E5m2, Rounding::Nearest), limit = largest(E5m2);
  return uint8_t(encode(std::abs(rounded) > limit ? std::copysign(limit, rounded) : rounded, E5m2, 8));
}

float e4m3ToFloat(uint8_t bits) { return (bits & 0x7f) == 0x7f ? NAN : decode(bits, E4m3, 8); }
float e5m2ToFloat(uint8_t bits) {
  if ((bits & 0x7c) == 0x7c)
    return bits & 3 ? NAN : bits & 0x80 ? -INFINITY : INFINITY;
  return decode(bits, E5m2, 8);
}

} // namespace sattn::ptx

// cvt between all scalar types, with rounding, saturation, .relu and the packing forms; cvta and isspacep.
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"

#include <fmt/format.h>

#include <cmath>

namespace sattn::ptx {
namespace {
/// What a source lane holds, in the widest type of its kind.
struct Value {
  int64_t integer = 0;
  double real = 0;
};

/// A narrower type is the low part of a wide register.
Value load(Warp &warp, Row row, Scalar type, bool wideRegister, unsigned lane) {
  uint64_t wide = wideRegister ? warp.wide(row)[lane] : 0;
  uint32_t word = wideRegister ? uint32_t(wide) : warp.row(row)[lane];
  switch (type) {
  case Scalar::U8:
  case Scalar::B8:
    return {.integer = uint8_t(word)};
  case Scalar::S8:
    return {.integer = int8_t(word)};
  case Scalar::U16:
  case Scalar::B16:
    return {.integer = uint16_t(word)};
  case Scalar::S16:
    return {.integer = int16_t(word)};
  case Scalar::U32:
  case Scalar::B32:
    return {.integer = word};
  case Scalar::S32:
    return {.integer = int32_t(word)};
  case Scalar::U64:
  case Scalar::S64:
  case Scalar::B64:
    return {.integer = int64_t(wide)};
  case Scalar::F16:
    return {.real = halfToFloat(uint16_t(word))};
  case Scalar::BF16:
    return {.real = bfloatToFloat(uint16_t(word))};
  case Scalar::F32:
    return {.real = std::bit_cast<float>(word)};
  case Scalar::F64:
    return {.real = std::bit_cast<double>(wide)};
  default:
    return {};
  }
}

/// Bounds of an integer type as doubles: both are exact, the upper one exclusive.
std::pair<double, double> boundsOf(Scalar type) {
  int bits = int(8 * bytesOf(type));
  return isSigned(type) ? std::pair(-std::ldexp(1.0, bits - 1), std::ldexp(1.0, bits - 1))
                        : std::pair(0.0, std::ldexp(1.0, bits));
}

/// Conversions to integers clamp; NaN becomes 0 (the most negative number or the top bit for 64 bits, as hardware).
uint64_t toInteger(double value, Scalar type, Rounding rounding) {
  if (std::isnan(value))
    return bytesOf(type) == 8 ? uint64_t(1) << 63 : 0;
  double rounded = rounding == Rounding::Nearest ? std::nearbyint(value)
                   : rounding == Rounding::Zero  ? std::trunc(value)
                   : rounding == Rounding::Down  ? std::floor(value)
                                                 : std::ceil(value);
  auto [low, high] = boundsOf(type);
  if (rounded < low)
    return isSigned(type) ? uint64_t(int64_t(low)) : 0;
  if (rounded >= high)
    return isSigned(type) ? (uint64_t(1) << (8 * bytesOf(type) - 1)) - 1 : ~uint64_t(0) >> (64 - 8 * bytesOf(type));
  return isSigned(type) ? uint64_t(int64_t(rounded)) : uint64_t(rounded);
}

uint64_t saturatedInteger(int64_t value, Scalar from, Scalar to) {
  bool large = !isSigned(from) && value < 0; // an u64 beyond the range of int64_t
  auto [low, high] = boundsOf(to);
  if (large || double(value) >= high)
    return isSigned(to) ? (uint64_t(1) << (8 * bytesOf(to) - 1)) - 1 : ~uint64_t(0) >> (64 - 8 * bytesOf(to));
  return double(value) < low ? (isSigned(to) ? uint64_t(int64_t(low)) : 0) : uint64_t(value);
}

uint64_t fromReal(double value, Scalar type, const Inst &inst) {
  if (inst.saturate && !isFloat(type))
    return toInteger(value, type, inst.rounding);
  if (inst.saturate)
    value = value > 0 ? std::min(value, 1.0) : 0.0;
  if (inst.immediate && value < 0) // .relu
    value = 0;
  switch (type) {
  case Scalar::F16:
    return toHalf(value, inst.rounding);
  case Scalar::BF16:
    return toBfloat(value, inst.rounding);
  case Scalar::F32: {
    float single = toFloat(value, inst.rounding);
    return std::isnan(single) ? 0x7fffffffu : std::bit_cast<uint32_t>(inst.ftz ? flushed(single) : single);
  }
  case Scalar::F64:
    return std::bit_cast<uint64_t>(value);
  default:
    return toInteger(value, type, inst.rounding);
  }
}

/// An integer as a floating-point number, rounded once: int64 to f32 does not pass through double.
uint64_t fromInteger(int64_t value, Scalar from, Scalar to, const Inst &inst) {
  bool isUnsigned = !isSigned(from);
  if (to == Scalar::F32 && inst.rounding == Rounding::Nearest)
    return std::bit_cast<uint32_t>(isUnsigned ? float(uint64_t(value)) : float(value));
  return fromReal(isUnsigned ? double(uint64_t(value)) : double(value), to, inst);
}

struct Types {
  Scalar to, from;
  bool integral;
};
Types typesOf(const Inst &inst) {
  return {Scalar(inst.option & 255), Scalar(inst.option >> 8 & 255), inst.option >> 16 != 0};
}

uint64_t convertLane(Warp &warp, const Inst &inst, unsigned lane) {
  auto [to, from, integral] = typesOf(inst);
  Value value = load(warp, inst.s[0], from, inst.bytes == 8, lane);
  if (isFloat(from)) {
    double real = value.real;
    if (inst.ftz && from == Scalar::F32)
      real = flushed(float(real));
    if (integral && isFloat(to) && std::isfinite(real)) {
      double rounded = inst.rounding == Rounding::Nearest ? std::nearbyint(real)
                       : inst.rounding == Rounding::Zero  ? std::trunc(real)
                       : inst.rounding == Rounding::Down  ? std::floor(real)
                                                          : std::ceil(real);
      real = std::copysign(rounded, real);
    }
    return fromReal(real, to, inst);
  }
  if (isFloat(to))
    return fromInteger(value.integer, from, to, inst);
  uint64_t result = inst.saturate ? saturatedInteger(value.integer, from, to) : uint64_t(value.integer);
  return result;
}

/// Narrow results are extended to the register as their type says.
uint64_t extended(uint64_t value, Scalar type) {
  switch (bytesOf(type)) {
  case 1:
    return isSigned(type) ? uint64_t(int64_t(int8_t(value))) : uint8_t(value);
  case 2:
    return isSigned(type) ? uint64_t(int64_t(int16_t(value))) : uint16_t(value);
  case 4:
    return isSigned(type) ? uint64_t(int64_t(int32_t(value))) : uint32_t(value);
  default:
    return value;
  }
}

void convert(Warp &warp, const Inst &inst, uint32_t lanes) {
  Scalar to = Scalar(inst.option & 255);
  if (inst.registerBytes == 8)
    forLanes<uint64_t>(warp, inst.d[0], lanes, [&](unsigned i) { return extended(convertLane(warp, inst, i), to); });
  else
    forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
      uint64_t value = extended(convertLane(warp, inst, i), to);
      return uint32_t(inst.registerBytes == 2 ? uint16_t(value) : value);
    });
}

/// 32-bit integers to 64 bits and back: the addresses of every kernel.
void convertWord(Warp &warp, const Inst &inst, uint32_t lanes) {
  auto [to, from, integral] = typesOf(inst);
  if (bytesOf(to) == 8 && isSigned(from)) {
    Source<int32_t> a(warp, inst.s[0]);
    forLanes<uint64_t>(warp, inst.d[0], lanes, [&](unsigned i) { return uint64_t(int64_t(a[i])); });
  } else if (bytesOf(to) == 8) {
    Source<uint32_t> a(warp, inst.s[0]);
    forLanes<uint64_t>(warp, inst.d[0], lanes, [&](unsigned i) { return uint64_t(a[i]); });
  } else {
    Source<uint64_t> a(warp, inst.s[0]);
    forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) { return uint32_t(a[i]); });
  }
}

/// cvt.rn.bf16x2.f32 d, a, b: a in the upper half.
template <typename Pack> void packPair(Warp &warp, const Inst &inst, uint32_t lanes, Pack pack) {
  Source<float> a(warp, inst.s[0]), b(warp, inst.s[1]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    auto one = [&](float value) -> uint32_t {
      if (inst.immediate && value < 0)
        value = 0;
      return pack(value);
    };
    return one(a[i]) << 16 | one(b[i]);
  });
}
void packBfloat(Warp &warp, const Inst &inst, uint32_t lanes) {
  if (inst.rounding == Rounding::Nearest && !inst.saturate)
    return packPair(warp, inst, lanes, [](float value) { return toBfloatNearest(value); });
  packPair(warp, inst, lanes, [&](float value) {
    uint16_t bits = toBfloat(value, inst.rounding);
    return inst.saturate && (bits & 0x7fff) == 0x7f80 ? uint16_t(bits - 1) : bits;
  });
}
void packHalf(Warp &warp, const Inst &inst, uint32_t lanes) {
  packPair(warp, inst, lanes, [&](float value) {
    uint16_t bits = toHalf(value, inst.rounding);
    return inst.saturate && (bits & 0x7fff) == 0x7c00 ? uint16_t(bits - 1) : bits;
  });
}
/// cvt.rn.satfinite.e4m3x2.f32 d, a, b.
template <uint8_t (*Pack)(float)> void packEighths(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<float> a(warp, inst.s[0]), b(warp, inst.s[1]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    auto one = [&](float value) { return uint32_t(Pack(inst.immediate && value < 0 ? 0 : value)); };
    return one(a[i]) << 8 | one(b[i]);
  });
}
/// cvt.rn.f16x2.e4m3x2 d, a: exact.
template <float (*Unpack)(uint8_t)> void unpackEighths(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    return uint32_t(toHalf(Unpack(uint8_t(a[i])))) | uint32_t(toHalf(Unpack(uint8_t(a[i] >> 8)))) << 16;
  });
}
void toTensorFloat(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<float> a(warp, inst.s[0]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) { return toTf32(a[i], inst.option != 0); });
}

/// True if the instruction is one of the packing forms.
bool decodePacked(Build &build, Scalar to, Scalar from) {
  Inst &inst = build.inst;
  if (from == Scalar::F32 &&
      (to == Scalar::BF16x2 || to == Scalar::F16x2 || to == Scalar::E4M3x2 || to == Scalar::E5M2x2)) {
    build.expectCount(3, 3);
    inst.execute = to == Scalar::BF16x2   ? packBfloat
                   : to == Scalar::F16x2  ? packHalf
                   : to == Scalar::E4M3x2 ? packEighths<toE4m3>
                                          : packEighths<toE5m2>;
    inst.d[0] = build.write(0, to);
    inst.s[0] = build.read(1, from);
    inst.s[1] = build.read(2, from);
    return true;
  }
  if (to == Scalar::F16x2 && (from == Scalar::E4M3x2 || from == Scalar::E5M2x2)) {
    build.expectCount(2, 2);
    inst.execute = from == Scalar::E4M3x2 ? unpackEighths<e4m3ToFloat> : unpackEighths<e5m2ToFloat>;
    inst.d[0] = build.write(0, to);
    inst.s[0] = build.read(1, from);
    return true;
  }
  return false;
}

void decodeConvert(Build &build) {
  Inst &inst = build.inst;
  bool tiesAway = build.take("rna"), integral = false;
  build.takeRounding();
  constexpr std::pair<std::string_view, Rounding> integerRoundings[] = {
      {"rni", Rounding::Nearest}, {"rzi", Rounding::Zero}, {"rmi", Rounding::Down}, {"rpi", Rounding::Up}};
  for (auto [name, rounding] : integerRoundings)
    if (build.take(name)) {
      inst.rounding = rounding;
      integral = true;
    }
  inst.ftz = build.take("ftz");
  bool satfinite = build.take("satfinite");
  inst.saturate = build.take("sat") || satfinite;
  inst.immediate = build.take("relu");
  Scalar to = build.type(), from = build.type();
  if (decodePacked(build, to, from))
    return;
  build.expectCount(2, 2);
  inst.d[0] = build.write(build.operand(0), to, true);
  inst.s[0] = build.read(build.operand(1), from, true);
  inst.registerBytes = uint8_t(build.registerBytes(build.operand(0)));
  inst.bytes = uint8_t(std::max(build.registerBytes(build.operand(1)), bytesOf(from)));
  if (build.registerBytes(build.operand(1)) && build.registerBytes(build.operand(1)) < bytesOf(from))
    return build.reject("the source register is narrower than its type");
  if (to == Scalar::TF32) {
    inst.execute = toTensorFloat;
    inst.option = tiesAway;
    return;
  }
  bool plain = to != Scalar::Pred && from != Scalar::Pred && to < Scalar::E4M3 && from < Scalar::E4M3 &&
               bytesOf(to) <= 8 && bytesOf(from) <= 8;
  for (Scalar odd : {Scalar::F16x2, Scalar::BF16x2, Scalar::F32x2, Scalar::TF32, Scalar::U16x2, Scalar::S16x2})
    plain &= to != odd && from != odd;
  if (!plain || (satfinite && isFloat(to)))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  inst.option = uint32_t(to) | uint32_t(from) << 8 | uint32_t(integral) << 16;
  inst.execute = convert;
  bool integers = !isFloat(to) && !isFloat(from) && !inst.saturate;
  bool exact = inst.registerBytes == bytesOf(to) && (build.registerBytes(build.operand(1)) == bytesOf(from));
  if (integers && exact && bytesOf(to) + bytesOf(from) == 12)
    inst.execute = convertWord;
}

uint64_t windowOf(Space space) {
  return space == Space::Shared  ? SharedWindow
         : space == Space::Local ? LocalWindow
         : space == Space::Param ? ParamWindow
                                 : 0;
}

/// Generic addresses of a space are its own plus those of its window. `option`: to that space rather than from it.
void convertAddress(Warp &warp, const Inst &inst, uint32_t lanes) {
  bool wide = inst.bytes == 8;
  forLanes<uint64_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint64_t address = warp.value(inst.s[0], wide ? 8 : 4, i);
    return inst.option ? address - inst.immediate : address + inst.immediate;
  });
}

void decodeConvertAddress(Build &build) {
  Inst &inst = build.inst;
  inst.option = build.take("to");
  Space space = build.takeSpace();
  Scalar type = build.type();
  if (space == Space::Generic || bytesOf(type) != 8)
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.expectCount(2, 2);
  inst.immediate = windowOf(space);
  inst.bytes = 8;
  inst.d[0] = build.write(0, Scalar::U64);
  inst.s[0] = build.read(1, Scalar::U64);
  inst.execute = convertAddress;
}

void decodeIsSpace(Build &build) {
  Inst &inst = build.inst;
  Space space = build.takeSpace();
  build.expectCount(2, 2);
  inst.immediate = windowOf(space);
  inst.d[0] = build.write(0, Scalar::Pred);
  inst.s[0] = build.read(1, Scalar::U64);
  inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    Source<uint64_t> a(warp, inst.s[0]);
    forPredicate(warp, inst.d[0], lanes, [&](unsigned i) {
      // Global memory is what lies in no window.
      if (inst.immediate)
        return a[i] - inst.immediate < WindowBytes;
      return a[i] - SharedWindow >= WindowBytes && a[i] - LocalWindow >= WindowBytes &&
             a[i] - ParamWindow >= WindowBytes;
    });
  };
}
} // namespace

void addConvertForms(FormTable &table) {
  table["cvt"] = decodeConvert;
  table["cvta"] = decodeConvertAddress;
  table["isspacep"] = decodeIsSpace;
}

} // namespace sattn::ptx

// Floating-point arithmetic. f32 and f64 are computed by the host, which follows IEEE 754 as the device does (directed
// roundings by the host's rounding mode); f16 and bf16 in double with one rounding at the end, which is exact for one
// addition or product. The .approx functions give the rounded exact value: within the error that PTX allows them.
#include "lib/ptx/AluFloat.h"
#include "lib/ptx/Lanes.h"

#include <fmt/format.h>

#include <cfenv>
#include <cmath>

namespace sattn::ptx {
namespace {
/// Sets the host's rounding mode for its lifetime. What is computed meanwhile is loaded from and stored to memory that
/// the calls may touch, so nothing moves across them.
class RoundingScope {
public:
  explicit RoundingScope(Rounding rounding) : active(rounding != Rounding::Nearest) {
    constexpr int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    if (active)
      std::fesetround(modes[unsigned(rounding)]);
  }
  ~RoundingScope() {
    if (active)
      std::fesetround(FE_TONEAREST);
  }
  RoundingScope(const RoundingScope &) = delete;
  RoundingScope &operator=(const RoundingScope &) = delete;

private:
  bool active;
};

struct Add {
  template <typename T> static T apply(T a, T b, T) { return a + b; }
};
struct Sub {
  template <typename T> static T apply(T a, T b, T) { return a - b; }
};
struct Mul {
  template <typename T> static T apply(T a, T b, T) { return a * b; }
};
struct Div {
  template <typename T> static T apply(T a, T b, T) { return a / b; }
};
struct Fma {
  template <typename T> static T apply(T a, T b, T c) { return std::fma(a, b, c); }
};
/// One NaN gives the other operand; -0 is less than +0.
struct Min {
  template <typename T> static T apply(T a, T b, T) {
    if (std::isnan(a) || std::isnan(b))
      return std::isnan(a) ? b : a;
    return a < b || (a == b && std::signbit(a)) ? a : b;
  }
};
struct Max {
  template <typename T> static T apply(T a, T b, T) {
    if (std::isnan(a) || std::isnan(b))
      return std::isnan(a) ? b : a;
    return a > b || (a == b && std::signbit(b)) ? a : b;
  }
};
/// The .NaN forms: any NaN gives the canonical one.
template <typename Op> struct Propagate {
  template <typename T> static T apply(T a, T b, T c) {
    return std::isnan(a) || std::isnan(b) ? std::numeric_limits<T>::quiet_NaN() : Op::apply(a, b, c);
  }
};

template <typename T> T saturated(T value) { return value > 0 ? (value < 1 ? value : T(1)) : T(0); }

/// Results of f32 NaN operations are the canonical NaN on the device.
inline float canonical(float value) { return value != value ? std::bit_cast<float>(0x7fffffffu) : value; }
inline double canonical(double value) { return value; }

template <typename Op, typename T> void arithmetic(Warp &warp, const Inst &inst, uint32_t lanes) {
  RoundingScope scope(inst.rounding);
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
  bool ftz = inst.ftz, saturate = inst.saturate;
  auto in = [&](T value) {
    if constexpr (sizeof(T) == 4)
      return ftz ? flushed(value) : value;
    else
      return value;
  };
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) {
    T value = canonical(Op::template apply<T>(in(a[i]), in(b[i]), in(c[i])));
    return saturate ? saturated(value) : in(value);
  });
}

struct HalfFormat {
  static constexpr double LeastNormal = 0x1p-14;
  static double load(uint16_t bits) { return halfToFloat(bits); }
  static uint16_t store(double value, Rounding rounding) { return toHalf(value, rounding); }
};
struct BfloatFormat {
  static constexpr double LeastNormal = 0x1p-126;
  static double load(uint16_t bits) { return bfloatToFloat(bits); }
  static uint16_t store(double value, Rounding rounding) { return toBfloat(value, rounding); }
};

/// Zero for the subnormal numbers of the format, if .ftz says so.
template <typename Format> double flushedSmall(double value, bool ftz) {
  return ftz && std::abs(value) < Format::LeastNormal ? std::copysign(0.0, value) : value;
}

/// One (Parts 1) or two (Parts 2) small values in a 32-bit word.
template <typename Op, typename Format, unsigned Parts>
void smallArithmetic(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint32_t result = 0;
    for (unsigned part = 0; part < 16 * Parts; part += 16) {
      auto load = [&](uint32_t word) { return flushedSmall<Format>(Format::load(uint16_t(word >> part)), inst.ftz); };
      double value = Op::template apply<double>(load(a[i]), load(b[i]), load(c[i]));
      if (inst.saturate)
        value = saturated(value);
      if (inst.option && value < 0) // .relu
        value = 0;
      value = flushedSmall<Format>(value, inst.ftz);
      result |= uint32_t(Format::store(value, inst.rounding)) << part;
    }
    return result;
  });
}

/// Two f32 in a 64-bit register.
template <typename Op> void pairArithmetic(Warp &warp, const Inst &inst, uint32_t lanes) {
  RoundingScope scope(inst.rounding);
  Source<uint64_t> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
  forLanes<uint64_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint64_t result = 0;
    for (unsigned part = 0; part < 64; part += 32) {
      auto load = [&](uint64_t word) {
        float value = std::bit_cast<float>(uint32_t(word >> part));
        return inst.ftz ? flushed(value) : value;
      };
      float value = canonical(Op::template apply<float>(load(a[i]), load(b[i]), load(c[i])));
      result |= uint64_t(std::bit_cast<uint32_t>(inst.ftz ? flushed(value) : value)) << part;
    }
    return result;
  });
}

template <typename Op> Execute arithmeticOf(Scalar type) {
  switch (type) {
  case Scalar::F16:
    return smallArithmetic<Op, HalfFormat, 1>;
  case Scalar::F16x2:
    return smallArithmetic<Op, HalfFormat, 2>;
  case Scalar::BF16:
    return smallArithmetic<Op, BfloatFormat, 1>;
  case Scalar::BF16x2:
    return smallArithmetic<Op, BfloatFormat, 2>;
  case Scalar::F32:
    return arithmetic<Op, float>;
  case Scalar::F32x2:
    return pairArithmetic<Op>;
  case Scalar::F64:
    return arithmetic<Op, double>;
  default:
    return nullptr;
  }
}

Execute operationOf(std::string_view base, Scalar type, bool propagate) {
  if (base == "add")
    return arithmeticOf<Add>(type);
  if (base == "sub")
    return arithmeticOf<Sub>(type);
  if (base == "mul")
    return arithmeticOf<Mul>(type);
  if (base == "fma" || base == "mad")
    return arithmeticOf<Fma>(type);
  if (base == "div")
    return arithmeticOf<Div>(type);
  if (base == "min")
    return propagate ? arithmeticOf<Propagate<Min>>(type) : arithmeticOf<Min>(type);
  if (base == "max")
    return propagate ? arithmeticOf<Propagate<Max>>(type) : arithmeticOf<Max>(type);
  return nullptr;
}

/// neg and abs only touch sign bits.
void decodeSign(Build &build, Scalar type) {
  bool negate = build.base == "neg";
  uint64_t bits = bytesOf(type) == 8 ? uint64_t(1) << 63 : 0x80000000;
  if (type == Scalar::F16 || type == Scalar::BF16)
    bits = 0x8000;
  if (type == Scalar::F16x2 || type == Scalar::BF16x2)
    bits = 0x80008000;
  build.expectCount(2, 2);
  Inst &inst = build.inst;
  inst.ftz = build.take("ftz");
  inst.immediate = bits;
  inst.option = negate;
  inst.d[0] = build.write(0, type);
  inst.s[0] = build.read(1, type);
  if (bytesOf(type) == 8)
    inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
      Source<uint64_t> a(warp, inst.s[0]);
      forLanes<uint64_t>(warp, inst.d[0], lanes,
                         [&](unsigned i) { return inst.option ? a[i] ^ inst.immediate : a[i] & ~inst.immediate; });
    };
  else
    inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
      Source<uint32_t> a(warp, inst.s[0]);
      uint32_t sign = uint32_t(inst.immediate);
      bool single = sign == 0x80000000 && inst.ftz;
      forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
        uint32_t value = single ? std::bit_cast<uint32_t>(flushed(std::bit_cast<float>(a[i]))) : a[i];
        return inst.option ? value ^ sign : value & ~sign;
      });
    };
}

enum class Function : uint32_t { Ex2, Lg2, Rcp, Rsqrt, Sqrt, Sin, Cos, Tanh };
constexpr std::pair<std::string_view, Function> functionNames[] = {
    {"ex2", Function::Ex2},   {"lg2", Function::Lg2}, {"rcp", Function::Rcp}, {"rsqrt", Function::Rsqrt},
    {"sqrt", Function::Sqrt}, {"sin", Function::Sin}, {"cos", Function::Cos}, {"tanh", Function::Tanh}};

double evaluate(Function function, double x) {
  switch (function) {
  case Function::Ex2:
    return std::exp2(x);
  case Function::Lg2:
    return std::log2(x);
  case Function::Rcp:
    return 1 / x;
  case Function::Rsqrt:
    return 1 / std::sqrt(x);
  case Function::Sqrt:
    return std::sqrt(x);
  case Function::Sin:
    return std::sin(x);
  case Function::Cos:
    return std::cos(x);
  case Function::Tanh:
    return std::tanh(x);
  }
  return x;
}

/// f32 functions through double: one rounding more than exact, far inside what .approx allows; for .rn forms (rcp,
/// sqrt) double is wide enough that rounding twice gives the same result.
template <Function F> void functionSingle(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<float> a(warp, inst.s[0]);
  forLanes<float>(warp, inst.d[0], lanes, [&](unsigned i) {
    float x = inst.ftz ? flushed(a[i]) : a[i];
    float y = canonical(toFloat(evaluate(F, x), inst.rounding));
    return inst.ftz ? flushed(y) : y;
  });
}
template <Function F> void functionDouble(Warp &warp, const Inst &inst, uint32_t lanes) {
  RoundingScope scope(inst.rounding);
  Source<double> a(warp, inst.s[0]);
  forLanes<double>(warp, inst.d[0], lanes, [&](unsigned i) { return evaluate(F, a[i]); });
}
template <Function F, typename Format, unsigned Parts>
void functionSmall(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint32_t result = 0;
    for (unsigned part = 0; part < 16 * Parts; part += 16) {
      double x = flushedSmall<Format>(Format::load(uint16_t(a[i] >> part)), inst.ftz);
      double y = flushedSmall<Format>(evaluate(F, x), inst.ftz);
      result |= uint32_t(Format::store(y, Rounding::Nearest)) << part;
    }
    return result;
  });
}

template <Function F> Execute functionOf(Scalar type) {
  switch (type) {
  case Scalar::F32:
    return functionSingle<F>;
  case Scalar::F64:
    return functionDouble<F>;
  case Scalar::F16:
    return functionSmall<F, HalfFormat, 1>;
  case Scalar::F16x2:
    return functionSmall<F, HalfFormat, 2>;
  case Scalar::BF16:
    return functionSmall<F, BfloatFormat, 1>;
  case Scalar::BF16x2:
    return functionSmall<F, BfloatFormat, 2>;
  default:
    return nullptr;
  }
}

Execute functionOf(Function function, Scalar type) {
  switch (function) {
  case Function::Ex2:
    return functionOf<Function::Ex2>(type);
  case Function::Lg2:
    return functionOf<Function::Lg2>(type);
  case Function::Rcp:
    return functionOf<Function::Rcp>(type);
  case Function::Rsqrt:
    return functionOf<Function::Rsqrt>(type);
  case Function::Sqrt:
    return functionOf<Function::Sqrt>(type);
  case Function::Sin:
    return functionOf<Function::Sin>(type);
  case Function::Cos:
    return functionOf<Function::Cos>(type);
  case Function::Tanh:
    return functionOf<Function::Tanh>(type);
  }
  return nullptr;
}

void decodeFunction(Build &build) {
  Inst &inst = build.inst;
  build.take("approx");
  inst.ftz = build.take("ftz");
  build.takeRounding();
  Scalar type = build.type();
  for (auto [name, function] : functionNames)
    if (build.base == name)
      inst.execute = functionOf(function, type);
  if (!inst.execute)
    return build.reject(fmt::format("'{}' does not take '.{}'", build.base, nameOf(type)));
  build.expectCount(2, 2);
  inst.d[0] = build.write(0, type);
  inst.s[0] = build.read(1, type);
}

void decodeFma(Build &build) { decodeFloat(build, build.type()); }

/// copysign(d, a, b): the magnitude of b with the sign of a.
template <typename T> void copySign(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) { return std::copysign(b[i], a[i]); });
}

void decodeCopySign(Build &build) {
  Scalar type = build.type();
  build.expectCount(3, 3);
  build.inst.execute = type == Scalar::F32 ? copySign<float> : copySign<double>;
  build.inst.d[0] = build.write(0, type);
  build.inst.s[0] = build.read(1, type);
  build.inst.s[1] = build.read(2, type);
}

/// testp: a property of a number.
void decodeTestProperty(Build &build) {
  constexpr std::string_view names[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
  Inst &inst = build.inst;
  for (unsigned i = 0; i < std::size(names); ++i)
    if (build.take(names[i]))
      inst.option = i;
  Scalar type = build.type();
  build.expectCount(2, 2);
  inst.d[0] = build.write(0, Scalar::Pred);
  inst.s[0] = build.read(1, type);
  inst.registerBytes = uint8_t(bytesOf(type));
  inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    forPredicate(warp, inst.d[0], lanes, [&](unsigned i) {
      bool wide = inst.registerBytes == 8;
      double x = wide ? std::bit_cast<double>(warp.wide(inst.s[0])[i]) : std::bit_cast<float>(warp.row(inst.s[0])[i]);
      bool subnormal = x != 0 && std::abs(x) < (wide ? 0x1p-1022 : 0x1p-126);
      bool properties[] = {
          std::isfinite(x), std::isinf(x), !std::isnan(x), std::isnan(x), std::isfinite(x) && x != 0 && !subnormal,
          subnormal};
      return properties[inst.option];
    });
  };
}
} // namespace

void decodeFloat(Build &build, Scalar type) {
  if (build.base == "neg" || build.base == "abs")
    return decodeSign(build, type);
  Inst &inst = build.inst;
  build.take("approx");
  build.take("full");
  inst.ftz = build.take("ftz");
  inst.saturate = build.take("sat");
  inst.option = build.take("relu");
  build.takeRounding();
  bool propagate = build.take("NaN");
  inst.execute = operationOf(build.base, type, propagate);
  bool three = build.base == "fma" || build.base == "mad";
  bool small = type >= Scalar::F16 && type <= Scalar::BF16x2;
  if (!inst.execute || (inst.option && !small))
    return build.reject(fmt::format("'{}' does not take '.{}'", build.source.opcode, nameOf(type)));
  build.expectCount(three ? 4 : 3, three ? 4 : 3);
  inst.d[0] = build.write(0, type);
  for (unsigned i = 0; i < (three ? 3u : 2u); ++i)
    inst.s[i] = build.read(i + 1, type);
}

void addFloatForms(FormTable &table) {
  for (auto [name, function] : functionNames)
    table[name] = decodeFunction;
  table["fma"] = decodeFma;
  table["copysign"] = decodeCopySign;
  table["testp"] = decodeTestProperty;
}

} // namespace sattn::ptx

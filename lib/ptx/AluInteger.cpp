// Integer arithmetic: add, sub, mul, mad, div, rem, abs, neg, min, max, sad, with carries, and dot products. The
// opcodes that exist for floating point too are handed on (AluFloat.h).
#include "lib/ptx/AluFloat.h"
#include "lib/ptx/Lanes.h"

#include <fmt/format.h>

#include <limits>

namespace sattn::ptx {
namespace {
template <typename T> using Unsigned = std::make_unsigned_t<T>;

struct Add {
  template <typename T> static T apply(T a, T b) { return T(Unsigned<T>(a) + Unsigned<T>(b)); }
};
struct Sub {
  template <typename T> static T apply(T a, T b) { return T(Unsigned<T>(a) - Unsigned<T>(b)); }
};
struct AddSaturated {
  static int32_t apply(int32_t a, int32_t b) {
    return int32_t(std::clamp<int64_t>(int64_t(a) + b, INT32_MIN, INT32_MAX));
  }
};
struct SubSaturated {
  static int32_t apply(int32_t a, int32_t b) {
    return int32_t(std::clamp<int64_t>(int64_t(a) - b, INT32_MIN, INT32_MAX));
  }
};
struct MulLow {
  template <typename T> static T apply(T a, T b) {
    // 16-bit operands would be promoted to int and could overflow.
    using Wide = std::conditional_t<sizeof(T) < 4, uint32_t, Unsigned<T>>;
    return T(Wide(a) * Wide(b));
  }
};
struct MulHigh {
  template <typename T> static T apply(T a, T b) {
    using Wide = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
    return T((Wide(a) * Wide(b)) >> (8 * sizeof(T)));
  }
};
struct Divide {
  template <typename T> static T apply(T a, T b) {
    if (b == 0)
      return T(~T(0)); // what hardware gives; the language leaves it open
    if (std::is_signed_v<T> && b == T(-1))
      return T(Unsigned<T>(0) - Unsigned<T>(a));
    return T(a / b);
  }
};
struct Remainder {
  template <typename T> static T apply(T a, T b) {
    if (b == 0)
      return a;
    return std::is_signed_v<T> && b == T(-1) ? T(0) : T(a % b);
  }
};
struct Min {
  template <typename T> static T apply(T a, T b) { return b < a ? b : a; }
};
struct Max {
  template <typename T> static T apply(T a, T b) { return a < b ? b : a; }
};

template <typename Op, typename T> void binary(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) { return Op::apply(a[i], b[i]); });
}

template <typename Op> Execute binaryOf(Scalar type) {
  switch (type) {
  case Scalar::U16:
  case Scalar::B16:
    return binary<Op, uint16_t>;
  case Scalar::S16:
    return binary<Op, int16_t>;
  case Scalar::U32:
  case Scalar::B32:
    return binary<Op, uint32_t>;
  case Scalar::S32:
    return binary<Op, int32_t>;
  case Scalar::U64:
  case Scalar::B64:
    return binary<Op, uint64_t>;
  case Scalar::S64:
    return binary<Op, int64_t>;
  default:
    return nullptr;
  }
}

/// Both halves of a 32-bit register.
template <typename Op, typename T> void packed(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    return uint32_t(uint16_t(Op::apply(T(a[i]), T(b[i])))) | uint32_t(uint16_t(Op::apply(T(a[i] >> 16), T(b[i] >> 16))))
                                                                 << 16;
  });
}

void setBinary(Build &build, Scalar type, Execute execute) {
  build.expectCount(3, 3);
  if (!execute)
    return build.reject(fmt::format("'{}' does not take '.{}'", build.base, nameOf(type)));
  build.inst.execute = execute;
  build.inst.d[0] = build.write(0, type);
  build.inst.s[0] = build.read(1, type);
  build.inst.s[1] = build.read(2, type);
}

template <typename Op> void decodeMinMax(Build &build) {
  Scalar type = build.type();
  if (isFloat(type))
    return decodeFloat(build, type);
  if (type == Scalar::U16x2 || type == Scalar::S16x2)
    return setBinary(build, type, type == Scalar::U16x2 ? packed<Op, uint16_t> : packed<Op, int16_t>);
  setBinary(build, type, binaryOf<Op>(type));
  if (build.take("relu")) {
    if (type != Scalar::S32)
      return build.reject("'.relu' needs '.s32'");
    build.inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
      Source<int32_t> a(warp, inst.s[0]), b(warp, inst.s[1]);
      forLanes<int32_t>(warp, inst.d[0], lanes, [&](unsigned i) { return std::max(0, Op::apply(a[i], b[i])); });
    };
  }
}

/// Sums and differences with the condition code: option bit 0 subtracts, bit 1 reads the carry, bit 2 writes it. The
/// code of a difference is its borrow.
template <typename T> void withCarry(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  uint32_t in = inst.option & 2 ? warp.predicate(CarryRow) : 0, out = 0;
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) {
    unsigned __int128 carry = in >> i & 1, x = a[i], y = b[i];
    unsigned __int128 result = inst.option & 1 ? x - y - carry : x + y + carry;
    out |= uint32_t(result >> (8 * sizeof(T)) & 1) << i;
    return T(result);
  });
  if (inst.option & 4)
    warp.predicate(CarryRow) = (warp.predicate(CarryRow) & ~lanes) | (out & lanes);
}

void decodeCarry(Build &build, bool reads, bool writes) {
  Scalar type = build.type();
  bool subtract = build.base[0] == 's';
  setBinary(build, type, bytesOf(type) == 8 ? withCarry<uint64_t> : bytesOf(type) == 4 ? withCarry<uint32_t> : nullptr);
  build.inst.option = uint32_t(subtract) | uint32_t(reads) << 1 | uint32_t(writes) << 2;
  if (reads)
    build.noteRead(CarryRow);
  if (writes)
    build.noteWrite(CarryRow);
}

/// addc, subc.
void decodeChained(Build &build) {
  bool writes = build.take("cc");
  decodeCarry(build, true, writes);
}

template <typename Op, typename Saturated> void decodeAddSub(Build &build) {
  if (build.take("cc"))
    return decodeCarry(build, false, true);
  Scalar type = build.type();
  if (isFloat(type))
    return decodeFloat(build, type);
  if (type == Scalar::U16x2 || type == Scalar::S16x2)
    return setBinary(build, type, packed<Op, uint16_t>);
  if (build.take("sat"))
    return setBinary(build, type, type == Scalar::S32 ? binary<Saturated, int32_t> : nullptr);
  setBinary(build, type, binaryOf<Op>(type));
}

template <typename Op> void decodeDivision(Build &build) {
  Scalar type = build.type();
  if (isFloat(type))
    return decodeFloat(build, type);
  setBinary(build, type, binaryOf<Op>(type));
}

/// d = a * b [+ c] with a result of twice the width.
template <typename T, typename Wide, bool Accumulate> void multiplyWide(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  Source<Wide> c(warp, inst.s[2]);
  forLanes<Wide>(warp, inst.d[0], lanes, [&](unsigned i) {
    // The product fits; the sum wraps.
    Wide product = Wide(a[i]) * Wide(b[i]);
    return Accumulate ? Add::apply<Wide>(product, c[i]) : product;
  });
}

template <typename Product, typename T> void multiplyAdd(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) { return Add::apply<T>(Product::apply(a[i], b[i]), c[i]); });
}

template <typename Product> Execute multiplyAddOf(Scalar type) {
  switch (type) {
  case Scalar::U16:
    return multiplyAdd<Product, uint16_t>;
  case Scalar::S16:
    return multiplyAdd<Product, int16_t>;
  case Scalar::U32:
    return multiplyAdd<Product, uint32_t>;
  case Scalar::S32:
    return multiplyAdd<Product, int32_t>;
  case Scalar::U64:
    return multiplyAdd<Product, uint64_t>;
  case Scalar::S64:
    return multiplyAdd<Product, int64_t>;
  default:
    return nullptr;
  }
}

template <bool Accumulate> Execute wideOf(Scalar type) {
  switch (type) {
  case Scalar::U16:
    return multiplyWide<uint16_t, uint32_t, Accumulate>;
  case Scalar::S16:
    return multiplyWide<int16_t, int32_t, Accumulate>;
  case Scalar::U32:
    return multiplyWide<uint32_t, uint64_t, Accumulate>;
  case Scalar::S32:
    return multiplyWide<int32_t, int64_t, Accumulate>;
  default:
    return nullptr;
  }
}

/// One half of a product, plus c and the carry.
template <typename T, typename Half> void multiplyWithCarry(Warp &warp, const Inst &inst, uint32_t lanes) {
  using U = Unsigned<T>;
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  Source<U> c(warp, inst.s[2]);
  uint32_t in = inst.option & 2 ? warp.predicate(CarryRow) : 0, out = 0;
  forLanes<U>(warp, inst.d[0], lanes, [&](unsigned i) {
    unsigned __int128 sum = (unsigned __int128)U(Half::apply(a[i], b[i])) + c[i] + (in >> i & 1);
    out |= uint32_t(sum >> (8 * sizeof(T)) & 1) << i;
    return U(sum);
  });
  if (inst.option & 4)
    warp.predicate(CarryRow) = (warp.predicate(CarryRow) & ~lanes) | (out & lanes);
}

template <typename Half> Execute multiplyWithCarryOf(Scalar type) {
  switch (type) {
  case Scalar::U32:
    return multiplyWithCarry<uint32_t, Half>;
  case Scalar::S32:
    return multiplyWithCarry<int32_t, Half>;
  case Scalar::U64:
    return multiplyWithCarry<uint64_t, Half>;
  case Scalar::S64:
    return multiplyWithCarry<int64_t, Half>;
  default:
    return nullptr;
  }
}

/// mad.cc, madc: options as for sums.
void decodeMultiplyCarry(Build &build) {
  Inst &inst = build.inst;
  bool writes = build.take("cc"), high = build.take("hi"), low = build.take("lo");
  Scalar type = build.type();
  build.expectCount(4, 4);
  inst.execute = high ? multiplyWithCarryOf<MulHigh>(type) : multiplyWithCarryOf<MulLow>(type);
  if (!inst.execute || high == low)
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  inst.option = (build.base == "madc" ? 2u : 0u) | uint32_t(writes) << 2;
  inst.d[0] = build.write(0, type);
  for (unsigned i = 0; i < 3; ++i)
    inst.s[i] = build.read(i + 1, type);
  if (inst.option & 2)
    build.noteRead(CarryRow);
  if (writes)
    build.noteWrite(CarryRow);
}

void decodeMultiply(Build &build) {
  bool accumulate = build.base == "mad";
  if (build.base == "madc" || build.source.opcode.find(".cc") != std::string_view::npos)
    return decodeMultiplyCarry(build);
  bool wide = build.take("wide"), high = build.take("hi"), low = build.take("lo");
  Scalar type = build.type();
  if (isFloat(type))
    return decodeFloat(build, type);
  if (wide + high + low != 1)
    return build.reject(fmt::format("'{}' needs one of '.lo', '.hi' and '.wide'", build.source.opcode));
  Inst &inst = build.inst;
  build.expectCount(accumulate ? 4 : 3, accumulate ? 4 : 3);
  Scalar result = !wide ? type : bytesOf(type) == 2 ? Scalar::B32 : Scalar::B64;
  if (accumulate)
    inst.execute = wide ? wideOf<true>(type) : high ? multiplyAddOf<MulHigh>(type) : multiplyAddOf<MulLow>(type);
  else
    inst.execute = wide ? wideOf<false>(type) : high ? binaryOf<MulHigh>(type) : binaryOf<MulLow>(type);
  if (!inst.execute)
    return build.reject(fmt::format("'{}' does not take '.{}'", build.base, nameOf(type)));
  inst.d[0] = build.write(0, result);
  inst.s[0] = build.read(1, type);
  inst.s[1] = build.read(2, type);
  if (accumulate)
    inst.s[2] = build.read(3, result);
}

template <typename Op, typename T> void unary(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) { return Op::apply(a[i]); });
}
struct Negate {
  template <typename T> static T apply(T a) { return Sub::apply<T>(0, a); }
};
struct Absolute {
  template <typename T> static T apply(T a) { return a < 0 ? Sub::apply<T>(0, a) : a; }
};

template <typename Op> void decodeUnary(Build &build) {
  Scalar type = build.type();
  if (isFloat(type))
    return decodeFloat(build, type);
  build.expectCount(2, 2);
  build.inst.execute = type == Scalar::S16   ? unary<Op, int16_t>
                       : type == Scalar::S32 ? unary<Op, int32_t>
                       : type == Scalar::S64 ? unary<Op, int64_t>
                                             : nullptr;
  if (!build.inst.execute)
    return build.reject(fmt::format("'{}' does not take '.{}'", build.base, nameOf(type)));
  build.inst.d[0] = build.write(0, type);
  build.inst.s[0] = build.read(1, type);
}

/// d = c + |a - b|.
template <typename T> void absoluteDifference(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) {
    T difference = a[i] < b[i] ? Sub::apply<T>(b[i], a[i]) : Sub::apply<T>(a[i], b[i]);
    return Add::apply<T>(c[i], difference);
  });
}

void decodeSad(Build &build) {
  Scalar type = build.type();
  build.expectCount(4, 4);
  build.inst.execute = type == Scalar::U32   ? absoluteDifference<uint32_t>
                       : type == Scalar::S32 ? absoluteDifference<int32_t>
                                             : nullptr;
  if (!build.inst.execute)
    return build.reject(fmt::format("'sad' does not take '.{}'", nameOf(type)));
  build.inst.d[0] = build.write(0, type);
  for (unsigned i = 0; i < 3; ++i)
    build.inst.s[i] = build.read(i + 1, type);
}

/// d = c + sum over the four bytes of a * b.
template <typename A, typename B> void dotBytes(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint32_t sum = c[i];
    for (unsigned byte = 0; byte < 32; byte += 8)
      sum += uint32_t(int32_t(A(a[i] >> byte)) * int32_t(B(b[i] >> byte)));
    return sum;
  });
}

void decodeDotBytes(Build &build) {
  Scalar a = build.type(), b = build.type();
  build.expectCount(4, 4);
  bool signedA = a == Scalar::S32, signedB = b == Scalar::S32;
  build.inst.execute = signedA ? (signedB ? dotBytes<int8_t, int8_t> : dotBytes<int8_t, uint8_t>)
                               : (signedB ? dotBytes<uint8_t, int8_t> : dotBytes<uint8_t, uint8_t>);
  build.inst.d[0] = build.write(0, Scalar::B32);
  for (unsigned i = 0; i < 3; ++i)
    build.inst.s[i] = build.read(i + 1, Scalar::B32);
}
} // namespace

void addIntegerForms(FormTable &table) {
  table["add"] = decodeAddSub<Add, AddSaturated>;
  table["sub"] = decodeAddSub<Sub, SubSaturated>;
  table["addc"] = table["subc"] = decodeChained;
  table["mul"] = table["mad"] = table["madc"] = decodeMultiply;
  table["div"] = decodeDivision<Divide>;
  table["rem"] = decodeDivision<Remainder>;
  table["min"] = decodeMinMax<Min>;
  table["max"] = decodeMinMax<Max>;
  table["neg"] = decodeUnary<Negate>;
  table["abs"] = decodeUnary<Absolute>;
  table["sad"] = decodeSad;
  table["dp4a"] = decodeDotBytes;
}

} // namespace sattn::ptx

// Logic, shifts and bit fields: and, or, xor, not, cnot, shl, shr, shf, bfe, bfi, bmsk, lop3, prmt, popc, clz, brev,
// bfind, fns.
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"

#include <fmt/format.h>

namespace sattn::ptx {
namespace {
struct And {
  template <typename T> static T apply(T a, T b) { return a & b; }
};
struct Or {
  template <typename T> static T apply(T a, T b) { return a | b; }
};
struct Xor {
  template <typename T> static T apply(T a, T b) { return a ^ b; }
};

template <typename Op, typename T> void logic(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) { return Op::template apply<T>(a[i], b[i]); });
}
/// `option` inverts sources: bit 0 the first, bit 1 the second.
template <typename Op> void logicPredicate(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t a = warp.predicate(inst.s[0]) ^ (inst.option & 1 ? ~0u : 0),
           b = warp.predicate(inst.s[1]) ^ (inst.option & 2 ? ~0u : 0);
  uint32_t &d = warp.predicate(inst.d[0]);
  d = (d & ~lanes) | (Op::template apply<uint32_t>(a, b) & lanes);
}

template <typename Op> void decodeLogic(Build &build) {
  Scalar type = build.type();
  build.expectCount(3, 3);
  Inst &inst = build.inst;
  inst.d[0] = build.write(0, type);
  if (type == Scalar::Pred) {
    bool first = false, second = false;
    inst.s[0] = build.readPredicate(build.operand(1), first);
    inst.s[1] = build.readPredicate(build.operand(2), second);
    inst.option = uint32_t(first) | uint32_t(second) << 1;
    inst.execute = logicPredicate<Op>;
    return;
  }
  inst.s[0] = build.read(1, type);
  inst.s[1] = build.read(2, type);
  inst.execute = bytesOf(type) == 8   ? logic<Op, uint64_t>
                 : bytesOf(type) == 4 ? logic<Op, uint32_t>
                                      : logic<Op, uint16_t>;
}

void decodeNot(Build &build) {
  Scalar type = build.type();
  build.expectCount(2, 2);
  Inst &inst = build.inst;
  inst.option = build.base == "cnot";
  inst.immediate = bytesOf(type) == 2 ? 0xffff : 0xffffffff;
  inst.d[0] = build.write(0, type);
  inst.s[0] = build.read(1, type);
  if (type == Scalar::Pred)
    inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
      uint32_t &d = warp.predicate(inst.d[0]);
      d = (d & ~lanes) | (~warp.predicate(inst.s[0]) & lanes);
    };
  else if (bytesOf(type) == 8)
    inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
      Source<uint64_t> a(warp, inst.s[0]);
      forLanes<uint64_t>(warp, inst.d[0], lanes, [&](unsigned i) { return inst.option ? uint64_t(!a[i]) : ~a[i]; });
    };
  else
    inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
      Source<uint32_t> a(warp, inst.s[0]);
      auto mask = uint32_t(inst.immediate);
      forLanes<uint32_t>(warp, inst.d[0], lanes,
                         [&](unsigned i) { return (inst.option ? uint32_t(!a[i]) : ~a[i]) & mask; });
    };
}

/// Shifts by more than the width give what all bits shifted out leave.
struct Left {
  template <typename T> static T apply(T a, uint32_t n) {
    return n >= 8 * sizeof(T) ? T(0) : T(std::make_unsigned_t<T>(a) << n);
  }
};
struct Right {
  template <typename T> static T apply(T a, uint32_t n) {
    return n >= 8 * sizeof(T) ? T(std::is_signed_v<T> && a < 0 ? -1 : 0) : T(a >> n);
  }
};

template <typename Op, typename T> void shift(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]);
  Source<uint32_t> n(warp, inst.s[1]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) { return Op::template apply<T>(a[i], n[i]); });
}

template <typename Op> void decodeShift(Build &build) {
  Scalar type = build.type();
  build.expectCount(3, 3);
  Inst &inst = build.inst;
  inst.d[0] = build.write(0, type);
  inst.s[0] = build.read(1, type);
  inst.s[1] = build.read(2, Scalar::U32);
  switch (type) {
  case Scalar::S16:
    inst.execute = shift<Op, int16_t>;
    break;
  case Scalar::S32:
    inst.execute = shift<Op, int32_t>;
    break;
  case Scalar::S64:
    inst.execute = shift<Op, int64_t>;
    break;
  default:
    inst.execute = bytesOf(type) == 8   ? shift<Op, uint64_t>
                   : bytesOf(type) == 4 ? shift<Op, uint32_t>
                                        : shift<Op, uint16_t>;
  }
}

/// The 64 bits {b, a} shifted; the upper word of a left shift, the lower one of a right shift.
template <bool IsLeft, bool Clamp> void funnel(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint32_t n = Clamp ? std::min(c[i], 32u) : c[i] & 31;
    uint64_t both = uint64_t(b[i]) << 32 | a[i];
    return uint32_t(IsLeft ? (both << n) >> 32 : both >> n);
  });
}

void decodeFunnel(Build &build) {
  bool left = build.take("l"), right = build.take("r"), clamp = build.take("clamp"), wrap = build.take("wrap");
  if (build.type() != Scalar::B32 || left == right || clamp == wrap)
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.expectCount(4, 4);
  Inst &inst = build.inst;
  inst.execute =
      left ? (clamp ? funnel<true, true> : funnel<true, false>) : (clamp ? funnel<false, true> : funnel<false, false>);
  inst.d[0] = build.write(0, Scalar::B32);
  for (unsigned i = 0; i < 3; ++i)
    inst.s[i] = build.read(i + 1, Scalar::B32);
}

/// bfe: `length` bits from `position`; signed types repeat the top bit of the field (or of the number, beyond it).
template <typename T> void extract(Warp &warp, const Inst &inst, uint32_t lanes) {
  constexpr unsigned width = 8 * sizeof(T);
  Source<T> a(warp, inst.s[0]);
  Source<uint32_t> b(warp, inst.s[1]), c(warp, inst.s[2]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) {
    using U = std::make_unsigned_t<T>;
    uint32_t position = b[i] & 255, length = c[i] & 255;
    if (length == 0)
      return T(0);
    U field = position >= width ? U(0) : U(U(a[i]) >> position);
    U mask = length >= width ? ~U(0) : (U(1) << length) - 1;
    uint32_t top = std::min(position + length - 1, width - 1);
    bool sign = std::is_signed_v<T> && (U(a[i]) >> top & 1);
    uint32_t available = position >= width ? 0 : std::min(length, width - position);
    U kept = available >= width ? ~U(0) : (U(1) << available) - 1;
    return T(sign ? ((field & mask) | ~kept) : (field & mask));
  });
}

template <typename T> void insert(Warp &warp, const Inst &inst, uint32_t lanes) {
  constexpr unsigned width = 8 * sizeof(T);
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  Source<uint32_t> c(warp, inst.s[2]), d(warp, inst.s[3]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint32_t position = c[i] & 255, length = d[i] & 255;
    if (length == 0 || position >= width)
      return b[i];
    T mask = T((length >= width ? ~T(0) : (T(1) << length) - 1) << position);
    return T((b[i] & ~mask) | (T(a[i] << position) & mask));
  });
}

void decodeField(Build &build) {
  bool isInsert = build.base == "bfi";
  Scalar type = build.type();
  build.expectCount(isInsert ? 5 : 4, isInsert ? 5 : 4);
  Inst &inst = build.inst;
  bool wide = bytesOf(type) == 8;
  if (isInsert)
    inst.execute = wide ? insert<uint64_t> : insert<uint32_t>;
  else if (isSigned(type))
    inst.execute = wide ? extract<int64_t> : extract<int32_t>;
  else
    inst.execute = wide ? extract<uint64_t> : extract<uint32_t>;
  inst.d[0] = build.write(0, type);
  inst.s[0] = build.read(1, type);
  unsigned next = 1;
  if (isInsert)
    inst.s[next++] = build.read(2, type);
  for (unsigned i = 0; i < 2; ++i)
    inst.s[next + i] = build.read(next + i + 1, Scalar::U32);
}

/// Bit i of the result is the bit of the table that the i-th bits of a, b and c select.
void lookUp3(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint32_t result = 0;
    for (unsigned row = 0; row < 8; ++row)
      if (inst.immediate >> row & 1)
        result |= (row & 4 ? a[i] : ~a[i]) & (row & 2 ? b[i] : ~b[i]) & (row & 1 ? c[i] : ~c[i]);
    return result;
  });
}

void decodeLookUp3(Build &build) {
  if (build.type() != Scalar::B32)
    return build.reject("'lop3' takes '.b32'");
  build.expectCount(5, 5);
  Inst &inst = build.inst;
  inst.execute = lookUp3;
  inst.d[0] = build.write(0, Scalar::B32);
  for (unsigned i = 0; i < 3; ++i)
    inst.s[i] = build.read(i + 1, Scalar::B32);
  inst.immediate = build.immediate(build.operand(4));
}

enum class Permute : uint32_t { Bytes, Forward4, Backward4, Replicate8, EdgeLeft, EdgeRight, Replicate16 };

uint32_t selectorOf(Permute mode, uint32_t c) {
  static constexpr uint16_t tables[][4] = {{0x3210, 0x4321, 0x5432, 0x6543}, {0x5670, 0x6701, 0x7012, 0x0123},
                                           {0x0000, 0x1111, 0x2222, 0x3333}, {0x3210, 0x3211, 0x3222, 0x3333},
                                           {0x0000, 0x1110, 0x2210, 0x3210}, {0x1010, 0x3232, 0x1010, 0x3232}};
  return mode == Permute::Bytes ? c : tables[unsigned(mode) - 1][c & 3];
}

/// Each nibble of the selector picks one of the eight bytes {b, a}; its top bit repeats that byte's sign instead.
void permute(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint64_t bytes = uint64_t(b[i]) << 32 | a[i];
    uint32_t selector = selectorOf(Permute(inst.option), c[i]), result = 0;
    for (unsigned n = 0; n < 4; ++n, selector >>= 4) {
      uint32_t byte = uint32_t(bytes >> (8 * (selector & 7))) & 255;
      if (selector & 8)
        byte = byte & 128 ? 255 : 0;
      result |= byte << (8 * n);
    }
    return result;
  });
}

void decodePermute(Build &build) {
  constexpr std::string_view names[] = {"", "f4e", "b4e", "rc8", "ecl", "ecr", "rc16"};
  Inst &inst = build.inst;
  if (build.type() != Scalar::B32)
    return build.reject("'prmt' takes '.b32'");
  for (unsigned i = 1; i < std::size(names); ++i)
    if (build.take(names[i]))
      inst.option = i;
  build.expectCount(4, 4);
  inst.execute = permute;
  inst.d[0] = build.write(0, Scalar::B32);
  for (unsigned i = 0; i < 3; ++i)
    inst.s[i] = build.read(i + 1, Scalar::B32);
}

struct PopulationCount {
  template <typename T> static uint32_t apply(T a) { return uint32_t(std::popcount(a)); }
};
struct LeadingZeros {
  template <typename T> static uint32_t apply(T a) { return uint32_t(std::countl_zero(a)); }
};
template <typename Op, typename T> void countBits(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) { return Op::template apply<T>(a[i]); });
}
template <typename Op> void decodeCount(Build &build) {
  Scalar type = build.type();
  build.expectCount(2, 2);
  build.inst.execute = bytesOf(type) == 8 ? countBits<Op, uint64_t> : countBits<Op, uint32_t>;
  build.inst.d[0] = build.write(0, Scalar::U32);
  build.inst.s[0] = build.read(1, type);
}

template <typename T> T reversed(T value) {
  T result = 0;
  for (unsigned bit = 0; bit < 8 * sizeof(T); ++bit)
    result |= T(value >> bit & 1) << (8 * sizeof(T) - 1 - bit);
  return result;
}
template <typename T> void reverseBits(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) { return reversed(a[i]); });
}
void decodeReverse(Build &build) {
  Scalar type = build.type();
  build.expectCount(2, 2);
  build.inst.execute = bytesOf(type) == 8 ? reverseBits<uint64_t> : reverseBits<uint32_t>;
  build.inst.d[0] = build.write(0, type);
  build.inst.s[0] = build.read(1, type);
}

/// Position of the highest bit that differs from the sign (signed) or from 0; all ones if there is none.
template <typename T> void findBit(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    using U = std::make_unsigned_t<T>;
    U bits = std::is_signed_v<T> && a[i] < 0 ? ~U(a[i]) : U(a[i]);
    if (!bits)
      return ~uint32_t(0);
    auto shift = uint32_t(std::countl_zero(bits));
    return inst.option ? shift : uint32_t(8 * sizeof(T)) - 1 - shift;
  });
}
void decodeFindBit(Build &build) {
  build.inst.option = build.take("shiftamt");
  Scalar type = build.type();
  build.expectCount(2, 2);
  bool wide = bytesOf(type) == 8;
  build.inst.execute =
      isSigned(type) ? (wide ? findBit<int64_t> : findBit<int32_t>) : (wide ? findBit<uint64_t> : findBit<uint32_t>);
  build.inst.d[0] = build.write(0, Scalar::U32);
  build.inst.s[0] = build.read(1, type);
}

/// fns: the offset-th set bit of the mask from base on, upwards or (negative offset) downwards.
uint32_t nthSetBit(uint32_t mask, uint32_t base, int32_t offset) {
  if (offset == 0)
    return base < 32 && mask >> base & 1 ? base : ~uint32_t(0);
  int32_t step = offset < 0 ? -1 : 1, left = offset * step;
  for (int32_t at = int32_t(base); at >= 0 && at < 32; at += step)
    if ((mask >> at & 1) && --left == 0)
      return uint32_t(at);
  return ~uint32_t(0);
}
void decodeFindNth(Build &build) {
  build.type();
  build.expectCount(4, 4);
  build.inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]), c(warp, inst.s[2]);
    forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) { return nthSetBit(a[i], b[i], int32_t(c[i])); });
  };
  build.inst.d[0] = build.write(0, Scalar::B32);
  for (unsigned i = 0; i < 3; ++i)
    build.inst.s[i] = build.read(i + 1, Scalar::B32);
}

/// bmsk: `length` ones from `position` on.
void decodeMask(Build &build) {
  bool wrap = build.take("wrap");
  build.take("clamp");
  build.type();
  build.expectCount(3, 3);
  build.inst.option = wrap;
  build.inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]);
    forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
      uint32_t position = inst.option ? a[i] & 31 : a[i], length = inst.option ? b[i] & 31 : std::min(b[i], 32u);
      if (position >= 32)
        return 0u;
      return (length >= 32 ? ~0u : (1u << length) - 1) << position;
    });
  };
  build.inst.d[0] = build.write(0, Scalar::B32);
  build.inst.s[0] = build.read(1, Scalar::B32);
  build.inst.s[1] = build.read(2, Scalar::B32);
}
} // namespace

void addBitForms(FormTable &table) {
  table["and"] = decodeLogic<And>;
  table["or"] = decodeLogic<Or>;
  table["xor"] = decodeLogic<Xor>;
  table["not"] = table["cnot"] = decodeNot;
  table["shl"] = decodeShift<Left>;
  table["shr"] = decodeShift<Right>;
  table["shf"] = decodeFunnel;
  table["bfe"] = table["bfi"] = decodeField;
  table["lop3"] = decodeLookUp3;
  table["prmt"] = decodePermute;
  table["popc"] = decodeCount<PopulationCount>;
  table["clz"] = decodeCount<LeadingZeros>;
  table["brev"] = decodeReverse;
  table["bfind"] = decodeFindBit;
  table["fns"] = decodeFindNth;
  table["bmsk"] = decodeMask;
}

} // namespace sattn::ptx

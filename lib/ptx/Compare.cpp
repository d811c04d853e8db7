// Comparison and choice: setp, set, selp, slct.
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"

#include <fmt/format.h>

#include <cmath>

namespace sattn::ptx {
namespace {
/// Bit set of outcomes for which the comparison holds.
enum Outcome : uint32_t { Less = 1, Equal = 2, Greater = 4, Unordered = 8 };

std::optional<uint32_t> outcomesOf(std::string_view name) {
  constexpr std::pair<std::string_view, uint32_t> names[] = {{"eq", Equal},
                                                             {"ne", Less | Greater},
                                                             {"lt", Less},
                                                             {"le", Less | Equal},
                                                             {"gt", Greater},
                                                             {"ge", Greater | Equal},
                                                             {"lo", Less},
                                                             {"ls", Less | Equal},
                                                             {"hi", Greater},
                                                             {"hs", Greater | Equal},
                                                             {"equ", Equal | Unordered},
                                                             {"neu", Less | Greater | Unordered},
                                                             {"ltu", Less | Unordered},
                                                             {"leu", Less | Equal | Unordered},
                                                             {"gtu", Greater | Unordered},
                                                             {"geu", Greater | Equal | Unordered},
                                                             {"num", Less | Equal | Greater},
                                                             {"nan", Unordered}};
  for (auto [known, outcomes] : names)
    if (known == name)
      return outcomes;
  return std::nullopt;
}

template <typename T> uint32_t outcome(T a, T b) { return a < b ? Less : a > b ? Greater : a == b ? Equal : Unordered; }

template <typename T> uint32_t compare(Warp &warp, const Inst &inst) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  uint32_t mask = 0;
  for (unsigned i = 0; i < 32; ++i)
    mask |= uint32_t((outcome<T>(a[i], b[i]) & inst.option) != 0) << i;
  return mask;
}
/// Small and f32 values as f32, the latter flushed for .ftz.
template <float (*Load)(uint16_t)> uint32_t compareSmall(Warp &warp, const Inst &inst) {
  Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]);
  uint32_t mask = 0;
  for (unsigned i = 0; i < 32; ++i)
    mask |= uint32_t((outcome(Load(uint16_t(a[i])), Load(uint16_t(b[i]))) & inst.option) != 0) << i;
  return mask;
}
uint32_t compareFlushed(Warp &warp, const Inst &inst) {
  Source<float> a(warp, inst.s[0]), b(warp, inst.s[1]);
  uint32_t mask = 0;
  for (unsigned i = 0; i < 32; ++i)
    mask |= uint32_t((outcome(flushed(a[i]), flushed(b[i])) & inst.option) != 0) << i;
  return mask;
}

uint32_t compareAny(Warp &warp, const Inst &inst) {
  switch (Scalar(inst.bytes)) {
  case Scalar::U16:
  case Scalar::B16:
    return compare<uint16_t>(warp, inst);
  case Scalar::S16:
    return compare<int16_t>(warp, inst);
  case Scalar::U32:
  case Scalar::B32:
    return compare<uint32_t>(warp, inst);
  case Scalar::S32:
    return compare<int32_t>(warp, inst);
  case Scalar::U64:
  case Scalar::B64:
    return compare<uint64_t>(warp, inst);
  case Scalar::S64:
    return compare<int64_t>(warp, inst);
  case Scalar::F32:
    return inst.ftz ? compareFlushed(warp, inst) : compare<float>(warp, inst);
  case Scalar::F64:
    return compare<double>(warp, inst);
  case Scalar::F16:
    return compareSmall<halfToFloat>(warp, inst);
  case Scalar::BF16:
    return compareSmall<bfloatToFloat>(warp, inst);
  default:
    return 0;
  }
}

bool comparable(Scalar type) {
  return bytesOf(type) >= 2 && bytesOf(type) <= 8 && type != Scalar::F16x2 && type != Scalar::BF16x2 &&
         type != Scalar::TF32 && type != Scalar::F32x2 && type < Scalar::E4M3 && type != Scalar::U16x2 &&
         type != Scalar::S16x2;
}

enum Combine : uint8_t { CombineNone, CombineAnd, CombineOr, CombineXor };

uint32_t combined(const Inst &inst, uint32_t mask, uint32_t c) {
  switch (inst.registerBytes) {
  case CombineAnd:
    return mask & c;
  case CombineOr:
    return mask | c;
  case CombineXor:
    return mask ^ c;
  default:
    return mask;
  }
}

/// p = (a op b) BoolOp c, q = !(a op b) BoolOp c.
void setPredicate(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t mask = compareAny(warp, inst), c = warp.predicate(inst.s[2]) ^ (inst.saturate ? ~0u : 0);
  uint32_t &p = warp.predicate(inst.d[0]);
  p = (p & ~lanes) | (combined(inst, mask, c) & lanes);
  if (!inst.d[1])
    return;
  uint32_t &q = warp.predicate(inst.d[1]);
  q = (q & ~lanes) | (combined(inst, ~mask, c) & lanes);
}

/// set: all ones or 0, or 1.0 or 0.0 for a floating-point destination.
void setValue(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t mask = compareAny(warp, inst), c = warp.predicate(inst.s[2]) ^ (inst.saturate ? ~0u : 0);
  mask = combined(inst, mask, c);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) { return mask >> i & 1 ? uint32_t(inst.immediate) : 0u; });
}

/// The operation, its combination with a further predicate, and the sources from `first` on.
void decodeComparison(Build &build, Scalar type, size_t first) {
  Inst &inst = build.inst;
  inst.s[0] = build.read(first, type);
  inst.s[1] = build.read(first + 1, type);
  inst.bytes = uint8_t(type);
  build.expectCount(inst.registerBytes ? first + 3 : first + 2, inst.registerBytes ? first + 3 : first + 2);
  bool negated = false;
  if (inst.registerBytes)
    inst.s[2] = build.readPredicate(build.operand(first + 2), negated);
  inst.saturate = negated;
  if (!comparable(type))
    build.reject(fmt::format("'{}' does not take '.{}'", build.base, nameOf(type)));
}

void takeComparison(Build &build) {
  Inst &inst = build.inst;
  std::string_view name = build.takeNext();
  std::optional<uint32_t> outcomes = outcomesOf(name);
  if (!outcomes)
    return build.reject(fmt::format("comparison '.{}' is not supported", name));
  inst.option = *outcomes;
  inst.registerBytes = build.take("and")   ? CombineAnd
                       : build.take("or")  ? CombineOr
                       : build.take("xor") ? CombineXor
                                           : CombineNone;
  inst.ftz = build.take("ftz");
}

/// setp on pairs: p compares the lower halves, q the upper ones.
template <float (*Load)(uint16_t)> void setPredicates(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]);
  for (unsigned part = 0; part < 2; ++part)
    forPredicate(warp, inst.d[part], lanes, [&](unsigned i) {
      return outcome(Load(uint16_t(a[i] >> (16 * part))), Load(uint16_t(b[i] >> (16 * part)))) & inst.option;
    });
}

void decodeSetPredicates(Build &build, Scalar type) {
  Inst &inst = build.inst;
  const Operand &result = build.operand(0);
  build.expectCount(3, 3);
  if (inst.registerBytes || result.kind != Operand::Pair)
    return build.reject(fmt::format("'{}' takes a pair of predicates and no third source", build.source.opcode));
  inst.execute = type == Scalar::F16x2 ? setPredicates<halfToFloat> : setPredicates<bfloatToFloat>;
  inst.d[0] = build.write(result.elements[0], Scalar::Pred);
  inst.d[1] = build.write(result.elements[1], Scalar::Pred);
  inst.s[0] = build.read(1, type);
  inst.s[1] = build.read(2, type);
}

void decodeSetPredicate(Build &build) {
  takeComparison(build);
  Scalar type = build.type();
  if (type == Scalar::F16x2 || type == Scalar::BF16x2)
    return decodeSetPredicates(build, type);
  Inst &inst = build.inst;
  inst.execute = setPredicate;
  const Operand &result = build.operand(0);
  if (result.kind == Operand::Pair) {
    inst.d[0] = build.write(result.elements[0], Scalar::Pred);
    inst.d[1] = build.write(result.elements[1], Scalar::Pred);
  } else {
    inst.d[0] = build.write(result, Scalar::Pred);
  }
  decodeComparison(build, type, 1);
}

/// set on both halves of pairs: 1.0 or 0 in the type of the result, or all ones or 0.
template <float (*Load)(uint16_t)> void setPair(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<uint32_t> a(warp, inst.s[0]), b(warp, inst.s[1]);
  forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned i) {
    uint32_t result = 0;
    for (unsigned part = 0; part < 32; part += 16)
      if (outcome(Load(uint16_t(a[i] >> part)), Load(uint16_t(b[i] >> part))) & inst.option)
        result |= uint32_t(inst.immediate) << part;
    return result;
  });
}

uint64_t trueValueOf(Scalar result) {
  switch (result) {
  case Scalar::F32:
    return 0x3f800000;
  case Scalar::F16:
  case Scalar::F16x2:
    return 0x3c00;
  case Scalar::BF16:
  case Scalar::BF16x2:
    return 0x3f80;
  default:
    return bytesOf(result) == 2 ? 0xffff : 0xffffffff;
  }
}

void decodeSet(Build &build) {
  takeComparison(build);
  Scalar result = build.type(), type = build.type();
  Inst &inst = build.inst;
  inst.immediate = trueValueOf(result);
  if (type == Scalar::F16x2 || type == Scalar::BF16x2) {
    build.expectCount(3, 3);
    if (result != type || inst.registerBytes)
      return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
    inst.execute = type == Scalar::F16x2 ? setPair<halfToFloat> : setPair<bfloatToFloat>;
    inst.d[0] = build.write(0, result);
    inst.s[0] = build.read(1, type);
    inst.s[1] = build.read(2, type);
    return;
  }
  if (bytesOf(result) != 4 && bytesOf(result) != 2)
    return build.reject(fmt::format("'set' with a result of '.{}' is not supported", nameOf(result)));
  inst.execute = setValue;
  inst.d[0] = build.write(0, result);
  decodeComparison(build, type, 1);
}

/// Defined where the chosen source is.
template <typename T> void select(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  uint32_t c = warp.predicate(inst.s[2]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) { return c >> i & 1 ? a[i] : b[i]; });
  uint32_t defined = (c & warp.defined(inst.s[0])) | (~c & warp.defined(inst.s[1]));
  warp.defined(inst.d[0]) = (warp.defined(inst.d[0]) & ~lanes) | (defined & lanes);
}

void decodeSelect(Build &build) {
  Scalar type = build.type();
  build.expectCount(4, 4);
  Inst &inst = build.inst;
  inst.execute = bytesOf(type) == 8 ? select<uint64_t> : select<uint32_t>;
  inst.d[0] = build.write(0, type);
  inst.s[0] = build.read(1, type);
  inst.s[1] = build.read(2, type);
  build.takeReads();
  inst.ownsWrites = true;
  bool negated = false;
  inst.s[2] = build.readPredicate(build.operand(3), negated);
  if (negated)
    std::swap(inst.s[0], inst.s[1]);
}

/// slct: a where c >= 0, b elsewhere (NaN included).
template <typename T> void selectBySign(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]), b(warp, inst.s[1]);
  Source<uint32_t> c(warp, inst.s[2]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) {
    float value = std::bit_cast<float>(c[i]);
    bool first = inst.option ? (inst.ftz ? flushed(value) : value) >= 0 : int32_t(c[i]) >= 0;
    return first ? a[i] : b[i];
  });
}

void decodeSelectBySign(Build &build) {
  Inst &inst = build.inst;
  inst.ftz = build.take("ftz");
  Scalar type = build.type(), by = build.type();
  build.expectCount(4, 4);
  inst.option = by == Scalar::F32;
  inst.execute = bytesOf(type) == 8 ? selectBySign<uint64_t> : selectBySign<uint32_t>;
  inst.d[0] = build.write(0, type);
  inst.s[0] = build.read(1, type);
  inst.s[1] = build.read(2, type);
  inst.s[2] = build.read(3, by);
}
} // namespace

void addCompareForms(FormTable &table) {
  table["setp"] = decodeSetPredicate;
  table["set"] = decodeSet;
  table["selp"] = decodeSelect;
  table["slct"] = decodeSelectBySign;
}

} // namespace sattn::ptx

// Exchange between the lanes of a warp: shfl, vote, match, redux, activemask, elect.
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sattn::ptx {
namespace {
enum class Shuffle : uint32_t { Up, Down, Butterfly, Index };

/// The lane that `lane` reads from, and whether it lies in its segment; c = clamp value and segment mask.
std::pair<uint32_t, bool> sourceLane(Shuffle mode, uint32_t lane, uint32_t b, uint32_t c) {
  uint32_t clamp = c & 31, segment = c >> 8 & 31, value = b & 31;
  uint32_t maxLane = (lane & segment) | (clamp & ~segment), minLane = lane & segment, j = 0;
  bool inside = false;
  switch (mode) {
  case Shuffle::Up:
    j = lane - value;
    inside = int32_t(j) >= int32_t(maxLane);
    break;
  case Shuffle::Down:
    j = lane + value;
    inside = j <= maxLane;
    break;
  case Shuffle::Butterfly:
    j = lane ^ value;
    inside = j <= maxLane;
    break;
  case Shuffle::Index:
    j = minLane | (value & ~segment);
    inside = j <= maxLane;
    break;
  }
  return {inside ? j & 31 : lane, inside};
}

/// d|p = value of another lane. A lane that does not take part gives nothing defined.
void shuffle(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t values[32], definedMask = 0, insideMask = 0;
  const uint32_t *a = warp.row(inst.s[1]), *b = warp.row(inst.s[2]), *c = warp.row(inst.s[3]);
  uint32_t available = lanes & warp.defined(inst.s[1]);
  eachLane(lanes, [&](unsigned lane) {
    auto [from, inside] = sourceLane(Shuffle(inst.option), lane, b[lane], c[lane]);
    values[lane] = a[from];
    definedMask |= (available >> from & 1) << lane;
    insideMask |= uint32_t(inside) << lane;
  });
  eachLane(lanes, [&](unsigned lane) { warp.row(inst.d[0])[lane] = values[lane]; });
  warp.defined(inst.d[0]) = (warp.defined(inst.d[0]) & ~lanes) | definedMask;
  if (!inst.d[1])
    return;
  uint32_t &p = warp.predicate(inst.d[1]);
  p = (p & ~lanes) | insideMask;
  warp.defined(inst.d[1]) |= lanes;
}

void decodeShuffle(Build &build) {
  Inst &inst = build.inst;
  if (!build.take("sync"))
    return build.reject("'shfl' without '.sync' is not supported");
  constexpr std::string_view names[] = {"up", "down", "bfly", "idx"};
  for (unsigned i = 0; i < 4; ++i)
    if (build.take(names[i]))
      inst.option = i;
  if (build.type() != Scalar::B32)
    return build.reject("'shfl' takes '.b32'");
  build.expectCount(5, 5);
  inst.converge = Converge::Members;
  inst.ownsWrites = true;
  const Operand &result = build.operand(0);
  bool pair = result.kind == Operand::Pair;
  inst.d[0] = build.write(pair ? result.elements[0] : result, Scalar::B32);
  inst.d[1] = pair ? build.write(result.elements[1], Scalar::Pred) : 0;
  inst.s[1] = build.read(1, Scalar::B32);
  build.takeReads();
  inst.s[2] = build.read(2, Scalar::B32);
  inst.s[3] = build.read(3, Scalar::B32);
  inst.s[0] = build.read(4, Scalar::B32);
  inst.execute = shuffle;
}

enum class Vote : uint32_t { All, Any, Uniform, Ballot };

void vote(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t mask = (warp.predicate(inst.s[1]) ^ (inst.saturate ? ~uint32_t(0) : 0)) & lanes;
  if (Vote(inst.option) == Vote::Ballot) {
    eachLane(lanes, [&](unsigned lane) { warp.row(inst.d[0])[lane] = mask; });
    return;
  }
  bool value = Vote(inst.option) == Vote::All   ? mask == lanes
               : Vote(inst.option) == Vote::Any ? mask != 0
                                                : mask == 0 || mask == lanes;
  uint32_t &p = warp.predicate(inst.d[0]);
  p = value ? p | lanes : p & ~lanes;
}

void decodeVote(Build &build) {
  Inst &inst = build.inst;
  if (!build.take("sync"))
    return build.reject("'vote' without '.sync' is not supported");
  constexpr std::string_view names[] = {"all", "any", "uni", "ballot"};
  for (unsigned i = 0; i < 4; ++i)
    if (build.take(names[i]))
      inst.option = i;
  Scalar type = build.type();
  build.expectCount(3, 3);
  inst.converge = Converge::Members;
  inst.d[0] = build.write(0, type);
  bool negated = false;
  inst.s[1] = build.readPredicate(build.operand(1), negated);
  inst.saturate = negated;
  inst.s[0] = build.read(2, Scalar::B32);
  inst.execute = vote;
}

/// match.any: the lanes with the same value; match.all: all of them if they agree, else none.
void match(Warp &warp, const Inst &inst, uint32_t lanes) {
  eachLane(lanes, [&](unsigned lane) {
    uint64_t own = warp.value(inst.s[1], inst.bytes, lane);
    uint32_t same = 0;
    eachLane(lanes,
             [&](unsigned other) { same |= uint32_t(warp.value(inst.s[1], inst.bytes, other) == own) << other; });
    bool all = same == lanes;
    warp.row(inst.d[0])[lane] = inst.option && !all ? 0 : same;
    if (inst.d[1]) {
      uint32_t &p = warp.predicate(inst.d[1]);
      p = (p & ~(uint32_t(1) << lane)) | uint32_t(all) << lane;
    }
  });
}

void decodeMatch(Build &build) {
  Inst &inst = build.inst;
  inst.option = build.take("all");
  build.take("any");
  build.take("sync");
  Scalar type = build.type();
  build.expectCount(3, 3);
  inst.bytes = uint8_t(bytesOf(type));
  inst.converge = Converge::Members;
  const Operand &result = build.operand(0);
  bool pair = result.kind == Operand::Pair;
  inst.d[0] = build.write(pair ? result.elements[0] : result, Scalar::B32);
  inst.d[1] = pair ? build.write(result.elements[1], Scalar::Pred) : 0;
  inst.s[1] = build.read(1, type);
  inst.s[0] = build.read(2, Scalar::B32);
  inst.execute = match;
}

enum class Reduction : uint32_t { Add, Min, Max, And, Or, Xor };

void reduce(Warp &warp, const Inst &inst, uint32_t lanes) {
  const uint32_t *a = warp.row(inst.s[1]);
  bool isSignedType = inst.signExtend, started = false;
  uint32_t result = 0;
  eachLane(lanes, [&](unsigned lane) {
    uint32_t x = a[lane];
    if (!std::exchange(started, true)) {
      result = x;
      return;
    }
    bool less = isSignedType ? int32_t(x) < int32_t(result) : x < result;
    switch (Reduction(inst.option)) {
    case Reduction::Add:
      result += x;
      break;
    case Reduction::Min:
      result = less ? x : result;
      break;
    case Reduction::Max:
      result = less || x == result ? result : x;
      break;
    case Reduction::And:
      result &= x;
      break;
    case Reduction::Or:
      result |= x;
      break;
    case Reduction::Xor:
      result ^= x;
      break;
    }
  });
  eachLane(lanes, [&](unsigned lane) { warp.row(inst.d[0])[lane] = result; });
}

/// redux on f32: min or max, of magnitudes with .abs, NaN only with .NaN.
void reduceFloat(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<float> a(warp, inst.s[1]);
  float result = NAN;
  bool anyNaN = false;
  eachLane(lanes, [&](unsigned lane) {
    float x = inst.signExtend ? std::abs(a[lane]) : a[lane];
    anyNaN |= std::isnan(x);
    result = Reduction(inst.option) == Reduction::Min ? std::fmin(result, x) : std::fmax(result, x);
  });
  uint32_t bits = (inst.saturate && anyNaN) || std::isnan(result) ? 0x7fffffff : std::bit_cast<uint32_t>(result);
  eachLane(lanes, [&](unsigned lane) { warp.row(inst.d[0])[lane] = bits; });
}

void decodeReduce(Build &build) {
  Inst &inst = build.inst;
  build.take("sync");
  constexpr std::string_view names[] = {"add", "min", "max", "and", "or", "xor"};
  for (unsigned i = 0; i < 6; ++i)
    if (build.take(names[i]))
      inst.option = i;
  bool magnitude = build.take("abs");
  inst.saturate = build.take("NaN");
  Scalar type = build.type();
  build.expectCount(3, 3);
  bool minOrMax = inst.option == unsigned(Reduction::Min) || inst.option == unsigned(Reduction::Max);
  if (bytesOf(type) != 4 || (type == Scalar::F32 && !minOrMax) || (isFloat(type) && type != Scalar::F32))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  inst.signExtend = type == Scalar::F32 ? magnitude : isSigned(type);
  inst.converge = Converge::Members;
  inst.d[0] = build.write(0, type);
  inst.s[1] = build.read(1, type);
  inst.s[0] = build.read(2, Scalar::B32);
  inst.execute = type == Scalar::F32 ? reduceFloat : reduce;
}

void decodeActiveMask(Build &build) {
  build.type();
  build.expectCount(1, 1);
  build.inst.d[0] = build.write(0, Scalar::B32);
  build.inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    eachLane(lanes, [&](unsigned lane) { warp.row(inst.d[0])[lane] = lanes; });
  };
}

/// elect.sync d|p, mask: the lowest member is the leader.
void decodeElect(Build &build) {
  Inst &inst = build.inst;
  build.take("sync");
  build.expectCount(2, 2);
  const Operand &result = build.operand(0);
  if (result.kind != Operand::Pair)
    return build.reject("'elect.sync' takes a pair of destinations");
  inst.converge = Converge::Members;
  inst.d[0] = build.write(result.elements[0], Scalar::B32);
  inst.d[1] = build.write(result.elements[1], Scalar::Pred);
  inst.s[0] = build.read(1, Scalar::B32);
  inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    auto leader = unsigned(std::countr_zero(lanes));
    eachLane(lanes, [&](unsigned lane) { warp.row(inst.d[0])[lane] = leader; });
    uint32_t &p = warp.predicate(inst.d[1]);
    p = (p & ~lanes) | uint32_t(1) << leader;
  };
}
} // namespace

void addCollectiveForms(FormTable &table) {
  table["shfl"] = decodeShuffle;
  table["vote"] = decodeVote;
  table["match"] = decodeMatch;
  table["redux"] = decodeReduce;
  table["activemask"] = decodeActiveMask;
  table["elect"] = decodeElect;
}

} // namespace sattn::ptx

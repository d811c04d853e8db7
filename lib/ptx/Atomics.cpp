// atom and red: read, compute and write back in one step. Lanes of a warp act in ascending order; hardware leaves the
// order open, so floating-point sums may differ from a device's.
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"
#include "lib/ptx/Memory.h"

#include <fmt/format.h>

#include <cmath>

namespace sattn::ptx {
namespace {
enum class Atomic : uint8_t { Add, Min, Max, And, Or, Xor, Exchange, CompareSwap, Increment, Decrement };
constexpr std::string_view names[] = {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"};

template <typename T> T minOrMax(Atomic op, T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return op == Atomic::Min ? std::fmin(a, b) : std::fmax(a, b);
  else
    return op == Atomic::Min ? std::min(a, b) : std::max(a, b);
}

template <typename T> uint64_t numeric(Atomic op, uint64_t old, uint64_t b) {
  T x = std::bit_cast<T>(Cell<T>(old)), y = std::bit_cast<T>(Cell<T>(b));
  T result;
  if (op != Atomic::Add)
    result = minOrMax(op, x, y);
  else if constexpr (std::is_floating_point_v<T>)
    result = x + y;
  else
    result = T(std::make_unsigned_t<T>(x) + std::make_unsigned_t<T>(y));
  return std::bit_cast<Cell<T>>(result);
}

/// Sums of halves, one or two in a word.
template <bool Bfloat> uint64_t smallSum(Atomic op, uint64_t old, uint64_t b, unsigned bytes) {
  uint64_t result = 0;
  for (unsigned part = 0; part < 8 * bytes; part += 16) {
    auto load = [&](uint64_t word) {
      auto bits = uint16_t(word >> part);
      return Bfloat ? bfloatToFloat(bits) : halfToFloat(bits);
    };
    float x = load(old), y = load(b), value = op == Atomic::Add ? x + y : minOrMax(op, x, y);
    result |= uint64_t(Bfloat ? toBfloat(value) : toHalf(value)) << part;
  }
  return result;
}

uint64_t combine(Atomic op, Scalar type, uint64_t old, uint64_t b, uint64_t c) {
  switch (op) {
  case Atomic::And:
    return old & b;
  case Atomic::Or:
    return old | b;
  case Atomic::Xor:
    return old ^ b;
  case Atomic::Exchange:
    return b;
  case Atomic::CompareSwap:
    return old == b ? c : old;
  case Atomic::Increment:
    return old >= b ? 0 : old + 1;
  case Atomic::Decrement:
    return old == 0 || old > b ? b : old - 1;
  default:
    break;
  }
  switch (type) {
  case Scalar::S32:
    return numeric<int32_t>(op, old, b);
  case Scalar::U64:
    return numeric<uint64_t>(op, old, b);
  case Scalar::S64:
    return numeric<int64_t>(op, old, b);
  case Scalar::F32:
    return numeric<float>(op, old, b);
  case Scalar::F64:
    return numeric<double>(op, old, b);
  case Scalar::F16:
  case Scalar::F16x2:
    return smallSum<false>(op, old, b, bytesOf(type));
  case Scalar::BF16:
  case Scalar::BF16x2:
    return smallSum<true>(op, old, b, bytesOf(type));
  default:
    return numeric<uint32_t>(op, old, b);
  }
}

/// atom d, [a], b {, c} and red [a], b; vectors are independent elements.
void execute(Warp &warp, const Inst &inst, uint32_t lanes) {
  auto op = Atomic(inst.option);
  auto type = Scalar(inst.immediate);
  std::span<const Row> to = warp.program.list(inst.list[0]), b = warp.program.list(inst.list[1]);
  eachLane(lanes, [&](unsigned lane) {
    uint64_t address = addressOf(warp, inst.address[0], lane);
    for (size_t i = 0; i < b.size(); ++i, address += inst.bytes) {
      uint64_t old = 0, third = inst.option == uint32_t(Atomic::CompareSwap)
                                    ? warp.value(inst.s[2], inst.registerBytes, lane)
                                    : 0;
      auto *bytes = reinterpret_cast<std::byte *>(&old);
      if (!loadBytes(warp, lane, inst.address[0].space, address, inst.bytes, inst.bytes, bytes, Access::Strong))
        return;
      uint64_t next = combine(op, type, old, warp.value(b[i], inst.registerBytes, lane), third);
      storeBytes(warp, lane, inst.address[0].space, address, inst.bytes, inst.bytes,
                 reinterpret_cast<const std::byte *>(&next), Access::Strong);
      if (i < to.size() && to[i])
        inst.registerBytes == 8 ? void(warp.wide(to[i])[lane] = old) : void(warp.row(to[i])[lane] = uint32_t(old));
    }
  });
  warp.cta.noteProgress();
}

void decodeAtomic(Build &build) {
  Inst &inst = build.inst;
  bool result = build.base == "atom";
  if (build.take("async"))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  for (std::string_view word : {"acquire", "release", "acq_rel", "relaxed", "noftz"})
    build.take(word);
  Space space = build.takeSpace();
  build.takeCacheHints();
  bool found = false;
  for (unsigned i = 0; i < std::size(names); ++i)
    if (!found && build.take(names[i])) {
      inst.option = i;
      found = true;
    }
  for (std::string_view vector : {"v2", "v4", "v8"})
    if (build.take(vector))
      inst.count = uint8_t(vector[1] - '0');
  Scalar type = build.type();
  bool floating = isFloat(type), arithmetic = inst.option <= unsigned(Atomic::Max);
  if (!found || (floating && !arithmetic) || bytesOf(type) > 8 || bytesOf(type) < 2)
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  bool swap = Atomic(inst.option) == Atomic::CompareSwap;
  size_t next = result;
  build.expectCount(next + 2 + swap, next + 3 + swap); // a cache policy may follow
  inst.bytes = inst.registerBytes = uint8_t(bytesOf(type));
  inst.immediate = uint64_t(type);
  if (result)
    inst.list[0] = build.writeList(build.operand(0), type);
  build.address(0, build.operand(next), space);
  inst.list[1] = build.readList(build.operand(next + 1), type);
  if (swap)
    inst.s[2] = build.read(next + 2, type);
  if (inst.list[1].size != inst.count)
    return build.reject(fmt::format("'{}' does not match {} registers", build.source.opcode, inst.list[1].size));
  inst.execute = execute;
}
} // namespace

void addAtomicForms(FormTable &table) { table["atom"] = table["red"] = decodeAtomic; }

} // namespace sattn::ptx

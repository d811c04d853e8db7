// mov between registers, constants and addresses, packing and unpacking; clocks; nanosleep.
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"

#include <fmt/format.h>

namespace sattn::ptx {
namespace {
/// An undefined source makes the destination undefined rather than a fault: compilers copy values that nobody uses.
void copyDefined(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t defined = ~uint32_t(0);
  for (Row row : warp.program.list(inst.list[2]))
    defined &= warp.defined(row);
  for (Row row : warp.program.list(inst.writes))
    warp.defined(row) = (warp.defined(row) & ~lanes) | (defined & lanes);
}

template <typename T> void move(Warp &warp, const Inst &inst, uint32_t lanes) {
  Source<T> a(warp, inst.s[0]);
  forLanes<T>(warp, inst.d[0], lanes, [&](unsigned i) { return a[i]; });
  copyDefined(warp, inst, lanes);
}

void movePredicate(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint32_t &d = warp.predicate(inst.d[0]);
  d = (d & ~lanes) | (warp.predicate(inst.s[0]) & lanes);
  copyDefined(warp, inst, lanes);
}

/// 16-byte values, as words of the lane.
struct Words {
  uint32_t word[4] = {};
};

Words collect(Warp &warp, std::span<const Row> rows, unsigned bytes, unsigned lane) {
  Words words;
  auto *out = reinterpret_cast<std::byte *>(words.word);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (bytes == 16) {
      for (unsigned w = 0; w < 4; ++w)
        words.word[w] = warp.row(rows[i] + w)[lane];
      break;
    }
    uint64_t value = warp.value(rows[i], bytes, lane);
    std::memcpy(out + i * bytes, &value, bytes);
  }
  return words;
}

void distribute(Warp &warp, std::span<const Row> rows, unsigned bytes, unsigned lane, const Words &words) {
  const auto *in = reinterpret_cast<const std::byte *>(words.word);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == 0)
      continue; // '_'
    uint64_t value = 0;
    if (bytes == 16) {
      for (unsigned w = 0; w < 4; ++w)
        warp.row(rows[i] + w)[lane] = words.word[w];
      break;
    }
    std::memcpy(&value, in + i * bytes, bytes);
    if (bytes == 8)
      warp.wide(rows[i])[lane] = value;
    else
      warp.row(rows[i])[lane] = uint32_t(value);
  }
}

/// {a, b} = c and c = {a, b}; `bytes` of a source part, `registerBytes` of a destination part.
void repack(Warp &warp, const Inst &inst, uint32_t lanes) {
  std::span<const Row> from = warp.program.list(inst.list[0]), to = warp.program.list(inst.list[1]);
  eachLane(lanes, [&](unsigned lane) {
    distribute(warp, to, inst.registerBytes, lane, collect(warp, from, inst.bytes, lane));
  });
  copyDefined(warp, inst, lanes);
}

Scalar bitsOf(unsigned bytes) {
  return bytes == 16  ? Scalar::B128
         : bytes == 8 ? Scalar::B64
         : bytes == 4 ? Scalar::B32
         : bytes == 2 ? Scalar::B16
                      : Scalar::B8;
}

void decodeRepack(Build &build, Scalar type) {
  Inst &inst = build.inst;
  auto parts = [](const Operand &operand) {
    return operand.kind == Operand::Vector ? std::max<size_t>(1, operand.elements.size()) : 1;
  };
  unsigned to = bytesOf(type) / unsigned(parts(build.operand(0))),
           from = bytesOf(type) / unsigned(parts(build.operand(1)));
  inst.registerBytes = uint8_t(to);
  inst.bytes = uint8_t(from);
  inst.list[0] = build.readList(build.operand(1), bitsOf(from));
  inst.list[1] = build.writeList(build.operand(0), bitsOf(to));
  inst.list[2] = build.takeReads();
  inst.execute = repack;
}

void readClock(Warp &warp, const Inst &inst, uint32_t lanes) {
  uint64_t now = warp.cta.instructionCount();
  if (inst.registerBytes == 8)
    forLanes<uint64_t>(warp, inst.d[0], lanes, [&](unsigned) { return now; });
  else
    forLanes<uint32_t>(warp, inst.d[0], lanes, [&](unsigned) { return uint32_t(now); });
}

void decodeMove(Build &build) {
  Inst &inst = build.inst;
  Scalar type = build.type();
  build.expectCount(2, 2);
  const Operand &to = build.operand(0), &from = build.operand(1);
  for (std::string_view clock : {"%clock", "%clock64", "%clock_hi", "%globaltimer", "%globaltimer_lo"})
    if (from.kind == Operand::Name && from.name == clock) {
      inst.registerBytes = uint8_t(bytesOf(type));
      inst.d[0] = build.write(to, type);
      inst.execute = readClock;
      return;
    }
  inst.ownsWrites = true;
  if (to.kind == Operand::Vector || from.kind == Operand::Vector || type == Scalar::B128)
    return decodeRepack(build, type);
  inst.d[0] = build.write(to, type);
  inst.s[0] = build.read(from, type);
  inst.list[2] = build.takeReads();
  inst.execute = type == Scalar::Pred ? movePredicate : bytesOf(type) == 8 ? move<uint64_t> : move<uint32_t>;
}

void decodeSleep(Build &build) {
  build.takeNext();
  build.expectCount(1, 1);
  build.read(0, Scalar::U32);
  build.inst.flow = Flow::Wait;
  // Ends the warp's turn.
  build.inst.execute = [](Warp &warp, const Inst &, uint32_t lanes) {
    warp.cta.noteSpin();
    warp.yield(lanes);
  };
}
} // namespace

void addMoveForms(FormTable &table) {
  table["mov"] = decodeMove;
  table["nanosleep"] = decodeSleep;
}

} // namespace sattn::ptx

// ld, ldu, st; prefetches, which do nothing here.
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"
#include "lib/ptx/Memory.h"

#include <fmt/format.h>

namespace sattn::ptx {
namespace {
/// Registers wider than the element take it extended.
uint64_t extended(uint64_t value, const Inst &inst) {
  if (!inst.signExtend)
    return value;
  unsigned shift = 64 - 8 * inst.bytes;
  return uint64_t(int64_t(value << shift) >> shift);
}

void setRegister(Warp &warp, Row row, unsigned registerBytes, unsigned lane, const std::byte *bytes, const Inst &inst) {
  if (inst.bytes == 16) {
    // 128-bit registers: four rows, one 32-bit word of the lane in each.
    for (unsigned word = 0; word < 4; ++word)
      std::memcpy(&warp.row(row + word)[lane], bytes + 4 * word, 4);
    return;
  }
  uint64_t value = 0;
  std::memcpy(&value, bytes, inst.bytes);
  value = extended(value, inst);
  if (registerBytes == 8)
    warp.wide(row)[lane] = value;
  else
    warp.row(row)[lane] = registerBytes == 2 ? uint16_t(value) : uint32_t(value);
}

void getRegister(Warp &warp, Row row, unsigned registerBytes, unsigned lane, std::byte *bytes, const Inst &inst) {
  if (inst.bytes == 16) {
    for (unsigned word = 0; word < 4; ++word)
      std::memcpy(bytes + 4 * word, &warp.row(row + word)[lane], 4);
    return;
  }
  uint64_t value = warp.value(row, registerBytes, lane);
  std::memcpy(bytes, &value, inst.bytes);
}

/// The addresses of the lanes.
struct Addresses {
  uint64_t of[32] = {};

  Addresses(Warp &warp, const Inst &inst, uint32_t lanes) {
    eachLane(lanes, [&](unsigned lane) { of[lane] = addressOf(warp, inst.address[0], lane); });
    if (inst.address[0].space == Space::Shared)
      countBanks(warp, of, lanes, uint32_t(inst.bytes) * inst.count);
  }
};

void load(Warp &warp, const Inst &inst, uint32_t lanes) {
  std::span<const Row> rows = warp.program.list(inst.list[0]);
  uint32_t count = uint32_t(inst.bytes) * inst.count;
  bool words = inst.bytes == 4 && inst.registerBytes == 4;
  Addresses addresses(warp, inst, lanes);
  eachLane(lanes, [&](unsigned lane) {
    std::byte bytes[32];
    loadBytes(warp, lane, inst.address[0].space, addresses.of[lane], count, count, bytes, Access(inst.option));
    for (size_t i = 0; i < rows.size(); ++i)
      if (words)
        std::memcpy(&warp.row(rows[i])[lane], bytes + 4 * i, 4);
      else
        setRegister(warp, rows[i], inst.registerBytes, lane, bytes + i * inst.bytes, inst);
  });
}

void store(Warp &warp, const Inst &inst, uint32_t lanes) {
  std::span<const Row> rows = warp.program.list(inst.list[0]);
  uint32_t count = uint32_t(inst.bytes) * inst.count;
  Addresses addresses(warp, inst, lanes);
  eachLane(lanes, [&](unsigned lane) {
    std::byte bytes[32];
    for (size_t i = 0; i < rows.size(); ++i)
      getRegister(warp, rows[i], inst.registerBytes, lane, bytes + i * inst.bytes, inst);
    storeBytes(warp, lane, inst.address[0].space, addresses.of[lane], count, count, bytes, Access(inst.option));
  });
}

void decodeLoadStore(Build &build) {
  Inst &inst = build.inst;
  bool isStore = build.base == "st";
  // Acquiring and releasing loads and stores are strong; what else they order is over-approximated by atomics.
  bool strong = false;
  for (std::string_view word : {"volatile", "acquire", "release", "relaxed", "mmio"})
    strong |= build.take(word);
  inst.option = uint32_t(strong ? Access::Strong : build.take("nc") ? Access::NonCoherent : Access::Plain);
  Space space = build.takeSpace();
  build.takeCacheHints();
  for (std::string_view vector : {"v2", "v4", "v8"})
    if (build.take(vector))
      inst.count = uint8_t(vector[1] - '0');
  Scalar type = build.type();
  // A cache policy may follow.
  build.expectCount(2, 3);
  const Operand &value = build.operand(isStore ? 1 : 0);
  size_t elements = value.kind == Operand::Vector ? value.elements.size() : 1;
  if (elements != inst.count || elements * bytesOf(type) > 32)
    return build.reject(fmt::format("'{}' does not match {} registers", build.source.opcode, elements));
  inst.bytes = uint8_t(bytesOf(type));
  inst.signExtend = isSigned(type);
  build.address(0, build.operand(isStore ? 0 : 1), space);
  inst.list[0] = isStore ? build.readList(value, type, true) : build.writeList(value, type, true);
  const Operand &first = value.kind == Operand::Vector && !value.elements.empty() ? value.elements[0] : value;
  unsigned width = build.registerBytes(first);
  for (const Operand &element : value.elements)
    width = std::max(width, build.registerBytes(element));
  inst.registerBytes = uint8_t(width ? width : std::max(4u, bytesOf(type)));
  if (inst.registerBytes < inst.bytes)
    return build.reject("a register is narrower than the element");
  for (const Operand &element : value.elements)
    if (build.registerBytes(element) && build.registerBytes(element) != width)
      return build.reject("the registers of a vector differ in width");
  inst.execute = isStore ? store : load;
}

/// Hints; the address is not even read.
void decodeHint(Build &build) {
  while (!build.takeNext().empty()) {
  }
}
/// createpolicy: policies change nothing, so any value does.
void decodePolicy(Build &build) {
  build.skipModifiers();
  build.inst.d[0] = build.write(0, Scalar::B64);
  build.inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    forLanes<uint64_t>(warp, inst.d[0], lanes, [](unsigned) { return uint64_t(0); });
  };
}

/// mapa: the address of the same variable in another block of the cluster, which is this block.
void decodeMapAddress(Build &build) {
  Inst &inst = build.inst;
  build.takeSpace();
  Scalar type = build.type();
  build.expectCount(3, 3);
  inst.registerBytes = uint8_t(bytesOf(type));
  inst.d[0] = build.write(0, type);
  inst.s[0] = build.read(1, type);
  inst.s[1] = build.read(2, Scalar::U32);
  inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    eachLane(lanes, [&](unsigned lane) {
      if (uint32_t rank = warp.row(inst.s[1])[lane])
        warp.fault(FaultKind::InvalidOperand, lane,
                   [&] { return fmt::format("there is no block {} in a cluster of one", rank); });
      uint64_t address = warp.value(inst.s[0], inst.registerBytes, lane);
      inst.registerBytes == 8 ? void(warp.wide(inst.d[0])[lane] = address)
                              : void(warp.row(inst.d[0])[lane] = uint32_t(address));
    });
  };
}
} // namespace

void addLoadStoreForms(FormTable &table) {
  table["ld"] = table["ldu"] = table["st"] = decodeLoadStore;
  table["createpolicy"] = decodePolicy;
  table["mapa"] = decodeMapAddress;
  table["prefetch"] = table["prefetchu"] = table["applypriority"] = decodeHint;
}

} // namespace sattn::ptx

// wmma.load, wmma.mma and wmma.store, the older form of matrix products that CUDA C++ offers as nvcuda::wmma: shape
// m16n16k16 in f16 and bf16, m16n16k8 in tf32. PTX leaves open which lane holds which element; here fragments are those
// of mma.sync (Fragment.h), B and the accumulators as two halves of eight columns. The eight registers of an f16
// operand hold every element twice, as on hardware.
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Fragment.h"
#include "lib/ptx/Lanes.h"
#include "lib/ptx/Memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace sattn::ptx {
namespace {
enum class Part : uint32_t { A, B, Accumulator };
constexpr unsigned Size = 16, OperandRegisters = 4;

struct Element {
  unsigned row, column;
};

/// Which element of the matrix is number `index` in register `reg` of a lane.
Element elementAt(Part part, Scalar type, unsigned lane, unsigned reg, unsigned index) {
  unsigned g = lane / 4, t = lane % 4, e = elementsOf(type);
  switch (part) {
  case Part::A:
    return {g + 8 * (reg % 2), 4 * e * (reg / 2) + e * t + index};
  case Part::B:
    return {4 * e * (reg % 2) + e * t + index, g + 8 * (reg / 2)};
  case Part::Accumulator:
    if (type == Scalar::F16)
      return {g + 8 * (reg % 2), 2 * t + index + 8 * (reg / 2)};
    return {g + 8 * (reg % 4 / 2), 2 * t + reg % 2 + 8 * (reg / 4)};
  }
  return {0, 0};
}

unsigned inRegister(Part part, Scalar type) {
  return part == Part::Accumulator && type == Scalar::F32 ? 1 : elementsOf(type);
}
unsigned registersOf(Part part, Scalar type) {
  if (part == Part::Accumulator)
    return type == Scalar::F16 ? 4 : 8;
  return type == Scalar::F16 ? 2 * OperandRegisters : OperandRegisters;
}

/// `option`: the part; `immediate`: the type; `saturate`: stored by columns; `count`: the stride is a register, s[0].
template <bool Store> void transfer(Warp &warp, const Inst &inst, uint32_t lanes) {
  auto part = Part(inst.option);
  auto type = Scalar(inst.immediate);
  std::span<const Row> registers = warp.program.list(inst.list[0]);
  // tf32 operands are f32 in memory; halves of f16 operands repeat.
  unsigned bytes = bytesOf(type),
           distinct = std::min<unsigned>(unsigned(registers.size()), part == Part::Accumulator ? 8 : OperandRegisters);
  eachLane(lanes, [&](unsigned lane) {
    uint64_t address = addressOf(warp, inst.address[0], lane);
    // Without a stride the matrix is dense.
    bool alongDepth = (part == Part::A && !inst.saturate) || (part == Part::B && inst.saturate);
    uint64_t dense = alongDepth && type == Scalar::TF32 ? 8 : Size;
    uint64_t stride = inst.count ? warp.row(inst.s[0])[lane] : dense;
    for (unsigned reg = 0; reg < distinct; ++reg) {
      uint32_t word = Store ? warp.row(registers[reg])[lane] : 0;
      for (unsigned i = 0; i < inRegister(part, type); ++i) {
        Element element = elementAt(part, type, lane, reg, i);
        uint64_t at = inst.saturate ? element.column * stride + element.row : element.row * stride + element.column;
        auto *raw = reinterpret_cast<std::byte *>(&word) + size_t(i) * bytes;
        if (Store)
          storeBytes(warp, lane, inst.address[0].space, address + at * bytes, bytes, bytes, raw);
        else
          loadBytes(warp, lane, inst.address[0].space, address + at * bytes, bytes, bytes, raw);
      }
      for (size_t copy = reg; !Store && copy < registers.size(); copy += distinct)
        warp.row(registers[copy])[lane] = word;
    }
  });
}

void multiply(Warp &warp, const Inst &inst, uint32_t) {
  auto type = Scalar(inst.immediate), d = Scalar(inst.option & 255), c = Scalar(inst.option >> 8);
  double a[Size][Size] = {}, b[Size][Size] = {};
  std::span<const Row> rowsA = warp.program.list(inst.list[1]), rowsB = warp.program.list(inst.list[2]);
  for (unsigned reg = 0; reg < OperandRegisters; ++reg)
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned i = 0; i < elementsOf(type); ++i) {
        Element forA = elementAt(Part::A, type, lane, reg, i), forB = elementAt(Part::B, type, lane, reg, i);
        a[forA.row][forA.column] = elementOf(warp.row(rowsA[reg])[lane], i, type);
        b[forB.row][forB.column] = elementOf(warp.row(rowsB[reg])[lane], i, type);
      }
  auto eachAccumulator = [&](Range range, Scalar scalar, auto f) {
    std::span<const Row> rows = warp.program.list(range);
    for (unsigned reg = 0; reg < rows.size(); ++reg)
      for (unsigned lane = 0; lane < 32; ++lane)
        for (unsigned i = 0; i < inRegister(Part::Accumulator, scalar); ++i)
          f(warp.row(rows[reg])[lane], i, elementAt(Part::Accumulator, scalar, lane, reg, i));
  };
  double sum[Size][Size];
  eachAccumulator(inst.list[3], c, [&](uint32_t word, unsigned i, Element e) {
    sum[e.row][e.column] = c == Scalar::F16 ? halfToFloat(uint16_t(word >> (16 * i))) : std::bit_cast<float>(word);
  });
  for (unsigned row = 0; row < Size; ++row)
    for (unsigned k = 0; k < inst.count; ++k)
      for (unsigned column = 0; column < Size; ++column)
        sum[row][column] += a[row][k] * b[k][column];
  eachAccumulator(inst.list[0], d, [&](uint32_t &word, unsigned i, Element e) {
    if (d == Scalar::F16)
      word = (word & ~(uint32_t(0xffff) << (16 * i))) | uint32_t(toHalf(sum[e.row][e.column])) << (16 * i);
    else
      word = std::bit_cast<uint32_t>(float(sum[e.row][e.column]));
  });
}

/// 16, or 8 for "m16n16k8"; 0 for other shapes.
unsigned depthOf(Build &build) { return build.take("m16n16k16") ? 16 : build.take("m16n16k8") ? 8 : 0; }
bool isOperand(Scalar type, unsigned depth) {
  return depth == 16 ? type == Scalar::F16 || type == Scalar::BF16 : depth == 8 && type == Scalar::TF32;
}

void decodeTransfer(Build &build, bool store) {
  Inst &inst = build.inst;
  std::string_view name = build.takeNext();
  auto part = name == "a" ? Part::A : name == "b" ? Part::B : Part::Accumulator;
  bool columns = build.take("col"), rows = build.take("row");
  unsigned depth = depthOf(build);
  Space space = build.takeSpace();
  Scalar type = build.type();
  bool fits = part == Part::Accumulator ? type == Scalar::F32 || type == Scalar::F16 : isOperand(type, depth);
  if (!depth || !fits || columns == rows || (part == Part::Accumulator) != (name == "c" || name == "d"))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.expectCount(2, 3);
  inst.converge = Converge::Warp;
  inst.option = uint32_t(part);
  inst.immediate = uint64_t(type);
  inst.saturate = columns;
  build.address(0, build.operand(store ? 0 : 1), space);
  const Operand &registers = build.operand(store ? 1 : 0);
  inst.list[0] = store ? build.readList(registers, Scalar::B32) : build.writeList(registers, Scalar::B32);
  inst.count = build.count() == 3;
  if (inst.count)
    inst.s[0] = build.read(2, Scalar::U32);
  if (inst.list[0].size != registersOf(part, type))
    return build.reject(fmt::format("'{}' does not match {} registers", build.source.opcode, inst.list[0].size));
  inst.execute = store ? transfer<true> : transfer<false>;
}

void decodeMultiply(Build &build) {
  Inst &inst = build.inst;
  for (unsigned i = 0; i < 2; ++i) // where the operands came from is in their fragments already
    if (!build.take("row"))
      build.take("col");
  unsigned depth = depthOf(build);
  Scalar d = build.type(), c = build.type(), type = Scalar::F16;
  if (std::optional<Scalar> second = build.takeType()) { // d, a, b, c
    type = c;
    c = build.type();
    if (*second != type)
      depth = 0;
  }
  auto isAccumulator = [](Scalar scalar) { return scalar == Scalar::F32 || scalar == Scalar::F16; };
  if (!isOperand(type, depth) || !isAccumulator(d) || !isAccumulator(c))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.expectCount(4, 4);
  inst.converge = Converge::Warp;
  inst.immediate = uint64_t(type);
  inst.option = uint32_t(d) | uint32_t(c) << 8;
  inst.count = uint8_t(depth);
  const unsigned sizes[] = {registersOf(Part::Accumulator, d), registersOf(Part::A, type), registersOf(Part::B, type),
                            registersOf(Part::Accumulator, c)};
  for (unsigned i = 0; i < 4; ++i) {
    inst.list[i] = i ? build.readList(build.operand(i), Scalar::B32) : build.writeList(build.operand(i), Scalar::B32);
    if (inst.list[i].size != sizes[i])
      return build.reject(fmt::format("operand {} of '{}' has {} registers, but got {}", i, build.source.opcode,
                                      sizes[i], inst.list[i].size));
  }
  inst.execute = multiply;
}

void decodeWmma(Build &build) {
  bool load = build.take("load"), store = build.take("store"), mma = build.take("mma");
  if (!build.take("sync") || !build.take("aligned") || load + store + mma != 1)
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  mma ? decodeMultiply(build) : decodeTransfer(build, store);
}
} // namespace

void addWmmaForms(FormTable &table) { table["wmma"] = decodeWmma; }

} // namespace sattn::ptx

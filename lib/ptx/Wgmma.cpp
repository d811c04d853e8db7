// wgmma: fence, commit_group, wait_group and mma_async with its matrix descriptors; setmaxnreg. Each warp of the group
// computes its 16 rows of the 64.
//
// A descriptor gives the first address, two strides and a swizzle. With T elements in 16 bytes, an operand of rows (M
// or N) by depth K lies, before swizzling, at (PTX ISA, "Canonical layouts" of wgmma):
//   K-major, none:      16 B (row % 8) + SBO (row / 8) + LBO (k / T)        + bytes of k % T
//   K-major, W bytes:   W (row % 8)    + SBO (row / 8)                      + bytes of k          (k inside W)
//   MN-major, none:     SBO (row / T)  + 16 B (k % 8)  + LBO (k / 8)        + bytes of row % T
//   MN-major, W bytes:  LBO (row / (W / 16 T)) + W (k % 8) + SBO (k / 8)    + bytes of row within W
#include "lib/ptx/Wgmma.h"
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Fragment.h"
#include "lib/ptx/Lanes.h"
#include "lib/ptx/TensorMap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace sattn::ptx {
namespace {
constexpr unsigned RowsOfWarp = 16, MaxColumns = 256, MaxDepth = 32, DepthBytes = 32;

struct Descriptor {
  uint32_t address, leading, stride;
  Swizzle swizzle;

  explicit Descriptor(uint64_t bits) : address(field(bits, 0)), leading(field(bits, 16)), stride(field(bits, 32)) {
    constexpr Swizzle modes[] = {Swizzle::None, Swizzle::Bytes128, Swizzle::Bytes64, Swizzle::Bytes32};
    swizzle = modes[bits >> 62];
  }
  static uint32_t field(uint64_t bits, unsigned at) { return uint32_t(bits >> at & 0x3fff) << 4; }

  /// The address of the 16 bytes (T elements) that begin at (row, k); along k, or along the rows if `transposed`.
  uint32_t unit(unsigned row, unsigned k, unsigned elementBytes, bool transposed) const {
    unsigned width = swizzle == Swizzle::None ? 16 : 16u << unsigned(swizzle), perWidth = width / elementBytes;
    uint32_t offset;
    if (!transposed)
      offset = swizzle == Swizzle::None ? 16 * (row % 8) + stride * (row / 8) + leading * (k * elementBytes / 16)
                                        : width * (row % 8) + stride * (row / 8) + k * elementBytes;
    else if (swizzle == Swizzle::None)
      offset = stride * (row / perWidth) + 16 * (k % 8) + leading * (k / 8);
    else
      offset = leading * (row / perWidth) + width * (k % 8) + stride * (k / 8) + row % perWidth * elementBytes;
    return swizzled(address + offset, swizzle);
  }
};

struct Shape {
  unsigned columns, depth;
  Scalar element, accumulator;
};
/// Where decode() puts it: `count` depth, `bytes` and `registerBytes` types, `target` columns.
Shape shapeOf(const Inst &inst) { return {inst.target, inst.count, Scalar(inst.bytes), Scalar(inst.registerBytes)}; }
/// Bits of Inst::option.
enum Option : uint32_t {
  TransposeA = 1,
  TransposeB = 2,
  NegateA = 4,
  NegateB = 8,
  RegisterA = 16,
  ScaleImmediate = 32,
  ScaleIsOne = 64,
  ScaleNegated = 128
};

/// Reads rows [first, first + rows) of an operand through its descriptor into out[row][k]. False after a fault.
bool readOperand(Warp &warp, uint64_t bits, const Shape &shape, unsigned first, unsigned rows, bool transposed,
                 float (*out)[MaxDepth], std::vector<uint32_t> &units) {
  if (bits >> 49 & 7) {
    warp.fault(FaultKind::InvalidOperand, 0,
               [] { return std::string("a matrix descriptor with a base offset is not supported"); });
    return false;
  }
  Descriptor descriptor(bits);
  SharedMemory &shared = warp.cta.shared();
  Accessor by = warp.accessor(0, ~uint32_t(0));
  by.async = true;
  unsigned size = bytesOf(shape.element), together = 16 / size;
  for (unsigned row = first; row < first + rows; row += transposed ? together : 1)
    for (unsigned k = 0; k < shape.depth; k += transposed ? 1 : together) {
      uint32_t address = descriptor.unit(row, k, size, transposed);
      if (!shared.accessible(by, address, 16, 16))
        return false;
      shared.beginRead(by, address, 16);
      units.push_back(address);
      for (unsigned i = 0; i < together; ++i) {
        uint32_t word = 0;
        std::memcpy(&word, shared.data() + address + size_t(i) * size, size);
        float value = elementFromBits(word, shape.element);
        if (transposed)
          out[row + i - first][k] = value;
        else
          out[row - first][k + i] = value;
      }
    }
  return true;
}

bool scalesOld(Warp &warp, const Inst &inst) {
  if (inst.option & ScaleImmediate)
    return inst.option & ScaleIsOne;
  return ((warp.predicate(inst.s[0]) & 1) != 0) != ((inst.option & ScaleNegated) != 0);
}

void accumulate(Warp &warp, const Inst &inst, const Shape &shape, const float (*a)[MaxDepth],
                const float (*b)[MaxDepth], bool keep) {
  double sign = ((inst.option & NegateA) != 0) != ((inst.option & NegateB) != 0) ? -1 : 1;
  std::span<const Row> d = warp.program.list(inst.list[0]);
  for (unsigned block = 0; block < shape.columns / 8; ++block) {
    // Columns innermost, so that they become vectors; each sum still runs over k in its order.
    double columns[MaxDepth][8], sum[RowsOfWarp][8] = {};
    for (unsigned k = 0; k < shape.depth; ++k)
      for (unsigned column = 0; column < 8; ++column)
        columns[k][column] = b[8 * block + column][k];
    for (unsigned row = 0; row < RowsOfWarp; ++row)
      for (unsigned k = 0; k < shape.depth; ++k)
        for (unsigned column = 0; column < 8; ++column)
          sum[row][column] += double(a[row][k]) * columns[k][column];
    for (unsigned lane = 0; lane < 32; ++lane) {
      unsigned g = lane / 4, t = lane % 4;
      if (shape.accumulator == Scalar::F16) {
        for (unsigned r = 0; r < 2; ++r) {
          uint32_t &word = warp.row(d[2 * block + r])[lane];
          const double *row = &sum[g + 8 * r][2 * t];
          word = toHalf(sign * row[0] + (keep ? halfToFloat(uint16_t(word)) : 0)) |
                 uint32_t(toHalf(sign * row[1] + (keep ? halfToFloat(uint16_t(word >> 16)) : 0))) << 16;
        }
        continue;
      }
      for (unsigned r = 0; r < 4; ++r) {
        uint32_t &word = warp.row(d[4 * block + r])[lane];
        double value = sum[g + 8 * (r / 2)][2 * t + r % 2];
        if (shape.accumulator == Scalar::S32)
          word = uint32_t(int32_t(value)) + (keep ? word : 0);
        else
          word = std::bit_cast<uint32_t>(float(sign * value + (keep ? std::bit_cast<float>(word) : 0)));
      }
    }
  }
}

/// Registers have to be ordered before the product by wgmma.fence, except accumulators of products under way.
void checkRegisters(Warp &warp, const Inst &inst, bool keep) {
  auto report = [&](Row row, FaultKind kind, std::string_view what) {
    warp.fault(kind, 0, [&] {
      auto name = warp.program.registerNames.find(row);
      return fmt::format("register '{}' {}", name == warp.program.registerNames.end() ? "?" : name->second, what);
    });
  };
  for (Row row : warp.program.list(inst.list[0])) {
    if (warp.wgmma.isAccumulating(row))
      continue;
    // A product that does not add to its accumulators only overwrites them.
    if (keep && warp.wgmma.needsFence(row))
      report(row, FaultKind::MissingFence, "was written, and no 'wgmma.fence' follows before this product");
    if (keep && ~warp.defined(row))
      report(row, FaultKind::UninitialisedRegister, "was never written");
  }
  for (Row row : warp.program.list(inst.list[1]))
    if (warp.wgmma.needsFence(row))
      report(row, FaultKind::MissingFence, "was written, and no 'wgmma.fence' follows before this product");
}

/// Descriptors and scale-d are one value for the whole warp.
void checkUniform(Warp &warp, const Inst &inst) {
  auto differs = [&](unsigned lane) {
    bool scale =
        !(inst.option & ScaleImmediate) && (warp.predicate(inst.s[0]) >> lane & 1) != (warp.predicate(inst.s[0]) & 1);
    bool a = !(inst.option & RegisterA) && warp.wide(inst.s[1])[lane] != warp.wide(inst.s[1])[0];
    return scale || a || warp.wide(inst.s[2])[lane] != warp.wide(inst.s[2])[0];
  };
  for (unsigned lane = 1; lane < 32; ++lane)
    if (differs(lane))
      return warp.fault(FaultKind::InvalidOperand, lane, [&] {
        return fmt::format("lane {} has another matrix descriptor or scale than lane 0", lane);
      });
}

void multiply(Warp &warp, const Inst &inst, uint32_t) {
  Shape shape = shapeOf(inst);
  checkUniform(warp, inst);
  uint32_t firstWarp = warp.index / 4 * 4;
  if (firstWarp + 4 > warp.cta.allWarps().size())
    return warp.fault(FaultKind::BarrierDivergence, 0,
                      [] { return std::string("a warpgroup has four warps, but the block ends before"); });
  bool keep = scalesOld(warp, inst);
  checkRegisters(warp, inst, keep);
  float a[RowsOfWarp][MaxDepth];
  thread_local float b[MaxColumns][MaxDepth];
  uint64_t descriptors = warp.wide(inst.s[2])[0] + (inst.option & RegisterA ? 0 : 3 * warp.wide(inst.s[1])[0]);
  WgmmaState::Product product{warp.line(), inst.list[0], inst.list[1], descriptors, {}};
  if (inst.option & RegisterA)
    gatherA(warp, inst.list[1], shape.element, &a[0][0], MaxDepth);
  else if (!readOperand(warp, warp.wide(inst.s[1])[0], shape, RowsOfWarp * (warp.index % 4), RowsOfWarp,
                        inst.option & TransposeA, a, product.units))
    return;
  if (readOperand(warp, warp.wide(inst.s[2])[0], shape, 0, shape.columns, inst.option & TransposeB, b, product.units))
    accumulate(warp, inst, shape, a, b, keep);
  warp.wgmma.start(warp, std::move(product));
}

/// The n of "m64n128k16" if the depth fits the element type; 0 otherwise.
unsigned columnsOf(std::string_view text, unsigned depth) {
  unsigned n = 0, k = 0;
  if (std::sscanf(std::string(text).c_str(), "m64n%uk%u", &n, &k) != 2 || k != depth || n % 8 || n > MaxColumns)
    return 0;
  return n;
}

bool isAccumulator(Scalar accumulator, Scalar element) {
  if (element == Scalar::S8 || element == Scalar::U8)
    return accumulator == Scalar::S32;
  return accumulator == Scalar::F32 ||
         (accumulator == Scalar::F16 && element != Scalar::BF16 && element != Scalar::TF32);
}

/// scale-d: a predicate, or an immediate.
void decodeScale(Build &build, const Operand &operand) {
  Inst &inst = build.inst;
  if (operand.kind == Operand::Integer) {
    inst.option |= ScaleImmediate | (operand.value ? ScaleIsOne : 0);
    return;
  }
  bool negated = false;
  inst.s[0] = build.readPredicate(operand, negated);
  inst.option |= negated ? ScaleNegated : 0;
}

void decodeMultiply(Build &build) {
  Inst &inst = build.inst;
  std::string_view text = build.takePrefix("m64n");
  Scalar d = build.type(), a = build.type(), b = build.type();
  unsigned depth = isMatrixElement(a) ? DepthBytes / bytesOf(a) : 0;
  unsigned columns = depth ? columnsOf(text, depth) : 0;
  if (!columns || a != b || !isAccumulator(d, a))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  bool registers = build.operand(1).kind == Operand::Vector, wide = bytesOf(a) == 2, integers = d == Scalar::S32;
  // d, a, b, scale-d, then the signs of a and b, then what is transposed.
  size_t signs = integers ? 0 : 2, transposes = wide ? (registers ? 1 : 2) : 0;
  build.expectCount(4 + signs + transposes, 4 + signs + transposes);
  inst.target = columns;
  inst.count = uint8_t(depth);
  inst.bytes = uint8_t(a);
  inst.registerBytes = uint8_t(d);
  inst.list[0] = build.writeList(build.operand(0), Scalar::B32);
  if (registers) {
    inst.list[1] = build.readList(build.operand(1), Scalar::B32);
    inst.option |= RegisterA;
  } else {
    inst.s[1] = build.read(1, Scalar::B64);
  }
  inst.s[2] = build.read(2, Scalar::B64);
  decodeScale(build, build.operand(3));
  for (size_t i = 0; i < signs; ++i)
    if (build.immediate(build.operand(4 + i)) != 1)
      inst.option |= i ? NegateB : NegateA;
  for (size_t i = 0; i < transposes; ++i)
    if (build.immediate(build.operand(4 + signs + i)) != 0)
      inst.option |= i || registers ? TransposeB : TransposeA;
  if (inst.list[0].size != columns / (d == Scalar::F16 ? 4 : 2) || (registers && inst.list[1].size != 4))
    return build.reject(fmt::format("'{}' does not match {} registers", build.source.opcode, inst.list[0].size));
  inst.ownsWrites = true;
  build.dropWrites();
  inst.execute = multiply;
}

void decodeWgmma(Build &build) {
  Inst &inst = build.inst;
  inst.converge = Converge::Warp;
  build.usesWgmma();
  bool multiplies = build.take("mma_async"), fence = build.take("fence"), commit = build.take("commit_group"),
       waits = build.take("wait_group");
  build.take("sync");
  build.take("aligned");
  if (multiplies)
    return decodeMultiply(build);
  build.expectCount(waits, waits);
  if (fence)
    inst.execute = [](Warp &warp, const Inst &, uint32_t) { warp.wgmma.fence(); };
  else if (commit)
    inst.execute = [](Warp &warp, const Inst &, uint32_t) { warp.wgmma.commit(); };
  else if (waits) {
    inst.immediate = build.immediate(build.operand(0));
    inst.execute = [](Warp &warp, const Inst &inst, uint32_t) { warp.wgmma.wait(warp, uint32_t(inst.immediate)); };
  } else {
    build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  }
}

/// Warps of a block share the registers that it was started with: as many for each thread as the file has, in eights. A
/// request that does not fit would wait for ever on hardware.
void setMaxRegisters(Warp &warp, const Inst &inst, uint32_t lanes) {
  constexpr uint32_t FileRegisters = 65536, Granularity = 8, MostOfThread = 255;
  auto threads = uint32_t(32 * warp.cta.allWarps().size());
  uint32_t own = std::min(FileRegisters / threads, MostOfThread) / Granularity * Granularity * threads;
  warp.maxRegisters = uint32_t(inst.immediate);
  uint32_t total = 0;
  for (const auto &other : warp.cta.allWarps())
    total += 32 * other->maxRegisters;
  if (total > own)
    warp.fault(FaultKind::InvalidOperand, unsigned(std::countr_zero(lanes)),
               [&] { return fmt::format("the warps of the block ask for {} registers, but it has {}", total, own); });
}

void decodeSetMaxRegisters(Build &build) {
  if (!build.take("inc") && !build.take("dec"))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.take("sync");
  build.take("aligned");
  build.type();
  build.expectCount(1, 1);
  uint64_t count = build.immediate(build.operand(0));
  if (count < 24 || count > 256 || count % 8)
    return build.reject(fmt::format("{} registers are not a multiple of 8 in 24..256", count));
  build.inst.converge = Converge::Warp;
  build.inst.immediate = count;
  build.inst.execute = setMaxRegisters;
}
} // namespace

void addWgmmaForms(FormTable &table) {
  table["wgmma"] = decodeWgmma;
  table["setmaxnreg"] = decodeSetMaxRegisters;
}

} // namespace sattn::ptx

// mma.sync on one warp, ldmatrix and stmatrix. Products are exact and summed in double, then rounded once to the
// accumulator's type: hardware rounds more often, so results differ in the last bits.
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Fragment.h"
#include "lib/ptx/Lanes.h"
#include "lib/ptx/Memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace sattn::ptx {

bool isMatrixElement(Scalar type) {
  return type == Scalar::F16 || type == Scalar::BF16 || type == Scalar::TF32 || type == Scalar::S8 ||
         type == Scalar::U8 || type == Scalar::E4M3 || type == Scalar::E5M2;
}

float elementFromBits(uint32_t bits, Scalar type) {
  switch (type) {
  case Scalar::F16:
    return halfToFloat(uint16_t(bits));
  case Scalar::BF16:
    return bfloatToFloat(uint16_t(bits));
  case Scalar::TF32:
    return std::bit_cast<float>(bits & 0xffffe000);
  case Scalar::S8:
    return float(int8_t(bits));
  case Scalar::U8:
    return float(uint8_t(bits));
  case Scalar::E4M3:
    return e4m3ToFloat(uint8_t(bits));
  case Scalar::E5M2:
    return e5m2ToFloat(uint8_t(bits));
  default:
    return 0;
  }
}

float elementOf(uint32_t word, unsigned index, Scalar type) {
  return elementFromBits(word >> (32 / elementsOf(type) * index), type);
}

namespace {
constexpr unsigned MaxElements = 4;

/// All elements of a register, of one lane after the other. What kernels multiply most are loops of their own.
void elementsOfRow(const uint32_t *words, Scalar type, float (&numbers)[32 * MaxElements]) {
  unsigned e = elementsOf(type);
  if (type == Scalar::TF32)
    for (unsigned lane = 0; lane < 32; ++lane)
      numbers[lane] = elementFromBits(words[lane], Scalar::TF32);
  else if (type == Scalar::BF16)
    for (unsigned i = 0; i < 64; ++i)
      numbers[i] = bfloatToFloat(uint16_t(words[i / 2] >> 16 * (i % 2)));
  else
    for (unsigned i = 0; i < 32 * e; ++i)
      numbers[i] = elementOf(words[i / e], i % e, type);
}
} // namespace

void gatherA(Warp &warp, Range registers, Scalar type, float *a, unsigned pitch) {
  unsigned e = elementsOf(type), r = 0;
  float numbers[32 * MaxElements];
  for (Row row : warp.program.list(registers)) {
    elementsOfRow(warp.row(row), type, numbers);
    for (unsigned g = 0; g < 8; ++g)
      std::copy_n(numbers + 4 * e * g, 4 * e, a + pitch * (g + 8 * (r % 2)) + 4 * e * (r / 2));
    ++r;
  }
}

namespace {
constexpr unsigned Rows = 16, Columns = 8, MaxDepth = 64;

void gatherB(Warp &warp, Range registers, Scalar type, double (*b)[Columns]) {
  unsigned e = elementsOf(type), r = 0;
  float numbers[32 * MaxElements];
  for (Row row : warp.program.list(registers)) {
    elementsOfRow(warp.row(row), type, numbers);
    for (unsigned g = 0; g < Columns; ++g)
      for (unsigned k = 0; k < 4 * e; ++k)
        b[4 * e * r + k][g] = numbers[4 * e * g + k];
    ++r;
  }
}

/// What TF32 numbers in registers are; bits that the type ignores count as well.
struct Kinds {
  bool zeros, finite;
};

Kinds kindsOf(Warp &warp, Range registers) {
  uint32_t any = 0, carries = 0;
  for (Row row : warp.program.list(registers)) {
    const uint32_t *words = warp.row(row);
    for (unsigned lane = 0; lane < 32; ++lane) {
      any |= words[lane] << 1;                            // all but the sign
      carries |= (words[lane] & 0x7f800000) + (1u << 23); // reaches the sign from exponents of infinities and NaN
    }
  }
  return {any == 0, carries >> 31 == 0};
}

/// Whether every product of TF32 numbers is 0, and so are their sums: float32 that is cut in parts leaves many zeros,
/// and so do tiles of few rows.
bool productsVanish(Warp &warp, const Inst &inst) {
  Kinds a = kindsOf(warp, inst.list[1]), b = kindsOf(warp, inst.list[2]);
  return (a.zeros && b.finite) || (b.zeros && a.finite);
}

/// `option`: accumulator type; `immediate`: element type; `count`: depth.
void multiply(Warp &warp, const Inst &inst, uint32_t) {
  auto type = Scalar(inst.immediate), accumulator = Scalar(inst.option);
  float a[Rows][MaxDepth];
  double b[MaxDepth][Columns];
  double sum[Rows][Columns] = {};
  if (type != Scalar::TF32 || !productsVanish(warp, inst)) {
    gatherA(warp, inst.list[1], type, &a[0][0], MaxDepth);
    gatherB(warp, inst.list[2], type, b);
    for (unsigned row = 0; row < Rows; ++row)
      for (unsigned k = 0; k < inst.count; ++k)
        for (unsigned column = 0; column < Columns; ++column)
          sum[row][column] += double(a[row][k]) * b[k][column];
  }
  std::span<const Row> d = warp.program.list(inst.list[0]), c = warp.program.list(inst.list[3]);
  for (unsigned r = 0; r < d.size(); ++r) {
    const uint32_t *old = warp.row(c[r]);
    uint32_t *result = warp.row(d[r]);
    if (accumulator == Scalar::F32) {
      const double *own = &sum[8 * (r / 2)][r % 2]; // of lane 0; the next lane's come two columns later
      for (unsigned lane = 0; lane < 32; ++lane)
        result[lane] = std::bit_cast<uint32_t>(float(own[2 * lane] + std::bit_cast<float>(old[lane])));
      continue;
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      unsigned g = lane / 4, t = lane % 4;
      if (accumulator == Scalar::F16) {
        const double *row = &sum[g + 8 * r][2 * t];
        result[lane] = toHalf(row[0] + halfToFloat(uint16_t(old[lane]))) |
                       uint32_t(toHalf(row[1] + halfToFloat(uint16_t(old[lane] >> 16)))) << 16;
        continue;
      }
      double value = sum[g + 8 * (r / 2)][2 * t + r % 2];
      result[lane] = uint32_t(int32_t(value)) + old[lane];
    }
  }
}

/// The k of "m16n8k16"; 0 for other shapes.
unsigned depthOf(std::string_view shape) {
  unsigned depth = 0;
  if (!shape.starts_with("m16n8k") || std::sscanf(std::string(shape.substr(6)).c_str(), "%u", &depth) != 1)
    return 0;
  return depth;
}

bool isAccumulator(Scalar accumulator, Scalar element) {
  if (element == Scalar::S8 || element == Scalar::U8)
    return accumulator == Scalar::S32;
  return accumulator == Scalar::F32 || (accumulator == Scalar::F16 && element == Scalar::F16);
}

void decodeMultiply(Build &build) {
  Inst &inst = build.inst;
  build.take("sync");
  build.take("aligned");
  unsigned depth = depthOf(build.takePrefix("m"));
  bool layouts = build.take("row") && build.take("col");
  Scalar d = build.type(), a = build.type(), b = build.type(), c = build.type();
  unsigned unit = isMatrixElement(a) ? 4 * elementsOf(a) : 1;
  bool known =
      layouts && isMatrixElement(a) && a == b && c == d && isAccumulator(d, a) && (depth == unit || depth == 2 * unit);
  if (!known)
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.expectCount(4, 4);
  inst.execute = multiply;
  inst.converge = Converge::Warp;
  inst.option = uint32_t(d);
  inst.immediate = uint64_t(a);
  inst.count = uint8_t(depth);
  unsigned accumulators = d == Scalar::F16 ? 2 : 4;
  const unsigned sizes[] = {accumulators, 2 * depth / unit, depth / unit, accumulators};
  inst.list[0] = build.writeList(build.operand(0), Scalar::B32);
  for (unsigned i = 1; i < 4; ++i)
    inst.list[i] = build.readList(build.operand(i), Scalar::B32);
  for (unsigned i = 0; i < 4; ++i)
    if (inst.list[i].size != sizes[i])
      return build.reject(fmt::format("operand {} of '{}' has {} registers, but got {}", i, build.source.opcode,
                                      sizes[i], inst.list[i].size));
}

/// The addresses of the rows: lane 8 j + i gives row i of matrix j, 16 bytes. Returns false after a fault.
bool rowAddresses(Warp &warp, const Inst &inst, unsigned matrices, uint32_t *rows) {
  uint64_t addresses[32] = {};
  for (unsigned lane = 0; lane < 8 * matrices; ++lane) {
    Place place = resolve(inst.address[0].space, addressOf(warp, inst.address[0], lane));
    if (place.space != Space::Shared) {
      warp.fault(FaultKind::InvalidOperand, lane, [&] {
        return fmt::format("address {:#x} of a matrix row does not lie in shared memory", place.address);
      });
      return false;
    }
    if (!warp.cta.shared().accessible(warp.accessor(lane), place.address, 16, 16))
      return false;
    addresses[lane] = place.address;
    rows[lane] = uint32_t(place.address);
  }
  countBanks(warp, addresses, uint32_t((uint64_t(1) << (8 * matrices)) - 1), 16);
  return true;
}

/// Lane l's register of a matrix holds columns 2 (l % 4) and the next of row l / 4; transposed: rows and columns
/// exchanged.
void loadMatrix(Warp &warp, const Inst &inst, uint32_t lanes) {
  std::span<const Row> d = warp.program.list(inst.list[0]);
  uint32_t rows[32];
  if (!rowAddresses(warp, inst, unsigned(d.size()), rows))
    return;
  for (unsigned j = 0; j < d.size(); ++j) {
    uint16_t matrix[8][8];
    for (unsigned i = 0; i < 8; ++i)
      warp.cta.shared().read(warp.accessor(8 * j + i, lanes), rows[8 * j + i], 16,
                             reinterpret_cast<std::byte *>(matrix[i]));
    uint32_t *result = warp.row(d[j]);
    for (unsigned lane = 0; lane < 32; ++lane) {
      unsigned r = lane / 4, c = 2 * (lane % 4);
      uint32_t low = inst.option ? matrix[c][r] : matrix[r][c],
               high = inst.option ? matrix[c + 1][r] : matrix[r][c + 1];
      result[lane] = low | high << 16;
    }
  }
}

void storeMatrix(Warp &warp, const Inst &inst, uint32_t) {
  std::span<const Row> s = warp.program.list(inst.list[0]);
  uint32_t rows[32];
  if (!rowAddresses(warp, inst, unsigned(s.size()), rows))
    return;
  for (unsigned j = 0; j < s.size(); ++j) {
    uint16_t matrix[8][8];
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned part = 0; part < 2; ++part) {
        unsigned r = lane / 4, c = 2 * (lane % 4) + part;
        (inst.option ? matrix[c][r] : matrix[r][c]) = uint16_t(warp.row(s[j])[lane] >> (16 * part));
      }
    for (unsigned i = 0; i < 8; ++i)
      warp.cta.shared().write(warp.accessor(8 * j + i), rows[8 * j + i], 16,
                              reinterpret_cast<const std::byte *>(matrix[i]));
  }
}

void decodeMatrix(Build &build) {
  Inst &inst = build.inst;
  bool isLoad = build.base == "ldmatrix";
  build.take("sync");
  build.take("aligned");
  unsigned count = build.take("x4") ? 4 : build.take("x2") ? 2 : build.take("x1") ? 1 : 0;
  inst.option = build.take("trans");
  Space space = build.takeSpace();
  if (!build.take("m8n8") || !count || build.type() != Scalar::B16)
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.expectCount(2, 2);
  inst.converge = Converge::Warp;
  build.address(0, build.operand(isLoad ? 1 : 0), space);
  const Operand &registers = build.operand(isLoad ? 0 : 1);
  inst.list[0] = isLoad ? build.writeList(registers, Scalar::B32) : build.readList(registers, Scalar::B32);
  if (inst.list[0].size != count)
    return build.reject(fmt::format("'{}' does not match {} registers", build.source.opcode, inst.list[0].size));
  inst.execute = isLoad ? loadMatrix : storeMatrix;
}
} // namespace

void addMatrixForms(FormTable &table) {
  table["mma"] = decodeMultiply;
  table["ldmatrix"] = table["stmatrix"] = decodeMatrix;
}

} // namespace sattn::ptx

// Allocation, element access and the 16-bit conversions.
#include "tools/sparse-attn/Tensor.h"
#include "tools/sparse-attn/ToolError.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace sattn::tool {

const char *dtypeName(Dtype dtype) {
  static constexpr const char *names[] = {"f32", "f16", "bf16", "i32", "i64", "i8", "u8"};
  return names[static_cast<int>(dtype)];
}

int dtypeBytes(Dtype dtype) {
  static constexpr int bytes[] = {4, 2, 2, 4, 8, 1, 1};
  return bytes[static_cast<int>(dtype)];
}

DLDataType dlTypeOf(Dtype dtype) {
  static constexpr uint8_t codes[] = {kDLFloat, kDLFloat, kDLBfloat, kDLInt, kDLInt, kDLInt, kDLUInt};
  return {codes[static_cast<int>(dtype)], static_cast<uint8_t>(8 * dtypeBytes(dtype)), 1};
}

bool parseDtype(const std::string &name, Dtype &dtype) {
  for (Dtype candidate : {Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::I32, Dtype::I64, Dtype::I8, Dtype::U8})
    if (name == dtypeName(candidate)) {
      dtype = candidate;
      return true;
    }
  return false;
}

std::string shapeText(const Shape &shape) { return fmt::format("{}", fmt::join(shape, ",")); }

int64_t Tensor::size() const {
  int64_t size = 1;
  for (int64_t extent : shape)
    size *= extent;
  return size;
}

Tensor Tensor::allocate(Dtype dtype, const Shape &shape, const std::string &what) {
  Tensor tensor{dtype, shape, nullptr};
  size_t bytes = dtypeBytes(dtype);
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(bytes, static_cast<size_t>(extent), &bytes))
      fail(Err::OutOfMemory, "more than 2^64", what);
  size_t rounded = 0;
  void *memory =
      __builtin_add_overflow(bytes, size_t(64), &rounded) ? nullptr : std::aligned_alloc(64, rounded & ~size_t(63));
  if (!memory)
    fail(Err::OutOfMemory, bytes, what);
  tensor.data = std::shared_ptr<char>(static_cast<char *>(memory), std::free);
  return tensor;
}

double Tensor::get(int64_t index) const {
  switch (dtype) {
  case Dtype::F32:
    return as<float>()[index];
  case Dtype::F16:
    return f16ToFloat(as<uint16_t>()[index]);
  case Dtype::BF16:
    return bf16ToFloat(as<uint16_t>()[index]);
  case Dtype::I32:
    return as<int32_t>()[index];
  case Dtype::I64:
    return static_cast<double>(as<int64_t>()[index]);
  case Dtype::I8:
    return as<int8_t>()[index];
  case Dtype::U8:
    return as<uint8_t>()[index];
  }
  return 0;
}

void Tensor::set(int64_t index, double value) {
  switch (dtype) {
  case Dtype::F32:
    as<float>()[index] = static_cast<float>(value);
    break;
  case Dtype::F16:
    as<uint16_t>()[index] = floatToF16(static_cast<float>(value));
    break;
  case Dtype::BF16:
    as<uint16_t>()[index] = floatToBf16(static_cast<float>(value));
    break;
  case Dtype::I32:
    as<int32_t>()[index] = static_cast<int32_t>(value);
    break;
  case Dtype::I64:
    as<int64_t>()[index] = static_cast<int64_t>(value);
    break;
  case Dtype::I8:
    as<int8_t>()[index] = static_cast<int8_t>(value);
    break;
  case Dtype::U8:
    as<uint8_t>()[index] = static_cast<uint8_t>(value);
    break;
  }
}

Tensor takeRows(const Tensor &from, int axis, const std::vector<int64_t> &rows, const std::string &what) {
  Shape shape = from.shape;
  shape[axis] = static_cast<int64_t>(rows.size());
  Tensor to = Tensor::allocate(from.dtype, shape, what);
  int64_t outer = 1;
  size_t inner = dtypeBytes(from.dtype);
  for (size_t i = 0; i < shape.size(); ++i)
    if (static_cast<int>(i) < axis)
      outer *= shape[i];
    else if (static_cast<int>(i) > axis)
      inner *= shape[i];
  char *target = to.data.get();
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t row : rows) {
      std::memcpy(target, from.data.get() + (i * from.shape[axis] + row) * inner, inner);
      target += inner;
    }
  return to;
}

float bf16ToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

uint16_t floatToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value)
    return static_cast<uint16_t>((bits >> 16) | 0x40); // a quiet NaN stays one
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

float f16ToFloat(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = (bits >> 10) & 31, fraction = bits & 0x3FF;
  if (exponent == 0) { // zero and denormals: fraction * 2^-24
    float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

uint16_t floatToF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000)
    return sign | 0x7E00;
  if (magnitude >= 0x477FF000) // at least 65520 rounds to infinity
    return sign | 0x7C00;
  if (magnitude < 0x38800000) { // below 2^-14: a multiple of 2^-24, rounded to nearest even by the addition
    float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000));
  }
  uint32_t rounded = magnitude - 0x38000000 + 0xFFF + ((magnitude >> 13) & 1);
  return static_cast<uint16_t>(sign | (rounded >> 13));
}

} // namespace sattn::tool

// Arrays in host memory: dense, row-major, of the element types that kernels take. Conversions between float32 and the
// 16-bit types round to nearest even, as the kernels do.
#pragma once
#include <dlpack/dlpack.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sattn::tool {

enum class Dtype { F32, F16, BF16, I32, I64, I8, U8 };

const char *dtypeName(Dtype dtype); ///< "f32", "f16", "bf16", "i32", "i64", "i8", "u8"
int dtypeBytes(Dtype dtype);
DLDataType dlTypeOf(Dtype dtype);
/// By the names above; false for others.
bool parseDtype(const std::string &name, Dtype &dtype);

using Shape = std::vector<int64_t>;
/// "1,64,2,32"
std::string shapeText(const Shape &shape);

struct Tensor {
  Dtype dtype = Dtype::F32;
  Shape shape;
  std::shared_ptr<char> data; ///< 64-byte aligned

  /// Memory for `shape`, not initialised; fails for shapes that overflow or do not fit into memory. `what` names the
  /// array in the message.
  static Tensor allocate(Dtype dtype, const Shape &shape, const std::string &what);

  int64_t size() const;
  size_t bytes() const { return static_cast<size_t>(size()) * dtypeBytes(dtype); }
  template <typename T> T *as() const { return reinterpret_cast<T *>(data.get()); }

  double get(int64_t index) const;
  void set(int64_t index, double value);
};

/// Rows `rows` of the axis `axis`, in this order.
Tensor takeRows(const Tensor &from, int axis, const std::vector<int64_t> &rows, const std::string &what);

float f16ToFloat(uint16_t bits);
uint16_t floatToF16(float value);
float bf16ToFloat(uint16_t bits);
uint16_t floatToBf16(float value);

} // namespace sattn::tool

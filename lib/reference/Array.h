// Dense float64 arrays of the reference: what a call passes in, what it gets back, and what whole-tensor ops keep
// between. Row-major; integers (tables, lists) are held as doubles, exact up to 2^53.
#pragma once
#include "lib/support/LLVM.h"
#include <vector>

namespace sattn::ref {

struct Array {
  SmallVector<int64_t> shape;
  std::vector<double> data;

  /// An array of `shape` whose elements are all `value`.
  static Array filled(ArrayRef<int64_t> shape, double value) {
    int64_t size = 1;
    for (int64_t extent : shape)
      size *= extent;
    return {SmallVector<int64_t>(shape), std::vector<double>(size, value)};
  }
  static Array zeros(ArrayRef<int64_t> shape) { return filled(shape, 0.0); }

  /// Number of elements that the shape states; a well-formed array has as many in `data`.
  int64_t size() const {
    int64_t size = 1;
    for (int64_t extent : shape)
      size *= extent;
    return size;
  }

  /// Place in `data` of the element at `index`, one number for each axis, each inside its extent.
  int64_t offset(ArrayRef<int64_t> index) const {
    int64_t place = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis)
      place = place * shape[axis] + index[axis];
    return place;
  }
  double &at(ArrayRef<int64_t> index) { return data[offset(index)]; }
  double at(ArrayRef<int64_t> index) const { return data[offset(index)]; }
};

} // namespace sattn::ref

// Drawn strides; see Placed.h.
#include "tools/sparse-attn/Placed.h"

#include <algorithm>
#include <cstring>

namespace sattn::tool {

/// The bytes of memory that no element has: NaN in every float type, -1 as an integer.
static constexpr int nothing = 0xff;
static constexpr int64_t gaps[] = {0, 1, 3, 16};

Placed::Placed(const Tensor &from, int features, Random &random) : tensor(from), steps(from.shape.size(), 1) {
  std::vector<int> outer(tensor.shape.size() - static_cast<size_t>(features));
  std::iota(outer.begin(), outer.end(), 0);
  for (size_t i = outer.size(); i > 1; --i)
    std::swap(outer[i - 1], outer[random.below(i)]);
  int64_t size = 1, origin = 0;
  auto lay = [&](int axis) {
    steps[axis] = size;
    size *= std::max<int64_t>(tensor.shape[axis], 1);
  };
  for (int axis = static_cast<int>(tensor.shape.size()); axis-- > static_cast<int>(outer.size());)
    lay(axis);
  for (int axis : outer) {
    size += gaps[random.below(std::size(gaps))];
    lay(axis);
    if (random.below(4) == 0) { // backwards
      steps[axis] = -steps[axis];
      origin -= steps[axis] * std::max<int64_t>(tensor.shape[axis] - 1, 0);
    }
  }
  memory = Tensor::allocate(tensor.dtype, {size}, "an operand with gaps");
  std::memset(memory.data.get(), nothing, memory.bytes());
  first = memory.data.get() + origin * dtypeBytes(tensor.dtype);
}

void Placed::forEach(const std::function<void(char *, char *)> &visit) {
  int64_t bytes = dtypeBytes(tensor.dtype);
  std::vector<int64_t> index(tensor.shape.size(), 0);
  for (int64_t i = 0; i < tensor.size(); ++i) {
    int64_t offset = 0;
    for (size_t axis = 0; axis < index.size(); ++axis)
      offset += index[axis] * steps[axis];
    visit(tensor.data.get() + i * bytes, first + offset * bytes);
    for (size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < tensor.shape[axis])
        break;
      index[axis] = 0;
    }
  }
}

void Placed::put() {
  forEach([bytes = dtypeBytes(tensor.dtype)](char *compact, char *here) { std::memcpy(here, compact, bytes); });
}

bool Placed::take() {
  forEach([bytes = dtypeBytes(tensor.dtype)](char *compact, char *here) {
    std::memcpy(compact, here, bytes);
    std::memset(here, nothing, bytes);
  });
  const char *data = memory.data.get();
  return std::all_of(data, data + memory.bytes(), [](char byte) { return byte == static_cast<char>(nothing); });
}

} // namespace sattn::tool

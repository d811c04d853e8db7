// Operands and results of a call elsewhere in memory than in compact arrays: kernels must not notice.
#pragma once
#include "tools/sparse-attn/Random.h"
#include "tools/sparse-attn/Tensor.h"

#include <functional>

namespace sattn::tool {

/// Memory for a tensor whose axes lie in a drawn order, with gaps between them, some backwards. All of it holds NaN
/// until put().
class Placed {
public:
  /// The last `features` axes stay contiguous, inside all others.
  Placed(const Tensor &tensor, int features, Random &random);

  char *origin() const { return first; }
  /// Elements from one index of an axis to the next.
  const std::vector<int64_t> &strides() const { return steps; }
  void put();
  /// Copies the elements back into the tensor; false if anything between them was written.
  bool take();

private:
  void forEach(const std::function<void(char *compact, char *here)> &visit);

  Tensor tensor, memory;
  std::vector<int64_t> steps;
  char *first = nullptr;
};

} // namespace sattn::tool

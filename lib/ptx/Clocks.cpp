// Joins of views; see Clocks.h.
#include "lib/ptx/Clocks.h"

#include <algorithm>

namespace sattn::ptx {

void View::join(const View &other) {
  for (size_t i = 0; i < seen.size(); ++i)
    seen[i] = std::max(seen[i], other.seen[i]);
  // The minimum of maxima is not the maximum of minima, so it is taken anew.
  for (size_t w = 0; w < least.size(); ++w)
    least[w] = *std::min_element(seen.begin() + long(32 * w), seen.begin() + long(32 * w + 32));
}

void View::set(uint32_t warp, uint32_t lanes, uint32_t clock) {
  uint32_t minimum = ~uint32_t(0);
  for (unsigned lane = 0; lane < 32; ++lane) {
    uint32_t &entry = seen[32 * warp + lane];
    if (lanes >> lane & 1)
      entry = std::max(entry, clock);
    minimum = std::min(minimum, entry);
  }
  least[warp] = minimum;
}

} // namespace sattn::ptx

// Happens-before between the threads of a block. Each warp counts time: the clock of an access is its warp's count, and
// every release (barrier, arrival, warp barrier) advances the count. A View tells up to which clock a thread knows the
// accesses of each other thread; synchronisation joins views. An access (thread u, clock c) happened before thread t's
// present if t's view of u is at least c, or t is u. Exact for the accesses of one execution.
//
// Asynchronous copies that complete on an mbarrier are accesses of a pseudo thread of that mbarrier, numbered after the
// threads of the block, so only those that waited on that mbarrier know them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace sattn::ptx {

class View {
public:
  explicit View(unsigned threads) : seen(threads, 0), least(threads / 32, 0) {}

  bool knows(uint32_t thread, uint32_t clock) const { return seen[thread] >= clock; }
  /// All 32 lanes of the warp are known up to the clock; cheap and sufficient.
  bool knowsWarp(uint32_t warp, uint32_t clock) const { return least[warp] >= clock; }

  void join(const View &other);
  /// The lanes of the mask of one warp are known up to the clock.
  void set(uint32_t warp, uint32_t lanes, uint32_t clock);
  void setThread(uint32_t thread, uint32_t clock) { set(thread / 32, uint32_t(1) << thread % 32, clock); }

private:
  std::vector<uint32_t> seen;
  std::vector<uint32_t> least; // minimum over the 32 threads of a warp
};
using ViewPointer = std::shared_ptr<const View>;

} // namespace sattn::ptx

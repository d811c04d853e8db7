// Copies by cp.async that a warp has issued and not yet waited for. A copy's bytes reach shared memory when its thread
// waits for it, never before: nobody may touch them until then (SharedMemory::beginCopy), and other threads need a
// barrier after that wait, as for an ordinary store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sattn::ptx {

class Warp;

class AsyncCopies {
public:
  struct Copy {
    uint32_t address;
    uint32_t line;
    uint32_t group; // of its lane
    uint8_t lane, count;
    std::array<std::byte, 16> bytes;
  };
  void issue(Copy copy) {
    copy.group = open[copy.lane];
    copies.push_back(copy);
  }
  void commit(uint32_t lanes);
  /// Lands the copies of all but the last `pending` groups of each lane, or all copies.
  void wait(Warp &warp, uint32_t lanes, uint32_t pending);
  void waitAll(Warp &warp, uint32_t lanes);
  /// Takes the lane's copies that have not landed, to land with an mbarrier.
  std::vector<Copy> take(unsigned lane);

private:
  template <typename Due> void land(Warp &warp, Due due);

  std::vector<Copy> copies;
  std::array<uint32_t, 32> open = {}; // number of the group that is not committed yet
};

} // namespace sattn::ptx

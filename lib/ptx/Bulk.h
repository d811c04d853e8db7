// cp.async.bulk and cp.async.bulk.tensor: copies of whole tiles between global and shared memory. Loads complete on an
// mbarrier (Mbarrier.h); stores belong to bulk groups of their thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sattn::ptx {

class Build;
class Warp;

/// After "cp.async.bulk" was consumed.
void decodeBulk(Build &build);
/// After "cp.async.mbarrier" was consumed.
void decodeCopyArrive(Build &build);

/// Stores that read shared memory until their thread waits for them.
class BulkStores {
public:
  /// Contiguous bytes of shared memory that go to global memory.
  struct Piece {
    uint64_t global;
    uint32_t shared, count;
  };
  struct Store {
    uint32_t line, group;
    uint8_t lane;
    bool read = false; // shared memory may be written again
    uint32_t shared = 0, count = 0;
    std::vector<Piece> pieces;
    std::vector<std::byte> bytes;
  };
  void issue(Store store) {
    store.group = open[store.lane];
    stores.push_back(std::move(store));
  }
  void commit(uint32_t lanes);
  /// All but the last `pending` groups of each lane; `readOnly`: global memory may not be written yet.
  void wait(Warp &warp, uint32_t lanes, uint32_t pending, bool readOnly);
  /// The line of a store that still reads shared memory; 0: none.
  uint32_t unfinishedLine() const;

private:
  std::vector<Store> stores;
  uint32_t open[32] = {};
};

} // namespace sattn::ptx

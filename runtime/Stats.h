// The counters that sattn_stats() reports.
#pragma once

#include <atomic>
#include <cstdint>

namespace sattn::rt {

/// Counters are independent of one another; a reader may see them at slightly different moments.
struct Stats {
  std::atomic<uint64_t> memoryHits{0}, bundleHits{0}, diskHits{0}, compiles{0}, compileErrors{0}, misses{0};
  std::atomic<uint64_t> compileNs{0}, loadNs{0}, runs{0}, tasks{0};

  static void add(std::atomic<uint64_t> &counter, uint64_t amount = 1) {
    counter.fetch_add(amount, std::memory_order_relaxed);
  }
};

} // namespace sattn::rt

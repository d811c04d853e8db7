// Products of a warpgroup that are under way: wgmma.mma_async computes at once, but its accumulators are unreadable,
// its registers unwritable and its shared memory protected until wgmma.wait_group covers its group. Each of the four
// warps keeps account of its own part.
#pragma once

#include "lib/ptx/Program.h"

#include <map>

namespace sattn::ptx {

class Warp;

class WgmmaState {
public:
  explicit WgmmaState(const Program &program)
      : writtenAt(program.usesWgmma ? program.rowCount : 0), accumulating(writtenAt.size()), reading(writtenAt.size()) {
  }
  struct Product {
    uint32_t line;
    Range accumulators, sources; // registers
    uint64_t descriptors;        // a value that tells those of one product from those of another
    std::vector<uint32_t> units; // 16-byte units of shared memory being read
  };

  bool inUse() const { return !writtenAt.empty(); }
  void fence() { fencedAt = ++time; }
  void start(Warp &warp, Product product);
  void commit();
  void wait(Warp &warp, uint32_t pending);
  /// An ordinary instruction writes the register; faults if a product uses it.
  void noteWrite(Warp &warp, Row row, uint32_t lanes);
  /// Written by an ordinary instruction after the last fence.
  bool needsFence(Row row) const { return writtenAt[row] > fencedAt; }
  bool isAccumulating(Row row) const { return accumulating[row] != 0; }
  /// The line of a product whose result the register will hold; 0: none.
  uint32_t lineOf(const Program &program, Row row) const;
  /// For each line, what identifies the products that this warp has executed there: their number and descriptors.
  const std::map<uint32_t, uint64_t> &history() const { return executed; }
  bool unfinished() const { return !groups.empty() || !open.empty(); }

private:
  std::vector<uint64_t> writtenAt;
  std::vector<uint16_t> accumulating, reading; // products under way that use the register
  std::vector<std::vector<Product>> groups;    // committed, oldest first
  std::vector<Product> open;
  std::map<uint32_t, uint64_t> executed;
  uint64_t time = 1, fencedAt = 0;
};

} // namespace sattn::ptx

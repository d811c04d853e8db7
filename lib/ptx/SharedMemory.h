// Shared memory of one block with a shadow cell for each byte: is it defined, who wrote and read it last and when
// (Clocks.h), is an asynchronous copy about to write it or an asynchronous operation still reading it. Every access is
// checked against the cells; what is wrong is reported through the warp. Copies and matrix loads touch 16 bytes at a
// time and most else words, so aligned bytes share one cell until an access takes some of them alone.
#pragma once

#include "lib/ptx/Clocks.h"

#include <cstddef>

namespace sattn::ptx {

class Warp;

/// Who accesses: lanes of a warp with the view of one of them, at the warp's clock.
struct Accessor {
  Warp &warp;
  unsigned lane;  // in whose name faults are reported, and who writes
  uint32_t lanes; // who reads; more than one in collective loads
  const View &view;
  uint32_t clock;
  bool strong = false; // volatile or atomic: does not race with other strong accesses
  bool async = false;  // through the asynchronous proxy: writes of the generic one need a proxy fence before
};

class SharedMemory {
public:
  SharedMemory(uint32_t bytes, unsigned threads)
      : bytes(bytes), units((bytes + UnitBytes - 1) / UnitBytes), fenced(threads, 0) {}

  /// For the next block: as if it were made anew.
  void clear();
  uint32_t size() const { return uint32_t(bytes.size()); }
  /// In bounds and aligned; faults otherwise.
  bool accessible(const Accessor &by, uint64_t address, uint32_t count, uint32_t align);
  /// Preconditions of all below: accessible().
  void read(const Accessor &by, uint32_t address, uint32_t count, std::byte *out);
  void write(const Accessor &by, uint32_t address, uint32_t count, const std::byte *in);

  /// A copy that is under way: nobody may touch the bytes until land(). `line` names it in messages.
  void beginCopy(const Accessor &by, uint32_t address, uint32_t count);
  /// Who a landed copy counts as written by, and whether the asynchronous proxy wrote it.
  struct Origin {
    uint32_t thread, clock, line;
    bool async;
  };
  void land(uint32_t address, uint32_t count, const std::byte *in, const Origin &origin);
  /// An asynchronous operation reads the bytes until endRead(): nobody may write them.
  void beginRead(const Accessor &by, uint32_t address, uint32_t count);
  void endRead(uint32_t address, uint32_t count);

  /// Marks an mbarrier object, which only mbarrier instructions may touch.
  void protect(uint32_t address, uint32_t count, bool isBarrier);
  /// The thread made its writes up to the clock visible to the asynchronous proxy.
  void fence(uint32_t thread, uint32_t clock) { fenced[thread] = clock; }
  uint32_t fencedClock(uint32_t thread) const { return fenced[thread]; }
  std::byte *data() { return bytes.data(); }

private:
  static constexpr uint32_t UnitBytes = 16, WordBytes = 4;
  struct Reader {
    uint32_t lanes = 0, clock = 0;
    uint16_t warp = 0;
    /// An asynchronous read on behalf of the whole warp: every lane that waited for it knows that it is over, so the
    /// release of any one lane orders it.
    bool any = false;
  };
  struct Cell {
    uint32_t writeClock = 0, writeLine = 0;
    uint16_t writer = 0;
    bool defined = false, strongWrite = false, isBarrier = false, asyncWrite = false, strongRead = false;
    uint8_t copies = 0, asyncReads = 0;
    uint32_t readLine = 0;
    Reader reader;            // lanes 0: nobody since the last write
    uint32_t moreReaders = 0; // the first of further ones in `readers`, 0: none
  };
  /// 16 aligned bytes. A cell stands for `grain` of them: 16, 4 or 1.
  struct Unit {
    Cell cell; // of all 16
    uint8_t grain = UnitBytes;
    uint32_t words = None, singles = None; // the first of their cells in `finer`; kept once given
  };
  static constexpr uint32_t None = ~uint32_t(0);

  /// Calls `visit` with every cell of the bytes, its first address and how many of them it stands for.
  template <typename Visit> void eachCell(uint32_t address, uint32_t count, Visit visit);
  Cell &cellOf(Unit &unit, uint32_t address);
  void refine(Unit &unit, uint8_t grain);
  void coarsen(uint32_t address, uint32_t count);
  void checkRead(const Accessor &by, Cell &cell, uint32_t address);
  void checkWrite(const Accessor &by, const Cell &cell, uint32_t address);
  void checkWriteOrder(const Accessor &by, const Cell &cell, uint32_t address);
  bool knowsReader(const Accessor &by, const Reader &reader) const;
  void noteReader(const Accessor &by, Cell &cell);
  void forgetReaders(Cell &cell);

  std::vector<std::byte> bytes;
  std::vector<Unit> units;
  std::vector<Cell> finer; // four words or 16 bytes side by side
  struct Link {
    Reader reader; // lanes 0: to be used again
    uint32_t next = 0;
  };
  std::vector<Link> readers{1}; // of all cells
  std::vector<uint32_t> fenced; // by thread: clock of its last proxy fence
};

} // namespace sattn::ptx

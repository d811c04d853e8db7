// mbarrier objects of a block, and the asynchronous work that completes on them. A phase ends when its arrivals have
// come and its transaction bytes balance; copies that belong to it land in shared memory then, not before. When a copy
// reports its bytes is left open by hardware: the scheduler picks the moment (completeOne), at the latest when nothing
// else can run.
#pragma once

#include "lib/ptx/AsyncCopy.h"
#include "lib/ptx/Clocks.h"

#include <deque>
#include <map>
#include <string>

namespace sattn::ptx {

class Cta;
class Warp;

/// Bytes on their way into shared memory.
struct Landing {
  uint32_t address, line;
  bool async; // written by the asynchronous proxy
  std::vector<std::byte> bytes;
};

class Mbarriers {
public:
  explicit Mbarriers(Cta &cta) : cta(cta) {}

  void init(Warp &warp, unsigned lane, uint64_t address, uint32_t count);
  void invalidate(Warp &warp, unsigned lane, uint64_t address);
  /// `transactions` are expected before the arrival. Returns the state token.
  uint64_t arrive(Warp &warp, unsigned lane, uint64_t address, uint32_t count, int64_t transactions, bool drop);
  void expect(Warp &warp, unsigned lane, uint64_t address, int64_t transactions);
  /// True if the phase has completed: the one of the token, or the one with the parity.
  bool test(Warp &warp, unsigned lane, uint64_t address, uint64_t tokenOrParity, bool isParity);
  /// The lane waits until the barrier's phase changes; after test() was false.
  void wait(Warp &warp, unsigned lane, uint64_t address, bool parity);
  static uint32_t pendingOf(uint64_t token) { return uint32_t(token) & 0xfffff; }

  /// Copies that will report `transactions` bytes to the barrier, or arrive once (transactions 0).
  void enqueue(Warp &warp, unsigned lane, uint64_t address, std::vector<Landing> landings, int64_t transactions);
  /// cp.async.mbarrier.arrive without .noinc counts its own arrival.
  void incrementPending(Warp &warp, unsigned lane, uint64_t address);

  bool hasWork() const { return !work.empty(); }
  void completeOne();
  /// Copies that nobody can have waited for, when the block has ended; 0: none. The line of one of them.
  uint32_t unfinishedLine() const;
  std::string describeWaiting() const;

private:
  struct Waiter {
    Warp *warp;
    uint32_t lane, line;
    bool parity;
  };
  struct Barrier {
    uint32_t expected = 0, initThread = 0, initClock = 0, clockIndex = 0, landed = 0;
    int64_t pending = 0, transactions = 0;
    uint64_t phase = 0;
    std::shared_ptr<View> arriving; // of the present phase
    ViewPointer released;           // of all completed phases
    std::vector<Landing> landings;
    std::vector<Waiter> waiters;
  };
  struct Work {
    uint32_t address;
    int64_t transactions;
    std::vector<Landing> landings;
  };
  /// The object, or null after a fault: nothing was initialised here, or nothing orders that before.
  Barrier *find(Warp &warp, unsigned lane, uint64_t address);
  void completeIfDue(Barrier &barrier);

  Cta &cta;
  std::map<uint32_t, Barrier> barriers;
  std::vector<Work> work;
  uint32_t created = 0;
};

} // namespace sattn::ptx

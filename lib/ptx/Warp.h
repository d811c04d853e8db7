// 32 lanes that execute together where they can.
//
// Reconvergence: of the lanes that can run, those with the smallest program counter do, until they branch away or reach
// the counter of others, which then join. Program order is text order with called bodies at their call, where
// compilers put the join of a branch after both sides, so lanes meet again there; and unlike a stack of
// post-dominators, lanes that wait for other lanes of their own warp (an elected producer, a spin on an mbarrier)
// cannot block them, as on hardware since Volta. Correctness never rests on it: an instruction that needs lanes
// together (.sync, .aligned) parks those that came first, and a lane that cannot come is a fault.
#pragma once

#include "lib/ptx/AsyncCopy.h"
#include "lib/ptx/Bulk.h"
#include "lib/ptx/Program.h"
#include "lib/ptx/SharedMemory.h"
#include "lib/ptx/Wgmma.h"

namespace sattn::ptx {

class Cta;

class Warp {
public:
  Warp(Cta &cta, const Program &program, uint32_t index, uint32_t lanes);

  Cta &cta;
  const Program &program;
  const uint32_t index;
  /// Lanes that exist and have not exited; those that wait for an event of the block.
  uint32_t live, blocked = 0;
  /// What setmaxnreg asked for, for each lane; 0: nothing yet.
  uint32_t maxRegisters = 0;
  /// Counts releases; see Clocks.h.
  uint32_t clock = 1;

  AsyncCopies copies;
  BulkStores bulkStores;
  WgmmaState wgmma;

  // Registers.
  uint32_t *row(Row r) { return registers.data() + size_t(r) * 32; }
  uint64_t *wide(Row r) { return reinterpret_cast<uint64_t *>(row(r)); }
  /// The mask of a predicate.
  uint32_t &predicate(Row r) { return *row(r); }
  uint32_t &defined(Row r) { return definedLanes[r]; }
  uint64_t value(Row r, unsigned bytes, unsigned lane) { return bytes == 8 ? wide(r)[lane] : row(r)[lane]; }

  // Execution.
  bool canRun() const { return (live & ~blocked & ~parked) != 0; }
  /// Lanes that came to an instruction that waits for other lanes of the warp.
  uint32_t parkedLanes() const { return parked; }
  /// Executes up to `steps` instructions, fewer when nothing can run or a lane asks for a pause.
  void run(uint32_t steps);
  /// From execute(): these lanes repeat the instruction, after others have run. Flow::Wait.
  void repeat(uint32_t lanes) { repeated |= lanes; }
  /// From execute(): these lanes go on after others have run. Flow::Wait.
  void yield(uint32_t lanes) { yielded |= lanes, pause = true; }
  /// From execute(): these lanes wait until wake(). Flow::Barrier, Flow::Wait.
  void block(uint32_t lanes) { blocked |= lanes; }
  void wake(uint32_t lanes);
  /// The lanes that execute the present instruction together, guard included.
  uint32_t activeLanes() const { return active; }
  uint32_t laneCounter(unsigned lane) const { return counters[lane]; }

  // Synchronisation.
  uint32_t threadOf(unsigned lane) const { return 32 * index + lane; }
  const ViewPointer &view(unsigned lane) const { return views[lane]; }
  /// The lanes learn what `released` knows.
  void acquire(uint32_t lanes, const ViewPointer &released);
  /// `into` learns what the lanes know and did.
  void release(uint32_t lanes, View &into);
  /// Orders the accesses of the lanes among each other.
  void synchronise(uint32_t lanes);
  void proxyFence(uint32_t lanes);
  bool asyncViewKnows(unsigned lane, uint32_t thread, uint32_t clock) const {
    return asyncViews[lane] && asyncViews[lane]->knows(thread, clock);
  }
  Accessor accessor(unsigned lane, uint32_t lanes = 0) {
    return {*this, lane, lanes ? lanes : uint32_t(1) << lane, *views[lane], clock};
  }

  // Faults.
  const Inst &current() const { return *instruction; }
  uint32_t line() const { return instruction->line; }
  /// Records a fault of the present instruction; `message` is called when it is the first of its kind at this line.
  template <typename Message> void fault(FaultKind kind, unsigned lane, Message message) {
    if (isNewFault(kind, lane))
      addFault(kind, lane, message());
  }
  std::string describeThread(uint32_t thread) const;
  /// "lanes 0-15 in line 12": where the lanes of the mask stand.
  std::string describeLanes(uint32_t lanes) const;

private:
  void regroup();
  void step();
  bool gathered(const Inst &inst, uint32_t lanes);
  void stepMembers(const Inst &inst, uint32_t lanes);
  void checkReads(const Inst &inst, uint32_t lanes);
  void markWrites(const Inst &inst, uint32_t lanes);
  void branch(const Inst &inst, uint32_t taken);
  void branchByTable(const Inst &inst, uint32_t taken);
  void park(uint32_t lanes);
  /// After an instruction that may have blocked or repeated some of the group.
  void leave(uint32_t staying);
  bool isNewFault(FaultKind kind, unsigned lane);
  void addFault(FaultKind kind, unsigned lane, std::string message);

  std::vector<uint32_t> registers;
  std::vector<uint32_t> definedLanes;
  uint32_t counters[32] = {};
  /// The lanes that run together now, at `counter`; every other runnable lane stands at `nextOther` or after it.
  uint32_t group = 0, counter = 0, nextOther = 0;
  uint32_t parked = 0, yielded = 0, repeated = 0, active = 0;
  bool pause = false;
  const Inst *instruction = nullptr;
  ViewPointer views[32], asyncViews[32];
  /// Lanes mostly know the same and acquire the same, one after the other.
  struct {
    ViewPointer known, released, joined;
  } lastJoin;
};

} // namespace sattn::ptx

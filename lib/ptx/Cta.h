// One block: its warps, shared memory and barriers, and the scheduler that runs the warps in a seeded random order
// until all have exited. When nothing can run, that is a deadlock, and the report says who waits for what.
#pragma once

#include "lib/ptx/Barrier.h"
#include "lib/ptx/DeviceMemory.h"
#include "lib/ptx/Mbarrier.h"
#include "lib/ptx/Random.h"
#include "lib/ptx/SharedMemory.h"
#include "lib/ptx/Warp.h"

#include <set>

namespace sattn::ptx {

/// What all blocks of a launch share.
struct LaunchState {
  const Program &program;
  Device::Memory &memory;
  const Launch &launch;
  const Options &options;
  std::vector<std::byte> parameters;
  Random random;
  Report report;
  std::vector<uint64_t> opcodeCounts;
  std::map<std::pair<FaultKind, uint32_t>, size_t> faultIndex;
  SharedMemory shared; ///< of the block that runs: its cells are many, so that blocks take turns with it
  bool stopped = false;
  /// Of the block that runs, from 1; whether it has touched global memory atomically.
  uint32_t blockNumber = 0;
  bool blockUsedAtomics = false;
};

class Cta {
public:
  Cta(LaunchState &state, Dim3 block);
  /// Runs to the end or to the last fault that is wanted.
  void run();

  LaunchState &launch() { return state; }
  SharedMemory &shared() { return sharedMemory; }
  std::vector<std::byte> &local(uint32_t thread) { return locals[thread]; }
  std::vector<uint8_t> &localDefined(uint32_t thread) { return localsDefined[thread]; }
  uint32_t threadCount() const { return threads; }
  /// Threads rounded up to warps, and room for the pseudo threads of mbarriers.
  static uint32_t clocksOf(const Launch &launch);
  uint32_t clockCount() const { return clocks; }
  uint32_t special(Special kind, uint32_t thread) const;
  Random &random() { return state.random; }
  std::vector<std::unique_ptr<Warp>> &allWarps() { return warps; }

  /// bar.sync, bar.red, bar.arrive and their barrier.* forms.
  Barriers &barriers() { return namedBarriers; }
  Mbarriers &mbarriers() { return asyncBarriers; }
  /// The pseudo thread of the n-th mbarrier of the block; those beyond the room for them share one.
  uint32_t mbarrierClock(uint32_t n) const;
  void exited(Warp &warp, uint32_t lanes);

  uint64_t instructionCount() const { return instructions; }
  void count(uint32_t opcode) { ++state.opcodeCounts[opcode], ++instructions; }
  bool stopped() const { return state.stopped; }
  bool isNewFault(FaultKind kind, uint32_t line);
  void addFault(FaultKind kind, uint32_t line, uint32_t thread, std::string message);
  std::string lineText(uint32_t line) const;
  /// Why a register holds no value, beyond that it was not written; empty when nothing more is known.
  std::string whyUndefined(const Warp &warp, Row row) const;
  /// Something happened that may let a waiting thread go on: spinning is not endless yet.
  void noteProgress() { idleSpins = 0; }
  void noteSpin() { ++idleSpins; }

private:
  bool reportDivergence();
  void checkEnd();
  void reportDeadlock();

  LaunchState &state;
  Dim3 block;
  uint32_t threads, clocks;
  SharedMemory &sharedMemory;
  std::vector<std::vector<std::byte>> locals;
  std::vector<std::vector<uint8_t>> localsDefined;
  std::vector<std::unique_ptr<Warp>> warps;
  Barriers namedBarriers;
  Mbarriers asyncBarriers;
  uint64_t instructions = 0, idleSpins = 0;
};

} // namespace sattn::ptx

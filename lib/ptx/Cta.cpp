// Scheduler and faults of a block; see Cta.h.
#include "lib/ptx/Cta.h"
#include "lib/ptx/Lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sattn::ptx {
namespace {
/// Pseudo threads for mbarriers, a multiple of 32.
constexpr uint32_t MbarrierClocks = 64;
/// Failed polls without any other event after which waiting counts as endless.
constexpr uint64_t MaxIdleSpins = 200000;
} // namespace

Cta::Cta(LaunchState &state, Dim3 block)
    : state(state), block(block), threads(uint32_t(state.launch.block.count())), clocks(clocksOf(state.launch)),
      sharedMemory(state.shared), locals(threads, std::vector<std::byte>(state.program.localBytes)),
      localsDefined(threads, std::vector<uint8_t>(state.program.localBytes)), namedBarriers(*this),
      asyncBarriers(*this) {
  sharedMemory.clear();
  for (uint32_t first = 0; first < threads; first += 32) {
    uint32_t count = std::min<uint32_t>(32, threads - first);
    uint32_t lanes = count == 32 ? ~uint32_t(0) : (uint32_t(1) << count) - 1;
    warps.push_back(std::make_unique<Warp>(*this, state.program, first / 32, lanes));
  }
}

uint32_t Cta::clocksOf(const Launch &launch) {
  return (uint32_t(launch.block.count()) + 31) / 32 * 32 + MbarrierClocks;
}

uint32_t Cta::special(Special kind, uint32_t thread) const {
  const Dim3 &size = state.launch.block, &grid = state.launch.grid;
  uint32_t lane = thread % 32;
  switch (kind) {
  case Special::TidX:
    return thread % size.x;
  case Special::TidY:
    return thread / size.x % size.y;
  case Special::TidZ:
    return thread / size.x / size.y;
  case Special::NtidX:
    return size.x;
  case Special::NtidY:
    return size.y;
  case Special::NtidZ:
    return size.z;
  case Special::CtaidX:
    return block.x;
  case Special::CtaidY:
    return block.y;
  case Special::CtaidZ:
    return block.z;
  case Special::NctaidX:
    return grid.x;
  case Special::NctaidY:
    return grid.y;
  case Special::NctaidZ:
    return grid.z;
  case Special::LaneId:
    return lane;
  case Special::WarpId:
    return thread / 32;
  case Special::NwarpId:
    return (threads + 31) / 32;
  case Special::LaneMaskEq:
    return uint32_t(1) << lane;
  case Special::LaneMaskLt:
    return (uint32_t(1) << lane) - 1;
  case Special::LaneMaskLe:
    return (uint32_t(2) << lane) - 1;
  case Special::LaneMaskGt:
    return ~((uint32_t(2) << lane) - 1);
  case Special::LaneMaskGe:
    return ~((uint32_t(1) << lane) - 1);
  case Special::Zero:
    return 0;
  case Special::One:
    return 1;
  case Special::DynamicShared:
    return state.launch.sharedBytes;
  case Special::TotalShared:
    return sharedMemory.size();
  }
  return 0;
}

void Cta::exited(Warp &warp, uint32_t) {
  noteProgress();
  if (!warp.live)
    namedBarriers.exited();
}

void Cta::run() {
  std::vector<Warp *> ready;
  while (!stopped()) {
    ready.clear();
    bool anyLive = false;
    for (auto &warp : warps) {
      anyLive |= warp->live != 0;
      if (warp->canRun())
        ready.push_back(warp.get());
    }
    if (!anyLive)
      return checkEnd();
    if (reportDivergence())
      return;
    // Asynchronous work completes at any time, and when nothing else can happen.
    if (asyncBarriers.hasWork() && (ready.empty() || !random().below(3))) {
      asyncBarriers.completeOne();
      continue;
    }
    if (ready.empty() || idleSpins > MaxIdleSpins)
      return reportDeadlock();
    // Mostly long turns, sometimes single steps: both kinds of order find mistakes.
    uint32_t steps = random().below(4) ? 32 + random().below(480) : 1 + random().below(8);
    ready[random().below(uint32_t(ready.size()))]->run(steps);
    if (instructions > state.options.maxInstructions) {
      addFault(FaultKind::InstructionLimit, 0, 0,
               fmt::format("the block did not end within {} warp instructions", state.options.maxInstructions));
      state.stopped = true;
    }
  }
}

uint32_t Cta::mbarrierClock(uint32_t n) const { return clocks - MbarrierClocks + std::min(n, MbarrierClocks - 1); }

/// Asynchronous work that outlives the block, and products that not all warps of a group took part in.
void Cta::checkEnd() {
  for (size_t i = 0; i < warps.size() / 4 * 4; ++i) {
    const auto &own = warps[i]->wgmma.history(), &leader = warps[i / 4 * 4]->wgmma.history();
    auto [left, right] = std::mismatch(own.begin(), own.end(), leader.begin(), leader.end());
    if (left == own.end() && right == leader.end())
      continue;
    uint32_t line = left != own.end() ? left->first : right->first;
    if (isNewFault(FaultKind::BarrierDivergence, line))
      addFault(FaultKind::BarrierDivergence, line, warps[i]->threadOf(0),
               "the four warps of a warpgroup did not execute this product equally often with the same descriptors");
  }
  uint32_t line = asyncBarriers.unfinishedLine();
  for (auto &warp : warps) {
    line = line ? line : warp->bulkStores.unfinishedLine();
    warp->bulkStores.wait(*warp, ~uint32_t(0), 0, false);
  }
  if (line && isNewFault(FaultKind::MissingWait, line))
    addFault(FaultKind::MissingWait, line, 0, "the block ends while this copy may still use its shared memory");
}

/// Lanes that wait for lanes of their own warp which cannot come any more.
bool Cta::reportDivergence() {
  for (auto &warp : warps) {
    uint32_t parked = warp->parkedLanes();
    if (!parked || warp->canRun() || warp->blocked)
      continue;
    unsigned lane = unsigned(std::countr_zero(parked));
    uint32_t line = state.program.code[warp->laneCounter(lane)].line;
    addFault(FaultKind::BarrierDivergence, line, warp->threadOf(lane),
             "lanes that this instruction needs together stand apart: " + warp->describeLanes(warp->live));
    state.stopped = true;
    return true;
  }
  return false;
}

void Cta::reportDeadlock() {
  std::string text = namedBarriers.describeWaiting(), waiting = asyncBarriers.describeWaiting();
  text += (text.empty() || waiting.empty() ? "" : "; ") + waiting;
  uint32_t thread = 0, line = 0;
  for (auto &warp : warps) {
    if (!warp->live)
      continue;
    unsigned lane = unsigned(std::countr_zero(warp->live));
    if (!line) {
      thread = warp->threadOf(lane);
      line = state.program.code[warp->laneCounter(lane)].line;
    }
    text += (text.empty() ? "" : "; ") + warp->describeLanes(warp->live);
  }
  addFault(FaultKind::Deadlock, line, thread, text);
  state.stopped = true;
}

bool Cta::isNewFault(FaultKind kind, uint32_t line) {
  auto found = state.faultIndex.find({kind, line});
  if (found == state.faultIndex.end())
    return !state.stopped;
  ++state.report.faults[found->second].count;
  return false;
}

void Cta::addFault(FaultKind kind, uint32_t line, uint32_t thread, std::string message) {
  state.faultIndex.emplace(std::pair(kind, line), state.report.faults.size());
  state.report.faults.push_back({kind, std::move(message), line, lineText(line), block, thread, 1});
  state.stopped |= state.report.faults.size() >= state.options.maxFaults;
}

std::string Cta::lineText(uint32_t line) const {
  // A wgmma names up to 128 registers.
  constexpr size_t MaxText = 160;
  std::string text = line ? ptx::lineText(state.program.syntax->source, line) : std::string();
  return text.size() <= MaxText ? text : text.substr(0, MaxText) + "...";
}

std::string Cta::whyUndefined(const Warp &warp, Row row) const {
  uint32_t line = warp.wgmma.inUse() ? warp.wgmma.lineOf(state.program, row) : 0;
  return line ? fmt::format(": the 'wgmma.mma_async' of line {} gives its result at 'wgmma.wait_group'", line)
              : std::string();
}

} // namespace sattn::ptx

// Arrival and completion of numbered barriers; see Barrier.h.
#include "lib/ptx/Barrier.h"
#include "lib/ptx/Cta.h"

#include <fmt/format.h>

#include <bit>

namespace sattn::ptx {

/// Counts in whole warps, as bar does: a warp that has exited is expected no more.
uint32_t Barriers::expectedOf(const State &state) const {
  if (state.expected)
    return state.expected;
  uint32_t count = 0;
  for (const auto &warp : cta.allWarps())
    count += warp->live ? 32 : 0;
  return count;
}

void Barriers::arrive(Warp &warp, uint32_t lanes, const Arrival &arrival) {
  unsigned lane = unsigned(std::countr_zero(lanes));
  if (arrival.id >= states.size())
    return warp.fault(FaultKind::BarrierMisuse, lane,
                      [&] { return fmt::format("barrier {} does not exist: there are 16", arrival.id); });
  if (arrival.expected % 32)
    return warp.fault(FaultKind::BarrierMisuse, lane, [&] {
      return fmt::format("barrier {} expects {} threads, which is no multiple of 32", arrival.id, arrival.expected);
    });
  State &state = states[arrival.id];
  if (!state.arrived) {
    state.expected = arrival.expected;
    state.reduction = arrival.reduction;
    state.released = std::make_shared<View>(cta.clockCount());
    state.line = warp.line();
    state.trueCount = 0;
  } else if (state.expected != arrival.expected || state.reduction != arrival.reduction) {
    warp.fault(FaultKind::BarrierMisuse, lane, [&] {
      return fmt::format("barrier {} was entered in line {} with another number of threads or another operation",
                         arrival.id, state.line);
    });
  }
  // Lanes that exited count with the first of their warp that arrives; .aligned brings the rest of the warp at once.
  uint32_t partners = arrival.aligned || lanes == warp.live ? 32 : uint32_t(std::popcount(lanes));
  state.arrived += partners;
  state.trueCount += uint32_t(std::popcount(arrival.predicates & lanes));
  if (state.arrived > expectedOf(state))
    warp.fault(FaultKind::BarrierMisuse, lane, [&] {
      return fmt::format("barrier {} expects {} threads, but {} arrived", arrival.id, expectedOf(state), state.arrived);
    });
  warp.release(lanes, *state.released);
  cta.noteProgress();
  if (arrival.waits) {
    state.waiting.push_back({&warp, lanes, arrival.result});
    warp.block(lanes);
  }
  completeIfFull(state);
}

void Barriers::completeIfFull(State &state) {
  if (!state.arrived || state.arrived < expectedOf(state))
    return;
  ViewPointer released = std::move(state.released);
  uint32_t threads = state.arrived;
  for (const Waiting &waiting : state.waiting) {
    waiting.warp->acquire(waiting.lanes, released);
    waiting.warp->wake(waiting.lanes);
    if (state.reduction == BarrierReduction::Popc)
      for (unsigned lane = 0; lane < 32; ++lane)
        waiting.lanes >> lane & 1 ? void(waiting.warp->row(waiting.result)[lane] = state.trueCount) : void();
    if (state.reduction == BarrierReduction::And || state.reduction == BarrierReduction::Or) {
      bool value = state.reduction == BarrierReduction::And ? state.trueCount == threads : state.trueCount != 0;
      uint32_t &mask = waiting.warp->predicate(waiting.result);
      mask = value ? mask | waiting.lanes : mask & ~waiting.lanes;
    }
  }
  state = State();
}

void Barriers::exited() {
  for (State &state : states)
    if (!state.expected)
      completeIfFull(state);
}

std::string Barriers::describeWaiting() const {
  std::string text;
  for (size_t id = 0; id < states.size(); ++id)
    for (const Waiting &waiting : states[id].waiting)
      text += fmt::format("{}warp {} waits at barrier {} (line {}; {} of {} threads arrived)", text.empty() ? "" : "; ",
                          waiting.warp->index, id, states[id].line, states[id].arrived, expectedOf(states[id]));
  return text;
}

} // namespace sattn::ptx

// The 16 numbered barriers of a block: who has arrived, who waits, how many are expected, and what the arrivals
// released (Clocks.h).
#pragma once

#include "lib/ptx/Clocks.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace sattn::ptx {

class Cta;
class Warp;

/// What bar.red computes over the predicates of the threads.
enum class BarrierReduction : uint8_t { None, And, Or, Popc };

class Barriers {
public:
  explicit Barriers(Cta &cta) : cta(cta) {}
  struct Arrival {
    uint32_t id = 0;
    uint32_t expected = 0; // threads; 0: all of the block
    bool waits = true;
    bool aligned = true;
    BarrierReduction reduction = BarrierReduction::None;
    uint32_t result = 0;     // row that takes the reduction
    uint32_t predicates = 0; // mask of the lanes whose predicate is true
  };
  /// The lanes of the warp arrive; blocks them if they wait and are not the last.
  void arrive(Warp &warp, uint32_t lanes, const Arrival &arrival);
  /// Threads exited: barriers of the whole block expect fewer.
  void exited();
  /// Who waits where, for the report of a deadlock; empty when nobody does.
  std::string describeWaiting() const;

private:
  struct Waiting {
    Warp *warp;
    uint32_t lanes, result;
  };
  struct State {
    uint32_t arrived = 0, expected = 0; // expected 0: the whole block
    std::shared_ptr<View> released;
    std::vector<Waiting> waiting;
    BarrierReduction reduction = BarrierReduction::None;
    uint32_t trueCount = 0, line = 0;
  };
  uint32_t expectedOf(const State &state) const;
  void completeIfFull(State &state);

  Cta &cta;
  std::array<State, 16> states;
};

} // namespace sattn::ptx

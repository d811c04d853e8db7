// What one call of a kernel will do, collected by walking its plan without running anything. For Explain.h.
#pragma once

#include "runtime/Kernel.h"
#include "runtime/RunState.h"
#include "runtime/TileCount.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace sattn::rt {

struct CallReport {
  /// One step of the plan, all its launches: those of a loop have the same step.
  struct Launches {
    std::string step; ///< "steps[2].body[0]"
    int kernel;       ///< of the manifest
    int64_t count = 0;
    std::array<int64_t, 3> grid{}; ///< of the first launch; the last ones of a loop may be smaller
    double tasks = 0;              ///< of all launches
  };
  struct Space {
    std::string name;
    uint64_t bytes, offset;
  };

  std::vector<std::pair<std::string, int64_t>> sizes; ///< axes, params and derived values, as the plan names them
  std::vector<Space> workspaces;
  uint64_t workspaceBytes = 0;
  std::vector<Launches> launches; ///< in the order of their first launch
  std::vector<StreamCount> streams;
};

/// `state` was filled by bindCall(). Of a packed call the launches and streams are those of all sequences together, and
/// no workspaces are listed: each sequence has its own.
Status reportCall(const Kernel &kernel, RunState &state, CallReport &report);

} // namespace sattn::rt

// An observer of the launch that lets no step run.
#include "runtime/CallReport.h"

#include "runtime/Launch.h"
#include "runtime/Packed.h"

#include <algorithm>

namespace sattn::rt {

namespace {
struct Collector final : StepObserver {
  Collector(const Manifest &manifest, CallReport &report) : report(report), tiles(manifest) {}

  void step(const Step &step, const int64_t (&grid)[3]) override {
    auto known = std::find_if(report.launches.begin(), report.launches.end(),
                              [&](const CallReport::Launches &launches) { return launches.step == step.where; });
    if (known == report.launches.end())
      known = report.launches.insert(known, {step.where, step.kernel, 0, {grid[0], grid[1], grid[2]}, 0});
    ++known->count;
    known->tasks += static_cast<double>(grid[0]) * static_cast<double>(grid[1]) * static_cast<double>(grid[2]);
    tiles.add(step, grid, *state);
  }

  const RunState *state = nullptr; ///< of the call that is being observed
  CallReport &report;
  TileCounter tiles;
};

void reportSizes(const Manifest &m, const RunState &state, CallReport &report) {
  for (int symbol = 0; symbol < m.symbols.size(); ++symbol)
    if (m.symbols.find(m.symbols.name(symbol)) == symbol) // not a loop variable
      report.sizes.push_back({m.symbols.name(symbol), state.values[symbol]});
  for (size_t i = 0; i < m.workspaces.size(); ++i)
    if (state.workspaceBytes[i] != 0)
      report.workspaces.push_back({m.workspaces[i].name, state.workspaceBytes[i], state.workspaceOffsets[i]});
}

/// The number of sequences, the rows and keys of all, and what is the same for each.
void reportPackedSizes(const Manifest &m, const PackedCall &packed, CallReport &report) {
  for (int symbol = 0; symbol < m.symbols.size(); ++symbol) {
    if (m.symbols.find(m.symbols.name(symbol)) != symbol)
      continue;
    int64_t first = packed.sequences[0]->values[symbol], sum = 0;
    bool isSame = true;
    for (size_t b = 0; b < packed.count; ++b) {
      int64_t value = packed.sequences[b]->values[symbol];
      isSame &= value == first;
      if (symbol == Manifest::batchSymbol || symbol == m.queryAxis || symbol == m.keyAxis)
        sum += value; // each at most the size of a tensor
    }
    if (symbol == Manifest::batchSymbol || symbol == m.queryAxis || symbol == m.keyAxis)
      report.sizes.push_back({m.symbols.name(symbol), sum});
    else if (isSame)
      report.sizes.push_back({m.symbols.name(symbol), first});
  }
}
} // namespace

Status reportCall(const Kernel &kernel, RunState &state, CallReport &report) {
  const Manifest &m = kernel.manifest();
  report.workspaceBytes = state.workspaceTotal;
  Collector collector(m, report);
  auto observeCall = [&](RunState &call) {
    collector.state = &call;
    return observe(kernel, call, collector);
  };
  if (!state.isPacked) {
    reportSizes(m, state, report);
    SATTN_TRY(observeCall(state));
  } else {
    reportPackedSizes(m, *state.packed, report);
    for (size_t b = 0; b < state.packed->count; ++b)
      SATTN_TRY(observeCall(*state.packed->sequences[b]));
  }
  for (StreamCount &stream : collector.tiles.counts())
    if (std::any_of(report.launches.begin(), report.launches.end(), [&](const CallReport::Launches &launches) {
          return m.kernels[launches.kernel].name == stream.kernel;
        }))
      report.streams.push_back(std::move(stream));
  return success();
}

} // namespace sattn::rt

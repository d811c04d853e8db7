// An observer of the launch that lets no step run.
#include "runtime/CallReport.h"

#include "runtime/Launch.h"

#include <algorithm>

namespace sattn::rt {

namespace {
struct Collector final : StepObserver {
  Collector(const Manifest &manifest, const RunState &state, CallReport &report)
      : state(state), report(report), tiles(manifest) {}

  void step(const Step &step, const int64_t (&grid)[3]) override {
    auto known = std::find_if(report.launches.begin(), report.launches.end(),
                              [&](const CallReport::Launches &launches) { return launches.step == step.where; });
    if (known == report.launches.end())
      known = report.launches.insert(known, {step.where, step.kernel, 0, {grid[0], grid[1], grid[2]}, 0});
    ++known->count;
    known->tasks += static_cast<double>(grid[0]) * static_cast<double>(grid[1]) * static_cast<double>(grid[2]);
    tiles.add(step, grid, state);
  }

  const RunState &state;
  CallReport &report;
  TileCounter tiles;
};
} // namespace

Status reportCall(const Kernel &kernel, RunState &state, CallReport &report) {
  const Manifest &m = kernel.manifest();
  for (int symbol = 0; symbol < m.symbols.size(); ++symbol)
    if (m.symbols.find(m.symbols.name(symbol)) == symbol) // not a loop variable
      report.sizes.push_back({m.symbols.name(symbol), state.values[symbol]});
  for (size_t i = 0; i < m.workspaces.size(); ++i)
    if (state.workspaceBytes[i] != 0)
      report.workspaces.push_back({m.workspaces[i].name, state.workspaceBytes[i], state.workspaceOffsets[i]});
  report.workspaceBytes = state.workspaceTotal;
  Collector collector(m, state, report);
  SATTN_TRY(observe(kernel, state, collector));
  for (StreamCount &stream : collector.tiles.counts())
    if (std::any_of(report.launches.begin(), report.launches.end(), [&](const CallReport::Launches &launches) {
          return m.kernels[launches.kernel].name == stream.kernel;
        }))
      report.streams.push_back(std::move(stream));
  return success();
}

} // namespace sattn::rt

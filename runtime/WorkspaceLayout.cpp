// Interval packing (WorkspaceLayout.h): largest first, each at the lowest place that is free during its life. For the
// few workspaces of a plan this is at or near the optimum.
#include "runtime/WorkspaceLayout.h"

#include <algorithm>

namespace sattn::rt {

static constexpr uint64_t alignment = 64;
/// Sums of a few of these stay far from overflow.
static constexpr int64_t maxWorkspace = int64_t(1) << 56;

static uint64_t align(uint64_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

static bool livesMeet(const Workspace &a, const Workspace &b) { return a.first <= b.last && b.first <= a.last; }

static Status evaluateSizes(const Manifest &m, RunState &state) {
  for (size_t i = 0; i < m.workspaces.size(); ++i) {
    int64_t bytes = 0;
    std::string what;
    Expr::Fault fault = m.workspaces[i].bytes.evaluate(state.values.data(), bytes);
    if (fault != Expr::Fault::None)
      return exprFault(fault, "size of workspace '" + m.workspaces[i].name + "'");
    if (bytes < 0)
      return fail<Err::NegativeCount>("size of workspace '" + m.workspaces[i].name + "'", bytes);
    if (bytes > maxWorkspace)
      return exprFault(Expr::Fault::Overflow, "size of workspace '" + m.workspaces[i].name + "'");
    state.workspaceBytes[i] = align(static_cast<uint64_t>(bytes));
  }
  return success();
}

/// The lowest offset at which workspace `index` meets none of the `placed` ones that live at the same time.
static uint64_t lowestPlace(const Manifest &m, const RunState &state, const int *placed, size_t count, int index) {
  uint64_t offset = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < count; ++i) {
      int other = placed[i];
      uint64_t begin = state.workspaceOffsets[other], end = begin + state.workspaceBytes[other];
      if (livesMeet(m.workspaces[index], m.workspaces[other]) && offset < end &&
          begin < offset + state.workspaceBytes[index]) {
        offset = end;
        moved = true;
      }
    }
  }
  return offset;
}

static Status placeResult(const Manifest &m, size_t index, RunState &state) {
  const Operand &result = m.results[index];
  View &view = state.results[index];
  auto sizeOf = [&](int axis) { return axis < 0 ? int64_t(1) : state.values[result.axes[axis].symbol]; };
  view.counts = {result.batched ? state.batch : 1, sizeOf(result.position), sizeOf(result.head)};
  int64_t stride = result.inner;
  bool overflow = false;
  for (int slot : {2, 1, 0}) {
    view.strides[slot] = stride;
    overflow |= __builtin_mul_overflow(stride, view.counts[slot], &stride);
  }
  int64_t bytes = 0;
  overflow |= __builtin_mul_overflow(stride, static_cast<int64_t>(dtypeBytes(result.dtype)), &bytes);
  if (overflow || bytes > maxWorkspace)
    return exprFault(Expr::Fault::Overflow, "size of result '" + result.name + "'");
  state.resultOffsets[index] = state.workspaceTotal;
  state.workspaceTotal += align(static_cast<uint64_t>(bytes));
  return success();
}

Status layoutWorkspace(const Manifest &m, RunState &state) {
  size_t count = m.workspaces.size();
  state.workspaceBytes.assign(count, 0);
  state.workspaceOffsets.assign(count, 0);
  state.resultOffsets.assign(m.results.size(), 0);
  state.workspaceTotal = 0;
  SATTN_TRY(evaluateSizes(m, state));
  state.order.resize(count);
  for (size_t i = 0; i < count; ++i)
    state.order[i] = static_cast<int>(i);
  std::sort(state.order.begin(), state.order.end(), [&](int a, int b) {
    return state.workspaceBytes[a] != state.workspaceBytes[b] ? state.workspaceBytes[a] > state.workspaceBytes[b]
                                                              : a < b;
  });
  for (size_t i = 0; i < count; ++i) {
    int index = state.order[i];
    state.workspaceOffsets[index] = lowestPlace(m, state, state.order.data(), i, index);
    state.workspaceTotal = std::max(state.workspaceTotal, state.workspaceOffsets[index] + state.workspaceBytes[index]);
  }
  for (size_t i = 0; i < m.results.size(); ++i)
    if (!state.given[i])
      SATTN_TRY(placeResult(m, i, state));
  state.perBatchOffset = state.workspaceTotal;
  auto copied = static_cast<uint64_t>(std::count(state.perBatchCopied.begin(), state.perBatchCopied.end(), true));
  state.workspaceTotal += align(copied * static_cast<uint64_t>(state.batch) * sizeof(int64_t));
  return success();
}

} // namespace sattn::rt

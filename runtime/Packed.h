// Packed sequences: one call for sequences of different lengths whose rows lie one behind the other (cu_q, cu_kv). Each
// is bound as a call of its own, so that it has the plan, the kernels and the bits of that call; Launch.h runs the
// tasks of many of them at once.
#pragma once

#include "runtime/Binding.h"

#include <string>

namespace sattn::rt {

/// The calls that a packed call is. Recycled with its RunState.
struct PackedCall {
  /// Neighbours in `order` that run at once, each with its own part of the workspace.
  struct Group {
    size_t first, count;
  };
  std::vector<std::unique_ptr<RunState>> sequences; ///< there may be more than `count`
  size_t count = 0;
  std::vector<RunState *> order; ///< of the launch: the most work first
  std::vector<Group> groups;

  /// A tensor of the call and what one sequence sees of it.
  struct Slice {
    const Operand *operand;
    const DLTensor *whole;
    int dimension = -1;     ///< of `whole`: the one that sequences share out; -1: all see all of it
    bool isPacked = false;  ///< rows one behind the other; else one entry for each sequence
    bool ofKeys = false;    ///< packed by cu_kv
    bool isWritten = false; ///< results and kept summaries
    int64_t length = 0;     ///< blocks that sequences differ in the number of: positions of one, else 0
    int64_t stride = 0;     ///< packed blocks: positions from one to the next
    bool ragged = false;    ///< packed blocks: the last one of a sequence may be incomplete
    int chosen = -1;        ///< results of chosen positions: symbol of their number, which each sequence says
    int64_t next = 0;       ///< packed blocks and chosen positions: where those of the next sequence begin
  };
  std::vector<Slice> slices; ///< inputs, outputs, the page table
  /// Of the sequence that is being bound, by slice.
  struct View {
    DLTensor tensor;
    std::vector<int64_t> shape, strides;
  };
  std::vector<View> views; ///< there may be more than slices
  std::vector<sattn_tensor> inputs, outputs;
};

/// Length and stride of the blocks of an axis, 32 and 16 of "c(32, 16)"; false where it has no such numbers.
bool readBlocks(const Axis &axis, int64_t &length, int64_t &stride);
/// How many of them lie in so many positions, complete ones, or all with `ragged`.
int64_t blocksIn(int64_t length, int64_t stride, bool ragged, int64_t positions);

inline bool isPacked(const sattn_call &call) { return call.cu_q.count != 0 || call.cu_kv.count != 0; }

/// bindCall() for a packed call: fills `state.packed`, `state.workspaceTotal` and `state.device`.
Status bindPacked(const Manifest &manifest, const sattn_call &call, Place place, bool sizesOnly, RunState &state);

} // namespace sattn::rt

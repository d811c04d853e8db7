// The variable-size memory of one call: sizes by symbol, views, offsets, the frame. It is recycled, so that a call of a
// shape seen before allocates nothing. Filled by Binding.h, used by Launch.h.
#pragma once

#include "runtime/Fork.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace sattn::rt {

/// A view of the kernel ABI: batch, position, head; strides in elements.
struct View {
  char *data = nullptr;
  std::array<int64_t, 3> counts{}, strides{};
};

/// What a tensor covers: [low, high) in bytes; `dense` if every byte in it is an element's.
struct Extent {
  uintptr_t low = 0, high = 0;
  bool dense = false;
};

struct OrderedAxis;
struct PackedCall;
struct Step;

/// The tasks of one step of one call, which the launch numbers from `begin` to `end` among those of other calls.
struct StepTasks {
  void (*function)(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z) = nullptr;
  const int64_t *frame = nullptr;
  int64_t grid[3] = {};
  const OrderedAxis *order = nullptr;
  int64_t begin = 0, end = 0;
};

/// Where the launch stands in a list of steps.
struct PlanLevel {
  const std::vector<Step> *steps;
  size_t next;
  const Step *loop; ///< whose body it is; null: another list
  int64_t index, count;
};

struct RunState {
  std::vector<int64_t> values; ///< by symbol of the manifest
  std::vector<int> owners;     ///< by symbol: the role that gave the size, -1: none yet
  std::vector<float> floats;   ///< by param
  std::vector<View> roles, results;
  std::vector<Extent> extents; ///< roles, then results
  View pages;                  ///< the page table, where the kernel has paged roles
  Extent pagesExtent;
  std::vector<bool> given;                       ///< by result: the caller wants it
  std::array<std::vector<int64_t>, 3> perBatch;  ///< by PerBatch, where the caller gave no array
  std::array<const int64_t *, 3> perBatchData{}; ///< on the host: values, or bounds of values on a device
  std::array<const void *, 3> perBatchAddress{}; ///< where kernels read them
  std::array<bool, 3> perBatchCopied{};          ///< CUDA: they travel with the call, into the workspace
  std::vector<int64_t> perBatchJoined;           ///< those that do, one behind the other
  uint64_t perBatchOffset = 0;                   ///< their place in the workspace
  int device = -1;                               ///< CUDA: ordinal of the device that the tensors are on; -1: any
  int64_t batch = 1;
  std::vector<uint64_t> workspaceBytes, workspaceOffsets; ///< by workspace
  std::vector<uint64_t> resultOffsets;                    ///< by result that is not given
  uint64_t workspaceTotal = 0;
  std::vector<int64_t> frame;
  std::vector<size_t> pointers; ///< slots of the frame that hold addresses
  std::vector<int> order;       ///< of workspaces, for packing
  std::vector<PlanLevel> plan;  ///< innermost last
  StepTasks tasks;
  uint64_t workspaceBase = 0;         ///< where the memory of this call begins in that of a packed one
  bool isPacked = false;              ///< nothing above counts but `workspaceTotal` and `device`
  std::shared_ptr<PackedCall> packed; ///< the calls of its sequences; kept between calls
};

/// The free list of RunStates. Thread-safe, fork-safe.
class RunStates final : ForkAware {
public:
  RunStates() {
    free.reserve(kept);
    enroll();
  }
  ~RunStates() { withdraw(); }

  std::unique_ptr<RunState> take() {
    std::lock_guard lock(mutex);
    if (free.empty())
      return std::make_unique<RunState>();
    std::unique_ptr<RunState> state = std::move(free.back());
    free.pop_back();
    return state;
  }

  /// Allocates nothing.
  void giveBack(std::unique_ptr<RunState> state) noexcept {
    std::lock_guard lock(mutex);
    if (free.size() < kept)
      free.push_back(std::move(state));
  }

private:
  static constexpr size_t kept = 64;

  void beforeFork() override { mutex.lock(); }
  void afterForkParent() override { mutex.unlock(); }
  void afterForkChild() override { mutex.unlock(); }

  std::mutex mutex;
  std::vector<std::unique_ptr<RunState>> free;
};

} // namespace sattn::rt

// Counts the key tiles that the kernels of a call visit, from the bounds that the compiler wrote beside the plan
// (docs/artefact.md, section 5: `explain.streams`). The expressions are those that the kernels' code computes,
// evaluated for every task of every launch, so nothing here knows of sets or masks.
#pragma once

#include "runtime/Manifest.h"
#include "runtime/RunState.h"

#include <memory>
#include <string>
#include <vector>

namespace sattn::rt {

/// One stream of key tiles, over all tasks of a call.
struct StreamCount {
  std::string kernel;
  std::string keys;              ///< the operand that tiles are loaded from; "" if it is not known
  int64_t line = 0;              ///< of the pattern's text; 0: not known
  int64_t rows = 0, columns = 0; ///< of a tile of scores; 0: not known
  bool isExact = true;    ///< false: depends on the selection, `visited` is an upper bound and `full` says nothing
  bool isSampled = false; ///< estimated from some of the tasks, evenly spaced
  double visited = 0, full = 0;
  std::string unknown; ///< not empty: why nothing is counted
};

/// Reads the streams of a manifest and counts launch by launch. Malformed facts give streams with `unknown` set, never
/// an error: a kernel runs without them.
class TileCounter {
public:
  /// `manifest` must outlive the counter.
  explicit TileCounter(const Manifest &manifest);
  ~TileCounter();
  TileCounter(const TileCounter &) = delete;
  TileCounter &operator=(const TileCounter &) = delete;

  /// Adds the tasks of one launch of `step`; `state` is that of the call, with the loop variables of the plan set.
  void add(const Step &step, const int64_t (&grid)[3], const RunState &state);
  std::vector<StreamCount> counts() const;

private:
  struct KernelStreams;
  const Manifest &m;
  std::vector<std::unique_ptr<KernelStreams>> kernels;
};

} // namespace sattn::rt

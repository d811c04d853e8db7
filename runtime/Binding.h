// From a call to sizes, views and offsets: everything about a call is checked here, before anything is written.
// Reads the manifest and the caller's structs, fills a RunState that Launch.h executes.
#pragma once

#include "runtime/Manifest.h"
#include "runtime/RunState.h"

namespace sattn::rt {

/// Where a call runs and its memory stands.
enum class Place : uint8_t {
  Cpu,
  Device, ///< of sattn_set_device(), on the host's memory
  Cuda,
};

/// Checks `call` against `manifest` and fills `state`; of a packed call `state.packed` (Packed.h). With `sizesOnly`,
/// data pointers are not looked at. `call` has been widened to this version's struct.
Status bindCall(const Manifest &manifest, const sattn_call &call, Place place, bool sizesOnly, RunState &state);

/// What is written overlaps nothing. `extents` are those of the roles, then of the results; `table` the page table's.
Status checkOverlap(const Manifest &manifest, const std::vector<Extent> &extents, const Extent &table);

/// Elements from one index of a dimension to the next; INT64_MAX where no memory could hold the tensor.
int64_t strideOf(const DLTensor &tensor, int dimension);

} // namespace sattn::rt

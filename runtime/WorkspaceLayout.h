// Where the workspaces of a call lie: those whose lives do not meet share memory. Behind them the results that the
// caller does not want.
#pragma once

#include "runtime/Manifest.h"
#include "runtime/RunState.h"

namespace sattn::rt {

/// Reads values and `given` of `state`; fills workspaceBytes, workspaceOffsets, resultOffsets, workspaceTotal and the
/// views of results that are not given (their data is set by the launch).
Status layoutWorkspace(const Manifest &manifest, RunState &state);

} // namespace sattn::rt

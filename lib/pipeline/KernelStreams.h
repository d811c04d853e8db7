// The key tiles that each kernel of a tile program visits, as expressions of the manifest: the operands of its covers
// and inverses, op by op, so that what explain counts is what the kernel does. docs/artefact.md, section 5, has the
// form; the runtime (runtime/TileCount.h) evaluates it for the sizes of a call.
#pragma once
#include "lib/pipeline/PlanExpressions.h"

namespace sattn {

/// One object for each kernel that streams tiles, in the order of the kernels. `withLines`: the locations of the
/// program are lines of the pattern's text. Never fails: a stream whose bounds have no form says so in its field
/// `unknown`.
llvm::json::Array kernelStreams(tile::ProgramOp program, bool withLines);

} // namespace sattn

// --verify-each=N: each pass must keep what a pattern means. The instrumentation interprets the op before and after
// every pass with the float64 reference on N small random calls, and reports where results differ.
#pragma once
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringRef.h"

namespace sattn {

/// `bind` gives feature sizes, groups and static params (docs/artefact.md, section 4): the same that the passes get.
void installPassCheck(mlir::PassManager &manager, int calls, llvm::StringRef bind);

/// How many passes changed a result so far, in this process.
int passCheckFailures();

} // namespace sattn

// The passes from a pattern to a tile program. Each is described, with IR before and after, in Passes.td.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "lib/support/TargetInfo.h"
#include "mlir/Pass/Pass.h"
#include <memory>
#include <string>

namespace sattn {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lib/transforms/Passes.h.inc"

} // namespace sattn

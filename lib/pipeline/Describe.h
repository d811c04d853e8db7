// What a pattern asks for and gives, as JSON, for tools that must size and name operands before a kernel exists.
#pragma once
#include "dialects/pattern/Pattern.h"
#include <string>

namespace sattn {

/// One object:
///   {"name": "window", "lines": 6,
///    "roles":   [{"name": "q", "int": false, "axes": ["t", "h", "D"]}, ...],
///    "params":  [{"name": "W", "static": false, "type": "int", "text": "512", "default": 512}, ...],
///    "results": [{"name": "o", "axes": ["t", "h", "Dv"], "float32": false}, ...],
///    "causal":  "proven"}
/// Block lengths are numbers where `bind` (docs/artefact.md, section 4) or a default gives the static params behind
/// them, "c(32, 16)", else as the author wrote them. `default` is absent where it depends on a feature size. `float32`
/// marks results that stay so for every input type: what has no feature axis, and summaries. A result at chosen
/// positions has the axis "s(n)" and "top", the number n over params as words for a stack: ["heavy", "recent", "+"].
/// The pattern is verified and proven (lib/transforms, buildProofs): `causal` is the verdict. Fails with a diagnostic
/// for a malformed bind.
FailureOr<std::string> describePattern(PatternOp pattern, StringRef bind);

} // namespace sattn

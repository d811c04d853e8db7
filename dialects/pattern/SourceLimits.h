// Limits on a text before MLIR's recursive parser sees it, so that no text can exhaust the stack or the time of a tool.
#pragma once
#include "lib/support/LLVM.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sattn {

/// Bytes of a text, levels of brackets, operators of one expression, type and attribute aliases, digits of a number,
/// characters of a name.
inline constexpr size_t maxSourceBytes = size_t(16) << 20;
inline constexpr size_t maxSourceNesting = 256;
inline constexpr size_t maxSourceOperators = 4096;
inline constexpr size_t maxSourceAliases = 4096;
inline constexpr size_t maxSourceDigits = 1000;
inline constexpr size_t maxSourceName = 1000;

/// Takes the place (from 1) and text of a message.
using SourceReport = llvm::function_ref<void(unsigned line, unsigned column, const Twine &message)>;

/// Checks the limits above and that the text holds no NUL byte; reports the first problem and fails. One pass, no
/// allocation but a stack of at most 256 brackets.
LogicalResult checkSourceLimits(StringRef text, SourceReport report);
/// The same with a diagnostic of `context` at the place in `fileName`.
LogicalResult checkSourceLimits(MLIRContext *context, StringRef text, StringRef fileName);

} // namespace sattn

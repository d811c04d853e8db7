// What edited LLVM IR and edited assembly have in common: the parts of the text, diagnostics at its lines, and LLVM
// held so that no text can end the process.
#pragma once
#include "codegen/cpu/Emit.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringSet.h"

namespace sattn::cpu {

/// A place in an edited text and what is wrong there.
struct TextProblem {
  unsigned line = 1, column = 1;
  std::string message;
};

/// The part of each kernel: what follows a line that starts with `mark`, or the whole text. A part begins with as many
/// empty lines as stand before it in the text, so that the lines of messages are those of the text.
std::vector<std::string> partsOf(StringRef text, StringRef mark);

/// Checks what LLVM's recursive parsers rely on: size, NUL bytes, depth of brackets and chains of signs. `comment`
/// starts one that ends with its line.
std::optional<TextProblem> checkLimits(StringRef text, char comment);

/// Calls `run`, and fails with `error` set where LLVM gives up in it (it ends the process on code that it cannot
/// select) or crashes. What `run` had allocated then is lost, so this is for the texts of developers alone. Serialised.
LogicalResult guarded(llvm::function_ref<void()> run, std::string &error);

/// Emits `problem` in the text called `name`.
LogicalResult refuse(MLIRContext &context, StringRef name, const TextProblem &problem);

/// Refuses a text that does not define one of the kernels.
LogicalResult checkDefined(MLIRContext &context, const EditedText &edited, ArrayRef<CompiledKernel> kernels,
                           llvm::function_ref<bool(StringRef symbol)> defines);

} // namespace sattn::cpu

// Parts, limits and guards of edited texts. See EditedText.h.
#include "codegen/cpu/EditedText.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/ErrorHandling.h"
#include <mutex>

using namespace sattn;
using namespace sattn::cpu;

// Far more than any kernel has, and few enough for the stack of a compile.
static constexpr size_t maxBytes = size_t(64) << 20;
static constexpr unsigned maxNesting = 256;

std::vector<std::string> sattn::cpu::partsOf(StringRef text, StringRef mark) {
  std::vector<std::string> parts(1);
  unsigned lines = 0;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    StringRef line = text.take_front(end);
    if (line.starts_with(mark))
      parts.emplace_back(lines, '\n');
    parts.back() += line;
    text = text.drop_front(end);
    ++lines;
  }
  llvm::erase_if(parts, [](StringRef part) { return part.trim().empty(); });
  return parts;
}

std::optional<TextProblem> sattn::cpu::checkLimits(StringRef text, char comment) {
  if (text.size() > maxBytes)
    return TextProblem{1, 1,
                       "[SA0261] text has " + std::to_string(text.size()) + " bytes, more than " +
                           std::to_string(maxBytes) + ": shorten it"};
  TextProblem place;
  unsigned depth = 0, signs = 0;
  bool quoted = false, commented = false;
  for (size_t at = 0; at < text.size(); ++at, ++place.column) {
    char c = text[at];
    if (c == '\n') {
      ++place.line;
      place.column = 0;
      quoted = commented = false;
    }
    if (c == '\0')
      return TextProblem{place.line, place.column, "[SA0261] text holds a NUL byte: remove it"};
    commented |= c == comment && !quoted;
    quoted ^= c == '"' && !commented;
    if (quoted || commented)
      continue;
    depth += StringRef("([{<").contains(c);
    depth -= depth != 0 && StringRef(")]}>").contains(c);
    signs = StringRef("-+~!").contains(c) ? signs + 1 : llvm::isSpace(c) ? signs : 0;
    if (depth > maxNesting || signs > maxNesting)
      return TextProblem{place.line, place.column,
                         "[SA0261] text is nested deeper than " + std::to_string(maxNesting) + " levels: flatten it"};
  }
  return std::nullopt;
}

static void leave(void *message, const char *reason, bool) {
  *static_cast<std::string *>(message) = reason;
  if (auto *context = llvm::CrashRecoveryContext::GetCurrent())
    context->HandleExit(1);
}

LogicalResult sattn::cpu::guarded(llvm::function_ref<void()> run, std::string &error) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  llvm::ScopedFatalErrorHandler handler(leave, &error);
  llvm::CrashRecoveryContext::Enable();
  llvm::CrashRecoveryContext context;
  bool returned = context.RunSafely(run);
  llvm::CrashRecoveryContext::Disable();
  if (!returned && error.empty())
    error = "LLVM crashed";
  return success(returned);
}

LogicalResult sattn::cpu::refuse(MLIRContext &context, StringRef name, const TextProblem &problem) {
  return mlir::emitError(mlir::FileLineColLoc::get(&context, name, problem.line, problem.column)) << problem.message;
}

LogicalResult sattn::cpu::checkDefined(MLIRContext &context, const EditedText &edited, ArrayRef<CompiledKernel> kernels,
                                       llvm::function_ref<bool(StringRef)> defines) {
  for (const CompiledKernel &kernel : kernels)
    if (!defines(kernel.symbol))
      return refuse(
          context, edited.name,
          {1, 1, "[SA0257] kernel '" + kernel.symbol + "' is not defined: the launch plan calls it, put it back"});
  return success();
}

// LLVM IR that a developer edited, to objects. The text is what --dump-dir wrote as 3-cpu.ll: it was optimised before,
// so what stands in it is what is assembled.
#include "codegen/cpu/EditedText.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Target/TargetMachine.h"

using namespace sattn;
using namespace sattn::cpu;

// The line of the text that the verifier quotes after its message; 1 where it quotes none.
static unsigned lineOf(StringRef part, StringRef quoted) {
  quoted = quoted.split('\n').first.trim();
  size_t at = quoted.empty() ? StringRef::npos : part.find(quoted);
  return at == StringRef::npos ? 1 : 1 + part.take_front(at).count('\n');
}

static std::optional<TextProblem> verifyPart(const llvm::Module &module, StringRef part) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (!llvm::verifyModule(module, &stream))
    return std::nullopt;
  auto [message, quoted] = StringRef(text).split('\n');
  return TextProblem{lineOf(part, quoted), 1, "[SA0256] the text is refused: " + message.str()};
}

// Kernels are called with docs/artefact.md, section 2.
static std::optional<TextProblem> checkSignatures(const llvm::Module &module, StringRef part,
                                                  ArrayRef<CompiledKernel> kernels) {
  llvm::Type *ptr = llvm::PointerType::get(module.getContext(), 0), *i64 = llvm::Type::getInt64Ty(module.getContext());
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(module.getContext()), {ptr, ptr, i64, i64, i64}, false);
  for (const CompiledKernel &kernel : kernels)
    if (const llvm::Function *function = module.getFunction(kernel.symbol))
      if (function->getFunctionType() != type)
        return TextProblem{lineOf(part, "@" + kernel.symbol + "("), 1,
                           "[SA0258] kernel '" + kernel.symbol +
                               "' takes (ptr, ptr, i64, i64, i64) and gives nothing: put its signature back"};
  return std::nullopt;
}

static std::optional<TextProblem> assemblePart(const std::string &part, ArrayRef<CompiledKernel> kernels,
                                               const Atom &atom, const AssembleOptions &options,
                                               llvm::StringSet<> &defined, Object &object) {
  LlvmModule held;
  llvm::SMDiagnostic error;
  held.module = llvm::parseAssembly(llvm::MemoryBufferRef(part, "kernel"), error, *held.context);
  if (!held.module)
    return TextProblem{unsigned(std::max(error.getLineNo(), 1)), unsigned(error.getColumnNo() + 1),
                       "[SA0256] the text is refused: " + error.getMessage().str()};
  if (auto problem = verifyPart(*held.module, part))
    return problem;
  if (auto problem = checkSignatures(*held.module, part, kernels))
    return problem;
  for (const llvm::Function &function : *held.module)
    if (!function.isDeclaration() && !function.hasLocalLinkage())
      defined.insert(function.getName());
  object = assemble(std::move(held), atom, options);
  return std::nullopt;
}

FailureOr<std::vector<Object>> sattn::cpu::assembleLlvmIr(MLIRContext &context, const EditedText &edited,
                                                          ArrayRef<CompiledKernel> kernels, const Atom &atom,
                                                          const AssembleOptions &options) {
  AssembleOptions asItIs = options;
  asItIs.optimise = false;
  std::optional<TextProblem> problem = checkLimits(edited.text, ';');
  std::vector<Object> objects;
  llvm::StringSet<> defined;
  for (const std::string &part : problem ? std::vector<std::string>() : partsOf(edited.text, llvmIrMark)) {
    std::string crash;
    Object &object = objects.emplace_back();
    if (failed(guarded([&] { problem = assemblePart(part, kernels, atom, asItIs, defined, object); }, crash)))
      problem = TextProblem{unsigned(StringRef(part).take_while([](char c) { return c == '\n'; }).size()) + 1, 1,
                            "[SA0259] LLVM cannot compile this part: " + crash};
    if (problem)
      break;
  }
  if (problem)
    return refuse(context, edited.name, *problem);
  if (failed(checkDefined(context, edited, kernels, [&](StringRef symbol) { return defined.contains(symbol); })))
    return failure();
  return objects;
}

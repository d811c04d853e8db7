// The LLVM side of emission. The pipeline is short on purpose: the lowering has chosen vectors, unrolling and
// blocking, so what is left is common addresses, loop-invariant code and peepholes; vectorisers would only undo it.
#include "codegen/cpu/Emit.h"
#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/ADCE.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <mutex>

using namespace sattn;
using namespace sattn::cpu;

std::unique_ptr<llvm::TargetMachine> sattn::cpu::createMachine(const Atom &atom, std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  });
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, "x86-64", atom.features, llvm::TargetOptions(), llvm::Reloc::PIC_,
                                  std::nullopt, llvm::CodeGenOptLevel::Default));
}

static void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/false));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/false));
  passes.addPass(llvm::ADCEPass());
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      passes.run(function, functions);
}

// Emits a copy, because emission changes a module, and because the order of uses, on which the layout of blocks
// depends, is that of the text in a copy: so assembly, object and LLVM IR that was printed and read again agree to the
// byte.
static std::string emitFile(const llvm::Module &original, llvm::TargetMachine &machine, llvm::CodeGenFileType type,
                            llvm::SmallVectorImpl<char> &bytes) {
  std::unique_ptr<llvm::Module> module = llvm::CloneModule(original);
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type))
    return "the target cannot emit this kind of file";
  passes.run(*module);
  return "";
}

Object sattn::cpu::assemble(LlvmModule &&held, const Atom &atom, const AssembleOptions &options) {
  Object object;
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(atom, object.error);
  if (!machine)
    return object;
  llvm::Module &module = *held.module;
  module.setDataLayout(machine->createDataLayout());
  module.setTargetTriple(machine->getTargetTriple());
  for (llvm::Function &function : module)
    if (object.name.empty() && !function.isDeclaration())
      object.name = function.getName();
  if (options.optimise)
    optimise(module, *machine);
  if (options.keepLlvmIr) {
    llvm::raw_string_ostream stream(object.llvmIr);
    module.print(stream, nullptr);
  }
  if (options.keepAssembly) {
    llvm::SmallVector<char, 0> text;
    object.error = emitFile(module, *machine, llvm::CodeGenFileType::AssemblyFile, text);
    object.assembly.assign(text.begin(), text.end());
  }
  llvm::SmallVector<char, 0> bytes;
  if (object.error.empty())
    object.error = emitFile(module, *machine, llvm::CodeGenFileType::ObjectFile, bytes);
  object.bytes.assign(bytes.begin(), bytes.end());
  return object;
}

// The LLVM side of emission: the machine of a level, assembly and objects.
#include "codegen/cpu/Emit.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/OptBisect.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
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

namespace {
// Leaves loop strength reduction out. It takes up to half of the time of code generation and gains nothing here: the
// lowering writes addresses as one moving pointer and constant offsets (docs/rationale.md has the measurement).
class AddressesAsWritten : public llvm::OptPassGate {
public:
  bool shouldRunPass(StringRef pass, StringRef) const override { return pass != "Loop Strength Reduction"; }
  bool isEnabled() const override { return true; }
};
} // namespace

// Emits a copy, because emission changes a module, and because the order of uses, on which the layout of blocks
// depends, is that of the text in a copy: so assembly, object and LLVM IR that was printed and read again agree to the
// byte.
static std::string emitFile(const llvm::Module &original, llvm::TargetMachine &machine, llvm::CodeGenFileType type,
                            llvm::SmallVectorImpl<char> &bytes) {
  static AddressesAsWritten gate;
  std::unique_ptr<llvm::Module> module = llvm::CloneModule(original);
  module->getContext().setOptPassGate(gate);
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
    codegen::optimise(module, *machine);
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

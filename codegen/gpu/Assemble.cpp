// The LLVM side of emission: the machine of an architecture, PTX text.
#include "codegen/gpu/Emit.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace sattn;
using namespace sattn::gpu;

static std::unique_ptr<llvm::TargetMachine> createMachine(const Arch &arch, std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  // The assembler of PTX optimises all over again. What LLVM would do before it (strength reduction, sinking, common
  // addresses) takes two thirds of the time and keeps more registers alive.
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, arch.name, arch.features, options, std::nullopt, std::nullopt, llvm::CodeGenOptLevel::None));
}

// The error, or "".
static std::string emitText(llvm::Module &module, llvm::TargetMachine &machine, std::string &result) {
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return "the target cannot emit this kind of file";
  passes.run(module);
  result.assign(text.begin(), text.end());
  return "";
}

Ptx sattn::gpu::assemble(codegen::LlvmModule &&held, const Arch &arch, bool keepLlvmIr) {
  Ptx result;
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(arch, result.error);
  if (!machine)
    return result;
  llvm::Module &module = *held.module;
  module.setDataLayout(machine->createDataLayout());
  module.setTargetTriple(machine->getTargetTriple());
  for (llvm::Function &function : module)
    if (!function.isDeclaration())
      result.name = function.getName();
  codegen::optimise(module, *machine, codegen::Assembler::Optimising);
  if (keepLlvmIr) {
    llvm::raw_string_ostream stream(result.llvmIr);
    module.print(stream, nullptr);
  }
  result.error = emitText(module, *machine, result.text);
  return result;
}

std::string sattn::gpu::joinPtx(ArrayRef<Ptx> modules) {
  std::string all;
  for (const Ptx &ptx : modules) {
    StringRef text = ptx.text;
    size_t end = std::min(text.find("\n\t// .globl"), text.find("\n.extern"));
    all += all.empty() ? text : text.drop_front(std::min(end, text.size()));
  }
  return all;
}

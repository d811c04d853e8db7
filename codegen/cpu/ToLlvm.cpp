// The LLVM module of a kernel, with what the functions may use of the processor.
#include "codegen/cpu/Emit.h"
#include "llvm/IR/Module.h"

using namespace sattn;
using namespace sattn::cpu;

FailureOr<LlvmModule> sattn::cpu::translate(mlir::ModuleOp module, const Atom &atom) {
  FailureOr<LlvmModule> result = codegen::toLlvm(module);
  if (failed(result))
    return failure();
  for (llvm::Function &function : *result->module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", "x86-64");
    function.addFnAttr("target-features", atom.features);
    function.addFnAttr("prefer-vector-width", "512");
    function.addFnAttr("min-legal-vector-width", "512");
    function.addFnAttr("no-trapping-math", "true");
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
  return result;
}

// The way of the emitted ops to LLVM IR: jumps for loops, then one instruction for each op.
#include "codegen/common/LlvmModule.h"
#include "codegen/common/ArithToLlvmIr.h"
#include "codegen/common/Control.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/ThreadPool.h"

using namespace sattn;
using namespace sattn::codegen;

void sattn::codegen::prepareContext(MLIRContext &context) {
  mlir::DialectRegistry registry;
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  registerArithTranslation(registry);
  context.appendDialectRegistry(registry);
  context.loadDialect<mlir::arith::ArithDialect, mlir::scf::SCFDialect, mlir::LLVM::LLVMDialect>();
}

LlvmModule::LlvmModule() : context(std::make_unique<llvm::LLVMContext>()) {}
LlvmModule::LlvmModule(LlvmModule &&) = default;
LlvmModule::~LlvmModule() {
  module.reset();
  context.reset();
}

FailureOr<LlvmModule> sattn::codegen::toLlvm(mlir::ModuleOp module) {
  lowerControl(module);
  LlvmModule result;
  result.module = mlir::translateModuleToLLVMIR(module, *result.context, "kernel");
  if (!result.module)
    return failure();
  return result;
}

void sattn::codegen::assembleEach(ArrayRef<LlvmModule> modules, llvm::function_ref<void(size_t)> assemble) {
  SmallVector<std::pair<size_t, size_t>> bySize;
  for (auto [i, module] : llvm::enumerate(modules))
    bySize.push_back({module.module->getInstructionCount(), i});
  llvm::sort(bySize, [](auto a, auto b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  llvm::DefaultThreadPool threads(llvm::hardware_concurrency(modules.size()));
  for (auto [size, i] : bySize)
    threads.async([assemble, i = i] { assemble(i); });
  threads.wait();
}

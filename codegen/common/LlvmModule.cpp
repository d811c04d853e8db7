// The few upstream conversions that the emitted ops need, and the translation to LLVM IR.
#include "codegen/common/LlvmModule.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

using namespace sattn;
using namespace sattn::codegen;

void sattn::codegen::prepareContext(MLIRContext &context) {
  mlir::DialectRegistry registry;
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  context.appendDialectRegistry(registry);
  context.loadDialect<mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect, mlir::scf::SCFDialect,
                      mlir::LLVM::LLVMDialect>();
}

static LogicalResult convert(mlir::ModuleOp module) {
  mlir::PassManager passes(module->getContext());
  passes.enableVerifier(false);
  passes.addPass(mlir::createSCFToControlFlowPass());
  passes.addPass(mlir::createArithToLLVMConversionPass());
  passes.addPass(mlir::createConvertControlFlowToLLVMPass());
  return passes.run(module);
}

LlvmModule::LlvmModule() : context(std::make_unique<llvm::LLVMContext>()) {}
LlvmModule::LlvmModule(LlvmModule &&) = default;
LlvmModule::~LlvmModule() {
  module.reset();
  context.reset();
}

FailureOr<LlvmModule> sattn::codegen::toLlvm(mlir::ModuleOp module) {
  if (failed(convert(module)))
    return failure();
  LlvmModule result;
  result.module = mlir::translateModuleToLLVMIR(module, *result.context, "kernel");
  if (!result.module)
    return failure();
  return result;
}

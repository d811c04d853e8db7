// compileProgram: each kernel is lowered and translated in the caller's context, then all are optimised and assembled
// in parallel and linked into one object.
#include "codegen/cpu/CpuCodegen.h"
#include "codegen/cpu/Emit.h"
#include "codegen/cpu/Lowering.h"
#include "mlir/IR/Verifier.h"

using namespace sattn;
using namespace sattn::cpu;

// An empty function of the kernel ABI (docs/artefact.md, section 2).
static mlir::LLVM::LLVMFuncOp createFunction(mlir::ModuleOp module, tile::KernelOp kernel) {
  mlir::OpBuilder b = mlir::OpBuilder::atBlockBegin(module.getBody());
  Type ptr = mlir::LLVM::LLVMPointerType::get(b.getContext()), i64 = b.getI64Type();
  auto type =
      mlir::LLVM::LLVMFunctionType::get(mlir::LLVM::LLVMVoidType::get(b.getContext()), {ptr, ptr, i64, i64, i64});
  auto function = mlir::LLVM::LLVMFuncOp::create(b, kernel.getLoc(), kernel.getSymName(), type);
  for (unsigned argument : {0u, 1u})
    function.setArgAttr(argument, mlir::LLVM::LLVMDialect::getNoAliasAttrName(), b.getUnitAttr());
  function.setArgAttr(0, mlir::LLVM::LLVMDialect::getReadonlyAttrName(), b.getUnitAttr());
  function.setArgAttr(1, mlir::LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(64));
  function.addEntryBlock(b);
  return function;
}

static FailureOr<LlvmModule> lowerKernel(tile::KernelOp kernel, const Atom &atom, CompiledKernel &result) {
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(kernel.getLoc());
  Lowering lowering(kernel, createFunction(*module, kernel), atom);
  if (failed(lowering.run()))
    return failure();
#ifndef NDEBUG
  if (failed(mlir::verify(*module)))
    return failure();
#endif
  result = {kernel.getSymName().str(), kernel.getSymName().str(), lowering.scratchBytes()};
  return translate(*module, atom);
}

static std::vector<Object> assembleAll(std::vector<LlvmModule> modules, const Atom &atom,
                                       const AssembleOptions &options) {
  std::vector<Object> objects(modules.size());
  codegen::assembleEach(modules, [&](size_t i) { objects[i] = assemble(std::move(modules[i]), atom, options); });
  return objects;
}

// The objects of the kernels with their texts kept in `code`: what was generated, or what an editor made of it.
static FailureOr<std::vector<Object>> emitObjects(std::vector<LlvmModule> modules, tile::ProgramOp program,
                                                  CompiledCode &code, const Atom &atom, const CodegenOptions &options) {
  AssembleOptions how;
  how.keepLlvmIr = options.keepLlvmIr;
  how.keepAssembly = options.keepAssembly;
  FailureOr<std::vector<Object>> objects =
      options.llvmIr ? assembleLlvmIr(*program.getContext(), *options.llvmIr, code.kernels, atom, how)
                     : assembleAll(std::move(modules), atom, how);
  if (failed(objects))
    return failure();
  for (const Object &object : *objects) {
    if (!object.error.empty())
      return program.emitError("cannot assemble a kernel: ") << object.error, failure();
    if (options.keepLlvmIr)
      code.llvmIr += llvmIrMark.str() + object.name + "\n" + object.llvmIr;
    if (options.keepAssembly)
      code.assembly += assemblyMark.str() + object.name + "\n" + object.assembly;
  }
  if (options.assembly) {
    code.assembly = options.assembly->text.str();
    objects = assembleAssembly(*program.getContext(), *options.assembly, code.kernels, atom);
  }
  return objects;
}

FailureOr<CompiledCode> sattn::cpu::compileProgram(tile::ProgramOp program, Isa isa, const CodegenOptions &options) {
  const Atom &atom = atomFor(isa);
  codegen::prepareContext(*program.getContext());
  CompiledCode code;
  std::vector<LlvmModule> modules;
  for (auto kernel : program.getBody().getOps<tile::KernelOp>()) {
    FailureOr<LlvmModule> module = lowerKernel(kernel, atom, code.kernels.emplace_back());
    if (failed(module))
      return failure();
    modules.push_back(std::move(*module));
  }
  if (modules.empty())
    return program.emitError("expected at least one kernel"), failure();

  FailureOr<std::vector<Object>> objects = emitObjects(std::move(modules), program, code, atom, options);
  if (failed(objects))
    return failure();
  std::string error;
  FailureOr<std::vector<char>> linked = link(*objects, error);
  if (failed(linked))
    return program.emitError("cannot link the kernels: ") << error, failure();
  code.object = std::move(*linked);
  return code;
}

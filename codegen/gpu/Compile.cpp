// compileProgram: each kernel is lowered and translated in the caller's context, then all are optimised and assembled
// in parallel and joined to one text.
#include "codegen/gpu/Emit.h"
#include "codegen/gpu/Lowering.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Verifier.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"

using namespace sattn;
using namespace sattn::gpu;

static constexpr int64_t kTensorMapBytes = 128, kTensorMapAlignment = 64;

static mlir::LLVM::LLVMFuncOp createEntry(mlir::ModuleOp module, tile::KernelOp kernel, const Arch &arch) {
  mlir::OpBuilder b = mlir::OpBuilder::atBlockBegin(module.getBody());
  Type nothing = mlir::LLVM::LLVMVoidType::get(b.getContext());
  mlir::LLVM::GlobalOp::create(b, kernel.getLoc(), mlir::LLVM::LLVMArrayType::get(b.getI8Type(), 0),
                               /*isConstant=*/false, mlir::LLVM::Linkage::External, Lowering::sharedName(kernel),
                               Attribute(), arch.groups ? kSwizzleAlignment : 16, /*addrSpace=*/3);
  auto type = mlir::LLVM::LLVMFunctionType::get(nothing, Lowering::parameters(kernel));
  auto function = mlir::LLVM::LLVMFuncOp::create(b, kernel.getLoc(), kernel.getSymName(), type);
  function.setCConv(mlir::LLVM::CConv::PTX_Kernel);
  function.addEntryBlock(b);
  return function;
}

// The order of a kernel's tasks, as its launches agree on.
static FailureOr<SmallVector<std::string>> orderOf(tile::ProgramOp program, tile::KernelOp kernel) {
  std::optional<SmallVector<std::string>> order;
  bool same = true;
  program.getPlan()->walk([&](tile::LaunchOp launch) {
    if (launch.getKernel() != kernel.getSymName())
      return;
    SmallVector<std::string> found{"z", "y", "x"};
    if (auto wanted = launch.getOrder()) {
      found.clear();
      for (auto axis : wanted->getAsValueRange<mlir::StringAttr>())
        found.push_back(axis.str());
    }
    same &= !order || *order == found;
    order = found;
  });
  if (!same)
    return kernel.emitError("[SA0263] the GPU code generator does not support launches of one kernel in different "
                            "orders: give them the same"),
           failure();
  return order ? *order : SmallVector<std::string>{"z", "y", "x"};
}

// What MLIR does not say: the threads of a block, that tensor maps stand in the parameters themselves, and that inline
// PTX belongs to all threads that reach it.
static void finish(llvm::Function &function, const CompiledKernel &kernel, const Arch &arch) {
  function.addFnAttr("nvvm.maxntid", std::to_string(kernel.threads));
  // Registers are not saved, by spilling them, for more blocks than shared memory has room for, nor for a second one
  // of so many threads that each would have but half of them.
  constexpr int64_t many = 16 << 10, mostThreads = 160;
  int64_t enough = kernel.threads <= mostThreads ? 2 : 1;
  if (kernel.sharedBytes >= many)
    function.addFnAttr("nvvm.minctasm",
                       std::to_string(std::clamp<int64_t>(arch.sharedBytes / kernel.sharedBytes, 1, enough)));
  llvm::LLVMContext &context = function.getContext();
  auto *bytes = llvm::ArrayType::get(llvm::Type::getInt8Ty(context), kTensorMapBytes);
  for (size_t i = function.arg_size() - kernel.maps.size(); i < function.arg_size(); ++i) {
    auto number = static_cast<unsigned>(i);
    function.addParamAttr(number, llvm::Attribute::getWithByValType(context, bytes));
    function.addParamAttr(number, llvm::Attribute::getWithAlignment(context, llvm::Align(kTensorMapAlignment)));
    function.addParamAttr(number, llvm::Attribute::get(context, "nvvm.grid_constant"));
  }
  for (llvm::Instruction &instruction : llvm::instructions(function))
    if (auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction); call && call->isInlineAsm())
      call->addFnAttr(llvm::Attribute::Convergent);
}

static FailureOr<codegen::LlvmModule> lowerKernel(tile::ProgramOp program, tile::KernelOp kernel, const Arch &arch,
                                                  CompiledKernel &result) {
  FailureOr<SmallVector<std::string>> order = orderOf(program, kernel);
  if (failed(order))
    return failure();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(kernel.getLoc());
  Lowering lowering(kernel, createEntry(*module, kernel, arch), arch, *order);
  if (failed(lowering.run()))
    return failure();
#ifndef NDEBUG
  if (failed(mlir::verify(*module)))
    return failure();
#endif
  result = {kernel.getSymName().str(), kernel.getSymName().str(), lowering.blockThreads(),
            lowering.sharedBytes(),    lowering.alignment(),      lowering.tensorMaps()};
  FailureOr<codegen::LlvmModule> translated = codegen::toLlvm(*module);
  if (succeeded(translated))
    for (llvm::Function &function : *translated->module)
      if (!function.isDeclaration())
        finish(function, result, arch);
  return translated;
}

std::string sattn::gpu::functionSymbol(StringRef name) { return ("sattn_function_" + name).str(); }

static bool readsDistances(tile::MaskOp mask) {
  return llvm::any_of(mask.getTables(), [&](Value table) {
    auto type = cast<tile::TileType>(table.getType());
    return !type.isVector() && type.getCols() != mask.getTile().getType().getCols();
  });
}

// What whole programs may hold that no kernel here computes.
static LogicalResult checkForms(tile::ProgramOp program) {
  auto refuse = [](Operation *op, StringRef what) {
    op->emitError("[SA0263] the GPU code generator does not support ") << what << ": compile it for a CPU target";
    return mlir::WalkResult::interrupt();
  };
  auto tokens = program.walk([&](tile::TopRowOp op) { return refuse(op, "selections of single tokens"); });
  if (tokens.wasInterrupted())
    return failure();
  auto walked = program.walk([&](Operation *op) {
    auto load = dyn_cast<tile::LoadOp>(op);
    auto dot = dyn_cast<tile::DotOp>(op);
    if (load && load.getTurned())
      return refuse(op, "tables of keys and query heads beside a selection");
    if (dot && dot.getKind() == "nt" && dot.getB().getType().getRows() == 1)
      return refuse(op, "selected blocks that are weighed by another score than the one that selects");
    if (auto mask = dyn_cast<tile::MaskOp>(op); mask && readsDistances(mask))
      return refuse(op, "tables by distance");
    auto loop = dot ? dot->getParentOfType<mlir::scf::ForOp>() : mlir::scf::ForOp();
    if (loop && loop->getParentOfType<tile::StreamOp>())
      return refuse(loop, "column sums of probabilities");
    return mlir::WalkResult::advance();
  });
  return failure(walked.wasInterrupted());
}

FailureOr<CompiledCode> sattn::gpu::compileProgram(tile::ProgramOp program, const Arch &arch,
                                                   const CodegenOptions &options) {
  codegen::prepareContext(*program.getContext());
  if (failed(checkForms(program)))
    return failure();
  CompiledCode code;
  std::vector<codegen::LlvmModule> modules;
  for (auto kernel : program.getBody().getOps<tile::KernelOp>()) {
    FailureOr<codegen::LlvmModule> module = lowerKernel(program, kernel, arch, code.kernels.emplace_back());
    if (failed(module))
      return failure();
    modules.push_back(std::move(*module));
  }
  if (modules.empty())
    return program.emitError("expected at least one kernel"), failure();

  std::vector<Ptx> texts(modules.size());
  codegen::assembleEach(modules,
                        [&](size_t i) { texts[i] = assemble(std::move(modules[i]), arch, options.keepLlvmIr); });
  for (const Ptx &text : texts) {
    if (!text.error.empty())
      return program.emitError("cannot assemble a kernel: ") << text.error, failure();
    if (options.keepLlvmIr)
      code.llvmIr += "; kernel @" + text.name + "\n" + text.llvmIr;
  }
  code.ptx = joinPtx(texts);
  return code;
}

LogicalResult sattn::gpu::linkFunctions(tile::ProgramOp program, ArrayRef<PtxFunction> functions, CompiledCode &code) {
  std::string problem;
  if (linkFunctions(code.ptx, functions, code.functions, problem))
    return success();
  for (auto function : program.getBody().getOps<tile::FunctionOp>())
    if (functionSymbol(function.getSymName()) == code.functions.back().symbol)
      function.emitError() << "[SA0273] function '@" << function.getSymName()
                           << "' cannot become a part of a kernel: " << problem;
  return failure();
}

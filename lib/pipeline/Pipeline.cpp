// The whole compiler on one page: the stages in their order, each with its name.
//
//   text -> 0-pattern -> 1-fused -> 2-tile -> 3-cpu.ll, 4-cpu.s -> 5-artefact
//                                          -> 3-gpu.ll, 4-gpu.ptx -> 5-artefact
#include "codegen/cpu/CpuCodegen.h"
#include "codegen/gpu/GpuCodegen.h"
#include "dialects/pattern/Pattern.h"
#include "dialects/pattern/SourceLimits.h"
#include "dialects/tile/Tile.h"
#include "lib/pipeline/Compiler.h"
#include "lib/pipeline/Describe.h"
#include "lib/pipeline/PlanToManifest.h"
#include "lib/pipeline/UserFunctions.h"
#include "lib/support/DiagnosticLog.h"
#include "lib/transforms/Passes.h"
#include "lib/transforms/TargetText.h"
#include "runtime/ArtefactWriter.h"
#include "runtime/Isa.h"
#include "runtime/Key.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/thread.h"
#include <chrono>

using namespace sattn;
using Module = mlir::OwningOpRef<mlir::ModuleOp>;

// Parser, passes and instruction selection recurse; the limits on texts keep them far below this.
static constexpr std::optional<unsigned> stackBytes = 64u << 20;

static constexpr StringRef cpuStageNames[] = {"0-pattern", "1-fused", "2-tile", "3-cpu.ll", "4-cpu.s", "5-artefact"};
static constexpr StringRef gpuStageNames[] = {"0-pattern", "1-fused", "2-tile", "3-gpu.ll", "4-gpu.ptx", "5-artefact"};

std::optional<Stage> sattn::parseStage(StringRef name) {
  for (ArrayRef<StringRef> names : {ArrayRef(cpuStageNames), ArrayRef(gpuStageNames)})
    if (const StringRef *found = llvm::find(names, name); found != names.end())
      return static_cast<Stage>(found - names.begin());
  return std::nullopt;
}

// One registry for all contexts; a dialect is loaded when a text or a pass needs it.
static const mlir::DialectRegistry &registry() {
  static const mlir::DialectRegistry shared = [] {
    mlir::DialectRegistry made;
    registerPatternDialect(made);
    registerTileDialect(made);
    made.insert<mlir::affine::AffineDialect, mlir::arith::ArithDialect, mlir::math::MathDialect,
                mlir::scf::SCFDialect>();
    return made;
  }();
  return shared;
}

namespace {
class Compilation {
public:
  explicit Compilation(const CompileRequest &request)
      : request(request), context(registry(), MLIRContext::Threading::DISABLED),
        log(context, request.fileName, request.text) {
    context.printOpOnDiagnostic(request.printOps);
  }

  CompileResult run() {
    result.ok = succeeded(stages()) && !log.hasErrors();
    result.diagnostics = log.text();
    if (!result.ok)
      result.output.clear();
    return std::move(result);
  }

  DescribeResult describe() {
    DescribeResult described;
    if (succeeded(parse(request.text, request.fileName)) && succeeded(holdsPattern()) &&
        succeeded(passes([&](mlir::PassManager &manager) { buildProofs(manager, request.bind); })))
      for (PatternOp pattern : module->getOps<PatternOp>())
        if (FailureOr<std::string> json = describePattern(pattern, request.bind); succeeded(json)) {
          described.json = std::move(*json);
          described.ok = true;
        }
    described.diagnostics = log.text();
    return described;
  }

private:
  LogicalResult stages() {
    if (failed(resolve()) || failed(parse(request.text, request.fileName)))
      return failure();
    bool isProgram = !module->getOps<tile::ProgramOp>().empty();
    if (!isProgram) {
      if (failed(reached(Stage::Pattern)) || done)
        return success(done);
      if (failed(passes([&](mlir::PassManager &manager) { buildFusedPipeline(manager, bind); })) ||
          failed(reached(Stage::Fused)) || done)
        return success(done);
      if (failed(passes([&](mlir::PassManager &manager) { buildTilePasses(manager, targetText(targetInfo())); })))
        return failure();
    }
    if (failed(reached(Stage::Tile)) || done)
      return success(done);
    auto program = *module->getOps<tile::ProgramOp>().begin();
    return arch ? generateGpu(program) : generateCpu(program);
  }

  // Target and bind of the request, as the key has them.
  LogicalResult resolve() {
    std::string name =
        request.target.empty() || request.target == "cpu" ? rt::targetName(rt::detectIsa()) : request.target;
    arch = gpu::findArch(name);
    FailureOr<cpu::Isa> level = cpu::parseTarget(name);
    if (failed(level) && !arch)
      return fail("[SA0251] unknown target '" + Twine(request.target) +
                  "': targets are cpu, cpu-baseline, cpu-avx2, cpu-avx512, cpu-avx512-bf16, cpu-amx, " +
                  gpu::targetNames());
    if (succeeded(level))
      isa = *level;
    if (arch && request.overrideStage && *request.overrideStage > Stage::Tile)
      return fail("[SA0253] cannot override stage '" + Twine(nameOf(*request.overrideStage)) +
                  "' of a GPU target: override 1-fused or 2-tile, or edit the PTX and assemble it yourself");
    rt::Status status = rt::canonicalBind(request.bind, bind);
    return status.failed() ? fail(status.text()) : success();
  }

  TargetInfo targetInfo() const { return arch ? gpu::targetInfo(*arch) : cpu::targetInfo(isa); }
  StringRef nameOf(Stage stage) const { return (arch ? gpuStageNames : cpuStageNames)[static_cast<int>(stage)]; }

  LogicalResult parse(StringRef text, StringRef fileName) {
    Timer timer(result, "parse");
    if (failed(checkSourceLimits(&context, text, fileName)))
      return failure();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context), fileName);
    if (!module)
      return failure();
    size_t count = llvm::range_size(module->getOps<PatternOp>()) + llvm::range_size(module->getOps<tile::ProgramOp>());
    if (count != 1)
      return fail("[SA0250] expected one sattn.pattern in the text, but got " + Twine(count) +
                  (count == 0 ? ": write one" : ": give each a text of its own"));
    return success();
  }

  LogicalResult holdsPattern() {
    return module->getOps<PatternOp>().empty() ? fail("[SA0250] expected one sattn.pattern in the text, but got a "
                                                      "program: describe the pattern it was made of")
                                               : success();
  }

  template <typename Build> LogicalResult passes(Build build, StringRef name = "passes") {
    Timer timer(result, name);
    mlir::PassManager manager(&context);
    build(manager);
    if (request.configure)
      request.configure(manager);
    return manager.run(*module);
  }

  // What messages call the text that takes the place of a stage's.
  std::string overrideName() const {
    return request.overrideStage ? (nameOf(*request.overrideStage) + " override").str() : "";
  }

  // The end of a stage: dump, override, stop.
  LogicalResult reached(Stage stage) {
    if (request.overrideStage == stage && failed(parse(request.overrideText, overrideName())))
      return failure();
    if (request.dumpDir.empty() && request.stopAfter != stage)
      return success();
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    return emit(stage, std::move(text) + "\n");
  }

  LogicalResult emit(Stage stage, std::string text) {
    if (!request.dumpDir.empty() && failed(dump(stage, text)))
      return failure();
    if (request.stopAfter == stage || stage == Stage::Artefact) {
      result.output = std::move(text);
      done = true;
    }
    return success();
  }

  LogicalResult dump(Stage stage, StringRef text) {
    llvm::SmallString<128> path(request.dumpDir);
    llvm::sys::path::append(path, nameOf(stage) + (stage <= Stage::Tile ? ".mlir" : ""));
    std::error_code error;
    llvm::raw_fd_ostream file(path, error);
    if (!error) {
      file << text;
      file.close();
      error = file.error();
      file.clear_error();
    }
    return error ? fail("[SA0252] cannot write '" + Twine(path) + "': " + error.message()) : success();
  }

  LogicalResult generateCpu(tile::ProgramOp program) {
    bool keep = !request.dumpDir.empty();
    cpu::CodegenOptions options;
    options.keepLlvmIr = keep || request.stopAfter == Stage::LlvmIr;
    options.keepAssembly = keep || request.stopAfter == Stage::Assembly;
    std::string name = overrideName();
    if (request.overrideStage == Stage::LlvmIr)
      options.llvmIr = cpu::EditedText{name, request.overrideText};
    if (request.overrideStage == Stage::Assembly)
      options.assembly = cpu::EditedText{name, request.overrideText};
    FailureOr<cpu::CompiledCode> code = [&] {
      Timer timer(result, "codegen");
      return cpu::compileProgram(program, isa, options);
    }();
    if (failed(code))
      return failure();
    if ((options.keepLlvmIr && failed(emit(Stage::LlvmIr, code->llvmIr))) ||
        (options.keepAssembly && failed(emit(Stage::Assembly, code->assembly))) || done)
      return success(done);
    std::vector<ManifestKernel> kernels;
    for (const cpu::CompiledKernel &kernel : code->kernels)
      kernels.push_back({kernel.name, kernel.symbol, kernel.scratchBytes, {}});
    return assemble(program, cpu::targetName(isa), std::move(kernels), {code->object.data(), code->object.size()});
  }

  LogicalResult generateGpu(tile::ProgramOp program) {
    bool keep = !request.dumpDir.empty();
    gpu::CodegenOptions options;
    options.keepLlvmIr = keep || request.stopAfter == Stage::LlvmIr;
    FunctionCompilation functions(program, gpu::targetName(*arch), request.fileName);
    FailureOr<gpu::CompiledCode> code = [&] {
      Timer timer(result, "codegen");
      return gpu::compileProgram(program, *arch, options);
    }();
    if (failed(code) || failed(link(program, functions, *code)))
      return failure();
    if ((options.keepLlvmIr && failed(emit(Stage::LlvmIr, code->llvmIr))) ||
        ((keep || request.stopAfter == Stage::Assembly) && failed(emit(Stage::Assembly, code->ptx))) || done)
      return success(done);
    std::vector<ManifestKernel> kernels;
    for (const gpu::CompiledKernel &kernel : code->kernels) {
      ManifestBlock block{kernel.threads, kernel.sharedBytes, kernel.alignment, {}};
      for (const gpu::TensorMap &map : kernel.maps)
        block.maps.push_back({map.operand, map.elementBytes, map.features, {map.box[0], map.box[1]}});
      kernels.push_back({kernel.name, kernel.symbol, 0, std::move(block)});
    }
    return assemble(program, gpu::targetName(*arch), std::move(kernels), code->ptx);
  }

  // The author's functions into the code.
  LogicalResult link(tile::ProgramOp program, FunctionCompilation &compilation, gpu::CompiledCode &code) {
    SmallVector<gpu::PtxFunction> functions;
    if (!compilation.any())
      return success();
    LogicalResult compiled = compilation.finish(log, functions);
    result.timings.push_back({"NVRTC, beside it", compilation.milliseconds()});
    if (failed(compiled) || failed(gpu::linkFunctions(program, functions, code)))
      return failure();
    reportFunctions(program, code.functions);
    return success();
  }

  LogicalResult assemble(tile::ProgramOp program, StringRef target, std::vector<ManifestKernel> kernels,
                         std::string_view code) {
    ManifestFacts facts{buildId(), target.str(), request.text, bind, std::move(kernels), request.fileName, {}};
    if (!log.remarks().empty())
      facts.explain.push_back({"remarks", std::vector<std::string>(log.remarks())});
    FailureOr<std::string> manifest = planToManifest(program, facts);
    if (failed(manifest))
      return failure();
    result.manifest = std::move(*manifest);
    return emit(Stage::Artefact, rt::writeArtefact(result.manifest, code));
  }

  LogicalResult fail(const Twine &message) {
    emitError(mlir::FileLineColLoc::get(&context, request.fileName, 1, 1)) << message;
    return failure();
  }

  struct Timer {
    Timer(CompileResult &result, StringRef name)
        : result(result), name(name), start(std::chrono::steady_clock::now()) {}
    ~Timer() {
      std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
      result.timings.push_back({name.str(), elapsed.count()});
    }
    CompileResult &result;
    StringRef name;
    std::chrono::steady_clock::time_point start;
  };

  const CompileRequest &request;
  MLIRContext context;
  DiagnosticLog log;
  Module module;
  cpu::Isa isa = cpu::Isa::Baseline;
  const gpu::Arch *arch = nullptr; ///< of a GPU target; null: `isa`
  std::string bind;
  CompileResult result;
  bool done = false; ///< stopped after the stage that was asked for
};
} // namespace

CompileResult sattn::compile(const CompileRequest &request) {
  CompileResult result;
  llvm::thread worker(stackBytes, [&] { result = Compilation(request).run(); });
  worker.join();
  return result;
}

//===-- Describing --------------------------------------------------------------------------------------===//

DescribeResult sattn::describe(StringRef text, StringRef fileName, StringRef bind) {
  DescribeResult result;
  llvm::thread worker(stackBytes, [&] {
    CompileRequest request;
    request.text = text.str();
    request.fileName = fileName.str();
    request.bind = bind.str();
    result = Compilation(request).describe();
  });
  worker.join();
  return result;
}

// sparse-attn-opt: mlir-opt for patterns and tile programs, and with --emit the whole compiler up to a stage:
//
//   sparse-attn-opt window.mlir --emit=asm --bind dtype=f32,D=64,Dv=64,group=4 --target=cpu-avx2
//
// The limits of a text are checked before MLIR's parser sees it. Where the command line names no pass, patterns are
// proven, so that a text which leaks is refused here as it is by every other way into the compiler.
#include "dialects/pattern/Pattern.h"
#include "dialects/pattern/SourceLimits.h"
#include "dialects/pattern/Sources.h"
#include "dialects/tile/Tile.h"
#include "lib/nvidia/NvJitLink.h"
#include "lib/pipeline/Compiler.h"
#include "lib/transforms/Passes.h"
#include "tools/sparse-attn-opt/PassCheck.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/thread.h"

#include <chrono>

namespace cl = llvm::cl;
using llvm::StringRef;

static constexpr StringRef toolName = "sparse-attn-opt";
static constexpr StringRef overview =
    "compiler of sparse attention patterns\n\n"
    "  Without a pass and without --emit, patterns are parsed, verified and proven (sattn-verify-causal,\n"
    "  sattn-verify-disjoint); static params have the values of --bind, others of them their defaults. The\n"
    "  verdict is printed as the attribute 'causal'; a pattern that leaks is refused with a row and a key.\n"
    "  --pass-pipeline='builtin.module()' leaves the proofs out.\n";
// Parser and passes recurse; the limits on texts keep them far below this.
static constexpr std::optional<unsigned> stackBytes = 64u << 20;

namespace {
struct Options {
  cl::OptionCategory category{"Emission"};
  cl::opt<std::string> emit{"emit",
                            cl::desc("run the compiler and print one stage: pattern, fused, tile, llvm, asm, ptx, "
                                     "cubin, bundle or manifest"),
                            cl::value_desc("stage"), cl::cat(category)};
  cl::opt<std::string> bind{"bind", cl::desc("what to compile for: dtype=bf16,D=128,Dv=128,group=4, static params"),
                            cl::value_desc("name=value,..."), cl::cat(category)};
  cl::opt<std::string> target{
      "target",
      cl::desc("cpu (default), cpu-baseline, cpu-avx2, cpu-avx512, cpu-avx512-bf16, cpu-amx, sm_80, "
               "sm_86, sm_89, sm_90, sm_90a, sm_100a, sm_120a"),
      cl::value_desc("name"), cl::cat(category)};
  cl::opt<std::string> dumpDir{"dump-dir", cl::desc("write every stage into this directory"), cl::value_desc("dir"),
                               cl::cat(category)};
  cl::opt<std::string> overrideStage{"override-stage",
                                     cl::desc("go on from FILE after the stage 1-fused, 2-tile, 3-cpu.ll or 4-cpu.s"),
                                     cl::value_desc("stage=file"), cl::cat(category)};
  cl::opt<bool> timings{"stage-timings", cl::desc("print milliseconds by stage to stderr"), cl::cat(category)};
};
} // namespace

static int fail(const llvm::Twine &message) {
  llvm::errs() << toolName << ": " << message << "\n";
  return EXIT_FAILURE;
}

// Takes `--verify-each=N` out of the words: MLIR has a flag of this name that only knows true and false.
static int takeVerifyEach(int &argc, char **argv) {
  int count = 0, kept = 0;
  for (int i = 0; i < argc; ++i) {
    StringRef word = argv[i];
    int number = 0;
    if ((word.consume_front("--verify-each=") || word.consume_front("-verify-each=")) &&
        !word.getAsInteger(10, number)) {
      count = number;
      continue;
    }
    argv[kept++] = argv[i];
  }
  argc = kept;
  return count;
}

static std::optional<sattn::Stage> stageOf(StringRef emit) {
  return llvm::StringSwitch<std::optional<sattn::Stage>>(emit)
      .Case("pattern", sattn::Stage::Pattern)
      .Case("fused", sattn::Stage::Fused)
      .Case("tile", sattn::Stage::Tile)
      .Case("llvm", sattn::Stage::LlvmIr)
      .Cases({"asm", "ptx", "cubin"}, sattn::Stage::Assembly)
      .Cases({"bundle", "manifest"}, sattn::Stage::Artefact)
      .Default(std::nullopt);
}

// Reads `1-fused=FILE`.
static int readOverride(StringRef option, sattn::CompileRequest &request) {
  auto [stage, path] = option.split('=');
  request.overrideStage = sattn::parseStage(stage);
  if (!request.overrideStage || *request.overrideStage < sattn::Stage::Fused ||
      *request.overrideStage > sattn::Stage::Assembly)
    return fail("--override-stage takes 1-fused=FILE, 2-tile=FILE, 3-cpu.ll=FILE or 4-cpu.s=FILE, not '" + option +
                "'");
  std::string error;
  auto file = mlir::openInputFile(path, &error);
  if (!file)
    return fail(error);
  request.overrideText = file->getBuffer().str();
  return EXIT_SUCCESS;
}

// From PTX to machine code, by nvJitLink.
static bool finish(const sattn::CompileRequest &request, std::string &code, bool wantsTimings) {
  sattn::nvidia::NvJitLink linker;
  std::string cubin, problem;
  auto start = std::chrono::steady_clock::now();
  if (!linker.open(problem) || !linker.link(request.target, code, request.fileName, cubin, problem)) {
    fail("--emit=cubin: " + problem);
    return false;
  }
  if (wantsTimings)
    llvm::errs() << llvm::format(
                        "%8.2f ms  ",
                        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count())
                 << "nvJitLink\n";
  code = std::move(cubin);
  return true;
}

static int emit(const Options &options, const llvm::MemoryBuffer &source, StringRef output, int verifyEach,
                bool printsOp) {
  std::optional<sattn::Stage> stage = stageOf(options.emit);
  if (!stage)
    return fail("--emit takes pattern, fused, tile, llvm, asm, ptx, cubin, bundle or manifest, not '" + options.emit +
                "'");
  sattn::CompileRequest request;
  request.text = source.getBuffer().str();
  request.fileName = source.getBufferIdentifier().str();
  request.bind = options.bind;
  request.target = options.target;
  request.dumpDir = options.dumpDir;
  request.stopAfter = stage;
  request.printOps = printsOp;
  if (!options.overrideStage.empty() && readOverride(options.overrideStage, request) != EXIT_SUCCESS)
    return EXIT_FAILURE;
  if (verifyEach > 0)
    request.configure = [&](mlir::PassManager &manager) { sattn::installPassCheck(manager, verifyEach, request.bind); };
  // The linker inside the compiler resets every option of the process to its default.
  bool wantsManifest = StringRef(options.emit) == "manifest", wantsTimings = options.timings;
  bool wantsCubin = StringRef(options.emit) == "cubin";
  if (wantsCubin && !StringRef(request.target).starts_with("sm_"))
    return fail("--emit=cubin is for GPU targets, not '" + request.target + "'; give --target=sm_NN");
  sattn::CompileResult result = sattn::compile(request);
  llvm::errs() << result.diagnostics;
  if (wantsTimings)
    for (const auto &[name, milliseconds] : result.timings)
      llvm::errs() << llvm::format("%8.2f ms  ", milliseconds) << name << "\n";
  if (!result.ok)
    return EXIT_FAILURE;
  if (wantsCubin && !finish(request, result.output, wantsTimings))
    return EXIT_FAILURE;
  std::string error;
  auto file = mlir::openOutputFile(output, &error);
  if (!file)
    return fail(error);
  file->os() << (wantsManifest ? result.manifest + "\n" : result.output);
  file->keep();
  return EXIT_SUCCESS;
}

// A refusal is place, cause and remedy: MLIR's flag that adds the whole op is off unless given.
static cl::opt<bool> &printOpFlag() {
  mlir::registerMLIRContextCLOptions();
  return *static_cast<cl::opt<bool> *>(cl::getRegisteredOptions().lookup("mlir-print-op-on-diagnostic"));
}

// An empty pipeline is a choice, too.
static bool namesPipeline() {
  cl::Option *option = cl::getRegisteredOptions().lookup("pass-pipeline");
  return option && option->getNumOccurrences() != 0;
}

static int optimise(mlir::DialectRegistry &registry, std::unique_ptr<llvm::MemoryBuffer> source, StringRef output,
                    mlir::MlirOptMainConfig config, const Options &options, int verifyEach) {
  StringRef name = source->getBufferIdentifier();
  auto report = [&](unsigned line, unsigned column, const llvm::Twine &message) {
    llvm::errs() << name << ":" << line << ":" << column << ": error: " << message << "\n";
  };
  if (failed(sattn::checkSourceLimits(source->getBuffer(), report)))
    return EXIT_FAILURE;
  std::string error;
  auto file = mlir::openOutputFile(output, &error);
  if (!file)
    return fail(error);
  config.setPassPipelineSetupFn(
      [given = config, &options, verifyEach](mlir::PassManager &manager) -> llvm::LogicalResult {
        if (verifyEach > 0)
          sattn::installPassCheck(manager, verifyEach, options.bind);
        llvm::LogicalResult built = given.setupPassPipeline(manager);
        if (succeeded(built) && manager.empty() && !namesPipeline())
          sattn::buildProofs(manager, options.bind);
        return built;
      });
  if (failed(mlir::MlirOptMain(file->os(), std::move(source), registry, config)) || sattn::passCheckFailures() != 0)
    return EXIT_FAILURE;
  file->keep();
  return EXIT_SUCCESS;
}

// Puts the files of the pattern's functions into its text.
static bool embedSources(std::unique_ptr<llvm::MemoryBuffer> &source, std::string &error) {
  StringRef folder = llvm::sys::path::parent_path(source->getBufferIdentifier());
  std::string text = sattn::embedSources(source->getBuffer(), [&](const std::string &name) {
    llvm::SmallString<128> path(folder);
    if (llvm::sys::path::is_absolute(name))
      path.clear();
    llvm::sys::path::append(path, name);
    auto file = mlir::openInputFile(path, &error);
    return file ? file->getBuffer().str() : "";
  });
  if (text.size() != source->getBufferSize())
    source = llvm::MemoryBuffer::getMemBufferCopy(text, source->getBufferIdentifier());
  return error.empty();
}

static int run(int argc, char **argv) {
  int verifyEach = takeVerifyEach(argc, argv);
  Options options;
  mlir::DialectRegistry registry;
  sattn::registerPatternDialect(registry);
  sattn::registerTileDialect(registry);
  registry
      .insert<mlir::affine::AffineDialect, mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::scf::SCFDialect>();
  mlir::registerTransformsPasses();
  sattn::registerSattnPasses();
  sattn::registerTilePipeline();

  cl::opt<bool> &printsOp = printOpFlag();
  printsOp.setInitialValue(false);
  auto [input, output] = mlir::registerAndParseCLIOptions(argc, argv, overview, registry);
  auto config = mlir::MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, input, output, registry));

  std::string error;
  auto source = mlir::openInputFile(input, &error);
  if (!source || !embedSources(source, error))
    return fail(error);
  return options.emit.empty() ? optimise(registry, std::move(source), output, config, options, verifyEach)
                              : emit(options, *source, output, verifyEach, printsOp);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  int status = EXIT_FAILURE;
  llvm::thread worker(stackBytes, [&] { status = run(argc, argv); });
  worker.join();
  return status;
}

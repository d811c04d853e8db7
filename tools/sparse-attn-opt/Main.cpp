// sparse-attn-opt: mlir-opt for patterns. The limits of a text are checked before MLIR's parser sees it.
#include "dialects/pattern/Pattern.h"
#include "dialects/pattern/SourceLimits.h"
#include "dialects/tile/Tile.h"
#include "lib/transforms/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

static constexpr llvm::StringRef toolName = "sparse-attn-opt";

static int fail(const llvm::Twine &message) {
  llvm::errs() << toolName << ": " << message << "\n";
  return EXIT_FAILURE;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  mlir::DialectRegistry registry;
  sattn::registerPatternDialect(registry);
  sattn::registerTileDialect(registry);
  registry.insert<mlir::affine::AffineDialect, mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::scf::SCFDialect>();
  mlir::registerTransformsPasses();
  sattn::registerSattnPasses();
  sattn::registerTilePipeline();

  auto [input, output] =
      mlir::registerAndParseCLIOptions(argc, argv, "compiler of sparse attention patterns\n", registry);
  auto config = mlir::MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, input, output, registry));

  std::string error;
  auto source = mlir::openInputFile(input, &error);
  if (!source)
    return fail(error);
  auto name = source->getBufferIdentifier();
  auto report = [&](unsigned line, unsigned column, const llvm::Twine &message) {
    llvm::errs() << name << ":" << line << ":" << column << ": error: " << message << "\n";
  };
  if (failed(sattn::checkSourceLimits(source->getBuffer(), report)))
    return EXIT_FAILURE;
  auto file = mlir::openOutputFile(output, &error);
  if (!file)
    return fail(error);
  if (failed(mlir::MlirOptMain(file->os(), std::move(source), registry, config)))
    return EXIT_FAILURE;
  file->keep();
  return EXIT_SUCCESS;
}

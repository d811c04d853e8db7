// The passes from a pattern to a tile program, in order.
#include "lib/transforms/Passes.h"
#include "lib/transforms/TargetText.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace sattn {

static void checkStage(mlir::OpPassManager &manager, CheckedStage stage, StringRef target = "") {
  manager.addPass(createSattnCheckStage({stage, target.str()}));
}

void buildProofs(mlir::OpPassManager &manager, StringRef bind) {
  manager.addNestedPass<PatternOp>(createSattnVerifyCausal({bind.str()}));
  manager.addNestedPass<PatternOp>(createSattnVerifyDisjoint({bind.str()}));
}

void buildFusedPipeline(mlir::OpPassManager &manager, StringRef bind) {
  checkStage(manager, CheckedStage::Pattern);
  manager.addNestedPass<PatternOp>(createSattnSpecialize({bind.str()}));
  buildProofs(manager);
  manager.addNestedPass<PatternOp>(createSattnNormalizeSets());
  manager.addNestedPass<PatternOp>(mlir::createCSEPass());
  checkStage(manager, CheckedStage::Fused);
}

void buildTilePasses(mlir::OpPassManager &manager, StringRef target) {
  manager.addNestedPass<PatternOp>(createSattnChooseDataflow({target.str()}));
  checkStage(manager, CheckedStage::Planned);
  manager.addPass(createSattnToTile({target.str()}));
  manager.addPass(mlir::createCanonicalizerPass());
  manager.addPass(mlir::createCSEPass());
  checkStage(manager, CheckedStage::Tile, target);
}

void buildTilePipeline(mlir::OpPassManager &manager, const TargetInfo &target, StringRef bind) {
  buildFusedPipeline(manager, bind);
  buildTilePasses(manager, targetText(target));
}

namespace {
struct TilePipelineOptions : mlir::PassPipelineOptions<TilePipelineOptions> {
  Option<std::string> bind{*this, "bind", llvm::cl::desc("as of sattn-specialize")};
  Option<std::string> target{*this, "target", llvm::cl::desc("as of sattn-to-tile")};
};
} // namespace

void registerTilePipeline() {
  mlir::PassPipelineRegistration<TilePipelineOptions>(
      "sattn-tile-pipeline", "from a pattern to a tile program",
      [](mlir::OpPassManager &manager, const TilePipelineOptions &options) {
        buildFusedPipeline(manager, options.bind);
        buildTilePasses(manager, options.target);
      });
}

} // namespace sattn

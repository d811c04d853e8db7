// sparse-attn-opt: mlir-opt for patterns. Limits on the text are checked before MLIR's parser sees it.
#include "dialects/pattern/Pattern.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  sattn::registerPatternDialect(registry);
  mlir::registerTransformsPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "sattn pattern compiler\n", registry));
}

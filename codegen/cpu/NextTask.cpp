// Rows of memory that the thread's next task will read and write, asked for while this one computes: tiles of
// neighbouring rows follow each other in a launch, but rows of one head lie a page apart, where the processor does not
// look ahead.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;

// Whether launches of the kernel walk down the row tiles, grid axis x, or up.
static bool descends(tile::KernelOp kernel) {
  bool result = false;
  kernel->getParentOfType<tile::ProgramOp>().walk([&](tile::LaunchOp launch) {
    if (launch.getKernel() == kernel.getSymName() && launch.getOrder())
      result |= llvm::is_contained(launch.getOrder()->getAsValueRange<mlir::StringAttr>(), "-x");
  });
  return result;
}

// Of a tile that each task moves once. A next tile that another thread takes, or that does not exist, costs the
// prefetches alone. Several heads of a position lie side by side, and there the processor looks ahead itself.
void Lowering::prefetchNextTask(Operation *op, const RowSource &source, Code::Use use) {
  constexpr int64_t fewestRows = 32;
  const View &view = source.view;
  if (op->getParentOp() != kernel || source.ids || view.pages || view.isPrivate || view.type.getGroup() != 1 ||
      source.rows < fewestRows || Code::known(source.position))
    return;
  Value first = c.add(source.position, descends(kernel) ? -source.rows : source.rows);
  Ptr rows = c.at(view.base, c.mul(first, view.positionBytes));
  c.loop(0, source.rows, 1, [&](Value row) {
    Ptr from = c.at(rows, c.mul(row, view.positionBytes));
    c.prefetchRow(from, view.type.getInner() * view.elementBytes(), Code::Cache::Next, use);
  });
}

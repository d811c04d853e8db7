// Reductions of tiles: over the columns of each row, and over the heads of each position.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;

LogicalResult Lowering::lower(tile::ReduceOp op) {
  if (op.getOver() != "cols")
    return unsupported(op, "reductions over heads");
  bool isMax = op.getKind() == "max";
  TileValue source = tile(op.getTile());
  Panels to = newPanels(op.getResult().getType());
  LogicalResult status = forPanelGroups(to.count(), [&](int64_t panel, int64_t panels) -> LogicalResult {
    Values start(panels, isMax ? c.minusInf() : c.zero());
    auto total = forStrips(source, op.getTile().getType().getCols(), panel, panels, start,
                           [&](Strips &strips, ValueRange carried) {
                             Values sums(carried);
                             for (const Values &column : strips.at)
                               for (auto [q, strip] : llvm::enumerate(column))
                                 sums[q] = isMax ? c.maxNan(strip, sums[q]) : c.addf(sums[q], strip);
                             return FailureOr<Values>(sums);
                           });
    if (failed(total))
      return failure();
    for (auto [q, strip] : llvm::enumerate(*total))
      c.storeStrip(strip, to.at(panel + static_cast<int64_t>(q)));
    return success();
  });
  tile(op.getResult()) = {};
  tile(op.getResult()).panels = to;
  return status;
}

// The upstream structure that kernels may hold beside streams: scf.for and scf.if without results. Their bounds and
// conditions are the same for all threads of a block.
#include "codegen/gpu/Lowering.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

FailureOr<int64_t> Lowering::stepOf(scf::ForOp op) {
  auto step = Code::known(scalar(op.getStep()));
  if (!step || *step <= 0 || op.getNumResults() != 0)
    return unsupported(op, "loops that carry values or whose step is not a positive constant");
  return *step;
}

LogicalResult Lowering::lower(scf::ForOp op) {
  FailureOr<int64_t> step = stepOf(op);
  if (failed(step))
    return failure();
  int64_t mark = memory.mark();
  LogicalResult status = success();
  loopOnTurn(scalar(op.getLowerBound()), scalar(op.getUpperBound()), *step, [&](Value i) {
    scalars[op.getInductionVar()] = i;
    c.barrier(); // shared memory is free again
    status = lowerBody(*op.getBody());
  });
  memory.release(mark);
  return status;
}

LogicalResult Lowering::lower(scf::IfOp op) {
  if (op.getNumResults() != 0)
    return unsupported(op, "branches with results");
  int64_t mark = memory.mark();
  LogicalResult status = success();
  auto branch = [&](Region &region) {
    if (!region.empty() && succeeded(status))
      status = lowerBody(region.front());
  };
  branchOnTurn(scalar(op.getCondition()), [&] { branch(op.getThenRegion()); }, [&] { branch(op.getElseRegion()); });
  memory.release(mark);
  return status;
}

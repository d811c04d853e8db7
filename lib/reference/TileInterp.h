// Interprets tile programs in float64: every kernel and the launch plan, by the meaning that dialects/tile gives its
// ops. Element types do not round, layouts of prepared operands do not matter. For small shapes: nothing is fast here.
//
// The interpreter is hostile where the dialect leaves something undefined or promises that it does not matter:
//   - workspaces, private memory and results hold NaN until they are written, workspaces of a loop in each iteration;
//   - rows outside a view read as NaN where `poison` is set (the dialect says 0, but no live result may depend on it);
//   - a full tile whose mask would remove a live score is an error, as are two tasks that write one row;
//   - tasks of a launch run from the last to the first.
#pragma once
#include "dialects/tile/Tile.h"
#include "lib/reference/Interpreter.h"

namespace sattn::ref {

struct TileOptions {
  bool poison = true;
};

/// Runs `program`, which has the attributes `roles` and `results` as the lowering writes them, on `call`: the results
/// in their order. Params that are not given take the defaults of the attribute `params`. The call is taken to fit the
/// pattern the program was made from (interpret checks that); what the program itself does wrong is reported through
/// `emitError`, once. `call.rows` is refused: a program computes every row.
FailureOr<std::vector<Output>> interpretProgram(tile::ProgramOp program, const Call &call,
                                                llvm::function_ref<InFlightDiagnostic()> emitError,
                                                TileOptions options = {});

} // namespace sattn::ref

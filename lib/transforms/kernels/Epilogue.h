// What happens to the rows of a tile after its partial results are known: finalize, lse, merge, mix, and the stores of
// what the pattern yields.
#pragma once
#include "lib/transforms/kernels/Streams.h"

namespace sattn::lower {

/// Evaluates row-wise tensors of the pattern for the rows of one tile.
class Epilogue {
public:
  using PartialFn = std::function<FailureOr<SoftmaxState>(AccumulateOp)>;
  /// Tensors that another part of the kernel or another kernel makes; null where there is none.
  using TensorFn = std::function<Value(Value)>;

  /// `rows.first` is the row of the call.
  Epilogue(Task &task, Rows rows, PartialFn partial, TensorFn given)
      : task(task), k(task.k), rows(rows), partialOf(std::move(partial)), given(std::move(given)) {}

  /// A tile (rows x features) or a row vector.
  FailureOr<Value> tensor(Operation *user, Value value);
  /// Stores every row-wise result of the pattern.
  LogicalResult storeResults();

private:
  FailureOr<SoftmaxState> partial(Operation *user, Value value);
  FailureOr<SoftmaxState> reopen(ReopenOp op);
  FailureOr<Value> make(Operation *user, Value value);
  FailureOr<Value> mix(MixOp op);
  FailureOr<Value> tableLoad(MixOp op, ExprAttr load);
  FailureOr<Value> roleTile(Operation *user, Value role, std::optional<int64_t> column);
  FailureOr<Value> rowsOf(Operation *user, Value value);
  Value viewOfRows(const PlanRef &ref, AxisAttr head, std::optional<int64_t> column, bool repeat = false);

  Task &task;
  KernelBuilder &k;
  Rows rows;
  PartialFn partialOf;
  TensorFn given;
  llvm::DenseMap<Value, Value> tiles;
  llvm::DenseMap<Value, SoftmaxState> partials;
};

/// True for tensors made row by row from partial results: outputs, lse, mixtures.
bool isRowWise(Value tensor);
/// True for roles over single keys, numbers of them, and what is made of either.
bool isOfKeys(Value tensor);
/// How a yielded tensor is stored: outputs in the type of the queries they come from, lse and summaries in float32.
tile::ArgType resultType(Context &context, Value tensor);

} // namespace sattn::lower

// Writes the launch plan of a program: names of the call, then for each form its workspaces and the launches inside
// loops over waves. A form that a call does not take has no waves, and its workspaces are empty.
//
//   wave    as many (batch entry, unit of heads) pairs as keep the workspaces near TargetInfo.waveBytes
//   chunk   where workspaces grow with the query rows: as many rows as keep them near that bound too
//
// Sizes that kernels may ask for by name (KernelBuilder::size): axes of the call, `units` (of a batch entry),
// `first_pair` (of the wave), `first_row` and `rows` (of the chunk), `chunk` (query rows of all chunks but the last),
// and those of the form.
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

class PlanWriter {
public:
  explicit PlanWriter(ArrayRef<Context *> forms);
  void write();

  /// A size of the call; written once, at the top of the plan.
  Value dim(StringRef name);
  /// A named size: an axis or one of the sizes above, in the innermost loop that is being written.
  Value size(StringRef name);
  /// An integer param of the call.
  Value param(StringRef name) { return operand({PlanRef::Param, name.str(), index.b.getIndexType()}); }
  /// Size of an axis of the call.
  Value axisSize(AxisAttr axis);
  /// Query rows of a chunk, its last one included; pairs of the call and of the wave.
  Value chunkRows, pairs, wavePairs;

  IndexBuilder index;

private:
  Value operand(const PlanRef &ref);
  Value named(StringRef name, llvm::function_ref<Value(mlir::OpBuilder &)> make);
  Value bytesOf(const Workspace &workspace, Value rows);
  Value positionsOf(const Workspace &workspace, Value rows);
  Value headsOf(const Workspace &workspace);
  void writeForm();
  Value isTaken();
  void sizeWaves();
  void writeWorkspaces();
  void writeWave(Value wave);
  void writeLaunch(const Launch &launch);
  Value loop(Value count, llvm::function_ref<void(Value)> body);

  ArrayRef<Context *> forms;
  Context *context; ///< the form that is being written
  tile::PlanOp plan;
  Operation *lastName = nullptr; // names stand at the top, in the order of their first use
  llvm::StringMap<Value> names, sizes;
  Value taken; ///< 1 where the call takes the form, else 0; null: all calls do
  Value pairsPerWave, rowsPerChunk;
  bool anyWorkspace = false, anyChunk = false;
};

} // namespace sattn::lower

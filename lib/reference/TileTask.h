// One task of a kernel: runs the ops of the kernel's body in order. Each op family has a file: TileMemory, TileCompute,
// TileSelect; structure and scalars are in TileTask.cpp.
#pragma once
#include "dialects/tile/Tile.h"
#include "lib/reference/TileInterp.h"
#include "lib/reference/TileValues.h"

namespace sattn::ref {

class TileTask {
public:
  /// `number` tells the tasks of a launch apart.
  TileTask(int64_t number, TileOptions options, Errors &errors) : number(number), options(options), errors(errors) {}

  /// Runs `kernel` with `arguments`: its operands, then the grid coordinates.
  void run(tile::KernelOp kernel, ArrayRef<TileValue> arguments);

private:
  /// Runs a block up to its terminator and returns what that passes on.
  SmallVector<TileValue> run(mlir::Block &block, ArrayRef<TileValue> arguments);
  void run(Operation *op);
  void runScalar(Operation *op);
  void runLoop(Operation *op);
  void runIf(Operation *op);
  void runAffine(Operation *op);

  void run(tile::CountOp op);
  void run(tile::OfBatchOp op);
  void run(tile::CoverOp op);
  void run(tile::StreamOp op);
  void run(tile::StreamInverseOp op);

  void run(tile::SliceOp op);
  void run(tile::PrivateOp op);
  void run(tile::LoadOp op);
  void run(tile::StoreOp op);
  void run(tile::GatherOp op);
  void run(tile::ScatterOp op);
  void run(tile::GatherAtOp op);
  void run(tile::EntryOp op);
  void run(tile::FillOp op);
  void run(tile::LoadBlocksOp op);

  void run(tile::SplatOp op);
  void run(tile::IotaOp op);
  void run(tile::ColumnsOp op);
  void run(tile::HadamardOp op);
  void run(tile::DotOp op);
  void run(tile::MapOp op);
  void run(tile::MaskOp op);
  void run(tile::ChooseOp op);
  void run(tile::ReduceOp op);
  void run(tile::RowScanOp op);
  void run(tile::SoftmaxStepOp op);
  void run(tile::SoftmaxFinishOp op);
  void run(tile::MergeOp op);

  void run(tile::PoolOp op);
  void run(tile::TopInitOp op);
  void run(tile::TopPushOp op);
  void run(tile::TopMassOp op);
  void run(tile::TopListOp op);
  void run(tile::TopRowOp op);
  void run(tile::LengthOp op);
  void run(tile::MembersOp op);
  void run(tile::InvertOp op);

  /// What a row that does not exist reads as.
  double dead() const { return options.poison ? notWritten : 0.0; }
  /// Copies a row of memory into a row of a tile, or fills that with dead().
  void readRow(const View &view, int64_t position, int64_t head, Tile &tile, int64_t row);
  /// Writes a row of a tile where the row of memory exists; no other task of the launch may have written it.
  void writeRow(const View &view, int64_t position, int64_t head, const Tile &tile, int64_t row);
  SmallVector<int64_t> symbols(mlir::ValueRange values) const;

  int64_t number;
  TileOptions options;
  Errors &errors;
  Values values;
  /// Whether the enclosing stream is in a full tile; outside streams masks act.
  bool inFullTile = false;
};

} // namespace sattn::ref

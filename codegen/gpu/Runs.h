// The tiles of a cover in their order, as code: streams walk them (Stream.cpp), and so does the warp that copies tiles
// for a stream (Ring.cpp).
#pragma once
#include "codegen/gpu/Code.h"
#include "dialects/tile/Tile.h"
#include <limits>

namespace sattn::gpu {

/// No further tile.
inline constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

/// The runs of a cover: where to go next, and whether a tile is full.
class Runs {
public:
  Runs(Code &c, tile::CoverOp cover, llvm::function_ref<mlir::Value(mlir::Value)> scalar) : c(c) {
    for (size_t i = 0; i < cover.getLo().size(); ++i)
      runs.push_back({scalar(cover.getLo()[i]), scalar(cover.getHi()[i]), scalar(cover.getFullLo()[i]),
                      scalar(cover.getFullHi()[i])});
  }

  /// The first tile at or after `from`, or kEnd.
  mlir::Value next(mlir::Value from) {
    mlir::Value nearest;
    for (const Run &run : runs) {
      mlir::Value at = from ? c.max(run.low, from) : run.low;
      mlir::Value found = c.select(c.less(at, run.high), at, c.int64(kEnd));
      nearest = nearest ? c.min(nearest, found) : found;
    }
    return nearest ? nearest : c.int64(kEnd);
  }

  mlir::Value isFull(mlir::Value tile) {
    mlir::Value full;
    for (const Run &run : runs) {
      mlir::Value inside =
          c.andi(c.compareI(mlir::arith::CmpIPredicate::sle, run.fullLow, tile), c.less(tile, run.fullHigh));
      full = full ? c.ori(full, inside) : inside;
    }
    return full ? full : c.boolean(false);
  }

private:
  struct Run {
    mlir::Value low, high, fullLow, fullHigh;
  };
  Code &c;
  SmallVector<Run> runs;
};

} // namespace sattn::gpu

// The tiles of a cover in their order, as code: streams walk them (Stream.cpp), and so does the warp that copies tiles
// for a stream (Ring.cpp).
#pragma once
#include "codegen/gpu/Code.h"
#include "dialects/tile/Tile.h"
#include <array>
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

  /// Shared memory that they had better wait in: the bounds of many runs take the registers of a loop over tiles. 0
  /// where there are few.
  int64_t bytes() const { return runs.size() <= kMostHeld ? 0 : static_cast<int64_t>(runs.size()) * kRunBytes; }

  /// Writes them to `table`, of that size, from where they are read from now on. One thread does, before a barrier of
  /// all that read them.
  void store(mlir::Value to) {
    for (size_t i = 0; i < runs.size(); ++i)
      for (size_t k = 0; k < runs[i].size(); ++k)
        c.store(runs[i][k], placeOf(to, i, k), 8);
  }
  void readFrom(mlir::Value stored) { table = stored; }

  /// The first tile at or after `from`, or kEnd.
  mlir::Value next(mlir::Value from) {
    mlir::Value nearest;
    for (size_t i = 0; i < runs.size(); ++i) {
      mlir::Value low = bound(i, 0), at = from ? c.max(low, from) : low;
      mlir::Value found = c.select(c.less(at, bound(i, 1)), at, c.int64(kEnd));
      nearest = nearest ? c.min(nearest, found) : found;
    }
    return nearest ? nearest : c.int64(kEnd);
  }

  mlir::Value isFull(mlir::Value tile) {
    mlir::Value full;
    for (size_t i = 0; i < runs.size(); ++i) {
      mlir::Value inside =
          c.andi(c.compareI(mlir::arith::CmpIPredicate::sle, bound(i, 2), tile), c.less(tile, bound(i, 3)));
      full = full ? c.ori(full, inside) : inside;
    }
    return full ? full : c.boolean(false);
  }

private:
  static constexpr size_t kMostHeld = 4;
  static constexpr int64_t kRunBytes = 32;
  using Run = std::array<mlir::Value, 4>; ///< first tile, end, first full tile, end of these

  mlir::Value placeOf(mlir::Value from, size_t i, size_t k) {
    return c.at(from, static_cast<int64_t>(kRunBytes * i + 8 * k));
  }
  mlir::Value bound(size_t i, size_t k) { return table ? c.load(c.i64, placeOf(table, i, k), 8) : runs[i][k]; }

  Code &c;
  SmallVector<Run> runs;
  mlir::Value table; ///< null: they stand in registers
};

} // namespace sattn::gpu

// Loads of tables inside formulas of scores and sets: a table gives one number for each row, for each key, or one for
// all. It is then a row vector, a tile of one row, or a row vector of one number.
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

/// How the rows of a tile map to positions and query heads: row = (position, head) with the head fastest, or slowest if
/// `outer`. With `across` the rows are `positions` query heads of one position.
struct Rows {
  int64_t positions = 0, heads = 1;
  bool outer = false;
  Value first; ///< row of the call, or block of rows, of the tile's first row; counted within the lattice
  Lattice lattice;
  Value across = {};    ///< the row of the call; `first` is then the first query head
  int64_t keyHeads = 1; ///< heads of keys that share out the query heads

  int64_t count() const { return positions * heads; }
  mlir::AffineMap positionOf(MLIRContext *context) const;
};

/// Columns of a tile of scores.
struct Columns {
  int64_t count = 0;
  Value first;     ///< key or block, counted within the lattice
  Lattice lattice; ///< of the keys
};

/// The load of a role in a formula over rows `row` and keys `key`.
struct TableLoad {
  Value table;
  ExprAttr load;
  AxisAttr row, key;
};

/// What the numbers of a load differ by; Other is not compiled. Distances are t - s, of tables over keys.
enum class Along { Rows, Keys, Distances, Nothing, Other };
Along alongOf(Context &context, const TableLoad &load);
/// Whether tiles that hold `heads` query heads can read it: with a head for each of them, or one for all.
bool servesHeads(Context &context, const TableLoad &load, int64_t heads);

/// What a tile of its numbers holds: i32 or f32.
Type elementOf(Task &task, const TableLoad &load);
/// Of a load along rows or nothing, the row vector for `rows`. Tables over keys may be read at rows, as both are
/// positions; rows that no key stands at read 0.
Value loadForRows(Task &task, const Rows &rows, const TableLoad &load);
/// Of a load along distances, the tile of one row for `rows` rows of one head from position `first` on (SetLowering.h)
/// and `columns`: row r and column c have its number r - c + C - 1. Distances that no key has read 0.
Value loadForDistances(Task &task, int64_t rows, Value first, const Columns &columns, const TableLoad &load);
/// Of a load along keys, the tile of one row for `columns`; of all `rows`, where these have heads that it tells apart.
Value loadForColumns(Task &task, const Rows &rows, const Columns &columns, const TableLoad &load);

} // namespace sattn::lower

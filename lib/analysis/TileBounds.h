// Loop bounds and tile classes of a key set, by interval and congruence analysis of each disjunct: never by
// quantifier elimination, whose cost explodes with a symbolic offset, two moduli or an anchor.
//
// A tile is rows [first, last] times keys [j*BN, j*BN + BN), all absolute positions (or blocks, for sets over u or c).
// A run [lo, hi) of key tiles holds every tile in which one disjunct has a point: tiles outside all runs are EMPTY,
// proven. Tiles [fullLo, fullHi) of a run are FULL, proven: every (row, key) of theirs is in the set. All others are
// PARTIAL: the mask decides. Bounds are expressions of the tile's rows and of the set's symbols (BoundExpr.h).
#pragma once
#include "lib/analysis/BoundExpr.h"
#include "lib/analysis/QuasiAffine.h"

namespace sattn {

/// Rows of a tile that exist, both ends included; last >= first. A ragged last tile passes its clipped end, so dead
/// rows cost nothing.
struct RowTile {
  BoundExpr first, last;
};

/// Key tiles of `size` positions; keys outside [begin, end) do not exist.
struct KeyTiles {
  int64_t size;
  BoundExpr begin, end;
};

/// Tiles lo <= j < hi; fullLo <= j < fullHi are FULL, and lo <= fullLo, fullHi <= max(lo, hi) hold.
struct TileRun {
  BoundExpr lo, hi, fullLo, fullHi;
};

struct TileBounds {
  /// Runs may overlap: a tile of several runs is visited once and is FULL if any run says so. Runs beyond the first
  /// `ownRuns` only tell where several disjuncts fill a tile together; they lie inside the union of the others.
  SmallVector<TileRun, 4> runs;
  unsigned ownRuns = 0;
  /// Tiles inside a run may be EMPTY (FULL outside the full part), so that TileClass tells more than the run.
  bool emptyInside = false, fullInside = false;
};

/// Conditions (hold iff >= 0) on one tile; if `nonEmpty` fails the tile is EMPTY, if `full` holds it is FULL.
struct TileClass {
  BoundExpr nonEmpty, full;
};

/// Analyses one set for one tiling. Symbols of the set appear under their names with range +-2^40 (sizes from 0).
/// Cost: microseconds per atom; at most 64 disjuncts of at most 128 atoms.
class TileAnalysis {
public:
  TileAnalysis(BoundPool &pool, quasi::Set set, RowTile rows, KeyTiles keys);

  TileBounds bounds();
  TileClass classOf(BoundExpr j);

private:
  BoundPool &pool;
  quasi::Set set; // own copy: the analysis builds forms in it
  RowTile rows;
  KeyTiles keys;
  SmallVector<quasi::Conjunction, 4> joint; // what pairs of disjuncts cover together; used for FULL only
};

} // namespace sattn

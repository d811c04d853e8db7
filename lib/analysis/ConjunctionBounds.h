// The analysis of one conjunction over one tiling; TileBounds.h joins the conjunctions of a set.
//
// Two questions, one machinery. "Which keys can any row of the tile see?" weakens every atom to a bound that each of
// its points obeys (Mode::Exists); "which keys does every row see?" strengthens it to one that suffices (ForAll).
// Both end in bounds row*t + key*s + rest >= 0 with a run-time `rest`, which are solved for s at the worst row.
#pragma once
#include "lib/analysis/TileBounds.h"

namespace sattn {

struct Interval {
  BoundExpr lo, hi; // null: unbounded
};

class ConjunctionBounds {
public:
  /// `set` is only extended (new forms), never changed in what it holds.
  ConjunctionBounds(BoundPool &pool, quasi::Set &set, ArrayRef<quasi::Atom> atoms, RowTile rows, KeyTiles keys);

  TileRun run();
  TileClass classOf(BoundExpr j);
  /// Valid after run(): could classOf tell more than the run?
  bool hasHoles = false, hasFullIslands = false;

private:
  enum class Mode { Exists, ForAll };
  /// row * t + key * s + rest >= 0.
  struct LinearBound {
    int64_t row, key;
    BoundExpr rest;
  };

  std::optional<LinearBound> linearise(const quasi::Form &form, BoundExpr extra, Mode mode);
  std::optional<LinearBound> relaxDivisions(const LinearBound &bound, ArrayRef<quasi::Monomial> divisions, Mode mode);
  void addExists(const quasi::Form &form);
  void refineRows();
  void eliminateRow();
  /// The condition that some key of [lo, hi] can be visible, with lo and hi narrowed to such keys.
  BoundExpr narrowKeys(BoundExpr &lo, BoundExpr &hi);
  void solveForAll(TileRun &run);
  Interval rangeOf(const quasi::Form &form, Interval row, Interval key, bool useSiblings);
  void narrowBySiblings(const quasi::Form &form, Interval &range);
  Interval rangeOfLocal(const quasi::LocalTerm &local, Interval row, Interval key, bool useSiblings);
  BoundExpr uniform(quasi::Var symbol);
  BoundExpr atRow(int64_t coeff, bool largest, Interval row);
  /// No two neighbouring keys satisfy the atom, so no tile of two keys is full.
  bool isNeverFull(const quasi::Atom &atom) const;

  BoundPool &pool;
  quasi::Set &set;
  ArrayRef<quasi::Atom> atoms;
  RowTile rows;
  KeyTiles keys;
  Interval liveRows;                       // rows that the row-only atoms leave, for Mode::Exists
  SmallVector<LinearBound, 8> exists;      // necessary bounds
  SmallVector<LinearBound, 8> existsByKey; // the same without the row
};

} // namespace sattn

// Key sets inside a kernel: the tiles to visit, and the predicate of partial tiles.
//
// A set is first moved to the coordinates of a task (Context.h): with o = kv_offset, t = t' + o and s = s' + o; for
// blocks of stride d, c = c' + o/d. Differences of positions keep their form, so most sets do not mention offsets at
// all. The symbols that appear are `kv_offset`, `kv_offset/d`, and `q_offset/l` for blocks of rows; seen from the keys,
// where rows are counted from the first of the call, `q_offset` too.
#pragma once
#include "lib/analysis/Congruence.h"
#include "lib/transforms/kernels/RandomSet.h"

namespace sattn::lower {

/// Rows of a tile in the set's own row coordinate: the first, and how many follow it (0 or more).
struct RowRange {
  Value first, further;
};

/// Bounds of one run of key tiles (tile.cover).
struct RunValues {
  Value lo, hi, fullLo, fullHi;
};

/// Sets of `tile.mask` and `tile.top_push`.
struct Predicate {
  mlir::ArrayAttr sets;
  SmallVector<Value> symbols;
  /// Loads that are further dims, and their numbers for the rows at hand; null: one for each key, or
  /// each distance.
  SmallVector<TableLoad> loads;
  SmallVector<Value> numbers;
};

/// A predicate over (row, slot) of a list of `length` slots from one over (t, s): the slot exists, and `row` and `key`,
/// of `dims` dims with the numbers of tables, stand for t and s.
Predicate atSlots(Predicate predicate, Value length, mlir::AffineExpr row, mlir::AffineExpr key, unsigned dims);

class LocalSet {
public:
  /// Fails with a diagnostic at `op` where numbers leave the limits of lib/analysis. A congruence that the set implies
  /// moves it to one class of residues: t' = m * i + shift + r and s' = m * j + r, with i and j as coordinates and r
  /// the symbol `keyResidue` of the task.
  static FailureOr<LocalSet> make(Operation *op, KeySetAttr set, Congruence congruence = {}, ValueRange tables = {});
  /// Random blocks, of which only those keys count that are in `within`; with the keys of `set` beside them. Both may
  /// be null.
  static FailureOr<LocalSet> make(Operation *op, const RandomSet &random, KeySetAttr within, KeySetAttr set);
  /// What lies in all of `sets`, over single rows and keys, seen from the keys: rows of the result are keys, and its
  /// keys the query rows of the call, counted from 0.
  static FailureOr<LocalSet> byKeys(Operation *op, ArrayRef<KeySetAttr> sets);
  static constexpr const char *keyResidue = "key residue";

  AxisAttr row, key;

  /// The key tiles that `rows` may see among keys [0, end), as runs.
  SmallVector<RunValues> runs(Task &task, RowRange rows, int64_t tile, Value end) const;
  /// The i1 value of "some (row, key) of these rows and of key tile `j` is not in the set".
  Value notFull(Task &task, RowRange rows, int64_t tile, Value j, Value end) const;
  /// The i1 value of "some (row, key) of these rows and of key tile `j` may be in the set".
  Value nonEmpty(Task &task, RowRange rows, int64_t tile, Value j, Value end) const;
  /// The set cut to keys below `end`; without `end` (null) the set alone. Sets that read tables are asked for `rows`;
  /// without them the numbers of rows are the caller's to add.
  Predicate predicate(Task &task, Value end, const Rows *rows = nullptr) const;
  /// True if the set mentions a query head, so that heads of one task differ.
  bool mentionsQueryHead() const;
  /// Loads of tables, of which the tiles to visit know nothing: a tile that they decide on is partial.
  llvm::MapVector<StringRef, TableLoad> loads;
  /// Random blocks, whose symbols must be defined before any question is asked.
  std::optional<RandomSet> random;

private:
  static FailureOr<LocalSet> moved(Operation *op, const quasi::Set &absolute, AxisAttr row, AxisAttr key,
                                   Congruence congruence);
  LogicalResult import(Operation *op, const quasi::Set &absolute, const std::optional<quasi::Form> &row,
                       const std::optional<quasi::Form> &key);
  quasi::Set set;
};

/// A cover of runs.
Value coverOf(Task &task, ArrayRef<RunValues> runs);

} // namespace sattn::lower

// Operands of dots as kernels read them: keys and values in the target's layouts, and summaries. Each is made once for
// a wave by a kernel of its own.
#pragma once
#include "lib/transforms/kernels/SetLowering.h"

namespace sattn::lower {

/// Keys or values, one row for each token or block.
struct KeyOperand {
  PlanRef ref;
  std::optional<PlanRef> least; ///< of a pair of extremes: the minima; `ref` holds the maxima
  bool isWorkspace = true;      ///< counts pairs and heads of a unit, else batch entries and heads
  AxisAttr axis;                ///< s or c, `ragged` as its blocks are
  AxisAttr head;
  int64_t features = 0;
  int64_t tile = 0;  ///< keys of a tile
  int64_t every = 1; ///< more: by residue classes, see Workspace
  Value countedFrom; ///< the role whose stored blocks say how many exist; null: from the length of the keys
};

/// Keys of a role, which kernels read where they lie.
KeyOperand storedKeys(Context &context, Value role, int64_t tile);

/// Queries: rows that kernels load and scale themselves.
struct RowOperand {
  PlanRef ref;
  bool isWorkspace = false;
  AxisAttr axis; ///< t or u
  AxisAttr head;
  int64_t features = 0;
};

class Preparer {
public:
  explicit Preparer(Context &context) : context(context) {}

  enum class Use { Keys, Values, Left };
  /// The right operand of `dot nt` (Keys) or `dot nn` (Values), or the left one of a dot (Left), for tiles of `tile`
  /// rows, by residue classes of `every`.
  FailureOr<KeyOperand> keys(Operation *user, Value tensor, Use use, int64_t tile, int64_t every = 1);
  FailureOr<RowOperand> rows(Operation *user, Value tensor);
  /// From here on keys are packed only where one of these sets may see them from some row of the call.
  void restrictTo(std::vector<LocalSet> sets) { seen = std::move(sets); }
  /// Writes a summary that the pattern yields.
  LogicalResult result(Operation *user, Value tensor, StringRef name);

private:
  using Key = std::tuple<void *, Use, int64_t, int64_t>;
  FailureOr<Value> source(Operation *user, Value tensor, SummarizeOp &summary);
  /// The target's layout for a use; none (width 0) where operands stay as they are stored.
  PanelLayout wantedFor(Use use) const;
  tile::ArgType layoutFor(Use use, int64_t features, int64_t tile);
  /// Where a kernel loads from: a role, or the tensors of a kept summary.
  struct Source {
    SmallVector<PlanRef, 2> refs;
    AxisAttr head, position;
    Value role; ///< null: kept tensors
  };
  Source sourceOf(Value role) const;
  /// A kernel that loads tiles of `rows` rows and stores them with `store`; of a pair of extremes both.
  void transfer(StringRef name, const Source &source, SummarizeOp summary, Value made, AxisAttr axis, int64_t rows,
                int64_t every, llvm::function_ref<void(Task &, ArrayRef<Value> tiles, Value position)> store);
  /// The i1 value of "some row of the call may see a key of this tile"; null where all keys are packed.
  Value anySees(Task &task, Value tile, int64_t rows, Value end) const;
  /// A kernel that extends what the caller keeps of a summary, and the source to read it from.
  Source extended(SummarizeOp summary);
  /// The tiles of a summary: one, or maxima and minima.
  SmallVector<Value, 2> blocks(KernelBuilder &k, Value view, Value first, SummarizeOp summary, AxisAttr axis,
                               tile::TileType type);

  Context &context;
  std::vector<LocalSet> seen;
  std::map<Key, KeyOperand> made;
  llvm::DenseMap<Value, RowOperand> madeRows;
  llvm::DenseMap<Operation *, Source> keptSources;
};

/// Number of rows of a key operand that exist.
Value keyCountOf(Task &task, const KeyOperand &operand);
/// The rows that a task's heads read, or those in `lattice`.
Value viewOf(Task &task, const KeyOperand &operand, Lattice lattice = {}, int64_t heads = 1);
/// Of a pair of extremes: the minima, else null.
Value leastOf(Task &task, const KeyOperand &operand);

} // namespace sattn::lower

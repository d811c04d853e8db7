// Tiles of scores and the online softmax over a cover: what every attention kernel does inside.
#pragma once
#include "lib/transforms/kernels/Places.h"
#include "lib/transforms/kernels/Prepare.h"
#include "lib/transforms/kernels/SetLowering.h"

namespace sattn::lower {

/// A score as kernels compute it: one dot product, then element-wise maps.
struct ScoreChain {
  ScoreOp score;
  SmallVector<MapOp, 1> maps;
  bool ranks = false; ///< its probabilities choose: equal products must stay equal, so nothing is folded into queries
};
/// The chain that ends in `z`; refuses what is not compiled for tiles of one query head.
FailureOr<ScoreChain> scoreChain(Context &context, Operation *user, Value z);
/// Refuses what is not compiled for tiles of `heads` query heads.
LogicalResult checkHeads(Context &context, const ScoreChain &chain, int64_t heads);

/// Rows of queries with what may be folded into them.
struct QueryTile {
  Value tile;
  bool scaled = false; ///< the scale is folded in
  bool base2 = false;  ///< log2(e) too
  Value negative{};    ///< of a score by bounds: min(q, 0), while `tile` is max(q, 0)
  RowValues values{};  ///< of the maps of the score
};

/// Scores for the softmax are in base 2, those that rank are the score itself.
enum class ScoreUnit { Base2, Plain };

/// Loads the queries of `rows`. Tasks whose rows are counted within a chunk pass that as `rows.first`.
QueryTile loadQueries(Task &task, const Rows &rows, const RowOperand &queries, const ScoreChain &chain, ScoreUnit unit);
/// The same for a tile that was loaded already.
QueryTile scaleQueries(Task &task, Value tile, const ScoreChain &chain, ScoreUnit unit);
/// Scores of a tile of queries and a tile of keys, which stand at `rows` and from `firstKey` of `keyLattice` on. A
/// score by bounds is max(q, 0) . `keys` + min(q, 0) . `least`, the most that q . k can be between these extremes.
Value scoreTile(Task &task, const Rows &rows, const QueryTile &queries, Value keys, Value firstKey,
                const ScoreChain &chain, ScoreUnit unit, Lattice keyLattice = {}, Value least = {});

/// Running state of a softmax.
struct SoftmaxState {
  Value m, l, acc;
};
SoftmaxState emptyState(Task &task, int64_t rows, int64_t features);
/// One step of the online softmax: `scores` in base 2, -inf where they are hidden, and the values of their keys.
SoftmaxState softmaxStep(KernelBuilder &k, Value scores, Value values, const SoftmaxState &state, int64_t keyHeads = 1);
/// That of the keys of both, which must not share any.
SoftmaxState mergeStates(KernelBuilder &k, const SoftmaxState &a, const SoftmaxState &b);
/// sum + weight * acc / l; rows that saw no key add nothing. The weight is one for each row, or a scalar.
Value addWeighted(KernelBuilder &k, Value sum, const SoftmaxState &state, Value weight);

/// The blocks that rows chose, as bits: for each row of a chunk and head of `head` one word for each key tile, or for
/// each block where a block is more than a tile (sattn_tile.members).
struct ChosenBlocks {
  PlanRef words;
  AxisAttr head;
  int64_t block = 0, perWord = 1; ///< keys of a block, blocks of a word
  int64_t rowTile = 0;            ///< rows of a chunk are padded to a multiple of it
  bool others = false;            ///< those that they did not choose are meant
};

/// One branch of attention over a formula, or over the blocks among its keys that rows chose, or did not choose.
struct RangeBranch {
  ScoreChain chain;
  KeyOperand keys, values;
  bool valuesAreKeys = false; ///< the first features of the keys
  LocalSet set;
  /// Of a class of residues: where its keys begin, how many exist, and where they stand; null: all keys.
  Value firstKey, end;
  Lattice lattice;
  std::optional<ChosenBlocks> chosen = std::nullopt;
};
/// A part of a cover: of `count` equal ones of at least `leastTiles` tiles the one with this number.
struct KeySplit {
  Value number, count;
  int64_t leastTiles;
};
/// Streams the branch over its cover, or a part of it, for `rows`, which stand at `range`.
SoftmaxState streamRange(Task &task, const Rows &rows, RowRange range, const QueryTile &queries,
                         const RangeBranch &branch, const KeySplit *split = nullptr);

/// Where the existing rows of `rows` stand; at least the first must exist.
RowRange rangeOf(Task &task, const Rows &rows, AxisAttr axis);

/// A loop over the tiles of `cover`; `body` gets the tile number and the carried values and gives the next ones.
SmallVector<Value> stream(KernelBuilder &k, Value cover, ValueRange inits,
                          llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);

/// `mask` of a tile of scores whose rows stand at positions `row` + rowMap.
Value maskTile(Task &task, Value scores, Value row, mlir::AffineMap rowMap, Value column, const Predicate &predicate,
               Value when = {}, Value ids = {});

} // namespace sattn::lower

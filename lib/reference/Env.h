// The state of one interpreted call, in two classes.
//
//   Env   sizes and params (Binding), and the tensors that exist as a whole: roles, summaries, codes, votes.
//   Row   one query row (or block of rows, or gathered row) of one batch entry: its key sets, scores, selections,
//         partial results and outputs, each computed when first asked for and kept as long as the row.
//
// So nothing of size T x S is ever made. Each op family has a file: Sets, Select, Scores, Partials, Outputs (methods
// of Row), Tensors, Votes (methods of Env). All positions and block numbers are absolute; only `Tensor` knows where
// its first position is stored.
#pragma once
#include "dialects/pattern/Facts.h"
#include "lib/reference/Binding.h"
#include "lib/reference/Partials.h"
#include "llvm/ADT/DenseMap.h"
#include <map>
#include <memory>

namespace sattn::ref {

/// Ascending absolute numbers of columns: token positions, or numbers of key blocks.
using Keys = std::vector<int64_t>;

/// A tensor that exists as a whole.
struct Tensor {
  /// The numbers: those of the call for a role, which may be large, else own ones.
  const Array &data() const { return role ? *role : own; }
  const Array *role = nullptr;
  Array own;
  SmallVector<AxisAttr> axes; // without the batch axis
  bool batched = false;
  /// Axes along which `Env::features` walks: the first position axis and the head axis; -1 where there is none.
  int positionAxis = -1, headAxis = -1;
  /// Numbers that belong to one position and head: features, gates, or 1. They are contiguous.
  int64_t width = 1;
  /// Keys and blocks of keys: what one position stands for, and whether an incomplete last block exists.
  Blocks blocks;
  bool ragged = false;

  /// Features of the position stored at `local`, head `head` of its heads.
  ArrayRef<double> features(int64_t b, int64_t local, int64_t head) const;
  /// The same, to be written; not of a role.
  double *place(int64_t b, int64_t local, int64_t head);
  int64_t heads() const { return headAxis < 0 ? 1 : data().shape[headAxis + batched]; }
  int64_t positions() const { return positionAxis < 0 ? 1 : data().shape[positionAxis + batched]; }
};

/// Columns of a score: their blocks, and whether an incomplete last block is one of them.
struct Columns {
  Blocks blocks;
  bool ragged = false;
};

class Row;

class Env {
public:
  Env(PatternOp pattern, PatternFacts facts, const Call &call, const Binding &binding, Errors &errors);
  ~Env();

  const Binding &binding() const { return bound; }
  /// Marks the call as failed and reports why; only the first error of a call is shown.
  InFlightDiagnostic error() { return report.fail(); }
  double number(ExprAttr expr) { return bound.number(expr, report); }
  int64_t integer(ExprAttr expr) { return bound.integer(expr, report); }
  double massShift() const { return call.massShift; }
  /// Scores of one row, all of one softmax.
  void noteScores(ArrayRef<double> z) const;

  //===-- Shapes.cpp: what a value is.
  const Facts &facts(Value value) { return known.of(value); }
  /// True for tensors made row by row: outputs, weights, lse.
  bool isRowWise(Value tensor);
  /// The axis that rows come from: of a score or set, or the position axis of a tensor.
  AxisAttr rowAxis(Value value);
  /// The head axis of any value; null where it has none.
  AxisAttr headAxis(Value value);
  /// Heads along that axis; for a set the number of heads that it tells apart.
  int64_t headCount(Value value);
  /// Size of a head, feature or fixed axis.
  int64_t extent(AxisAttr axis);
  /// Numbers for each row and head of a tensor or partial.
  int64_t width(Value value);
  Columns columns(Value score);
  /// Columns that a set speaks of.
  Blocks unit(Value set);
  /// Rows of a score, set or row-wise tensor: single rows, or blocks of them.
  Blocks rowUnit(Value value);
  /// Query rows, blocks of rows, or gathered rows that a value has.
  int64_t rowCount(Value value);
  /// Refuses to let `value`, made for `n` heads, be read by `count` heads that `n` does not divide.
  bool checkHeads(Value value, int64_t n, int64_t count);
  /// Refuses tensors over blocks of rows where a block of positions does not begin with a row of the call.
  bool checkRowBlocks(Blocks blocks);

  //===-- Columns that exist.
  int64_t firstColumn(Blocks blocks, int64_t b);
  int64_t columnCount(Columns columns, int64_t b);

  //===-- Tensors.cpp, Votes.cpp: whole tensors, made once.
  /// The value as a whole, also where it is made row by row.
  const Tensor &tensor(Value value);
  /// Positions chosen for one head (of headCount(rows)), ascending.
  const Keys &rows(Value rows, int64_t b, int64_t head);
  /// Features of the key or block `id` of a tensor over keys, for `head`.
  ArrayRef<double> keyFeatures(Value tensor, int64_t b, int64_t id, Head head);
  /// One element of a table; positions absolute. Reports an index that the table does not have.
  double element(Value table, int64_t b, ArrayRef<int64_t> index);

  /// The formula of an op with its names bound, made once.
  const Formula &formula(Operation *op);
  /// The block of rows that holds row `row`; consecutive rows share it.
  std::shared_ptr<Row> blockOf(int64_t b, Blocks blocks, int64_t row);

private:
  Tensor make(Value value);
  Tensor makeRole(mlir::BlockArgument role);
  Tensor makeRowWise(Value value);
  Tensor make(SummarizeOp op);
  Tensor make(EncodeOp op);
  Tensor make(PrefixOp op);
  Tensor make(GatherOp op);
  Tensor make(ScatterOp op);
  Tensor make(ColsumOp op);
  Tensor make(SmoothOp op);
  Tensor make(MixOp op);
  std::vector<Keys> route(RouteOp op);
  /// The tensor that `value` is, with `positions` of them, filled with 0.
  Tensor blank(Value value, int64_t positions);
  /// Absolute number of what a position axis stores first, in batch entry b.
  int64_t axisOffset(AxisAttr axis, int64_t b);

  PatternOp pattern;
  PatternFacts known;
  const Call &call;
  const Binding &bound;
  Errors &report;
  llvm::DenseMap<Value, std::unique_ptr<Tensor>> tensors;
  llvm::DenseMap<Value, std::vector<Keys>> chosenRows;
  llvm::DenseMap<Operation *, std::unique_ptr<Formula>> formulas;
  std::map<std::pair<int64_t, int64_t>, std::shared_ptr<Row>> blockRows; // the last one for each (b, length)
};

/// One query row of one batch entry; or a block of rows (`unit`), or a gathered row (`gathered`).
class Row {
public:
  Row(Env &env, int64_t batch, int64_t index, Blocks unit = {}, Value gathered = {})
      : env(env), b(batch), index(index), unit(unit), gathered(gathered) {}

  /// Which of the rows, blocks or gathered rows of the call this is.
  int64_t number() const { return index; }

  //===-- Outputs.cpp: row-wise tensors.
  /// Numbers of this row of a tensor over rows, for `head`.
  ArrayRef<double> features(Value tensor, Head head);

  //===-- Sets.cpp
  /// The keys of a set in its own columns, for `head`. Only keys that exist.
  const Keys &keys(Value set, Head head);
  /// The keys of a set as columns of `score`: blocks become their tokens where the score has tokens.
  Keys columnsIn(Value set, Value score, Head head);
  /// The selected blocks that a set was cut from, in order: the slots of weights and of partials per block.
  const Keys &slots(Value set, Head head);

  //===-- Scores.cpp
  /// Scores of the named columns. Columns that are not named are never read.
  std::vector<double> scores(Value score, Head head, const Keys &columns);

  //===-- Partials.cpp (ops)
  const Partial &partial(Value value, Head head);
  const std::vector<Partial> &blockPartials(Value value, Head head);

private:
  using Slot = std::pair<const void *, int64_t>; // a value, and one of its heads

  /// First and last absolute position of the row, for the heads of a gathered row.
  int64_t position(Head head);
  /// The row as formulas name it: its position, or the number of the block of rows.
  int64_t rowName(Head head);
  /// The last position that the row holds: `last(n)` of a forced selection counts from there.
  int64_t lastPosition(Head head);
  Point point(Head head);

  Keys existing(Columns columns, Head head);
  Keys lift(const Keys &blocks, Blocks from, Head head);
  /// Keys of a set, as blocks of `unit` or as tokens.
  Keys keysAs(Value set, Blocks unit, Head head);
  Keys evaluate(SetOp op, Head head);
  Keys evaluate(RandomOp op, Head head);
  Keys evaluate(ListedOp op, Head head);
  Keys evaluate(SelectOp op, Head head);
  Keys algebra(Operation *op, Head head);

  std::vector<double> score(ScoreOp op, Head head, const Keys &columns);
  std::vector<double> map(MapOp op, Head head, const Keys &columns);
  std::vector<double> normalize(NormalizeOp op, Head head, const Keys &columns);
  std::vector<double> reduce(ReduceOp op, Head head, const Keys &columns);
  std::vector<double> rebin(RebinOp op, Head head, const Keys &columns);

  Partial accumulate(AccumulateKind how, Value score, const Keys &columns, Value values, Head head);
  std::vector<double> output(Value tensor, Head head);
  std::vector<double> weigh(WeighOp op, Head head);
  std::vector<double> blend(BlendOp op, Head head);
  std::vector<double> mix(MixOp op, Head head);
  double load(Value table, ArrayRef<int64_t> index, Head head, int64_t feature);

  Env &env;
  int64_t b, index;
  Blocks unit;
  Value gathered;
  std::map<Slot, Keys> keysOf;
  std::map<Slot, Partial> partialOf;
  std::map<Slot, std::vector<Partial>> blockPartialsOf;
  std::map<Slot, std::vector<double>> featuresOf;
  /// Columns of the set of a normalised score, and their probabilities.
  std::map<Slot, std::pair<Keys, std::vector<double>>> probabilitiesOf;
};

} // namespace sattn::ref

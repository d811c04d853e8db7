// One tile kernel to one function of the kernel ABI (docs/artefact.md, section 2), emitted in program order with
// Code.h. The ops are lowered by family: KernelFrame.cpp (arguments, scalars), Memory.cpp, Pages.cpp and Pack.cpp
// (loads, stores), Dot.cpp, Mask.cpp, Visible.cpp, Map.cpp, Softmax.cpp, Stream.cpp, Reduce.cpp, Select.cpp,
// Inverse.cpp. Where each value lives: Residency.h.
#pragma once
#include "codegen/cpu/Residency.h"

namespace mlir::scf {
class ForOp;
class IfOp;
} // namespace mlir::scf

namespace sattn::cpu {

/// The answer to an op or a form of it that has no lowering, already reported.
struct Unsupported {
  operator LogicalResult() const { return failure(); }
  template <typename T> operator FailureOr<T>() const { return failure(); }
};

/// A block of strips in registers: columns `column` .. by panels `panel` .. of a value.
struct Strips {
  Value panel;            ///< first panel, i64
  Value column;           ///< first column, i64
  std::vector<Values> at; ///< [column][panel]
};

/// Steps [from, to) of the inner extent of a product.
struct InnerSteps {
  int64_t from, to;
  /// Those of them that count, known at run time, multiples of `multiple`; null: all.
  Value low = {}, high = {};
  int64_t multiple = 1;
};

/// Products of more inner steps than this are summed in parts, so that the strips of the left operand and the part of
/// the right one stay in the first-level cache.
inline constexpr int64_t kInnerPart = 128;

class Lowering {
public:
  Lowering(tile::KernelOp kernel, mlir::LLVM::LLVMFuncOp function, const Atom &atom);
  /// Emits the whole body. Errors are diagnostics at the tile op.
  LogicalResult run();
  /// Ends with a spare line, so that a strip may be read across the end of any value.
  int64_t scratchBytes() const { return scratch.highWater() + 64; }

private:
  //===-- Structure (Lowering.cpp, KernelFrame.cpp) -----------------------------------------------------===//
  void findLastUses();
  void decodeFrame();
  /// Lowers the ops of a block. What `finish` emits stands behind the last of them, in every copy that they have.
  LogicalResult lowerBody(Block &block, llvm::function_ref<LogicalResult()> finish = nullptr);
  LogicalResult lowerFrom(Operation *op, llvm::function_ref<LogicalResult()> finish);
  /// Whether ops from `mask` on to the end of its block get two copies, and those: one where the mask acts, one where
  /// it does not.
  bool splitsAt(tile::MaskOp mask, bool canFinish);
  LogicalResult lowerSplit(tile::MaskOp mask, llvm::function_ref<LogicalResult()> finish);
  /// Where values are. Code that may not run, or of which there is a further copy, is emitted between now() and
  /// goBack(): what it computes of a value from outside, another form of a tile for one, is nowhere else.
  struct Places;
  Places now() const;
  void goBack(Places &&places);
  LogicalResult lower(Operation *op);
  LogicalResult lowerScalar(Operation *op);
  /// Reports that there is no code for `what`, and what to write instead: by default, what the compiler writes.
  Unsupported unsupported(Operation *op, const Twine &what, const Twine &remedy = "write it as --emit=tile does");

  //===-- Values ----------------------------------------------------------------------------------------===//
  Value scalar(Value value) { return scalars.lookup(value); }
  TileValue &tile(Value value) { return tiles[value]; }
  Panels newPanels(int64_t rows, int64_t cols);
  /// Memory for a tile value, for as many rows as are live.
  Panels newPanels(Value value);
  /// Rows of a tile value that this copy of the code computes: all, or those of the members that a group has.
  int64_t liveRows(Value value);
  /// The value as panels; computes it first where it is still pending or a splat.
  FailureOr<Panels> panelsOf(Value value);
  /// The columns of a tile of one row, side by side.
  FailureOr<Panels> columnsOf(Value value);
  /// Whether `user` may overwrite the memory of `value`: it stands in the block that defines it, after all other uses.
  bool mayTake(Value value, Operation *user);
  /// Memory for `result`: that of an operand of the same op if it may be overwritten, else fresh.
  Panels takeOrNew(Value operand, mlir::OpResult result);
  Ptr stripAt(const Panels &panels, int64_t panel, Value column, int64_t i);
  /// The strip of column `column` + `i` and panel `panel` + `p`.
  Ptr stripAt(const Panels &panels, Value panel, int64_t p, Value column, int64_t i);
  void fill(const Panels &panels, Value strip);
  void copy(const Panels &from, const Panels &to);

  //===-- Memory (Memory.cpp, Pack.cpp) -----------------------------------------------------------------===//
  LogicalResult lower(tile::SliceOp op);
  LogicalResult lower(tile::PrivateOp op);
  LogicalResult lower(tile::LoadOp op);
  LogicalResult loadColumns(tile::LoadOp op, const RowSource &source);
  void loadColumns(const RowSource &source, const Panels &columns);
  LogicalResult loadTurned(tile::LoadOp op, const View &view, Value position);
  LogicalResult lower(tile::GatherOp op);
  LogicalResult lower(tile::StoreOp op);
  LogicalResult storeColumns(const Panels &columns, const RowSource &to);
  LogicalResult lower(tile::ScatterOp op);
  LogicalResult lower(tile::PrefetchOp op);
  LogicalResult lower(tile::FillOp op);
  bool isUpdated(tile::LoadOp op);
  Panels panelsAt(const View &view, Value position, tile::TileType type);
  LogicalResult lower(tile::LoadBlocksOp op);
  LogicalResult lower(tile::GatherAtOp op);
  LogicalResult lower(tile::EntryOp op);
  RowSource scratchRows(int64_t rows, int64_t cols);
  LogicalResult defineFromRows(Operation *op, Value result, const RowSource &source);
  /// Pointer to row `row` of a source; `outside` where there is no such row.
  Value rowPointer(const RowSource &source, Value row, Value outside);
  Values rowPointers(const RowSource &source, Value first, int64_t step, int64_t count, Value outside);
  /// The same in memory.
  void tabulateRows(const RowSource &source, Value first, int64_t step, int64_t count, Value outside, Ptr table);
  void forPanels(const RowSource &rows, const Panels &panels, int64_t step, int64_t count, Value outside,
                 StringRef name, llvm::function_ref<void(Code &, ValueRange, Ptr)> move);
  /// Rows into panels of `width` rows ([rows / width][cols][width]).
  void packRows(const RowSource &source, Ptr to, int64_t width);
  /// Rows into panels of `width` columns ([rows / block][cols / width][block][width]).
  void packCols(const RowSource &source, Ptr to, int64_t width, int64_t block);
  void unpackRows(const Panels &from, const RowSource &to);
  void moveColumn(const RowSource &source, const Panels &panels, bool toPanels);
  void storePanels(const Panels &panels, const RowSource &to);
  /// Between panels and grouped private memory.
  void moveGroups(const RowSource &source, const Panels &panels, bool toPanels);

  //===-- Pools of pages (Pages.cpp) --------------------------------------------------------------------===//
  Pages pagesOf(tile::SliceOp op);
  /// Where `position` of a paged view lies, and whether the table names a page there. Positions that may lie outside
  /// the view come with `inside`.
  std::pair<Value, Value> placeInPages(const View &view, Value position, Value inside = {});
  Value pagedPointer(const View &view, Value position, Value inside, Value outside);
  /// Whether `count` rows from any multiple of `count` on lie side by side in one page.
  static bool sharePage(const RowSource &source, int64_t count);
  /// Such rows; `outside` for those that do not exist. `allInside`: none lies outside the view.
  Values rowsOfPage(const RowSource &source, Value first, int64_t count, Value outside, bool allInside);
  /// Addresses to prefetch from: `count` rows, `ahead` rows behind row `first`.
  SmallVector<Ptr> pagedRowsAhead(const RightRows &right, Value first, int64_t count, int64_t ahead);

  //===-- Arithmetic (Dot.cpp, Map.cpp, Mask.cpp, Softmax.cpp, Reduce.cpp) ------------------------------===//
  LogicalResult lower(tile::IotaOp op);
  LogicalResult lower(tile::ColumnsOp op);
  LogicalResult lower(tile::HadamardOp op);
  LogicalResult lower(tile::DotOp op);
  LogicalResult lower(tile::MapOp op);
  LogicalResult lower(tile::MaskOp op);
  LogicalResult lower(tile::ChooseOp op);
  LogicalResult lower(tile::SoftmaxStepOp op);
  /// Where a step of the softmax reads and writes.
  struct SoftmaxMemory {
    Panels oldM, oldL, m = {}, l = {}, alpha = {}, p = {};
    bool onlyScales = false; ///< alpha is read by products alone, and only where it changed
  };
  /// Returns whether some row's alpha is not 1; finds what of the scores is visible.
  FailureOr<Value> stepSoftmax(tile::SoftmaxStepOp op, TileValue &scores, const SoftmaxMemory &at);
  LogicalResult lower(tile::SoftmaxFinishOp op);
  LogicalResult lower(tile::MergeOp op);
  LogicalResult lower(tile::ReduceOp op);
  LogicalResult lower(tile::RowScanOp op);
  FailureOr<Panels> reduceColumns(tile::ReduceOp op, bool isMax);
  FailureOr<Panels> reduceHeads(tile::ReduceOp op, bool isMax);
  using Consumer = llvm::function_ref<FailureOr<Values>(Strips &, ValueRange)>;
  /// Hands panels `panel` .. `panel + panels - 1` of a value to `consume`, block of columns by block of columns,
  /// together with the carried values, whose last state is returned.
  FailureOr<Values> forStrips(const TileValue &value, int64_t cols, Value panel, int64_t panels, ValueRange inits,
                              Consumer consume);
  LogicalResult materialise(TileValue &value, const Panels &to);
  /// Runs `body` for groups of panels that one micro-kernel takes: the largest, or in a loop over one copy of the code
  /// those of `visible`.
  LogicalResult forPanelGroups(int64_t panels, const Visible *visible,
                               llvm::function_ref<LogicalResult(Value, int64_t)> body);
  FailureOr<TileValue> defer(Operation *step, Value input);
  Operation *consumerOf(Operation *op);
  LogicalResult deferOrCompute(Operation *op, Value input);
  /// What is summed: products, products whose left factor is not 0, whatever the right one is then, |a - b|, or the
  /// products of pairs of bfloat16 numbers.
  enum class Term { Product, UnlessZero, Distance, Pairs };
  Term termOf(tile::DotOp op);
  std::vector<Values> multiply(const Panels &a, Value panel, int64_t panels, const RightOperand &b, const Axis &inner,
                               const Axis &column, Value first, int64_t columns, const InnerSteps &steps,
                               std::vector<Values> sums, Term term);
  int64_t columnsAtOnce(int64_t panels, const Axis &column) const;
  /// Columns that forStrips hands out at once.
  int64_t stripColumns(const TileValue &value, int64_t cols, int64_t panels) const;
  void forColumns(int64_t cols, int64_t step, llvm::function_ref<void(Value, int64_t)> body);
  bool maskedOperand(Value value);
  void addProduct(tile::DotOp op, const Panels &a, const RightOperand &b, const Panels &to, Term term);
  bool onlyChosen(Value weights);
  Value allFinite(const RightOperand &operand, int64_t rows, int64_t cols);
  LogicalResult scaleRows(const Panels &panels, Value scale);
  LogicalResult applySteps(const TileValue &value, Strips &strips);
  LogicalResult applyMap(tile::MapOp op, Value input, Strips &strips);
  LogicalResult applyMask(tile::MaskOp op, Strips &strips, const Visible *visible);
  void applyChoice(tile::ChooseOp op, Strips &strips);
  /// i1: some row chose something of the tile that these scores are of; null where nothing chooses.
  Value anyChosen(Value scores);
  Unsupported unsupportedMask(tile::MaskOp op);
  /// The numbers of its tables: of rows as panels, of columns side by side.
  SmallVector<Panels> tablesOf(tile::MaskOp op);
  /// Whether a mask acts in the code that is being emitted; nothing: known at run time alone.
  std::optional<bool> acts(tile::MaskOp op);
  /// Emits the bits of `visible`.
  LogicalResult storeMasks(tile::MaskOp op, const Visible &visible, int64_t panels);

  //===-- Tiles of few rows (Lines.cpp, LinesDot.cpp) ---------------------------------------------------===//
  /// Whether columns are lanes in this kernel: its tiles have few rows, and all its ops have such a form.
  static bool computesLines(tile::KernelOp kernel);
  /// Nothing for ops that have one form alone.
  std::optional<LogicalResult> lowerLines(Operation *op);
  Lines newLines(tile::TileType type);
  Lines linesOf(Value value);
  Lines takeLines(Value operand, Operation *user);
  void setLines(Value value, const Lines &lines);
  void turn(const Panels &from, const Lines &to);
  Panels panelsFrom(const Lines &lines, Value value);
  void reduceLines(tile::ReduceOp op);
  void joinHeads(tile::ReduceOp op, const Lines &from, const Lines &to);
  bool pushLines(tile::TopPushOp op, const TopState &top, ArrayRef<Value> symbols);
  FailureOr<Value> forcedInLine(tile::TopPushOp op, int64_t row, Value first, ArrayRef<Value> symbols);
  bool pushColumn(tile::TopPushOp op, const TopState &top, int64_t panel, Value score, Value place,
                  ArrayRef<Value> symbols);
  Ptr lineAt(const Lines &lines, Value row, Value strip);
  void forLines(const Lines &lines, llvm::function_ref<void(Value, Value)> body);
  void copy(const Lines &from, const Lines &to);
  void loadLines(tile::LoadOp op, const RowSource &source);
  LogicalResult loadLine(tile::LoadOp op);
  LogicalResult gatherLines(tile::GatherOp op);
  void storeLines(const Lines &lines, const RowSource &to);
  LogicalResult mapLines(tile::MapOp op);
  LogicalResult maskLines(tile::MaskOp op);
  void softmaxLines(tile::SoftmaxStepOp op);
  void finishLines(ArrayRef<Value> values, ArrayRef<TileValue> carried);
  RightRows rightOf(tile::DotOp op);
  SmallVector<Ptr> rowsOf(const RightRows &right, Value first, int64_t count);
  Value stripOf(const RightRows &right, Ptr row, int64_t strip);
  Lines ofHead(const Lines &lines, Value head, int64_t rows);
  RightRows ofHead(const RightRows &right, Value head);
  void prefetchNext(const RightRows &right, Value first, int64_t count, int64_t uses);
  bool dotsPairs(tile::DotOp op, const RightRows &right);
  Lines pairsOf(const Lines &lines);
  Values scoreSums(const Lines &a, int64_t rows, const RightRows &right, ArrayRef<Ptr> keys, Term term);
  void scoreLines(tile::DotOp op);
  void weighLines(const Lines &p, const Lines &to, const RightRows &right, const WeighBlock &block, bool skipZeros);
  void sumLines(tile::DotOp op);

  //===-- Heads of a token (LinesTokens.cpp) ------------------------------------------------------------===//
  /// Whether `rows` rows for each head read the heads of one token after the other.
  static bool inTokenOrder(const RightRows &right, int64_t rows);
  SmallVector<Ptr> tokensAhead(const RightRows &right, Value first, Value offset, int64_t count, int64_t inTurn);
  void prefetchTokens(const RightRows &right, Value first, Value row, int64_t count, int64_t inTurn);
  Value headStep(const RightRows &right, Ptr token);
  void scoreTokens(const Lines &a, const RightRows &right, Term term, const std::optional<Lines> &before,
                   const Lines &to);
  void forTokens(const RightRows &right, int64_t keys,
                 llvm::function_ref<void(Value, Value, const RightRows &, Ptr)> body);

  //===-- Bytes of few rows (LinesBytes.cpp, LinesBits.cpp) ---------------------------------------------===//
  bool staysBytes(tile::LoadOp op);
  void loadBytes(tile::LoadOp op, const RowSource &source);
  void scoreBytes(tile::DotOp op);
  bool countsBits(tile::DotOp op, const ByteRows &a) const;
  void scoreBits(tile::DotOp op, const ByteRows &a);

  //===-- The next task (NextTask.cpp) ------------------------------------------------------------------===//
  void prefetchNextTask(Operation *op, const RowSource &source, Code::Use use);

  //===-- Partial tiles (Visible.cpp) -------------------------------------------------------------------===//
  /// Whether scores and weights of `op` may leave out what its mask hides, and what that leaves.
  bool skipsHidden(tile::SoftmaxStepOp op);
  FailureOr<std::shared_ptr<const Visible>> visibleScores(tile::SoftmaxStepOp op, int64_t panels);
  /// Bounds of the columns that the group of panels at `panel` sees.
  std::pair<Value, Value> visibleColumns(const Visible &visible, Value panel);
  void prefetch(const RightOperand &operand, int64_t floats);
  /// i1 strip: rows of a panel that lie, with key `s`, in one of the sets.
  FailureOr<Value> inSets(mlir::ArrayAttr sets, mlir::AffineMap rowMap, int64_t rows, int64_t panel, Value row, Value s,
                          ArrayRef<Value> symbols);
  FailureOr<Value> emitScalarBody(tile::MapOp op, ArrayRef<Value> arguments);

  //===-- Streams (Stream.cpp) --------------------------------------------------------------------------===//
  static bool hasMask(tile::StreamOp op);
  LogicalResult lower(tile::StreamOp op);
  FailureOr<TileValue> startCarry(Operation *op, Value init);
  LogicalResult finishCarry(Operation *yield, ArrayRef<Value> values, ArrayRef<TileValue> carried);
  LogicalResult lower(mlir::scf::ForOp op);
  LogicalResult lower(mlir::scf::IfOp op);

  //===-- Selections (Select.cpp, TopRow.cpp, Inverse.cpp)
  //----------------------------------------------------------===//
  LogicalResult lower(tile::PoolOp op);
  LogicalResult lower(tile::TopPushOp op);
  LogicalResult lower(tile::TopMassOp op);
  LogicalResult lower(tile::TopListOp op);
  void settleTop(const TopState &top, int64_t panel);
  void finishTop(const TopState &top, int64_t panel);
  Value isByScore(const TopState &top, int64_t panel);
  LogicalResult lower(tile::TopRowOp op);
  LogicalResult lower(tile::LengthOp op);
  LogicalResult lower(tile::MembersOp op);
  LogicalResult lower(tile::InvertOp op);
  LogicalResult lower(tile::StreamInverseOp op);
  FailureOr<TopState> newTop(Operation *op, tile::TopType type);
  FailureOr<TopState> topOf(Operation *op, Value value);
  LogicalResult lowerStreamBody(tile::StreamOp op, Value index, ArrayRef<TileValue> carried, bool full);

  tile::KernelOp kernel;
  Code c;
  Value frame, scratchBase;
  Scratch scratch;
  const bool lines;                    ///< columns are lanes
  bool fullTile = false;               ///< emitting the body of a stream for full tiles
  llvm::DenseMap<Value, bool> decided; ///< conditions of masks that the code being emitted is for
  int64_t memberLimit = 0;             ///< emitting the body of an inverse stream for this many rows; 0: for all
  llvm::DenseSet<Value> memberTiles;   ///< tiles whose rows are members of such a stream

  llvm::DenseMap<Value, Value> scalars;
  llvm::DenseMap<Value, TileValue> tiles;
  llvm::DenseMap<Value, View> views;
  llvm::DenseMap<Value, Inverse> inverses;
  struct Places {
    llvm::DenseMap<Value, TileValue> tiles;
    llvm::DenseMap<Value, View> views;
    llvm::DenseMap<Value, Inverse> inverses;
  };
  struct Argument {
    Value data, counts[3], strides[3]; ///< batch, position, head; strides in bytes
  };
  llvm::DenseMap<Value, Argument> arguments;
  llvm::DenseMap<Operation *, SmallVector<Value>> lastUses;
  llvm::SmallPtrSet<Operation *, 1> refused;
};

} // namespace sattn::cpu

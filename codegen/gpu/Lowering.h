// One tile kernel to one PTX entry, emitted in program order with Code.h. A task of the grid is a block of threads; its
// warps share the rows of each tile (Values.h). The ops are lowered by family: Frame.cpp (arguments, scalars),
// Memory.cpp (views, loads, stores), Means.cpp, Staging.cpp (copies to shared memory), Ring.cpp (copies by a warp of
// their own), Shared.cpp (tiles there), Dot.cpp, Tf32.cpp, Group.cpp (products of warpgroups),
// NoNumbers.cpp, Elementwise.cpp (maps, masks), Softmax.cpp, Reduce.cpp, Stream.cpp, Control.cpp, Select.cpp,
// Inverse.cpp.
#pragma once
#include "codegen/common/SetCode.h"
#include "codegen/gpu/Values.h"
#include <set>

namespace mlir::scf {
class ForOp;
class IfOp;
} // namespace mlir::scf

namespace sattn::gpu {

/// The answer to an op or a form of it that has no lowering, already reported.
struct Unsupported {
  operator LogicalResult() const { return failure(); }
  template <typename T> operator FailureOr<T>() const { return failure(); }
};

/// How a dot is computed: products of 16-bit elements as they are stored, or of float32 in three TF32 products.
struct DotForm {
  MmaType type = MmaType::TF32;
  bool tf32() const { return type == MmaType::TF32; }
  int64_t step() const { return tf32() ? 8 : 16; } ///< inner extent of an instruction
};

class Lowering {
public:
  Lowering(tile::KernelOp kernel, mlir::LLVM::LLVMFuncOp function, const Arch &arch, ArrayRef<std::string> order);
  /// Emits the whole body. Errors are diagnostics at the tile op.
  LogicalResult run();
  int64_t blockThreads() const { return threads() + (ring ? ring->producers * kWarp : 0); }
  int64_t sharedBytes() const { return memory.highWater(); }
  const std::vector<int64_t> &alignment() const { return alignments; }
  const std::vector<TensorMap> &tensorMaps() const { return maps; }

  /// Parameters of the entry: the slots of docs/artefact.md, section 2, then the three extents of the grid.
  static SmallVector<Type> parameters(tile::KernelOp kernel);
  /// Name of the dynamic shared memory of an entry.
  static std::string sharedName(tile::KernelOp kernel);

private:
  //===-- Structure (Lowering.cpp, Frame.cpp) -----------------------------------------------------------===//
  void chooseWarps();
  void decodeFrame();
  void decodeTask(ArrayRef<std::string> order, ValueRange extents);
  LogicalResult lowerBody(Block &block);
  LogicalResult lower(Operation *op);
  LogicalResult lowerScalar(Operation *op);
  Unsupported unsupported(Operation *op, const Twine &what, const Twine &remedy = "compile it for a CPU target");

  int64_t threads() const { return layout.warps * kWarp; } ///< that compute

  //===-- Values ----------------------------------------------------------------------------------------===//
  /// It may wait in shared memory.
  Value scalar(Value value) {
    auto place = waiting.find(value);
    return place == waiting.end() ? scalars.lookup(value) : c.load(c.i64, place->second, 8);
  }
  /// Puts numbers there; a barrier follows before they are read.
  void storeWaiting(ArrayRef<Value> numbers, Value to);
  bool multipliesTf32(Operation *op);
  bool copiesAhead(tile::StreamInverseOp op);
  TileValue &tile(Value value) { return tiles[value]; }
  /// The value in registers.
  FailureOr<Fragment> fragmentOf(Operation *user, Value value);
  Fragment emptyFragment(tile::TileType type) const;
  /// Row of the tile (i32) that register half `half` of block `block` holds.
  Value rowOf(int64_t block, int64_t half);

  //===-- Memory (Memory.cpp) ---------------------------------------------------------------------------===//
  LogicalResult lower(tile::SliceOp op);
  LogicalResult lower(tile::PrivateOp op);
  LogicalResult lower(tile::FillOp op);
  LogicalResult lower(tile::LoadOp op);
  LogicalResult loadColumns(tile::LoadOp op);
  LogicalResult lower(tile::GatherOp op);
  LogicalResult lower(tile::StoreOp op);
  LogicalResult lower(tile::ScatterOp op);
  LogicalResult lower(tile::GatherAtOp op);
  LogicalResult lower(tile::EntryOp op);
  LogicalResult lower(tile::LoadBlocksOp op);
  /// Pointer to row `row` (i32) of a tile, and whether it exists.
  std::pair<Value, Value> rowPointer(const RowSource &source, Value row);
  Pages pagesOf(tile::SliceOp op);
  /// Where `position` of a paged view lies; nothing is read where it is not `inside`.
  PagePlace placeInPages(const View &view, Value position, Value inside);
  /// Whether `rows` positions from a multiple of `divisor` on lie in one page.
  static bool staysInPage(int64_t page, int64_t divisor, int64_t rows);
  /// Rows that lie in one page, as of a view in one piece.
  RowSource inItsPage(const RowSource &source);
  LogicalResult defineFromRows(Operation *op, Value result, const RowSource &source);
  FailureOr<LeftOperand> loadLeft(Operation *op, tile::TileType type, const RowSource &source);
  FailureOr<LeftOperand> loadLeftTf32(Operation *op, Value result, const RowSource &source);
  FailureOr<Fragment> loadFragment(Operation *op, tile::TileType type, const RowSource &source);
  /// Fails with a diagnostic where loadFragment does.
  LogicalResult checkFragment(Operation *op, tile::TileType type);
  /// The registers of one row of a thread, columns ascending; 0 outside.
  Values loadRow(tile::TileType type, const RowSource &source, int64_t block, int64_t half);
  LogicalResult storeRows(Operation *op, Value value, const RowSource &source);
  Value loadNumber(Type element, Value pointer);
  /// Rows of `view` are accessed `bytes` at a time.
  void needAlignment(const View &view, int64_t bytes);

  //===-- Staging (Staging.cpp) -------------------------------------------------------------------------===//
  FailureOr<SharedRows> newSharedRows(Operation *op, Value operand, tile::ViewType view);
  /// Gives `copies` buffers for `rows`, one behind the other, their memory.
  void takeMemory(SharedRows &rows, int64_t copies = 1);
  /// Address of a 16-byte unit (i32) of a row (i32).
  Value unitOf(const SharedRows &rows, Value row, Value unit);
  /// Begins to copy a tile to `rows`.
  void startCopy(const RowSource &source, const SharedRows &rows);
  /// Waits for the copies of this thread; after a barrier every reader sees what all have copied.
  void awaitCopies();
  void copyRounds(const RowSource &source, const SharedRows &rows, int64_t pieces);
  /// Copies a tile to `rows` and waits for it.
  void copyNow(const RowSource &source, const SharedRows &rows);
  /// Copies the right operand `result` and waits for it.
  LogicalResult stageNow(Operation *op, Value result, const RowSource &source);

  //===-- Tiles in shared memory (Shared.cpp) -----------------------------------------------------------===//
  SharedTile newShared(tile::TileType type);
  /// The value in shared memory, for all threads.
  FailureOr<SharedTile> sharedOf(Operation *user, Value value);
  /// The same in memory of its own.
  FailureOr<SharedTile> copyToShared(Operation *user, Value value);
  /// `body` gets the number (i32) of each element of a tile, one thread each; all threads see what it wrote.
  void forElements(int64_t count, llvm::function_ref<void(Value)> body);
  Value loadShared(const SharedTile &tile, Value element, Type type);
  void storeShared(const SharedTile &tile, Value element, Value value);
  LogicalResult storeShared(const SharedTile &tile, const RowSource &target);
  LogicalResult mapShared(tile::MapOp op);
  LogicalResult maskShared(tile::MaskOp op, const SharedTile &scores);

  //===-- Arithmetic (Dot.cpp, Elementwise.cpp, Softmax.cpp) --------------------------------------------===//
  LogicalResult lower(tile::DotOp op);
  FailureOr<DotForm> formOf(tile::DotOp op);
  /// Why warpgroups cannot compute a dot; "" where they can.
  std::string groupObstacle(tile::DotOp op) const;
  /// Whether a left operand that streams use again and again had better not take registers.
  bool staysShared(Operation *op, Value result);
  bool hasRoomFor(int64_t bytes);
  FailureOr<LeftOperand> stageLeft(Operation *op, Value result, const RowSource &source);
  /// Says once for each reason of a kernel why single warps compute a dot.
  void remarkOnWarps(tile::DotOp op);
  /// Whether warpgroups compute every dot that has `operand` as its right one.
  bool feedsGroups(Value operand) const;
  Value maskedIn(Value value);
  FailureOr<LeftOperand> leftOf(tile::DotOp op, DotForm form);
  LeftOperand toLeft(const Fragment &fragment, DotForm form, Type element);
  /// Adds a b to `sums`.
  void multiply(const LeftOperand &a, const SharedRows &b, bool transposed, DotForm form, Fragment &sums);
  /// The same with `sums` from zero where `fresh`.
  void multiplyByGroups(const LeftOperand &a, const SharedRows &b, bool transposed, DotForm form, Fragment &sums,
                        bool fresh);
  void multiplyShort(const LeftOperand &a, const SharedRows &b, bool transposed, DotForm form, Fragment &sums);
  void multiplyTf32(const LeftOperand &a, const SharedRows &b, bool transposed, Fragment &sums);
  struct Tf32Operands {
    bool leftExact, rightExact, transposed;
    const SharedRows &b;
    Value base = {};
    int64_t innerBytes = 0, columnBytes = 0; ///< between inner elements and columns of b
  };
  void stepTf32(const Tf32Operands &operands, ValueRange left, Value base, Fragment &sums);
  bool appliedAtDots(tile::MapOp op, Value loaded);
  Values readLeft(const LeftRows &left, Value step);
  Values readLeft(const SharedRows &left, int64_t block, int64_t step);

  //===-- What is no number (NoNumbers.cpp) -------------------------------------------------------------===//
  /// i1, the same for all threads: a tile in shared memory holds NaN or infinities.
  Value holdsNoNumbers(const SharedRows &b);
  Value weightOf(Fragment &p, int64_t block, int64_t half, Value key);
  /// Adds the terms of p b whose element of b is no number and whose p is not 0 to `sums`.
  Values addNoNumbers(Fragment p, const SharedRows &b, const Fragment &sums);
  /// Puts 0 in the place of what is no number.
  void dropNoNumbers(const SharedRows &b);

  LogicalResult lower(tile::IotaOp op);
  LogicalResult lower(tile::MapOp op);
  LogicalResult mapRow(tile::MapOp op, llvm::MutableArrayRef<std::optional<Fragment>> operands, int64_t block,
                       int64_t half, Fragment &result);
  FailureOr<Value> emitScalarBody(tile::MapOp op, ArrayRef<Value> inputs);
  Value applyTo(tile::MapOp map, Value number);
  LogicalResult lower(tile::MaskOp op);
  LogicalResult maskRow(tile::MaskOp op, const std::optional<SharedTile> &ids, int64_t block, int64_t half,
                        Fragment &scores);
  Value visibleBits(tile::MaskOp op, const codegen::Position &row, const codegen::Position &column,
                    ArrayRef<Values> tables, size_t columns);
  LogicalResult lower(tile::SoftmaxStepOp op);
  LogicalResult lower(tile::SoftmaxFinishOp op);
  LogicalResult lower(tile::MergeOp op);
  LogicalResult lower(tile::ReduceOp op);
  LogicalResult lower(tile::RowScanOp op);
  LogicalResult reduceHeads(tile::ReduceOp op);
  LogicalResult reduceColumns(tile::ReduceOp op);
  /// For each of `offsets` i1: positions `row` and `column` + offset lie in one of `sets`; null where all do.
  FailureOr<Values> inSets(Operation *op, mlir::ArrayAttr sets, const codegen::Position &row,
                           const codegen::Position &column, ValueRange symbols, ArrayRef<int64_t> offsets = {0},
                           ArrayRef<Values> tables = {});
  FailureOr<codegen::Position> rowPosition(Operation *op, mlir::AffineMap map, Value first, Value row, int64_t rows);

  //===-- Selections (Select.cpp, Inverse.cpp) ----------------------------------------------------------===//
  LogicalResult lower(tile::PoolOp op);
  LogicalResult lower(tile::TopInitOp op);
  LogicalResult lower(tile::TopPushOp op);
  LogicalResult lower(tile::TopMassOp op);
  LogicalResult lower(tile::TopListOp op);
  LogicalResult lower(tile::InvertOp op);
  LogicalResult lower(tile::StreamInverseOp op);
  struct Members {
    SharedTile ids, slots, votes; ///< votes: one word for each warp and list of a thread
  };
  Value leastOfBlock(const SharedTile &words, Value word);
  Value leastOfWords(const SharedTile &words);
  Value onlyMember(const Members &members);
  Value listMembers(const Members &members, ValueRange slots, ValueRange ids, Value unit);
  void insert(Values &scores, Values &ids, Value score, Value id);

  //===-- Streams (Stream.cpp) --------------------------------------------------------------------------===//
  LogicalResult lower(tile::StreamOp op);
  /// A positive constant; loops have no results.
  FailureOr<int64_t> stepOf(mlir::scf::ForOp op);
  LogicalResult lower(mlir::scf::ForOp op);
  LogicalResult lower(mlir::scf::IfOp op);
  struct Staged {
    tile::LoadOp load;
    SharedRows rows; ///< of the first buffer
    int64_t bufferBytes = 0;
  };
  static SmallVector<tile::LoadOp> loadsAhead(Block &body);
  /// The right operands that `body` loads at positions which follow from its first argument; in one buffer where two do
  /// not leave `others` bytes of shared memory.
  FailureOr<SmallVector<Staged>> stagedLoads(Block &body, int64_t mostBuffers, int64_t &buffers, int64_t others = 0);
  LogicalResult prefetch(Block &body, ArrayRef<Staged> staged, Value index, Value buffer);
  void useStaged(ArrayRef<Staged> staged, Value buffer);
  struct Carried {
    std::vector<TileValue> values; ///< in their forms; registers stand for those of fragments and tops
    Values registers;
  };
  FailureOr<Carried> startCarry(tile::StreamOp op);
  void setCarried(ValueRange targets, const Carried &carried, ValueRange registers);
  FailureOr<Values> streamBody(tile::StreamOp op);

  //===-- Tiles by a warp of their own (Ring.cpp) -------------------------------------------------------===//
  /// Stages of shared memory that one warp fills with the tiles of streams by TMA while the others compute. The right
  /// operands of all streams of a kernel pass through it in order; number `turn` takes stage turn % stages.
  struct Ring {
    int64_t stages = 0, stageBytes = 0;
    int64_t producers = 1;   ///< warps behind those that compute, of which one thread works
    Value base, full, empty; ///< the stages; their mbarriers: a tile has come, all warps are done with it
    llvm::SmallPtrSet<Operation *, 4> streams;
  };
  void planRing();
  bool copiesByBoxes(tile::StreamOp stream);
  FailureOr<SmallVector<Staged>> ringLoads(tile::StreamOp op);
  LogicalResult lowerWithProducer();
  LogicalResult produce(Block &block);
  LogicalResult produceStream(tile::StreamOp op);
  void startBoxes(tile::LoadOp load, SharedRows rows);
  Value mapOf(tile::SliceOp slice, int64_t rows);
  Value stageOf(Value turn);
  Value parityOf(Value turn);
  Value barrierOf(Value barriers, Value turn);
  Value stageAt(Value turn);
  /// The tiles that come next become right operands.
  void useRing(ArrayRef<Staged> staged);
  void awaitTile(SharedRows &rows);   ///< it has come
  void releaseTile(SharedRows &rows); ///< a product has read it
  void loopOnTurn(Value low, Value high, int64_t step, llvm::function_ref<void(Value)> body);
  void branchOnTurn(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise);

  tile::KernelOp kernel;
  const Arch &arch;
  mlir::LLVM::LLVMFuncOp function;
  Code c;
  RowLayout layout;
  SharedMemory memory;
  Value sharedBase;
  ValueRange parameterValues;
  struct Argument {
    Value data, counts[3], strides[3]; ///< strides in bytes: batch, position, head
  };
  llvm::DenseMap<Value, Argument> arguments;
  llvm::DenseMap<Value, Value> scalars, waiting; ///< the latter: where they stand in shared memory
  bool arithmeticWaits = false; ///< numbers are computed of what waits, too: registers count for more than the reads
  llvm::DenseMap<Value, View> views;
  llvm::DenseMap<Value, TileValue> tiles;
  llvm::DenseMap<Value, Inverse> inverses;
  std::vector<int64_t> alignments; ///< by operand
  llvm::SmallPtrSet<Operation *, 4> refused;
  std::set<std::string> remarked;
  llvm::SmallPtrSet<Operation *, 8> readByMap; ///< Order.h
  /// i1: masks without a condition of their own act, which they do in the partial tiles of the enclosing stream; null:
  /// always.
  Value partialTile;
  std::optional<Ring> ring;
  Value turn;                  ///< i32: number of the next tile of the ring; null without one
  bool producing = false;      ///< copies go by boxes through the ring
  std::vector<TensorMap> maps; ///< last parameters of the entry
  Values mapValues;
  int64_t sharedTiles = 0; ///< tiles in shared memory so far
};

} // namespace sattn::gpu

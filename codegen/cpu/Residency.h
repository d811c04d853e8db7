// Where tile values live while a kernel is lowered. Every tile value is memory, never a bundle of registers: whole
// tiles in registers spill. One form serves all computed values, panels of 16 rows in scratch memory; the other forms
// exist for operands. A value owns its scratch memory through shared pointers: when the last holder goes, the memory
// is free for the next value.
#pragma once
#include "codegen/cpu/Code.h"
#include "dialects/tile/Tile.h"
#include <map>
#include <memory>

namespace sattn::cpu {

/// First-fit allocator of a kernel's scratch memory, used while code is emitted in program order.
class Scratch {
public:
  /// A range of scratch memory, free again when the object dies.
  class Range {
  public:
    Range(Scratch &pool, int64_t offset, int64_t bytes) : offset(offset), pool(pool), bytes(bytes) {}
    ~Range() { pool.release(offset, bytes); }
    Range(const Range &) = delete;
    Range &operator=(const Range &) = delete;
    const int64_t offset;

  private:
    Scratch &pool;
    int64_t bytes;
  };
  std::shared_ptr<Range> take(int64_t bytes);
  /// Most bytes in use at any time.
  int64_t highWater() const { return top; }

private:
  void release(int64_t offset, int64_t bytes);
  std::map<int64_t, int64_t> holes; ///< offset -> bytes, never adjacent
  int64_t end = 0, top = 0;
};
using Owner = std::shared_ptr<Scratch::Range>;

/// Rows as lanes: element (r, c) at [r / 16][c][r % 16], four bytes each; rows are padded to whole panels. A row vector
/// has one column. Lanes past the last row hold anything.
struct Panels {
  Ptr base;
  int64_t rows = 0, cols = 0;
  Owner owner;
  int64_t count() const { return llvm::divideCeil(rows, kLanes); }
  int64_t panelBytes() const { return cols * kLanes * 4; }
  Ptr at(int64_t panel, int64_t col = 0) const { return base.plus(panel * panelBytes() + col * kLanes * 4); }
};

/// Columns as lanes: row r begins at r * rowBytes(), four bytes an element, and ends with a whole strip; what stands
/// there past the last column is anything. A row vector is one such row. The form of every computed value of a kernel
/// whose tiles have few rows (Lines.cpp).
struct Lines {
  Ptr base;
  int64_t rows = 0, cols = 0;
  Owner owner;
  bool isVector = false; ///< `cols` numbers, one for each row of the tile
  int64_t strips() const { return llvm::divideCeil(cols, kLanes); }
  int64_t rowBytes() const { return strips() * kLanes * 4; }
};

/// Rows of byte integers as they are in memory, each ended by zeros up to whole vectors.
struct ByteRows {
  Ptr base;
  int64_t rows = 0, rowBytes = 0;
  Owner owner;
};

/// How an index becomes bytes: (i / block) * blockBytes + (i % block) * bytes.
struct Axis {
  int64_t block, blockBytes, bytes;
  int64_t offset(int64_t i) const { return i / block * blockBytes + i % block * bytes; }
};

/// The right operand of a dot, read one float32 at a time: element (r, c) at row.offset(r) + col.offset(c).
struct RightOperand {
  Ptr base;
  Axis row, col;
  Owner owner;
  /// Rows cut into panels of `width`: [rows / width][cols][width].
  static RightOperand rowsBy(Ptr base, int64_t width, int64_t rows, int64_t cols, Owner owner = {}) {
    return {base, {width, cols * width * 4, 4}, {cols, 0, width * 4}, std::move(owner)};
  }
  /// Columns cut into panels of `width` in blocks of rows: [rows / block][cols / width][block][width].
  static RightOperand colsBy(Ptr base, int64_t width, int64_t block, int64_t cols, Owner owner = {}) {
    return {base, {block, block * cols * 4, width * 4}, {width, block * width * 4, 4}, std::move(owner)};
  }
  static RightOperand of(const Panels &panels) {
    return rowsBy(panels.base, kLanes, panels.rows, panels.cols, panels.owner);
  }
};

/// Memory in rows that a tile is read from, one pointer for each row.
/// Where the positions of a view lie in a pool of pages (Pages.cpp).
struct Pages {
  int64_t size;              ///< positions of a page
  Ptr table;                 ///< of the batch entry
  Value entries, entryBytes; ///< of the table, and from one to the next
  Value count, pageBytes;    ///< pages of the pool, and from one to the next
  Value from = {};           ///< position i of the view is position from + every * i
  int64_t every = 1;
};

struct View {
  Ptr base;
  Value positionBytes, headBytes; ///< strides
  Value limit;                    ///< positions at or beyond lie outside
  tile::ViewType type;
  bool isPrivate = false;
  bool panels = false;  ///< private memory whose tiles are panels, as computed values are
  bool grouped = false; ///< private memory in the order [position][inner][head], a chunk of a panel's strips
  Owner owner;
  std::optional<Pages> pages; ///< `base` is that of the pool then
  int64_t elementBytes() const { return llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8); }
};
struct RowSource {
  View view;
  Value position;            ///< of the first row, or the base that is added to `ids`
  std::optional<Panels> ids; ///< row block i lies at position + ids[i]
  int64_t rows = 0;
  int64_t divisor = 1; ///< that `position` is a multiple of
};

/// Rows of a left operand that read each right one so seldom that it is used where it lies, and comes from memory in
/// time.
inline constexpr int64_t kFewUses = 2;

/// A right operand of few rows of the left one, read where it lies (LinesDot.cpp).
struct RightRows {
  RowSource source; ///< of one head
  Ptr base;         ///< of the first row
  Value stride;     ///< bytes
  Type element;
  int64_t rows = 0, cols = 0;
  bool allExist = false; ///< no row lies outside the view
  bool inStream = false; ///< the next tile follows
  bool paged = false;    ///< rows are found through a page table, not by `base` and `stride`
  int64_t heads = 1;     ///< that have such rows, `headStride` bytes apart
  Value headStride;
  int64_t bytes() const { return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8); }
};
/// A block of a product that is summed in registers: `rows` rows and `strips` strips of the result over `keys` keys. It
/// is the one number `turn` of `turns` that read these keys.
struct WeighBlock {
  int64_t row, rows, strip, strips;
  Value from;
  int64_t keys, turn, turns;
  using Prefetch = llvm::function_ref<void(Value, int64_t)>;
  Prefetch prefetch; ///< asks for some of the rows to come
};

/// Element-wise ops that have not been computed yet: they are applied in registers when a consumer asks for the
/// strips, on the result of a dot that is not in memory, or on a value that is.
struct Pending {
  tile::DotOp dot; ///< of kind nt; null: `source` holds the first operand
  Panels a, source;
  RightOperand b;
  /// A map, mask or choice and its operand that the value so far stands for: in full tiles masks are left out, so that
  /// is not always the result of the step before. Null for a map of row vectors and scalars alone.
  struct Step {
    Operation *op;
    Value operand;
  };
  SmallVector<Step> steps;
};

/// What the mask of a partial tile leaves visible, known before the scores are: columns that no row of a panel sees are
/// neither computed nor read.
struct Visible {
  tile::MaskOp mask;
  /// For each panel two i64, from and to, its visible elements lie in these columns (from >= to: it has none), and then
  /// for each column one bit a lane.
  Ptr panels;
  int64_t panelBytes = 0;
  int64_t multiple = 1; ///< divides the bounds
  int64_t group = 1;    ///< panels that have the same bounds
  Owner owner;
  static constexpr int64_t kBoundBytes = 8, kWordBytes = 2, kWords = 2 * kBoundBytes;
};

/// Running top-k of rows that are lanes (Select.cpp): for each panel, one behind the other, entries of ranks, as many
/// that wait for being merged with them, each row's score to beat, and an i64: how many entries there are. The first
/// ones stand in no order until there are as many as ranks.
struct TopState {
  Panels panels;
  int64_t ranks = 0, wanted = 0; ///< a power of two; how many of them the list has
  Ptr entries(int64_t panel) const { return panels.at(panel); }
  Ptr score(int64_t panel) const { return panels.at(panel, panels.cols - 2); }
  Ptr count(int64_t panel) const { return panels.at(panel, panels.cols - 1); }
};

/// Index lists turned around (Inverse.cpp), in scratch memory: for each position its valid ids in ascending order with
/// their slots, ended by kNoUnit.
struct Inverse {
  Ptr ids, slots, heads, cursors;
  int64_t positions = 0, width = 0; ///< most positions; entries of a list with its end
  Value strips;                     ///< strips of positions that the call has
  bool repeats = false;             ///< ids may follow themselves in a list
  Owner owner;
};

/// A tile value in every form that its uses need.
struct TileValue {
  std::optional<Panels> panels;
  std::optional<Lines> lines;
  std::optional<ByteRows> bytes;      ///< what dots with bytes alone read
  std::optional<RightOperand> keys;   ///< as right operand of dot nt
  std::optional<RightOperand> values; ///< as right operand of dot nn
  std::optional<RowSource> rows;      ///< not read yet
  std::optional<float> splat;
  /// Of a tile of one row: its columns as a row vector, so that neighbours stand side by side.
  std::optional<Panels> columns;
  std::shared_ptr<Pending> pending;
  std::optional<TopState> top;
  /// Of scores: what is visible. Of weights: memory holds these columns alone, the others are 0.
  std::shared_ptr<const Visible> visible;
  Value changed; ///< i1; where it does not hold, all elements are 1 and memory need not say so
  Value some;    ///< i1 or null; where it does not hold, all elements are 0 and memory need not say so
};

} // namespace sattn::cpu

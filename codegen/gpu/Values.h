// Where tile values live while a kernel is lowered: numbers that are computed with stand in registers, in the layout in
// which the matrix instructions give their results; right operands of dots stand in shared memory.
#pragma once
#include "codegen/gpu/Code.h"
#include "dialects/tile/Tile.h"
#include <optional>

namespace sattn::gpu {

/// The rows of tiles over the warps of a block. Rows come in blocks of 16; block i of a warp begins at row
/// (i * warps + warp) * 16 and the lane holds rows `laneRow` and `laneRow` + 8 of it.
struct RowLayout {
  int64_t warps = 1;
  int64_t blocks(int64_t rows) const { return llvm::divideCeil(rows, kMmaRows * warps); }
};

inline constexpr int64_t kSwizzleBytes = 128;                   ///< of a row of a panel
inline constexpr int64_t kPanelColumns = kSwizzleBytes / 2;     ///< 16-bit elements
inline constexpr int64_t kSwizzleAlignment = 8 * kSwizzleBytes; ///< of panels: where the pattern repeats
/// Distance of rows of `bytes` bytes of 16-bit elements: what the lanes of a warp read at once, 16 bytes of eight rows,
/// lies in different banks.
inline int64_t shortRowBytes(int64_t bytes) { return (bytes / 16 | 1) * 16; }
inline constexpr int64_t kGroupWarps = 4, kGroupRows = kGroupWarps * kMmaRows; ///< of a warpgroup

/// A computed tile in registers: register 4 * (block * cols / 8 + j) + e holds row `laneRow` + 8 * (e / 2) of the block
/// and column 8 * j + 2 * lanePair + e % 2. A row vector has registers 2 * block + half, the same in the four lanes of
/// a row.
struct Fragment {
  int64_t rows = 0, cols = 0; ///< cols is 0 for a row vector
  Values at;
  bool isVector() const { return cols == 0; }
  int64_t blocks() const { return static_cast<int64_t>(at.size()) / (isVector() ? 2 : cols / 2); }
  Value &element(int64_t block, int64_t tile, int64_t e) { return at[4 * (block * cols / 8 + tile) + e]; }
  /// Registers of one row of a thread, columns ascending.
  int64_t perRow() const { return isVector() ? 1 : cols / 4; }
  Value &ofRow(int64_t block, int64_t half, int64_t i) {
    return isVector() ? at[2 * block + half] : element(block, i / 2, 2 * half + i % 2);
  }
  void setRow(int64_t block, int64_t half, ArrayRef<Value> registers) {
    for (auto [i, value] : llvm::enumerate(registers))
      ofRow(block, half, static_cast<int64_t>(i)) = value;
  }
};

/// An operand in shared memory: rows `rowBytes` apart, or, where warpgroups multiply, panels of 64 columns. A
/// panel has 128 bytes of each row; of row r the 16-byte unit u lies at place u ^ r % 8, which is the 128-byte swizzle
/// of TMA and of matrix descriptors.
struct SharedRows {
  Value base;
  Type element;
  int64_t rows = 0, cols = 0, rowBytes = 0;
  bool swizzled = false;
  /// Of a tile that comes through a ring: its mbarriers and parity (i32) until it is awaited, and how many products are
  /// still to read it; the last one gives the stage back.
  Value full, empty, parity;
  int64_t usesLeft = 0;
  int64_t panelBytes() const { return rows * kSwizzleBytes; }
  int64_t bytes() const { return swizzled ? cols / kPanelColumns * panelBytes() : rows * rowBytes; }
};

/// Rows of a left operand that stay in memory, which nothing writes, and are read step by step.
struct LeftRows {
  struct Row {
    Value pointer, inside; ///< of the lane's first elements
  };
  SmallVector<Row> rows; ///< [block][half]
  Type element;
  tile::MapOp map; ///< null, or a function of each number that is read
};

/// The left operand of dots as the matrix instructions take it: four registers for each block of rows and step of the
/// inner extent, or rows in memory. Of TF32 they are float32 that the dot cuts in two (Tf32.cpp).
struct LeftOperand {
  int64_t blocks = 0, steps = 0;
  Values at;
  std::optional<LeftRows> rows;
  bool exact = false; ///< every number of TF32 was stored in 16 bits
  /// Where it is read anew for each product, in place of registers: by warpgroups, of which group g of block i takes 64
  /// rows from row 64 * (i * groups + g) on, or by each warp, a step at a time.
  std::optional<SharedRows> shared;
  ArrayRef<Value> registers(int64_t block, int64_t step) const {
    return ArrayRef<Value>(at).slice(4 * (block * steps + step), 4);
  }
};

/// A computed tile in shared memory, four bytes each, rows one after the other. Few rows that no matrix instruction
/// takes (a row for each position, not for each head) and lists are computed with here, an element for each thread.
struct SharedTile {
  Value base;
  int64_t rows = 0, cols = 0; ///< cols is 0 for a row vector
  int64_t width() const { return cols == 0 ? 1 : cols; }
  int64_t count() const { return rows * width(); }
};

/// Running top-k: rows are dealt to the warps, row i * warps + warp to slot i; lane l of the warp holds rank 32 * chunk
/// + l.
struct TopState {
  int64_t rows = 0, k = 0;
  Values scores, ids; ///< [slot][chunk]; an id of -1 is an empty rank, those of forced entries carry a bit
  int64_t chunks() const { return llvm::divideCeil(k, kWarp); }
};

/// Where the positions of a view lie in a pool of pages (Pages.cpp).
struct Pages {
  int64_t size;              ///< positions of a page
  Value table;               ///< ptr<1>, of the batch entry
  Value entries, entryBytes; ///< of the table, and from one to the next
  Value count, pageBytes;    ///< pages of the pool, and from one to the next
  Value from = {};           ///< position i of the view is position from + every * i
  int64_t every = 1;
};
struct PagePlace {
  Value page, row;       ///< i32 and i64
  Value pointer, exists; ///< of the row; whether there is such a page
};

/// Rows of memory that a tile is read from or written to.
struct View {
  Value base;                     ///< ptr<1>, or ptr<3> for private memory
  Value positionBytes, headBytes; ///< strides
  Value limit;                    ///< positions at or beyond lie outside; not negative
  tile::ViewType type;
  std::optional<unsigned> operand; ///< number of the kernel's operand that it is a view of; none: private memory
  std::optional<Pages> pages;      ///< `base` is that of the pool then
  int64_t elementBytes() const { return llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8); }
};

/// Which rows of a view make a tile.
struct RowSource {
  View view;
  Value position; ///< of the first row, or the base that is added to `ids`
  int64_t rows = 0;
  std::optional<SharedTile> ids; ///< row block i lies at position + ids[i]
  int64_t divisor = 1;           ///< that `position` is a multiple of
};

/// Index lists turned around: a thread holds the lists of some positions and its place in each.
struct Inverse {
  View lists;
  Value position, units;                 ///< first position; ids at or beyond `units` are ignored
  int64_t count = 0;                     ///< most positions
  bool unordered = false, flags = false; ///< flags: ids are the numbers of the elements that are not 0
  Value base = {};                       ///< of ids in any order: unit 0; null: id 0
  std::optional<View> starts = {};       ///< of lists that lie one after the other in position 0
  /// The threads of a block share one list in any order, else each has lists of its own.
  bool isShared() const { return unordered && count == 1; }
};

/// A tile value in every form that its uses need.
struct TileValue {
  std::optional<float> splat;
  std::optional<Fragment> fragment;
  /// Of a tile of one row: what a lane has of each row of a fragment, register i column 8 * (i / 2) + 2 * lanePair +
  /// i % 2.
  std::optional<Values> columns;
  std::optional<RowSource> unread; ///< of memory that nothing writes before its one use reads it
  std::optional<LeftOperand> left, leftTf32;
  std::optional<SharedRows> right;
  std::optional<RowSource> rightFrom; ///< where the elements of `right` were copied from
  std::optional<SharedTile> shared;
  std::optional<TopState> top;
};

/// Shared memory of a block, handed out while code is emitted in program order.
class SharedMemory {
public:
  int64_t take(int64_t bytes, int64_t alignment = 16) {
    int64_t offset = llvm::alignTo(end, alignment);
    end = offset + llvm::alignTo(bytes, 16);
    top = std::max(top, end);
    return offset;
  }
  /// Frees everything that was taken after `mark`.
  void release(int64_t mark) { end = mark; }
  int64_t mark() const { return end; }
  int64_t highWater() const { return top; }

private:
  int64_t end = 0, top = 0;
};

} // namespace sattn::gpu

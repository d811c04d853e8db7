// Run-time values of tile programs. Floats of every type are float64; integers have 64 bits and wrap to their type.
// Tiles hold float64, also of integers, which are then 32 bits at most.
#pragma once
#include "lib/reference/Errors.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sattn::ref {

/// An integer or a float; the type of the value that holds it tells which.
struct Number {
  int64_t integer = 0;
  double real = 0.0;

  static Number ofInteger(int64_t value) { return {value, 0.0}; }
  static Number ofReal(double value) { return {0, value}; }
  /// As an element of a tile is stored, and back.
  double inTile(mlir::Type type) const { return isa<mlir::FloatType>(type) ? real : static_cast<double>(integer); }
  static Number fromTile(double value, mlir::Type type) {
    return isa<mlir::FloatType>(type) ? ofReal(value) : ofInteger(static_cast<int64_t>(value));
  }
};

inline constexpr double notWritten = std::numeric_limits<double>::quiet_NaN();

/// Rows x columns; a row vector has one column.
struct Tile {
  int64_t rows = 0, cols = 1;
  std::vector<double> data;

  static Tile filled(int64_t rows, int64_t cols, double value) {
    return {rows, cols, std::vector<double>(rows * cols, value)};
  }
  double &at(int64_t row, int64_t col = 0) { return data[row * cols + col]; }
  double at(int64_t row, int64_t col = 0) const { return data[row * cols + col]; }
};

/// A role, result, workspace or private memory: [batch][head][position][inner].
struct Memory {
  std::string name;
  int64_t batch = 1, heads = 1, positions = 1, inner = 1;
  std::vector<double> data;
  /// For each element the task of the current launch that wrote it, -1 for none.
  std::vector<int64_t> writer;

  int64_t row(int64_t b, int64_t head, int64_t position) const { return (b * heads + head) * positions + position; }
};

/// A kernel operand. Axes that it lacks have one entry, which every index reads.
struct Operand {
  std::shared_ptr<Memory> memory;
  bool hasBatch = true, hasHeads = true, hasPositions = true;
};

/// Where the positions of a view lie in a pool of pages: those of page `page` positions that `table` names.
struct Pages {
  Operand table;
  int64_t size;
};

/// Rows of one batch entry and `group` heads of an operand, `inner` elements of each from `column` on. Positions
/// outside [0, limit) do not exist.
struct View {
  Operand of;
  int64_t batch = 0, firstHead = 0, limit = 0, group = 1, column = 0, inner = 1;
  int64_t every = 1, from = 0; ///< position i is position from + every * i of the operand
  bool outer = false;
  bool across = false; ///< positions are the heads of position `from`
  std::optional<Pages> pages;

  /// Row of a tile that holds `positions` positions: the i-th position, the g-th head of the group.
  int64_t tileRow(int64_t positions, int64_t i, int64_t g) const { return outer ? g * positions + i : i * group + g; }
  /// Place in memory of the first element of a row, or -1 where the row does not exist.
  int64_t place(int64_t position, int64_t g) const;
};

using PerBatch = const std::vector<int64_t> *;

struct Cover {
  struct Run {
    int64_t lo, hi, fullLo, fullHi;
  };
  std::vector<Run> runs;
};

/// The best ids of each row.
struct Top {
  struct Entry {
    bool forced;
    double score;
    int64_t id;
    /// Forced ones first, then higher scores, then lower ids.
    bool operator<(const Entry &other) const;
  };
  int64_t k = 0;
  std::vector<std::vector<Entry>> rows;
};

/// For each unit the members whose lists hold it, ascending, and the slot there.
using Inverse = std::map<int64_t, std::vector<std::pair<int64_t, int64_t>>>;

using TileValue = std::variant<Number, Tile, Operand, View, PerBatch, Cover, Top, Inverse>;

/// Values of an SSA scope.
class Values {
public:
  void set(mlir::Value value, TileValue made) { known[value] = std::make_unique<TileValue>(std::move(made)); }
  const TileValue &operator[](mlir::Value value) const { return *known.find(value)->second; }
  template <typename T> const T &get(mlir::Value value) const { return std::get<T>((*this)[value]); }
  Number number(mlir::Value value) const { return get<Number>(value); }
  int64_t index(mlir::Value value) const { return number(value).integer; }
  void setIndex(mlir::Value value, int64_t index) { set(value, Number::ofInteger(index)); }

private:
  llvm::DenseMap<mlir::Value, std::unique_ptr<TileValue>> known;
};

/// The number that an arith or math op makes of scalar operands; reports ops that the interpreter does not know.
Number evaluateScalar(Operation *op, ArrayRef<Number> operands, Errors &errors);

/// True where the point (t, s, and so on) lies in one of the sets.
bool isInSets(mlir::ArrayAttr sets, ArrayRef<int64_t> point, ArrayRef<int64_t> symbols);
/// Value of a one-result affine map or expression at `dims` and `symbols`.
int64_t evaluateAffine(mlir::AffineExpr expr, ArrayRef<int64_t> dims, ArrayRef<int64_t> symbols);

} // namespace sattn::ref

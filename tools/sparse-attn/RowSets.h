// Which keys one query row sees, as intervals: the exact count of visible pairs behind "useful work". Static sets are
// solved for the key where they are linear in it and scanned where a modulus or floor is in the way. Of a selection the
// chosen blocks are not known; forced ones count exactly, the others with the mean of the candidates.
#pragma once
#include "dialects/pattern/Facts.h"
#include "dialects/pattern/KeySet.h"
#include "dialects/pattern/Pattern.h"
#include "llvm/ADT/StringMap.h"

namespace sattn::tool {

/// Disjoint half-open intervals, ascending.
class Intervals {
public:
  Intervals() = default;
  Intervals(int64_t low, int64_t high) {
    if (low < high)
      parts.push_back({low, high});
  }
  void add(int64_t low, int64_t high); ///< in any order; overlaps are merged
  Intervals intersect(const Intervals &other) const;
  Intervals complement(int64_t total) const; ///< within [0, total)
  /// Keys of blocks: [i * stride, i * stride + length), cut at `total`.
  Intervals lift(int64_t length, int64_t stride, int64_t total) const;
  int64_t count() const;
  const SmallVector<std::pair<int64_t, int64_t>, 4> &list() const { return parts; }

private:
  SmallVector<std::pair<int64_t, int64_t>, 4> parts;
};

class RowSets {
public:
  /// `sizes` by axis name ("t", "s", "h", ...), `params` by name; blocks are numbers after that.
  RowSets(PatternOp pattern, const PatternFacts &facts, const llvm::StringMap<int64_t> &sizes,
          const llvm::StringMap<double> &params, int64_t qOffset);

  /// Number of columns (keys or blocks) that row `row` of the axis `t` sees in `set`; for a selection used over tokens,
  /// tokens.
  double count(Value set, int64_t row);
  /// Rows of the set's row axis: query rows, or blocks of them.
  int64_t rows(Value set) const;
  /// True if some formula must be scanned key by key.
  bool scans() const { return mustScan; }
  std::optional<int64_t> number(ExprAttr expr) const;
  int64_t extent(AxisAttr axis) const; ///< size of an axis in this call

private:
  struct RowSet {
    bool isSelected = false;
    Intervals keys;                ///< columns that are certain: in units where `unit` is set
    Intervals candidates, forced;  ///< of a selection, in units
    int64_t chosen = 0;            ///< how many of the candidates
    int64_t length = 1, stride = 1; ///< of a unit: 1 for tokens
    std::optional<Intervals> clip; ///< tokens that the chosen units are cut to
  };
  RowSet evaluate(Value set, int64_t row);
  RowSet evaluate(SetOp op, int64_t row);
  RowSet evaluate(SelectOp op, int64_t row);
  RowSet combine(Operation *op, int64_t row);
  Intervals conjunction(const Conjunction &atoms, StringRef key, int64_t total, int64_t row);
  Intervals tokens(const RowSet &set) const;
  std::optional<int64_t> value(ExprAttr expr, StringRef key, int64_t column, int64_t row) const;
  std::optional<int64_t> value(const LinearForm &form, StringRef key, int64_t column, int64_t row) const;
  AxisAttr axisOf(StringRef name) const;

  const PatternFacts &facts;
  const llvm::StringMap<int64_t> &sizes;
  const llvm::StringMap<double> &params;
  llvm::StringMap<AxisAttr> blockAxes;   ///< of the set that is evaluated
  llvm::DenseMap<Value, KeySetFormula> formulas;
  int64_t qOffset;
  bool mustScan = false;
};

} // namespace sattn::tool

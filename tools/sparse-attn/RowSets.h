// Which keys one query row sees, as intervals: the count of visible pairs behind "useful work". Static sets are solved
// for the key, piece by piece where a modulus or floor makes them piecewise linear, so they count exactly. Of a
// selection the chosen blocks are not known: forced ones count exactly, the others with the mean of the candidates,
// which is exact where all of them are complete.
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
  const SmallVector<std::pair<int64_t, int64_t>, 4> &list() const & { return parts; }
  void list() && = delete; ///< a loop over the list of a temporary would read freed memory

private:
  SmallVector<std::pair<int64_t, int64_t>, 4> parts;
};

/// Where the rows and keys of one batch entry stand.
struct Positions {
  int64_t qOffset = 0, kvOffset = 0, kvLen = 0;
  auto operator<=>(const Positions &) const = default;
};

class RowSets {
public:
  /// `sizes` by axis name ("t", "s", "h", ...), `params` by name; blocks are numbers after that.
  RowSets(const PatternFacts &facts, const llvm::StringMap<int64_t> &sizes, const llvm::StringMap<double> &params,
          Positions at)
      : facts(facts), sizes(sizes), params(params), at(at) {}

  /// Number of columns of `score` that row `row` of the axis `t` sees in `set`: blocks for a score over blocks, else
  /// tokens. The mean over heads where a formula tells heads apart.
  double count(Value set, Value score, int64_t row);
  /// Rows of the set's row axis: query rows, or blocks of them.
  int64_t rows(Value set) const;
  /// Pieces of formulas solved so far: what counting costs.
  int64_t steps() const { return stepsTaken; }
  std::optional<int64_t> number(ExprAttr expr) const;
  int64_t extent(AxisAttr axis) const; ///< size of an axis in this call

private:
  struct RowSet {
    bool isSelected = false;
    Intervals keys;                 ///< columns that are certain: tokens, or units where nothing is selected
    Intervals candidates, forced;   ///< of a selection, in units
    int64_t chosen = 0;             ///< how many of the candidates
    int64_t length = 1, stride = 1; ///< of a unit: 1 for tokens
    std::optional<Intervals> clip;  ///< tokens that the chosen units are cut to
    bool isTokens() const { return length == 1 && stride == 1; }
  };
  RowSet evaluate(Value set, int64_t row);
  RowSet evaluate(SetOp op, int64_t row);
  RowSet evaluate(SelectOp op, int64_t row);
  RowSet combine(Operation *op, int64_t row);
  double countHead(Value set, Value score, int64_t row);
  bool mentionsHeads(Value set) const;
  Intervals conjunction(const Conjunction &atoms, StringRef key, int64_t total, int64_t row);
  Intervals solve(const Conjunction &atoms, StringRef key, int64_t begin, int64_t end, int64_t row) const;
  int64_t pieceEnd(const Conjunction &atoms, StringRef key, int64_t column, int64_t row) const;
  Intervals tokens(const RowSet &set) const;
  std::optional<int64_t> value(ExprAttr expr, StringRef key, int64_t column, int64_t row) const;
  std::optional<int64_t> value(const LinearForm &form, StringRef key, int64_t column, int64_t row) const;
  AxisAttr axisOf(StringRef name) const;
  int64_t firstColumn(int64_t stride) const { return at.kvOffset / stride; }

  const PatternFacts &facts;
  const llvm::StringMap<int64_t> &sizes;
  const llvm::StringMap<double> &params;
  Positions at;
  int64_t head = 0;                    ///< query head of the evaluation
  llvm::StringMap<AxisAttr> blockAxes; ///< of the set that is evaluated
  llvm::DenseMap<Value, KeySetFormula> formulas;
  int64_t stepsTaken = 0;
};

} // namespace sattn::tool

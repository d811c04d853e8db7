// Formulas made ready for many evaluations: names are bound to positions, heads, params and table operands once, then
// a formula is a function of a point (row, key, head, score). Everything is float64; integers are exact to 2^53.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include <optional>
#include <string>
#include <vector>

namespace sattn::ref {

/// Head `index` of `count`. An axis with fewer heads serves consecutive groups: head h of H reads head
/// h floordiv (H / n) of an axis of n heads.
struct Head {
  int64_t index = 0, count = 1;
  /// Where `n` does not divide `count` the axis cannot serve (checked before).
  int64_t in(int64_t n) const { return index / (count / n); }
  Head as(int64_t n) const { return {in(n), n}; }
};

/// Blocks [i * stride, i * stride + length) of positions; single positions are blocks of 1.
struct Blocks {
  int64_t length = 1, stride = 1;
  bool isTokens() const { return length == 1 && stride == 1; }
  bool disjoint() const { return length == stride; }
  bool operator==(const Blocks &) const = default;
};

/// Where a formula is evaluated: absolute numbers of row and column, sizes, and the score that a map changes.
struct Point {
  int64_t row = 0, key = 0;
  Head head;
  double score = 0.0;
  /// One past the last row and key position of the batch entry.
  int64_t rowsEnd = 0, keysEnd = 0;
  /// Position of the first stored key of the batch entry, where tables by distance begin.
  int64_t keysBegin = 0;
};

/// What the names of a formula stand for.
struct Scope {
  /// Params, and sizes of feature axes.
  const llvm::StringMap<double> *numbers = nullptr;
  /// Sizes of head axes.
  const llvm::StringMap<int64_t> *heads = nullptr;
  StringRef row, key;
  Blocks rowBlocks, keyBlocks;
  /// Extents of head axes of table operands: heads(table, axis), or nullopt where that axis is not of heads.
  llvm::function_ref<std::optional<int64_t>(int64_t, size_t)> tableHeads = nullptr;
};

class Formula {
public:
  /// Reads a table operand: one index for each axis, none for a whole output of sattn.mix. Positions are absolute.
  using Load = llvm::function_ref<double(int64_t table, ArrayRef<int64_t> index)>;

  /// Binds the names of `expr`; on an unknown name or a divisor that is not positive `error` says so.
  static FailureOr<Formula> bind(ExprAttr expr, const Scope &scope, std::string &error);

  double value(const Point &point, Load load) const { return value(root, point, load); }
  /// The truth of a condition: any number but 0.
  bool holds(const Point &point, Load load) const { return value(point, load) != 0.0; }

  /// Head counts that the formula distinguishes; each must divide the count of the head it is evaluated at.
  ArrayRef<int64_t> headCounts() const { return counts; }

private:
  enum class Leaf {
    None,
    Number,
    Row,
    Key,
    HeadIn,
    Score,
    RowsEnd,
    KeysEnd,
    FirstOfRow,
    LastOfRow,
    FirstOfKey,
    LastOfKey
  };
  struct Node {
    ExprKind kind = ExprKind::Int;
    Leaf leaf = Leaf::None;
    double number = 0.0; // a literal or param; the count of heads of HeadIn
    int64_t table = 0;
    bool isDistance = false; // an index of a table
    double (*function)(ArrayRef<double>) = nullptr;
    Blocks blocks; // of first and last
    std::vector<Node> kids;
  };
  struct Binder;
  double value(const Node &node, const Point &point, Load load) const;

  Node root;
  SmallVector<int64_t> counts;
};

} // namespace sattn::ref

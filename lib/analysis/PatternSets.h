// What is known of the key sets of a pattern before any score is: for every set value a quasi-affine set that holds at
// least its members. A selection is the part of its `where` at which an unknown 0/1 function is 1, likewise lists and
// random blocks; so the algebra is exact in these functions, and `a minus %sel` shares no key with `%sel`.
#pragma once
#include "dialects/pattern/Facts.h"
#include "lib/analysis/SetProofs.h"
#include "lib/analysis/SpecialiseSet.h"

namespace sattn {

/// One set, over rows and keys of the given shapes (positions: 1 and 1).
struct KnownSet {
  quasi::Set set;
  BlockShape row, key;
  std::string unknown; // not empty: why nothing is known (no value for a block length, numbers out of range)
  SetDomain domain() const { return {row.length == 1 ? "t" : "u", key.length == 1 ? "s" : "c"}; }
};

/// The sets of one pattern. Params have their values where the pattern is specialised; before that static params have
/// those of `statics`, others of them their defaults.
class PatternSets {
public:
  PatternSets(PatternOp pattern, const PatternFacts &facts, const llvm::StringMap<int64_t> &statics = {});

  const SetBindings &bindings() const { return bound; }
  /// The set of a value of set type, over the axes that its facts give.
  const KnownSet &of(Value set) const { return sets.at(set); }
  /// The same over positions and blocks of a score: blocks lift where the score has tokens.
  KnownSet over(Value set, const Facts &score) const;
  /// The columns that a selection forces, within its `where`.
  KnownSet forcedBy(SelectOp op) const;
  /// Over the rows and columns of a score: the first `first` columns, the column that holds the row's last position and
  /// `last - 1` before it. Either may be null.
  KnownSet endColumns(const Facts &score, ExprAttr first, ExprAttr last) const;
  /// Shape of an axis; what is not known is said in `unknown`.
  BlockShape shapeOf(AxisAttr axis, std::string &unknown) const;
  /// What the values of static params make impossible at an op: a divisor or block length that is not 1 to 2^31, blocks
  /// that leave gaps. "" where nothing does, or a value is missing.
  std::string impossibleAt(Operation &op) const;

private:
  void bindParams(PatternOp pattern, const llvm::StringMap<int64_t> &statics);
  KnownSet define(Operation &op);
  KnownSet fromFormula(KeySetAttr formula, mlir::OperandRange tables);
  KnownSet unknownPart(KnownSet within, Value of);
  KnownSet algebra(Operation &op);
  std::string nameOf(Value value);

  const PatternFacts &facts;
  SetBindings bound;
  llvm::DenseMap<Value, KnownSet> sets;
  llvm::DenseMap<Value, unsigned> numbers; // of values that stand for tables and unknown functions
};

/// Brings a set to the given shapes; blocks lift to positions, nothing else changes.
KnownSet toShapes(const KnownSet &known, BlockShape row, BlockShape key);

} // namespace sattn

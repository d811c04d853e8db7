// Facts: what each value of a pattern is. Types carry no parameters; axes, granularity, slots and the like are derived
// by one forward pass over the body, which also checks the numbered constraints of docs/spec.md. The verifier of
// sattn.pattern runs it; passes, oracle and tools call deriveFacts again when they need the facts.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "llvm/ADT/DenseMap.h"
#include <optional>

namespace sattn {

/// What one value is. Fields that do not apply to the value's type keep their defaults.
struct Facts {
  // ---- Tensors; partial results have the axes of their output.
  SmallVector<AxisAttr, 4> axes;
  bool isInt = false;           ///< int32 elements
  std::optional<CodeKind> code; ///< the code of sattn.encode
  bool minmax = false;          ///< pair of minima and maxima: only sattn.score bound reads it
  Value gatheredAt;             ///< the sattn.route result at whose rows a tensor, score or partial stands

  // ---- Sets and scores
  AxisAttr row;  ///< t, or u(l): one row of the set for a block of rows
  AxisAttr key;  ///< s, or c(l, d)
  AxisAttr head; ///< granularity: each query head, each kv head, or null for one

  // ---- Sets
  bool selected = false;    ///< comes from sattn.select, so it is known only at run time
  bool readsTables = false; ///< formula with table loads, lists or random blocks

  // ---- Sets that still have the slots of one selection, weights of slots, partial results per block
  Value selection;            ///< the sattn.select result that the slots belong to
  ExprAttr slots;             ///< top(n) of it; null where only above or mass bound it. Rows: how many
  bool variableSlots = false; ///< above(x), mass(p): rows differ in how many they select
  bool extraSlot = false;     ///< weights with a last slot for a given lse

  // ---- Scores and partial results
  bool probability = false; ///< normalised over a set
  bool linear = false;      ///< partial result without exponentials
  bool perBlock = false;    ///< one partial result for each slot of `selection`

  /// The first axis over positions, heads, features; null if there is none.
  AxisAttr position() const;
  AxisAttr headAxis() const;
  AxisAttr feature() const;
};

/// What a sum of scores may lack of the `mass` of a selection that it has reached: sums that are equal in real numbers
/// are equal to every kernel.
inline constexpr double kMassSlack = 0x1p-16;

/// The largest integer of a code that is integers times a scale for each row; none for other codes.
inline std::optional<int64_t> integerLevels(std::optional<CodeKind> code) {
  if (code == CodeKind::Int8)
    return 127;
  return code == CodeKind::Int4 ? std::optional<int64_t>(7) : std::nullopt;
}

/// The name of the position axis of a tensor that was gathered, as results show it: `s(n)` where `top(n)` of positions
/// s were chosen. Its size is `n`, or that of s where this is less.
std::string chosenAxis(const Facts &facts);

/// The facts of every value of one pattern. They stay valid while the pattern does not change.
class PatternFacts {
public:
  /// Facts of a role (block argument) or of the result of an op of the body.
  const Facts &of(Value value) const;

private:
  friend class FactsPass;
  llvm::DenseMap<Value, Facts> facts;
};

/// Derives the facts; where a constraint does not hold, emits one diagnostic and fails. Linear in the size of the
/// pattern.
FailureOr<PatternFacts> deriveFacts(PatternOp pattern);

/// Most lines that a pattern may have.
inline constexpr size_t maxPatternLines = 1000;

} // namespace sattn

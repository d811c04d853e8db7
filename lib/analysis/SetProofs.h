// Proofs about key sets, by MLIR's Presburger library: is a set empty, do two overlap, can a row see a later key? A
// set that is not empty answers with its smallest point, the counter-example of a diagnostic.
//
// Every answer holds for all rows and keys in [0, 2^40] and all values of the symbols in +-2^40 (sizes: from 0, and
// larger than the positions they count). Table loads are unknown integers: a point of a set that reads one exists for
// some content of the table. Work is limited, so no set can stall the compiler: the answer is then Unknown, with the
// reason. Cost: 0.1 to 3 ms for the sets of known patterns, seconds for the worst.
#pragma once
#include "lib/analysis/QuasiAffine.h"

namespace sattn {

/// A member of a set, and what the symbols must be for that.
struct SetPoint {
  int64_t row = 0, key = 0;
  SmallVector<std::pair<std::string, int64_t>, 2> symbols; // those that differ from their default
  bool readsTable = false;                                 // only some contents of a table make it a member
  /// "" or " with W = 0 and S = 3", to follow the place that a message names.
  std::string assumptions() const;
};

inline constexpr unsigned kMaxChecks = 300;

struct SetAnswer {
  enum Kind { Empty, Found, Unknown } kind;
  SetPoint point;      // if Found: with the smallest row, then the smallest key, defaults preferred
  std::string reason;  // if Unknown
  unsigned checks = 0; // emptiness checks that it took, at most kMaxChecks: what a question costs, on any machine
};

/// What a question ranges over.
struct SetDomain {
  StringRef row = "t", key = "s"; // names of the axes, which tie `size(t)` and `size(s)` to the positions
  bool negativeParams = true;     // params may be any integers, not only those from 0 on
};

/// The smallest point of the set, or Empty: a proof that it has none.
SetAnswer findPoint(const quasi::Set &set, SetDomain domain = {});
/// A point of both sets (over the same axes).
SetAnswer findOverlap(const quasi::Set &a, const quasi::Set &b, SetDomain domain = {});
/// A point of `a` that is not in `b`; Empty proves that `a` is a subset.
SetAnswer findOutside(const quasi::Set &a, const quasi::Set &b, SetDomain domain = {});
/// The set of all (row, key) such that the key holds a token later than the last one of the row: s > t, or over blocks
/// last(key) > last(row).
std::optional<quasi::Set> futureOf(BlockShape row, BlockShape key, std::string &why);
/// A row that sees a key of futureOf. Empty proves causality.
SetAnswer findFuture(const quasi::Set &set, BlockShape row = {}, BlockShape key = {}, SetDomain domain = {});

} // namespace sattn

// How the heads of a specialised pattern are grouped.
//
// Query heads come in contiguous groups: `ratio(axis)` query heads use one head of another head axis. A *unit* is the
// smallest group of query heads that shares nothing with other groups, so that one (batch entry, unit) pair can be
// computed alone: the ratio of the coarsest head axis of keys, values and selections, or all heads of a batch entry
// where keys have no head axis.
#pragma once
#include "dialects/pattern/Facts.h"
#include "lib/transforms/Bindings.h"

namespace sattn {

/// Whether the heads of `axis` meet no others, so that any number of them will do: their scores, with keys of one head,
/// are reduced to one.
bool standAlone(PatternOp pattern, StringRef axis);

/// Of `all` heads as many as one task takes, at most `most` of them, so that all tasks take as many.
int64_t evenShare(int64_t all, int64_t most);

class Heads {
public:
  Heads(const BoundPattern &bound, const PatternFacts &facts);

  /// Query heads for each head of `axis`; nullopt where one head serves all.
  std::optional<int64_t> ratio(AxisAttr axis) const;
  /// Query heads of a unit; nullopt: all of the batch entry.
  std::optional<int64_t> unit() const { return unitHeads; }
  /// The axis of query heads; null where queries have none.
  AxisAttr base() const { return baseAxis; }
  /// The largest group of query heads that uses one head of each of `axes`.
  int64_t shared(ArrayRef<AxisAttr> axes) const;

private:
  BoundPattern bound;
  AxisAttr baseAxis;
  std::optional<int64_t> unitHeads = 1;
};

} // namespace sattn

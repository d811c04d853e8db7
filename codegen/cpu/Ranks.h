// Ranks of sixteen lists at once: lanes are lists, and a column holds everybody's entry of one rank as a number of 64
// bits. What ranks an entry, its score and its id can all be read from the number, so that lists are sorted and merged
// by minima and maxima that do not depend on what they find.
#pragma once
#include "codegen/cpu/Code.h"

namespace sattn::cpu {

class Ranks {
public:
  /// `count`, a power of two, columns from `base` on.
  Ranks(Code &c, Ptr base, int64_t count) : c(c), base(base), count(count) {}
  static constexpr int64_t kColumnBytes = kLanes * 8;

  Value load(Value rank);
  void store(Value numbers, Value rank);

  /// The greatest first.
  void sort();
  /// The greatest of both, sorted; `more`, of as many columns, and these are sorted before.
  void merge(Ranks more);

private:
  void stages(Value apart);
  void stage(Value half);
  void twoStages(Value half, bool turned);

  Code &c;
  Ptr base;
  int64_t count;
};

/// Entries of a column. What has none is the least number, the score -inf and the id -1.
Value noEntry(Code &c);
/// Orders forced entries (i1, may be null) before others, then by scores, which are no NaN, then lower ids first.
Value byScore(Code &c, Value score, Value id, Value forced);
struct Entry {
  Value score, id, forced;
};
Entry entryOf(Code &c, Value byScore);
/// Falls as ids rise; 0 without an entry.
Value placeOf(Code &c, Value byScore);
/// Orders by ids, lower ones first; back to scores and ids.
Value byId(Code &c, const Entry &entry);
Entry entryById(Code &c, Value byId);

} // namespace sattn::cpu

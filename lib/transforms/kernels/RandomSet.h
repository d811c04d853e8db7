// Random blocks as part of a set: for each block of rows that a tile of rows may touch, and each block of keys that is
// drawn for it, one conjunction (t floordiv b == U + k and s floordiv b == R[k, i]), whose numbers the kernel computes
// as lib/support/RandomBlocks.h does.
#pragma once
#include "lib/analysis/QuasiAffine.h"
#include "lib/transforms/kernels/Tables.h"

namespace sattn::lower {

struct RandomSet {
  int64_t count = 0, block = 0, rowBlocks = 0;
  ExprAttr seed; ///< a literal or a param

  /// Of `op` for tiles of `rows` rows; refuses numbers that only a call knows, but for the seed.
  static FailureOr<RandomSet> make(Context &context, RandomOp op, int64_t rows);
  /// The set over absolute positions; nullopt with the reason in `why` where there are too many.
  std::optional<quasi::Set> positions(std::string &why) const;
  /// Makes its symbols known to `task`, for tiles that begin at `rows`.
  void define(Task &task, const Rows &rows) const;

private:
  std::string name(int64_t rowBlock, int64_t i) const;
  std::string ownName() const;
};

} // namespace sattn::lower

// Sets whose keys all stand at one distance from the row, modulo a number: strided and dilated attention.
//
// Where every point of a set has t - s = shift (mod m), the rows and the keys of one residue class are a problem of
// their own, m times smaller: t = m * i + shift + r, s = m * j + r. A kernel that walks classes visits no other key.
#pragma once
#include "lib/analysis/QuasiAffine.h"

namespace sattn {

struct Congruence {
  int64_t modulus = 1;
  int64_t shift = 0; ///< of row minus key, in [0, modulus)
  bool isTrivial() const { return modulus == 1; }
  friend bool operator==(const Congruence &, const Congruence &) = default;
};

/// What `(t - s) mod m == v` in every disjunct says; trivial where a disjunct lacks it or they differ.
Congruence commonCongruence(const quasi::Set &set);

} // namespace sattn

// Bounds: the working form of a set's atoms, shared by canonicalisation and printing. Not for use outside KeySet*.cpp.
#pragma once
#include "dialects/pattern/KeySet.h"

namespace sattn {

/// `terms == at`, `terms >= at` or `terms <= at`; the leading coefficient of `terms` is positive and their gcd is 1.
struct Bound {
  enum Kind { Equal, Lower, Upper } kind;
  SmallVector<Term, 4> terms;
  int64_t at;
  bool operator==(const Bound &other) const = default;
};

/// The terms of a bound that hold positions, and (after them) those that hold params only.
inline ArrayRef<Term> positionalPart(const Bound &bound) {
  return ArrayRef<Term>(bound.terms).take_while([](const Term &term) { return isPositional(term.factor); });
}
inline ArrayRef<Term> paramPart(const Bound &bound) {
  return ArrayRef<Term>(bound.terms).drop_front(positionalPart(bound).size());
}

/// Order of term lists: factor by factor, then coefficient, shorter first.
int compareTerms(ArrayRef<Term> a, ArrayRef<Term> b);
/// The structs of a set; nullopt for an attribute that canonicalKeySet did not make, which messages may have to print.
std::optional<KeySetFormula> decodeKeySet(KeySetAttr set);
Bound boundOf(const Atom &atom);
Atom atomOf(const Bound &bound);

} // namespace sattn

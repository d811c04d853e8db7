// Reads congruences from the equalities of a set.
#include "lib/analysis/Congruence.h"

using namespace sattn;
using namespace sattn::quasi;

static int64_t residue(int64_t value, int64_t modulus) { return ((value % modulus) + modulus) % modulus; }

// An atom `((t - s + a) mod m) - v == 0`, of either sign.
static Congruence congruenceOf(const quasi::Set &set, const Atom &atom) {
  if (atom.kind != Atom::EQ || atom.form.terms.size() != 1 || atom.form.terms[0].var.kind != Var::Local)
    return {};
  auto [var, coeff] = atom.form.terms[0];
  const LocalTerm &local = set.locals()[var.index];
  int64_t row = local.arg.coeff(Var::row()), key = local.arg.coeff(Var::key());
  bool isDifference = local.arg.terms.size() == 2 && (row == 1 || row == -1) && key == -row;
  if (local.kind != LocalTerm::Mod || (coeff != 1 && coeff != -1) || !isDifference)
    return {};
  // (row * (t - s) + a) mod m = v, so that t - s = row * (v - a).
  int64_t value = -coeff * atom.form.constant;
  return {local.divisor, residue(row * (value - local.arg.constant), local.divisor)};
}

static Congruence congruenceOf(const quasi::Set &set, const Conjunction &conjunction) {
  Congruence strongest;
  for (const Atom &atom : conjunction)
    if (Congruence found = congruenceOf(set, atom); found.modulus > strongest.modulus)
      strongest = found;
  return strongest;
}

Congruence sattn::commonCongruence(const quasi::Set &set) {
  std::optional<Congruence> common;
  for (const Conjunction &conjunction : set.disjuncts()) {
    Congruence found = congruenceOf(set, conjunction);
    if (found.isTrivial() || (common && *common != found))
      return {};
    common = found;
  }
  return common.value_or(Congruence());
}

// Joins the analysis of the conjunctions of a set (ConjunctionBounds.h), and finds what pairs of them cover together.
#include "lib/analysis/TileBounds.h"
#include "lib/analysis/ConjunctionBounds.h"
#include "llvm/ADT/STLExtras.h"

namespace sattn {
using namespace quasi;
namespace {
constexpr size_t kMaxJoint = 16;
constexpr size_t kMaxPairs = 1024; // of atoms that are tried

/// Is the atom c * key + (row and uniform terms) >= 0, with the key nowhere else?
bool isDirectKeyBound(const Set &set, const Atom &atom) {
  bool hidden = llvm::any_of(atom.form.terms, [&](const Monomial &m) {
    return m.var.kind == Var::Local && set.uses(set.locals()[m.var.index].arg, Var::Key);
  });
  return atom.kind == Atom::GE && !hidden && atom.form.coeff(Var::key()) != 0 && !set.usesOpaque(atom.form);
}

/// Where a >= 0 or b >= 0 holds for every key: a = p*key + f, b = -q*key + g with p, q > 0. Both fail only if
/// p*key <= -f - 1 and q*key >= g + 1, so q*f + p*g + p + q > 0 excludes that.
std::optional<Form> coverOf(Set &set, const Form &a, const Form &b) {
  int64_t p = a.coeff(Var::key()), q = -b.coeff(Var::key());
  auto sum = set.scale(a, q);
  if (sum)
    sum = set.add(*sum, b, p);
  if (sum)
    sum = set.add(*sum, {{}, p + q - 1});
  return sum;
}

/// For disjuncts P and a, Q and b: P and Q and cover(a, b) lies in their union, and may fill tiles that neither does.
SmallVector<Conjunction, 4> jointDisjuncts(Set &set) {
  SmallVector<Conjunction, 4> found;
  SmallVector<Conjunction, 4> own(set.disjuncts());
  size_t tried = 0;
  auto consider = [&](const Conjunction &x, const Atom &a, const Conjunction &y, const Atom &b) {
    auto cover = coverOf(set, a.form, b.form);
    Set::Building joint;
    if (!cover || !set.addAtom(joint, Atom::GE, *cover))
      return;
    for (const Atom &atom : x)
      if (!(atom == a))
        set.addAtom(joint, atom.kind, atom.form);
    for (const Atom &atom : y)
      if (!(atom == b))
        set.addAtom(joint, atom.kind, atom.form);
    auto impliedBy = [&](const Conjunction &c) {
      return llvm::all_of(c, [&](const Atom &atom) { return llvm::is_contained(joint.atoms, atom); });
    };
    if (!joint.isFalse && llvm::none_of(own, impliedBy) && llvm::none_of(found, impliedBy))
      found.push_back(std::move(joint.atoms));
  };
  for (const Conjunction &x : own)
    for (const Conjunction &y : own)
      for (const Atom &a : x)
        for (const Atom &b : y)
          if (&x != &y && found.size() < kMaxJoint && tried < kMaxPairs && isDirectKeyBound(set, a) &&
              isDirectKeyBound(set, b) && a.form.coeff(Var::key()) > 0 && b.form.coeff(Var::key()) < 0) {
            consider(x, a, y, b);
            ++tried;
          }
  return found;
}
} // namespace

TileAnalysis::TileAnalysis(BoundPool &pool, Set set, RowTile rows, KeyTiles keys)
    : pool(pool), set(std::move(set)), rows(rows), keys(keys), joint(jointDisjuncts(this->set)) {}

TileBounds TileAnalysis::bounds() {
  TileBounds result;
  for (const Conjunction &c : set.disjuncts()) {
    ConjunctionBounds conjunction(pool, set, c, rows, keys);
    result.runs.push_back(conjunction.run());
    result.emptyInside |= conjunction.hasHoles;
    result.fullInside |= conjunction.hasFullIslands;
  }
  result.ownRuns = result.runs.size();
  for (const Conjunction &c : joint) {
    TileRun run = ConjunctionBounds(pool, set, c, rows, keys).run();
    if (run.fullLo == run.fullHi)
      continue;
    result.runs.push_back({run.fullLo, run.fullHi, run.fullLo, run.fullHi});
  }
  return result;
}

TileClass TileAnalysis::classOf(BoundExpr j) {
  TileClass result{pool.constant(-1), pool.constant(-1)};
  for (const Conjunction &c : set.disjuncts()) {
    TileClass one = ConjunctionBounds(pool, set, c, rows, keys).classOf(j);
    result.nonEmpty = pool.anyOf(result.nonEmpty, one.nonEmpty);
    result.full = pool.anyOf(result.full, one.full);
  }
  for (const Conjunction &c : joint)
    result.full = pool.anyOf(result.full, ConjunctionBounds(pool, set, c, rows, keys).classOf(j).full);
  return result;
}

} // namespace sattn

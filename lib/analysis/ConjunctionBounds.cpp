// Interval and congruence analysis of one conjunction. The method is described in ConjunctionBounds.h.
#include "lib/analysis/ConjunctionBounds.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>

namespace sattn {
using namespace quasi;
namespace {
/// Row bounds that one conjunction may combine in pairs; more give weaker, still sound, bounds.
constexpr size_t kMaxRowBounds = 16;
} // namespace

ConjunctionBounds::ConjunctionBounds(BoundPool &pool, Set &set, ArrayRef<Atom> atoms, RowTile rows, KeyTiles keys)
    : pool(pool), set(set), atoms(atoms), rows(rows), keys(keys), liveRows{rows.first, rows.last} {
  refineRows();
  eliminateRow();
}

BoundExpr ConjunctionBounds::uniform(Var symbol) {
  const SymbolInfo &info = set.symbols()[symbol.index];
  return pool.symbol(info.name, info.kind == SymbolInfo::Param ? -kMaxValue : 0, kMaxValue);
}

BoundExpr ConjunctionBounds::atRow(int64_t coeff, bool largest, Interval row) {
  if (coeff == 0)
    return pool.constant(0);
  return pool.scale((coeff > 0) == largest ? row.hi : row.lo, coeff);
}

//===-- Ranges over a box ---------------------------------------------------------------------------------===//

Interval ConjunctionBounds::rangeOfLocal(const LocalTerm &local, Interval row, Interval key, bool useSiblings) {
  Interval arg = rangeOf(local.arg, row, key, useSiblings);
  if (useSiblings)
    narrowBySiblings(local.arg, arg);
  int64_t d = local.divisor;
  if (local.kind == LocalTerm::FloorDiv)
    return {pool.floorDiv(arg.lo, d), pool.floorDiv(arg.hi, d)};
  // Within one period the remainder is monotone; beyond, it may take every value.
  Interval any{pool.constant(0), pool.constant(d - 1)};
  BoundExpr periods = pool.sub(pool.floorDiv(arg.lo, d), pool.floorDiv(arg.hi, d)); // >= 0 iff the same period
  BoundExpr lo = pool.mod(arg.lo, d), hi = pool.mod(arg.hi, d);
  if (!periods || !lo || !hi)
    return any;
  return {pool.select(periods, lo, any.lo), pool.select(periods, hi, any.hi)};
}

Interval ConjunctionBounds::rangeOf(const Form &form, Interval row, Interval key, bool useSiblings) {
  Interval sum{pool.constant(form.constant), pool.constant(form.constant)};
  for (const Monomial &m : form.terms) {
    Interval v;
    switch (m.var.kind) {
    case Var::Row:
      v = row;
      break;
    case Var::Key:
      v = key;
      break;
    case Var::Symbol:
      if (set.symbols()[m.var.index].isUniform())
        v = {uniform(m.var), uniform(m.var)};
      break;
    case Var::Local:
      v = rangeOfLocal(set.locals()[m.var.index], row, key, useSiblings);
      break;
    }
    if (m.coeff < 0)
      std::swap(v.lo, v.hi);
    sum.lo = pool.add(sum.lo, pool.scale(v.lo, m.coeff));
    sum.hi = pool.add(sum.hi, pool.scale(v.hi, m.coeff));
  }
  return sum;
}

/// Other atoms that bound the same combination of positions narrow its range: in 0 <= t - s < W and (t - s) mod d == 0
/// the remainder is only looked for inside the window.
void ConjunctionBounds::narrowBySiblings(const Form &form, Interval &range) {
  auto isPosition = [](const Monomial &m) { return m.var.kind != Var::Symbol; };
  auto positions = llvm::make_filter_range(form.terms, isPosition);
  if (positions.empty())
    return;
  for (const Atom &atom : atoms) {
    auto theirs = llvm::make_filter_range(atom.form.terms, isPosition);
    auto matches = [&](int64_t sign) {
      return llvm::equal(positions, theirs, [&](const Monomial &a, const Monomial &b) {
        return a.var == b.var && a.coeff == sign * b.coeff;
      });
    };
    for (int64_t sign : {1, -1}) {
      // atom = sign * positions + w >= 0 and form = positions + u: form >= u - w, or form <= u + w.
      auto other = matches(sign) ? set.add(form, atom.form, -sign) : std::nullopt;
      if (!other)
        continue;
      BoundExpr limit = rangeOf(*other, {}, {}, false).lo;
      if (!limit)
        continue;
      if (sign == 1 || atom.kind == Atom::EQ)
        range.lo = range.lo ? pool.max(range.lo, limit) : limit;
      if (sign == -1 || atom.kind == Atom::EQ)
        range.hi = range.hi ? pool.min(range.hi, limit) : limit;
    }
  }
}

//===-- From atoms to linear bounds -----------------------------------------------------------------------===//

/// Turns form + extra >= 0 into a linear bound in row and key: implied by it (Exists), or implying it (ForAll).
std::optional<ConjunctionBounds::LinearBound> ConjunctionBounds::linearise(const Form &form, BoundExpr extra,
                                                                           Mode mode) {
  bool exists = mode == Mode::Exists;
  Interval row = exists ? liveRows : Interval{rows.first, rows.last};
  LinearBound bound{0, 0, pool.add(extra, form.constant)};
  SmallVector<Monomial, 2> divisions;
  for (const Monomial &m : form.terms) {
    BoundExpr value;
    bool largest = exists == (m.coeff > 0);
    switch (m.var.kind) {
    case Var::Row:
      bound.row = m.coeff;
      continue;
    case Var::Key:
      bound.key = m.coeff;
      continue;
    case Var::Symbol:
      if (set.symbols()[m.var.index].isUniform())
        value = uniform(m.var);
      break;
    case Var::Local: {
      const LocalTerm &local = set.locals()[m.var.index];
      if (!set.uses(local.arg, Var::Key)) {
        Interval range = rangeOfLocal(local, row, {}, exists);
        value = largest ? range.hi : range.lo;
      } else if (local.kind == LocalTerm::Mod) {
        (exists ? hasHoles : hasFullIslands) = true;
        value = pool.constant(largest ? local.divisor - 1 : 0);
      } else {
        divisions.push_back(m);
        continue;
      }
      break;
    }
    }
    bound.rest = pool.add(bound.rest, pool.scale(value, m.coeff));
  }
  if (!bound.rest)
    return std::nullopt;
  if (divisions.empty())
    return bound;
  if (divisions.size() > 1 || bound.key != 0)
    return relaxDivisions(bound, divisions, mode);

  // c * floor(x / d) + r >= 0 is solved exactly: floor(x / d) >= q iff x >= d*q, and <= q iff x <= d*q + d - 1.
  const LocalTerm &local = set.locals()[divisions[0].var.index];
  int64_t c = divisions[0].coeff, d = local.divisor;
  BoundExpr r = pool.add(bound.rest, atRow(bound.row, exists, row));
  if (c > 0)
    return linearise(local.arg, pool.scale(pool.ceilDiv(pool.scale(r, -1), c), -d), mode);
  auto negated = set.scale(local.arg, -1);
  if (!negated)
    return std::nullopt;
  return linearise(*negated, pool.add(pool.scale(pool.floorDiv(r, -c), d), d - 1), mode);
}

/// Several divisions of the key: (x - d + 1) / d <= floor(x / d) <= x / d, scaled to integers.
std::optional<ConjunctionBounds::LinearBound>
ConjunctionBounds::relaxDivisions(const LinearBound &bound, ArrayRef<Monomial> divisions, Mode mode) {
  bool exists = mode == Mode::Exists;
  (exists ? hasHoles : hasFullIslands) = true;
  int64_t common = 1;
  for (const Monomial &m : divisions) {
    common = std::lcm(common, set.locals()[m.var.index].divisor);
    if (common > kMaxDivisor)
      return std::nullopt;
  }
  std::optional<Form> sum = set.scale(Form{{{Var::row(), bound.row}, {Var::key(), bound.key}}, 0}, common);
  BoundExpr rest = pool.scale(bound.rest, common);
  for (const Monomial &m : divisions) {
    const LocalTerm &local = set.locals()[m.var.index];
    int64_t factor = common / local.divisor;
    if (factor > kMaxCoefficient / std::abs(m.coeff) || !sum)
      return std::nullopt;
    factor *= m.coeff;
    sum = set.add(*sum, local.arg, factor);
    if (exists == (m.coeff < 0))
      rest = pool.sub(rest, pool.scale(pool.constant(local.divisor - 1), factor));
  }
  if (!sum || !rest)
    return std::nullopt;
  return linearise(*sum, rest, mode);
}

//===-- Exists: the keys that some row can see ------------------------------------------------------------===//

void ConjunctionBounds::addExists(const Form &form) {
  if (auto bound = linearise(form, pool.constant(0), Mode::Exists))
    exists.push_back(*bound);
}

/// Row-only atoms (t < b) leave fewer rows to look at.
void ConjunctionBounds::refineRows() {
  Interval live = liveRows;
  auto use = [&](const Form &form) {
    auto bound = linearise(form, pool.constant(0), Mode::Exists);
    if (!bound || bound->row == 0)
      return;
    if (bound->row > 0) {
      if (BoundExpr least = pool.ceilDiv(pool.scale(bound->rest, -1), bound->row))
        live.lo = pool.max(live.lo, least);
    } else if (BoundExpr most = pool.floorDiv(bound->rest, -bound->row))
      live.hi = pool.min(live.hi, most);
  };
  for (const Atom &atom : atoms) {
    if (set.uses(atom.form, Var::Key))
      continue;
    use(atom.form);
    if (atom.kind == Atom::EQ)
      if (auto negated = set.scale(atom.form, -1))
        use(*negated);
  }
  liveRows = live;
}

/// Eliminates t from the bounds of Mode::Exists, by adding pairs with opposite signs of t (Fourier and Motzkin); the
/// rows of the tile are two more bounds.
void ConjunctionBounds::eliminateRow() {
  for (const Atom &atom : atoms) {
    addExists(atom.form);
    if (atom.kind == Atom::EQ)
      if (auto negated = set.scale(atom.form, -1))
        addExists(*negated);
  }
  SmallVector<LinearBound, 8> below{{1, 0, pool.scale(rows.first, -1)}}, above{{-1, 0, rows.last}};
  for (const LinearBound &b : exists) {
    if (b.row == 0)
      existsByKey.push_back(b);
    else if (auto &side = b.row > 0 ? below : above; side.size() < kMaxRowBounds)
      side.push_back(b);
  }
  for (const LinearBound &p : below)
    for (const LinearBound &n : above) {
      int64_t g = std::gcd(p.row, n.row), a = -n.row / g, b = p.row / g;
      BoundExpr rest = pool.add(pool.scale(p.rest, a), pool.scale(n.rest, b));
      __int128 key = __int128(a) * p.key + __int128(b) * n.key;
      if (rest && key <= kMaxCoefficient && key >= -kMaxCoefficient)
        existsByKey.push_back({0, int64_t(key), rest});
    }
}

BoundExpr ConjunctionBounds::narrowKeys(BoundExpr &lo, BoundExpr &hi) {
  BoundExpr guard = pool.constant(0);
  for (const LinearBound &b : existsByKey) {
    BoundExpr limit = b.key > 0   ? pool.ceilDiv(pool.scale(b.rest, -1), b.key)
                      : b.key < 0 ? pool.floorDiv(b.rest, -b.key)
                                  : b.rest;
    if (!limit)
      continue;
    if (b.key > 0)
      lo = pool.max(lo, limit);
    else if (b.key < 0)
      hi = pool.min(hi, limit);
    else
      guard = pool.allOf(guard, limit);
  }
  return pool.allOf(guard, pool.sub(hi, lo));
}

//===-- ForAll: the keys that every row sees --------------------------------------------------------------===//

void ConjunctionBounds::solveForAll(TileRun &run) {
  BoundExpr lo = keys.begin, end = keys.end, guard = pool.constant(0);
  auto require = [&](const Form &form) {
    auto bound = linearise(form, pool.constant(0), Mode::ForAll);
    BoundExpr rest = bound ? pool.add(bound->rest, atRow(bound->row, false, {rows.first, rows.last})) : BoundExpr();
    if (!rest) {
      guard = pool.constant(-1);
    } else if (bound->key > 0) {
      lo = pool.max(lo, pool.ceilDiv(pool.scale(rest, -1), bound->key));
    } else if (bound->key < 0) {
      end = pool.min(end, pool.add(pool.floorDiv(rest, -bound->key), 1));
    } else {
      guard = pool.allOf(guard, rest);
    }
  };
  for (const Atom &atom : atoms) {
    require(atom.form);
    if (atom.kind == Atom::EQ) {
      if (auto negated = set.scale(atom.form, -1))
        require(*negated);
      else
        guard = pool.constant(-1);
    }
  }
  run.fullLo = run.fullHi = run.lo;
  BoundExpr fullLo = pool.ceilDiv(lo, keys.size), fullHi = pool.floorDiv(end, keys.size);
  if (!fullLo || !fullHi || guard.neverHolds())
    return;
  run.fullLo = pool.min(pool.max(fullLo, run.lo), run.hi);
  run.fullHi = pool.select(guard, pool.max(pool.min(fullHi, run.hi), run.fullLo), run.fullLo);
}

bool ConjunctionBounds::isNeverFull(const Atom &atom) const {
  if (atom.kind != Atom::EQ || keys.size < 2)
    return false;
  // The only dependence on the key is one remainder (or the key itself), which differs between neighbours.
  const Monomial *only = nullptr;
  for (const Monomial &m : atom.form.terms) {
    if (m.var.kind == Var::Key || (m.var.kind == Var::Local && set.uses(set.locals()[m.var.index].arg, Var::Key))) {
      if (only)
        return false;
      only = &m;
    }
  }
  if (!only || only->var.kind == Var::Key)
    return only;
  const LocalTerm &local = set.locals()[only->var.index];
  if (local.kind != LocalTerm::Mod)
    return false;
  bool direct = llvm::all_of(local.arg.terms, [&](const Monomial &m) {
    return m.var.kind != Var::Local || !set.uses(set.locals()[m.var.index].arg, Var::Key);
  });
  return direct && local.arg.coeff(Var::key()) % local.divisor != 0;
}

//===-- Results -------------------------------------------------------------------------------------------===//

TileRun ConjunctionBounds::run() {
  TileRun run;
  BoundExpr lo = keys.begin, hi = pool.add(keys.end, -1);
  BoundExpr visible = narrowKeys(lo, hi);
  run.lo = pool.floorDiv(lo, keys.size);
  run.hi = pool.select(visible, pool.add(pool.floorDiv(hi, keys.size), 1), run.lo);
  solveForAll(run);
  if (llvm::any_of(atoms, [&](const Atom &atom) { return isNeverFull(atom); }))
    hasFullIslands = false;
  return run;
}

TileClass ConjunctionBounds::classOf(BoundExpr j) {
  BoundExpr first = pool.scale(j, keys.size), last = pool.add(first, keys.size - 1);
  BoundExpr begin = pool.max(first, keys.begin), end = pool.min(last, pool.add(keys.end, -1));
  TileClass result;
  Interval live{begin, end};
  result.nonEmpty = narrowKeys(begin, end);
  result.full = pool.allOf(pool.sub(first, keys.begin), pool.sub(pool.add(keys.end, -1), last));
  for (const Atom &atom : atoms) {
    if (set.uses(atom.form, Var::Local)) {
      Interval any = rangeOf(atom.form, liveRows, live, true);
      if (any.hi)
        result.nonEmpty = pool.allOf(result.nonEmpty, any.hi);
      if (any.lo && atom.kind == Atom::EQ)
        result.nonEmpty = pool.allOf(result.nonEmpty, pool.scale(any.lo, -1));
    }
    Interval every = rangeOf(atom.form, {rows.first, rows.last}, {first, last}, false);
    BoundExpr holds = atom.kind == Atom::GE ? every.lo : pool.min(every.lo, pool.scale(every.hi, -1));
    result.full = !holds || isNeverFull(atom) ? pool.constant(-1) : pool.allOf(result.full, holds);
  }
  return result;
}

} // namespace sattn

// Emptiness and smallest points of quasi-affine sets. Each conjunction becomes an IntegerPolyhedron built column by
// column (no affine text, no FlatLinearValueConstraints: those drop what they cannot represent), bounded on all sides,
// with one local variable for each division. The smallest point is found by bisection over emptiness checks.
#include "lib/analysis/SetProofs.h"
#include "mlir/Analysis/Presburger/IntegerRelation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include <cmath>
#include <numeric>

namespace sattn {
namespace {
using namespace quasi;
using llvm::DynamicAPInt;
using mlir::presburger::BoundType;
using mlir::presburger::IntegerPolyhedron;
using mlir::presburger::PresburgerSpace;

/// One question may spend this much work; see workOfCheck. The worst sets that were tried (large coprime moduli over
/// many symbols) take 4 s for it, the sets of known patterns some milliseconds.
constexpr double kMaxWork = 2500;
constexpr unsigned kMaxSymbols = 12;
constexpr unsigned kMaxConstraints = 64;

using Row = SmallVector<DynamicAPInt, 8>;

/// What a conjunction uses: symbols, and locals after those they use.
struct Usage {
  llvm::SmallSetVector<uint32_t, 4> symbols, locals;
  double workOfCheck = 1;
  bool isTooLarge = false;

  Usage(const Set &set, ArrayRef<Atom> atoms) {
    for (const Atom &atom : atoms)
      collect(set, atom.form);
    estimate(set);
    isTooLarge = symbols.size() > kMaxSymbols || atoms.size() > kMaxConstraints || workOfCheck > kMaxWork;
  }

private:
  /// The work of one emptiness check, fitted to measurements: it doubles with each division, and grows with the period
  /// of all together, which is small where divisors divide each other. One unit is about 2 ms at worst.
  void estimate(const Set &set) {
    double bits = 0;
    int64_t period = 1;
    for (uint32_t i : locals) {
      int64_t d = set.locals()[i].divisor, fresh = d / std::gcd(period, d);
      bits += std::log2(double(fresh));
      period = fresh > kMaxValue / period ? d : period * fresh;
    }
    double sizes = std::clamp(bits * bits / 576, 0.02, 1.0) + bits / 64;
    workOfCheck = std::max(1.0, 10 * std::exp2(double(locals.size())) * sizes);
  }
  void collect(const Set &set, const Form &form) {
    for (const Monomial &m : form.terms) {
      if (m.var.kind == Var::Symbol)
        symbols.insert(m.var.index);
      if (m.var.kind != Var::Local || locals.contains(m.var.index))
        continue;
      collect(set, set.locals()[m.var.index].arg);
      locals.insert(m.var.index);
    }
  }
};

/// A conjunction as a polyhedron over (row, key, symbols used..., divisions...), all bounded.
class Polyhedron {
public:
  Polyhedron(const Set &set, ArrayRef<Atom> atoms, const Usage &usage, SetDomain domain)
      : set(&set), dims(2 + usage.symbols.size()), columnOfSymbol(set.symbols().size()),
        columnOfLocal(set.locals().size()), relation(PresburgerSpace::getSetSpace(dims)) {
    for (auto [i, symbol] : llvm::enumerate(usage.symbols))
      columnOfSymbol[symbol] = 2 + i;
    for (uint32_t i : usage.locals)
      columnOfLocal[i] = relation.addLocalFloorDiv(rowOf(set.locals()[i].arg), DynamicAPInt(set.locals()[i].divisor));
    for (const Atom &atom : atoms) {
      Row row = rowOf(atom.form);
      if (atom.kind == Atom::GE)
        relation.addInequality(row);
      else
        relation.addEquality(row);
    }
    for (unsigned dim : {0u, 1u})
      addRange(dim, 0, kMaxValue);
    for (uint32_t i : usage.symbols) {
      const SymbolInfo &symbol = set.symbols()[i];
      bool anySign = symbol.kind == SymbolInfo::Table || (symbol.kind == SymbolInfo::Param && domain.negativeParams);
      addRange(columnOfSymbol[i], anySign ? -kMaxValue : 0, kMaxValue);
      for (auto [dim, axis] : {std::pair{0u, domain.row}, {1u, domain.key}})
        if (symbol.kind == SymbolInfo::Size && symbol.name == ("size(" + axis + ")").str())
          addLess(dim, columnOfSymbol[i]);
    }
  }

  void atMost(unsigned dim, int64_t value) { relation.addBound(BoundType::UB, dim, value); }
  void atLeast(unsigned dim, int64_t value) { relation.addBound(BoundType::LB, dim, value); }
  void equals(unsigned dim, int64_t value) { relation.addBound(BoundType::EQ, dim, value); }
  unsigned numDims() const { return dims; }

  /// Some member: (row, key, symbols...).
  std::optional<SmallVector<int64_t, 4>> sample() const {
    auto found = relation.findIntegerSample();
    if (!found)
      return std::nullopt;
    SmallVector<int64_t, 4> point;
    for (unsigned i = 0; i < dims; ++i)
      point.push_back(int64_t((*found)[i]));
    return point;
  }

private:
  /// Adds factor * form to a row of coefficients; a remainder is arg - divisor * quotient.
  void accumulate(Row &row, const Form &form, const DynamicAPInt &factor) const {
    for (const Monomial &m : form.terms) {
      DynamicAPInt c = factor * DynamicAPInt(m.coeff);
      switch (m.var.kind) {
      case Var::Row:
        row[0] += c;
        break;
      case Var::Key:
        row[1] += c;
        break;
      case Var::Symbol:
        row[columnOfSymbol[m.var.index]] += c;
        break;
      case Var::Local: {
        const LocalTerm &local = set->locals()[m.var.index];
        if (local.kind == LocalTerm::Mod) {
          accumulate(row, local.arg, c);
          c *= DynamicAPInt(-local.divisor);
        }
        row[columnOfLocal[m.var.index]] += c;
        break;
      }
      }
    }
    row.back() += factor * DynamicAPInt(form.constant);
  }
  Row rowOf(const Form &form) const {
    Row row(relation.getNumCols());
    accumulate(row, form, DynamicAPInt(1));
    return row;
  }
  void addLess(unsigned a, unsigned b) {
    Row row(relation.getNumCols());
    row[a] = -1;
    row[b] = 1;
    row.back() = -1;
    relation.addInequality(row);
  }
  void addRange(unsigned dim, int64_t lo, int64_t hi) {
    atLeast(dim, lo);
    atMost(dim, hi);
  }

  const Set *set;
  unsigned dims;
  SmallVector<unsigned, 4> columnOfSymbol, columnOfLocal;
  IntegerPolyhedron relation;
};

/// The smallest point of a union, one disjunct after the other.
class Search {
public:
  Search(const Set &set, SetDomain domain) : set(set), domain(domain) {}

  SetAnswer run() {
    for (const Conjunction &c : set.disjuncts())
      if (!best || best->row != 0 || best->key != 0)
        visit(c);
    if (best)
      return {SetAnswer::Found, *best, "", checks};
    if (!unknown.empty())
      return {SetAnswer::Unknown, {}, unknown, checks};
    return {SetAnswer::Empty, {}, "", checks};
  }

private:
  using Values = SmallVector<int64_t, 4>;

  std::optional<Values> check(const Polyhedron &p) {
    if (isSpent())
      return std::nullopt;
    ++checks;
    work += workOfCheck;
    return p.sample();
  }

  bool isSpent() const { return checks == kMaxChecks || work + workOfCheck > kMaxWork; }

  void visit(const Conjunction &conjunction) {
    Usage usage(set, conjunction);
    workOfCheck = usage.workOfCheck;
    if (usage.isTooLarge || isSpent()) {
      unknown = usage.isTooLarge ? "one of its disjuncts has too many conditions, params or floordiv and mod terms"
                                 : "its disjuncts together have too many conditions, params or floordiv and mod terms";
      return;
    }
    Polyhedron p(set, conjunction, usage, domain);
    if (best) // only a smaller point matters now
      p.atMost(0, best->row);
    auto found = check(p);
    if (!found)
      return;
    for (auto [i, symbol] : llvm::enumerate(usage.symbols))
      if (auto value = set.symbols()[symbol].defaultValue)
        fix(p, 2 + i, *value, *found);
    for (unsigned dim : {0u, 1u})
      minimise(p, dim, *found);
    for (unsigned dim = 2; dim < p.numDims(); ++dim)
      towardsZero(p, dim, *found);
    if (best && std::pair(best->row, best->key) <= std::pair((*found)[0], (*found)[1]))
      return;
    best = SetPoint{(*found)[0], (*found)[1], {}, false};
    for (auto [i, index] : llvm::enumerate(usage.symbols)) {
      const SymbolInfo &symbol = set.symbols()[index];
      best->readsTable |= symbol.kind == SymbolInfo::Table;
      if (symbol.kind != SymbolInfo::Table && symbol.defaultValue != (*found)[2 + i])
        best->symbols.push_back({symbol.name, (*found)[2 + i]});
    }
  }

  /// Narrows to dim == value if that leaves a point.
  bool fix(Polyhedron &p, unsigned dim, int64_t value, Values &found) {
    Polyhedron narrowed = p;
    narrowed.equals(dim, value);
    auto next = check(narrowed);
    if (!next)
      return false;
    p = narrowed;
    found = *next;
    return true;
  }

  /// Narrows to the least value of a dimension, by doubling steps up from 0 and then bisection; to a small one once
  /// the work is spent.
  void minimise(Polyhedron &p, unsigned dim, Values &found) {
    int64_t least = 0; // no point lies below
    for (int64_t step = 0; least < found[dim] && !isSpent();) {
      int64_t bound = std::min(least + step, found[dim] - 1);
      Polyhedron narrowed = p;
      narrowed.atMost(dim, bound);
      if (auto next = check(narrowed)) {
        found = *next;
        step = (found[dim] - least) / 2;
      } else {
        least = bound + 1;
        step = step == 0 ? 1 : std::min(2 * step, std::max<int64_t>((found[dim] - least) / 2, 0));
      }
    }
    p.equals(dim, found[dim]);
  }

  void towardsZero(Polyhedron &p, unsigned dim, Values &found) {
    if (fix(p, dim, 0, found))
      return;
    Polyhedron positive = p;
    positive.atLeast(dim, 1);
    if (auto next = check(positive)) {
      p = positive;
      found = *next;
      minimise(p, dim, found);
      return;
    }
    // Only negative values are left; -1 is the usual one.
    if (!fix(p, dim, -1, found))
      p.equals(dim, found[dim]);
  }

  const Set &set;
  SetDomain domain;
  std::optional<SetPoint> best;
  std::string unknown;
  unsigned checks = 0;
  double work = 0, workOfCheck = 0;
};

SetAnswer unknownBecause(std::string reason) { return {SetAnswer::Unknown, {}, std::move(reason), 0}; }
} // namespace

std::string SetPoint::assumptions() const {
  std::string text;
  for (const auto &[name, value] : symbols)
    text += (text.empty() ? " with " : " and ") + name + " = " + std::to_string(value);
  return text;
}

SetAnswer findPoint(const Set &set, SetDomain domain) { return Search(set, domain).run(); }

SetAnswer findOverlap(const Set &a, const Set &b, SetDomain domain) {
  std::string why;
  auto both = Set::intersect(a, b, why);
  return both ? findPoint(*both, domain) : unknownBecause(why);
}

SetAnswer findOutside(const Set &a, const Set &b, SetDomain domain) {
  std::string why;
  auto rest = Set::subtract(a, b, why);
  return rest ? findPoint(*rest, domain) : unknownBecause(why);
}

std::optional<Set> futureOf(BlockShape row, BlockShape key, std::string &why) {
  // key.stride * key + key.length - 1 > row.stride * row + row.length - 1.
  Set future;
  auto last = future.scale(Set::variable(Var::key()), key.stride);
  auto late = last ? future.add(*last, Set::variable(Var::row()), -row.stride) : std::nullopt;
  if (late)
    late = future.add(*late, {{}, key.length - row.length - 1});
  Set::Building building;
  if (late && future.addAtom(building, Atom::GE, *late) && future.addDisjunct(std::move(building)))
    return future;
  why = future.error().str();
  return std::nullopt;
}

SetAnswer findFuture(const Set &set, BlockShape row, BlockShape key, SetDomain domain) {
  std::string why;
  auto future = futureOf(row, key, why);
  return future ? findOverlap(set, *future, domain) : unknownBecause(why);
}

} // namespace sattn

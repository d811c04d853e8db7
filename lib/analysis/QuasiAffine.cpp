// Building, evaluating and combining specialised key sets. See QuasiAffine.h for the limits that are checked here and
// relied on everywhere else.
#include "lib/analysis/QuasiAffine.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace sattn::quasi {
namespace {
using Wide = __int128;

/// No form may reach this magnitude; sums of a few stay exact in 128 bits.
constexpr double kMaxMagnitude = 0x1p110;

int64_t floorDivide(int64_t a, int64_t b) { return llvm::divideFloorSigned(a, b); }

int64_t contentOf(const Form &form) {
  int64_t g = 0;
  for (const Monomial &m : form.terms)
    g = std::gcd(g, m.coeff);
  return g;
}

struct Evaluator {
  const Set &set;
  int64_t row, key;
  ArrayRef<int64_t> values;
  SmallVector<Wide, 8> locals;

  Evaluator(const Set &set, int64_t row, int64_t key, ArrayRef<int64_t> values)
      : set(set), row(row), key(key), values(values) {
    for (const LocalTerm &local : set.locals()) {
      Wide arg = eval(local.arg), quotient = arg / local.divisor;
      if (arg % local.divisor < 0)
        --quotient;
      locals.push_back(local.kind == LocalTerm::FloorDiv ? quotient : arg - quotient * local.divisor);
    }
  }
  Wide value(Var v) const {
    switch (v.kind) {
    case Var::Row:
      return row;
    case Var::Key:
      return key;
    case Var::Symbol:
      return values[v.index];
    case Var::Local:
      return locals[v.index];
    }
    return 0;
  }
  Wide eval(const Form &form) const {
    Wide sum = form.constant;
    for (const Monomial &m : form.terms)
      sum += m.coeff * value(m.var);
    return sum;
  }
  bool holds(const Atom &atom) const {
    Wide v = eval(atom.form);
    return atom.kind == Atom::GE ? v >= 0 : v == 0;
  }
};
} // namespace

int64_t Form::coeff(Var v) const {
  for (const Monomial &m : terms)
    if (m.var == v)
      return m.coeff;
  return 0;
}

bool operator<(const Form &a, const Form &b) {
  if (a.terms != b.terms)
    return std::lexicographical_compare(a.terms.begin(), a.terms.end(), b.terms.begin(), b.terms.end());
  return a.constant < b.constant;
}

std::nullopt_t Set::refuse(const Twine &why) {
  if (errorText.empty())
    errorText = why.str();
  return std::nullopt;
}

//===-- Symbols and forms ---------------------------------------------------------------------------------===//

std::optional<uint32_t> Set::findSymbol(StringRef name) const {
  for (auto [i, s] : llvm::enumerate(symbolList))
    if (s.name == name)
      return i;
  return std::nullopt;
}

Var Set::symbol(const SymbolInfo &info) {
  if (auto found = findSymbol(info.name))
    return Var::symbol(*found);
  symbolList.push_back(info);
  return Var::symbol(symbolList.size() - 1);
}

double Set::magnitude(const Form &form) const {
  double sum = std::abs(double(form.constant));
  for (const Monomial &m : form.terms) {
    double value = m.var.kind == Var::Local ? localMagnitude[m.var.index] : double(kMaxValue);
    sum += std::abs(double(m.coeff)) * value;
  }
  return sum;
}

std::optional<Form> Set::checked(Form form) {
  llvm::erase_if(form.terms, [](const Monomial &m) { return m.coeff == 0; });
  for (const Monomial &m : form.terms)
    if (m.coeff > kMaxCoefficient || m.coeff < -kMaxCoefficient)
      return refuse("coefficient " + Twine(m.coeff) + " is out of range: the largest is 2^31");
  if (form.constant > kMaxConstant || form.constant < -kMaxConstant)
    return refuse("constant " + Twine(form.constant) + " is out of range: the largest is 2^45");
  if (magnitude(form) > kMaxMagnitude)
    return refuse("numbers of the formula grow out of range: use smaller factors");
  return form;
}

std::optional<Form> Set::constant(int64_t value) { return checked({{}, value}); }

std::optional<Form> Set::add(const Form &a, const Form &b, int64_t scale) {
  Form sum;
  bool overflow = false;
  auto madd = [&](int64_t x, int64_t y) {
    int64_t product, result = 0;
    overflow |= llvm::MulOverflow(y, scale, product) || llvm::AddOverflow(x, product, result);
    return result;
  };
  auto x = a.terms.begin(), y = b.terms.begin();
  while (x != a.terms.end() || y != b.terms.end()) {
    bool takeX = x != a.terms.end() && (y == b.terms.end() || x->var <= y->var);
    bool takeY = y != b.terms.end() && (x == a.terms.end() || y->var <= x->var);
    Var var = takeX ? x->var : y->var;
    sum.terms.push_back({var, madd(takeX ? x->coeff : 0, takeY ? y->coeff : 0)});
    x += takeX;
    y += takeY;
  }
  sum.constant = madd(a.constant, b.constant);
  if (overflow)
    return refuse("numbers of the formula overflow 64 bits");
  return checked(std::move(sum));
}

std::optional<Form> Set::multiply(const Form &a, const Form &b) {
  if (a.isConstant())
    return scale(b, a.constant);
  if (b.isConstant())
    return scale(a, b.constant);
  return refuse("'(" + toString(a) + ") * (" + toString(b) +
                ")' multiplies two variables: declare the param of one factor static");
}

std::optional<Form> Set::addLocal(LocalTerm::Kind kind, const Form &arg, int64_t divisor) {
  LocalTerm local{kind, arg, divisor};
  auto known = llvm::find(localList, local);
  if (known != localList.end())
    return variable(Var::local(known - localList.begin()));
  if (localList.size() == kMaxLocals)
    return refuse("formula has more than " + Twine(kMaxLocals) + " different floordiv and mod terms");
  unsigned size = 1;
  for (const Monomial &m : arg.terms)
    size += m.var.kind == Var::Local ? localSize[m.var.index] : 0;
  if (size > kMaxLocalSize)
    return refuse("floordiv and mod are nested too widely: name parts of the formula as sets of their own");
  localSize.push_back(size);
  localMagnitude.push_back(kind == LocalTerm::Mod ? double(divisor) : magnitude(arg) / double(divisor) + 1);
  localUses.push_back(usesOf(arg) | (1u << Var::Local));
  localList.push_back(std::move(local));
  return variable(Var::local(localList.size() - 1));
}

std::optional<Form> Set::floorDiv(const Form &a, int64_t divisor) {
  if (divisor <= 0)
    return refuse("floordiv by " + Twine(divisor) + ": the divisor must be positive");
  if (divisor > kMaxDivisor)
    return refuse("floordiv by " + Twine(divisor) + ": the largest divisor is 2^31");
  // floor((d*q + r) / d) = q + floor(r / d), taking whole multiples out of the division.
  Form whole, rest;
  for (const Monomial &m : a.terms)
    if (m.coeff % divisor == 0)
      whole.terms.push_back({m.var, m.coeff / divisor});
    else
      rest.terms.push_back(m);
  whole.constant = floorDivide(a.constant, divisor);
  rest.constant = a.constant - whole.constant * divisor;
  if (rest.isConstant())
    return checked(std::move(whole));
  // floor((g*x + k) / (g*d)) = floor((x + floor(k/g)) / d).
  int64_t g = std::gcd(contentOf(rest), divisor);
  for (Monomial &m : rest.terms)
    m.coeff /= g;
  rest.constant = floorDivide(rest.constant, g);
  auto quotient = addLocal(LocalTerm::FloorDiv, rest, divisor / g);
  if (!quotient)
    return std::nullopt;
  return add(whole, *quotient);
}

std::optional<Form> Set::mod(const Form &a, int64_t divisor) {
  if (divisor <= 0)
    return refuse("mod by " + Twine(divisor) + ": the divisor must be positive");
  if (divisor > kMaxDivisor)
    return refuse("mod by " + Twine(divisor) + ": the largest divisor is 2^31");
  Form rest;
  for (const Monomial &m : a.terms)
    if (m.coeff % divisor != 0)
      rest.terms.push_back({m.var, m.coeff % divisor});
  rest.constant = a.constant - floorDivide(a.constant, divisor) * divisor;
  if (rest.isConstant())
    return rest;
  // (g*x + k) mod (g*d) = g * ((x + floor(k/g)) mod d) + k mod g.
  int64_t g = std::gcd(contentOf(rest), divisor);
  for (Monomial &m : rest.terms)
    m.coeff /= g;
  int64_t remainder = rest.constant % g;
  rest.constant /= g;
  auto local = addLocal(LocalTerm::Mod, rest, divisor / g);
  if (!local)
    return std::nullopt;
  return add({{}, remainder}, *local, g);
}

//===-- Atoms and disjuncts -------------------------------------------------------------------------------===//

bool Set::addAtom(Building &conjunction, Atom::Kind kind, Form form) {
  if (form.isConstant()) {
    conjunction.isFalse |= kind == Atom::GE ? form.constant < 0 : form.constant != 0;
    return true;
  }
  int64_t g = contentOf(form);
  if (kind == Atom::EQ && form.constant % g != 0) {
    conjunction.isFalse = true;
    return true;
  }
  for (Monomial &m : form.terms)
    m.coeff /= g;
  form.constant = floorDivide(form.constant, g);
  if (kind == Atom::EQ && form.terms.front().coeff < 0) {
    for (Monomial &m : form.terms)
      m.coeff = -m.coeff;
    form.constant = -form.constant;
  }
  Atom atom{kind, std::move(form)};
  if (llvm::is_contained(conjunction.atoms, atom))
    return true;
  if (conjunction.atoms.size() == kMaxAtoms) {
    refuse("one disjunct of the set has more than " + Twine(kMaxAtoms) + " conditions");
    return false;
  }
  conjunction.atoms.push_back(std::move(atom));
  return true;
}

bool Set::addDisjunct(Building conjunction) {
  if (conjunction.isFalse)
    return true;
  auto implies = [](const Conjunction &strong, const Conjunction &weak) {
    return llvm::all_of(weak, [&](const Atom &a) { return llvm::is_contained(strong, a); });
  };
  if (llvm::any_of(conjunctions, [&](const Conjunction &c) { return implies(conjunction.atoms, c); }))
    return true;
  llvm::erase_if(conjunctions, [&](const Conjunction &c) { return implies(c, conjunction.atoms); });
  if (conjunctions.size() == kMaxDisjuncts) {
    refuse("set has more than " + Twine(kMaxDisjuncts) + " disjuncts: name its parts and use sattn.union");
    return false;
  }
  llvm::sort(conjunction.atoms,
             [](const Atom &a, const Atom &b) { return a.kind != b.kind ? a.kind < b.kind : a.form < b.form; });
  conjunctions.push_back(std::move(conjunction.atoms));
  return true;
}

bool Set::contains(int64_t row, int64_t key, ArrayRef<int64_t> values) const {
  Evaluator point(*this, row, key, values);
  return llvm::any_of(conjunctions, [&](const Conjunction &c) {
    return llvm::all_of(c, [&](const Atom &a) { return point.holds(a); });
  });
}

uint8_t Set::usesOf(const Form &form) const {
  uint8_t bits = 0;
  for (const Monomial &m : form.terms) {
    bits |= m.var.kind == Var::Local ? localUses[m.var.index] : 1u << m.var.kind;
    if (m.var.kind == Var::Symbol && !symbolList[m.var.index].isUniform())
      bits |= kOpaqueBit;
  }
  return bits;
}

//===-- Text ----------------------------------------------------------------------------------------------===//

std::string Set::toString(const Form &form, StringRef row, StringRef key) const {
  auto nameOf = [&](Var v) -> std::string {
    switch (v.kind) {
    case Var::Row:
      return row.str();
    case Var::Key:
      return key.str();
    case Var::Symbol:
      return symbolList[v.index].name;
    case Var::Local:
      break;
    }
    const LocalTerm &local = localList[v.index];
    std::string arg = toString(local.arg, row, key);
    bool simple = local.arg.constant == 0 && local.arg.terms.size() == 1 && local.arg.terms[0].coeff == 1;
    std::string text = simple ? arg : "(" + arg + ")";
    return text + (local.kind == LocalTerm::FloorDiv ? " floordiv " : " mod ") + std::to_string(local.divisor);
  };
  std::string text;
  auto append = [&](int64_t coeff, const std::string &name) {
    text += text.empty() ? (coeff < 0 ? "-" : "") : (coeff < 0 ? " - " : " + ");
    std::string number = std::to_string(coeff < 0 ? -coeff : coeff);
    bool product = !name.empty() && StringRef(name).contains(' ');
    text += name.empty()                ? number
            : coeff == 1 || coeff == -1 ? (product && coeff < 0 ? "(" + name + ")" : name)
            : product                   ? number + " * (" + name + ")"
                                        : number + " * " + name;
  };
  for (const Monomial &m : form.terms)
    append(m.coeff, nameOf(m.var));
  if (form.constant || text.empty())
    append(form.constant, "");
  return text;
}

std::string Set::toString(StringRef row, StringRef key) const {
  if (conjunctions.empty())
    return "none";
  std::string text;
  for (const Conjunction &c : conjunctions) {
    if (!text.empty())
      text += " or ";
    if (c.empty())
      text += "all";
    llvm::ListSeparator comma(" and ");
    for (const Atom &a : c)
      text += StringRef(comma).str() + toString(a.form, row, key) + (a.kind == Atom::GE ? " >= 0" : " == 0");
  }
  return text;
}

//===-- Algebra -------------------------------------------------------------------------------------------===//

std::optional<Form> Set::import(const Set &from, const Form &form, const Form &row, const Form &key) {
  std::optional<Form> sum = Form{{}, form.constant};
  for (const Monomial &m : form.terms) {
    std::optional<Form> value;
    if (m.var.kind == Var::Row)
      value = row;
    else if (m.var.kind == Var::Key)
      value = key;
    else if (m.var.kind == Var::Symbol)
      value = variable(symbol(from.symbolList[m.var.index]));
    else {
      const LocalTerm &local = from.localList[m.var.index];
      auto arg = import(from, local.arg, row, key);
      if (!arg)
        return std::nullopt;
      value = local.kind == LocalTerm::FloorDiv ? floorDiv(*arg, local.divisor) : mod(*arg, local.divisor);
    }
    if (!value)
      return std::nullopt;
    sum = add(*sum, *value, m.coeff);
    if (!sum)
      return std::nullopt;
  }
  return sum;
}

bool Set::importDisjuncts(const Set &from, const Form &row, const Form &key) {
  for (const Conjunction &c : from.conjunctions) {
    Building building;
    for (const Atom &a : c) {
      auto form = import(from, a.form, row, key);
      if (!form || !addAtom(building, a.kind, *form))
        return false;
    }
    if (!addDisjunct(std::move(building)))
      return false;
  }
  return true;
}

Set Set::all() {
  Set set;
  set.conjunctions.emplace_back();
  return set;
}

std::optional<Set> Set::lift(int64_t rowLength, int64_t keyLength) const {
  Set result;
  auto row = result.floorDiv(variable(Var::row()), rowLength);
  auto key = result.floorDiv(variable(Var::key()), keyLength);
  if (!row || !key || !result.importDisjuncts(*this, *row, *key))
    return std::nullopt;
  return result;
}

std::optional<Set> Set::unite(const Set &a, const Set &b, std::string &why) {
  Set result = a;
  if (result.importDisjuncts(b, variable(Var::row()), variable(Var::key())))
    return result;
  why = result.errorText;
  return std::nullopt;
}

std::optional<Set> Set::intersect(const Set &a, const Set &b, std::string &why) {
  // `scratch` gives both operands one symbol and local table.
  Set scratch = a;
  scratch.conjunctions.clear();
  bool fits = scratch.importDisjuncts(b, variable(Var::row()), variable(Var::key()));
  SmallVector<Conjunction, 2> right = std::move(scratch.conjunctions);
  scratch.conjunctions.clear();
  for (const Conjunction &x : a.conjunctions)
    for (const Conjunction &y : right) {
      Building both{x, false};
      for (const Atom &atom : y)
        fits = fits && scratch.addAtom(both, atom.kind, atom.form);
      fits = fits && scratch.addDisjunct(std::move(both));
    }
  if (fits)
    return scratch;
  why = scratch.errorText;
  return std::nullopt;
}

std::optional<Set> Set::subtract(const Set &a, const Set &b, std::string &why) {
  // a minus (c1 or c2 ...) = a and not c1 and not c2 ...
  std::optional<Set> result = a;
  for (const Conjunction &c : b.conjunctions) {
    Set complement;
    bool fits = true;
    auto addNegated = [&](const Form &form, int64_t sign) { // sign * form <= -1
      std::optional<Form> flipped = complement.add({{}, -1}, form, -sign);
      fits = fits && flipped;
      Building one;
      fits = fits && complement.addAtom(one, Atom::GE, *flipped) && complement.addDisjunct(std::move(one));
    };
    for (const Atom &atom : c) {
      auto form = complement.import(b, atom.form, variable(Var::row()), variable(Var::key()));
      fits = fits && form;
      if (!fits)
        break;
      addNegated(*form, 1);
      if (atom.kind == Atom::EQ)
        addNegated(*form, -1);
    }
    if (!fits) {
      why = complement.errorText;
      return std::nullopt;
    }
    result = intersect(*result, complement, why);
    if (!result)
      return std::nullopt;
  }
  return result;
}

} // namespace sattn::quasi

// Specialised key sets as plain data: unions of conjunctions of quasi-affine atoms over one row position and one key
// position. A formula of the pattern dialect becomes such a set once its static params are known
// (QuasiAffineFormula.h); the proofs (SetProofs.h) and the loop bounds (TileBounds.h) read nothing else.
//
// Every number is checked when it enters: divisors are positive and at most 2^31, coefficients at most 2^31,
// constants at most 2^45, and no value can leave 2^110 while positions and symbols stay within +-2^40. So evaluation
// in 128 bits is exact, and nothing downstream needs to check again.
#pragma once
#include "lib/support/LLVM.h"
#include <cstdint>
#include <optional>
#include <string>

namespace sattn {

/// Length and stride of an axis of blocks: block i holds positions [i * stride, i * stride + length). 1 and 1 for
/// positions themselves.
struct BlockShape {
  int64_t length = 1, stride = 1;
};

namespace quasi {

/// What a monomial multiplies. Row is t or u, Key is s or c, in units of the set's own axes.
struct Var {
  enum Kind : uint32_t { Row, Key, Symbol, Local };
  Kind kind;
  uint32_t index = 0; // of a Symbol or Local in its Set
  friend auto operator<=>(const Var &, const Var &) = default;
  static Var row() { return {Row, 0}; }
  static Var key() { return {Key, 0}; }
  static Var symbol(uint32_t i) { return {Symbol, i}; }
  static Var local(uint32_t i) { return {Local, i}; }
};

struct Monomial {
  Var var;
  int64_t coeff;
  friend auto operator<=>(const Monomial &, const Monomial &) = default;
};

/// sum of coeff * var, plus constant. Terms are sorted by variable; no coefficient is 0.
struct Form {
  SmallVector<Monomial, 4> terms;
  int64_t constant = 0;
  friend bool operator==(const Form &, const Form &) = default;
  friend bool operator<(const Form &a, const Form &b);
  bool isConstant() const { return terms.empty(); }
  int64_t coeff(Var v) const;
};

/// arg floordiv divisor, or arg mod divisor (in [0, divisor)); arg may use earlier locals.
struct LocalTerm {
  enum Kind { FloorDiv, Mod };
  Kind kind;
  Form arg;
  int64_t divisor;
  friend bool operator==(const LocalTerm &, const LocalTerm &) = default;
};

/// A run-time integer. Params, sizes and kv heads are one number for a whole tile; query heads and table loads may
/// differ from point to point, so nothing is proven of their values.
struct SymbolInfo {
  enum Kind { Param, Size, KvHead, Head, Table };
  std::string name; // as in the text: "W", "size(s)", "g", "%doc[t]"
  Kind kind = Param;
  std::optional<int64_t> defaultValue = std::nullopt; // preferred in counter-examples
  bool isUniform() const { return kind == Param || kind == Size || kind == KvHead; }
};

/// form >= 0, or form == 0.
struct Atom {
  enum Kind { GE, EQ };
  Kind kind;
  Form form;
  friend bool operator==(const Atom &, const Atom &) = default;
};
using Conjunction = SmallVector<Atom, 4>;

inline constexpr int64_t kMaxDivisor = int64_t(1) << 31;
inline constexpr int64_t kMaxCoefficient = int64_t(1) << 31;
inline constexpr int64_t kMaxConstant = int64_t(1) << 45;
/// Positions and symbols outside +-kMaxValue are outside every guarantee of this library; the runtime refuses them.
inline constexpr int64_t kMaxValue = int64_t(1) << 40;
inline constexpr unsigned kMaxDisjuncts = 64;
inline constexpr unsigned kMaxLocals = 128;
inline constexpr unsigned kMaxLocalSize = 256; // floordiv and mod nodes of one term, written out
inline constexpr unsigned kMaxAtoms = 128;     // of one conjunction

/// A union of conjunctions with its symbols and div/mod terms. No disjunct: the empty set; an empty conjunction: all.
///
/// The building members return nullopt (or false) when a number leaves the limits above and keep the reason in
/// error(): lower-case, ready to follow a place in a diagnostic. Forms and atoms are kept normalised and sorted.
class Set {
public:
  ArrayRef<SymbolInfo> symbols() const { return symbolList; }
  ArrayRef<LocalTerm> locals() const { return localList; }
  ArrayRef<Conjunction> disjuncts() const { return conjunctions; }
  StringRef error() const { return errorText; }

  /// The symbol of that name, added if new.
  Var symbol(const SymbolInfo &info);
  std::optional<uint32_t> findSymbol(StringRef name) const;

  std::optional<Form> constant(int64_t value);
  static Form variable(Var v) { return {{{v, 1}}, 0}; }
  /// a + scale * b.
  std::optional<Form> add(const Form &a, const Form &b, int64_t scale = 1);
  std::optional<Form> scale(const Form &a, int64_t factor) { return add({}, a, factor); }
  /// Refuses when both factors vary.
  std::optional<Form> multiply(const Form &a, const Form &b);
  std::optional<Form> floorDiv(const Form &a, int64_t divisor);
  std::optional<Form> mod(const Form &a, int64_t divisor);

  /// Adds an atom, divided by the gcd of its coefficients and tightened. An atom that always holds is dropped; one
  /// that never holds makes the conjunction `isFalse`, which addDisjunct drops.
  struct Building {
    Conjunction atoms;
    bool isFalse = false;
  };
  bool addAtom(Building &conjunction, Atom::Kind kind, Form form);
  bool addDisjunct(Building conjunction);

  /// Is (row, key) in the set? `values` holds one value per symbol; all within +-kMaxValue.
  bool contains(int64_t row, int64_t key, ArrayRef<int64_t> values) const;

  /// Does the form use this kind of variable, directly or through its locals?
  bool uses(const Form &form, Var::Kind kind) const { return usesOf(form) & (1u << kind); }
  /// Does it use a symbol that may differ between the points of a tile?
  bool usesOpaque(const Form &form) const { return usesOf(form) & kOpaqueBit; }

  /// The text of a form with row and key named, e.g. "t - s - W + 1"; for messages and tests.
  std::string toString(const Form &form, StringRef row = "t", StringRef key = "s") const;
  std::string toString(StringRef row = "t", StringRef key = "s") const;

  /// The set of (row, key) with (row floordiv rowLength, key floordiv keyLength) in this one: blocks to positions.
  std::optional<Set> lift(int64_t rowLength, int64_t keyLength) const;
  /// Algebra; symbols of equal names are the same. nullopt with the reason in `why` beyond kMaxDisjuncts.
  static std::optional<Set> unite(const Set &a, const Set &b, std::string &why);
  static std::optional<Set> intersect(const Set &a, const Set &b, std::string &why);
  static std::optional<Set> subtract(const Set &a, const Set &b, std::string &why);
  static Set all();

  /// Copies a form of `from` into this set (symbols by name, locals rebuilt), with Row and Key replaced.
  std::optional<Form> import(const Set &from, const Form &form, const Form &row, const Form &key);

private:
  static constexpr uint8_t kOpaqueBit = 1u << 7;
  std::nullopt_t refuse(const Twine &why);
  std::optional<Form> addLocal(LocalTerm::Kind kind, const Form &arg, int64_t divisor);
  /// An upper bound of |form| while positions and symbols stay within +-kMaxValue.
  double magnitude(const Form &form) const;
  uint8_t usesOf(const Form &form) const;
  bool importDisjuncts(const Set &from, const Form &row, const Form &key);
  std::optional<Form> checked(Form form);

  SmallVector<SymbolInfo, 4> symbolList;
  SmallVector<LocalTerm, 4> localList;
  /// Of each local: its magnitude, size, and which kinds of variable it uses (bit per Var::Kind, one more for opaque
  /// symbols).
  SmallVector<double, 4> localMagnitude;
  SmallVector<unsigned, 4> localSize;
  SmallVector<uint8_t, 4> localUses;
  SmallVector<Conjunction, 2> conjunctions;
  std::string errorText;
};

} // namespace quasi
} // namespace sattn

// Key sets in canonical form: a union of conjunctions of linear atoms over positions, heads, tables and params.
//
// Text or trees go in through canonicalKeySet, which is the only way to make a KeySetAttr; set analysis and lowering
// read the plain structs from keySetOf. Two spellings of one set give the same attribute.
#pragma once
#include "dialects/pattern/Linear.h"

namespace sattn {

enum class AtomKind { GE, EQ };

/// form >= 0, or form == 0. Terms and constant have no common divisor; the leading coefficient of an EQ is positive.
struct Atom {
  AtomKind kind;
  LinearForm form;
  bool operator==(const Atom &other) const { return kind == other.kind && form == other.form; }
};
using Conjunction = SmallVector<Atom, 4>;

/// A union of conjunctions. No disjunct: no key. One empty conjunction: every key.
struct KeySetFormula {
  SmallVector<Conjunction, 2> disjuncts;
};

/// More disjuncts than this are refused.
inline constexpr size_t maxDisjuncts = 64;

/// The set `condition` over the given axes in canonical form. Negations are pushed to atoms, bounds of one form are
/// merged and tightened over the integers, contradictory and absorbed conjunctions dropped, all sorted. Rows `u(1)`
/// become `t`. Fails with `error` set to a message without place: not quasi-affine, not a condition, too many
/// disjuncts, overflow. An empty set is a result (`isEmpty`), not an error.
FailureOr<KeySetAttr> canonicalKeySet(MLIRContext *context, AxisAttr row, AxisAttr key, ExprAttr condition,
                                      std::string &error);
/// A message without its number, to be quoted in another one: "[SA0110] mod by 0" is "mod by 0".
StringRef withoutNumber(StringRef message);
/// The structs of a canonical set.
KeySetFormula keySetOf(KeySetAttr set);
/// True for the set whose conditions contradict each other.
bool isEmpty(KeySetAttr set);
/// True for the set of every key.
bool isAll(KeySetAttr set);
/// The condition of a set given as structs; the inverse of keySetOf, to be passed to canonicalKeySet.
ExprAttr conditionOf(MLIRContext *context, const KeySetFormula &set);

/// The condition as text, bounds merged: `s <= t and (t - s < W or s < S)` in disjunctive form.
std::string toText(KeySetAttr set, llvm::function_ref<std::string(int64_t)> tableName = nullptr,
                   TextForm form = TextForm::Op);
/// `(t, c(l))`.
std::string domainText(KeySetAttr set);
/// `c(l, d)`, `t`, `3`; never says ragged.
std::string toText(AxisAttr axis);

} // namespace sattn

// The formula language: building, printing, rewriting and evaluating ExprAttr trees.
//
// Trees come from FormulaParser or from the builders below. Numbers over params are brought to one form by
// canonicalNumber, conditions by canonicalKeySet (KeySet.h), values (map, mix) by canonicalValue; then equal formulas
// are the same attribute.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <optional>
#include <string>

namespace sattn {

// ---- Builders. They fold literals where that loses nothing, and never check names.
ExprAttr intExpr(MLIRContext *context, int64_t value);
ExprAttr floatExpr(MLIRContext *context, double value);
ExprAttr nameExpr(MLIRContext *context, StringRef name);
ExprAttr callExpr(MLIRContext *context, StringRef callee, ArrayRef<ExprAttr> arguments);
/// Load of table operand `index` at `indices`; no indices for a whole output in sattn.mix.
ExprAttr tableExpr(MLIRContext *context, int64_t index, ArrayRef<ExprAttr> indices);
/// Inner node; `kind` takes one kid for Neg and Not, two otherwise.
ExprAttr nodeExpr(ExprKind kind, ArrayRef<ExprAttr> kids);

/// How a formula is written: in an op's own text and in messages, or inside the angle brackets of an attribute, where
/// comparisons must be words (`0 le t - s lt W`).
enum class TextForm { Op, Attribute };

/// Text of a formula with the fewest brackets. `tableName` prints table operand i; by default `table(i)`.
std::string toText(ExprAttr expr, llvm::function_ref<std::string(int64_t)> tableName = nullptr,
                   TextForm form = TextForm::Op);

/// Total order of trees that does not depend on addresses: kind, value, text, kids.
int compareExprs(ExprAttr a, ExprAttr b);

/// True for `row - key`: an index of a table over keys that is a distance, counted from 0, and no position.
inline bool isDistance(ExprAttr index, StringRef row, StringRef key) {
  return index.is(ExprKind::Sub) && index.getKids()[0].isName(row) && index.getKids()[1].isName(key);
}

/// Calls `visit` on every node, parents first; a node is skipped with its kids where `visit` returns false.
void walkExpr(ExprAttr expr, llvm::function_ref<bool(ExprAttr)> visit);
/// True if a name `name` occurs (callees do not count).
bool mentionsName(ExprAttr expr, StringRef name);
/// Replaces nodes bottom-up: `replace` returns the new node or null to keep it. Literals fold again; the result is
/// not brought to canonical form.
ExprAttr replaceExpr(ExprAttr expr, llvm::function_ref<ExprAttr(ExprAttr)> replace);
/// Replaces names by expressions, e.g. static params by their values; `value` returns null to keep a name.
ExprAttr substituteNames(ExprAttr expr, llvm::function_ref<ExprAttr(StringRef)> value);

/// Canonical form of a number over params: a sorted sum where it is an integer, else `expr` with literals folded.
/// Fails with `error` set where a coefficient leaves 64 bits or a divisor is not positive.
FailureOr<ExprAttr> canonicalNumber(ExprAttr expr, std::string &error);

/// The integer that `expr` is, if it is a literal.
std::optional<int64_t> literalInt(ExprAttr expr);
/// Value of an integer expression under `leaf`, which gives names, calls and table loads; nullopt where a leaf is
/// unknown, a divisor is not positive or 64 bits overflow. Comparisons and conditions give 0 or 1.
std::optional<int64_t> evaluateInt(ExprAttr expr, llvm::function_ref<std::optional<int64_t>(ExprAttr)> leaf);
/// Value of a float expression under `leaf`, which gives names, table loads and calls of anything but the functions max
/// min abs exp log tanh sigmoid relu rsqrt. nullopt where a leaf is unknown.
std::optional<double> evaluateFloat(ExprAttr expr, llvm::function_ref<std::optional<double>(ExprAttr)> leaf);

/// Number of arguments of a function of value formulas, nullopt if there is no such function.
std::optional<unsigned> valueFunctionArity(StringRef name);

} // namespace sattn

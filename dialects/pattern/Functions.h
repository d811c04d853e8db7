// Functions of scores beside a pattern (sattn.function): which one a call names, and what it means as a formula.
#pragma once
#include "dialects/pattern/Formula.h"

namespace sattn {

/// The function beside the pattern of `op` that a call's callee, "@softcap", names; null if there is none.
FunctionOp functionNamed(Operation *op, StringRef callee);

/// `expr`, a formula of `op`, with each call of a function replaced by the function's formula. Null where a function
/// has none; `lacking` is that one.
ExprAttr expandFunctions(Operation *op, ExprAttr expr, FunctionOp &lacking);

/// How many terms expandFunctions gives, at most `2 * maxExpandedTerms`; found without doing it.
size_t expandedTerms(Operation *op, ExprAttr expr);
/// Formulas with more are refused (C37), because formulas in formulas multiply.
inline constexpr size_t maxExpandedTerms = 10000;

} // namespace sattn

// sattn.function: its verifier (C38), and what calls of it mean.
#include "dialects/pattern/Functions.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

namespace sattn {

FunctionOp functionNamed(Operation *op, StringRef callee) {
  auto pattern = isa<PatternOp>(op) ? cast<PatternOp>(op) : op->getParentOfType<PatternOp>();
  Operation *module = pattern ? pattern->getParentOp() : nullptr;
  if (!module || module->getNumRegions() != 1 || !module->getRegion(0).hasOneBlock() || !callee.consume_front("@"))
    return {};
  for (auto function : module->getRegion(0).front().getOps<FunctionOp>())
    if (function.getSymName() == callee)
      return function;
  return {};
}

ExprAttr expandFunctions(Operation *op, ExprAttr expr, FunctionOp &lacking) {
  // Bottom-up: the arguments of a call hold no calls any more.
  ExprAttr expanded = replaceExpr(expr, [&](ExprAttr e) -> ExprAttr {
    if (!e.is(ExprKind::Call) || !e.getText().starts_with("@"))
      return {};
    FunctionOp function = functionNamed(op, e.getText());
    if (!function || !function.getFormulaAttr() || function.getParams().size() != e.getKids().size()) {
      lacking = function;
      return {};
    }
    return substituteNames(function.getFormulaAttr(), [&](StringRef name) -> ExprAttr {
      for (auto [param, argument] : llvm::zip(function.getParams().getAsRange<ParamAttr>(), e.getKids()))
        if (param.getName() == name)
          return argument;
      return {};
    });
  });
  return lacking ? ExprAttr() : expanded;
}

size_t expandedTerms(Operation *op, ExprAttr expr) {
  SmallVector<size_t, 4> kids;
  for (ExprAttr kid : expr.getKids())
    kids.push_back(expandedTerms(op, kid));
  FunctionOp function = expr.is(ExprKind::Call) ? functionNamed(op, expr.getText()) : FunctionOp();
  size_t terms = 0;
  auto add = [&](size_t more) { terms = std::min(terms + more, 2 * maxExpandedTerms); };
  if (function && function.getFormulaAttr() && function.getParams().size() == kids.size()) {
    walkExpr(function.getFormulaAttr(), [&](ExprAttr e) {
      size_t size = 1;
      for (auto [param, kid] : llvm::zip(function.getParams().getAsRange<ParamAttr>(), kids))
        if (e.isName(param.getName()))
          size = kid;
      add(size);
      return true;
    });
    return terms;
  }
  add(1);
  llvm::for_each(kids, add);
  return terms;
}

//===-- The op ------------------------------------------------------------------------------------------===//

/// The formula of a function: of its params, with the functions of values.
static LogicalResult verifyFormula(FunctionOp op, const llvm::StringSet<> &params) {
  LogicalResult ok = success();
  walkExpr(op.getFormulaAttr(), [&](ExprAttr e) {
    bool condition =
        llvm::is_contained({ExprKind::Le, ExprKind::Eq, ExprKind::And, ExprKind::Or, ExprKind::Not}, e.getKind()) ||
        e.isName("all");
    bool divides = e.is(ExprKind::FloorDiv) || e.is(ExprKind::Mod);
    if (condition || e.is(ExprKind::Table))
      ok = op.emitOpError() << "[SA0138] '" << toText(e) << "' is no number: the formula of a function has its params, "
                            << "numbers and functions of values";
    else if (e.is(ExprKind::Name) && !params.contains(e.getText()))
      ok = op.emitOpError() << "[SA0138] unknown name '" << e.getText() << "': the formula of '@" << op.getSymName()
                            << "' has its params alone, add one";
    else if (e.is(ExprKind::Call) && valueFunctionArity(e.getText()) != e.getKids().size())
      ok = op.emitOpError() << "[SA0138] '" << toText(e)
                            << "' is no function of values: use max, min of two, abs, exp, log, tanh, sigmoid, relu or "
                               "rsqrt of one number";
    else if (divides && literalInt(e.getKids()[1]).value_or(1) <= 0)
      ok = op.emitOpError() << "[SA0110] " << (e.is(ExprKind::Mod) ? "mod" : "floordiv") << " by "
                            << *literalInt(e.getKids()[1]) << ": the divisor must be positive";
    return succeeded(ok);
  });
  for (auto param : op.getParams().getAsRange<ParamAttr>())
    if (succeeded(ok) && !mentionsName(op.getFormulaAttr(), param.getName()))
      ok = op.emitOpError() << "[SA0138] formula of '@" << op.getSymName() << "' does not use param '"
                            << param.getName() << "': it means less than the source, use it or remove it";
  return ok;
}

LogicalResult FunctionOp::verify() {
  StringRef name = getSymName();
  auto isWord = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  if (name.empty() || llvm::isDigit(name.front()) || !llvm::all_of(name, isWord))
    return emitOpError() << "[SA0138] '@" << name
                         << "' is not a name of C++: use letters, digits and '_', a letter first";
  if (!getFile() && !getSource())
    return emitOpError() << "[SA0138] '@" << name << "' has no source: write cuda file \"" << name
                         << ".cu\" or cuda text \"...\"";
  llvm::StringSet<> params;
  for (auto param : getParams().getAsRange<ParamAttr>()) {
    if (param.getIsStatic() || param.getDefaultValue())
      return emitOpError() << "[SA0138] param '" << param.getName()
                           << "' of a function is static or has a default: each call gives it, write its type alone";
    if (!params.insert(param.getName()).second)
      return emitOpError() << "[SA0138] param '" << param.getName() << "' is declared twice: rename one";
  }
  return getFormulaAttr() ? verifyFormula(*this, params) : success();
}

} // namespace sattn

// Names, numbers, block lengths and table loads: constraints (C1), (C2), (C8), (C10), (C11), (C14) to (C16).
#include "dialects/pattern/FactsPass.h"
#include "dialects/pattern/Functions.h"
#include "llvm/ADT/StringExtras.h"

namespace sattn {

LogicalResult FactsPass::names(Operation *op, ExprAttr expr, Names scope) {
  LogicalResult ok = success();
  walkExpr(expr, [&](ExprAttr e) {
    if (failed(ok) || (e.is(ExprKind::Call) && e.getText() == "size"))
      return false;
    if (!e.is(ExprKind::Name) || e.getText() == "all")
      return true;
    StringRef name = e.getText();
    if (declared.contains(name)) {
      usedParams.insert(name);
    } else if (axisKindOf(name) == AxisKind::Features) {
      if (!features.contains(name))
        ok = error(op) << "[SA0101] unknown feature axis '" << name
                       << "': no role has it, use a feature axis of a role";
    } else if (llvm::is_contained(scope, name)) {
      return true;
    } else if (name == "z") {
      ok = error(op) << "[SA0102] 'z' stands for a score: use it in sattn.map only";
    } else if (axisKindOf(name) != AxisKind::Unknown) {
      SmallVector<StringRef> known(scope);
      llvm::sort(known);
      ok = error(op) << "[SA0102] position '" << name << "' is not in scope here: in scope are "
                     << (known.empty() ? "none" : "'" + llvm::join(known, "', '") + "'");
    } else {
      ok = error(op) << "[SA0101] unknown name '" << name << "': declare it as a param of @" << pattern.getSymName()
                     << " or pass it as a table";
    }
    return true;
  });
  return ok;
}

LogicalResult FactsPass::calls(Operation *op, ExprAttr expr, bool ofPositions, bool ofValues) {
  LogicalResult ok = success();
  walkExpr(expr, [&](ExprAttr e) {
    if (failed(ok) || !e.is(ExprKind::Call))
      return succeeded(ok);
    StringRef callee = e.getText();
    ArrayRef<ExprAttr> kids = e.getKids();
    bool bounds = callee == "first" || callee == "last", size = callee == "size";
    if (ofPositions && (bounds || size)) {
      StringRef axis = kids.size() == 1 && kids[0].is(ExprKind::Name) ? kids[0].getText() : "";
      AxisKind kind = axisKindOf(axis);
      if (bounds && kind != AxisKind::KeyBlocks && kind != AxisKind::RowBlocks)
        ok = error(op) << "[SA0108] '" << toText(e) << "' needs a block position: "
                       << (kind == AxisKind::Keys || kind == AxisKind::Rows ? axis + " is a single token"
                                                                            : Twine("write ") + callee + "(c)");
      else if (size && !positions.contains(axis) && !heads.contains(axis))
        ok = error(op) << "[SA0108] '" << toText(e) << "' needs an axis of a role: write size(s), size(t) or size(h)";
      else if (size && (kind == AxisKind::KeyBlocks || kind == AxisKind::RowBlocks))
        ok = error(op) << "[SA0108] '" << toText(e)
                       << "' counts blocks: compare tokens with size(s) or rows with size(t)";
      return !size;
    }
    if (callee.starts_with("@")) {
      ok = isa<MapOp>(op) ? functionCall(op, e)
                          : LogicalResult(error(op) << "[SA0139] function '" << callee
                                                    << "' is called outside sattn.map: it is a function of scores");
      return succeeded(ok);
    }
    auto arity = valueFunctionArity(callee);
    if (!ofValues || !arity)
      ok = error(op) << "[SA0101] unknown function '" << callee << "': "
                     << (ofValues      ? "use max, min, abs, exp, log, tanh, sigmoid, relu or rsqrt"
                         : ofPositions ? "use first(c), last(c) or size(s)"
                                       : "integers are sums and products of params");
    else if (kids.size() != *arity)
      ok = error(op) << "[SA0101] function '" << callee << "' was given " << kids.size() << " arguments: it takes "
                     << *arity;
    return succeeded(ok);
  });
  return ok;
}

/// A condition inside `expr`, or null.
static ExprAttr conditionIn(ExprAttr expr) {
  ExprAttr found;
  walkExpr(expr, [&](ExprAttr e) {
    if (llvm::is_contained({ExprKind::Le, ExprKind::Eq, ExprKind::And, ExprKind::Or, ExprKind::Not}, e.getKind()))
      found = e;
    return !found;
  });
  return found;
}

bool FactsPass::isWhole(Operation *op, ExprAttr expr) {
  bool whole = true;
  walkExpr(expr, [&](ExprAttr e) {
    if (e.is(ExprKind::Table)) {
      size_t operand = 1 + static_cast<size_t>(e.getValue()); // behind the score
      whole &= operand < op->getNumOperands() && of(op->getOperand(operand)).isInt;
      return false;
    }
    auto param = e.is(ExprKind::Name) ? declared.find(e.getText()) : declared.end();
    bool counts = e.is(ExprKind::Call) && llvm::is_contained({"first", "last", "size"}, e.getText());
    whole &= !e.is(ExprKind::Float) && !e.is(ExprKind::Div) && (!e.is(ExprKind::Call) || counts) && !e.isName("z") &&
             (param == declared.end() || !param->second.getIsFloat());
    return whole && !counts;
  });
  return whole;
}

LogicalResult FactsPass::functionCall(Operation *op, ExprAttr call) {
  FunctionOp function = functionNamed(op, call.getText());
  if (!function)
    return error(op) << "[SA0139] unknown function '" << call.getText()
                     << "': declare it with sattn.function beside the pattern";
  auto params = function.getParams().getAsRange<ParamAttr>();
  if (call.getKids().size() != function.getParams().size())
    return error(op) << "[SA0139] function '" << call.getText() << "' was given " << call.getKids().size()
                     << " arguments: it takes " << function.getParams().size();
  auto tableName = [&](int64_t table) {
    unsigned operand = 1 + static_cast<unsigned>(table); // behind the score
    auto role =
        operand < op->getNumOperands() ? dyn_cast<mlir::BlockArgument>(op->getOperand(operand)) : mlir::BlockArgument();
    return role ? "%" + cast<RoleAttr>(pattern.getRoles()[role.getArgNumber()]).getName().str() : "table";
  };
  for (auto [param, argument] : llvm::zip(params, call.getKids())) {
    if (auto literal = literalInt(argument); literal && !param.getIsFloat() && !llvm::isInt<32>(*literal))
      return error(op) << "[SA0139] " << *literal << " is beyond the 32 bits of param '" << param.getName()
                       << "' of function '" << call.getText() << "': declare the param as float";
    if (!param.getIsFloat() && !isWhole(op, argument))
      return error(op) << "[SA0139] '" << toText(argument, tableName) << "' is not an integer but param '"
                       << param.getName() << "' of function '" << call.getText() << "' is: declare the param as float";
  }
  return success();
}

LogicalResult FactsPass::integer(Operation *op, ExprAttr number, StringRef clause, int64_t least) {
  if (!number)
    return success();
  if (failed(names(op, number, {})) || failed(calls(op, number, /*positions=*/false, /*values=*/false)))
    return failure();
  LogicalResult ok = success();
  walkExpr(number, [&](ExprAttr e) {
    if (failed(ok))
      return false;
    auto param = e.is(ExprKind::Name) ? declared.find(e.getText()) : declared.end();
    if (e.is(ExprKind::Table))
      ok = error(op) << "[SA0114] a value cannot appear here: write params and integers";
    else if (e.is(ExprKind::Float) || e.is(ExprKind::Div) || conditionIn(e))
      ok = error(op) << "[SA0114] '" << clause << "(" << toText(number) << ")' is not an integer: write a whole number";
    else if (param != declared.end() && param->second.getIsFloat())
      ok = error(op) << "[SA0114] param '" << e.getText() << "' is a float but '" << clause
                     << "' takes an integer: declare it as int";
    return succeeded(ok);
  });
  if (failed(ok))
    return failure();
  if (auto value = literalInt(number); value && *value < least)
    return error(op) << "[SA0114] '" << clause << "(" << *value << ")' is out of range: it must be at least " << least;
  return success();
}

LogicalResult FactsPass::real(Operation *op, ExprAttr number, StringRef clause) {
  if (!number)
    return success();
  if (failed(names(op, number, {})) || failed(calls(op, number, /*positions=*/false, /*values=*/true)))
    return failure();
  LogicalResult ok = success();
  walkExpr(number, [&](ExprAttr e) {
    if (e.is(ExprKind::Table))
      ok = error(op) << "[SA0114] a value cannot appear here: write params and integers";
    return succeeded(ok);
  });
  if (failed(ok))
    return failure();
  if (ExprAttr condition = conditionIn(number))
    return error(op) << "[SA0114] '" << toText(condition) << "' is a condition: '" << clause
                     << "' takes a number, use max, min or relu";
  return success();
}

LogicalResult FactsPass::isStatic(Operation *op, ExprAttr expr, StringRef message) {
  LogicalResult ok = success();
  auto [before, after] = message.split("{}");
  walkExpr(expr, [&](ExprAttr e) {
    auto param = e.is(ExprKind::Name) ? declared.find(e.getText()) : declared.end();
    if (succeeded(ok) && param != declared.end() && !param->second.getIsStatic())
      ok = error(op) << before << e.getText() << after;
    return succeeded(ok);
  });
  return ok;
}

LogicalResult FactsPass::blocks(Operation *op, AxisAttr axis) {
  ExprAttr len = axis.getLen(), stride = axis.getStride();
  if (!len)
    return success();
  if (failed(integer(op, len, "blocks", 1)) || failed(integer(op, stride, "stride", 1)) ||
      failed(isStatic(op, len, "[SA0111] param '{}' is a block length: declare it static")) ||
      failed(isStatic(op, stride, "[SA0111] param '{}' is a block stride: declare it static")))
    return failure();
  auto l = literalInt(len), d = literalInt(stride);
  if (l && *l > maxDivisor)
    return error(op) << "[SA0111] 'blocks(" << *l << ")' is out of range: it must be at most " << maxDivisor;
  if (l && d && *d > *l)
    return error(op) << "[SA0111] blocks(" << *l << ", " << *d << ") leave gaps: the stride must not exceed the length";
  if (axis.kind() == AxisKind::RowBlocks && axis.overlaps())
    return error(op) << "[SA0111] row blocks '" << toText(axis) << "' overlap: a row belongs to one block, write u("
                     << toText(len) << ")";
  return success();
}

/// Numbers that are known before a call: literals and static params.
static bool isKnownBeforeCall(ExprAttr expr, const llvm::StringMap<ParamAttr> &params) {
  bool isKnown = true;
  walkExpr(expr, [&](ExprAttr e) {
    auto param = e.is(ExprKind::Name) ? params.find(e.getText()) : params.end();
    isKnown &= !e.is(ExprKind::Call) && !e.is(ExprKind::Table) &&
               (!e.is(ExprKind::Name) || (param != params.end() && param->second.getIsStatic()));
    return isKnown;
  });
  return isKnown;
}

LogicalResult FactsPass::factors(Operation *op, ExprAttr expr) {
  LogicalResult ok = success();
  walkExpr(expr, [&](ExprAttr e) {
    if (failed(ok))
      return false;
    if (e.is(ExprKind::FloorDiv) || e.is(ExprKind::Mod))
      ok = isStatic(op, e.getKids()[1], "[SA0110] param '{}' divides a position: declare it static");
    else if (e.is(ExprKind::Mul) && isPositional(e))
      for (ExprAttr kid : e.getKids())
        if (succeeded(ok) && !isPositional(kid))
          ok = isStatic(op, kid, "[SA0109] param '{}' scales a position: declare it static");
    if (succeeded(ok) && e.is(ExprKind::Mul) && !isPositional(e) &&
        llvm::none_of(e.getKids(), [&](ExprAttr kid) { return isKnownBeforeCall(kid, declared); }))
      ok = error(op) << "[SA0109] '" << toText(e)
                     << "' multiplies two numbers that only a call knows: declare one of them static";
    return succeeded(ok);
  });
  return ok;
}

LogicalResult FactsPass::load(Operation *op, ExprAttr load, Value table) {
  const Facts &facts = of(table);
  ArrayRef<ExprAttr> indices = load.getKids();
  if (indices.size() != facts.axes.size())
    return error(op, table) << "[SA0115] table has " << facts.axes.size() << " axes but " << indices.size()
                            << " indices: give one index for each axis";
  for (auto [axis, index] : llvm::zip(facts.axes, indices)) {
    auto value = literalInt(index);
    if (axis.isFixed() && value && (*value < 0 || *value >= axis.getSize()))
      return error(op, table) << "[SA0115] index " << *value << " is outside an axis of size " << axis.getSize()
                              << ": the last one is " << axis.getSize() - 1;
    // Positions and heads that the index mentions, outside nested loads.
    bool byHead = false, byPosition = false;
    walkExpr(index, [&](ExprAttr e) {
      AxisKind kind = e.is(ExprKind::Name) ? axisKindOf(e.getText()) : AxisKind::Unknown;
      byHead |= kind == AxisKind::QueryHeads || kind == AxisKind::KvHeads;
      byPosition |= kind <= AxisKind::KeyBlocks;
      return !e.is(ExprKind::Table);
    });
    if ((axis.isHead() && byPosition) || (axis.isPosition() && byHead))
      return error(op, table) << "[SA0116] axis '" << toText(axis) << "' is indexed by '" << toText(index)
                              << "': a head axis takes a head, a position axis takes a position";
  }
  return success();
}

LogicalResult FactsPass::tables(Operation *op, ExprAttr expr, mlir::OperandRange operands, bool bareAllowed) {
  LogicalResult ok = success();
  walkExpr(expr, [&](ExprAttr e) {
    if (failed(ok) || !e.is(ExprKind::Table))
      return succeeded(ok);
    if (e.getValue() < 0 || size_t(e.getValue()) >= operands.size()) {
      ok = error(op) << "[SA0136] formula loads table " << e.getValue() << " but the op has " << operands.size()
                     << " tables: add the operand";
      return false;
    }
    Value table = operands[e.getValue()];
    if (of(table).selection)
      ok = error(op, table) << "[SA0131] weights belong to the slots of a selection: use them in sattn.blend";
    else if (!e.getKids().empty())
      ok = load(op, e, table);
    else if (!bareAllowed)
      ok = error(op, table) << "[SA0115] table is used without an index: write it with one index for each axis "
                            << axesText(of(table).axes);
    return succeeded(ok);
  });
  return ok;
}

} // namespace sattn

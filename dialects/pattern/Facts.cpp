// The frame of the facts pass: roles, params, the walk over the body, and what must not be idle.
#include "dialects/pattern/FactsPass.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

namespace sattn {

template <typename PredicateT> static AxisAttr findAxis(ArrayRef<AxisAttr> axes, PredicateT predicate) {
  auto found = llvm::find_if(axes, predicate);
  return found == axes.end() ? AxisAttr() : *found;
}
std::string chosenAxis(const Facts &facts) {
  return toText(facts.position()) + "(" + toText(facts.gatheredAt.getDefiningOp<RouteOp>().getTop()) + ")";
}

AxisAttr Facts::position() const {
  return findAxis(axes, [](AxisAttr axis) { return axis.isPosition(); });
}
AxisAttr Facts::headAxis() const {
  return findAxis(axes, [](AxisAttr axis) { return axis.isHead(); });
}
AxisAttr Facts::feature() const {
  return findAxis(axes, [](AxisAttr axis) { return axis.isFeature(); });
}

const Facts &PatternFacts::of(Value value) const {
  static const Facts none;
  auto found = facts.find(value);
  return found == facts.end() ? none : found->second;
}

std::string headText(AxisAttr head) { return "'" + (head ? toText(head) : "one") + "'"; }

std::string axesText(ArrayRef<AxisAttr> axes) {
  return "[" + llvm::join(llvm::map_range(axes, [](AxisAttr axis) { return toText(axis); }), ", ") + "]";
}

AxisAttr rowBlocks(ExprAttr len) {
  MLIRContext *context = len.getContext();
  return len.isInt(1) ? AxisAttr::named(context, "t") : AxisAttr::blocks(context, "u", len);
}

InFlightDiagnostic FactsPass::error(Operation *op) { return op->emitOpError(); }

InFlightDiagnostic FactsPass::error(Operation *op, Value operand) {
  auto diagnostic = op->emitOpError();
  diagnostic.attachNote(operand.getLoc())
      << (operand.getDefiningOp() ? "the operand is made here" : "the operand is declared here");
  return diagnostic;
}

LogicalResult FactsPass::roles() {
  llvm::StringSet<> seen;
  for (auto [argument, role] : llvm::zip(pattern.getBody().getArguments(), pattern.getRoles().getAsRange<RoleAttr>())) {
    if (!seen.insert(role.getName()).second)
      return error(pattern) << "[SA0103] role '" << role.getName() << "' is declared twice: rename one";
    Facts facts;
    facts.isInt = role.getIsInt();
    for (AxisAttr axis : role.getAxes()) {
      if (axis.kind() == AxisKind::Unknown)
        return error(pattern) << "[SA0104] role '" << role.getName() << "' has unknown axis '" << axis.getName()
                              << "': axes are t, u (rows), s, c (keys), h, g (heads), D... (features) or a number";
      if (axis.isBlocks() && !axis.getLen())
        return error(pattern) << "[SA0104] role '" << role.getName() << "' has axis '" << axis.getName()
                              << "' without a block length: write " << axis.getName() << "(l)";
      if (axis.isFeature())
        features.insert(axis.getName());
      if (axis.isHead())
        heads.insert(axis.getName());
      if (axis.isPosition())
        positions.insert(axis.getName());
      bool single = axis.kind() == AxisKind::RowBlocks && axis.getLen().isInt(1);
      facts.axes.push_back(single ? rowBlocks(axis.getLen()) : axis);
    }
    result.facts[argument] = std::move(facts);
  }
  return success();
}

LogicalResult FactsPass::params() {
  for (auto param : pattern.getParams().getAsRange<ParamAttr>()) {
    // Defaults may use params that stand before their own.
    if (ExprAttr value = param.getDefaultValue()) {
      if (failed(names(pattern, value, {})))
        return failure();
      if (failed(param.getIsFloat() ? real(pattern, value, param.getName())
                                    : calls(pattern, value, /*positions=*/false, /*values=*/false)))
        return failure();
      bool whole = true;
      walkExpr(value, [&](ExprAttr e) {
        auto other = e.is(ExprKind::Name) ? declared.find(e.getText()) : declared.end();
        whole &=
            !e.is(ExprKind::Float) && !e.is(ExprKind::Div) && (other == declared.end() || !other->second.getIsFloat());
        return whole;
      });
      if (!param.getIsFloat() && !whole)
        return error(pattern) << "[SA0103] param '" << param.getName() << "' is an int but its default '"
                              << toText(value) << "' is not: write a whole number";
    }
    if (!declared.try_emplace(param.getName(), param).second)
      return error(pattern) << "[SA0103] param '" << param.getName() << "' is declared twice: rename one";
  }
  for (auto role : pattern.getRoles().getAsRange<RoleAttr>())
    for (AxisAttr axis : role.getAxes())
      if (failed(blocks(pattern, axis)))
        return failure();
  return success();
}

LogicalResult FactsPass::body() {
  if (pattern.getBody().empty() || pattern.getBody().front().empty() || !isa<YieldOp>(pattern.getBody().front().back()))
    return error(pattern) << "[SA0106] body does not end with sattn.yield: yield " << pattern.getOutputs().size()
                          << " results";
  Block &block = pattern.getBody().front();
  if (size_t lines = block.getOperations().size(); lines > maxPatternLines)
    return error(pattern) << "[SA0137] has " << lines << " lines, more than " << maxPatternLines
                          << ": split the pattern";
  for (Operation &op : block) {
    for (Value operand : op.getOperands())
      if (!result.facts.contains(operand))
        return error(&op) << "[SA0136] operand is used before it is made: move its line up";
    if (auto yield = dyn_cast<YieldOp>(op))
      return visitYield(yield);
    if (op.getNumResults() == 1 && op.getResult(0).use_empty())
      return error(&op) << "[SA0105] result is never used: remove the line or yield it";
    auto facts = visit(op);
    if (failed(facts))
      return failure();
    result.facts[op.getResult(0)] = std::move(*facts);
  }
  return success();
}

FailureOr<Facts> FactsPass::visit(Operation &op) {
  return llvm::TypeSwitch<Operation *, FailureOr<Facts>>(&op)
      .Case<SetOp, RandomOp, ListedOp, UnionOp, IntersectOp, MinusOp, SelectOp>([&](auto op) { return visit(op); })
      .Case<SummarizeOp, EncodeOp, PrefixOp, RouteOp, GatherOp, ScatterOp, SmoothOp, MixOp>(
          [&](auto op) { return visit(op); })
      .Case<ScoreOp, MapOp, NormalizeOp, ReduceOp, RebinOp, ColsumOp, WeighOp>([&](auto op) { return visit(op); })
      .Case<AccumulateOp, ReopenOp, MergeOp, FinalizeOp, LseOp, AttendOp, BlendOp>([&](auto op) { return visit(op); })
      .Default([&](Operation *op) -> FailureOr<Facts> {
        return error(op) << "[SA0136] is not part of the pattern language: use ops of sattn only";
      });
}

LogicalResult FactsPass::visitYield(YieldOp op) {
  if (op.getValues().size() != pattern.getOutputs().size())
    return error(op) << "[SA0106] yields " << op.getValues().size() << " values but @" << pattern.getSymName()
                     << " declares " << pattern.getOutputs().size() << " results: yield one value for each";
  return success();
}

LogicalResult FactsPass::nothingIdle() {
  for (auto [argument, role] : llvm::zip(pattern.getBody().getArguments(), pattern.getRoles().getAsRange<RoleAttr>()))
    if (argument.use_empty())
      return error(pattern) << "[SA0105] role '" << role.getName() << "' is never used: remove it";
  for (auto param : pattern.getParams().getAsRange<ParamAttr>())
    if (!usedParams.contains(param.getName()))
      return error(pattern) << "[SA0105] param '" << param.getName() << "' is never used: remove it";
  return success();
}

FailureOr<PatternFacts> FactsPass::run() {
  llvm::StringSet<> outputs;
  for (StringRef name : pattern.getOutputs().getAsValueRange<mlir::StringAttr>())
    if (!outputs.insert(name).second)
      return error(pattern) << "[SA0103] result '" << name << "' is declared twice: rename one";
  if (failed(roles()) || failed(params()) || failed(body()) || failed(nothingIdle()))
    return failure();
  return std::move(result);
}

FailureOr<PatternFacts> deriveFacts(PatternOp pattern) { return FactsPass(pattern).run(); }

} // namespace sattn

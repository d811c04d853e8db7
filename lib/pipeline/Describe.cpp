// The interface of a pattern, read from its attributes and facts.
#include "lib/pipeline/Describe.h"
#include "dialects/pattern/Facts.h"
#include "dialects/pattern/Formula.h"
#include "dialects/pattern/KeySet.h"
#include "lib/transforms/Bindings.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace sattn;

namespace {

class Describer {
public:
  Describer(PatternOp pattern, const BindingList &bindings) : pattern(pattern), json(stream) {
    llvm::StringMap<int64_t> given = integersOf(bindings);
    for (ParamAttr param : pattern.getParams().getAsRange<ParamAttr>()) {
      if (!param.getIsStatic())
        continue;
      if (auto value = given.find(param.getName()); value != given.end())
        statics[param.getName()] = value->second;
      else if (std::optional<int64_t> number =
                   param.getDefaultValue() ? integer(param.getDefaultValue()) : std::nullopt)
        statics[param.getName()] = *number;
    }
  }

  std::string write(const PatternFacts &facts) {
    Block &body = pattern.getBody().front();
    json.object([&] {
      json.attribute("name", pattern.getSymName());
      json.attribute("lines", static_cast<int64_t>(std::distance(body.begin(), body.end())));
      json.attributeArray("roles", [&] {
        for (RoleAttr role : pattern.getRoles().getAsRange<RoleAttr>())
          writeRole(role);
      });
      json.attributeArray("params", [&] {
        for (ParamAttr param : pattern.getParams().getAsRange<ParamAttr>())
          writeParam(param);
      });
      json.attributeArray("results", [&] {
        for (auto [name, value] : llvm::zip(pattern.getOutputs(), body.getTerminator()->getOperands()))
          writeResult(cast<mlir::StringAttr>(name).getValue(), facts.of(value));
      });
      if (auto causal = pattern->getAttrOfType<mlir::StringAttr>("causal"))
        json.attribute("causal", causal.getValue());
    });
    return std::move(text);
  }

private:
  std::optional<int64_t> integer(ExprAttr expr) const {
    return evaluateInt(expr, [&](ExprAttr leaf) -> std::optional<int64_t> {
      auto known = leaf.is(ExprKind::Name) ? statics.find(leaf.getText()) : statics.end();
      return known == statics.end() ? std::nullopt : std::optional(known->second);
    });
  }

  std::string axisText(AxisAttr axis) const {
    MLIRContext *context = axis.getContext();
    // The first features of a tensor are a count of their own.
    if (axis.isFeature() && axis.getLen())
      if (std::optional<int64_t> width = integer(axis.getLen()))
        return std::to_string(*width);
    if (!axis.isBlocks())
      return toText(axis);
    auto number = [&](ExprAttr expr) {
      std::optional<int64_t> value = integer(expr);
      return value ? intExpr(context, *value) : expr;
    };
    return toText(AxisAttr::blocks(context, axis.getName(), number(axis.getLen()), number(axis.getStride())));
  }

  void writeAxes(ArrayRef<AxisAttr> axes) {
    json.attributeArray("axes", [&] {
      for (AxisAttr axis : axes)
        json.value(axisText(axis));
    });
  }

  void writeRole(RoleAttr role) {
    json.object([&] {
      json.attribute("name", role.getName());
      json.attribute("int", role.getIsInt());
      writeAxes(role.getAxes());
    });
  }

  void writeParam(ParamAttr param) {
    json.object([&] {
      json.attribute("name", param.getName());
      json.attribute("static", param.getIsStatic());
      json.attribute("type", param.getIsFloat() ? "float" : "int");
      ExprAttr value = param.getDefaultValue();
      if (!value)
        return;
      json.attribute("text", toText(value));
      if (param.getIsFloat()) {
        if (std::optional<double> number = evaluateFloat(value, [](ExprAttr) { return std::optional<double>(); }))
          json.attribute("default", *number);
      } else if (std::optional<int64_t> number = integer(value)) {
        json.attribute("default", *number);
      }
    });
  }

  // A number over params as words that a stack evaluates: `heavy + 2` is "heavy", "2", "+".
  void writePostfix(ExprAttr expr) {
    if (std::optional<int64_t> value = integer(expr)) {
      json.value(std::to_string(*value));
      return;
    }
    if (expr.is(ExprKind::Name)) {
      json.value(expr.getText());
      return;
    }
    if (expr.is(ExprKind::Neg))
      json.value("0");
    for (ExprAttr kid : expr.getKids())
      writePostfix(kid);
    json.value(expr.is(ExprKind::Add) ? "+" : expr.is(ExprKind::Mul) ? "*" : "-");
  }

  void writeResult(StringRef name, const Facts &facts) {
    json.object([&] {
      json.attribute("name", name);
      json.attributeArray("axes", [&] {
        for (AxisAttr axis : facts.axes)
          json.value(facts.gatheredAt && axis.isPosition() ? chosenAxis(facts) : axisText(axis));
      });
      if (facts.gatheredAt)
        json.attributeArray("top", [&] { writePostfix(facts.gatheredAt.getDefiningOp<RouteOp>().getTop()); });
      bool hasFeature = llvm::any_of(facts.axes, [](AxisAttr axis) { return axis.isFeature() || axis.isFixed(); });
      bool isSummary = llvm::any_of(facts.axes, [](AxisAttr axis) { return axis.isBlocks(); });
      json.attribute("float32", !hasFeature || isSummary);
      bool isRagged = llvm::any_of(facts.axes, [](AxisAttr axis) { return axis.isBlocks() && axis.getRagged(); });
      if (isRagged)
        json.attribute("ragged", true);
    });
  }

  PatternOp pattern;
  llvm::StringMap<int64_t> statics;
  std::string text;
  llvm::raw_string_ostream stream{text};
  llvm::json::OStream json;
};

} // namespace

FailureOr<std::string> sattn::describePattern(PatternOp pattern, StringRef bind) {
  FailureOr<BindingList> bindings = bindingsFor(pattern, bind);
  FailureOr<PatternFacts> facts = deriveFacts(pattern);
  if (failed(bindings) || failed(facts))
    return failure();
  return Describer(pattern, *bindings).write(*facts);
}

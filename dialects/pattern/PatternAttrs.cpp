// Text of the attributes in generic form, and the constructors of axes.
#include "dialects/pattern/FormulaParser.h"
#include "dialects/pattern/KeySet.h"

namespace sattn {

// ---- Axes

AxisAttr AxisAttr::named(MLIRContext *context, StringRef name) {
  return get(context, name, 0, ExprAttr(), ExprAttr(), /*ragged=*/false);
}
AxisAttr AxisAttr::fixed(MLIRContext *context, int64_t size) {
  return get(context, "", size, ExprAttr(), ExprAttr(), /*ragged=*/false);
}
AxisAttr AxisAttr::blocks(MLIRContext *context, StringRef name, ExprAttr len, ExprAttr stride, bool ragged) {
  return get(context, name, 0, len, stride ? stride : len, ragged);
}
AxisKind AxisAttr::kind() const { return isFixed() ? AxisKind::Fixed : axisKindOf(getName()); }

// ---- Generic text: each attribute is `<` what an op's own text says `>`.

Attribute ExprAttr::parse(mlir::AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  auto expr = FormulaParser(parser).formula();
  return failed(expr) || parser.parseGreater() ? ExprAttr() : *expr;
}
void ExprAttr::print(mlir::AsmPrinter &printer) const {
  printer << "<" << toText(*this, nullptr, TextForm::Attribute) << ">";
}

Attribute AxisAttr::parse(mlir::AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  auto axis = parseAxis(parser);
  if (failed(axis))
    return {};
  bool ragged = succeeded(parser.parseOptionalKeyword("ragged"));
  if (parser.parseGreater())
    return {};
  return get(parser.getContext(), axis->getName(), axis->getSize(), axis->getLen(), axis->getStride(), ragged);
}
void AxisAttr::print(mlir::AsmPrinter &printer) const {
  printer << "<" << toText(*this) << (getRagged() ? " ragged>" : ">");
}

Attribute KeySetAttr::parse(mlir::AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  auto set = parseKeySet(parser);
  return failed(set) || parser.parseGreater() ? KeySetAttr() : *set;
}
void KeySetAttr::print(mlir::AsmPrinter &printer) const {
  printer << "<" << domainText(*this) << " : " << toText(*this, nullptr, TextForm::Attribute) << ">";
}

Attribute ParamAttr::parse(mlir::AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  auto param = parseParam(parser);
  return failed(param) || parser.parseGreater() ? ParamAttr() : *param;
}
void ParamAttr::print(mlir::AsmPrinter &printer) const {
  printer << "<";
  printParam(printer, *this);
  printer << ">";
}

Attribute RoleAttr::parse(mlir::AsmParser &parser, Type) {
  std::string name;
  bool isInt = false;
  SmallVector<AxisAttr> axes;
  if (parser.parseLess() || parser.parseKeywordOrString(&name) || parser.parseColon() ||
      parseRoleAxes(parser, isInt, axes) || parser.parseGreater())
    return {};
  return get(parser.getContext(), name, isInt, axes);
}
void RoleAttr::print(mlir::AsmPrinter &printer) const {
  printer << "<";
  printer.printKeywordOrString(getName());
  printer << ": ";
  printRoleAxes(printer, *this);
  printer << ">";
}

} // namespace sattn

// Text and structure of sattn.pattern:
//   sattn.pattern @name<static l: int = 32>(%q: [t, h, D], %m: [c(l), g, D]) -> (o, lse) { ... }
#include "dialects/pattern/Facts.h"
#include "dialects/pattern/FormulaParser.h"
#include "dialects/pattern/KeySet.h"

namespace sattn {
using mlir::ArrayAttr;
using mlir::OpAsmParser;
using mlir::OpAsmPrinter;
using mlir::StringAttr;

static ParseResult parseParams(OpAsmParser &parser, SmallVectorImpl<Attribute> &params) {
  return parser.parseCommaSeparatedList(OpAsmParser::Delimiter::OptionalLessGreater, [&]() -> ParseResult {
    auto param = parseParam(parser);
    if (failed(param))
      return failure();
    params.push_back(*param);
    return success();
  });
}

static ParseResult parseRoles(OpAsmParser &parser, SmallVectorImpl<Attribute> &roles,
                              SmallVectorImpl<OpAsmParser::Argument> &arguments) {
  return parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, [&]() -> ParseResult {
    OpAsmParser::Argument argument;
    bool isInt = false;
    SmallVector<AxisAttr> axes;
    if (parser.parseArgument(argument) || parser.parseColon() || parseRoleAxes(parser, isInt, axes))
      return failure();
    argument.type = TensorType::get(parser.getContext());
    arguments.push_back(argument);
    roles.push_back(RoleAttr::get(parser.getContext(), argument.ssaName.name.drop_front(), isInt, axes));
    return success();
  });
}

ParseResult PatternOp::parse(OpAsmParser &parser, mlir::OperationState &state) {
  mlir::Builder builder(parser.getContext());
  StringAttr name;
  SmallVector<Attribute> params, roles, outputs;
  SmallVector<OpAsmParser::Argument> arguments;
  auto output = [&]() -> ParseResult {
    StringRef word;
    if (parser.parseKeyword(&word))
      return failure();
    outputs.push_back(builder.getStringAttr(word));
    return success();
  };
  if (parser.parseSymbolName(name, getSymNameAttrName(state.name), state.attributes) || parseParams(parser, params) ||
      parseRoles(parser, roles, arguments) || parser.parseArrow() ||
      parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, output))
    return failure();
  state.addAttribute(getParamsAttrName(state.name), builder.getArrayAttr(params));
  state.addAttribute(getRolesAttrName(state.name), builder.getArrayAttr(roles));
  state.addAttribute(getOutputsAttrName(state.name), builder.getArrayAttr(outputs));
  if (succeeded(parser.parseOptionalKeyword("bind"))) {
    mlir::NamedAttrList bind;
    if (parser.parseOptionalAttrDict(bind))
      return failure();
    state.addAttribute(getBindAttrName(state.name), bind.getDictionary(parser.getContext()));
  }
  return failure(parser.parseOptionalAttrDictWithKeyword(state.attributes) ||
                 parser.parseRegion(*state.addRegion(), arguments));
}

void PatternOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  if (!getParams().empty()) {
    printer << '<';
    llvm::interleaveComma(getParams().getAsRange<ParamAttr>(), printer,
                          [&](ParamAttr param) { printParam(printer, param); });
    printer << '>';
  }
  printer << '(';
  llvm::interleaveComma(llvm::zip(getBody().getArguments(), getRoles().getAsRange<RoleAttr>()), printer,
                        [&](auto pair) {
                          printer.printOperand(std::get<0>(pair));
                          printer << ": ";
                          printRoleAxes(printer, std::get<1>(pair));
                        });
  printer << ") -> (";
  llvm::interleaveComma(getOutputs().getAsValueRange<StringAttr>(), printer, [&](StringRef name) { printer << name; });
  printer << ')';
  if (getBind())
    printer << " bind " << getBindAttr();
  SmallVector<StringRef> shown{getSymNameAttrName(), getParamsAttrName(), getRolesAttrName(), getOutputsAttrName(),
                               getBindAttrName()};
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), shown);
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

void PatternOp::getAsmBlockArgumentNames(Region &region, mlir::OpAsmSetValueNameFn setName) {
  for (auto [argument, role] : llvm::zip(region.getArguments(), getRoles().getAsRange<RoleAttr>()))
    setName(argument, role.getName());
}

/// Names that print and read back as they are, in every front-end.
static bool isIdentifier(StringRef name) {
  auto isWord = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  return !name.empty() && !llvm::isDigit(name.front()) && llvm::all_of(name, isWord);
}

LogicalResult PatternOp::verify() {
  SmallVector<StringRef> names(getOutputs().getAsValueRange<StringAttr>());
  for (auto param : getParams().getAsRange<ParamAttr>())
    names.push_back(param.getName());
  for (auto role : getRoles().getAsRange<RoleAttr>())
    names.push_back(role.getName());
  for (StringRef name : names)
    if (!isIdentifier(name))
      return emitOpError() << "[SA0136] name '" << name
                           << "' is not an identifier: use letters, digits and '_', a letter first";
  if (getOutputs().empty())
    return emitOpError("[SA0106] declares no result: name at least one after '->'");
  auto arguments = getBody().getArguments();
  if (arguments.size() != getRoles().size())
    return emitOpError() << "[SA0136] has " << getRoles().size() << " roles but its body takes " << arguments.size()
                         << " arguments: declare one role for each";
  for (auto argument : arguments)
    if (!isa<TensorType>(argument.getType()))
      return emitOpError() << "[SA0136] body takes an argument of type " << argument.getType()
                           << ": roles are !sattn.tensor";
  return success();
}

LogicalResult PatternOp::verifyRegions() { return success(succeeded(deriveFacts(*this))); }

} // namespace sattn

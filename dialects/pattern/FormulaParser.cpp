// Parser of the formula language, and of the axes, params and domains that are written with it.
#include "dialects/pattern/FormulaParser.h"
#include "dialects/pattern/KeySet.h"
#include "llvm/ADT/ScopeExit.h"
#include <cmath>

namespace sattn {

/// No text can nest or grow a tree beyond these, so every walk over a tree may be recursive.
static constexpr unsigned maxDepth = 64, maxNodes = 1000;

static bool isCondition(ExprAttr e) {
  return llvm::is_contained({ExprKind::Le, ExprKind::Eq, ExprKind::And, ExprKind::Or, ExprKind::Not}, e.getKind());
}

ParseResult FormulaParser::enter() {
  if (++depth <= maxDepth)
    return success();
  return parser.emitError(parser.getCurrentLocation(),
                          "[SA0113] formula is nested deeper than 64 levels: split it into named sets");
}

ParseResult FormulaParser::count() {
  if (++nodes <= maxNodes)
    return success();
  return parser.emitError(parser.getCurrentLocation(),
                          "[SA0113] formula has more than 1000 terms: split it into named sets");
}

bool FormulaParser::accept(StringRef word) {
  if (word == "+")
    return succeeded(parser.parseOptionalPlus());
  if (word == "-")
    return succeeded(parser.parseOptionalMinus());
  if (word == "*")
    return succeeded(parser.parseOptionalStar());
  if (word == "/")
    return succeeded(parser.parseOptionalSlash());
  return succeeded(parser.parseOptionalKeyword(word));
}

FailureOr<ExprAttr> FormulaParser::node(llvm::SMLoc loc, ExprKind kind, ArrayRef<ExprAttr> kids) {
  bool connects = kind == ExprKind::And || kind == ExprKind::Or || kind == ExprKind::Not;
  for (ExprAttr kid : kids)
    if (!connects && isCondition(kid))
      return parser.emitError(loc)
             << "[SA0112] '" << toText(kid)
             << "' is a condition: it cannot be part of a sum or comparison, join conditions with and, or, not";
  if (count())
    return failure();
  return nodeExpr(kind, kids);
}

FailureOr<ExprAttr> FormulaParser::binary(ArrayRef<Word> words, Rule next) {
  llvm::SMLoc loc = parser.getCurrentLocation();
  auto left = (this->*next)();
  while (succeeded(left)) {
    const Word *hit = llvm::find_if(words, [&](const Word &word) { return accept(word.text); });
    if (hit == words.end())
      return left;
    auto right = (this->*next)();
    if (failed(right))
      return failure();
    left = node(loc, hit->kind, {*left, *right});
  }
  return left;
}

FailureOr<ExprAttr> FormulaParser::disjunction() {
  if (enter())
    return failure();
  llvm::scope_exit leave([&] { --depth; });
  return binary({{"or", ExprKind::Or}}, &FormulaParser::conjunction);
}

FailureOr<ExprAttr> FormulaParser::conjunction() { return binary({{"and", ExprKind::And}}, &FormulaParser::negation); }

FailureOr<ExprAttr> FormulaParser::negation() {
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (!accept("not"))
    return chain();
  if (enter())
    return failure();
  llvm::scope_exit leave([&] { --depth; });
  auto inner = negation();
  return failed(inner) ? inner : node(loc, ExprKind::Not, *inner);
}

FailureOr<FormulaParser::Comparison> FormulaParser::comparison() {
  // Inside the brackets of an attribute, < and > are brackets themselves, so comparisons are words.
  if (!tables) {
    for (auto [word, comparison] : {std::pair<StringRef, Comparison>{"lt", {true, false, false}},
                                    {"le", {true, false, true}},
                                    {"gt", {false, true, false}},
                                    {"ge", {false, true, true}},
                                    {"eq", {false, false, true}}})
      if (accept(word))
        return comparison;
    return Comparison{};
  }
  bool less = succeeded(parser.parseOptionalLess());
  bool greater = !less && succeeded(parser.parseOptionalGreater());
  bool equal = succeeded(parser.parseOptionalEqual());
  if (equal && !less && !greater && failed(parser.parseOptionalEqual()))
    return parser.emitError(parser.getCurrentLocation(), "[SA0112] expected '==': a set compares, it does not assign");
  return Comparison{less, greater, equal};
}

FailureOr<ExprAttr> FormulaParser::chain() {
  llvm::SMLoc loc = parser.getCurrentLocation();
  auto left = sum();
  if (failed(left))
    return failure();
  ExprAttr all;
  while (true) {
    auto comparison = this->comparison();
    if (failed(comparison))
      return failure();
    auto [less, greater, equal] = *comparison;
    if (!less && !greater && !equal)
      return all ? all : *left;
    auto right = sum();
    if (failed(right))
      return failure();
    ExprAttr low = greater ? *right : *left, high = greater ? *left : *right;
    if ((less || greater) && !equal && !isCondition(low))
      low = nodeExpr(ExprKind::Add, {low, intExpr(parser.getContext(), 1)});
    auto link = node(loc, less || greater ? ExprKind::Le : ExprKind::Eq, {low, high});
    if (succeeded(link) && all)
      link = node(loc, ExprKind::And, {all, *link});
    if (failed(link))
      return failure();
    all = *link;
    left = right;
  }
}

FailureOr<ExprAttr> FormulaParser::sum() {
  return binary({{"+", ExprKind::Add}, {"-", ExprKind::Sub}}, &FormulaParser::product);
}

FailureOr<ExprAttr> FormulaParser::product() {
  return binary({{"*", ExprKind::Mul}, {"/", ExprKind::Div}, {"floordiv", ExprKind::FloorDiv}, {"mod", ExprKind::Mod}},
                &FormulaParser::unary);
}

FailureOr<ExprAttr> FormulaParser::unary() {
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (!accept("-"))
    return primary();
  if (enter())
    return failure();
  llvm::scope_exit leave([&] { --depth; });
  auto inner = unary();
  return failed(inner) ? inner : node(loc, ExprKind::Neg, *inner);
}

ParseResult FormulaParser::list(SmallVectorImpl<ExprAttr> &items) {
  if (enter())
    return failure();
  llvm::scope_exit leave([&] { --depth; });
  return parser.parseCommaSeparatedList([&]() -> ParseResult {
    llvm::SMLoc loc = parser.getCurrentLocation();
    auto item = sum();
    if (failed(item))
      return failure();
    if (isCondition(*item))
      return parser.emitError(loc)
             << "[SA0112] '" << toText(*item)
             << "' is a condition: it cannot be part of a sum or comparison, join conditions with and, or, not";
    items.push_back(*item);
    return success();
  });
}

FailureOr<ExprAttr> FormulaParser::primary() {
  MLIRContext *context = parser.getContext();
  if (count())
    return failure();
  if (succeeded(parser.parseOptionalLParen())) {
    auto inner = disjunction();
    if (failed(inner) || parser.parseRParen())
      return failure();
    return inner;
  }
  SmallVector<ExprAttr, 4> kids;
  int64_t index = 0;
  auto indices = [&]() -> FailureOr<ExprAttr> {
    if (succeeded(parser.parseOptionalLSquare()) && (list(kids) || parser.parseRSquare()))
      return failure();
    return tableExpr(context, index, kids);
  };
  if (tables)
    if (auto table = tables(index); table.has_value()) {
      if (failed(*table))
        return failure();
      return indices();
    }

  mlir::StringAttr function;
  if (succeeded(parser.parseOptionalSymbolName(function))) {
    if (parser.parseLParen() || list(kids) || parser.parseRParen())
      return failure();
    return callExpr(context, "@" + function.str(), kids);
  }
  StringRef word;
  if (failed(parser.parseOptionalKeyword(&word)))
    return literal();
  if (failed(parser.parseOptionalLParen()))
    return nameExpr(context, word);
  if (!tables && word == "table") {
    llvm::SMLoc loc = parser.getCurrentLocation();
    if (parser.parseInteger(index) || parser.parseRParen())
      return failure();
    if (index < 0 || index >= maxNodes)
      return parser.emitError(loc,
                              "[SA0136] table index is out of range: tables are numbered from 0, write a smaller one");
    return indices();
  }
  if (list(kids) || parser.parseRParen())
    return failure();
  return callExpr(context, word, kids);
}

FailureOr<ExprAttr> FormulaParser::literal() {
  MLIRContext *context = parser.getContext();
  llvm::SMLoc loc = parser.getCurrentLocation();
  int64_t value;
  if (auto integer = parser.parseOptionalInteger(value); integer.has_value()) {
    if (failed(*integer))
      return failure();
    return intExpr(context, value);
  }
  // There is no optional float in the parser's interface; a literal attribute of type f64 is the same token.
  Attribute attribute;
  auto parsed = parser.parseOptionalAttribute(attribute, mlir::Float64Type::get(context));
  if (parsed.has_value() && failed(*parsed))
    return failure();
  auto number = dyn_cast_or_null<mlir::FloatAttr>(attribute);
  if (!number)
    return parser.emitError(loc, "[SA0136] expected a number, a name, a value or '('");
  double x = number.getValueAsDouble();
  if (!std::isfinite(x))
    return parser.emitError(loc, "[SA0136] number is too large for a 64-bit float: write a smaller one");
  return floatExpr(context, x);
}

ParseResult parseNumber(mlir::AsmParser &parser, ExprAttr &number, FormulaParser::TableFn tables) {
  llvm::SMLoc loc = parser.getCurrentLocation();
  std::string error;
  auto sum = FormulaParser(parser, tables).sum();
  if (failed(sum))
    return failure();
  auto canonical = canonicalNumber(*sum, error);
  if (failed(canonical))
    return parser.emitError(loc, error);
  number = *canonical;
  return success();
}

FailureOr<AxisAttr> parseAxis(mlir::AsmParser &parser, FormulaParser::TableFn tables) {
  MLIRContext *context = parser.getContext();
  llvm::SMLoc loc = parser.getCurrentLocation();
  int64_t size;
  if (auto integer = parser.parseOptionalInteger(size); integer.has_value()) {
    if (failed(*integer))
      return failure();
    if (size < 1)
      return parser.emitError(loc) << "[SA0104] axis has size " << size << ": it must be at least 1";
    return AxisAttr::fixed(context, size);
  }
  StringRef name;
  if (parser.parseKeyword(&name))
    return failure();
  if (failed(parser.parseOptionalLParen()))
    return AxisAttr::named(context, name);
  ExprAttr len, stride;
  AxisKind kind = axisKindOf(name);
  if (kind != AxisKind::RowBlocks && kind != AxisKind::KeyBlocks)
    return parser.emitError(loc) << "[SA0104] axis '" << name
                                 << "' cannot have a block length: only c (key blocks) and u (row blocks) can";
  if (parseNumber(parser, len, tables) ||
      (succeeded(parser.parseOptionalComma()) && parseNumber(parser, stride, tables)) || parser.parseRParen())
    return failure();
  return AxisAttr::blocks(context, name, len, stride);
}

ParseResult parseDomain(mlir::AsmParser &parser, AxisAttr &row, AxisAttr &key, FormulaParser::TableFn tables) {
  if (parser.parseLParen())
    return failure();
  auto first = parseAxis(parser, tables);
  if (failed(first) || parser.parseComma())
    return failure();
  auto second = parseAxis(parser, tables);
  if (failed(second) || parser.parseRParen())
    return failure();
  row = *first;
  key = *second;
  return success();
}

FailureOr<KeySetAttr> parseKeySet(mlir::AsmParser &parser, FormulaParser::TableFn tables) {
  AxisAttr row, key;
  std::string error;
  llvm::SMLoc domain = parser.getCurrentLocation();
  if (parseDomain(parser, row, key) || parser.parseColon())
    return failure();
  if (!row.isRow() || !key.isKey())
    return parser.emitError(domain) << "[SA0107] set is over (" << toText(row) << ", " << toText(key)
                                    << "): the row position (t or u) comes first, then the key position (s or c)";
  for (AxisAttr axis : {row, key})
    if (axis.isBlocks() && !axis.getLen())
      return parser.emitError(domain) << "[SA0108] block position '" << axis.getName()
                                      << "' has no block length: write " << axis.getName() << "(l) or "
                                      << axis.getName() << "(l, d)";
  llvm::SMLoc loc = parser.getCurrentLocation();
  auto condition = FormulaParser(parser, tables).formula();
  if (failed(condition))
    return failure();
  auto set = canonicalKeySet(parser.getContext(), row, key, *condition, error);
  if (failed(set))
    return parser.emitError(loc, error);
  if (isEmpty(*set))
    return parser.emitError(loc, "[SA0113] set is empty: its conditions contradict each other, loosen one");
  return *set;
}

FailureOr<ParamAttr> parseParam(mlir::AsmParser &parser) {
  bool isStatic = succeeded(parser.parseOptionalKeyword("static"));
  StringRef name, type;
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&name) || parser.parseColon())
    return failure();
  llvm::SMLoc typeLoc = parser.getCurrentLocation();
  if (parser.parseKeyword(&type))
    return failure();
  if (type != "int" && type != "float")
    return parser.emitError(typeLoc) << "[SA0103] param '" << name << "' has type '" << type << "': write int or float";
  if (isReservedName(name)) {
    auto error = parser.emitError(loc) << "[SA0103] param '" << name << "' has the reserved name of ";
    if (axisKindOf(name) == AxisKind::Features)
      error << "a feature axis";
    else
      error << (llvm::is_contained({"all", "and", "or", "not", "mod", "floordiv"}, name) ? "the formula language"
                                                                                         : "a position, head or score");
    return error << ": rename it";
  }
  ExprAttr defaultValue;
  if (succeeded(parser.parseOptionalEqual()) && parseNumber(parser, defaultValue))
    return failure();
  return ParamAttr::get(parser.getContext(), name, isStatic, type == "float", defaultValue);
}

void printParam(mlir::AsmPrinter &printer, ParamAttr param) {
  printer << (param.getIsStatic() ? "static " : "") << param.getName() << ": "
          << (param.getIsFloat() ? "float" : "int");
  if (param.getDefaultValue())
    printer << " = " << toText(param.getDefaultValue());
}

ParseResult parseRoleAxes(mlir::AsmParser &parser, bool &isInt, SmallVectorImpl<AxisAttr> &axes) {
  isInt = succeeded(parser.parseOptionalKeyword("int"));
  return parser.parseCommaSeparatedList(mlir::AsmParser::Delimiter::Square, [&]() -> ParseResult {
    auto axis = parseAxis(parser);
    if (failed(axis))
      return failure();
    axes.push_back(*axis);
    return success();
  });
}

void printRoleAxes(mlir::AsmPrinter &printer, RoleAttr role) {
  printer << (role.getIsInt() ? "int[" : "[");
  llvm::interleaveComma(role.getAxes(), printer, [&](AxisAttr axis) { printer << toText(axis); });
  printer << "]";
}

} // namespace sattn

// Custom directives of the op formats: formulas with table operands, numbers, words, clauses. Only for PatternOps.cpp,
// whose generated parsers and printers call them.
#pragma once
#include "dialects/pattern/FormulaParser.h"
#include "dialects/pattern/KeySet.h"

namespace sattn {
using mlir::OpAsmParser;
using mlir::OpAsmPrinter;
using Operands = SmallVector<OpAsmParser::UnresolvedOperand, 4>;

/// Names table operand i as an op's own text does.
inline auto operandNames(OpAsmPrinter &printer, mlir::OperandRange tables) {
  return [&printer, tables](int64_t index) {
    std::string name;
    llvm::raw_string_ostream stream(name);
    if (index < 0 || size_t(index) >= tables.size())
      return "table(" + std::to_string(index) + ")";
    printer.printOperand(tables[index], stream);
    return name;
  };
}

/// Collects the table operands of a formula, each once, in the order of their first use.
inline auto collectTables(OpAsmParser &parser, Operands &tables) {
  return [&parser, &tables](int64_t &index) -> mlir::OptionalParseResult {
    OpAsmParser::UnresolvedOperand operand;
    auto parsed = parser.parseOptionalOperand(operand);
    if (!parsed.has_value() || failed(*parsed))
      return parsed;
    auto known = llvm::find_if(
        tables, [&](const auto &table) { return table.name == operand.name && table.number == operand.number; });
    index = known - tables.begin();
    if (known == tables.end())
      tables.push_back(operand);
    return success();
  };
}

/// Refuses table operands where only a number can stand.
inline auto refuseTables(OpAsmParser &parser) {
  return [&parser](int64_t &) -> mlir::OptionalParseResult {
    OpAsmParser::UnresolvedOperand operand;
    auto parsed = parser.parseOptionalOperand(operand);
    if (!parsed.has_value() || failed(*parsed))
      return parsed;
    return parser.emitError(operand.location, "[SA0114] a value cannot appear here: write params and integers");
  };
}

inline ParseResult parseNumber(OpAsmParser &parser, ExprAttr &number) {
  auto tables = refuseTables(parser);
  return parseNumber(parser, number, tables);
}
inline void printNumber(OpAsmPrinter &printer, Operation *, ExprAttr number) { printer << toText(number); }

inline ParseResult parseFunctionParams(OpAsmParser &parser, mlir::ArrayAttr &params) {
  SmallVector<Attribute> list;
  auto param = [&]() -> ParseResult {
    auto parsed = parseParam(parser);
    if (succeeded(parsed))
      list.push_back(*parsed);
    return failure(failed(parsed));
  };
  if (parser.parseCommaSeparatedList(param))
    return failure();
  params = mlir::ArrayAttr::get(parser.getContext(), list);
  return success();
}
inline void printFunctionParams(OpAsmPrinter &printer, Operation *, mlir::ArrayAttr params) {
  llvm::interleaveComma(params.getAsRange<ParamAttr>(), printer, [&](ParamAttr param) { printParam(printer, param); });
}

inline ParseResult parseFunctionFormula(OpAsmParser &parser, ExprAttr &formula) {
  auto tables = refuseTables(parser);
  auto parsed = FormulaParser(parser, tables).formula();
  if (succeeded(parsed))
    formula = *parsed;
  return failure(failed(parsed));
}
inline void printFunctionFormula(OpAsmPrinter &printer, Operation *, ExprAttr formula) { printer << toText(formula); }

inline ParseResult parseSetFormula(OpAsmParser &parser, KeySetAttr &set, Operands &tables) {
  auto collect = collectTables(parser, tables);
  auto parsed = parseKeySet(parser, collect);
  if (succeeded(parsed))
    set = *parsed;
  return failure(failed(parsed));
}
inline void printSetFormula(OpAsmPrinter &printer, Operation *, KeySetAttr set, mlir::OperandRange tables) {
  auto names = operandNames(printer, tables);
  printer << domainText(set) << " : " << toText(set, names);
}

inline ParseResult parseValue(OpAsmParser &parser, ExprAttr &formula, Operands &tables) {
  auto collect = collectTables(parser, tables);
  auto parsed = FormulaParser(parser, collect).formula();
  if (succeeded(parsed))
    formula = *parsed;
  return failure(failed(parsed));
}
inline void printValue(OpAsmPrinter &printer, Operation *, ExprAttr formula, mlir::OperandRange tables) {
  auto names = operandNames(printer, tables);
  printer << toText(formula, names);
}

/// What a word of a kind is called in messages, and how many words the kind has.
template <typename EnumT> struct WordTraits;
#define SATTN_WORD(KIND, NOUN)                                                                                         \
  template <> struct WordTraits<KIND> {                                                                                \
    static constexpr StringRef noun = NOUN;                                                                            \
    static constexpr uint32_t last = getMaxEnumValFor##KIND();                                                         \
  };
SATTN_WORD(SummaryKind, "summary")
SATTN_WORD(CodeKind, "code")
SATTN_WORD(SmoothKind, "smoothing")
SATTN_WORD(ScoreKind, "scorer")
SATTN_WORD(ReduceKind, "reduction")
SATTN_WORD(WeighKind, "weighting")
SATTN_WORD(AccumulateKind, "accumulation")
#undef SATTN_WORD

template <typename AttrT> ParseResult parseWord(OpAsmParser &parser, AttrT &attribute) {
  using EnumT = decltype(attribute.getValue());
  llvm::SMLoc loc = parser.getCurrentLocation();
  StringRef word;
  (void)parser.parseOptionalKeyword(&word);
  std::optional<EnumT> value = symbolizeEnum<EnumT>(word);
  if (value) {
    attribute = AttrT::get(parser.getContext(), *value);
    return success();
  }
  auto error = parser.emitError(loc) << "[SA0136] unknown " << WordTraits<EnumT>::noun << " '" << word
                                     << "': use one of ";
  for (uint32_t i = 0; i <= WordTraits<EnumT>::last; ++i)
    error << (i ? ", " : "") << stringifyEnum(static_cast<EnumT>(i));
  return error;
}
template <typename AttrT> void printWord(OpAsmPrinter &printer, Operation *, AttrT attribute) {
  printer << stringifyEnum(attribute.getValue());
}

inline ParseResult parseName(OpAsmParser &parser, mlir::StringAttr &name) {
  StringRef word;
  if (parser.parseKeyword(&word))
    return failure();
  name = mlir::StringAttr::get(parser.getContext(), word);
  return success();
}
inline void printName(OpAsmPrinter &printer, Operation *, mlir::StringAttr name) { printer << name.getValue(); }

/// `word(number)`, if `word` follows.
inline ParseResult parseClause(OpAsmParser &parser, StringRef word, ExprAttr &number) {
  if (failed(parser.parseOptionalKeyword(word)))
    return success();
  return failure(parser.parseLParen() || parseNumber(parser, number) || parser.parseRParen());
}
inline void printClause(OpAsmPrinter &printer, StringRef word, ExprAttr number, bool &space) {
  if (!number)
    return;
  printer << (space ? " " : "") << word << "(" << toText(number) << ")";
  space = true;
}

inline ParseResult parseBlocks(OpAsmParser &parser, ExprAttr &len, ExprAttr &stride) {
  if (parser.parseKeyword("blocks") || parser.parseLParen() || parseNumber(parser, len) ||
      (succeeded(parser.parseOptionalComma()) && parseNumber(parser, stride)) || parser.parseRParen())
    return failure();
  if (stride == len)
    stride = ExprAttr();
  return success();
}
inline void printBlocks(OpAsmPrinter &printer, Operation *, ExprAttr len, ExprAttr stride) {
  printer << "blocks(" << toText(len);
  if (stride)
    printer << ", " << toText(stride);
  printer << ")";
}

inline ParseResult parseLevels(OpAsmParser &parser, mlir::ArrayAttr &levels) {
  SmallVector<Attribute> numbers;
  auto number = [&]() -> ParseResult {
    ExprAttr level;
    if (parseNumber(parser, level))
      return failure();
    numbers.push_back(level);
    return success();
  };
  if (parser.parseCommaSeparatedList(number))
    return failure();
  levels = mlir::ArrayAttr::get(parser.getContext(), numbers);
  return success();
}
inline void printLevels(OpAsmPrinter &printer, Operation *, mlir::ArrayAttr levels) {
  llvm::interleaveComma(levels, printer, [&](Attribute level) { printer << toText(cast<ExprAttr>(level)); });
}

inline ParseResult parsePick(OpAsmParser &parser, ExprAttr &top, ExprAttr &above, ExprAttr &mass) {
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (parseClause(parser, "top", top) || parseClause(parser, "above", above) || parseClause(parser, "mass", mass))
    return failure();
  if (!top && !above && !mass)
    return parser.emitError(loc, "[SA0127] select needs 'top(n)', 'above(threshold)' or 'mass(p)'");
  return success();
}
inline void printPick(OpAsmPrinter &printer, Operation *, ExprAttr top, ExprAttr above, ExprAttr mass) {
  bool space = false;
  printClause(printer, "top", top, space);
  printClause(printer, "above", above, space);
  printClause(printer, "mass", mass, space);
}

/// What stands inside `force( )`: `first(a) last(b) %set`, any of the three, at least one.
inline ParseResult parseForce(OpAsmParser &parser, ExprAttr &first, ExprAttr &last,
                              std::optional<OpAsmParser::UnresolvedOperand> &forced) {
  llvm::SMLoc loc = parser.getCurrentLocation();
  OpAsmParser::UnresolvedOperand set;
  if (parseClause(parser, "first", first) || parseClause(parser, "last", last))
    return failure();
  if (auto parsed = parser.parseOptionalOperand(set); parsed.has_value()) {
    if (failed(*parsed))
      return failure();
    forced = set;
  }
  if (!first && !last && !forced)
    return parser.emitError(loc, "[SA0127] force is empty: write force(first(n)), force(last(n)) or force(%set)");
  return success();
}
inline void printForce(OpAsmPrinter &printer, Operation *, ExprAttr first, ExprAttr last, Value forced) {
  bool space = false;
  printClause(printer, "first", first, space);
  printClause(printer, "last", last, space);
  if (forced) {
    printer << (space ? " " : "");
    printer.printOperand(forced);
  }
}

inline ParseResult parseForceEnds(OpAsmParser &parser, ExprAttr &first, ExprAttr &last) {
  llvm::SMLoc loc = parser.getCurrentLocation();
  if (parseClause(parser, "first", first) || parseClause(parser, "last", last))
    return failure();
  if (!first && !last)
    return parser.emitError(loc, "[SA0135] force is empty: write force(first(n)), force(last(n)) or both");
  return success();
}
inline void printForceEnds(OpAsmPrinter &printer, Operation *op, ExprAttr first, ExprAttr last) {
  printForce(printer, op, first, last, Value());
}

} // namespace sattn

// Recursive-descent parser of the formula language over any MLIR AsmParser.
//
//   formula := conj { "or" conj }      conj := neg { "and" neg }      neg := "not" neg | chain
//   chain   := sum { ("<" | "<=" | ">" | ">=" | "==") sum }           0 <= t - s < W reads as in mathematics
//   sum     := product { ("+" | "-") product }
//   product := unary { ("*" | "/" | "floordiv" | "mod") unary }       unary := "-" unary | primary
//   primary := integer | float | name | ["@"] name "(" sum, ... ")" | table [ "[" sum, ... "]" ] | "(" formula ")"
//
// Depth and size are bounded, so that no text can exhaust the stack: 64 levels, 1000 nodes.
#pragma once
#include "dialects/pattern/Formula.h"

namespace sattn {

class FormulaParser {
public:
  /// Parses a table operand if one follows and gives its index among the op's table operands.
  using TableFn = llvm::function_ref<mlir::OptionalParseResult(int64_t &)>;

  /// Without `tables`, the text is that of an attribute: a table is written `table(i)`, comparisons are the words
  /// `lt le gt ge eq` (`AttributeText`).
  explicit FormulaParser(mlir::AsmParser &parser, TableFn tables = nullptr) : parser(parser), tables(tables) {}

  /// The whole grammar.
  FailureOr<ExprAttr> formula() { return disjunction(); }
  /// Without comparisons and `and`, `or`, `not` outside brackets: numbers and values.
  FailureOr<ExprAttr> sum();

private:
  using Rule = FailureOr<ExprAttr> (FormulaParser::*)();
  struct Word {
    StringRef text;
    ExprKind kind;
  };
  FailureOr<ExprAttr> disjunction();
  FailureOr<ExprAttr> conjunction();
  FailureOr<ExprAttr> negation();
  struct Comparison {
    bool less = false, greater = false, equal = false;
  };
  FailureOr<ExprAttr> chain();
  FailureOr<Comparison> comparison();
  FailureOr<ExprAttr> product();
  FailureOr<ExprAttr> unary();
  FailureOr<ExprAttr> primary();
  FailureOr<ExprAttr> binary(ArrayRef<Word> words, Rule next);
  FailureOr<ExprAttr> node(llvm::SMLoc loc, ExprKind kind, ArrayRef<ExprAttr> kids);
  FailureOr<ExprAttr> literal();
  ParseResult list(SmallVectorImpl<ExprAttr> &items);
  bool accept(StringRef word);
  ParseResult enter();
  ParseResult count();

  mlir::AsmParser &parser;
  TableFn tables;
  unsigned depth = 0, nodes = 0;
};

/// Parses a number over params in canonical form.
ParseResult parseNumber(mlir::AsmParser &parser, ExprAttr &number, FormulaParser::TableFn tables = nullptr);
/// Parses `(t, c(l, d))`.
ParseResult parseDomain(mlir::AsmParser &parser, AxisAttr &row, AxisAttr &key, FormulaParser::TableFn tables = nullptr);
/// Parses a condition and brings it to canonical form; an empty set is an error.
FailureOr<KeySetAttr> parseKeySet(mlir::AsmParser &parser, FormulaParser::TableFn tables = nullptr);
/// Parses one axis: a name with an optional block length and stride, or an integer.
FailureOr<AxisAttr> parseAxis(mlir::AsmParser &parser, FormulaParser::TableFn tables = nullptr);
/// Parses `static l: int = 64`, and prints it.
FailureOr<ParamAttr> parseParam(mlir::AsmParser &parser);
void printParam(mlir::AsmPrinter &printer, ParamAttr param);
/// Prints `int[t, h]` or `[t, h, D]`.
void printRoleAxes(mlir::AsmPrinter &printer, RoleAttr role);
/// Parses what printRoleAxes prints.
ParseResult parseRoleAxes(mlir::AsmParser &parser, bool &isInt, SmallVectorImpl<AxisAttr> &axes);

} // namespace sattn

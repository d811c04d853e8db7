// Integer expressions of the manifest: prefix JSON is compiled once, when an artefact is loaded, into a small stack
// program; a call evaluates it over the sizes of the call with every step checked for overflow. User sizes reach it,
// so no input may crash it.
#pragma once

#include "runtime/Status.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sattn::rt {

/// The names that expressions may use; a name's number is its place in the value array of a call.
class SymbolTable {
public:
  /// The number of a new name, or -1 if it is taken.
  int add(std::string_view name);
  /// -1 for names that are not there.
  int find(std::string_view name) const;
  const std::string &name(int symbol) const { return names[symbol]; }
  int size() const { return static_cast<int>(names.size()); }
  /// Makes a name unknown again (a loop variable after its loop); its place stays.
  void hide(int symbol);

private:
  std::map<std::string, int, std::less<>> numbers;
  std::vector<std::string> names;
};

class Expr {
public:
  enum class Fault : uint8_t { None, Overflow, Divisor };

  /// The constant 0.
  Expr();

  /// json: an integer, a name, or [op, a, b]; op: + - * floordiv ceildiv mod min max == != < <= > >= and or.
  /// `where` is the place that messages name ("steps[2].grid[0]"). Refuses unknown names and operations, wrong arity,
  /// nesting beyond 64 and programs beyond 4096 instructions.
  static Status compile(const nlohmann::json &json, const SymbolTable &symbols, const std::string &where, Expr &out);

  /// `values` holds one number for each symbol. Comparisons, `and`, `or` give 1 or 0, and evaluate both sides.
  /// floordiv, ceildiv and mod round towards minus infinity, plus infinity, and to [0, b); b must be positive.
  /// Allocates nothing. `result` is set when there is no fault.
  Fault evaluate(const int64_t *values, int64_t &result) const;

  /// Symbols the expression reads, each once, in order of first use.
  std::vector<int> symbolsUsed() const;

private:
  enum class Op : uint8_t {
    Constant,
    Symbol,
    Add,
    Sub,
    Mul,
    FloorDiv,
    CeilDiv,
    Mod,
    Min,
    Max,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or
  };
  struct Instruction {
    Op op;
    int64_t operand; ///< the constant, or the symbol's number
  };
  static constexpr int maxDepth = 64;
  static constexpr size_t maxInstructions = 4096;

  static bool parseOp(std::string_view text, Op &op);
  static Fault apply(Op op, int64_t a, int64_t b, int64_t &result);
  Status append(const nlohmann::json &json, const SymbolTable &symbols, const std::string &where, int depth);

  std::vector<Instruction> program;
};

/// The status of a fault: `what` could not be computed for the sizes of a call.
Status exprFault(Expr::Fault fault, const std::string &what);

} // namespace sattn::rt

// Compiler and evaluator of manifest expressions (Expr.h).
#include "runtime/Expr.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sattn::rt {

int SymbolTable::add(std::string_view name) {
  auto [place, isNew] = numbers.emplace(name, size());
  if (!isNew)
    return -1;
  names.emplace_back(name);
  return place->second;
}

int SymbolTable::find(std::string_view name) const {
  auto place = numbers.find(name);
  return place == numbers.end() ? -1 : place->second;
}

void SymbolTable::hide(int symbol) { numbers.erase(names[symbol]); }

Expr::Expr() : program{{Op::Constant, 0}} {}

bool Expr::parseOp(std::string_view text, Op &op) {
  static constexpr struct {
    std::string_view text;
    Op op;
  } table[] = {{"+", Op::Add},
               {"-", Op::Sub},
               {"*", Op::Mul},
               {"floordiv", Op::FloorDiv},
               {"ceildiv", Op::CeilDiv},
               {"mod", Op::Mod},
               {"min", Op::Min},
               {"max", Op::Max},
               {"==", Op::Eq},
               {"!=", Op::Ne},
               {"<", Op::Lt},
               {"<=", Op::Le},
               {">", Op::Gt},
               {">=", Op::Ge},
               {"and", Op::And},
               {"or", Op::Or}};
  for (const auto &entry : table)
    if (entry.text == text) {
      op = entry.op;
      return true;
    }
  return false;
}

Status Expr::append(const nlohmann::json &json, const SymbolTable &symbols, const std::string &where, int depth) {
  // Evaluation of a tree of depth d needs a stack of d + 1 numbers.
  if (depth >= maxDepth)
    return fail<Err::ManifestField>(where, "expression is nested deeper than 64");
  if (program.size() >= maxInstructions)
    return fail<Err::ManifestField>(where, "expression is too long");
  if (json.is_number_integer()) {
    if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
      return fail<Err::ManifestField>(where, "integer does not fit into 64 bits");
    program.push_back({Op::Constant, json.get<int64_t>()});
    return success();
  }
  if (json.is_string()) {
    const auto &name = json.get_ref<const std::string &>();
    int symbol = symbols.find(name);
    if (symbol < 0)
      return fail<Err::ManifestField>(where, "unknown name '" + name + "' in expression");
    program.push_back({Op::Symbol, symbol});
    return success();
  }
  Op op;
  if (!json.is_array() || json.size() != 3 || !json[0].is_string())
    return fail<Err::ManifestField>(where, "expected an integer, a name or [op, a, b]");
  if (!parseOp(json[0].get_ref<const std::string &>(), op))
    return fail<Err::ManifestField>(where, "unknown operation '" + json[0].get_ref<const std::string &>() + "'");
  SATTN_TRY(append(json[1], symbols, where, depth + 1));
  SATTN_TRY(append(json[2], symbols, where, depth + 1));
  program.push_back({op, 0});
  return success();
}

Status Expr::compile(const nlohmann::json &json, const SymbolTable &symbols, const std::string &where, Expr &out) {
  out.program.clear();
  return out.append(json, symbols, where, 0);
}

Expr::Fault Expr::apply(Op op, int64_t a, int64_t b, int64_t &result) {
  switch (op) {
  case Op::Add:
    return __builtin_add_overflow(a, b, &result) ? Fault::Overflow : Fault::None;
  case Op::Sub:
    return __builtin_sub_overflow(a, b, &result) ? Fault::Overflow : Fault::None;
  case Op::Mul:
    return __builtin_mul_overflow(a, b, &result) ? Fault::Overflow : Fault::None;
  case Op::FloorDiv:
  case Op::CeilDiv:
  case Op::Mod: {
    if (b <= 0)
      return Fault::Divisor;
    int64_t quotient = a / b, remainder = a % b;
    if (op == Op::FloorDiv)
      result = quotient - (remainder < 0);
    else if (op == Op::CeilDiv)
      result = quotient + (remainder > 0);
    else
      result = remainder < 0 ? remainder + b : remainder;
    return Fault::None;
  }
  case Op::Min:
    result = std::min(a, b);
    return Fault::None;
  case Op::Max:
    result = std::max(a, b);
    return Fault::None;
  case Op::Eq:
    result = a == b;
    return Fault::None;
  case Op::Ne:
    result = a != b;
    return Fault::None;
  case Op::Lt:
    result = a < b;
    return Fault::None;
  case Op::Le:
    result = a <= b;
    return Fault::None;
  case Op::Gt:
    result = a > b;
    return Fault::None;
  case Op::Ge:
    result = a >= b;
    return Fault::None;
  case Op::And:
    result = a && b;
    return Fault::None;
  case Op::Or:
    result = a || b;
    return Fault::None;
  case Op::Constant:
  case Op::Symbol:
    break;
  }
  result = a;
  return Fault::None;
}

Expr::Fault Expr::evaluate(const int64_t *values, int64_t &result) const {
  int64_t stack[maxDepth + 1];
  int top = -1;
  for (const Instruction &instruction : program) {
    if (instruction.op == Op::Constant) {
      stack[++top] = instruction.operand;
    } else if (instruction.op == Op::Symbol) {
      stack[++top] = values[instruction.operand];
    } else {
      --top;
      if (Fault fault = apply(instruction.op, stack[top], stack[top + 1], stack[top]); fault != Fault::None)
        return fault;
    }
  }
  result = stack[0];
  return Fault::None;
}

std::vector<int> Expr::symbolsUsed() const {
  std::vector<int> used;
  for (const Instruction &instruction : program)
    if (instruction.op == Op::Symbol)
      if (int symbol = static_cast<int>(instruction.operand); std::find(used.begin(), used.end(), symbol) == used.end())
        used.push_back(symbol);
  return used;
}

Status exprFault(Expr::Fault fault, const std::string &what) {
  if (fault == Expr::Fault::Divisor)
    return fail<Err::Divisor>(what);
  return fail<Err::Overflow>(what);
}

} // namespace sattn::rt

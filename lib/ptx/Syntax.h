// What the parser makes of a module: functions with their variables and nested blocks, nothing resolved yet. Names and
// opcodes point into Syntax::source. The decoder (Decoder.h) resolves them.
#pragma once

#include "lib/ptx/Ptx.h"
#include "lib/ptx/Types.h"

namespace sattn::ptx {

struct Operand {
  enum Kind : uint8_t {
    Name,    // register, variable, label or function; `value` is added to a variable's address
    Integer, // value
    Float32, // value: the bits
    Float64, // value: the bits
    Address, // [elements[0] + value]; further elements are what follows the first comma inside the brackets
    Vector,  // {elements}
    Pair,    // elements[0] | elements[1]
    List     // (elements), in calls
  };
  Kind kind = Name;
  /// '!' before a predicate, '-' before a name.
  bool negated = false;
  std::string_view name = {};
  uint64_t value = 0;
  std::vector<Operand> elements = {};
};

struct Instruction {
  std::string_view opcode = {};
  std::string_view guard = {}; // empty: none
  bool guardNegated = false;
  unsigned line = 0;
  std::vector<Operand> operands = {};
};

enum class VariableSpace : uint8_t { Reg, Shared, Global, Const, Local, Param };

struct Variable {
  std::string_view name = {};
  VariableSpace space = VariableSpace::Reg;
  Scalar type = Scalar::B32;
  unsigned line = 0;
  /// .reg %r<5> declares %r0..%r4; 0: the name itself.
  uint32_t registers = 0;
  /// Bytes and alignment; memory only. Bytes 0 with `dynamic`: an extern array, sized by the launch.
  uint64_t bytes = 0;
  uint32_t align = 1;
  bool dynamic = false;
  std::vector<std::byte> initial = {}; // empty: none
};

struct Block;
/// One of: an instruction, a nested block.
struct Statement {
  Instruction instruction;
  std::unique_ptr<Block> block;
};

struct Block {
  std::vector<Variable> variables;
  std::vector<Statement> statements;
  /// Label to the index of the statement it precedes.
  std::vector<std::pair<std::string_view, size_t>> labels;
  /// .branchtargets by the label before them.
  std::vector<std::pair<std::string_view, std::vector<std::string_view>>> branchTables;
};

struct Function {
  std::string_view name;
  bool isEntry = false;
  bool defined = false;
  unsigned line = 0;
  std::vector<Variable> results, parameters;
  /// .reqntid and .maxntid: threads of a block, 0 when not given.
  uint64_t requiredThreads = 0, maxThreads = 0;
  Block body;
};

struct Syntax {
  std::string source;
  std::vector<Function> functions;
  std::vector<Variable> variables;
  const Function *find(std::string_view name) const;
};

/// Parses a module; `source` is kept in the result.
Result<std::shared_ptr<const Syntax>> parseSyntax(std::string_view source);

} // namespace sattn::ptx

// The state of one decoding: what names mean where, and what is patched at the end. Private to Decoder.cpp and
// Build.cpp.
#pragma once

#include "lib/ptx/Decoder.h"

namespace sattn::ptx {

struct Binding {
  enum Kind : uint8_t { Register, Registers, Memory, Label, Table };
  Kind kind = Register;
  Scalar type = Scalar::B32; // registers
  Row row = 0;
  uint32_t count = 1;
  Space space = Space::Generic; // memory
  uint64_t address = 0;
  bool dynamic = false; // the extern shared array: `address` is relative to its beginning
  uint32_t label = 0;
  const std::vector<std::string_view> *table = nullptr; // names of labels
};

struct Scope {
  const Scope *parent = nullptr;
  std::unordered_map<std::string_view, Binding> bindings = {};
};

class Decoder {
public:
  explicit Decoder(std::shared_ptr<Program> program) : program(std::move(program)) {}
  std::optional<Error> run(const Function &entry);
  void nameRegisters();

  void reject(std::string message, unsigned line);
  bool failed() const { return problem.has_value(); }
  /// The innermost meaning; valid until the next call. Null: unknown.
  const Binding *lookUp(std::string_view name);
  Row constantRow(uint64_t value, unsigned bytes);
  Row addressRow(const Binding &binding, uint64_t offset, unsigned bytes);
  std::optional<Row> specialRow(std::string_view name, unsigned &bytes);
  /// The instruction being built has an address in the extern shared array as its operand `index`.
  void noteDynamicAddress(unsigned index) { pendingDynamic.push_back(index); }
  Program &result() { return *program; }

private:
  void patchTargets(Inst &inst);
  void layoutModule(Scope &module, const Syntax &syntax);
  void bindShared(const Variable &variable, Scope &scope);
  void placeDynamicShared();
  void declare(const Variable &variable, Scope &scope);
  void declareRegister(const Variable &variable, Scope &scope);
  void block(const Block &block, Scope &scope);
  void instruction(const Instruction &source);
  void emit(Build &build);
  void setGuard(Inst &inst, const Instruction &source);
  void branch(const Instruction &source, uint32_t label);
  void emitExit(unsigned line);
  void call(const Instruction &source);
  void bindArguments(Scope &scope, const std::vector<Variable> &formals, const Operand *actuals,
                     const Instruction &source);

  struct RegisterRange {
    Row row;
    unsigned rows;
    uint32_t count;
    std::string prefix;
  };

  std::shared_ptr<Program> program;
  std::optional<Error> problem;
  Scope *current = nullptr;
  Binding numbered; // what lookUp() returns for %r12 declared as %r<20>
  std::vector<uint32_t> labels;
  uint32_t returnLabel = 0;
  std::vector<const Function *> callStack;
  std::map<std::pair<uint64_t, unsigned>, Row> constantIndex;
  std::map<std::string_view, Row> specialIndex;
  std::map<std::string_view, uint32_t> opcodeIndex;
  /// Shared variables of functions that were inlined before: there is one of each.
  std::map<const Variable *, Binding> placedShared;
  std::vector<RegisterRange> registerRanges;
  uint32_t dynamicAlign = 16;
  std::vector<size_t> dynamicConstants;
  std::vector<std::pair<size_t, unsigned>> dynamicAddresses;
  std::vector<unsigned> pendingDynamic;
};

} // namespace sattn::ptx

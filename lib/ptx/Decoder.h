// From syntax to Program: names to rows and addresses, opcodes to functions, calls to inlined bodies. Each family of
// instructions (Alu*.cpp, Convert.cpp, LoadStore.cpp, ...) registers decode functions under opcode names; they consume
// the modifiers and operands of one instruction through Build, and what they leave over is an error.
#pragma once

#include "lib/ptx/Program.h"

#include <unordered_map>

namespace sattn::ptx {

class Decoder;

/// One instruction on its way from text to Inst. After the first reject() all calls are harmless.
class Build {
public:
  Build(Decoder &decoder, const Instruction &source);

  const Instruction &source;
  Inst inst;
  /// The opcode up to the first dot.
  std::string_view base;

  /// Consumes the modifier if the opcode has it.
  bool take(std::string_view modifier);
  /// Consumes the first modifier if it begins with the prefix and returns it.
  std::string_view takePrefix(std::string_view prefix);
  /// Consumes the next modifier, whatever it is; empty when there is none.
  std::string_view takeNext();
  /// The first remaining modifier that names a type.
  std::optional<Scalar> takeType();
  /// The same, required.
  Scalar type();
  void takeRounding();
  /// Cache operators, eviction hints and memory semantics, which change nothing here.
  void takeCacheHints();
  Space takeSpace();

  size_t count() const { return source.operands.size(); }
  /// Rejects another number of operands.
  void expectCount(size_t least, size_t most);
  const Operand &operand(size_t index) const;
  /// Row of a source operand: register, immediate or address of a variable; noted as read.
  Row read(const Operand &operand, Scalar type, bool anyWidth = false);
  Row read(size_t index, Scalar type) { return read(operand(index), type); }
  /// Row of a destination register, or of a scratch row for '_'; noted as written.
  Row write(const Operand &operand, Scalar type, bool anyWidth = false);
  Row write(size_t index, Scalar type) { return write(operand(index), type); }
  /// Bytes of the register that the operand names; 0 if it is none.
  unsigned registerBytes(const Operand &operand);
  /// A predicate source; `negated` tells of a '!'.
  Row readPredicate(const Operand &operand, bool &negated);
  /// The elements of {a, b, ...}, or the operand itself.
  Range readList(const Operand &operand, Scalar type, bool anyWidth = false);
  Range writeList(const Operand &operand, Scalar type, bool anyWidth = false);
  Range rowsOf(std::vector<Row> rows);
  /// An integer immediate.
  uint64_t immediate(const Operand &operand);
  /// Fills inst.address[slot].
  void address(unsigned slot, const Operand &operand, Space space);
  /// A row that holds a value in all lanes.
  Row constant(uint64_t value, unsigned bytes);

  /// Destinations that execute() marks as written by its own rules.
  void dropWrites() { writes.clear(); }
  /// All remaining modifiers are of no meaning here.
  void skipModifiers() { modifiers.clear(); }
  void usesWgmma();
  void reject(std::string message);
  bool failed() const;
  Decoder &owner() { return decoder; }
  void noteRead(Row row) { reads.push_back(row); }
  /// The sources read so far may be undefined: execute() looks at them. Returns them.
  Range takeReads() { return rowsOf(std::exchange(reads, {})); }
  void noteWrite(Row row) { writes.push_back(row); }

private:
  friend class Decoder;
  Decoder &decoder;
  std::vector<std::string_view> modifiers;
  std::vector<Row> reads, writes;
};

using DecodeFunction = void (*)(Build &);
using FormTable = std::unordered_map<std::string_view, DecodeFunction>;

void addIntegerForms(FormTable &table);
void addBitForms(FormTable &table);
void addFloatForms(FormTable &table);
void addCompareForms(FormTable &table);
void addConvertForms(FormTable &table);
void addMoveForms(FormTable &table);
void addLoadStoreForms(FormTable &table);
void addAtomicForms(FormTable &table);
void addControlForms(FormTable &table);
void addCollectiveForms(FormTable &table);
void addMatrixForms(FormTable &table);
void addAsyncForms(FormTable &table);
void addMbarrierForms(FormTable &table);
void addWgmmaForms(FormTable &table);
void addWmmaForms(FormTable &table);

/// Decodes one entry of the module.
Result<std::shared_ptr<const Program>> decode(std::shared_ptr<const Syntax> syntax, std::string_view entry);

} // namespace sattn::ptx

// A decoded entry: a flat array of instructions, each a function pointer with the rows of its operands. Functions that
// the entry calls are inlined, so control flow is jumps alone. The decoder builds it, warps run it.
//
// A row holds one register of all 32 lanes: 32 words (64-bit registers take two rows, 128-bit ones four; a predicate
// keeps one bit for each lane in the first word). Constants and special registers are rows too, filled when a warp
// starts, so operands need no case distinction at run time.
#pragma once

#include "lib/ptx/Syntax.h"

namespace sattn::ptx {

class Warp;
struct Inst;
using Row = uint32_t;
/// Executes `inst` for the lanes of the mask.
using Execute = void (*)(Warp &warp, const Inst &inst, uint32_t lanes);

/// How the instruction moves the program counter.
enum class Flow : uint8_t {
  Next,    // to the next instruction, after execute()
  Branch,  // to `target`
  Table,   // to the instruction that the register s[0] picks from list[0]
  Exit,    // ends the lanes
  Barrier, // execute() may block the lanes; they go on at the next instruction
  Wait     // execute() may block lanes or make them repeat the instruction (Warp::repeat)
};

/// Which lanes must have arrived before the instruction executes.
enum class Converge : uint8_t {
  None,
  Members, // those of the mask in row s[0] that have not exited; only with Flow::Next
  Live,    // all that have not exited
  Warp     // all 32
};

enum class Rounding : uint8_t { Nearest, Zero, Down, Up };

/// A part of Program::rows.
struct Range {
  uint32_t begin = 0, size = 0;
};

/// The memory operand of an instruction: [base + offset] in a space.
struct AddressForm {
  Space space = Space::Generic;
  bool hasBase = false;
  bool wideBase = false; // the base register has 64 bits
  Row base = 0;
  int64_t offset = 0;
};

struct Inst {
  Execute execute = nullptr;
  Row d[2] = {0, 0};
  Row s[5] = {0, 0, 0, 0, 0};
  Flow flow = Flow::Next;
  Converge converge = Converge::None;
  bool guarded = false, guardNegated = false;
  /// execute() keeps account of which lanes of the destinations are defined.
  bool ownsWrites = false;
  bool ftz = false, saturate = false;
  Rounding rounding = Rounding::Nearest;
  /// Bytes of an element in memory, and how many there are; sign extension when a register is wider.
  uint8_t bytes = 0, registerBytes = 0, count = 1;
  bool signExtend = false;
  Row guard = 0;
  uint32_t target = 0;
  /// Meaning depends on the family; immediates, modes.
  uint32_t option = 0;
  uint64_t immediate = 0;
  AddressForm address[3];
  /// Vector operands.
  Range list[4];
  /// Rows that must be defined before, and are after.
  Range reads, writes;
  uint32_t line = 0;
  uint32_t opcode = 0; // in Program::opcodes
};

enum class Special : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  LaneId,
  WarpId,
  NwarpId,
  LaneMaskEq,
  LaneMaskLt,
  LaneMaskLe,
  LaneMaskGt,
  LaneMaskGe,
  Zero,
  One,
  DynamicShared,
  TotalShared
};

/// The condition code of add.cc and its like, one bit for each lane.
constexpr Row CarryRow = 4;

struct Constant {
  Row row;
  unsigned bytes;
  uint64_t value;
};

struct ModuleVariable {
  std::string name;
  uint64_t address, bytes;
  bool readOnly, defined;
  std::vector<std::byte> initial;
};

struct Parameter {
  std::string name;
  uint32_t offset, bytes;
};

struct Program {
  std::string name;
  std::shared_ptr<const Syntax> syntax;
  std::vector<Inst> code;
  std::vector<Row> rows;
  uint32_t rowCount = 0;
  std::vector<Constant> constants;
  std::vector<std::pair<Row, Special>> specials;
  std::vector<std::string> opcodes;
  /// Names of registers by row, for messages.
  std::map<Row, std::string> registerNames;
  std::vector<Parameter> parameters;
  uint32_t parameterBytes = 0;
  uint32_t staticShared = 0;
  /// Where the extern shared array begins.
  uint32_t dynamicShared = 0;
  uint32_t localBytes = 0;
  uint64_t requiredThreads = 0, maxThreads = 0;
  bool usesWgmma = false;
  std::vector<ModuleVariable> variables;

  std::span<const Row> list(Range range) const { return {rows.data() + range.begin, range.size}; }
};

} // namespace sattn::ptx

// Modifiers and operands of one instruction; see Decoder.h.
#include "lib/ptx/DecoderScope.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sattn::ptx {

Build::Build(Decoder &decoder, const Instruction &source) : source(source), decoder(decoder) {
  std::string_view rest = source.opcode;
  size_t dot = rest.find('.');
  base = rest.substr(0, dot);
  while (dot != std::string_view::npos) {
    rest.remove_prefix(dot + 1);
    dot = rest.find('.');
    modifiers.push_back(rest.substr(0, dot));
  }
}

void Build::reject(std::string message) { decoder.reject(std::move(message), source.line); }
void Build::usesWgmma() { decoder.result().usesWgmma = true; }
bool Build::failed() const { return decoder.failed(); }

bool Build::take(std::string_view modifier) {
  auto found = std::find(modifiers.begin(), modifiers.end(), modifier);
  if (found == modifiers.end())
    return false;
  modifiers.erase(found);
  return true;
}

std::string_view Build::takePrefix(std::string_view prefix) {
  for (auto at = modifiers.begin(); at != modifiers.end(); ++at) {
    if (!at->starts_with(prefix))
      continue;
    std::string_view found = *at;
    modifiers.erase(at);
    return found;
  }
  return {};
}

std::string_view Build::takeNext() {
  if (modifiers.empty())
    return {};
  std::string_view next = modifiers.front();
  modifiers.erase(modifiers.begin());
  return next;
}

std::optional<Scalar> Build::takeType() {
  for (auto at = modifiers.begin(); at != modifiers.end(); ++at) {
    std::optional<Scalar> type = scalarNamed(*at);
    if (!type)
      continue;
    modifiers.erase(at);
    return type;
  }
  return std::nullopt;
}

Scalar Build::type() {
  std::optional<Scalar> found = takeType();
  if (!found)
    reject(fmt::format("'{}' names no type", source.opcode));
  return found.value_or(Scalar::B32);
}

void Build::takeRounding() {
  constexpr std::pair<std::string_view, Rounding> names[] = {{"rn", Rounding::Nearest},
                                                             {"rz", Rounding::Zero},
                                                             {"rm", Rounding::Down},
                                                             {"rp", Rounding::Up},
                                                             {"rna", Rounding::Nearest}};
  for (auto [name, rounding] : names)
    if (take(name))
      inst.rounding = rounding;
}

void Build::takeCacheHints() {
  for (std::string_view name : {"ca", "cg", "cs", "cv", "lu", "cop", "wb", "wt", "nc", "weak", "relaxed", "cta", "gpu",
                                "sys", "cluster", "mmio"})
    take(name);
  for (std::string_view prefix : {"L1::", "L2::", "level::"})
    while (!takePrefix(prefix).empty()) {
    }
}

Space Build::takeSpace() {
  // A cluster is one block, so its shared memory is the block's.
  for (std::string_view name : {"shared", "shared::cta", "shared::cluster"})
    if (take(name))
      return Space::Shared;
  if (take("global") || take("const"))
    return Space::Global;
  if (take("local"))
    return Space::Local;
  if (take("param") || take("param::entry") || take("param::func"))
    return Space::Param;
  return Space::Generic;
}

const Operand &Build::operand(size_t index) const {
  static const Operand none{.kind = Operand::List};
  return index < source.operands.size() ? source.operands[index] : none;
}

void Build::expectCount(size_t least, size_t most) {
  if (count() < least || count() > most)
    reject(fmt::format("'{}' takes {} operands, but got {}", source.opcode,
                       least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most), count()));
}

unsigned Build::registerBytes(const Operand &operand) {
  const Binding *binding = operand.kind == Operand::Name ? decoder.lookUp(operand.name) : nullptr;
  return binding && binding->kind == Binding::Register ? bytesOf(binding->type) : 0;
}

Row Build::constant(uint64_t value, unsigned bytes) {
  if (bytes < 8)
    value &= bytes == 4 || bytes == 0 ? ~uint32_t(0) : (uint64_t(1) << (8 * bytes)) - 1;
  return decoder.constantRow(value, std::max(4u, bytes));
}

Row Build::read(const Operand &operand, Scalar type, bool anyWidth) {
  unsigned bytes = bytesOf(type);
  switch (operand.kind) {
  case Operand::Integer:
    if (type == Scalar::Pred)
      return constant(operand.value ? ~uint32_t(0) : 0, 4);
    return constant(operand.value, bytes);
  case Operand::Float32:
    return constant(bytes == 8 ? std::bit_cast<uint64_t>(double(std::bit_cast<float>(uint32_t(operand.value))))
                               : operand.value,
                    bytes);
  case Operand::Float64:
    return constant(bytes == 8 ? operand.value : std::bit_cast<uint32_t>(float(std::bit_cast<double>(operand.value))),
                    bytes);
  case Operand::Name:
    break;
  default:
    reject("expected a register or a number");
    return 0;
  }
  unsigned width = 4;
  if (std::optional<Row> special = decoder.specialRow(operand.name, width)) {
    if (width != bytes && !anyWidth)
      reject(fmt::format("'{}' has {} bits, but '{}' takes {}", operand.name, width * 8, source.opcode, bytes * 8));
    return *special;
  }
  const Binding *binding = decoder.lookUp(operand.name);
  if (!binding || binding->kind > Binding::Memory || binding->kind == Binding::Registers) {
    reject(fmt::format("unknown name '{}'", operand.name));
    return 0;
  }
  if (binding->kind == Binding::Memory)
    return decoder.addressRow(*binding, operand.value, std::max(4u, bytes));
  if (operand.negated || operand.value)
    reject(fmt::format("register '{}' cannot be changed inside an operand", operand.name));
  if ((binding->type == Scalar::Pred) != (type == Scalar::Pred) || (bytesOf(binding->type) != bytes && !anyWidth))
    reject(fmt::format("register '{}' is declared as '.{}', but '{}' takes '.{}'", operand.name, nameOf(binding->type),
                       source.opcode, nameOf(type)));
  reads.push_back(binding->row);
  return binding->row;
}

Row Build::write(const Operand &operand, Scalar type, bool anyWidth) {
  if (operand.kind == Operand::Name && operand.name == "_")
    return 0;
  const Binding *binding = operand.kind == Operand::Name ? decoder.lookUp(operand.name) : nullptr;
  if (!binding || binding->kind != Binding::Register) {
    reject(operand.kind == Operand::Name ? fmt::format("'{}' is not a register", operand.name)
                                         : std::string("expected a register"));
    return 0;
  }
  if ((binding->type == Scalar::Pred) != (type == Scalar::Pred) ||
      (bytesOf(binding->type) != bytesOf(type) && !anyWidth))
    reject(fmt::format("register '{}' is declared as '.{}', but '{}' takes '.{}'", operand.name, nameOf(binding->type),
                       source.opcode, nameOf(type)));
  writes.push_back(binding->row);
  return binding->row;
}

Row Build::readPredicate(const Operand &operand, bool &negated) {
  Operand plain = operand;
  negated = std::exchange(plain.negated, false);
  return read(plain, Scalar::Pred);
}

Range Build::rowsOf(std::vector<Row> rows) {
  std::vector<Row> &pool = decoder.result().rows;
  Range range{uint32_t(pool.size()), uint32_t(rows.size())};
  pool.insert(pool.end(), rows.begin(), rows.end());
  return range;
}

Range Build::readList(const Operand &operand, Scalar type, bool anyWidth) {
  std::vector<Row> rows;
  if (operand.kind != Operand::Vector)
    rows.push_back(read(operand, type, anyWidth));
  else
    for (const Operand &element : operand.elements)
      rows.push_back(read(element, type, anyWidth));
  return rowsOf(std::move(rows));
}

Range Build::writeList(const Operand &operand, Scalar type, bool anyWidth) {
  std::vector<Row> rows;
  if (operand.kind != Operand::Vector)
    rows.push_back(write(operand, type, anyWidth));
  else
    for (const Operand &element : operand.elements)
      rows.push_back(write(element, type, anyWidth));
  return rowsOf(std::move(rows));
}

uint64_t Build::immediate(const Operand &operand) {
  if (operand.kind != Operand::Integer)
    reject(fmt::format("'{}' takes an integer here", source.opcode));
  return operand.value;
}

void Build::address(unsigned slot, const Operand &operand, Space space) {
  AddressForm &form = inst.address[slot];
  form.space = space;
  if (operand.kind != Operand::Address) {
    reject("expected an address in brackets");
    return;
  }
  const Operand &base = operand.elements[0];
  form.offset = int64_t(operand.value);
  if (base.kind == Operand::Integer) {
    form.offset = int64_t(base.value);
    return;
  }
  const Binding *binding = decoder.lookUp(base.name);
  if (!binding || binding->kind > Binding::Memory || binding->kind == Binding::Registers) {
    reject(fmt::format("unknown name '{}'", base.name));
    return;
  }
  if (binding->kind == Binding::Register) {
    unsigned bytes = bytesOf(binding->type);
    if (bytes != 8 && (bytes != 4 || space == Space::Generic || space == Space::Global))
      reject(fmt::format("register '{}' is too narrow for an address", base.name));
    form.hasBase = true;
    form.wideBase = bytes == 8;
    form.base = binding->row;
    reads.push_back(binding->row);
    return;
  }
  // Parameters of functions live in the thread's local memory, those of the entry in a space of their own.
  bool matches = binding->space == space || (space == Space::Param && binding->space == Space::Local);
  if (!matches)
    reject(fmt::format("'{}' lies in {} memory", base.name, nameOf(binding->space)));
  form.space = binding->space;
  form.offset += int64_t(binding->address);
  if (binding->dynamic)
    decoder.noteDynamicAddress(slot);
}

} // namespace sattn::ptx

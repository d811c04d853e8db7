// Scopes, layout of memory, control flow and inlining; see Decoder.h. Program order is text order with each called
// body at its call: the order that reconvergence (Warp.h) relies on.
#include "lib/ptx/Decoder.h"
#include "lib/ptx/DecoderScope.h"
#include "lib/ptx/Lexer.h"

#include <fmt/format.h>

#include <algorithm>

namespace sattn::ptx {
namespace {
constexpr uint64_t ModuleVariableBase = 0x0200'0000'0000, ModuleVariableGap = 4096;

/// What a device has at most, rounded up: bytes of shared memory of a block and of local memory of a thread.
constexpr uint64_t MaxMemoryBytes = 512 << 10;
/// Rows of registers: 32 MiB for each warp.
constexpr uint32_t MaxRows = 1 << 18;

uint64_t alignTo(uint64_t value, uint64_t align) { return (value + align - 1) / align * align; }

const FormTable &forms() {
  static const FormTable table = [] {
    FormTable forms;
    addIntegerForms(forms);
    addBitForms(forms);
    addFloatForms(forms);
    addCompareForms(forms);
    addConvertForms(forms);
    addMoveForms(forms);
    addLoadStoreForms(forms);
    addAtomicForms(forms);
    addControlForms(forms);
    addCollectiveForms(forms);
    addMatrixForms(forms);
    addAsyncForms(forms);
    addMbarrierForms(forms);
    addWgmmaForms(forms);
    addWmmaForms(forms);
    return forms;
  }();
  return table;
}
} // namespace

void Decoder::reject(std::string message, unsigned line) {
  if (!problem)
    problem = Error{std::move(message), line, lineText(program->syntax->source, line)};
}

std::optional<Error> Decoder::run(const Function &entry) {
  program->name = entry.name;
  program->requiredThreads = entry.requiredThreads;
  program->maxThreads = entry.maxThreads;
  program->rowCount = CarryRow + 1; // rows 0 to 3: scratch, the destination '_' of any width
  program->registerNames[CarryRow] = "CC.CF";
  Scope module;
  layoutModule(module, *program->syntax);
  Scope scope{.parent = &module};
  for (const Variable &parameter : entry.parameters) {
    uint32_t offset = uint32_t(alignTo(program->parameterBytes, parameter.align));
    program->parameters.push_back({std::string(parameter.name), offset, uint32_t(parameter.bytes)});
    program->parameterBytes = offset + uint32_t(parameter.bytes);
    scope.bindings[parameter.name] = {.kind = Binding::Memory, .space = Space::Param, .address = offset};
  }
  callStack.push_back(&entry);
  block(entry.body, scope);
  emitExit(entry.line);
  placeDynamicShared();
  for (size_t i = 0; i < program->code.size() && !problem; ++i)
    patchTargets(program->code[i]);
  return std::move(problem);
}

/// Labels to positions in the code.
void Decoder::patchTargets(Inst &inst) {
  if (inst.flow == Flow::Branch)
    inst.target = labels[inst.target];
  if (inst.flow == Flow::Table)
    for (uint32_t i = 0; i < inst.list[0].size; ++i)
      program->rows[inst.list[0].begin + i] = labels[program->rows[inst.list[0].begin + i]];
}

void Decoder::layoutModule(Scope &module, const Syntax &syntax) {
  uint64_t address = ModuleVariableBase;
  for (const Variable &variable : syntax.variables) {
    if (variable.space == VariableSpace::Shared) {
      bindShared(variable, module);
      continue;
    }
    address = alignTo(address, std::max<uint64_t>(256, variable.align));
    bool constant = variable.space == VariableSpace::Const;
    program->variables.push_back({std::string(variable.name), address, variable.bytes, constant,
                                  constant || !variable.initial.empty(), variable.initial});
    module.bindings[variable.name] = {.kind = Binding::Memory, .space = Space::Global, .address = address};
    address += variable.bytes + ModuleVariableGap;
  }
}

void Decoder::bindShared(const Variable &variable, Scope &scope) {
  if (auto placed = placedShared.find(&variable); placed != placedShared.end()) {
    scope.bindings[variable.name] = placed->second;
    return;
  }
  // Extern arrays begin after all static ones, which are not all known yet: their address is patched at the end.
  if (variable.dynamic) {
    dynamicAlign = std::max(dynamicAlign, variable.align);
    scope.bindings[variable.name] = {.kind = Binding::Memory, .space = Space::Shared, .dynamic = true};
    return;
  }
  uint32_t offset = uint32_t(alignTo(program->staticShared, variable.align));
  if (variable.bytes > MaxMemoryBytes || offset + variable.bytes > MaxMemoryBytes)
    return reject(fmt::format("variable '{}' is too large for shared memory", variable.name), variable.line);
  program->staticShared = offset + uint32_t(variable.bytes);
  placedShared[&variable] =
      scope.bindings[variable.name] = {.kind = Binding::Memory, .space = Space::Shared, .address = offset};
}

void Decoder::placeDynamicShared() {
  program->dynamicShared = uint32_t(alignTo(program->staticShared, dynamicAlign));
  for (size_t index : dynamicConstants)
    program->constants[index].value += program->dynamicShared;
  for (auto [index, operand] : dynamicAddresses)
    program->code[index].address[operand].offset += program->dynamicShared;
}

void Decoder::declare(const Variable &variable, Scope &scope) {
  if (variable.space == VariableSpace::Reg)
    return declareRegister(variable, scope);
  if (variable.space == VariableSpace::Shared)
    return bindShared(variable, scope);
  if (variable.space == VariableSpace::Global || variable.space == VariableSpace::Const)
    return reject(fmt::format("variable '{}' is not supported inside a function", variable.name), variable.line);
  uint32_t offset = uint32_t(alignTo(program->localBytes, variable.align));
  if (variable.bytes > MaxMemoryBytes || offset + variable.bytes > MaxMemoryBytes)
    return reject(fmt::format("variable '{}' is too large for local memory", variable.name), variable.line);
  program->localBytes = offset + uint32_t(variable.bytes);
  scope.bindings[variable.name] = {.kind = Binding::Memory, .space = Space::Local, .address = offset};
}

void Decoder::declareRegister(const Variable &variable, Scope &scope) {
  unsigned rows = std::max(1u, bytesOf(variable.type) / 4);
  uint32_t count = std::max(1u, variable.registers);
  if (count > MaxRows || program->rowCount + count * rows > MaxRows)
    return reject(fmt::format("too many registers '{}'", variable.name), variable.line);
  Binding binding{.kind = variable.registers ? Binding::Registers : Binding::Register};
  binding.type = variable.type;
  binding.row = program->rowCount;
  binding.count = count;
  scope.bindings[variable.name] = binding;
  if (variable.registers)
    registerRanges.push_back({program->rowCount, rows, count, std::string(variable.name)});
  else
    program->registerNames[program->rowCount] = variable.name;
  program->rowCount += count * rows;
}

const Binding *Decoder::lookUp(std::string_view name) {
  for (const Scope *scope = current; scope; scope = scope->parent) {
    if (auto found = scope->bindings.find(name); found != scope->bindings.end())
      return &found->second;
    // "%r12" declared as "%r<20>"; the prefix may end with digits itself.
    for (size_t digits = name.find_last_not_of("0123456789") + 1; digits < name.size() && digits > 0; ++digits) {
      auto range = scope->bindings.find(name.substr(0, digits));
      if (range == scope->bindings.end() || range->second.kind != Binding::Registers || name.size() - digits > 7)
        continue;
      uint32_t index = 0;
      for (char c : name.substr(digits))
        index = index * 10 + uint32_t(c - '0');
      if (index >= range->second.count)
        continue;
      numbered = range->second;
      numbered.kind = Binding::Register;
      numbered.row += index * std::max(1u, bytesOf(numbered.type) / 4);
      return &numbered;
    }
  }
  return nullptr;
}

void Decoder::block(const Block &block, Scope &scope) {
  Scope *outer = std::exchange(current, &scope);
  for (const Variable &variable : block.variables)
    declare(variable, scope);
  size_t firstLabel = labels.size();
  for (auto [name, statement] : block.labels) {
    scope.bindings[name] = {.kind = Binding::Label, .label = uint32_t(labels.size())};
    labels.push_back(0);
  }
  for (const auto &[name, targets] : block.branchTables)
    scope.bindings[name] = {.kind = Binding::Table, .table = &targets};
  size_t label = 0;
  for (size_t i = 0; i <= block.statements.size() && !problem; ++i) {
    for (; label < block.labels.size() && block.labels[label].second == i; ++label)
      labels[firstLabel + label] = uint32_t(program->code.size());
    if (i == block.statements.size())
      break;
    const Statement &statement = block.statements[i];
    if (statement.block) {
      Scope inner{.parent = &scope};
      this->block(*statement.block, inner);
    } else {
      instruction(statement.instruction);
    }
  }
  current = outer;
}

void Decoder::instruction(const Instruction &source) {
  std::string_view base = source.opcode.substr(0, source.opcode.find('.'));
  if (base == "call")
    return call(source);
  if (base == "ret" && callStack.size() > 1)
    return branch(source, returnLabel);
  auto form = forms().find(base);
  if (form == forms().end())
    return reject(fmt::format("instruction '{}' is not supported", source.opcode), source.line);
  Build build(*this, source);
  form->second(build);
  if (!problem && !build.modifiers.empty())
    reject(fmt::format("modifier '.{}' of '{}' is not supported", build.modifiers.front(), base), source.line);
  if (!problem && !build.inst.execute && build.inst.flow == Flow::Next)
    return; // nothing to do at run time
  emit(build);
}

void Decoder::emit(Build &build) {
  if (problem)
    return;
  Inst &inst = build.inst;
  inst.line = build.source.line;
  setGuard(inst, build.source);
  auto [found, isNew] = opcodeIndex.try_emplace(build.source.opcode, uint32_t(program->opcodes.size()));
  if (isNew)
    program->opcodes.emplace_back(build.source.opcode);
  inst.opcode = found->second;
  inst.reads = build.rowsOf(std::move(build.reads));
  inst.writes = build.rowsOf(std::move(build.writes));
  for (unsigned i : pendingDynamic)
    dynamicAddresses.emplace_back(program->code.size(), i);
  pendingDynamic.clear();
  program->code.push_back(inst);
}

void Decoder::setGuard(Inst &inst, const Instruction &source) {
  if (source.guard.empty())
    return;
  const Binding *binding = lookUp(source.guard);
  if (!binding || binding->kind != Binding::Register || binding->type != Scalar::Pred)
    return reject(fmt::format("guard '{}' is not a predicate register", source.guard), source.line);
  inst.guarded = true;
  inst.guardNegated = source.guardNegated;
  inst.guard = binding->row;
}

void Decoder::branch(const Instruction &source, uint32_t label) {
  Build build(*this, source);
  build.inst.flow = Flow::Branch;
  build.inst.target = label;
  emit(build);
}

void Decoder::emitExit(unsigned line) {
  Instruction source{.opcode = "ret", .line = line};
  Build build(*this, source);
  build.inst.flow = Flow::Exit;
  emit(build);
}

/// `call (results), name, (arguments);` or without either list: the body takes the place of the call, its parameters
/// are other names for the caller's .param variables or registers.
void Decoder::call(const Instruction &source) {
  const std::vector<Operand> &operands = source.operands;
  size_t at = !operands.empty() && operands[0].kind == Operand::List;
  if (at >= operands.size() || operands[at].kind != Operand::Name)
    return reject("expected the name of a function", source.line);
  std::string_view name = operands[at].name;
  const Function *callee = program->syntax->find(name);
  if (!callee)
    return reject(fmt::format("'{}' is not a function: indirect calls are not supported", name), source.line);
  if (!callee->defined || callee->isEntry)
    return reject(fmt::format("function '{}' has no body in this module", name), source.line);
  if (std::find(callStack.begin(), callStack.end(), callee) != callStack.end())
    return reject(fmt::format("recursion of '{}' is not supported", name), source.line);
  const Scope *module = current;
  while (module->parent)
    module = module->parent;
  Scope scope{.parent = module};
  bindArguments(scope, callee->results, at ? &operands[0] : nullptr, source);
  bindArguments(scope, callee->parameters, at + 1 < operands.size() ? &operands[at + 1] : nullptr, source);
  if (problem)
    return;
  uint32_t end = uint32_t(labels.size());
  labels.push_back(0);
  if (!source.guard.empty()) {
    Instruction skip = source;
    skip.guardNegated = !skip.guardNegated;
    branch(skip, end);
  }
  uint32_t outer = std::exchange(returnLabel, end);
  callStack.push_back(callee);
  block(callee->body, scope);
  callStack.pop_back();
  returnLabel = outer;
  labels[end] = uint32_t(program->code.size());
}

void Decoder::bindArguments(Scope &scope, const std::vector<Variable> &formals, const Operand *actuals,
                            const Instruction &source) {
  size_t count = actuals ? actuals->elements.size() : 0;
  if (count != formals.size())
    return reject(fmt::format("expected {} arguments, but got {}", formals.size(), count), source.line);
  for (size_t i = 0; i < count; ++i) {
    const Operand &actual = actuals->elements[i];
    const Binding *binding = actual.kind == Operand::Name ? lookUp(actual.name) : nullptr;
    bool memory = formals[i].space == VariableSpace::Param;
    if (!binding || binding->kind != (memory ? Binding::Memory : Binding::Register))
      return reject(fmt::format("argument {} is not a {}", i, memory ? "'.param' variable" : "register"), source.line);
    scope.bindings[formals[i].name] = *binding;
  }
}

Row Decoder::constantRow(uint64_t value, unsigned bytes) {
  auto [found, isNew] = constantIndex.try_emplace({value, bytes}, program->rowCount);
  if (isNew) {
    program->constants.push_back({program->rowCount, bytes, value});
    program->rowCount += std::max(1u, bytes / 4);
  }
  return found->second;
}

/// The address of a variable as a constant; extern shared arrays are patched when their place is known.
Row Decoder::addressRow(const Binding &binding, uint64_t offset, unsigned bytes) {
  if (!binding.dynamic)
    return constantRow(binding.address + offset, bytes);
  dynamicConstants.push_back(program->constants.size());
  program->constants.push_back({program->rowCount, bytes, offset});
  Row row = program->rowCount;
  program->rowCount += std::max(1u, bytes / 4);
  return row;
}

std::optional<Row> Decoder::specialRow(std::string_view name, unsigned &bytes) {
  struct Entry {
    std::string_view name;
    Special special;
    unsigned bytes = 4;
  };
  static constexpr Entry entries[] = {{"%tid.x", Special::TidX},
                                      {"%tid.y", Special::TidY},
                                      {"%tid.z", Special::TidZ},
                                      {"%ntid.x", Special::NtidX},
                                      {"%ntid.y", Special::NtidY},
                                      {"%ntid.z", Special::NtidZ},
                                      {"%ctaid.x", Special::CtaidX},
                                      {"%ctaid.y", Special::CtaidY},
                                      {"%ctaid.z", Special::CtaidZ},
                                      {"%nctaid.x", Special::NctaidX},
                                      {"%nctaid.y", Special::NctaidY},
                                      {"%nctaid.z", Special::NctaidZ},
                                      {"%laneid", Special::LaneId},
                                      {"%warpid", Special::WarpId},
                                      {"%nwarpid", Special::NwarpId},
                                      {"%lanemask_eq", Special::LaneMaskEq},
                                      {"%lanemask_lt", Special::LaneMaskLt},
                                      {"%lanemask_le", Special::LaneMaskLe},
                                      {"%lanemask_gt", Special::LaneMaskGt},
                                      {"%lanemask_ge", Special::LaneMaskGe},
                                      {"%smid", Special::Zero},
                                      {"%nsmid", Special::One},
                                      // A cluster is one block.
                                      {"%clusterid.x", Special::CtaidX},
                                      {"%clusterid.y", Special::CtaidY},
                                      {"%clusterid.z", Special::CtaidZ},
                                      {"%nclusterid.x", Special::NctaidX},
                                      {"%nclusterid.y", Special::NctaidY},
                                      {"%nclusterid.z", Special::NctaidZ},
                                      {"%cluster_ctaid.x", Special::Zero},
                                      {"%cluster_ctaid.y", Special::Zero},
                                      {"%cluster_ctaid.z", Special::Zero},
                                      {"%cluster_nctaid.x", Special::One},
                                      {"%cluster_nctaid.y", Special::One},
                                      {"%cluster_nctaid.z", Special::One},
                                      {"%cluster_ctarank", Special::Zero},
                                      {"%cluster_nctarank", Special::One},
                                      {"%gridid", Special::Zero, 8},
                                      {"%dynamic_smem_size", Special::DynamicShared},
                                      {"%total_smem_size", Special::TotalShared}};
  for (const Entry &entry : entries) {
    if (entry.name != name)
      continue;
    bytes = entry.bytes;
    auto [found, isNew] = specialIndex.try_emplace(name, program->rowCount);
    if (isNew) {
      program->specials.emplace_back(program->rowCount, entry.special);
      program->rowCount += 2;
    }
    return found->second;
  }
  return std::nullopt;
}

Result<std::shared_ptr<const Program>> decode(std::shared_ptr<const Syntax> syntax, std::string_view entry) {
  const Function *function = syntax->find(entry);
  if (!function || !function->isEntry)
    return Error{fmt::format("the module has no entry '{}'", entry)};
  auto program = std::make_shared<Program>();
  program->syntax = syntax;
  Decoder decoder(program);
  if (std::optional<Error> problem = decoder.run(*function))
    return std::move(*problem);
  decoder.nameRegisters();
  return std::shared_ptr<const Program>(std::move(program));
}

void Decoder::nameRegisters() {
  for (const RegisterRange &range : registerRanges)
    for (uint32_t i = 0; i < range.count; ++i)
      program->registerNames[range.row + i * range.rows] = fmt::format("{}{}", range.prefix, i);
}
} // namespace sattn::ptx

// Recursive descent over the tokens of a module. Directives that only inform a debugger or a register allocator are
// read over (.loc, .file, .section, .pragma, launch bounds other than the number of threads); anything unknown is an
// error. Produces Syntax.h.
#include "lib/ptx/Lexer.h"
#include "lib/ptx/Syntax.h"

#include <fmt/format.h>

#include <bit>

namespace sattn::ptx {
namespace {
class Parser {
public:
  Parser(Syntax &syntax, std::vector<Token> tokens) : syntax(syntax), tokens(std::move(tokens)) {}

  std::optional<Error> run() {
    while (!problem && peek().kind != Token::End)
      topLevel();
    return std::move(problem);
  }

private:
  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  const Token &next() {
    const Token &token = peek();
    at += at + 1 < tokens.size();
    return token;
  }
  void reject(std::string message, unsigned line) {
    if (!problem)
      problem = Error{std::move(message), line, lineText(syntax.source, line)};
    at = tokens.size() - 1;
  }
  bool take(char c) {
    if (!peek().is(c))
      return false;
    next();
    return true;
  }
  bool take(std::string_view word) {
    if (!peek().is(word))
      return false;
    next();
    return true;
  }
  void expect(char c) {
    const Token &token = peek();
    if (!take(c))
      reject(fmt::format("expected '{}', but got '{}'", c, token.kind == Token::End ? "end of text" : token.text),
             token.line);
  }
  std::string_view expectName() {
    const Token &token = next();
    if (token.kind != Token::Word || token.text[0] == '.')
      reject(fmt::format("expected a name, but got '{}'", token.text), token.line);
    return token.text;
  }
  uint64_t expectInteger() {
    bool minus = take('-');
    const Token &token = next();
    if (token.kind != Token::Integer)
      reject(fmt::format("expected an integer, but got '{}'", token.text), token.line);
    return minus ? -token.value : token.value;
  }

  void topLevel();
  void skipUntilSemicolon() {
    while (peek().kind != Token::End && !take(';'))
      next();
  }
  void skipLineOf(unsigned line) {
    while (peek().kind != Token::End && peek().line == line)
      next();
  }
  void skipBraces();
  void function(bool isEntry);
  void functionDirectives(Function &function);
  std::vector<Variable> parameterList();
  Variable declaration(VariableSpace space);
  void declarator(Variable &variable);
  void initialiser(Variable &variable);
  void initialValue(Variable &variable, std::vector<std::byte> &bytes);
  void block(Block &block);
  void localDirective(Block &block);
  void variables(VariableSpace space, std::vector<Variable> &list, bool external = false);
  Instruction instruction();
  Operand operand();
  Operand primary();
  std::vector<Operand> operandsUntil(char close);
  Operand address();

  /// Blocks and operands nest by recursion: bounded, so that no text exhausts the stack.
  bool enter() {
    constexpr unsigned MaxDepth = 200;
    if (++depth > MaxDepth)
      reject("braces and brackets nest too deep", peek().line);
    return !problem;
  }

  Syntax &syntax;
  std::vector<Token> tokens;
  size_t at = 0;
  unsigned depth = 0;
  std::optional<Error> problem;
};

std::optional<VariableSpace> memorySpace(std::string_view word) {
  if (word == ".shared" || word == ".shared::cta")
    return VariableSpace::Shared;
  if (word == ".global")
    return VariableSpace::Global;
  if (word == ".const")
    return VariableSpace::Const;
  if (word == ".local")
    return VariableSpace::Local;
  if (word == ".param")
    return VariableSpace::Param;
  if (word == ".reg")
    return VariableSpace::Reg;
  return std::nullopt;
}

void Parser::topLevel() {
  bool external = false;
  for (;;) {
    const Token &token = next();
    if (token.is(".extern")) {
      external = true;
    } else if (token.is(".visible") || token.is(".weak") || token.is(".common") || token.is(".internal")) {
    } else if (token.is(".entry") || token.is(".func")) {
      return function(token.is(".entry"));
    } else if (token.is(".version") || token.is(".target") || token.is(".address_size") || token.is(".file") ||
               token.is(".loc")) {
      return skipLineOf(token.line);
    } else if (token.is(".pragma") || token.is(".alias")) {
      return skipUntilSemicolon();
    } else if (token.is(".section")) {
      return skipBraces();
    } else if (auto space = memorySpace(token.text); token.kind == Token::Word && space) {
      if (*space == VariableSpace::Reg || *space == VariableSpace::Param)
        return reject(fmt::format("'{}' cannot stand outside a function", token.text), token.line);
      return variables(*space, syntax.variables, external);
    } else if (token.is(';')) {
      return;
    } else {
      return reject(fmt::format("unknown directive '{}'", token.text), token.line);
    }
  }
}

void Parser::skipBraces() {
  while (peek().kind != Token::End && !peek().is('{'))
    next();
  for (unsigned depth = 0; peek().kind != Token::End;) {
    const Token &token = next();
    depth += token.is('{');
    if (token.is('}') && --depth == 0)
      return;
  }
}

void Parser::function(bool isEntry) {
  Function &function = syntax.functions.emplace_back();
  function.isEntry = isEntry;
  function.line = peek().line;
  take(".noreturn");
  if (!isEntry && peek().is('('))
    function.results = parameterList();
  function.name = expectName();
  if (peek().is('('))
    function.parameters = parameterList();
  functionDirectives(function);
  if (take(';'))
    return;
  function.defined = true;
  expect('{');
  block(function.body);
}

void Parser::functionDirectives(Function &function) {
  while (peek().kind == Token::Word && !problem) {
    const Token &token = next();
    if (token.is(".maxntid") || token.is(".reqntid") || token.is(".reqnctapercluster")) {
      uint64_t product = expectInteger();
      while (take(','))
        product *= expectInteger();
      if (token.is(".reqntid"))
        function.requiredThreads = product;
      else if (token.is(".maxntid"))
        function.maxThreads = product;
      else if (product != 1)
        reject("clusters of more than one block are not supported", token.line);
    } else if (token.is(".minnctapersm") || token.is(".maxnctapersm") || token.is(".maxnreg") ||
               token.is(".maxclusterrank")) {
      expectInteger();
    } else if (token.is(".pragma")) {
      skipUntilSemicolon();
    } else if (!token.is(".noreturn") && !token.is(".explicitcluster") && !token.is(".blocksareclusters") &&
               !token.is(".unique")) {
      reject(fmt::format("unknown directive '{}'", token.text), token.line);
    }
  }
}

std::vector<Variable> Parser::parameterList() {
  std::vector<Variable> list;
  expect('(');
  while (!problem && !peek().is(')')) {
    const Token &token = next();
    auto space = memorySpace(token.text);
    if (!space || (*space != VariableSpace::Param && *space != VariableSpace::Reg))
      reject(fmt::format("expected '.param' or '.reg', but got '{}'", token.text), token.line);
    list.push_back(declaration(space.value_or(VariableSpace::Param)));
    declarator(list.back());
    if (!take(','))
      break;
  }
  expect(')');
  return list;
}

/// What stands before the name: alignment, vector width, type.
Variable Parser::declaration(VariableSpace space) {
  Variable variable{.space = space};
  uint32_t lanes = 1, align = 0;
  bool typed = false;
  while (peek().kind == Token::Word && peek().text[0] == '.' && !problem) {
    const Token &token = next();
    if (token.is(".align")) {
      uint64_t value = expectInteger();
      if (!typed)
        align = uint32_t(value);
    } else if (token.is(".v2") || token.is(".v4")) {
      lanes = uint32_t(token.text[2] - '0');
    } else if (token.is(".ptr")) {
      // What the pointer points to: told to optimisers, of no meaning here.
    } else if (typed && memorySpace(token.text)) {
    } else if (auto type = scalarNamed(token.text.substr(1)); type && !typed) {
      variable.type = *type;
      typed = true;
    } else {
      reject(fmt::format("unknown directive '{}' in a declaration", token.text), token.line);
    }
  }
  if (!typed)
    reject("a declaration without a type", peek().line);
  variable.bytes = uint64_t(bytesOf(variable.type)) * lanes;
  variable.align = align ? align : std::max<uint32_t>(1, uint32_t(variable.bytes));
  constexpr uint32_t MaxAlign = 65536;
  if (!std::has_single_bit(variable.align) || variable.align > MaxAlign)
    reject(fmt::format("alignment {} is not a power of two up to {}", variable.align, MaxAlign), peek().line);
  return variable;
}

void Parser::declarator(Variable &variable) {
  variable.line = peek().line;
  variable.name = expectName();
  if (take('<')) {
    variable.registers = uint32_t(expectInteger());
    expect('>');
  }
  while (take('[')) {
    if (take(']')) {
      variable.dynamic = true;
      continue;
    }
    uint64_t extent = expectInteger();
    expect(']');
    constexpr uint64_t MaxBytes = uint64_t(1) << 30;
    if (extent > MaxBytes || (variable.bytes *= extent) > MaxBytes)
      return reject(fmt::format("variable '{}' is too large", variable.name), variable.line);
  }
  if (take('='))
    initialiser(variable);
}

void Parser::initialValue(Variable &variable, std::vector<std::byte> &bytes) {
  if (take('{')) {
    if (!enter())
      return;
    while (!problem && !peek().is('}')) {
      initialValue(variable, bytes);
      if (!take(','))
        break;
    }
    --depth;
    return expect('}');
  }
  bool minus = take('-');
  const Token &token = next();
  uint64_t value = token.value;
  if (token.kind == Token::Integer && isFloat(variable.type))
    return reject(fmt::format("the value '{}' does not fit the type of '{}'", token.text, variable.name), token.line);
  if (token.kind == Token::Integer)
    value = minus ? -value : value;
  else if (token.kind == Token::Float32 || token.kind == Token::Float64) {
    bool wide = bytesOf(variable.type) == 8;
    if (token.kind == Token::Float64 && !wide)
      value = std::bit_cast<uint32_t>(float(std::bit_cast<double>(value)));
    value ^= minus ? uint64_t(1) << (wide ? 63 : 31) : 0;
  } else {
    return reject(fmt::format("the value '{}' of '{}' is not supported: only numbers are", token.text, variable.name),
                  token.line);
  }
  for (unsigned i = 0; i < bytesOf(variable.type); ++i)
    bytes.push_back(std::byte(value >> (8 * i)));
}

void Parser::initialiser(Variable &variable) {
  initialValue(variable, variable.initial);
  if (variable.dynamic) {
    variable.dynamic = false;
    variable.bytes = variable.initial.size();
  }
  if (variable.initial.size() > variable.bytes)
    return reject(fmt::format("more initial values than '{}' has elements", variable.name), variable.line);
  variable.initial.resize(variable.bytes);
}

void Parser::variables(VariableSpace space, std::vector<Variable> &list, bool external) {
  Variable common = declaration(space);
  do {
    Variable variable = common;
    declarator(variable);
    if (external && space != VariableSpace::Shared)
      reject(fmt::format("variable '{}' is defined in another module", variable.name), variable.line);
    list.push_back(std::move(variable));
  } while (!problem && take(','));
  expect(';');
}

void Parser::localDirective(Block &block) {
  const Token &token = next();
  if (token.is(".loc") || token.is(".file"))
    return skipLineOf(token.line);
  if (token.is(".pragma"))
    return skipUntilSemicolon();
  if (token.is(".branchtargets") && !block.labels.empty()) {
    auto &table = block.branchTables.emplace_back(block.labels.back().first, std::vector<std::string_view>());
    do
      table.second.push_back(expectName());
    while (!problem && take(','));
    return expect(';');
  }
  auto space = memorySpace(token.text);
  if (!space)
    return reject(fmt::format("unknown directive '{}'", token.text), token.line);
  variables(*space, block.variables);
}

void Parser::block(Block &block) {
  enter();
  while (!problem) {
    const Token &token = peek();
    if (take('}') || take(';')) {
      if (token.is('}')) {
        --depth;
        return;
      }
    } else if (take('{')) {
      Statement &statement = block.statements.emplace_back();
      statement.block = std::make_unique<Block>();
      this->block(*statement.block);
    } else if (token.kind == Token::Word && token.text[0] == '.') {
      localDirective(block);
    } else if (token.kind == Token::Word && peek(1).is(':')) {
      block.labels.emplace_back(next().text, block.statements.size());
      next();
    } else if (token.kind == Token::Word || token.is('@')) {
      block.statements.emplace_back().instruction = instruction();
    } else {
      reject(
          fmt::format("expected an instruction, but got '{}'", token.kind == Token::End ? "end of text" : token.text),
          token.line);
    }
  }
}

Instruction Parser::instruction() {
  Instruction result;
  if (take('@')) {
    result.guardNegated = take('!');
    result.guard = expectName();
  }
  result.line = peek().line;
  result.opcode = expectName();
  if (!peek().is(';'))
    do
      result.operands.push_back(operand());
    while (!problem && take(','));
  expect(';');
  return result;
}

Operand Parser::operand() {
  if (!enter())
    return {};
  Operand first = primary();
  --depth;
  if (!take('|'))
    return first;
  Operand pair{.kind = Operand::Pair};
  pair.elements.push_back(std::move(first));
  pair.elements.push_back(primary());
  return pair;
}

std::vector<Operand> Parser::operandsUntil(char close) {
  std::vector<Operand> list;
  if (!peek().is(close))
    do
      list.push_back(operand());
    while (!problem && take(','));
  expect(close);
  return list;
}

/// After '[': base, optional offset, optional further operands.
Operand Parser::address() {
  Operand result{.kind = Operand::Address};
  result.elements.push_back(primary());
  // "[name+4]": the offset belongs to the address; "[64]": the integer is the base.
  if (result.elements[0].kind == Operand::Name)
    result.value = std::exchange(result.elements[0].value, 0);
  while (!problem && take(','))
    result.elements.push_back(operand());
  expect(']');
  return result;
}

Operand Parser::primary() {
  Operand result;
  if (take('{')) {
    result.kind = Operand::Vector;
    result.elements = operandsUntil('}');
    return result;
  }
  if (take('('))
    return Operand{.kind = Operand::List, .elements = operandsUntil(')')};
  if (take('['))
    return address();
  bool minus = take('-');
  result.negated = minus || take('!');
  const Token &token = next();
  result.value = token.value;
  if (token.kind == Token::Integer) {
    result.kind = Operand::Integer;
    result.value = minus ? -token.value : token.value;
  } else if (token.kind == Token::Float32) {
    result.kind = Operand::Float32;
    result.value ^= minus ? uint64_t(1) << 31 : 0;
  } else if (token.kind == Token::Float64) {
    result.kind = Operand::Float64;
    result.value ^= minus ? uint64_t(1) << 63 : 0;
  } else if (token.is("WARP_SZ")) {
    result.kind = Operand::Integer;
    result.value = 32;
  } else if (token.kind == Token::Word) {
    result.name = token.text;
    while (peek().is('+') || (peek().is('-') && peek(1).kind == Token::Integer)) {
      take('+');
      result.value += expectInteger();
    }
  } else {
    reject(fmt::format("expected an operand, but got '{}'", token.text), token.line);
  }
  return result;
}
} // namespace

const Function *Syntax::find(std::string_view name) const {
  const Function *found = nullptr;
  for (const Function &function : functions)
    if (function.name == name && (!found || function.defined))
      found = &function;
  return found;
}

Result<std::shared_ptr<const Syntax>> parseSyntax(std::string_view source) {
  auto syntax = std::make_shared<Syntax>();
  syntax->source = source;
  Result<std::vector<Token>> tokens = tokenise(syntax->source);
  if (!tokens)
    return tokens.error();
  if (std::optional<Error> problem = Parser(*syntax, std::move(*tokens)).run())
    return std::move(*problem);
  return std::shared_ptr<const Syntax>(std::move(syntax));
}
} // namespace sattn::ptx

// Inlining and defining functions in PTX text (PtxLink.h).
//
// An inlined body stands in a block of its own, `{ ... }`, whose registers and labels no other block sees; they get a
// prefix all the same, because the registers of the call are named inside it. Loads of parameters and the store of
// the result become moves, `ret` a branch to the end of the block.
#include "codegen/gpu/PtxLink.h"
#include "codegen/gpu/PtxText.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace sattn::gpu {
namespace {

constexpr StringRef kPrefix = "u_";

/// A statement of a body: what stands before it (blanks, braces, labels), its guard `@%p1 `, and itself.
struct Statement {
  StringRef before, guard, text;
  StringRef opcode() const {
    return text.take_until([](char c) { return llvm::isSpace(c); });
  }
};

SmallVector<Statement> statementsOf(StringRef body) {
  SmallVector<Statement> statements;
  while (true) {
    size_t end = body.find(';');
    StringRef part = body.take_front(end);
    size_t start = 0;
    for (bool more = true; more;) {
      StringRef rest = part.drop_front(start);
      size_t skipped = rest.size() - rest.ltrim(" \t\r\n{}").size();
      size_t label =
          rest.drop_front(skipped).find_if_not([](char c) { return llvm::isAlnum(c) || c == '_' || c == '$'; });
      more = label != StringRef::npos && label != 0 && rest[skipped + label] == ':';
      start += skipped + (more ? label + 1 : 0);
    }
    Statement statement{part.take_front(start), "", part.drop_front(start)};
    if (statement.text.starts_with("@")) {
      size_t guard = statement.text.find_first_of(" \t");
      statement.guard = statement.text.take_front(guard);
      statement.text = statement.text.drop_front(statement.guard.size()).ltrim();
    }
    statements.push_back(statement);
    if (end == StringRef::npos)
      return statements; // what stands after the last semicolon: no statement
    body = body.drop_front(end + 1);
  }
}

/// One call in a kernel, as LLVM writes it.
struct Call {
  size_t begin = 0, end = 0; ///< in the text, from brace to brace
  std::string result;        ///< the register that takes the result
  SmallVector<std::string> arguments;
};

class FunctionLinker {
public:
  FunctionLinker(std::string &ptx, const PtxFunction &function, LinkedFunction &linked, std::string &error)
      : ptx(ptx), symbol(function.symbol), linked(linked), error(error), source(function.ptx) {}

  bool run() {
    linked.symbol = symbol;
    if (!parsePtx(source, module))
      return refuse("its PTX cannot be read");
    function = module.find(symbol);
    if (!function || function->body.empty())
      return refuse("its PTX does not define it");
    if (!collect(*function))
      return false;
    linked.called = whyNotInlined();
    SmallVector<Call> calls = findCalls();
    linked.calls = static_cast<int64_t>(calls.size());
    if (linked.called.empty())
      for (const Call &call : llvm::reverse(calls)) // places before a call stay where they are
        ptx.replace(call.begin, call.end - call.begin, inlined(call));
    define();
    raiseVersion();
    return true;
  }

private:
  bool refuse(const Twine &why) {
    error = why.str();
    return false;
  }

  /// What `item` needs of its module, callees first; each gets a name that no other module has.
  bool collect(const PtxItem &item) {
    names[item.name] = item.name == symbol ? symbol : symbol + "$" + item.name;
    for (StringRef word : wordsOf(item.head + item.body)) {
      const PtxItem *other = names.contains(word) ? nullptr : module.find(word);
      if (!other)
        continue;
      if (other->isExtern)
        return refuse("it calls '" + word + "', which its source does not define");
      if (StringRef(other->head).contains(".shared"))
        return refuse("it keeps '" + word + "' in shared memory, which belongs to the kernel");
      if (!collect(*other))
        return false;
    }
    needed.push_back(&item);
    return true;
  }

  std::string whyNotInlined() {
    SmallVector<Statement> statements = statementsOf(function->body);
    StringRef why;
    for (const Statement &statement : ArrayRef(statements).drop_back()) {
      if (why.empty())
        why = whyNotInlined(statement);
      linked.instructions += !statement.opcode().starts_with(".");
    }
    if (!why.empty() || linked.instructions <= kMostInlined)
      return why.str();
    return "it has " + std::to_string(linked.instructions) + " instructions, more than " + std::to_string(kMostInlined);
  }

  StringRef whyNotInlined(const Statement &statement) const {
    StringRef opcode = statement.opcode();
    if (opcode == ".local")
      return "it needs local memory";
    if (opcode.starts_with("call") || opcode == ".param")
      return "it calls another function";
    if (opcode.starts_with("brx") || opcode == ".branchtargets")
      return "its control flow has a table";
    return isPlain(statement) ? "" : "it takes the address of a parameter";
  }

  /// The parameter or result that `[name]` or `[name+0]` stands for, "" for any other operand.
  static StringRef placeIn(StringRef operand) {
    operand = operand.trim();
    if (!operand.consume_front("[") || !operand.consume_back("]"))
      return "";
    auto [name, offset] = operand.split('+');
    return offset.empty() || offset.trim() == "0" ? name.trim() : "";
  }

  bool isParameter(StringRef name) const { return llvm::is_contained(function->parameters, name); }

  // Parameters and the result occur only where they are loaded and stored, as a whole, and nothing else is.
  bool isPlain(const Statement &statement) const {
    auto [first, second] = operandsOf(statement).split(',');
    bool has32Bits = statement.opcode().ends_with("32");
    if (statement.opcode().starts_with("ld.param"))
      return has32Bits && isParameter(placeIn(second));
    if (statement.opcode().starts_with("st.param"))
      return has32Bits && !function->result.empty() && placeIn(first) == function->result;
    return llvm::none_of(wordsOf(statement.text),
                         [&](StringRef word) { return isParameter(word) || word == function->result; });
  }

  static StringRef operandsOf(const Statement &statement) {
    return statement.text.drop_front(statement.opcode().size()).trim();
  }

  //===-- Calls -----------------------------------------------------------------------------------------===//

  SmallVector<Call> findCalls() const {
    SmallVector<Call> calls;
    StringRef text = ptx, open = "{ // callseq", close = "} // callseq";
    for (size_t at = text.find(open); at != StringRef::npos; at = text.find(open, at + open.size())) {
      size_t last = text.find(close, at);
      if (last == StringRef::npos)
        break;
      Call call;
      call.begin = at;
      call.end = std::min(text.find('\n', last), text.size());
      if (readCall(text.slice(at, last), call))
        calls.push_back(call);
    }
    return calls;
  }

  // st.param.b32 [param0], %r1; call.uni (retval0), symbol, (param0); ld.param.b32 %r2, [retval0];
  bool readCall(StringRef block, Call &call) const {
    llvm::StringMap<StringRef> stored;
    bool isOurs = false;
    // The first line ends in a comment.
    for (const Statement &statement : statementsOf(block.drop_front(std::min(block.find('\n'), block.size())))) {
      StringRef opcode = statement.opcode(), operands = operandsOf(statement);
      auto [first, second] = operands.split(',');
      if (opcode.starts_with("st.param"))
        stored[placeIn(first)] = second.trim();
      else if (opcode.starts_with("ld.param"))
        call.result = first.trim().str();
      else if (opcode.starts_with("call"))
        isOurs = llvm::is_contained(wordsOf(operands), symbol);
    }
    for (size_t i = 0; i < function->parameters.size(); ++i) {
      auto argument = stored.find("param" + std::to_string(i));
      if (argument == stored.end())
        return false;
      call.arguments.push_back(argument->second.str());
    }
    return isOurs && !call.result.empty();
  }

  //===-- Inlining --------------------------------------------------------------------------------------===//

  std::string inlined(const Call &call) const {
    SmallVector<Statement> statements = statementsOf(function->body);
    StringRef rest = statements.pop_back_val().before; // braces that close
    llvm::StringSet<> registers = registersOf(statements);
    auto renamed = [&](StringRef text) { return rename(text, registers); };
    std::string end = "$" + kPrefix.str() + "end", text = "{ // " + symbol;
    bool jumps = false;
    for (auto [i, statement] : llvm::enumerate(statements)) {
      StringRef opcode = statement.opcode();
      auto [first, second] = operandsOf(statement).split(',');
      text += renamed(statement.before);
      if (!statement.guard.empty())
        text += renamed(statement.guard) + " ";
      if (opcode.starts_with("ld.param")) {
        size_t number = llvm::find(function->parameters, placeIn(second)) - function->parameters.begin();
        text += "mov.b32 \t" + renamed(first.trim()) + ", " + call.arguments[number] + ";";
      } else if (opcode.starts_with("st.param")) {
        text += "mov.b32 \t" + call.result + ", " + renamed(second.trim()) + ";";
      } else if (opcode != "ret" && opcode != "ret.uni") {
        text += renamed(statement.text) + ";";
      } else if (i + 1 != statements.size() || !statement.guard.empty()) {
        text += "bra \t" + end + ";";
        jumps = true;
      } else {
        text = StringRef(text).rtrim().str();
      }
    }
    text += StringRef(renamed(rest)).rtrim();
    return text + (jumps ? "\n" + end + ":" : "") + "\n\t}";
  }

  static llvm::StringSet<> registersOf(ArrayRef<Statement> statements) {
    llvm::StringSet<> registers;
    for (const Statement &statement : statements)
      if (statement.opcode() == ".reg")
        for (StringRef word : wordsOf(statement.text))
          if (word.starts_with("%"))
            registers.insert(word);
    return registers;
  }

  std::string rename(StringRef text, const llvm::StringSet<> &registers) const {
    return replaceWords(text, [&](StringRef word) -> std::string {
      bool isRegister = registers.contains(word) || registers.contains(word.rtrim("0123456789"));
      if (isRegister || word.starts_with("$"))
        return (word.take_front(1) + kPrefix + word.drop_front(1)).str();
      auto known = names.find(word);
      return known == names.end() ? word.str() : known->second;
    });
  }

  //===-- Defining --------------------------------------------------------------------------------------===//

  // What is needed of the function's module takes the place of the first declaration; the declarations go.
  void define() {
    std::string text;
    for (const PtxItem *item : needed) {
      if (item == function && linked.called.empty())
        continue;
      static const llvm::StringSet<> none;
      std::string head = rename(item->head, none);
      for (StringRef linkage : {".visible ", ".weak ", ".common "})
        if (StringRef(head).starts_with(linkage))
          head.erase(0, linkage.size());
      text += head;
      if (item->kind == PtxItem::Function)
        text += "\n{" + renameModule(item->body) + "}";
      text += "\n";
    }
    StringRef declaration = ".extern .func";
    for (size_t at = ptx.find(declaration); at != std::string::npos; at = ptx.find(declaration, at)) {
      size_t end = std::min(ptx.find(';', at), ptx.size() - 1) + 1;
      if (!llvm::is_contained(wordsOf(StringRef(ptx).slice(at, end)), symbol)) {
        at = end;
        continue;
      }
      end += ptx[end] == '\n';
      ptx.replace(at, end - at, text);
      at += text.size();
      text.clear();
    }
  }

  std::string renameModule(StringRef text) const {
    return replaceWords(text, [&](StringRef word) {
      auto known = names.find(word);
      return known == names.end() ? word.str() : known->second;
    });
  }

  void raiseVersion() {
    size_t begin = 0, end = 0;
    unsigned major = 0, minor = 0;
    if (findVersion(ptx, begin, end, major, minor) && std::pair(major, minor) < std::pair(module.major, module.minor))
      ptx.replace(begin, end - begin, std::to_string(module.major) + "." + std::to_string(module.minor));
  }

  std::string &ptx;
  const std::string &symbol;
  LinkedFunction &linked;
  std::string &error;
  StringRef source;
  PtxModule module;
  const PtxItem *function = nullptr;
  SmallVector<const PtxItem *> needed;
  llvm::StringMap<std::string> names; ///< of what is needed, in its module and here
};
} // namespace

bool linkFunctions(std::string &ptx, ArrayRef<PtxFunction> functions, SmallVectorImpl<LinkedFunction> &linked,
                   std::string &error) {
  for (const PtxFunction &function : functions)
    if (!FunctionLinker(ptx, function, linked.emplace_back(), error).run())
      return false;
  return true;
}

} // namespace sattn::gpu

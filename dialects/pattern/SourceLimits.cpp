// One pass over the characters of a text that knows comments, strings and which `<` open a bracket.
#include "dialects/pattern/SourceLimits.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"

namespace sattn {
namespace {

class SourceScanner {
public:
  SourceScanner(StringRef text, SourceReport report) : text(text), report(report) {}

  LogicalResult scan() {
    if (text.size() > maxSourceBytes)
      return refuse("[SA0137] text has " + Twine(text.size()) + " bytes, more than " + Twine(maxSourceBytes) +
                    ": split it into several files");
    while (at < text.size())
      if (failed(step()))
        return failure();
    return success();
  }

private:
  LogicalResult refuse(const Twine &message) {
    report(line, unsigned(at - lineStart) + 1, message);
    return failure();
  }
  LogicalResult refuseNesting() {
    return refuse("[SA0137] text is nested deeper than " + Twine(maxSourceNesting) + " levels: name its parts");
  }

  LogicalResult step() {
    char c = text[at];
    if (c == '\0')
      return refuse("[SA0136] text holds a NUL byte: patterns are plain text, remove it");
    if (c == '\n') {
      lineStart = ++at;
      ++line;
      lineIsEmpty = true;
      return success();
    }
    if (llvm::isSpace(c)) {
      ++at;
      return success();
    }
    if (text.substr(at).starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
      return success();
    }
    // A chain of minus signs nests as brackets do.
    minusSigns = c == '-' ? minusSigns + 1 : 0;
    if (minusSigns > maxSourceNesting)
      return refuseNesting();
    // So does a chain of sums and products of an affine map, also across lines.
    if (StringRef(",:;{}%").contains(c))
      operators = 0;
    else if (StringRef("+-*").contains(c) && !text.substr(at).starts_with("->") && ++operators > maxSourceOperators)
      return refuse("[SA0137] expression has more than " + Twine(maxSourceOperators) + " operators: split it");
    bool first = std::exchange(lineIsEmpty, false);
    // Blanks and comments may stand before the bracket of a builtin type.
    if (std::exchange(afterBuiltin, false) && c == '<')
      return open('<');
    if (c == '"')
      return string();
    if (llvm::isDigit(c))
      return number();
    if (llvm::isAlpha(c) || StringRef("_!#@%^").contains(c))
      return word(first);
    return bracket(c);
  }

  LogicalResult string() {
    for (++at; at < text.size() && text[at] != '"' && text[at] != '\n' && text[at] != '\0'; ++at)
      at += text[at] == '\\' && at + 1 < text.size() && text[at + 1] != '\n';
    at += at < text.size() && text[at] == '"';
    return success();
  }

  LogicalResult number() {
    size_t digits = text.substr(at).find_if_not([](char c) { return llvm::isAlnum(c) || c == '.' || c == '_'; });
    digits = std::min(digits, text.size() - at);
    if (digits > maxSourceDigits)
      return refuse("[SA0137] number has " + Twine(digits) + " digits, more than " + Twine(maxSourceDigits) +
                    ": no number needs so many, round it");
    at += digits;
    return success();
  }

  /// An identifier; a `<` right after one of a type, an attribute or a symbol opens a bracket.
  LogicalResult word(bool first) {
    size_t size =
        text.substr(at + 1).find_if_not([](char c) { return llvm::isAlnum(c) || StringRef("_.$").contains(c); });
    StringRef name = text.substr(at, std::min(size, text.size() - at - 1) + 1);
    // A message that quotes a name stays one that can be read.
    if (name.size() > maxSourceName)
      return refuse("[SA0137] name has " + Twine(name.size()) + " characters, more than " + Twine(maxSourceName) +
                    ": shorten it");
    StringRef rest = text.substr(at + name.size());
    bool alias = first && (name[0] == '#' || name[0] == '!') && rest.ltrim(" \t").starts_with("=");
    if (alias && ++aliases > maxSourceAliases)
      return refuse("[SA0137] text has more than " + Twine(maxSourceAliases) +
                    " aliases: write attributes and types in place");
    static constexpr StringRef builtin[] = {"tuple", "tensor",     "memref",  "vector",    "complex",
                                            "dense", "sparse",     "array",   "opaque",    "distinct",
                                            "fused", "affine_map", "strided", "affine_set"};
    at += name.size();
    afterBuiltin = llvm::is_contained(builtin, name);
    return rest.starts_with("<") && StringRef("!#@").contains(name[0]) ? open('<') : success();
  }

  LogicalResult open(char c) {
    if (brackets.size() == maxSourceNesting)
      return refuseNesting();
    brackets.push_back(c);
    ++at;
    return success();
  }

  LogicalResult bracket(char c) {
    if (c == '(' || c == '[' || c == '{')
      return open(c);
    if (c == '>') {
      bool arrow = at && text[at - 1] == '-';
      if (!arrow && !brackets.empty() && brackets.back() == '<')
        brackets.pop_back();
    }
    if (c == ')' || c == ']' || c == '}') {
      // Angles that were comparisons after all end with the bracket around them.
      while (!brackets.empty() && brackets.back() == '<')
        brackets.pop_back();
      if (!brackets.empty())
        brackets.pop_back();
    }
    ++at;
    return success();
  }

  StringRef text;
  SourceReport report;
  size_t at = 0, lineStart = 0, minusSigns = 0, operators = 0, aliases = 0;
  unsigned line = 1;
  bool lineIsEmpty = true, afterBuiltin = false;
  SmallVector<char, maxSourceNesting> brackets;
};
} // namespace

LogicalResult checkSourceLimits(StringRef text, SourceReport report) { return SourceScanner(text, report).scan(); }

LogicalResult checkSourceLimits(MLIRContext *context, StringRef text, StringRef fileName) {
  return checkSourceLimits(text, [&](unsigned line, unsigned column, const Twine &message) {
    emitError(mlir::FileLineColLoc::get(context, fileName, line, column)) << message;
  });
}

} // namespace sattn

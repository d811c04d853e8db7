// Splits PTX text; see Lexer.h.
#include "lib/ptx/Lexer.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>

namespace sattn::ptx {
namespace {
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
public:
  explicit Lexer(std::string_view source) : source(source) {}

  Result<std::vector<Token>> run() {
    while (skipBlanks()) {
      Token token{.line = line};
      size_t begin = at;
      char c = source[at];
      if (isLetter(c) || (c == '.' && at + 1 < source.size() && isLetter(source[at + 1])))
        word(token);
      else if (isDigit(c))
        number(token);
      else if (c == '"')
        string(token);
      else if (std::string_view("{}()[]<>,;:=+-*@!|").find(c) != std::string_view::npos)
        token.kind = Token::Punctuation, ++at;
      if (token.kind == Token::End)
        return Error{fmt::format("unexpected character '{}'", c), line, lineText(source, line)};
      token.text = source.substr(begin, at - begin);
      tokens.push_back(token);
    }
    tokens.push_back({.line = line});
    return std::move(tokens);
  }

private:
  /// True if a token follows.
  bool skipBlanks() {
    while (at < source.size()) {
      char c = source[at];
      if (c == '\n') {
        ++line, ++at;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at;
      } else if (source.substr(at, 2) == "//") {
        at = std::min(source.find('\n', at), source.size());
      } else if (source.substr(at, 2) == "/*") {
        size_t end = std::min(source.find("*/", at + 2), source.size() - 2);
        for (; at < end + 2; ++at)
          line += source[at] == '\n';
      } else {
        return true;
      }
    }
    return false;
  }

  void word(Token &token) {
    token.kind = Token::Word;
    // ".reg.b16" is two directives, "add.b16" one opcode.
    bool directive = source[at] == '.';
    for (++at; at < source.size(); ++at) {
      // "L1::no_allocate" is one word, "label:" is not.
      if (source.substr(at, 2) == "::")
        ++at;
      else if (!isLetter(source[at]) && !isDigit(source[at]) && (source[at] != '.' || directive))
        break;
    }
  }

  void string(Token &token) {
    size_t end = source.find('"', at + 1);
    if (end == std::string_view::npos || source.substr(at, end - at).find('\n') != std::string_view::npos)
      return;
    token.kind = Token::String;
    at = end + 1;
  }

  void number(Token &token) {
    const char *end = source.data() + source.size(), *begin = source.data() + at;
    char second = at + 1 < source.size() ? source[at + 1] : ' ';
    bool zero = *begin == '0';
    if (zero && (second == 'f' || second == 'F' || second == 'd' || second == 'D')) {
      token.kind = second == 'f' || second == 'F' ? Token::Float32 : Token::Float64;
      begin = std::from_chars(begin + 2, end, token.value, 16).ptr;
    } else if (const char *stop = decimalPoint(begin, end); stop) {
      double value = 0;
      begin = std::from_chars(begin, end, value).ptr;
      token.kind = Token::Float64;
      token.value = std::bit_cast<uint64_t>(value);
    } else {
      bool hex = zero && (second == 'x' || second == 'X'), binary = zero && (second == 'b' || second == 'B');
      int base = hex ? 16 : binary ? 2 : zero && isDigit(second) ? 8 : 10;
      token.kind = Token::Integer;
      auto [next, problem] = std::from_chars(begin + (hex || binary ? 2 : 0), end, token.value, base);
      if (problem != std::errc())
        token.kind = Token::End;
      begin = next + (next < end && *next == 'U');
    }
    at = size_t(begin - source.data());
  }

  static const char *decimalPoint(const char *begin, const char *end) {
    while (begin < end && isDigit(*begin))
      ++begin;
    return begin + 1 < end && *begin == '.' && isDigit(begin[1]) ? begin : nullptr;
  }

  std::string_view source;
  size_t at = 0;
  unsigned line = 1;
  std::vector<Token> tokens;
};
} // namespace

Result<std::vector<Token>> tokenise(std::string_view source) { return Lexer(source).run(); }

std::string lineText(std::string_view source, unsigned line) {
  for (; line > 1; --line) {
    size_t end = source.find('\n');
    if (end == std::string_view::npos)
      return {};
    source.remove_prefix(end + 1);
  }
  source = source.substr(0, source.find('\n'));
  size_t begin = source.find_first_not_of(" \t\r"), end = source.find_last_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string() : std::string(source.substr(begin, end - begin + 1));
}
} // namespace sattn::ptx

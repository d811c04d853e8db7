// embedSources (Sources.h): a scan for the words `cuda file "..."` outside comments and strings.
#include "dialects/pattern/Sources.h"

#include <algorithm>
#include <cctype>

namespace sattn {
namespace {

/// The tokens of a pattern's text that matter here: words, strings with their quotes, and single other characters.
class Tokens {
public:
  explicit Tokens(std::string_view text) : text(text) {}

  /// "" at the end.
  std::string_view next() {
    skipBlanks();
    size_t begin = at;
    if (at < text.size() && text[at] == '"') {
      for (++at; at < text.size() && text[at] != '"' && text[at] != '\n'; ++at)
        at += text[at] == '\\';
      at = std::min(at + 1, text.size());
    } else if (at < text.size()) {
      at = std::min(text.find_first_not_of(wordCharacters, at), text.size());
      at += at == begin;
    }
    return text.substr(begin, at - begin);
  }

  size_t at = 0; ///< behind the last token

private:
  void skipBlanks() {
    while (at < text.size()) {
      if (text.compare(at, 2, "//") == 0)
        at = std::min(text.find('\n', at), text.size());
      else if (std::isspace(static_cast<unsigned char>(text[at])))
        ++at;
      else
        return;
    }
  }

  static constexpr std::string_view wordCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$";
  std::string_view text;
};

/// A string as MLIR reads it: what is not printable, quotes and backslashes in hexadecimal.
std::string quoted(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string result = "\"";
  for (unsigned char c : text) {
    if (c >= ' ' && c < 127 && c != '"' && c != '\\')
      result += static_cast<char>(c);
    else
      result += {'\\', digits[c / 16], digits[c % 16]};
  }
  return result + "\"";
}

} // namespace

std::string embedSources(std::string_view pattern, const std::function<std::string(const std::string &)> &read) {
  std::string result;
  size_t kept = 0;
  Tokens tokens(pattern);
  for (std::string_view token = tokens.next(); !token.empty();) {
    bool isSource = token == "cuda";
    token = tokens.next();
    if (!isSource || token != "file")
      continue;
    std::string_view name = tokens.next();
    size_t end = tokens.at;
    token = tokens.next();
    bool isString = name.size() >= 2 && name.front() == '"' && name.back() == '"';
    if (!isString || token == "text")
      continue;
    result.append(pattern.substr(kept, end - kept)).append(" text ");
    result += quoted(read(std::string(name.substr(1, name.size() - 2))));
    kept = end;
  }
  return result.append(pattern.substr(kept));
}

} // namespace sattn

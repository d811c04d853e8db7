// Scanning of PTX text: comments away, words, top-level items.
#include "codegen/gpu/PtxText.h"
#include "llvm/ADT/StringExtras.h"

namespace sattn::gpu {

static bool isWordChar(char c) { return llvm::isAlnum(c) || StringRef("_$%.").contains(c); }

std::string replaceWords(StringRef text, llvm::function_ref<std::string(StringRef)> visit) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && isWordChar(text[end]))
      ++end;
    if (end != at) {
      result += visit(text.slice(at, end));
      at = end;
      continue;
    }
    // A string is no word: .pragma "nounroll".
    end = text[at] == '"' ? std::min(text.find('"', at + 1), text.size() - 1) + 1 : at + 1;
    result += text.slice(at, end);
    at = end;
  }
  return result;
}

std::vector<StringRef> wordsOf(StringRef text) {
  std::vector<StringRef> words;
  replaceWords(text, [&](StringRef word) {
    words.push_back(word);
    return std::string();
  });
  return words;
}

static std::string withoutComments(StringRef text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    StringRef rest = text.drop_front(at);
    if (rest.starts_with("//")) {
      at += std::min(rest.find('\n'), rest.size());
    } else if (rest.starts_with("/*")) {
      at += std::min(rest.find("*/"), rest.size() - 2) + 2;
    } else {
      result += text[at++];
    }
  }
  return result;
}

bool findVersion(StringRef text, size_t &begin, size_t &end, unsigned &major, unsigned &minor) {
  StringRef directive = ".version";
  begin = text.find(directive);
  if (begin == StringRef::npos)
    return false;
  begin = text.find_if([](char c) { return llvm::isDigit(c); }, begin + directive.size());
  if (begin == StringRef::npos)
    return false;
  end = std::min(text.find_if([](char c) { return !llvm::isDigit(c) && c != '.'; }, begin), text.size());
  auto [high, low] = text.slice(begin, end).split('.');
  return !high.getAsInteger(10, major) && !low.getAsInteger(10, minor);
}

const PtxItem *PtxModule::find(StringRef name) const {
  auto found = llvm::find_if(items, [&](const PtxItem &item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

/// The names of `.param .b32 a, .param .align 4 .b8 b[8]`: the last word before each comma that is a name.
static std::vector<std::string> parameterNames(StringRef list) {
  std::vector<std::string> names;
  SmallVector<StringRef> parts;
  list.split(parts, ',', -1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    std::vector<StringRef> words = wordsOf(part.take_front(part.find('[')));
    if (!words.empty())
      names.push_back(words.back().str());
  }
  return names;
}

/// `.visible .func (.param .b32 r) name(.param .b32 a)`
static void readFunction(StringRef head, PtxItem &item) {
  item.kind = PtxItem::Function;
  StringRef rest = head.drop_front(head.find(".func") + StringRef(".func").size()).ltrim();
  if (rest.starts_with("(")) {
    auto [list, tail] = rest.drop_front().split(')');
    std::vector<std::string> results = parameterNames(list);
    item.result = results.empty() ? "" : results.front();
    rest = tail;
  }
  auto [name, tail] = rest.split('(');
  std::vector<StringRef> words = wordsOf(name);
  item.name = words.empty() ? "" : words.front().str();
  item.parameters = parameterNames(tail.take_front(tail.rfind(')')));
}

/// `.visible .global .align 4 .b8 name[24] = {1, 2};`
static void readVariable(StringRef text, PtxItem &item) {
  std::vector<StringRef> words = wordsOf(text.take_front(text.find_first_of("[=;")));
  item.name = words.empty() ? "" : words.back().str();
}

/// Takes the text up to the brace that closes the first one.
static StringRef takeBlock(StringRef &rest) {
  size_t depth = 0, at = 0;
  for (; at < rest.size(); ++at) {
    depth += rest[at] == '{';
    if (rest[at] == '}' && --depth == 0)
      break;
  }
  StringRef block = rest.slice(1, at);
  rest = rest.drop_front(std::min(at + 1, rest.size()));
  return block;
}

bool parsePtx(StringRef original, PtxModule &module) {
  std::string text = withoutComments(original);
  size_t begin = 0, end = 0;
  if (!findVersion(text, begin, end, module.major, module.minor))
    return false;
  StringRef rest = StringRef(text).drop_front(end);
  // The directives of a module end with their line.
  for (rest = rest.ltrim(); rest.starts_with(".target") || rest.starts_with(".address_size"); rest = rest.ltrim())
    rest = rest.drop_front(std::min(rest.find('\n'), rest.size()));
  for (; !rest.empty(); rest = rest.ltrim()) {
    size_t stop = rest.find_first_of(";{");
    if (stop == StringRef::npos)
      return false;
    PtxItem &item = module.items.emplace_back();
    bool isFunction = rest.take_front(stop).contains(".func");
    if (!isFunction)
      stop = rest.find(';');
    if (stop == StringRef::npos)
      return false;
    StringRef head = rest.take_front(stop);
    item.isExtern = head.contains(".extern");
    item.head = head.rtrim().str() + (isFunction ? "" : ";");
    if (isFunction)
      readFunction(head, item);
    else
      readVariable(head, item);
    if (item.name.empty())
      return false;
    rest = rest.drop_front(stop);
    if (rest.starts_with("{"))
      item.body = takeBlock(rest).str();
    else
      rest = rest.drop_front();
  }
  return true;
}

} // namespace sattn::gpu

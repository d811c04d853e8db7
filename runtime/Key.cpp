// Builds keys (Key.h). Data goes on to the cache and to every artefact's manifest.
#include "runtime/Key.h"

#include <algorithm>

namespace sattn::rt {

static std::string_view trim(std::string_view text) {
  const char *blank = " \t\r\n";
  size_t begin = text.find_first_not_of(blank);
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

Status parseBind(std::string_view bind, std::vector<std::pair<std::string, std::string>> &items) {
  items.clear();
  if (trim(bind).empty())
    return success();
  while (true) {
    size_t comma = bind.find(',');
    std::string_view item = trim(bind.substr(0, comma));
    size_t equals = item.find('=');
    std::string_view name = trim(item.substr(0, equals));
    std::string_view value = equals == std::string_view::npos ? std::string_view() : trim(item.substr(equals + 1));
    if (name.empty() || value.empty() || value.find('=') != std::string_view::npos)
      return fail<Err::BindSyntax>(item);
    items.emplace_back(name, value);
    if (comma == std::string_view::npos)
      break;
    bind.remove_prefix(comma + 1);
  }
  std::sort(items.begin(), items.end());
  for (size_t i = 1; i < items.size(); ++i)
    if (items[i].first == items[i - 1].first)
      return fail<Err::BindDuplicate>(items[i].first);
  return success();
}

Status canonicalBind(std::string_view bind, std::string &out) {
  std::vector<std::pair<std::string, std::string>> items;
  SATTN_TRY(parseBind(bind, items));
  out.clear();
  for (const auto &[name, value] : items) {
    if (!out.empty())
      out += ',';
    out += name + '=' + value;
  }
  return success();
}

Key makeKey(const Request &request, std::string_view build, uint32_t format) {
  DigestBuilder builder;
  builder.field(format).field(request.pattern).field(request.bind).field(request.target);
  Key key;
  key.request = builder.finish();
  key.full = builder.field(build).finish();
  return key;
}

std::string patternName(std::string_view pattern) {
  size_t at = pattern.find("sattn.pattern");
  at = at == std::string_view::npos ? at : pattern.find('@', at);
  if (at == std::string_view::npos)
    return "?";
  size_t end = at + 1;
  while (end < pattern.size() && end - at < 128 &&
         (isalnum(static_cast<unsigned char>(pattern[end])) || pattern[end] == '_'))
    ++end;
  return end == at + 1 ? "?" : std::string(pattern.substr(at + 1, end - at - 1));
}

} // namespace sattn::rt

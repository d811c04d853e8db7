// Field by field (Nearest.h): another pattern counts most, then another text of the same pattern, then the rest.
#include "runtime/Nearest.h"

#include <map>

namespace sattn::rt {

namespace {
struct Difference {
  int weight = 0;
  std::vector<std::string> fields;

  void add(int amount, std::string text) {
    weight += amount;
    fields.push_back(std::move(text));
  }
};

std::string pair(const std::string &what, const std::string &have, const std::string &asked) {
  return what + " (" + (have.empty() ? "none" : have) + ", asked " + (asked.empty() ? "none" : asked) + ")";
}

Difference compare(const Request &asked, const std::string &build, const ManifestHead &cached) {
  Difference result;
  if (cached.request.pattern != asked.pattern) {
    std::string name = patternName(asked.pattern);
    if (name != cached.name)
      result.add(100, pair("pattern", cached.name, name));
    else
      result.add(30, "the text of pattern '" + name + "'");
  }
  std::vector<std::pair<std::string, std::string>> items;
  std::map<std::string, std::pair<std::string, std::string>> values;
  (void)parseBind(cached.request.bind, items).ok();
  for (const auto &[name, value] : items)
    values[name].first = value;
  (void)parseBind(asked.bind, items).ok();
  for (const auto &[name, value] : items)
    values[name].second = value;
  for (const auto &[name, both] : values)
    if (both.first != both.second)
      result.add(10, pair(name, both.first, both.second));
  if (cached.request.target != asked.target)
    result.add(5, pair("target", cached.request.target, asked.target));
  if (!build.empty() && cached.build != build)
    result.add(1, pair("compiler build", cached.build, build));
  return result;
}
} // namespace

std::string describeNearest(const Request &asked, const std::string &build, const std::vector<ManifestHead> &cached) {
  const ManifestHead *nearest = nullptr;
  Difference best;
  for (const ManifestHead &head : cached)
    if (Difference difference = compare(asked, build, head); !nearest || difference.weight < best.weight) {
      nearest = &head;
      best = std::move(difference);
    }
  if (!nearest)
    return "nothing is cached";
  std::string text;
  for (const std::string &field : best.fields)
    text += (text.empty() ? "" : ", ") + field;
  return "the nearest one differs in " + (text.empty() ? "nothing that is known" : text);
}

} // namespace sattn::rt

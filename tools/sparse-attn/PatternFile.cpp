// Finding, reading and describing patterns.
#include "tools/sparse-attn/PatternFile.h"
#include "dialects/pattern/Sources.h"
#include "tools/sparse-attn/ToolError.h"

#include <sattn/compiler.h>

#include <nlohmann/json.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace fs = std::filesystem;

namespace sattn::tool {

static constexpr uintmax_t maxText = uintmax_t(16) << 20;

std::string shippedFolder() {
  std::error_code error;
  fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char *place : {"../share/sattn/patterns", "../../examples/patterns"})
    if (fs::path found = fs::weakly_canonical(folder / place, error); !error && fs::is_directory(found, error))
      return found.string();
  return "";
}

std::vector<std::string> shippedNames() {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry &entry : fs::directory_iterator(shippedFolder(), error))
    if (entry.path().extension() == ".mlir")
      names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string readText(const std::string &path) {
  std::error_code error;
  uintmax_t size = fs::is_regular_file(path, error) ? fs::file_size(path, error) : 0;
  if (!error && size > maxText)
    fail(Err::TextTooLong, path, size);
  if (fs::is_directory(path, error))
    fail(Err::CannotRead, path, "it is a directory");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file)
    text.assign(std::istreambuf_iterator<char>(file), {});
  if (!file)
    fail(Err::CannotRead, path, errno ? std::strerror(errno) : "it cannot be opened");
  return text;
}

static PatternFile readPattern(const std::string &path) {
  fs::path folder = fs::path(path).parent_path();
  // `folder / name` is `name` where that is absolute.
  return {path,
          embedSources(readText(path), [&](const std::string &name) { return readText((folder / name).string()); })};
}

PatternFile findPattern(const std::string &name) {
  std::error_code error;
  bool isPlain = !name.empty() && name.find_first_of("/.") == std::string::npos;
  if (!fs::exists(name, error) && isPlain) {
    fs::path shipped = fs::path(shippedFolder()) / (name + ".mlir");
    if (fs::exists(shipped, error))
      return readPattern(shipped.string());
  }
  if (!fs::exists(name, error))
    fail(Err::NoPattern, name, fmt::format("{}", fmt::join(shippedNames(), ", ")));
  return readPattern(name);
}

bool isPositionAxis(const std::string &axis) { return !axis.empty() && std::strchr("tusc", axis[0]); }
bool isHeadAxis(const std::string &axis) { return !axis.empty() && std::strchr("hg", axis[0]); }
bool isFixedAxis(const std::string &axis) { return !axis.empty() && axis[0] >= '0' && axis[0] <= '9'; }

bool RoleInfo::batched() const { return std::any_of(axes.begin(), axes.end(), isPositionAxis); }
bool ResultInfo::batched() const { return std::any_of(axes.begin(), axes.end(), isPositionAxis); }

int64_t BlockAxis::count(int64_t positions, bool ragged) const {
  if (ragged || !ofKeys)
    return positions / length + (positions % length != 0);
  return positions < length ? 0 : (positions - length) / stride + 1;
}

std::optional<BlockAxis> blockAxis(const std::string &axis) {
  size_t open = axis.find('(');
  if (open == std::string::npos || (axis[0] != 'c' && axis[0] != 'u'))
    return std::nullopt;
  long long length = 0, stride = 0;
  int fields = std::sscanf(axis.c_str() + open, "(%lld, %lld)", &length, &stride);
  if (fields < 1 || length <= 0 || (fields == 2 && stride <= 0))
    return std::nullopt;
  return BlockAxis{axis[0] == 'c', length, fields == 2 ? stride : length};
}

template <typename Items> static auto *findNamed(Items &items, const std::string &name) {
  auto found = std::find_if(items.begin(), items.end(), [&](const auto &item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}
const RoleInfo *PatternInfo::role(const std::string &name) const { return findNamed(roles, name); }
const ParamInfo *PatternInfo::param(const std::string &name) const { return findNamed(params, name); }
const ResultInfo *PatternInfo::result(const std::string &name) const { return findNamed(results, name); }

static PatternInfo parseInfo(const std::string &text) {
  nlohmann::json json = nlohmann::json::parse(text);
  PatternInfo info;
  info.name = json["name"];
  info.lines = json["lines"];
  info.causal = json["causal"];
  for (const auto &role : json["roles"])
    info.roles.push_back({role["name"], role["int"], role["axes"]});
  for (const auto &param : json["params"]) {
    ParamInfo &item = info.params.emplace_back();
    item.name = param["name"];
    item.isStatic = param["static"];
    item.isFloat = param["type"] == "float";
    item.text = param.value("text", "");
    if (param.contains("default"))
      item.value = param["default"].get<double>();
  }
  for (const auto &result : json["results"])
    info.results.push_back({result["name"], result["axes"], result["float32"], result.value("ragged", false),
                            result.value("top", std::vector<std::string>())});
  return info;
}

PatternInfo describe(const PatternFile &file, const std::string &bind) {
  char *json = nullptr, *text = nullptr;
  sattn_status status =
      sattn_compiler_describe(file.text.data(), file.text.size(), file.path.c_str(), bind.c_str(), &json, &text);
  std::string message = text ? text : "";
  std::string described = json ? json : "";
  sattn_free(text);
  sattn_free(json);
  if (status != SATTN_OK)
    throw ToolError(message.empty() ? sattn_status_name(status) : message);
  return parseInfo(described);
}

template <typename Items, typename Text> static std::string listed(const Items &items, Text text) {
  std::string list;
  for (const auto &item : items)
    list += (list.empty() ? "" : ", ") + text(item);
  return list.empty() ? "none" : list;
}
static std::string withAxes(const std::string &name, bool batched, const std::vector<std::string> &axes) {
  return fmt::format("{} [{}{}]", name, batched ? "B, " : "", fmt::join(axes, ", "));
}
std::string roleList(const PatternInfo &info) {
  return listed(info.roles, [](const RoleInfo &role) { return withAxes(role.name, role.batched(), role.axes); });
}
std::string resultList(const PatternInfo &info) {
  return listed(info.results,
                [](const ResultInfo &result) { return withAxes(result.name, result.batched(), result.axes); });
}
std::string paramList(const PatternInfo &info) {
  return listed(info.params, [](const ParamInfo &param) { return param.name; });
}

} // namespace sattn::tool

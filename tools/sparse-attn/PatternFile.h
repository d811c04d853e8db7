// Patterns as the tool sees them: the text from a path or a shipped name, and its interface as the compiler describes
// it.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sattn::tool {

struct PatternFile {
  std::string path; ///< where the text came from, for messages
  std::string text;
};

/// A whole file, of 16 MiB at most.
std::string readText(const std::string &path);

/// Reads `name` as a path; where no such file exists, the shipped pattern of that name beside the executable
/// (examples/patterns in a build tree, share/sattn/patterns in an installed one).
PatternFile findPattern(const std::string &name);

/// The folder of the shipped patterns; "" when there is none.
std::string shippedFolder();
/// Their names, sorted.
std::vector<std::string> shippedNames();

struct RoleInfo {
  std::string name;
  bool isInt;
  std::vector<std::string> axes; ///< without the batch

  /// A role with a position axis has a leading batch axis.
  bool batched() const;
};
struct ParamInfo {
  std::string name;
  bool isStatic, isFloat;
  std::string text;            ///< the default as the author wrote it; "" if there is none
  std::optional<double> value; ///< the default, where it is a number
};
struct ResultInfo {
  std::string name;
  std::vector<std::string> axes;
  bool float32; ///< for every input type
  bool ragged;  ///< its blocks count the last, partial one
  /// Of an axis `s(n)` of chosen positions: n over params, as words for a stack; else empty.
  std::vector<std::string> top;
  bool batched() const;
};

struct PatternInfo {
  std::string name;
  int lines = 0;
  std::vector<RoleInfo> roles;
  std::vector<ParamInfo> params;
  std::vector<ResultInfo> results;
  std::string causal;

  const RoleInfo *role(const std::string &name) const;
  const ParamInfo *param(const std::string &name) const;
  const ResultInfo *result(const std::string &name) const;
};

/// Asks the compiler; its errors are thrown as they are. `bind` holds the static params that are given.
PatternInfo describe(const PatternFile &file, const std::string &bind);

/// "q [t, h, D], k [s, g, D]" for messages.
std::string roleList(const PatternInfo &info);
std::string resultList(const PatternInfo &info);
std::string paramList(const PatternInfo &info);

/// The kind of an axis is its first letter; digits are a fixed count.
bool isPositionAxis(const std::string &axis);
bool isHeadAxis(const std::string &axis);
bool isFixedAxis(const std::string &axis);

/// The blocks of "c(32, 16)" or "u(128)".
struct BlockAxis {
  bool ofKeys;
  int64_t length, stride;
  /// How many blocks of `positions` there are, complete ones, or all with `ragged`.
  int64_t count(int64_t positions, bool ragged) const;
};
std::optional<BlockAxis> blockAxis(const std::string &axis);

} // namespace sattn::tool

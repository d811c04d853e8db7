// Typed access to a JSON object of a manifest with messages that name the field: each field is taken once, and
// finish() refuses what nobody took, so that a misspelt field is an error and not silence.
#pragma once

#include "runtime/Status.h"

#include <nlohmann/json.hpp>

#include <set>
#include <string>

namespace sattn::rt {

class JsonObject {
public:
  /// `json` must outlive the reader; `where` is its place ("roles[1]").
  JsonObject(const nlohmann::json &json, std::string where) : json(json), place(std::move(where)) {}

  Status isObject() const;
  const std::string &where() const { return place; }
  bool has(const char *field) const { return json.contains(field); }

  Status text(const char *field, std::string &out, size_t limit = maxName);
  Status integer(const char *field, int64_t low, int64_t high, int64_t &out);
  /// Arrays and objects are returned as they are.
  Status array(const char *field, size_t limit, const nlohmann::json *&out);
  Status object(const char *field, const nlohmann::json *&out);
  Status any(const char *field, const nlohmann::json *&out);

  /// Refuses fields that were not taken.
  Status finish() const;

  Status error(const char *field, const std::string &what) const;

  static constexpr size_t maxName = 256, maxText = 16 << 20;

private:
  Status take(const char *field, const nlohmann::json *&out);

  const nlohmann::json &json;
  std::string place;
  std::set<std::string> taken;
};

/// "where[3]"
std::string itemPlace(const std::string &where, size_t index);

} // namespace sattn::rt

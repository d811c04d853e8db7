// Field access with messages (JsonReader.h).
#include "runtime/JsonReader.h"

namespace sattn::rt {

std::string itemPlace(const std::string &where, size_t index) { return where + "[" + std::to_string(index) + "]"; }

Status JsonObject::error(const char *field, const std::string &what) const {
  return fail<Err::ManifestField>(place.empty() ? std::string(field) : place + "." + field, what);
}

Status JsonObject::isObject() const {
  if (json.is_object())
    return success();
  return fail<Err::ManifestField>(place.empty() ? "top level" : place, "expected an object");
}

Status JsonObject::take(const char *field, const nlohmann::json *&out) {
  auto found = json.find(field);
  if (found == json.end())
    return error(field, "missing field");
  taken.insert(field);
  out = &*found;
  return success();
}

Status JsonObject::any(const char *field, const nlohmann::json *&out) { return take(field, out); }

Status JsonObject::text(const char *field, std::string &out, size_t limit) {
  const nlohmann::json *value;
  SATTN_TRY(take(field, value));
  if (!value->is_string())
    return error(field, "expected a string");
  const auto &text = value->get_ref<const std::string &>();
  if (text.size() > limit)
    return error(field, "string is too long");
  // A name ends at a 0 byte for every C caller, so two names could look the same.
  if (text.find('\0') != std::string::npos)
    return error(field, "string contains a 0 byte");
  out = text;
  return success();
}

Status JsonObject::integer(const char *field, int64_t low, int64_t high, int64_t &out) {
  const nlohmann::json *value;
  SATTN_TRY(take(field, value));
  bool fits = value->is_number_integer() &&
              !(value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX));
  if (!fits || value->get<int64_t>() < low || value->get<int64_t>() > high)
    return error(field, "expected an integer from " + std::to_string(low) + " to " + std::to_string(high));
  out = value->get<int64_t>();
  return success();
}

Status JsonObject::array(const char *field, size_t limit, const nlohmann::json *&out) {
  SATTN_TRY(take(field, out));
  if (!out->is_array())
    return error(field, "expected an array");
  if (out->size() > limit)
    return error(field, "more than " + std::to_string(limit) + " items");
  return success();
}

Status JsonObject::object(const char *field, const nlohmann::json *&out) {
  SATTN_TRY(take(field, out));
  if (!out->is_object())
    return error(field, "expected an object");
  return success();
}

Status JsonObject::finish() const {
  for (auto field = json.begin(); field != json.end(); ++field)
    if (!taken.count(field.key()))
      return error(field.key().c_str(), "unknown field");
  return success();
}

} // namespace sattn::rt

// Reads the parts of a manifest that name things: head, roles, results, params, derived values, requirements.
#include "runtime/Manifest.h"

#include "runtime/GpuTarget.h"
#include "runtime/Isa.h"
#include "runtime/ManifestReader.h"

#include <algorithm>
#include <cmath>

namespace sattn::rt {

using nlohmann::json;

const char *dtypeName(Dtype dtype) {
  static constexpr const char *names[] = {"f32", "f16", "bf16", "i32", "i8", "u8"};
  return names[static_cast<int>(dtype)];
}

int dtypeBytes(Dtype dtype) {
  static constexpr int bytes[] = {4, 2, 2, 4, 1, 1};
  return bytes[static_cast<int>(dtype)];
}

const char *perBatchName(PerBatch which) {
  static constexpr const char *names[] = {"q_offset", "kv_offset", "kv_len"};
  return names[static_cast<int>(which)];
}

std::string Operand::axisList() const {
  std::string list = page != 0 ? "pages" : batched ? "B" : "";
  for (const Axis &axis : axes)
    list += (list.empty() ? "" : ", ") + axis.name;
  return list;
}

static bool parseDtype(const std::string &text, Dtype &dtype) {
  for (Dtype candidate : {Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::I32, Dtype::I8, Dtype::U8})
    if (text == dtypeName(candidate)) {
      dtype = candidate;
      return true;
    }
  return false;
}

int ManifestReader::findOperand(const std::vector<Operand> &operands, const std::string &name) const {
  auto found = std::find_if(operands.begin(), operands.end(), [&](const Operand &o) { return o.name == name; });
  return found == operands.end() ? -1 : static_cast<int>(found - operands.begin());
}

Status ManifestReader::readHead() {
  int64_t format;
  SATTN_TRY(top.integer("format", artefactFormat, artefactFormat, format));
  SATTN_TRY(top.text("name", out.name));
  SATTN_TRY(top.text("build", out.build));
  SATTN_TRY(top.text("target", out.request.target));
  SATTN_TRY(top.text("pattern", out.request.pattern, JsonObject::maxText));
  SATTN_TRY(top.text("bind", out.request.bind, 1 << 16));
  Isa isa;
  if (!parseTarget(out.request.target, isa) && !isGpuTarget(out.request.target))
    return top.error("target", "unknown target '" + out.request.target + "'");
  std::string canonical;
  if (parseBind(out.request.bind, bindItems).failed() || canonicalBind(out.request.bind, canonical).failed() ||
      canonical != out.request.bind)
    return top.error("bind", "expected sorted name=value items");
  if (top.has("code")) {
    int64_t code;
    SATTN_TRY(top.integer("code", 0, 4096, code));
    out.code = static_cast<int>(code);
  }
  if (top.has("explain")) {
    const json *explain;
    SATTN_TRY(top.object("explain", explain));
    if (!explain->empty())
      out.explain = explain->dump(2);
  }
  return success();
}

Status ManifestReader::readAxis(const json &json, const std::string &where, bool isResult, Axis &axis) {
  if (!json.is_string() || json.get_ref<const std::string &>().empty() ||
      json.get_ref<const std::string &>().size() > 64)
    return fail<Err::ManifestField>(where, "expected the name of an axis");
  axis.name = json.get<std::string>();
  axis.size = -1;
  axis.symbol = -1;
  char kind = axis.name[0];
  if (kind >= '0' && kind <= '9') {
    axis.kind = AxisKind::Feature;
    if (axis.name.size() > 6 || axis.name.find_first_not_of("0123456789") != std::string::npos)
      return fail<Err::ManifestField>(where, "axis '" + axis.name + "' is not a number");
    axis.size = std::stoll(axis.name);
    return success();
  }
  if (kind == 't' || kind == 'u' || kind == 's' || kind == 'c')
    axis.kind = AxisKind::Position;
  else if (kind == 'h' || kind == 'g')
    axis.kind = AxisKind::Head;
  else if (kind == 'D')
    axis.kind = AxisKind::Feature;
  else
    return fail<Err::ManifestField>(where, "unknown axis '" + axis.name + "'");
  axis.symbol = out.symbols.find(axis.name);
  if (axis.symbol < 0) {
    if (isResult && axis.kind != AxisKind::Feature)
      return fail<Err::ManifestField>(where, "axis '" + axis.name + "' belongs to no role and is no derived value");
    axis.symbol = out.symbols.add(axis.name);
  }
  return success();
}

/// Finds position and head axis and checks that the features come last.
Status ManifestReader::placeAxes(const std::string &where, Operand &operand) {
  bool sawFeature = false;
  for (size_t i = 0; i < operand.axes.size(); ++i) {
    const Axis &axis = operand.axes[i];
    for (size_t j = 0; j < i; ++j)
      if (axis.kind != AxisKind::Feature && operand.axes[j].name == axis.name)
        return fail<Err::ManifestField>(where, "axis '" + axis.name + "' occurs twice");
    if (axis.kind == AxisKind::Feature) {
      sawFeature = true;
      continue;
    }
    if (sawFeature)
      return fail<Err::ManifestField>(where, "feature axes must come last");
    int &place = axis.kind == AxisKind::Position ? operand.position : operand.head;
    if (place >= 0)
      return fail<Err::ManifestField>(where, axis.kind == AxisKind::Position ? "two position axes" : "two head axes");
    place = static_cast<int>(i);
  }
  operand.batched = operand.position >= 0;
  return success();
}

/// Sizes of the features: numbers, then the bind, then what is left of `inner` for a single unknown one.
Status ManifestReader::sizeFeatures(const std::string &where, Operand &operand) {
  int64_t product = 1;
  Axis *open = nullptr;
  for (Axis &axis : operand.axes) {
    if (axis.kind != AxisKind::Feature)
      continue;
    for (const auto &[name, value] : bindItems)
      if (axis.size < 0 && name == axis.name && value.size() < 8 &&
          value.find_first_not_of("0123456789") == std::string::npos)
        axis.size = std::stoll(value);
    if (axis.size < 0 && open)
      return fail<Err::ManifestField>(where, "size of axis '" + axis.name + "' is not in the bind");
    if (axis.size < 0)
      open = &axis;
    else if (__builtin_mul_overflow(product, axis.size, &product) || product > maxFeatures)
      return fail<Err::ManifestField>(where, "too many features");
  }
  if (open && product > 0 && operand.inner % product == 0)
    open->size = operand.inner / product;
  if (open ? open->size < 0 : product != operand.inner)
    return fail<Err::ManifestField>(where, "'inner' is not the product of the feature axes");
  return success();
}

/// All paged roles share the table of the call, so their pages are of one size.
Status ManifestReader::readPage(JsonObject &object, Operand &operand) {
  SATTN_TRY(object.integer("page", 1, int64_t(1) << 32, operand.page));
  if (operand.position < 0 || operand.axes[static_cast<size_t>(operand.position)].name != "s")
    return object.error("page", "only a role over 's' lies in pages");
  if (out.page != 0 && out.page != operand.page)
    return object.error("page", "pages of roles have two sizes");
  out.page = operand.page;
  return success();
}

Status ManifestReader::readOperand(const json &json, const std::string &where, bool isResult, Operand &operand) {
  JsonObject object(json, where);
  SATTN_TRY(object.isObject());
  SATTN_TRY(object.text("name", operand.name));
  const nlohmann::json *axes;
  SATTN_TRY(object.array("axes", 8, axes));
  std::string dtype;
  SATTN_TRY(object.text("dtype", dtype));
  if (!parseDtype(dtype, operand.dtype))
    return object.error("dtype", "unknown dtype '" + dtype + "'");
  SATTN_TRY(object.integer("inner", 1, maxFeatures, operand.inner));
  if (object.has("kept")) {
    int64_t kept;
    SATTN_TRY(object.integer("kept", 1, 1, kept));
    operand.kept = !isResult;
  }
  for (size_t i = 0; i < axes->size(); ++i)
    SATTN_TRY(readAxis((*axes)[i], itemPlace(where + ".axes", i), isResult, operand.axes.emplace_back()));
  SATTN_TRY(placeAxes(where, operand));
  SATTN_TRY(sizeFeatures(where, operand));
  if (!isResult && object.has("page"))
    SATTN_TRY(readPage(object, operand));
  return object.finish();
}

Status ManifestReader::readOperands(const char *field, std::vector<Operand> &operands, bool areResults) {
  const json *list;
  SATTN_TRY(top.array(field, maxOperands, list));
  for (size_t i = 0; i < list->size(); ++i) {
    Operand operand;
    std::string where = itemPlace(field, i);
    SATTN_TRY(readOperand((*list)[i], where, areResults, operand));
    if (findOperand(out.roles, operand.name) >= 0 || findOperand(out.results, operand.name) >= 0)
      return fail<Err::ManifestField>(where, "name '" + operand.name + "' is taken");
    operands.push_back(std::move(operand));
  }
  // One name has one size.
  for (const Operand &first : out.roles)
    for (const Operand &second : operands)
      for (const Axis &a : first.axes)
        for (const Axis &b : second.axes)
          if (a.kind == AxisKind::Feature && a.name == b.name && a.size != b.size)
            return fail<Err::ManifestField>(field, "axis '" + a.name + "' has two sizes");
  return success();
}

Status ManifestReader::readParams() {
  const json *list;
  SATTN_TRY(top.array("params", maxParams, list));
  for (size_t i = 0; i < list->size(); ++i) {
    JsonObject object((*list)[i], itemPlace("params", i));
    SATTN_TRY(object.isObject());
    Param param;
    std::string type;
    SATTN_TRY(object.text("name", param.name));
    SATTN_TRY(object.text("type", type));
    if (type != "int" && type != "float")
      return object.error("type", "expected 'int' or 'float'");
    param.isFloat = type == "float";
    param.hasDefault = object.has("default");
    if (param.hasDefault && param.isFloat) {
      const json *value;
      SATTN_TRY(object.any("default", value));
      if (!value->is_number() || !std::isfinite(static_cast<float>(value->get<double>())))
        return object.error("default", "expected a float32 number");
      param.floatDefault = value->get<double>();
    } else if (param.hasDefault) {
      SATTN_TRY(object.integer("default", INT64_MIN, INT64_MAX, param.intDefault));
    }
    for (const Param &other : out.params)
      if (other.name == param.name)
        return object.error("name", "name '" + param.name + "' is taken");
    param.symbol = param.isFloat ? -1 : out.symbols.add("$" + param.name);
    SATTN_TRY(object.finish());
    out.params.push_back(std::move(param));
  }
  return success();
}

Status ManifestReader::readDerived() {
  if (!top.has("derived"))
    return success();
  const json *list;
  SATTN_TRY(top.array("derived", maxItems, list));
  for (size_t i = 0; i < list->size(); ++i) {
    JsonObject object((*list)[i], itemPlace("derived", i));
    SATTN_TRY(object.isObject());
    Derived derived;
    const json *value;
    SATTN_TRY(object.text("name", derived.name));
    SATTN_TRY(object.any("value", value));
    SATTN_TRY(Expr::compile(*value, out.symbols, object.where() + ".value", derived.value));
    derived.symbol = out.symbols.add(derived.name);
    if (derived.symbol < 0)
      return object.error("name", "name '" + derived.name + "' is taken");
    SATTN_TRY(object.finish());
    out.derived.push_back(std::move(derived));
  }
  return success();
}

Status ManifestReader::readRequirements() {
  if (!top.has("requires"))
    return success();
  const json *list;
  SATTN_TRY(top.array("requires", maxItems, list));
  for (size_t i = 0; i < list->size(); ++i) {
    JsonObject object((*list)[i], itemPlace("requires", i));
    SATTN_TRY(object.isObject());
    Requirement requirement;
    const json *check;
    SATTN_TRY(object.any("check", check));
    SATTN_TRY(Expr::compile(*check, out.symbols, object.where() + ".check", requirement.check));
    SATTN_TRY(object.text("message", requirement.message, 4096));
    SATTN_TRY(object.finish());
    out.requirements.push_back(std::move(requirement));
  }
  return success();
}

Status ManifestReader::read() {
  SATTN_TRY(top.isObject());
  SATTN_TRY(readHead());
  out.symbols.add("B");
  out.symbols.add("q_offset_max");
  out.symbols.add("kv_len_max");
  out.symbols.add("q_offset_gcd");
  out.symbols.add("kv_offset_gcd");
  out.symbols.add("heads_inside");
  SATTN_TRY(readOperands("roles", out.roles, false));
  SATTN_TRY(readParams());
  SATTN_TRY(readDerived());
  SATTN_TRY(readOperands("results", out.results, true));
  SATTN_TRY(readRequirements());
  const json *steps;
  SATTN_TRY(top.array("steps", maxSteps, steps));
  SATTN_TRY(readWorkspaces(steps->size()));
  SATTN_TRY(readKernels());
  SATTN_TRY(readSteps(*steps, "steps", 0, out.steps));
  out.queryAxis = out.symbols.find("t");
  out.keyAxis = out.symbols.find("s");
  return top.finish();
}

/// nlohmann's writer recurses, so the depth is bounded before a text is parsed.
static bool tooDeep(const std::string &text) {
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
    } else if (c == '"') {
      inString = true;
    } else if (c == '{' || c == '[') {
      if (++depth > 256)
        return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

static Status parseJson(const std::string &text, json &out) {
  if (text.size() > JsonObject::maxText * 2)
    return fail<Err::ManifestField>("top level", "more than 32 MiB of text");
  if (tooDeep(text))
    return fail<Err::ManifestField>("top level", "nested deeper than 256");
  out = json::parse(text, nullptr, false);
  return out.is_discarded() ? fail<Err::ManifestJson>() : success();
}

Status parseManifests(const std::string &text, std::vector<Manifest> &out) {
  out.clear();
  json parsed;
  SATTN_TRY(parseJson(text, parsed));
  if (!parsed.is_object() || !parsed.contains("bundle")) {
    SATTN_TRY(ManifestReader(parsed, out.emplace_back()).read());
    out.back().text = text;
    return success();
  }
  JsonObject bundle(parsed, "");
  int64_t format;
  const json *list;
  SATTN_TRY(bundle.integer("format", artefactFormat, artefactFormat, format));
  SATTN_TRY(bundle.array("bundle", 4096, list));
  SATTN_TRY(bundle.finish());
  for (size_t i = 0; i < list->size(); ++i) {
    Status status = ManifestReader((*list)[i], out.emplace_back()).read();
    if (status.failed())
      return fail<Err::ManifestField>(itemPlace("bundle", i), status.text());
    out.back().text = (*list)[i].dump();
  }
  return success();
}

Status parseManifestHead(const std::string &text, ManifestHead &out) {
  json parsed;
  SATTN_TRY(parseJson(text, parsed));
  JsonObject top(parsed, "");
  SATTN_TRY(top.isObject());
  SATTN_TRY(top.text("name", out.name));
  SATTN_TRY(top.text("build", out.build));
  SATTN_TRY(top.text("target", out.request.target));
  SATTN_TRY(top.text("pattern", out.request.pattern, JsonObject::maxText));
  return top.text("bind", out.request.bind, 1 << 16);
}

} // namespace sattn::rt

// Reads the launch plan of a manifest: workspaces, kernels, steps and their arguments.
#include "runtime/GpuTarget.h"
#include "runtime/ManifestReader.h"

#include <cmath>
#include <limits>

namespace sattn::rt {

using nlohmann::json;

Status ManifestReader::readWorkspaces(size_t topSteps) {
  if (!top.has("workspaces"))
    return success();
  const json *list;
  SATTN_TRY(top.array("workspaces", maxItems, list));
  for (size_t i = 0; i < list->size(); ++i) {
    JsonObject object((*list)[i], itemPlace("workspaces", i));
    SATTN_TRY(object.isObject());
    Workspace workspace;
    const json *bytes, *life;
    SATTN_TRY(object.text("name", workspace.name));
    for (const Workspace &other : out.workspaces)
      if (other.name == workspace.name)
        return object.error("name", "name '" + workspace.name + "' is taken");
    SATTN_TRY(object.any("bytes", bytes));
    SATTN_TRY(Expr::compile(*bytes, out.symbols, object.where() + ".bytes", workspace.bytes));
    SATTN_TRY(object.array("life", 2, life));
    if (life->size() != 2 || !(*life)[0].is_number_integer() || !(*life)[1].is_number_integer())
      return object.error("life", "expected two step numbers");
    auto first = (*life)[0].get<int64_t>(), last = (*life)[1].get<int64_t>();
    if (first < 0 || first > last || static_cast<uint64_t>(last) >= topSteps)
      return object.error("life", "expected 0 <= first <= last < number of steps");
    workspace.first = static_cast<int>(first);
    workspace.last = static_cast<int>(last);
    SATTN_TRY(object.finish());
    out.workspaces.push_back(std::move(workspace));
  }
  return success();
}

Status ManifestReader::readTensorMaps(JsonObject &object, KernelInfo &kernel) {
  if (!object.has("maps"))
    return success();
  const json *list, *box;
  SATTN_TRY(object.array("maps", maxItems, list));
  for (size_t i = 0; i < list->size(); ++i) {
    JsonObject item((*list)[i], itemPlace(object.where() + ".maps", i));
    SATTN_TRY(item.isObject());
    TensorMapInfo map;
    SATTN_TRY(item.integer("arg", 0, 255, map.arg));
    SATTN_TRY(item.integer("bytes", 1, 8, map.bytes));
    SATTN_TRY(item.integer("inner", 1, 1 << 16, map.inner));
    SATTN_TRY(item.array("box", 2, box));
    for (size_t axis = 0; axis < 2; ++axis) {
      if (box->size() != 2 || !(*box)[axis].is_number_integer() || (*box)[axis] < 1 || (*box)[axis] > 256)
        return item.error("box", "expected two extents from 1 to 256");
      map.box[axis] = (*box)[axis];
    }
    SATTN_TRY(item.finish());
    kernel.maps.push_back(map);
  }
  return success();
}

Status ManifestReader::readKernels() {
  const json *table;
  SATTN_TRY(top.object("kernels", table));
  if (table->size() > maxItems)
    return top.error("kernels", "more than 1024 items");
  for (auto entry = table->begin(); entry != table->end(); ++entry) {
    JsonObject object(entry.value(), "kernels." + entry.key());
    SATTN_TRY(object.isObject());
    KernelInfo kernel;
    kernel.name = entry.key();
    SATTN_TRY(object.text("symbol", kernel.symbol));
    if (kernel.symbol.empty())
      return object.error("symbol", "expected a name");
    if (isGpuTarget(out.request.target)) {
      SATTN_TRY(object.integer("threads", 1, 1024, kernel.threads));
      SATTN_TRY(object.integer("shared", 0, maxScratch, kernel.shared));
      const json *align;
      SATTN_TRY(object.array("align", maxItems, align));
      for (const json &bytes : *align) {
        if (!bytes.is_number_integer() || bytes < 0 || bytes > 256)
          return object.error("align", "expected numbers of bytes");
        kernel.align.push_back(bytes);
      }
      SATTN_TRY(readTensorMaps(object, kernel));
    } else {
      SATTN_TRY(object.integer("scratch", 0, maxScratch, kernel.scratch));
      kernel.scratch = (kernel.scratch + 63) / 64 * 64;
    }
    SATTN_TRY(object.finish());
    out.kernels.push_back(std::move(kernel));
  }
  return success();
}

int ManifestReader::findKernel(const std::string &name) const {
  for (size_t i = 0; i < out.kernels.size(); ++i)
    if (out.kernels[i].name == name)
      return static_cast<int>(i);
  return -1;
}

Status ManifestReader::readExprs(JsonObject &object, const char *field, std::array<Expr, 3> &exprs) {
  const json *list;
  SATTN_TRY(object.array(field, 3, list));
  if (list->size() != 3)
    return object.error(field, "expected three expressions");
  for (size_t i = 0; i < 3; ++i)
    SATTN_TRY(Expr::compile((*list)[i], out.symbols, itemPlace(object.where() + "." + field, i), exprs[i]));
  return success();
}

Status ManifestReader::readOrder(const JsonObject &object, const json &json, Step &step) {
  bool seen[3] = {};
  for (size_t i = 0; i < json.size(); ++i) {
    std::string text = json[i].is_string() ? json[i].get<std::string>() : "";
    bool reversed = text.size() == 2 && text[0] == '-';
    int axis = text.size() == 1u + reversed ? text[reversed] - 'x' : -1;
    if (json.size() != 3 || axis < 0 || axis > 2 || seen[axis])
      return object.error("order", "expected the axes x, y, z in some order, '-' before those that run from the end");
    seen[axis] = true;
    step.order[i] = {static_cast<uint8_t>(axis), reversed};
  }
  return json.empty() ? object.error("order", "expected three axes") : success();
}

Status ManifestReader::readWorkspaceArg(JsonObject &object, KernelArg &arg) {
  std::string name;
  SATTN_TRY(object.text("workspace", name));
  arg.kind = KernelArg::Kind::Workspace;
  arg.index = -1;
  for (size_t i = 0; i < out.workspaces.size(); ++i)
    if (out.workspaces[i].name == name)
      arg.index = static_cast<int>(i);
  if (arg.index < 0)
    return object.error("workspace", "unknown workspace '" + name + "'");
  if (topStep < out.workspaces[arg.index].first || topStep > out.workspaces[arg.index].last)
    return object.error("workspace", "workspace '" + name + "' is used outside its life");
  SATTN_TRY(readExprs(object, "counts", arg.counts));
  return readExprs(object, "strides", arg.strides);
}

Status ManifestReader::readFloatArg(JsonObject &object, KernelArg &arg) {
  const json *value;
  SATTN_TRY(object.any("float", value));
  if (value->is_number()) {
    arg.kind = KernelArg::Kind::FloatConstant;
    arg.constant = static_cast<float>(value->get<double>());
    return std::isfinite(arg.constant) ? success() : object.error("float", "expected a float32 number");
  }
  arg.kind = KernelArg::Kind::FloatParam;
  std::string name = value->is_string() ? value->get<std::string>() : "";
  for (size_t i = 0; i < out.params.size(); ++i)
    if (name == "$" + out.params[i].name && out.params[i].isFloat) {
      arg.index = static_cast<int>(i);
      return success();
    }
  return object.error("float", "expected a number or $param of a float param");
}

Status ManifestReader::readArg(const json &json, const std::string &where, KernelArg &arg) {
  JsonObject object(json, where);
  SATTN_TRY(object.isObject());
  std::string name;
  if (object.has("role")) {
    SATTN_TRY(object.text("role", name));
    arg.kind = KernelArg::Kind::Role;
    arg.index = findOperand(out.roles, name);
    if (arg.index < 0)
      return object.error("role", "unknown role '" + name + "'");
  } else if (object.has("result")) {
    SATTN_TRY(object.text("result", name));
    arg.kind = KernelArg::Kind::Result;
    arg.index = findOperand(out.results, name);
    if (arg.index < 0)
      return object.error("result", "unknown result '" + name + "'");
  } else if (object.has("pages")) {
    const nlohmann::json *value;
    arg.kind = KernelArg::Kind::Pages;
    SATTN_TRY(object.any("pages", value));
    if (*value != true || out.page == 0)
      return object.error("pages", "expected true, in a manifest with roles in pages");
  } else if (object.has("workspace")) {
    SATTN_TRY(readWorkspaceArg(object, arg));
  } else if (object.has("index")) {
    const nlohmann::json *value;
    arg.kind = KernelArg::Kind::Index;
    SATTN_TRY(object.any("index", value));
    SATTN_TRY(Expr::compile(*value, out.symbols, where + ".index", arg.value));
  } else if (object.has("float")) {
    SATTN_TRY(readFloatArg(object, arg));
  } else if (object.has("per_batch")) {
    SATTN_TRY(object.text("per_batch", name));
    arg.kind = KernelArg::Kind::PerBatch;
    for (arg.index = 0; arg.index < perBatchCount && name != perBatchName(static_cast<PerBatch>(arg.index));)
      ++arg.index;
    if (arg.index == perBatchCount)
      return object.error("per_batch", "expected q_offset, kv_offset or kv_len");
    out.usesPerBatch[static_cast<size_t>(arg.index)] = true;
  } else {
    return fail<Err::ManifestField>(where, "expected a role, result, pages, workspace, index, float or per_batch");
  }
  return object.finish();
}

Status ManifestReader::readKernelStep(JsonObject &object, Step &step) {
  std::string name;
  step.kind = Step::Kind::Kernel;
  SATTN_TRY(object.text("kernel", name));
  step.kernel = findKernel(name);
  if (step.kernel < 0)
    return object.error("kernel", "unknown kernel '" + name + "'");
  SATTN_TRY(readExprs(object, "grid", step.grid));
  if (object.has("order")) {
    const json *order;
    SATTN_TRY(object.array("order", 3, order));
    SATTN_TRY(readOrder(object, *order, step));
  }
  const json *args;
  SATTN_TRY(object.array("args", 256, args));
  for (size_t i = 0; i < args->size(); ++i) {
    SATTN_TRY(readArg((*args)[i], itemPlace(step.where + ".args", i), step.args.emplace_back()));
    step.frameSlots += step.args.back().slots();
  }
  for (const TensorMapInfo &map : out.kernels[static_cast<size_t>(step.kernel)].maps)
    if (static_cast<size_t>(map.arg) >= step.args.size() || step.args[static_cast<size_t>(map.arg)].slots() == 1)
      return object.error("args", "expected a view at number " + std::to_string(map.arg) + ", of which '" + name +
                                      "' has a tensor map");
  return object.finish();
}

Status ManifestReader::readLoop(JsonObject &object, int depth, Step &step) {
  step.kind = Step::Kind::Loop;
  const json *header, *body, *count;
  std::string variable;
  SATTN_TRY(object.object("loop", header));
  JsonObject loop(*header, step.where + ".loop");
  SATTN_TRY(loop.text("var", variable));
  SATTN_TRY(loop.any("count", count));
  SATTN_TRY(loop.finish());
  SATTN_TRY(Expr::compile(*count, out.symbols, step.where + ".loop.count", step.condition));
  step.variable = out.symbols.add(variable);
  if (step.variable < 0)
    return loop.error("var", "name '" + variable + "' is taken");
  SATTN_TRY(object.any("body", body));
  SATTN_TRY(readSteps(*body, step.where + ".body", depth + 1, step.body));
  out.symbols.hide(step.variable);
  return object.finish();
}

Status ManifestReader::readStep(const json &json, const std::string &where, int depth, Step &step) {
  if (++stepCount > maxSteps)
    return fail<Err::ManifestField>(where, "more than 4096 steps");
  step.where = where;
  JsonObject object(json, where);
  SATTN_TRY(object.isObject());
  if (object.has("kernel"))
    return readKernelStep(object, step);
  if (object.has("loop"))
    return readLoop(object, depth, step);
  if (!object.has("if"))
    return fail<Err::ManifestField>(where, "expected a kernel, a loop or an if");
  step.kind = Step::Kind::If;
  const nlohmann::json *condition, *body;
  SATTN_TRY(object.any("if", condition));
  SATTN_TRY(Expr::compile(*condition, out.symbols, where + ".if", step.condition));
  SATTN_TRY(object.any("body", body));
  SATTN_TRY(readSteps(*body, where + ".body", depth + 1, step.body));
  return object.finish();
}

Status ManifestReader::readSteps(const json &json, const std::string &where, int depth, std::vector<Step> &steps) {
  if (!json.is_array() || json.size() > maxSteps)
    return fail<Err::ManifestField>(where, "expected an array of steps");
  if (depth > static_cast<int>(maxDepth))
    return fail<Err::ManifestField>(where, "steps are nested deeper than 8");
  steps.reserve(json.size());
  for (size_t i = 0; i < json.size(); ++i) {
    if (depth == 0)
      topStep = static_cast<int>(i);
    SATTN_TRY(readStep(json[i], itemPlace(where, i), depth, steps.emplace_back()));
  }
  return success();
}

} // namespace sattn::rt

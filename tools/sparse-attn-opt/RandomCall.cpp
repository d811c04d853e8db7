// Sizes first, then arrays, params and offsets, all from the number of the call.
#include "tools/sparse-attn-opt/RandomCall.h"
#include "dialects/pattern/Formula.h"
#include "dialects/pattern/KeySet.h"
#include "lib/transforms/Bindings.h"

using namespace sattn;

RandomCalls::RandomCalls(PatternOp pattern, StringRef bind) : pattern(pattern) {
  // Defaults of static params first, then what the bind says.
  for (ParamAttr param : pattern.getParams().getAsRange<ParamAttr>())
    if (param.getIsStatic() && param.getDefaultValue())
      bound[param.getName()] = number(param.getDefaultValue());
  std::string error;
  FailureOr<BindingList> items = bind.empty() ? BindingList() : parseBindings(bind, error);
  if (succeeded(items))
    for (const auto &[name, text] : *items)
      if (int64_t value = 0; !StringRef(text).getAsInteger(10, value))
        bound[name] = value;
}

int64_t RandomCalls::number(ExprAttr expr) const {
  auto leaf = [&](ExprAttr leaf) -> std::optional<int64_t> {
    auto found = leaf.is(ExprKind::Name) ? bound.find(leaf.getText()) : bound.end();
    return found == bound.end() ? std::nullopt : std::optional(found->second);
  };
  return evaluateInt(expr, leaf).value_or(1);
}

int64_t RandomCalls::sizeOf(AxisAttr axis) {
  if (axis.isFixed())
    return axis.getSize();
  if (axis.isFeature()) {
    auto known = bound.find(axis.getName());
    return known == bound.end() ? 8 : known->second;
  }
  if (!axis.isBlocks())
    return sizes.lookup(axis.getName());
  int64_t length = number(axis.getLen()), stride = number(axis.getStride());
  if (axis.kind() == AxisKind::RowBlocks)
    return llvm::divideCeil(sizes.lookup("t"), length);
  int64_t keys = sizes.lookup("s");
  return keys < length ? 0 : (keys - length) / stride + 1;
}

ref::Array RandomCalls::array(RoleAttr role, std::mt19937_64 &random) {
  SmallVector<int64_t> shape;
  if (llvm::any_of(role.getAxes(), [](AxisAttr axis) { return axis.isPosition(); }))
    shape.push_back(sizes.lookup("B"));
  for (AxisAttr axis : role.getAxes())
    shape.push_back(sizeOf(axis));
  ref::Array array = ref::Array::zeros(shape);
  for (double &element : array.data)
    element = role.getIsInt() ? static_cast<double>(random() % 5) - 1 : (static_cast<double>(random() % 33) - 16) / 8;
  return array;
}

ref::Call RandomCalls::make(int index) {
  std::mt19937_64 random(0x5EED0000 + static_cast<uint64_t>(index));
  auto between = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % (high - low + 1)); };
  sizes.clear();
  sizes["B"] = between(1, 2);
  int64_t keys = between(1, 90), rows = between(0, 2) == 0 ? keys : between(1, keys);
  sizes["s"] = keys;
  sizes["t"] = rows;
  // Every further head axis serves the query heads.
  int64_t heads = 1;
  for (RoleAttr role : pattern.getRoles().getAsRange<RoleAttr>())
    for (AxisAttr axis : role.getAxes())
      if (axis.isHead() && axis.getName() != "h")
        heads = std::lcm(heads, bound.lookup(axis.getName() == "g" ? "group" : ("group." + axis.getName()).str()));
  heads = std::max<int64_t>(1, heads) * between(1, 2);
  sizes["h"] = heads;
  for (RoleAttr role : pattern.getRoles().getAsRange<RoleAttr>())
    for (AxisAttr axis : role.getAxes())
      if (axis.isHead() && axis.getName() != "h") {
        int64_t group = bound.lookup(axis.getName() == "g" ? "group" : ("group." + axis.getName()).str());
        sizes[axis.getName()] = group > 0 ? heads / group : heads;
      }
  ref::Call call;
  for (RoleAttr role : pattern.getRoles().getAsRange<RoleAttr>())
    call.roles[role.getName()] = array(role, random);
  for (ParamAttr param : pattern.getParams().getAsRange<ParamAttr>()) {
    if (!param.getIsStatic() && !param.getIsFloat() && between(0, 1) == 1)
      call.params[param.getName()] = static_cast<double>(between(0, keys));
    else if (param.getIsStatic())
      call.params[param.getName()] = static_cast<double>(bound.lookup(param.getName()));
  }
  if (rows != keys || between(0, 3) == 0)
    for (int64_t b = 0; b < sizes["B"]; ++b)
      call.qOffset.push_back(between(0, 2) == 0 ? between(0, 100) : keys - rows);
  if (between(0, 3) == 0)
    for (int64_t b = 0; b < sizes["B"]; ++b)
      call.kvLen.push_back(between(0, keys));
  sizesText.clear();
  for (StringRef name : {"B", "t", "s", "h", "g"})
    if (sizes.count(name))
      sizesText += (sizesText.empty() ? "" : " ") + name.str() + "=" + std::to_string(sizes.lookup(name));
  return call;
}

// Reading bind texts and bind dictionaries.
#include "lib/transforms/Bindings.h"
#include "dialects/pattern/Formula.h"
#include "llvm/ADT/StringSet.h"

namespace sattn {

FailureOr<BindingList> parseBindings(StringRef text, std::string &error) {
  BindingList bindings;
  llvm::StringSet<> seen;
  SmallVector<StringRef> entries;
  text.split(entries, ',');
  for (StringRef entry : entries) {
    if (entry.trim().empty())
      continue;
    auto [name, value] = entry.split('=');
    name = name.trim();
    value = value.trim();
    if (name.empty() || value.empty() || !entry.contains('=')) {
      error = ("[SA0202] binding '" + entry.trim() + "' is malformed: write name=value, separated by commas").str();
      return failure();
    }
    if (!seen.insert(name).second) {
      error = ("[SA0202] '" + name + "' is bound twice: give it once").str();
      return failure();
    }
    bindings.emplace_back(name.str(), value.str());
  }
  return bindings;
}

FailureOr<BindingList> bindingsFor(PatternOp pattern, StringRef text) {
  std::string error;
  auto bindings = parseBindings(text, error);
  if (failed(bindings))
    return pattern.emitError() << error;
  return bindings;
}

llvm::StringMap<int64_t> integersOf(const BindingList &bindings) {
  llvm::StringMap<int64_t> integers;
  for (const auto &[name, value] : bindings)
    if (int64_t number = 0; !StringRef(value).getAsInteger(10, number))
      integers[name] = number;
  return integers;
}

mlir::FloatType parseDtype(MLIRContext *context, StringRef word) {
  if (word == "f32")
    return mlir::Float32Type::get(context);
  if (word == "f16")
    return mlir::Float16Type::get(context);
  if (word == "bf16")
    return mlir::BFloat16Type::get(context);
  return {};
}

StringRef dtypeName(Type type) {
  if (type.isInteger(8))
    return type.isUnsignedInteger() ? "u8" : "i8";
  return type.isF32() ? "f32" : type.isF16() ? "f16" : type.isBF16() ? "bf16" : "i32";
}

bool isKept(mlir::Operation *op) {
  Value from;
  if (auto summary = dyn_cast<SummarizeOp>(op)) {
    from = summary.getX();
  } else if (auto code = dyn_cast<EncodeOp>(op); code && code.getHow() != CodeKind::Hadamard) {
    from = code.getX();
    if (auto transform = from.getDefiningOp<EncodeOp>())
      from = transform.getX();
  }
  auto role = dyn_cast_or_null<mlir::BlockArgument>(from);
  if (!role)
    return false;
  auto roles = op->getParentOfType<PatternOp>().getRoles();
  return llvm::any_of(cast<RoleAttr>(roles[role.getArgNumber()]).getAxes(),
                      [](AxisAttr axis) { return axis.isKey() && !axis.isBlocks(); });
}

std::optional<int64_t> BoundPattern::integer(StringRef name) const {
  if (auto value = bind ? dyn_cast_or_null<mlir::IntegerAttr>(bind.get(name)) : mlir::IntegerAttr())
    return value.getInt();
  return std::nullopt;
}

Type BoundPattern::dtype(RoleAttr role) const {
  if (role.getIsInt())
    return mlir::IntegerType::get(pattern.getContext(), 32);
  if (auto type = dyn_cast_or_null<mlir::TypeAttr>(bind.get(("dtype." + role.getName()).str())))
    return type.getValue();
  return mlir::Float32Type::get(pattern.getContext());
}

int64_t BoundPattern::elementBytes(Value tensor) const {
  RoleAttr stored = role(tensor);
  return stored ? dtype(stored).getIntOrFloatBitWidth() / 8 : 4;
}

RoleAttr BoundPattern::role(Value tensor) const {
  auto argument = dyn_cast<mlir::BlockArgument>(tensor);
  return argument ? cast<RoleAttr>(pattern.getRoles()[argument.getArgNumber()]) : RoleAttr();
}

bool BoundPattern::mayBePaged(RoleAttr role) {
  ArrayRef<AxisAttr> axes = role.getAxes();
  return !role.getIsInt() && !axes.empty() && axes.back().isFeature() &&
         llvm::any_of(axes, [](AxisAttr axis) { return axis.kind() == AxisKind::Keys; });
}

std::optional<int64_t> BoundPattern::page(RoleAttr role) const {
  return mayBePaged(role) ? integer("paged") : std::nullopt;
}

StringRef BoundPattern::dataflow() const {
  auto word = bind ? bind.getAs<mlir::StringAttr>("dataflow") : mlir::StringAttr();
  return word ? word.getValue() : StringRef();
}

int64_t BoundPattern::size(AxisAttr axis) const {
  if (!axis)
    return 1;
  // The first features of a tensor.
  if (axis.isFeature() && axis.getLen())
    return literalInt(axis.getLen()).value_or(1);
  return axis.isFixed() ? axis.getSize() : integer(axis.getName()).value_or(1);
}

std::optional<int64_t> BoundPattern::headRatio(AxisAttr axis) const {
  if (!axis || axis.isFixed())
    return std::nullopt;
  if (axis.getName() == "h")
    return 1;
  return integer(axis.getName() == "g" ? std::string("group") : "group." + axis.getName().str());
}

} // namespace sattn

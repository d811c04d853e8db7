// Checks a call and names its sizes. Messages give the role, the axis and both sizes.
#include "lib/reference/Binding.h"
#include "dialects/pattern/KeySet.h"
#include <cmath>

namespace sattn::ref {

int64_t countBlocks(Blocks blocks, bool ragged, int64_t size) {
  if (ragged && blocks.disjoint())
    return (size + blocks.length - 1) / blocks.length;
  return size < blocks.length ? 0 : (size - blocks.length) / blocks.stride + 1;
}

bool hasBatch(ArrayRef<AxisAttr> axes) {
  return llvm::any_of(axes, [](AxisAttr axis) { return axis.isPosition(); });
}

double Binding::number(ExprAttr expr, Errors &errors) const {
  std::string error;
  Scope scope;
  scope.numbers = &numbers;
  scope.heads = &heads;
  FailureOr<Formula> formula = Formula::bind(expr, scope, error);
  if (failed(formula)) {
    errors.fail() << error;
    return 0.0;
  }
  return formula->value({}, [](int64_t, ArrayRef<int64_t>) { return 0.0; });
}

int64_t Binding::integer(ExprAttr expr, Errors &errors) const { return static_cast<int64_t>(number(expr, errors)); }

Blocks Binding::blocks(AxisAttr axis, Errors &errors) const {
  if (!axis.isBlocks())
    return {};
  Blocks blocks{integer(axis.getLen(), errors), integer(axis.getStride(), errors)};
  if (blocks.stride < 1 || blocks.length < blocks.stride) {
    errors.fail() << "blocks '" << toText(axis) << "' have length " << blocks.length << " and stride " << blocks.stride
                  << ": need 1 <= stride <= length";
    return {};
  }
  return blocks;
}

int64_t Binding::keyBlocks(Blocks blocks, bool ragged, int64_t b) const {
  return countBlocks(blocks, ragged, kvLen[b]);
}

namespace {

class Binder {
public:
  Binder(PatternOp pattern, const Call &call, Errors &errors) : pattern(pattern), call(call), errors(errors) {}

  FailureOr<Binding> run() {
    bool ok = ranks() && plainAxes() && params() && blockAxes() && groups() && positions() && rowList();
    if (!ok || errors.occurred())
      return failure();
    return binding;
  }

private:
  /// Calls `visit(role, array, axis, extent)` for each axis of each role.
  void forEachAxis(llvm::function_ref<void(RoleAttr, AxisAttr, int64_t)> visit) {
    for (auto role : pattern.getRoles().getAsRange<RoleAttr>()) {
      const Array &array = call.roles.find(role.getName())->second;
      for (auto [i, axis] : llvm::enumerate(role.getAxes()))
        visit(role, axis, array.shape[i + hasBatch(role.getAxes())]);
    }
  }

  bool ranks() {
    for (auto role : pattern.getRoles().getAsRange<RoleAttr>()) {
      auto found = call.roles.find(role.getName());
      if (found == call.roles.end())
        return errors.fail() << "role '" << role.getName() << "' is not given", false;
      size_t rank = role.getAxes().size() + hasBatch(role.getAxes());
      if (found->second.shape.size() != rank)
        return errors.fail() << "role '" << role.getName() << "' has " << found->second.shape.size()
                             << " axes but needs " << rank
                             << (hasBatch(role.getAxes()) ? ", the first of them the batch" : ""),
               false;
      if (found->second.size() != static_cast<int64_t>(found->second.data.size()))
        return errors.fail() << "role '" << role.getName() << "' has " << found->second.data.size()
                             << " elements but its shape needs " << found->second.size(),
               false;
    }
    for (const auto &given : call.roles)
      if (llvm::none_of(pattern.getRoles().getAsRange<RoleAttr>(),
                        [&](RoleAttr role) { return role.getName() == given.getKey(); }))
        return errors.fail() << "@" << pattern.getSymName() << " has no role '" << given.getKey() << "'", false;
    return true;
  }

  /// One size for `what` over all roles.
  void agree(StringRef what, RoleAttr role, int64_t size) {
    auto [known, added] = seen.try_emplace(what, role.getName().str(), size);
    if (!added && known->second.second != size)
      errors.fail() << "role '" << known->second.first << "' has " << known->second.second << " of '" << what
                    << "' but '" << role.getName() << "' has " << size << ": axes of one name have one size";
  }

  bool plainAxes() {
    for (auto role : pattern.getRoles().getAsRange<RoleAttr>())
      if (hasBatch(role.getAxes()))
        agree("batch", role, call.roles.find(role.getName())->second.shape[0]);
    forEachAxis([&](RoleAttr role, AxisAttr axis, int64_t size) {
      if (axis.isFixed() ? axis.getSize() != size : axis.isFeature() && size == 0)
        errors.fail() << "role '" << role.getName() << "' has " << size << " of '" << toText(axis) << "' but needs "
                      << (axis.isFixed() ? axis.getSize() : 1);
      if (axis.isFixed() || axis.isBlocks())
        return;
      agree(axis.getName(), role, size);
      if (axis.kind() == AxisKind::Rows)
        binding.rows = size;
      else if (axis.kind() == AxisKind::Keys)
        binding.keys = size;
      else if (axis.isHead())
        binding.heads[axis.getName()] = size;
      else
        binding.numbers[axis.getName()] = static_cast<double>(size);
    });
    if (auto batch = seen.find("batch"); batch != seen.end())
      binding.batch = batch->second.second;
    return !errors.occurred();
  }

  /// What the specialised pattern is bound to under `name`: a static param or the size of a feature axis.
  std::optional<double> bound(StringRef name) {
    auto bind = pattern.getBind();
    Attribute value = bind ? bind->get(name) : Attribute();
    if (auto integer = dyn_cast_or_null<mlir::IntegerAttr>(value))
      return static_cast<double>(integer.getInt());
    if (auto real = dyn_cast_or_null<mlir::FloatAttr>(value))
      return real.getValueAsDouble();
    return std::nullopt;
  }

  /// Refuses a value other than the one that the pattern is specialised for.
  bool agreesWithBound(StringRef name, double value) {
    std::optional<double> fixed = bound(name);
    if (!fixed || *fixed == value)
      return true;
    errors.fail() << "'" << name << "' is " << value << " but the pattern is specialised for " << *fixed;
    return false;
  }

  bool params() {
    for (const auto &size : binding.numbers)
      if (!agreesWithBound(size.getKey(), size.second))
        return false;
    for (auto param : pattern.getParams().getAsRange<ParamAttr>()) {
      StringRef name = param.getName();
      std::optional<double> value;
      if (auto given = call.params.find(name); given != call.params.end())
        value = given->second;
      else if (param.getDefaultValue())
        value = binding.number(param.getDefaultValue(), errors);
      if (!value)
        return errors.fail() << "param '" << name << "' has no default: give its value", false;
      if (!param.getIsFloat() && std::floor(*value) != *value)
        return errors.fail() << "param '" << name << "' is an int but is given " << *value, false;
      binding.numbers[name] = *value;
    }
    for (const auto &given : call.params) {
      if (!agreesWithBound(given.getKey(), given.second))
        return false;
      if (llvm::none_of(pattern.getParams().getAsRange<ParamAttr>(),
                        [&](ParamAttr param) { return param.getName() == given.getKey(); }) &&
          !bound(given.getKey()))
        return errors.fail() << "@" << pattern.getSymName() << " has no param '" << given.getKey() << "'", false;
    }
    return !errors.occurred();
  }

  /// Blocks of rows are as many as T needs; blocks of keys the complete ones or as many as S needs.
  bool blockAxes() {
    bool anyKeys = seen.contains("s"), anyRows = seen.contains("t");
    forEachAxis([&](RoleAttr role, AxisAttr axis, int64_t size) {
      if (!axis.isBlocks() || errors.occurred())
        return;
      Blocks blocks = binding.blocks(axis, errors);
      agree(toText(axis), role, size);
      bool rows = axis.kind() == AxisKind::RowBlocks;
      int64_t &positions = rows ? binding.rows : binding.keys;
      if (!(rows ? anyRows : anyKeys))
        positions = std::max(positions, size ? (size - 1) * blocks.stride + blocks.length : 0);
      int64_t all = countBlocks(blocks, true, positions), complete = countBlocks(blocks, false, positions);
      if (size != all && (rows || size != complete)) {
        auto error = errors.fail() << "role '" << role.getName() << "' has " << size << " of '" << toText(axis)
                                   << "' but " << positions << " positions make " << all;
        if (!rows && all != complete)
          error << ", " << complete << " of them complete";
      }
    });
    return !errors.occurred();
  }

  bool groups() {
    int64_t query = 0;
    for (const auto &axis : binding.heads)
      if (axis.getKey() == "h")
        query = axis.getValue();
    forEachAxis([&](RoleAttr role, AxisAttr axis, int64_t size) {
      if (axis.isHead() && size == 0)
        errors.fail() << "role '" << role.getName() << "' has no heads (axis '" << axis.getName() << "')";
      else if (axis.getName() == "g" && query && query % size)
        errors.fail() << size << " kv heads do not divide " << query << " query heads (role '" << role.getName()
                      << "', axis 'g')";
    });
    return !errors.occurred();
  }

  bool perBatch(StringRef what, const std::vector<int64_t> &given, int64_t otherwise, int64_t most,
                std::vector<int64_t> &into) {
    into = given.empty() ? std::vector<int64_t>(binding.batch, otherwise) : given;
    if (static_cast<int64_t>(into.size()) != binding.batch)
      return errors.fail() << "'" << what << "' has " << into.size() << " numbers for a batch of " << binding.batch,
             false;
    for (int64_t value : into)
      if (value < 0 || value > most)
        return errors.fail() << "'" << what << "' is " << value << ", outside 0 to " << most, false;
    return true;
  }

  bool positions() {
    constexpr int64_t farthest = int64_t(1) << 52; // exact as float64
    if (!perBatch("q_offset", call.qOffset, 0, farthest, binding.qOffset) ||
        !perBatch("kv_offset", call.kvOffset, 0, farthest, binding.kvOffset) ||
        !perBatch("kv_len", call.kvLen, binding.keys, binding.keys, binding.kvLen))
      return false;
    forEachAxis([&](RoleAttr role, AxisAttr axis, int64_t) {
      if (!axis.isBlocks())
        return;
      bool rows = axis.kind() == AxisKind::RowBlocks;
      int64_t stride = binding.blocks(axis, errors).stride;
      for (int64_t offset : rows ? binding.qOffset : binding.kvOffset)
        if (offset % stride)
          errors.fail() << (rows ? "q_offset " : "kv_offset ") << offset << " is not a multiple of the stride "
                        << stride << " of '" << toText(axis) << "' (role '" << role.getName() << "')";
    });
    return !errors.occurred();
  }

  bool rowList() {
    for (int64_t row : call.rows.value_or(SmallVector<int64_t>()))
      if (row < 0 || row >= binding.rows)
        return errors.fail() << "row " << row << " is outside the " << binding.rows << " query rows", false;
    return true;
  }

  PatternOp pattern;
  const Call &call;
  Errors &errors;
  Binding binding;
  llvm::StringMap<std::pair<std::string, int64_t>> seen;
};

} // namespace

FailureOr<Binding> bindCall(PatternOp pattern, const Call &call, Errors &errors) {
  return Binder(pattern, call, errors).run();
}

} // namespace sattn::ref

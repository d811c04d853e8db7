// sattn-specialize: binds element types, feature sizes, head groups and static params, and expands what only reads
// well in the author's text. See Passes.td.
#include "dialects/pattern/KeySet.h"
#include "lib/transforms/Heads.h"
#include "lib/transforms/Passes.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include <map>

namespace sattn {
#define GEN_PASS_DEF_SATTNSPECIALIZE
#include "lib/transforms/Passes.h.inc"

namespace {
using mlir::ArrayAttr;
using mlir::StringAttr;

/// Gathers the bind dictionary of a pattern from a binding list, checking every name and value.
class Binder {
public:
  Binder(PatternOp pattern, BindingList given) : pattern(pattern), builder(pattern.getContext()) {
    for (auto &[name, value] : given)
      left.insert({name, value});
  }

  /// Values of static params and feature axes by name, as literals.
  llvm::StringMap<ExprAttr> numbers;

  FailureOr<mlir::DictionaryAttr> run() {
    if (failed(dtypes()) || failed(features()) || failed(groups()) || failed(pages()) || failed(staticParams()) ||
        failed(keep()) || failed(dataflow()) || failed(nothingLeft()))
      return failure();
    return entries.getDictionary(pattern.getContext());
  }

private:
  std::optional<std::string> take(StringRef name) {
    known.push_back(name.str());
    auto found = left.find(name.str());
    if (found == left.end())
      return std::nullopt;
    std::string value = found->second;
    left.erase(found);
    return value;
  }

  LogicalResult integer(StringRef name, StringRef text, int64_t least, int64_t most, int64_t &value) {
    if (!text.getAsInteger(10, value) && value >= least && value <= most)
      return success();
    return pattern.emitError() << "[SA0206] '" << name << "' is bound to '" << text << "': expected an integer from "
                               << least << " to " << most;
  }

  void set(StringRef name, int64_t value) {
    entries.set(name, builder.getI64IntegerAttr(value));
    numbers[name] = intExpr(pattern.getContext(), value);
  }

  LogicalResult dtypes() {
    auto all = take("dtype");
    for (auto role : pattern.getRoles().getAsRange<RoleAttr>()) {
      if (role.getIsInt())
        continue;
      std::string name = ("dtype." + role.getName()).str();
      auto word = take(name);
      if (!word)
        word = all;
      if (!word)
        return pattern.emitError() << "[SA0204] element type of role '" << role.getName()
                                   << "' is not bound: give dtype=f32|f16|bf16 or " << name << "=...";
      mlir::FloatType type = parseDtype(pattern.getContext(), *word);
      if (!type)
        return pattern.emitError() << "[SA0206] role '" << role.getName() << "' is bound to element type '" << *word
                                   << "': expected f32, f16 or bf16";
      entries.set(name, mlir::TypeAttr::get(type));
    }
    return success();
  }

  LogicalResult features() {
    return forEachAxis([&](AxisAttr axis) -> LogicalResult {
      StringRef name = axis.getName();
      if (!axis.isFeature() || entries.get(name))
        return success();
      auto text = take(name);
      if (!text)
        return pattern.emitError() << "[SA0204] size of feature axis '" << name << "' is not bound: give " << name
                                   << "=...";
      int64_t value = 0;
      if (failed(integer(name, *text, 1, maxFeatures, value)))
        return failure();
      set(name, value);
      return success();
    });
  }

  // Query heads for each head of every other head axis.
  LogicalResult groups() {
    llvm::SmallSetVector<StringRef, 4> axes;
    (void)forEachAxis([&](AxisAttr axis) {
      if (axis.isHead())
        axes.insert(axis.getName());
      return success();
    });
    for (StringRef axis : axes) {
      if (axis == "h" || !axes.contains("h"))
        continue;
      std::string name = axis == "g" ? "group" : ("group." + axis).str();
      auto text = take(name);
      if (standAlone(pattern, axis))
        continue;
      if (!text)
        return pattern.emitError() << "[SA0204] query heads for each head of axis '" << axis << "' are not bound: give "
                                   << name << "=...";
      int64_t value = 0;
      if (failed(integer(name, *text, 1, maxGroup, value)))
        return failure();
      entries.set(name, builder.getI64IntegerAttr(value));
    }
    return nested();
  }

  // Contiguous groups of two axes nest: one ratio divides the other.
  LogicalResult nested() {
    SmallVector<std::pair<StringRef, int64_t>> ratios;
    for (mlir::NamedAttribute entry : entries)
      if (entry.getName().getValue().starts_with("group"))
        ratios.emplace_back(entry.getName().getValue(), cast<mlir::IntegerAttr>(entry.getValue()).getInt());
    for (auto [a, i] : ratios)
      for (auto [b, j] : ratios)
        if (i < j && j % i != 0)
          return pattern.emitError() << "[SA0205] '" << a << "=" << i << "' does not divide '" << b << "=" << j
                                     << "': groups of heads are contiguous and nest";
    return success();
  }

  // Keys and values lie in pages of so many positions.
  LogicalResult pages() {
    auto text = take("paged");
    if (!text)
      return success();
    if (llvm::none_of(pattern.getRoles().getAsRange<RoleAttr>(), BoundPattern::mayBePaged))
      return pattern.emitError() << "[SA0205] 'paged' is bound, but @" << pattern.getSymName()
                                 << " has no role of floats over 's' with features that pages could hold: leave it out";
    int64_t value = 0;
    if (failed(integer("paged", *text, 1, maxPage, value)))
      return failure();
    entries.set("paged", builder.getI64IntegerAttr(value));
    return success();
  }

  LogicalResult staticParams() {
    for (auto param : pattern.getParams().getAsRange<ParamAttr>()) {
      StringRef name = param.getName();
      if (!param.getIsStatic()) {
        if (left.contains(name.str()))
          return pattern.emitError() << "[SA0205] param '" << name
                                     << "' is dynamic: give it at the call, or declare it static";
        continue;
      }
      if (name == "group" || name == "dtype" || name == "paged" || name == "keep" || name == "dataflow")
        return pattern.emitError() << "[SA0205] static param '" << name << "' has the name of a binding: rename it";
      if (failed(param.getIsFloat() ? floatParam(param) : intParam(param)))
        return failure();
    }
    return success();
  }

  std::optional<ExprAttr> defaultOf(ParamAttr param) {
    if (!param.getDefaultValue())
      return std::nullopt;
    return substitute(param.getDefaultValue());
  }

  LogicalResult missing(ParamAttr param) {
    return pattern.emitError() << "[SA0204] static param '" << param.getName()
                               << "' has no default and is not bound: give " << param.getName() << "=...";
  }

  LogicalResult intParam(ParamAttr param) {
    StringRef name = param.getName();
    int64_t value = 0;
    if (auto text = take(name)) {
      if (failed(integer(name, *text, 0, maxDivisor, value)))
        return failure();
    } else {
      auto folded = defaultOf(param);
      if (!folded)
        return missing(param);
      auto literal = evaluateInt(*folded, [](ExprAttr) { return std::nullopt; });
      if (!literal || *literal < 0 || *literal > maxDivisor)
        return pattern.emitError() << "[SA0206] default of static param '" << name << "' is '" << toText(*folded)
                                   << "': expected an integer from 0 to " << maxDivisor;
      value = *literal;
    }
    set(name, value);
    return success();
  }

  LogicalResult floatParam(ParamAttr param) {
    StringRef name = param.getName();
    double value = 0;
    if (auto text = take(name)) {
      if (StringRef(*text).getAsDouble(value))
        return pattern.emitError() << "[SA0206] '" << name << "' is bound to '" << *text << "': expected a number";
    } else {
      auto folded = defaultOf(param);
      if (!folded)
        return missing(param);
      auto literal = evaluateFloat(*folded, [](ExprAttr) { return std::nullopt; });
      if (!literal)
        return pattern.emitError() << "[SA0206] default of static param '" << name << "' is '" << toText(*folded)
                                   << "', which is not known when compiling: write a number or bind it";
      value = *literal;
    }
    entries.set(name, builder.getF64FloatAttr(value));
    numbers[name] = floatExpr(pattern.getContext(), value);
    return success();
  }

  // Summaries of keys stay with the caller between calls.
  LogicalResult keep() {
    auto word = take("keep");
    if (!word)
      return success();
    if (*word != "summaries")
      return pattern.emitError() << "[SA0206] 'keep' is bound to '" << *word << "': expected 'summaries'";
    if (llvm::none_of(pattern.getBody().front(), [](Operation &op) { return isKept(&op); }))
      return pattern.emitError() << "[SA0205] @" << pattern.getSymName()
                                 << " makes no summary or code of a role over 's' that calls could keep: leave out "
                                    "'keep'";
    entries.set("keep", builder.getStringAttr(*word));
    return success();
  }

  // Which ways of walking keys a pattern has is known when its sets are normal: sattn-to-tile looks at the word.
  LogicalResult dataflow() {
    if (auto word = take("dataflow"))
      entries.set("dataflow", builder.getStringAttr(*word));
    return success();
  }

  LogicalResult nothingLeft() {
    if (left.empty())
      return success();
    llvm::sort(known);
    return pattern.emitError() << "[SA0203] @" << pattern.getSymName() << " has nothing named '" << left.begin()->first
                               << "' to bind: known are '" << llvm::join(known, "', '") << "'";
  }

  LogicalResult forEachAxis(llvm::function_ref<LogicalResult(AxisAttr)> visit) {
    for (auto role : pattern.getRoles().getAsRange<RoleAttr>())
      for (AxisAttr axis : role.getAxes())
        if (failed(visit(axis)))
          return failure();
    return success();
  }

public:
  /// `expr` with static params and feature sizes as literals.
  ExprAttr substitute(ExprAttr expr) {
    return substituteNames(expr, [&](StringRef name) { return numbers.lookup(name); });
  }

private:
  PatternOp pattern;
  mlir::Builder builder;
  mlir::NamedAttrList entries;
  std::map<std::string, std::string> left;
  SmallVector<std::string> known;
};

/// A literal where every leaf of a number is one; `rsqrt(64)` becomes 0.125.
ExprAttr foldNumber(ExprAttr expr) {
  bool literal = true, integer = true;
  walkExpr(expr, [&](ExprAttr e) {
    literal &= !e.is(ExprKind::Name) && !e.is(ExprKind::Table);
    integer &= !e.is(ExprKind::Float) && !e.is(ExprKind::Div) && !e.is(ExprKind::Call);
    return true;
  });
  auto none = [](ExprAttr) { return std::nullopt; };
  if (!literal)
    return expr;
  if (integer) {
    auto value = evaluateInt(expr, none);
    return value ? intExpr(expr.getContext(), *value) : expr;
  }
  auto value = evaluateFloat(expr, none);
  return value ? floatExpr(expr.getContext(), *value) : expr;
}

/// Folds every literal function call inside a number or value.
ExprAttr foldCalls(ExprAttr expr) {
  return replaceExpr(expr, [](ExprAttr e) { return e.is(ExprKind::Call) ? foldNumber(e) : ExprAttr(); });
}

class Specializer {
public:
  Specializer(PatternOp pattern, Binder &binder) : pattern(pattern), binder(binder), context(pattern.getContext()) {}

  unsigned attends = 0;

  LogicalResult run() {
    if (failed(params()) || failed(roles()))
      return failure();
    for (Operation &op : llvm::make_early_inc_range(pattern.getBody().front()))
      if (failed(specialize(&op)))
        return failure();
    return success();
  }

private:
  LogicalResult refuse(Operation *op, const Twine &why) { return op->emitError() << "[SA0207] " << why; }

  FailureOr<ExprAttr> number(Operation *op, ExprAttr expr) {
    std::string error;
    auto result = canonicalNumber(foldNumber(foldCalls(binder.substitute(expr))), error);
    if (failed(result))
      return refuse(op, "'" + toText(expr) + "' cannot be specialised: " + withoutNumber(error));
    return *result;
  }

  FailureOr<AxisAttr> axis(Operation *op, AxisAttr axis) {
    if (!axis.isBlocks())
      return axis;
    auto len = number(op, axis.getLen()), stride = number(op, axis.getStride());
    if (failed(len) || failed(stride) || failed(blockLengths(op, *len, *stride)))
      return failure();
    return AxisAttr::blocks(context, axis.getName(), *len, *stride, axis.getRagged());
  }

  LogicalResult blockLengths(Operation *op, ExprAttr len, ExprAttr stride) {
    // Lengths are numbers over static params, which are literals by now.
    int64_t length = literalInt(len).value_or(0), step = literalInt(stride).value_or(0);
    if (step < 1 || length < 1)
      return refuse(op, "blocks(" + Twine(length) + ", " + Twine(step) +
                            ") are empty: lengths and strides are at "
                            "least 1");
    if (step > length)
      return refuse(op, "blocks(" + Twine(length) + ", " + Twine(step) +
                            ") leave gaps: the stride must not exceed the length");
    return success();
  }

  LogicalResult params() {
    SmallVector<Attribute> kept;
    for (auto param : pattern.getParams().getAsRange<ParamAttr>()) {
      if (param.getIsStatic())
        continue;
      ExprAttr value = param.getDefaultValue();
      if (value) {
        auto folded = number(pattern, value);
        if (failed(folded))
          return failure();
        if (!(*folded).is(ExprKind::Int) && !(*folded).is(ExprKind::Float))
          return refuse(pattern, "default of param '" + param.getName() + "' is '" + toText(*folded) +
                                     "': the default of a dynamic param depends on static params alone");
        value = *folded;
      }
      kept.push_back(ParamAttr::get(context, param.getName(), false, param.getIsFloat(), value));
    }
    pattern.setParamsAttr(ArrayAttr::get(context, kept));
    return success();
  }

  LogicalResult roles() {
    SmallVector<Attribute> result;
    for (auto role : pattern.getRoles().getAsRange<RoleAttr>()) {
      SmallVector<AxisAttr> axes;
      for (AxisAttr one : role.getAxes()) {
        auto specialised = axis(pattern, one);
        if (failed(specialised))
          return failure();
        axes.push_back(*specialised);
      }
      result.push_back(RoleAttr::get(context, role.getName(), role.getIsInt(), axes));
    }
    pattern.setRolesAttr(ArrayAttr::get(context, result));
    return success();
  }

  // first(c) is c*d and last(c) is c*d + l - 1.
  ExprAttr expandEnds(ExprAttr condition, AxisAttr row, AxisAttr key) {
    return replaceExpr(condition, [&](ExprAttr e) -> ExprAttr {
      if (!e.is(ExprKind::Call) || (e.getText() != "first" && e.getText() != "last"))
        return {};
      AxisAttr axis = e.getKids()[0].isName(row.getName()) ? row : key;
      if (!axis.isBlocks())
        return {};
      ExprAttr first = nodeExpr(ExprKind::Mul, {axis.getStride(), e.getKids()[0]});
      if (e.getText() == "first")
        return first;
      ExprAttr rest = nodeExpr(ExprKind::Sub, {axis.getLen(), intExpr(context, 1)});
      return nodeExpr(ExprKind::Add, {first, rest});
    });
  }

  FailureOr<KeySetAttr> keySet(Operation *op, KeySetAttr set) {
    auto row = axis(op, set.getRow()), key = axis(op, set.getKey());
    if (failed(row) || failed(key))
      return failure();
    std::string error;
    auto result =
        canonicalKeySet(context, *row, *key, expandEnds(binder.substitute(set.getCondition()), *row, *key), error);
    if (failed(result))
      return refuse(op, "set cannot be specialised: " + withoutNumber(error));
    return *result;
  }

  FailureOr<Attribute> attribute(Operation *op, Attribute value) {
    if (auto expr = dyn_cast<ExprAttr>(value)) {
      if (isa<MapOp, MixOp>(op))
        return Attribute(foldCalls(binder.substitute(expr)));
      auto result = number(op, expr);
      return failed(result) ? FailureOr<Attribute>(failure()) : Attribute(*result);
    }
    if (auto set = dyn_cast<KeySetAttr>(value)) {
      auto result = keySet(op, set);
      return failed(result) ? FailureOr<Attribute>(failure()) : Attribute(*result);
    }
    auto array = dyn_cast<ArrayAttr>(value);
    if (!array)
      return value;
    SmallVector<Attribute> items;
    for (Attribute item : array) {
      auto result = attribute(op, item);
      if (failed(result))
        return failure();
      items.push_back(*result);
    }
    return Attribute(ArrayAttr::get(context, items));
  }

  LogicalResult specialize(Operation *op) {
    for (mlir::NamedAttribute entry : op->getAttrDictionary()) {
      auto value = attribute(op, entry.getValue());
      if (failed(value))
        return failure();
      if (*value != entry.getValue())
        op->setAttr(entry.getName(), *value);
    }
    if (auto attend = dyn_cast<AttendOp>(op))
      return expand(attend), success();
    if (auto summarize = dyn_cast<SummarizeOp>(op))
      return simplify(summarize);
    return success();
  }

  void expand(AttendOp op) {
    mlir::OpBuilder builder(op);
    auto partial = AccumulateOp::create(builder, op.getLoc(), PartialType::get(context), AccumulateKind::Softmax,
                                        op.getZ(), op.getSet(), op.getV());
    auto output = FinalizeOp::create(builder, op.getLoc(), TensorType::get(context), partial.getResult(), op.getSink());
    op.replaceAllUsesWith(output.getResult());
    op.erase();
    ++attends;
  }

  // A block of one position is the position, whichever way it is summarised.
  LogicalResult simplify(SummarizeOp op) {
    ExprAttr stride = op.getStrideAttr() ? op.getStrideAttr() : op.getLen();
    if (failed(blockLengths(op, op.getLen(), stride)))
      return failure();
    bool plain =
        llvm::is_contained({SummaryKind::Mean, SummaryKind::Sum, SummaryKind::Min, SummaryKind::Max}, op.getHow());
    if (!plain || !op.getLen().isInt(1))
      return success();
    op.replaceAllUsesWith(op.getX());
    op.erase();
    return success();
  }

  PatternOp pattern;
  Binder &binder;
  MLIRContext *context;
};

// A prefix of features is no longer than what its role has.
LogicalResult checkPrefixes(PatternOp pattern) {
  BoundPattern bound(pattern);
  for (auto prefix : pattern.getBody().front().getOps<PrefixOp>()) {
    if (prefix.getX().getDefiningOp())
      continue;
    RoleAttr role = bound.role(prefix.getX());
    AxisAttr feature = role.getAxes().back();
    int64_t width = *literalInt(prefix.getWidth()), features = bound.size(feature);
    if (width > features)
      return prefix.emitError() << "[SA0206] a prefix of " << width << " features of role '" << role.getName()
                                << "', which is bound to " << features << ": bind " << feature.getName() << "=" << width
                                << " or more, or a shorter prefix";
  }
  return success();
}

struct SpecializePass : impl::SattnSpecializeBase<SpecializePass> {
  using SattnSpecializeBase::SattnSpecializeBase;

  void runOnOperation() override {
    PatternOp pattern = getOperation();
    if (failed(specialize(pattern)))
      signalPassFailure();
  }

  LogicalResult specialize(PatternOp pattern) {
    if (pattern.getBind())
      return pattern.emitError() << "[SA0205] @" << pattern.getSymName()
                                 << " is already specialised: run sattn-specialize once";
    auto given = bindingsFor(pattern, bind);
    if (failed(given))
      return failure();
    size_t params = pattern.getParams().size();
    Binder binder(pattern, *given);
    auto entries = binder.run();
    if (failed(entries))
      return failure();
    Specializer specializer(pattern, binder);
    if (failed(specializer.run()))
      return failure();
    pattern.setBindAttr(*entries);
    if (failed(checkPrefixes(pattern)))
      return failure();
    paramsBound += params - pattern.getParams().size();
    attendsExpanded += specializer.attends;
    return success();
  }
};
} // namespace
} // namespace sattn

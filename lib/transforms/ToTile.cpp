// sattn-to-tile: one pattern becomes one tile program. See Passes.td; the parts are in lib/transforms/kernels.
#include "dialects/pattern/Functions.h"
#include "lib/transforms/Passes.h"
#include "lib/transforms/TargetText.h"
#include "lib/transforms/kernels/AttendKernels.h"
#include "lib/transforms/kernels/Epilogue.h"
#include "lib/transforms/kernels/Forms.h"
#include "lib/transforms/kernels/KeepKernel.h"
#include "lib/transforms/kernels/Kept.h"
#include "lib/transforms/kernels/Plan.h"
#include "lib/transforms/kernels/Reasons.h"
#include "lib/transforms/kernels/RouteKernel.h"
#include "lib/transforms/kernels/TokenSelection.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringSet.h"
#include <functional>
#include <map>

namespace sattn {
#define GEN_PASS_DEF_SATTNTOTILE
#include "lib/transforms/Passes.h.inc"

namespace {
using namespace lower;
using mlir::ArrayAttr;
using mlir::Builder;

//===-- The interface, for the manifest -----------------------------------------------------------------===//

class Interface {
public:
  explicit Interface(Context &context) : context(context), b(context.pattern.getContext()) {}

  void write(tile::ProgramOp program) {
    program->setAttr("roles", roles());
    program->setAttr("results", results());
    program->setAttr("params", params());
    program->setAttr("requires", requirements());
    if (!chosenSizes.empty())
      program->setAttr("sizes", b.getArrayAttr(chosenSizes));
  }

private:
  ArrayAttr axesText(ArrayRef<AxisAttr> axes) {
    SmallVector<Attribute> names;
    for (AxisAttr axis : axes) {
      bool isPrefix = axis.isFeature() && axis.getLen();
      names.push_back(b.getStringAttr(isPrefix ? toText(axis.getLen()) : toText(axis)));
    }
    return b.getArrayAttr(names);
  }
  Attribute tensor(StringRef name, ArrayRef<AxisAttr> axes, int64_t inner, Type element,
                   std::optional<int64_t> page = std::nullopt) {
    mlir::NamedAttrList fields;
    fields.set("name", b.getStringAttr(name));
    fields.set("axes", axesText(axes));
    fields.set("inner", b.getI64IntegerAttr(inner));
    fields.set("dtype", b.getStringAttr(dtypeName(element)));
    if (page)
      fields.set("page", b.getI64IntegerAttr(*page));
    return fields.getDictionary(b.getContext());
  }

  ArrayAttr roles() {
    SmallVector<Attribute> list;
    for (auto role : context.pattern.getRoles().getAsRange<RoleAttr>())
      list.push_back(tensor(role.getName(), role.getAxes(), context.innerSize(role.getAxes()),
                            context.bound.dtype(role), context.bound.page(role)));
    forKept([&](const KeptTensor &kept) {
      auto type = cast<tile::ArgType>(kept.ref.type);
      mlir::NamedAttrList entry(
          cast<mlir::DictionaryAttr>(tensor(kept.ref.name, kept.axes, type.getInner(), type.getElementType())));
      auto axes = llvm::to_vector(cast<ArrayAttr>(entry.get("axes")).getValue());
      for (auto [text, axis] : llvm::zip(axes, kept.axes))
        if (axis.isBlocks())
          text = b.getStringAttr(keptAxis(axis));
      entry.set("axes", b.getArrayAttr(axes));
      entry.set("kept", b.getUnitAttr());
      list.push_back(entry.getDictionary(b.getContext()));
    });
    return b.getArrayAttr(list);
  }

  // Summaries and codes that stay with the caller; each name once.
  void forKept(llvm::function_ref<void(const KeptTensor &)> visit) {
    if (!context.bound.keepsSummaries())
      return;
    llvm::StringSet<> seen;
    for (Operation &op : context.pattern.getBody().front())
      if (isKept(&op))
        for (const KeptTensor &kept : keptTensors(context, &op))
          if (seen.insert(kept.ref.name).second)
            visit(kept);
  }
  // The caller may have room for more blocks than there are.
  static std::string keptAxis(AxisAttr axis) { return toText(axis) + " kept"; }

  // A kept summary has room for the blocks of all keys.
  void keptSizes(SmallVectorImpl<Attribute> &list) {
    auto number = [&](int64_t value) { return b.getI64IntegerAttr(value); };
    forKept([&](const KeptTensor &kept) {
      AxisAttr axis = kept.blocks();
      int64_t length = *literalInt(axis.getLen()), stride = *literalInt(axis.getStride());
      Attribute s = b.getStringAttr("s"), blocks = check("ceildiv", s, number(length));
      if (!axis.getRagged())
        blocks = check("max", number(0),
                       check("+", check("floordiv", check("-", s, number(length)), number(stride)), number(1)));
      list.push_back(requirement(check(">=", b.getStringAttr(keptAxis(axis)), blocks),
                                 "'" + kept.ref.name + "' must have room for the blocks of all keys"));
    });
  }

  ArrayAttr results() {
    SmallVector<Attribute> list;
    auto yield = cast<YieldOp>(context.pattern.getBody().front().back());
    for (auto [value, name] :
         llvm::zip(yield.getValues(), context.pattern.getOutputs().getAsValueRange<mlir::StringAttr>())) {
      tile::ArgType type = resultType(context, value);
      list.push_back(tensor(name, context.factsOf(value).axes, type.getInner(), type.getElementType()));
      if (context.factsOf(value).gatheredAt)
        list.back() = atRows(cast<mlir::DictionaryAttr>(list.back()), context.factsOf(value));
    }
    return b.getArrayAttr(list);
  }

  // Chosen positions are an axis of their own: as many as `top(n)` says, or all.
  Attribute atRows(mlir::DictionaryAttr result, const Facts &facts) {
    auto route = facts.gatheredAt.getDefiningOp<RouteOp>();
    Attribute all = b.getStringAttr(toText(facts.position())), name = b.getStringAttr(chosenAxis(facts));
    mlir::NamedAttrList entry(result);
    auto axes = llvm::to_vector(cast<ArrayAttr>(entry.get("axes")).getValue());
    llvm::replace(axes, all, name);
    entry.set("axes", b.getArrayAttr(axes));
    Attribute zero = b.getI64IntegerAttr(0), count = check("min", check("max", number(route.getTop()), zero), all);
    Attribute size = b.getDictionaryAttr({b.getNamedAttr("name", name), b.getNamedAttr("value", count)});
    if (!llvm::is_contained(chosenSizes, size))
      chosenSizes.push_back(size);
    return entry.getDictionary(b.getContext());
  }
  // An integer over params as the manifest writes it.
  Attribute number(ExprAttr e) {
    if (e.is(ExprKind::Int))
      return b.getI64IntegerAttr(e.getValue());
    if (e.is(ExprKind::Name))
      return b.getStringAttr("$" + e.getText());
    if (e.is(ExprKind::Neg))
      return check("-", b.getI64IntegerAttr(0), number(e.getKids()[0]));
    StringRef op = e.is(ExprKind::Add) ? "+" : e.is(ExprKind::Sub) ? "-" : "*";
    return check(op, number(e.getKids()[0]), number(e.getKids()[1]));
  }

  ArrayAttr params() {
    SmallVector<Attribute> list;
    for (auto param : context.pattern.getParams().getAsRange<ParamAttr>()) {
      mlir::NamedAttrList entry;
      entry.set("name", b.getStringAttr(param.getName()));
      entry.set("type", b.getStringAttr(param.getIsFloat() ? "float" : "int"));
      if (ExprAttr value = param.getDefaultValue()) {
        double number = value.is(ExprKind::Int) ? static_cast<double>(value.getValue()) : value.getFloat();
        entry.set("default", param.getIsFloat() ? Attribute(b.getF64FloatAttr(number))
                                                : Attribute(b.getI64IntegerAttr(value.getValue())));
      }
      list.push_back(entry.getDictionary(b.getContext()));
    }
    return b.getArrayAttr(list);
  }

  // What a call must satisfy beside the sizes of its axes: ["==", "h", ["*", "g", 4]] and the text of the refusal.
  Attribute check(StringRef op, Attribute left, Attribute right) {
    return b.getArrayAttr({b.getStringAttr(op), left, right});
  }
  Attribute requirement(Attribute check, const Twine &message) {
    return b.getDictionaryAttr({b.getNamedAttr("check", check), b.getNamedAttr("message", b.getStringAttr(message))});
  }

  ArrayAttr requirements() {
    SmallVector<Attribute> list;
    headRatios(list);
    blockStarts(list);
    wholeSequence(list);
    keptSizes(list);
    oddWidths(list);
    return b.getArrayAttr(list);
  }

  void headRatios(SmallVectorImpl<Attribute> &list) {
    AxisAttr base = context.queryHeads();
    llvm::StringMap<bool> seen;
    for (auto role : context.pattern.getRoles().getAsRange<RoleAttr>())
      for (AxisAttr axis : role.getAxes()) {
        if (!axis.isHead() || axis.getName() == base.getName() || !seen.try_emplace(axis.getName(), true).second ||
            standAlone(context.pattern, axis.getName()))
          continue;
        int64_t ratio = context.ratio(axis).value_or(1);
        Attribute product = check("*", b.getStringAttr(axis.getName()), b.getI64IntegerAttr(ratio));
        list.push_back(requirement(check("==", b.getStringAttr(base.getName()), product),
                                   "compiled for " + Twine(ratio) + " heads '" + base.getName() + "' for each head '" +
                                       axis.getName() + "'"));
      }
  }

  // A number is smoothed with as many on both sides.
  void oddWidths(SmallVectorImpl<Attribute> &list) {
    for (auto smooth : context.pattern.getBody().front().getOps<SmoothOp>()) {
      if (literalInt(smooth.getWidth()))
        continue; // the verifier has looked at it
      Attribute width = number(smooth.getWidth()), one = b.getI64IntegerAttr(1);
      list.push_back(requirement(
          check("and", check(">=", width, one), check("==", check("mod", width, b.getI64IntegerAttr(2)), one)),
          "the width of 'sattn.smooth' must be odd and at least 1"));
    }
  }

  // Rows are routed among all of the sequence.
  void wholeSequence(SmallVectorImpl<Attribute> &list) {
    if (!routes(context.pattern) || context.keepsKeys)
      return;
    auto text = [&](StringRef name) -> Attribute { return b.getStringAttr(name); };
    auto equal = [&](StringRef name, Attribute to) {
      list.push_back(requirement(check("==", text(name), to),
                                 "routing of rows needs the whole sequence: '" + name + "' must be that of all rows"));
    };
    equal("kv_len_max", text("t"));
    equal("q_offset_max", b.getI64IntegerAttr(0));
    equal("kv_offset_gcd", b.getI64IntegerAttr(0));
  }

  // Blocks are absolute, as positions are, but kernels count them from the first stored key or row: it must begin one.
  void blockStarts(SmallVectorImpl<Attribute> &list) {
    std::map<std::pair<StringRef, int64_t>, AxisAttr, std::greater<>> starts; // the widest stride first
    auto add = [&](AxisAttr axis) {
      int64_t stride = axis && axis.isBlocks() ? *literalInt(axis.getStride()) : 1;
      if (stride > 1)
        starts.try_emplace({axis.isRow() ? "q_offset" : "kv_offset", stride}, axis);
    };
    auto addFacts = [&](Value value) {
      const Facts &facts = context.factsOf(value);
      llvm::for_each(facts.axes, add);
      add(facts.row);
      add(facts.key);
    };
    Block &body = context.pattern.getBody().front();
    llvm::for_each(body.getArguments(), addFacts);
    for (Operation &op : body)
      if (!isa<RandomOp>(op)) // whose blocks are counted from position 0 on
        llvm::for_each(op.getResults(), addFacts);
    for (const auto &[start, axis] : starts) {
      const auto &[offset, stride] = start;
      Attribute rest = check("mod", b.getStringAttr(offset + "_gcd"), b.getI64IntegerAttr(stride));
      list.push_back(requirement(check("==", rest, b.getI64IntegerAttr(0)), offset + " must be a multiple of " +
                                                                                Twine(stride) + ", where blocks '" +
                                                                                toText(axis) + "' begin"));
    }
  }

  Context &context;
  Builder b;
  SmallVector<Attribute> chosenSizes; ///< sizes of the axes of chosen positions
};

//===-- The pass ----------------------------------------------------------------------------------------===//

struct ToTilePass : impl::SattnToTileBase<ToTilePass> {
  using SattnToTileBase::SattnToTileBase;

  void runOnOperation() override {
    SmallVector<PatternOp> patterns(getOperation().getOps<PatternOp>());
    for (PatternOp pattern : patterns)
      if (failed(lower(pattern)))
        return signalPassFailure();
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<FunctionOp>()))
      function.erase();
  }

  LogicalResult lower(PatternOp pattern) {
    if (!pattern.getBind())
      return pattern.emitError() << "[SA0204] @" << pattern.getSymName()
                                 << " is not specialised: run sattn-specialize first";
    TargetInfo info;
    std::string error;
    if (failed(parseTargetText(targetText, info, error)))
      return pattern.emitError() << error;
    if (!info.callsFunctions && failed(expandCalls(pattern, info.name)))
      return failure();
    auto facts = deriveFacts(pattern);
    if (failed(facts))
      return failure();
    ProgramBuilder program(getOperation(), pattern.getLoc(), pattern.getSymName());
    declareCalled(pattern, program.program);
    Context usual(pattern, *facts, info, program);
    usual.keepsKeys = keepsKeys(pattern);
    bool tokens = selectsTokens(pattern, *facts);
    Dataflows kinds = dataflowsOf(usual, tokens);
    Context few(pattern, *facts, kinds.few == "lists" ? listTarget(info) : decodeTarget(info), program);
    Context brief(pattern, *facts, info, program);
    auto forms = formsOf(usual, few, brief, kinds);
    if (failed(forms)) {
      program.program.erase();
      return failure();
    }
    SmallVector<Context *, 3> contexts;
    for (Form form : *forms) {
      contexts.push_back(form.context);
      Preparer preparer(*form.context);
      if (failed(summaries(*form.context, preparer)) || failed(build(form, preparer, tokens))) {
        program.program.erase();
        return failure();
      }
      kernelsBuilt += form.context->launches.size();
    }
    for (Context *other : {&usual, &brief}) {
      other->calls.few = few.calls.few;
      other->calls.keysPerRow = few.calls.keysPerRow;
    }
    PlanWriter(contexts).write();
    Interface(usual).write(program.program);
    writeReasons(contexts);
    pattern.erase();
    return success();
  }

  LogicalResult build(Form form, Preparer &preparer, bool tokens) {
    Context &context = *form.context;
    if (context.keepsKeys)
      return buildKeepKernels(context, preparer);
    llvm::DenseMap<Value, RowWorkspace> scattered;
    if (routes(context.pattern)) {
      LogicalResult routed = buildRouteKernels(context, scattered);
      if (failed(routed) || !hasOtherResults(context.pattern))
        return routed;
      if (tokens)
        return context.refuse(*context.pattern.getBody().front().getOps<RouteOp>().begin(),
                              "'sattn.route' beside a selection of single tokens");
    }
    if (tokens)
      return buildTokenKernels(context, preparer);
    return form.dataflow == "split" ? buildDecodeKernels(context, preparer)
                                    : kernels(form, preparer, std::move(scattered));
  }

  // A target without a compiler of functions computes their formulas.
  LogicalResult expandCalls(PatternOp pattern, StringRef target) {
    for (auto map : pattern.getBody().front().getOps<MapOp>()) {
      FunctionOp lacking;
      ExprAttr expanded = expandFunctions(map, map.getFormula(), lacking);
      if (!lacking) {
        map.setFormulaAttr(expanded);
        continue;
      }
      auto error = map.emitError() << "[SA0209] target '" << target << "' computes formulas alone, and function '@"
                                   << lacking.getSymName() << "' has none: add 'as ...' to its sattn.function";
      error.attachNote(lacking.getLoc()) << "the function is declared here";
      return error;
    }
    return success();
  }

  // The functions that the pattern calls become functions of the program.
  void declareCalled(PatternOp pattern, tile::ProgramOp program) {
    auto b = mlir::OpBuilder::atBlockBegin(&program.getBody().front());
    for (auto map : pattern.getBody().front().getOps<MapOp>())
      walkExpr(map.getFormula(), [&](ExprAttr e) {
        FunctionOp function = e.is(ExprKind::Call) ? functionNamed(map, e.getText()) : FunctionOp();
        if (!function || mlir::SymbolTable::lookupSymbolIn(program, function.getSymName()))
          return true;
        SmallVector<Type> inputs;
        for (auto param : function.getParams().getAsRange<ParamAttr>())
          inputs.push_back(param.getIsFloat() ? Type(b.getF32Type()) : b.getI32Type());
        tile::FunctionOp::create(b, function.getLoc(), function.getSymName(), b.getFunctionType(inputs, b.getF32Type()),
                                 function.getFileAttr(), function.getSourceAttr());
        return true;
      });
  }

  LogicalResult kernels(Form form, Preparer &preparer, llvm::DenseMap<Value, RowWorkspace> scattered) {
    Context &context = *form.context;
    auto selections = buildSelections(context, preparer);
    if (failed(selections))
      return failure();
    selections->scattered = std::move(scattered);
    TaskRows task; // the fewest rows of all selected accumulations
    for (AccumulateOp op : accumulationsOf(context, *selections)) {
      auto dataflow = op->getAttrOfType<mlir::DictionaryAttr>("dataflow");
      auto kind = dataflow ? dataflow.getAs<mlir::StringAttr>("kind") : mlir::StringAttr();
      auto rows = dataflow ? dataflow.getAs<mlir::IntegerAttr>("rows") : mlir::IntegerAttr();
      if (!kind || !rows || rows.getInt() < 1)
        return op->emitError() << "[SA0204] no dataflow is chosen: run sattn-choose-dataflow first";
      if (kind == "range")
        continue;
      auto keysPerRow = dataflow.getAs<mlir::IntegerAttr>("keys_per_row");
      task.most = task.most == 0 ? rows.getInt() : std::min(task.most, rows.getInt());
      task.keysPerRow = std::max(task.keysPerRow, keysPerRow ? keysPerRow.getInt() : 0);
    }
    if (form.dataflow == "lists")
      return buildListKernel(context, preparer, *selections);
    if (form.dataflow == "masked")
      return buildMaskedKernels(context, preparer, *selections);
    return task.most == 0 ? buildRangeKernel(context, preparer, *selections)
                          : buildInvertedKernel(context, preparer, *selections, task);
  }

  // Summaries that the pattern yields.
  LogicalResult summaries(Context &context, Preparer &preparer) {
    auto yield = cast<YieldOp>(context.pattern.getBody().front().back());
    for (auto [value, name] :
         llvm::zip(yield.getValues(), context.pattern.getOutputs().getAsValueRange<mlir::StringAttr>()))
      if (!isRowWise(value) && !value.getDefiningOp<ScatterOp>() && !isOfKeys(value) &&
          failed(preparer.result(yield, value, name)))
        return failure();
    return success();
  }
};
} // namespace
} // namespace sattn

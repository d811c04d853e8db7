// sattn-check-stage: what a module may hold at the end of a stage. See Passes.td. Each check walks the ops once and
// asks for kinds and attributes only, so that it costs nothing beside the passes that it guards.
#include "dialects/tile/Tile.h"
#include "lib/transforms/Passes.h"
#include "lib/transforms/TargetText.h"

namespace sattn {
#define GEN_PASS_DEF_SATTNCHECKSTAGE
#include "lib/transforms/Passes.h.inc"

namespace {

StringRef nameOf(CheckedStage stage) {
  static constexpr StringRef names[] = {"pattern", "fused", "planned", "tile"};
  return names[static_cast<int>(stage)];
}

class StageCheck {
public:
  StageCheck(CheckedStage stage, const TargetInfo &target) : stage(stage), target(target) {}

  int64_t ops = 0;

  LogicalResult run(mlir::ModuleOp module) {
    for (Operation &op : *module.getBody()) {
      ++ops;
      auto pattern = dyn_cast<PatternOp>(op);
      auto program = dyn_cast<tile::ProgramOp>(op);
      if (stage != CheckedStage::Tile && isa<FunctionOp>(op))
        continue;
      if (stage == CheckedStage::Tile ? !program : !pattern)
        return op.emitError() << "[SA0230] '" << op.getName() << "' may not stand in a module at stage '"
                              << nameOf(stage) << "': it holds "
                              << (stage == CheckedStage::Tile ? "sattn_tile.program" : "sattn.pattern")
                              << " alone, remove it";
      if (failed(pattern ? check(pattern) : check(program)))
        return failure();
    }
    return success();
  }

private:
  LogicalResult lacks(Operation *op, const Twine &what, StringRef pass) {
    return op->emitError() << "[SA0231] " << what << " at stage '" << nameOf(stage) << "': run " << pass << " first";
  }

  LogicalResult check(PatternOp pattern) {
    if (stage >= CheckedStage::Fused && failed(checkBind(pattern)))
      return failure();
    for (Operation &op : pattern.getBody().front())
      if (++ops; failed(checkBody(&op)))
        return failure();
    return success();
  }

  // Element types, feature sizes and static params are numbers.
  LogicalResult checkBind(PatternOp pattern) {
    StringRef specialize = "sattn-specialize";
    mlir::DictionaryAttr bind = pattern.getBindAttr();
    if (!bind)
      return lacks(pattern, "@" + pattern.getSymName() + " has no bind", specialize);
    for (auto param : pattern.getParams().getAsRange<ParamAttr>())
      if (param.getIsStatic())
        return lacks(pattern, "static param '" + param.getName() + "' is not bound", specialize);
    for (auto role : pattern.getRoles().getAsRange<RoleAttr>()) {
      if (!role.getIsInt() && !bind.get(("dtype." + role.getName()).str()))
        return lacks(pattern, "role '" + role.getName() + "' has no element type", specialize);
      for (AxisAttr axis : role.getAxes())
        if (axis.isFeature() && !axis.isFixed() && !bind.get(axis.getName()))
          return lacks(pattern, "feature axis '" + axis.getName() + "' has no size", specialize);
    }
    return success();
  }

  LogicalResult checkBody(Operation *op) {
    bool walks = isa<AccumulateOp, SelectOp>(op), planned = stage >= CheckedStage::Planned;
    if (stage >= CheckedStage::Fused && isa<AttendOp>(op))
      return lacks(op, "'sattn.attend' is left", "sattn-specialize");
    if (stage >= CheckedStage::Fused && !isNormal(op))
      return lacks(op, "'" + op->getName().getStringRef() + "' is left of a set's algebra", "sattn-normalize-sets");
    if (walks && planned && !op->getAttrOfType<mlir::DictionaryAttr>("dataflow"))
      return lacks(op, "'" + op->getName().getStringRef() + "' has no dataflow", "sattn-choose-dataflow");
    if (!planned && op->hasAttr("dataflow"))
      return op->emitError() << "[SA0233] '" << op->getName() << "' has a dataflow at stage '" << nameOf(stage)
                             << "', before one is chosen: remove it";
    return success();
  }

  // Normal sets: no minus; an intersection is of one selection (or random blocks) and one formula, a union of one
  // formula and random blocks.
  static bool isNormal(Operation *op) {
    auto isFormula = [](Value set) { return set.getDefiningOp<SetOp>() != nullptr; };
    auto isRandom = [](Value set) {
      auto both = set.getDefiningOp<IntersectOp>();
      return set.getDefiningOp<RandomOp>() || (both && llvm::any_of(both.getSets(), [](Value part) {
                                                 return part.getDefiningOp<RandomOp>() != nullptr;
                                               }));
    };
    if (auto both = dyn_cast<IntersectOp>(op))
      return both.getSets().size() == 2 && llvm::count_if(both.getSets(), isFormula) == 1;
    if (auto either = dyn_cast<UnionOp>(op))
      return either.getSets().size() == 2 && isFormula(either.getSets()[0]) && isRandom(either.getSets()[1]);
    return !isa<MinusOp>(op);
  }

  LogicalResult check(tile::ProgramOp program) {
    for (StringRef name : {"roles", "results", "params", "requires"})
      if (!program->hasAttrOfType<mlir::ArrayAttr>(name))
        return lacks(program, "@" + program.getSymName() + " has no '" + name + "' for the manifest", "sattn-to-tile");
    auto walk = program.walk([&](Operation *op) {
      ++ops;
      auto fits = [&](Type type) { return hasTargetLayout(type); };
      bool known = llvm::all_of(op->getResultTypes(), fits);
      if (auto kernel = dyn_cast<tile::KernelOp>(op))
        known = llvm::all_of(kernel.getBody().getArgumentTypes(), fits);
      if (known)
        return mlir::WalkResult::advance();
      op->emitError() << "[SA0232] '" << op->getName() << "' has a layout that is none of the target's: those are "
                      << text(target.keyLayout) << ", " << text(target.valueLayout) << " and " << text(leftLayout());
      return mlir::WalkResult::interrupt();
    });
    return failure(walk.wasInterrupted());
  }

  /// Of left operands: as many rows side by side as the target computes at once.
  PanelLayout leftLayout() const {
    return {target.keyLayout.block, /*byRows=*/true, target.keyLayout.width == 0 ? 0 : target.rowQuantum};
  }

  static std::string text(const PanelLayout &layout) {
    return layout.width == 0 ? "plain rows" : (layout.byRows ? "rows by " : "cols by ") + std::to_string(layout.width);
  }

  // Panels are as wide as the target's, or a part of that where a tile is narrower.
  bool hasTargetLayout(Type type) const {
    tile::PanelsAttr panels;
    if (auto arg = dyn_cast<tile::ArgType>(type))
      panels = arg.getLayout();
    else if (auto view = dyn_cast<tile::ViewType>(type))
      panels = view.getLayout();
    auto is = [&](const PanelLayout &layout) {
      return layout.width % panels.getWidth() == 0 && layout.width != 0 &&
             layout.byRows == (panels.getAxis() == tile::PanelAxis::Rows);
    };
    return !panels || is(target.keyLayout) || is(target.valueLayout) || is(leftLayout());
  }

  CheckedStage stage;
  const TargetInfo &target;
};

struct CheckStagePass : impl::SattnCheckStageBase<CheckStagePass> {
  using SattnCheckStageBase::SattnCheckStageBase;

  void runOnOperation() override {
    TargetInfo info;
    std::string error;
    if (failed(parseTargetText(targetText, info, error))) {
      getOperation().emitError() << error;
      return signalPassFailure();
    }
    StageCheck check(stage, info);
    if (failed(check.run(getOperation())))
      signalPassFailure();
    opsChecked += check.ops;
    markAllAnalysesPreserved();
  }
};
} // namespace
} // namespace sattn

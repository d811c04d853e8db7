// sattn-verify-causal: does the output of a row depend on later positions? See Passes.td for the rules.
//
// One forward pass carries for each value whether it may hold something later than its own position, and if so why.
// Sets are compared with `last(key) > last(row)` by the proofs of lib/analysis; what a proof refutes is refused with
// its counter-example or, where the text means to see both directions, makes the verdict "not claimed".
#include "lib/analysis/PatternSets.h"
#include "lib/transforms/Bindings.h"
#include "lib/transforms/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

namespace sattn {
#define GEN_PASS_DEF_SATTNVERIFYCAUSAL
#include "lib/transforms/Passes.h.inc"

namespace {
/// What a value may depend on beyond its own position.
struct Flow {
  std::string future;      // not empty: on later positions, for this reason
  bool selected = false;   // a selection has a part in it
  bool ifPositive = false; // proven only while no param is negative
  bool ofColumn = false;   // scores: an element holds content of its column (a probability does not, once normalised)
  BlockShape column;       // scores: the positions whose content a column holds
};

class CausalFlow {
public:
  CausalFlow(PatternOp pattern, const PatternFacts &facts, const llvm::StringMap<int64_t> &statics)
      : pattern(pattern), facts(facts), sets(pattern, facts, statics) {}

  unsigned compared = 0; // sets that were compared with the future

  FailureOr<std::string> run() {
    for (Operation &op : pattern.getBody().front()) {
      if (std::string impossible = sets.impossibleAt(op); !impossible.empty())
        return op.emitError() << "[SA0207] static params do not fit: " << impossible;
      if (auto yield = dyn_cast<YieldOp>(op))
        return verdict(yield);
      Flow flow = joined(op);
      if (failed(visit(&op, flow)))
        return failure();
      for (Value result : op.getResults())
        flows[result] = flow;
    }
    return std::string("proven");
  }

private:
  std::string verdict(YieldOp yield) {
    Flow all = joined(*yield.getOperation());
    if (!all.future.empty())
      return "not claimed (" + all.future + ")";
    std::string proven = all.selected ? "proven given its where-clause" : "proven";
    return all.ifPositive ? proven + ", while no param is negative" : proven;
  }

  /// By default a result holds what the operands hold.
  Flow joined(Operation &op) {
    Flow flow;
    for (Value operand : op.getOperands()) {
      auto known = flows.find(operand);
      if (known == flows.end())
        continue;
      if (flow.future.empty())
        flow.future = known->second.future;
      flow.selected |= known->second.selected;
      flow.ifPositive |= known->second.ifPositive;
    }
    return flow;
  }

  LogicalResult visit(Operation *op, Flow &flow) {
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<ScoreOp>([&](ScoreOp score) {
          flow.ofColumn = true;
          flow.column = keyShape(score.getZ(), flow);
          return success();
        })
        .Case<MapOp>([&](MapOp map) {
          copyColumn(map.getZ(), flow);
          loads(map.getFormula(), map.getTables(), flow);
          return success();
        })
        .Case<ReduceOp>([&](ReduceOp reduce) {
          copyColumn(reduce->getOperand(0), flow);
          return success();
        })
        .Case<RebinOp>([&](RebinOp rebin) { return visitRebin(rebin, flow); })
        .Case<NormalizeOp>([&](NormalizeOp normalize) {
          return sees(op, normalize.getSet(), normalize.getZ(), "enters the denominator of", flow);
        })
        .Case<SelectOp>([&](SelectOp select) { return visitSelect(select, flow); })
        .Case<WeighOp>([&](WeighOp weigh) {
          return flows[weigh.getZ()].ofColumn ? sees(op, weigh.getSet(), weigh.getZ(), "enters the weights of", flow)
                                              : success();
        })
        .Case<AccumulateOp, AttendOp>(
            [&](auto attend) { return sees(op, attend.getSet(), attend.getZ(), "is visible to", flow); })
        .Case<MixOp>([&](MixOp mix) {
          loads(mix.getFormula(), mix.getTables(), flow);
          return success();
        })
        .Case<ColsumOp>([&](ColsumOp) { return later(flow, "sattn.colsum sums over later rows"); })
        .Case<RouteOp>([&](RouteOp) { return later(flow, "sattn.route ranks all positions at once"); })
        .Case<SmoothOp>([&](SmoothOp) { return later(flow, "sattn.smooth pools later neighbours"); })
        .Default([](Operation *) { return success(); });
  }

  LogicalResult later(Flow &flow, const Twine &why) {
    if (flow.future.empty())
      flow.future = why.str();
    return success();
  }

  void copyColumn(Value score, Flow &flow) {
    flow.ofColumn = flows[score].ofColumn;
    flow.column = flows[score].column;
  }

  BlockShape keyShape(Value score, Flow &flow) {
    std::string unknown;
    BlockShape shape = sets.shapeOf(facts.of(score).key, unknown);
    if (!unknown.empty())
      (void)later(flow, unknown);
    return shape;
  }

  /// A load at the row's or key's own position adds nothing; one at another position of a float role may.
  void loads(ExprAttr formula, mlir::OperandRange tables, Flow &flow) {
    walkExpr(formula, [&](ExprAttr e) {
      if (!e.is(ExprKind::Table) || facts.of(tables[e.getValue()]).isInt)
        return true;
      const Facts &table = facts.of(tables[e.getValue()]);
      for (auto [axis, index] : llvm::zip(table.axes, e.getKids()))
        if (axis.isPosition() && !index.is(ExprKind::Name))
          (void)later(flow, "a role is read at position '" + toText(index) + "'");
      return true;
    });
  }

  /// Target block b holds every source block that meets it: those reach up to one source length beyond its end.
  LogicalResult visitRebin(RebinOp op, Flow &flow) {
    Value source = op->getOperand(0);
    copyColumn(source, flow);
    BlockShape from = flow.column, to = keyShape(op->getResult(0), flow);
    int64_t beyond = to.stride % from.stride == 0 ? from.length - from.stride : from.length - 1;
    flow.column = {to.length + std::max<int64_t>(beyond, 0), to.stride};
    return success();
  }

  //===-- Sets that show columns to rows.

  /// What a set that shows later keys means.
  enum class Intent { Leak, Backwards, BothWays };

  /// A set over blocks that shows blocks which still grow, but none that begins later, means to be causal: Leak. A
  /// disjunct that shows later keys and no earlier one is Backwards, unless its mirror image is in the set as well. Any
  /// other set sees both ways by intent.
  Intent intentOf(const KnownSet &known, BlockShape key) {
    const quasi::Set &set = known.set;
    BlockShape row = known.row;
    SetDomain domain = known.domain();
    domain.negativeParams = false;
    std::string unknown;
    bool tokens = key.length == 1, wide = tokens;
    // first(key) > last(row): keys that begin later.
    auto begins = futureOf(row, {1, key.stride}, unknown), ends = futureOf(row, key, unknown);
    // Not last(key) > last(row) - 1: keys that end earlier.
    auto notEarlier = futureOf({row.length - 1, row.stride}, key, unknown);
    if (!begins || !ends || !notEarlier)
      return Intent::BothWays;
    for (const quasi::Conjunction &conjunction : set.disjuncts()) {
      quasi::Set one = only(set, conjunction);
      if (findOverlap(one, *ends, domain).kind == SetAnswer::Empty)
        continue;
      bool oneWide = tokens || findOverlap(one, *begins, domain).kind != SetAnswer::Empty;
      wide |= oneWide;
      if (!oneWide || findOutside(one, *notEarlier, domain).kind != SetAnswer::Empty)
        continue;
      auto mirror = tokens ? mirrored(one) : std::nullopt;
      if (!mirror || findOutside(*mirror, set, domain).kind == SetAnswer::Found)
        return Intent::Backwards;
    }
    return wide ? Intent::BothWays : Intent::Leak;
  }

  static quasi::Set only(const quasi::Set &set, const quasi::Conjunction &conjunction) {
    quasi::Set one;
    quasi::Set::Building building;
    auto row = quasi::Set::variable(quasi::Var::row()), key = quasi::Set::variable(quasi::Var::key());
    for (const quasi::Atom &atom : conjunction)
      if (auto form = one.import(set, atom.form, row, key))
        one.addAtom(building, atom.kind, *form);
    one.addDisjunct(std::move(building));
    return one;
  }
  static std::optional<quasi::Set> mirrored(const quasi::Set &set) {
    quasi::Set mirror;
    auto row = quasi::Set::variable(quasi::Var::row()), key = quasi::Set::variable(quasi::Var::key());
    for (const quasi::Conjunction &conjunction : set.disjuncts()) {
      quasi::Set::Building building;
      for (const quasi::Atom &atom : conjunction) {
        auto form = mirror.import(set, atom.form, key, row);
        if (!form || !mirror.addAtom(building, atom.kind, *form))
          return std::nullopt;
      }
      if (!mirror.addDisjunct(std::move(building)))
        return std::nullopt;
    }
    return mirror;
  }
  static std::string placeOf(const SetPoint &point, BlockShape row, BlockShape key, StringRef how) {
    std::string text = (key.length == 1 ? "key " : "block ") + std::to_string(point.key);
    if (key.length > 1)
      text += " ends at token " + std::to_string(key.stride * point.key + key.length - 1) + " but";
    return text + " " + how.str() + (row.length == 1 ? " row " : " row block ") + std::to_string(point.row) +
           point.assumptions();
  }

  /// Looks for a column of the set that ends after its row. A counter-example with a negative param (a window of -63)
  /// refutes no pattern, but limits the claim.
  SetAnswer compare(const quasi::Set &set, const KnownSet &shapes, BlockShape column, Flow &flow) {
    ++compared;
    SetDomain domain = shapes.domain();
    SetAnswer answer = findFuture(set, shapes.row, column, domain);
    if (answer.kind != SetAnswer::Found)
      return answer;
    domain.negativeParams = false;
    SetAnswer positive = findFuture(set, shapes.row, column, domain);
    flow.ifPositive |= positive.kind == SetAnswer::Empty;
    return positive;
  }

  /// A set shows columns to rows: their content enters the result.
  LogicalResult sees(Operation *op, Value set, Value score, StringRef how, Flow &flow) {
    const Flow &z = flows[score];
    if (!z.ofColumn && !isa<AccumulateOp, AttendOp>(op))
      return success();
    KnownSet known = sets.over(set, facts.of(score));
    BlockShape column{std::max(known.key.length, z.column.length), known.key.stride};
    bool selected = facts.of(set).selected;
    flow.selected |= selected;
    if (!known.unknown.empty())
      return later(flow, known.unknown);
    SetAnswer answer = compare(known.set, known, column, flow);
    if (answer.kind == SetAnswer::Empty)
      return success();
    if (answer.kind == SetAnswer::Unknown)
      return later(flow, answer.reason);
    if (selected && column.length == 1)
      return op->emitError() << "[SA0220] selection can reach key " << answer.point.key << " from row "
                             << answer.point.row << answer.point.assumptions()
                             << ": intersect it with a set where s <= t";
    std::string place = placeOf(answer.point, known.row, column, how);
    Intent intent = selected ? Intent::Leak : intentOf(known, column);
    if (intent == Intent::BothWays)
      return later(flow, place);
    if (intent == Intent::Leak)
      return op->emitError() << "[SA0220] " << place << ": compare last(c), not first(c)";
    return op->emitError() << "[SA0220] " << place << ", and nothing earlier: turn the comparison round";
  }

  //===-- Selections.

  LogicalResult visitSelect(SelectOp op, Flow &flow) {
    flow.selected = true;
    const Flow &z = flows[op.getZ()];
    KnownSet where = sets.over(op.getWhere(), facts.of(op.getZ()));
    if (where.row.length > 1)
      (void)later(flow, "selections are made for blocks of " + std::to_string(where.row.length) +
                            " rows, from all queries of a block");
    if (where.unknown.empty() && op.getLastAttr())
      remarkUselessForce(op, where);
    if (!z.ofColumn)
      return success();
    // The score of a forced column ranks nothing.
    KnownSet forced = sets.forcedBy(op);
    std::string unknown = where.unknown.empty() ? forced.unknown : where.unknown;
    std::optional<quasi::Set> ranked;
    if (unknown.empty())
      ranked = quasi::Set::subtract(where.set, forced.set, unknown);
    if (!ranked)
      return later(flow, unknown);
    BlockShape column{std::max(where.key.length, z.column.length), where.key.stride};
    SetAnswer answer = compare(*ranked, where, column, flow);
    if (answer.kind == SetAnswer::Empty)
      return success();
    if (answer.kind == SetAnswer::Unknown)
      return later(flow, answer.reason);
    std::string place = placeOf(answer.point, where.row, column, "is ranked for");
    if (column.length == 1)
      return op.emitError() << "[SA0220] " << place << ": select where s <= t";
    return op.emitError() << "[SA0220] " << place
                          << ": compare last(c), not first(c), or force the block that still grows with force(last(1))";
  }

  void remarkUselessForce(SelectOp op, const KnownSet &where) {
    KnownSet own = sets.endColumns(facts.of(op.getZ()), ExprAttr(), intExpr(op.getContext(), 1));
    if (!own.unknown.empty())
      return;
    SetDomain domain = where.domain();
    domain.negativeParams = false;
    SetAnswer answer = findOutside(own.set, where.set, domain);
    if (answer.kind == SetAnswer::Found)
      op.emitRemark() << "forced last " << (where.key.length == 1 ? "key" : "block") << " of row " << answer.point.row
                      << " is outside 'where': it will never be chosen";
  }

  PatternOp pattern;
  const PatternFacts &facts;
  PatternSets sets;
  llvm::DenseMap<Value, Flow> flows;
};

struct VerifyCausalPass : impl::SattnVerifyCausalBase<VerifyCausalPass> {
  using SattnVerifyCausalBase::SattnVerifyCausalBase;
  void runOnOperation() override {
    PatternOp pattern = getOperation();
    auto facts = deriveFacts(pattern);
    auto bindings = bindingsFor(pattern, bind);
    if (failed(facts) || failed(bindings))
      return signalPassFailure();
    CausalFlow flow(pattern, *facts, integersOf(*bindings));
    auto verdict = flow.run();
    if (failed(verdict))
      return signalPassFailure();
    pattern->setAttr("causal", mlir::StringAttr::get(&getContext(), *verdict));
    setsCompared += flow.compared;
  }
};
} // namespace
} // namespace sattn

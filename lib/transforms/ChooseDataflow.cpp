// sattn-choose-dataflow: how each accumulation walks its keys, and why. See Passes.td.
#include "dialects/pattern/KeySet.h"
#include "lib/analysis/Congruence.h"
#include "lib/analysis/CostModel.h"
#include "lib/analysis/SpecialiseSet.h"
#include "lib/transforms/Heads.h"
#include "lib/transforms/Passes.h"
#include "lib/transforms/TargetText.h"
#include "mlir/IR/Remarks.h"

namespace sattn {
#define GEN_PASS_DEF_SATTNCHOOSEDATAFLOW
#include "lib/transforms/Passes.h.inc"

namespace {

// More classes of residues would leave a tile of rows almost empty at the lengths that calls have.
constexpr int64_t kMostClasses = 1024;

std::string cycles(double value) { return std::to_string(static_cast<int64_t>(value + 0.5)); }

class Chooser {
public:
  Chooser(PatternOp pattern, const PatternFacts &facts, const TargetInfo &target, int64_t keys)
      : pattern(pattern), facts(facts), target(target), keys(keys), bound(pattern), heads(bound, facts) {}

  unsigned ranges = 0, inverted = 0, listed = 0;

  void run() {
    congruence = congruenceOfAll();
    for (Operation &op : pattern.getBody().front()) {
      if (auto accumulate = dyn_cast<AccumulateOp>(op))
        choose(accumulate);
      else if (auto select = dyn_cast<SelectOp>(op))
        describe(select);
    }
  }

private:
  // What every set of the pattern implies of t - s; trivial where keys are chosen by content, or are blocks.
  Congruence congruenceOfAll() {
    std::optional<Congruence> common;
    for (Operation &op : pattern.getBody().front()) {
      if (isa<SelectOp>(op))
        return {};
      auto accumulate = dyn_cast<AccumulateOp>(op);
      if (!accumulate)
        continue;
      auto made = accumulate.getSet().getDefiningOp<SetOp>();
      if (!made || !made.getTables().empty() || made.getFormula().getRow().isBlocks() || made.getFormula().getKey().isBlocks())
        return {};
      std::string error;
      auto set = specialiseSet(made.getFormula(), SetBindings(), error);
      Congruence found = succeeded(set) ? commonCongruence(*set) : Congruence();
      if (found.isTrivial() || found.modulus > kMostClasses || (common && *common != found))
        return {};
      common = found;
    }
    return common.value_or(Congruence());
  }

  void annotate(Operation *op, StringRef kind, int64_t rows, const std::string &why,
                ArrayRef<std::pair<StringRef, int64_t>> numbers = {}) {
    mlir::Builder b(op->getContext());
    SmallVector<mlir::NamedAttribute> entries = {b.getNamedAttr("kind", b.getStringAttr(kind)),
                                                 b.getNamedAttr("rows", b.getI64IntegerAttr(rows)),
                                                 b.getNamedAttr("why", b.getStringAttr(why))};
    for (auto [name, number] : numbers)
      entries.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(number)));
    op->setAttr("dataflow", b.getDictionaryAttr(entries));
    mlir::remark::passed(op->getLoc(), mlir::remark::RemarkOpts::name(kind).category("sattn-choose-dataflow")) << why;
  }

  int64_t featuresOf(Value tensor) { return bound.size(facts.of(tensor).feature()); }

  ScoreOp scoreOf(Value z) {
    while (z && !z.getDefiningOp<ScoreOp>())
      z = z.getDefiningOp()->getOperand(0);
    return z.getDefiningOp<ScoreOp>();
  }

  SelectOp selectionOf(Value set) {
    if (auto both = set.getDefiningOp<IntersectOp>())
      for (Value part : both.getSets())
        if (auto select = part.getDefiningOp<SelectOp>())
          return select;
    return set.getDefiningOp<SelectOp>();
  }

  void choose(AccumulateOp op) {
    ScoreOp score = scoreOf(op.getZ());
    int64_t features = featuresOf(score.getQ()), valueFeatures = featuresOf(op.getV());
    SelectOp select = selectionOf(op.getSet());
    if (!select) {
      ++ranges;
      double perKey = cost::cyclesPerKey(target, features, valueFeatures);
      SmallVector<std::pair<StringRef, int64_t>> classes;
      std::string of = "the set is a formula: ";
      if (!congruence.isTrivial()) {
        classes = {{"every", congruence.modulus}, {"shift", congruence.shift}};
        of += "rows and keys of one residue modulo " + std::to_string(congruence.modulus) + " are a class of their own; ";
      }
      annotate(op, "range", target.rowTile,
               of + std::to_string(target.rowTile) + " rows of one head stream tiles of " +
                   std::to_string(target.keyTile) + " keys over its cover; " + cycles(100 * perKey) +
                   " cycles for a row and 100 keys",
               classes);
      return;
    }
    const Facts &selected = facts.of(select.getResult());
    cost::SelectedShape shape;
    shape.block = literalInt(selected.key.getLen()).value_or(1);
    shape.slots = literalInt(select.getTop().value_or(ExprAttr())).value_or(1);
    shape.features = features;
    shape.valueFeatures = valueFeatures;
    shape.keys = keys;
    shape.heads =
        heads.shared({selected.head, facts.of(score.getK()).headAxis(), facts.of(op.getV()).headAxis()});
    if (selected.row.isBlocks())
      chooseListed(op, select, shape);
    else
      chooseInverted(op, shape);
  }

  std::string compared(const cost::SelectedShape &shape, int64_t chunk) {
    int64_t breakEven = cost::breakEvenKeys(target, shape, chunk);
    return "cycles for a row at " + std::to_string(keys) + " keys: gathered by query " +
           cycles(cost::gatheredCycles(target, shape)) + ", every key masked " +
           cycles(cost::maskedCycles(target, shape)) + "; selecting pays from " + std::to_string(breakEven) + " keys";
  }

  // How many rows share a block is a matter of rows a task by blocks of the call, so that a task's rows grow with the
  // number of keys, to what private memory holds.
  void chooseInverted(AccumulateOp op, const cost::SelectedShape &shape) {
    ++inverted;
    int64_t chunk = cost::taskRows(target, shape);
    annotate(op, "inverted", cost::mostRows(target, shape),
             "lists of " + std::to_string(shape.slots) + " blocks of " + std::to_string(shape.block) + " keys, shared by " +
                 std::to_string(shape.heads) + " heads, are inverted within " + std::to_string(chunk) +
                 " neighbouring rows: " + cycles(cost::invertedCycles(target, shape, chunk)) + "; " +
                 compared(shape, chunk),
             {{"keys_per_row", cost::keysPerRow(target, shape)}});
  }

  void chooseListed(AccumulateOp op, SelectOp select, const cost::SelectedShape &shape) {
    ++listed;
    int64_t rows = literalInt(facts.of(select.getResult()).row.getLen()).value_or(1);
    double each = static_cast<double>(shape.slots * shape.block) *
                  cost::cyclesPerKey(target, shape.features, shape.valueFeatures);
    annotate(op, "listed", rows,
             "blocks of " + std::to_string(rows) + " rows share a list of " + std::to_string(shape.slots) + " blocks of " +
                 std::to_string(shape.block) + " keys: " + cycles(each) + "; " + compared(shape, rows));
  }

  // How many passes a selection takes, for the remark only.
  void describe(SelectOp op) {
    bool normalized = false;
    for (Operation *made = op.getZ().getDefiningOp(); made && !isa<ScoreOp>(made);
         made = made->getOperand(0).getDefiningOp())
      normalized |= isa<NormalizeOp>(made);
    annotate(op, "scored", target.rowTile,
             normalized ? "probabilities need the sum over all blocks: a pass for the sums, a second one that recomputes "
                          "the scores and selects"
                        : "one pass over the scores, which are never stored");
  }

  PatternOp pattern;
  const PatternFacts &facts;
  TargetInfo target;
  int64_t keys;
  BoundPattern bound;
  Heads heads;
  Congruence congruence;
};

struct ChooseDataflowPass : impl::SattnChooseDataflowBase<ChooseDataflowPass> {
  using SattnChooseDataflowBase::SattnChooseDataflowBase;

  void runOnOperation() override {
    PatternOp pattern = getOperation();
    TargetInfo info;
    std::string error;
    if (!pattern.getBind() || failed(parseTargetText(targetText, info, error))) {
      if (error.empty())
        error = ("[SA0204] @" + pattern.getSymName() + " is not specialised: run sattn-specialize first").str();
      pattern.emitError() << error;
      return signalPassFailure();
    }
    auto facts = deriveFacts(pattern);
    if (failed(facts))
      return signalPassFailure();
    Chooser chooser(pattern, *facts, info, keys);
    chooser.run();
    rangesChosen += chooser.ranges;
    invertedChosen += chooser.inverted;
    listedChosen += chooser.listed;
  }
};
} // namespace
} // namespace sattn

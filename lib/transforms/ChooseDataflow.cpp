// sattn-choose-dataflow: how each accumulation walks its keys, and why. See Passes.td.
#include "dialects/pattern/KeySet.h"
#include "lib/analysis/Congruence.h"
#include "lib/analysis/CostModel.h"
#include "lib/analysis/SpecialiseSet.h"
#include "lib/transforms/Heads.h"
#include "lib/transforms/Passes.h"
#include "lib/transforms/SharedKeys.h"
#include "lib/transforms/TargetText.h"
#include "mlir/IR/Remarks.h"
#include <cmath>

namespace sattn {
#define GEN_PASS_DEF_SATTNCHOOSEDATAFLOW
#include "lib/transforms/Passes.h.inc"

namespace {

// More classes of residues would leave a tile of rows almost empty at the lengths that calls have.
constexpr int64_t kMostClasses = 1024;

// A form for calls of few keys makes a program larger and its compilation longer: it must be worth it.
constexpr int64_t kFewestMaskedKeys = 2048; ///< break-even length from which there is one
constexpr double kMaskedGain = 1.6;         ///< gain where every block is chosen

// Cycles of one query row and head, as they are written.
double rounded(double cycles) { return std::floor(cycles + 0.5); }

/// A way to walk the keys that was weighed and not taken.
struct Alternative {
  StringRef kind;
  double cycles; ///< of one row and head at the length of the estimate; negative: not estimated
  std::string why;
};

/// What is written at an op.
struct Choice {
  StringRef kind;
  int64_t rows;
  std::string why;
  double cycles = -1;
  int64_t breakEven = 0; ///< keys from which selecting costs less than masking; 0: not asked
  SmallVector<std::pair<StringRef, int64_t>, 2> numbers = {}; ///< what the lowering needs beside the rows
  SmallVector<Alternative, 3> refused = {};

  bool isEstimated() const {
    return cycles >= 0 || llvm::any_of(refused, [](const Alternative &other) { return other.cycles >= 0; });
  }
};

class Chooser {
public:
  Chooser(PatternOp pattern, const PatternFacts &facts, const TargetInfo &target, int64_t keys)
      : pattern(pattern), facts(facts), target(target), keys(keys), bound(pattern), heads(bound, facts) {}

  unsigned ranges = 0, inverted = 0, listed = 0, gathered = 0;

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
  // What every set of the pattern implies of t - s; trivial where keys are chosen by content, or are blocks, or where
  // scores read tables, whose rows are not brought into classes.
  Congruence congruenceOfAll() {
    std::optional<Congruence> common;
    for (Operation &op : pattern.getBody().front()) {
      if (auto map = dyn_cast<MapOp>(op); isa<SelectOp>(op) || (map && !map.getTables().empty()))
        return {};
      auto accumulate = dyn_cast<AccumulateOp>(op);
      if (!accumulate)
        continue;
      auto made = accumulate.getSet().getDefiningOp<SetOp>();
      if (!made || !made.getTables().empty() || made.getFormula().getRow().isBlocks() ||
          made.getFormula().getKey().isBlocks())
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

  //===-- The attribute and the remark.

  void annotate(Operation *op, const Choice &choice) {
    mlir::Builder b(op->getContext());
    mlir::NamedAttrList fields;
    fields.set("kind", b.getStringAttr(choice.kind));
    fields.set("rows", b.getI64IntegerAttr(choice.rows));
    fields.set("why", b.getStringAttr(choice.why));
    if (choice.cycles >= 0)
      fields.set("cycles", b.getF64FloatAttr(rounded(choice.cycles)));
    if (choice.isEstimated())
      fields.set("keys", b.getI64IntegerAttr(keys));
    for (auto [name, number] : choice.numbers)
      fields.set(name, b.getI64IntegerAttr(number));
    if (choice.breakEven > 0)
      fields.set("break_even", b.getI64IntegerAttr(choice.breakEven));
    if (!choice.refused.empty())
      fields.set("refused", refused(b, choice));
    op->setAttr("dataflow", fields.getDictionary(op->getContext()));
    mlir::remark::passed(op->getLoc(), mlir::remark::RemarkOpts::name(choice.kind).category("sattn-choose-dataflow"))
        << remarkText(choice);
  }

  Attribute refused(mlir::Builder &b, const Choice &choice) {
    SmallVector<Attribute> list;
    for (const Alternative &alternative : choice.refused) {
      mlir::NamedAttrList fields;
      fields.set("kind", b.getStringAttr(alternative.kind));
      fields.set("why", b.getStringAttr(alternative.why));
      if (alternative.cycles >= 0)
        fields.set("cycles", b.getF64FloatAttr(rounded(alternative.cycles)));
      list.push_back(fields.getDictionary(b.getContext()));
    }
    return b.getArrayAttr(list);
  }

  static std::string cyclesText(double cycles) { return std::to_string(static_cast<int64_t>(rounded(cycles))); }

  std::string remarkText(const Choice &choice) {
    std::string text = choice.why;
    if (choice.cycles >= 0)
      text += ": " + cyclesText(choice.cycles) + " cycles";
    for (const Alternative &alternative : choice.refused)
      text += "; not " + alternative.kind.str() +
              (alternative.cycles >= 0 ? " (" + cyclesText(alternative.cycles) + " cycles)" : std::string()) + ": " +
              alternative.why;
    if (choice.isEstimated())
      text += "; cycles are for a row at " + std::to_string(keys) + " keys";
    if (choice.breakEven > 0)
      text += "; selecting pays from " + std::to_string(choice.breakEven) + " keys";
    return text;
  }

  //===-- Accumulations.

  int64_t featuresOf(Value tensor) {
    AxisAttr last = facts.of(tensor).axes.back();
    return last.isFeature() || last.isFixed() ? bound.size(last) : 1;
  }

  ScoreOp scoreOf(Value z) {
    while (z && !z.getDefiningOp<ScoreOp>())
      z = z.getDefiningOp()->getOperand(0);
    return z.getDefiningOp<ScoreOp>();
  }

  /// The selection, or the lists of the caller, that a set is made of; null without them.
  static Operation *selectionOf(Value set) {
    Operation *op = set.getDefiningOp();
    if (auto both = dyn_cast<IntersectOp>(op))
      for (Value part : both.getSets())
        if (isa<SelectOp, ListedOp>(part.getDefiningOp()))
          return part.getDefiningOp();
    return isa<SelectOp, ListedOp>(op) ? op : nullptr;
  }

  int64_t slotsOf(Operation *selection) {
    if (auto select = dyn_cast<SelectOp>(selection))
      return literalInt(select.getTop().value_or(ExprAttr())).value_or(1);
    return featuresOf(cast<ListedOp>(selection).getIdx());
  }

  void choose(AccumulateOp op) {
    ScoreOp score = scoreOf(op.getZ());
    int64_t features = featuresOf(score.getQ()), valueFeatures = featuresOf(op.getV());
    Operation *select = selectionOf(op.getSet());
    cost::SelectedShape shape;
    shape.features = features;
    shape.valueFeatures = valueFeatures;
    shape.keys = keys;
    if (!select)
      return chooseRange(op, shape);
    const Facts &selected = facts.of(select->getResult(0));
    if (selected.key.kind() == AxisKind::Keys)
      return chooseGathered(op, cast<SelectOp>(select), shape);
    shape.block = literalInt(selected.key.getLen()).value_or(1);
    shape.slots = slotsOf(select);
    shape.heads = heads.shared({selected.head, facts.of(score.getK()).headAxis(), facts.of(op.getV()).headAxis()});
    if (selected.row.isBlocks())
      return chooseListed(op, select, shape);
    if (masks())
      if (std::optional<SharedKeys> beside = sharedKeys(op))
        shape.shared = meanKeys(beside->other, shape.slots * shape.block);
    chooseInverted(op, shape);
  }

  static RandomOp randomOf(Value set) {
    Operation *op = set.getDefiningOp();
    if (isa<UnionOp, IntersectOp>(op))
      for (Value part : op->getOperands())
        if (RandomOp random = randomOf(part))
          return random;
    return dyn_cast<RandomOp>(op);
  }

  // Of all sums that may be alive beside those of `op`; where keys are selected they wait in memory.
  int64_t sumColumns(AccumulateOp op) {
    int64_t columns = 0;
    for (auto other : op->getBlock()->getOps<AccumulateOp>()) {
      if (selectionOf(other.getSet()))
        return 0;
      columns += featuresOf(other.getV());
    }
    return columns;
  }

  // The cost of a formula depends on params and lengths of the call; what one key costs does not.
  void chooseRange(AccumulateOp op, const cost::SelectedShape &shape) {
    ++ranges;
    double perKey = cost::cyclesPerKey(target, shape.features, shape.valueFeatures);
    auto rowBytes = [&](Value tensor) {
      return (congruence.isTrivial() ? bound.elementBytes(tensor) : 4) * featuresOf(tensor);
    };
    // Values that are a prefix of the keys come with them.
    int64_t valueBytes = op.getV().getDefiningOp<PrefixOp>() ? 0 : rowBytes(op.getV());
    int64_t tile = cost::keyTile(target, rowBytes(scoreOf(op.getZ()).getK()) + valueBytes);
    std::string classes;
    if (!congruence.isTrivial())
      classes =
          "rows and keys of one residue modulo " + std::to_string(congruence.modulus) + " are a class of their own; ";
    bool narrow = std::max(shape.features, shape.valueFeatures) <= target.rangeFeatures;
    int64_t rows = narrow && target.rangeRows ? target.rangeRows : target.rowTile;
    // Fewer rows touch fewer blocks that have random ones of their own.
    if (RandomOp random = randomOf(op.getSet()))
      rows = std::max<int64_t>(std::min(rows, *literalInt(random.getBlock()) / 16 * 16), target.rowTile / 2);
    if (narrow && target.rangeKeys)
      tile = target.rangeKeys;
    if (target.sumColumns != 0 && sumColumns(op) > target.sumColumns)
      tile = std::max<int64_t>(tile / 2, 16);
    Choice choice{"range", rows,
                  "the set is a formula: " + classes + std::to_string(rows) + " rows of one head stream tiles of " +
                      std::to_string(tile) + " keys over its cover; " + cyclesText(100 * perKey) +
                      " cycles for a row and 100 keys"};
    if (!congruence.isTrivial())
      choice.numbers = {{"every", congruence.modulus}, {"shift", congruence.shift}};
    if (tile != target.keyTile)
      choice.numbers.push_back({"tile", tile});
    choice.refused.push_back({"masked", cost::maskedCycles(target, shape),
                              "every tile up to the row would be computed, those outside the set too"});
    annotate(op, choice);
  }

  void addAlternatives(Choice &choice, const cost::SelectedShape &shape, int64_t chunk = 0) {
    choice.refused.push_back({"gathered", cost::gatheredCycles(target, shape),
                              "each row would load the blocks of its own list, used by " + std::to_string(shape.heads) +
                                  (shape.heads == 1 ? " head" : " heads") + " only"});
    choice.refused.push_back({"masked", cost::maskedCycles(target, shape),
                              "every key up to the row would be computed, unselected ones masked"});
    choice.breakEven = cost::breakEvenKeys(target, shape, chunk);
  }

  // Whether calls may have the form that masks what rows do not choose, as Forms.cpp asks: where keys are packed, bits
  // are tested.
  bool masks() const { return target.keyLayout.width != 0; }

  // Keys of a call up to which a form of its own masks what rows do not choose; 0: there is none.
  int64_t maskedKeys(cost::SelectedShape shape, int64_t breakEven) const {
    shape.keys = shape.slots * shape.block;
    double inverted = cost::invertedCycles(target, shape, cost::taskRows(target, shape));
    double gain = (inverted + cost::sharedCycles(target, shape)) / cost::maskedCycles(target, shape);
    return masks() && breakEven >= kFewestMaskedKeys && gain >= kMaskedGain ? breakEven : 0;
  }

  static std::string listText(const cost::SelectedShape &shape) {
    return std::to_string(shape.slots) + " blocks of " + std::to_string(shape.block) + " keys";
  }

  // How many rows share a block is a matter of rows a task by blocks of the call, so that a task's rows grow with the
  // number of keys, to what private memory holds.
  void chooseInverted(AccumulateOp op, const cost::SelectedShape &shape) {
    ++inverted;
    int64_t chunk = cost::taskRows(target, shape);
    Choice choice{"inverted", cost::mostRows(target, shape),
                  "lists of " + listText(shape) + ", shared by " + std::to_string(shape.heads) +
                      (shape.heads == 1 ? " head" : " heads") + ", are inverted within " + std::to_string(chunk) +
                      " neighbouring rows at " + std::to_string(keys) + " keys; tasks grow with the length to " +
                      std::to_string(cost::mostRows(target, shape)) + " rows",
                  cost::invertedCycles(target, shape, chunk)};
    choice.numbers = {{"keys_per_row", cost::keysPerRow(target, shape)}};
    addAlternatives(choice, shape);
    if (int64_t keys = maskedKeys(shape, choice.breakEven))
      choice.numbers.push_back({"masked_keys", keys});
    // A pass over all keys, one block after the other, leaves a partial result for each row and chosen block.
    int64_t bytes = 2 * shape.slots * 4 * (shape.valueFeatures + 2);
    choice.refused.push_back({"key_stationary", -1,
                              "a row's " + std::to_string(shape.slots) +
                                  " partial results would be written, read and merged: " + std::to_string(bytes) +
                                  " bytes for a row"});
    annotate(op, choice);
  }

  void chooseListed(AccumulateOp op, Operation *select, const cost::SelectedShape &shape) {
    ++listed;
    int64_t rows = literalInt(facts.of(select->getResult(0)).row.getLen()).value_or(1);
    Choice choice{"listed", rows, "blocks of " + std::to_string(rows) + " rows share a list of " + listText(shape),
                  static_cast<double>(shape.slots * shape.block) *
                      cost::cyclesPerKey(target, shape.features, shape.valueFeatures)};
    addAlternatives(choice, shape, rows);
    annotate(op, choice);
  }

  // Rows share few single tokens, so that each gathers its own, for all heads at once.
  void chooseGathered(AccumulateOp op, SelectOp select, const cost::SelectedShape &shape) {
    ++gathered;
    ScoreOp score = scoreOf(op.getZ());
    SmallVector<AxisAttr> axes{facts.of(select.getResult()).head, facts.of(score.getK()).headAxis(),
                               facts.of(op.getV()).headAxis()};
    bool all = llvm::none_of(axes, [&](AxisAttr axis) { return heads.ratio(axis).has_value(); });
    std::string sharing = all ? "all heads" : std::to_string(heads.shared(axes)) + " of its heads";
    Choice choice{"gathered", 1, "a list of single tokens: a task is one row, which gathers its keys for " + sharing};
    choice.refused.push_back({"inverted", -1, "rows that are neighbours share too few single tokens"});
    choice.refused.push_back({"masked", cost::maskedCycles(target, shape),
                              "every key up to the row would be computed, unselected ones masked"});
    annotate(op, choice);
  }

  // How many passes a selection takes.
  void describe(SelectOp op) {
    if (facts.of(op.getResult()).key.kind() == AxisKind::Keys) {
      Choice choice{
          "stored", 1,
          "scores of a chunk of rows are stored, and the best of each row found by counting: a running choice "
          "would touch as many slots as tokens are selected for each score"};
      choice.refused.push_back({"scored", -1, "slots of a running choice: one for each selected token"});
      annotate(op, choice);
      return;
    }
    bool normalized = false;
    for (Operation *made = op.getZ().getDefiningOp(); made && !isa<ScoreOp>(made);
         made = made->getOperand(0).getDefiningOp())
      normalized |= isa<NormalizeOp>(made);
    Choice choice{"scored", target.rowTile,
                  normalized ? "probabilities need the sum over all blocks: a pass for the sums, a second one that "
                               "recomputes the scores and selects"
                             : "one pass over the scores, which are never stored"};
    choice.refused.push_back({"stored", -1, "the scores of all rows and blocks would pass through memory"});
    annotate(op, choice);
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
    gatheredChosen += chooser.gathered;
  }
};
} // namespace
} // namespace sattn

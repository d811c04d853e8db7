// Counts the work of a pattern: each score over the keys it is needed for, each value that is weighed.
#include "lib/support/DiagnosticLog.h"
#include "tools/sparse-attn/OracleBridge.h"
#include "tools/sparse-attn/PatternModule.h"
#include "tools/sparse-attn/RowSets.h"
#include "llvm/ADT/DenseSet.h"
#include <map>

using namespace sattn;
using namespace sattn::tool;

// Sets are counted on so many rows, evenly spaced, when all rows would take more steps (some microseconds each).
static constexpr int64_t sampledRows = 256;
static constexpr int64_t maxSteps = int64_t(1) << 19;

namespace {
class WorkCounter {
public:
  /// Counts one batch entry, which stands at `at`.
  WorkCounter(PatternOp pattern, const PatternFacts &facts, const WorkRequest &request, Positions at)
      : pattern(pattern), facts(facts) {
    for (const auto &[axis, size] : request.sizes)
      sizes[axis] = size;
    for (const auto &[name, value] : request.params)
      params[name] = value;
    rowSets = std::make_unique<RowSets>(facts, sizes, params, at);
  }

  UsefulWork count() {
    for (Operation &op : pattern.getBody().front()) {
      if (auto attend = dyn_cast<AttendOp>(op))
        addAttention(attend.getZ(), attend.getSet(), attend.getV());
      else if (auto accumulate = dyn_cast<AccumulateOp>(op))
        addAttention(accumulate.getZ(), accumulate.getSet(), accumulate.getV());
    }
    for (Operation &op : pattern.getBody().front())
      if (auto select = dyn_cast<SelectOp>(op))
        addScores(select.getZ(), select.getWhere());
    return work;
  }

private:
  int64_t featureSize(Value tensor) { return rowSets->extent(facts.of(tensor).feature()); }
  double headsOf(Value score) { return static_cast<double>(rowSets->extent(facts.of(score).head)); }

  /// Columns of `score` that the rows of `set` see together, of one head: rows are those of the set, or, for
  /// `perQuery`, the query rows.
  double columns(Value set, Value score, bool perQuery) {
    AxisAttr rowAxis = facts.of(set).row;
    bool isBlocked = !perQuery && rowAxis && rowAxis.isBlocks();
    int64_t length = isBlocked ? rowSets->number(rowAxis.getLen()).value_or(1) : 1;
    auto [place, isNew] = counted.try_emplace({set, {facts.of(score).key, length}}, 0);
    if (isNew) {
      work.atMost |= facts.of(set).readsTables || facts.of(set).variableSlots;
      place->second = sumRows(set, score, isBlocked ? rowSets->rows(set) : sizes.lookup("t"), length);
    }
    return place->second;
  }

  double sumRows(Value set, Value score, int64_t rows, int64_t length) {
    if (rows == 0)
      return 0;
    auto countAt = [&](int64_t row) { return rowSets->count(set, score, row * length + length - 1); };
    int64_t before = rowSets->steps();
    countAt(rows - 1);
    bool mustSample = rows > sampledRows && (rowSets->steps() - before) * rows > maxSteps;
    work.sampled |= mustSample;
    int64_t count = mustSample ? sampledRows : rows;
    double sum = 0;
    for (int64_t i = 0; i < count; ++i)
      sum += countAt(mustSample ? (2 * i + 1) * rows / (2 * count) : i);
    return sum * static_cast<double>(rows) / static_cast<double>(count);
  }

  static ScoreOp rootOf(Value score, Value &normalizedOver) {
    while (Operation *op = score.getDefiningOp()) {
      if (auto root = dyn_cast<ScoreOp>(op))
        return root;
      if (auto normalize = dyn_cast<NormalizeOp>(op))
        normalizedOver = normalize.getSet();
      if (!isa<MapOp, NormalizeOp, ReduceOp, RebinOp>(op))
        return {};
      score = op->getOperand(0);
    }
    return {};
  }

  void addAttention(Value score, Value set, Value values) {
    Value normalized;
    ScoreOp root = rootOf(score, normalized);
    double keys = columns(set, score, /*perQuery=*/true), pairs = keys * headsOf(score);
    work.keysPerHead += keys;
    work.pairs += pairs;
    work.flops += 2 * pairs * static_cast<double>(featureSize(values));
    if (root && scored.insert({root.getResult(), set}).second)
      work.flops += 2 * pairs * static_cast<double>(featureSize(root.getQ()));
  }

  /// Scores that only choose: once for each column they are compared over, unless an attention needed them anyway.
  void addScores(Value score, Value where) {
    Value domain = where;
    Value normalized;
    ScoreOp root = rootOf(score, normalized);
    if (normalized)
      domain = normalized;
    if (!root || !scored.insert({root.getResult(), domain}).second)
      return;
    double pairs = columns(domain, root.getResult(), /*perQuery=*/false) * headsOf(root.getResult());
    work.flops += 2 * pairs * static_cast<double>(featureSize(root.getQ()));
  }

  PatternOp pattern;
  const PatternFacts &facts;
  llvm::StringMap<int64_t> sizes;
  llvm::StringMap<double> params;
  std::unique_ptr<RowSets> rowSets;
  llvm::DenseMap<std::pair<Value, std::pair<AxisAttr, int64_t>>, double> counted; ///< by set, columns, rows in a block
  llvm::DenseSet<std::pair<Value, Value>> scored;
  UsefulWork work;
};
} // namespace

// Values of all integer params: given, or their default over others.
static void fillDefaults(PatternOp pattern, WorkRequest &request) {
  llvm::StringMap<double> known;
  for (const auto &[name, value] : request.params)
    known[name] = value;
  for (ParamAttr param : pattern.getParams().getAsRange<ParamAttr>()) {
    if (known.count(param.getName()) || !param.getDefaultValue() || param.getIsFloat())
      continue;
    std::optional<int64_t> value = evaluateInt(param.getDefaultValue(), [&](ExprAttr leaf) -> std::optional<int64_t> {
      auto found = leaf.is(ExprKind::Name) ? known.find(leaf.getText()) : known.end();
      return found == known.end() ? std::nullopt : std::optional(static_cast<int64_t>(found->second));
    });
    if (!value)
      continue;
    known[param.getName()] = static_cast<double>(*value);
    request.params.push_back({param.getName().str(), static_cast<double>(*value)});
  }
}

bool sattn::tool::countWork(const WorkRequest &asked, UsefulWork &work, std::string &error) {
  PatternModule module(asked.path, asked.text);
  if (!module.pattern()) {
    error = module.error();
    return false;
  }
  FailureOr<PatternFacts> facts = deriveFacts(module.pattern());
  if (failed(facts)) {
    error = module.error();
    return false;
  }
  WorkRequest request = asked;
  fillDefaults(module.pattern(), request);
  llvm::StringMap<int64_t> sizes;
  for (const auto &[axis, size] : request.sizes)
    sizes[axis] = size;
  // Entries that stand at the same positions are counted once.
  std::map<Positions, int64_t> entries;
  auto at = [](const std::vector<int64_t> &values, int64_t entry, int64_t otherwise) {
    return values.empty() ? otherwise : values.size() == 1 ? values[0] : values[entry];
  };
  int64_t batch = sizes.count("B") ? sizes.lookup("B") : 1;
  for (int64_t entry = 0; entry < batch; ++entry)
    ++entries[{at(request.qOffset, entry, 0), at(request.kvOffset, entry, 0),
               at(request.kvLen, entry, sizes.lookup("s"))}];
  for (const auto &[positions, times] : entries) {
    UsefulWork one = WorkCounter(module.pattern(), *facts, request, positions).count();
    work.flops += one.flops * static_cast<double>(times);
    work.pairs += one.pairs * static_cast<double>(times);
    work.keysPerHead += one.keysPerHead * static_cast<double>(times) / static_cast<double>(batch);
    work.sampled |= one.sampled;
    work.atMost |= one.atMost;
  }
  return true;
}

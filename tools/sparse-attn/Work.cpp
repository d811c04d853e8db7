// Counts the work of a pattern: each score over the keys it is needed for, each value that is weighed.
#include "lib/support/DiagnosticLog.h"
#include "tools/sparse-attn/OracleBridge.h"
#include "tools/sparse-attn/PatternModule.h"
#include "tools/sparse-attn/RowSets.h"
#include "llvm/ADT/DenseSet.h"

using namespace sattn;
using namespace sattn::tool;

// Sets that must be scanned are counted on so many rows, evenly spaced, when all rows would take more evaluations.
static constexpr int64_t sampledRows = 64;
static constexpr int64_t maxScan = int64_t(1) << 22;

namespace {
class WorkCounter {
public:
  WorkCounter(PatternOp pattern, const PatternFacts &facts, const WorkRequest &request)
      : pattern(pattern), facts(facts) {
    for (const auto &[axis, size] : request.sizes)
      sizes[axis] = size;
    for (const auto &[name, value] : request.params)
      params[name] = value;
    rowSets = std::make_unique<RowSets>(pattern, facts, sizes, params, request.qOffset);
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
    work.sampled = isSampled;
    return work;
  }
  /// Keys that the rows of one query head see in all attentions together.
  double keysPerHead() const { return keys; }

private:
  int64_t featureSize(Value tensor) { return rowSets->extent(facts.of(tensor).feature()); }
  double batch() const { return static_cast<double>(sizes.lookup("B")); }
  double headsOf(Value score) { return static_cast<double>(rowSets->extent(facts.of(score).head)); }

  /// Columns that all rows of a set see, of one head and batch entry.
  double columns(Value set) {
    auto [place, isNew] = counted.try_emplace(set, 0);
    if (!isNew)
      return place->second;
    AxisAttr rowAxis = facts.of(set).row;
    int64_t length = rowAxis && rowAxis.isBlocks() ? rowSets->number(rowAxis.getLen()).value_or(1) : 1;
    double sum = sumRows(set, rowSets->rows(set), length);
    return counted[set] = sum;
  }

  double sumRows(Value set, int64_t rows, int64_t length) {
    if (rows == 0)
      return 0;
    double sum = rowSets->count(set, 0);
    bool mustSample = rowSets->scans() && rows > sampledRows && rows * sizes.lookup("s") > maxScan;
    isSampled |= mustSample;
    int64_t count = mustSample ? sampledRows : rows;
    sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      int64_t row = mustSample ? (2 * i + 1) * rows / (2 * count) : i;
      sum += rowSets->count(set, row * length + length - 1);
    }
    return sum * static_cast<double>(rows) / static_cast<double>(count);
  }

  /// The same for the query rows, where the rows of the set are blocks of them.
  double queryColumns(Value set) {
    AxisAttr rowAxis = facts.of(set).row;
    return rowAxis && rowAxis.isBlocks() ? sumRows(set, sizes.lookup("t"), 1) : columns(set);
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
    double pairs = queryColumns(set) * batch() * headsOf(score);
    keys += queryColumns(set);
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
    work.flops += 2 * columns(domain) * batch() * headsOf(root.getResult()) * static_cast<double>(featureSize(root.getQ()));
  }

  PatternOp pattern;
  const PatternFacts &facts;
  llvm::StringMap<int64_t> sizes;
  llvm::StringMap<double> params;
  std::unique_ptr<RowSets> rowSets;
  llvm::DenseMap<Value, double> counted;
  llvm::DenseSet<std::pair<Value, Value>> scored;
  UsefulWork work;
  double keys = 0;
  bool isSampled = false;
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
  double operandBytes = work.bytes; // of the caller
  WorkCounter counter(module.pattern(), *facts, request);
  work = counter.count();
  work.bytes = operandBytes;
  work.keysPerHead = counter.keysPerHead();
  return true;
}

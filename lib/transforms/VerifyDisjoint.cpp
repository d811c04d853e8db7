// sattn-verify-disjoint: do the parts of a merge share a key? See Passes.td.
#include "lib/analysis/PatternSets.h"
#include "lib/transforms/Bindings.h"
#include "lib/transforms/Passes.h"

namespace sattn {
#define GEN_PASS_DEF_SATTNVERIFYDISJOINT
#include "lib/transforms/Passes.h.inc"

namespace {
/// Keys that entered a partial result at one accumulation.
struct Part {
  AccumulateOp op;
  KnownSet keys;
};
using Parts = SmallVector<Part, 2>;

class DisjointParts {
public:
  DisjointParts(PatternOp pattern, const PatternFacts &facts, const llvm::StringMap<int64_t> &statics)
      : pattern(pattern), facts(facts), sets(pattern, facts, statics) {}

  unsigned proven = 0;

  LogicalResult run() {
    for (Operation &op : pattern.getBody().front()) {
      if (auto accumulate = dyn_cast<AccumulateOp>(op))
        parts[accumulate.getP()] = {{accumulate, sets.over(accumulate.getSet(), facts.of(accumulate.getZ()))}};
      else if (auto merge = dyn_cast<MergeOp>(op))
        if (failed(visit(merge)))
          return failure();
    }
    return success();
  }

private:
  LogicalResult visit(MergeOp op) {
    Parts all;
    for (Value operand : op.getParts()) {
      auto found = parts.find(operand);
      if (found == parts.end())
        continue;
      for (const Part &part : found->second)
        for (const Part &earlier : all)
          if (failed(compare(op, earlier, part)))
            return failure();
      all.append(found->second);
    }
    parts[op.getP()] = std::move(all);
    return success();
  }

  LogicalResult compare(MergeOp op, Part a, Part b) {
    if (a.op.getV() != b.op.getV())
      return success(); // other values: what counts there is another key
    KnownSet left = toShapes(a.keys, {1, 1}, b.keys.key), right = toShapes(b.keys, {1, 1}, b.keys.key);
    std::string unknown = left.unknown.empty() ? right.unknown : left.unknown;
    SetAnswer answer{SetAnswer::Unknown, {}, unknown};
    SetDomain domain = left.domain();
    domain.negativeParams = false; // a window of -1 refutes no pattern
    if (unknown.empty())
      answer = findOverlap(left.set, right.set, domain);
    if (answer.kind == SetAnswer::Empty) {
      ++proven;
      return success();
    }
    if (answer.kind == SetAnswer::Unknown) {
      op.emitRemark() << "not proven that merged results share no key: " << answer.reason;
      return success();
    }
    auto error = op.emitError() << "[SA0221] merged results overlap: " << (left.key.length == 1 ? "key " : "block ")
                                << answer.point.key << " of row " << answer.point.row << " would count twice"
                                << answer.point.assumptions() << "; use union, or minus on one set";
    error.attachNote(a.op.getLoc()) << "one part is accumulated here";
    error.attachNote(b.op.getLoc()) << "the other part is accumulated here";
    return error;
  }

  PatternOp pattern;
  const PatternFacts &facts;
  PatternSets sets;
  llvm::DenseMap<Value, Parts> parts;
};

struct VerifyDisjointPass : impl::SattnVerifyDisjointBase<VerifyDisjointPass> {
  using SattnVerifyDisjointBase::SattnVerifyDisjointBase;
  void runOnOperation() override {
    auto facts = deriveFacts(getOperation());
    auto bindings = bindingsFor(getOperation(), bind);
    if (failed(facts) || failed(bindings))
      return signalPassFailure();
    DisjointParts check(getOperation(), *facts, integersOf(*bindings));
    if (failed(check.run()))
      return signalPassFailure();
    pairsProven += check.proven;
  }
};
} // namespace
} // namespace sattn

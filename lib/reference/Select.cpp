// Selections: the total order of candidates, and sattn.select for one row.
#include "lib/reference/Select.h"
#include "lib/reference/Env.h"
#include <cmath>

namespace sattn::ref {

std::vector<int64_t> chooseTop(ArrayRef<int64_t> ids, ArrayRef<double> scores, const Pick &pick,
                               llvm::function_ref<bool(int64_t)> forced) {
  struct Candidate {
    bool forced;
    double score;
    int64_t id;
    bool operator<(const Candidate &other) const {
      if (forced != other.forced)
        return forced;
      return score != other.score ? score > other.score : id < other.id;
    }
  };
  std::vector<Candidate> candidates;
  for (auto [id, score] : llvm::zip_equal(ids, scores)) {
    bool isForced = forced(id);
    // A forced column stays whatever its score: what makes the score a NaN may be a key that the row does not see.
    if (isForced)
      candidates.push_back({true, std::isnan(score) ? negativeInfinity : score, id});
    else if (score > negativeInfinity && score > pick.above)
      candidates.push_back({false, score, id});
  }
  llvm::sort(candidates);
  if (pick.n && static_cast<int64_t>(candidates.size()) > *pick.n)
    candidates.resize(std::max<int64_t>(*pick.n, 0));
  std::vector<int64_t> chosen;
  double sum = 0;
  for (const Candidate &candidate : candidates) {
    if (pick.mass && !candidate.forced && sum >= *pick.mass - kMassSlack)
      break;
    sum += std::max(candidate.score, 0.0);
    chosen.push_back(candidate.id);
  }
  llvm::sort(chosen);
  return chosen;
}

Keys Row::evaluate(SelectOp op, Head head) {
  Value score = op.getZ();
  Keys candidates = columnsIn(op.getWhere(), score, head);
  std::vector<double> values = scores(score, head, candidates);

  int64_t stride = env.columns(score).blocks.stride;
  int64_t own = lastPosition(head) / stride; // the column that holds the row
  int64_t first = op.getFirstAttr() ? env.integer(op.getFirstAttr()) : 0;
  int64_t last = op.getLastAttr() ? env.integer(op.getLastAttr()) : 0;
  Keys named = op.getForced() ? columnsIn(op.getForced(), score, head) : Keys();
  auto forced = [&](int64_t id) {
    return id < first || (id > own - last && id <= own) || llvm::binary_search(named, id);
  };
  Pick pick;
  if (op.getTopAttr())
    pick.n = env.integer(op.getTopAttr());
  if (op.getAboveAttr())
    pick.above = env.number(op.getAboveAttr());
  if (op.getMassAttr())
    pick.mass = env.number(op.getMassAttr()) + env.massShift();
  return chooseTop(candidates, values, pick, forced);
}

} // namespace sattn::ref

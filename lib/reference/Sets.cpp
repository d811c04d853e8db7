// Key sets of one row, as ascending lists of the keys that exist. Set algebra is that of sorted lists; a set of
// blocks that meets a set of tokens becomes the tokens of its blocks.
#include "lib/reference/Env.h"
#include "lib/support/RandomBlocks.h"
#include "llvm/ADT/TypeSwitch.h"
#include <algorithm>
#include <numeric>

namespace sattn::ref {

//===-- The row and the columns that exist ----------------------------------------------------------------------===//

int64_t Row::position(Head head) {
  const Binding &call = env.binding();
  if (gathered)
    return env.rows(gathered, b, head.in(env.headCount(gathered)))[index];
  if (unit.isTokens())
    return call.qOffset[b] + index;
  return (call.qOffset[b] / unit.stride + index) * unit.stride;
}

int64_t Row::rowName(Head head) { return position(head) / unit.stride; }

int64_t Row::lastPosition(Head head) { return position(head) + unit.length - 1; }

Point Row::point(Head head) {
  const Binding &call = env.binding();
  Point point;
  point.row = rowName(head);
  point.head = head;
  point.rowsEnd = call.qOffset[b] + call.rows;
  point.keysEnd = call.kvOffset[b] + call.kvLen[b];
  point.keysBegin = call.kvOffset[b];
  return point;
}

Keys Row::existing(Columns columns, Head head) {
  if (gathered && columns.blocks.isTokens())
    return env.rows(gathered, b, head.in(env.headCount(gathered)));
  Keys all(env.columnCount(columns, b));
  std::iota(all.begin(), all.end(), env.firstColumn(columns.blocks, b));
  return all;
}

//===-- Combining -----------------------------------------------------------------------------------------------===//

/// The existing tokens of disjoint blocks.
Keys Row::lift(const Keys &blocks, Blocks from, Head head) {
  Keys tokens;
  for (int64_t block : blocks)
    for (int64_t token = block * from.stride; token < block * from.stride + from.length; ++token)
      tokens.push_back(token);
  Keys all = existing({}, head), kept;
  std::set_intersection(tokens.begin(), tokens.end(), all.begin(), all.end(), std::back_inserter(kept));
  return kept;
}

Keys Row::keysAs(Value set, Blocks wanted, Head head) {
  Blocks own = env.unit(set);
  return own == wanted ? keys(set, head) : lift(keys(set, head), own, head);
}

Keys Row::columnsIn(Value set, Value score, Head head) {
  Columns columns = env.columns(score);
  Keys chosen = keysAs(set, columns.blocks, head), all = existing(columns, head), kept;
  std::set_intersection(chosen.begin(), chosen.end(), all.begin(), all.end(), std::back_inserter(kept));
  return kept;
}

const Keys &Row::slots(Value set, Head head) {
  static const Keys none;
  Value selection = env.facts(set).selection;
  return selection ? keys(selection, head) : none;
}

//===-- Sets ----------------------------------------------------------------------------------------------------===//

const Keys &Row::keys(Value set, Head head) {
  // Evaluated once for all heads that the set does not tell apart.
  int64_t distinct = env.headCount(set);
  if (gathered)
    distinct = std::lcm(distinct, env.headCount(gathered));
  static const Keys none;
  if (!env.checkHeads(set, distinct, head.count))
    return none;
  Head own = head.as(distinct);
  Slot slot{set.getAsOpaquePointer(), own.index};
  if (auto known = keysOf.find(slot); known != keysOf.end())
    return known->second;

  Keys made;
  Blocks rows = env.rowUnit(set);
  if (unit.isTokens() && !rows.isTokens()) {
    made = env.blockOf(b, rows, index)->keys(set, head); // a set over blocks of rows holds for each of their rows
  } else {
    made = llvm::TypeSwitch<Operation *, Keys>(set.getDefiningOp())
               .Case<SetOp, RandomOp, ListedOp, SelectOp>([&](auto op) { return evaluate(op, own); })
               .Default([&](Operation *op) { return algebra(op, own); });
  }
  return keysOf[slot] = std::move(made);
}

Keys Row::algebra(Operation *op, Head head) {
  Blocks wanted = env.unit(op->getResult(0));
  Keys result = keysAs(op->getOperand(0), wanted, head);
  for (Value other : llvm::drop_begin(op->getOperands())) {
    Keys more = keysAs(other, wanted, head), joined;
    auto into = std::back_inserter(joined);
    if (isa<UnionOp>(op))
      std::set_union(result.begin(), result.end(), more.begin(), more.end(), into);
    else if (isa<IntersectOp>(op))
      std::set_intersection(result.begin(), result.end(), more.begin(), more.end(), into);
    else
      std::set_difference(result.begin(), result.end(), more.begin(), more.end(), into);
    result = std::move(joined);
  }
  return result;
}

Keys Row::evaluate(SetOp op, Head head) {
  const Formula &formula = env.formula(op);
  for (int64_t heads : formula.headCounts())
    if (!env.checkHeads(op.getSet(), heads, head.count))
      return {};
  auto read = [&](int64_t table, ArrayRef<int64_t> at) { return load(op.getTables()[table], at, head, 0); };
  Point at = point(head);
  Blocks blocks = env.unit(op.getResult());
  Keys inside;
  for (int64_t key : existing({blocks, blocks.disjoint()}, head)) {
    at.key = key;
    if (formula.holds(at, read))
      inside.push_back(key);
  }
  return inside;
}

Keys Row::evaluate(RandomOp op, Head head) {
  int64_t length = env.integer(op.getBlock());
  Point at = point(head);
  return randomBlocks(env.integer(op.getSeed()), at.row, (at.keysEnd + length - 1) / length,
                      env.integer(op.getCount()));
}

/// Entries are numbers of blocks, or flags of all of them; -1 and blocks beyond the end are left out. Without `rows`
/// each row has its own list; with `rows` row i of a head has entries ptr[i] to ptr[i + 1], the last row those up to
/// the end; bounds outside are cut, and a list that ends before it begins is empty.
Keys Row::evaluate(ListedOp op, Head head) {
  Blocks blocks = env.unit(op.getSet());
  ArrayRef<double> list;
  if (!op.getPtr()) {
    list = features(op.getIdx(), head);
  } else {
    const Tensor &ids = env.tensor(op.getIdx()), &ptr = env.tensor(op.getPtr());
    if (!env.checkHeads(op.getIdx(), ids.heads(), head.count) || !env.checkHeads(op.getPtr(), ptr.heads(), head.count))
      return {};
    list = ids.features(b, 0, head.in(ids.heads()));
    auto start = [&](int64_t row) {
      double given = row < ptr.positions() ? ptr.features(b, row, head.in(ptr.heads()))[0] : INFINITY;
      return static_cast<size_t>(std::clamp(given, 0.0, static_cast<double>(list.size())));
    };
    size_t from = start(index), to = std::max(start(index + 1), from);
    list = list.slice(from, to - from);
  }
  Keys inside, all = existing({blocks, true}, head);
  for (auto [place, entry] : llvm::enumerate(list)) {
    int64_t id = static_cast<int64_t>(op.getFlags() ? place : entry);
    if ((!op.getFlags() || entry != 0) && llvm::binary_search(all, id))
      inside.push_back(id);
  }
  llvm::sort(inside);
  inside.erase(llvm::unique(inside), inside.end());
  return inside;
}

} // namespace sattn::ref

// Interval arithmetic and the evaluation of set ops for one row.
#include "tools/sparse-attn/RowSets.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace sattn;
using namespace sattn::tool;

//===-- Intervals ---------------------------------------------------------------------------------------===//

void Intervals::add(int64_t low, int64_t high) {
  if (low >= high)
    return;
  if (parts.empty() || low > parts.back().second) {
    parts.push_back({low, high});
    return;
  }
  SmallVector<std::pair<int64_t, int64_t>, 4> merged;
  for (auto [a, b] : parts) {
    if (b < low || a > high) {
      merged.push_back({a, b});
    } else {
      low = std::min(low, a);
      high = std::max(high, b);
    }
  }
  merged.push_back({low, high});
  llvm::sort(merged);
  parts = std::move(merged);
}

Intervals Intervals::intersect(const Intervals &other) const {
  Intervals result;
  for (size_t i = 0, j = 0; i < parts.size() && j < other.parts.size();) {
    int64_t low = std::max(parts[i].first, other.parts[j].first),
            high = std::min(parts[i].second, other.parts[j].second);
    if (low < high)
      result.parts.push_back({low, high});
    ++(parts[i].second < other.parts[j].second ? i : j);
  }
  return result;
}

Intervals Intervals::complement(int64_t total) const {
  Intervals result;
  int64_t at = 0;
  for (auto [low, high] : parts) {
    if (at < low)
      result.parts.push_back({at, low});
    at = std::max(at, high);
  }
  if (at < total)
    result.parts.push_back({at, total});
  return result;
}

Intervals Intervals::lift(int64_t length, int64_t stride, int64_t total) const {
  Intervals result;
  for (auto [low, high] : parts)
    result.add(std::min(low * stride, total), std::min((high - 1) * stride + length, total));
  return result;
}

int64_t Intervals::count() const {
  int64_t sum = 0;
  for (auto [low, high] : parts)
    sum += high - low;
  return sum;
}

//===-- Values ------------------------------------------------------------------------------------------===//

std::optional<int64_t> RowSets::number(ExprAttr expr) const {
  return evaluateInt(expr, [&](ExprAttr leaf) -> std::optional<int64_t> {
    auto param = leaf.is(ExprKind::Name) ? params.find(leaf.getText()) : params.end();
    return param == params.end() ? std::nullopt : std::optional(static_cast<int64_t>(param->second));
  });
}

int64_t RowSets::extent(AxisAttr axis) const {
  if (!axis)
    return 1;
  if (axis.isFixed())
    return axis.getSize();
  if (!axis.isBlocks()) {
    auto size = sizes.find(axis.getName());
    return size == sizes.end() ? 1 : size->second;
  }
  int64_t length = number(axis.getLen()).value_or(1), stride = number(axis.getStride()).value_or(1);
  int64_t positions = axis.kind() == AxisKind::RowBlocks ? sizes.lookup("t") : at.kvLen;
  bool isWhole = axis.kind() == AxisKind::RowBlocks || axis.getRagged();
  return isWhole ? (positions + length - 1) / length : positions < length ? 0 : (positions - length) / stride + 1;
}

AxisAttr RowSets::axisOf(StringRef name) const {
  auto found = blockAxes.find(name);
  return found == blockAxes.end() ? AxisAttr() : found->second;
}

// A leaf or inner node at one row and one column of the key axis `key`; positions are absolute.
std::optional<int64_t> RowSets::value(ExprAttr expr, StringRef key, int64_t column, int64_t row) const {
  return evaluateInt(expr, [&](ExprAttr leaf) -> std::optional<int64_t> {
    if (leaf.is(ExprKind::Name)) {
      StringRef name = leaf.getText();
      if (name == key)
        return column + firstColumn(axisOf(name) ? number(axisOf(name).getStride()).value_or(1) : 1);
      AxisKind kind = axisKindOf(name);
      if (kind == AxisKind::Rows)
        return at.qOffset + row;
      if (kind == AxisKind::RowBlocks)
        return axisOf(name) ? (at.qOffset + row) / number(axisOf(name).getLen()).value_or(1) : at.qOffset + row;
      if (kind == AxisKind::QueryHeads)
        return head;
      if (kind == AxisKind::KvHeads)
        return head * std::max<int64_t>(1, sizes.lookup(name)) / std::max<int64_t>(1, sizes.lookup("h"));
      return number(leaf);
    }
    if (!leaf.is(ExprKind::Call) || leaf.getKids().size() != 1)
      return std::nullopt;
    StringRef name = leaf.getKids()[0].getText();
    if (leaf.getText() == "size")
      return name == "t" ? at.qOffset + sizes.lookup("t") : name == "s" ? at.kvOffset + at.kvLen : sizes.lookup(name);
    AxisAttr axis = axisOf(name);
    std::optional<int64_t> block = axis ? value(leaf.getKids()[0], key, column, row) : std::nullopt;
    if (!block)
      return std::nullopt;
    int64_t first = *block * number(axis.getStride()).value_or(1);
    return leaf.getText() == "first" ? first : first + number(axis.getLen()).value_or(1) - 1;
  });
}

std::optional<int64_t> RowSets::value(const LinearForm &form, StringRef key, int64_t column, int64_t row) const {
  int64_t sum = form.constant;
  for (const Term &term : form.terms) {
    std::optional<int64_t> factor = value(term.factor, key, column, row);
    if (!factor)
      return std::nullopt;
    sum += term.coeff * *factor;
  }
  return sum;
}

//===-- Sets --------------------------------------------------------------------------------------------===//

/// The columns in [begin, end) where all atoms hold, given that each form is linear in the column there.
Intervals RowSets::solve(const Conjunction &atoms, StringRef key, int64_t begin, int64_t end, int64_t row) const {
  int64_t low = begin, high = end;
  for (const Atom &atom : atoms) {
    std::optional<int64_t> first = value(atom.form, key, begin, row);
    if (!first)
      continue; // a table: known only at run time, counted as visible
    int64_t slope = end - begin > 1 ? value(atom.form, key, begin + 1, row).value_or(*first) - *first : 0;
    if (slope == 0) {
      if (atom.kind == AtomKind::EQ ? *first != 0 : *first < 0)
        return {};
      continue;
    }
    // first + slope * i, with i = column - begin, is 0 or crosses 0 at i = -first / slope.
    if (atom.kind == AtomKind::EQ) {
      if (*first % slope != 0)
        return {};
      low = std::max(low, begin - *first / slope);
      high = std::min(high, begin - *first / slope + 1);
    } else if (slope > 0) {
      low = std::max(low, begin + llvm::divideCeilSigned(-*first, slope));
    } else {
      high = std::min(high, begin + llvm::divideFloorSigned(*first, -slope) + 1);
    }
  }
  return Intervals(low, high);
}

/// Calls `visit` for each floordiv and mod in the tree that mentions `key`, inner ones included.
static void forEachDivision(ExprAttr expr, StringRef key, llvm::function_ref<void(ExprAttr)> visit) {
  if ((expr.is(ExprKind::FloorDiv) || expr.is(ExprKind::Mod)) && mentionsName(expr, key))
    visit(expr);
  for (ExprAttr kid : expr.getKids())
    forEachDivision(kid, key, visit);
}

/// The first column after `column` at which a floordiv or mod may leave its linear piece. An argument that holds a
/// division itself is linear up to the end of the inner piece, which bounds the outer one, too.
int64_t RowSets::pieceEnd(const Conjunction &atoms, StringRef key, int64_t column, int64_t row) const {
  int64_t end = INT64_MAX;
  auto bound = [&](ExprAttr division) {
    std::optional<int64_t> here = value(division.getKids()[0], key, column, row);
    std::optional<int64_t> next = value(division.getKids()[0], key, column + 1, row);
    std::optional<int64_t> divisor = number(division.getKids()[1]);
    if (!here || !next || !divisor || *divisor < 1 || *here == *next)
      return;
    int64_t rest = llvm::mod(*here, *divisor), slope = *next - *here;
    int64_t columns = slope > 0 ? llvm::divideCeilSigned(*divisor - rest, slope) : rest / -slope + 1;
    end = std::min(end, column + columns);
  };
  for (const Atom &atom : atoms)
    for (const Term &term : atom.form.terms)
      forEachDivision(term.factor, key, bound);
  return end;
}

Intervals RowSets::conjunction(const Conjunction &atoms, StringRef key, int64_t total, int64_t row) {
  // Bounds without divisions first, so that pieces are only walked inside them.
  Conjunction plain, divided;
  for (const Atom &atom : atoms) {
    bool isDivided = false;
    for (const Term &term : atom.form.terms)
      forEachDivision(term.factor, key, [&](ExprAttr) { isDivided = true; });
    (isDivided ? divided : plain).push_back(atom);
  }
  ++stepsTaken;
  Intervals visible = solve(plain, key, 0, total, row);
  if (divided.empty())
    return visible;
  Intervals result;
  for (auto [low, high] : visible.list())
    for (int64_t column = low; column < high;) {
      int64_t end = std::min(high, pieceEnd(divided, key, column, row));
      Intervals piece = solve(divided, key, column, end, row);
      for (auto [from, to] : piece.list())
        result.add(from, to);
      column = end;
      ++stepsTaken;
    }
  return result;
}

RowSets::RowSet RowSets::evaluate(SetOp op, int64_t row) {
  KeySetAttr attr = op.getFormula();
  auto [place, isNew] = formulas.try_emplace(op.getResult());
  if (isNew)
    place->second = keySetOf(attr);
  blockAxes.clear();
  for (AxisAttr axis : {attr.getRow(), attr.getKey()})
    if (axis.isBlocks())
      blockAxes[axis.getName()] = axis;
  RowSet set;
  int64_t total = at.kvLen;
  if (attr.getKey().isBlocks()) {
    set.length = number(attr.getKey().getLen()).value_or(1);
    set.stride = number(attr.getKey().getStride()).value_or(1);
    total = llvm::divideCeilSigned(at.kvLen, set.stride);
  }
  for (const Conjunction &atoms : place->second.disjuncts) {
    Intervals columns = conjunction(atoms, attr.getKey().getName(), total, row);
    for (auto [low, high] : columns.list())
      set.keys.add(low, high);
  }
  return set;
}

RowSets::RowSet RowSets::evaluate(SelectOp op, int64_t row) {
  RowSet where = evaluate(op.getWhere(), row);
  Intervals existing(0, extent(facts.of(op.getZ()).key));
  RowSet set;
  set.isSelected = true;
  set.length = where.length;
  set.stride = where.stride;
  set.candidates = where.keys.intersect(existing);
  Intervals forced;
  if (op.getForced()) {
    RowSet named = evaluate(op.getForced(), row);
    forced = named.keys;
  }
  int64_t base = firstColumn(set.stride);
  if (ExprAttr first = op.getFirstAttr())
    forced.add(0, number(first).value_or(0) - base);
  if (ExprAttr last = op.getLastAttr()) {
    // The column that holds the row (the last row of a block of them), and those before it.
    AxisAttr unit = facts.of(op.getResult()).row;
    int64_t length = unit && unit.isBlocks() ? number(unit.getLen()).value_or(1) : 1;
    int64_t position = (at.qOffset + row) / length * length + length - 1;
    int64_t own = position / set.stride - base;
    forced.add(std::max<int64_t>(0, own + 1 - number(last).value_or(0)), own + 1);
  }
  set.forced = forced.intersect(set.candidates);
  int64_t all = set.candidates.count();
  set.chosen = op.getTopAttr() ? std::min(all, number(op.getTopAttr()).value_or(all)) : all;
  return set;
}

Intervals RowSets::tokens(const RowSet &set) const {
  return set.isTokens() ? set.keys : set.keys.lift(set.length, set.stride, at.kvLen);
}

RowSets::RowSet RowSets::combine(Operation *op, int64_t row) {
  SmallVector<RowSet, 2> parts;
  for (Value operand : op->getOperands())
    parts.push_back(evaluate(operand, row));
  bool isAnySelected = llvm::any_of(parts, [](const RowSet &part) { return part.isSelected; });
  // Sets of the same blocks stay blocks; beside others, blocks become their tokens.
  bool sameUnits = !isAnySelected && llvm::all_of(parts, [&](const RowSet &part) {
    return part.length == parts[0].length && part.stride == parts[0].stride;
  });
  RowSet result;
  if (sameUnits) {
    result.length = parts[0].length;
    result.stride = parts[0].stride;
  }
  int64_t total = sameUnits ? llvm::divideCeilSigned(at.kvLen, result.stride) : at.kvLen;
  std::optional<Intervals> fixed;
  for (auto [i, part] : llvm::enumerate(parts)) {
    if (part.isSelected) {
      result = part;
      continue;
    }
    Intervals keys = sameUnits ? part.keys : tokens(part);
    if (isa<MinusOp>(op) && i > 0)
      keys = keys.complement(total);
    if (!fixed)
      fixed = keys;
    else if (isa<UnionOp>(op))
      for (auto [low, high] : keys.list())
        fixed->add(low, high);
    else
      fixed = fixed->intersect(keys);
  }
  if (!result.isSelected) {
    result.keys = fixed.value_or(Intervals());
    return result;
  }
  if (fixed) {
    // In a union, tokens that the other parts hold already are not counted twice.
    Intervals cut = isa<UnionOp>(op) ? fixed->complement(total) : *fixed;
    result.clip = result.clip ? result.clip->intersect(cut) : cut;
    if (isa<UnionOp>(op))
      for (auto [low, high] : fixed->list())
        result.keys.add(low, high);
    else
      result.keys = result.keys.intersect(*fixed);
  }
  return result;
}

RowSets::RowSet RowSets::evaluate(Value set, int64_t row) {
  Operation *op = set.getDefiningOp();
  if (auto formula = dyn_cast_or_null<SetOp>(op))
    return evaluate(formula, row);
  if (auto select = dyn_cast_or_null<SelectOp>(op))
    return evaluate(select, row);
  if (op && isa<UnionOp, IntersectOp, MinusOp>(op))
    return combine(op, row);
  // Lists and random blocks: at most every key.
  RowSet all;
  all.keys = Intervals(0, at.kvLen);
  return all;
}

double RowSets::countHead(Value set, Value score, int64_t row) {
  RowSet keys = evaluate(set, row);
  if (!keys.isSelected) {
    AxisAttr columns = facts.of(score).key;
    if (columns && columns.isBlocks())
      return static_cast<double>(keys.keys.intersect(Intervals(0, extent(columns))).count());
    return static_cast<double>(tokens(keys).count());
  }
  auto tokensOf = [&](const Intervals &units) {
    Intervals lifted = units.lift(keys.length, keys.stride, at.kvLen);
    return static_cast<double>((keys.clip ? lifted.intersect(*keys.clip) : lifted).count());
  };
  Intervals others = keys.candidates.intersect(keys.forced.complement(llvm::divideCeilSigned(at.kvLen, keys.stride)));
  // More forced ones than are chosen: the mean of the forced ones.
  int64_t forced = keys.forced.count(), takenForced = std::min(forced, keys.chosen);
  int64_t other = others.count(), takenOther = std::min(other, keys.chosen - takenForced);
  auto mean = [&](const Intervals &units, int64_t taken, int64_t of) {
    return of == 0 ? 0.0 : tokensOf(units) * static_cast<double>(taken) / static_cast<double>(of);
  };
  return static_cast<double>(keys.keys.count()) + mean(keys.forced, takenForced, forced) +
         mean(others, takenOther, other);
}

bool RowSets::mentionsHeads(Value set) const {
  Operation *op = set.getDefiningOp();
  if (!op)
    return false;
  if (isa<SetOp>(op))
    return static_cast<bool>(facts.of(set).head);
  return llvm::any_of(op->getOperands(),
                      [&](Value operand) { return isa<SetType>(operand.getType()) && mentionsHeads(operand); });
}

double RowSets::count(Value set, Value score, int64_t row) {
  int64_t heads = mentionsHeads(set) ? std::max<int64_t>(1, sizes.lookup("h")) : 1;
  double sum = 0;
  for (head = 0; head < heads; ++head)
    sum += countHead(set, score, row);
  head = 0;
  return sum / static_cast<double>(heads);
}

int64_t RowSets::rows(Value set) const {
  AxisAttr row = facts.of(set).row;
  return row ? extent(row) : sizes.lookup("t");
}

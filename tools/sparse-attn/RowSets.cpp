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
    int64_t low = std::max(parts[i].first, other.parts[j].first), high = std::min(parts[i].second, other.parts[j].second);
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

RowSets::RowSets(PatternOp pattern, const PatternFacts &facts, const llvm::StringMap<int64_t> &sizes,
                 const llvm::StringMap<double> &params, int64_t qOffset)
    : facts(facts), sizes(sizes), params(params), qOffset(qOffset) {}

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
  int64_t positions = sizes.lookup(axis.kind() == AxisKind::RowBlocks ? "t" : "s");
  bool isWhole = axis.kind() == AxisKind::RowBlocks || axis.getRagged() || length == stride;
  return isWhole ? (positions + length - 1) / length : positions < length ? 0 : (positions - length) / stride + 1;
}

AxisAttr RowSets::axisOf(StringRef name) const {
  auto found = blockAxes.find(name);
  return found == blockAxes.end() ? AxisAttr() : found->second;
}

// A leaf or inner node at one row and one column of the key axis `key`.
std::optional<int64_t> RowSets::value(ExprAttr expr, StringRef key, int64_t column, int64_t row) const {
  return evaluateInt(expr, [&](ExprAttr leaf) -> std::optional<int64_t> {
    if (leaf.is(ExprKind::Name)) {
      StringRef name = leaf.getText();
      if (name == key)
        return column;
      AxisKind kind = axisKindOf(name);
      if (kind == AxisKind::Rows)
        return qOffset + row;
      if (kind == AxisKind::RowBlocks)
        return axisOf(name) ? (qOffset + row) / number(axisOf(name).getLen()).value_or(1) : qOffset + row;
      if (kind == AxisKind::QueryHeads || kind == AxisKind::KvHeads)
        return 0;
      return number(leaf);
    }
    if (!leaf.is(ExprKind::Call) || leaf.getKids().size() != 1)
      return std::nullopt;
    StringRef name = leaf.getKids()[0].getText();
    if (leaf.getText() == "size")
      return sizes.lookup(name);
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

// The key stands alone, or in first() or last(), which are linear in it.
static bool isLinearIn(ExprAttr factor, StringRef key) {
  if (!mentionsName(factor, key))
    return true;
  return factor.isName(key) || (factor.is(ExprKind::Call) && factor.getText() != "size");
}

Intervals RowSets::conjunction(const Conjunction &atoms, StringRef key, int64_t total, int64_t row) {
  int64_t low = 0, high = total;
  SmallVector<const Atom *> scanned;
  for (const Atom &atom : atoms) {
    bool isLinear = llvm::all_of(atom.form.terms, [&](const Term &term) { return isLinearIn(term.factor, key); });
    std::optional<int64_t> at0 = value(atom.form, key, 0, row), at1 = value(atom.form, key, 1, row);
    if (!at0 || !at1)
      continue; // a table: known only at run time, counted as visible
    if (!isLinear) {
      scanned.push_back(&atom);
      continue;
    }
    int64_t slope = *at1 - *at0; // the form is at0 + slope * key
    auto floorDiv = [](int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); };
    bool isEqual = atom.kind == AtomKind::EQ;
    if (slope == 0) {
      if (isEqual ? *at0 != 0 : *at0 < 0)
        high = low;
      continue;
    }
    if (isEqual && -*at0 % slope != 0)
      high = low;
    if (slope > 0 || isEqual) // key >= -at0 / slope
      low = std::max(low, -floorDiv(*at0, slope));
    if (slope < 0 || isEqual)
      high = std::min(high, floorDiv(slope < 0 ? *at0 : -*at0, slope < 0 ? -slope : slope) + 1);
  }
  if (scanned.empty())
    return Intervals(low, high);
  mustScan = true;
  Intervals result;
  for (int64_t column = low; column < high; ++column) {
    bool isVisible = llvm::all_of(scanned, [&](const Atom *atom) {
      int64_t form = value(atom->form, key, column, row).value_or(0);
      return atom->kind == AtomKind::EQ ? form == 0 : form >= 0;
    });
    if (isVisible)
      result.add(column, column + 1);
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
  if (attr.getKey().isBlocks()) {
    set.length = number(attr.getKey().getLen()).value_or(1);
    set.stride = number(attr.getKey().getStride()).value_or(1);
  }
  for (const Conjunction &atoms : place->second.disjuncts)
    for (auto [low, high] : conjunction(atoms, attr.getKey().getName(), extent(attr.getKey()), row).list())
      set.keys.add(low, high);
  return set;
}

RowSets::RowSet RowSets::evaluate(SelectOp op, int64_t row) {
  RowSet where = evaluate(op.getWhere(), row);
  RowSet set;
  set.isSelected = true;
  set.length = where.length;
  set.stride = where.stride;
  set.candidates = where.keys;
  Intervals forced;
  if (ExprAttr first = op.getFirstAttr())
    forced.add(0, number(first).value_or(0));
  if (ExprAttr last = op.getLastAttr()) {
    // The column that holds the row, and those before it.
    int64_t own = (qOffset + row) / set.stride;
    forced.add(std::max<int64_t>(0, own + 1 - number(last).value_or(0)), own + 1);
  }
  set.forced = forced.intersect(set.candidates);
  int64_t all = set.candidates.count();
  set.chosen = op.getTopAttr() ? std::min(all, number(op.getTopAttr()).value_or(all)) : all;
  return set;
}

Intervals RowSets::tokens(const RowSet &set) const {
  return set.length == 1 && set.stride == 1 ? set.keys : set.keys.lift(set.length, set.stride, sizes.lookup("s"));
}

RowSets::RowSet RowSets::combine(Operation *op, int64_t row) {
  int64_t total = sizes.lookup("s");
  RowSet result;
  std::optional<Intervals> fixed;
  bool isFirst = true;
  for (Value operand : op->getOperands()) {
    RowSet part = evaluate(operand, row);
    if (part.isSelected) {
      // Tokens that another part holds already are not counted twice.
      std::optional<Intervals> clip = part.clip;
      result.isSelected = true;
      result.candidates = part.candidates;
      result.forced = part.forced;
      result.chosen = part.chosen;
      result.length = part.length;
      result.stride = part.stride;
      result.clip = clip;
      isFirst = false;
      continue;
    }
    Intervals keys = tokens(part);
    if (isa<MinusOp>(op) && !isFirst)
      keys = keys.complement(total);
    if (!fixed)
      fixed = keys;
    else if (isa<UnionOp>(op))
      for (auto [low, high] : keys.list())
        fixed->add(low, high);
    else
      fixed = fixed->intersect(keys);
    isFirst = false;
  }
  if (!result.isSelected) {
    result.keys = fixed.value_or(Intervals());
    return result;
  }
  if (fixed) {
    Intervals cut = isa<UnionOp>(op) ? fixed->complement(total) : *fixed;
    result.clip = result.clip ? result.clip->intersect(cut) : cut;
    if (isa<UnionOp>(op))
      result.keys = *fixed;
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
  all.keys = Intervals(0, sizes.lookup("s"));
  return all;
}

double RowSets::count(Value set, int64_t row) {
  RowSet keys = evaluate(set, row);
  if (!keys.isSelected)
    return static_cast<double>(keys.keys.count());
  int64_t total = sizes.lookup("s");
  auto tokensOf = [&](const Intervals &units) {
    Intervals lifted = units.lift(keys.length, keys.stride, total);
    return static_cast<double>((keys.clip ? lifted.intersect(*keys.clip) : lifted).count());
  };
  int64_t columns = (total + keys.stride - 1) / keys.stride;
  Intervals others = keys.candidates.intersect(keys.forced.complement(columns));
  double certain = static_cast<double>(keys.keys.count()) + tokensOf(keys.forced);
  int64_t free = std::max<int64_t>(0, keys.chosen - keys.forced.count()), otherCount = others.count();
  return otherCount == 0 ? certain : certain + tokensOf(others) * static_cast<double>(std::min(free, otherCount)) / static_cast<double>(otherCount);
}

int64_t RowSets::rows(Value set) const {
  AxisAttr row = facts.of(set).row;
  return row ? extent(row) : sizes.lookup("t");
}

// The node table of BoundPool: folding, ranges, uniquing, evaluation and text.
#include "lib/analysis/BoundExpr.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <unordered_map>
#include <vector>

namespace sattn {
namespace {
using Wide = __int128;
constexpr Wide kRange = Wide(1) << 62;

struct Range {
  Wide lo, hi;
};

/// The range of constant + sum of coeff * part, exact in 128 bits: |coeff|, |part| <= 2^62 and few parts.
Range rangeOfSum(Wide constant, ArrayRef<BoundNode::Part> parts) {
  Range r{constant, constant};
  for (const BoundNode::Part &p : parts) {
    Wide x = Wide(p.coeff) * p.node->lo, y = Wide(p.coeff) * p.node->hi;
    r.lo += std::min(x, y);
    r.hi += std::max(x, y);
  }
  return r;
}

/// A node as a sum.
struct SumView {
  Wide constant;
  SmallVector<BoundNode::Part, 3> parts;
  explicit SumView(const BoundNode *n) {
    if (n->kind == BoundNode::Sum) {
      constant = n->number;
      parts = n->parts;
    } else {
      constant = 0;
      parts.push_back({1, n});
    }
  }
};

/// The range of a - b, using what they have in common.
Range rangeOfDifference(const BoundNode *a, const BoundNode *b) {
  SumView x(a), y(b);
  for (const BoundNode::Part &p : y.parts) {
    auto same = llvm::find_if(x.parts, [&](const BoundNode::Part &q) { return q.node == p.node; });
    if (same == x.parts.end())
      x.parts.push_back({-p.coeff, p.node});
    else
      same->coeff -= p.coeff;
  }
  return rangeOfSum(x.constant - y.constant, x.parts);
}

size_t hashOf(const BoundNode &n) {
  llvm::hash_code h = llvm::hash_combine(uint8_t(n.kind), n.number, n.name);
  for (const BoundNode::Part &p : n.parts)
    h = llvm::hash_combine(h, p.coeff, p.node);
  return h;
}
} // namespace

struct BoundPool::Table {
  std::vector<std::unique_ptr<BoundNode>> nodes;
  std::unordered_multimap<size_t, const BoundNode *> byHash;
};

BoundPool::BoundPool() : table(std::make_unique<Table>()) {}
BoundPool::~BoundPool() = default;
size_t BoundPool::size() const { return table->nodes.size(); }

BoundExpr BoundPool::unique(BoundNode node) {
  size_t hash = hashOf(node);
  auto [from, to] = table->byHash.equal_range(hash);
  for (auto it = from; it != to; ++it) {
    const BoundNode &n = *it->second;
    if (n.kind == node.kind && n.number == node.number && n.name == node.name && n.parts == node.parts)
      return BoundExpr(&n);
  }
  node.id = table->nodes.size();
  table->nodes.push_back(std::make_unique<BoundNode>(std::move(node)));
  table->byHash.emplace(hash, table->nodes.back().get());
  return BoundExpr(table->nodes.back().get());
}

BoundExpr BoundPool::constant(int64_t value) {
  if (value > kRange || value < -kRange)
    return {};
  return unique({BoundNode::Sum, value, {}, "", value, value, 0});
}

BoundExpr BoundPool::symbol(StringRef name, int64_t lo, int64_t hi) {
  for (const auto &n : table->nodes)
    if (n->kind == BoundNode::Symbol && n->name == name)
      return BoundExpr(n.get());
  return unique({BoundNode::Symbol, 0, {}, name.str(), lo, hi, 0});
}

BoundExpr BoundPool::add(BoundExpr a, BoundExpr b) {
  if (!a || !b)
    return {};
  SumView x(a.node()), y(b.node());
  BoundNode sum{BoundNode::Sum, 0, {}, "", 0, 0, 0};
  auto i = x.parts.begin(), j = y.parts.begin();
  while (i != x.parts.end() || j != y.parts.end()) {
    bool takeX = i != x.parts.end() && (j == y.parts.end() || i->node->id <= j->node->id);
    bool takeY = j != y.parts.end() && (i == x.parts.end() || j->node->id <= i->node->id);
    const BoundNode *node = takeX ? i->node : j->node;
    int64_t coeff = 0; // the sum's range check below cannot see a wrapped coefficient, so check it here
    if (llvm::AddOverflow(takeX ? i->coeff : int64_t(0), takeY ? j->coeff : int64_t(0), coeff))
      return {};
    if (coeff)
      sum.parts.push_back({coeff, node});
    i += takeX;
    j += takeY;
  }
  Wide constant = x.constant + y.constant;
  Range r = rangeOfSum(constant, sum.parts);
  bool safe = r.lo >= -kRange && r.hi <= kRange && constant <= kRange && constant >= -kRange;
  if (!safe)
    return {};
  sum.number = int64_t(constant);
  sum.lo = int64_t(r.lo);
  sum.hi = int64_t(r.hi);
  if (constant == 0 && sum.parts.size() == 1 && sum.parts[0].coeff == 1)
    return BoundExpr(sum.parts[0].node);
  return unique(std::move(sum));
}

BoundExpr BoundPool::scale(BoundExpr a, int64_t factor) {
  if (!a)
    return {};
  if (factor == 1)
    return a;
  if (factor == 0)
    return constant(0);
  SumView x(a.node());
  Range r = rangeOfSum(x.constant, x.parts);
  Wide number = x.constant * factor, lo = std::min(r.lo * factor, r.hi * factor),
       hi = std::max(r.lo * factor, r.hi * factor);
  if (lo < -kRange || hi > kRange || number < -kRange || number > kRange)
    return {};
  BoundNode sum{BoundNode::Sum, int64_t(number), {}, "", int64_t(lo), int64_t(hi), 0};
  for (const BoundNode::Part &p : x.parts) {
    Wide coeff = Wide(p.coeff) * factor;
    if (coeff > kRange || coeff < -kRange)
      return {};
    sum.parts.push_back({int64_t(coeff), p.node});
  }
  return unique(std::move(sum));
}

BoundExpr BoundPool::floorDiv(BoundExpr a, int64_t divisor) {
  if (!a || divisor == 1)
    return a;
  const BoundNode *n = a.node();
  int64_t lo = llvm::divideFloorSigned(n->lo, divisor), hi = llvm::divideFloorSigned(n->hi, divisor);
  if (lo == hi)
    return constant(lo);
  // floor((d*q + r) / d) = q + floor(r / d).
  SumView x(n);
  BoundExpr whole = constant(0), rest = constant(0);
  for (const BoundNode::Part &p : x.parts) {
    bool divides = p.coeff % divisor == 0;
    BoundExpr &into = divides ? whole : rest;
    into = add(into, scale(BoundExpr(p.node), divides ? p.coeff / divisor : p.coeff));
  }
  int64_t quotient = llvm::divideFloorSigned(int64_t(x.constant), divisor);
  whole = add(whole, quotient);
  rest = add(rest, int64_t(x.constant) - quotient * divisor);
  if (!whole || !rest)
    return {};
  if (!whole.isConstant(0))
    return add(whole, floorDiv(rest, divisor));
  return unique({BoundNode::FloorDiv, divisor, {{1, n}}, "", lo, hi, 0});
}

BoundExpr BoundPool::mod(BoundExpr a, int64_t divisor) {
  if (!a)
    return {};
  if (divisor == 1)
    return constant(0);
  SumView x(a.node());
  BoundExpr rest = constant(((int64_t(x.constant) % divisor) + divisor) % divisor);
  for (const BoundNode::Part &p : x.parts)
    if (p.coeff % divisor != 0)
      rest = add(rest, scale(BoundExpr(p.node), p.coeff));
  if (!rest)
    return {};
  if (rest.node()->lo >= 0 && rest.node()->hi < divisor)
    return rest;
  return unique({BoundNode::Mod, divisor, {{1, rest.node()}}, "", 0, divisor - 1, 0});
}

BoundExpr BoundPool::binary(BoundNode::Kind kind, BoundExpr a, BoundExpr b) {
  if (!a || !b)
    return {};
  if (a == b)
    return a;
  bool isMin = kind == BoundNode::Min;
  Range difference = rangeOfDifference(a.node(), b.node());
  if (difference.hi <= 0)
    return isMin ? a : b;
  if (difference.lo >= 0)
    return isMin ? b : a;
  const BoundNode *x = a.node(), *y = b.node();
  if (x->id > y->id)
    std::swap(x, y);
  // min(x, min(x, z)) = min(x, z).
  if (y->kind == kind && (y->parts[0].node == x || y->parts[1].node == x))
    return BoundExpr(y);
  int64_t lo = isMin ? std::min(x->lo, y->lo) : std::max(x->lo, y->lo);
  int64_t hi = isMin ? std::min(x->hi, y->hi) : std::max(x->hi, y->hi);
  return unique({kind, 0, {{1, x}, {1, y}}, "", lo, hi, 0});
}

BoundExpr BoundPool::min(BoundExpr a, BoundExpr b) { return binary(BoundNode::Min, a, b); }
BoundExpr BoundPool::max(BoundExpr a, BoundExpr b) { return binary(BoundNode::Max, a, b); }

BoundExpr BoundPool::select(BoundExpr condition, BoundExpr a, BoundExpr b) {
  if (!condition || !a || !b)
    return {};
  if (a == b || condition.alwaysHolds())
    return a;
  if (condition.neverHolds())
    return b;
  const BoundNode *x = a.node(), *y = b.node();
  return unique({BoundNode::Select,
                 0,
                 {{1, condition.node()}, {1, x}, {1, y}},
                 "",
                 std::min(x->lo, y->lo),
                 std::max(x->hi, y->hi),
                 0});
}

int64_t BoundPool::evaluate(BoundExpr expr, llvm::function_ref<int64_t(StringRef)> lookup) const {
  llvm::DenseMap<const BoundNode *, int64_t> known;
  // Recursion depth is that of the expression, which the analysis bounds.
  auto eval = [&](auto &self, const BoundNode *n) -> int64_t {
    if (auto it = known.find(n); it != known.end())
      return it->second;
    auto part = [&](unsigned i) { return self(self, n->parts[i].node); };
    int64_t value = 0;
    switch (n->kind) {
    case BoundNode::Sum: {
      // The total is in range although a partial sum may wrap; unsigned arithmetic defines that.
      uint64_t total = n->number;
      for (const BoundNode::Part &p : n->parts)
        total += uint64_t(p.coeff) * uint64_t(self(self, p.node));
      value = int64_t(total);
      break;
    }
    case BoundNode::Symbol:
      value = lookup(n->name);
      break;
    case BoundNode::FloorDiv:
      value = llvm::divideFloorSigned(part(0), n->number);
      break;
    case BoundNode::Mod:
      value = part(0);
      value -= llvm::divideFloorSigned(value, n->number) * n->number;
      break;
    case BoundNode::Min:
      value = std::min(part(0), part(1));
      break;
    case BoundNode::Max:
      value = std::max(part(0), part(1));
      break;
    case BoundNode::Select:
      value = part(0) >= 0 ? part(1) : part(2);
      break;
    }
    known[n] = value;
    return value;
  };
  return eval(eval, expr.node());
}

std::string BoundExpr::str() const {
  if (!impl)
    return "unknown";
  auto text = [](const BoundNode *n) { return BoundExpr(n).str(); };
  auto call = [&](StringRef name) {
    std::string s = name.str() + "(";
    for (const BoundNode::Part &p : impl->parts)
      s += (&p == impl->parts.begin() ? "" : ", ") + text(p.node);
    return s + ")";
  };
  switch (impl->kind) {
  case BoundNode::Sum: {
    std::string s;
    for (const BoundNode::Part &p : impl->parts) {
      int64_t c = p.coeff < 0 ? -p.coeff : p.coeff;
      s += s.empty() ? (p.coeff < 0 ? "-" : "") : (p.coeff < 0 ? " - " : " + ");
      s += (c == 1 ? "" : std::to_string(c) + "*") + text(p.node);
    }
    if (impl->number || s.empty()) {
      int64_t c = impl->number < 0 ? -impl->number : impl->number;
      s += (s.empty() ? (impl->number < 0 ? "-" : "") : (impl->number < 0 ? " - " : " + ")) + std::to_string(c);
    }
    return s;
  }
  case BoundNode::Symbol:
    return impl->name;
  case BoundNode::FloorDiv:
    return "floordiv(" + text(impl->parts[0].node) + ", " + std::to_string(impl->number) + ")";
  case BoundNode::Mod:
    return "mod(" + text(impl->parts[0].node) + ", " + std::to_string(impl->number) + ")";
  case BoundNode::Min:
    return call("min");
  case BoundNode::Max:
    return call("max");
  case BoundNode::Select:
    return call("select");
  }
  return "";
}

} // namespace sattn

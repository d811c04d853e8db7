// From quasi-affine sets to covers and integer sets. Affine expressions are made from numbers that QuasiAffine.h has
// checked: coefficients at most 2^31, constants at most 2^45.
#include "lib/transforms/kernels/SetLowering.h"
#include "lib/analysis/BoundEmit.h"
#include "lib/analysis/SpecialiseSet.h"
#include "lib/analysis/TileBounds.h"
#include "mlir/IR/IntegerSet.h"

namespace sattn::lower {
using namespace mlir;
using quasi::Form;
using quasi::Monomial;
using quasi::Var;

//===-- Moving to the coordinates of a task -------------------------------------------------------------===//

static std::optional<Form> shifted(quasi::Set &set, const std::optional<Form> &position, StringRef symbol,
                                   int64_t factor) {
  Var offset = set.symbol({symbol.str(), quasi::SymbolInfo::Size});
  return position ? set.add(*position, quasi::Set::variable(offset), factor) : std::nullopt;
}

// m * var + residue + shift.
static std::optional<Form> inClass(quasi::Set &set, Var var, int64_t modulus, int64_t shift) {
  Form residue = quasi::Set::variable(set.symbol({LocalSet::keyResidue, quasi::SymbolInfo::Size}));
  residue.constant = shift;
  return set.add(residue, quasi::Set::variable(var), modulus);
}

FailureOr<LocalSet> LocalSet::make(Operation *op, KeySetAttr attr, Congruence congruence, ValueRange tables) {
  std::string error;
  auto absolute = specialiseSet(attr, SetBindings(), error);
  if (failed(absolute))
    return op->emitError() << "[SA0207] set cannot be compiled: " << error;
  auto local = moved(op, *absolute, attr.getRow(), attr.getKey(), congruence);
  if (failed(local))
    return failure();
  walkExpr(attr.getCondition(), [&](ExprAttr e) {
    if (e.is(ExprKind::Table))
      local->loads.insert({StringAttr::get(op->getContext(), toText(e)).getValue(),
                           TableLoad{tables[e.getValue()], e, attr.getRow(), attr.getKey()}});
    return true;
  });
  return local;
}

FailureOr<LocalSet> LocalSet::make(Operation *op, const RandomSet &random, KeySetAttr within, KeySetAttr set) {
  std::string error;
  auto all = random.positions(error);
  for (KeySetAttr part : {within, set}) {
    if (!part || !all)
      continue;
    auto formula = specialiseSet(part, SetBindings(), error);
    if (failed(formula))
      return op->emitError() << "[SA0207] set cannot be compiled: " << error;
    all = part == within ? quasi::Set::intersect(*all, *formula, error) : quasi::Set::unite(*all, *formula, error);
  }
  if (!all)
    return op->emitError() << "[SA0207] set cannot be compiled: " << error;
  MLIRContext *context = op->getContext();
  auto local = moved(op, *all, AxisAttr::named(context, "t"), AxisAttr::named(context, "s"), {});
  if (succeeded(local))
    local->random = random;
  return local;
}

FailureOr<LocalSet> LocalSet::moved(Operation *op, const quasi::Set &absolute, AxisAttr rowAxis, AxisAttr keyAxis,
                                    Congruence congruence) {
  LocalSet local;
  local.row = rowAxis;
  local.key = keyAxis;
  std::string offset = "kv_offset";
  int64_t stride = 1;
  if (local.key.isBlocks()) {
    stride = *literalInt(local.key.getStride());
    offset += "/" + std::to_string(stride);
  }
  std::optional<Form> key = quasi::Set::variable(Var::key()), row = quasi::Set::variable(Var::row());
  if (!congruence.isTrivial()) {
    key = inClass(local.set, Var::key(), congruence.modulus, 0);
    row = inClass(local.set, Var::row(), congruence.modulus, congruence.shift);
  }
  key = shifted(local.set, key, offset, 1);
  row = local.row.isBlocks() ? shifted(local.set, row, "q_offset/" + std::to_string(*literalInt(local.row.getLen())), 1)
                             : shifted(local.set, row, offset, stride);
  if (failed(local.import(op, absolute, row, key)))
    return failure();
  return local;
}

LogicalResult LocalSet::import(Operation *op, const quasi::Set &absolute, const std::optional<Form> &row,
                               const std::optional<Form> &key) {
  bool fits = key && row;
  for (const quasi::Conjunction &conjunction : absolute.disjuncts()) {
    quasi::Set::Building moved;
    for (const quasi::Atom &atom : conjunction) {
      auto form = fits ? set.import(absolute, atom.form, *row, *key) : std::nullopt;
      fits = form && set.addAtom(moved, atom.kind, *form);
      if (!fits)
        break;
    }
    fits = fits && set.addDisjunct(std::move(moved));
  }
  if (!fits)
    return op->emitError() << "[SA0207] set cannot be compiled: " << set.error();
  return success();
}

FailureOr<LocalSet> LocalSet::byKeys(Operation *op, ArrayRef<KeySetAttr> sets) {
  std::string error;
  std::optional<quasi::Set> all;
  for (KeySetAttr attr : sets) {
    auto absolute = specialiseSet(attr, SetBindings(), error);
    if (failed(absolute))
      return op->emitError() << "[SA0207] set cannot be compiled: " << error;
    all = all ? quasi::Set::intersect(*all, *absolute, error) : std::optional(std::move(*absolute));
    if (!all)
      return op->emitError() << "[SA0207] set cannot be compiled: " << error;
  }
  LocalSet local;
  local.row = sets[0].getKey();
  local.key = sets[0].getRow();
  auto row = shifted(local.set, quasi::Set::variable(Var::key()), "q_offset", 1);
  auto key = shifted(local.set, quasi::Set::variable(Var::row()), "kv_offset", 1);
  if (failed(local.import(op, *all, row, key)))
    return failure();
  return local;
}

bool LocalSet::mentionsQueryHead() const {
  return llvm::any_of(set.symbols(),
                      [](const quasi::SymbolInfo &symbol) { return symbol.kind == quasi::SymbolInfo::Head; });
}

//===-- Tiles to visit ----------------------------------------------------------------------------------===//

namespace {
/// The analysis of one set for one tile of rows, with the names its bounds use.
struct TileQuestion {
  // The last row is written as the first and a distance, so that bounds know their order.
  TileQuestion(const quasi::Set &set, int64_t tile)
      : first(pool.symbol("first row", -quasi::kMaxValue, quasi::kMaxValue)),
        analysis(pool, set, {first, pool.add(first, pool.symbol("further rows", 0, quasi::kMaxValue))},
                 {tile, pool.constant(0), pool.symbol("end", 0, quasi::kMaxValue)}) {}

  BoundEmitter emitter(Task &task, RowRange rows, Value end, Value j = {}) {
    return BoundEmitter(task.k.b, task.k.loc, [&task, rows, end, j](StringRef name) {
      if (name == "first row")
        return rows.first;
      if (name == "further rows")
        return rows.further;
      if (name == "end")
        return end;
      return name == "j" ? j : task.symbol(name);
    });
  }

  BoundPool pool;
  BoundExpr first;
  TileAnalysis analysis;
};
} // namespace

SmallVector<RunValues> LocalSet::runs(Task &task, RowRange rows, int64_t tile, Value end) const {
  TileQuestion question(set, tile);
  BoundEmitter emitter = question.emitter(task, rows, end);
  SmallVector<RunValues> result;
  for (const TileRun &run : question.analysis.bounds().runs)
    result.push_back({emitter.emit(run.lo), emitter.emit(run.hi), emitter.emit(run.fullLo), emitter.emit(run.fullHi)});
  return result;
}

Value LocalSet::notFull(Task &task, RowRange rows, int64_t tile, Value j, Value end) const {
  TileQuestion question(set, tile);
  BoundExpr full = question.analysis.classOf(question.pool.symbol("j", 0, quasi::kMaxValue)).full;
  BoundEmitter emitter = question.emitter(task, rows, end, j);
  return emitter.emitCondition(question.pool.negate(full));
}

Value LocalSet::nonEmpty(Task &task, RowRange rows, int64_t tile, Value j, Value end) const {
  TileQuestion question(set, tile);
  BoundExpr any = question.analysis.classOf(question.pool.symbol("j", 0, quasi::kMaxValue)).nonEmpty;
  return question.emitter(task, rows, end, j).emitCondition(any);
}

Value coverOf(Task &task, ArrayRef<RunValues> runs) {
  KernelBuilder &k = task.k;
  SmallVector<Value> bounds[4];
  for (const RunValues &run : runs) {
    bounds[0].push_back(run.lo);
    bounds[1].push_back(run.hi);
    bounds[2].push_back(run.fullLo);
    bounds[3].push_back(run.fullHi);
  }
  if (runs.empty())
    for (auto &list : bounds)
      list.push_back(k.constant(0));
  return tile::CoverOp::create(k.b, k.loc, tile::CoverType::get(k.b.getContext()), bounds[0], bounds[1], bounds[2],
                               bounds[3]);
}

//===-- Predicates --------------------------------------------------------------------------------------===//

namespace {
class AffineWriter {
public:
  AffineWriter(const quasi::Set &set, MLIRContext *context) : set(set), context(context), used(set.symbols().size()) {
    for (const quasi::Conjunction &conjunction : set.disjuncts())
      for (const quasi::Atom &atom : conjunction)
        mark(atom.form);
    for (auto [i, isUsed] : llvm::enumerate(used)) {
      SmallVector<unsigned> &list = isTable(i) ? tables : order;
      place.push_back(list.size());
      if (isUsed)
        list.push_back(i);
    }
  }

  /// Symbols of the set that its atoms use, in their order, and those that are loads of tables.
  SmallVector<unsigned> order, tables;

  AffineExpr expr(const Form &form) {
    AffineExpr sum = getAffineConstantExpr(0, context);
    for (const Monomial &term : form.terms)
      sum = sum + variable(term.var) * term.coeff;
    return sum + form.constant;
  }

private:
  bool isTable(unsigned symbol) const { return set.symbols()[symbol].kind == quasi::SymbolInfo::Table; }

  void mark(const Form &form) {
    for (const Monomial &term : form.terms) {
      if (term.var.kind == Var::Symbol)
        used[term.var.index] = true;
      if (term.var.kind == Var::Local)
        mark(set.locals()[term.var.index].arg);
    }
  }

  AffineExpr variable(Var var) {
    switch (var.kind) {
    case Var::Row:
      return getAffineDimExpr(0, context);
    case Var::Key:
      return getAffineDimExpr(1, context);
    case Var::Symbol:
      return isTable(var.index) ? getAffineDimExpr(2 + place[var.index], context)
                                : getAffineSymbolExpr(place[var.index], context);
    case Var::Local:
      break;
    }
    const quasi::LocalTerm &local = set.locals()[var.index];
    AffineExpr arg = expr(local.arg);
    return local.kind == quasi::LocalTerm::FloorDiv ? arg.floorDiv(local.divisor) : arg % local.divisor;
  }

  const quasi::Set &set;
  MLIRContext *context;
  SmallVector<bool> used;
  SmallVector<unsigned> place;
};
} // namespace

Predicate LocalSet::predicate(Task &task, Value end, const Rows *rows) const {
  MLIRContext *context = task.k.b.getContext();
  AffineWriter writer(set, context);
  Predicate result;
  for (unsigned symbol : writer.order)
    result.symbols.push_back(task.symbol(set.symbols()[symbol].name));
  for (unsigned symbol : writer.tables) {
    const TableLoad &load = loads.find(set.symbols()[symbol].name)->second;
    result.loads.push_back(load);
    Along along = alongOf(task.context, load);
    bool laterOn = !rows || along == Along::Keys || along == Along::Distances;
    result.numbers.push_back(laterOn ? Value() : loadForRows(task, *rows, load));
  }
  unsigned symbols = writer.order.size();
  AffineExpr inside;
  if (end) {
    result.symbols.push_back(end);
    inside = getAffineSymbolExpr(symbols++, context) - getAffineDimExpr(1, context) - 1;
  }
  SmallVector<Attribute> sets;
  for (const quasi::Conjunction &conjunction : set.disjuncts()) {
    SmallVector<AffineExpr> constraints;
    SmallVector<bool> equalities;
    for (const quasi::Atom &atom : conjunction) {
      constraints.push_back(writer.expr(atom.form));
      equalities.push_back(atom.kind == quasi::Atom::EQ);
    }
    if (inside) {
      constraints.push_back(inside);
      equalities.push_back(false);
    }
    if (constraints.empty()) {
      constraints.push_back(getAffineConstantExpr(0, context));
      equalities.push_back(true);
    }
    sets.push_back(IntegerSetAttr::get(IntegerSet::get(2 + writer.tables.size(), symbols, constraints, equalities)));
  }
  result.sets = ArrayAttr::get(context, sets);
  return result;
}

Predicate atSlots(Predicate predicate, Value length, AffineExpr row, AffineExpr key, unsigned dims) {
  MLIRContext *context = row.getContext();
  unsigned symbols = predicate.symbols.size();
  predicate.symbols.push_back(length);
  AffineExpr used = getAffineSymbolExpr(symbols, context) - getAffineDimExpr(1, context) - 1;
  SmallVector<Attribute> sets;
  for (auto attribute : predicate.sets.getAsRange<IntegerSetAttr>()) {
    IntegerSet set = attribute.getValue();
    SmallVector<AffineExpr> constraints;
    SmallVector<bool> equalities(set.getEqFlags());
    for (AffineExpr constraint : set.getConstraints())
      constraints.push_back(constraint.replaceDims({row, key}));
    constraints.push_back(used);
    equalities.push_back(false);
    sets.push_back(IntegerSetAttr::get(IntegerSet::get(dims, symbols + 1, constraints, equalities)));
  }
  predicate.sets = ArrayAttr::get(context, sets);
  return predicate;
}

} // namespace sattn::lower

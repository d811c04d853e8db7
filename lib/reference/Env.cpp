// Env: the parts that all op families share. Tensors are made on first use, formulas bound on first use.
#include "lib/reference/Env.h"
#include "dialects/pattern/Functions.h"
#include "llvm/ADT/TypeSwitch.h"

namespace sattn::ref {

//===-- Tensor --------------------------------------------------------------------------------------------------===//

static int64_t offsetOf(const Tensor &tensor, int64_t b, int64_t local, int64_t head) {
  SmallVector<int64_t, 5> index;
  if (tensor.batched)
    index.push_back(b);
  for (int axis = 0; axis < static_cast<int>(tensor.axes.size()); ++axis)
    index.push_back(axis == tensor.positionAxis ? local : axis == tensor.headAxis ? head : 0);
  return tensor.data().offset(index);
}

ArrayRef<double> Tensor::features(int64_t b, int64_t local, int64_t head) const {
  return ArrayRef<double>(data().data).slice(offsetOf(*this, b, local, head), width);
}

double *Tensor::place(int64_t b, int64_t local, int64_t head) {
  return own.data.data() + offsetOf(*this, b, local, head);
}

//===-- Env -----------------------------------------------------------------------------------------------------===//

Env::Env(PatternOp pattern, PatternFacts facts, const Call &call, const Binding &binding, Errors &errors)
    : pattern(pattern), known(std::move(facts)), call(call), bound(binding), report(errors) {}

Env::~Env() = default;

int64_t Env::firstColumn(Blocks blocks, int64_t b) {
  int64_t offset = bound.kvOffset[b];
  if (offset % blocks.stride)
    report.fail() << "kv_offset " << offset << " is not a multiple of the stride " << blocks.stride << " of key blocks";
  return offset / blocks.stride;
}

int64_t Env::columnCount(Columns columns, int64_t b) { return bound.keyBlocks(columns.blocks, columns.ragged, b); }

const Tensor &Env::tensor(Value value) {
  auto known = tensors.find(value);
  if (known == tensors.end()) {
    auto made = std::make_unique<Tensor>(make(value));
    known = tensors.try_emplace(value, std::move(made)).first;
  }
  return *known->second;
}

ArrayRef<double> Env::keyFeatures(Value value, int64_t b, int64_t id, Head head) {
  const Tensor &keys = tensor(value);
  int64_t local = id - firstColumn(keys.blocks, b);
  if (Value chosen = facts(value).gatheredAt) {
    const Keys &list = rows(chosen, b, head.in(headCount(chosen)));
    local = llvm::lower_bound(list, id) - list.begin();
  }
  if (!checkHeads(value, keys.heads(), head.count))
    return {};
  if (local >= 0 && local < keys.positions())
    return keys.features(b, local, head.in(keys.heads()));
  report.fail() << "column " << id << " of a score has no values: they have " << keys.positions() << " positions";
  return {};
}

int64_t Env::axisOffset(AxisAttr axis, int64_t b) {
  if (axis.isRow())
    return bound.qOffset[b] / bound.blocks(axis, report).stride;
  return axis.isKey() ? bound.kvOffset[b] / bound.blocks(axis, report).stride : 0;
}

double Env::element(Value table, int64_t b, ArrayRef<int64_t> index) {
  const Tensor &t = tensor(table);
  SmallVector<int64_t, 5> place;
  if (t.batched)
    place.push_back(b);
  for (auto [axis, at] : llvm::zip_equal(t.axes, index)) {
    int64_t local = at - axisOffset(axis, b), extent = t.data().shape[place.size()];
    bool isToken = axis.isKey() && !axis.isBlocks();
    if (isToken && (local < 0 || local >= std::min(extent, bound.kvLen[b])))
      return 0.0; // no key stands there
    if (local < 0 || local >= extent) {
      report.fail() << "table is read at " << at << " of axis '"
                    << (axis.isFixed() ? StringRef("features") : axis.getName()) << "', which holds " << at - local
                    << " to " << at - local + extent - 1;
      return 0.0;
    }
    place.push_back(local);
  }
  return t.data().at(place);
}

const Formula &Env::formula(Operation *op) {
  auto known = formulas.find(op);
  if (known != formulas.end())
    return *known->second;

  Scope scope;
  scope.numbers = &bound.numbers;
  scope.heads = &bound.heads;
  auto tableHeads = [&](int64_t table, size_t axis) -> std::optional<int64_t> {
    unsigned first = isa<MapOp>(op) ? 1 : 0; // the score
    ArrayRef<AxisAttr> tableAxes = facts(op->getOperand(first + table)).axes;
    if (axis >= tableAxes.size() || !tableAxes[axis].isHead())
      return std::nullopt;
    return extent(tableAxes[axis]);
  };
  scope.tableHeads = tableHeads;
  AxisAttr row, key;
  ExprAttr expr;
  if (auto set = dyn_cast<SetOp>(op)) {
    row = set.getFormula().getRow();
    key = set.getFormula().getKey();
    expr = set.getFormula().getCondition();
  } else if (auto map = dyn_cast<MapOp>(op)) {
    row = rowAxis(map.getZ());
    key = facts(map.getZ()).key;
    FunctionOp lacking;
    expr = expandFunctions(op, map.getFormula(), lacking);
    if (lacking) {
      report.fail() << "function '@" << lacking.getSymName()
                    << "' has no formula, and the oracle computes formulas alone: add 'as ...' to its sattn.function";
      expr = nameExpr(op->getContext(), "z");
    }
  } else {
    row = rowAxis(op->getResult(0));
    expr = cast<MixOp>(op).getFormula();
  }
  scope.row = row.getName();
  scope.rowBlocks = bound.blocks(row, report);
  if (key) {
    scope.key = key.getName();
    scope.keyBlocks = bound.blocks(key, report);
  }
  std::string error;
  FailureOr<Formula> made = Formula::bind(expr, scope, error);
  if (failed(made))
    report.fail() << error;
  auto kept = std::make_unique<Formula>(succeeded(made) ? std::move(*made) : Formula());
  return *formulas.try_emplace(op, std::move(kept)).first->second;
}

std::shared_ptr<Row> Env::blockOf(int64_t b, Blocks blocks, int64_t row) {
  // Blocks begin at multiples of their length in absolute positions.
  int64_t number = (bound.qOffset[b] + row) / blocks.stride - bound.qOffset[b] / blocks.stride;
  std::shared_ptr<Row> &last = blockRows[{b, blocks.length}];
  if (!last || last->number() != number)
    last = std::make_shared<Row>(*this, b, number, blocks);
  return last;
}

} // namespace sattn::ref

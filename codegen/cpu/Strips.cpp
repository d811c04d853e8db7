// Hands the strips of a value to a consumer while they are in registers: products are computed, pending maps and masks
// are applied on the way.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;

int64_t Lowering::stripColumns(const TileValue &value, int64_t cols, int64_t panels) const {
  const Pending *pending = value.pending.get();
  return pending && pending->dot ? columnsAtOnce(panels, pending->b.row) : std::min(c.atom.columnsFor(panels), cols);
}

FailureOr<Values> Lowering::forStrips(const TileValue &value, int64_t cols, Value panel, int64_t panels,
                                      ValueRange inits, Consumer consume) {
  const Pending *pending = value.pending.get();
  bool isDot = pending && pending->dot;
  Axis column{1, 0, 0}, inner{1, 0, 0};
  if (isDot) {
    inner = pending->b.col;
    column = pending->b.row;
  }
  // Memory that already holds the value wins over computing it.
  const Panels *source = value.panels ? &*value.panels : pending ? &pending->source : nullptr;
  int64_t step = stripColumns(value, cols, panels);

  bool ok = true;
  auto block = [&](Value first, int64_t columns, ValueRange carried) {
    Strips strips{panel, first, std::vector<Values>(columns)};
    for (int64_t i = 0; i < columns; ++i)
      for (int64_t p = 0; p < panels; ++p)
        strips.at[i].push_back(isDot               ? c.zero()
                               : value.splat       ? c.strip(*value.splat)
                               : source->base.base ? c.loadStrip(stripAt(*source, panel, p, first, i))
                                                   : c.zero());
    if (isDot)
      strips.at = multiply(pending->a, panel, panels, pending->b, inner, column, first, columns, {0, pending->a.cols},
                           strips.at, termOf(pending->dot));
    if (pending && failed(applySteps(value, strips)))
      ok = false;
    FailureOr<Values> next = consume(strips, carried);
    ok &= succeeded(next);
    return succeeded(next) ? *next : Values(carried);
  };
  int64_t whole = cols / step * step;
  Value low = c.int64(0), high = c.int64(whole);
  Value last;
  if (value.visible) {
    std::tie(low, last) = visibleColumns(*value.visible, panel);
    low = c.mul(c.floorDiv(low, step), step);
    high = c.min(last, high);
  }
  Values state =
      c.loop(low, high, step, inits, [&](Value first, ValueRange carried) { return block(first, step, carried); });
  if (whole != cols) {
    auto rest = [&] { return block(c.int64(whole), cols - whole, state); };
    state =
        value.visible ? c.when(c.less(c.int64(whole), last), inits.getTypes(), rest, [&] { return state; }) : rest();
  }
  if (!ok)
    return failure();
  return state;
}

LogicalResult Lowering::materialise(TileValue &value, const Panels &to) {
  return forPanelGroups(to.count(), /*visible=*/nullptr, [&](Value panel, int64_t panels) {
    return LogicalResult(
        forStrips(value, to.cols, panel, panels, {}, [&](Strips &strips, ValueRange) -> FailureOr<Values> {
          for (auto [i, column] : llvm::enumerate(strips.at))
            for (auto [p, strip] : llvm::enumerate(column))
              c.storeStrip(strip, stripAt(to, panel, static_cast<int64_t>(p), strips.column, static_cast<int64_t>(i)));
          return Values();
        }));
  });
}

// `step` applied to `input`, not computed. A pending value has one user, so its steps can be taken over. Without an
// input there is no source either: the step alone says what the strips are.
FailureOr<TileValue> Lowering::defer(Operation *step, Value input) {
  TileValue value;
  if (!input) {
    value.pending = std::make_shared<Pending>();
    value.pending->steps.push_back({step, Value()});
    return value;
  }
  TileValue &from = tile(input);
  if (from.pending) {
    value.pending = from.pending;
  } else {
    auto panels = panelsOf(input);
    if (failed(panels))
      return failure();
    Pending pending;
    pending.source = *panels;
    value.pending = std::make_shared<Pending>(std::move(pending));
  }
  value.pending->steps.push_back({step, input});
  return value;
}

LogicalResult Lowering::applySteps(const TileValue &value, Strips &strips) {
  for (auto [op, operand] : value.pending->steps) {
    if (auto map = dyn_cast<tile::MapOp>(op)) {
      if (failed(applyMap(map, operand, strips)))
        return failure();
    } else if (auto choose = dyn_cast<tile::ChooseOp>(op)) {
      applyChoice(choose, strips);
    } else if (failed(applyMask(cast<tile::MaskOp>(op), strips, value.visible.get()))) {
      return failure();
    }
  }
  return success();
}

// The op at which the result of `op` is computed: an element-wise op, or a product without accumulator, whose only user
// stands in the same block and takes strips, waits for that user.
Operation *Lowering::consumerOf(Operation *op) {
  auto waits = [](Operation *op) {
    auto dot = dyn_cast<tile::DotOp>(op);
    return dot ? !dot.getAcc() && dot.getKind() != "nn" && dot.getA().getType().getCols() <= kInnerPart
               : isa<tile::MapOp, tile::MaskOp, tile::ChooseOp>(op);
  };
  while (waits(op) && op->getResult(0).hasOneUse()) {
    Operation *user = *op->getResult(0).user_begin();
    if (user->getBlock() != op->getBlock() ||
        !isa<tile::MapOp, tile::MaskOp, tile::ChooseOp, tile::SoftmaxStepOp, tile::ReduceOp>(user))
      break;
    op = user;
  }
  return op;
}

// An element-wise op: joins the pending steps of its operand when its result has one user, in this block; otherwise it
// is computed now.
LogicalResult Lowering::deferOrCompute(Operation *op, Value input) {
  Value result = op->getResult(0);
  bool inPlace = input && mayTake(input, op);
  FailureOr<TileValue> value = defer(op, input);
  if (failed(value))
    return failure();
  if (consumerOf(op) != op) {
    tile(result) = *value;
    return success();
  }
  Panels to = inPlace ? *tile(input).panels : newPanels(result);
  if (failed(materialise(*value, to)))
    return failure();
  tile(result) = {};
  tile(result).panels = to;
  return success();
}

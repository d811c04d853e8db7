// Matrix products as outer products in registers: strips of rows times broadcast elements of the right operand, a few
// columns by a few panels at a time. A product without accumulator is not computed at its op but when its strips are
// asked for (Strips.cpp), so that masks, maps and row maxima are applied before anything is written.
#include "codegen/cpu/Lowering.h"

using namespace sattn;
using namespace sattn::cpu;
using mlir::arith::CmpFPredicate;

// Inner steps per trip of the innermost loop.
static constexpr int64_t kUnroll = 2;

// Addresses of columns `first` .. `first + columns - 1` along an axis, where `first` is a multiple of `atOnce`: one
// moving pointer, constant distances.
static SmallVector<Ptr> alongAxis(Code &c, Ptr base, const Axis &axis, Value first, int64_t atOnce, int64_t columns) {
  SmallVector<Ptr> places;
  auto known = Code::known(first);
  if (!known && atOnce % axis.block == 0) {
    base = c.atScaled(base, first, axis.blockBytes / axis.block);
  } else if (!known) {
    // The block is a multiple of the columns at once: all of them lie in one.
    Value block = c.floorDiv(first, axis.block), rest = c.sub(first, c.mul(block, axis.block));
    base = c.atScaled(c.atScaled(base, block, axis.blockBytes), rest, axis.bytes);
  }
  bool oneBlock = !known && atOnce % axis.block != 0;
  for (int64_t i = 0; i < columns; ++i)
    places.push_back(base.plus(oneBlock ? i * axis.bytes : axis.offset(known.value_or(0) + i)));
  return places;
}

int64_t Lowering::columnsAtOnce(int64_t panels, const Axis &column) const {
  int64_t columns = c.atom.columnsFor(panels);
  while (columns % column.block != 0 && column.block % columns != 0)
    --columns;
  return columns;
}

// Runs `body` for columns 0, step, .. with the number of columns there.
void Lowering::forColumns(int64_t cols, int64_t step, llvm::function_ref<void(Value, int64_t)> body) {
  int64_t whole = cols / step * step;
  c.loop(0, whole, step, [&](Value column) { body(column, step); });
  if (whole != cols)
    body(c.int64(whole), cols - whole);
}

// sums[i][p] += sum over k in [from, to) of a[panel p](., k) * b(k, first + i). `inner` and `column` are the axes of b.
// Of other terms than products the sum is of those.
std::vector<Values> Lowering::multiply(const Panels &a, Value panel, int64_t panels, const RightOperand &b,
                                       const Axis &inner, const Axis &column, Value first, int64_t columns,
                                       const InnerSteps &steps, std::vector<Values> sums, Term term) {
  SmallVector<Ptr> right = alongAxis(c, b.base, column, first, columnsAtOnce(panels, column), columns);

  auto step = [&](Ptr left, ArrayRef<Ptr> factors, std::vector<Values> &state) {
    Values strips, live;
    for (int64_t p = 0; p < panels; ++p) {
      strips.push_back(c.loadStrip(left.plus(p * a.panelBytes())));
      if (term == Term::UnlessZero)
        live.push_back(c.compare(CmpFPredicate::UNE, strips.back(), c.zero()));
    }
    for (int64_t i = 0; i < columns; ++i) {
      Value factor = c.loadBroadcast(factors[i]);
      for (int64_t p = 0; p < panels; ++p) {
        Value sum = term == Term::Distance ? c.addf(c.abs(c.subf(strips[p], factor)), state[i][p])
                                           : c.fma(strips[p], factor, state[i][p]);
        state[i][p] = term == Term::UnlessZero ? c.select(live[p], sum, state[i][p]) : sum;
      }
    }
  };
  auto flatten = [&](const std::vector<Values> &state) {
    Values flat;
    for (const Values &row : state)
      flat.append(row.begin(), row.end());
    return flat;
  };
  auto unflatten = [&](ArrayRef<Value> flat) {
    std::vector<Values> state;
    for (int64_t i = 0; i < columns; ++i)
      state.emplace_back(flat.slice(i * panels, panels));
    return state;
  };
  // `count` steps from k on of one block of the inner axis; `left` and `places` point to its first step.
  auto some = [&](Ptr left, ArrayRef<Ptr> places, Value k, int64_t count, ValueRange carried) {
    std::vector<Values> state = unflatten(Values(carried));
    Ptr leftHere = c.atScaled(left, k, kLanes * 4);
    llvm::DenseMap<Value, Value> moved; // one moving pointer for all columns that share a base
    auto advance = [&](Ptr place) {
      if (auto known = Code::known(k))
        return place.plus(*known * inner.bytes);
      Value &base = moved[place.base];
      if (!base)
        base = c.at(place.base, c.mul(k, inner.bytes));
      return Ptr{base, place.offset};
    };
    SmallVector<Ptr> here = llvm::map_to_vector(places, advance);
    for (int64_t u = 0; u < count; ++u) {
      SmallVector<Ptr> factors;
      for (Ptr place : here)
        factors.push_back(place.plus(u * inner.bytes));
      step(leftHere.plus(u * kLanes * 4), factors, state);
    }
    return flatten(state);
  };
  // The first `count` steps of such a block.
  auto run = [&](Ptr left, ArrayRef<Ptr> places, int64_t count, Values flat) {
    int64_t whole = count / kUnroll * kUnroll;
    flat = c.loop(0, whole, kUnroll, flat,
                  [&](Value k, ValueRange carried) { return some(left, places, k, kUnroll, carried); });
    return whole == count ? flat : some(left, places, c.int64(whole), count - whole, flat);
  };

  Values flat = flatten(sums);
  Ptr panelAt = c.atScaled(a.base, panel, a.panelBytes());
  auto leftAt = [&](int64_t k) { return panelAt.plus(k * kLanes * 4); };
  if (steps.low) {
    assert(steps.to <= inner.block && "run-time steps lie in the first block");
    return unflatten(c.loop(steps.low, steps.high, steps.multiple, flat, [&](Value k, ValueRange carried) {
      return some(panelAt, right, k, steps.multiple, carried);
    }));
  }
  int64_t k = steps.from;
  while (k < steps.to) {
    // Up to the end of the block that k lies in, or many whole blocks in one loop.
    int64_t blockEnd = std::min(steps.to, (k / inner.block + 1) * inner.block), blocks = (steps.to - k) / inner.block;
    auto starting = [&](int64_t start) {
      SmallVector<Ptr> places;
      for (Ptr place : right)
        places.push_back(place.plus(inner.offset(start)));
      return places;
    };
    if (k % inner.block == 0 && blocks > 1) {
      SmallVector<Ptr> places = starting(k);
      flat = c.loop(0, blocks, 1, flat, [&](Value block, ValueRange carried) {
        SmallVector<Ptr> here;
        for (Ptr place : places)
          here.push_back(c.atScaled(place, block, inner.blockBytes));
        return run(c.atScaled(leftAt(k), block, inner.block * kLanes * 4), here, inner.block, Values(carried));
      });
      k += blocks * inner.block;
    } else {
      flat = run(leftAt(k), starting(k), blockEnd - k, flat);
      k = blockEnd;
    }
  }
  return unflatten(flat);
}

LogicalResult Lowering::forPanelGroups(int64_t panels, const Visible *visible,
                                       llvm::function_ref<LogicalResult(Value, int64_t)> body) {
  LogicalResult status = success();
  int64_t most = c.atom.maxPanels();
  if (visible)
    c.loop(0, panels, visible->group, [&](Value panel) { status = body(panel, visible->group); });
  else
    for (int64_t panel = 0; panel < panels && succeeded(status); panel += most)
      status = body(c.int64(panel), std::min(most, panels - panel));
  return status;
}

// Whether some elements of a left operand can be zeros that a mask made, so that they must not touch the right one.
bool Lowering::maskedOperand(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto mask = dyn_cast_or_null<tile::MaskOp>(op))
    return acts(mask) != false || maskedOperand(mask.getTile());
  if (isa_and_nonnull<tile::ChooseOp>(op))
    return true;
  if (auto step = dyn_cast_or_null<tile::SoftmaxStepOp>(op))
    return maskedOperand(step.getS());
  if (auto map = dyn_cast_or_null<tile::MapOp>(op))
    return llvm::any_of(map.getInputs(),
                        [&](Value input) { return isa<tile::TileType>(input.getType()) && maskedOperand(input); });
  return false;
}

Lowering::Term Lowering::termOf(tile::DotOp op) {
  if (op.getKind() == "l1")
    return Term::Distance;
  return op.getKind() == "nn" && maskedOperand(op.getA()) ? Term::UnlessZero : Term::Product;
}

LogicalResult Lowering::lower(tile::DotOp op) {
  if (op.headCount() != 1)
    return unsupported(op, "products of several heads side by side in tiles of many rows");
  auto a = panelsOf(op.getA());
  if (failed(a))
    return failure();
  bool nt = op.getKind() != "nn";
  tile::TileType rightType = op.getB().getType();
  TileValue &right = tile(op.getB());
  std::optional<RightOperand> b = nt ? right.keys : right.values;
  if (!b) {
    auto panels = panelsOf(op.getB());
    if (failed(panels))
      return failure();
    b = RightOperand::of(*panels);
  }
  int64_t depth = nt ? rightType.getCols() : rightType.getRows();

  if (consumerOf(op) != op) {
    TileValue value;
    value.pending = std::make_shared<Pending>(Pending{op, *a, {}, *b, {}});
    tile(op.getResult()) = value;
    return success();
  }

  // In place on the accumulator.
  bool started = static_cast<bool>(op.getAcc());
  Panels to = started ? takeOrNew(op.getAcc(), op->getOpResult(0)) : newPanels(op.getResult());
  if (started) {
    auto acc = panelsOf(op.getAcc());
    if (failed(acc))
      return failure();
    if (acc->base.offset != to.base.offset)
      copy(*acc, to);
  }
  LogicalResult status = success();
  auto add = [&] {
    if (started && op.getScale() && failed(scaleRows(to, op.getScale())))
      status = failure();
    Term term = termOf(op);
    if (Value finite = term == Term::UnlessZero && onlyChosen(op.getA()) ? allFinite(*b, depth, to.cols) : Value())
      c.when(finite, [&] { addProduct(op, *a, *b, to, Term::Product); }, [&] { addProduct(op, *a, *b, to, term); });
    else
      addProduct(op, *a, *b, to, term);
  };
  if (Value some = tile(op.getA()).some; some && started) {
    Places before = now();
    c.when(some, add);
    goBack(std::move(before));
  } else {
    add();
  }
  if (failed(status))
    return failure();
  TileValue value;
  value.panels = to;
  tile(op.getResult()) = value;
  return success();
}

// Part by part of the inner extent.
void Lowering::addProduct(tile::DotOp op, const Panels &a, const RightOperand &b, const Panels &to, Term term) {
  bool nt = op.getKind() != "nn", started = static_cast<bool>(op.getAcc());
  const Axis inner = nt ? b.col : b.row, column = nt ? b.row : b.col;
  tile::TileType rightType = op.getB().getType();
  int64_t depth = nt ? rightType.getCols() : rightType.getRows();
  std::shared_ptr<const Visible> visible = tile(op.getA()).visible;
  for (int64_t from = 0; from < depth; from += nt ? kInnerPart : depth) {
    int64_t end = nt ? std::min(depth, from + kInnerPart) : depth;
    bool load = started || from != 0;
    (void)forPanelGroups(to.count(), visible.get(), [&](Value panel, int64_t panels) {
      InnerSteps steps{from, end};
      if (visible) {
        std::tie(steps.low, steps.high) = visibleColumns(*visible, panel);
        steps.multiple = visible->multiple;
      }
      forColumns(to.cols, columnsAtOnce(panels, column), [&](Value first, int64_t columns) {
        std::vector<Values> sums(columns);
        for (int64_t i = 0; i < columns; ++i)
          for (int64_t p = 0; p < panels; ++p)
            sums[i].push_back(load ? c.loadStrip(stripAt(to, panel, p, first, i)) : c.zero());
        sums = multiply(a, panel, panels, b, inner, column, first, columns, steps, sums, term);
        for (int64_t i = 0; i < columns; ++i)
          for (int64_t p = 0; p < panels; ++p)
            c.storeStrip(sums[i][p], stripAt(to, panel, p, first, i));
      });
      return success();
    });
  }
}

// Whether weights are 0 because their blocks were not chosen, and for no other reason: then most of a tile counts, and
// asking each weight costs more than asking each value once.
bool Lowering::onlyChosen(Value weights) {
  auto step = weights.getDefiningOp<tile::SoftmaxStepOp>();
  Value scores = step ? step.getS() : Value();
  if (auto mask = scores ? scores.getDefiningOp<tile::MaskOp>() : tile::MaskOp(); mask && acts(mask) == false)
    scores = mask.getTile();
  return scores && scores.getDefiningOp<tile::ChooseOp>();
}

// i1: no element of so many rows and columns is infinite or NaN; null where they do not lie side by side.
Value Lowering::allFinite(const RightOperand &operand, int64_t rows, int64_t cols) {
  constexpr int64_t atOnce = 4;
  const Axis &row = operand.row, &col = operand.col;
  bool together = row.blockBytes == row.block * cols * 4 && rows % row.block == 0 && cols % col.block == 0;
  if (!together || rows * cols % (atOnce * kLanes) != 0)
    return {};
  // x - x is 0 or NaN.
  Values sums = c.loop(0, rows * cols / kLanes, atOnce, Values(atOnce, c.zero()), [&](Value at, ValueRange carried) {
    Values next;
    for (int64_t i = 0; i < atOnce; ++i) {
      Value x = c.load(c.vf, c.atScaled(operand.base, at, kLanes * 4).plus(i * kLanes * 4), 4);
      next.push_back(c.addf(carried[i], c.subf(x, x)));
    }
    return next;
  });
  Value sum = c.addf(c.addf(sums[0], sums[1]), c.addf(sums[2], sums[3]));
  return c.equal(c.anyLane(c.compare(CmpFPredicate::UNE, sum, c.zero())), c.boolean(false));
}

// panels(r, .) *= scale(r); nothing to do where no row's scale changed from 1.
LogicalResult Lowering::scaleRows(const Panels &panels, Value scale) {
  auto factors = panelsOf(scale);
  if (failed(factors))
    return failure();
  auto body = [&] {
    for (int64_t panel = 0; panel < panels.count(); ++panel) {
      Value factor = c.loadStrip(factors->at(panel));
      c.loop(0, panels.cols, 1, [&](Value col) {
        Ptr strip = stripAt(panels, panel, col, 0);
        c.storeStrip(c.mulf(c.loadStrip(strip), factor), strip);
      });
    }
  };
  if (Value changed = tile(scale).changed)
    c.when(changed, body);
  else
    body();
  return success();
}

// Row-wise tensors of the pattern, evaluated tile by tile.
#include "lib/transforms/kernels/Epilogue.h"
#include "lib/transforms/kernels/Formulas.h"
#include <limits>

namespace sattn::lower {
using namespace mlir;

bool isOfKeys(Value tensor) {
  Operation *op = tensor.getDefiningOp();
  if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    auto pattern = cast<PatternOp>(argument.getOwner()->getParentOp());
    auto role = cast<RoleAttr>(pattern.getRoles()[argument.getArgNumber()]);
    return llvm::any_of(role.getAxes(), [](AxisAttr axis) { return axis.kind() == AxisKind::Keys; });
  }
  if (auto mix = dyn_cast<MixOp>(op)) {
    bool found = false;
    walkExpr(mix.getFormula(), [&](ExprAttr e) {
      found |= e.is(ExprKind::Table) && e.getKids().empty() && isOfKeys(mix.getTables()[e.getValue()]);
      return !e.is(ExprKind::Table);
    });
    return found;
  }
  return isa<ColsumOp>(op) ||
         (isa<SmoothOp, GatherOp, ScatterOp, PrefixOp, EncodeOp>(op) && isOfKeys(op->getOperand(0)));
}

bool isRowWise(Value tensor) {
  Operation *op = tensor.getDefiningOp();
  return op && isa<FinalizeOp, LseOp, BlendOp, MixOp>(op) && !isOfKeys(tensor);
}

// The role whose element type an output takes: the queries of the first score it depends on.
static Value queriesOf(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  if (auto score = dyn_cast<ScoreOp>(op))
    return score.getQ();
  if (auto mix = dyn_cast<MixOp>(op)) {
    for (Value table : mix.getTables())
      if (Value queries = queriesOf(table))
        return queries;
    return {};
  }
  return op->getNumOperands() ? queriesOf(op->getOperand(0)) : Value();
}

tile::ArgType resultType(Context &context, Value tensor) {
  Type element = context.f32();
  if (isOfKeys(tensor)) { // keys as they are, or numbers
    int64_t inner = context.innerSize(context.factsOf(tensor).axes);
    auto gather = tensor.getDefiningOp<GatherOp>();
    if (gather && context.factsOf(tensor).feature() && !gather.getX().getDefiningOp())
      return context.roleType(gather.getX());
    return tile::ArgType::get(context.pattern.getContext(), element, inner, tile::PanelsAttr());
  }
  Value queries = isa_and_nonnull<LseOp, SummarizeOp>(tensor.getDefiningOp()) ? Value() : queriesOf(tensor);
  while (queries && queries.getDefiningOp())
    queries = queries.getDefiningOp()->getOperand(0);
  if (queries)
    element = context.bound.dtype(context.bound.role(queries));
  return tile::ArgType::get(context.pattern.getContext(), element, context.innerSize(context.factsOf(tensor).axes),
                            tile::PanelsAttr());
}

//===-- Partial results ---------------------------------------------------------------------------------===//

FailureOr<SoftmaxState> Epilogue::partial(Operation *user, Value value) {
  auto known = partials.find(value);
  if (known != partials.end())
    return known->second;
  FailureOr<SoftmaxState> state = failure();
  if (auto accumulate = value.getDefiningOp<AccumulateOp>()) {
    Location outer = std::exchange(k.loc, accumulate.getLoc()); // the stream is of this line
    state = partialOf(accumulate);
    k.loc = outer;
  } else if (auto merge = value.getDefiningOp<MergeOp>()) {
    for (Value part : merge.getParts()) {
      auto next = partial(merge, part);
      if (failed(next))
        return failure();
      state = failed(state) ? *next : mergeStates(k, *state, *next);
    }
  } else {
    state = reopen(value.getDefiningOp<ReopenOp>());
  }
  if (succeeded(state))
    partials[value] = *state;
  return state;
}

// An output and its lse are the sums of one key of that score: m = lse, l = 1, acc = o. A row with lse -inf is empty,
// whatever its output holds.
FailureOr<SoftmaxState> Epilogue::reopen(ReopenOp op) {
  auto o = rowsOf(op, op.getO()), lse = rowsOf(op, op.getLse());
  if (failed(o) || failed(lse))
    return failure();
  auto unlessEmpty = [&](Value tile) {
    auto type = cast<tile::TileType>(tile.getType());
    return k.map({tile, *lse}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
      auto constant = [&](double value) -> Value {
        return arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(static_cast<float>(value)));
      };
      Value empty = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OEQ, args[1],
                                          constant(-std::numeric_limits<double>::infinity()));
      return arith::SelectOp::create(b, k.loc, empty, constant(0), args[0]);
    });
  };
  auto type = cast<tile::TileType>(lse->getType());
  // Memory of one feature is loaded as a row vector; what a stream accumulates has columns, be it one.
  if (cast<tile::TileType>(o->getType()).isVector()) {
    auto column = k.tile(type.getRows(), 1);
    o = k.map({k.splat(0.0, column), *o}, column, [](OpBuilder &, Block::BlockArgListType args) { return args[1]; });
  }
  Value m = k.map({*lse, k.float32(kLog2E)}, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
    return arith::MulFOp::create(b, k.loc, args[0], args[1]);
  });
  return SoftmaxState{m, unlessEmpty(k.splat(1.0, type)), unlessEmpty(*o)};
}

//===-- Tensors -----------------------------------------------------------------------------------------===//

Value Epilogue::viewOfRows(const PlanRef &ref, AxisAttr head, std::optional<int64_t> column, bool repeat) {
  if (rows.across)
    return task.sliceAcross(ref, task.batch, repeat ? k.constant(0) : rows.across, column);
  Value index = task.head(head);
  int64_t group = rows.heads / task.context.ratio(head).value_or(rows.heads);
  Value groups = group <= 1 ? index : k.floorDiv(index, group);
  return task.slice(ref, task.batch, groups, std::max<int64_t>(group, 1), rows.outer, Value(), column,
                    repeat ? Lattice() : rows.lattice, repeat);
}

// A role or a tensor that is made row by row.
FailureOr<Value> Epilogue::rowsOf(Operation *user, Value value) {
  return value.getDefiningOp() ? tensor(user, value) : roleTile(user, value, std::nullopt);
}

FailureOr<Value> Epilogue::tensor(Operation *user, Value value) {
  if (Value known = tiles.lookup(value))
    return known;
  auto made = make(user, value);
  if (succeeded(made))
    tiles[value] = *made;
  return made;
}

FailureOr<Value> Epilogue::make(Operation *user, Value value) {
  if (Value other = given(value))
    return other;
  if (auto mixed = value.getDefiningOp<MixOp>())
    return mix(mixed);
  Operation *op = value.getDefiningOp();
  if (!op || !isa<FinalizeOp, LseOp>(op))
    return task.context.refuse(op ? op : user, "a tensor without rows of queries as an operand of '" +
                                                   user->getName().getStringRef() + "'");
  auto state = partial(op, op->getOperand(0));
  if (failed(state))
    return failure();
  // One finish serves the lse of a partial result and an output of it: with a sink, which the lse does not hold, or
  // without.
  FinalizeOp output = dyn_cast<FinalizeOp>(op);
  for (Operation *other : op->getOperand(0).getUsers())
    if (auto finalize = dyn_cast<FinalizeOp>(other); finalize && !output)
      output = finalize;
  Value sink = output ? output.getSink() : Value();
  auto logits = sink ? rowsOf(output, sink) : FailureOr<Value>(Value());
  if (failed(logits))
    return failure();
  auto finish = tile::SoftmaxFinishOp::create(k.b, k.loc, state->acc.getType(), state->m.getType(), state->m, state->l,
                                              state->acc, *logits);
  for (Operation *other : op->getOperand(0).getUsers()) {
    if (isa<LseOp>(other))
      tiles[other->getResult(0)] = finish.getLse();
    else if (auto finalize = dyn_cast<FinalizeOp>(other); finalize && finalize.getSink() == sink)
      tiles[other->getResult(0)] = finish.getO();
  }
  return tiles[value];
}

FailureOr<Value> Epilogue::roleTile(Operation *user, Value role, std::optional<int64_t> column) {
  const Facts &facts = task.context.factsOf(role);
  if (rows.across && task.context.ratio(facts.headAxis()) != 1)
    return task.context.refuse(user, "a role without query heads beside a selection of single tokens");
  bool repeat = !facts.position(); // one number a head
  Value view = viewOfRows(task.context.role(role), facts.headAxis(), column, repeat);
  int64_t inner = column ? 1 : task.context.innerSize(facts.axes);
  auto type = inner == 1 ? k.rowVector(rows.count()) : k.tile(rows.count(), inner);
  bool isOnly = repeat && !rows.across;
  return tile::LoadOp::create(k.b, k.loc, type, view, isOnly ? k.constant(0) : rows.first).getResult();
}

// `%g[t, h, 0]`: one number for each row.
FailureOr<Value> Epilogue::tableLoad(MixOp op, ExprAttr load) {
  Value table = op.getTables()[load.getValue()];
  if (table.getDefiningOp())
    return tensor(op, table);
  const Facts &facts = task.context.factsOf(table);
  std::optional<int64_t> column;
  for (auto [axis, index] : llvm::zip(facts.axes, load.getKids())) {
    bool plain =
        (axis.kind() == AxisKind::Rows && index.is(ExprKind::Name) && axisKindOf(index.getText()) == axis.kind()) ||
        (axis.isHead() && index.isName(axis.getName()));
    if (axis.isFixed() && index.is(ExprKind::Int))
      column = index.getValue();
    else if (!plain)
      return task.context.refuse(op, "'" + toText(load) + "' in 'sattn.mix'");
  }
  return roleTile(op, table, column);
}

FailureOr<Value> Epilogue::mix(MixOp op) {
  SmallVector<Value> inputs;
  llvm::DenseMap<ExprAttr, unsigned> place;
  LogicalResult found = success();
  auto type = k.rowVector(rows.count()); // a number for each row, where no input has features
  walkExpr(op.getFormula(), [&](ExprAttr e) {
    if (!(e.is(ExprKind::Table) || e.is(ExprKind::Name)))
      return succeeded(found);
    if (failed(found) || place.contains(e))
      return false;
    FailureOr<Value> input = failure();
    if (e.is(ExprKind::Name)) {
      if (task.context.isParam(e.getText()))
        input = floatParam(task, e.getText());
      else
        (void)task.context.refuse(op, "'" + e.getText() + "' in 'sattn.mix'");
    } else if (!e.getKids().empty()) {
      input = tableLoad(op, e);
    } else {
      input = rowsOf(op, op.getTables()[e.getValue()]);
    }
    if (failed(input)) {
      found = failure();
      return false;
    }
    if (auto given = dyn_cast<tile::TileType>((*input).getType()); given && !given.isVector())
      type = given;
    place[e] = inputs.size();
    inputs.push_back(*input);
    return false; // indices are not values
  });
  if (failed(found))
    return failure();
  return k.map(inputs, type, [&](OpBuilder &b, Block::BlockArgListType args) {
    return emitFloat(b, k.loc, op.getFormula(), [&](ExprAttr leaf) { return args[place.lookup(leaf)]; });
  });
}

//===-- Results -----------------------------------------------------------------------------------------===//

LogicalResult Epilogue::storeResults() {
  auto yield = cast<YieldOp>(task.context.pattern.getBody().front().back());
  for (auto [value, name] :
       llvm::zip(yield.getValues(), task.context.pattern.getOutputs().getAsValueRange<StringAttr>())) {
    if (!isRowWise(value))
      continue;
    auto rowsTile = tensor(yield, value);
    if (failed(rowsTile))
      return failure();
    PlanRef ref{PlanRef::Result, name.str(), resultType(task.context, value)};
    Value view = viewOfRows(ref, task.context.factsOf(value).headAxis(), std::nullopt);
    tile::StoreOp::create(k.b, k.loc, *rowsTile, view, rows.first);
  }
  return success();
}

} // namespace sattn::lower

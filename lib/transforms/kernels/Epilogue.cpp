// Row-wise tensors of the pattern, evaluated tile by tile.
#include "lib/transforms/kernels/Epilogue.h"
#include "lib/transforms/kernels/Formulas.h"

namespace sattn::lower {
using namespace mlir;

bool isRowWise(Value tensor) {
  Operation *op = tensor.getDefiningOp();
  return op && isa<FinalizeOp, LseOp, BlendOp, MixOp>(op);
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
      if (failed(state)) {
        state = next;
        continue;
      }
      auto both = tile::MergeOp::create(k.b, k.loc, state->m.getType(), state->l.getType(), state->acc.getType(),
                                        state->m, state->l, state->acc, next->m, next->l, next->acc);
      state = SoftmaxState{both.getM(), both.getL(), both.getAcc()};
    }
  } else {
    Operation *made = value.getDefiningOp();
    return task.context.refuse(made, "'" + made->getName().getStringRef() + "'");
  }
  if (succeeded(state))
    partials[value] = *state;
  return state;
}

//===-- Tensors -----------------------------------------------------------------------------------------===//

Value Epilogue::viewOfRows(const PlanRef &ref, AxisAttr head, std::optional<int64_t> column) {
  Value index = task.head(head);
  int64_t group = rows.heads / task.context.ratio(head).value_or(rows.heads);
  Value groups = group <= 1 ? index : k.floorDiv(index, group);
  return task.slice(ref, task.batch, groups, std::max<int64_t>(group, 1), rows.outer, Value(), column, rows.lattice);
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
  if (auto finalize = dyn_cast<FinalizeOp>(op); finalize && finalize.getSink())
    return task.context.refuse(op, "'sattn.finalize' with a sink");
  auto state = partial(op, op->getOperand(0));
  if (failed(state))
    return failure();
  auto finish = tile::SoftmaxFinishOp::create(k.b, k.loc, state->acc.getType(), state->m.getType(), state->m, state->l,
                                              state->acc, Value());
  // One finish serves the output and the lse of a partial result.
  for (Operation *other : op->getOperand(0).getUsers()) {
    if (isa<LseOp>(other))
      tiles[other->getResult(0)] = finish.getLse();
    else if (auto finalize = dyn_cast<FinalizeOp>(other); finalize && !finalize.getSink())
      tiles[other->getResult(0)] = finish.getO();
  }
  return tiles[value];
}

Value Epilogue::roleTile(Value role, std::optional<int64_t> column) {
  const Facts &facts = task.context.factsOf(role);
  Value view = viewOfRows(task.context.role(role), facts.headAxis(), column);
  int64_t inner = column ? 1 : task.context.innerSize(facts.axes);
  auto type = inner == 1 ? k.rowVector(rows.count()) : k.tile(rows.count(), inner);
  return tile::LoadOp::create(k.b, k.loc, type, view, rows.first);
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
  if (!facts.position() || !facts.position().isRow() || facts.position().isBlocks())
    return task.context.refuse(op, "a table without query rows in 'sattn.mix'");
  return roleTile(table, column);
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
      Value table = op.getTables()[e.getValue()];
      input = table.getDefiningOp() ? tensor(op, table) : FailureOr<Value>(roleTile(table, std::nullopt));
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

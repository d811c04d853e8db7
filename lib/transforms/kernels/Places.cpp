// Formulas of scores as maps of tiles; see Places.h.
#include "lib/transforms/kernels/Places.h"
#include "lib/transforms/kernels/Formulas.h"

namespace sattn::lower {
using namespace mlir;

//===-- Sums of positions -------------------------------------------------------------------------------===//

namespace {
/// constant + row * (position of the row) + key * (position of the key) + head * (query head) + the symbols.
struct Sum {
  int64_t constant = 0, row = 0, key = 0, head = 0;
  SmallVector<std::pair<std::string, int64_t>> symbols; ///< int params and sizes, and how often
  bool isPlaced() const { return row != 0 || key != 0 || head != 0; }
};
} // namespace

// Numbers of lanes stay exact as float32.
static constexpr int64_t kMostFactor = int64_t(1) << 12;

static std::optional<Sum> times(Sum sum, int64_t factor) {
  bool overflow = llvm::MulOverflow(sum.constant, factor, sum.constant);
  for (int64_t *part : {&sum.row, &sum.key, &sum.head})
    overflow |= llvm::MulOverflow(*part, factor, *part) || std::abs(*part) > kMostFactor;
  for (auto &[name, count] : sum.symbols)
    overflow |= llvm::MulOverflow(count, factor, count) || std::abs(count) > kMostFactor;
  return overflow ? std::nullopt : std::optional(sum);
}

static std::optional<Sum> plus(std::optional<Sum> a, std::optional<Sum> b) {
  if (!a || !b || llvm::AddOverflow(a->constant, b->constant, a->constant))
    return std::nullopt;
  a->row += b->row;
  a->key += b->key;
  a->head += b->head;
  a->symbols.append(b->symbols);
  return times(*a, 1);
}

namespace {
/// Reads the formula of one map.
class Reader {
public:
  Reader(Context &context, MapOp map) : context(context), map(map), facts(context.factsOf(map.getZ())) {}

  /// The sum that `e` is; nullopt for anything else.
  std::optional<Sum> sumOf(ExprAttr e) {
    switch (e.getKind()) {
    case ExprKind::Int:
      return Sum{e.getValue(), 0, 0, 0, {}};
    case ExprKind::Name:
      return nameOf(e.getText());
    case ExprKind::Call:
      return callOf(e);
    case ExprKind::Neg:
      return scaled(sumOf(e.getKids()[0]), -1);
    case ExprKind::Add:
      return plus(sumOf(e.getKids()[0]), sumOf(e.getKids()[1]));
    case ExprKind::Sub:
      return plus(sumOf(e.getKids()[0]), scaled(sumOf(e.getKids()[1]), -1));
    case ExprKind::Mul:
      for (unsigned i : {0u, 1u})
        if (auto literal = literalInt(e.getKids()[i]))
          return scaled(sumOf(e.getKids()[1 - i]), *literal);
      return std::nullopt;
    default:
      return std::nullopt;
    }
  }

  /// A part of the formula that is computed as one: a sum of positions, a load, a param.
  bool isLeaf(ExprAttr e) {
    if (e.is(ExprKind::Table) || e.is(ExprKind::Name))
      return true;
    if (e.is(ExprKind::Int) || e.is(ExprKind::Float))
      return false;
    auto sum = sumOf(e);
    return sum && (sum->isPlaced() || !sum->symbols.empty());
  }

  void forLeaves(llvm::function_ref<void(ExprAttr)> visit) {
    walkExpr(map.getFormula(), [&](ExprAttr e) {
      if (!isLeaf(e))
        return true;
      visit(e);
      return false;
    });
  }

  TableLoad tableOf(ExprAttr load) { return {map.getTables()[load.getValue()], load, facts.row, facts.key}; }

  Context &context;
  MapOp map;
  const Facts &facts; ///< of the score

private:
  static std::optional<Sum> scaled(std::optional<Sum> sum, int64_t factor) {
    return sum ? times(*sum, factor) : std::nullopt;
  }

  std::optional<Sum> nameOf(StringRef name) {
    Sum sum;
    if (name == facts.row.getName())
      sum.row = 1;
    else if (name == facts.key.getName())
      sum.key = 1;
    else if (facts.head && name == facts.head.getName())
      sum.head = 1;
    else if (isIntParam(name))
      sum.symbols.push_back({name.str(), 1});
    else
      return std::nullopt;
    return sum;
  }

  // first(c), last(c) and sizes.
  std::optional<Sum> callOf(ExprAttr e) {
    if (e.getText() == "size")
      return Sum{0, 0, 0, 0, {{toText(e), 1}}};
    bool last = e.getText() == "last";
    if (!last && e.getText() != "first")
      return std::nullopt;
    bool ofRow = e.getKids()[0].isName(facts.row.getName());
    AxisAttr axis = ofRow ? facts.row : facts.key;
    int64_t length = *literalInt(axis.getLen()), stride = *literalInt(axis.getStride());
    Sum sum;
    sum.constant = last ? length - 1 : 0;
    (ofRow ? sum.row : sum.key) = stride;
    return times(sum, 1);
  }

  bool isIntParam(StringRef name) {
    return llvm::any_of(context.pattern.getParams().getAsRange<ParamAttr>(),
                        [&](ParamAttr param) { return param.getName() == name && !param.getIsFloat(); });
  }
};
} // namespace

bool readsPlaces(Context &context, MapOp map) {
  bool any = false;
  Reader reader(context, map);
  reader.forLeaves([&](ExprAttr e) {
    bool plain = e.is(ExprKind::Name) && (e.isName("z") || context.isParam(e.getText()));
    any |= !plain;
  });
  return any;
}

bool readsRows(Context &context, MapOp map) {
  bool any = false;
  Reader reader(context, map);
  reader.forLeaves([&](ExprAttr e) {
    if (e.is(ExprKind::Table))
      any |= alongOf(context, reader.tableOf(e)) != Along::Keys;
    else
      any |= !e.isName("z") && !(e.is(ExprKind::Name) && context.isParam(e.getText()));
  });
  return any;
}

LogicalResult checkPlaces(Context &context, MapOp map, int64_t heads) {
  Reader reader(context, map);
  LogicalResult status = success();
  auto refuse = [&](ExprAttr e, const Twine &where) {
    if (succeeded(status))
      status = context.refuse(map, "'" + toText(e) + "' in 'sattn.map'" + where);
  };
  walkExpr(map.getFormula(), [&](ExprAttr e) {
    // Functions of conditions and sums that do not fit are no leaves.
    if (reader.isLeaf(e)) {
      Along along = e.is(ExprKind::Table) ? alongOf(context, reader.tableOf(e)) : Along::Nothing;
      if (along == Along::Other || along == Along::Distances)
        refuse(e, "");
      else if (e.is(ExprKind::Table) && !servesHeads(context, reader.tableOf(e), heads))
        refuse(e, " of several heads");
      return false;
    }
    if (e.is(ExprKind::Call) && !valueFunctionArity(e.getText()) && !e.getText().starts_with("@"))
      refuse(e, "");
    return true;
  });
  return status;
}

//===-- Values of rows ----------------------------------------------------------------------------------===//

static Value times(OpBuilder &b, Location loc, Value number, int64_t factor) {
  if (factor == 1)
    return number;
  Value by = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(factor)));
  return arith::MulFOp::create(b, loc, number, by);
}

// Numbers that count, made where the kernel begins; one op for equal ones.
static Value iota(Task &task, tile::TileType type, AffineExpr number) {
  KernelBuilder &k = task.k;
  auto map = AffineMapAttr::get(AffineMap::get(1, 0, number));
  Block &body = k.kernel.getBody().front();
  for (auto known : body.getOps<tile::IotaOp>())
    if (known.getNumbersAttr() == map && known.getTile().getType() == type)
      return known.getTile();
  OpBuilder::InsertionGuard guard(k.b);
  k.b.setInsertionPointToStart(&body);
  return tile::IotaOp::create(k.b, k.loc, type, map);
}

// What a sum adds for a row to that of the first one.
static Value rowNumbers(Task &task, const Rows &rows, const Sum &sum) {
  KernelBuilder &k = task.k;
  auto type = k.rowVector(rows.count());
  MLIRContext *context = k.b.getContext();
  AffineExpr row = getAffineDimExpr(0, context);
  SmallVector<Value> inputs;
  SmallVector<int64_t> factors;
  auto add = [&](AffineExpr number, int64_t factor) {
    if (factor == 0)
      return;
    inputs.push_back(iota(task, type, number));
    factors.push_back(factor);
  };
  add(rows.positionOf(context).getResult(0), sum.row * rows.lattice.every);
  if (rows.heads > 1)
    add(rows.outer ? row.floorDiv(rows.positions) : row % rows.heads, sum.head);
  if (factors == ArrayRef<int64_t>{1})
    return inputs.front();
  return k.map(inputs, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
    Value total;
    for (auto [number, factor] : llvm::zip(args, factors)) {
      Value part = times(b, k.loc, number, factor);
      total = total ? Value(arith::AddFOp::create(b, k.loc, total, part)) : part;
    }
    return total;
  });
}

// `numbers` from that of another first row on.
static Value after(Task &task, Value numbers, Value rows, int64_t factor) {
  KernelBuilder &k = task.k;
  Value wide = arith::IndexCastOp::create(k.b, k.loc, k.b.getI64Type(), k.mul(rows, factor));
  Value further = arith::SIToFPOp::create(k.b, k.loc, k.b.getF32Type(), wide);
  return k.map({numbers, further}, cast<tile::TileType>(numbers.getType()),
               [&](OpBuilder &b, auto args) { return arith::AddFOp::create(b, k.loc, args[0], args[1]); });
}

SmallVector<std::pair<ExprAttr, Type>> rowLeaves(Task &task, MapOp map, int64_t heads) {
  Reader reader(task.context, map);
  SmallVector<std::pair<ExprAttr, Type>> leaves;
  reader.forLeaves([&](ExprAttr e) {
    if (llvm::is_contained(llvm::make_first_range(leaves), e))
      return;
    if (e.is(ExprKind::Table)) {
      if (alongOf(task.context, reader.tableOf(e)) != Along::Keys)
        leaves.push_back({e, elementOf(task, reader.tableOf(e))});
    } else if (auto sum = reader.sumOf(e); sum && (sum->row != 0 || (sum->head != 0 && heads > 1))) {
      leaves.push_back({e, task.k.b.getF32Type()});
    }
  });
  return leaves;
}

void addRowValues(Task &task, const Rows &rows, MapOp map, RowValues &values, Value ahead) {
  Reader reader(task.context, map);
  for (auto [e, element] : rowLeaves(task, map, rows.heads)) {
    Value &value = values[{map, e}];
    if (value)
      continue;
    if (e.is(ExprKind::Table)) {
      value = loadForRows(task, rows, reader.tableOf(e));
      continue;
    }
    Sum sum = *reader.sumOf(e);
    value = rowNumbers(task, rows, sum);
    if (ahead && sum.row != 0)
      value = after(task, value, ahead, sum.row * rows.lattice.every);
  }
}

//===-- Tiles -------------------------------------------------------------------------------------------===//

namespace {
/// The operands of one map, and how its formula is made of them.
class MapBuilder {
public:
  MapBuilder(Task &task, const Rows &rows, const Columns &columns, MapOp map, const RowValues &values)
      : task(task), k(task.k), rows(rows), columns(columns), reader(task.context, map), values(values) {}

  Value build(Value scores, double factor) {
    inputs.push_back(scores);
    reader.forLeaves([&](ExprAttr e) {
      if (!e.isName("z") && !places.contains(e))
        places[e] = partsOf(e);
    });
    Location loc = k.loc;
    return k.map(inputs, cast<tile::TileType>(scores.getType()),
                 [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
                   Value y = emitFloat(
                       b, loc, reader.map.getFormula(), [&](ExprAttr leaf) { return valueOf(b, loc, args, leaf); },
                       [&](ExprAttr e) { return reader.isLeaf(e); });
                   if (factor == 1.0)
                     return y;
                   Value by = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(static_cast<float>(factor)));
                   return arith::MulFOp::create(b, loc, y, by);
                 });
  }

private:
  // A leaf of the formula is a sum of operands of the map, each times a number.
  struct Part {
    unsigned operand = 0;
    int64_t factor = 1;
  };
  Part add(Value value) {
    inputs.push_back(value);
    return {static_cast<unsigned>(inputs.size() - 1)};
  }

  SmallVector<Part, 3> partsOf(ExprAttr e) {
    Value ofRows = values.lookup({reader.map, e});
    if (e.is(ExprKind::Table))
      return {add(ofRows ? ofRows : loadForColumns(task, rows, columns, reader.tableOf(e)))};
    if (e.is(ExprKind::Name) && task.context.isParam(e.getText()))
      return {add(floatParam(task, e.getText()))};
    Sum sum = *reader.sumOf(e);
    SmallVector<Part, 3> parts{add(firstOf(sum))};
    if (ofRows)
      parts.push_back(add(ofRows));
    if (sum.key != 0) {
      parts.push_back(add(iota(task, k.tile(1, columns.count), getAffineDimExpr(0, k.b.getContext()))));
      parts.back().factor = sum.key * columns.lattice.every;
    }
    return parts;
  }

  // The sum at the first row and column of the tile, whatever its size, rounded once.
  Value firstOf(const Sum &sum) {
    Value total = k.constant(sum.constant);
    auto addTimes = [&](Value value, int64_t factor) { total = k.add(total, k.mul(value, factor)); };
    if (sum.row != 0)
      addTimes(rowPosition(), sum.row);
    if (sum.key != 0)
      addTimes(keyPosition(), sum.key);
    if (sum.head != 0)
      addTimes(task.head(reader.facts.head), sum.head);
    for (const auto &[name, count] : sum.symbols)
      addTimes(task.symbol(name), count);
    Value wide = arith::IndexCastOp::create(k.b, k.loc, k.b.getI64Type(), total);
    return arith::SIToFPOp::create(k.b, k.loc, k.b.getF32Type(), wide);
  }

  Value rowPosition() {
    AxisAttr axis = reader.facts.row;
    Value start = axis.isBlocks() ? k.floorDiv(task.qOffset(), *literalInt(axis.getLen())) : task.qOffset();
    return k.add(start, inLattice(rows.lattice, rows.first));
  }
  Value keyPosition() {
    AxisAttr axis = reader.facts.key;
    Value start = axis.isBlocks() ? k.floorDiv(task.kvOffset(), *literalInt(axis.getStride())) : task.kvOffset();
    return k.add(start, inLattice(columns.lattice, columns.first));
  }
  Value inLattice(const Lattice &lattice, Value number) {
    return lattice.from ? k.add(k.mul(number, lattice.every), lattice.from) : number;
  }

  Value valueOf(OpBuilder &b, Location loc, Block::BlockArgListType args, ExprAttr leaf) {
    if (leaf.isName("z"))
      return args[0];
    Value sum;
    for (Part part : places.lookup(leaf)) {
      Value next = args[part.operand];
      if (next.getType().isInteger())
        next = arith::SIToFPOp::create(b, loc, b.getF32Type(), next);
      next = times(b, loc, next, std::abs(part.factor));
      if (!sum)
        sum = next;
      else if (part.factor < 0)
        sum = arith::SubFOp::create(b, loc, sum, next);
      else
        sum = arith::AddFOp::create(b, loc, sum, next);
    }
    return sum;
  }

  Task &task;
  KernelBuilder &k;
  const Rows &rows;
  const Columns &columns;
  Reader reader;
  const RowValues &values;
  SmallVector<Value> inputs;
  llvm::DenseMap<ExprAttr, SmallVector<Part, 3>> places;
};
} // namespace

Value mapTile(Task &task, const Rows &rows, const Columns &columns, MapOp map, const RowValues &values, Value scores,
              double factor) {
  return MapBuilder(task, rows, columns, map, values).build(scores, factor);
}

} // namespace sattn::lower

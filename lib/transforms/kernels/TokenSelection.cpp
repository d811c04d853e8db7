// The kernels that score keys and list the best of each row.
#include "lib/transforms/kernels/TokenSelection.h"
#include "lib/transforms/kernels/Encode.h"
#include "lib/transforms/kernels/Formulas.h"
#include "lib/transforms/kernels/Plan.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"
#include <limits>
#include <numeric>

namespace sattn::lower {
using namespace mlir;

namespace {
/// Keys of a tile whose scores of all heads are summed: enough that heads are not packed too often.
constexpr int64_t kSummedKeys = 256;
/// Heads that are summed at once.
constexpr int64_t kSummedHeads = 64;
/// Slots of lists come in multiples of it, and one more behind the last.
constexpr int64_t kListStrip = 16;
/// Tiles that a part of a row's keys has at least, and chunks of rows have as a multiple.
constexpr int64_t kPartTiles = 4, kChunkRows = 64;

/// Blocks whose tokens alone may be selected: a list of each row for all heads.
struct Candidates {
  TokenLists blocks;
  SelectOp select;
  int64_t length;
};

/// Scores of one selection.
struct TokenScores {
  SelectOp select;
  ScoreChain chain;
  ReduceOp reduce; ///< null: none
  RowOperand queries;
  KeyOperand keys;
  FailureOr<LocalSet> where = failure(), forced = failure();
  std::optional<PlanRef> queryScales, keyScales; ///< of codes of integers
  PlanRef scores;
  bool isSummed = false;                ///< over all heads that there are
  int64_t heads = 1;                    ///< of a tile; those that are reduced to one, or neighbours
  int64_t positions = 1;                ///< of a tile
  std::optional<Candidates> candidates; ///< null: all keys of `where`
  TokenLists lists;
};

class TokenSelection {
public:
  /// `known`: the lists of the selections before it.
  TokenSelection(Context &context, Preparer &preparer, SelectOp select, const llvm::DenseMap<Value, TokenLists> &known)
      : context(context), preparer(preparer), known(known) {
    of.select = select;
  }

  FailureOr<TokenLists> build() {
    if (failed(chain()) || failed(shape()) || failed(sets()) || failed(operands()))
      return failure();
    declare();
    if (failed(of.isSummed ? buildSummed() : buildScored()))
      return failure();
    buildChoice();
    return of.lists;
  }

private:
  bool isForFewRows() const { return context.calls.rows == CallRows::Few; }

  //===-- What is selected from what.

  LogicalResult chain() {
    SelectOp select = of.select;
    if (select.getMass())
      return context.refuse(select, "'sattn.select mass' of single tokens");
    if (select.getAbove() || !select.getTop())
      return context.refuse(select, "'sattn.select above'");
    Value z = select.getZ();
    if ((of.reduce = z.getDefiningOp<ReduceOp>()))
      z = of.reduce.getZ();
    auto score = scoreChain(context, select, z);
    if (failed(score))
      return failure();
    of.chain = *score;
    return success();
  }

  LogicalResult shape() {
    const Facts &facts = context.factsOf(of.select.getResult());
    if (facts.row.isBlocks())
      return context.refuse(of.select, "'sattn.select' of single tokens for blocks of rows");
    of.lists.head = facts.head;
    auto ratio = context.ratio(facts.head);
    of.lists.heads = ratio.value_or(0);
    int64_t quantum = context.target.rowQuantum;
    if (of.reduce && of.reduce.getHow() != ReduceKind::Sum && of.reduce.getHow() != ReduceKind::Max)
      return context.refuse(of.reduce, "'sattn.reduce " + stringifyReduceKind(of.reduce.getHow()) + "' of tokens");
    if (of.reduce && !facts.head) {
      of.isSummed = true;
      if (of.reduce.getHow() != ReduceKind::Sum)
        return context.refuse(of.reduce, "'sattn.reduce " + stringifyReduceKind(of.reduce.getHow()) + "' to one");
    } else if (of.reduce) {
      auto from = context.ratio(context.factsOf(of.reduce.getZ()).head);
      of.heads = *ratio / from.value_or(1);
      of.positions = std::max<int64_t>(1, context.target.rowTile / (of.heads * quantum)) * quantum;
    } else if (isForFewRows()) {
      of.heads = context.sharedHeads({context.factsOf(of.chain.score.getK()).headAxis()});
      if (of.heads > context.target.rowTile || !shareTables(of.heads))
        of.heads = 1;
    } else {
      of.positions = context.target.rowTile;
    }
    of.lists.rowsFirst = of.positions > 1;
    of.lists.rowTile = of.positions;
    return success();
  }

  // Whether a tile may hold so many query heads.
  bool shareTables(int64_t heads) {
    if (heads == 1)
      return true;
    return llvm::none_of(of.chain.maps, [&](MapOp map) { return readsPlaces(context, map); });
  }

  LogicalResult operands() {
    ScoreOp score = of.chain.score;
    if (!of.isSummed && failed(checkHeads(context, of.chain, of.reduce ? of.heads : 1)))
      return failure();
    if (score.getHow() == ScoreKind::L1 || isOfIntegers(score.getQ()) || isOfIntegers(score.getK()))
      return codes();
    auto rows = preparer.rows(of.select, score.getQ());
    if (failed(rows))
      return failure();
    of.queries = *rows;
    // Lists are read and written in strips, and so are scores.
    int64_t tile = of.candidates ? std::gcd(of.candidates->length, kSummedKeys)
                   : of.isSummed ? kSummedKeys
                                 : llvm::alignTo(context.keyTile(score.getK(), {}), kListStrip);
    auto use = of.isSummed ? Preparer::Use::Left : Preparer::Use::Keys;
    auto keys = preparer.keys(of.select, score.getK(), use, tile);
    if (failed(keys))
      return failure();
    of.keys = *keys;
    if (of.isSummed && context.ratio(of.keys.head))
      return context.refuse(of.reduce, "'sattn.reduce' over heads of different keys");
    return of.isSummed ? checkSummed() : success();
  }

  bool isOfIntegers(Value tensor) { return integerLevels(context.factsOf(tensor).code).has_value(); }

  // Codes are compared head by head.
  LogicalResult codes() {
    ScoreOp score = of.chain.score;
    if (of.isSummed)
      return context.refuse(score, "'sattn.score " + stringifyScoreKind(score.getHow()) +
                                       (score.getHow() == ScoreKind::L1 ? "'" : "' of codes") +
                                       " before 'sattn.reduce' to one");
    if (score.getHow() != ScoreKind::L1 && isOfIntegers(score.getQ()) != isOfIntegers(score.getK()))
      return context.refuse(score, "'sattn.score dot' of a code and what is none");
    auto rows = encode(context, score, score.getQ());
    auto keys = failed(rows) ? FailureOr<Codes>(failure()) : encode(context, score, score.getK());
    if (failed(keys))
      return failure();
    of.queries = {rows->ref, /*isWorkspace=*/true, rows->axis, rows->head, rows->features};
    of.keys.ref = keys->ref;
    of.keys.isWorkspace = keys->isWorkspace;
    of.keys.axis = keys->axis;
    of.keys.head = keys->head;
    of.keys.features = keys->features;
    of.keys.tile = llvm::alignTo(context.target.keyTile, kListStrip);
    of.queryScales = rows->scales;
    of.keyScales = keys->scales;
    return success();
  }

  // Numbers of a formula over all heads of a row: the score, params, tables of rows and heads.
  LogicalResult checkSummed() {
    if (of.chain.maps.size() > 1)
      return context.refuse(of.chain.maps.back(), "'sattn.map' of another one before 'sattn.reduce' to one");
    LogicalResult status = success();
    for (MapOp map : of.chain.maps)
      walkExpr(map.getFormula(), [&](ExprAttr e) {
        bool isPlain = !e.is(ExprKind::Name) || e.isName("z") || context.isParam(e.getText());
        bool isKnown = e.is(ExprKind::Table) ? isOfHeads(map, e) : isPlain;
        if (e.is(ExprKind::Call) && !e.getText().starts_with("@") && !valueFunctionArity(e.getText()))
          isKnown = false;
        if (!isKnown && succeeded(status))
          status = context.refuse(map, "'" + toText(e) + "' before 'sattn.reduce' to one");
        return !e.is(ExprKind::Table);
      });
    return status;
  }
  bool isOfHeads(MapOp map, ExprAttr load) {
    Value table = map.getTables()[load.getValue()];
    const Facts &facts = context.factsOf(table);
    if (table.getDefiningOp() || facts.headAxis() != of.queries.head || context.innerSize(facts.axes) != 1 ||
        (facts.position() && facts.position().kind() != AxisKind::Rows) || context.bound.role(table).getIsInt())
      return false;
    const Facts &score = context.factsOf(map.getZ());
    return llvm::all_of(llvm::zip(facts.axes, load.getKids()), [&](auto pair) {
      auto [axis, index] = pair;
      return axis.isHead() ? index.isName(axis.getName()) : index.isName(score.row.getName());
    });
  }

  LogicalResult sets() {
    auto parts = partsOf(context, of.select, of.select.getWhere());
    if (failed(parts))
      return failure();
    if (parts->select && failed(chooseAmong(parts->select)))
      return failure();
    if (!parts->formula)
      return context.refuse(of.select, "'sattn.select' from another selection without a formula beside it");
    of.where = LocalSet::make(parts->formula, parts->formula.getFormula());
    if (failed(of.where))
      return failure();
    if (of.where->mentionsQueryHead() && of.heads > 1)
      return context.refuse(of.select, "a set that differs between the heads of a group");
    return addForced(context, of.select, of.forced);
  }

  LogicalResult chooseAmong(SelectOp select) {
    auto blocks = known.find(select.getResult());
    if (blocks == known.end() || !of.isSummed)
      return context.refuse(of.select, "'sattn.select' from another selection");
    of.candidates = {blocks->second, select, *literalInt(context.factsOf(select.getResult()).key.getLen())};
    if (of.candidates->length % kListStrip != 0)
      return context.refuse(of.select, "'sattn.select' from selected blocks of " + Twine(of.candidates->length) +
                                           " keys, which are no multiple of " + Twine(kListStrip) + ",");
    return success();
  }

  //===-- Workspaces.

  // n, but not more than there are keys.
  template <typename LeafFn> static Value slots(IndexBuilder &b, SelectOp select, LeafFn leaf, Value keys) {
    Value n = emitInteger(b, *select.getTop(), leaf);
    return b.min(b.max(n, b.constant(0)), keys);
  }
  // In a kernel, of `select` among the keys or blocks of the call.
  Value slotsOf(Task &task, SelectOp select) {
    AxisAttr key = context.factsOf(select.getResult()).key;
    Value s = task.k.size("s"), all = key.isBlocks() ? task.k.ceilDiv(s, *literalInt(key.getLen())) : s;
    return slots(task.k, select, [&](StringRef name) { return task.symbol(name); }, all);
  }
  void declare() {
    MLIRContext *mlir = context.pattern.getContext();
    context.chunkMultiple = kChunkRows;
    auto workspace = [&](StringRef name, Type element, int64_t inner, PlanSize count) {
      Workspace w;
      w.name = name.str();
      w.type = tile::ArgType::get(mlir, element, inner, tile::PanelsAttr());
      w.perChunk = true;
      w.count = std::move(count);
      w.headRows = of.positions;
      w.head = of.lists.head;
      return context.workspace(w);
    };
    of.scores = workspace("token_scores", context.f32(), of.keys.tile,
                          [tile = of.keys.tile, axis = of.keys.axis](PlanWriter &plan) {
                            return plan.index.ceilDiv(plan.axisSize(axis), tile);
                          });
    of.lists.ref = workspace(of.keys.axis.isBlocks() ? "blocks" : "tokens", IntegerType::get(mlir, 32), 1,
                             [select = of.select, axis = of.keys.axis](PlanWriter &plan) {
                               IndexBuilder &b = plan.index;
                               Value most = slots(
                                   b, select, [&](StringRef name) { return plan.param(name); }, plan.axisSize(axis));
                               return b.mul(b.add(b.ceilDiv(most, kListStrip), 1), kListStrip);
                             });
  }

  //===-- The tiles that a task visits.

  /// From the first to the last key tile that some row of a tile may see, in the same way for all kernels.
  struct Hull {
    Value low, high;
    SmallVector<RunValues> runs;
  };
  Hull hullOf(Task &task, RowRange range) {
    KernelBuilder &k = task.k;
    Hull hull;
    hull.runs = of.where->runs(task, range, of.keys.tile, keyCountOf(task, of.keys));
    hull.low = hull.high = k.constant(0);
    for (auto [i, run] : llvm::enumerate(hull.runs)) {
      hull.low = i == 0 ? run.lo : k.min(hull.low, run.lo);
      hull.high = i == 0 ? run.hi : k.max(hull.high, run.hi);
    }
    return hull;
  }

  // What lies between the runs is written too, as -inf.
  Value coverOfPart(Task &task, Hull hull, Value part, Value parts) {
    KernelBuilder &k = task.k;
    Value each = k.max(k.ceilDiv(k.sub(hull.high, hull.low), parts), k.constant(kPartTiles));
    Value from = k.add(hull.low, k.mul(part, each)), to = k.min(k.add(from, each), hull.high);
    auto cut = [&](Value bound) { return k.min(k.max(bound, from), to); };
    SmallVector<RunValues> runs;
    for (const RunValues &run : hull.runs)
      runs.push_back({cut(run.lo), cut(run.hi), cut(run.fullLo), cut(run.fullHi)});
    if (hull.runs.size() != 1)
      runs.push_back({from, to, from, from});
    return coverOf(task, runs);
  }

  // Rows of a chunk fill the workers where they are many; the keys of few are cut into parts.
  Launch launchOf(PlanSize y, Task &task, Value &tileNumber, Value &part) {
    KernelBuilder &k = task.k;
    Value parts = k.size("score_parts");
    tileNumber = k.floorDiv(k.gridX(), parts);
    part = k.sub(k.gridX(), k.mul(tileNumber, parts));
    Launch launch;
    auto tilesOf = [positions = of.positions](PlanWriter &plan) {
      return plan.index.ceilDiv(plan.chunkRows, positions);
    };
    int64_t tasks = context.target.splitTasks, tile = of.keys.tile;
    AxisAttr axis = of.keys.axis;
    launch.sizes.push_back({"score_parts", [=](PlanWriter &plan) {
                              IndexBuilder &b = plan.index;
                              Value others = b.mul(b.mul(plan.wavePairs, y(plan)), tilesOf(plan));
                              Value most = b.ceilDiv(b.ceilDiv(plan.axisSize(axis), tile), kPartTiles);
                              return b.max(b.min(b.ceilDiv(b.constant(tasks), b.max(others, b.constant(1))), most),
                                           b.constant(1));
                            }});
    launch.x = [tilesOf](PlanWriter &plan) { return plan.index.mul(tilesOf(plan), plan.size("score_parts")); };
    launch.y = y;
    launch.order = {"z", "-x", "y"};
    launch.perChunk = true;
    return launch;
  }

  //===-- Scores of all heads summed: keys are rows, heads are columns, and what remains is one number for each key.

  LogicalResult buildSummed() {
    auto kernel = context.program.kernel("score");
    KernelBuilder &k = *kernel;
    k.loc = of.chain.score.getLoc();
    Task task(context, k, 1);
    Value local, part;
    Launch launch = launchOf([](PlanWriter &plan) { return plan.index.constant(1); }, task, local, part);
    Value row = k.add(k.size("first_row"), local);
    RowRange range{task.rowPosition(AxisAttr::named(k.b.getContext(), "t"), row), k.constant(0)};
    Value end = keyCountOf(task, of.keys);
    Predicate open = of.where->predicate(task, end);
    Value keyView = viewOf(task, of.keys);
    Value into = task.slice(of.scores, task.pair, listOf(task, of.lists, local));
    SmallVector<std::pair<ExprAttr, Value>> tables = tableViews(task, row);
    Value queryView = task.sliceAcross(of.queries.ref, task.batch, row);
    auto toRow = AffineMap::getMultiDimIdentityMap(1, k.b.getContext());
    auto scoreTile = [&](Value j) {
      Value firstKey = k.mul(j, of.keys.tile);
      Value keys = tile::LoadOp::create(k.b, k.loc, k.tile(of.keys.tile, of.keys.features), keyView, firstKey);
      Value sums = sumOfHeads(task, keys, queryView, tables);
      Value scores = tile::ColumnsOp::create(k.b, k.loc, k.tile(1, of.keys.tile), sums);
      scores =
          maskTile(task, (succeeded(of.forced) ? keepForced(k, scores) : scores), range.first, toRow, firstKey, open);
      tile::StoreOp::create(k.b, k.loc, scores, into, j);
      return SmallVector<Value>();
    };
    if (of.candidates)
      walkCandidates(task, hullOf(task, range), local, part, into, scoreTile);
    else
      stream(k, coverOfPart(task, hullOf(task, range), part, k.size("score_parts")), {},
             [&](Value j, ValueRange) { return scoreTile(j); });
    launch.makes = {scoreOf()};
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

  // Of all tiles in the hull those of candidates are scored, the others hold -inf. Lists ascend, so parts of a list cut
  // the hull, too: each begins with its first block, the first with the hull.
  void walkCandidates(Task &task, const Hull &hull, Value local, Value part, Value into,
                      llvm::function_ref<SmallVector<Value>(Value)> scoreTile) {
    KernelBuilder &k = task.k;
    const Candidates &among = *of.candidates;
    int64_t tiles = among.length / of.keys.tile;
    Value list = task.slice(among.blocks.ref, task.pair, listOf(task, among.blocks, local));
    Value slots = slotsOf(task, among.select), zero = k.constant(0);
    Value behind = k.ceilDiv(k.size("s"), of.keys.tile); // where nothing is stored
    auto tileOf = [&](Value slot, Value none) -> Value {
      Value id = tile::EntryOp::create(k.b, k.loc, k.b.getIndexType(), list, slot, zero);
      Value isNone = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::slt, id, zero);
      return arith::SelectOp::create(k.b, k.loc, isNone, none, k.mul(id, tiles));
    };
    Value each = k.ceilDiv(slots, k.size("score_parts"));
    Value first = k.min(k.mul(part, each), slots), last = k.min(k.add(first, each), slots);
    Value isFirst = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::eq, part, zero);
    Value from = arith::SelectOp::create(k.b, k.loc, isFirst, hull.low, tileOf(first, hull.high));
    Value to = tileOf(last, hull.high);
    Value nothing = k.splat(-std::numeric_limits<double>::infinity(), k.tile(1, of.keys.tile));
    stream(k, coverOf(task, RunValues{from, to, zero, zero}), {}, [&](Value j, ValueRange) {
      tile::StoreOp::create(k.b, k.loc, nothing, into, j);
      return SmallVector<Value>();
    });
    Value steps = k.mul(k.sub(last, first), tiles);
    stream(k, coverOf(task, RunValues{zero, steps, zero, zero}), {}, [&](Value step, ValueRange) {
      Value slot = k.floorDiv(step, tiles), place = k.sub(step, k.mul(slot, tiles));
      return scoreTile(k.add(tileOf(k.add(first, slot), behind), place));
    });
  }

  Value scoreOf() { return of.select.getZ(); }

  SmallVector<std::pair<ExprAttr, Value>> tableViews(Task &task, Value row) {
    SmallVector<std::pair<ExprAttr, Value>> views;
    for (MapOp map : of.chain.maps)
      walkExpr(map.getFormula(), [&](ExprAttr e) {
        bool isNew = llvm::none_of(views, [&](const auto &known) { return known.first == e; });
        if (e.is(ExprKind::Table) && isNew) {
          Value table = map.getTables()[e.getValue()];
          Value at = context.factsOf(table).position() ? row : task.k.constant(0);
          views.push_back({e, task.sliceAcross(context.role(table), task.batch, at)});
        }
        return !e.is(ExprKind::Table);
      });
    return views;
  }

  Value sumOfHeads(Task &task, Value keys, Value queryView, ArrayRef<std::pair<ExprAttr, Value>> tables) {
    KernelBuilder &k = task.k;
    Value zero = k.splat(0.0, k.rowVector(of.keys.tile));
    Value all = tile::CountOp::create(k.b, k.loc, k.b.getIndexType(), k.operand(of.queries.ref), "heads");
    auto loop =
        scf::ForOp::create(k.b, k.loc, k.constant(0), k.ceilDiv(all, kSummedHeads), k.constant(1), ValueRange{zero});
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToEnd(loop.getBody());
    Value first = k.mul(loop.getInductionVar(), kSummedHeads);
    auto type = k.tile(of.keys.tile, kSummedHeads);
    Value heads = tile::LoadOp::create(k.b, k.loc, k.tile(kSummedHeads, of.queries.features), queryView, first);
    Value z = tile::DotOp::create(k.b, k.loc, type, "nt", keys, heads, Value(), Value());
    z = mapOfHeads(task, z, k.sub(all, first), first, tables);
    Value part = tile::ReduceOp::create(k.b, k.loc, k.rowVector(of.keys.tile), "sum", z, "cols", IntegerAttr(), false);
    Value sum = k.map({loop.getRegionIterArgs()[0], part}, k.rowVector(of.keys.tile),
                      [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
                        return arith::AddFOp::create(b, k.loc, args[0], args[1]);
                      });
    scf::YieldOp::create(k.b, k.loc, ValueRange{sum});
    return loop.getResult(0);
  }

  // The scale and the map of the score; heads that do not exist count 0.
  Value mapOfHeads(Task &task, Value z, Value live, Value first, ArrayRef<std::pair<ExprAttr, Value>> tables) {
    KernelBuilder &k = task.k;
    MapOp map = of.chain.maps.empty() ? MapOp() : of.chain.maps.front();
    ExprAttr scale = of.chain.score.getScaleAttr();
    SmallVector<Value> inputs{z};
    llvm::DenseMap<ExprAttr, unsigned> places;
    auto add = [&](Value value) { return inputs.push_back(value), inputs.size() - 1; };
    unsigned scalePlace = scale ? add(emitNumber(task, scale)) : 0;
    for (auto [load, view] : tables)
      places[load] = add(tile::LoadOp::create(k.b, k.loc, k.tile(1, kSummedHeads), view, first));
    if (map)
      walkExpr(map.getFormula(), [&](ExprAttr e) {
        if (e.is(ExprKind::Name) && !e.isName("z") && !places.contains(e))
          places[e] = add(floatParam(task, e.getText()));
        return !e.is(ExprKind::Table);
      });
    Value integer = arith::IndexCastOp::create(k.b, k.loc, k.b.getI64Type(), live);
    unsigned livePlace = add(arith::SIToFPOp::create(k.b, k.loc, k.b.getF32Type(), integer));
    auto counted = AffineMapAttr::get(AffineMap::getMultiDimIdentityMap(1, k.b.getContext()));
    unsigned numberPlace = add(tile::IotaOp::create(k.b, k.loc, k.tile(1, kSummedHeads), counted));
    return k.map(inputs, cast<tile::TileType>(z.getType()), [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
      Value y = args[0];
      if (scale)
        y = arith::MulFOp::create(b, k.loc, y, args[scalePlace]);
      if (map)
        y = emitFloat(b, k.loc, map.getFormula(),
                      [&, z = y](ExprAttr leaf) { return leaf.isName("z") ? z : args[places.lookup(leaf)]; });
      Value exists = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OLT, args[numberPlace], args[livePlace]);
      return arith::SelectOp::create(b, k.loc, exists, y, arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(0.0f)));
    });
  }

  //===-- Scores of single heads, or of groups of them.

  LogicalResult buildScored() {
    auto kernel = context.program.kernel("score");
    KernelBuilder &k = *kernel;
    k.loc = of.chain.score.getLoc();
    Task task(context, k, of.reduce ? *context.ratio(of.lists.head) : of.heads);
    Value number, part;
    Launch launch = launchOf(context.tasksInUnit(task.heads), task, number, part);
    Value local = k.mul(number, of.positions), first = k.add(k.size("first_row"), local);
    bool isOuter = of.reduce && of.heads > 1;
    Rows rows{of.positions, of.heads, isOuter, first, {}};
    RowRange range = rangeOf(task, rows, AxisAttr::named(k.b.getContext(), "t"));
    Value end = keyCountOf(task, of.keys), cover = coverOfPart(task, hullOf(task, range), part, k.size("score_parts"));
    Predicate open = of.where->predicate(task, end);
    QueryTile queries = loadQueries(task, rows, of.queries, of.chain, ScoreUnit::Plain);
    Value keyView = viewOf(task, of.keys);
    Scales scales = loadScales(task, rows);
    int64_t tileRows = of.reduce ? of.positions : rows.count();
    Value into = task.slice(of.scores, task.pair, k.floorDiv(listOf(task, of.lists, local), tileRows), tileRows);
    AffineMap toRow =
        of.reduce ? AffineMap::getMultiDimIdentityMap(1, k.b.getContext()) : rows.positionOf(k.b.getContext());
    stream(k, cover, {}, [&](Value j, ValueRange) {
      Value firstKey = k.mul(j, of.keys.tile);
      Value keys = tile::LoadOp::create(k.b, k.loc, k.tile(of.keys.tile, of.keys.features), keyView, firstKey);
      Value z = of.chain.score.getHow() == ScoreKind::L1 ? distances(task, rows, queries, keys, firstKey)
                : of.keyScales ? scaledDots(task, rows, queries, keys, firstKey, scales)
                               : scoreTile(task, rows, queries, keys, firstKey, of.chain, ScoreUnit::Plain);
      if (isOuter)
        z = tile::ReduceOp::create(k.b, k.loc, k.tile(tileRows, of.keys.tile),
                                   of.reduce.getHow() == ReduceKind::Max ? "max" : "sum", z, "heads",
                                   k.b.getI64IntegerAttr(of.heads), /*outer=*/true);
      if (succeeded(of.forced) && !isFinite())
        z = keepForced(k, z);
      z = maskTile(task, z, range.first, toRow, firstKey, open);
      tile::StoreOp::create(k.b, k.loc, z, into, j);
      return SmallVector<Value>();
    });
    launch.makes = {scoreOf()};
    context.finish(std::move(kernel), std::move(launch));
    return success();
  }

  // Distances of codes times a number that the text holds.
  bool isFinite() {
    ExprAttr scale = of.chain.score.getScaleAttr();
    return of.chain.score.getHow() == ScoreKind::L1 && of.chain.maps.empty() && (!scale || literalInt(scale));
  }

  Value distances(Task &task, const Rows &rows, const QueryTile &queries, Value keys, Value firstKey) {
    KernelBuilder &k = task.k;
    auto type = k.tile(rows.count(), of.keys.tile);
    auto distance = tile::DotOp::create(k.b, k.loc, type, "l1", queries.tile, keys, Value(), Value());
    // A code counts the levels below an element.
    size_t levels = 0;
    for (Value code : {of.chain.score.getQ(), of.chain.score.getK()})
      levels = std::max(levels, code.getDefiningOp<EncodeOp>().getLevelsAttr().size());
    distance.setBelow(levels + 1);
    Value z = distance;
    ExprAttr scale = of.chain.score.getScaleAttr();
    z = k.map({z, scale ? emitNumber(task, scale) : k.float32(1.0)}, type,
              [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
                return arith::MulFOp::create(b, k.loc, args[0], args[1]);
              });
    for (MapOp map : of.chain.maps)
      z = mapTile(task, rows, {of.keys.tile, firstKey, {}}, map, queries.values, z, 1.0);
    return z;
  }

  /// Of codes of integers: the scales of a tile's rows, and those of all keys.
  struct Scales {
    Value ofRows, keyView;
  };
  Scales loadScales(Task &task, const Rows &rows) {
    if (!of.keyScales)
      return {};
    KernelBuilder &k = task.k;
    Value head = task.headInUnit(of.queries.head);
    Value view = task.slice(*of.queryScales, task.pair, rows.heads == 1 ? head : k.floorDiv(head, rows.heads),
                            rows.heads, rows.outer);
    Value ofRows = tile::LoadOp::create(k.b, k.loc, k.rowVector(rows.count()), view, rows.first);
    KeyOperand ofKeys = of.keys;
    ofKeys.ref = *of.keyScales;
    return {ofRows, viewOf(task, ofKeys)};
  }

  // (a . b * scale of the row) * scale of the key, see sattn.encode.
  Value scaledDots(Task &task, const Rows &rows, const QueryTile &queries, Value keys, Value firstKey, Scales scales) {
    KernelBuilder &k = task.k;
    auto type = k.tile(rows.count(), of.keys.tile);
    Value z = tile::DotOp::create(k.b, k.loc, type, "nt", queries.tile, keys, Value(), Value());
    Value ofKeys = tile::LoadOp::create(k.b, k.loc, k.tile(1, of.keys.tile), scales.keyView, firstKey);
    SmallVector<Value> inputs{z, scales.ofRows, ofKeys};
    if (ExprAttr scale = of.chain.score.getScaleAttr())
      inputs.push_back(emitNumber(task, scale));
    z = k.map(inputs, type, [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
      Value y = args[0];
      for (Value factor : args.drop_front())
        y = arith::MulFOp::create(b, k.loc, y, factor);
      return y;
    });
    for (MapOp map : of.chain.maps)
      z = mapTile(task, rows, {of.keys.tile, firstKey, {}}, map, queries.values, z, 1.0);
    return z;
  }

  //===-- Lists.

  void buildChoice() {
    auto kernel = context.program.kernel("choose");
    KernelBuilder &k = *kernel;
    k.loc = of.select.getLoc();
    int64_t heads = std::max<int64_t>(of.lists.heads, 1);
    Task task(context, k, heads);
    Value local = k.gridX(), start = k.mul(k.floorDiv(local, of.positions), of.positions);
    AxisAttr t = AxisAttr::named(k.b.getContext(), "t");
    Rows tileOfRows{of.positions, 1, false, k.add(k.size("first_row"), start), {}};
    Hull hull = hullOf(task, rangeOf(task, tileOfRows, t));
    Value list = listOf(task, of.lists, local);
    Predicate force;
    force.sets = ArrayAttr::get(k.b.getContext(), {});
    if (succeeded(of.forced))
      force = of.forced->predicate(task, Value());
    Value count = slotsOf(task, of.select);
    tile::TopRowOp::create(k.b, k.loc, task.slice(of.scores, task.pair, list), hull.low, hull.high, count,
                           task.rowPosition(t, k.add(k.size("first_row"), local)), force.symbols,
                           task.slice(of.lists.ref, task.pair, list), force.sets);
    Launch launch;
    launch.x = [](PlanWriter &plan) { return plan.chunkRows; };
    launch.y =
        of.lists.heads ? context.tasksInUnit(heads) : PlanSize([](PlanWriter &plan) { return plan.index.constant(1); });
    launch.order = {"z", "x", "y"};
    launch.perChunk = true;
    launch.makes = {of.select.getResult()};
    context.finish(std::move(kernel), std::move(launch));
  }

  Context &context;
  Preparer &preparer;
  const llvm::DenseMap<Value, TokenLists> &known;
  TokenScores of;
};

// Whether a selection of blocks says nothing but where single tokens are selected, one list for all heads of a row.
bool isOfCandidates(Context &context, SelectOp select) {
  const Facts &facts = context.factsOf(select.getResult());
  bool isWhole = facts.key.getRagged() && !facts.key.overlaps() && literalInt(facts.key.getLen());
  auto selectsTokens = [&](Operation *user) {
    auto other = dyn_cast<SelectOp>(user);
    return other && context.factsOf(other.getResult()).key.kind() == AxisKind::Keys;
  };
  return isWhole && !facts.head && llvm::all_of(select->getUsers(), [&](Operation *user) {
           return isa<IntersectOp>(user) ? llvm::all_of(user->getUsers(), selectsTokens) : selectsTokens(user);
         });
}
} // namespace

bool selectsTokens(PatternOp pattern, const PatternFacts &facts) {
  return llvm::any_of(pattern.getBody().front().getOps<SelectOp>(),
                      [&](SelectOp select) { return facts.of(select.getResult()).key.kind() == AxisKind::Keys; });
}

FailureOr<llvm::DenseMap<Value, TokenLists>> buildTokenSelections(Context &context, Preparer &preparer) {
  llvm::DenseMap<Value, TokenLists> all;
  for (auto select : context.pattern.getBody().front().getOps<SelectOp>()) {
    if (context.factsOf(select.getResult()).key.isBlocks() && !isOfCandidates(context, select))
      return context.refuse(select, "a selection of blocks beside one of single tokens");
    auto lists = TokenSelection(context, preparer, select, all).build();
    if (failed(lists))
      return failure();
    all[select.getResult()] = *lists;
  }
  return all;
}

Value listOf(Task &task, const TokenLists &lists, Value local) {
  KernelBuilder &k = task.k;
  Value head = task.headInUnit(lists.head);
  if (!lists.rowsFirst) {
    auto ratio = task.context.ratio(lists.head);
    if (!ratio)
      return local;
    return k.add(k.mul(local, *task.context.unitHeads() / *ratio), head);
  }
  return task.headOfRow(lists.head, local, lists.rowTile);
}

} // namespace sattn::lower

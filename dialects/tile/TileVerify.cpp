// Verifiers of single tile ops: extents, elements and layouts of memory, arithmetic and selection ops, arguments of
// streams. What needs a whole kernel or program (linear use, the boundary, the plan) is in TileProgram.cpp.
#include "dialects/tile/Tile.h"

using namespace mlir;
using namespace sattn;
using namespace sattn::tile;

static bool isVectorOf(TileType type, int64_t rows, Type element) {
  return type.isVector() && type.getRows() == rows && type.getElementType() == element;
}

static bool isF32Matrix(TileType type) { return !type.isVector() && type.getElementType().isF32(); }

static LogicalResult verifyIds(Operation *op, StringRef what, TileType ids) {
  if (!ids.isVector() || !ids.getElementType().isInteger(32))
    return op->emitOpError() << "expected " << what << " of type tile<Nxi32>, but got " << ids;
  return success();
}

// A tile that stands for every row of another.
static bool isOneRow(TileType type) { return !type.isVector() && type.getRows() == 1; }

// Integers up to this are float32 numbers.
static constexpr int64_t kMostIota = int64_t(1) << 24;

LogicalResult CountOp::verify() {
  if (!llvm::is_contained({"batch", "positions", "heads"}, getAxis()))
    return emitOpError("expected 'batch', 'positions' or 'heads', but got '") << getAxis() << "'";
  return success();
}

//===-- Streams -----------------------------------------------------------------------------------------===//

LogicalResult CoverOp::verify() {
  size_t runs = getLo().size();
  if (runs == 0 || getHi().size() != runs || getFullLo().size() != runs || getFullHi().size() != runs)
    return emitOpError("expected one or more runs of four bounds each");
  return success();
}

LogicalResult StreamOp::verifyRegions() {
  Block &body = getBody().front();
  if (body.getNumArguments() != getInits().size() + 1 || !body.getArgument(0).getType().isIndex())
    return emitOpError("expected the tile index and ") << getInits().size() << " carried values as arguments";
  Operation *yield = body.getTerminator();
  if (getInits().getTypes() != getResultTypes() || yield->getOperandTypes() != getResultTypes() ||
      ValueRange(getCarried()).getTypes() != getResultTypes())
    return emitOpError("expected carried, yielded and result types to agree");
  return success();
}

LogicalResult StreamInverseOp::verifyRegions() {
  int64_t members = static_cast<int64_t>(getMembers());
  if (members <= 0)
    return emitOpError("expected a positive number of members, but got ") << members;
  Block &body = getBody().front();
  auto ids = TileType::get(getContext(), ArrayRef<int64_t>{members}, IntegerType::get(getContext(), 32));
  if (body.getNumArguments() != 3 || !body.getArgument(0).getType().isIndex() || body.getArgument(1).getType() != ids ||
      body.getArgument(2).getType() != ids)
    return emitOpError("expected the unit, ") << ids << " positions and slots as arguments";
  if (body.getTerminator()->getNumOperands() != 0)
    return emitOpError("expected a yield without values: a stream over an inverse carries nothing");
  return success();
}

//===-- Memory ------------------------------------------------------------------------------------------===//

static LogicalResult verifyPages(SliceOp op) {
  if (static_cast<bool>(op.getPage()) != static_cast<bool>(op.getPages()))
    return op.emitOpError("requires both a page table and the size of its pages, or none");
  if (!op.getPage())
    return success();
  if (static_cast<int64_t>(*op.getPage()) < 1)
    return op.emitOpError("expected pages of at least one position, but got ") << *op.getPage();
  ViewType view = op.getView().getType();
  if (view.getLayout() || view.getOuter() || op.getRepeat() || op.getAcross())
    return op.emitOpError("a pool of pages is sliced position by position, in plain rows, and repeats no position");
  for (Operation *user : op.getView().getUsers())
    if (!isa<LoadOp, GatherOp, LoadBlocksOp, PrefetchOp>(user))
      return op.emitOpError("a pool of pages is read by load, gather and load_blocks alone, not by '")
             << user->getName() << "'";
  return success();
}

LogicalResult SliceOp::verify() {
  ArgType arg = getArg().getType();
  ViewType view = getView().getType();
  if (view.getElementType() != arg.getElementType() || view.getLayout() != arg.getLayout() ||
      (!getColumn() && view.getInner() != arg.getInner()))
    return emitOpError("expected a view of the operand's elements, inner extent and layout");
  int64_t column = getColumn().value_or(0);
  if (column < 0 || column + view.getInner() > arg.getInner())
    return emitOpError("columns ") << column << " to " << column + view.getInner() << " are outside an inner extent of "
                                   << arg.getInner();
  if (static_cast<bool>(getEvery()) != static_cast<bool>(getFrom()) ||
      (getEvery() && static_cast<int64_t>(*getEvery()) < 1))
    return emitOpError("expected a positive 'every' with its 'from'");
  if (getEvery() && view.getLayout())
    return emitOpError("a prepared operand is sliced with all its positions");
  if (getColumn() && view.getLayout())
    return emitOpError("a prepared operand is sliced with all its columns");
  if (view.getLayout() && view.getGroup() != 1)
    return emitOpError("a prepared operand is sliced one head at a time");
  if (getRepeat() && (getEvery() || getLimit() || view.getLayout()))
    return emitOpError("a view that repeats one position has no limit, classes or layout");
  if (getAcross() && (getEvery() || getRepeat() || view.getLayout() || view.getGroup() != 1))
    return emitOpError("a view across the heads of a position has no classes, repetition, layout or group");
  return verifyPages(*this);
}

LogicalResult PrivateOp::verify() {
  if (static_cast<int64_t>(getPositions()) <= 0)
    return emitOpError("expected a positive number of positions, but got ") << getPositions();
  return success();
}

LogicalResult FillOp::verify() {
  if (!getView().getDefiningOp<PrivateOp>())
    return emitOpError("expected a private view: only private memory is filled");
  if (!getView().getType().getElementType().isF32())
    return emitOpError("expected a view of f32, but got ") << getView().getType();
  return success();
}

// Signed or, as `ui8`, unsigned.
static bool isByte(Type element) { return element.isInteger(8); }

// A tile holds what memory holds, or float32 where memory holds a narrower float or bytes.
static LogicalResult verifyElements(Operation *op, TileType tile, ViewType view) {
  Type inTile = tile.getElementType(), inView = view.getElementType();
  if (inTile == inView || (inTile.isF32() && (isa<FloatType>(inView) || isByte(inView))))
    return success();
  return op->emitOpError("expected a tile of ") << inView << " or f32 elements, but got " << inTile;
}

// A tile and a view that exchange rows: inner extents agree, groups divide the rows, blocks are whole.
static LogicalResult verifyTransfer(Operation *op, TileType tile, ViewType view, int64_t positions) {
  if (tile.getCols() != view.getInner())
    return op->emitOpError("expected ") << view.getInner() << " columns as in the view, but the tile has "
                                        << tile.getCols();
  if (positions * view.getGroup() != tile.getRows())
    return op->emitOpError("expected ") << positions << " positions of " << view.getGroup()
                                        << " heads, but the tile has " << tile.getRows() << " rows";
  if (view.getLayout() && tile.getRows() % view.getLayout().getBlock() != 0)
    return op->emitOpError("expected whole blocks of ")
           << view.getLayout().getBlock() << " rows, but the tile has " << tile.getRows();
  return verifyElements(op, tile, view);
}

LogicalResult LoadOp::verify() {
  TileType tile = getTile().getType();
  if (getTurned() && (tile.isVector() || getView().getType().getInner() != 1 || getView().getType().getLayout() ||
                      tile.getRows() % getView().getType().getGroup() != 0))
    return emitOpError("turned: expected rows that are a multiple of the heads of a view of inner extent 1 without a "
                       "layout, but got ")
           << tile << " of " << getView().getType();
  if (getColumns() || getTurned())
    return verifyElements(*this, tile, getView().getType());
  return verifyTransfer(*this, tile, getView().getType(), tile.getRows() / getView().getType().getGroup());
}

LogicalResult StoreOp::verify() {
  TileType tile = getTile().getType();
  return verifyTransfer(*this, tile, getView().getType(), tile.getRows() / getView().getType().getGroup());
}

// Listed rows are moved one by one, so memory is in plain rows.
static LogicalResult verifyListed(Operation *op, TileType tile, ViewType view, TileType ids) {
  if (failed(verifyIds(op, "ids", ids)))
    return failure();
  if (view.getLayout())
    return op->emitOpError("expected a view of plain rows: listed rows of a blocked layout are not contiguous");
  return verifyTransfer(op, tile, view, ids.getRows());
}

LogicalResult GatherOp::verify() {
  return verifyListed(*this, getTile().getType(), getView().getType(), getIds().getType());
}

LogicalResult ScatterOp::verify() {
  return verifyListed(*this, getTile().getType(), getView().getType(), getIds().getType());
}

LogicalResult GatherAtOp::verify() {
  TileType tile = getTile().getType(), ids = getIds().getType(), slots = getSlots().getType();
  ViewType view = getView().getType();
  if (failed(verifyIds(*this, "ids", ids)) || failed(verifyIds(*this, "slots", slots)))
    return failure();
  if (slots.getRows() != ids.getRows())
    return emitOpError("expected one slot for each of the ") << ids.getRows() << " ids, but got " << slots.getRows();
  if (!tile.isVector() || tile.getRows() % (ids.getRows() * view.getGroup()) != 0)
    return emitOpError("expected a tile of ") << ids.getRows() * view.getGroup()
                                              << " numbers, one for each listed row, or "
                                                 "a multiple of that";
  return verifyElements(*this, tile, view);
}

LogicalResult PrefetchOp::verify() {
  ViewType view = getView().getType();
  if (view.getLayout() || view.getGroup() != 1)
    return emitOpError("expected a view of one head in plain rows");
  if (static_cast<int64_t>(getCount()) < 1)
    return emitOpError("expected at least one position, but got ") << static_cast<int64_t>(getCount());
  return success();
}

LogicalResult EntryOp::verify() {
  ViewType view = getView().getType();
  if (view.getLayout() || view.getGroup() != 1)
    return emitOpError("expected a view of one head in plain rows");
  Type element = view.getElementType();
  if (!element.isInteger(32) && !element.isF32())
    return emitOpError("expected a view of i32 or f32, but got ") << view;
  if (getValue().getType().isIndex() != element.isInteger(32))
    return emitOpError("expected ") << (element.isF32() ? "f32" : "index") << " of a view of " << element
                                    << ", but got " << getValue().getType();
  return success();
}

LogicalResult LoadBlocksOp::verify() {
  int64_t length = static_cast<int64_t>(getLength()), stride = static_cast<int64_t>(getStride());
  if (length <= 0 || stride <= 0)
    return emitOpError("expected a positive block length and stride, but got ") << length << " and " << stride;
  if (!llvm::is_contained({"mean", "sum", "max", "min"}, getReduce()))
    return emitOpError("expected 'mean', 'sum', 'max' or 'min', but got '") << getReduce() << "'";
  if (getFinite() && getReduce() != "max" && getReduce() != "min")
    return emitOpError("expected 'max' or 'min' beside 'finite', but got '") << getReduce() << "'";
  ViewType view = getView().getType();
  TileType tile = getTile().getType();
  if (view.getLayout() || view.getGroup() != 1)
    return emitOpError("expected a view of one head in plain rows");
  if (tile.getCols() != view.getInner() || !tile.getElementType().isF32())
    return emitOpError("expected a tile of ") << view.getInner() << " columns of f32, but got " << tile;
  return success();
}

//===-- Compute -----------------------------------------------------------------------------------------===//

LogicalResult SplatOp::verify() {
  if (!getTile().getType().getElementType().isF32())
    return emitOpError("expected a tile of f32, but got ") << getTile().getType();
  return success();
}

LogicalResult IotaOp::verify() {
  TileType type = getTile().getType();
  if (!type.getElementType().isF32() || (!type.isVector() && type.getRows() != 1))
    return emitOpError("expected a row vector or a tile of one row, of f32, but got ") << type;
  AffineMap map = getNumbers();
  if (map.getNumDims() != 1 || map.getNumSymbols() != 0 || map.getNumResults() != 1)
    return emitOpError("expected a map from one number to one number");
  for (int64_t i = 0; i < type.getRows() * type.getCols(); ++i) {
    auto value = dyn_cast<AffineConstantExpr>(map.getResult(0).replaceDims(getAffineConstantExpr(i, getContext())));
    if (!value || std::abs(value.getValue()) > kMostIota)
      return emitOpError("expected numbers of magnitude at most 2^24, which f32 holds exactly, as element ") << i;
  }
  return success();
}

LogicalResult ColumnsOp::verify() {
  TileType from = getTile().getType(), to = getResult().getType();
  if (!from.isVector() || !isOneRow(to) || to.getCols() != from.getRows() ||
      to.getElementType() != from.getElementType())
    return emitOpError("expected a row vector and a tile of one row of its numbers, but got ") << from << " and " << to;
  return success();
}

LogicalResult HadamardOp::verify() {
  TileType type = getTile().getType();
  if (!isF32Matrix(type) || !llvm::isPowerOf2_64(static_cast<uint64_t>(type.getCols())))
    return emitOpError("expected f32 rows of a power of 2 of columns, but got ") << type;
  return success();
}

LogicalResult DotOp::verify() {
  TileType a = getA().getType(), b = getB().getType(), result = getResult().getType();
  if (!llvm::is_contained({"nt", "nn", "l1"}, getKind()))
    return emitOpError("expected 'nt', 'nn' or 'l1', but got '") << getKind() << "'";
  if (a.isVector() || b.isVector() || result.isVector())
    return emitOpError("expected tiles of two extents");
  bool nt = getKind() != "nn";
  int64_t heads = headCount();
  if (heads < 1 || a.getRows() % heads != 0 || b.getRows() % heads != 0)
    return emitOpError("expected heads that share the rows evenly, but got ") << heads << " for " << a << " and " << b;
  int64_t positions = b.getRows() / heads, inner = nt ? b.getCols() : positions, cols = nt ? positions : b.getCols();
  bool columns = result.getCols() == cols || (!nt && result.getCols() < cols);
  if (a.getCols() != inner || result.getRows() != a.getRows() || !columns)
    return emitOpError("extents do not fit: ")
           << a << " " << getKind() << " " << b << " gives " << a.getRows() << "x" << cols << ", not " << result;
  if (!result.getElementType().isF32() || !isa<FloatType>(a.getElementType()) || !isa<FloatType>(b.getElementType()))
    return emitOpError("expected a float32 sum of products of floats, but got ")
           << a << " and " << b << " to " << result;
  if (getAcc() && getKind() == "l1")
    return emitOpError("expected no accumulator: distances are not added to anything");
  if (getBelow() && (getKind() != "l1" || static_cast<int64_t>(*getBelow()) < 1))
    return emitOpError("expected 'below' of at least 1 and for 'l1' alone");
  if (getAcc() && getAcc().getType() != result)
    return emitOpError("expected an accumulator of the result's type");
  if (getScale() && (!getAcc() || !isVectorOf(getScale().getType(), a.getRows(), result.getElementType())))
    return emitOpError("expected one scale for each row of an accumulator");
  return success();
}

// What a map's region may compute with; a code generator for a new target implements exactly these.
static bool isMapMath(Operation *op) {
  if (op->getName().getDialectNamespace() == "arith" || isa<CallOp>(op))
    return true;
  return llvm::is_contained({"math.exp2", "math.log2", "math.rsqrt", "math.sqrt", "math.tanh", "math.absf", "math.fma",
                             "math.floor", "math.roundeven"},
                            op->getName().getStringRef());
}

LogicalResult MapOp::verifyRegions() {
  TileType result = getResult().getType();
  Block &body = getBody().front();
  if (body.getNumArguments() != getInputs().size())
    return emitOpError("expected one region argument for each of the ") << getInputs().size() << " operands";
  for (auto [input, arg] : llvm::zip(getInputs(), body.getArguments())) {
    auto tile = dyn_cast<TileType>(input.getType());
    Type element = tile ? tile.getElementType() : input.getType();
    if (!element.isIntOrIndexOrFloat())
      return emitOpError("expected tiles and numbers as operands, but got ") << input.getType();
    if (element != arg.getType())
      return emitOpError("expected a region argument of type ") << element;
    if (tile && tile.getShape() != result.getShape() && !(tile.isVector() && tile.getRows() == result.getRows()) &&
        !(isOneRow(tile) && tile.getCols() == result.getCols()))
      return emitOpError("operand of type ") << tile << " does not fit a result of type " << result;
  }
  for (Operation &op : body.without_terminator())
    if (!isMapMath(&op) || !llvm::all_of(op.getResultTypes(), [](Type type) { return type.isIntOrIndexOrFloat(); }))
      return op.emitOpError("cannot stand in a map: a map computes with arith and the listed functions of math on "
                            "numbers");
  Operation *yield = body.getTerminator();
  if (yield->getNumOperands() != 1 || yield->getOperand(0).getType() != result.getElementType())
    return emitOpError("expected the region to yield one ") << result.getElementType();
  return success();
}

// Sets over (row position, key), tables, and the op's symbols.
static LogicalResult verifySets(Operation *op, ArrayAttr sets, size_t symbols, size_t tables = 0) {
  for (Attribute attribute : sets) {
    auto set = dyn_cast<IntegerSetAttr>(attribute);
    if (!set || set.getValue().getNumDims() != 2 + tables || set.getValue().getNumSymbols() != symbols)
      return op->emitOpError("expected integer sets over ") << 2 + tables << " dims and " << symbols << " symbols";
  }
  return success();
}

static LogicalResult verifyRowMap(Operation *op, AffineMap map) {
  if (map.getNumDims() != 1 || map.getNumSymbols() != 0 || map.getNumResults() != 1)
    return op->emitOpError("expected a row map from one row to one position");
  return success();
}

LogicalResult MaskOp::verify() {
  TileType tile = getTile().getType();
  if (!isF32Matrix(tile) || getResult().getType() != tile)
    return emitOpError("expected scores of two extents in f32 and a result of their type");
  if (TypedValue<TileType> ids = getIds()) {
    if (failed(verifyIds(*this, "ids", ids.getType())))
      return failure();
    if (tile.getRows() % ids.getType().getRows() != 0)
      return emitOpError("expected the number of ids (")
             << ids.getType().getRows() << ") to divide the rows (" << tile.getRows() << ")";
  }
  if (failed(verifyRowMap(*this, getRowMap())))
    return failure();
  for (Value table : getTables()) {
    auto type = cast<TileType>(table.getType());
    bool ofRows = type.isVector() && type.getRows() == tile.getRows();
    bool ofColumns = isOneRow(type) && type.getCols() == tile.getCols();
    bool byDistance = isOneRow(type) && type.getCols() == tile.getRows() + tile.getCols();
    if (!type.getElementType().isInteger(32) || !(ofRows || ofColumns || byDistance))
      return emitOpError("expected a table of i32, one for each row, each column or each distance, but got ") << type;
  }
  return verifySets(*this, getSets(), getSymbols().size(), getTables().size());
}

LogicalResult ChooseOp::verify() {
  constexpr int64_t wordBits = 32;
  TileType tile = getTile().getType(), words = getWords().getType();
  if (!isF32Matrix(tile) || !words.isVector() || words.getRows() != tile.getRows() ||
      !words.getElementType().isInteger(wordBits))
    return emitOpError("expected scores of two extents in f32 and one word of i32 for each row");
  if (int64_t block = static_cast<int64_t>(getBlock()); block <= 0 || tile.getCols() > wordBits * block)
    return emitOpError("expected at most 32 blocks in ") << tile.getCols() << " columns, but 'block' is " << block;
  return success();
}

LogicalResult ReduceOp::verify() {
  TileType from = getTile().getType(), to = getResult().getType();
  if (getKind() != "max" && getKind() != "sum")
    return emitOpError("expected 'max' or 'sum', but got '") << getKind() << "'";
  if (!isF32Matrix(from) || !to.getElementType().isF32())
    return emitOpError("expected f32 tiles, the operand of two extents");
  if (getOver() == "cols") {
    if (getGroup() || !to.isVector() || to.getRows() != from.getRows())
      return emitOpError("expected one number for each row");
    return success();
  }
  if (getOver() != "heads" || !getGroup())
    return emitOpError("expected 'cols' or 'heads(G)', but got '") << getOver() << "'";
  int64_t group = static_cast<int64_t>(*getGroup());
  if (group <= 0 || to.getRows() * group != from.getRows() || to.getCols() != from.getCols())
    return emitOpError("expected ") << from.getRows() << " / " << group << " rows";
  return success();
}

LogicalResult RowScanOp::verify() {
  if (!isF32Matrix(getTile().getType()) || getResult().getType() != getTile().getType())
    return emitOpError("expected an f32 tile of two extents and a result of its type");
  return success();
}

LogicalResult SoftmaxStepOp::verify() {
  TileType s = getS().getType();
  if (!isF32Matrix(s))
    return emitOpError("expected scores of two extents in f32, but got ") << s;
  if (!isVectorOf(getM().getType(), s.getRows(), s.getElementType()))
    return emitOpError("expected one maximum and one sum for each of the ") << s.getRows() << " rows";
  return success();
}

// The state (m, l, acc) of a partial softmax.
static LogicalResult verifyPartial(Operation *op, TileType m, TileType acc) {
  if (!isF32Matrix(acc) || !isVectorOf(m, acc.getRows(), acc.getElementType()))
    return op->emitOpError("expected a partial result: one maximum and one sum in f32 for each row, but got ")
           << m << " beside " << acc;
  return success();
}

LogicalResult SoftmaxFinishOp::verify() {
  if (failed(verifyPartial(*this, getM().getType(), getAcc().getType())))
    return failure();
  if (getSink() && getSink().getType() != getM().getType())
    return emitOpError("expected one sink logit for each row");
  return success();
}

LogicalResult MergeOp::verify() { return verifyPartial(*this, getM0().getType(), getAcc0().getType()); }

//===-- Selection ---------------------------------------------------------------------------------------===//

LogicalResult PoolOp::verify() {
  TileType x = getX().getType(), halo = getHalo().getType(), y = getY().getType();
  int64_t stride = static_cast<int64_t>(getStride()), count = static_cast<int64_t>(getWeights().size());
  if (!isF32Matrix(x) || !isF32Matrix(halo) || !isF32Matrix(y) || halo.getRows() != x.getRows() ||
      y.getRows() != x.getRows())
    return emitOpError("expected f32 tiles of the same rows");
  if (stride <= 0 || x.getCols() % stride != 0 || y.getCols() != x.getCols() / stride)
    return emitOpError("expected ") << x.getCols() << " / " << stride << " columns, but the result has " << y.getCols();
  if (count == 0 || count > halo.getCols() + stride)
    return emitOpError("expected 1 to ") << halo.getCols() + stride
                                         << " weights, so that each window ends inside the tile, but got " << count;
  return success();
}

LogicalResult TopPushOp::verify() {
  TileType scores = getScores().getType();
  if (!isF32Matrix(scores) || scores.getRows() != getTop().getType().getRows())
    return emitOpError("expected f32 scores of ") << getTop().getType().getRows() << " rows";
  if (failed(verifyRowMap(*this, getRowMap())))
    return failure();
  return verifySets(*this, getForced(), getSymbols().size());
}

// A list of ids along the positions of a view.
static LogicalResult verifyListView(Operation *op, ViewType ids) {
  if (!ids.getElementType().isInteger(32) || ids.getInner() != 1 || ids.getGroup() != 1 || ids.getLayout())
    return op->emitOpError("expected a view of one i32 a position as the list, but got ") << ids;
  return success();
}

LogicalResult TopRowOp::verify() {
  ViewType scores = getScores().getType();
  if (!scores.getElementType().isF32() || scores.getInner() % 16 != 0 || scores.getGroup() != 1 || scores.getLayout())
    return emitOpError("expected a view of one head of f32 whose columns are a multiple of 16, but got ") << scores;
  if (failed(verifyListView(*this, getIds().getType())))
    return failure();
  return verifySets(*this, getForced(), getSymbols().size());
}

LogicalResult MembersOp::verify() {
  ViewType lists = getLists().getType();
  if (!lists.getElementType().isInteger(32) || lists.getGroup() != 1 || lists.getLayout())
    return emitOpError("expected lists of i32 ids of one head, but got ") << lists;
  if (getPer() < 1 || getPer() > 31)
    return emitOpError("expected 1 to 31 ids in a word, but got ") << getPer();
  return verifyListView(*this, getWords().getType());
}

LogicalResult LengthOp::verify() { return verifyListView(*this, getIds().getType()); }

LogicalResult TopListOp::verify() {
  TopType top = getTop().getType();
  for (TileType type : {getIds().getType(), getScores().getType()})
    if (type.getRows() != top.getRows() || type.getCols() != top.getK())
      return emitOpError("expected lists of ") << top.getRows() << "x" << top.getK();
  if (!getIds().getType().getElementType().isInteger(32) || !getScores().getType().getElementType().isF32())
    return emitOpError("expected ids in i32 and scores in f32");
  return success();
}

LogicalResult InvertOp::verify() {
  ViewType lists = getLists().getType();
  if (!lists.getElementType().isInteger(32) || lists.getGroup() != 1 || lists.getLayout())
    return emitOpError("expected lists of i32 ids of one head in plain rows, but got ") << lists;
  if (getStarts() && (getStarts().getType().getInner() != 1 || !getStarts().getType().getElementType().isInteger(32) ||
                      getStarts().getType().getGroup() != 1 || getStarts().getType().getLayout()))
    return emitOpError("expected starts of one i32 for each position of one head, but got ") << getStarts().getType();
  if ((getFlags() || getStarts() || getBase()) && !getUnordered())
    return emitOpError("expected 'unordered' lists beside flags, starts or a base");
  if (static_cast<int64_t>(getCount()) <= 0)
    return emitOpError("expected a positive number of positions, but got ") << getCount();
  return success();
}

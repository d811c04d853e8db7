// Text forms and verifiers of the tile ops.
#include "dialects/tile/Tile.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sattn;
using namespace sattn::tile;

// A bare word stored as a string attribute: the kind of a dot or of a reduction.
static ParseResult parseKeyword(OpAsmParser &parser, StringAttr &word) {
  StringRef text;
  if (parser.parseKeyword(&text))
    return failure();
  word = StringAttr::get(parser.getContext(), text);
  return success();
}
static void printKeyword(OpAsmPrinter &printer, Operation *, StringAttr word) { printer << word.getValue(); }

#define GET_OP_CLASSES
#include "dialects/tile/TileOps.cpp.inc"

//===-- Program and plan --------------------------------------------------------------------------------===//

PlanOp ProgramOp::getPlan() {
  for (Operation &op : *getBody().begin())
    if (auto plan = dyn_cast<PlanOp>(op))
      return plan;
  return {};
}

LogicalResult ProgramOp::verifyRegions() {
  int64_t plans = 0;
  for (Operation &op : *getBody().begin()) {
    if (isa<PlanOp>(op))
      ++plans;
    else if (!isa<KernelOp>(op))
      return op.emitOpError("cannot stand in a program: a program holds kernels and one plan");
  }
  if (plans != 1)
    return emitOpError("expected exactly one plan, but got ") << plans;
  return success();
}

ParseResult LoopOp::parse(OpAsmParser &parser, OperationState &state) {
  OpAsmParser::Argument variable;
  OpAsmParser::UnresolvedOperand count;
  Type index = parser.getBuilder().getIndexType();
  variable.type = index;
  if (parser.parseArgument(variable) || parser.parseKeyword("to") || parser.parseOperand(count) ||
      parser.resolveOperand(count, index, state.operands) ||
      parser.parseRegion(*state.addRegion(), variable) || parser.parseOptionalAttrDict(state.attributes))
    return failure();
  return success();
}

void LoopOp::print(OpAsmPrinter &printer) {
  printer << " " << getInductionVar() << " to " << getCount() << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
  printer.printOptionalAttrDict((*this)->getAttrs());
}

//===-- Kernel ------------------------------------------------------------------------------------------===//

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &state) {
  StringAttr name;
  SmallVector<OpAsmParser::Argument> args, grid;
  if (parser.parseSymbolName(name, "sym_name", state.attributes) ||
      parser.parseArgumentList(args, OpAsmParser::Delimiter::Paren, /*allowType=*/true) ||
      parser.parseKeyword("grid") || parser.parseArgumentList(grid, OpAsmParser::Delimiter::Paren))
    return failure();
  if (grid.size() != 3)
    return parser.emitError(parser.getNameLoc(), "expected three grid coordinates");
  SmallVector<StringRef> names;
  for (OpAsmParser::Argument &arg : args)
    names.push_back(arg.ssaName.name.drop_front());
  state.addAttribute("arg_names", parser.getBuilder().getStrArrayAttr(names));
  for (OpAsmParser::Argument &coordinate : grid) {
    coordinate.type = parser.getBuilder().getIndexType();
    args.push_back(coordinate);
  }
  if (parser.parseOptionalAttrDictWithKeyword(state.attributes) || parser.parseRegion(*state.addRegion(), args))
    return failure();
  return success();
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << " ";
  printer.printSymbolName(getSymName());
  auto args = getBody().getArguments();
  printer << "(";
  llvm::interleaveComma(args.drop_back(3), printer, [&](BlockArgument arg) { printer.printRegionArgument(arg); });
  printer << ") grid(";
  llvm::interleaveComma(args.take_back(3), printer, [&](BlockArgument arg) { printer.printOperand(arg); });
  printer << ") ";
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {"sym_name", "arg_names"});
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

void KernelOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  if (region.getNumArguments() != getArgNames().size() + 3)
    return;
  for (auto [arg, name] : llvm::zip(region.getArguments(), getArgNames()))
    setName(arg, cast<StringAttr>(name).getValue());
  for (auto [arg, name] : llvm::zip(region.getArguments().take_back(3), ArrayRef<StringRef>{"x", "y", "z"}))
    setName(arg, name);
}

LogicalResult KernelOp::verifyRegions() {
  Block &body = getBody().front();
  if (body.getNumArguments() != getArgNames().size() + 3)
    return emitOpError("expected ") << getArgNames().size() << " operands and three grid coordinates, but got "
                                    << body.getNumArguments() << " arguments";
  for (BlockArgument arg : body.getArguments().take_back(3))
    if (!arg.getType().isIndex())
      return emitOpError("expected grid coordinates of type index");
  for (BlockArgument arg : body.getArguments().drop_back(3))
    if (!isa<ArgType, PerBatchType, IndexType>(arg.getType()) && !arg.getType().isF32())
      return emitOpError("expected operands of type arg, per_batch, index or f32, but got ") << arg.getType();
  if (!isa<ReturnOp>(body.back()))
    return emitOpError("expected the body to end with sattn_tile.return");
  return success();
}

LogicalResult CountOp::verify() {
  if (!llvm::is_contained({"batch", "positions", "heads"}, getAxis()))
    return emitOpError("expected 'batch', 'positions' or 'heads', but got '") << getAxis() << "'";
  return success();
}

//===-- Cover and streams -------------------------------------------------------------------------------===//

ParseResult CoverOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::UnresolvedOperand> bounds[4];
  auto range = [&](StringRef word, unsigned first) -> ParseResult {
    return failure(parser.parseKeyword(word) || parser.parseLParen() ||
                   parser.parseOperand(bounds[first].emplace_back()) || parser.parseKeyword("to") ||
                   parser.parseOperand(bounds[first + 1].emplace_back()) || parser.parseRParen());
  };
  do {
    if (range("hull", 0) || range("full", 2))
      return failure();
  } while (succeeded(parser.parseOptionalComma()));
  if (parser.parseOptionalAttrDict(state.attributes))
    return failure();
  Type index = parser.getBuilder().getIndexType();
  for (auto &list : bounds)
    if (parser.resolveOperands(list, index, state.operands))
      return failure();
  int32_t runs = static_cast<int32_t>(bounds[0].size());
  state.getOrAddProperties<CoverOp::Properties>().operandSegmentSizes = {runs, runs, runs, runs};
  state.addTypes(CoverType::get(parser.getContext()));
  return success();
}

void CoverOp::print(OpAsmPrinter &printer) {
  printer << " ";
  llvm::interleaveComma(llvm::seq<size_t>(0, getLo().size()), printer, [&](size_t i) {
    printer << "hull(" << getLo()[i] << " to " << getHi()[i] << ") full(" << getFullLo()[i] << " to "
            << getFullHi()[i] << ")";
  });
  printer.printOptionalAttrDict((*this)->getAttrs(), {"operandSegmentSizes"});
}

LogicalResult CoverOp::verify() {
  size_t runs = getLo().size();
  if (runs == 0 || getHi().size() != runs || getFullLo().size() != runs || getFullHi().size() != runs)
    return emitOpError("expected one or more runs of four bounds each");
  return success();
}

// carry(%a = %init, ...) : types -- shared by the text of streams.
static ParseResult parseCarry(OpAsmParser &parser, OperationState &state, SmallVector<OpAsmParser::Argument> &args) {
  SmallVector<OpAsmParser::UnresolvedOperand> inits;
  SmallVector<OpAsmParser::Argument> carried;
  SmallVector<Type> types;
  if (succeeded(parser.parseOptionalKeyword("carry"))) {
    auto one = [&] {
      return failure(parser.parseArgument(carried.emplace_back()) || parser.parseEqual() ||
                     parser.parseOperand(inits.emplace_back()));
    };
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, one) || parser.parseColonTypeList(types))
      return failure();
    if (types.size() != carried.size())
      return parser.emitError(loc, "expected one type for each carried value");
    if (parser.resolveOperands(inits, types, loc, state.operands))
      return failure();
  }
  for (auto [arg, type] : llvm::zip(carried, types)) {
    arg.type = type;
    args.push_back(arg);
  }
  state.addTypes(types);
  return success();
}

ParseResult StreamOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> args(1);
  OpAsmParser::UnresolvedOperand cover;
  args[0].type = parser.getBuilder().getIndexType();
  if (parser.parseArgument(args[0]) || parser.parseKeyword("in") || parser.parseOperand(cover) ||
      parser.resolveOperand(cover, CoverType::get(parser.getContext()), state.operands) ||
      parseCarry(parser, state, args) || parser.parseRegion(*state.addRegion(), args) ||
      parser.parseOptionalAttrDict(state.attributes))
    return failure();
  ensureTerminator(*state.regions.front(), parser.getBuilder(), state.location);
  return success();
}

void StreamOp::print(OpAsmPrinter &printer) {
  printer << " " << getInductionVar() << " in " << getCover();
  if (!getInits().empty()) {
    printer << " carry(";
    llvm::interleaveComma(llvm::zip(getCarried(), getInits()), printer,
                          [&](auto pair) { printer << std::get<0>(pair) << " = " << std::get<1>(pair); });
    printer << ") : ";
    llvm::interleaveComma(getInits().getTypes(), printer);
  }
  printer << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false, /*printBlockTerminators=*/!getInits().empty());
  printer.printOptionalAttrDict((*this)->getAttrs());
}

void StreamOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  setName(region.getArgument(0), "j");
}

LogicalResult StreamOp::verifyRegions() {
  Block &body = getBody().front();
  if (body.getNumArguments() != getInits().size() + 1 || !body.getArgument(0).getType().isIndex())
    return emitOpError("expected the tile index and ") << getInits().size() << " carried values as arguments";
  auto yield = cast<YieldOp>(body.getTerminator());
  if (getInits().getTypes() != getResultTypes() || yield.getOperandTypes() != getResultTypes() ||
      ValueRange(getCarried()).getTypes() != getResultTypes())
    return emitOpError("expected carried, yielded and result types to agree");
  return success();
}

ParseResult StreamInverseOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> args(3);
  OpAsmParser::UnresolvedOperand inverse;
  int64_t members = 0;
  if (parser.parseLParen() || parser.parseArgument(args[0]) || parser.parseComma() || parser.parseArgument(args[1]) ||
      parser.parseComma() || parser.parseArgument(args[2]) || parser.parseRParen() || parser.parseKeyword("in") ||
      parser.parseOperand(inverse) || parser.parseKeyword("members") || parser.parseInteger(members))
    return failure();
  Builder &builder = parser.getBuilder();
  args[0].type = builder.getIndexType();
  args[1].type = args[2].type =
      parser.getChecked<TileType>(parser.getContext(), ArrayRef<int64_t>{members}, Type(builder.getI32Type()));
  state.addAttribute("members", builder.getI64IntegerAttr(members));
  if (!args[1].type || parser.resolveOperand(inverse, InverseType::get(parser.getContext()), state.operands) ||
      parser.parseRegion(*state.addRegion(), args) || parser.parseOptionalAttrDict(state.attributes))
    return failure();
  ensureTerminator(*state.regions.front(), builder, state.location);
  return success();
}

void StreamInverseOp::print(OpAsmPrinter &printer) {
  auto args = getBody().getArguments();
  printer << " (" << args[0] << ", " << args[1] << ", " << args[2] << ") in " << getInverse() << " members "
          << getMembers() << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false, /*printBlockTerminators=*/false);
  printer.printOptionalAttrDict((*this)->getAttrs(), {"members"});
}

void StreamInverseOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  for (auto [arg, name] : llvm::zip(region.getArguments(), ArrayRef<StringRef>{"unit", "ids", "slots"}))
    setName(arg, name);
}

LogicalResult StreamInverseOp::verifyRegions() {
  Block &body = getBody().front();
  auto ids = TileType::get(getContext(), ArrayRef<int64_t>{static_cast<int64_t>(getMembers())}, IntegerType::get(getContext(), 32));
  if (body.getNumArguments() != 3 || !body.getArgument(0).getType().isIndex() ||
      body.getArgument(1).getType() != ids || body.getArgument(2).getType() != ids)
    return emitOpError("expected the unit, ") << ids << " positions and slots as arguments";
  return success();
}

//===-- Memory ------------------------------------------------------------------------------------------===//

LogicalResult SliceOp::verify() {
  ArgType arg = getArg().getType();
  ViewType view = getView().getType();
  if (view.getElementType() != arg.getElementType() || view.getInner() != arg.getInner() ||
      view.getLayout() != arg.getLayout())
    return emitOpError("expected a view of the operand's elements, inner extent and layout");
  if (view.getLayout() && view.getGroup() != 1)
    return emitOpError("a prepared operand is sliced one head at a time");
  return success();
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
    return op->emitOpError("expected whole blocks of ") << view.getLayout().getBlock() << " rows, but the tile has "
                                                        << tile.getRows();
  return success();
}
LogicalResult LoadOp::verify() {
  TileType tile = getTile().getType();
  return verifyTransfer(*this, tile, getView().getType(), tile.getRows() / getView().getType().getGroup());
}
LogicalResult StoreOp::verify() {
  TileType tile = getTile().getType();
  return verifyTransfer(*this, tile, getView().getType(), tile.getRows() / getView().getType().getGroup());
}
LogicalResult GatherOp::verify() {
  return verifyTransfer(*this, getTile().getType(), getView().getType(), getIds().getType().getRows());
}
LogicalResult ScatterOp::verify() {
  return verifyTransfer(*this, getTile().getType(), getView().getType(), getIds().getType().getRows());
}

//===-- Compute -----------------------------------------------------------------------------------------===//

LogicalResult DotOp::verify() {
  TileType a = getA().getType(), b = getB().getType(), result = getResult().getType();
  if (getKind() != "nt" && getKind() != "nn")
    return emitOpError("expected 'nt' or 'nn', but got '") << getKind() << "'";
  if (a.isVector() || b.isVector() || result.isVector())
    return emitOpError("expected tiles of two extents");
  bool nt = getKind() == "nt";
  int64_t inner = nt ? b.getCols() : b.getRows(), cols = nt ? b.getRows() : b.getCols();
  if (a.getCols() != inner || result.getRows() != a.getRows() || result.getCols() != cols)
    return emitOpError("extents do not fit: ") << a << " " << getKind() << " " << b << " gives " << a.getRows() << "x"
                                               << cols << ", not " << result;
  if (getAcc() && getAcc().getType() != result)
    return emitOpError("expected an accumulator of the result's type");
  if (getScale() && (!getAcc() || !getScale().getType().isVector() || getScale().getType().getRows() != a.getRows()))
    return emitOpError("expected one scale for each row of an accumulator");
  return success();
}

ParseResult MapOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::UnresolvedOperand> inputs;
  SmallVector<OpAsmParser::Argument> args;
  SmallVector<Type> types;
  Type result;
  auto one = [&] {
    return failure(parser.parseArgument(args.emplace_back()) || parser.parseEqual() ||
                   parser.parseOperand(inputs.emplace_back()));
  };
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, one) || parser.parseColonTypeList(types) ||
      parser.parseArrow() || parser.parseType(result) || parser.resolveOperands(inputs, types, loc, state.operands))
    return failure();
  for (auto [arg, type] : llvm::zip(args, types))
    arg.type = isa<TileType>(type) ? cast<TileType>(type).getElementType() : type;
  state.addTypes(result);
  if (parser.parseRegion(*state.addRegion(), args) || parser.parseOptionalAttrDict(state.attributes))
    return failure();
  return success();
}

void MapOp::print(OpAsmPrinter &printer) {
  printer << " (";
  llvm::interleaveComma(llvm::zip(getBody().getArguments(), getInputs()), printer,
                        [&](auto pair) { printer << std::get<0>(pair) << " = " << std::get<1>(pair); });
  printer << ") : ";
  llvm::interleaveComma(getInputs().getTypes(), printer);
  printer << " -> " << getResult().getType() << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
  printer.printOptionalAttrDict((*this)->getAttrs());
}

LogicalResult MapOp::verifyRegions() {
  TileType result = getResult().getType();
  for (auto [input, arg] : llvm::zip(getInputs(), getBody().getArguments())) {
    auto tile = dyn_cast<TileType>(input.getType());
    if (!tile) {
      if (input.getType() != arg.getType())
        return emitOpError("expected a region argument of type ") << input.getType();
      continue;
    }
    if (tile.getElementType() != arg.getType())
      return emitOpError("expected a region argument of type ") << tile.getElementType();
    bool fits = tile.getShape() == result.getShape() || (tile.isVector() && tile.getRows() == result.getRows());
    if (!fits)
      return emitOpError("operand of type ") << tile << " does not fit a result of type " << result;
  }
  auto yield = dyn_cast<YieldOp>(getBody().front().back());
  if (!yield || yield.getNumOperands() != 1 || yield.getOperand(0).getType() != result.getElementType())
    return emitOpError("expected the region to yield one ") << result.getElementType();
  return success();
}

ParseResult MaskOp::parse(OpAsmParser &parser, OperationState &state) {
  OpAsmParser::UnresolvedOperand tile, row, col, when, ids;
  SmallVector<OpAsmParser::UnresolvedOperand> symbols;
  Type type, idsType;
  bool hasWhen = false, hasIds = false;
  Builder &builder = parser.getBuilder();
  if (parser.parseOperand(tile) || parser.parseKeyword("rows") || parser.parseLParen() || parser.parseOperand(row))
    return failure();
  if (succeeded(parser.parseOptionalPlus())) {
    hasIds = true;
    if (parser.parseOperand(ids) || parser.parseColonType(idsType))
      return failure();
  }
  if (parser.parseRParen() || parser.parseKeyword("cols") || parser.parseLParen() || parser.parseOperand(col) ||
      parser.parseRParen())
    return failure();
  if (succeeded(parser.parseOptionalKeyword("symbols")) &&
      parser.parseOperandList(symbols, OpAsmParser::Delimiter::Paren))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("when"))) {
    hasWhen = true;
    if (parser.parseOperand(when))
      return failure();
  }
  if (parser.parseOptionalAttrDict(state.attributes) || parser.parseColonType(type) ||
      parser.resolveOperand(tile, type, state.operands) ||
      parser.resolveOperand(row, builder.getIndexType(), state.operands) ||
      parser.resolveOperand(col, builder.getIndexType(), state.operands) ||
      parser.resolveOperands(symbols, builder.getIndexType(), state.operands) ||
      (hasWhen && parser.resolveOperand(when, builder.getI1Type(), state.operands)) ||
      (hasIds && parser.resolveOperand(ids, idsType, state.operands)))
    return failure();
  state.getOrAddProperties<MaskOp::Properties>().operandSegmentSizes = {
      1, 1, 1, static_cast<int32_t>(symbols.size()), hasWhen, hasIds};
  state.addTypes(type);
  return success();
}

void MaskOp::print(OpAsmPrinter &printer) {
  printer << " " << getTile() << " rows(" << getRow();
  if (getIds())
    printer << " + " << getIds() << " : " << getIds().getType();
  printer << ") cols(" << getCol() << ")";
  if (!getSymbols().empty())
    printer << " symbols(" << getSymbols() << ")";
  if (getWhen())
    printer << " when " << getWhen();
  printer.printOptionalAttrDict((*this)->getAttrs(), {"operandSegmentSizes"});
  printer << " : " << getTile().getType();
}

// Sets over (row position, key) and the op's symbols.
static LogicalResult verifySets(Operation *op, ArrayAttr sets, size_t symbols) {
  for (Attribute attribute : sets) {
    auto set = dyn_cast<IntegerSetAttr>(attribute);
    if (!set || set.getValue().getNumDims() != 2 || set.getValue().getNumSymbols() != symbols)
      return op->emitOpError("expected integer sets over two dims and ") << symbols << " symbols";
  }
  return success();
}
static LogicalResult verifyRowMap(Operation *op, AffineMap map) {
  if (map.getNumDims() != 1 || map.getNumSymbols() != 0 || map.getNumResults() != 1)
    return op->emitOpError("expected a row map from one row to one position");
  return success();
}
LogicalResult MaskOp::verify() {
  if (failed(verifyRowMap(*this, getRowMap())))
    return failure();
  return verifySets(*this, getSets(), getSymbols().size());
}

LogicalResult ReduceOp::verify() {
  TileType from = getTile().getType(), to = getResult().getType();
  if (getKind() != "max" && getKind() != "sum")
    return emitOpError("expected 'max' or 'sum', but got '") << getKind() << "'";
  if (getOver() == "cols") {
    if (getGroup() || !to.isVector() || to.getRows() != from.getRows())
      return emitOpError("expected one number for each row");
    return success();
  }
  if (getOver() != "heads" || !getGroup())
    return emitOpError("expected 'cols' or 'heads(G)', but got '") << getOver() << "'";
  if (to.getRows() * static_cast<int64_t>(*getGroup()) != from.getRows() || to.getCols() != from.getCols())
    return emitOpError("expected ") << from.getRows() << " / " << *getGroup() << " rows";
  return success();
}

//===-- Selection ---------------------------------------------------------------------------------------===//

LogicalResult TopPushOp::verify() {
  if (getScores().getType().getRows() != getTop().getType().getRows())
    return emitOpError("expected scores of ") << getTop().getType().getRows() << " rows";
  if (failed(verifyRowMap(*this, getRowMap())))
    return failure();
  return verifySets(*this, getForced(), getSymbols().size());
}
LogicalResult TopListOp::verify() {
  TopType top = getTop().getType();
  for (TileType type : {getIds().getType(), getScores().getType()})
    if (type.getRows() != top.getRows() || type.getCols() != top.getK())
      return emitOpError("expected lists of ") << top.getRows() << "x" << top.getK();
  return success();
}

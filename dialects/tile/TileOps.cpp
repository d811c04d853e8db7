// Text forms of the tile ops. Their verifiers: TileVerify.cpp for single ops, TileProgram.cpp for kernels and plans.
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

ParseResult LoopOp::parse(OpAsmParser &parser, OperationState &state) {
  OpAsmParser::Argument variable;
  OpAsmParser::UnresolvedOperand count;
  Type index = parser.getBuilder().getIndexType();
  variable.type = index;
  if (parser.parseArgument(variable) || parser.parseKeyword("to") || parser.parseOperand(count) ||
      parser.resolveOperand(count, index, state.operands) || parser.parseRegion(*state.addRegion(), variable) ||
      parser.parseOptionalAttrDict(state.attributes))
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
    printer << "hull(" << getLo()[i] << " to " << getHi()[i] << ") full(" << getFullLo()[i] << " to " << getFullHi()[i]
            << ")";
  });
  printer.printOptionalAttrDict((*this)->getAttrs(), {"operandSegmentSizes"});
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
  if (region.getNumArguments() != 0)
    setName(region.getArgument(0), "j");
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

//===-- Compute -----------------------------------------------------------------------------------------===//

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

ParseResult MaskOp::parse(OpAsmParser &parser, OperationState &state) {
  OpAsmParser::UnresolvedOperand tile, row, col, when, ids;
  SmallVector<OpAsmParser::UnresolvedOperand> symbols, tables;
  SmallVector<Type> tableTypes;
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
  SMLoc place = parser.getCurrentLocation();
  if (succeeded(parser.parseOptionalKeyword("tables")) &&
      (parser.parseLParen() || parser.parseOperandList(tables) || parser.parseColonTypeList(tableTypes) ||
       parser.parseRParen()))
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
      (hasIds && parser.resolveOperand(ids, idsType, state.operands)) ||
      parser.resolveOperands(tables, tableTypes, place, state.operands))
    return failure();
  state.getOrAddProperties<MaskOp::Properties>().operandSegmentSizes = {
      1, 1, 1, static_cast<int32_t>(symbols.size()), hasWhen, hasIds, static_cast<int32_t>(tables.size())};
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
  if (!getTables().empty())
    printer << " tables(" << getTables() << " : " << getTables().getTypes() << ")";
  if (getWhen())
    printer << " when " << getWhen();
  printer.printOptionalAttrDict((*this)->getAttrs(), {"operandSegmentSizes"});
  printer << " : " << getTile().getType();
}

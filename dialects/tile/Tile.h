// The tile dialect's C++ classes. Meaning of every op: the .td files beside this header.
#pragma once
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace sattn::tile {
class PlanOp;
/// `finite` extremes of blocks lie between this number and its negative. Times any number of a query's it is far from
/// the other products, and matrix instructions that round it keep it finite.
inline constexpr float kFarthestExtreme = 0x1p126f;
} // namespace sattn::tile

#include "dialects/tile/TileDialect.h.inc"
#include "dialects/tile/TileEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/tile/TileAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/tile/TileTypes.h.inc"

namespace sattn::tile {
/// Of page tables: positions are the entries of a batch entry.
inline ArgType pageTableType(mlir::MLIRContext *context) {
  return ArgType::get(context, mlir::IntegerType::get(context, 32), 1, PanelsAttr());
}
} // namespace sattn::tile

#define GET_OP_CLASSES
#include "dialects/tile/TileOps.h.inc"

namespace sattn {
/// Makes the tile dialect loadable from `registry`.
void registerTileDialect(mlir::DialectRegistry &registry);
} // namespace sattn

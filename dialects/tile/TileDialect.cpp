// Registration of the tile dialect, its types and attributes, and their text forms.
#include "dialects/tile/Tile.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sattn;
using namespace sattn::tile;

#include "dialects/tile/TileDialect.cpp.inc"
#include "dialects/tile/TileEnums.cpp.inc"

// `16x8` of a top type.
static ParseResult parseRowsByK(AsmParser &parser, int64_t &rows, int64_t &k) {
  SmallVector<int64_t> dims;
  if (parser.parseDimensionList(dims, /*allowDynamic=*/false, /*withTrailingX=*/false))
    return failure();
  if (dims.size() != 2)
    return parser.emitError(parser.getNameLoc(), "expected 'rows x k' of a running top-k");
  rows = dims[0];
  k = dims[1];
  return success();
}
static void printRowsByK(AsmPrinter &printer, int64_t rows, int64_t k) { printer << rows << "x" << k; }

#define GET_ATTRDEF_CLASSES
#include "dialects/tile/TileAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/tile/TileTypes.cpp.inc"

void SattnTileDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/tile/TileTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/tile/TileAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/tile/TileOps.cpp.inc"
      >();
}

void sattn::registerTileDialect(DialectRegistry &registry) { registry.insert<SattnTileDialect>(); }

LogicalResult PanelsAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError, int64_t block, PanelAxis axis,
                                 int64_t width) {
  if (block <= 0 || width <= 0)
    return emitError() << "expected a positive block and panel width, but got " << block << " and " << width;
  if (axis == PanelAxis::Rows && block % width != 0)
    return emitError() << "expected the panel width (" << width << ") to divide the block (" << block << ")";
  return success();
}

//===-- tile<64x128xf32> --------------------------------------------------------------------------------===//

Type TileType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type element;
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/false) || parser.parseType(element) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<TileType>(parser.getContext(), shape, element);
}

void TileType::print(AsmPrinter &printer) const {
  printer << "<";
  for (int64_t extent : getShape())
    printer << extent << "x";
  printer << getElementType() << ">";
}

LogicalResult TileType::verify(llvm::function_ref<InFlightDiagnostic()> emitError, ArrayRef<int64_t> shape,
                               Type element) {
  if (shape.empty() || shape.size() > 2)
    return emitError() << "expected a tile of one or two extents, but got " << shape.size();
  for (int64_t extent : shape)
    if (extent <= 0)
      return emitError() << "expected positive tile extents, but got " << extent;
  if (!element.isIntOrFloat())
    return emitError() << "expected a tile of numbers, but got elements of type " << element;
  return success();
}

//===-- view<f32, 64, group = 4, outer> -----------------------------------------------------------------===//

Type ViewType::parse(AsmParser &parser) {
  Type element;
  int64_t inner = 0, group = 1;
  bool outer = false;
  PanelsAttr layout;
  if (parser.parseLess() || parser.parseType(element) || parser.parseComma() || parser.parseInteger(inner))
    return {};
  while (succeeded(parser.parseOptionalComma())) {
    if (succeeded(parser.parseOptionalKeyword("group"))) {
      if (parser.parseEqual() || parser.parseInteger(group))
        return {};
    } else if (succeeded(parser.parseOptionalKeyword("outer"))) {
      outer = true;
    } else if (parser.parseCustomAttributeWithFallback(layout)) {
      return {};
    }
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<ViewType>(parser.getContext(), element, inner, group, outer, layout);
}

void ViewType::print(AsmPrinter &printer) const {
  printer << "<" << getElementType() << ", " << getInner();
  if (getGroup() != 1)
    printer << ", group = " << getGroup();
  if (getOuter())
    printer << ", outer";
  if (getLayout())
    (printer << ", ").printStrippedAttrOrType(getLayout());
  printer << ">";
}

//===-- Verifiers of types ------------------------------------------------------------------------------===//

// Operands and views: numbers in rows of a positive extent, whole panels.
static LogicalResult verifyRows(llvm::function_ref<InFlightDiagnostic()> emitError, Type element, int64_t inner,
                                PanelsAttr layout) {
  if (!element.isIntOrFloat())
    return emitError() << "expected elements that are numbers, but got " << element;
  if (inner <= 0)
    return emitError() << "expected a positive inner extent, but got " << inner;
  if (layout && layout.getAxis() == PanelAxis::Cols && inner % layout.getWidth() != 0)
    return emitError() << "expected the panel width (" << layout.getWidth() << ") to divide the inner extent (" << inner
                       << ")";
  return success();
}

LogicalResult ArgType::verify(llvm::function_ref<InFlightDiagnostic()> emitError, Type element, int64_t inner,
                              PanelsAttr layout) {
  return verifyRows(emitError, element, inner, layout);
}

LogicalResult ViewType::verify(llvm::function_ref<InFlightDiagnostic()> emitError, Type element, int64_t inner,
                               int64_t group, bool outer, PanelsAttr layout) {
  if (group <= 0)
    return emitError() << "expected a positive group of heads, but got " << group;
  return verifyRows(emitError, element, inner, layout);
}

LogicalResult TopType::verify(llvm::function_ref<InFlightDiagnostic()> emitError, int64_t rows, int64_t k) {
  if (rows <= 0 || k <= 0)
    return emitError() << "expected a positive number of rows and of kept ids, but got " << rows << " and " << k;
  return success();
}

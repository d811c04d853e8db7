// Registration of the dialect and the generated code of attributes, types and words.
#include "dialects/pattern/Pattern.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/pattern/PatternDialect.cpp.inc"
#include "dialects/pattern/PatternEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/pattern/PatternTypes.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/pattern/PatternAttrs.cpp.inc"

namespace sattn {

void SattnDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/pattern/PatternTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/pattern/PatternAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/pattern/PatternOps.cpp.inc"
      >();
}

void registerPatternDialect(mlir::DialectRegistry &registry) { registry.insert<SattnDialect>(); }

} // namespace sattn

// The generated code of the ops with the directives of their texts.
#include "dialects/pattern/Directives.h"
#include "dialects/pattern/Pattern.h"

using namespace sattn;
#define GET_OP_CLASSES
#include "dialects/pattern/PatternOps.cpp.inc"

namespace sattn {
KeySetFormula SetOp::getKeySet() { return keySetOf(getFormula()); }
} // namespace sattn

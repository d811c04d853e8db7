// Small random calls of a pattern for checking passes: operands of exact numbers, so that sums do not round and
// selections meet ties, and sizes that are no multiple of any tile.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "lib/reference/Interpreter.h"
#include "llvm/ADT/StringMap.h"
#include <random>
#include <string>

namespace sattn {

class RandomCalls {
public:
  /// The interface of `pattern`, as its author wrote it or specialised; `bind` as of installPassCheck.
  RandomCalls(PatternOp pattern, StringRef bind);

  /// The same call for the same number.
  ref::Call make(int number);
  /// "B=1 t=7 s=19 h=4 g=2" of the last call made.
  const std::string &text() const { return sizesText; }

private:
  int64_t number(ExprAttr expr) const;
  int64_t sizeOf(AxisAttr axis);
  ref::Array array(RoleAttr role, std::mt19937_64 &random);

  PatternOp pattern;
  llvm::StringMap<int64_t> bound; ///< numbers of the bind
  llvm::StringMap<int64_t> sizes; ///< of this call
  std::string sizesText;
};

} // namespace sattn

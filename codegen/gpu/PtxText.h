// PTX text taken apart: what stands at the top level of a module, and the words of a line. It knows just enough of the
// language to move functions between modules (PtxLink.h); no instruction is understood here.
#pragma once
#include "lib/support/LLVM.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <string>
#include <vector>

namespace sattn::gpu {

/// A declaration at the top level.
struct PtxItem {
  enum Kind { Function, Variable } kind = Variable;
  std::string name;
  std::string head;      ///< of a function: all before its body; of a variable: all of it, with the semicolon
  std::string body;      ///< of a function: between its braces; empty where it is only declared
  bool isExtern = false; ///< declared here, defined elsewhere
  std::string result;    ///< the name of a function's only result, "" if it has none
  std::vector<std::string> parameters; ///< the names of a function's parameters
};

struct PtxModule {
  unsigned major = 0, minor = 0; ///< of .version
  std::vector<PtxItem> items;    ///< in the order of the text
  const PtxItem *find(StringRef name) const;
};

/// False where the text is not that of a module. Comments are dropped.
bool parsePtx(StringRef text, PtxModule &module);

/// The position of `.version`'s numbers in a text, and the numbers; false where there is none.
bool findVersion(StringRef text, size_t &begin, size_t &end, unsigned &major, unsigned &minor);

/// Calls `visit` with each word (a name, a register, a directive with its dot, a number) and gives the text with the
/// words that it returns; what stands between words is kept.
std::string replaceWords(StringRef text, llvm::function_ref<std::string(StringRef word)> visit);
/// The words of a text.
std::vector<StringRef> wordsOf(StringRef text);

} // namespace sattn::gpu

// The sources of a pattern's functions in the pattern's text. Plain C++: tools use it that know nothing of MLIR.
//
// A kernel's key is made of the text, so the text must hold all that the kernel is made of. Whoever reads a pattern
// from a file puts the files of its functions into the text first.
#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace sattn {

/// `pattern` with the text of each function's file behind its name: `cuda file "f.cu"` becomes
/// `cuda file "f.cu" text "..."`, on the same line. `read` gives the text of a file as it is named in the pattern, seen
/// from the pattern's folder; sources that have their text are kept. The pattern need not be valid.
std::string embedSources(std::string_view pattern, const std::function<std::string(const std::string &name)> &read);

} // namespace sattn

// The name of a kernel: pattern text, bind, target, compiler build, artefact format. The one definition of what goes
// into it; memory, disk cache, bundles and the compiler's artefacts all use it.
#pragma once

#include "runtime/Digest.h"
#include "runtime/Status.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sattn::rt {

/// Version of the artefact file format, the kernel ABI and the manifest together (docs/artefact.md).
inline constexpr uint32_t artefactFormat = 1;

/// What was asked for. `bind` is canonical (canonicalBind), `target` a name of Isa.h.
struct Request {
  std::string pattern;
  std::string bind;
  std::string target;
};

/// Items of a bind in the order of their names. Spaces around names and values do not count. Fails for an item that
/// is not name=value and for a name that is given twice.
Status parseBind(std::string_view bind, std::vector<std::pair<std::string, std::string>> &items);

/// "name=value,name=value", sorted by name.
Status canonicalBind(std::string_view bind, std::string &out);

struct Key {
  /// Pattern, bind, target, format: equal for kernels that can stand in for each other.
  Digest request;
  /// The same and the compiler build: equal for kernels of the same code.
  Digest full;

  /// 64 hexadecimal digits of `full`.
  std::string text() const { return toHex(full); }
};

/// Pure; fields are length-prefixed, so that no two different sequences of fields share a key.
Key makeKey(const Request &request, std::string_view build, uint32_t format = artefactFormat);

/// The name behind '@' in a pattern text, for messages; "?" when there is none.
std::string patternName(std::string_view pattern);

} // namespace sattn::rt

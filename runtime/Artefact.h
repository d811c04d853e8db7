// The artefact file (docs/artefact.md, section 1): reading with every bound and hash checked. JIT results, cache files
// and bundles are this one format. Manifest.h reads the manifest text, Loader.h takes the code.
#pragma once

#include "runtime/Status.h"

#include <string_view>
#include <vector>

namespace sattn::rt {

enum class SectionKind : uint32_t { Manifest = 1, Code = 2 };

struct ArtefactSection {
  SectionKind kind;
  std::string_view bytes;
};

/// The layout that writer and reader agree on; all numbers little endian.
namespace layout {
inline constexpr std::string_view magic = "SATTNART";
inline constexpr size_t headerSize = 16; ///< magic, u32 version, u32 section count
inline constexpr size_t entrySize = 56;  ///< u32 kind, u32 0, u64 offset, u64 size, 32 bytes of hash
inline constexpr size_t alignment = 64;
inline constexpr uint32_t maxSections = 4096;
inline constexpr uint64_t maxBytes = uint64_t(1) << 30;
} // namespace layout

/// A verified view of artefact bytes, which must outlive it.
class Artefact {
public:
  /// Checks the magic, the version, the table (known kinds, sections one after the other at the next multiple of 64,
  /// zeros between them, nothing behind the last) and each section's hash, so that no changed bit goes unseen.
  static Status read(std::string_view bytes, Artefact &out);

  /// The text of the one manifest section.
  std::string_view manifest() const { return manifestBytes; }

  /// Section `index` as code; -1: the first code section. Empty when that section is not code.
  std::string_view code(int index) const;

  const std::vector<ArtefactSection> &sections() const { return table; }

private:
  std::vector<ArtefactSection> table;
  std::string_view manifestBytes;
};

/// Where the manifest section of an artefact lies, from its first `headerSize + entrySize` bytes: for listing caches
/// without reading code. `offset` and `size` are bounded by layout::maxBytes. Fails if the first section is another.
Status locateManifest(std::string_view head, uint64_t &offset, uint64_t &size);

} // namespace sattn::rt

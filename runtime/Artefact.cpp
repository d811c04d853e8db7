// Reader of the artefact format (Artefact.h). Its input is untrusted.
#include "runtime/Artefact.h"

#include "runtime/Digest.h"
#include "runtime/Key.h"

#include <algorithm>
#include <cstring>

namespace sattn::rt {

static uint64_t readNumber(std::string_view bytes, size_t offset, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; ++i)
    value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[offset + i])) << (8 * i);
  return value;
}

static Status readHeader(std::string_view bytes, uint32_t &count) {
  if (bytes.size() < layout::headerSize || bytes.substr(0, 8) != layout::magic)
    return fail<Err::NotAnArtefact>("it does not begin with 'SATTNART'");
  auto version = static_cast<uint32_t>(readNumber(bytes, 8, 4));
  if (version != artefactFormat)
    return fail<Err::FormatVersion>(static_cast<int64_t>(version), static_cast<int64_t>(artefactFormat));
  count = static_cast<uint32_t>(readNumber(bytes, 12, 4));
  if (count == 0 || count > layout::maxSections)
    return fail<Err::NotAnArtefact>("its number of sections is out of range");
  return success();
}

struct Entry {
  uint32_t kind;
  uint64_t offset, size;
  std::string_view hash;
};

static Status readEntry(std::string_view bytes, uint32_t index, Entry &entry) {
  size_t at = layout::headerSize + index * layout::entrySize;
  entry.kind = static_cast<uint32_t>(readNumber(bytes, at, 4));
  entry.offset = readNumber(bytes, at + 8, 8);
  entry.size = readNumber(bytes, at + 16, 8);
  entry.hash = bytes.substr(at + 24, 32);
  if (entry.kind != static_cast<uint32_t>(SectionKind::Manifest) &&
      entry.kind != static_cast<uint32_t>(SectionKind::Code))
    return fail<Err::SectionTable>(static_cast<int64_t>(index), "unknown kind");
  if (readNumber(bytes, at + 4, 4) != 0)
    return fail<Err::SectionTable>(static_cast<int64_t>(index), "reserved bytes are not 0");
  if (entry.offset > layout::maxBytes || entry.size > layout::maxBytes)
    return fail<Err::SectionTable>(static_cast<int64_t>(index), "larger than 1 GiB");
  return success();
}

Status Artefact::read(std::string_view bytes, Artefact &out) {
  out = Artefact();
  uint32_t count;
  SATTN_TRY(readHeader(bytes, count));
  uint64_t end = layout::headerSize + uint64_t(count) * layout::entrySize;
  if (bytes.size() < end)
    return fail<Err::NotAnArtefact>("it ends inside its section table");
  for (uint32_t i = 0; i < count; ++i) {
    Entry entry;
    SATTN_TRY(readEntry(bytes, i, entry));
    uint64_t begin = (end + layout::alignment - 1) / layout::alignment * layout::alignment;
    if (entry.offset != begin)
      return fail<Err::SectionTable>(static_cast<int64_t>(i), "it does not follow the section before it");
    if (entry.offset > bytes.size() || entry.size > bytes.size() - entry.offset)
      return fail<Err::SectionTable>(static_cast<int64_t>(i), "it reaches beyond the end of the file");
    std::string_view gap = bytes.substr(end, begin - end);
    if (gap.find_first_not_of('\0') != std::string_view::npos)
      return fail<Err::SectionTable>(static_cast<int64_t>(i), "padding before it is not 0");
    std::string_view section = bytes.substr(entry.offset, entry.size);
    Digest digest = digestOf(section);
    if (std::memcmp(digest.data(), entry.hash.data(), digest.size()) != 0)
      return fail<Err::SectionHash>(static_cast<int64_t>(i));
    out.table.push_back({static_cast<SectionKind>(entry.kind), section});
    end = entry.offset + entry.size;
  }
  if (end != bytes.size())
    return fail<Err::NotAnArtefact>("bytes follow its last section");
  auto isManifest = [](const ArtefactSection &section) { return section.kind == SectionKind::Manifest; };
  if (std::count_if(out.table.begin(), out.table.end(), isManifest) != 1)
    return fail<Err::NotAnArtefact>("it does not have exactly one manifest");
  out.manifestBytes = std::find_if(out.table.begin(), out.table.end(), isManifest)->bytes;
  return success();
}

std::string_view Artefact::code(int index) const {
  if (index >= 0)
    return static_cast<size_t>(index) < table.size() && table[index].kind == SectionKind::Code ? table[index].bytes
                                                                                               : std::string_view();
  for (const ArtefactSection &section : table)
    if (section.kind == SectionKind::Code)
      return section.bytes;
  return {};
}

Status locateManifest(std::string_view head, uint64_t &offset, uint64_t &size) {
  uint32_t count;
  SATTN_TRY(readHeader(head, count));
  if (head.size() < layout::headerSize + layout::entrySize)
    return fail<Err::NotAnArtefact>("it ends inside its section table");
  Entry entry;
  SATTN_TRY(readEntry(head, 0, entry));
  if (entry.kind != static_cast<uint32_t>(SectionKind::Manifest))
    return fail<Err::SectionTable>(0, "the first section is not the manifest");
  offset = entry.offset;
  size = entry.size;
  return success();
}

} // namespace sattn::rt

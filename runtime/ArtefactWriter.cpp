// Writer of the artefact format and of bundles (ArtefactWriter.h).
#include "runtime/ArtefactWriter.h"

#include "runtime/Digest.h"
#include "runtime/ElfImage.h"
#include "runtime/GpuTarget.h"
#include "runtime/Manifest.h"

#include <nlohmann/json.hpp>

namespace sattn::rt {

static void appendNumber(std::string &out, uint64_t value, int width) {
  for (int i = 0; i < width; ++i)
    out += static_cast<char>(value >> (8 * i));
}

static std::string writeSections(const std::vector<ArtefactSection> &sections) {
  std::string out(layout::magic);
  appendNumber(out, artefactFormat, 4);
  appendNumber(out, sections.size(), 4);
  auto align = [](uint64_t n) { return (n + layout::alignment - 1) / layout::alignment * layout::alignment; };
  uint64_t offset = align(layout::headerSize + sections.size() * layout::entrySize);
  for (const ArtefactSection &section : sections) {
    appendNumber(out, static_cast<uint32_t>(section.kind), 4);
    appendNumber(out, 0, 4);
    appendNumber(out, offset, 8);
    appendNumber(out, section.bytes.size(), 8);
    Digest digest = digestOf(section.bytes);
    out.append(reinterpret_cast<const char *>(digest.data()), digest.size());
    offset = align(offset + section.bytes.size());
  }
  for (const ArtefactSection &section : sections) {
    out.resize(align(out.size()), '\0');
    out += section.bytes;
  }
  return out;
}

std::string writeArtefact(std::string_view manifest, std::string_view code) {
  return writeSections({{SectionKind::Manifest, manifest}, {SectionKind::Code, code}});
}

std::string writeArtefact(std::string_view manifest, const std::vector<std::string_view> &codes) {
  std::vector<ArtefactSection> sections = {{SectionKind::Manifest, manifest}};
  for (std::string_view code : codes)
    sections.push_back({SectionKind::Code, code});
  return writeSections(sections);
}

/// Reads everything about an artefact but its code's contents.
static Status readAll(std::string_view bytes, Artefact &artefact, std::vector<Manifest> &manifests) {
  SATTN_TRY(Artefact::read(bytes, artefact));
  SATTN_TRY(parseManifests(std::string(artefact.manifest()), manifests));
  for (const Manifest &manifest : manifests)
    if (artefact.code(manifest.code).empty())
      return fail<Err::ManifestField>("code", "there is no such code section");
  return success();
}

Status writeBundle(const std::vector<std::string> &artefacts, std::string &out) {
  nlohmann::json list = nlohmann::json::array();
  std::vector<std::string_view> codes;
  for (const std::string &bytes : artefacts) {
    Artefact artefact;
    std::vector<Manifest> manifests;
    SATTN_TRY(readAll(bytes, artefact, manifests));
    for (const Manifest &manifest : manifests) {
      std::string_view code = artefact.code(manifest.code);
      size_t place = 0;
      while (place < codes.size() && codes[place] != code)
        ++place;
      if (place == codes.size())
        codes.push_back(code);
      nlohmann::json entry = nlohmann::json::parse(manifest.text, nullptr, false);
      entry["code"] = place + 1;
      list.push_back(std::move(entry));
    }
  }
  nlohmann::json top = {{"format", artefactFormat}, {"bundle", std::move(list)}};
  out = writeArtefact(top.dump(), codes);
  return success();
}

Status checkArtefact(std::string_view bytes) {
  Artefact artefact;
  std::vector<Manifest> manifests;
  SATTN_TRY(readAll(bytes, artefact, manifests));
  for (const Manifest &manifest : manifests) {
    if (isGpuTarget(manifest.request.target))
      continue;
    ElfImage image;
    SATTN_TRY(ElfImage::read(artefact.code(manifest.code), image));
    for (const KernelInfo &kernel : manifest.kernels)
      if (!image.defines(kernel.symbol))
        return fail<Err::MissingSymbol>(kernel.symbol, kernel.name);
  }
  return success();
}

} // namespace sattn::rt

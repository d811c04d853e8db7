// Artefact files: what is written is read again, and no changed, missing or added byte goes unseen.
#include "test/runtime/Support.h"

#include "runtime/ArtefactWriter.h"
#include "runtime/Manifest.h"

using namespace sattn::rt;
using namespace sattn::rt::testing;

namespace {
Status readBytes(const std::string &bytes) {
  Artefact artefact;
  return Artefact::read(bytes, artefact);
}

/// Small bytes of three sections whose sizes leave padding.
std::string small() { return writeArtefact("{\"m\": 1}", {std::string_view("code one"), std::string_view("two")}); }
} // namespace

TEST_CASE("written sections are read") {
  std::string bytes = small();
  Artefact artefact;
  CHECK_OK(Artefact::read(bytes, artefact));
  CHECK(artefact.manifest() == "{\"m\": 1}");
  CHECK(artefact.sections().size() == 3);
  CHECK(artefact.code(-1) == "code one");
  CHECK(artefact.code(1) == "code one");
  CHECK(artefact.code(2) == "two");
  CHECK(artefact.code(0).empty());
  CHECK(artefact.code(3).empty());
  for (const ArtefactSection &section : artefact.sections())
    CHECK((section.bytes.data() - bytes.data()) % 64 == 0);
  CHECK(bytes == small()); // a function of the input alone
  CHECK(bytes.substr(0, 16) == std::string("SATTNART\1\0\0\0\3\0\0\0", 16));
  uint64_t offset, size;
  CHECK_OK(locateManifest(std::string_view(bytes).substr(0, 72), offset, size));
  CHECK(bytes.substr(offset, size) == "{\"m\": 1}");
}

TEST_CASE("every changed bit is found") {
  std::string bytes = small();
  for (size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string changed = bytes;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << i % 8));
    CHECK_MESSAGE(readBytes(changed).failed(), "bit ", i);
  }
}

TEST_CASE("every truncation and every extension is found") {
  std::string bytes = small();
  for (size_t size = 0; size < bytes.size(); ++size)
    CHECK_MESSAGE(readBytes(bytes.substr(0, size)).failed(), "size ", size);
  CHECK_STATUS(readBytes(bytes + '\0'), Err::NotAnArtefact, "bytes follow its last section");
}

TEST_CASE("messages") {
  std::string bytes = small();
  auto with = [&](size_t at, char value) {
    std::string changed = bytes;
    changed[at] = value;
    return changed;
  };
  CHECK_STATUS(readBytes("#!/bin/sh"), Err::NotAnArtefact, "it does not begin with 'SATTNART'");
  CHECK_STATUS(readBytes(with(8, 2)), Err::FormatVersion,
               "[SA0411] artefact format version 2 is not known to this library, which reads version 1");
  CHECK_STATUS(readBytes(with(12, 0)), Err::NotAnArtefact, "number of sections is out of range");
  CHECK_STATUS(readBytes(with(14, 100)), Err::NotAnArtefact, "number of sections is out of range");
  CHECK_STATUS(readBytes(with(12, 60)), Err::NotAnArtefact, "ends inside its section table");
  CHECK_STATUS(readBytes(with(16, 3)), Err::SectionTable, "section 0 of the artefact is malformed: unknown kind");
  CHECK_STATUS(readBytes(with(20, 1)), Err::SectionTable, "reserved bytes are not 0");
  CHECK_STATUS(readBytes(with(24, 1)), Err::SectionTable, "does not follow the section before it");
  CHECK_STATUS(readBytes(with(31, 127)), Err::SectionTable, "larger than 1 GiB");
  CHECK_STATUS(readBytes(with(39, 127)), Err::SectionTable, "larger than 1 GiB");
  CHECK_STATUS(readBytes(with(34, 9)), Err::SectionTable, "reaches beyond the end of the file");
  CHECK_STATUS(readBytes(with(45, 9)), Err::SectionHash, "section 0 of the artefact is damaged");
  CHECK_STATUS(readBytes(with(190, 9)), Err::SectionTable, "padding before it is not 0");
  CHECK_STATUS(readBytes(with(16, 2)), Err::NotAnArtefact, "exactly one manifest");
  uint64_t offset, size;
  CHECK_STATUS(locateManifest(std::string_view(bytes).substr(0, 40), offset, size), Err::NotAnArtefact,
               "section table");
  CHECK_STATUS(locateManifest(with(16, 2), offset, size), Err::SectionTable, "the first section is not the manifest");
}

TEST_CASE("the compiler's check reads everything") {
  CHECK_OK(checkArtefact(artefactOf(totalManifest())));
  json m = totalManifest();
  m["kernels"]["total"]["symbol"] = "totals";
  CHECK_STATUS(checkArtefact(artefactOf(m)), Err::MissingSymbol,
               "[SA0417] code section does not define the symbol 'totals' of kernel 'total'");
  m = totalManifest();
  m["code"] = 2;
  CHECK_STATUS(checkArtefact(artefactOf(m)), Err::ManifestField, "code: there is no such code section");
  CHECK_STATUS(checkArtefact(writeArtefact(totalManifest().dump(), "junk")), Err::CodeImage, "not an ELF file");
  CHECK_STATUS(checkArtefact(writeArtefact("{}", kernelCode())), Err::ManifestField, "format: missing field");
}

TEST_CASE("bundles keep each manifest with its code, and equal code once") {
  json other = identifyManifest();
  std::string bundle;
  CHECK_OK(writeBundle(
      {artefactOf(axpyManifest()), artefactOf(totalManifest()), writeArtefact(other.dump(), kernelCodeWithId(77))},
      bundle));
  CHECK_OK(checkArtefact(bundle));
  Artefact artefact;
  CHECK_OK(Artefact::read(bundle, artefact));
  CHECK(artefact.sections().size() == 3);
  std::vector<Manifest> manifests;
  CHECK_OK(parseManifests(std::string(artefact.manifest()), manifests));
  REQUIRE(manifests.size() == 3);
  CHECK(artefact.code(manifests[0].code) == kernelCode());
  CHECK(artefact.code(manifests[1].code) == kernelCode());
  CHECK(artefact.code(manifests[2].code) == kernelCodeWithId(77));
  std::string again;
  CHECK_OK(writeBundle({bundle}, again)); // a bundle of a bundle
  CHECK(again == bundle);
  CHECK_STATUS(writeBundle({"junk"}, again), Err::NotAnArtefact, "not an artefact");
}

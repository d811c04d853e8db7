// Reads bundles whole before any of their kernels can be found (Bundles.h).
#include "runtime/Bundles.h"

#include "runtime/ArtefactWriter.h"

namespace sattn::rt {

Status Bundles::read(std::string_view bytes, std::unique_ptr<Loaded> &out) {
  auto loaded = std::make_unique<Loaded>();
  loaded->bytes = bytes;
  SATTN_TRY(checkArtefact(loaded->bytes));
  SATTN_TRY(Artefact::read(loaded->bytes, loaded->artefact));
  SATTN_TRY(parseManifests(std::string(loaded->artefact.manifest()), loaded->manifests));
  out = std::move(loaded);
  return success();
}

void Bundles::add(std::unique_ptr<Loaded> bundle) {
  for (const Manifest &manifest : bundle->manifests)
    entries.emplace(makeKey(manifest.request, manifest.build).request,
                    Entry{&manifest, bundle->artefact.code(manifest.code)});
  bundles.push_back(std::move(bundle));
}

bool Bundles::find(const Digest &request, Entry &out) const {
  auto found = entries.find(request);
  if (found == entries.end())
    return false;
  out = found->second;
  return true;
}

void Bundles::appendHeads(std::vector<ManifestHead> &heads) const {
  for (const auto &[request, entry] : entries)
    heads.push_back({entry.manifest->name, entry.manifest->build, entry.manifest->request});
}

} // namespace sattn::rt

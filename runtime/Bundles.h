// The bundles a context was given, as an index from requests to manifests and code. Not thread-safe: the context's
// mutex guards it.
#pragma once

#include "runtime/Artefact.h"
#include "runtime/Manifest.h"

#include <deque>
#include <map>

namespace sattn::rt {

class Bundles {
public:
  struct Entry {
    const Manifest *manifest = nullptr;
    std::string_view code;
  };

  /// A bundle that has been read and checked, apart from any context.
  struct Loaded {
    std::string bytes;
    Artefact artefact;
    std::vector<Manifest> manifests;
  };
  static Status read(std::string_view bytes, std::unique_ptr<Loaded> &out);

  /// A kernel that is already there keeps its place.
  void add(std::unique_ptr<Loaded> bundle);

  /// The kernel of a request, of any build. What it points to lives as long as the bundles.
  bool find(const Digest &request, Entry &out) const;

  void appendHeads(std::vector<ManifestHead> &heads) const;

private:
  std::deque<std::unique_ptr<Loaded>> bundles;
  std::map<Digest, Entry> entries;
};

} // namespace sattn::rt

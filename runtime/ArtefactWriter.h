// Writes artefacts (docs/artefact.md, section 1): used by the compiler for one kernel and by the bundle maker for
// several. The bytes are a function of the input alone, so equal inputs give byte-equal artefacts.
#pragma once

#include "runtime/Artefact.h"
#include "runtime/Key.h"

#include <string>
#include <string_view>
#include <vector>

namespace sattn::rt {

/// One kernel: `manifest` is the JSON text, `code` the ELF shared object. Checks nothing; checkArtefact() does.
std::string writeArtefact(std::string_view manifest, std::string_view code);

/// Several code sections behind one manifest; code i becomes section i + 1.
std::string writeArtefact(std::string_view manifest, const std::vector<std::string_view> &codes);

/// A bundle of artefacts of one kernel each (or of bundles): the manifests in order, each naming its code section.
/// Equal code is stored once. Fails when an artefact is damaged or malformed.
Status writeBundle(const std::vector<std::string> &artefacts, std::string &out);

/// Reads `bytes` as the runtime will: layout, hashes, manifests, and that each manifest's code is an ELF shared object
/// that the loader accepts and that defines the symbols of its kernels. For the compiler's tests and `bundle verify`.
Status checkArtefact(std::string_view bytes);

} // namespace sattn::rt

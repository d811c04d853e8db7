// What a kernel is and what a call of it will do: as text for people and as JSON for tools, from the manifest alone.
// The compiler's reasons and the bounds of its streams stand in the manifest (docs/artefact.md, section 5), so that an
// artefact from the cache explains itself.
#pragma once

#include "runtime/Kernel.h"
#include "runtime/RunState.h"

#include <string>

namespace sattn::rt {

/// The kernel as text; with `state`, which bindCall() filled, also the sizes, launches and key tiles of that call.
Status explainKernel(const Kernel &kernel, RunState *state, std::string &out);
/// The same as one JSON object; sattn.h has its fields.
Status explainKernelJson(const Kernel &kernel, RunState *state, std::string &out);

} // namespace sattn::rt

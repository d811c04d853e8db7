// What explains a tile program: the dataflow of each accumulation and selection, and what each kernel computes. ToTile
// writes it into the attribute `explain` of the program, from which lib/pipeline copies it into the manifest.
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

/// Sets `explain` (see sattn_tile.program). All launches must have been recorded; the pattern must still exist.
void writeReasons(ArrayRef<Context *> forms);

} // namespace sattn::lower

// Umbrella of the pattern dialect for tablegen; the parts are split by theme.
include "dialects/pattern/StructureOps.td"
include "dialects/pattern/SetOps.td"
include "dialects/pattern/TensorOps.td"
include "dialects/pattern/ScoreOps.td"
include "dialects/pattern/PartialOps.td"

// All definitions of the tile dialect, for mlir-tblgen.
include "dialects/tile/TileStructure.td"
include "dialects/tile/TileMemory.td"
include "dialects/tile/TileCompute.td"
include "dialects/tile/TileSelect.td"

// What the passes may know of a target: plain numbers and operand layouts. A code generator fills one; the tiler and
// the cost model read nothing else, so tiling can be tested on any machine with a made-up target.
#pragma once
#include <cstdint>
#include <string>

namespace sattn {

/// A blocked operand layout, as `#sattn_tile.panels` describes it; `width` 0 means none (plain rows).
struct PanelLayout {
  int64_t block = 0;  ///< rows in a block
  bool byRows = true; ///< panels cut rows (true) or columns
  int64_t width = 0;
};

struct TargetInfo {
  std::string name;               ///< e.g. "cpu-avx512"; goes into the manifest and remarks, never into a decision
  int64_t rowTile = 64;           ///< rows of a query tile that a dot handles best
  int64_t keyTile = 64;           ///< keys of a key tile
  int64_t keyTileBytes = 1 << 30; ///< keys and values of a key tile at most: fewer keys where their rows are long
  int64_t rangeRows = 0;          ///< rows of tiles of tasks that stream over ranges of narrow operands; 0: rowTile
  int64_t rangeKeys = 0;          ///< keys of these tiles; 0: keyTile
  int64_t rangeFeatures = 128;    ///< features and values that narrow operands have at most, each
  int64_t sumColumns = 0;         ///< columns of all sums of such a task; beyond, tiles have half the keys. 0: any
  int64_t rowQuantum = 16;        ///< rows of tiles come in multiples of it; 1 where a partial tile costs nothing more
  PanelLayout keyLayout;          ///< prepared layout of the right operand of `dot nt`
  PanelLayout valueLayout;        ///< prepared layout of the right operand of `dot nn`
  bool callsFunctions = false;    ///< functions in CUDA C++ are called; otherwise their formulas are computed
  bool foldScale = true;          ///< keep queries scaled and widened; otherwise they are used as they are stored
  int64_t decodeRows = 0;         ///< calls of at most so many query rows get a form that splits the keys; 0: none do
  int64_t decodeShare = 0;   ///< what its heads share of reading a key, in heads' own work: their tiles may be more
  int64_t decodeTile = 1;    ///< rows that its tiles have at least
  int64_t tokenRows = 0;     ///< query rows of several key heads in one tile at most, so that tokens are read whole
  int64_t storedRows = 0;    ///< rows of a tile at most whose bfloat16 queries are used as they are stored
  int64_t splitTasks = 64;   ///< tasks that such a call should have
  int64_t splitTiles = 16;   ///< key tiles of a split at least
  double flopsPerCycle = 64; ///< float32 multiply-adds count as two, one worker
  double exp2PerCycle = 2;   ///< softmax exponentials, one worker
  double bytesPerCycle = 4;  ///< from main memory, one worker
  double largeBytesPerCycle = 32; ///< from the memory behind the nearest (L2), one worker
  double rowCycles = 1;           ///< to bring the softmax state of one row into a tile and back, beside its bytes
  double packReuse = 2;         ///< packing a key costs as much as so many rows of many heads reading it where it lies
  int64_t taskBytes = 8 << 20;  ///< private memory of a task at most
  int64_t taskLists = 1 << 20;  ///< lists of a task at most
  int64_t waveBytes = 64 << 20; ///< workspaces that scale with K and V are bounded to about this by looping
};

} // namespace sattn

// The closed list of architectures, and the numbers that the tiler sees of them.
#include "codegen/gpu/Arch.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace sattn;
using namespace sattn::gpu;

static const Arch kArchs[] = {
    {"sm_80", "+ptx70", 163 << 10},  {"sm_86", "+ptx71", 99 << 10},         {"sm_89", "+ptx78", 99 << 10},
    {"sm_90", "+ptx78", 227 << 10},  {"sm_90a", "+ptx80", 227 << 10, true}, {"sm_100a", "+ptx86", 227 << 10},
    {"sm_120a", "+ptx87", 99 << 10},
};

const Arch *sattn::gpu::findArch(StringRef target) {
  const Arch *found = llvm::find_if(kArchs, [&](const Arch &arch) { return arch.name == target; });
  return found == std::end(kArchs) ? nullptr : found;
}

StringRef sattn::gpu::targetName(const Arch &arch) { return arch.name; }

std::string sattn::gpu::targetNames() {
  return llvm::join(llvm::map_range(kArchs, [](const Arch &arch) { return arch.name; }), ", ");
}

TargetInfo sattn::gpu::targetInfo(const Arch &arch) {
  TargetInfo info;
  info.name = arch.name.str();
  info.rowTile = 64;
  info.keyTile = 64;
  // Longer rows take the shared memory of other tiles, and their sums the registers of scores.
  info.keyTileBytes = 48 << 10;
  // Two sums of 128 features and a tile of 64 scores are 160 of a thread's 255 registers.
  info.sumColumns = 192;
  info.rowQuantum = 1;
  // One warp takes 16 rows; two or three of such blocks fit each multiprocessor.
  info.decodeRows = info.decodeTile = kMmaRows;
  info.splitTasks = 320;
  info.splitTiles = 4;
  if (arch.groups) // two warpgroups, and half as many roundings of the sums
    info.rangeRows = info.rangeKeys = 128;
  // Operands are read where they lie: a block copies tiles to shared memory as it goes.
  info.keyLayout = info.valueLayout = {};
  // Rounded to 16 bits, scaled queries would not be the ones that were given.
  info.foldScale = false;
  info.callsFunctions = true;
  // Beside the state of a task's rows, keys and values of a block stand in shared memory.
  constexpr int64_t tiles = 40 << 10, enough = 64 << 10;
  int64_t half = arch.sharedBytes / 2;
  info.taskBytes = half - tiles >= enough ? half - tiles : half;
  // A thread walks one list or two.
  info.taskLists = 256;
  // One multiprocessor of an A100: 1024 multiply-adds in float16, 16 exponentials, 1555 GB/s over 108 at 1.41 GHz.
  info.flopsPerCycle = 2048;
  info.exp2PerCycle = 16;
  info.bytesPerCycle = 10;
  info.largeBytesPerCycle = 64;
  info.waveBytes = 1 << 30;
  return info;
}

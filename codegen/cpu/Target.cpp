// The closed list of instruction set levels: their atoms and the numbers that the tiler sees of them.
#include "codegen/cpu/Atom.h"
#include "llvm/ADT/STLExtras.h"

using namespace sattn;
using namespace sattn::cpu;

// x86-64-v3 and -v4 of the psABI, as far as float kernels use them, and what the levels above add. Tuning features stay
// at LLVM's generic ones.
#define SATTN_AVX2 "+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+movbe"
#define SATTN_AVX512 SATTN_AVX2 ",+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
#define SATTN_BF16 SATTN_AVX512 ",+avx512vpopcntdq,+avx512bf16"

// The last two levels run the AVX-512 kernels for tiles of many rows, whose queries are scaled: bfloat16 products would
// round them.
static const Atom kAtoms[] = {
    {Isa::Baseline, "cpu-baseline", "", false, false, false, false, 16, false, false, false, {2, 0, 0, 0}, 2},
    {Isa::Avx2, "cpu-avx2", SATTN_AVX2, true, false, true, true, 32, false, false, false, {6, 0, 0, 0}, 2},
    {Isa::Avx512, "cpu-avx512", SATTN_AVX512, true, true, true, true, 64, true, false, false, {16, 8, 8, 4}, 4},
    {Isa::Avx512Bf16, "cpu-avx512-bf16", SATTN_BF16, true, true, true, true, 64, true, true, true, {16, 8, 8, 4}, 4},
    {Isa::Amx, "cpu-amx", SATTN_BF16, true, true, true, true, 64, true, true, true, {16, 8, 8, 4}, 4},
};
#undef SATTN_AVX2
#undef SATTN_AVX512
#undef SATTN_BF16

const Atom &sattn::cpu::atomFor(Isa isa) {
  return *llvm::find_if(kAtoms, [&](const Atom &atom) { return atom.isa == isa; });
}

FailureOr<Isa> sattn::cpu::parseTarget(StringRef name) {
  for (const Atom &atom : kAtoms)
    if (atom.name == name)
      return atom.isa;
  return failure();
}

StringRef sattn::cpu::targetName(Isa isa) { return atomFor(isa).name; }

TargetInfo sattn::cpu::targetInfo(Isa isa) {
  const Atom &atom = atomFor(isa);
  TargetInfo info;
  info.name = atom.name.str();
  info.rowTile = 64;
  info.keyTile = 64;
  info.rowQuantum = kLanes;
  info.keyLayout = {64, true, atom.panelWidth};
  info.valueLayout = {64, false, atom.panelWidth};
  info.foldScale = true;
  info.decodeRows = 8;
  info.decodeShare = 8;
  info.tokenRows = 16;
  info.storedRows = atom.dotsPairs ? 16 : 0;
  info.flopsPerCycle = atom.scale ? 64 : atom.fma ? 32 : 8;
  info.exp2PerCycle = atom.scale ? 4 : atom.fma ? 1.6 : 0.5;
  info.bytesPerCycle = 8; // of blocks that a task visits, measured: most lie in a cache
  info.largeBytesPerCycle = 64;
  info.rowCycles = 44; // measured
  info.packReuse = 2;
  info.waveBytes = 64 << 20;
  return info;
}

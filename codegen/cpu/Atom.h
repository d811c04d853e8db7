// What a level's vector unit can do, as numbers and yes/no facts. The lowering asks the atom and never the level's
// name, so a new level is a new entry in Target.cpp. A strip is 16 float32 lanes at every level: one register of
// AVX-512, two of AVX2, four of SSE2; LLVM splits it. Rows of a tile are lanes, 16 of them make a panel.
#pragma once
#include "codegen/cpu/CpuCodegen.h"
#include <array>

namespace sattn::cpu {

/// Lanes of a strip and rows of a panel.
inline constexpr int64_t kLanes = 16;

struct Atom {
  Isa isa;
  StringRef name;      ///< target name of the manifest
  StringRef features;  ///< LLVM features beyond x86-64 (SSE2)
  bool fma;            ///< fused multiply-add; otherwise a product is rounded before it is added
  bool scale;          ///< fraction and power-of-two scaling in one instruction each (vreduceps, vscalefps)
  bool round;          ///< rounding to an integer in one instruction
  bool halfConvert;    ///< float16 <-> float32 instructions
  int64_t vectorBytes; ///< of the vectors that byte integers are summed in
  bool maskedMemory;   ///< loads and stores under a mask cost no more than plain ones
  bool countsBits;     ///< the bits of eight 64-bit numbers are counted in one instruction
  bool dotsPairs;      ///< the products of 16 pairs of bfloat16 numbers are added to a strip in one instruction
  /// Micro-kernels of a dot: columns[p] columns by p + 1 panels of accumulators, the operand strips and one broadcast
  /// fit the registers. 0: no such kernel.
  std::array<int64_t, 4> columns;
  int64_t panelWidth; ///< columns side by side in a prepared right operand; divides every entry of `columns`

  /// Most panels that one micro-kernel takes.
  int64_t maxPanels() const {
    int64_t panels = 1;
    for (int64_t p = 0; p < 4; ++p)
      if (columns[p] != 0)
        panels = p + 1;
    return panels;
  }
  int64_t columnsFor(int64_t panels) const { return columns[panels - 1]; }
};

const Atom &atomFor(Isa isa);

} // namespace sattn::cpu

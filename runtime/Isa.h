// The instruction set levels of x86-64 as a closed, totally ordered list, and the one detector of the project: CPUID
// says what the processor has, XCR0 what the operating system saves. The compiler emits code for a level, the key
// names the level (never a CPU model), the loader refuses a level above the machine's.
#pragma once

#include "runtime/Status.h"

#include <string_view>

namespace sattn::rt {

/// Each level includes all before it.
enum class Isa : uint8_t {
  Baseline,   ///< x86-64: SSE2
  Avx2,       ///< x86-64-v3: AVX, AVX2, FMA, F16C, BMI1, BMI2, LZCNT, MOVBE
  Avx512,     ///< x86-64-v4: AVX-512 F, BW, CD, DQ, VL
  Avx512Bf16, ///< + VNNI, VPOPCNTDQ, AVX512_BF16
  Amx,        ///< + AMX-TILE, AMX-INT8, AMX-BF16
};
inline constexpr int isaCount = 5;

/// "cpu-baseline", "cpu-avx2", "cpu-avx512", "cpu-avx512-bf16", "cpu-amx".
const char *targetName(Isa isa);

/// The level of a target name; false for names not in the list ("cpu" is not: it means detectIsa()).
bool parseTarget(std::string_view name, Isa &out);

/// The registers the decision is made from, as CPUID and XGETBV give them.
struct CpuFeatures {
  uint32_t leaf1Ecx = 0;  ///< CPUID.1:ECX
  uint32_t leaf7Ebx = 0;  ///< CPUID.7.0:EBX
  uint32_t leaf7Ecx = 0;  ///< CPUID.7.0:ECX
  uint32_t leaf7Edx = 0;  ///< CPUID.7.0:EDX
  uint32_t leaf71Eax = 0; ///< CPUID.7.1:EAX
  uint32_t extEcx = 0;    ///< CPUID.80000001H:ECX
  uint64_t xcr0 = 0;      ///< state components the operating system saves; 0 without OSXSAVE
};

/// The highest level these registers allow; pure.
Isa isaOf(const CpuFeatures &features);

/// Reads the registers of this machine.
CpuFeatures readCpuFeatures();

/// The level of this machine, found once.
Isa detectIsa();

/// Resolves a spec's target: "" or "cpu" is `fallback`, a name of the list itself. Fails for unknown names, and for
/// levels above `machine`.
Status resolveTarget(std::string_view name, Isa fallback, Isa machine, Isa &out);

/// Called before code of a level is loaded: asks the operating system for what the level needs (Linux hands AMX tile
/// registers out on request only).
Status acquireIsa(Isa isa);

} // namespace sattn::rt

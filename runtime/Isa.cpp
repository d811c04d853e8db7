// CPUID and XCR0 to levels. Bit positions: Intel SDM volume 2A, CPUID; volume 1, 13.3 (XCR0); Linux
// Documentation/arch/x86/xstate.rst (permission for AMX).
#include "runtime/Isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sattn::rt {

static constexpr const char *names[isaCount] = {"cpu-baseline", "cpu-avx2", "cpu-avx512", "cpu-avx512-bf16", "cpu-amx"};

const char *targetName(Isa isa) { return names[static_cast<int>(isa)]; }

bool parseTarget(std::string_view name, Isa &out) {
  for (int i = 0; i < isaCount; ++i)
    if (name == names[i]) {
      out = static_cast<Isa>(i);
      return true;
    }
  return false;
}

static constexpr uint32_t bit(int n) { return 1u << n; }
static bool has(uint64_t word, uint64_t mask) { return (word & mask) == mask; }

// XCR0: SSE (1), AVX (2); opmask, ZMM_Hi256, Hi16_ZMM (5 to 7); TILECFG, TILEDATA (17, 18).
static constexpr uint64_t saveAvx = 0x6, saveAvx512 = saveAvx | 0xe0, saveAmx = saveAvx512 | 0x60000;

Isa isaOf(const CpuFeatures &f) {
  // FMA 12, MOVBE 22, OSXSAVE 27, AVX 28, F16C 29; BMI1 3, AVX2 5, BMI2 8; LZCNT 5.
  bool avx2 = has(f.leaf1Ecx, bit(12) | bit(22) | bit(27) | bit(28) | bit(29)) &&
              has(f.leaf7Ebx, bit(3) | bit(5) | bit(8)) && has(f.extEcx, bit(5)) && has(f.xcr0, saveAvx);
  if (!avx2)
    return Isa::Baseline;
  // F 16, DQ 17, CD 28, BW 30, VL 31.
  if (!has(f.leaf7Ebx, bit(16) | bit(17) | bit(28) | bit(30) | bit(31)) || !has(f.xcr0, saveAvx512))
    return Isa::Avx2;
  // VNNI: ECX 11; VPOPCNTDQ: ECX 14; AVX512_BF16: leaf 7.1 EAX 5.
  if (!has(f.leaf7Ecx, bit(11) | bit(14)) || !has(f.leaf71Eax, bit(5)))
    return Isa::Avx512;
  // AMX-BF16 22, AMX-TILE 24, AMX-INT8 25.
  if (!has(f.leaf7Edx, bit(22) | bit(24) | bit(25)) || !has(f.xcr0, saveAmx))
    return Isa::Avx512Bf16;
  return Isa::Amx;
}

static uint64_t readXcr0() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

CpuFeatures readCpuFeatures() {
  CpuFeatures f;
  uint32_t eax, ebx, ecx, edx;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))
    f.leaf1Ecx = ecx;
  if (has(f.leaf1Ecx, bit(27)))
    f.xcr0 = readXcr0();
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
    f.leaf7Ebx = ebx;
    f.leaf7Ecx = ecx;
    f.leaf7Edx = edx;
    if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx))
      f.leaf71Eax = eax;
  }
  if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx))
    f.extEcx = ecx;
  return f;
}

Isa detectIsa() {
  static const Isa isa = isaOf(readCpuFeatures());
  return isa;
}

Status resolveTarget(std::string_view name, Isa fallback, Isa machine, Isa &out) {
  Isa isa = fallback;
  if (!name.empty() && name != "cpu" && !parseTarget(name, isa))
    return fail<Err::UnknownTarget>(name);
  if (isa > machine)
    return fail<Err::TargetAboveMachine>(targetName(isa), targetName(machine));
  out = isa;
  return success();
}

Status acquireIsa(Isa isa) {
  if (isa < Isa::Amx)
    return success();
  constexpr long requestPermission = 0x1023; // ARCH_REQ_XCOMP_PERM
  constexpr long tileData = 18;              // XFEATURE_XTILE_DATA
  if (syscall(SYS_arch_prctl, requestPermission, tileData) != 0)
    return fail<Err::AmxPermission>(std::strerror(errno));
  return success();
}

} // namespace sattn::rt

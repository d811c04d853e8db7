// The detector over register values of real and impossible machines, and target names.
#include "test/runtime/Support.h"

#include "runtime/Isa.h"

#include <fstream>
#include <sstream>

using namespace sattn::rt;

namespace {
CpuFeatures amxMachine() {
  CpuFeatures f;
  f.leaf1Ecx = 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29;
  f.leaf7Ebx = 1u << 3 | 1u << 5 | 1u << 8 | 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
  f.leaf7Ecx = 1u << 11 | 1u << 14;
  f.leaf7Edx = 1u << 22 | 1u << 24 | 1u << 25;
  f.leaf71Eax = 1u << 5;
  f.extEcx = 1u << 5;
  f.xcr0 = 0x602e7;
  return f;
}
} // namespace

TEST_CASE("each level needs its features and the operating system") {
  CHECK(isaOf(CpuFeatures()) == Isa::Baseline);
  CHECK(isaOf(amxMachine()) == Isa::Amx);
  auto without = [](auto change) {
    CpuFeatures f = amxMachine();
    change(f);
    return isaOf(f);
  };
  for (int bit : {22, 24, 25})
    CHECK(without([&](CpuFeatures &f) { f.leaf7Edx &= ~(1u << bit); }) == Isa::Avx512Bf16);
  CHECK(without([](CpuFeatures &f) { f.xcr0 &= ~0x40000ull; }) == Isa::Avx512Bf16);
  CHECK(without([](CpuFeatures &f) { f.leaf71Eax = 0; }) == Isa::Avx512);
  for (int bit : {11, 14})
    CHECK(without([&](CpuFeatures &f) { f.leaf7Ecx &= ~(1u << bit); }) == Isa::Avx512);
  for (int bit : {16, 17, 28, 30})
    CHECK(without([&](CpuFeatures &f) { f.leaf7Ebx &= ~(1u << bit); }) == Isa::Avx2);
  CHECK(without([](CpuFeatures &f) { f.leaf7Ebx &= ~(1u << 31); }) == Isa::Avx2);
  CHECK(without([](CpuFeatures &f) { f.xcr0 &= ~0x20ull; }) == Isa::Avx2); // opmask not saved
  for (int bit : {12, 22, 27, 28, 29})
    CHECK(without([&](CpuFeatures &f) { f.leaf1Ecx &= ~(1u << bit); }) == Isa::Baseline);
  for (int bit : {3, 5, 8})
    CHECK(without([&](CpuFeatures &f) { f.leaf7Ebx &= ~(1u << bit); }) == Isa::Baseline);
  CHECK(without([](CpuFeatures &f) { f.xcr0 = 3; }) == Isa::Baseline);
  CHECK(without([](CpuFeatures &f) { f.extEcx = 0; }) == Isa::Baseline);
}

TEST_CASE("this machine agrees with /proc/cpuinfo") {
  std::ifstream stream("/proc/cpuinfo");
  std::string line, flags;
  while (flags.empty() && std::getline(stream, line))
    if (line.starts_with("flags"))
      flags = line + " ";
  REQUIRE_FALSE(flags.empty());
  auto has = [&](const char *flag) { return flags.find(std::string(" ") + flag + " ") != std::string::npos; };
  CHECK((detectIsa() >= Isa::Avx2) == (has("avx2") && has("fma") && has("bmi2") && has("f16c") && has("abm")));
  CHECK((detectIsa() >= Isa::Avx512) == (has("avx512f") && has("avx512bw") && has("avx512vl") && has("avx512dq")));
  CHECK((detectIsa() >= Isa::Avx512Bf16) == (has("avx512_bf16") && has("avx512_vnni") && has("avx512_vpopcntdq")));
}

TEST_CASE("names") {
  Isa isa;
  for (const char *name : {"cpu-baseline", "cpu-avx2", "cpu-avx512", "cpu-avx512-bf16", "cpu-amx"}) {
    REQUIRE(parseTarget(name, isa));
    CHECK(std::string(targetName(isa)) == name);
  }
  for (const char *name : {"", "cpu", "avx2", "cpu-AVX2", "sm_90a"})
    CHECK_FALSE(parseTarget(name, isa));
}

TEST_CASE("targets of requests") {
  Isa isa;
  CHECK_OK(resolveTarget("", Isa::Avx2, Isa::Avx512, isa));
  CHECK(isa == Isa::Avx2);
  CHECK_OK(resolveTarget("cpu", Isa::Avx512, Isa::Avx512, isa));
  CHECK(isa == Isa::Avx512);
  CHECK_OK(resolveTarget("cpu-baseline", Isa::Avx512, Isa::Avx512, isa));
  CHECK(isa == Isa::Baseline);
  CHECK_STATUS(resolveTarget("cpu-amx", Isa::Avx2, Isa::Avx512, isa), Err::TargetAboveMachine,
               "[SA0403] target 'cpu-amx' is above what this machine offers, 'cpu-avx512'");
  CHECK_STATUS(resolveTarget("sm_90a", Isa::Avx2, Isa::Avx512, isa), Err::UnknownTarget, "unknown target 'sm_90a'");
}

TEST_CASE("the operating system is asked for AMX only when AMX code comes") {
  for (Isa isa : {Isa::Baseline, Isa::Avx2, Isa::Avx512, Isa::Avx512Bf16})
    CHECK_OK(acquireIsa(isa));
  Status status = acquireIsa(Isa::Amx);
  if (detectIsa() < Isa::Amx)
    CHECK_STATUS(status, Err::AmxPermission, "does not let this process use AMX");
  else
    CHECK_OK(status);
}

// See Support.h.
#include "test/lib/ptx/Support.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace sattn::ptx::test {
namespace {
constexpr std::string_view Registers = R"(
  .reg .b16 %h<10>;
  .reg .b32 %r<10>, %a, %b, %c, %d, %lane, %tid;
  .reg .b64 %l<10>, %xa, %xb, %xc, %xd, %in, %out;
  .reg .pred %p, %q, %t;
)";

std::string module(std::string_view declarations, std::string_view body) {
  return fmt::format(R"(.version 8.0
.target sm_90a
.address_size 64
{}
.visible .entry snippet(.param .u64 in, .param .u64 out) {{
{}
  ld.param.u64 %in, [in];
  ld.param.u64 %out, [out];
  mov.u32 %lane, %laneid;
  mov.u32 %tid, %tid.x;
  mov.u32 %d, 0;
  mov.u64 %xd, 0;
{}
}})",
                     declarations, Registers, body);
}
} // namespace

Report launchText(std::string_view text, std::string_view entry, Device &device, const Launch &launch,
                  const Options &options) {
  Result<Module> parsed = Module::parse(text);
  REQUIRE_MESSAGE(parsed, parsed.error().format());
  Result<Kernel> kernel = parsed->entry(entry);
  REQUIRE_MESSAGE(kernel, kernel.error().format());
  Result<Report> report = run(*kernel, device, launch, options);
  REQUIRE_MESSAGE(report, report.error().format());
  return *report;
}

Outcome evaluate(std::string_view body, const Lanes &a, const Lanes &b, const Lanes &c) {
  std::string code = fmt::format(R"(
  mul.wide.u32 %l0, %lane, 8;
  add.u64 %l1, %in, %l0;
  ld.global.b64 %xa, [%l1];
  ld.global.b64 %xb, [%l1+256];
  ld.global.b64 %xc, [%l1+512];
  cvt.u32.u64 %a, %xa;
  cvt.u32.u64 %b, %xb;
  cvt.u32.u64 %c, %xc;
  {}
  mul.wide.u32 %l0, %lane, 8;
  add.u64 %l0, %out, %l0;
  st.global.b32 [%l0], %d;
  st.global.b64 [%l0+256], %xd;
  ret;)",
                                 body);
  std::vector<uint64_t> in, out(64);
  for (const Lanes *lanes : {&a, &b, &c})
    in.insert(in.end(), lanes->values.begin(), lanes->values.end());
  Device device;
  Launch launch{.block = {32}};
  launch.arguments.pointer(device.add("in", bytesOf(in), Contents::Defined))
      .pointer(device.add("out", bytesOf(out), Contents::Defined));
  Report report = launchText(module("", code), "snippet", device, launch);
  CHECK_MESSAGE(report.ok(), report.format());
  Outcome outcome;
  for (unsigned i = 0; i < 32; ++i) {
    outcome.d[i] = uint32_t(out[i]);
    outcome.xd[i] = out[32 + i];
  }
  return outcome;
}

uint32_t word(std::string_view body, uint64_t a, uint64_t b, uint64_t c) { return evaluate(body, a, b, c).d[0]; }
uint64_t wide(std::string_view body, uint64_t a, uint64_t b, uint64_t c) { return evaluate(body, a, b, c).xd[0]; }
float single(std::string_view body, float a, float b, float c) {
  auto bits = [](float x) { return std::bit_cast<uint32_t>(x); };
  return std::bit_cast<float>(word(body, bits(a), bits(b), bits(c)));
}
double real(std::string_view body, double a, double b, double c) {
  auto bits = [](double x) { return std::bit_cast<uint64_t>(x); };
  return std::bit_cast<double>(wide(body, bits(a), bits(b), bits(c)));
}

Report faultsOf(std::string_view body, uint32_t threads, std::string_view declarations, uint64_t seed) {
  std::vector<uint32_t> in(1024), out(1024);
  Device device;
  Launch launch{.block = {threads}};
  launch.arguments.pointer(device.add("in", bytesOf(in), Contents::Defined))
      .pointer(device.add("out", bytesOf(out), Contents::Undefined));
  return launchText(module(declarations, body), "snippet", device, launch, {.seed = seed});
}

bool has(const Report &report, FaultKind kind, std::string_view text) {
  for (const Fault &fault : report.faults)
    if (fault.kind == kind && fault.message.find(text) != std::string::npos)
      return true;
  return false;
}

std::string rejection(std::string_view body, std::string_view declarations) {
  Result<Module> parsed = Module::parse(module(declarations, body));
  if (!parsed)
    return parsed.error().format();
  Result<Kernel> kernel = parsed->entry("snippet");
  return kernel ? "" : kernel.error().format();
}

std::optional<std::string> compileCuda(std::string_view source, std::string_view arch, std::string &why) {
  if (std::system("command -v nvcc >/dev/null 2>&1") != 0) {
    why = "skipped: no nvcc in PATH";
    return std::nullopt;
  }
  std::string pattern = (std::filesystem::temp_directory_path() / "ptx-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()));
  std::filesystem::path folder(pattern);
  std::ofstream(folder / "k.cu") << source;
  std::string command = fmt::format("cd {} && nvcc -ptx -std=c++17 -arch={} k.cu -o k.ptx >log 2>&1", pattern, arch);
  int status = std::system(command.c_str());
  std::stringstream text;
  text << std::ifstream(folder / (status ? "log" : "k.ptx")).rdbuf();
  std::filesystem::remove_all(folder);
  REQUIRE_MESSAGE(status == 0, text.str());
  return text.str();
}

} // namespace sattn::ptx::test

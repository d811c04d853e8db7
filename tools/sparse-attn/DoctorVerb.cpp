// sparse-attn doctor: what was found on this machine, and whether a kernel can be compiled, cached and trusted.
#include "bench/peak.h"
#include "lib/nvidia/NvJitLink.h"
#include "lib/nvidia/Nvrtc.h"
#include "tools/sparse-attn/Engine.h"
#include "tools/sparse-attn/Oracle.h"
#include "tools/sparse-attn/Tolerance.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <sattn/compiler.h>

#include <nlohmann/json.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sched.h>
#include <unistd.h>

namespace sattn::tool {

namespace {
class Findings {
public:
  void found(const std::string &what, const std::string &text) { add(what, text, ""); }
  void problem(const std::string &what, const std::string &text, const std::string &remedy) {
    ++problems;
    add(what, text, remedy);
  }
  int report(bool json) const {
    if (json) {
      fmt::print("{}\n", nlohmann::ordered_json{{"problems", problems}, {"findings", items}}.dump());
      return problems ? 1 : 0;
    }
    for (const nlohmann::ordered_json &item : items) {
      bool bad = item.contains("remedy");
      fmt::print("{} {:10} {}\n", bad ? "!!" : "ok", item["what"].get<std::string>(), item["text"].get<std::string>());
      if (bad)
        fmt::print("              {}\n", item["remedy"].get<std::string>());
    }
    fmt::print("{}\n", problems ? fmt::format("{} problem{}", problems, problems == 1 ? "" : "s") : "no problems");
    return problems ? 1 : 0;
  }

private:
  void add(const std::string &what, const std::string &text, const std::string &remedy) {
    nlohmann::ordered_json item = {{"what", what}, {"text", text}};
    if (!remedy.empty())
      item["remedy"] = remedy;
    items.push_back(item);
  }
  nlohmann::ordered_json items = nlohmann::ordered_json::array();
  int problems = 0;
};
} // namespace

static std::string processorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "x86-64";
}

static void lookAtMachine(Findings &findings) {
  cpu_set_t set;
  int usable = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  findings.found("processor", processorName());
  findings.found("level", fmt::format("{} ({})", sattn_isa_detect(), bench::vectorLevelName(bench::vectorLevel())));
  findings.found("threads", fmt::format("{} of {} processors", usable, sysconf(_SC_NPROCESSORS_ONLN)));
  double pages = static_cast<double>(sysconf(_SC_PHYS_PAGES)), free = static_cast<double>(sysconf(_SC_AVPHYS_PAGES));
  double page = static_cast<double>(sysconf(_SC_PAGESIZE));
  findings.found("memory", fmt::format("{:.1f} GiB, {:.1f} GiB free", pages * page * 0x1p-30, free * page * 0x1p-30));
}

static void lookAtSoftware(Findings &findings) {
  findings.found("runtime", sattn_version());
  findings.found("compiler", sattn_compiler_build());
  for (const char *name : {"SATTN_CACHE_DIR", "SATTN_JIT", "SATTN_VERBOSE", "SATTN_LIBCUDA", "SATTN_CUDA_TOOLS"})
    if (const char *value = std::getenv(name))
      findings.found("setting", fmt::format("{}={}", name, value));
  std::vector<std::string> shipped = shippedNames();
  if (shipped.empty())
    findings.problem("patterns", "no shipped patterns beside the executable",
                     "give patterns by their path, or install again");
  else
    findings.found("patterns", fmt::format("{} in {}", shipped.size(), shippedFolder()));
}

/// A machine without a GPU is a sound machine: what is not there is no problem.
static void lookAtCuda(Findings &findings) {
  CudaFindings cuda = lookForCuda();
  findings.found("cuda", cuda.driver.empty() ? "none: " + cuda.absent : cuda.driver);
  for (const std::string &device : cuda.devices)
    findings.found("device", device);
  nvidia::NvJitLink linker;
  std::string problem;
  findings.found("nvJitLink", linker.open(problem) ? linker.description() : "none: " + problem);
  nvidia::Nvrtc nvrtc;
  findings.found("NVRTC", nvrtc.open(problem) ? nvrtc.description() : "none: " + problem);
}

static void lookAtCache(Findings &findings, const Engine &engine) {
  if (const char *path = sattn_cache_dir(engine.context()))
    findings.found("cache", path);
  else
    findings.problem("cache", "kernels stay in memory: the cache directory is not used (the warning above says why)",
                     "set SATTN_CACHE_DIR to a directory that is yours alone (mode 0700)");
}

static constexpr const char *probe =
    R"(sattn.pattern @doctor<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}
)";

/// Compiles a small causal pattern, runs it and compares it with the oracle.
static void lookAtKernels(Findings &findings) {
  Invocation call;
  call.file = {"doctor.mlir", probe};
  call.info = describe(call.file, "");
  generateOperands(call, {"T=100,Hq=2,Hkv=1,D=64"}, {});
  Engine engine({0, /*memoryOnly=*/true}, call.file.path);
  auto start = std::chrono::steady_clock::now();
  sattn_kernel *kernel = engine.get(call.file.text, call.bind());
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  BoundCall bound(engine, call, {});
  bound.run(kernel);
  Difference difference = compare(bound.results().of("o"), runOracle(call).front().values);
  double allowed = errorBound(call, Dtype::F32, difference.largest);
  std::string text =
      fmt::format("compiled in {:.0f} ms, max error {:.1e} (bound {:.1e})", seconds * 1e3, difference.error, allowed);
  if (difference.error <= allowed)
    findings.found("kernel", text);
  else
    findings.problem("kernel", text, "results of this machine cannot be trusted: please report it");
}

int doctor(bool json) {
  Findings findings;
  lookAtMachine(findings);
  lookAtSoftware(findings);
  lookAtCuda(findings);
  lookAtCache(findings, Engine({}));
  try {
    lookAtKernels(findings);
  } catch (const ToolError &error) {
    findings.problem("kernel", error.what(), "no kernel can be compiled or loaded here");
  }
  return findings.report(json);
}

} // namespace sattn::tool

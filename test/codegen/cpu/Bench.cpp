// Times the attention program beside the machine's FMA peak, measured in the same run and interleaved with it:
//   codegen-cpu-bench [d=64] [t=2048] [heads=8] [group=1] [window=0] [threads=1] [isa=cpu-avx512] [type=f32]
//   [rounds=15]
//     [select=0] [chunk=64] [compiles=1]
//     [clock=wall|cpu]
// Useful work is 4 * d * visible pairs; shares are medians of paired ratios.
#include "test/codegen/cpu/Attend.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <mutex>
#include <thread>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

// Seconds of the wall clock, or those that the threads of this process have run, for machines that others use too.
static bool useCpuTime = false;
static double now(int threads = 1) {
  if (useCpuTime) {
    timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec)) / threads;
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Twelve independent chains of float32 multiply-adds; returns operations.
static double chains(Isa isa, long trips) {
  if (isa == Isa::Avx512) {
    asm volatile(
        "1:\n"
        "vfmadd231ps %%zmm0,%%zmm1,%%zmm2\nvfmadd231ps %%zmm0,%%zmm1,%%zmm3\nvfmadd231ps %%zmm0,%%zmm1,%%zmm4\n"
        "vfmadd231ps %%zmm0,%%zmm1,%%zmm5\nvfmadd231ps %%zmm0,%%zmm1,%%zmm6\nvfmadd231ps %%zmm0,%%zmm1,%%zmm7\n"
        "vfmadd231ps %%zmm0,%%zmm1,%%zmm8\nvfmadd231ps %%zmm0,%%zmm1,%%zmm9\nvfmadd231ps %%zmm0,%%zmm1,%%zmm10\n"
        "vfmadd231ps %%zmm0,%%zmm1,%%zmm11\nvfmadd231ps %%zmm0,%%zmm1,%%zmm12\nvfmadd231ps %%zmm0,%%zmm1,%%zmm13\n"
        "dec %0\njnz 1b\n"
        : "+r"(trips)
        :
        : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
          "xmm12", "xmm13");
    return 12 * 32;
  }
  if (isa == Isa::Avx2) {
    asm volatile(
        "1:\n"
        "vfmadd231ps %%ymm0,%%ymm1,%%ymm2\nvfmadd231ps %%ymm0,%%ymm1,%%ymm3\nvfmadd231ps %%ymm0,%%ymm1,%%ymm4\n"
        "vfmadd231ps %%ymm0,%%ymm1,%%ymm5\nvfmadd231ps %%ymm0,%%ymm1,%%ymm6\nvfmadd231ps %%ymm0,%%ymm1,%%ymm7\n"
        "vfmadd231ps %%ymm0,%%ymm1,%%ymm8\nvfmadd231ps %%ymm0,%%ymm1,%%ymm9\nvfmadd231ps %%ymm0,%%ymm1,%%ymm10\n"
        "vfmadd231ps %%ymm0,%%ymm1,%%ymm11\nvfmadd231ps %%ymm0,%%ymm1,%%ymm12\nvfmadd231ps %%ymm0,%%ymm1,%%ymm13\n"
        "dec %0\njnz 1b\n"
        : "+r"(trips)
        :
        : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
          "xmm12", "xmm13");
    return 12 * 16;
  }
  asm volatile("1:\n"
               "mulps %%xmm0,%%xmm2\naddps %%xmm1,%%xmm8\nmulps %%xmm0,%%xmm3\naddps %%xmm1,%%xmm9\n"
               "mulps %%xmm0,%%xmm4\naddps %%xmm1,%%xmm10\nmulps %%xmm0,%%xmm5\naddps %%xmm1,%%xmm11\n"
               "mulps %%xmm0,%%xmm6\naddps %%xmm1,%%xmm12\nmulps %%xmm0,%%xmm7\naddps %%xmm1,%%xmm13\n"
               "dec %0\njnz 1b\n"
               : "+r"(trips)
               :
               : "cc", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                 "xmm13");
  return 12 * 4;
}

static double peak(Isa isa, int threads) {
  double total = 0;
  std::mutex mutex;
  auto work = [&] {
    double start = now(threads), flops = 0, took = 0;
    while (took < 0.01) {
      flops += chains(isa, 20000) * 20000;
      took = now(threads) - start;
    }
    std::lock_guard<std::mutex> lock(mutex);
    total += flops / took;
  };
  std::vector<std::thread> workers;
  for (int i = 1; i < threads; ++i)
    workers.emplace_back(work);
  work();
  for (std::thread &worker : workers)
    worker.join();
  return total * 1e-9;
}

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int main(int argc, char **argv) {
  std::map<std::string, std::string> options = {
      {"d", "64"},       {"dv", "0"},      {"t", "2048"},         {"heads", "8"},    {"group", "1"},
      {"window", "0"},   {"threads", "1"}, {"isa", "cpu-avx512"}, {"type", "f32"},   {"select", "0"},
      {"compiles", "1"}, {"chunk", "64"},  {"rounds", "15"},      {"clock", "wall"}, {"dump", ""}};
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    size_t equals = argument.find('=');
    if (equals == std::string::npos || options.count(argument.substr(0, equals)) == 0) {
      std::fprintf(stderr, "unknown argument '%s'\n", argv[i]);
      return 2;
    }
    options[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
  auto number = [&](const char *name) { return std::atoll(options[name].c_str()); };
  auto isa = parseTarget(options["isa"]);
  if (sattn::failed(isa) || !runs(*isa)) {
    std::fprintf(stderr, "this machine does not run '%s'\n", options["isa"].c_str());
    return 2;
  }
  AttendSpec spec;
  spec.d = number("d");
  spec.dv = number("dv") ? number("dv") : spec.d;
  spec.group = number("group");
  spec.type = options["type"];
  spec.width = sattn::cpu::targetInfo(*isa).keyLayout.width;
  int threads = static_cast<int>(number("threads"));
  useCpuTime = options["clock"] == "cpu";

  CodegenOptions codegen;
  codegen.keepAssembly = codegen.keepLlvmIr = !options["dump"].empty();
  std::string error;
  SelectedSpec selectedSpec{spec.d, spec.group, number("select"), number("chunk"), spec.width};
  bool isSelected = selectedSpec.count != 0;
  std::string text = isSelected ? selectedProgram(selectedSpec) : attendProgram(spec);
  std::vector<double> compileTimes;
  for (long i = 1; i < number("compiles"); ++i) {
    double start = now();
    (void)Program::compile(text, *isa, error, codegen);
    compileTimes.push_back(now() - start);
  }
  double start = now();
  auto program = Program::compile(text, *isa, error, codegen);
  compileTimes.push_back(now() - start);
  double compile = median(compileTimes);
  if (!program) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }
  if (codegen.keepAssembly)
    for (auto [suffix, text] : {std::pair<const char *, std::string>{".s", program->code.assembly},
                                {".ll", program->code.llvmIr},
                                {".so", {program->code.object.begin(), program->code.object.end()}}}) {
      FILE *file = std::fopen((options["dump"] + suffix).c_str(), "w");
      std::fwrite(text.data(), 1, text.size(), file);
      std::fclose(file);
    }
  std::printf("compiled in %.0f ms, object %zu bytes, scratch of attend %ld\n", compile * 1e3,
              program->code.object.size(), static_cast<long>(program->code.kernels.back().scratchBytes));

  AttendCall call(spec, 1, number("t"), number("t"), number("heads"));
  if (number("window"))
    call.window = number("window");
  double flops = 2.0 * static_cast<double>(spec.d + spec.dv) * call.pairs() * static_cast<double>(call.q.heads);
  std::unique_ptr<SelectedCall> selected;
  if (isSelected) {
    selected = std::make_unique<SelectedCall>(selectedSpec, number("t"), number("heads"));
    flops = 4.0 * static_cast<double>(spec.d) * selected->pairs() * static_cast<double>(call.q.heads);
  }
  AttendCall &operands = selected ? selected->base : call;
  auto attend = [&] { selected ? selected->run(*program, threads) : call.attend(*program, threads); };
  operands.pack(*program, threads);
  attend();
  std::vector<double> shares, packShares, speeds, times;
  for (long round = 0; round < number("rounds"); ++round) {
    double before = peak(*isa, threads);
    double t0 = now(threads);
    operands.pack(*program, threads);
    double t1 = now(threads);
    attend();
    double t2 = now(threads);
    double after = peak(*isa, threads), both = (before + after) / 2;
    shares.push_back(flops / (t2 - t0) * 1e-9 / both);
    packShares.push_back((t1 - t0) / (t2 - t0));
    speeds.push_back(both);
    times.push_back((t2 - t0) * 1e3);
  }
  std::printf("%s %s d=%ld t=%ld heads=%ld window=%ld threads=%d: share of peak %.3f (attend alone %.3f), best %.3f; "
              "%.2f ms, pack %.1f %%, peak %.1f GFLOP/s, error %.2g\n",
              options["isa"].c_str(), spec.type.c_str(), static_cast<long>(spec.d), static_cast<long>(call.q.positions),
              static_cast<long>(call.q.heads), static_cast<long>(number("window")), threads, median(shares),
              median(shares) / (1 - median(packShares)), *std::max_element(shares.begin(), shares.end()), median(times),
              100 * median(packShares), median(speeds), operands.error(997));
}

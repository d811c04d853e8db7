// sparse-attn bench: times one kernel on generated operands, beside what the machine can do at that moment.
#include "bench/peak.h"
#include "tools/sparse-attn/Engine.h"
#include "tools/sparse-attn/Oracle.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <nlohmann/json.hpp>
#include <algorithm>
#include <chrono>
#include <sched.h>
#include <thread>

namespace sattn::tool {

using Clock = std::chrono::steady_clock;

static constexpr double peakSeconds = 0.02;              // of each measurement of the peak
static constexpr size_t streamBytes = size_t(256) << 20; // far beyond the caches

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

static int availableThreads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

namespace {
struct Timings {
  std::vector<double> seconds, flops, bytes; ///< of each repeat: the run, the peak and the bandwidth beside it
};
} // namespace

/// One peak, one run, in turn, so that each run has the peak of its moment.
static Timings measure(BoundCall &bound, sattn_kernel *kernel, int threads, int repeat) {
  bench::ReadBandwidth stream(streamBytes);
  Timings timings;
  Clock::time_point start = Clock::now();
  bound.run(kernel); // warm-up: pages of the workspace, caches, frequency
  double once = secondsSince(start);
  if (repeat == 0)
    repeat = std::clamp(static_cast<int>(1.5 / std::max(once, 1e-3)), 3, 25);
  for (int i = 0; i < repeat; ++i) {
    timings.flops.push_back(bench::flopsPerSecond(threads, peakSeconds));
    start = Clock::now();
    bound.run(kernel);
    timings.seconds.push_back(secondsSince(start));
    timings.bytes.push_back(stream.bytesPerSecond(threads));
  }
  return timings;
}

static std::vector<double> ratios(double amount, const std::vector<double> &seconds, const std::vector<double> &rates) {
  std::vector<double> shares;
  for (size_t i = 0; i < seconds.size(); ++i)
    shares.push_back(amount / seconds[i] / rates[i]);
  return shares;
}

static std::string sizesText(const Invocation &call) {
  std::string text = fmt::format("B={}", call.size("B"));
  for (const auto &[axis, size] : call.sizes)
    if (axis != "B")
      text += fmt::format(",{}={}", axis, size);
  return text;
}

int bench(const CompareOptions &options) {
  Invocation call = openPattern(options);
  Dtype dtype = parseOperandDtype(options.dtype);
  int threads = options.threads > 0 ? options.threads : availableThreads();
  if (options.args.empty())
    generateOperands(call, {options.shape, dtype, options.seed}, options);
  else
    readOperands(call, options);
  UsefulWork work = usefulWork(call);

  // A context without a disk cache, so that the kernel is compiled here and now.
  Engine engine({threads, /*memoryOnly=*/true}, call.file.path);
  std::string target = checkTarget(options.target);
  Clock::time_point start = Clock::now();
  sattn_kernel *kernel = engine.get(call.file.text, call.bind(), target);
  double compileSeconds = secondsSince(start);
  BoundCall bound(call, {}, threads);
  Timings timings = measure(bound, kernel, threads, options.repeat);

  double seconds = median(timings.seconds), peak = median(timings.flops), bandwidth = median(timings.bytes);
  double share = median(ratios(work.flops, timings.seconds, timings.flops));
  double bandwidthShare = median(ratios(work.bytes, timings.seconds, timings.bytes));
  auto [fastest, slowest] = std::minmax_element(timings.seconds.begin(), timings.seconds.end());
  if (options.json) {
    nlohmann::ordered_json report = {{"pattern", call.info.name},
                                     {"shape", sizesText(call)},
                                     {"dtype", dtypeName(call.inputDtype())},
                                     {"target", sattn_kernel_target(kernel)},
                                     {"threads", threads},
                                     {"seed", options.seed},
                                     {"repeat", timings.seconds.size()},
                                     {"compile_ms", compileSeconds * 1e3},
                                     {"run_ms", seconds * 1e3},
                                     {"run_ms_min", *fastest * 1e3},
                                     {"run_ms_max", *slowest * 1e3},
                                     {"useful_flops", work.flops},
                                     {"useful_pairs", work.pairs},
                                     {"work_sampled", work.sampled},
                                     {"work_at_most", work.atMost},
                                     {"useful_gflops", work.flops / seconds * 1e-9},
                                     {"peak_gflops", peak * 1e-9},
                                     {"peak_share", share},
                                     {"useful_bytes", work.bytes},
                                     {"read_gbps", work.bytes / seconds * 1e-9},
                                     {"bandwidth_gbps", bandwidth * 1e-9},
                                     {"bandwidth_share", bandwidthShare}};
    fmt::print("{}\n", report.dump());
    return 0;
  }
  fmt::print("{} {} {} on {}, {} thread{}\n", call.info.name, sizesText(call), dtypeName(call.inputDtype()),
             sattn_kernel_target(kernel), threads, threads == 1 ? "" : "s");
  fmt::print("  compile   {:9.1f} ms, from text to loaded kernel\n", compileSeconds * 1e3);
  fmt::print("  run       {:9.3f} ms, median of {} ({:.3f} to {:.3f})\n", seconds * 1e3, timings.seconds.size(),
             *fastest * 1e3, *slowest * 1e3);
  fmt::print("  useful    {:9.1f} GFLOP/s, {:.0f} % of the {:.0f} GFLOP/s of {} measured beside it{}\n",
             work.flops / seconds * 1e-9, 100 * share, peak * 1e-9, bench::vectorLevelName(bench::vectorLevel()),
             work.atMost    ? " (at most: a table or a threshold decides)"
             : work.sampled ? " (work counted on sampled rows)"
                            : "");
  fmt::print("  reads     {:9.2f} GB/s, {:.0f} % of the {:.1f} GB/s of sequential reads measured beside it\n",
             work.bytes / seconds * 1e-9, 100 * bandwidthShare, bandwidth * 1e-9);
  return 0;
}

} // namespace sattn::tool

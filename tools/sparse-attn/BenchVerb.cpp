// sparse-attn bench: times one kernel on generated operands, beside what the machine can do at that moment.
#include "bench/peak.h"
#include "tools/sparse-attn/Engine.h"
#include "tools/sparse-attn/Oracle.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <nlohmann/json.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
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

static std::vector<double> ratios(double amount, const std::vector<double> &seconds, const std::vector<double> &rates) {
  std::vector<double> shares;
  for (size_t i = 0; i < seconds.size(); ++i)
    shares.push_back(amount / seconds[i] / rates[i]);
  return shares;
}

namespace {
/// A pattern with its operands, its kernel and the time of each run.
struct Contender {
  Invocation call;
  UsefulWork work;
  Engine engine; ///< without a disk cache, so that the kernel is compiled here and now
  sattn_kernel *kernel;
  double compileSeconds;
  std::unique_ptr<BoundCall> bound;
  std::vector<double> seconds;

  /// A rival that makes nothing which calls could keep runs without it.
  Contender(const CompareOptions &options, int threads, bool isRival = false);
  double timeOnce() { return bound->time(kernel); }
  bool isOnDevice() const { return engine.cudaDevice() >= 0; }
};

/// What the machine could do beside each run; nothing of a device, which is not measured.
struct Machine {
  std::vector<double> flops, bytes;
};
} // namespace

static Invocation prepare(const CompareOptions &options) {
  Invocation call = openPattern(options);
  Dtype dtype = parseOperandDtype(options.dtype);
  if (options.args.empty())
    generateOperands(call, {options.shape, dtype, options.seed}, options);
  else
    readOperands(call, options);
  return call;
}

Contender::Contender(const CompareOptions &options, int threads, bool isRival)
    : call(prepare(options)), work(usefulWork(call)),
      engine({threads, /*memoryOnly=*/true, options.target}, call.file.path) {
  Clock::time_point start = Clock::now();
  kernel = isRival ? engine.getKeeping(call) : engine.get(call.file.text, call.bind());
  compileSeconds = secondsSince(start);
  bound = std::make_unique<BoundCall>(engine, call, std::vector<std::string>{}, threads);
  bound->keep(kernel, call);
}

/// One peak, one run of each, in turn, so that each run has the peak and the rival of its moment.
static Machine measure(Contender &first, Contender *rival, int threads, int repeat) {
  Machine machine;
  std::optional<bench::ReadBandwidth> stream;
  if (!first.isOnDevice())
    stream.emplace(streamBytes);
  double once = first.timeOnce(); // warm-up: pages of the workspace, caches, frequency
  if (rival)
    once += rival->timeOnce();
  if (repeat == 0)
    repeat = std::clamp(static_cast<int>(1.5 / std::max(once, 1e-3)), 3, 25);
  for (int i = 0; i < repeat; ++i) {
    if (stream)
      machine.flops.push_back(bench::flopsPerSecond(threads, peakSeconds));
    first.seconds.push_back(first.timeOnce());
    if (rival)
      rival->seconds.push_back(rival->timeOnce());
    if (stream)
      machine.bytes.push_back(stream->bytesPerSecond(threads));
  }
  return machine;
}

static std::string sizesText(const Invocation &call) {
  std::string text = fmt::format("B={}", call.size("B"));
  for (const auto &[axis, size] : call.sizes)
    if (axis != "B")
      text += fmt::format(",{}={}", axis, size);
  return text;
}

namespace {
struct Spread {
  double middle, least, most;
  explicit Spread(const std::vector<double> &values)
      : middle(median(values)), least(*std::min_element(values.begin(), values.end())),
        most(*std::max_element(values.begin(), values.end())) {}
};

/// How much faster the first is than its rival, pair by pair, and how much faster it could be by its work alone.
struct Comparison {
  Spread speedup;
  double bound;
  Comparison(const Contender &first, const Contender &rival)
      : speedup(quotients(rival.seconds, first.seconds)), bound(rival.work.flops / first.work.flops) {}

private:
  static std::vector<double> quotients(const std::vector<double> &over, const std::vector<double> &under) {
    std::vector<double> result;
    for (size_t i = 0; i < over.size(); ++i)
      result.push_back(over[i] / under[i]);
    return result;
  }
};

/// The figures of one contender beside the machine's, where these were measured.
struct Figures {
  Spread run;
  bool measured;
  double flops = 0, bandwidth = 0, share = 0, bandwidthShare = 0; ///< per second, and medians of the shares run by run
  Figures(const Contender &of, const Machine &machine) : run(of.seconds), measured(!machine.flops.empty()) {
    if (!measured)
      return;
    flops = median(machine.flops);
    bandwidth = median(machine.bytes);
    share = median(ratios(of.work.flops, of.seconds, machine.flops));
    bandwidthShare = median(ratios(of.work.bytes, of.seconds, machine.bytes));
  }
};
} // namespace

static void printJson(const Contender &first, const Contender *rival, const Figures &figures, int threads,
                      uint64_t seed) {
  const UsefulWork &work = first.work;
  nlohmann::ordered_json report = {{"pattern", first.call.info.name},
                                   {"shape", sizesText(first.call)},
                                   {"dtype", dtypeName(first.call.inputDtype())},
                                   {"target", sattn_kernel_target(first.kernel)},
                                   {"threads", threads},
                                   {"seed", seed},
                                   {"repeat", first.seconds.size()},
                                   {"compile_ms", first.compileSeconds * 1e3},
                                   {"run_ms", figures.run.middle * 1e3},
                                   {"run_ms_min", figures.run.least * 1e3},
                                   {"run_ms_max", figures.run.most * 1e3},
                                   {"useful_flops", work.flops},
                                   {"useful_pairs", work.pairs},
                                   {"work_sampled", work.sampled},
                                   {"work_at_most", work.atMost},
                                   {"useful_gflops", work.flops / figures.run.middle * 1e-9},
                                   {"useful_bytes", work.bytes},
                                   {"read_gbps", work.bytes / figures.run.middle * 1e-9}};
  if (figures.measured) {
    report["peak_gflops"] = figures.flops * 1e-9;
    report["peak_share"] = figures.share;
    report["bandwidth_gbps"] = figures.bandwidth * 1e-9;
    report["bandwidth_share"] = figures.bandwidthShare;
  }
  if (rival) {
    Comparison comparison(first, *rival);
    report["against"] = {{"pattern", rival->call.info.name},       {"shape", sizesText(rival->call)},
                         {"run_ms", median(rival->seconds) * 1e3}, {"useful_flops", rival->work.flops},
                         {"speedup", comparison.speedup.middle},   {"speedup_min", comparison.speedup.least},
                         {"speedup_max", comparison.speedup.most}, {"speedup_bound", comparison.bound}};
  }
  fmt::print("{}\n", report.dump());
}

static void printText(const Contender &first, const Contender *rival, const Figures &figures, int threads) {
  const UsefulWork &work = first.work;
  std::string workers = first.isOnDevice() ? fmt::format("cuda:{}", first.engine.cudaDevice())
                                           : fmt::format("{} thread{}", threads, threads == 1 ? "" : "s");
  fmt::print("{} {} {} on {}, {}\n", first.call.info.name, sizesText(first.call), dtypeName(first.call.inputDtype()),
             sattn_kernel_target(first.kernel), workers);
  fmt::print("  compile   {:9.1f} ms, from text to loaded kernel\n", first.compileSeconds * 1e3);
  fmt::print("  run       {:9.3f} ms, median of {} ({:.3f} to {:.3f})\n", figures.run.middle * 1e3,
             first.seconds.size(), figures.run.least * 1e3, figures.run.most * 1e3);
  std::string beside, besideReads;
  if (figures.measured) {
    beside = fmt::format(", {:.0f} % of the {:.0f} GFLOP/s of {} measured beside it", 100 * figures.share,
                         figures.flops * 1e-9, bench::vectorLevelName(bench::vectorLevel()));
    besideReads = fmt::format(", {:.0f} % of the {:.1f} GB/s of sequential reads measured beside it",
                              100 * figures.bandwidthShare, figures.bandwidth * 1e-9);
  }
  fmt::print("  useful    {:9.1f} GFLOP/s{}{}\n", work.flops / figures.run.middle * 1e-9, beside,
             work.atMost    ? " (at most: a table or a threshold decides)"
             : work.sampled ? " (work counted on sampled rows)"
                            : "");
  fmt::print("  reads     {:9.2f} GB/s{}\n", work.bytes / figures.run.middle * 1e-9, besideReads);
  if (rival) {
    Comparison comparison(first, *rival);
    fmt::print("  against   {:9.3f} ms of {}: {:.2f}x as fast ({:.2f} to {:.2f}); by useful work alone {:.2f}x\n",
               median(rival->seconds) * 1e3, rival->call.info.name, comparison.speedup.middle, comparison.speedup.least,
               comparison.speedup.most, comparison.bound);
  }
}

int bench(const CompareOptions &options) {
  int threads = options.threads > 0 ? options.threads : availableThreads();
  Contender first(options, threads);
  std::unique_ptr<Contender> rival;
  if (!options.against.empty()) {
    CompareOptions other = options;
    other.pattern = options.against;
    keepWordsOf(other, other.shape);
    rival = std::make_unique<Contender>(other, threads, /*isRival=*/true);
  }
  Machine machine = measure(first, rival.get(), threads, options.repeat);
  Figures figures(first, machine);
  if (options.json)
    printJson(first, rival.get(), figures, threads, options.seed);
  else
    printText(first, rival.get(), figures, threads);
  return 0;
}

} // namespace sattn::tool

// sparse-attn bench --sweep: whether the compiler's choice of a dataflow was the right one. For each pattern and shape
// of a grid the kernel as it is chosen runs in turn with one kernel for every dataflow that the pattern has, bound to
// it, and with causal attention to all keys.
#include "tools/sparse-attn/Engine.h"
#include "tools/sparse-attn/Oracle.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <nlohmann/json.hpp>
#include <algorithm>
#include <limits>
#include <memory>
#include <set>
#include <string_view>

namespace sattn::tool {

using Json = nlohmann::ordered_json;

// What a median of some runs in turn cannot tell apart on a machine that does other things too.
static constexpr double tieTolerance = 0.03;
static constexpr double denseTolerance = 0.10;
static constexpr double shapeSeconds = 1.5; // of timed runs of one shape, once each way has run three times
static constexpr int leastRounds = 3, mostRounds = 15;
// A way that is slower than this many times the fastest is not run again.
static constexpr double hopeless = 2;

static constexpr const char *sweptPatterns[] = {"causal", "window", "nsa", "moba", "quest", "hsa"};
static constexpr const char *sweptHeads[] = {"Hq=8,Hkv=8,D=64", "Hq=16,Hkv=2,D=128"};
static constexpr const char *sweptCalls[] = {"T=1024", "T=4096", "T=16384,Tq=64", "T=16384,Tq=16", "T=32768,Tq=1"};
static constexpr const char *dataflows[] = {"inverted", "masked", "listed", "lists", "gathered", "split", "range"};
static constexpr const char *densePattern = "causal";

namespace {
/// One kernel and its operands, which kernels of one pattern share.
struct Way {
  std::string name;
  sattn_kernel *kernel;
  BoundCall *call;
  std::vector<double> seconds = {};
  bool isHopeless = false;
};

struct Outcome {
  std::string pattern, shape, chosen, fastest;
  double milliseconds = 0;                                 ///< of the chosen way
  std::vector<std::pair<std::string, double>> ratios = {}; ///< chosen way's time by that of every other
  double worst = 1;                                        ///< the largest of them, 1 at least
  double dense = 0, denseWork = 0; ///< the same by dense attention, in time and useful work; 0: is dense
  bool isFastest() const { return worst <= 1 + tieTolerance; }
  bool isBehindDense() const { return dense > 1 + denseTolerance; }
};

/// A pattern on one shape.
struct Subject {
  Invocation call;
  std::unique_ptr<BoundCall> bound;
  Subject(Engine &engine, const CompareOptions &options);
};
} // namespace

Subject::Subject(Engine &engine, const CompareOptions &options) : call(openPattern(options)) {
  generateOperands(call, {options.shape, parseOperandDtype(options.dtype), options.seed}, options);
  bound = std::make_unique<BoundCall>(engine, call, std::vector<std::string>{}, options.threads);
}

// The dataflow of the kernels that the call launches.
static std::string chosenWay(sattn_kernel *kernel, const BoundCall &bound) {
  char *text = nullptr;
  check(sattn_explain_json(kernel, bound.get(), &text));
  Json facts = Json::parse(text);
  sattn_free(text);
  std::set<std::string> launched, kinds;
  for (const Json &launch : facts["call"]["launches"])
    launched.insert(launch["kernel"]);
  for (const Json &choice : facts["choices"])
    if (launched.count(choice["kernel"]))
      kinds.insert(choice["kind"]);
  // Copies for tasks of fewer rows, split_8 and split_4, stand for the kernel that the choice names.
  for (const std::string &kernel : launched)
    if (kernel.rfind("split", 0) == 0)
      kinds.insert("split");
  for (const char *kind : dataflows)
    if (kinds.count(kind))
      return kind;
  return "range";
}

// A kernel for every dataflow that the pattern has. Behind a cache summaries of keys are kept, as an engine does.
static std::vector<Way> waysOf(Engine &engine, Subject &subject) {
  Invocation &call = subject.call;
  call.keepSummaries = call.size("t") < call.size("s");
  sattn_kernel *chosen = engine.getKeeping(call);
  subject.bound->keep(chosen, call);
  std::vector<Way> ways{{chosenWay(chosen, *subject.bound), chosen, subject.bound.get()}};
  for (const char *kind : dataflows) {
    call.dataflow = kind;
    sattn_kernel *kernel = kind == ways.front().name ? nullptr : engine.find(call.file.text, call.bind());
    if (kernel)
      ways.push_back({kind, kernel, subject.bound.get()});
  }
  call.dataflow.clear();
  return ways;
}

// In turn, so that all ways have the machine of the same moments.
static void measure(std::vector<Way> &ways) {
  for (Way &way : ways)
    way.call->time(way.kernel); // pages of the workspace, caches, frequency
  double total = 0;
  for (int round = 0; round < mostRounds && (round < leastRounds || total < shapeSeconds); ++round) {
    double fastest = std::numeric_limits<double>::infinity();
    for (Way &way : ways)
      if (!way.isHopeless) {
        way.seconds.push_back(way.call->time(way.kernel));
        total += way.seconds.back();
        fastest = std::min(fastest, way.seconds.back());
      }
    for (Way &way : ways) // the chosen one is what all are compared with
      way.isHopeless |= &way != &ways.front() && way.seconds.back() > hopeless * fastest;
  }
}

static double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Median over the rounds that both ran in.
static double timeRatio(const Way &over, const Way &under) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(over.seconds.size(), under.seconds.size()); ++i)
    ratios.push_back(over.seconds[i] / under.seconds[i]);
  return median(ratios);
}

static Outcome sweepShape(Engine &engine, const CompareOptions &options) {
  Subject subject(engine, options);
  std::vector<Way> ways = waysOf(engine, subject);
  size_t own = ways.size();
  CompareOptions denseOptions = options;
  denseOptions.pattern = densePattern;
  keepWordsOf(denseOptions, denseOptions.shape);
  std::unique_ptr<Subject> dense;
  if (subject.call.info.name != densePattern) {
    dense = std::make_unique<Subject>(engine, denseOptions);
    ways.push_back({"dense", engine.get(dense->call.file.text, dense->call.bind()), dense->bound.get()});
  }
  measure(ways);

  Outcome outcome{subject.call.info.name, options.shape, ways.front().name, ways.front().name};
  outcome.milliseconds = median(ways.front().seconds) * 1e3;
  for (size_t i = 1; i < own; ++i) {
    double ratio = timeRatio(ways.front(), ways[i]);
    outcome.ratios.push_back({ways[i].name, ratio});
    if (ratio > outcome.worst) {
      outcome.worst = ratio;
      outcome.fastest = ways[i].name;
    }
  }
  if (dense) {
    outcome.dense = timeRatio(ways.front(), ways.back());
    outcome.denseWork = usefulWork(subject.call).flops / std::max(usefulWork(dense->call).flops, 1.0);
  }
  return outcome;
}

static std::vector<std::string> split(const std::string &list) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= list.size(); at = std::min(list.find(',', at), list.size()) + 1)
    words.push_back(list.substr(at, list.find(',', at) - at));
  return words;
}

static std::vector<CompareOptions> grid(const CompareOptions &options) {
  std::vector<std::string> patterns(std::begin(sweptPatterns), std::end(sweptPatterns)), shapes{options.shape};
  if (!options.pattern.empty())
    patterns = split(options.pattern);
  if (options.shape.empty()) {
    shapes.clear();
    for (const char *call : sweptCalls)
      for (const char *heads : sweptHeads)
        shapes.push_back(fmt::format("{},{}", call, heads));
  }
  std::vector<CompareOptions> points;
  for (const std::string &pattern : patterns)
    for (const std::string &shape : shapes) {
      points.push_back(options);
      points.back().pattern = pattern;
      points.back().shape = shape;
    }
  return points;
}

static std::string ratiosText(const Outcome &outcome) {
  std::string text;
  for (const auto &[name, ratio] : outcome.ratios)
    text += fmt::format("{}{} {:.2f}", text.empty() ? "" : ", ", name, ratio);
  return text.empty() ? "-" : text;
}

static Json toJson(const Outcome &outcome) {
  Json ratios = Json::object();
  for (const auto &[name, ratio] : outcome.ratios)
    ratios[name] = ratio;
  Json fields = {{"pattern", outcome.pattern},     {"shape", outcome.shape}, {"chosen", outcome.chosen},
                 {"run_ms", outcome.milliseconds}, {"by_time_of", ratios},   {"fastest", outcome.fastest}};
  if (outcome.dense > 0) {
    fields["by_time_of_dense"] = outcome.dense;
    fields["by_work_of_dense"] = outcome.denseWork;
  }
  return fields;
}

int sweep(const CompareOptions &options) {
  Engine engine({options.threads, /*memoryOnly=*/true, options.target}, "");
  std::vector<Outcome> outcomes;
  if (!options.json)
    fmt::print("{:<12} {:<32} {:<9} {:>10}  {:<28} {:>9} {:>8}\n", "pattern", "shape", "chosen", "ms",
               "its time by that of others", "by dense", "its work");
  for (const CompareOptions &point : grid(options)) {
    const Outcome &outcome = outcomes.emplace_back(sweepShape(engine, point));
    if (options.json)
      continue;
    std::string dense = outcome.dense > 0 ? fmt::format("{:9.2f} {:8.2f}", outcome.dense, outcome.denseWork) : "";
    fmt::print("{:<12} {:<32} {:<9} {:10.3f}  {:<28} {}{}{}\n", outcome.pattern, outcome.shape, outcome.chosen,
               outcome.milliseconds, ratiosText(outcome), dense, outcome.isFastest() ? "" : "  not the fastest",
               outcome.isBehindDense() ? "  behind dense" : "");
    std::fflush(stdout);
  }
  auto count = [&](auto &&is) { return std::count_if(outcomes.begin(), outcomes.end(), is); };
  auto fastest = count([](const Outcome &o) { return o.isFastest(); });
  auto behind = count([](const Outcome &o) { return o.isBehindDense(); });
  auto behindByWork = count([](const Outcome &o) { return o.isBehindDense() && o.denseWork > 1; });
  double share = 100.0 * static_cast<double>(fastest) / static_cast<double>(outcomes.size());
  if (options.json) {
    Json report = {{"tolerance", tieTolerance}, {"fastest", fastest},           {"of", outcomes.size()},
                   {"behind_dense", behind},    {"of_more_work", behindByWork}, {"shapes", Json::array()}};
    for (const Outcome &outcome : outcomes)
      report["shapes"].push_back(toJson(outcome));
    fmt::print("{}\n", report.dump());
    return 0;
  }
  fmt::print("the chosen dataflow was the fastest in {} of {} ({:.0f} %), {:.0f} % apart counting as equal\n", fastest,
             outcomes.size(), share, 100 * tieTolerance);
  fmt::print("slower than dense by more than {:.0f} %: {}, of which {} have more useful work than dense\n",
             100 * denseTolerance, behind, behindByWork);
  return 0;
}

} // namespace sattn::tool

// sparse-attn explain: what the compiler chose for a pattern and why, and what one call of it does: the key and where
// the kernel comes from, its plan, launches and workspaces, the key tiles of each kernel, and the work that the pattern
// asks for. All but the work and the verdict comes from the runtime, which reads it from the artefact.
#include "tools/sparse-attn/Engine.h"
#include "tools/sparse-attn/Oracle.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sattn::tool {

using Json = nlohmann::ordered_json;

static std::string taken(char *text) {
  std::string copy = text ? text : "";
  sattn_free(text);
  return copy;
}

namespace {
/// Useful work, and what the kernels visit for it.
struct WorkReport {
  UsefulWork work;
  double keysPerRow = 0;     ///< visible or selected keys of a query row and head, all attentions together
  double tiledPerUseful = 0; ///< pairs that the visited tiles have room for; 0 where a selection decides
  double tilesPerRow = 0;    ///< key tiles that a query row and head meet in all attentions; 0 where nobody knows
  bool tilesAtMost = false;
};
} // namespace

/// Tiles that attention visits, those of scores that choose left out: their rows are those of other heads.
static void countTiles(WorkReport &report, double rows, const Json &kernel) {
  auto attends = [&](const Json &stream) {
    return std::any_of(kernel["choices"].begin(), kernel["choices"].end(), [&](const Json &choice) {
      return choice["op"] == "sattn.accumulate" && choice["kernel"] == stream["kernel"] &&
             choice.value("line", 0) == stream.value("line", -1);
    });
  };
  double tileRows = 0;
  for (const Json &stream : kernel["call"]["tiles"]) {
    if (!stream.contains("tile") || !attends(stream))
      continue;
    if (stream.contains("unknown"))
      return;
    report.tilesAtMost |= !stream.contains("visited");
    tileRows +=
        stream[stream.contains("visited") ? "visited" : "at_most"].get<double>() * stream["tile"][0].get<double>();
  }
  report.tilesPerRow = rows > 0 ? tileRows / rows : 0;
}

static WorkReport reportWork(const Invocation &call, const Json &kernel) {
  WorkReport report{usefulWork(call)};
  double rows = static_cast<double>((call.cuQ.empty() ? call.size("B") : 1) * call.size("t") * call.size("h"));
  report.keysPerRow = rows > 0 ? report.work.pairs / rows : 0;
  if (kernel.contains("choices"))
    countTiles(report, rows, kernel);
  double tiled = 0;
  for (const Json &stream : kernel["call"]["tiles"]) {
    if (!stream.contains("visited") || !stream.contains("tile"))
      return report;
    tiled += stream["visited"].get<double>() * stream["tile"][0].get<double>() * stream["tile"][1].get<double>();
  }
  report.tiledPerUseful = report.work.pairs > 0 && !report.work.atMost ? tiled / report.work.pairs : 0;
  return report;
}

static Json workJson(const WorkReport &report) {
  Json fields = {{"keys_per_row", report.keysPerRow}, {"useful_pairs", report.work.pairs},
                 {"useful_flops", report.work.flops}, {"useful_bytes", report.work.bytes},
                 {"sampled", report.work.sampled},    {"at_most", report.work.atMost}};
  if (report.tiledPerUseful > 0)
    fields["tiled_per_useful"] = report.tiledPerUseful;
  if (report.tilesPerRow > 0) {
    fields["tiles_per_row"] = report.tilesPerRow;
    fields["tiles_at_most"] = report.tilesAtMost;
  }
  return fields;
}

static void printWork(const WorkReport &report) {
  fmt::print("work{}\n  {:.1f} keys are visible to a row on average{}\n",
             report.work.atMost ? ", at most: a table or a threshold decides" : "", report.keysPerRow,
             report.work.sampled ? ", counted on sampled rows" : "");
  if (report.tilesPerRow > 0)
    fmt::print("  {}{:.1f} key tiles are visited for a row and head on average\n", report.tilesAtMost ? "at most " : "",
               report.tilesPerRow);
  if (report.tiledPerUseful > 0)
    fmt::print("  {:.2f} times as many pairs lie in the visited tiles as are visible\n", report.tiledPerUseful);
  fmt::print("  {:.3f} GFLOP and {:.3f} MB are useful work\n", report.work.flops * 1e-9, report.work.bytes * 1e-6);
}

int explain(const CompareOptions &options) {
  Invocation call = openPattern(options);
  if (options.args.empty())
    generateOperands(call, {options.shape, parseOperandDtype(options.dtype), options.seed, false, /*fill=*/false},
                     options);
  else
    readOperands(call, options);
  Engine engine({options.threads, false, options.target}, call.file.path);
  std::string bind = call.bind();

  sattn_spec spec{};
  spec.struct_size = sizeof spec;
  spec.pattern = call.file.text.c_str();
  spec.pattern_size = call.file.text.size();
  spec.bind = bind.c_str();
  spec.target = engine.target().c_str();
  char *text = nullptr;
  check(sattn_explain_spec(engine.context(), &spec, &text)); // before the kernel is there
  std::string key = taken(text);
  sattn_kernel *kernel = engine.get(call.file.text, bind);
  BoundCall bound(BoundCall::Dry(), engine, call);
  check(sattn_explain_json(kernel, bound.get(), &text));
  Json facts = Json::parse(taken(text));
  WorkReport work = reportWork(call, facts);
  if (options.json) {
    Json report = {{"pattern", call.info.name},
                   {"lines", call.info.lines},
                   {"causal", call.info.causal},
                   {"key", key},
                   {"kernel", std::move(facts)},
                   {"work", workJson(work)},
                   {"manifest", Json::parse(sattn_kernel_manifest(kernel))}};
    fmt::print("{}\n", report.dump());
    return 0;
  }
  check(sattn_explain(kernel, bound.get(), &text));
  std::string plan = taken(text);
  plan.erase(0, std::min(plan.find("\nrole ") + 1, plan.size())); // the names of the kernel are those of the key
  fmt::print("{} ({} lines), causal: {}\n\n{}\n{}", call.info.name, call.info.lines, call.info.causal, key, plan);
  printWork(work);
  return 0;
}

} // namespace sattn::tool

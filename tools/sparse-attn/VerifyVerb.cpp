// sparse-attn verify: a compiled kernel against the float64 oracle on the same operands.
#include "tools/sparse-attn/Engine.h"
#include "tools/sparse-attn/Oracle.h"
#include "tools/sparse-attn/Packed.h"
#include "tools/sparse-attn/Tolerance.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>

namespace sattn::tool {

// What is compared where the command line says nothing: long enough for selections to leave blocks out.
static constexpr const char *defaultShape = "T=2000,Hq=4,Hkv=2,D=64";
static constexpr const char *defaultRows = "128,1";

namespace {
struct Comparison {
  std::string name;
  Difference difference;
  double bound;
  bool holds() const { return difference.error <= bound; }
};
} // namespace

static std::vector<Comparison> compareWith(const Invocation &call, const std::vector<Tensor> &got,
                                           const std::vector<OracleResult> &oracle) {
  std::vector<Comparison> comparisons;
  for (size_t i = 0; i < oracle.size(); ++i) {
    Comparison comparison{oracle[i].name, compare(got[i], oracle[i].values), 0};
    comparison.bound = errorBound(call, got[i].dtype, comparison.difference.largest, greatestScore(oracle));
    comparisons.push_back(comparison);
  }
  return comparisons;
}

/// Rows whose selection rounding decides agree with a neighbour of the oracle; `borders` counts them.
static std::vector<Comparison> compareResults(const Invocation &call, const Results &results, int64_t &borders) {
  std::vector<OracleResult> oracle = runOracle(call);
  std::vector<Tensor> got;
  for (const OracleResult &expected : oracle) {
    const ResultInfo &result = *call.info.result(expected.name);
    const Tensor &full = results.of(expected.name);
    got.push_back(call.rows.empty() ? full : takeRows(full, call.rowDimension(result), call.rows, result.name));
  }
  std::vector<Comparison> comparisons = compareWith(call, got, oracle);
  if (std::all_of(comparisons.begin(), comparisons.end(), [](const Comparison &c) { return c.holds(); }))
    return comparisons;
  for (double shift : {-kMassMargin, kMassMargin}) {
    const std::vector<OracleResult> neighbour = runOracle(call, shift);
    for (size_t i = 0; i < oracle.size(); ++i) {
      char last = call.info.result(oracle[i].name)->axes.back().front();
      bool hasFeatures = last == 'D' || std::isdigit(static_cast<unsigned char>(last));
      borders += takeNearer(got[i], oracle[i].values, neighbour[i].values, hasFeatures ? oracle[i].shape.back() : 1);
    }
  }
  return borders == 0 ? comparisons : compareWith(call, got, oracle);
}

/// Whether a kernel for keys in one piece makes the same bits of the call as the one for pages.
static bool sameInOnePiece(Engine &engine, Invocation call, const CompareOptions &options, const Results &paged) {
  call.pageSize = 0;
  call.pageTable = {};
  for (Operand &operand : call.operands)
    operand.pool = {};
  BoundCall bound(engine, call, {}, options.threads);
  sattn_kernel *kernel = engine.get(call.file.text, call.bind());
  bound.keep(kernel, call);
  bound.run(kernel);
  const Results &whole = bound.results();
  for (size_t i = 0; i < whole.tensors.size(); ++i)
    if (std::memcmp(whole.tensors[i].data.get(), paged.tensors[i].data.get(), whole.tensors[i].bytes()) != 0)
      return false;
  return true;
}

/// Whether every packed sequence has the bits of a call of its own.
static bool sameAlone(Engine &engine, const Invocation &call, const CompareOptions &options, sattn_kernel *kernel,
                      const Results &packed) {
  std::vector<size_t> begin(packed.tensors.size(), 0); // bytes
  for (int64_t b = 0; b < call.size("B"); ++b) {
    Invocation sequence = sequenceOf(call, b);
    BoundCall bound(engine, sequence, {}, options.threads);
    bound.keep(kernel, sequence);
    bound.run(kernel);
    for (size_t i = 0; i < packed.tensors.size(); ++i) {
      const Tensor &own = bound.results().tensors[i], &all = packed.tensors[i];
      // An entry for each sequence has room for the longest.
      bool isEntry = !call.isPacked(call.info.result(packed.names[i])->axes);
      size_t from = isEntry ? all.bytes() / static_cast<size_t>(call.size("B")) * static_cast<size_t>(b) : begin[i];
      if (std::memcmp(own.data.get(), all.data.get() + from, own.bytes()) != 0)
        return false;
      begin[i] += own.bytes();
    }
  }
  return true;
}

int verify(const CompareOptions &options) {
  Invocation call = openPattern(options);
  if (options.args.empty()) {
    CallOptions generated = options;
    bool isPacked = !options.packed.empty() || !options.cuQ.empty() || !options.cuKv.empty();
    if (options.rows.empty() && options.shape.empty() && !isPacked)
      generated.rows = defaultRows;
    std::string shape = options.shape.empty() && !isPacked ? defaultShape : options.shape;
    generateOperands(call, {shape, parseOperandDtype(options.dtype), options.seed, /*exact=*/true}, generated);
  } else {
    readOperands(call, options);
  }
  Engine engine({options.threads, false, options.target, options.warpOrder}, call.file.path);
  sattn_kernel *kernel = engine.get(call.file.text, call.bind());
  BoundCall bound(engine, call, {}, options.threads, options.strides);
  bound.keep(kernel, call);
  bound.run(kernel);
  int64_t borders = 0;
  std::vector<Comparison> comparisons = compareResults(call, bound.results(), borders);
  std::optional<bool> same;
  if (call.pageSize != 0)
    same = sameInOnePiece(engine, call, options, bound.results());
  std::optional<bool> alone;
  if (isPacked(call))
    alone = sameAlone(engine, call, options, kernel, bound.results());

  const Comparison *worst = &comparisons.front();
  bool holds = same.value_or(true) && alone.value_or(true) && !bound.wroteBetween();
  for (const Comparison &comparison : comparisons) {
    holds &= comparison.holds();
    if (comparison.difference.error * worst->bound > worst->difference.error * comparison.bound)
      worst = &comparison;
  }
  int64_t rows = (call.cuQ.empty() ? call.size("B") : 1) *
                 (call.rows.empty() ? call.size("t", 0) : static_cast<int64_t>(call.rows.size()));
  if (options.json) {
    nlohmann::ordered_json report = {{"pattern", call.info.name},
                                     {"target", sattn_kernel_target(kernel)},
                                     {"bind", call.bind()},
                                     {"rows", rows},
                                     {"max_error", worst->difference.error},
                                     {"bound", worst->bound},
                                     {"agrees", holds},
                                     {"causal", call.info.causal}};
    if (same)
      report["same_in_one_piece"] = *same;
    if (alone)
      report["same_alone"] = *alone;
    if (options.strides != 0)
      report["wrote_between"] = bound.wroteBetween();
    if (borders != 0)
      report["border_rows"] = borders;
    for (const Comparison &comparison : comparisons)
      report["results"][comparison.name] = {{"max_error", comparison.difference.error}, {"bound", comparison.bound}};
    fmt::print("{}\n", report.dump());
    return holds ? 0 : 1;
  }
  fmt::print("{} on {}, {}: {} rows against the float64 oracle\n", call.info.name, sattn_kernel_target(kernel),
             call.bind(), rows);
  for (const Comparison &comparison : comparisons)
    fmt::print("  {:8} max error {:.2e}, bound {:.2e}: {}\n", comparison.name, comparison.difference.error,
               comparison.bound, comparison.holds() ? "agrees" : "DIFFERS");
  if (borders != 0)
    fmt::print("  {} rows at the border of a mass agree with its neighbour, {:.1e} away\n", borders, kMassMargin);
  if (same)
    fmt::print("  pages of {}: {} bits as of keys in one piece\n", call.pageSize, *same ? "the same" : "OTHER");
  if (alone)
    fmt::print("  {} packed sequences: {} bits as of each alone\n", call.size("B"), *alone ? "the same" : "OTHER");
  if (options.strides != 0)
    fmt::print("  between the elements of results {} was written\n", bound.wroteBetween() ? "SOMETHING" : "nothing");
  fmt::print("  causal: {}\n", call.info.causal);
  return holds ? 0 : 1;
}

} // namespace sattn::tool

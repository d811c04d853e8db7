// The count of useful work against the oracle: with one-hot values an output has a number in the column of each key
// that its row attends to, so the oracle's outputs are counted and compared.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tools/sparse-attn/OracleBridge.h"
#include "tools/sparse-attn/RowSets.h"
#include <doctest/doctest.h>

using namespace sattn;
using namespace sattn::tool;

namespace {
/// A call of one pattern: q, k of random numbers, v one-hot.
struct Case {
  std::string params, lines; ///< lines make %keys; params follow `scale`
  int64_t rows = 100, keys = 100, heads = 4, kvHeads = 2, batch = 1;
  std::vector<int64_t> qOffset = {}, kvOffset = {}, kvLen = {};
};
} // namespace

static constexpr int64_t width = 3;

static std::string textOf(const Case &c) {
  return "sattn.pattern @counted<scale: float = 0.5" + c.params +
         ">(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {\n" + c.lines +
         "  %z = sattn.score dot %q, %k scale(scale)\n  %o = sattn.attend %z over %keys, %v\n  sattn.yield %o\n}\n";
}

static OracleOperand operand(const std::string &name, Shape shape, bool isOneHot) {
  OracleOperand made{name, shape, {}};
  made.values.resize(shape[0] * shape[1] * shape[2] * shape[3]);
  uint64_t state = name[0];
  for (size_t i = 0; i < made.values.size(); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    int64_t feature = static_cast<int64_t>(i) % shape[3],
            position = static_cast<int64_t>(i) / (shape[3] * shape[2]) % shape[1];
    made.values[i] = isOneHot ? feature == position : static_cast<double>(state >> 40) / double(1 << 23) - 1;
  }
  return made;
}

/// Pairs that the oracle attends to.
static double pairsOfOracle(const Case &c) {
  OracleRequest request{"counted.mlir", textOf(c), {}, {}, c.qOffset, c.kvOffset, c.kvLen, {}, 0};
  request.operands.push_back(operand("q", {c.batch, c.rows, c.heads, width}, false));
  request.operands.push_back(operand("k", {c.batch, c.keys, c.kvHeads, width}, false));
  request.operands.push_back(operand("v", {c.batch, c.keys, c.kvHeads, c.keys}, true));
  std::vector<OracleResult> results;
  std::string error;
  REQUIRE_MESSAGE(interpretPattern(request, results, error), error);
  return static_cast<double>(llvm::count_if(results[0].values, [](double x) { return x > 0; }));
}

static UsefulWork workOf(const Case &c) {
  WorkRequest request{"counted.mlir", textOf(c), {}, {}, c.qOffset, c.kvOffset, c.kvLen};
  request.sizes = {{"B", c.batch},   {"t", c.rows}, {"s", c.keys}, {"h", c.heads},
                   {"g", c.kvHeads}, {"D", width},  {"Dv", c.keys}};
  UsefulWork work;
  std::string error;
  REQUIRE_MESSAGE(countWork(request, work, error), error);
  return work;
}

static void checkCounts(const std::vector<Case> &cases) {
  for (const Case &c : cases) {
    CAPTURE(c.params);
    CAPTURE(c.lines);
    UsefulWork work = workOf(c);
    double expected = pairsOfOracle(c);
    CHECK(expected > 0);
    CHECK(work.pairs == expected);
    CHECK_FALSE(work.sampled);
    CHECK_FALSE(work.atMost);
  }
}

static std::string set(const std::string &condition) { return "  %keys = sattn.set (t, s) : " + condition + "\n"; }

TEST_CASE("sets that are linear in the key") {
  checkCounts({{"", set("s <= t")},
               {"", set("s <= t and (t - s < 20 or s < 4)")},
               {", W: int = 7", set("0 <= t - s < W")},
               {", static a: int = 5, W: int = 3 * a", set("s <= t and t - s <= W")},
               {"", set("2 * s <= t")},
               {"", set("3 * s == t or s == t")},
               {"", set("s <= t and not (s == t - 3)")}});
}

TEST_CASE("congruences and floors, with params that keep their default") {
  checkCounts({{", static stride: int = 16", set("s <= t and (t - s) mod stride == 0")},
               {"", set("s <= t and (t - s) mod 16 <= 3")},
               {"", set("s <= t and t floordiv 8 - s floordiv 8 <= 2")},
               {"", set("s <= t and (2 * t - 3 * s) mod 7 <= 2")},
               {"", set("s <= t and ((t - s) floordiv 3) mod 4 == 1 or s == t")},
               {"", set("s <= t and (s mod 5 == 0 or (t - s) mod 7 == 0 or t - s < 3)")},
               {", W: int = 30", set("s <= t and s mod 8 + s floordiv 8 <= 11 and t - s < W")}});
}

TEST_CASE("sets that tell heads apart") {
  checkCounts({{"", set("s <= t and (t - s) mod (4) == h mod 4 or s == t")}, {"", set("0 <= t - s < 10 + 5 * g")}});
}

TEST_CASE("selections whose chosen blocks are complete, or forced") {
  std::string select = "  %m = sattn.summarize mean %k blocks(8) ragged\n  %a = sattn.score dot %q, %m\n";
  std::string causal = "  %causal = sattn.set (t, s) : s <= t\n  %keys = sattn.intersect %sel, %causal\n";
  auto block = [](const std::string &length) { // as topk_blocks shares one selection
    return "  %mq = sattn.summarize mean %q blocks(" + length + ")\n  %m = sattn.summarize mean %k blocks(8) ragged\n" +
           "  %a = sattn.score dot %mq, %m\n  %ag = sattn.reduce sum %a over h to g\n  %open = sattn.set (u(" + length +
           "), c(8)) : first(c) <= last(u)\n  %own = sattn.set (u(" + length +
           "), c(8)) : first(c) <= last(u) and first(u) <= last(c)\n  %sel = sattn.select top(5) %ag where %open "
           "force(%own)\n";
  };
  checkCounts({
      {"", select +
               "  %open = sattn.set (t, c(8)) : first(c) <= t\n  %sel = sattn.select top(3) %a where %open "
               "force(last(1))\n" +
               causal},
      {"", select +
               "  %open = sattn.set (t, c(8)) : first(c) <= t\n"
               "  %sel = sattn.select top(5) %a where %open force(first(1) last(2))\n" +
               causal},
      {"", block("1") + causal},
      {"", block("16") + causal, 96, 96},
  });
}

TEST_CASE("blocks that content chooses beside a window count by the mean of the candidates") {
  Case c{"", "  %m = sattn.summarize mean %k blocks(8)\n  %a = sattn.score dot %q, %m\n"
             "  %far = sattn.set (t, c(8)) : last(c) < t\n  %sel = sattn.select top(3) %a where %far\n"
             "  %near = sattn.set (t, s) : 0 <= t - s < 8\n  %keys = sattn.union %sel, %near\n"};
  CHECK(workOf(c).pairs == doctest::Approx(pairsOfOracle(c)).epsilon(0.02));
}

TEST_CASE("offsets and lengths of batch entries") {
  checkCounts({{"", set("s <= t and (t - s) mod 8 == 0"), 10, 100, 2, 1, 2, {90, 20}, {}, {}},
               {"", set("s <= t and t - s < 30"), 10, 64, 2, 1, 3, {90, 60, 90}, {40, 40, 40}, {64, 20, 60}},
               {"", set("s <= t and s mod 8 == 3"), 10, 64, 2, 1, 2, {90, 70}, {40, 16}, {64, 20}}});
}

TEST_CASE("many rows of a set with divisions are sampled, and it is said") {
  Case c{"", set("s <= t and (t - s) mod 2 == 0"), 4096, 4096, 1, 1};
  UsefulWork work = workOf(c);
  CHECK(work.sampled);
  CHECK(work.pairs == doctest::Approx(2048.0 * 2049).epsilon(0.01));
  CHECK(work.flops == work.pairs * 2 * (width + 4096));
}

TEST_CASE("a threshold leaves only an upper bound, and it is said") {
  Case c{"", "  %m = sattn.summarize mean %k blocks(8)\n  %a = sattn.score dot %q, %m\n"
             "  %far = sattn.set (t, c(8)) : last(c) < t\n  %keys = sattn.select above(0.1) %a where %far\n"};
  UsefulWork work = workOf(c);
  CHECK(work.atMost);
  CHECK(work.pairs > pairsOfOracle(c));
}

TEST_CASE("intervals") {
  Intervals set;
  set.add(10, 20);
  set.add(0, 5);
  set.add(5, 7);
  set.add(19, 25);
  using Parts = SmallVector<std::pair<int64_t, int64_t>, 4>;
  bool isMerged = set.list() == Parts{{0, 7}, {10, 25}};
  CHECK(isMerged);
  CHECK(set.complement(30).count() == 8);
  CHECK(set.intersect(Intervals(6, 12)).count() == 3);
  Intervals lifted = Intervals(1, 3).lift(8, 4, 14);
  bool isCut = lifted.list() == Parts{{4, 14}};
  CHECK(isCut);
}

// Loop bounds and tile classes against brute force over shapes, offsets and params. Soundness is asserted for every
// set; needless PARTIAL tiles (wholly visible or wholly invisible, yet visited with a mask) are counted, and must be
// none where the sets are those that everyone uses.
#include "lib/analysis/TileBounds.h"
#include <doctest/doctest.h>
#include "FormulaText.h"
#include "RandomFormula.h"
#include <chrono>
#include <cstdlib>
#include <iostream>

using namespace sattn;
using namespace sattn::test;

namespace {
using Env = std::map<std::string, int64_t>;

struct Shape {
  int64_t rowTile, keyTile, qOffset, rows, kvBegin, kvEnd;
};

struct Counts {
  int64_t visited = 0, full = 0, needlessEmpty = 0, needlessFull = 0, tilings = 0;
  int64_t needless() const { return needlessEmpty + needlessFull; }
};

/// One analysis, checked on many shapes with the same tile sizes.
class Checker {
public:
  Checker(std::string text, Env statics, int64_t keyTile)
      : text(std::move(text)), statics(std::move(statics)), keyTile(keyTile), formula(parseFormula(this->text)) {
    auto start = std::chrono::steady_clock::now();
    auto symbol = [&](const char *name) { return pool.symbol(name, -(int64_t(1) << 40), int64_t(1) << 40); };
    TileAnalysis analysis(pool, setOf(this->text, this->statics), {symbol("t0"), symbol("t1")},
                          {keyTile, symbol("begin"), symbol("end")});
    bounds = analysis.bounds();
    tileClass = analysis.classOf(symbol("j"));
    milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  void check(const Shape &shape, const Env &params, Counts &counts) {
    ++counts.tilings;
    for (int64_t first = 0; first < shape.rows; first += shape.rowTile)
      checkRows(shape.qOffset + first, shape.qOffset + std::min(first + shape.rowTile, shape.rows) - 1, shape, params,
                counts);
  }

  double milliseconds = 0;
  TileBounds bounds;

private:
  int64_t value(BoundExpr e, const Env &env) {
    REQUIRE(e);
    return pool.evaluate(e, [&](StringRef name) { return env.at(name.str()); });
  }

  void checkRows(int64_t t0, int64_t t1, const Shape &shape, const Env &params, Counts &counts) {
    Env env = params;
    env["t0"] = t0;
    env["t1"] = t1;
    env["begin"] = shape.kvBegin;
    env["end"] = shape.kvEnd;
    struct Run {
      int64_t lo, hi, fullLo, fullHi;
    };
    std::vector<Run> runs;
    for (const TileRun &r : bounds.runs) {
      runs.push_back({value(r.lo, env), value(r.hi, env), value(r.fullLo, env), value(r.fullHi, env)});
      CHECK(runs.back().lo <= runs.back().fullLo);
      CHECK(runs.back().fullHi <= std::max(runs.back().lo, runs.back().hi));
    }
    Env point = params;
    point.insert(statics.begin(), statics.end());
    int64_t jLo = floorDiv(shape.kvBegin, keyTile) - 1, jHi = floorDiv(shape.kvEnd - 1, keyTile) + 2;
    for (const Run &r : runs)
      if (r.lo < r.hi) {
        CHECK(r.lo > jLo);
        CHECK(r.hi < jHi);
      }
    for (int64_t j = jLo; j < jHi; ++j) {
      bool inOwn = false, inAny = false, full = false;
      for (size_t i = 0; i < runs.size(); ++i) {
        bool inside = runs[i].lo <= j && j < runs[i].hi;
        inAny |= inside;
        inOwn |= inside && i < bounds.ownRuns;
        full |= runs[i].fullLo <= j && j < runs[i].fullHi;
      }
      int64_t visible = 0;
      for (int64_t t = t0; t <= t1; ++t)
        for (int64_t s = std::max(j * keyTile, shape.kvBegin); s < std::min((j + 1) * keyTile, shape.kvEnd); ++s) {
          point["t"] = t;
          point["s"] = s;
          visible += evaluate(formula, point) != 0;
        }
      bool all = visible == (t1 - t0 + 1) * keyTile;
      env["j"] = j;
      bool nonEmpty = value(tileClass.nonEmpty, env) >= 0, classFull = value(tileClass.full, env) >= 0;
      auto where = [&] {
        std::string s = text + " rows " + std::to_string(t0) + ".." + std::to_string(t1) + " tile " +
                        std::to_string(j) + " of " + std::to_string(keyTile) + " keys " +
                        std::to_string(shape.kvBegin) + ".." + std::to_string(shape.kvEnd);
        for (auto &[name, v] : params)
          s += " " + name + "=" + std::to_string(v);
        return s;
      };
      REQUIRE_MESSAGE((visible == 0 || (inOwn && nonEmpty)), "visible but skipped: ", where());
      REQUIRE_MESSAGE((all || !(full || classFull)), "full but not wholly visible: ", where());
      CHECK_MESSAGE((inOwn || !inAny), "a joint run leaves its parts: ", where());
      bool visited = inOwn && (nonEmpty || !bounds.emptyInside);
      bool isFull = full || (classFull && bounds.fullInside);
      if (!visited)
        continue;
      ++counts.visited;
      counts.full += isFull;
      if (visible == 0)
        ++counts.needlessEmpty;
      if (all && !isFull) {
        ++counts.needlessFull;
        if (std::getenv("SHOW_NEEDLESS"))
          std::cerr << "needless: " << where() << "\n";
      }
      if (visible == 0 && std::getenv("SHOW_NEEDLESS"))
        std::cerr << "needless empty: " << where() << "\n";
    }
  }
  static int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); }

  std::string text;
  Env statics;
  int64_t keyTile;
  Formula formula;
  BoundPool pool;
  TileClass tileClass;
};

struct Pattern {
  const char *name, *text;
  Env statics;
  std::vector<Env> params;
  bool exact; // no needless PARTIAL is tolerated
};

const std::vector<Pattern> &patterns() {
  static const std::vector<Pattern> list = {
      {"dense", "all", {}, {{}}, true},
      {"causal", "s <= t", {}, {{}}, true},
      {"window",
       "0 <= t - s < W",
       {},
       {{{"W", 1}}, {{"W", 5}}, {{"W", 17}}, {{"W", 1000}}, {{"W", 0}}, {{"W", -7}}},
       true},
      {"window_sinks",
       "s <= t and (t - s < W or s < S)",
       {},
       {{{"W", 5}, {"S", 0}},
        {{"W", 20}, {"S", 4}},
        {{"W", 33}, {"S", 21}},
        {{"W", 0}, {"S", 3}},
        {{"W", 16}, {"S", -1}}},
       true},
      {"longformer", "-W <= t - s <= W", {}, {{{"W", 0}}, {{"W", 7}}, {{"W", 40}}, {{"W", -1}}}, true},
      {"compressed", "16 * s + 31 <= t", {}, {{}}, true},
      {"compressed strict", "d * s + l - 1 < t - W", {{"d", 5}, {"l", 9}}, {{{"W", 0}}, {{"W", 12}}}, true},
      {"strided", "s <= t and (t - s) mod stride == 0", {{"stride", 24}}, {{}}, true},
      {"strided small", "s <= t and (t - s) mod stride == 0", {{"stride", 3}}, {{}}, true},
      {"dilated", "0 <= t - s < dil * W and (t - s) mod dil == 0", {{"dil", 4}}, {{{"W", 3}}, {{"W", 9}}}, true},
      {"global rows", "s <= t and (t - s < W or t < b)", {}, {{{"W", 9}, {"b", 5}}, {{"W", 3}, {"b", 40}}}, true},
      {"fixed",
       "s <= t and (t floordiv stride == s floordiv stride or s mod stride >= stride - verts)",
       {{"stride", 32}},
       {{{"verts", 3}}, {{"verts", 10}}, {{"verts", 32}}},
       false},
      {"bigbird",
       "-1 <= t floordiv b - s floordiv b <= 1 or t < b or s < b or size_s - b <= t or size_s - b <= s",
       {{"b", 8}},
       {{{"size_s", 100}}},
       false},
      {"star",
       "s <= t and (s < a or s floordiv b == t floordiv b)",
       {{"b", 24}},
       {{{"a", 0}}, {{"a", 11}}, {{"a", 30}}},
       false},
      {"hils near",
       "s <= t and s floordiv l >= (t - W + 1) floordiv l and s mod l < l - 1",
       {{"l", 8}},
       {{{"W", 1}}, {{"W", 20}}},
       false},
      {"lifted open", "b * (s floordiv b) <= t", {{"b", 12}}, {{}}, false},
      {"lifted far", "b * (s floordiv b) + b - 1 < t - W", {{"b", 12}}, {{{"W", 3}}}, false},
      {"two moduli", "s <= t and (t - s) mod a == 1 and (t + 2 * s) mod b == 0", {{"a", 6}, {"b", 10}}, {{}}, false},
      {"last quarter", "s <= t and 4 * s >= 3 * t", {}, {{}}, false},
      {"mixed division", "(t + 2 * s) floordiv 7 + s floordiv 3 <= t", {}, {{}}, false},
  };
  return list;
}
} // namespace

TEST_CASE("tiles of known patterns: sound, and sharp where it matters") {
  const int64_t tiles[] = {1, 8, 16, 12};
  double worst = 0;
  for (const Pattern &p : patterns()) {
    Counts counts;
    for (int64_t keyTile : tiles) {
      Checker checker(p.text, p.statics, keyTile);
      worst = std::max(worst, checker.milliseconds);
      for (const Env &params : p.params)
        for (int64_t rowTile : {1, 8, 16, 11})
          for (int64_t offset : {0, 5, 37})
            for (int64_t rows : {1, 16, 45})
              for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, 70}, {0, 64}, {13, 50}, {0, 0}})
                checker.check({rowTile, keyTile, offset, rows, begin, end}, params, counts);
    }
    std::cout << "  " << p.name << ": " << counts.tilings << " tilings, " << counts.visited << " tiles visited, "
              << counts.full << " full, needlessly visited " << counts.needlessEmpty << ", needlessly masked "
              << counts.needlessFull << "\n";
    if (p.exact)
      CHECK_MESSAGE(counts.needless() == 0, p.name);
  }
  std::cout << "  slowest analysis " << worst << " ms\n";
}

TEST_CASE("tiles of random sets are sound") {
  RandomFormula random(77);
  Counts counts;
  double worst = 0;
  int sets = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = random.condition(int(random.upTo(4))), error;
    if (!toSet(parseFormula(text), {}, error))
      continue;
    ++sets;
    int64_t keyTile = 1 + random.upTo(9);
    Checker checker(text, {}, keyTile);
    worst = std::max(worst, checker.milliseconds);
    for (int k = 0; k < 2; ++k) {
      int64_t begin = random.upTo(9), end = begin + random.upTo(30);
      checker.check({1 + random.upTo(9), keyTile, random.upTo(30), 1 + random.upTo(12), begin, end},
                    {{"W", random.upTo(20) - 3}}, counts);
    }
  }
  std::cout << "  random: " << sets << " sets, " << counts.visited << " tiles visited, " << counts.full
            << " full, needlessly visited " << counts.needlessEmpty << ", needlessly masked " << counts.needlessFull
            << ", slowest analysis " << worst << " ms\n";
  CHECK(sets > 2500);
  CHECK(worst < 50);
}

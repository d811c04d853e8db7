// The key tiles that explain counts against the mask, pair by pair: patterns are compiled, the counts come from their
// artefacts (runtime/TileCount.h), and the sets are written here a second time, as functions of row and key positions.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "test/integration/ShippedPattern.h"
#include <sattn/compiler.h>
#include <sattn/sattn.hpp>
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <algorithm>
#include <functional>
#include <map>
#include <sstream>

using nlohmann::json;

namespace {

using Mask = std::function<bool(int64_t t, int64_t s)>;

struct Shape {
  int64_t batch = 1, rows = 0, keys = 0, heads = 2, kvHeads = 1;
  std::vector<int64_t> qOffset = {}, kvOffset = {}, kvLen = {}; ///< by batch entry, or empty

  int64_t at(const std::vector<int64_t> &values, int64_t entry, int64_t otherwise) const {
    return values.empty() ? otherwise : values[entry];
  }
  std::string text() const {
    std::ostringstream out;
    out << "B=" << batch << " t=" << rows << " s=" << keys << " h=" << heads << " g=" << kvHeads;
    for (auto [name, values] : {std::pair("q_offset", &qOffset), {"kv_offset", &kvOffset}, {"kv_len", &kvLen}})
      for (int64_t value : *values)
        out << " " << name << "=" << value;
    return out.str();
  }
};

std::string shipped(const std::string &name) { return sattn::testing::shippedPattern(SATTN_PATTERNS, name); }

std::string withSet(const std::string &formula) {
  return "sattn.pattern @test<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {\n"
         "  %keys = sattn.set (t, s) : " +
         formula +
         "\n"
         "  %z = sattn.score dot %q, %k scale(scale)\n"
         "  %o = sattn.attend %z over %keys, %v\n"
         "  sattn.yield %o\n}\n";
}

/// What explain says of one call.
class Explained {
public:
  Explained(const std::string &text, const Shape &shape, const std::string &bind = "",
            const std::map<std::string, int64_t> &params = {}) {
    sattn::Options options;
    options.memoryOnly = true;
    static const sattn::Context context(options);
    static const sattn_status installed = sattn_compiler_install(context.get());
    REQUIRE(installed == SATTN_OK);
    std::string names = "D=16,Dv=16,dtype=f32,group=" + std::to_string(shape.heads / shape.kvHeads) + bind;
    sattn::Kernel kernel = context.get(text, names);
    sattn::Call call;
    auto tensor = [&](int64_t positions, int64_t heads, int64_t features) {
      return sattn::Tensor(static_cast<const float *>(nullptr), {shape.batch, positions, heads, features});
    };
    call.input("q", tensor(shape.rows, shape.heads, 16));
    call.input("k", tensor(shape.keys, shape.kvHeads, 16)).input("v", tensor(shape.keys, shape.kvHeads, 16));
    if (text.find("%g: [t, h, 3]") != std::string::npos)
      call.input("g", tensor(shape.rows, shape.heads, 3));
    for (const auto &[name, value] : params)
      call.param(name, value);
    if (!shape.qOffset.empty())
      call.qOffset(shape.qOffset);
    if (!shape.kvOffset.empty())
      call.kvOffset(shape.kvOffset);
    if (!shape.kvLen.empty())
      call.kvLen(shape.kvLen);
    facts = json::parse(call.explainJson(kernel));
    words = call.explain(kernel);
  }

  /// The streams of the attention kernel, in their order; calls of few rows have one of their own.
  std::vector<json> attention() const {
    std::vector<json> found;
    for (const json &stream : facts["call"]["tiles"])
      if (stream["kernel"] == "attend" || stream["kernel"] == "split")
        found.push_back(stream);
    return found;
  }

  json facts;
  std::string words;
};

struct Count {
  int64_t visited = 0, full = 0;
};

/// Tiles of `rows` x `columns` that hold a visible pair, and those that hold visible pairs only, of all rows of one
/// head in every batch entry.
Count bruteForce(const Shape &shape, const Mask &mask, int64_t rows, int64_t columns) {
  Count count;
  for (int64_t b = 0; b < shape.batch; ++b) {
    int64_t t0 = shape.at(shape.qOffset, b, 0), s0 = shape.at(shape.kvOffset, b, 0),
            end = shape.at(shape.kvLen, b, shape.keys);
    for (int64_t first = 0; first < shape.rows; first += rows)
      for (int64_t key = 0; key < end; key += columns) {
        bool any = false, all = key + columns <= end;
        for (int64_t i = first; i < std::min(first + rows, shape.rows); ++i)
          for (int64_t j = key; j < std::min(key + columns, end); ++j) {
            bool isVisible = mask(t0 + i, s0 + j);
            any |= isVisible;
            all &= isVisible;
          }
        count.visited += any;
        count.full += all;
      }
  }
  return count;
}

std::vector<Shape> shapes() {
  return {{1, 1, 1},
          {1, 64, 64},
          {1, 200, 200, 4, 2},
          {2, 130, 1000, 2, 2, {870, 500}},
          {1, 1, 777, 2, 1, {776}},
          {2, 300, 400, 4, 1, {100, 37}, {0, 64}, {400, 260}},
          {1, 150, 300, 1, 1, {1000}, {800}},
          {1, 100, 0},
          {1, 0, 100}};
}

/// `isTight`: no tile is visited in vain and no full tile is masked; else the counts may only err to that side.
void compare(const std::string &text, const Mask &mask, bool isTight,
             const std::map<std::string, int64_t> &params = {}) {
  for (const Shape &shape : shapes()) {
    INFO(text, shape.text());
    std::vector<json> streams = Explained(text, shape, "", params).attention();
    if (shape.rows == 0 && streams.empty())
      continue; // nothing is launched
    REQUIRE(streams.size() == 1);
    const json &stream = streams.front();
    INFO(stream.dump());
    REQUIRE(stream.contains("visited"));
    CHECK(stream["sampled"] == false);
    bool isSplit = stream["kernel"] == "split";
    CHECK(stream["keys"] == (isSplit ? "k" : "k_keys"));
    // Tiles of calls of few rows hold the heads that share keys.
    int64_t together = isSplit ? shape.heads / shape.kvHeads : 1, tiles = shape.heads / together;
    Count expected = bruteForce(shape, mask, stream["tile"][0].get<int64_t>() / together, stream["tile"][1]);
    int64_t visited = stream["visited"], full = stream["full"], partial = stream["partial"];
    CHECK(visited == full + partial);
    if (isTight) {
      CHECK(visited == expected.visited * tiles);
      CHECK(full == expected.full * tiles);
    } else {
      CHECK(visited >= expected.visited * tiles);
      CHECK(full <= expected.full * tiles);
    }
  }
}

} // namespace

TEST_CASE("causal") {
  compare(shipped("causal"), [](int64_t t, int64_t s) { return s <= t; }, true);
}
TEST_CASE("dense") {
  compare(shipped("dense"), [](int64_t, int64_t) { return true; }, true);
}
TEST_CASE("window") {
  for (int64_t w : {1, 64, 100, 1000})
    compare(shipped("window"), [w](int64_t t, int64_t s) { return s <= t && t - s < w; }, true, {{"W", w}});
}
TEST_CASE("window and sinks, a union") {
  compare(shipped("window_sinks"), [](int64_t t, int64_t s) { return s <= t && (t - s < 70 || s < 5); }, true,
          {{"W", 70}, {"S", 5}});
}
TEST_CASE("longformer") {
  compare(shipped("longformer"), [](int64_t t, int64_t s) { return t - s <= 90 && s - t <= 90; }, true, {{"W", 90}});
}
TEST_CASE("a modulus in a part of a set: tiles between the strides may be visited") {
  compare(
      withSet("s <= t and (t - s < 16 or (t - s) mod 128 == 0)"),
      [](int64_t t, int64_t s) { return s <= t && (t - s < 16 || (t - s) % 128 == 0); }, false);
}
TEST_CASE("classes of residues: tiles hold every 16th row and key") {
  // Within a class rows and keys are counted from its first; the set is causal there.
  std::string text = withSet("s <= t and (t - s) mod 16 == 0");
  for (int64_t length : {16, 1000, 3000}) {
    Shape shape{1, length, length, 2, 1};
    INFO(shape.text());
    json stream = Explained(text, shape).attention().front();
    INFO(stream.dump());
    int64_t visited = 0, full = 0;
    for (int64_t residue = 0; residue < 16; ++residue) {
      Shape members{1, (length - residue + 15) / 16, (length - residue + 15) / 16};
      Count count =
          bruteForce(members, [](int64_t t, int64_t s) { return s <= t; }, stream["tile"][0], stream["tile"][1]);
      visited += count.visited, full += count.full;
    }
    CHECK(stream["visited"] == visited * shape.heads);
    CHECK(stream["full"] == full * shape.heads);
  }
}

TEST_CASE("a formula beside a selection: the window of nsa") {
  for (const Shape &shape : {Shape{1, 200, 200, 4, 2}, Shape{2, 130, 1000, 4, 2, {870, 500}}}) {
    INFO(shape.text());
    Explained explained(shipped("nsa"), shape, ",dataflow=inverted", {{"W", 100}});
    std::vector<json> streams = explained.attention();
    REQUIRE(streams.size() == 2);
    CHECK(streams[0]["depends_on"] == "the selection");
    const json &window = streams[1];
    INFO(window.dump());
    // A tile holds the heads of a group beside each other.
    int64_t group = shape.heads / shape.kvHeads;
    Count expected = bruteForce(
        shape, [](int64_t t, int64_t s) { return s <= t && t - s < 100; }, window["tile"][0].get<int64_t>() / group,
        window["tile"][1]);
    CHECK(window["visited"] == expected.visited * shape.kvHeads);
    CHECK(window["full"] == expected.full * shape.kvHeads);
  }
}

TEST_CASE("where selections are masked, rows visit all that they may see") {
  for (const Shape &shape : {Shape{1, 200, 200, 4, 2}, Shape{2, 130, 1000, 4, 2, {870, 500}}}) {
    INFO(shape.text());
    Explained explained(shipped("nsa"), shape, ",dataflow=masked", {{"W", 100}});
    std::vector<json> streams = explained.attention();
    // Keys that both branches see are visited once for both, then those of the selection alone and of the window alone.
    REQUIRE(streams.size() == 3);
    const Mask window = [](int64_t t, int64_t s) { return s <= t && t - s < 100; };
    const Mask masks[] = {window, [](int64_t t, int64_t s) { return t - s >= 100; }, window};
    for (int i : {0, 1, 2}) {
      INFO(streams[i].dump());
      Count expected = bruteForce(shape, masks[i], streams[i]["tile"][0], streams[i]["tile"][1]);
      CHECK(streams[i]["visited"] == expected.visited * shape.heads);
      CHECK(streams[i]["full"] == expected.full * shape.heads);
    }
  }
}

TEST_CASE("lists are bounded by what they could hold at worst") {
  // Rows that follow all keys choose every block of 32 keys, as many as a list has slots.
  const std::string text =
      R"(sattn.pattern @all<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %m = sattn.summarize mean %k blocks(32) ragged
  %a = sattn.score dot %q, %m
  %ag = sattn.reduce sum %a over h to g
  %open = sattn.set (t, c(32)) : last(c) <= t
  %sel = sattn.select top(8) %ag where %open
  %z = sattn.score dot %q, %k scale(scale)
  %o = sattn.attend %z over %sel, %v
  sattn.yield %o
}
)";
  for (int64_t blocks : {1, 5, 8, 20}) {
    Shape shape{1, 256, 32 * blocks, 4, 2, {32 * blocks}};
    INFO(shape.text());
    Explained explained(text, shape);
    json lists = explained.attention().front();
    INFO(lists.dump());
    int64_t positions = lists["tile"][0].get<int64_t>() / 2, tasks = 0, rows = 0;
    for (const json &launch : explained.facts["call"]["launches"])
      if (launch["kernel"] == "attend") {
        tasks = launch["tasks"];
        rows = shape.rows / launch["grid"][0].get<int64_t>();
      }
    REQUIRE(rows % positions == 0);
    // With no more blocks than slots every row lists every block: groups are full and the bound is met.
    int64_t each = std::min<int64_t>(blocks, 8) * rows / positions;
    if (blocks <= 8)
      CHECK(lists["at_most"] == each * tasks);
    else
      CHECK(lists["at_most"] >= each * tasks);
    CHECK(lists["at_most"] <= blocks * (rows / positions) * tasks);
  }
}

TEST_CASE("the text and the numbers agree") {
  Explained explained(shipped("causal"), {1, 200, 200, 4, 2});
  json stream = explained.attention().front();
  std::string line = std::to_string(stream["visited"].get<int64_t>()) + " visited, " +
                     std::to_string(stream["full"].get<int64_t>()) + " full, " +
                     std::to_string(stream["partial"].get<int64_t>()) + " partial";
  INFO(explained.words);
  CHECK(explained.words.find(line) != std::string::npos);
}

TEST_CASE("long calls are sampled and say so") {
  Shape shape{64, 1 << 20, 1 << 20, 2, 2};
  Explained explained(shipped("causal"), shape);
  json stream = explained.attention().front();
  CHECK(stream["sampled"] == true);
  double tiles = static_cast<double>(1 << 20) / stream["tile"][0].get<double>();
  double expected = 64 * 2 * tiles * (tiles + 1) / 2;
  CHECK(stream["visited"].get<double>() == doctest::Approx(expected).epsilon(0.01));
  CHECK(explained.words.find("about ") != std::string::npos);
}

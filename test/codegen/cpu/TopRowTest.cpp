// The best of one row of numbers against a sort of them, at every level this machine runs: rows that are thinned out,
// rows on which the sample misleads, ties, forced numbers, and what is never selected.
#include "test/codegen/cpu/OpHelpers.h"
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

namespace {
struct Row {
  std::string name;
  std::vector<float> numbers; // whole tiles of 64
};

constexpr int64_t kTile = 64;

std::vector<float> madeBy(int64_t count, const std::function<double(int64_t)> &number) {
  std::vector<float> row(count);
  for (int64_t i = 0; i < count; ++i)
    row[i] = static_cast<float>(number(i));
  return row;
}

std::vector<Row> rows() {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  auto few = [&](int64_t) { return static_cast<double>(random() % 5) - 2; };
  constexpr int64_t large = 300 * kTile;
  std::vector<Row> all{
      {"short", madeBy(3 * kTile, [&](int64_t) { return normal(random); })},
      {"short, ties", madeBy(3 * kTile, few)},
      {"long", madeBy(large, [&](int64_t) { return normal(random); })},
      {"long, ties", madeBy(large, few)},
      {"long, equal", madeBy(large, [](int64_t) { return -1.5; })},
      {"long, ascending", madeBy(large, [](int64_t i) { return i; })},
      {"long, descending", madeBy(large, [](int64_t i) { return -i; })},
      {"long, the best where no sample looks", madeBy(large, [](int64_t i) { return i % 512 < 100 ? -9.0 : i; })},
      {"zeros of both signs", madeBy(2 * kTile, [&](int64_t) { return random() % 2 ? 0.0 : -0.0; })},
  };
  Row special{"infinities and NaN", madeBy(4 * kTile, [&](int64_t) { return normal(random); })};
  for (int64_t i = 0; i < 4 * kTile; i += 7) {
    special.numbers[i] = i % 2 ? INFINITY : -INFINITY;
    special.numbers[i + 1] = i % 3 ? NAN : -NAN;
    special.numbers[i + 2] = i % 2 ? 3e38f : -3.4028235e38f;
  }
  all.push_back(special);
  for (float &number : special.numbers)
    number = -INFINITY;
  all.push_back({"nothing", special.numbers});
  return all;
}

/// The order of sattn_tile.top_row, ids ascending, -1 padded to `room`.
std::vector<double> expected(const std::vector<float> &row, int64_t from, int64_t to, int64_t count,
                             const std::function<bool(int64_t)> &isForced, int64_t room) {
  struct Entry {
    bool forced;
    float number;
    int64_t id;
  };
  std::vector<Entry> entries;
  for (int64_t id = from; id < to; ++id) {
    bool forced = isForced(id), isNan = std::isnan(row[id]);
    if (isNan ? forced : row[id] != -INFINITY)
      entries.push_back({forced, isNan ? -INFINITY : row[id], id});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) {
    if (a.forced != b.forced)
      return a.forced;
    return a.number != b.number ? a.number > b.number : a.id < b.id;
  });
  entries.resize(std::clamp<int64_t>(count, 0, static_cast<int64_t>(entries.size())));
  std::vector<double> ids;
  for (const Entry &entry : entries)
    ids.push_back(static_cast<double>(entry.id));
  std::sort(ids.begin(), ids.end());
  ids.resize(room, -1.0);
  return ids;
}

std::string kernelOf(const std::string &forced, int64_t tile = kTile) {
  return oneKernel("%a: A<f32, $T$>, %ids: A<i32, 1>, %from: index, %to: index, %n: index, %t: index",
                   R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, $T$> -> V<f32, $T$>
    %iv = @slice %ids[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    @top_row %av[%from to %to] count(%n) rows(%t) symbols() into %iv {forced = [$F$]} : V<f32, $T$>, V<i32, 1>)",
                   {{"F", forced}, {"T", n(tile)}});
}

void agree(Program &program, const Row &row, int64_t count, int64_t position,
           const std::function<bool(int64_t)> &forced, int64_t tile = kTile) {
  int64_t tiles = static_cast<int64_t>(row.numbers.size()) / tile;
  for (int64_t cut : {int64_t(0), int64_t(1)}) {
    int64_t from = std::min(cut, tiles), to = tiles - cut, room = (std::max<int64_t>(count, 0) + 15) / 16 * 16 + 16;
    Tensor a(Tensor::F32, 1, tiles, 1, tile), ids(Tensor::I32, 1, room, 1, 1);
    for (int64_t i = 0; i < tiles * tile; ++i)
      a.set(0, i / tile, 0, i % tile, row.numbers[i]);
    Frame frame;
    a.in(frame);
    ids.in(frame).index(from).index(to).index(count).index(position);
    program.run("k", frame, 1, 1, 1);
    std::vector<double> got;
    for (int64_t i = 0; i < room; ++i)
      got.push_back(ids.get(0, i, 0, 0));
    INFO(row.name, ", ", count, " from tile ", from, " of ", tile, ", row ", position);
    CHECK(got == expected(row.numbers, from * tile, to * tile, count, forced, room));
  }
}
} // namespace

TEST_CASE("the best of a row: higher numbers, then lower ids") {
  for (Isa isa : levels()) {
    INFO(targetName(isa).str());
    auto program = compiled(kernelOf(""), isa);
    for (const Row &row : rows())
      for (int64_t count : {-3, 0, 1, 15, 16, 17, 130, 2048, 9000, 20000})
        agree(*program, row, count, 0, [](int64_t) { return false; });
  }
}

TEST_CASE("the best of a row of which a sample tells nothing") {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  constexpr int64_t large = 2048 * kTile, sampled = 256; // every so many numbers
  auto made = [&](const std::string &name, const std::function<double(int64_t)> &number) {
    return Row{name, madeBy(large, number)};
  };
  std::vector<Row> all{
      made("only bad ones", [&](int64_t i) { return normal(random) - (i % sampled < sampled / 2 ? 9 : 0); }),
      made("only good ones", [&](int64_t i) { return normal(random) + (i % sampled < 16 ? 9 : 0); }),
      made("good ones of equal size", [&](int64_t i) { return i % sampled < 16 ? 9 : random() % 3; }),
      made("bad ones of equal size", [&](int64_t i) { return i % sampled < 16 ? -9 : random() % 3; }),
      made("few that may be selected", [&](int64_t i) { return random() % 100 ? -INFINITY : static_cast<double>(i); }),
      made("few of any order", [&](int64_t i) { return i % sampled ? NAN : normal(random); }),
      made("eight values", [&](int64_t) { return std::ldexp(1.0, static_cast<int>(random() % 8) * 30 - 120); }),
      made("one far off", [&](int64_t i) { return i == 77777 ? 3e38 : normal(random) * 1e-30; }),
  };
  auto forced = [](int64_t id) { return id < 3000; };
  for (Isa isa : levels()) {
    INFO(targetName(isa).str());
    auto plain = compiled(kernelOf(""), isa), some = compiled(kernelOf("affine_set<(t, s) : (2999 - s >= 0)>"), isa);
    for (const Row &row : all)
      for (int64_t count : {1, 300, 2048, 5000, 9000}) {
        agree(*plain, row, count, 0, [](int64_t) { return false; });
        agree(*some, row, count, 0, forced);
      }
  }
}

TEST_CASE("the best of a row: forced numbers come first and count") {
  auto forced = [](int64_t t) { return [t](int64_t id) { return id < 5 || (id <= t && t - id < 40); }; };
  for (Isa isa : levels()) {
    INFO(targetName(isa).str());
    auto program = compiled(
        kernelOf("affine_set<(t, s) : (4 - s >= 0)>, affine_set<(t, s) : (t - s >= 0, 39 - t + s >= 0)>"), isa);
    for (const Row &row : rows())
      for (int64_t count : {1, 30, 50, 700})
        for (int64_t position : {int64_t(2), int64_t(150), int64_t(15000), int64_t(1) << 33})
          agree(*program, row, count, position, forced(position));
  }
}

TEST_CASE("the best of a row: tiles that are fewer strips than are kept at once") {
  auto forced = [](int64_t id) { return id < 5; };
  for (Isa isa : levels())
    for (int64_t tile : {16, 32, 48}) {
      INFO(targetName(isa).str());
      auto plain = compiled(kernelOf("", tile), isa),
           some = compiled(kernelOf("affine_set<(t, s) : (4 - s >= 0)>", tile), isa);
      for (const Row &row : rows())
        for (int64_t count : {7, 60, 700}) {
          agree(*plain, row, count, 0, [](int64_t) { return false; }, tile);
          agree(*some, row, count, 0, forced, tile);
        }
    }
}

TEST_CASE("the length of a list ends at its first -1") {
  std::string text = oneKernel("%ids: A<i32, 1>, %y: A<f32, 1>", R"(
    %c0 = arith.constant 0 : index
    %iv = @slice %ids[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %yv = @slice %y[%c0, %c0] : A<f32, 1> -> V<f32, 1>
    %n = @length %iv : V<i32, 1>
    %i = arith.index_cast %n : index to i32
    %f = arith.sitofp %i : i32 to f32
    %one = @splat 1.0 : T<1xf32>
    %r = @map (%e = %one, %k = %f) : T<1xf32>, f32 -> T<1xf32> {
      %p = arith.mulf %e, %k : f32
      @yield %p : f32
    }
    @store %r, %yv[%c0] : T<1xf32>, V<f32, 1>)");
  for (Isa isa : levels()) {
    auto program = compiled(text, isa);
    for (int64_t length : {0, 1, 16, 31, 48}) {
      Tensor ids(Tensor::I32, 1, 48, 1, 1), y(Tensor::F32, 1, 1, 1, 1);
      for (int64_t i = 0; i < 48; ++i)
        ids.set(0, i, 0, 0, i < length ? static_cast<double>(3 * i) : -1.0);
      Frame frame;
      ids.in(frame);
      y.in(frame);
      program->run("k", frame, 1, 1, 1);
      CHECK(y.get(0, 0, 0, 0) == length);
    }
  }
}

TEST_CASE("lists as bits of words") {
  for (int64_t per : {1, 4, 31}) {
    std::string text = oneKernel("%lists: A<i32, 5>, %words: A<i32, 1>, %row: index", R"(
    %c0 = arith.constant 0 : index
    %lv = @slice %lists[%c0, %c0] : A<i32, 5> -> V<i32, 5>
    %wv = @slice %words[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    @members %lv[%row] per $PER$ into %wv : V<i32, 5>, V<i32, 1>)",
                                 {{"PER", n(per)}});
    for (Isa isa : levels()) {
      auto program = compiled(text, isa);
      std::mt19937 random(7);
      for (int64_t row : {0, 1, 2, 3}) {
        Tensor lists(Tensor::I32, 1, 3, 1, 5), words(Tensor::I32, 1, 32, 1, 1);
        for (int64_t list = 0; list < 3; ++list) {
          std::vector<double> ids(5);
          for (double &id : ids)
            id = static_cast<double>(random() % (36 * per));
          std::sort(ids.begin(), ids.end());
          std::fill(ids.end() - list, ids.end(), -1);
          for (int64_t slot = 0; slot < 5; ++slot)
            lists.set(0, list, 0, slot, ids[slot]);
        }
        words.fill([] { return 77.0; }); // all words are written
        std::vector<double> expected(32, 0.0);
        for (int64_t slot = 0; row < 3 && slot < 5; ++slot) {
          auto id = static_cast<int64_t>(lists.get(0, row, 0, slot));
          if (id >= 0 && id / per < 32)
            expected[id / per] = static_cast<double>(static_cast<int64_t>(expected[id / per]) | int64_t(1) << id % per);
        }
        Frame frame;
        lists.in(frame);
        words.in(frame).index(row);
        program->run("k", frame, 1, 1, 1);
        std::vector<double> got;
        for (int64_t word = 0; word < 32; ++word)
          got.push_back(words.get(0, word, 0, 0));
        INFO(targetName(isa).str(), " ", per, " in a word, list ", row);
        CHECK(got == expected);
      }
    }
  }
}

TEST_CASE("Hadamard transforms of rows") {
  std::string text = oneKernel("%a: A<f32, 64>, %y: A<f32, 64>", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, 64> -> V<f32, 64>
    %yv = @slice %y[%c0, %c0] : A<f32, 64> -> V<f32, 64>
    %x = @load %av[%c0] : V<f32, 64> -> T<48x64xf32>
    %h = @hadamard %x : T<48x64xf32>
    %s = @map (%e = %h, %f = %x) : T<48x64xf32>, T<48x64xf32> -> T<48x64xf32> {
      %d = arith.subf %e, %f : f32
      @yield %d : f32
    }
    @store %s, %yv[%c0] : T<48x64xf32>, V<f32, 64>)");
  for (Isa isa : levels()) {
    auto program = compiled(text, isa);
    Tensor a(Tensor::F32, 1, 40, 1, 64), y(Tensor::F32, 1, 40, 1, 64);
    std::mt19937 random(5);
    a.fill([&] { return static_cast<double>(random() % 64) / 8 - 4; });
    Frame frame;
    a.in(frame);
    y.in(frame);
    program->run("k", frame, 1, 1, 1);
    bool same = true;
    for (int64_t r = 0; r < 40; ++r)
      for (int64_t j = 0; j < 64; ++j) {
        double sum = -a.get(0, r, 0, j);
        for (int64_t i = 0; i < 64; ++i)
          sum += __builtin_popcountll(static_cast<uint64_t>(i & j)) % 2 ? -a.get(0, r, 0, i) : a.get(0, r, 0, i);
        same &= y.get(0, r, 0, j) == sum;
      }
    CHECK(same);
  }
}

TEST_CASE("views across the heads of a position, and columns of a row vector") {
  std::string text = oneKernel("%a: A<f32, 1>, %b: A<f32, 8>, %y: A<f32, 32>, %z: A<f32, 8>, %p: index", R"(
    %c0 = arith.constant 0 : index
    %c2 = arith.constant 2 : index
    %av = @slice %a[%c0, %p] across : A<f32, 1> -> V<f32, 1>
    %bv = @slice %b[%c0, %p] across : A<f32, 8> -> V<f32, 8>
    %yv = @slice %y[%c0, %c0] : A<f32, 32> -> V<f32, 32>
    %zv = @slice %z[%c0, %p] across : A<f32, 8> -> V<f32, 8>
    %v = @load %av[%c2] : V<f32, 1> -> T<32xf32>
    %cols = @columns %v : T<32xf32> -> T<1x32xf32>
    @store %cols, %yv[%c0] : T<1x32xf32>, V<f32, 32>
    %rows = @load %bv[%c2] : V<f32, 8> -> T<16x8xf32>
    %twice = @map (%e = %rows) : T<16x8xf32> -> T<16x8xf32> {
      %s = arith.addf %e, %e : f32
      @yield %s : f32
    }
    @store %twice, %zv[%c2] : T<16x8xf32>, V<f32, 8>)");
  for (Isa isa : levels()) {
    auto program = compiled(text, isa);
    constexpr int64_t heads = 11, position = 3;
    Tensor a(Tensor::F32, 1, 5, heads, 1), b(Tensor::F32, 1, 5, heads, 8), y(Tensor::F32, 1, 1, 1, 32),
        z(Tensor::F32, 1, 5, heads, 8);
    fillNormal(a, 1);
    fillNormal(b, 2);
    fillNormal(z, 3);
    Tensor before = z;
    Frame frame;
    a.in(frame);
    b.in(frame);
    y.in(frame);
    z.in(frame).index(position);
    program->run("k", frame, 1, 1, 1);
    bool same = true;
    for (int64_t i = 0; i < 32; ++i)
      same &= y.get(0, 0, 0, i) == (i + 2 < heads ? a.get(0, position, i + 2, 0) : 0);
    for (int64_t p = 0; p < 5; ++p)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t d = 0; d < 8; ++d)
          same &= z.get(0, p, h, d) == (p == position && h >= 2 ? 2 * b.get(0, p, h, d) : before.get(0, p, h, d));
    CHECK(same);
  }
}

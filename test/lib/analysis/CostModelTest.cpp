// The cost model's formulas: limits that can be said in words, and the choices that follow.
#include "lib/analysis/CostModel.h"
#include <doctest/doctest.h>
#include <cmath>

using namespace sattn;
using namespace sattn::cost;

static TargetInfo plainTarget() {
  TargetInfo target;
  target.rowTile = 64;
  target.rowQuantum = 16;
  target.flopsPerCycle = 64;
  target.exp2PerCycle = 4;
  target.bytesPerCycle = 4;
  target.largeBytesPerCycle = 32;
  return target;
}

TEST_CASE("a key costs its products and its exponential") {
  CHECK(cyclesPerKey(plainTarget(), 64, 64) == doctest::Approx(4.0 + 0.25));
  CHECK(cyclesPerKey(plainTarget(), 128, 64) == doctest::Approx(6.0 + 0.25));
}

TEST_CASE("members fill whole quanta near the row tile") {
  TargetInfo target = plainTarget();
  for (auto [heads, members] :
       {std::pair{1, 64}, {2, 32}, {3, 16}, {4, 16}, {5, 16}, {6, 8}, {8, 8}, {16, 4}, {64, 1}, {80, 1}}) {
    CAPTURE(heads);
    CHECK(membersOf(target, heads) == members);
    CHECK(membersOf(target, heads) * heads % target.rowQuantum == 0);
  }
}

TEST_CASE("gathering wastes the rows that a quantum lacks") {
  TargetInfo target = plainTarget();
  SelectedShape shape{64, 1, 16, 64, 64, 16384};
  double full = gatheredCycles(target, shape);
  shape.heads = 1;
  CHECK(gatheredCycles(target, shape) > 15 * full);
}

TEST_CASE("inverted lists approach the useful work as positions share blocks") {
  TargetInfo target = plainTarget();
  target.largeBytesPerCycle = target.bytesPerCycle = 1e9; // compute only
  target.rowCycles = 1e-9;
  SelectedShape shape{64, 64, 4, 64, 64, 4096}; // every block is chosen: sharing is the chunk
  double useful = 4096 / 2 * cyclesPerKey(target, 64, 64);
  // 256 rows share each block, and a quarter of a group of 16 is wasted.
  CHECK(invertedCycles(target, shape, 256) == doctest::Approx(useful * 260 / 256));
  shape.slots = 1;
  // One block of 64: a visited block has few members, most of a group's rows are dead.
  CHECK(invertedCycles(target, shape, 16) > 4 * useful / 64);
}

TEST_CASE("the state of a row is brought to each block that it chose") {
  TargetInfo target = plainTarget();
  SelectedShape shape{64, 64, 4, 64, 64, 4096};
  double free = invertedCycles(target, shape, 256);
  target.rowCycles += 400;
  // 64 of 64 blocks, half of them before a row on average.
  CHECK(invertedCycles(target, shape, 256) == doctest::Approx(free + 32 * 400));
}

TEST_CASE("tasks are whole groups, grow with the length and end at a bound of memory") {
  TargetInfo target = plainTarget();
  for (SelectedShape shape : {SelectedShape{64, 16, 4, 64, 64, 0}, {64, 3, 1, 64, 64, 0}, {128, 8, 16, 128, 128, 0}}) {
    int64_t members = membersOf(target, shape.heads), before = 0;
    for (shape.keys = 0; shape.keys < int64_t(1) << 22; shape.keys = 2 * shape.keys + 1) {
      int64_t rows = taskRows(target, shape);
      CHECK(rows % members == 0);
      CHECK(rows >= std::max(before, members));
      before = rows;
    }
    CHECK(before == mostRows(target, shape));
  }
}

TEST_CASE("two groups of members share a block at any length") {
  TargetInfo target = plainTarget();
  for (int64_t keys : {4096, 16384, 65536}) {
    SelectedShape shape{64, 16, 4, 64, 64, keys};
    int64_t blocks = keys / shape.block;
    CHECK(taskRows(target, shape) * shape.slots / blocks == 2 * membersOf(target, shape.heads));
  }
}

TEST_CASE("selecting pays from a length that grows with what is selected") {
  TargetInfo target = plainTarget();
  int64_t few = breakEvenKeys(target, {64, 4, 4, 64, 64, 0}, 256);
  int64_t many = breakEvenKeys(target, {64, 32, 4, 64, 64, 0}, 256);
  CHECK(few > 0);
  CHECK(few < many);
  SelectedShape at{64, 4, 4, 64, 64, few};
  CHECK(invertedCycles(target, at, 256) < maskedCycles(target, at));
  at.keys -= at.block;
  CHECK(invertedCycles(target, at, 256) >= maskedCycles(target, at));
  // What a row costs beside its keys matters most where blocks are small.
  target.rowCycles = 130;
  CHECK(breakEvenKeys(target, {16, 64, 1, 128, 128, 0}, 256) >
        2 * breakEvenKeys(target, {64, 16, 8, 128, 128, 0}, 256));
}

TEST_CASE("masking pays for longer where it saves another branch what both see") {
  TargetInfo target = plainTarget();
  SelectedShape shape{64, 16, 4, 64, 64, 4096};
  CHECK(sharedCycles(target, shape) == 0);
  int64_t alone = breakEvenKeys(target, shape);
  shape.shared = 384;
  // Of 4096 rows the first 1024 choose every block.
  CHECK(sharedCycles(target, shape) == doctest::Approx(cyclesPerKey(target, 64, 64) * 384 / 4));
  CHECK(breakEvenKeys(target, shape) > alone);
}

TEST_CASE("tiles of a row serve more rows the more heads share their keys") {
  TargetInfo target;
  target.decodeRows = 8;
  CHECK(splitRows(target, 1) == 8);
  CHECK(splitRows(target, 8) == 8); // nothing is shared
  target.decodeShare = 8;
  CHECK(splitRows(target, 1) == 8);
  CHECK(splitRows(target, 4) == 24);
  CHECK(splitRows(target, 8) == 36);
}

TEST_CASE("lists are walked until so many rows read a key that packing it pays") {
  TargetInfo target;
  target.packReuse = 2;
  CHECK(walkedKeysPerRow(target, 1024, 1) == 256);
  CHECK(walkedKeysPerRow(target, 1024, 8) == 455);
  CHECK(walkedKeysPerRow(target, 1, 1) == 1);
}

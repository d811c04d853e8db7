// Whole attention kernels against a plain float64 reference, at every level this machine runs.
#include "test/codegen/cpu/Attend.h"
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <cmath>
#include <cstring>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

static std::unique_ptr<Program> compiled(AttendSpec &spec, Isa isa) {
  spec.width = targetInfo(isa).keyLayout.width;
  std::string error;
  auto program = Program::compile(attendProgram(spec), isa, error);
  REQUIRE_MESSAGE(program, error);
  return program;
}

TEST_CASE("causal window attention agrees with float64") {
  for (Isa isa : levels()) {
    AttendSpec spec;
    auto program = compiled(spec, isa);
    for (int64_t length : {1, 63, 64, 65, 200})
      for (int64_t window : {1, 5, 64, 100, 1000}) {
        AttendCall call(spec, 2, length, length, 2);
        call.window = window;
        call.run(*program, 2);
        INFO(targetName(isa).str(), " length ", length, " window ", window);
        CHECK(call.error() < 2e-6);
      }
  }
}

TEST_CASE("other extents") {
  for (Isa isa : levels())
    for (auto [d, dv, rows, keys, group] :
         {std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t>{128, 128, 64, 64, 4},
          {40, 24, 48, 32, 1},
          {16, 80, 16, 64, 2},
          {192, 128, 32, 64, 1},
          {33, 20, 80, 128, 3}}) {
      AttendSpec spec;
      spec.d = d, spec.dv = dv, spec.rows = rows, spec.keys = keys, spec.group = group;
      auto program = compiled(spec, isa);
      AttendCall call(spec, 1, 150, 150, 2 * group);
      call.run(*program, 2);
      INFO(targetName(isa).str(), " d ", d, " dv ", dv, " rows ", rows, " keys ", keys);
      CHECK(call.error() < 2e-6);
    }
}

TEST_CASE("short float operands are widened once and rounded once") {
  for (Isa isa : levels())
    for (const char *type : {"f16", "bf16"}) {
      AttendSpec spec;
      spec.type = type;
      auto program = compiled(spec, isa);
      AttendCall call(spec, 1, 150, 150, 2);
      call.run(*program, 1);
      INFO(targetName(isa).str(), " ", std::string(type));
      // Half a unit in the last place of numbers below 4.
      CHECK(call.error() < (spec.type == "f16" ? 1.01e-3 : 8.1e-3));
    }
}

TEST_CASE("each batch entry has its own query offset and key length; a row without keys is 0 and -inf") {
  for (Isa isa : levels()) {
    AttendSpec spec;
    auto program = compiled(spec, isa);
    AttendCall call(spec, 4, 70, 200, 1);
    call.qOffset = {130, 0, 20, 3};
    call.kvLength = {200, 70, 0, 17};
    call.run(*program, 1);
    INFO(targetName(isa).str());
    CHECK(call.error() < 2e-6);
    CHECK(call.lse.get(2, 5, 0, 0) == -INFINITY);
    CHECK(call.o.get(2, 5, 0, 7) == 0);
  }
}

TEST_CASE("masked NaN and infinity never leak, a live NaN stays in its row") {
  for (Isa isa : levels()) {
    AttendSpec spec;
    auto program = compiled(spec, isa);
    AttendCall call(spec, 1, 130, 130, 1);
    // Keys from 100 on are poison: only rows from 100 on may see it.
    for (int64_t i = 0; i < spec.d; ++i) {
      call.k.set(0, 100, 0, i, i % 2 ? NAN : INFINITY);
      call.v.set(0, 100, 0, i, NAN);
      call.v.set(0, 129, 0, i, INFINITY);
      call.k.set(0, 129, 0, i, -INFINITY);
    }
    call.q.set(0, 37, 0, 3, NAN);
    call.run(*program, 1);
    INFO(targetName(isa).str());
    for (int64_t row = 0; row < 130; ++row) {
      bool poisoned = row == 37 || row >= 100;
      CHECK(std::isnan(call.o.get(0, row, 0, 0)) == poisoned);
      CHECK(std::isnan(call.lse.get(0, row, 0, 0)) == poisoned);
    }
  }
}

TEST_CASE("a few visible keys anywhere in partial tiles, poison beside them") {
  for (Isa isa : levels())
    for (int64_t rows : {16, 48, 64}) {
      AttendSpec spec;
      spec.rows = rows;
      auto program = compiled(spec, isa);
      for (int64_t offset : {0, 5, 33, 63})
        for (int64_t window : {1, 3, 17, 40}) {
          AttendCall call(spec, 1, 70, 200, 1);
          call.window = window;
          call.qOffset = {offset};
          // No row sees the keys after the last row, nor the one before the window of the first.
          for (int64_t key : {offset + 70, offset + 71, offset - window})
            if (key >= 0)
              for (int64_t i = 0; i < spec.d; ++i) {
                call.k.set(0, key, 0, i, NAN);
                call.v.set(0, key, 0, i, i % 2 ? NAN : INFINITY);
              }
          call.run(*program, 1);
          INFO(targetName(isa).str(), " rows ", rows, " offset ", offset, " window ", window);
          CHECK(call.error() < 2e-6);
        }
    }
}

TEST_CASE("results are the same bits for any number of threads, and compiling again gives the same object") {
  for (Isa isa : levels()) {
    AttendSpec spec;
    auto program = compiled(spec, isa), again = compiled(spec, isa);
    CHECK(program->code.object == again->code.object);
    AttendCall one(spec, 1, 150, 150, 3), two(spec, 1, 150, 150, 3);
    one.run(*program, 1);
    two.run(*program, 3);
    CHECK(std::memcmp(one.o.data(), two.o.data(), 4 * 150 * 3 * 64) == 0);
    CHECK(std::memcmp(one.lse.data(), two.lse.data(), 4 * 150 * 3) == 0);
  }
}

TEST_CASE("selected blocks over inverse lists agree with float64") {
  for (Isa isa : levels())
    for (auto [group, count, chunk, d] : {std::tuple<int64_t, int64_t, int64_t, int64_t>{4, 3, 64, 64},
                                          {16, 4, 32, 40},
                                          {1, 3, 64, 16},
                                          {2, 5, 96, 64}}) {
      SelectedSpec spec;
      spec.group = group, spec.count = count, spec.chunk = chunk, spec.d = d,
      spec.width = targetInfo(isa).keyLayout.width;
      std::string error;
      auto program = Program::compile(selectedProgram(spec), isa, error);
      REQUIRE_MESSAGE(program, error);
      SelectedCall call(spec, 300, 2 * group);
      call.base.pack(*program, 1);
      call.run(*program, 2);
      INFO(targetName(isa).str(), " group ", group, " count ", count);
      CHECK(call.base.error() < 2e-6);
    }
}

// Whole attention kernels against a plain float64 reference, at every level this machine runs.
#include "test/codegen/cpu/Attend.h"
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <cmath>
#include <doctest/doctest.h>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

TEST_CASE("causal window attention agrees with float64") {
  for (Isa isa : levels()) {
    AttendSpec spec;
    spec.width = targetInfo(isa).keyLayout.width;
    std::string error;
    auto program = Program::compile(attendProgram(spec), isa, error);
    REQUIRE_MESSAGE(program, error);
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

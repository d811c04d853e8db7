// Names of GPU targets and the devices that run them.
#include "runtime/GpuTarget.h"

#include <doctest/doctest.h>

using namespace sattn::rt;

TEST_CASE("names of GPU targets") {
  for (const char *name : {"sm_80", "sm_86", "sm_90a", "sm_120", "sm_120a"})
    CHECK(isGpuTarget(name));
  for (const char *name : {"", "sm_", "sm_a", "sm_8", "sm_8000", "sm_80b", "sm_-1", "sm_ 80", "SM_80", "cuda", "cpu"})
    CHECK_FALSE(isGpuTarget(name));
}

TEST_CASE("which devices run which code") {
  CHECK(runsOn("sm_80", {8, 0}));
  CHECK(runsOn("sm_80", {12, 0}));
  CHECK_FALSE(runsOn("sm_86", {8, 0}));
  CHECK(runsOn("sm_90a", {9, 0}));
  CHECK_FALSE(runsOn("sm_90a", {10, 0}));
  CHECK_FALSE(runsOn("sm_100a", {10, 3}));
  CHECK_FALSE(runsOn("cpu", {9, 0}));
}

TEST_CASE("the nearest target of a device") {
  auto nearest = [](int major, int minor) { return std::string(nearestGpuTarget({major, minor})); };
  CHECK(nearest(7, 5) == "");
  CHECK(nearest(8, 0) == "sm_80");
  CHECK(nearest(8, 6) == "sm_86");
  CHECK(nearest(8, 7) == "sm_86");
  CHECK(nearest(8, 9) == "sm_89");
  CHECK(nearest(9, 0) == "sm_90a");
  CHECK(nearest(10, 0) == "sm_100a");
  CHECK(nearest(10, 3) == "sm_90");
  CHECK(nearest(12, 0) == "sm_120a");
  CHECK(nearest(12, 1) == "sm_90");
}

TEST_CASE("names of devices") {
  int ordinal = -1;
  CHECK(parseCudaTarget("cuda", ordinal));
  CHECK(ordinal == 0);
  CHECK(parseCudaTarget("cuda:12", ordinal));
  CHECK(ordinal == 12);
  for (const char *name : {"", "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "cuda:1x", "cuda:99999999999", "sm_80"})
    CHECK_FALSE(parseCudaTarget(name, ordinal));
}

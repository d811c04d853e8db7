// Lines of the log, and what the nearest kernel is.
#include "test/runtime/Support.h"

#include "runtime/Log.h"
#include "runtime/Nearest.h"

#include <unistd.h>

using namespace sattn::rt;

TEST_CASE("fields of CSV") {
  CHECK(csvField("plain") == "plain");
  CHECK(csvField("") == "");
  CHECK(csvField("D=64,Dv=64") == "\"D=64,Dv=64\"");
  CHECK(csvField("a \"b\"") == "\"a \"\"b\"\"\"");
  CHECK(csvField("two\nlines") == "\"two lines\"");
}

TEST_CASE("without a hook, warnings go to standard error in one line each") {
  int pipes[2];
  REQUIRE(pipe(pipes) == 0);
  int saved = dup(STDERR_FILENO);
  dup2(pipes[1], STDERR_FILENO);
  Log log(nullptr, nullptr, false);
  log.event("run", "a", "b", "c");
  log.warning("first\nof one");
  dup2(saved, STDERR_FILENO);
  close(saved);
  close(pipes[1]);
  char text[100] = {};
  ssize_t count = read(pipes[0], text, sizeof(text) - 1);
  close(pipes[0]);
  CHECK(std::string(text, static_cast<size_t>(count)) == "sattn: warning: first of one\n");
}

TEST_CASE("the hook gets the level and the user pointer") {
  std::vector<std::pair<sattn_log_level, std::string>> lines;
  auto hook = [](void *user, sattn_log_level level, const char *line) {
    static_cast<decltype(lines) *>(user)->emplace_back(level, line);
  };
  Log log(hook, &lines, true);
  log.warning("careful");
  log.event("run", "window", "cpu-avx2", "a,b", std::chrono::microseconds(1234));
  REQUIRE(lines.size() == 3);
  CHECK(lines[1].first == SATTN_LOG_WARNING);
  CHECK(lines[1].second == "careful");
  CHECK(lines[2].first == SATTN_LOG_INFO);
  CHECK(lines[2].second == "sattn_verbose,run,window,cpu-avx2,\"a,b\",1234");
}

TEST_CASE("the nearest kernel is the one that differs least") {
  Request asked{"sattn.pattern @window", "D=64,dtype=f32", "cpu-avx512"};
  ManifestHead otherPattern{"causal", "b1", {"sattn.pattern @causal", "D=64,dtype=f32", "cpu-avx512"}};
  ManifestHead otherText{"window", "b1", {"sattn.pattern @window // x", "D=64,dtype=f32", "cpu-avx512"}};
  ManifestHead otherBind{"window", "b1", {"sattn.pattern @window", "D=128,dtype=bf16", "cpu-avx512"}};
  ManifestHead otherTarget{"window", "b1", {"sattn.pattern @window", "D=64,dtype=f32", "cpu-avx2"}};
  ManifestHead otherBuild{"window", "b2", asked};
  ManifestHead malformed{"window", "b1", {"sattn.pattern @window", "D", "cpu-avx512"}};
  CHECK(describeNearest(asked, "b1", {}) == "nothing is cached");
  CHECK(describeNearest(asked, "b1", {otherPattern}) == "the nearest one differs in pattern (causal, asked window)");
  CHECK(describeNearest(asked, "b1", {otherPattern, otherText}) ==
        "the nearest one differs in the text of pattern 'window'");
  CHECK(describeNearest(asked, "b1", {otherPattern, otherBind, otherText}) ==
        "the nearest one differs in D (128, asked 64), dtype (bf16, asked f32)");
  CHECK(describeNearest(asked, "b1", {otherBind, otherTarget}) ==
        "the nearest one differs in target (cpu-avx2, asked cpu-avx512)");
  CHECK(describeNearest(asked, "b1", {otherTarget, otherBuild}) ==
        "the nearest one differs in compiler build (b2, asked b1)");
  CHECK(describeNearest(asked, "", {otherBuild}) == "the nearest one differs in nothing that is known");
  CHECK(describeNearest(asked, "b1", {malformed}).find("D (none, asked 64)") != std::string::npos);
}

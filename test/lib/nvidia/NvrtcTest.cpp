// NVRTC: its log becomes messages; with its stand-in, the search for it and the calls of it.
#include "lib/nvidia/Nvrtc.h"

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace sattn::nvidia;

// As NVRTC 13.0 writes it; @ is a tab.
static std::string log() {
  std::string text = R"(softcap.cu(2): error: identifier "y" is undefined
    return cap * tanhf(x / y);
                           ^

dir (1)/a.cu(4): warning #177-D: variable "k" was declared but never referenced
  @float g() { int k = 0; return 1; }
  @                ^

Remark: The warnings can be suppressed with "-diag-suppress <warning-number>"

a.cu(1): catastrophic error: cannot open source file "x.h"
  #include "x.h"
                ^

1 error detected in the compilation of "softcap.cu".
)";
  std::replace(text.begin(), text.end(), '@', '\t');
  return text;
}

TEST_CASE("a log becomes messages with their places") {
  std::vector<CudaMessage> messages = parseLog(log());
  REQUIRE(messages.size() == 3);
  CHECK(messages[0].file == "softcap.cu");
  CHECK(messages[0].line == 2);
  CHECK(messages[0].column == 26); // of y in the source
  CHECK(messages[0].isError);
  CHECK(messages[0].text == "identifier \"y\" is undefined");
  CHECK(messages[1].file == "dir (1)/a.cu");
  CHECK(!messages[1].isError);
  CHECK(messages[1].column == 18);
  CHECK(messages[2].isError);
  CHECK(messages[2].text == "cannot open source file \"x.h\"");
  CHECK(parseLog("no message\n(3): error: no file\nf(x): error: no line\n").empty());
}

TEST_CASE("without the library the problem says where it was looked for") {
  setenv("SATTN_CUDA_TOOLS", "/nowhere", 1);
  std::string problem;
  Nvrtc nvrtc;
  if (nvrtc.open(problem)) // this machine has one
    CHECK(nvrtc.description().find("libnvrtc.so.1") != std::string::npos);
  else
    CHECK(problem.find("there is no libnvrtc.so.13 or .12 (looked for in /nowhere, ") == 0);
}

TEST_CASE("a source becomes PTX, or messages, or a problem") {
  setenv("SATTN_CUDA_TOOLS", SATTN_STAND_INS, 1);
  std::string problem, ptx, path = std::tmpnam(nullptr);
  std::ofstream(path) << ".version 8.0\n";
  setenv("SATTN_NVRTC_SIM", path.c_str(), 1);
  Nvrtc nvrtc;
  REQUIRE_MESSAGE(nvrtc.open(problem), problem);
  std::vector<CudaMessage> messages;
  CHECK(nvrtc.compile("sm_90a", "float f();", "f.cu", ptx, messages, problem));
  CHECK(ptx == ".version 8.0\n");
  CHECK(!nvrtc.compile("sm_80", "\n\tfloat f() { return undeclared; }", "f.cu", ptx, messages, problem));
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].line == 2);
  CHECK(messages[0].column == 21);
  CHECK(!nvrtc.compile("sm_89", "float f();", "f.cu", ptx, messages, problem));
  CHECK(problem == "NVRTC fails: NVRTC_ERROR_INVALID_OPTION");
  std::remove(path.c_str());
}

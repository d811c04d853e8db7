// nvJitLink: kernels of a text are compiled one by one; with its stand-in, whose machine code is options and text.
#include "lib/nvidia/NvJitLink.h"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace sattn::nvidia;

static const std::string kTwoKernels = R"(// made by hand
.version 8.0
.target sm_80
.address_size 64

  // .globl  first
.extern .shared .align 16 .b8 first_shared[];
.visible .entry first(
  .param .u64 a
)
.reqntid 128, 1, 1
{
  mov.b64 %rd1, first_shared;
  { // } a comment
  .reg .b32 %r<2>;
  }
  ret;
}
.extern .shared .align 16 .b8 second_shared[];
.visible .entry second()
{
  mov.b64 %rd2, second_shared;
  mov.b64 %rd1, {%r1, %r2};
  ret;
}
)";

TEST_CASE("each kernel becomes a module with its shared memory") {
  std::vector<PtxKernel> kernels = kernelsOf(kTwoKernels);
  REQUIRE(kernels.size() == 2);
  CHECK(kernels[0].name == "first");
  CHECK(kernels[1].name == "second");
  for (const PtxKernel &kernel : kernels) {
    CHECK(kernel.text.rfind(".version 8.0\n.target sm_80\n.address_size 64\n", 0) == 0);
    CHECK(kernel.text.find(".b8 " + kernel.name + "_shared[];\n.visible") != std::string::npos);
    CHECK(kernel.text.find("ret;\n}\n") == kernel.text.size() - 7);
  }
  CHECK(kernels[0].text.find("second") == std::string::npos);
  CHECK(kernels[1].text.find("first") == std::string::npos);
}

TEST_CASE("a text with functions, variables or shared memory of several kernels, or that does not end, stays whole") {
  for (const char *item :
       {".func f()\n{\n\tret;\n}\n", ".global .align 4 .b8 g[4];\n", ".visible .entry open()\n{\n",
        ".visible .entry closed()\n}\n", ".visible .entry third()\n{\n\tmov.b64 %rd1, first_shared;\n}\n"})
    CHECK(kernelsOf(kTwoKernels + item).empty());
}

TEST_CASE("kernels are compiled apart where the linker makes relocatable code, else in one piece") {
  setenv("SATTN_CUDA_TOOLS", SATTN_STAND_INS, 1);
  NvJitLink linker;
  std::string cubin, problem;
  REQUIRE(linker.open(problem));
  REQUIRE(linker.link("sm_80", kTwoKernels, "a.ptx", cubin, problem));
  CHECK(cubin.rfind("-arch=sm_80 -O3\n-arch=sm_80 -O3 -r\n.version 8.0\n", 0) == 0);
  size_t first = cubin.find(".entry first("), second = cubin.find(".entry second(");
  CHECK(first < cubin.rfind(".version 8.0\n"));
  CHECK(cubin.rfind(".version 8.0\n") < second);
  REQUIRE(linker.link("sm_86", kTwoKernels, "a.ptx", cubin, problem));
  CHECK(cubin == "-arch=sm_86 -O3\n" + kTwoKernels);
  CHECK_FALSE(linker.link("sm_80", ".target sm_80\n", "a.ptx", cubin, problem));
  CHECK(problem == "nvJitLink refuses the PTX (error 4): ptxas fatal: Missing .version directive");
}

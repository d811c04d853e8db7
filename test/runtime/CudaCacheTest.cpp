// Machine code that the driver made is kept beside the artefact: once for each compute capability and driver, verified
// whenever it is read, removed with its artefact.
#include "test/runtime/CudaSupport.h"

using namespace sattn::rt::testing;

namespace {

struct GpuCompiler : TestCompiler {
  GpuCompiler() { add(cudaManifest(), axpyPtx()); }
};

/// Gets the kernel in a new context on a machine and runs it. Returns how often the driver compiled PTX for it.
uint64_t compilations(const std::string &folder, const char *machine, std::vector<std::string> *lines = nullptr) {
  CudaSim sim(machine);
  CurrentContext current(sim);
  CudaTensor q(sim, {1, 3, 1, 4}), o(sim, {1, 3, 1, 4});
  GpuCompiler compiler;
  TestContext context(&compiler, folder);
  CallBuilder call;
  call.input("q", q.tensor).output("o", o.tensor);
  CHECK_RUN(sattn_run(context.kernel(cudaManifest(), "sm_80"), call.get()));
  std::vector<float> expected;
  for (int i = 0; i < 12; ++i)
    expected.push_back(2.0f * static_cast<float>(i) + 3);
  CHECK(o.memory.download() == expected);
  if (lines)
    *lines = context.lines();
  return sim.calls("cuLinkCreate_v2");
}

} // namespace

TEST_CASE("machine code is made once for each capability and driver") {
  TemporaryFolder folder;
  CHECK(compilations(folder.path(), "cc=90") == 1);
  CHECK(filesIn(folder.path(), ".cubin").size() == 1);
  CHECK(compilations(folder.path(), "cc=90") == 0);
  CHECK(compilations(folder.path(), "cc=80") == 1);
  CHECK(compilations(folder.path(), "cc=90,version=13010") == 1);
  CHECK(compilations(folder.path(), "cc=80") == 0);
  CHECK(filesIn(folder.path(), ".cubin").size() == 3);
  CHECK(filesIn(folder.path(), ".sattn").size() == 1);
}

TEST_CASE("a damaged file is found, named and replaced") {
  TemporaryFolder folder;
  CHECK(compilations(folder.path(), "") == 1);
  std::string name = filesIn(folder.path(), ".cubin").at(0), bytes = readFile(folder.file(name));
  for (size_t place : {size_t(0), bytes.size() - 2}) {
    std::string damaged = bytes;
    damaged[place] = static_cast<char>(damaged[place] + 1);
    writeFile(folder.file(name), damaged);
    std::vector<std::string> lines;
    CHECK(compilations(folder.path(), "", &lines) == 1);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] == "[SA0420] cache file '" + name +
                          "' was damaged and is replaced: its contents are not what was "
                          "written");
    CHECK(readFile(folder.file(name)) == bytes);
  }
  writeFile(folder.file(name), "short");
  CHECK(compilations(folder.path(), "") == 1);
}

TEST_CASE("the cache's own functions know these files") {
  TemporaryFolder folder;
  CHECK(compilations(folder.path(), "") == 1);
  std::string name = filesIn(folder.path(), ".cubin").at(0);
  TestContext context(nullptr, folder.path());
  size_t damaged = 9, removed = 9;
  auto ignore = [](void *, const sattn_cache_entry *) {};
  CHECK_RUN(sattn_cache_verify(context.get(), ignore, nullptr, &damaged));
  CHECK(damaged == 0);
  writeFile(folder.file(name), std::string(100, 'x'));
  CHECK_RUN(sattn_cache_verify(context.get(), ignore, nullptr, &damaged));
  CHECK(damaged == 1);
  CHECK_RUN(sattn_cache_gc(context.get(), 0, &removed));
  CHECK(removed == 1);
  CHECK(filesIn(folder.path(), ".cubin").empty());

  CHECK(compilations(folder.path(), "") == 1);
  CHECK_RUN(sattn_cache_clear(context.get(), &removed));
  CHECK(removed == 1);
  CHECK(filesIn(folder.path(), ".cubin").empty());
}

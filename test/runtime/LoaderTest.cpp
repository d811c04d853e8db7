// Loading code: a thousand kernels that differ in one number, memory files, perf map, executable-code policies.
#include "test/runtime/Support.h"

#include "runtime/Loader.h"
#include "runtime/PerfMap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>

using namespace sattn::rt;
using namespace sattn::rt::testing;

namespace {

const std::vector<KernelInfo> identifyKernel = {{"identify", "identify", 0}};

int64_t ask(const LoadedCode &code) {
  float o = -1;
  int64_t frame[7] = {std::bit_cast<int64_t>(&o), 1, 1, 1, 0, 0, 0};
  code.function(0)(frame, nullptr, 0, 0, 0);
  return static_cast<int64_t>(o);
}

size_t openDescriptors() { return filesIn("/proc/self/fd").size(); }

} // namespace

TEST_CASE("a thousand different kernels each answer with their own id") {
  std::vector<std::unique_ptr<LoadedCode>> loaded;
  size_t before = openDescriptors();
  for (int id = 0; id < 1000; ++id) {
    std::unique_ptr<LoadedCode> code;
    CHECK_OK(LoadedCode::loadBytes(kernelCodeWithId(id), "identify", identifyKernel, code));
    REQUIRE(code);
    CHECK(ask(*code) == id); // at once
    loaded.push_back(std::move(code));
    // Each file is closed after its load, so the next one gets the same descriptor: the trap.
    CHECK(openDescriptors() == before);
  }
  for (int id = 0; id < 1000; ++id)
    CHECK(ask(*loaded[id]) == id); // and while all others are there
  // Unloading some and loading others in their place changes nothing either.
  for (int id = 0; id < 1000; id += 2)
    loaded[id].reset();
  for (int id = 0; id < 1000; id += 2)
    CHECK_OK(LoadedCode::loadBytes(kernelCodeWithId(5000 + id), "identify", identifyKernel, loaded[id]));
  for (int id = 0; id < 1000; ++id)
    CHECK(ask(*loaded[id]) == (id % 2 ? id : 5000 + id));
}

TEST_CASE("files that replace one another under one name") {
  TemporaryFolder folder;
  std::vector<std::unique_ptr<LoadedCode>> loaded;
  for (int id = 0; id < 50; ++id) {
    writeFile(folder.file("k.so"), kernelCodeWithId(id));
    Fd file(open(folder.file("k.so").c_str(), O_RDONLY | O_CLOEXEC));
    std::unique_ptr<LoadedCode> code;
    CHECK_OK(LoadedCode::load(file, false, "identify", identifyKernel, code));
    loaded.push_back(std::move(code));
  }
  for (int id = 0; id < 50; ++id)
    CHECK(ask(*loaded[id]) == id);
}

TEST_CASE("code in memory is in the perf map") {
  std::unique_ptr<LoadedCode> code;
  CHECK_OK(LoadedCode::loadBytes(kernelCode(), "window", identifyKernel, code));
  std::string map = readFile(perfMapPath());
  auto address = reinterpret_cast<uintptr_t>(code->function(0));
  char expected[64];
  std::snprintf(expected, sizeof(expected), "%zx ", static_cast<size_t>(address));
  size_t line = map.rfind(expected);
  REQUIRE(line != std::string::npos);
  CHECK(map.substr(line, map.find('\n', line) - line).ends_with(" sattn:window:identify"));
  struct stat info;
  REQUIRE(stat(perfMapPath().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  // A planted link is not followed.
  TemporaryFolder folder;
  writeFile(folder.file("victim"), "");
  unlink(perfMapPath().c_str());
  REQUIRE(symlink(folder.file("victim").c_str(), perfMapPath().c_str()) == 0);
  appendPerfMap("text\n");
  CHECK(readFile(folder.file("victim")).empty());
  unlink(perfMapPath().c_str());
}

TEST_CASE("what cannot be loaded") {
  std::unique_ptr<LoadedCode> code;
  CHECK_STATUS(LoadedCode::loadBytes("junk", "window", identifyKernel, code), Err::LoadFailed,
               "[SA0502] cannot load the code of kernel 'window': ");
  CHECK_STATUS(LoadedCode::loadBytes(kernelCode(), "window", {{"a", "nothing", 0}}, code), Err::MissingSymbol,
               "'nothing' of kernel 'a'");
  CHECK_FALSE(code);
  CHECK_STATUS(LoadedCode::load(Fd(), false, "window", identifyKernel, code), Err::LoadFailed, "cannot load");
}

TEST_CASE("memory files are sealed") {
  // The bytes of a kernel cannot change between their check and their load, nor later.
  std::unique_ptr<LoadedCode> code;
  CHECK_OK(LoadedCode::loadBytes(kernelCode(), "sealed", identifyKernel, code));
  std::string maps = readFile("/proc/self/maps");
  size_t line = maps.find("sattn-sealed");
  REQUIRE(line != std::string::npos);
  size_t begin = maps.rfind('\n', line) + 1;
  std::string range = maps.substr(begin, maps.find(' ', begin) - begin);
  int fd = open(("/proc/self/map_files/" + range).c_str(), O_RDWR);
  if (fd >= 0) { // needs rights that a test may not have
    CHECK((fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE) != 0);
    close(fd);
  }
}

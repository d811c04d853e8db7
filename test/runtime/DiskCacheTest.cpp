// The disk cache without a context: locks, misses, files that cannot be read.
#include "test/runtime/Support.h"

#include "runtime/DiskCache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <thread>

using namespace sattn::rt;
using namespace sattn::rt::testing;

namespace {
struct Opened {
  TemporaryFolder folder;
  Log log{[](void *user, sattn_log_level, const char *line) { static_cast<Opened *>(user)->lines.push_back(line); },
          this, false};
  DiskCache::Counters counters;
  std::vector<std::string> lines;
  std::unique_ptr<DiskCache> cache;
  json manifest = axpyManifest();
  Key key = makeKey(requestOf(manifest), "test 1");
  std::string bytes = artefactOf(manifest), found, stem;

  Opened() {
    Status status;
    cache = DiskCache::open(folder.path() + "///", 1 << 20, log, counters, status);
    CHECK_OK(status);
    REQUIRE(cache);
  }
};
} // namespace

TEST_CASE("what is stored is loaded, by key or by request") {
  Opened o;
  CHECK(o.cache->path() == o.folder.path());
  CHECK_FALSE(o.cache->load(o.key, false, o.found, o.stem));
  CHECK_FALSE(o.cache->load(o.key, true, o.found, o.stem));
  CHECK_FALSE(o.cache->has(o.key, true));
  REQUIRE(o.cache->store(o.key, o.bytes, o.stem));
  CHECK(o.cache->load(o.key, false, o.found, o.stem));
  CHECK(o.found == o.bytes);
  Key other = makeKey(requestOf(o.manifest), "test 2");
  CHECK_FALSE(o.cache->load(other, false, o.found, o.stem));
  CHECK(o.cache->load(other, true, o.found, o.stem));
  CHECK(o.cache->has(other, true));
  CHECK_FALSE(o.cache->has(other, false));
  std::string manifest;
  CHECK_OK(o.cache->readManifest(o.stem, manifest));
  CHECK(json::parse(manifest) == o.manifest);
  CHECK_OK(o.cache->verify(o.stem));
  CHECK(o.lines.empty());
}

TEST_CASE("code files hold what was asked for") {
  Opened o;
  REQUIRE(o.cache->store(o.key, o.bytes, o.stem));
  for (int round = 0; round < 2; ++round) {
    Fd file = o.cache->openCode(o.stem, kernelCode());
    REQUIRE(file.valid());
    std::string text;
    lseek(file.get(), 0, SEEK_SET);
    CHECK(readAll(file.get(), 1 << 20, text) == 0);
    CHECK(text == kernelCode());
  }
  CHECK(o.cache->openCode(o.stem, "other").valid()); // another name: its hash is part of it
  CHECK(filesIn(o.folder.path(), ".so").size() == 2);
  CHECK_STATUS(o.cache->verify(o.stem), Err::CodeImage, "is not the artefact's code");
}

TEST_CASE("a file that cannot be read now is not called damaged") {
  Opened o;
  CHECK_STATUS(o.cache->verify("nothing"), Err::CacheRead,
               "[SA0423] cache file 'nothing.sattn' cannot be read: No such file or directory");
  std::string manifest;
  CHECK_STATUS(o.cache->readManifest("nothing", manifest), Err::CacheRead, "cannot be read");
  CHECK(o.counters.damaged == 0);
}

TEST_CASE("an entry of another format is replaced") {
  Opened o;
  REQUIRE(o.cache->store(o.key, o.bytes, o.stem));
  std::string name = o.folder.file(o.stem + ".sattn"), later = o.bytes;
  later[8] = 2;
  writeFile(name, later);
  chmod(name.c_str(), 0400);
  CHECK_FALSE(o.cache->load(o.key, false, o.found, o.stem));
  REQUIRE(o.lines.size() == 1);
  CHECK(o.lines[0].find("[SA0411] artefact format version 2") != std::string::npos);
  CHECK(filesIn(o.folder.path(), ".sattn").empty());
}

TEST_CASE("locks exclude one another and are not waited for without end") {
  Opened o;
  Fd first = o.cache->lock(o.key);
  REQUIRE(first.valid());
  CHECK_FALSE(o.cache->lock(o.key, std::chrono::milliseconds(30)).valid());
  std::thread releasing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    first.close();
  });
  CHECK(o.cache->lock(o.key, std::chrono::seconds(20)).valid());
  releasing.join();
}

// The cache directory through the C interface: hits, damage, hostile directories, killed writers, space, tools.
#include "test/runtime/ApiSupport.h"

#include "runtime/ArtefactWriter.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>

using namespace sattn::rt::testing;

namespace {

float runIdentify(sattn_kernel *kernel) {
  Tensor q({1, 1, 1, 4}), o({1, 1, 1});
  CallBuilder call;
  call.input("q", q).output("o", o);
  CHECK_RUN(sattn_run(kernel, call.get()));
  return o[0];
}

/// @identify under its own name and with its own id.
json identified(int id) {
  json m = identifyManifest();
  m["name"] = "id" + std::to_string(id);
  m["pattern"] = "sattn.pattern @id" + std::to_string(id);
  return m;
}

std::string onlyFile(const std::string &folder, const char *ending) {
  auto names = filesIn(folder, ending);
  REQUIRE(names.size() == 1);
  return folder + "/" + names[0];
}

/// What sattn_cache_list() or verify() shows.
struct Shown {
  struct Entry {
    std::string file, error, pattern, build;
    uint64_t bytes;
  };
  std::vector<Entry> entries;
  static void visit(void *self, const sattn_cache_entry *entry) {
    CHECK(entry->struct_size == sizeof(*entry));
    static_cast<Shown *>(self)->entries.push_back(
        {entry->file, entry->error ? entry->error : "", entry->pattern, entry->build, entry->bytes});
  }
};

} // namespace

TEST_CASE("a second process finds the kernel on disk") {
  TemporaryFolder folder;
  std::string dir = folder.file("a/b/cache");
  TestCompiler compiler;
  {
    TestContext context(&compiler, dir);
    CHECK(std::string(sattn_cache_dir(context.get())) == dir);
    context.kernel(axpyManifest());
  }
  struct stat info;
  REQUIRE(stat(dir.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  for (const char *ending : {".sattn", ".so"}) {
    REQUIRE(stat(onlyFile(dir, ending).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0400);
  }
  CHECK(filesIn(dir, "").size() == 3); // artefact, code, one lock
  TestContext context(&compiler, dir);
  Tensor q({1, 1, 1, 4}, 1), o({1, 1, 1, 4});
  CallBuilder call;
  call.input("q", q).output("o", o);
  CHECK_RUN(sattn_run(context.kernel(axpyManifest()), call.get()));
  CHECK(o[0] == 5);
  CHECK(compiler.calls == 1);
  CHECK(context.stats().disk_hits == 1);
  CHECK(context.lines().empty());
  // Without a compiler the kernels of any build are taken, with one only its own.
  TestContext reader(nullptr, dir);
  reader.kernel(axpyManifest());
  TestCompiler newer;
  newer.build = "test 2";
  TestContext other(&newer, dir);
  other.kernel(axpyManifest());
  CHECK(newer.calls == 1);
  CHECK(filesIn(dir, ".sattn").size() == 2);
}

TEST_CASE("damaged files are found, replaced and logged once") {
  TemporaryFolder folder;
  TestCompiler compiler;
  const std::string &dir = folder.path();
  compiler.add(identified(1), kernelCodeWithId(1));
  {
    TestContext(&compiler, dir).kernel(identified(1));
  }
  std::string artefact = onlyFile(dir, ".sattn"), code = onlyFile(dir, ".so");
  std::string goodArtefact = readFile(artefact), goodCode = readFile(code);
  int compiled = 1;
  auto check = [&](bool recompiled, const char *text) {
    TestContext context(&compiler, dir);
    CHECK(runIdentify(context.kernel(identified(1))) == 1);
    CHECK(compiler.calls == (compiled += recompiled));
    CHECK(context.stats().damaged == 1);
    REQUIRE(context.lines().size() == 1);
    CHECK_MESSAGE(context.lines()[0].find(text) != std::string::npos, context.lines()[0]);
    CHECK(readFile(artefact) == goodArtefact);
    CHECK(readFile(code) == goodCode);
  };
  for (size_t at : {size_t(0), size_t(9), size_t(20), goodArtefact.size() / 2, goodArtefact.size() - 1}) {
    std::string bad = goodArtefact;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    writeFile(artefact, bad);
    check(true, "[SA0420] cache file '");
  }
  writeFile(artefact, "");
  check(true, "it does not begin with 'SATTNART'");
  writeFile(artefact, goodArtefact.substr(0, goodArtefact.size() - 64));
  check(true, "reaches beyond the end of the file");
  // A right file under a wrong name: its hashes agree, its key does not.
  writeFile(artefact, sattn::rt::writeArtefact(identified(2).dump(), kernelCodeWithId(2)));
  check(true, "its manifest belongs to another key");
  // Something else in its place.
  unlink(artefact.c_str());
  REQUIRE(symlink("/etc/passwd", artefact.c_str()) == 0);
  check(true, "it is not a plain file that only we can write");
  unlink(artefact.c_str());
  REQUIRE(mkfifo(artefact.c_str(), 0600) == 0);
  check(true, "it is not a plain file that only we can write");
  REQUIRE(chmod(artefact.c_str(), 0666) == 0);
  check(true, "it is not a plain file that only we can write");
  // Code that was exchanged: the artefact is good, so nothing is compiled.
  writeFile(code, kernelCodeWithId(3));
  check(false, "its contents are not what was written");
  writeFile(code, goodCode.substr(0, 100));
  check(false, "its contents are not what was written");
  unlink(code.c_str());
  TestContext context(&compiler, dir); // missing code is no damage
  CHECK(runIdentify(context.kernel(identified(1))) == 1);
  CHECK(context.lines().empty());
}

TEST_CASE("hostile directories are not used, with one warning") {
  TemporaryFolder folder;
  TestCompiler compiler;
  auto check = [&](const std::string &dir, const char *text) {
    TestContext context(&compiler, dir);
    CHECK(sattn_cache_dir(context.get()) == nullptr);
    context.kernel(axpyManifest());
    context.kernel(totalManifest());
    REQUIRE(context.lines().size() == 1);
    CHECK_MESSAGE(context.lines()[0].find(text) != std::string::npos, context.lines()[0]);
    CHECK(context.lines()[0].starts_with("[SA0421] cache directory '"));
  };
  std::string real = folder.file("real"), link = folder.file("link"), file = folder.file("file");
  REQUIRE(mkdir(real.c_str(), 0700) == 0);
  REQUIRE(symlink(real.c_str(), link.c_str()) == 0);
  check(link, "it is a symbolic link or not a directory");
  check(link + "/", "it is a symbolic link or not a directory");
  writeFile(file, "x");
  check(file, "it is a symbolic link or not a directory");
  check(file + "/below", "Not a directory");
  check("/proc/sattn", "No such file or directory");
  for (mode_t mode : {0777, 0770, 0702, 01777}) {
    REQUIRE(chmod(real.c_str(), mode) == 0);
    check(real, "others may write to it (chmod 700)");
  }
  REQUIRE(chmod(real.c_str(), 0700) == 0);
  if (geteuid() == 0) {
    REQUIRE(chown(real.c_str(), 12345, 12345) == 0);
    check(real, "it belongs to another user");
  }
  CHECK(filesIn(real).empty());
}

TEST_CASE("a directory that takes no files costs one warning and no kernel") {
  TemporaryFolder folder;
  TestCompiler compiler;
  std::string dir = folder.file("c");
  {
    TestContext(&compiler, dir).kernel(axpyManifest());
  }
  // Every write fails, as on a full disk, for any user: no file may grow. Done in a child, for the limit stays.
  pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    rlimit none = {0, 0};
    setrlimit(RLIMIT_FSIZE, &none);
    sattn_context *context = nullptr;
    static std::vector<std::string> lines;
    sattn_options options = {};
    options.struct_size = sizeof(options);
    options.cache_dir = dir.c_str();
    options.log = [](void *, sattn_log_level, const char *line) { lines.push_back(line); };
    bool good = sattn_context_create(&options, &context) == SATTN_OK;
    good = good && sattn_set_compile_hook(context, TestCompiler::compile, &compiler, "test 1") == SATTN_OK;
    for (const json &m : {totalManifest(), identifyManifest(), axpyManifest()}) {
      std::string pattern = m["pattern"];
      sattn_spec spec = {sizeof(spec), pattern.c_str(), 0, "D=4,dtype=f32", nullptr};
      sattn_kernel *kernel = nullptr;
      // Memory files obey the limit as well, so a kernel that is not on disk cannot be loaded here at all.
      sattn_status status = sattn_get(context, &spec, &kernel);
      bool onDisk = pattern.find("axpy") != std::string::npos;
      good = good && (onDisk ? status == SATTN_OK : status == SATTN_ENVIRONMENT) &&
             (onDisk || strstr(sattn_last_error(), "[SA0502] cannot load the code of kernel"));
    }
    good = good && lines.size() == 1 && lines[0].find("[SA0422] cache directory '") == 0;
    for (const std::string &line : lines)
      if (!good)
        (void)!write(2, (line + "\n").data(), line.size() + 1);
    _exit(good ? 0 : 1);
  }
  int result = -1;
  waitpid(child, &result, 0);
  CHECK(result == 0);
  for (const std::string &name : filesIn(dir))
    CHECK_FALSE(name.starts_with("tmp-"));
}

TEST_CASE("a directory that another user may only read is used as it is") {
  if (geteuid() != 0)
    return;
  TemporaryFolder folder;
  REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
  std::string dir = folder.file("c");
  REQUIRE(mkdir(dir.c_str(), 0500) == 0);
  REQUIRE(chown(dir.c_str(), 12345, 12345) == 0);
  TestCompiler compiler;
  pid_t child = fork();
  if (child == 0) {
    // An ordinary user, for whom mode 0500 means something.
    if (setgid(12345) != 0 || setuid(12345) != 0)
      _exit(2);
    static int warnings = 0;
    sattn_context *context = nullptr;
    sattn_options options = {};
    options.struct_size = sizeof(options);
    options.cache_dir = dir.c_str();
    options.log = [](void *, sattn_log_level, const char *line) { warnings += !!strstr(line, "[SA0422]"); };
    std::string pattern = axpyManifest()["pattern"];
    sattn_spec spec = {sizeof(spec), pattern.c_str(), 0, "D=4,dtype=f32", nullptr};
    sattn_kernel *kernel = nullptr;
    bool good = sattn_context_create(&options, &context) == SATTN_OK && sattn_cache_dir(context) &&
                sattn_set_compile_hook(context, TestCompiler::compile, &compiler, "test 1") == SATTN_OK &&
                sattn_get(context, &spec, &kernel) == SATTN_OK && warnings == 1;
    _exit(good ? 0 : 1);
  }
  int result = -1;
  waitpid(child, &result, 0);
  CHECK(result == 0);
}

TEST_CASE("killed writers leave nothing that is read, and gc removes the rest") {
  TemporaryFolder folder;
  TestCompiler compiler;
  const std::string &dir = folder.path();
  int leftovers = 0;
  for (int round = 0; round < 40; ++round) {
    compiler.add(identified(round), kernelCodeWithId(round));
    pid_t child = fork();
    if (child == 0) {
      // Writes one entry after the other until it is killed.
      TestContext context(&compiler, dir);
      for (;;) {
        sattn_cache_clear(context.get(), nullptr);
        TestContext writer(&compiler, dir);
        (void)writer.tryGet(identified(round));
      }
    }
    usleep(static_cast<useconds_t>(500 + 613 * round % 9000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    for (const std::string &name : filesIn(dir))
      leftovers += name.starts_with("tmp-");
    TestContext context(&compiler, dir);
    CHECK(runIdentify(context.kernel(identified(round))) == round);
    CHECK(context.stats().damaged == 0);
    CHECK(context.lines().empty());
    size_t damaged = 99;
    Shown shown;
    CHECK_RUN(sattn_cache_verify(context.get(), Shown::visit, &shown, &damaged));
    CHECK(damaged == 0);
    CHECK_RUN(sattn_cache_gc(context.get(), 0, nullptr));
    for (const std::string &name : filesIn(dir))
      CHECK_FALSE(name.starts_with("tmp-"));
    // Every code file has its artefact.
    CHECK(filesIn(dir, ".so").size() <= filesIn(dir, ".sattn").size());
  }
  MESSAGE("temporary files left by 40 killed writers: ", leftovers);
}

TEST_CASE("the least recently used entries go first") {
  TemporaryFolder folder;
  TestCompiler compiler;
  const std::string &dir = folder.path();
  uint64_t size = 0;
  auto use = [&](int id, uint64_t limit) {
    compiler.add(identified(id), kernelCodeWithId(id));
    TestContext context(&compiler, dir, [&](sattn_options &options) { options.cache_bytes = limit; });
    CHECK(runIdentify(context.kernel(identified(id))) == id);
    return context.stats();
  };
  use(1, 0);
  for (const std::string &name : filesIn(dir))
    size += std::filesystem::file_size(folder.file(name));
  use(2, 0);
  use(3, 0);
  CHECK(filesIn(dir, ".sattn").size() == 3);
  CHECK(use(1, 0).disk_hits == 1); // 1 is now newer than 2 and 3
  CHECK(use(4, 3 * size + size / 2).evictions == 1);
  CHECK(filesIn(dir, ".sattn").size() == 3);
  CHECK(use(1, 0).disk_hits == 1);
  CHECK(use(3, 0).disk_hits == 1);
  CHECK(use(2, 1).evictions == 3); // a limit below one entry still keeps the newest
  CHECK(filesIn(dir, ".sattn").size() == 1);
  CHECK(filesIn(dir, ".so").size() == 1);
  CHECK(use(2, 0).disk_hits == 1);
}

TEST_CASE("list, verify, gc and clear for tools") {
  TemporaryFolder folder;
  TestCompiler compiler;
  const std::string &dir = folder.path();
  TestContext context(&compiler, dir);
  context.kernel(axpyManifest());
  context.kernel(totalManifest());
  Shown listed;
  CHECK_RUN(sattn_cache_list(context.get(), Shown::visit, &listed));
  REQUIRE(listed.entries.size() == 2);
  CHECK(listed.entries[0].pattern == "total"); // last used first
  CHECK(listed.entries[1].pattern == "axpy");
  CHECK(listed.entries[1].build == "test 1");
  CHECK(listed.entries[1].bytes > 2 * kernelCode().size());
  size_t count = 99;
  Shown verified;
  CHECK_RUN(sattn_cache_verify(context.get(), Shown::visit, &verified, &count));
  CHECK(count == 0);
  // Damage in the code: listing does not see it, verifying does.
  std::string victim = folder.file(listed.entries[1].file), bytes = readFile(victim);
  bytes[bytes.size() - 100] ^= 1;
  writeFile(victim, bytes);
  chmod(victim.c_str(), 0400);
  Shown again, seen;
  CHECK_RUN(sattn_cache_list(context.get(), Shown::visit, &again));
  for (const auto &entry : again.entries)
    CHECK(entry.error.empty());
  CHECK_RUN(sattn_cache_verify(context.get(), Shown::visit, &seen, &count));
  CHECK(count == 1);
  CHECK(seen.entries[0].error + seen.entries[1].error ==
        "[SA0413] section 1 of the artefact is damaged: its hash does not match");
  // Damage in the manifest: both see it.
  bytes[200] ^= 1;
  writeFile(victim, bytes);
  Shown third;
  CHECK_RUN(sattn_cache_list(context.get(), Shown::visit, &third));
  CHECK((third.entries[0].error + third.entries[1].error).find("[SA0413] section 0") == 0);
  // A wrong code file, a stranger's file, an orphan.
  std::string code = folder.file(filesIn(dir, ".so")[0]);
  writeFile(folder.file("notes.txt"), "mine");
  std::string orphan = "00000000000000000000000000000000-0000000000000000-0000000000000000.so";
  writeFile(folder.file(orphan), "x");
  writeFile(folder.file("tmp-999999999-1"), "x");
  size_t removed = 99;
  CHECK_RUN(sattn_cache_gc(context.get(), 0, &removed));
  CHECK(removed == 1);
  CHECK(filesIn(dir, ".sattn").size() == 1);
  CHECK(filesIn(dir, ".so").size() == 1);
  CHECK_FALSE(std::filesystem::exists(folder.file("tmp-999999999-1")));
  code = folder.file(filesIn(dir, ".so")[0]);
  writeFile(code, "other");
  Shown fourth;
  CHECK_RUN(sattn_cache_verify(context.get(), Shown::visit, &fourth, &count));
  CHECK(count == 1);
  CHECK(fourth.entries[0].error.find("is not the artefact's code") != std::string::npos);
  CHECK_RUN(sattn_cache_clear(context.get(), &removed));
  CHECK(removed == 1);
  CHECK(filesIn(dir) == std::vector<std::string>{"notes.txt"});
  // Kernels that are loaded stay usable.
  Tensor q({1, 1, 1, 4}, 1), o({1, 1, 1, 4});
  CallBuilder call;
  call.input("q", q).output("o", o);
  CHECK_RUN(sattn_run(context.kernel(axpyManifest()), call.get()));
  CHECK(o[0] == 5);
  CHECK(compiler.calls == 2);
}

TEST_CASE("cache functions without a cache and without arguments") {
  TestContext context(nullptr);
  size_t count = 99;
  Shown shown;
  CHECK_RUN(sattn_cache_list(context.get(), Shown::visit, &shown));
  CHECK_RUN(sattn_cache_verify(context.get(), Shown::visit, &shown, &count));
  CHECK(count == 0);
  CHECK_RUN(sattn_cache_gc(context.get(), 0, nullptr));
  CHECK_RUN(sattn_cache_clear(context.get(), &count));
  CHECK(shown.entries.empty());
  CHECK_ERROR(sattn_cache_list(context.get(), nullptr, nullptr), SATTN_BAD_ARGUMENT, "argument 'visit' is null");
  CHECK_ERROR(sattn_cache_verify(nullptr, Shown::visit, nullptr, nullptr), SATTN_BAD_ARGUMENT,
              "argument 'context' is null");
  CHECK_ERROR(sattn_cache_gc(nullptr, 0, nullptr), SATTN_BAD_ARGUMENT, "argument 'context' is null");
  CHECK_ERROR(sattn_cache_clear(nullptr, nullptr), SATTN_BAD_ARGUMENT, "argument 'context' is null");
}

TEST_CASE("no descriptor is left open") {
  TemporaryFolder folder;
  TestCompiler compiler;
  auto open = [] { return filesIn("/proc/self/fd").size(); };
  {
    TestContext(&compiler, folder.file("w")).kernel(axpyManifest());
  }
  size_t before = open();
  {
    TestContext context(&compiler, folder.file("c")), memory(&compiler);
    context.kernel(axpyManifest());
    memory.kernel(totalManifest());
    CHECK(open() == before + 1); // the directory
  }
  CHECK(open() == before);
}

TEST_CASE("a process without descriptors to spare destroys nothing") {
  TemporaryFolder folder;
  TestCompiler compiler;
  {
    TestContext(&compiler, folder.path()).kernel(axpyManifest());
  }
  std::vector<std::string> before = filesIn(folder.path());
  TestContext context(&compiler, folder.path());
  rlimit limit, few;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  few = {128, limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  std::vector<int> hoard;
  for (int fd; (fd = dup(STDERR_FILENO)) >= 0;)
    hoard.push_back(fd);
  sattn_status status = context.tryGet(axpyManifest());
  std::string text = sattn_last_error();
  for (int fd : hoard)
    close(fd);
  setrlimit(RLIMIT_NOFILE, &limit);
  CHECK(status == SATTN_ENVIRONMENT);
  CHECK_MESSAGE(text.find("[SA0502] cannot load the code of kernel 'axpy'") == 0, text);
  CHECK(filesIn(folder.path()) == before);
  CHECK(context.stats().damaged == 0);
  context.kernel(axpyManifest());
}

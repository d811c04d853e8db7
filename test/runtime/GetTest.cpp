// From specs to kernels: the compile hook, JIT off, bundles, lower levels, the verbose log.
#include "test/runtime/ApiSupport.h"

#include "runtime/ArtefactWriter.h"

#include <cstdlib>
#include <stdexcept>

using namespace sattn::rt::testing;

TEST_CASE("spellings of one spec are one kernel") {
  TestCompiler compiler;
  TestContext context(&compiler);
  json m = axpyManifest();
  sattn_kernel *first = context.kernel(m);
  m["bind"] = " dtype=f32, D=4 ";
  CHECK(context.kernel(m) == first);
  CHECK(context.kernel(m, "cpu") == first);
  CHECK(context.kernel(m, sattn_isa_detect()) == first);
  CHECK(compiler.calls == 1);
  m["bind"] = "D=4,dtype=f32,n=2";
  CHECK(context.kernel(m) != first);
  m["bind"] = "D=4,dtype=f32";
  CHECK(context.kernel(m, "cpu-baseline") != first);
  CHECK(compiler.calls == 3);
}

TEST_CASE("the hook gets a sorted bind, a level and a size") {
  TestCompiler compiler;
  compiler.before = [](const sattn_spec &spec) {
    CHECK(spec.struct_size == sizeof(spec));
    CHECK(std::string(spec.bind) == "D=4,dtype=f32");
    CHECK(std::string(spec.target) == sattn_isa_detect());
    CHECK(spec.pattern_size == std::string(spec.pattern).size());
  };
  TestContext context(&compiler);
  json m = axpyManifest();
  m["bind"] = "dtype=f32,D=4";
  context.kernel(m);
  CHECK(compiler.calls == 1);
}

TEST_CASE("errors of the compiler are passed on and not remembered") {
  TestCompiler compiler;
  TestContext context(&compiler);
  json m = axpyManifest();
  m["pattern"] = "sattn.pattern @nobody";
  for (int round = 1; round <= 2; ++round) {
    CHECK_ERROR(context.tryGet(m), SATTN_COMPILE_FAILED, "[SA0407] x.mlir:1:1: error: no such pattern");
    CHECK(compiler.calls == round);
    CHECK(context.stats().compile_errors == static_cast<uint64_t>(round));
  }
  compiler.add(m);
  CHECK(context.tryGet(m) == SATTN_OK);
}

TEST_CASE("hooks that misbehave") {
  struct Hook {
    std::string artefact;
    bool throws = false;
    static sattn_status compile(void *self, const sattn_spec *, void **bytes, size_t *size, char **) {
      auto &hook = *static_cast<Hook *>(self);
      if (hook.throws)
        throw std::runtime_error("x");
      if (hook.artefact.empty())
        return SATTN_OK; // and no bytes
      *bytes = malloc(hook.artefact.size());
      memcpy(*bytes, hook.artefact.data(), hook.artefact.size());
      *size = hook.artefact.size();
      return SATTN_OK;
    }
  } hook;
  TestContext context(nullptr, "", [](sattn_options &options) { options.target = "cpu-baseline"; });
  REQUIRE(sattn_set_compile_hook(context.get(), Hook::compile, &hook, "test 1") == SATTN_OK);
  json m = axpyManifest();
  auto expect = [&](const std::string &artefact, sattn_status status, const char *text) {
    hook.artefact = artefact;
    CHECK_ERROR(context.tryGet(m), status, text);
  };
  expect("", SATTN_COMPILE_FAILED, "[SA0407] the compile hook failed without a text");
  expect("junk", SATTN_BAD_ARTEFACT, "[SA0410] not an artefact");
  auto other = [&](const char *field, const char *value) {
    json changed = m;
    changed[field] = value;
    return artefactOf(changed);
  };
  const char *text = "[SA0408] the compile hook returned an artefact for another request: ";
  expect(other("pattern", "x"), SATTN_COMPILE_FAILED, (text + std::string("the pattern differs")).c_str());
  expect(other("bind", "D=4"), SATTN_COMPILE_FAILED, "the bind differs");
  expect(other("target", "cpu-amx"), SATTN_COMPILE_FAILED, "the target differs");
  expect(other("build", "test 2"), SATTN_COMPILE_FAILED, "the build differs");
  std::string bundle;
  CHECK_OK(sattn::rt::writeBundle({artefactOf(m), artefactOf(totalManifest())}, bundle));
  expect(bundle, SATTN_COMPILE_FAILED, "the number of kernels differs");
  json missing = m;
  missing["kernels"]["axpy"]["symbol"] = "axpz";
  expect(artefactOf(missing), SATTN_BAD_ARTEFACT, "[SA0417] code section does not define the symbol 'axpz'");
  expect(sattn::rt::writeArtefact(m.dump(), "x"), SATTN_BAD_ARTEFACT, "[SA0416] code section: not an ELF file");
  hook.throws = true;
  expect("", SATTN_INTERNAL, "[SA0504] internal error: an exception came out of the compile hook");
  hook.throws = false;
  hook.artefact = artefactOf(m);
  CHECK(context.tryGet(m) == SATTN_OK);
  CHECK_ERROR(sattn_set_compile_hook(context.get(), Hook::compile, &hook, nullptr), SATTN_BAD_ARGUMENT,
              "argument 'build' is null");
  CHECK_ERROR(sattn_set_compile_hook(nullptr, Hook::compile, &hook, "x"), SATTN_BAD_ARGUMENT,
              "argument 'context' is null");
}

TEST_CASE("without a compiler the missing key and the nearest kernel are named") {
  TestCompiler compiler;
  TestContext context(&compiler);
  json m = axpyManifest(), asked = m;
  std::string machine = sattn_isa_detect();
  REQUIRE(sattn_set_compile_hook(context.get(), nullptr, nullptr, nullptr) == SATTN_OK);
  std::string key = sattn::rt::toHex(sattn::rt::makeKey({m["pattern"], m["bind"], machine}, "").request);
  CHECK_ERROR(context.tryGet(m), SATTN_NO_COMPILER,
              "[SA0406] no kernel is cached for pattern 'axpy', bind 'D=4,dtype=f32', target '" + machine + "' (key " +
                  key + ") and there is no compiler; nothing is cached");
  REQUIRE(sattn_set_compile_hook(context.get(), TestCompiler::compile, &compiler, "test 1") == SATTN_OK);
  context.kernel(m);
  context.kernel(totalManifest());
  REQUIRE(sattn_set_compile_hook(context.get(), nullptr, nullptr, nullptr) == SATTN_OK);
  auto expect = [&](const std::string &text) { CHECK_ERROR(context.tryGet(asked), SATTN_NO_COMPILER, text); };
  asked["bind"] = "D=8,Dv=8,dtype=f32";
  expect("the nearest one differs in D (4, asked 8), Dv (none, asked 8)");
  asked["bind"] = "D=4,dtype=f32";
  asked["pattern"] = "sattn.pattern @axpy(...) { changed }";
  expect("the nearest one differs in the text of pattern 'axpy'");
  asked["pattern"] = "sattn.pattern @window";
  expect("the nearest one differs in pattern (axpy, asked window)");
  if (machine != "cpu-baseline") {
    asked = m;
    CHECK_ERROR(context.tryGet(asked, "cpu-baseline"), SATTN_NO_COMPILER,
                "the nearest one differs in target (" + machine + ", asked cpu-baseline)");
  }
  CHECK(context.stats().misses >= 4);
}

TEST_CASE("JIT off by option and by environment") {
  TestCompiler compiler;
  {
    TestContext context(&compiler, "", [](sattn_options &options) { options.jit_off = 1; });
    CHECK_ERROR(context.tryGet(axpyManifest()), SATTN_NO_COMPILER, "and the context's JIT is off; nothing is cached");
  }
  setenv("SATTN_JIT", "off", 1);
  {
    TestContext context(&compiler);
    CHECK_ERROR(context.tryGet(axpyManifest()), SATTN_NO_COMPILER, "and SATTN_JIT is off; nothing is cached");
  }
  unsetenv("SATTN_JIT");
  CHECK(compiler.calls == 0);
}

TEST_CASE("bundles") {
  json axpy = axpyManifest(), total = totalManifest(), identify = identifyManifest();
  std::string bundle, single = artefactOf(total);
  identify["build"] = "another build";
  CHECK_OK(sattn::rt::writeBundle({artefactOf(axpy), sattn::rt::writeArtefact(identify.dump(), kernelCodeWithId(9))},
                                  bundle));
  TestContext context(nullptr);
  CHECK_RUN(sattn_load_bundle(context.get(), bundle.data(), bundle.size()));
  CHECK_RUN(sattn_load_bundle(context.get(), single.data(), single.size())); // any artefact is a bundle
  bundle.assign(bundle.size(), 0);                                           // the bytes were copied
  Tensor q({1, 1, 1, 4}, 1), o({1, 1, 1, 4}), id({1, 1, 1});
  CallBuilder call, which;
  call.input("q", q).output("o", o);
  which.input("q", q).output("o", id);
  CHECK_RUN(sattn_run(context.kernel(axpy, "cpu-baseline"), call.get()));
  CHECK(o[0] == 5);
  CHECK_RUN(sattn_run(context.kernel(identify, "cpu-baseline"), which.get()));
  CHECK(id[0] == 9);
  context.kernel(total, "cpu-baseline");
  CHECK(context.stats().bundle_hits == 3);
  // A machine that is newer than the bundle falls back, unless the level was asked for.
  sattn_kernel *fallback = context.kernel(axpy);
  CHECK(std::string(sattn_kernel_target(fallback)) == "cpu-baseline");
  CHECK(context.kernel(axpy) == fallback);
  if (std::string(sattn_isa_detect()) != "cpu-baseline")
    CHECK_ERROR(context.tryGet(axpy, sattn_isa_detect()), SATTN_NO_COMPILER, "there is no compiler");
  // Found for the first time through the fall-back.
  TestContext fresh(nullptr);
  CHECK_RUN(sattn_load_bundle(fresh.get(), single.data(), single.size()));
  CHECK(std::string(sattn_kernel_target(fresh.kernel(total))) == "cpu-baseline");
  CHECK(fresh.stats().bundle_hits == 1);
}

TEST_CASE("a bundle is preferred to compiling; damaged ones are refused whole") {
  TestCompiler compiler;
  TestContext context(&compiler, "", [](sattn_options &options) { options.target = "cpu-baseline"; });
  std::string bytes = artefactOf(axpyManifest());
  std::string damaged = bytes;
  damaged[bytes.size() / 2] ^= 1;
  CHECK_ERROR(sattn_load_bundle(context.get(), damaged.data(), damaged.size()), SATTN_BAD_ARTEFACT, "is damaged");
  CHECK_ERROR(sattn_load_bundle(context.get(), bytes.data(), 10), SATTN_BAD_ARTEFACT, "[SA0410] not an artefact");
  CHECK_ERROR(sattn_load_bundle(context.get(), nullptr, 10), SATTN_BAD_ARGUMENT, "argument 'bytes' is null");
  CHECK_ERROR(sattn_load_bundle(nullptr, bytes.data(), 10), SATTN_BAD_ARGUMENT, "argument 'context' is null");
  CHECK_RUN(sattn_load_bundle(context.get(), bytes.data(), bytes.size()));
  context.kernel(axpyManifest());
  CHECK(compiler.calls == 0);
  context.kernel(totalManifest());
  CHECK(compiler.calls == 1);
}

TEST_CASE("explain of a spec") {
  TestCompiler compiler;
  TemporaryFolder folder;
  json m = axpyManifest();
  auto explain = [&](TestContext &context) {
    sattn_spec spec = {};
    std::string pattern = m["pattern"];
    spec.struct_size = sizeof(spec);
    spec.pattern = pattern.c_str();
    spec.bind = "D=4,dtype=f32";
    char *text = nullptr;
    CHECK_RUN(sattn_explain_spec(context.get(), &spec, &text));
    std::string out = text ? text : "";
    sattn_free(text);
    return out;
  };
  auto contains = [](const std::string &text, const char *part) {
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  };
  TestContext context(&compiler, folder.file("c"));
  contains(explain(context), "source   compiler; nothing is cached");
  CHECK(compiler.calls == 0);
  context.kernel(m);
  contains(explain(context), "source   memory");
  TestContext other(&compiler, folder.file("c"));
  contains(explain(other), "source   disk, ");
  TestContext off(nullptr);
  contains(explain(off), "source   none: there is no compiler; nothing is cached");
  contains(explain(off), "build    any (no compiler)");
  std::string bytes = artefactOf(m);
  TestContext bundled(nullptr, "", [](sattn_options &options) { options.target = "cpu-baseline"; });
  CHECK_RUN(sattn_load_bundle(bundled.get(), bytes.data(), bytes.size()));
  contains(explain(bundled), "source   bundle");
  CHECK_ERROR(sattn_explain_spec(off.get(), nullptr, nullptr), SATTN_BAD_ARGUMENT, "argument 'text' is null");
}

TEST_CASE("verbose lines are CSV with a template first") {
  TestCompiler compiler;
  TemporaryFolder folder;
  setenv("SATTN_VERBOSE", "1", 1);
  {
    TestContext context(&compiler, folder.file("c"));
    Tensor q({1, 1, 1, 4}), o({1, 1, 1, 4});
    CallBuilder call;
    call.input("q", q).output("o", o);
    CHECK_RUN(sattn_run(context.kernel(axpyManifest()), call.get()));
    json m = axpyManifest();
    m["pattern"] = "sattn.pattern @nobody";
    (void)context.tryGet(m);
    std::vector<std::string> lines = context.lines();
    REQUIRE(lines.size() == 5);
    CHECK(lines[0] == "sattn_verbose,event,pattern,target,detail,microseconds");
    CHECK(lines[1].starts_with("sattn_verbose,context,,cpu-"));
    CHECK(lines[2].starts_with("sattn_verbose,compile,axpy,cpu-"));
    CHECK(lines[3].starts_with("sattn_verbose,run,axpy,cpu-"));
    CHECK(lines[3].find("threads=2") != std::string::npos);
    CHECK(lines[4].starts_with("sattn_verbose,compile-error,nobody,"));
    TestContext again(&compiler, folder.file("c"));
    again.kernel(axpyManifest());
    CHECK(again.lines().back().starts_with("sattn_verbose,disk,axpy,"));
  }
  setenv("SATTN_VERBOSE", "0", 1);
  TestContext quiet(&compiler);
  quiet.kernel(axpyManifest());
  CHECK(quiet.lines().empty());
  unsetenv("SATTN_VERBOSE");
}

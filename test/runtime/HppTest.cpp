// sattn.hpp: the C++ interface over the same library.
#include <sattn/sattn.hpp>

#include "test/runtime/ApiSupport.h"

#include <cstdlib>

using sattn::rt::testing::axpyManifest;
using sattn::rt::testing::json;
using sattn::rt::testing::TestCompiler;
using sattn::rt::testing::totalManifest;

namespace {
sattn::Context makeContext(TestCompiler &compiler) {
  sattn::Options options;
  options.memoryOnly = true;
  options.threads = 2;
  sattn::Context context(options);
  context.setCompileHook(TestCompiler::compile, &compiler, compiler.build);
  return context;
}

std::string get(const json &manifest, const char *field) { return manifest[field]; }
} // namespace

TEST_CASE("a call as it reads") {
  TestCompiler compiler;
  sattn::Context context = makeContext(compiler);
  sattn::Kernel kernel = context.get(get(axpyManifest(), "pattern"), "D=4,dtype=f32");
  std::vector<float> q(2 * 3 * 4, 1), o(2 * 3 * 4);
  sattn::Call call;
  call.input("q", sattn::Tensor(q.data(), {2, 3, 1, 4}))
      .output("o", sattn::Tensor(o.data(), {2, 3, 1, 4}))
      .param("W", 10)
      .param("scale", 0.5f)
      .qOffset({100, 200});
  call.run(kernel);
  CHECK(o[0] == 110.5f);
  CHECK(o[12] == 210.5f);
  call.qOffset(7).threads(1).run(kernel); // again, with something changed
  CHECK(o[12] == 17.5f);
  CHECK(context.stats().runs == 2);
}

TEST_CASE("kernels are shared and described") {
  TestCompiler compiler;
  sattn::Context context = makeContext(compiler);
  json m = totalManifest();
  sattn::Kernel kernel = context.get(get(m, "pattern"), "D=4,dtype=f32"), copy = kernel;
  CHECK(copy.get() == kernel.get());
  CHECK(kernel.name() == "total");
  CHECK(kernel.bind() == "D=4,dtype=f32");
  CHECK(kernel.build() == "test 1");
  CHECK(kernel.target() == sattn_isa_detect());
  CHECK(kernel.key().size() == 64);
  CHECK(json::parse(kernel.manifest())["name"] == "total");
  REQUIRE(kernel.roles().size() == 2);
  CHECK(std::string(kernel.roles()[1].axes[1]) == "s");
  CHECK(kernel.results().size() == 2);
  CHECK(kernel.params().empty());
  CHECK(kernel.explain().find("plan") != std::string::npos);
  CHECK(context.explain(get(m, "pattern"), "D=4,dtype=f32").find("source   memory") != std::string::npos);
  std::vector<float> q(4 * 4), k(6 * 4);
  sattn::Call call;
  call.input("q", sattn::Tensor(q.data(), {1, 4, 1, 4})).input("k", sattn::Tensor(k.data(), {1, 6, 1, 4}));
  call.kvLen(3).kvOffset(0).qOffset(2);
  CHECK(call.workspaceSize(kernel) == 64 + 64 + 64);
  CHECK(call.explain(kernel).find("kv_len_max=3") != std::string::npos);
  CHECK(json::parse(kernel.explainJson())["name"] == "total");
  CHECK(json::parse(call.explainJson(kernel))["call"]["sizes"]["kv_len_max"] == 3);
  void *memory = std::aligned_alloc(64, 192);
  call.workspace(memory, 192).run(kernel);
  std::free(memory);
}

TEST_CASE("failures are exceptions with status and text") {
  TestCompiler compiler;
  sattn::Context context = makeContext(compiler);
  try {
    context.get("sattn.pattern @nobody", "");
    FAIL("no exception");
  } catch (const sattn::Error &error) {
    CHECK(error.status() == SATTN_COMPILE_FAILED);
    CHECK(std::string(error.what()).find("no such pattern") != std::string::npos);
  }
  CHECK_THROWS_AS(context.get("", ""), sattn::Error);
  CHECK_THROWS_AS(context.loadBundle("junk"), sattn::Error);
  float x = 0;
  CHECK_THROWS_AS(sattn::Tensor(&x, {1, 1}, {1}), sattn::Error);
  sattn_options options = {};
  CHECK_THROWS_AS(sattn::Context{options}, sattn::Error);
}

TEST_CASE("tensors of every dtype") {
  TestCompiler compiler;
  sattn::Context context = makeContext(compiler);
  sattn::Kernel kernel = context.get(get(axpyManifest(), "pattern"), "D=4,dtype=f32");
  uint16_t half[4] = {};
  int32_t whole[4] = {};
  auto message = [&](sattn::Tensor tensor) -> std::string {
    try {
      sattn::Call().input("q", std::move(tensor)).run(kernel);
    } catch (const sattn::Error &error) {
      return error.what();
    }
    return "";
  };
  CHECK(message(sattn::Tensor(half, sattn::float16, {1, 1, 1, 4})).find("q is f16") != std::string::npos);
  CHECK(message(sattn::Tensor(half, sattn::bfloat16, {1, 1, 1, 4})).find("q is bf16") != std::string::npos);
  CHECK(message(sattn::Tensor(whole, {1, 1, 1, 4})).find("q is i32") != std::string::npos);
}

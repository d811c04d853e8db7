// The C interface apart from runs: versions, structs that grow, contexts, introspection.
#include "test/runtime/ApiSupport.h"

#include <cstdlib>
#include <cstring>

using namespace sattn::rt::testing;

TEST_CASE("versions, statuses and targets have names") {
  CHECK(std::string(sattn_version()) == "0.1.0");
  CHECK(sattn_version_number() == 100);
  CHECK(std::string(sattn_status_name(SATTN_OK)) == "SATTN_OK");
  CHECK(std::string(sattn_status_name(SATTN_INTERNAL)) == "SATTN_INTERNAL");
  CHECK(std::string(sattn_status_name(static_cast<sattn_status>(99))) == "SATTN_UNKNOWN");
  CHECK(std::string(sattn_status_name(SATTN_STATUS_WIDTH)) == "SATTN_UNKNOWN");
  CHECK(std::string(sattn_isa_detect()).starts_with("cpu-"));
  sattn_free(nullptr);
  sattn_kernel_release(nullptr);
  sattn_context_destroy(nullptr);
  CHECK(sattn_kernel_retain(nullptr) == nullptr);
  CHECK(std::string(sattn_kernel_name(nullptr)).empty());
  CHECK(sattn_kernel_role_count(nullptr) == 0);
}

TEST_CASE("structs of other versions") {
  sattn_context *context = nullptr;
  struct Newer {
    sattn_options options;
    int64_t later;
  } newer = {};
  newer.options.struct_size = sizeof(newer);
  newer.options.memory_only = 1;
  CHECK_RUN(sattn_context_create(&newer.options, &context));
  sattn_context_destroy(context);
  newer.later = 1;
  CHECK_ERROR(sattn_context_create(&newer.options, &context), SATTN_BAD_ARGUMENT,
              "[SA0302] sattn_options has fields that this library (version 0.1.0) does not know");
  CHECK(context == nullptr);
  // An older caller, whose struct ends after memory_only.
  sattn_options older = {};
  older.struct_size = offsetof(sattn_options, jit_off);
  older.memory_only = 1;
  older.threads = -5; // lies behind its end
  CHECK_RUN(sattn_context_create(&older, &context));
  sattn_context_destroy(context);
  for (size_t size : {size_t(0), size_t(8), size_t(1) << 20}) {
    older.struct_size = size;
    CHECK_ERROR(sattn_context_create(&older, &context), SATTN_BAD_ARGUMENT,
                "[SA0301] 'struct_size' of sattn_options is " + std::to_string(size) +
                    "; set it to sizeof(sattn_options)");
  }
  TestContext good(nullptr);
  sattn_stats_data stats = {};
  CHECK_ERROR(sattn_stats(good.get(), &stats), SATTN_BAD_ARGUMENT, "[SA0301] 'struct_size' of sattn_stats_data is 0");
  stats.struct_size = offsetof(sattn_stats_data, disk_hits);
  stats.disk_hits = 77;
  CHECK_RUN(sattn_stats(good.get(), &stats));
  CHECK(stats.disk_hits == 77); // beyond what an older caller has
  struct NewerStats {
    sattn_stats_data data;
    uint64_t later = 5;
  } newerStats;
  newerStats.data.struct_size = sizeof(newerStats);
  CHECK_RUN(sattn_stats(good.get(), &newerStats.data));
  CHECK(newerStats.later == 0);
}

TEST_CASE("options that are refused") {
  sattn_context *context = nullptr;
  sattn_options options = {};
  options.struct_size = sizeof(options);
  options.memory_only = 1;
  CHECK_ERROR(sattn_context_create(&options, nullptr), SATTN_BAD_ARGUMENT, "[SA0300] argument 'out' is null");
  options.threads = -1;
  CHECK_ERROR(sattn_context_create(&options, &context), SATTN_BAD_CALL, "[SA0336] threads is -1");
  options.threads = 0;
  options.reserved = 1;
  CHECK_ERROR(sattn_context_create(&options, &context), SATTN_BAD_ARGUMENT, "[SA0303]");
  options.reserved = 0;
  options.target = "sm_90a";
  CHECK_ERROR(sattn_context_create(&options, &context), SATTN_BAD_ARGUMENT, "[SA0402] unknown target 'sm_90a'");
  options.target = "cpu";
  CHECK_RUN(sattn_context_create(&options, &context));
  CHECK(sattn_cache_dir(context) == nullptr);
  CHECK(sattn_cache_dir(nullptr) == nullptr);
  sattn_context_destroy(context);
}

TEST_CASE("specs that are refused") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = nullptr;
  sattn_spec spec = {};
  spec.struct_size = sizeof(spec);
  CHECK_ERROR(sattn_get(context.get(), &spec, &kernel), SATTN_BAD_ARGUMENT, "[SA0300] argument 'pattern' is null");
  CHECK_ERROR(sattn_get(context.get(), nullptr, &kernel), SATTN_BAD_ARGUMENT, "argument 'sattn_spec' is null");
  CHECK_ERROR(sattn_get(nullptr, &spec, &kernel), SATTN_BAD_ARGUMENT, "argument 'context' is null");
  CHECK_ERROR(sattn_get(context.get(), &spec, nullptr), SATTN_BAD_ARGUMENT, "argument 'out' is null");
  spec.pattern = "";
  CHECK_ERROR(sattn_get(context.get(), &spec, &kernel), SATTN_BAD_ARGUMENT, "[SA0404] the pattern text is empty");
  std::string large((16 << 20) + 1, 'x');
  spec.pattern = large.c_str();
  CHECK_ERROR(sattn_get(context.get(), &spec, &kernel), SATTN_BAD_ARGUMENT,
              "[SA0405] the pattern has 16777217 bytes; at most 16777216 are allowed");
  spec.pattern = "x";
  spec.bind = large.c_str();
  CHECK_ERROR(sattn_get(context.get(), &spec, &kernel), SATTN_BAD_ARGUMENT, "[SA0405] the bind has");
  spec.bind = "D=64,D=64";
  CHECK_ERROR(sattn_get(context.get(), &spec, &kernel), SATTN_BAD_ARGUMENT, "[SA0401] bind gives 'D' twice");
  spec.bind = "D";
  CHECK_ERROR(sattn_get(context.get(), &spec, &kernel), SATTN_BAD_ARGUMENT, "[SA0400] bind item 'D'");
  spec.bind = nullptr;
  spec.target = "cpu-avx1024";
  CHECK_ERROR(sattn_get(context.get(), &spec, &kernel), SATTN_BAD_ARGUMENT, "[SA0402] unknown target 'cpu-avx1024'");
  CHECK(compiler.calls == 0);
  CHECK(kernel == nullptr);
  if (std::string(sattn_isa_detect()) != "cpu-amx") {
    spec.target = "cpu-amx";
    CHECK_ERROR(sattn_get(context.get(), &spec, &kernel), SATTN_UNSUPPORTED,
                "[SA0403] target 'cpu-amx' is above what this machine offers");
  }
}

TEST_CASE("a kernel shows its roles, results, params and manifest") {
  TestCompiler compiler;
  TestContext context(&compiler);
  json m = totalManifest();
  m["params"] = json::parse(R"([{"name": "W", "type": "int", "default": 512},
                                {"name": "scale", "type": "float", "default": 0.125}, {"name": "n", "type": "int"}])");
  compiler.add(m);
  sattn_kernel *kernel = context.kernel(m, "cpu-baseline");
  CHECK(std::string(sattn_kernel_name(kernel)) == "total");
  CHECK(std::string(sattn_kernel_target(kernel)) == "cpu-baseline");
  CHECK(std::string(sattn_kernel_bind(kernel)) == "D=4,dtype=f32");
  CHECK(std::string(sattn_kernel_build(kernel)) == "test 1");
  CHECK(std::string(sattn_kernel_key(kernel)) == sattn::rt::makeKey(requestOf(m), "test 1").text());
  CHECK(json::parse(sattn_kernel_manifest(kernel))["steps"] == m["steps"]);
  REQUIRE(sattn_kernel_role_count(kernel) == 2);
  REQUIRE(sattn_kernel_result_count(kernel) == 2);
  REQUIRE(sattn_kernel_param_count(kernel) == 3);
  sattn_operand_info info = {};
  info.struct_size = sizeof(info);
  CHECK_RUN(sattn_kernel_role(kernel, 1, &info));
  CHECK(std::string(info.name) == "k");
  CHECK(std::string(info.dtype) == "f32");
  REQUIRE(info.ndim == 4);
  const char *axes[] = {"B", "s", "g", "D"};
  for (int i = 0; i < 4; ++i) {
    CHECK(std::string(info.axes[i]) == axes[i]);
    CHECK(info.sizes[i] == (i == 3 ? 4 : -1));
  }
  CHECK_RUN(sattn_kernel_result(kernel, 1, &info));
  CHECK(std::string(info.name) == "lse");
  CHECK(info.ndim == 3);
  CHECK_ERROR(sattn_kernel_role(kernel, 2, &info), SATTN_BAD_ARGUMENT, "[SA0338] index 2 is out of range; there are 2");
  CHECK_ERROR(sattn_kernel_result(kernel, 2, &info), SATTN_BAD_ARGUMENT, "[SA0338]");
  CHECK_ERROR(sattn_kernel_role(nullptr, 0, &info), SATTN_BAD_ARGUMENT, "argument 'kernel' is null");
  CHECK_ERROR(sattn_kernel_role(kernel, 0, nullptr), SATTN_BAD_ARGUMENT, "argument 'sattn_operand_info' is null");
  sattn_param_info param = {};
  param.struct_size = sizeof(param);
  CHECK_RUN(sattn_kernel_param(kernel, 0, &param));
  CHECK(std::string(param.name) == "W");
  CHECK(param.type == SATTN_PARAM_INT);
  CHECK(param.int_default == 512);
  CHECK_RUN(sattn_kernel_param(kernel, 1, &param));
  CHECK(param.type == SATTN_PARAM_FLOAT);
  CHECK(param.float_default == 0.125);
  CHECK_RUN(sattn_kernel_param(kernel, 2, &param));
  CHECK(param.has_default == 0);
  CHECK_ERROR(sattn_kernel_param(kernel, 3, &param), SATTN_BAD_ARGUMENT, "[SA0338]");
}

TEST_CASE("kernels outlive their context") {
  TestCompiler compiler;
  sattn_kernel *kernel;
  {
    TestContext context(&compiler);
    kernel = sattn_kernel_retain(context.kernel(axpyManifest()));
  }
  Tensor q({1, 1, 1, 4}, 1), o({1, 1, 1, 4});
  CallBuilder call;
  call.input("q", q).output("o", o);
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(o[0] == 5);
  sattn_kernel_release(kernel);
}

TEST_CASE("the environment") {
  TemporaryFolder folder;
  auto dirOf = [](sattn_options options) {
    options.struct_size = sizeof(options);
    sattn_context *context = nullptr;
    REQUIRE(sattn_context_create(&options, &context) == SATTN_OK);
    std::string dir = sattn_cache_dir(context) ? sattn_cache_dir(context) : "";
    sattn_context_destroy(context);
    return dir;
  };
  struct Saved {
    const char *name;
    std::string value;
    explicit Saved(const char *name) : name(name), value(getenv(name) ? getenv(name) : "") {}
    ~Saved() { setenv(name, value.c_str(), 1); }
  } saved[] = {Saved("SATTN_CACHE_DIR"), Saved("XDG_CACHE_HOME"), Saved("HOME")};
  setenv("SATTN_CACHE_DIR", folder.file("a").c_str(), 1);
  setenv("XDG_CACHE_HOME", folder.file("x").c_str(), 1);
  setenv("HOME", folder.file("h").c_str(), 1);
  CHECK(dirOf({}) == folder.file("a"));
  sattn_options given = {};
  std::string own = folder.file("own");
  given.cache_dir = own.c_str();
  CHECK(dirOf(given) == own);
  unsetenv("SATTN_CACHE_DIR");
  CHECK(dirOf({}) == folder.file("x/sattn"));
  setenv("XDG_CACHE_HOME", "relative", 1);
  CHECK(dirOf({}) == folder.file("h/.cache/sattn"));
  setenv("HOME", "", 1);
  unsetenv("XDG_CACHE_HOME");
  std::vector<std::string> lines;
  given.cache_dir = nullptr;
  given.log = [](void *user, sattn_log_level, const char *line) {
    static_cast<std::vector<std::string> *>(user)->push_back(line);
  };
  given.log_user = &lines;
  CHECK(dirOf(given).empty());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        "[SA0421] cache directory '(none)' is not used, kernels stay in memory: set SATTN_CACHE_DIR or HOME");
  setenv("SATTN_JIT", "of", 1);
  given.memory_only = 1;
  lines.clear();
  CHECK(dirOf(given).empty());
  unsetenv("SATTN_JIT");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "SATTN_JIT is 'of'; only 'off' and 'on' are known, and it is on");
}

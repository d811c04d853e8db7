// Targets that are not CPUs: what a device of sattn_set_device() gets to load and to launch, and what is refused. The
// device of these tests computes @axpy of Support.h in plain C++ from the slots that it is given.
#include "test/runtime/ApiSupport.h"

#include <bit>
#include <cstring>

using namespace sattn::rt::testing;

namespace {

struct TestDevice {
  std::vector<std::string> loaded;
  std::vector<sattn_device_launch> launches;
  std::vector<std::vector<std::string>> memory; ///< of each launch: "q 64", "o 64 written"
  std::vector<sattn_tensor_map> maps;           ///< of all launches
  int unloaded = 0;
  std::string refusal;

  static sattn_status load(void *self, const char *target, const void *code, size_t size, void **module, char **error) {
    auto &device = *static_cast<TestDevice *>(self);
    if (!device.refusal.empty()) {
      *error = strdup(device.refusal.c_str());
      return SATTN_ENVIRONMENT;
    }
    device.loaded.push_back(std::string(target) + ": " + std::string(static_cast<const char *>(code), size));
    *module = self;
    return SATTN_OK;
  }

  static sattn_status launch(void *self, void *module, const sattn_device_launch *launch, char **) {
    auto &device = *static_cast<TestDevice *>(self);
    CHECK(module == self);
    device.launches.push_back(*launch);
    device.maps.insert(device.maps.end(), launch->maps, launch->maps + launch->map_count);
    device.memory.emplace_back();
    for (size_t i = 0; i < launch->memory_count; ++i)
      device.memory.back().push_back(std::string(launch->memory[i].name) + " " +
                                     std::to_string(launch->memory[i].size) +
                                     (launch->memory[i].writable ? " written" : ""));
    if (std::string(launch->symbol) == "axpy")
      axpy(*launch);
    return SATTN_OK;
  }

  static void unload(void *self, void *) { ++static_cast<TestDevice *>(self)->unloaded; }

  // As the kernel in TestKernels.c, over the whole grid.
  static void axpy(const sattn_device_launch &launch) {
    const int64_t *slots = launch.slots;
    auto *q = reinterpret_cast<float *>(slots[0]), *o = reinterpret_cast<float *>(slots[7]);
    float scale = std::bit_cast<float>(static_cast<uint32_t>(slots[14]));
    const auto *offset = reinterpret_cast<const int64_t *>(slots[16]);
    const int64_t *grid = slots + 17;
    for (int64_t z = 0; z < grid[2]; ++z)
      for (int64_t y = 0; y < grid[1]; ++y)
        for (int64_t x = 0; x < grid[0]; ++x)
          for (int i = 0; i < 4; ++i)
            o[z * slots[11] + x * slots[12] + y * slots[13] + i] =
                scale * q[z * slots[4] + x * slots[5] + y * slots[6] + i] + static_cast<float>(slots[15] + offset[z]);
  }

  sattn_device get() {
    sattn_device device{};
    device.struct_size = sizeof device;
    device.user = this;
    device.load = load;
    device.launch = launch;
    device.unload = unload;
    return device;
  }
};

json gpuManifest() {
  json m = axpyManifest();
  m["target"] = "sm_80";
  m["kernels"] =
      json::parse(R"({"axpy": {"symbol": "axpy", "threads": 64, "shared": 1024, "align": [16, 16, 0, 0, 0]}})");
  return m;
}

} // namespace

TEST_CASE("a device loads the code of its target and gets each launch of a call") {
  TestDevice device;
  TestCompiler compiler;
  compiler.add(gpuManifest(), "the PTX");
  {
    TestContext context(&compiler);
    sattn_device hooks = device.get();
    REQUIRE(sattn_set_device(context.get(), &hooks) == SATTN_OK);
    sattn_kernel *kernel = context.kernel(gpuManifest(), "sm_80");
    CHECK(std::string(sattn_kernel_target(kernel)) == "sm_80");
    CHECK(device.loaded == std::vector<std::string>{"sm_80: the PTX"});

    Tensor q({2, 3, 2, 4}), o({2, 3, 2, 4});
    for (size_t i = 0; i < q.memory.size(); ++i)
      q[i] = static_cast<float>(i);
    CallBuilder call;
    call.input("q", q).output("o", o).param("scale", 0.5);
    REQUIRE(sattn_run(kernel, call.get()) == SATTN_OK);
    for (size_t i = 0; i < q.memory.size(); ++i)
      CHECK(o[i] == 0.5f * q[i] + 3);

    REQUIRE(device.launches.size() == 1);
    const sattn_device_launch &launch = device.launches[0];
    CHECK(launch.blocks == 12);
    CHECK(launch.threads == 64);
    CHECK(launch.shared_bytes == 1024);
    CHECK(launch.slot_count == 20);
    CHECK(launch.pointer_count == 3);
    CHECK(launch.first_step == 1);
    CHECK(device.memory[0] ==
          std::vector<std::string>{"q 192", "o 192 written", "q_offset 16", "kv_offset 16", "kv_len 16"});
  }
  CHECK(device.unloaded == 1);
}

TEST_CASE("steps of a call follow each other, and the workspace is listed") {
  TestDevice device;
  TestCompiler compiler;
  json m = totalManifest();
  m["target"] = "sm_90a";
  m["kernels"] = json::parse(R"({"rowsum": {"symbol": "rowsum", "threads": 32, "shared": 0, "align": []},
                                 "total": {"symbol": "total", "threads": 128, "shared": 0, "align": []}})");
  compiler.add(m, "PTX");
  TestContext context(&compiler);
  sattn_device hooks = device.get();
  REQUIRE(sattn_set_device(context.get(), &hooks) == SATTN_OK);
  Tensor q({1, 5, 2, 4}), k({1, 5, 1, 4}), o({1, 5, 2, 4}), lse({1, 5, 2});
  CallBuilder call;
  call.input("q", q).input("k", k).output("o", o).output("lse", lse);
  REQUIRE(sattn_run(context.kernel(m, "sm_90a"), call.get()) == SATTN_OK);
  REQUIRE(device.launches.size() == 3);
  CHECK(std::string(device.launches[0].symbol) == "rowsum");
  CHECK(std::string(device.launches[2].symbol) == "total");
  CHECK(device.launches[0].first_step == 1);
  CHECK(device.launches[1].first_step == 0);
  CHECK(device.memory[1][4] == "workspace 64 written");
}

TEST_CASE("packed sequences are launched one after the other, the longest first") {
  TestDevice device;
  TestCompiler compiler;
  compiler.add(gpuManifest(), "the PTX");
  TestContext context(&compiler);
  sattn_device hooks = device.get();
  REQUIRE(sattn_set_device(context.get(), &hooks) == SATTN_OK);
  Tensor q({6, 2, 4}, 1), o({6, 2, 4});
  CallBuilder call;
  PerBatchValues lengths{{0, 2, 2, 6}}, offsets{{10, 20, 30}};
  call.input("q", q).output("o", o);
  call.call.cu_q = lengths;
  call.call.q_offset = offsets;
  CHECK_RUN(sattn_run(context.kernel(gpuManifest(), "sm_80"), call.get()));
  for (size_t i = 0; i < o.memory.size(); ++i)
    CHECK(o[i] == 2 + 3 + (i < 16 ? 10 : 30));
  REQUIRE(device.launches.size() == 2);
  CHECK(device.launches[0].blocks == 8);
  CHECK(device.launches[1].blocks == 4);
  CHECK(device.launches[1].first_step == 1);
  CHECK(device.memory[1] == std::vector<std::string>{"q 64", "o 64 written", "q_offset 8", "kv_offset 8", "kv_len 8"});
}

TEST_CASE("tensors of which a kernel copies boxes are described for each launch") {
  TestDevice device;
  TestCompiler compiler;
  json m = gpuManifest();
  m["kernels"]["axpy"]["maps"] = json::parse(R"([{"arg": 0, "bytes": 4, "inner": 4, "box": [4, 64]}])");
  compiler.add(m, "PTX");
  TestContext context(&compiler);
  sattn_device hooks = device.get();
  REQUIRE(sattn_set_device(context.get(), &hooks) == SATTN_OK);
  sattn_kernel *kernel = context.kernel(m, "sm_80");
  auto run = [&](Tensor &q, Tensor &o) {
    CallBuilder call;
    call.input("q", q).output("o", o).param("scale", 1.0);
    return sattn_run(kernel, call.get());
  };
  auto described = [&](std::vector<int64_t> counts, std::vector<int64_t> strides) {
    const sattn_tensor_map &map = device.maps.back();
    return std::equal(counts.begin(), counts.end(), map.counts) &&
           std::equal(strides.begin(), strides.end(), map.strides) && map.box[0] == 4 && map.box[1] == 64 &&
           map.box[2] == 1 && map.box[3] == 1 && map.element_bytes == 4 && map.swizzle_bytes == 128;
  };

  Tensor q({2, 3, 2, 4}), o({2, 3, 2, 4});
  REQUIRE(run(q, o) == SATTN_OK);
  REQUIRE(device.maps.size() == 1);
  CHECK(device.maps[0].base == q.memory.data());
  CHECK(described({4, 3, 2, 2}, {32, 16, 96}));

  // The stride of a single head says nothing.
  Tensor oneHead({2, 3, 1, 4}), results({2, 3, 1, 4});
  REQUIRE(run(oneHead, results) == SATTN_OK);
  CHECK(described({4, 3, 1, 2}, {16, 16, 48}));

  // One head or batch entry for all: the map has that one, whatever the driver would make of a stride of 0.
  Tensor keys({64}), shared(keys.memory.data(), {2, 3, 2, 4}, {0, 4, 0, 1});
  REQUIRE(run(shared, o) == SATTN_OK);
  CHECK(described({4, 3, 1, 1}, {16, 16, 16}));

  Tensor memory({64}), backwards(memory.memory.data() + 32, {1, 2, 2, 4}, {64, -8, 4, 1}), two({1, 2, 2, 4});
  CHECK(run(backwards, two) == SATTN_BAD_CALL);
  const std::string refusal = "[SA0359] strides of 'q' must be 0 to 2^40 bytes, that of positions more than 0, and "
                              "counts below 2^32 on target 'sm_80'; copy the tensor";
  CHECK(std::string(sattn_last_error()) == refusal);
  Tensor onePosition(memory.memory.data(), {1, 2, 2, 4}, {64, 0, 4, 1});
  CHECK(run(onePosition, two) == SATTN_BAD_CALL);
  CHECK(std::string(sattn_last_error()) == refusal);
}

TEST_CASE("what a device cannot do is refused before it runs") {
  TestDevice device;
  TestCompiler compiler;
  compiler.add(gpuManifest(), "PTX");
  setenv("SATTN_LIBCUDA", "/nowhere/libcuda.so.1", 1);
  TestContext context(&compiler);
  CHECK(context.tryGet(gpuManifest(), "sm_80") == SATTN_UNSUPPORTED);
  CHECK(std::string(sattn_last_error())
            .starts_with("[SA0418] target 'sm_80' needs a device to run on, and there is "
                         "none: [SA0506] "));
  CHECK(std::string(sattn_last_error()).ends_with("; or hand one over with sattn_set_device()"));
  CHECK(compiler.calls == 0);

  sattn_device hooks = device.get();
  CHECK(sattn_set_device(context.get(), nullptr) == SATTN_BAD_ARGUMENT);
  hooks.load = nullptr;
  CHECK(sattn_set_device(context.get(), &hooks) == SATTN_BAD_ARGUMENT);
  hooks = device.get();
  REQUIRE(sattn_set_device(context.get(), &hooks) == SATTN_OK);
  device.refusal = "no such architecture";
  CHECK(context.tryGet(gpuManifest(), "sm_80") == SATTN_ENVIRONMENT);
  CHECK(std::string(sattn_last_error()) == "[SA0505] the device refused: no such architecture");
  device.refusal.clear();

  sattn_kernel *kernel = context.kernel(gpuManifest(), "sm_80");
  Tensor memory({64}), o({1, 2, 2, 4});
  Tensor shifted(memory.memory.data() + 1, {1, 2, 2, 4}, {16, 8, 4, 1});
  CallBuilder call;
  call.input("q", shifted).output("o", o);
  CHECK(sattn_run(kernel, call.get()) == SATTN_BAD_CALL);
  CHECK(std::string(sattn_last_error()) ==
        "[SA0340] address and strides of 'q' must be multiples of 16 bytes on target 'sm_80'; copy the tensor");
  CHECK(device.launches.empty());
}

// Each mistake in a call, its message, and that nothing was written.
#include "test/runtime/ApiSupport.h"

#include <cmath>

using namespace sattn::rt::testing;

namespace {
/// A good call of @total, for tests to spoil; `expect` runs it and checks that the results are untouched.
struct Good {
  TestCompiler compiler;
  TestContext context{&compiler};
  sattn_kernel *kernel = context.kernel(totalManifest());
  Tensor q{{2, 3, 4, 4}, 1}, k{{2, 3, 2, 4}, 1}, o{{2, 3, 4, 4}, 99}, lse{{2, 3, 4}, 99};
  CallBuilder call;

  Good() { call.input("q", q).input("k", k).output("o", o).output("lse", lse); }
  void expect(const std::string &text, sattn_status status = SATTN_BAD_CALL) {
    CHECK_ERROR(sattn_run(kernel, call.get()), status, text);
    for (float value : o.memory)
      CHECK(value == 99);
    for (float value : lse.memory)
      CHECK(value == 99);
  }
};
} // namespace

TEST_CASE("operands and results by name") {
  Good g;
  g.call.inputs.pop_back();
  g.expect("[SA0306] operand 'k' [B, s, g, D] is missing");
  g.call.input("kk", g.k);
  g.expect("[SA0307] unknown operand 'kk'; the kernel has 'q', 'k'");
  g.call.inputs.back().name = "q";
  g.expect("[SA0309] 'q' is given twice");
  g.call.inputs.back().name = nullptr;
  g.expect("[SA0300] argument 'inputs[]' is null", SATTN_BAD_ARGUMENT);
  g.call.inputs.back() = {"k", nullptr};
  g.expect("[SA0300] argument 'inputs[]' is null", SATTN_BAD_ARGUMENT);
  g.call.inputs.back() = {"k", &g.k.dl};
  g.call.outputs[0].name = "out";
  g.expect("[SA0308] unknown result 'out'; the kernel has 'o', 'lse'");
  g.call.outputs[0].name = "lse";
  g.expect("[SA0309] 'lse' is given twice");
}

TEST_CASE("dtypes, devices and ranks") {
  Good g;
  g.k.dl.dtype = {kDLFloat, 16, 1};
  g.expect("[SA0310] k is f16, but this kernel takes f32; convert it or get a kernel for that dtype");
  g.k.dl.dtype = {kDLBfloat, 16, 1};
  g.expect("k is bf16, but");
  g.k.dl.dtype = {kDLInt, 32, 1};
  g.expect("k is i32, but");
  g.k.dl.dtype = {kDLUInt, 8, 1};
  g.expect("k is u8, but");
  g.k.dl.dtype = {kDLFloat, 32, 4};
  g.expect("k is f32x4, but");
  g.k.dl.dtype = {77, 32, 1};
  g.expect("k is of DLPack type 77, but");
  g.k.dl.dtype = {kDLFloat, 32, 1};
  g.k.dl.device.device_type = kDLCUDA;
  g.expect("[SA0317] k is not in CPU memory (DLPack device type 2)");
  g.k.dl.device.device_type = kDLCPU;
  g.k.dl.ndim = 3;
  g.expect("[SA0311] k has 3 dimensions, but 4 [B, s, g, D] are expected");
  g.k.dl.ndim = 4;
  g.k.dl.shape = nullptr;
  g.expect("[SA0337] k has dimensions but no shape array");
}

TEST_CASE("sizes") {
  Good g;
  g.k.shape = {2, 3, 2, 3};
  g.expect("[SA0304] k has D=3, but q has D=4");
  g.k.shape = {1, 3, 2, 4};
  g.expect("[SA0304] k has B=1, but q has B=2");
  g.k.shape = {2, -3, 2, 4};
  g.expect("[SA0312] k has s=-3; sizes are not negative");
  g.k.shape = {2, 3, 2, 4};
  g.q.shape = {2, 3, 4, 8};
  g.expect("[SA0305] q has D=8, but this kernel is compiled for D=4; get a kernel for that bind");
  g.q.shape = {2, 3, 4, 4};
  g.o.shape = {2, 4, 4, 4};
  g.expect("[SA0304] o has t=4, but q has t=3");
  g.o.shape = {2, 3, 4, 5};
  g.expect("[SA0304] o has D=5, but q has D=4");
  g.o.shape = {2, 3, 4, 4};
  g.q.shape = g.o.shape = {2, 3, 3, 4};
  g.lse.shape = {2, 3, 3};
  g.expect("[SA0330] query heads must be a multiple of kv heads (h=3, g=2)");
}

TEST_CASE("strides and data") {
  Good g;
  g.q.strides = {48, 16, 4, 2};
  g.q.dl.strides = g.q.strides.data();
  g.expect("[SA0313] feature axis 'D' of q has stride 2, but features must be contiguous; copy the tensor");
  g.q.strides = {INT64_MAX, 16, 4, 1};
  g.expect("[SA0314] strides of q span more than 2^63 bytes");
  g.q.strides = {INT64_MIN, 16, 4, 1};
  g.expect("[SA0314] strides of q span more than 2^63 bytes");
  g.q.strides = {INT64_MAX / 4, INT64_MAX / 4, 4, 1}; // each fits, their sum does not
  g.expect("[SA0314] strides of q span more than 2^63 bytes");
  g.q.dl.strides = nullptr;
  g.q.dl.byte_offset = 2;
  g.expect("[SA0316] data of q is not aligned to its element size of 4 bytes");
  g.q.dl.byte_offset = 0;
  g.q.dl.data = nullptr;
  g.expect("[SA0315] q has no data");
  g.q.dl.data = g.q.memory.data();
  g.o.strides = {48, 0, 4, 1};
  g.o.dl.strides = g.o.strides.data();
  g.expect("[SA0318] axis 't' of result o has stride 0; elements of a result must not overlap");
  g.o.strides = {0, 16, 4, 1};
  g.expect("[SA0318] axis 'B' of result o has stride 0");
  g.o.dl.strides = nullptr;
  g.o.dl.data = g.q.memory.data();
  g.expect("[SA0319] result o overlaps q; give it memory of its own");
  g.o.dl.data = g.q.memory.data() + 5;
  g.expect("[SA0319] result o overlaps q");
  g.o.dl.data = g.o.memory.data();
  g.lse.dl.data = g.o.memory.data();
  g.expect("[SA0319] result lse overlaps o");
}

TEST_CASE("what calls extend stands alone, as results do") {
  Good g;
  json manifest = totalManifest();
  manifest["pattern"] = "sattn.pattern @keeps(...) {}";
  manifest["roles"].push_back(operand("sums", R"(["c", "g", "D"])", 4));
  manifest["roles"].back()["kept"] = 1;
  g.compiler.add(manifest);
  g.kernel = g.context.kernel(manifest);
  sattn_operand_info info = {};
  info.struct_size = sizeof info;
  CHECK_RUN(sattn_kernel_role(g.kernel, 2, &info));
  CHECK(info.kept == 1);
  Tensor sums({2, 3, 2, 4}, 1);
  g.call.input("sums", sums);
  CHECK_RUN(sattn_run(g.kernel, g.call.get()));
  sums.dl.data = g.k.memory.data();
  CHECK_ERROR(sattn_run(g.kernel, g.call.get()), SATTN_BAD_CALL,
              "[SA0319] kept summary sums overlaps k; give it memory of its own");
  sums.dl.data = g.o.memory.data();
  CHECK_ERROR(sattn_run(g.kernel, g.call.get()), SATTN_BAD_CALL, "[SA0319] result o overlaps sums");
  sums.dl.data = sums.memory.data();
  sums.strides = {24, 0, 4, 1};
  sums.dl.strides = sums.strides.data();
  CHECK_ERROR(sattn_run(g.kernel, g.call.get()), SATTN_BAD_CALL,
              "[SA0318] axis 'c' of kept summary sums has stride 0; elements of a kept summary must not overlap");
}

TEST_CASE("results that are interleaved do not overlap") {
  Good g;
  std::vector<float> memory(2 * 3 * 4 * 8);
  Tensor q(memory.data(), {2, 3, 4, 4}, {96, 32, 8, 1}), o(memory.data() + 4, {2, 3, 4, 4}, {96, 32, 8, 1});
  CallBuilder call;
  call.input("q", q).input("k", g.k).output("o", o);
  CHECK_RUN(sattn_run(g.kernel, call.get()));
  CHECK(memory[4] == 12);
  CHECK(memory[0] == 0);
}

TEST_CASE("positions") {
  Good g;
  Tensor k({2, 5, 2, 4}, 1);
  g.call.inputs[1].tensor = &k.dl;
  g.expect("[SA0321] t=3 query rows and s=5 keys differ, and neither 'q_offset' nor 'kv_len' is given; say where the "
           "queries stand (q_offset = 2 puts them at the end)");
  Tensor shortK({2, 1, 2, 4}, 1);
  g.call.inputs[1].tensor = &shortK.dl;
  g.expect("[SA0321] t=3 query rows and s=1 keys differ, and neither 'q_offset' nor 'kv_len' is given; say where the "
           "queries stand (q_offset = 0 puts them at the start)");
  g.call.inputs[1].tensor = &k.dl;
  PerBatchValues two({1, 2}), three({1, 2, 3}), negative({0, -1}), far({(int64_t(1) << 40) - 2}), longer({5, 6}),
      farKeys({(int64_t(1) << 40) - 4});
  g.call.call.q_offset = three;
  g.expect("[SA0322] 'q_offset' has 3 values, but the batch has 2 entries (give 1 or 2)");
  g.call.call.q_offset = {two.values.data(), -1};
  g.expect("[SA0322] 'q_offset' has -1 values");
  g.call.call.q_offset = {nullptr, 2};
  g.expect("[SA0300] argument 'q_offset' is null", SATTN_BAD_ARGUMENT);
  g.call.call.q_offset = negative;
  g.expect("[SA0323] 'q_offset' of batch entry 1 is -1, outside 0 to 1099511627773: positions are at most 2^40");
  g.call.call.q_offset = far;
  g.expect("[SA0323] 'q_offset' of batch entry 0 is 1099511627774, outside 0 to 1099511627773");
  g.call.call.q_offset = two;
  g.call.call.kv_offset = farKeys;
  g.expect("[SA0323] 'kv_offset' of batch entry 0 is 1099511627772, outside 0 to 1099511627771");
  g.call.call.kv_offset = negative;
  g.expect("[SA0323] 'kv_offset' of batch entry 1 is -1");
  g.call.call.kv_offset = {};
  g.call.call.kv_len = longer;
  g.expect("[SA0324] 'kv_len' of batch entry 1 is 6, outside 0 to s=5");
  g.call.call.kv_len = negative;
  g.expect("[SA0324] 'kv_len' of batch entry 1 is -1, outside 0 to s=5");
  // Either of the two suffices.
  g.call.call.kv_len = two;
  g.call.call.q_offset = {};
  CHECK_RUN(sattn_run(g.kernel, g.call.get()));
  g.call.call.kv_len = {};
  g.call.call.q_offset = two;
  CHECK_RUN(sattn_run(g.kernel, g.call.get()));
}

TEST_CASE("params") {
  TestCompiler compiler;
  TestContext context(&compiler);
  json m = axpyManifest();
  sattn_kernel *kernel = context.kernel(m);
  Tensor q({1, 1, 1, 4}), o({1, 1, 1, 4}, 99);
  auto expect = [&](CallBuilder call, const char *text, sattn_status status = SATTN_BAD_CALL) {
    call.input("q", q).output("o", o);
    CHECK_ERROR(sattn_run(kernel, call.get()), status, text);
    CHECK(o[0] == 99);
  };
  expect(CallBuilder().param("V", int64_t(1)), "[SA0325] unknown param 'V'; the kernel has 'W', 'scale'");
  expect(CallBuilder().param("D", int64_t(4)), "[SA0326] param 'D' is static: 4 is compiled into this kernel");
  expect(CallBuilder().param("W", INT64_MAX), "[SA0339] param 'W' is 9223372036854775807, outside -2^40 to 2^40");
  expect(CallBuilder().param("W", INT64_MIN), "[SA0339] param 'W' is -9223372036854775808, outside -2^40 to 2^40");
  expect(CallBuilder().param("W", 1.0), "[SA0328] param 'W' is an integer, but a float is given");
  expect(CallBuilder().param("scale", NAN), "[SA0329] param 'scale' is nan, which is not a float32 number");
  expect(CallBuilder().param("scale", 1e300), "[SA0329] param 'scale' is 1");
  expect(CallBuilder().param("W", int64_t(1)).param("W", int64_t(1)), "[SA0309] 'W' is given twice");
  expect(CallBuilder().param(nullptr, int64_t(1)), "[SA0300] argument 'params[].name' is null", SATTN_BAD_ARGUMENT);
  CallBuilder odd;
  odd.params.push_back({"W", static_cast<sattn_param_type>(7), 0, 0, 0});
  expect(odd, "[SA0303] field 'type' is reserved", SATTN_BAD_ARGUMENT);
  odd.params[0] = {"W", SATTN_PARAM_INT, 1, 0, 0};
  expect(odd, "[SA0303] field 'reserved' is reserved and must be 0", SATTN_BAD_ARGUMENT);
  m["pattern"] = "sattn.pattern @undefaulted";
  m["params"][0].erase("default");
  compiler.add(m);
  kernel = context.kernel(m);
  expect(CallBuilder(), "[SA0327] param 'W' has no default and is not given");
}

TEST_CASE("offsets that must begin a block") {
  TestCompiler compiler;
  TestContext context(&compiler);
  json m = axpyManifest();
  m["pattern"] = "sattn.pattern @blocks";
  m["requires"] = json::parse(R"([
    {"check": ["==", ["mod", "kv_offset_gcd", 16], 0], "message": "kv_offset must be a multiple of 16"},
    {"check": ["==", ["mod", "q_offset_gcd", 6], 0], "message": "q_offset must be a multiple of 6"}])");
  compiler.add(m);
  sattn_kernel *kernel = context.kernel(m);
  Tensor q({3, 1, 1, 4}, 1), o({3, 1, 1, 4}, 99);
  auto run = [&](std::vector<int64_t> rows, std::vector<int64_t> keys) {
    CallBuilder call;
    call.input("q", q).output("o", o);
    call.call.q_offset = {rows.data(), static_cast<int64_t>(rows.size())};
    call.call.kv_offset = {keys.data(), static_cast<int64_t>(keys.size())};
    return sattn_run(kernel, call.get());
  };
  // Each entry of the batch counts, a zero hides none.
  CHECK_ERROR(run({}, {7}), SATTN_BAD_CALL, "[SA0330] kv_offset must be a multiple of 16 (kv_offset_gcd=7)");
  CHECK_ERROR(run({}, {32, 0, 24}), SATTN_BAD_CALL, "kv_offset must be a multiple of 16 (kv_offset_gcd=8)");
  CHECK_ERROR(run({}, {48, 32, 1}), SATTN_BAD_CALL, "kv_offset must be a multiple of 16 (kv_offset_gcd=1)");
  CHECK_ERROR(run({4}, {16}), SATTN_BAD_CALL, "q_offset must be a multiple of 6 (q_offset_gcd=4)");
  CHECK(o[0] == 99);
  CHECK_RUN(run({}, {}));
  CHECK_RUN(run({6, 12, 0}, {0, 48, 32}));
  CHECK(o[4] == 17);
}

TEST_CASE("whether the heads of a key lie side by side") {
  TestCompiler compiler;
  TestContext context(&compiler);
  json m = totalManifest();
  m["pattern"] = "sattn.pattern @beside";
  m["requires"] = json::parse(R"([{"check": ["==", "heads_inside", 1], "message": "heads lie apart"}])");
  compiler.add(m);
  sattn_kernel *kernel = context.kernel(m);
  std::vector<float> memory(2 * 3 * 2 * 4, 1);
  auto run = [&](std::vector<int64_t> shape, std::vector<int64_t> strides, int64_t first = 0) {
    Tensor q({1, 3, 2, 4}, 1), k(memory.data() + first, shape, strides), o({1, 3, 2, 4}, 0);
    return sattn_run(kernel, CallBuilder().input("q", q).input("k", k).output("o", o).get());
  };
  CHECK_RUN(run({1, 3, 2, 4}, {24, 8, 4, 1}));
  CHECK_RUN(run({1, 3, 2, 4}, {24, -8, -4, 1}, 20)); // backwards, though
  CHECK_ERROR(run({1, 3, 2, 4}, {24, 4, 12, 1}), SATTN_BAD_CALL, "[SA0330] heads lie apart (heads_inside=0)");
  CHECK_RUN(run({1, 3, 1, 4}, {12, 4, 12, 1})); // one head is beside nothing
}

TEST_CASE("what this version does not support is named") {
  Good g;
  g.call.call.stream = &g;
  g.expect("[SA0320] 'stream' is not supported", SATTN_UNSUPPORTED);
  g.call.call.stream = nullptr;
  g.call.call.reserved = 1;
  g.expect("[SA0303] field 'reserved' is reserved and must be 0", SATTN_BAD_ARGUMENT);
}

TEST_CASE("numbers of threads and null arguments") {
  Good g;
  g.call.call.threads = -1;
  g.expect("[SA0336] threads is -1; it must be 0 (default) to 1024");
  g.call.call.threads = 1025;
  g.expect("[SA0336] threads is 1025");
  g.call.call.threads = 0;
  sattn_call *call = g.call.get();
  call->inputs = nullptr;
  CHECK_ERROR(sattn_run(g.kernel, call), SATTN_BAD_ARGUMENT, "[SA0300] argument 'inputs' is null");
  call = g.call.get();
  call->outputs = nullptr;
  CHECK_ERROR(sattn_run(g.kernel, call), SATTN_BAD_ARGUMENT, "argument 'outputs' is null");
  call = g.call.get();
  call->params = nullptr;
  call->param_count = 1;
  CHECK_ERROR(sattn_run(g.kernel, call), SATTN_BAD_ARGUMENT, "argument 'params' is null");
  CHECK_ERROR(sattn_run(nullptr, g.call.get()), SATTN_BAD_ARGUMENT, "argument 'kernel' is null");
  CHECK_ERROR(sattn_run(g.kernel, nullptr), SATTN_BAD_ARGUMENT, "argument 'sattn_call' is null");
  size_t bytes;
  CHECK_ERROR(sattn_workspace_size(g.kernel, g.call.get(), nullptr), SATTN_BAD_ARGUMENT, "argument 'bytes' is null");
  CHECK_ERROR(sattn_workspace_size(nullptr, g.call.get(), &bytes), SATTN_BAD_ARGUMENT, "argument 'kernel' is null");
  CHECK_ERROR(sattn_explain(g.kernel, nullptr, nullptr), SATTN_BAD_ARGUMENT, "argument 'text' is null");
}

TEST_CASE("sizes that no machine has") {
  // An operand of 2^40 rows that are all the same element: the workspace cannot be had, and says so.
  TestCompiler compiler;
  json m = totalManifest();
  m["pattern"] = "sattn.pattern @huge";
  m["workspaces"][0]["bytes"] = json::parse(R"(["*", "s", 4096])");
  compiler.add(m);
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(m);
  float element[4] = {1, 1, 1, 1};
  Tensor q(element, {1, 1, 1, 4}, {0, 0, 0, 1}), k(element, {1, int64_t(1) << 42, 1, 4}, {0, 0, 0, 1});
  PerBatchValues offset({0});
  CallBuilder call;
  call.input("q", q).input("k", k);
  call.call.q_offset = offset;
  size_t bytes = 0;
  CHECK_RUN(sattn_workspace_size(kernel, call.get(), &bytes));
  CHECK(bytes == (size_t(1) << 54) + 64 + 64); // and o and lse
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_OUT_OF_MEMORY, "[SA0501] cannot allocate 18014398509482112 bytes");
  k.shape[1] = int64_t(1) << 60;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL,
              "[SA0331] size of workspace 'sums' does not fit into 64 bits for these sizes");
  k.shape[1] = INT64_MAX;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL, "[SA0331]");
}

TEST_CASE("expressions of a plan that fail for a call") {
  TestCompiler compiler;
  TestContext context(&compiler);
  Tensor q({1, 2, 2, 4}), k({1, 2, 1, 4});
  int number = 0;
  auto expect = [&](const char *pointer, const char *value, const char *text) {
    json m = totalManifest();
    m["pattern"] = "sattn.pattern @bad" + std::to_string(number++);
    m[json::json_pointer(pointer)] = json::parse(value);
    compiler.add(m);
    CallBuilder call;
    call.input("q", q).input("k", k);
    CHECK_ERROR(sattn_run(context.kernel(m), call.get()), SATTN_BAD_CALL, text);
  };
  expect("/derived/0/value", R"(["floordiv", "s", ["-", "t", 2]])",
         "[SA0332] 'n' divides by a number that is not positive");
  expect("/derived/0/value", R"(["*", 9223372036854775807, "s"])", "[SA0331] 'n' does not fit into 64 bits");
  expect("/requires/0/check", R"(["mod", "s", 0])", "[SA0332] 'query heads must be");
  expect("/requires/0/check", "0", "[SA0330] query heads must be a multiple of kv heads (never true)");
  expect("/workspaces/0/bytes", "-1", "[SA0333] size of workspace 'sums' is -1 for these sizes");
  expect("/workspaces/0/bytes", R"(["mod", "s", 0])", "[SA0332] size of workspace 'sums'");
  expect("/steps/0/if", R"(["mod", "s", 0])", "[SA0332] the condition of steps[0]");
  expect("/steps/0/body/0/grid/0", "-3", "[SA0333] the grid of steps[0].body[0] is -3");
  expect("/steps/0/body/0/grid/0", R"(["mod", "s", 0])", "[SA0332] the grid of steps[0].body[0]");
  expect("/steps/0/body/0/grid", "[4294967296, 4294967296, 4294967296]", "[SA0331] the grid of steps[0].body[0]");
  expect("/steps/0/body/0/grid", "[4294967296, 1073741824, 2]", "[SA0331] the grid of steps[0].body[0]");
  expect("/steps/1/loop/count", R"(["mod", "s", 0])", "[SA0332] the count of steps[1]");
  expect("/steps/0/body/0/args/1/counts/0", R"(["mod", "s", 0])", "[SA0332] a workspace count of steps[0].body[0]");
  expect("/steps/0/body/0/args/1/strides/0", R"(["mod", "s", 0])", "[SA0332] a workspace stride of steps[0].body[0]");
  expect("/steps/1/body/0/args/5/index", R"(["mod", "s", 0])", "[SA0332] an argument of steps[1].body[0]");
}

TEST_CASE("an axis that is derived") {
  json m = identifyManifest();
  m["pattern"] = "sattn.pattern @derived_axis";
  m["derived"] = json::parse(R"x([{"name": "c(2)", "value": ["-", ["floordiv", "t", 2], 1]}])x");
  m["results"] = {operand("o", R"x(["c(2)", "h"])x", 1)};
  m["steps"][0]["grid"] = {"c(2)", "h", "B"};
  TestCompiler compiler;
  compiler.add(m, kernelCodeWithId(5));
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(m);
  Tensor q({1, 6, 2, 4}), o({1, 2, 2}), wrong({1, 3, 2}), none({1, 0, 2, 4});
  CallBuilder call;
  call.input("q", q).output("o", o);
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(o[3] == 5);
  call.outputs[0].tensor = &wrong.dl;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL, "[SA0304] o has c(2)=3, but this call has c(2)=2");
  call.inputs[0].tensor = &none.dl;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL, "[SA0333] 'c(2)' is -1 for these sizes");
}

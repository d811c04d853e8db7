// Runs of the test kernels through the C interface: values, params, positions, strides, workspaces, executors.
#include "test/runtime/ApiSupport.h"

#include <sys/mman.h>

#include <cmath>
#include <cstring>
#include <thread>

using namespace sattn::rt::testing;

namespace {

void fill(Tensor &tensor) {
  for (size_t i = 0; i < tensor.memory.size(); ++i)
    tensor[i] = static_cast<float>(i % 97) - 40;
}

/// @total in plain loops: o = q + sum of the first kv_len rows of k for the head, lse = that sum or -inf.
void checkTotal(Tensor &q, Tensor &k, Tensor &o, Tensor &lse, const std::vector<int64_t> &kvLen) {
  int64_t B = q.shape[0], T = q.shape[1], H = q.shape[2], S = k.shape[1], G = k.shape[2];
  for (int64_t b = 0; b < B; ++b)
    for (int64_t t = 0; t < T; ++t)
      for (int64_t h = 0; h < H; ++h) {
        float sum = 0;
        for (int64_t s = 0; s < kvLen[b]; ++s) {
          float row = 0;
          for (int i = 0; i < 4; ++i)
            row += k[((b * S + s) * G + h % G) * 4 + i];
          sum += row;
        }
        size_t at = (b * T + t) * H + h;
        float expected = kvLen[b] ? sum : -INFINITY;
        CHECK(lse[at] == expected);
        for (int i = 0; i < 4; ++i)
          CHECK(o[at * 4 + i] == q[at * 4 + i] + sum);
      }
}

} // namespace

TEST_CASE("a kernel computes what its plan says, for any shape, with one compilation") {
  TestCompiler compiler;
  TestContext context(&compiler);
  struct Shape {
    int64_t B, T, H, S, G;
  };
  for (Shape shape : {Shape{1, 5, 4, 7, 2}, {3, 1, 2, 9, 1}, {2, 64, 6, 64, 3}, {1, 33, 1, 200, 1}, {2, 3, 4, 1, 4}}) {
    auto [B, T, H, S, G] = shape;
    sattn_kernel *kernel = context.kernel(totalManifest());
    Tensor q({B, T, H, 4}), k({B, S, G, 4}), o({B, T, H, 4}), lse({B, T, H});
    fill(q);
    fill(k);
    for (int threads : {1, 2, 5}) {
      std::vector<int64_t> lengths;
      for (int64_t b = 0; b < B; ++b)
        lengths.push_back((S + b) % (S + 1));
      PerBatchValues kvLen(lengths);
      CallBuilder call;
      call.input("q", q).input("k", k).output("o", o).output("lse", lse);
      call.call.kv_len = kvLen;
      call.call.threads = threads;
      CHECK_RUN(sattn_run(kernel, call.get()));
      checkTotal(q, k, o, lse, lengths);
    }
  }
  CHECK(compiler.calls == 1);
  CHECK(context.stats().compiles == 1);
  CHECK(context.stats().memory_hits == 4);
  CHECK(context.stats().runs == 15);
}

TEST_CASE("results that are not asked for cost nothing to the caller, and none need be") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(totalManifest());
  Tensor q({1, 4, 2, 4}, 1), k({1, 4, 2, 4}, 2), o({1, 4, 2, 4}), lse({1, 4, 2});
  size_t all = 0, few = 0;
  CallBuilder both, one, none;
  both.input("q", q).input("k", k).output("o", o).output("lse", lse);
  one.input("k", k).input("q", q).output("lse", lse); // any order of names
  none.input("q", q).input("k", k);
  CHECK_RUN(sattn_workspace_size(kernel, both.get(), &few));
  CHECK_RUN(sattn_workspace_size(kernel, one.get(), &all));
  CHECK(few == 64); // B * s * g floats, rounded up
  CHECK(all == 64 + 4 * 2 * 4 * 4);
  CHECK_RUN(sattn_run(kernel, one.get()));
  CHECK(lse[7] == 4 * 4 * 2);
  CHECK_RUN(sattn_run(kernel, none.get()));
}

TEST_CASE("the caller's workspace") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(totalManifest());
  Tensor q({2, 3, 2, 4}, 1), k({2, 3, 1, 4}, 2), lse({2, 3, 2});
  CallBuilder call;
  call.input("q", q).input("k", k).output("lse", lse);
  size_t bytes = 0;
  CHECK_RUN(sattn_workspace_size(kernel, call.get(), &bytes));
  auto *memory = static_cast<char *>(std::aligned_alloc(64, bytes + 64));
  std::memset(memory, 0x5a, bytes + 64);
  call.call.workspace = memory;
  call.call.workspace_size = bytes - 1;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL,
              "[SA0334] workspace has " + std::to_string(bytes - 1) + " bytes, but this call needs " +
                  std::to_string(bytes));
  call.call.workspace_size = bytes;
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(lse[0] == 24);
  for (int i = 0; i < 64; ++i)
    CHECK(memory[bytes + i] == 0x5a);
  call.call.workspace = memory + 4;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL, "[SA0335] workspace is not aligned to 64 bytes");
  std::free(memory);
}

TEST_CASE("params: defaults, values of either type, infinities") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(axpyManifest());
  Tensor q({1, 2, 1, 4}, 5), o({1, 2, 1, 4});
  auto run = [&](CallBuilder call) {
    call.input("q", q).output("o", o);
    CHECK_RUN(sattn_run(kernel, call.get()));
    return o[7];
  };
  CHECK(run(CallBuilder()) == 2 * 5 + 3);
  CHECK(run(CallBuilder().param("W", int64_t(-7))) == 2 * 5 - 7);
  CHECK(run(CallBuilder().param("scale", 0.5).param("W", int64_t(0))) == 2.5);
  CHECK(run(CallBuilder().param("scale", int64_t(3))) == 3 * 5 + 3);
  CHECK(run(CallBuilder().param("scale", -INFINITY)) == -INFINITY);
}

TEST_CASE("offsets: none, one for all, one each") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(axpyManifest());
  Tensor q({3, 1, 1, 4}, 1), o({3, 1, 1, 4});
  CallBuilder call;
  call.input("q", q).output("o", o);
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(o[8] == 5);
  PerBatchValues one({100}), each({10, 20, (int64_t(1) << 40) - 1});
  call.call.q_offset = one;
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(o[0] == 105);
  CHECK(o[8] == 105);
  call.call.q_offset = each;
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(o[0] == 15);
  CHECK(o[4] == 25);
  CHECK(o[8] == 1099511627776.0f);
}

TEST_CASE("strides of any sign, broadcast operands, byte offsets, transposed results") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(axpyManifest());
  const int64_t B = 2, T = 3, H = 5;
  std::vector<float> memory(1000);
  for (size_t i = 0; i < memory.size(); ++i)
    memory[i] = static_cast<float>(i);
  // Rows from the end, heads outermost, one batch entry for all, first element not 64-byte aligned.
  Tensor q(memory.data() + 501, {B, T, H, 4}, {0, -7, 40, 1});
  Tensor o({H, B, T, 4});
  Tensor transposed(o.memory.data(), {B, T, H, 4}, {T * 4, 4, B * T * 4, 1});
  CallBuilder call;
  call.input("q", q).output("o", transposed);
  auto check = [&](float base) {
    for (int64_t b = 0; b < B; ++b)
      for (int64_t t = 0; t < T; ++t)
        for (int64_t h = 0; h < H; ++h)
          for (int64_t i = 0; i < 4; ++i)
            CHECK(o[((h * B + b) * T + t) * 4 + i] == 2 * (base - 7.f * t + 40.f * h + i) + 3);
  };
  CHECK_RUN(sattn_run(kernel, call.get()));
  check(501);
  q.dl.byte_offset = 8;
  CHECK_RUN(sattn_run(kernel, call.get()));
  check(503);
  q.strides[0] = -100000000; // of a batch of one it does not matter
  q.shape[0] = transposed.shape[0] = 1;
  CHECK_RUN(sattn_run(kernel, call.get()));
}

TEST_CASE("strides and offsets past 2^31 elements") {
  // Address space without memory: only the touched pages exist.
  const int64_t stride = (int64_t(1) << 31) + 1024;
  const size_t bytes = static_cast<size_t>(2 * stride + 4096) * sizeof(float);
  void *space = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(space != MAP_FAILED);
  auto *floats = static_cast<float *>(space);
  for (int64_t row = 0; row < 3; ++row)
    for (int i = 0; i < 4; ++i)
      floats[row * stride + i] = static_cast<float>(10 * row + i);
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(axpyManifest());
  for (int dimension : {0, 1, 2}) {
    std::vector<int64_t> shape = {1, 1, 1, 4}, strides = {4, 4, 4, 1};
    shape[dimension] = 3;
    for (bool reversed : {false, true}) {
      strides[dimension] = reversed ? -stride : stride;
      Tensor q(floats + (reversed ? 2 * stride : 0), shape, strides), o(shape);
      CallBuilder call;
      call.input("q", q).output("o", o);
      CHECK_RUN(sattn_run(kernel, call.get()));
      for (int row = 0; row < 3; ++row)
        CHECK(o[row * 4 + 1] == 2.f * (10.f * (reversed ? 2 - row : row) + 1) + 3);
    }
  }
  // The result that far apart.
  Tensor q({3, 1, 1, 4}, 7), o(floats + 64, {3, 1, 1, 4}, {stride, 4, 4, 1});
  CallBuilder call;
  call.input("q", q).output("o", o);
  CHECK_RUN(sattn_run(kernel, call.get()));
  CHECK(floats[64 + 2 * stride + 3] == 17);
  munmap(space, bytes);
}

TEST_CASE("empty batches, rows and keys have a defined result") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(totalManifest());
  auto run = [&](int64_t B, int64_t T, int64_t H, int64_t S, int64_t G) {
    Tensor q({B, T, H, 4}, 3), k({B, S, G, 4}, 1), o({B, T, H, 4}, 99), lse({B, T, H}, 99);
    CallBuilder call;
    call.input("q", q).input("k", k).output("o", o).output("lse", lse);
    CHECK_RUN(sattn_run(kernel, call.get()));
    if (B && T && H && !S) { // rows without a key
      CHECK(lse[0] == -INFINITY);
      CHECK(o[0] == 3);
    }
  };
  run(0, 4, 2, 4, 1);
  run(2, 0, 2, 4, 1);
  run(2, 4, 2, 0, 1);
  run(2, 0, 2, 0, 1);
  run(0, 0, 0, 0, 0);
  run(1, 3, 0, 3, 1);
  // Null data is right where there are no elements.
  Tensor q({0, 4, 2, 4}), k({0, 4, 1, 4});
  q.dl.data = k.dl.data = nullptr;
  CallBuilder call;
  call.input("q", q).input("k", k);
  CHECK_RUN(sattn_run(kernel, call.get()));
}

TEST_CASE("the caller's executor runs every task, on its own threads or one after the other") {
  TestCompiler compiler;
  struct Executor {
    int calls = 0;
    bool parallel = false;
    static void run(void *self, int64_t count, void (*task)(void *, int64_t), void *arg) {
      auto &executor = *static_cast<Executor *>(self);
      ++executor.calls;
      if (!executor.parallel) {
        for (int64_t i = count - 1; i >= 0; --i)
          task(arg, i);
        return;
      }
      std::vector<std::thread> threads;
      for (int64_t i = 0; i < count; ++i)
        threads.emplace_back(task, arg, i);
      for (std::thread &thread : threads)
        thread.join();
    }
  } executor;
  TestContext context(&compiler, "", [&](sattn_options &options) {
    options.parallel_for = Executor::run;
    options.parallel_for_user = &executor;
    options.threads = 4;
  });
  sattn_kernel *kernel = context.kernel(totalManifest());
  Tensor q({2, 9, 4, 4}), k({2, 9, 2, 4}), o({2, 9, 4, 4}), lse({2, 9, 4});
  fill(q);
  fill(k);
  for (bool parallel : {false, true}) {
    executor.parallel = parallel;
    executor.calls = 0;
    CallBuilder call;
    call.input("q", q).input("k", k).output("o", o).output("lse", lse);
    CHECK_RUN(sattn_run(kernel, call.get()));
    CHECK(executor.calls == 3); // rowsum and two waves of total
    checkTotal(q, k, o, lse, {9, 9});
  }
}

TEST_CASE("the order of a step is the manifest's") {
  json m = identifyManifest();
  m["workspaces"] = json::parse(R"([{"name": "c", "bytes": 4, "life": [0, 1]}])");
  json counter = json::parse(R"({"workspace": "c", "counts": [1, 1, 1], "strides": [0, 0, 0]})");
  m["kernels"] = json::parse(R"({"clear": {"symbol": "clear", "scratch": 0},
                                 "sequence": {"symbol": "sequence", "scratch": 0}})");
  json clear = {{"kernel", "clear"}, {"grid", {1, 1, 1}}, {"args", {counter}}};
  json step = {{"kernel", "sequence"}, {"grid", {"t", "h", "B"}}, {"args", {{{"result", "o"}}, counter}}};
  struct Case {
    std::vector<const char *> order;
    int64_t b, t, h; ///< weights of the sequence number for B=2, t=3, h=4
    bool backB, backT, backH;
  };
  TestCompiler compiler;
  TestContext context(&compiler);
  int number = 0;
  // x is t, y is h, z is B.
  for (const Case &c :
       {Case{{}, 12, 1, 3, false, false, false}, Case{{"z", "y", "x"}, 12, 1, 3, false, false, false},
        Case{{"x", "y", "z"}, 1, 8, 2, false, false, false}, Case{{"-x", "z", "y"}, 4, 8, 1, false, true, false},
        Case{{"y", "-z", "-x"}, 3, 1, 6, true, true, false}, Case{{"-z", "-y", "-x"}, 12, 1, 3, true, true, true}}) {
    if (!c.order.empty())
      step["order"] = c.order;
    m["steps"] = {clear, step};
    m["pattern"] = "sattn.pattern @order" + std::to_string(number++);
    compiler.add(m);
    Tensor q({2, 3, 4, 4}), o({2, 3, 4});
    CallBuilder call;
    call.input("q", q).output("o", o);
    call.call.threads = 1;
    CHECK_RUN(sattn_run(context.kernel(m), call.get()));
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t t = 0; t < 3; ++t)
        for (int64_t h = 0; h < 4; ++h)
          CHECK(o[(b * 3 + t) * 4 + h] ==
                c.b * (c.backB ? 1 - b : b) + c.t * (c.backT ? 2 - t : t) + c.h * (c.backH ? 3 - h : h));
  }
}

TEST_CASE("explain says what will run") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(totalManifest());
  char *text = nullptr;
  CHECK_RUN(sattn_explain(kernel, nullptr, &text));
  std::string plain = text;
  sattn_free(text);
  for (const char *part :
       {"pattern   total", "role      k: f32[B, s, g, D]", "steps[1]: loop over wave", "kernel rowsum", "order -x z y"})
    CHECK_MESSAGE(plain.find(part) != std::string::npos, plain);
  Tensor q({1, 4, 2, 4}), k({1, 6, 1, 4});
  q.dl.data = k.dl.data = nullptr; // sizes only
  PerBatchValues offset({2});
  CallBuilder call;
  call.input("q", q).input("k", k);
  call.call.q_offset = offset;
  CHECK_RUN(sattn_explain(kernel, call.get(), &text));
  std::string sized = text;
  sattn_free(text);
  for (const char *part : {"q_offset_max=2", "n=6", "workspace sums: 64 bytes at 0",
                           "steps[0].body[0]: rowsum 6 x 1 x 1 tasks", "steps[1].body[0]: total 4 x 2 x 1 tasks"})
    CHECK_MESSAGE(sized.find(part) != std::string::npos, sized);
  CHECK(sized.find("facts") == std::string::npos);
}

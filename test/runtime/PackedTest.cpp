// Packed sequences: each gives the bits that it gives alone, whatever runs beside it, and what does not fit is refused.
#include "test/runtime/ApiSupport.h"

#include <sattn/sattn.hpp>

#include <algorithm>
#include <limits>

using namespace sattn::rt::testing;

namespace {
constexpr float untouched = 99;

std::vector<int64_t> cumulative(const std::vector<int64_t> &lengths) {
  std::vector<int64_t> sums{0};
  for (int64_t length : lengths)
    sums.push_back(sums.back() + length);
  return sums;
}

void reshape(Tensor &tensor, std::vector<int64_t> shape) {
  tensor.shape = std::move(shape);
  tensor.dl.ndim = static_cast<int>(tensor.shape.size());
  tensor.dl.shape = tensor.shape.data();
}

/// @total of Support.h on sequences of 4 query heads and 2 kv heads, packed.
struct Sequences {
  static constexpr int64_t h = 4, g = 2, d = 4;
  TestCompiler compiler;
  TestContext context{&compiler};
  sattn_kernel *kernel = context.kernel(totalManifest());
  std::vector<int64_t> rows, keys, cuQ, cuKv, offsets;
  Tensor q, k, o, lse;
  PerBatchValues q_cu, kv_cu, q_offset;
  CallBuilder call;

  Sequences(std::vector<int64_t> rows, std::vector<int64_t> keys)
      : rows(rows), keys(keys), cuQ(cumulative(rows)), cuKv(cumulative(keys)), offsets(rows.size(), 3),
        q({cuQ.back(), h, d}), k({cuKv.back(), g, d}), o({cuQ.back(), h, d}, untouched),
        lse({cuQ.back(), h}, untouched), q_cu(cuQ), kv_cu(cuKv), q_offset(offsets) {
    for (size_t i = 0; i < q.memory.size(); ++i)
      q[i] = static_cast<float>(i % 37) * 0.37f;
    for (size_t i = 0; i < k.memory.size(); ++i)
      k[i] = static_cast<float>(i % 53) * 0.71f - 11;
    call.input("q", q).input("k", k).output("o", o).output("lse", lse);
    call.call.cu_q = q_cu;
    call.call.cu_kv = kv_cu;
    call.call.q_offset = q_offset;
  }

  /// The results of each sequence by a call of its own; `length` < 0: all its keys.
  void checkAlone(const std::vector<int64_t> &lengths = {}) {
    sattn::Kernel owned(sattn_kernel_retain(kernel));
    for (size_t b = 0; b < rows.size(); ++b) {
      std::vector<float> own(static_cast<size_t>(rows[b] * h * d)), ownLse(static_cast<size_t>(rows[b] * h));
      sattn::Call alone;
      alone.input("q", sattn::Tensor(q.memory.data() + cuQ[b] * h * d, {1, rows[b], h, d}))
          .input("k", sattn::Tensor(k.memory.data() + cuKv[b] * g * d, {1, keys[b], g, d}))
          .output("o", sattn::Tensor(own.data(), {1, rows[b], h, d}))
          .output("lse", sattn::Tensor(ownLse.data(), {1, rows[b], h}))
          .qOffset(offsets[b]);
      if (!lengths.empty())
        alone.kvLen(lengths[b]);
      alone.run(owned);
      CHECK(std::equal(own.begin(), own.end(), o.memory.begin() + cuQ[b] * h * d));
      CHECK(std::equal(ownLse.begin(), ownLse.end(), lse.memory.begin() + cuQ[b] * h));
    }
  }
  void expect(const std::string &text, sattn_status status = SATTN_BAD_CALL) {
    CHECK_ERROR(sattn_run(kernel, call.get()), status, text);
    for (float value : o.memory)
      CHECK(value == untouched);
    for (float value : lse.memory)
      CHECK(value == untouched);
  }
};
} // namespace

TEST_CASE("packed sequences are each sequence on its own, for any number of threads") {
  Sequences s({2, 0, 3, 1, 9, 0}, {3, 2, 0, 4, 31, 0});
  for (int threads : {1, 2, 4}) {
    s.o.memory.assign(s.o.memory.size(), untouched);
    s.lse.memory.assign(s.lse.memory.size(), untouched);
    s.call.call.threads = threads;
    CHECK_RUN(sattn_run(s.kernel, s.call.get()));
    s.checkAlone();
  }
  CHECK(s.lse[static_cast<size_t>(s.cuQ[2] * s.h)] == -std::numeric_limits<float>::infinity()); // no keys
}

TEST_CASE("a call is one run, whatever its sequences; a call of one sequence after it is its own") {
  Sequences s({2, 1}, {3, 2});
  CHECK_RUN(sattn_run(s.kernel, s.call.get()));
  CHECK(s.context.stats().runs == 1);
  s.checkAlone();
  CHECK_RUN(sattn_run(s.kernel, s.call.get())); // recycled
  s.checkAlone();
}

TEST_CASE("lengths below those of the tensors, results that nobody wants, and the caller's workspace") {
  Sequences s({2, 3, 1}, {3, 5, 4});
  PerBatchValues lengths{{0, 4, 4}};
  s.call.call.kv_len = lengths;
  size_t bytes = 0;
  CHECK_RUN(sattn_workspace_size(s.kernel, s.call.get(), &bytes));
  CHECK(bytes > 0);
  std::vector<char> memory(bytes + 128);
  auto base = reinterpret_cast<uintptr_t>(memory.data());
  s.call.call.workspace = reinterpret_cast<void *>((base + 63) / 64 * 64);
  s.call.call.workspace_size = bytes - 1;
  s.expect("[SA0334] workspace has ");
  s.call.call.workspace_size = bytes;
  CHECK_RUN(sattn_run(s.kernel, s.call.get()));
  s.checkAlone({0, 4, 4});
  s.call.call.workspace = nullptr;
  s.call.call.workspace_size = 0;
  s.o.memory.assign(s.o.memory.size(), untouched);
  s.call.outputs.pop_back(); // lse
  CHECK_RUN(sattn_run(s.kernel, s.call.get()));
  s.checkAlone({0, 4, 4});
}

TEST_CASE("rows may be parts of wider ones") {
  Sequences s({2, 3}, {3, 5});
  // q, k and o in one buffer, as a projection leaves them: [rows, q heads + kv heads, D], o beside them.
  std::vector<float> wide(8 * 10 * 4, untouched);
  Tensor q(wide.data(), {5, 4, 4}, {40, 4, 1}), k(wide.data() + 16, {8, 2, 4}, {40, 4, 1}),
      o(wide.data() + 24, {5, 4, 4}, {40, 4, 1});
  for (int64_t row = 0; row < 8; ++row)
    for (int64_t i = 0; i < 16; ++i) {
      if (row < 5)
        wide[static_cast<size_t>(row * 40 + i)] = s.q[static_cast<size_t>(row * 16 + i)];
      if (i < 8)
        wide[static_cast<size_t>(row * 40 + 16 + i)] = s.k[static_cast<size_t>(row * 8 + i)];
    }
  s.call.inputs[0].tensor = &q.dl;
  s.call.inputs[1].tensor = &k.dl;
  s.call.outputs[0].tensor = &o.dl;
  CHECK_RUN(sattn_run(s.kernel, s.call.get()));
  for (int64_t row = 0; row < 5; ++row)
    for (int64_t i = 0; i < 16; ++i)
      s.o[static_cast<size_t>(row * 16 + i)] = wide[static_cast<size_t>(row * 40 + 24 + i)];
  s.checkAlone();
  CHECK(wide[5 * 40] == untouched);
}

TEST_CASE("queries are packed and keys are not: each sequence has its entry of the keys, or its pages") {
  TestCompiler compiler;
  TestContext context{&compiler};
  sattn::Kernel total(sattn_kernel_retain(context.kernel(totalManifest())));
  std::vector<float> q(3 * 2 * 4, 0), k(2 * 5 * 1 * 4, 1), o(3 * 2 * 4, untouched);
  sattn::Call()
      .input("q", sattn::Tensor(q.data(), {3, 2, 4}))
      .input("k", sattn::Tensor(k.data(), {2, 5, 1, 4}))
      .output("o", sattn::Tensor(o.data(), {3, 2, 4}))
      .cuQ({0, 1, 3})
      .kvLen({2, 5})
      .run(total);
  CHECK(o[0] == 8);
  CHECK(o[8] == 20);
  CHECK(o[16] == 20);

  sattn::Kernel paged(sattn_kernel_retain(context.kernel(pagedManifest())));
  std::vector<float> pool(4 * 2 * 4, std::numeric_limits<float>::quiet_NaN()), sums(3, untouched);
  pool[6 * 4] = 0, pool[7 * 4] = 1, pool[2 * 4] = 2; // keys of the first sequence: pages 3, 1
  pool[4 * 4] = 10, pool[5 * 4] = 11;                // of the second: page 2
  std::vector<int32_t> table{3, 1, -1, 2, 77, -5};
  sattn::Call()
      .input("q", sattn::Tensor(q.data(), {3, 1, 4}))
      .input("k", sattn::Tensor(pool.data(), {4, 2, 1, 4}))
      .output("o", sattn::Tensor(sums.data(), {3, 1}))
      .pages(sattn::Tensor(table.data(), {2, 3}), 2)
      .cuQ({0, 1, 3})
      .kvLen({3, 2})
      .run(paged);
  CHECK(sums[0] == 8);
  CHECK(sums[1] == 32);
  CHECK(sums[2] == 32);
}

TEST_CASE("blocks of each sequence begin with it: complete ones, or all") {
  json m = axpyManifest();
  m["pattern"] = "sattn.pattern @blocks(...) {}";
  m["roles"].push_back(operand("k", R"(["s", "h", "D"])", 4));
  m["roles"].push_back(operand("kc", R"json(["c(4, 2)", "h", "D"])json", 4));
  m["roles"].push_back(operand("kb", R"json(["c(4)", "h", "D"])json", 4));
  m["roles"].push_back(operand("qb", R"json(["u(2)", "h", "D"])json", 4));
  m["results"] = {operand("oc", R"json(["c(4, 2)", "h", "D"])json", 4),
                  operand("ob", R"json(["c(4)", "h", "D"])json", 4), operand("ou", R"json(["u(2)", "h", "D"])json", 4)};
  m["steps"] = json::array();
  for (auto [axis, role, result] : {std::tuple("c(4, 2)", "kc", "oc"), {"c(4)", "kb", "ob"}, {"u(2)", "qb", "ou"}}) {
    json step =
        json::parse(R"({"kernel": "axpy", "args": [{}, {}, {"float": 1.0}, {"index": 0}, {"per_batch": "q_offset"}]})");
    step["grid"] = {axis, "h", "B"};
    step["args"][0] = {{"role", role}};
    step["args"][1] = {{"result", result}};
    m["steps"].push_back(step);
  }
  TestCompiler compiler;
  compiler.add(m);
  TestContext context{&compiler};
  sattn::Kernel kernel(sattn_kernel_retain(context.kernel(m)));
  // Sequences of 5, 0 and 3 rows; of 9, 8 and 3 keys: 3 + 3 + 0 blocks of 4 by 2, 2 + 2 + 0 complete ones of 4, 3 + 2 +
  // 1 of all; 3 + 0 + 2 of rows.
  std::vector<float> zeros(100, 0), oc(6 * 4), ob(6 * 4), ou(5 * 4);
  sattn::Call call;
  call.input("q", sattn::Tensor(zeros.data(), {8, 1, 4}))
      .input("k", sattn::Tensor(zeros.data(), {20, 1, 4}))
      .input("kc", sattn::Tensor(zeros.data(), {6, 1, 4}))
      .input("qb", sattn::Tensor(zeros.data(), {5, 1, 4}))
      .output("oc", sattn::Tensor(oc.data(), {6, 1, 4}))
      .output("ou", sattn::Tensor(ou.data(), {5, 1, 4}))
      .cuQ({0, 5, 5, 8})
      .cuKv({0, 9, 17, 20})
      .qOffset({100, 200, 300});
  auto firsts = [](const std::vector<float> &values, int64_t rows) {
    std::vector<float> list;
    for (int64_t i = 0; i < rows; ++i)
      list.push_back(values[static_cast<size_t>(i * 4)]);
    return list;
  };
  sattn::Call complete = call, all = call, wrong = call;
  complete.input("kb", sattn::Tensor(zeros.data(), {4, 1, 4})).output("ob", sattn::Tensor(ob.data(), {4, 1, 4}));
  complete.run(kernel);
  CHECK(firsts(oc, 6) == std::vector<float>{100, 100, 100, 200, 200, 200});
  CHECK(firsts(ob, 4) == std::vector<float>{100, 100, 200, 200});
  CHECK(firsts(ou, 5) == std::vector<float>{100, 100, 100, 300, 300});
  all.input("kb", sattn::Tensor(zeros.data(), {6, 1, 4})).output("ob", sattn::Tensor(ob.data(), {6, 1, 4}));
  all.run(kernel);
  CHECK(firsts(ob, 6) == std::vector<float>{100, 100, 100, 200, 200, 300});
  wrong.input("kb", sattn::Tensor(zeros.data(), {5, 1, 4}));
  try {
    wrong.run(kernel);
    FAIL("blocks that no sequence has");
  } catch (const sattn::Error &error) {
    CHECK(std::string(error.what()) == "[SA0366] kb has c(4)=5, but the sequences of 'cu_kv' have 6 in all; those of "
                                       "each follow those of the one before");
  }
}

TEST_CASE("results of chosen positions: as many of each sequence as it says") {
  json m = axpyManifest();
  m["pattern"] = "sattn.pattern @chosen(...) {}";
  m["roles"].push_back(operand("k", R"(["s", "h", "D"])", 4));
  m["results"] = {operand("kept", R"json(["s(W)", "h", "D"])json", 4)};
  m["derived"] = json::parse(R"json([{"name": "s(W)", "value": ["min", "$W", "s"]}])json");
  m["steps"][0]["grid"][0] = "s(W)";
  m["steps"][0]["args"][0] = {{"role", "k"}};
  m["steps"][0]["args"][1] = {{"result", "kept"}};
  TestCompiler compiler;
  compiler.add(m);
  TestContext context{&compiler};
  sattn::Kernel kernel(sattn_kernel_retain(context.kernel(m)));
  std::vector<float> zeros(100, 0), kept(6 * 4, untouched);
  sattn::Call call;
  call.input("q", sattn::Tensor(zeros.data(), {3, 1, 4}))
      .input("k", sattn::Tensor(zeros.data(), {6, 1, 4}))
      .param("W", 2)
      .cuQ({0, 1, 2, 3})
      .cuKv({0, 4, 5, 6})
      .qOffset({100, 200, 300});
  sattn::Call wrong = call;
  call.output("kept", sattn::Tensor(kept.data(), {4, 1, 4})).run(kernel);
  for (auto [row, expected] : {std::pair(0, 102.f), {1, 102}, {2, 202}, {3, 302}, {4, untouched}})
    CHECK(kept[static_cast<size_t>(row * 4)] == expected);
  wrong.output("kept", sattn::Tensor(kept.data(), {6, 1, 4}));
  try {
    wrong.run(kernel);
    FAIL("more positions than are chosen");
  } catch (const sattn::Error &error) {
    CHECK(
        std::string(error.what()).starts_with("[SA0366] kept has s(W)=6, but the sequences of 'cu_kv' have 4 in all"));
  }
}

TEST_CASE("explaining a packed call adds its sequences up") {
  Sequences s({2, 0, 3}, {3, 2, 4});
  char *text = nullptr;
  CHECK_RUN(sattn_explain_json(s.kernel, s.call.get(), &text));
  json call = json::parse(text)["call"];
  sattn_free(text);
  CHECK(call["sizes"]["B"] == 3);
  CHECK(call["sizes"]["t"] == 5);
  CHECK(call["sizes"]["s"] == 9);
  CHECK(call["sizes"]["h"] == 4);
  CHECK_FALSE(call["sizes"].contains("kv_len_max"));
  REQUIRE(call["launches"].size() == 2);
  CHECK(call["launches"][0]["count"] == 3);
  CHECK(call["launches"][0]["tasks"] == 9 * 2); // keys by kv heads
  CHECK(call["launches"][1]["count"] == 4);     // two waves of the sequences that have rows
  CHECK(call["launches"][1]["tasks"] == 2 * 5 * 4);
  CHECK_RUN(sattn_explain(s.kernel, s.call.get(), &text));
  CHECK(std::string(text).find("B=3 ") != std::string::npos);
  sattn_free(text);
}

TEST_CASE("no sequences at all") {
  Sequences s({}, {});
  s.q.shape[0] = s.k.shape[0] = s.o.shape[0] = s.lse.shape[0] = 0;
  CHECK_RUN(sattn_run(s.kernel, s.call.get()));
  s.k.shape[2] = 5;
  s.expect("[SA0304] k has D=5, but q has D=4");
}

TEST_CASE("cumulative lengths that are none") {
  Sequences s({2, 3}, {3, 5});
  auto with = [&](std::vector<int64_t> values, const std::string &text) {
    PerBatchValues lengths(values);
    s.call.call.cu_q = lengths;
    s.expect(text);
    s.call.call.cu_q = s.q_cu;
  };
  with({1, 2, 5}, "[SA0362] 'cu_q' begins with 1; cumulative lengths begin with 0");
  with({0, 6, 5}, "[SA0363] 'cu_q' falls to 5 at entry 2; cumulative lengths never fall");
  with({0, 2, 4}, "[SA0365] q has t=5, but 'cu_q' ends with 4; it ends with the number of all rows");
  with({0, 1, 2, 5}, "[SA0364] 'cu_q' has 4 values and 'cu_kv' has 3; both have one more than there are sequences");
  s.call.call.cu_q = {s.q_cu.values.data(), -1};
  s.expect("[SA0333] the count of 'cu_q' is -1");
  s.call.call.cu_q = {nullptr, 3};
  CHECK_ERROR(sattn_run(s.kernel, s.call.get()), SATTN_BAD_ARGUMENT, "[SA0300] argument 'cu_q' is null");
}

TEST_CASE("tensors and arrays that do not fit packed sequences") {
  Sequences s({2, 3}, {3, 5});
  s.call.call.q_offset = {};
  s.expect("[SA0321] sequence 0: t=2 query rows and s=3 keys differ, and neither 'q_offset' nor 'kv_len' is given");
  PerBatchValues three{{1, 2, 3}}, low{{1, -2}};
  s.call.call.q_offset = three;
  s.expect("[SA0322] 'q_offset' has 3 values, but the batch has 2 entries (give 1 or 2)");
  s.call.call.q_offset = low;
  s.expect("[SA0323] sequence 1: 'q_offset' of batch entry 0 is -2");
  s.call.call.q_offset = {nullptr, 2};
  s.expect("[SA0300] argument 'q_offset' is null", SATTN_BAD_ARGUMENT);
  s.call.call.q_offset = s.q_offset;
  reshape(s.q, {1, 5, 4, 4});
  s.expect("[SA0311] q has 4 dimensions, but 3 [t, h, D] are expected; reshape it");
  reshape(s.q, {5, 4, 4});
  reshape(s.k, {-8, 2, 4});
  s.expect("[SA0312] k has s=-8; sizes are not negative");
  reshape(s.k, {8, 2, 4});
  s.k.dl.shape = nullptr;
  s.expect("[SA0337] k has dimensions but no shape array");
  s.k.dl.shape = s.k.shape.data();
  s.call.call.cu_kv = {};
  s.expect("[SA0311] k has 3 dimensions, but 4 [B, s, g, D] are expected");
  reshape(s.k, {4, 2, 2, 4});
  s.expect("[SA0304] k has B=4, but 'cu_q' has B=2; one axis has one size");
  reshape(s.k, {8, 2, 4});
  s.call.call.cu_kv = s.kv_cu;
  s.call.inputs[1].name = "kk";
  s.expect("[SA0307] sequence 0: unknown operand 'kk'; the kernel has 'q', 'k'");
  s.call.inputs[1].name = "k";
  s.lse.strides = {0, 1};
  s.lse.dl.strides = s.lse.strides.data();
  s.expect("[SA0318] axis 't' of result lse has stride 0");
  s.lse.dl.strides = nullptr;
  // Rows of the first sequence in keys of the second.
  std::vector<float> both(76, untouched);
  Tensor keys(both.data(), {8, 2, 4}, {8, 4, 1}), inside(both.data() + 56, {5, 4}, {4, 1});
  s.call.inputs[1].tensor = &keys.dl;
  s.call.outputs[1].tensor = &inside.dl;
  s.expect("[SA0319] result lse overlaps k");
  s.call.inputs[1].tensor = &s.k.dl;
  s.call.outputs[1].tensor = &s.lse.dl;
}

TEST_CASE("kernels without the axis, and keys in pages") {
  TestCompiler compiler;
  TestContext context{&compiler};
  PerBatchValues lengths{{0, 1, 3}};
  Tensor q{{3, 2, 4}, 1}, o{{3, 2, 4}, untouched};
  CallBuilder call;
  call.input("q", q).output("o", o);
  call.call.cu_kv = lengths;
  CHECK_ERROR(sattn_run(context.kernel(axpyManifest()), call.get()), SATTN_BAD_CALL,
              "[SA0361] 'cu_kv' is given, but no operand of this kernel is over axis 's'; leave it out");
  CHECK_ERROR(sattn_run(context.kernel(pagedManifest()), call.get()), SATTN_BAD_CALL,
              "[SA0367] 'cu_kv' is given, but this kernel's keys lie in pages; say how many each sequence has with "
              "'kv_len'");
  call.call.cu_kv = {};
  call.call.cu_q = lengths;
  CHECK_RUN(sattn_run(context.kernel(axpyManifest()), call.get()));
  CHECK(o[0] == 5);
}

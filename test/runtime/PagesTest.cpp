// Operands in pages: where their keys lie, how many there are, and what is refused.
#include "test/runtime/ApiSupport.h"

#include <sattn/sattn.hpp>

#include <limits>

using namespace sattn::rt::testing;

namespace {
constexpr float nobody = std::numeric_limits<float>::quiet_NaN();

/// A page table, of int32.
struct Table {
  Table(std::vector<int64_t> shape, std::vector<int32_t> pages) : shape(std::move(shape)), pages(std::move(pages)) {
    dl.data = this->pages.data();
    dl.device = {kDLCPU, 0};
    dl.ndim = 2;
    dl.dtype = {kDLInt, 32, 1};
    dl.shape = this->shape.data();
  }
  Table(const Table &) = delete;
  std::vector<int64_t> shape;
  std::vector<int32_t> pages;
  DLTensor dl = {};
};

/// Two sequences of 3 and 2 keys in pages of 2, of which page 0 is nobody's. Key j of sequence b is 10 * b + j.
struct Paged {
  TestCompiler compiler;
  TestContext context{&compiler};
  sattn_kernel *kernel = context.kernel(pagedManifest());
  Tensor q{{2, 1, 1, 4}, 1}, k{{4, 2, 1, 4}, nobody}, o{{2, 1, 1}, 99};
  Table table{{2, 3}, {3, 1, -1, 2, 77, -5}};
  PerBatchValues lengths{{3, 2}}, offsets{{2, 1}};
  CallBuilder call;

  Paged() {
    k[(3 * 2 + 0) * 4] = 0;
    k[(3 * 2 + 1) * 4] = 1;
    k[(1 * 2 + 0) * 4] = 2;
    k[(2 * 2 + 0) * 4] = 10;
    k[(2 * 2 + 1) * 4] = 11;
    call.input("q", q).input("k", k).output("o", o);
    call.call.page_table = &table.dl;
    call.call.page_size = 2;
    call.call.kv_len = lengths;
    call.call.q_offset = offsets;
  }
  void expectSums() {
    CHECK_RUN(sattn_run(kernel, call.get()));
    CHECK(o[0] == 0 * 1 + 1 * 2 + 2 * 3);
    CHECK(o[1] == 10 * 1 + 11 * 2);
  }
  void expect(const std::string &text, sattn_status status = SATTN_BAD_CALL) {
    CHECK_ERROR(sattn_run(kernel, call.get()), status, text);
    CHECK(o[0] == 99);
    CHECK(o[1] == 99);
  }
};
} // namespace

TEST_CASE("keys are found through the page table; entries behind the last key may hold anything") {
  Paged p;
  p.expectSums();
}

TEST_CASE("pools and tables have any strides") {
  Paged p;
  // Heads before positions, space between pages; the table by columns.
  std::vector<float> memory(4 * 100, nobody);
  for (int64_t page = 0; page < 4; ++page)
    for (int64_t row = 0; row < 2; ++row)
      memory[static_cast<size_t>(page * 100 + row * 4)] = p.k[static_cast<size_t>((page * 2 + row) * 4)];
  Tensor k(memory.data(), {4, 2, 1, 4}, {100, 4, 8, 1});
  Table table{{2, 3}, {3, 2, 1, 77, -1, -5}};
  std::vector<int64_t> strides{1, 2};
  table.dl.strides = strides.data();
  p.call.inputs[1].tensor = &k.dl;
  p.call.call.page_table = &table.dl;
  p.expectSums();
}

TEST_CASE("the number of keys is that of the longest sequence, or of the table's pages") {
  Paged p;
  sattn_operand_info info = {};
  info.struct_size = sizeof info;
  CHECK_RUN(sattn_kernel_role(p.kernel, 1, &info));
  CHECK(std::string(info.axes[0]) == "pages");
  CHECK(info.sizes[1] == 2);
  auto keys = [&] {
    char *text = nullptr;
    CHECK_RUN(sattn_explain_json(p.kernel, p.call.get(), &text));
    json report = json::parse(text);
    sattn_free(text);
    return report["call"]["sizes"]["s"].get<int64_t>();
  };
  CHECK(keys() == 3);
  p.call.call.kv_len = {};
  CHECK(keys() == 6);
}

TEST_CASE("what does not fit is refused") {
  Paged p;
  p.table.pages[1] = -1;
  p.expect(
      "[SA0354] entry 1 of 'page_table' for batch entry 0 is -1, but k has 4 pages; only entries behind 'kv_len' may "
      "name none");
  p.table.pages[1] = 4;
  p.expect("[SA0354] entry 1 of 'page_table' for batch entry 0 is 4, but k has 4 pages");
  p.table.pages[1] = 1;
  p.call.call.kv_len = {};
  p.expect("[SA0354] entry 2 of 'page_table' for batch entry 0 is -1");
  PerBatchValues longer{{7}};
  p.call.call.kv_len = longer;
  p.expect(
      "[SA0353] 'page_table' names 3 pages of 2 for each batch entry, but 7 keys are asked for; give it more entries");
  p.call.call.kv_len = p.lengths;
  p.call.call.page_size = 3;
  p.expect("[SA0351] 'page_size' is 3, but this kernel is compiled for pages of 2; get a kernel for 'paged=3'");
  p.call.call.page_size = 2;
  p.call.call.page_table = nullptr;
  p.expect("[SA0350] this kernel is compiled for keys in pages of 2, but 'page_table' is not given");
  p.call.call.page_table = &p.q.dl;
  p.expect("[SA0310] page_table is f32, but this kernel takes i32");
  p.table.dl.ndim = 1;
  p.call.call.page_table = &p.table.dl;
  p.expect("[SA0311] page_table has 1 dimensions, but 2 [B, entries] are expected");
  p.table.dl.ndim = 2;
  p.table.shape = {3, 2};
  p.expect("[SA0304] page_table has B=3, but q has B=2");
  p.table.shape = {2, -3};
  p.expect("[SA0312] page_table has entries=-3; sizes are not negative");
  p.table.shape = {2, INT64_MAX};
  p.expect("[SA0331] the number of keys of 'page_table' does not fit into 64 bits");
  p.table.shape = {2, 3};
  p.k.shape = {2, 4, 1, 4};
  p.expect("[SA0352] k has s=4, but its pages have 2 positions; its axes are pages, s, g, D");
  p.k.shape = {4, 2, 1, 4};
  p.o.dl.data = p.table.pages.data();
  CHECK_ERROR(sattn_run(p.kernel, p.call.get()), SATTN_BAD_CALL, "[SA0319] result o overlaps page_table");
}

TEST_CASE("kernels for keys in one piece take no pages") {
  TestCompiler compiler;
  TestContext context{&compiler};
  Tensor q{{1, 3, 2, 4}, 1}, o{{1, 3, 2, 4}, 99};
  Table table{{1, 1}, {0}};
  CallBuilder call;
  call.input("q", q).output("o", o);
  call.call.page_table = &table.dl;
  sattn_kernel *kernel = context.kernel(axpyManifest());
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL,
              "[SA0349] 'page_table' is given, but this kernel is compiled");
  call.call.page_table = nullptr;
  call.call.page_size = 16;
  CHECK_ERROR(sattn_run(kernel, call.get()), SATTN_BAD_CALL,
              "[SA0349] 'page_size' is given, but this kernel is compiled");
  CHECK(o[0] == 99);
}

TEST_CASE("a call with pages as it reads") {
  Paged p;
  sattn::Kernel kernel(sattn_kernel_retain(p.kernel));
  sattn::Call call;
  call.input("q", sattn::Tensor(p.q.memory.data(), {2, 1, 1, 4}))
      .input("k", sattn::Tensor(p.k.memory.data(), {4, 2, 1, 4}))
      .output("o", sattn::Tensor(p.o.memory.data(), {2, 1, 1}))
      .pages(sattn::Tensor(p.table.pages.data(), {2, 3}), 2)
      .kvLen({3, 2});
  call.run(kernel);
  CHECK(p.o[0] == 8);
  CHECK(p.o[1] == 32);
}

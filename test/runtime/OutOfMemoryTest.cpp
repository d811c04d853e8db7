// Every allocation of the library fails once: the call says so, nothing is lost, and the next call works. The operator
// new of this program is the one that libsattn.so uses.
#include "test/runtime/ApiSupport.h"

#include <cstdlib>
#include <new>

using namespace sattn::rt::testing;

namespace {
/// Allocations until the one that fails; negative: none fails.
thread_local int64_t countdown = -1;
thread_local bool failed = false;
thread_local int64_t live = 0;

void *allocate(size_t size, size_t alignment) {
  if (countdown >= 0 && countdown-- == 0) {
    failed = true;
    return nullptr;
  }
  void *memory = alignment > 16 ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                                : std::malloc(size ? size : 1);
  live += memory != nullptr;
  return memory;
}

void *allocateOrThrow(size_t size, size_t alignment = 16) {
  if (void *memory = allocate(size, alignment))
    return memory;
  throw std::bad_alloc();
}

void release(void *memory) {
  live -= memory != nullptr;
  std::free(memory);
}
} // namespace

void *operator new(size_t size) { return allocateOrThrow(size); }
void *operator new[](size_t size) { return allocateOrThrow(size); }
void *operator new(size_t size, std::align_val_t alignment) { return allocateOrThrow(size, size_t(alignment)); }
void *operator new(size_t size, const std::nothrow_t &) noexcept { return allocate(size, 16); }
void operator delete(void *memory) noexcept { release(memory); }
void operator delete[](void *memory) noexcept { release(memory); }
void operator delete(void *memory, size_t) noexcept { release(memory); }
void operator delete[](void *memory, size_t) noexcept { release(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void *memory, size_t, std::align_val_t) noexcept { release(memory); }

namespace {
/// Calls `body` with the first, second, ... allocation failing, until it needs no more. Each failure must be reported
/// as such and leave nothing allocated, or only what is kept for the next call. Returns the number of injected
/// failures.
template <typename Body> int failEach(Body body, bool keeps = false) {
  for (int count = 0;; ++count) {
    REQUIRE(count < 2000);
    int64_t before = live;
    failed = false;
    countdown = count;
    sattn_status status = body();
    countdown = -1;
    if (!failed) {
      CHECK(status == SATTN_OK);
      return count;
    }
    // A failed allocation may also be one that the library can do without, such as room for a helper thread.
    CHECK((status == SATTN_OUT_OF_MEMORY || status == SATTN_OK));
    if (status == SATTN_OUT_OF_MEMORY) {
      CHECK(std::string(sattn_last_error()) == "[SA0500] out of memory");
      CHECK((keeps || live == before));
    }
  }
}
} // namespace

TEST_CASE("creating a context") {
  {
    TestContext first(nullptr);
  } // what the process keeps for all contexts
  int count = failEach([&] {
    sattn_options options = {};
    options.struct_size = sizeof(options);
    options.memory_only = 1;
    sattn_context *context = nullptr;
    sattn_status status = sattn_context_create(&options, &context);
    CHECK((status == SATTN_OK) == (context != nullptr));
    sattn_context_destroy(context);
    return status;
  });
  CHECK(count > 5);
}

TEST_CASE("a second get allocates nothing at all") {
  TestCompiler compiler;
  TestContext context(&compiler);
  std::string pattern = axpyManifest()["pattern"];
  sattn_spec spec = {sizeof(spec), pattern.c_str(), pattern.size(), "D=4,dtype=f32", nullptr};
  sattn_kernel *first = nullptr, *second = nullptr;
  CHECK_RUN(sattn_get(context.get(), &spec, &first));
  countdown = 0;
  sattn_status status = sattn_get(context.get(), &spec, &second);
  countdown = -1;
  CHECK(status == SATTN_OK);
  CHECK(first == second);
  sattn_kernel_release(first);
  sattn_kernel_release(second);
}

TEST_CASE("runs, and a second run of a shape allocates nothing at all") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(totalManifest());
  Tensor q({1, 4, 2, 4}, 1), k({1, 4, 1, 4}, 1), o({1, 4, 2, 4});
  CallBuilder call;
  call.input("q", q).input("k", k).output("o", o);
  call.call.threads = 1;
  sattn_call *ready = call.get();
  CHECK(failEach([&] { return sattn_run(kernel, ready); }, true) > 5);
  countdown = 0;
  sattn_status status = sattn_run(kernel, ready);
  countdown = -1;
  CHECK(status == SATTN_OK);
  CHECK(o[0] == 17);
}

TEST_CASE("packed sequences, and a second run of a shape allocates nothing at all") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(totalManifest());
  Tensor q({4, 2, 4}, 1), k({4, 1, 4}, 1), o({4, 2, 4});
  PerBatchValues lengths{{0, 1, 4}};
  CallBuilder call;
  call.input("q", q).input("k", k).output("o", o);
  call.call.cu_q = lengths;
  call.call.cu_kv = lengths;
  call.call.threads = 1;
  sattn_call *ready = call.get();
  CHECK(failEach([&] { return sattn_run(kernel, ready); }, true) > 10);
  countdown = 0;
  sattn_status status = sattn_run(kernel, ready);
  countdown = -1;
  CHECK(status == SATTN_OK);
  CHECK(o[0] == 5);
  CHECK(o[8] == 13);
}

TEST_CASE("runs on threads") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(totalManifest());
  Tensor q({1, 40, 2, 4}, 1), k({1, 40, 1, 4}, 1), o({1, 40, 2, 4});
  CallBuilder call;
  call.input("q", q).input("k", k).output("o", o);
  call.call.threads = 3;
  sattn_call *ready = call.get();
  failEach([&] { return sattn_run(kernel, ready); }, true);
  CHECK(o[0] == 161);
}

TEST_CASE("explaining") {
  TestCompiler compiler;
  TestContext context(&compiler);
  sattn_kernel *kernel = context.kernel(totalManifest());
  int count = failEach([&] {
    char *text = nullptr;
    sattn_status status = sattn_explain(kernel, nullptr, &text);
    sattn_free(text);
    return status;
  });
  CHECK(count > 1);
}

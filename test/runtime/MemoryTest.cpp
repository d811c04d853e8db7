// Memory: the lock-free table, the buffers that are kept, the packing of workspaces.
#include "test/runtime/Support.h"

#include "runtime/BufferPool.h"
#include "runtime/MemoryCache.h"
#include "runtime/WorkspaceLayout.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>

using namespace sattn::rt;

namespace {
Kernel *fake(uintptr_t number) { return reinterpret_cast<Kernel *>(number); }
} // namespace

TEST_CASE("the table finds what was put in and nothing else") {
  MemoryCache cache;
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i)
    texts.push_back("pattern " + std::to_string(i));
  for (int i = 0; i < 1000; ++i) {
    RawSpec spec{texts[i], "D=64", "cpu"};
    CHECK(cache.find(quickHash(spec), spec) == nullptr);
    cache.insert(quickHash(spec), spec, fake(i + 1));
    for (int j = 0; j <= i; j += 37) {
      RawSpec known{texts[j], "D=64", "cpu"};
      CHECK(cache.find(quickHash(known), known) == fake(j + 1));
    }
  }
  CHECK(cache.size() == 1000);
}

TEST_CASE("parts of a spec are kept apart, also when hashes are equal") {
  MemoryCache cache;
  RawSpec a{"ab", "c", "d"}, b{"a", "bc", "d"}, c{"ab", "cd", ""};
  cache.insert(7, a, fake(1));
  CHECK(cache.find(7, b) == nullptr);
  CHECK(cache.find(7, c) == nullptr);
  cache.insert(7, b, fake(2));
  CHECK(cache.find(7, a) == fake(1));
  CHECK(cache.find(7, b) == fake(2));
  CHECK(quickHash(a) != quickHash(b));
  CHECK(quickHash(a) != quickHash(c));
  // Every length and every byte counts.
  std::string text(100, 'x');
  uint64_t whole = quickHash({text, "", ""});
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = 'y';
    CHECK(quickHash({changed, "", ""}) != whole);
    CHECK(quickHash({text.substr(0, i), "", ""}) != whole);
  }
}

TEST_CASE("readers of the table are never wrong while it grows") {
  MemoryCache cache;
  std::vector<std::string> texts;
  for (int i = 0; i < 4000; ++i)
    texts.push_back(std::to_string(i));
  std::atomic<int> ready{0}, wrong{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r)
    readers.emplace_back([&] {
      for (unsigned i = 0; !stop; i = i * 7 + 1) {
        int known = ready.load();
        if (known == 0)
          continue;
        unsigned index = i % static_cast<unsigned>(known);
        RawSpec spec{texts[index], "", ""}, missing{texts[index], "x", ""};
        wrong += cache.find(quickHash(spec), spec) != fake(index + 1);
        wrong += cache.find(quickHash(missing), missing) != nullptr;
      }
    });
  for (int i = 0; i < 4000; ++i) {
    RawSpec spec{texts[i], "", ""};
    cache.insert(quickHash(spec), spec, fake(i + 1));
    ready = i + 1;
  }
  stop = true;
  for (std::thread &reader : readers)
    reader.join();
  CHECK(wrong == 0);
}

TEST_CASE("buffers are aligned, kept and not hoarded") {
  BufferPool pool;
  CHECK(pool.acquire(0).data() == nullptr);
  char *first;
  {
    BufferPool::Buffer buffer = pool.acquire(1000);
    first = buffer.data();
    CHECK(reinterpret_cast<uintptr_t>(first) % 64 == 0);
    std::memset(first, 1, 1000);
    BufferPool::Buffer other = pool.acquire(1000);
    CHECK(other.data() != first);
  }
  bool again = false;
  for (int i = 0; i < 2; ++i)
    again |= pool.acquire(900).data() == first;
  CHECK(again);
  CHECK(pool.acquire(8 << 20).data() != nullptr);
  CHECK(reinterpret_cast<uintptr_t>(pool.acquire(8 << 20).data()) % (2 << 20) == 0);
  CHECK(pool.acquire(100).data() != pool.acquire(8 << 20).data()); // a large block is not spent on a small request
  CHECK(pool.acquire(SIZE_MAX - 10).data() == nullptr);
  CHECK(pool.acquire(size_t(1) << 60).data() == nullptr);
  // Requests that grow replace their block.
  for (size_t size = 1 << 20; size < (64 << 20); size += 1 << 20)
    CHECK(pool.acquire(size).data() != nullptr);
}

TEST_CASE("workspaces that do not live together share memory, others never meet") {
  struct Life {
    int64_t bytes;
    int first, last;
  };
  auto layout = [](const std::vector<Life> &lives, RunState &state) {
    Manifest m;
    for (const Life &life : lives) {
      Workspace workspace{"w", Expr(), life.first, life.last};
      CHECK_OK(Expr::compile(nlohmann::json(life.bytes), m.symbols, "", workspace.bytes));
      m.workspaces.push_back(workspace);
    }
    CHECK_OK(layoutWorkspace(m, state));
    return state.workspaceTotal;
  };
  RunState state;
  CHECK(layout({}, state) == 0);
  CHECK(layout({{100, 0, 1}, {100, 2, 3}}, state) == 128);
  CHECK(layout({{100, 0, 2}, {100, 2, 3}}, state) == 256);
  CHECK(layout({{64, 0, 0}, {128, 1, 1}, {192, 2, 2}, {64, 0, 2}}, state) == 256);
  CHECK(layout({{0, 0, 0}, {0, 0, 0}}, state) == 0);
  uint64_t random = 1;
  auto next = [&](uint64_t limit) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return (random >> 33) % limit;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<Life> lives;
    uint64_t sum = 0, largest = 0;
    for (uint64_t i = 0; i < 1 + next(12); ++i) {
      int first = static_cast<int>(next(6));
      lives.push_back({static_cast<int64_t>(next(1000)), first, first + static_cast<int>(next(4))});
      sum += (static_cast<uint64_t>(lives.back().bytes) + 63) / 64 * 64;
      largest = std::max(largest, static_cast<uint64_t>(lives.back().bytes));
    }
    uint64_t total = layout(lives, state);
    CHECK(total <= sum);
    CHECK(total >= largest);
    for (size_t a = 0; a < lives.size(); ++a) {
      CHECK(state.workspaceOffsets[a] % 64 == 0);
      CHECK(state.workspaceOffsets[a] + static_cast<uint64_t>(lives[a].bytes) <= total);
      for (size_t b = 0; b < a; ++b) {
        bool together = lives[a].first <= lives[b].last && lives[b].first <= lives[a].last;
        bool meet = state.workspaceOffsets[a] < state.workspaceOffsets[b] + static_cast<uint64_t>(lives[b].bytes) &&
                    state.workspaceOffsets[b] < state.workspaceOffsets[a] + static_cast<uint64_t>(lives[a].bytes);
        CHECK_FALSE((together && meet));
      }
    }
  }
}

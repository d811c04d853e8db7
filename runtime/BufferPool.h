// Memory that calls use and give back: workspaces and thread scratch. Kept between calls, because fresh pages cost more
// than the kernels that would fault them in. Thread-safe; fork-safe.
#pragma once

#include "runtime/Fork.h"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace sattn::rt {

class BufferPool final : ForkAware {
public:
  BufferPool();
  ~BufferPool();

  /// Memory that is given back when it goes out of scope.
  class Buffer {
  public:
    Buffer() = default;
    Buffer(Buffer &&other) noexcept;
    Buffer &operator=(Buffer &&other) noexcept;
    ~Buffer();
    char *data() const { return memory; }

  private:
    friend class BufferPool;
    BufferPool *pool = nullptr;
    char *memory = nullptr;
    size_t size = 0;
  };

  /// At least `bytes` bytes, 64-byte aligned (2 MiB from 4 MiB on, with huge pages where the system offers them),
  /// contents undefined. Data is null when there is no memory; an empty request needs none.
  Buffer acquire(size_t bytes);

private:
  struct Block {
    char *memory;
    size_t size;
  };
  /// Blocks kept; the smallest goes when one more comes back.
  static constexpr size_t kept = 8;

  /// Of the blocks within a factor of 8 of `bytes` the smallest that fits, else the largest that does not: sizes that
  /// grow from call to call then replace their block instead of leaving a trail of blocks. Null if there is none.
  Block takeFree(size_t bytes);
  void giveBack(Block block);
  void beforeFork() override { mutex.lock(); }
  void afterForkParent() override { mutex.unlock(); }
  void afterForkChild() override { mutex.unlock(); }

  std::mutex mutex;
  std::vector<Block> free;
};

} // namespace sattn::rt

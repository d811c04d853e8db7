// A short list of blocks, best fit (BufferPool.h).
#include "runtime/BufferPool.h"

#include <sys/mman.h>

#include <cstdlib>
#include <utility>

namespace sattn::rt {

static constexpr size_t cacheLine = 64, hugePage = size_t(2) << 20, hugeFrom = size_t(4) << 20;

static char *allocate(size_t &size) {
  size_t alignment = size >= hugeFrom ? hugePage : cacheLine;
  if (size > SIZE_MAX - alignment)
    return nullptr;
  size = (size + alignment - 1) / alignment * alignment;
  auto *memory = static_cast<char *>(std::aligned_alloc(alignment, size));
  // Advice only: where the system has no huge pages, nothing changes.
  if (memory && alignment == hugePage)
    madvise(memory, size, MADV_HUGEPAGE);
  return memory;
}

BufferPool::BufferPool() {
  free.reserve(kept + 1);
  enroll();
}

BufferPool::~BufferPool() {
  withdraw();
  for (Block block : free)
    std::free(block.memory);
}

BufferPool::Block BufferPool::takeFree(size_t bytes) {
  std::lock_guard lock(mutex);
  auto best = free.end();
  for (auto block = free.begin(); block != free.end(); ++block) {
    if (block->size / 8 > bytes || block->size <= bytes / 8)
      continue;
    bool fits = block->size >= bytes, bestFits = best != free.end() && best->size >= bytes;
    if (best == free.end() || (fits && !bestFits) ||
        (fits == bestFits && (fits ? block->size < best->size : block->size > best->size)))
      best = block;
  }
  if (best == free.end())
    return {nullptr, 0};
  Block block = *best;
  free.erase(best);
  return block;
}

BufferPool::Buffer BufferPool::acquire(size_t bytes) {
  Buffer buffer;
  if (bytes == 0)
    return buffer;
  buffer.pool = this;
  Block found = takeFree(bytes);
  if (found.size >= bytes) {
    buffer.memory = found.memory;
    buffer.size = found.size;
    return buffer;
  }
  std::free(found.memory);
  buffer.size = bytes;
  buffer.memory = allocate(buffer.size);
  return buffer;
}

void BufferPool::giveBack(Block block) {
  char *excess = nullptr;
  {
    std::lock_guard lock(mutex);
    free.push_back(block);
    if (free.size() > kept) {
      auto smallest = free.begin();
      for (auto candidate = free.begin(); candidate != free.end(); ++candidate)
        if (candidate->size < smallest->size)
          smallest = candidate;
      excess = smallest->memory;
      free.erase(smallest);
    }
  }
  std::free(excess);
}

BufferPool::Buffer::Buffer(Buffer &&other) noexcept { *this = std::move(other); }

BufferPool::Buffer &BufferPool::Buffer::operator=(Buffer &&other) noexcept {
  std::swap(pool, other.pool);
  std::swap(memory, other.memory);
  std::swap(size, other.size);
  return *this;
}

BufferPool::Buffer::~Buffer() {
  if (memory)
    pool->giveBack({memory, size});
}

} // namespace sattn::rt

// The table behind the second and later sattn_get() of a spec: from the spec's bytes as the caller writes them to the
// kernel. Readers take no lock, allocate nothing and never wait; writers are serialised by their owner. Entries and
// tables that were replaced stay until the end (each table is half the next one), so that a reader needs no protection.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sattn::rt {

class Kernel;

/// A spec as it was given.
struct RawSpec {
  std::string_view pattern, bind, target;
  bool operator==(const RawSpec &other) const = default;
};

/// 64-bit hash for tables in memory; not for keys on disk. About 10 bytes a nanosecond.
uint64_t quickHash(const RawSpec &spec);

class MemoryCache {
public:
  MemoryCache();

  /// Null if it is not there. Lock-free.
  Kernel *find(uint64_t hash, const RawSpec &spec) const;

  /// Adds a copy of `spec` that is not there yet. Calls must not overlap.
  void insert(uint64_t hash, const RawSpec &spec, Kernel *kernel);

  size_t size() const { return entries.size(); }

private:
  struct Entry {
    uint64_t hash;
    std::string text; ///< pattern, bind, target one after the other
    size_t patternSize, bindSize;
    Kernel *kernel;
    RawSpec spec() const;
  };
  struct Table {
    explicit Table(size_t size) : mask(size - 1), slots(new std::atomic<const Entry *>[size]()) {}
    void add(const Entry *entry);
    size_t mask;
    std::unique_ptr<std::atomic<const Entry *>[]> slots;
  };

  std::vector<std::unique_ptr<Entry>> entries;
  std::vector<std::unique_ptr<Table>> tables;
  std::atomic<const Table *> current;
};

} // namespace sattn::rt

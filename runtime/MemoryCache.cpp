// Open addressing with linear probing, at most half full (MemoryCache.h).
#include "runtime/MemoryCache.h"

#include <cstring>

namespace sattn::rt {

static uint64_t mix(uint64_t a, uint64_t b) {
  unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

static uint64_t load64(const char *at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

/// Odd constants with half of their bits set (digits of pi).
static constexpr uint64_t pi0 = 0x243f6a8885a308d3, pi1 = 0x13198a2e03707345, pi2 = 0xa4093822299f31d1;

static uint64_t hashText(std::string_view text, uint64_t state) {
  const char *at = text.data();
  size_t left = text.size();
  for (; left >= 16; at += 16, left -= 16)
    state = mix(load64(at) ^ pi0, load64(at + 8) ^ state);
  uint64_t tail[2] = {};
  if (left)
    std::memcpy(tail, at, left);
  return mix(mix(tail[0] ^ pi1, tail[1] ^ state), text.size() ^ pi2);
}

uint64_t quickHash(const RawSpec &spec) {
  return hashText(spec.target, hashText(spec.bind, hashText(spec.pattern, pi0)));
}

RawSpec MemoryCache::Entry::spec() const {
  std::string_view all = text;
  return {all.substr(0, patternSize), all.substr(patternSize, bindSize), all.substr(patternSize + bindSize)};
}

MemoryCache::MemoryCache() {
  tables.push_back(std::make_unique<Table>(64));
  current.store(tables.back().get(), std::memory_order_release);
}

Kernel *MemoryCache::find(uint64_t hash, const RawSpec &spec) const {
  const Table *table = current.load(std::memory_order_acquire);
  for (size_t slot = hash & table->mask;; slot = (slot + 1) & table->mask) {
    const Entry *entry = table->slots[slot].load(std::memory_order_acquire);
    if (!entry)
      return nullptr;
    if (entry->hash == hash && entry->spec() == spec)
      return entry->kernel;
  }
}

void MemoryCache::Table::add(const Entry *entry) {
  size_t slot = entry->hash & mask;
  while (slots[slot].load(std::memory_order_relaxed))
    slot = (slot + 1) & mask;
  slots[slot].store(entry, std::memory_order_release);
}

void MemoryCache::insert(uint64_t hash, const RawSpec &spec, Kernel *kernel) {
  auto entry = std::make_unique<Entry>();
  entry->hash = hash;
  entry->text.reserve(spec.pattern.size() + spec.bind.size() + spec.target.size());
  entry->text.append(spec.pattern).append(spec.bind).append(spec.target);
  entry->patternSize = spec.pattern.size();
  entry->bindSize = spec.bind.size();
  entry->kernel = kernel;
  if ((entries.size() + 1) * 2 > tables.back()->mask + 1) {
    auto larger = std::make_unique<Table>((tables.back()->mask + 1) * 2);
    for (const auto &old : entries)
      larger->add(old.get());
    tables.push_back(std::move(larger));
    current.store(tables.back().get(), std::memory_order_release);
  }
  entries.push_back(std::move(entry));
  tables.back()->add(entries.back().get());
}

} // namespace sattn::rt

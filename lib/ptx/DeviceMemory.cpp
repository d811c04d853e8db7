// Allocation table; see DeviceMemory.h.
#include "lib/ptx/DeviceMemory.h"

#include <fmt/format.h>

#include <algorithm>

namespace sattn::ptx {

uint64_t Device::Memory::add(Allocation allocation, uint32_t misalignment) {
  constexpr uint64_t Gap = uint64_t(1) << 20;
  allocation.address = next + misalignment;
  uint64_t address = allocation.address;
  next = (address + allocation.bytes + 2 * Gap - 1) / Gap * Gap;
  place(std::move(allocation));
  return address;
}

void Device::Memory::place(Allocation allocation) {
  recent = nullptr;
  uint64_t address = allocation.address;
  allocations.insert_or_assign(address, std::move(allocation));
}

void Device::Memory::remove(uint64_t address) {
  recent = nullptr;
  allocations.erase(address);
}

void Device::Memory::beginLaunch() {
  for (auto &[address, allocation] : allocations)
    allocation.writers.clear();
}

Allocation *Device::Memory::find(uint64_t address, uint64_t bytes) {
  auto contains = [&](const Allocation &a) {
    return address >= a.address && address - a.address <= a.bytes && bytes <= a.bytes - (address - a.address);
  };
  if (recent && contains(*recent))
    return recent;
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    return nullptr;
  Allocation &candidate = std::prev(after)->second;
  if (!contains(candidate))
    return nullptr;
  return recent = &candidate;
}

std::string Device::Memory::describe(uint64_t address) const {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    return "before every allocation";
  const Allocation &a = std::prev(after)->second;
  if (address - a.address < a.bytes)
    return fmt::format("at byte {} of '{}' ({} bytes)", address - a.address, a.name, a.bytes);
  uint64_t past = address - a.address - a.bytes;
  if (after != allocations.end() && after->second.address - address < past)
    return fmt::format("{} bytes before '{}'", after->second.address - address, after->second.name);
  return fmt::format("{} bytes past the end of '{}' ({} bytes)", past, a.name, a.bytes);
}

Device::Device() : state(std::make_unique<Memory>()) {}
Device::~Device() = default;
Device::Device(Device &&) noexcept = default;
Device &Device::operator=(Device &&) noexcept = default;

uint64_t Device::add(std::string name, std::span<std::byte> bytes, Contents contents, uint32_t misalignment) {
  Allocation allocation{.name = std::move(name), .bytes = bytes.size(), .data = bytes.data()};
  if (contents == Contents::Undefined)
    allocation.defined.assign(std::max<size_t>(1, bytes.size()), 0);
  return state->add(std::move(allocation), misalignment);
}

uint64_t Device::addConstant(std::string name, std::span<const std::byte> bytes, uint32_t misalignment) {
  // Never written: readOnly forbids it.
  auto *data = const_cast<std::byte *>(bytes.data());
  return state->add({.name = std::move(name), .bytes = bytes.size(), .data = data, .readOnly = true}, misalignment);
}

bool Device::fullyDefined(uint64_t address) const {
  const Allocation *a = state->find(address, 0);
  return a && std::all_of(a->defined.begin(), a->defined.begin() + long(a->defined.empty() ? 0 : a->bytes),
                          [](uint8_t d) { return d != 0; });
}

} // namespace sattn::ptx

// State spaces; see Memory.h.
#include "lib/ptx/Memory.h"
#include "lib/ptx/Cta.h"

#include <fmt/format.h>

#include <algorithm>

namespace sattn::ptx {
namespace {
bool inWindow(uint64_t address, uint64_t window) { return address - window < WindowBytes; }

void reportMisaligned(Warp &warp, unsigned lane, Place place, uint32_t align) {
  warp.fault(FaultKind::Misaligned, lane, [&] {
    return fmt::format("{} address {:#x} is not a multiple of {}", nameOf(place.space), place.address, align);
  });
}

Allocation *globalRange(Warp &warp, unsigned lane, uint64_t address, uint32_t count, uint32_t align) {
  Device::Memory &memory = warp.cta.launch().memory;
  Allocation *allocation = memory.find(address, count);
  if (!allocation) {
    warp.fault(FaultKind::OutOfBounds, lane, [&] {
      return fmt::format("{} bytes at global address {:#x}, {}", count, address, memory.describe(address));
    });
    return nullptr;
  }
  if (address % align) {
    reportMisaligned(warp, lane, {Space::Global, address}, align);
    return nullptr;
  }
  return allocation;
}

/// Blocks of a launch run in any order: what one writes another may neither read nor overwrite with another value,
/// unless it used atomics, which may have ordered that (then nothing is claimed).
void checkOtherBlocks(Warp &warp, unsigned lane, const Allocation &allocation, uint64_t offset, uint32_t count,
                      const std::byte *written, Access access) {
  if (allocation.writers.empty())
    return;
  uint32_t own = warp.cta.launch().blockNumber;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t writer = allocation.writers[offset + i];
    bool matters = access == Access::NonCoherent || (writer != own && !warp.cta.launch().blockUsedAtomics);
    if (!writer || !matters || (written && written[i] == allocation.data[offset + i]))
      continue;
    return warp.fault(FaultKind::Race, lane, [&] {
      return access == Access::NonCoherent
                 ? fmt::format("byte {} of '{}' is read by a non-coherent load, but this launch wrote it", offset + i,
                               allocation.name)
                 : fmt::format("byte {} of '{}' is {}, but another block of this launch wrote it", offset + i,
                               allocation.name, written ? "written" : "read");
    });
  }
}

bool loadGlobal(Warp &warp, unsigned lane, uint64_t address, uint32_t count, uint32_t align, std::byte *out,
                Access access) {
  Allocation *allocation = globalRange(warp, lane, address, count, align);
  if (!allocation)
    return false;
  uint64_t offset = address - allocation->address;
  warp.cta.launch().report.globalBytesRead += count;
  if (!allocation->defined.empty())
    for (uint32_t i = 0; i < count; ++i)
      if (!allocation->defined[offset + i]) {
        warp.fault(FaultKind::UninitialisedMemory, lane,
                   [&] { return fmt::format("byte {} of '{}' was never written", offset + i, allocation->name); });
        break;
      }
  if (access == Access::Strong)
    warp.cta.launch().blockUsedAtomics = true;
  else
    checkOtherBlocks(warp, lane, *allocation, offset, count, nullptr, access);
  std::copy_n(allocation->data + offset, count, out);
  return true;
}

bool storeGlobal(Warp &warp, unsigned lane, uint64_t address, uint32_t count, uint32_t align, const std::byte *in,
                 Access access) {
  Allocation *allocation = globalRange(warp, lane, address, count, align);
  if (!allocation)
    return false;
  if (allocation->readOnly) {
    warp.fault(FaultKind::ReadOnly, lane, [&] { return fmt::format("'{}' must not be written", allocation->name); });
    return false;
  }
  uint64_t offset = address - allocation->address;
  warp.cta.launch().report.globalBytesWritten += count;
  if (access == Access::Strong)
    warp.cta.launch().blockUsedAtomics = true;
  else
    checkOtherBlocks(warp, lane, *allocation, offset, count, in, access);
  if (allocation->writers.empty())
    allocation->writers.resize(allocation->bytes);
  std::fill_n(allocation->writers.begin() + long(offset), count,
              access == Access::Strong ? 0 : warp.cta.launch().blockNumber);
  std::copy_n(in, count, allocation->data + offset);
  if (!allocation->defined.empty())
    std::fill_n(allocation->defined.begin() + long(offset), count, uint8_t(1));
  return true;
}

/// In bounds and aligned; for the spaces that are plain arrays.
bool inArray(Warp &warp, unsigned lane, Place place, size_t size, uint32_t count, uint32_t align) {
  if (place.address > size || count > size - place.address) {
    warp.fault(FaultKind::OutOfBounds, lane, [&] {
      return fmt::format("{} bytes at {} address {}, but there are {} bytes", count, nameOf(place.space), place.address,
                         size);
    });
    return false;
  }
  if (place.address % align) {
    reportMisaligned(warp, lane, place, align);
    return false;
  }
  return true;
}

bool loadLocal(Warp &warp, unsigned lane, Place place, uint32_t count, uint32_t align, std::byte *out) {
  uint32_t thread = warp.threadOf(lane);
  std::vector<std::byte> &bytes = warp.cta.local(thread);
  if (!inArray(warp, lane, place, bytes.size(), count, align))
    return false;
  std::vector<uint8_t> &defined = warp.cta.localDefined(thread);
  for (uint32_t i = 0; i < count; ++i)
    if (!defined[place.address + i]) {
      warp.fault(FaultKind::UninitialisedMemory, lane,
                 [&] { return fmt::format("local address {} was never written", place.address + i); });
      break;
    }
  std::copy_n(bytes.begin() + long(place.address), count, out);
  return true;
}
} // namespace

Place resolve(Space space, uint64_t address) {
  if (space != Space::Generic)
    return {space, address};
  if (inWindow(address, SharedWindow))
    return {Space::Shared, address - SharedWindow};
  if (inWindow(address, LocalWindow))
    return {Space::Local, address - LocalWindow};
  if (inWindow(address, ParamWindow))
    return {Space::Param, address - ParamWindow};
  return {Space::Global, address};
}

uint64_t addressOf(Warp &warp, const AddressForm &form, unsigned lane) {
  uint64_t base = form.hasBase ? warp.value(form.base, form.wideBase ? 8 : 4, lane) : 0;
  uint64_t address = base + uint64_t(form.offset);
  // Narrow addresses wrap as 32-bit numbers do.
  return form.hasBase && !form.wideBase ? uint32_t(address) : address;
}

bool loadBytes(Warp &warp, unsigned lane, Space space, uint64_t address, uint32_t count, uint32_t align, std::byte *out,
               Access access) {
  Place place = resolve(space, address);
  if (place.space == Space::Shared) {
    Accessor by = warp.accessor(lane);
    by.strong = access == Access::Strong;
    if (warp.cta.shared().accessible(by, place.address, count, align)) {
      warp.cta.shared().read(by, uint32_t(place.address), count, out);
      return true;
    }
  }
  std::fill_n(out, count, std::byte(0));
  switch (place.space) {
  case Space::Shared:
    return false;
  case Space::Local:
    return loadLocal(warp, lane, place, count, align, out);
  case Space::Param: {
    const std::vector<std::byte> &parameters = warp.cta.launch().parameters;
    if (!inArray(warp, lane, place, parameters.size(), count, align))
      return false;
    std::copy_n(parameters.begin() + long(place.address), count, out);
    return true;
  }
  default:
    return loadGlobal(warp, lane, place.address, count, align, out, access);
  }
}

bool storeBytes(Warp &warp, unsigned lane, Space space, uint64_t address, uint32_t count, uint32_t align,
                const std::byte *in, Access access) {
  Place place = resolve(space, address);
  switch (place.space) {
  case Space::Shared: {
    Accessor by = warp.accessor(lane);
    by.strong = access == Access::Strong;
    if (!warp.cta.shared().accessible(by, place.address, count, align))
      return false;
    warp.cta.shared().write(by, uint32_t(place.address), count, in);
    return true;
  }
  case Space::Local: {
    uint32_t thread = warp.threadOf(lane);
    std::vector<std::byte> &bytes = warp.cta.local(thread);
    if (!inArray(warp, lane, place, bytes.size(), count, align))
      return false;
    std::copy_n(in, count, bytes.begin() + long(place.address));
    std::fill_n(warp.cta.localDefined(thread).begin() + long(place.address), count, uint8_t(1));
    return true;
  }
  case Space::Param:
    warp.fault(FaultKind::ReadOnly, lane, [] { return std::string("parameters of the entry must not be written"); });
    return false;
  default:
    return storeGlobal(warp, lane, place.address, count, align, in, access);
  }
}

void countBanks(Warp &warp, const uint64_t *addresses, uint32_t lanes, uint32_t count) {
  // 128 bytes a round: wide accesses are served by halves and quarters of the warp.
  uint32_t together = std::min(32u, 128 / std::max(4u, count)), rounds = 0, ideal = 0;
  for (uint32_t first = 0; first < 32; first += together) {
    uint32_t words[32][4], used[32] = {}, most = 0;
    for (uint32_t lane = first; lane < first + together; ++lane) {
      if (!(lanes >> lane & 1))
        continue;
      for (uint64_t word = addresses[lane] / 4; word <= (addresses[lane] + count - 1) / 4; ++word) {
        uint32_t bank = word % 32, known = std::min(used[bank], 4u);
        // Beyond four different words the count is what matters, not which words.
        if (std::find(words[bank], words[bank] + known, uint32_t(word)) != words[bank] + known)
          continue;
        if (used[bank] < 4)
          words[bank][used[bank]] = uint32_t(word);
        most = std::max(most, ++used[bank]);
      }
    }
    rounds += most;
    ideal += most > 0;
  }
  Report &report = warp.cta.launch().report;
  report.sharedRounds += rounds;
  report.sharedConflictRounds += rounds - ideal;
}

} // namespace sattn::ptx

// Global memory of a launch: allocations with bounds, write permission and one "defined" byte for each byte of those
// that began undefined. Addresses are synthetic; allocations stand 1 MiB and more apart.
#pragma once

#include "lib/ptx/Ptx.h"

#include <optional>

namespace sattn::ptx {

struct Allocation {
  std::string name = {};
  uint64_t address = 0, bytes = 0;
  std::byte *data = nullptr;
  bool readOnly = false;
  std::vector<uint8_t> defined = {}; // empty: all
  /// By byte: the block of the present launch that wrote it last, from 1; 0: none. Empty: nothing was written.
  std::vector<uint32_t> writers = {};
};

class Device::Memory {
public:
  uint64_t add(Allocation allocation, uint32_t misalignment);
  /// At a fixed address, for variables of a module.
  void place(Allocation allocation);
  void remove(uint64_t address);
  /// Forgets who wrote what.
  void beginLaunch();
  /// The allocation that contains all of [address, address + bytes), or null.
  Allocation *find(uint64_t address, uint64_t bytes);
  /// What lies near a bad address, for messages: "4 bytes after 'q' (1024 bytes)".
  std::string describe(uint64_t address) const;

private:
  std::map<uint64_t, Allocation> allocations;
  uint64_t next = 0x7f00'0000'0000;
  Allocation *recent = nullptr;
};

} // namespace sattn::ptx

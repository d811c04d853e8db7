// The shared-memory side of tensor maps: where the elements of a box lie, swizzled. The description and its 128 bytes
// are public (Ptx.h).
#pragma once

#include "lib/ptx/Ptx.h"

#include <optional>

namespace sattn::ptx {

/// The map that encode() made; nothing if the bytes are none.
std::optional<TensorMap> decodeTensorMap(const std::byte *bytes);

/// A shared address with the swizzle's bits exchanged: 16-byte units change places inside their line of 32, 64 or 128
/// bytes by the number of the line.
inline uint32_t swizzled(uint32_t address, Swizzle swizzle) {
  switch (swizzle) {
  case Swizzle::None:
    return address;
  case Swizzle::Bytes32:
    return address ^ (address >> 3 & 0x10);
  case Swizzle::Bytes64:
    return address ^ (address >> 3 & 0x30);
  case Swizzle::Bytes128:
    return address ^ (address >> 3 & 0x70);
  }
  return address;
}

} // namespace sattn::ptx

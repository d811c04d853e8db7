// Access of a lane to memory in any state space, with the checks of that space. Loads, stores, atomics and asynchronous
// copies go through here.
#pragma once

#include "lib/ptx/Warp.h"

namespace sattn::ptx {

/// An address in its own space; generic ones are resolved.
struct Place {
  Space space;
  uint64_t address;
};
Place resolve(Space space, uint64_t address);

/// How an access relates to those of other threads: Strong ones (volatile, atomic) do not race with each other,
/// NonCoherent ones (ld.global.nc) read what no one may write in the same launch.
enum class Access : uint8_t { Plain, Strong, NonCoherent };

/// The address of a lane's memory operand.
uint64_t addressOf(Warp &warp, const AddressForm &form, unsigned lane);

/// Copies `count` bytes out of memory; on a fault the bytes are 0 and the result is false. `align` must divide the
/// address.
bool loadBytes(Warp &warp, unsigned lane, Space space, uint64_t address, uint32_t count, uint32_t align, std::byte *out,
               Access access = Access::Plain);
/// Copies `count` bytes into memory; on a fault memory stays as it was.
bool storeBytes(Warp &warp, unsigned lane, Space space, uint64_t address, uint32_t count, uint32_t align,
                const std::byte *in, Access access = Access::Plain);

/// Counts the rounds that the 32 banks need for the addresses of the lanes (invalid lanes: ~0), `count` bytes each.
void countBanks(Warp &warp, const uint64_t *addresses, uint32_t lanes, uint32_t count);

} // namespace sattn::ptx

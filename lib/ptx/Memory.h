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

/// The address of a lane's memory operand.
uint64_t addressOf(Warp &warp, const AddressForm &form, unsigned lane);

/// Copies `count` bytes out of memory; on a fault the bytes are 0 and the result is false. `align` must divide the
/// address. `strong`: volatile or atomic.
bool loadBytes(Warp &warp, unsigned lane, Space space, uint64_t address, uint32_t count, uint32_t align, std::byte *out,
               bool strong = false);
/// Copies `count` bytes into memory; on a fault memory stays as it was.
bool storeBytes(Warp &warp, unsigned lane, Space space, uint64_t address, uint32_t count, uint32_t align,
                const std::byte *in, bool strong = false);

/// Counts the rounds that the 32 banks need for the addresses of the lanes (invalid lanes: ~0), `count` bytes each.
void countBanks(Warp &warp, const uint64_t *addresses, uint32_t lanes, uint32_t count);

} // namespace sattn::ptx

// The seeded source of every choice that hardware leaves open.
#pragma once

#include <cstdint>

namespace sattn::ptx {

/// splitmix64: full period, one addition and three multiplications or shifts a number.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  /// Below `bound`, which is not 0; the bias of the remainder does not matter here.
  uint32_t below(uint32_t bound) { return uint32_t(next() % bound); }

private:
  uint64_t state;
};

} // namespace sattn::ptx

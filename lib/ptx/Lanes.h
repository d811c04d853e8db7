// Loops over the 32 lanes of rows, for the executing functions. A function of lanes is evaluated for all of them, so
// that the loop is vectorised, and stored for those of the mask; it must be pure and total.
#pragma once

#include "lib/ptx/Numbers.h"
#include "lib/ptx/Warp.h"

namespace sattn::ptx {

/// Half-precision values are kept as float or double while they are computed with.
struct HalfBits {
  uint16_t bits;
};
struct BfloatBits {
  uint16_t bits;
};

template <typename T> using Cell = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

/// A value of type T from the word that keeps it, and back; narrow integers are extended as their type says.
template <typename T> T fromCell(Cell<T> cell) {
  if constexpr (sizeof(T) >= 4)
    return std::bit_cast<T>(cell);
  else if constexpr (sizeof(T) == 2)
    return std::bit_cast<T>(uint16_t(cell));
  else
    return std::bit_cast<T>(uint8_t(cell));
}
template <typename T> Cell<T> toCell(T value) {
  if constexpr (sizeof(T) >= 4)
    return std::bit_cast<Cell<T>>(value);
  else if constexpr (sizeof(T) == 2)
    return std::bit_cast<uint16_t>(value);
  else
    return std::bit_cast<uint8_t>(value);
}

template <typename T> class Source {
public:
  Source(Warp &warp, Row row) {
    if constexpr (sizeof(T) == 8)
      cells = warp.wide(row);
    else
      cells = warp.row(row);
  }
  T operator[](unsigned lane) const { return fromCell<T>(cells[lane]); }

private:
  const Cell<T> *cells;
};

/// Destination row, lanes of the mask := f(lane).
template <typename T, typename F> void forLanes(Warp &warp, Row row, uint32_t lanes, F f) {
  Cell<T> results[32];
  for (unsigned lane = 0; lane < 32; ++lane)
    results[lane] = toCell<T>(f(lane));
  Cell<T> *cells;
  if constexpr (sizeof(T) == 8)
    cells = warp.wide(row);
  else
    cells = warp.row(row);
  if (lanes == ~uint32_t(0)) {
    std::memcpy(cells, results, sizeof results);
    return;
  }
  for (unsigned lane = 0; lane < 32; ++lane)
    cells[lane] = lanes >> lane & 1 ? results[lane] : cells[lane];
}

/// Destination predicate, lanes of the mask := f(lane).
template <typename F> void forPredicate(Warp &warp, Row row, uint32_t lanes, F f) {
  uint32_t mask = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    mask |= uint32_t(bool(f(lane))) << lane;
  uint32_t &old = warp.predicate(row);
  old = (old & ~lanes) | (mask & lanes);
}

/// Calls f(lane) for each lane of the mask in ascending order.
template <typename F> void eachLane(uint32_t lanes, F f) {
  for (; lanes; lanes &= lanes - 1)
    f(unsigned(std::countr_zero(lanes)));
}

} // namespace sattn::ptx

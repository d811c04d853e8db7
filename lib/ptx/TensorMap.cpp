// Tensor maps to and from bytes, with the rules that a driver would enforce; see Ptx.h and TensorMap.h.
#include "lib/ptx/TensorMap.h"

#include <fmt/format.h>

#include <array>

namespace sattn::ptx {
namespace {
/// What the 128 bytes hold. A real driver's layout is its own secret; these maps are for this interpreter alone.
struct Encoded {
  uint64_t magic, address;
  uint64_t strides[4];
  uint32_t dims[5];
  uint16_t box[5];
  uint8_t rank, elementBytes, swizzle, padding[15];
};
static_assert(sizeof(Encoded) <= TensorMapBytes);
constexpr uint64_t MaxBoxBytes = 232448;
constexpr uint64_t Magic = 0x70616d726f736e74;

uint32_t widthOf(Swizzle swizzle) { return swizzle == Swizzle::None ? ~uint32_t(0) : 16u << unsigned(swizzle); }

/// The rule that the map breaks.
std::optional<Error> check(const TensorMap &map) {
  auto refused = [](std::string text) { return Error{"tensor map: " + text}; };
  if (map.rank < 1 || map.rank > 5)
    return refused(fmt::format("rank {} is not in 1..5", map.rank));
  if (map.elementBytes != 1 && map.elementBytes != 2 && map.elementBytes != 4 && map.elementBytes != 8)
    return refused(fmt::format("elements of {} bytes do not exist", map.elementBytes));
  if (map.address % 16)
    return refused(fmt::format("address {:#x} is not a multiple of 16", map.address));
  for (unsigned i = 0; i < map.rank; ++i) {
    if (map.dims[i] == 0)
      return refused(fmt::format("dimension {} is empty", i));
    if (map.box[i] == 0 || map.box[i] > 256)
      return refused(fmt::format("box dimension {} is {}, not in 1..256", i, map.box[i]));
    // What a stride of 0 means is nowhere written.
    if (i > 0 && (map.strides[i - 1] % 16 || map.strides[i - 1] == 0 || map.strides[i - 1] >= uint64_t(1) << 40))
      return refused(
          fmt::format("stride {} of dimension {} is not a multiple of 16 from 16 to 2^40", map.strides[i - 1], i));
  }
  uint32_t inner = map.box[0] * map.elementBytes;
  if (inner % 16)
    return refused(fmt::format("the box is {} bytes wide, which is no multiple of 16", inner));
  if (inner > widthOf(map.swizzle))
    return refused(fmt::format("the box is {} bytes wide, but the swizzle {}", inner, widthOf(map.swizzle)));
  uint64_t total = map.elementBytes;
  for (unsigned i = 0; i < map.rank; ++i)
    total *= map.box[i];
  if (total > MaxBoxBytes)
    return refused(fmt::format("the box has {} bytes, more than shared memory", total));
  return std::nullopt;
}
} // namespace

Result<std::array<std::byte, TensorMapBytes>> encode(const TensorMap &map) {
  if (std::optional<Error> problem = check(map))
    return std::move(*problem);
  Encoded encoded{.magic = Magic,
                  .address = map.address,
                  .strides = {},
                  .dims = {},
                  .box = {},
                  .rank = uint8_t(map.rank),
                  .elementBytes = uint8_t(map.elementBytes),
                  .swizzle = uint8_t(map.swizzle),
                  .padding = {}};
  for (unsigned i = 0; i < map.rank; ++i) {
    encoded.dims[i] = map.dims[i];
    encoded.box[i] = uint16_t(map.box[i]);
    if (i > 0)
      encoded.strides[i - 1] = map.strides[i - 1];
  }
  std::array<std::byte, TensorMapBytes> bytes{};
  std::memcpy(bytes.data(), &encoded, sizeof encoded);
  return bytes;
}

std::optional<TensorMap> decodeTensorMap(const std::byte *bytes) {
  Encoded encoded;
  std::memcpy(&encoded, bytes, sizeof encoded);
  if (encoded.magic != Magic || encoded.rank > 5)
    return std::nullopt;
  TensorMap map{.address = encoded.address,
                .rank = encoded.rank,
                .elementBytes = encoded.elementBytes,
                .dims = {},
                .strides = {},
                .box = {},
                .swizzle = Swizzle(encoded.swizzle)};
  for (unsigned i = 0; i < map.rank; ++i) {
    map.dims[i] = encoded.dims[i];
    map.box[i] = encoded.box[i];
    if (i > 0)
      map.strides[i - 1] = encoded.strides[i - 1];
  }
  if (check(map))
    return std::nullopt;
  return map;
}

} // namespace sattn::ptx

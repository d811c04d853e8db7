// The scalar types of PTX and the state spaces, with their sizes. Parser, decoder and execution share them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sattn::ptx {

enum class Scalar : uint8_t {
  Pred,
  B8,
  B16,
  B32,
  B64,
  B128,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  U16x2,
  S16x2,
  F16,
  F16x2,
  BF16,
  BF16x2,
  TF32,
  F32,
  F32x2,
  F64,
  E4M3,
  E5M2,
  E4M3x2,
  E5M2x2
};

/// "u32" to Scalar::U32; nothing for other words.
std::optional<Scalar> scalarNamed(std::string_view name);
std::string_view nameOf(Scalar type);
/// Bytes of a register of this type; 0 for predicates.
unsigned bytesOf(Scalar type);
bool isSigned(Scalar type);
bool isFloat(Scalar type);

enum class Space : uint8_t { Generic, Global, Shared, Local, Param };
std::string_view nameOf(Space space);

/// Generic addresses of the windows of the other spaces; global memory lies elsewhere.
constexpr uint64_t SharedWindow = 0x0100'0000'0000, LocalWindow = 0x0110'0000'0000, ParamWindow = 0x0120'0000'0000;
constexpr uint64_t WindowBytes = 0x0001'0000'0000;

} // namespace sattn::ptx

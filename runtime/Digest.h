// BLAKE2b-256 (RFC 7693) of bytes, by libsodium: the hash of artefact sections and of keys.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sattn::rt {

using Digest = std::array<uint8_t, 32>;

/// Hash of one run of bytes. About 1 GB/s.
Digest digestOf(std::string_view bytes);

/// Hash of a sequence of fields. Each field is preceded by its length, so that no two different sequences give the
/// same bytes.
class DigestBuilder {
public:
  DigestBuilder();
  DigestBuilder &field(std::string_view bytes);
  DigestBuilder &field(uint64_t number);
  /// The hash of the fields so far; the builder can go on.
  Digest finish() const;

private:
  // libsodium's crypto_generichash_blake2b_state, whose size and alignment Digest.cpp checks.
  struct alignas(64) State {
    unsigned char bytes[384];
  };
  State state;
};

/// Lower-case hexadecimal digits, two for each byte of the first `bytes` bytes.
std::string toHex(const Digest &digest, size_t bytes = 32);

} // namespace sattn::rt

// BLAKE2b by libsodium, which is linked statically and hidden (runtime/CMakeLists.txt).
#include "runtime/Digest.h"

#include <sodium.h>

#include <cstring>

namespace sattn::rt {

/// libsodium chooses its fastest implementation here; without it the portable one would run. Its failure (no random
/// numbers on this machine) does not touch hashing.
static void initialize() {
  static const int done = sodium_init();
  (void)done;
}

Digest digestOf(std::string_view bytes) {
  initialize();
  Digest digest;
  crypto_generichash_blake2b(digest.data(), digest.size(), reinterpret_cast<const unsigned char *>(bytes.data()),
                             bytes.size(), nullptr, 0);
  return digest;
}

static crypto_generichash_blake2b_state *sodium(unsigned char *bytes) {
  return reinterpret_cast<crypto_generichash_blake2b_state *>(bytes);
}

DigestBuilder::DigestBuilder() {
  static_assert(sizeof(crypto_generichash_blake2b_state) == sizeof(State) &&
                alignof(crypto_generichash_blake2b_state) <= alignof(State));
  initialize();
  crypto_generichash_blake2b_init(sodium(state.bytes), nullptr, 0, sizeof(Digest));
}

DigestBuilder &DigestBuilder::field(std::string_view bytes) {
  unsigned char length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<unsigned char>(static_cast<uint64_t>(bytes.size()) >> (8 * i));
  crypto_generichash_blake2b_update(sodium(state.bytes), length, sizeof(length));
  crypto_generichash_blake2b_update(sodium(state.bytes), reinterpret_cast<const unsigned char *>(bytes.data()),
                                    bytes.size());
  return *this;
}

DigestBuilder &DigestBuilder::field(uint64_t number) {
  char bytes[8];
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(number >> (8 * i));
  return field(std::string_view(bytes, sizeof(bytes)));
}

Digest DigestBuilder::finish() const {
  State copy = state;
  Digest digest;
  crypto_generichash_blake2b_final(sodium(copy.bytes), digest.data(), digest.size());
  return digest;
}

std::string toHex(const Digest &digest, size_t bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < bytes && i < digest.size(); ++i) {
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

} // namespace sattn::rt

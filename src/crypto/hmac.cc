#include "crypto/hmac.h"

#include <array>

#include "base/text.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message) {
  constexpr size_t kBlock = 64;
  Digest hashed_key;
  if (key.size() > kBlock) {
    hashed_key = sha256(key);
    key = hashed_key;
  }
  std::array<std::byte, kBlock> inner_pad, outer_pad;
  for (size_t i = 0; i < kBlock; ++i) {
    const std::byte byte = i < key.size() ? key[i] : std::byte{0};
    inner_pad[i] = byte ^ std::byte{0x36};
    outer_pad[i] = byte ^ std::byte{0x5c};
  }
  Sha256 hash;
  hash.update(inner_pad);
  hash.update(message);
  const Digest inner = hash.finish();
  hash.update(outer_pad);
  hash.update(inner);
  wipe(inner_pad);
  wipe(outer_pad);
  return hash.finish();
}

Digest hmac_sha256(std::string_view key, std::string_view message) {
  return hmac_sha256(as_bytes(key), as_bytes(message));
}

}  // namespace holdfast::crypto

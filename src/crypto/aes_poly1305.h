// The envelope around everything a repository stores: IV(16) || AES-256-CTR(plaintext) || Poly1305-AES tag(16).
//
// The tag covers the ciphertext alone (neither IV nor anything else). Its one-time key is r || AES-128_k(IV), so a
// fresh random IV per envelope is what keeps both cipher and tag sound. All functions may be called from any thread; a
// key is immutable.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"
#include "crypto/secret.h"

namespace holdfast::crypto {

inline constexpr size_t kIvSize = 16;
inline constexpr size_t kTagSize = 16;
inline constexpr size_t kEnvelopeOverhead = kIvSize + kTagSize;

/// AES key (32 bytes), then Poly1305-AES k (16) and r (16), in one secret of 64 bytes.
class EnvelopeKey {
 public:
  static constexpr size_t kSize = 64;
  /// invalid for another length, or where the AES key, k or r is zero throughout.
  [[nodiscard]] static Result<EnvelopeKey> from(Secret bytes);
  /// A new random key.
  [[nodiscard]] static EnvelopeKey generate();

  [[nodiscard]] std::span<const std::byte> encrypt() const { return bytes_.bytes().subspan(0, 32); }
  [[nodiscard]] std::span<const std::byte> mac_k() const { return bytes_.bytes().subspan(32, 16); }
  [[nodiscard]] std::span<const std::byte> mac_r() const { return bytes_.bytes().subspan(48, 16); }

 private:
  explicit EnvelopeKey(Secret bytes) : bytes_(std::move(bytes)) {}
  Secret bytes_;
};

/// Seals under a random IV. `out` holds exactly plaintext.size() + kEnvelopeOverhead bytes and does not overlap.
void seal(const EnvelopeKey& key, std::span<const std::byte> plaintext, std::span<std::byte> out);
/// The same under an IV of the caller's, for published vectors; invalid for an IV of zeros.
[[nodiscard]] Status seal_with_iv(const EnvelopeKey& key, std::span<const std::byte, kIvSize> iv,
                                  std::span<const std::byte> plaintext, std::span<std::byte> out);
/// Appends the envelope to `out`.
void seal_to(const EnvelopeKey& key, std::span<const std::byte> plaintext, std::string& out);

/// Proves the tag, then decrypts. `out` holds exactly envelope.size() - kEnvelopeOverhead bytes; it may be the
/// ciphertext's own place (envelope.subspan(kIvSize, ...)) and overlaps in no other way. corrupt where the tag is
/// wrong, the envelope too short or its IV zero; `out` is then untouched.
[[nodiscard]] Status open(const EnvelopeKey& key, std::span<const std::byte> envelope, std::span<std::byte> out);
/// The plaintext as a text of its own.
[[nodiscard]] Result<std::string> open_text(const EnvelopeKey& key, std::span<const std::byte> envelope);

}  // namespace holdfast::crypto

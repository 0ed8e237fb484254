// SHA-256: names of files and blobs.
//
// sha256_each is the seam for kernels that hash many messages at once: callers that have several messages hand them
// over together. All functions may be called from any thread; one Sha256 belongs to one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace holdfast::crypto {

using Digest = std::array<std::byte, 32>;

[[nodiscard]] Digest sha256(std::span<const std::byte> message);
[[nodiscard]] Digest sha256(std::string_view message);
/// digests[i] = sha256(messages[i]); both have the same length.
void sha256_each(std::span<const std::string_view> messages, std::span<Digest> digests);

/// A message that comes in pieces.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::span<const std::byte> piece);
  void update(std::string_view piece);
  /// The digest of all pieces; the object then starts a new message.
  [[nodiscard]] Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::crypto

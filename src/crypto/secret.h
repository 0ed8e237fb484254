// Bytes that must not outlive their use: passwords and keys.
//
// A Secret owns its bytes, overwrites them when it goes and cannot be printed or copied by accident (clone() says so
// out loud). One thread at a time, as a std::string.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::crypto {

/// Overwrites bytes in a way that the compiler does not drop.
void wipe(std::span<std::byte> bytes);
/// Overwrites a text that held a secret (all of its capacity) and empties it.
void wipe(std::string& text);

class Secret {
 public:
  Secret() = default;
  /// `size` zero bytes, to be filled through bytes().
  explicit Secret(size_t size);
  /// A copy of the text; the source is still the caller's to wipe.
  [[nodiscard]] static Secret of(std::string_view text);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  [[nodiscard]] Secret clone() const;
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::span<std::byte> bytes() { return {bytes_.get(), size_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::string_view reveal() const { return {reinterpret_cast<const char*>(bytes_.get()), size_}; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  size_t size_ = 0;
};

/// True where both hold the same bytes; the time taken depends on the length alone.
[[nodiscard]] bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace holdfast::crypto

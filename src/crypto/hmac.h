// HMAC-SHA-256 (RFC 2104): request signatures and messages between sites. Any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "crypto/sha256.h"

namespace holdfast::crypto {

[[nodiscard]] Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message);
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view message);

}  // namespace holdfast::crypto

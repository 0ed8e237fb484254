// Small text functions without a home of their own: hex, base64, splitting, sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast {

[[nodiscard]] std::span<const std::byte> as_bytes(std::string_view text);
[[nodiscard]] std::string_view as_text(std::span<const std::byte> bytes);

/// Lower-case hex.
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);
/// Both cases; invalid for odd lengths and other letters.
[[nodiscard]] Result<std::string> from_hex(std::string_view text);
/// RFC 4648 with padding.
[[nodiscard]] std::string to_base64(std::string_view bytes);
/// Strict: padding demanded, line ends allowed. invalid otherwise.
[[nodiscard]] Result<std::string> from_base64(std::string_view text);

/// Splits at every separator; "" gives one empty part.
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
/// Without white space at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string to_lower(std::string_view text);
/// A decimal integer, whole text; invalid otherwise.
[[nodiscard]] Result<int64_t> parse_int(std::string_view text);

/// "1.234 GiB": binary units with three digits behind the point, as restic prints sizes; bytes as "12 B".
[[nodiscard]] std::string format_bytes(uint64_t bytes);
/// A Kubernetes quantity of bytes ("10Gi", "500M", "1.5Ki", "1e3") as whole bytes, rounded up; invalid otherwise.
[[nodiscard]] Result<uint64_t> parse_quantity(std::string_view text);

}  // namespace holdfast

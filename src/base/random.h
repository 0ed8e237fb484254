// Random bytes from the kernel (getrandom), for ids and nonces. Keys are made in crypto/.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace holdfast {

/// Fills with random bytes; a kernel that gives none ends the process.
void random_bytes(std::span<std::byte> out);
/// `count` random bytes as 2*count lower-case hex digits.
[[nodiscard]] std::string random_hex(size_t count);
/// `count` of the letters and digits that Kubernetes uses for generated names (no vowels, no 0, 1, 3).
[[nodiscard]] std::string random_name_suffix(size_t count = 5);
/// A random version-4 UUID in lower case.
[[nodiscard]] std::string random_uuid();

}  // namespace holdfast

// The checksums that S3 takes beside a body (x-amz-checksum-*), in base64.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::objstore {

enum class ChecksumAlgorithm { none, crc32, crc32c, sha1, sha256 };

/// Velero's spelling: "", "CRC32", "CRC32C", "SHA1", "SHA256", in any case. unsupported for CRC64NVME, invalid for
/// others.
[[nodiscard]] Result<ChecksumAlgorithm> parse_checksum_algorithm(std::string_view text);
/// "CRC32", ...; empty for none.
[[nodiscard]] std::string_view to_string(ChecksumAlgorithm algorithm);
/// The checksum of bytes in base64; empty for none.
[[nodiscard]] std::string checksum_of(ChecksumAlgorithm algorithm, std::string_view bytes);

}  // namespace holdfast::objstore

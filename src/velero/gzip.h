// gzip in memory over zlib: for the small files of a backup (not for the tarball, which is streamed elsewhere).
//
// Pure functions, any thread. Output is deterministic: no name, time zero.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::velero {

/// No file of a backup other than log and tarball comes near it; a larger one is hostile or broken.
inline constexpr size_t kGunzipLimit = size_t{256} << 20;

/// One gzip member.
[[nodiscard]] Result<std::string> gzip(std::string_view plain);

/// All members of a gzip file, checksums proved. corrupt for anything else (also bytes behind the last member, an early
/// end); exhausted where the plain text would be larger than `limit`.
[[nodiscard]] Result<std::string> gunzip(std::string_view packed, size_t limit = kGunzipLimit);

}  // namespace holdfast::velero

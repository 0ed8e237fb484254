// zstd as the format uses it: one frame, content size present, no checksum, no dictionary.
//
// Contexts are kept per thread. All functions may be called from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::repo {

/// restic's modes. `off` concerns data blobs only: trees and metadata are compressed always (version 2).
enum class Compression { automatic, off, fastest, better, max };
/// "auto", "off", "fastest", "better", "max"; invalid otherwise.
[[nodiscard]] Result<Compression> parse_compression(std::string_view text);
[[nodiscard]] std::string_view to_string(Compression mode);

/// Appends one frame that holds `plain`.
void compress_to(std::string_view plain, Compression mode, std::string& out);
/// The frame's content. corrupt for anything but one whole frame; exhausted above `limit` bytes (nothing larger is ever
/// allocated).
[[nodiscard]] Result<std::string> decompress(std::string_view frame, uint64_t limit);

}  // namespace holdfast::repo

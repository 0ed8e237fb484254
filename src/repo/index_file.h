// Index files: which packs hold which blobs, as JSON. The codec; no I/O.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "repo/pack.h"

namespace holdfast::repo {

/// A file is written once it would list this many blobs.
inline constexpr size_t kIndexFileBlobs = 50'000;

/// One JSON object and a newline.
[[nodiscard]] std::string encode_index(const std::vector<PackContents>& packs);
/// Blobs in the order of offsets. Unknown fields are passed over ("supersedes", what rustic adds); packs that rustic
/// has marked for deletion are not in the result. invalid for ids, types and numbers that cannot be.
[[nodiscard]] Result<std::vector<PackContents>> decode_index(std::string_view text);

}  // namespace holdfast::repo

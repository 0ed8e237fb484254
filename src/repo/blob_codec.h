// One blob between its plaintext and its place in a pack. Pure functions, any thread: the seam for faster kernels.
#pragma once

#include <string>
#include <string_view>

#include "crypto/aes_poly1305.h"
#include "repo/compress.h"
#include "repo/ids.h"

namespace holdfast::repo {

struct SealedBlob {
  std::string bytes;
  uint32_t uncompressed_length = 0;  ///< 0: stored uncompressed
};

/// Compresses (version 2: trees always, data where the mode asks and it saves a thirtieth) and seals. `invalid` for
/// blobs that a pack cannot hold.
[[nodiscard]] Result<SealedBlob> seal_blob(const crypto::EnvelopeKey& key, BlobType type, std::string_view plain,
                                           unsigned version, Compression mode);
/// Opens, decompresses and proves the plaintext against the id; corrupt says which step failed.
[[nodiscard]] Result<std::string> open_blob(const crypto::EnvelopeKey& key, const BlobHandle& blob,
                                            uint32_t uncompressed_length, std::string_view sealed);

}  // namespace holdfast::repo

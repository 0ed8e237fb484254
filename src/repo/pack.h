// Packs: sealed blobs one behind the other, and a sealed header that names them. Sans-I/O: bytes in, values out.
//
//   blob 1 || ... || blob n || sealed header || length of the sealed header (u32, little endian)
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/aes_poly1305.h"
#include "repo/ids.h"

namespace holdfast::repo {

struct PackedBlob {
  BlobHandle blob;
  uint32_t offset = 0;
  uint32_t length = 0;               ///< as stored, envelope included
  uint32_t uncompressed_length = 0;  ///< 0: stored uncompressed
  friend auto operator<=>(const PackedBlob&, const PackedBlob&) = default;
};

/// A pack and all that is in it, in the order of offsets.
struct PackContents {
  Id pack;
  std::vector<PackedBlob> blobs;
};

inline constexpr uint64_t kMaxPackHeader = uint64_t{16} << 20;  ///< sealed header with its envelope
inline constexpr uint64_t kMaxPackSize = uint64_t{4} << 30;     ///< offsets have 32 bits

/// 37 bytes, or 41 for a compressed blob.
[[nodiscard]] size_t header_entry_size(const PackedBlob& blob);
/// The plain header.
[[nodiscard]] std::string encode_pack_header(const std::vector<PackedBlob>& blobs);
/// Entries with their running offsets. corrupt for unknown types, half entries, lengths below an envelope's and totals
/// that are not `blob_bytes` (the pack without its header).
[[nodiscard]] Result<std::vector<PackedBlob>> decode_pack_header(std::string_view plain, uint64_t blob_bytes);
/// The size of a pack with these blobs.
[[nodiscard]] uint64_t pack_size_of(const std::vector<PackedBlob>& blobs);

/// Reads that many bytes from that place of a pack.
using ReadRange = std::function<Result<std::string>(uint64_t offset, uint64_t length)>;
/// Reads and opens the header of a pack of that size: the last entries in one read, the rest in another where needed.
[[nodiscard]] Result<std::vector<PackedBlob>> read_pack_header(const crypto::EnvelopeKey& key, uint64_t pack_size,
                                                               const ReadRange& read);

/// Takes sealed blobs until it is finished. One thread at a time.
class PackBuilder {
 public:
  explicit PackBuilder(size_t expected_bytes) { bytes_.reserve(expected_bytes); }
  void add(const BlobHandle& blob, std::string_view sealed, uint32_t uncompressed_length);
  /// Bytes of blobs so far.
  [[nodiscard]] uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] size_t count() const { return blobs_.size(); }
  [[nodiscard]] bool empty() const { return blobs_.empty(); }
  /// True once one more blob of that size would burst the header's or the pack's limit.
  [[nodiscard]] bool full_for(size_t sealed_size) const;

  struct Finished {
    PackContents contents;
    std::string bytes;
  };
  /// Appends the header and names the pack. The builder is then over.
  [[nodiscard]] Finished finish(const crypto::EnvelopeKey& key) &&;
  /// Moves everything into another builder, behind what it has: two rests become one pack.
  void move_into(PackBuilder& other) &&;

 private:
  std::string bytes_;
  std::vector<PackedBlob> blobs_;
};

}  // namespace holdfast::repo

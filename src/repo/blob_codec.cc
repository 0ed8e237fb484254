#include "repo/blob_codec.h"

#include <fmt/format.h>

#include "base/text.h"

namespace holdfast::repo {

namespace {
constexpr uint64_t kLargestBlob = uint64_t{3} << 30;
constexpr size_t kWorthwhile = 32;  // a frame must save at least one part in so many
}  // namespace

Result<SealedBlob> seal_blob(const crypto::EnvelopeKey& key, BlobType type, std::string_view plain, unsigned version,
                             Compression mode) {
  if (plain.size() > kLargestBlob) {
    return Error(ErrorCode::invalid, fmt::format("a {} blob of {} bytes is too large", to_string(type), plain.size()));
  }
  SealedBlob sealed;
  const bool compress = version >= 2 && !plain.empty() && (type == BlobType::tree || mode != Compression::off);
  if (compress) {
    std::string frame;
    compress_to(plain, mode, frame);
    if (type == BlobType::tree || frame.size() + plain.size() / kWorthwhile < plain.size()) {
      sealed.uncompressed_length = static_cast<uint32_t>(plain.size());
      crypto::seal_to(key, as_bytes(frame), sealed.bytes);
      return sealed;
    }
  }
  crypto::seal_to(key, as_bytes(plain), sealed.bytes);
  return sealed;
}

Result<std::string> open_blob(const crypto::EnvelopeKey& key, const BlobHandle& blob, uint32_t uncompressed_length,
                              std::string_view sealed) {
  std::string plain = TRY(crypto::open_text(key, as_bytes(sealed)).in(blob.text()));
  if (uncompressed_length != 0) {
    std::string content = TRY(decompress(plain, uncompressed_length).in(blob.text()));
    if (content.size() != uncompressed_length) {
      return Error(ErrorCode::corrupt,
                   fmt::format("{}: {} bytes instead of {}", blob.text(), content.size(), uncompressed_length));
    }
    plain = std::move(content);
  }
  if (Id::of(plain) != blob.id) {
    return Error(ErrorCode::corrupt, fmt::format("{}: the content does not hash to its id", blob.text()));
  }
  return plain;
}

}  // namespace holdfast::repo

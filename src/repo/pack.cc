#include "repo/pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace holdfast::repo {

namespace {

constexpr size_t kPlainEntry = 37;
constexpr size_t kCompressedEntry = 41;
constexpr size_t kLengthField = 4;
constexpr size_t kEntriesReadAhead = 15;

void append_u32(std::string& out, uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(number >> shift));
}

uint32_t read_u32(std::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = 4; i-- > 0;) number = (number << 8) | static_cast<uint8_t>(bytes[i]);
  return number;
}

Error damaged(std::string message) {
  return Error(ErrorCode::corrupt, std::move(message));
}

}  // namespace

size_t header_entry_size(const PackedBlob& blob) {
  return blob.uncompressed_length == 0 ? kPlainEntry : kCompressedEntry;
}

std::string encode_pack_header(const std::vector<PackedBlob>& blobs) {
  std::string out;
  out.reserve(blobs.size() * kCompressedEntry);
  for (const PackedBlob& blob : blobs) {
    const bool compressed = blob.uncompressed_length != 0;
    out.push_back(static_cast<char>(static_cast<unsigned>(blob.blob.type) + (compressed ? 2u : 0u)));
    append_u32(out, blob.length);
    if (compressed) append_u32(out, blob.uncompressed_length);
    out.append(as_text(blob.blob.id.bytes));
  }
  return out;
}

Result<std::vector<PackedBlob>> decode_pack_header(std::string_view plain, uint64_t blob_bytes) {
  std::vector<PackedBlob> blobs;
  blobs.reserve(plain.size() / kPlainEntry);
  uint64_t offset = 0;
  while (!plain.empty()) {
    const auto type = static_cast<uint8_t>(plain[0]);
    if (type > 3) return damaged(fmt::format("pack header: entry {} has the unknown type {}", blobs.size(), type));
    const bool compressed = type >= 2;
    const size_t size = compressed ? kCompressedEntry : kPlainEntry;
    if (plain.size() < size) return damaged("pack header: the last entry is cut off");
    PackedBlob blob;
    blob.blob.type = (type & 1) != 0 ? BlobType::tree : BlobType::data;
    blob.offset = static_cast<uint32_t>(offset);
    blob.length = read_u32(plain.substr(1));
    if (compressed) blob.uncompressed_length = read_u32(plain.substr(5));
    std::memcpy(blob.blob.id.bytes.data(), plain.data() + size - Id::kSize, Id::kSize);
    if (blob.length < crypto::kEnvelopeOverhead || (compressed && blob.uncompressed_length == 0)) {
      return damaged(fmt::format("pack header: entry {} has an impossible length", blobs.size()));
    }
    offset += blob.length;
    if (offset > blob_bytes) return damaged("pack header: its blobs are longer than the pack");
    blobs.push_back(blob);
    plain.remove_prefix(size);
  }
  if (offset != blob_bytes) return damaged("pack header: its blobs are shorter than the pack");
  return blobs;
}

uint64_t pack_size_of(const std::vector<PackedBlob>& blobs) {
  uint64_t size = crypto::kEnvelopeOverhead + kLengthField;
  for (const PackedBlob& blob : blobs) size += blob.length + header_entry_size(blob);
  return size;
}

Result<std::vector<PackedBlob>> read_pack_header(const crypto::EnvelopeKey& key, uint64_t pack_size,
                                                 const ReadRange& read) {
  const uint64_t smallest = kLengthField + crypto::kEnvelopeOverhead + kPlainEntry;
  if (pack_size < smallest) return damaged(fmt::format("a pack of {} bytes is truncated", pack_size));
  const uint64_t ahead =
      std::min<uint64_t>(pack_size, kEntriesReadAhead * kCompressedEntry + crypto::kEnvelopeOverhead + kLengthField);
  std::string tail = TRY(read(pack_size - ahead, ahead));
  if (tail.size() != ahead) return damaged("the pack is shorter than its listed size");
  const uint64_t sealed_size = read_u32(std::string_view(tail).substr(tail.size() - kLengthField));
  if (sealed_size < crypto::kEnvelopeOverhead + kPlainEntry || sealed_size > kMaxPackHeader ||
      sealed_size + kLengthField > pack_size) {
    return damaged(fmt::format("the header's length {} cannot be: the pack is truncated or overwritten", sealed_size));
  }
  const uint64_t needed = sealed_size + kLengthField;
  if (needed > ahead) {
    std::string rest = TRY(read(pack_size - needed, needed - ahead));
    if (rest.size() != needed - ahead) return damaged("the pack is shorter than its listed size");
    tail.insert(0, rest);
  }
  const auto sealed = as_bytes(tail).subspan(tail.size() - needed, sealed_size);
  const std::string plain = TRY(crypto::open_text(key, sealed).in("pack header"));
  return decode_pack_header(plain, pack_size - needed);
}

void PackBuilder::add(const BlobHandle& blob, std::string_view sealed, uint32_t uncompressed_length) {
  CHECK(!full_for(sealed.size()));
  blobs_.push_back(
      {blob, static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(sealed.size()), uncompressed_length});
  bytes_.append(sealed);
}

bool PackBuilder::full_for(size_t sealed_size) const {
  return (blobs_.size() + 1) * kCompressedEntry + crypto::kEnvelopeOverhead > kMaxPackHeader ||
         bytes_.size() + sealed_size > kMaxPackSize - kMaxPackHeader - 1024;
}

PackBuilder::Finished PackBuilder::finish(const crypto::EnvelopeKey& key) && {
  const std::string header = encode_pack_header(blobs_);
  bytes_.reserve(bytes_.size() + header.size() + crypto::kEnvelopeOverhead + kLengthField);
  crypto::seal_to(key, as_bytes(header), bytes_);
  append_u32(bytes_, static_cast<uint32_t>(header.size() + crypto::kEnvelopeOverhead));
  Finished finished{{Id::of(bytes_), std::move(blobs_)}, std::move(bytes_)};
  blobs_.clear();
  bytes_.clear();
  return finished;
}

void PackBuilder::move_into(PackBuilder& other) && {
  for (const PackedBlob& blob : blobs_) {
    other.add(blob.blob, std::string_view(bytes_).substr(blob.offset, blob.length), blob.uncompressed_length);
  }
  blobs_.clear();
  bytes_.clear();
}

}  // namespace holdfast::repo

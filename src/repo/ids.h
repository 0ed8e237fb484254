// The names of a repository: 32-byte ids, kinds of blobs, kinds of files. Plain values.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::repo {

/// The SHA-256 of a blob's plaintext, or of a file's bytes as stored.
struct Id {
  static constexpr size_t kSize = 32;
  std::array<std::byte, kSize> bytes{};

  /// Exactly 64 hex digits; invalid otherwise.
  [[nodiscard]] static Result<Id> parse(std::string_view hex);
  /// SHA-256 of the content.
  [[nodiscard]] static Id of(std::string_view content);
  [[nodiscard]] static Id random();

  [[nodiscard]] std::string hex() const;
  /// The first eight hex digits, as people see them.
  [[nodiscard]] std::string short_hex() const { return hex().substr(0, 8); }
  [[nodiscard]] bool is_zero() const { return *this == Id{}; }

  friend auto operator<=>(const Id&, const Id&) = default;
};

enum class BlobType : uint8_t { data = 0, tree = 1 };
/// "data" or "tree".
[[nodiscard]] std::string_view to_string(BlobType type);

struct BlobHandle {
  BlobType type = BlobType::data;
  Id id;
  friend auto operator<=>(const BlobHandle&, const BlobHandle&) = default;
  /// "data/0123abcd": for messages.
  [[nodiscard]] std::string text() const;
};

enum class FileKind { config, key, snapshot, index, lock, pack };
/// The folder: "keys", "snapshots", "index", "locks", "data"; "config" for the one file.
[[nodiscard]] std::string_view folder_of(FileKind kind);
/// "pack file", "index file", ...: for messages.
[[nodiscard]] std::string_view to_string(FileKind kind);
/// The key in the store: "config", "index/ID", "data/ab/abcd...".
[[nodiscard]] std::string key_of(FileKind kind, const Id& id);

/// Where one stored copy of a blob lies.
struct BlobLocation {
  Id pack;
  uint32_t offset = 0;
  uint32_t length = 0;               ///< as stored, envelope included
  uint32_t uncompressed_length = 0;  ///< 0: stored uncompressed
  [[nodiscard]] bool compressed() const { return uncompressed_length != 0; }
  /// Bytes of the blob's plaintext.
  [[nodiscard]] uint32_t plain_length() const { return compressed() ? uncompressed_length : length - 32; }
  friend auto operator<=>(const BlobLocation&, const BlobLocation&) = default;
};

/// Ids are uniformly distributed already: their first bytes are the hash.
struct IdHash {
  size_t operator()(const Id& id) const {
    size_t hash = 0;
    std::memcpy(&hash, id.bytes.data(), sizeof hash);
    return hash;
  }
  size_t operator()(const BlobHandle& blob) const { return (*this)(blob.id) ^ static_cast<size_t>(blob.type); }
};

}  // namespace holdfast::repo

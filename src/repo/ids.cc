#include "repo/ids.h"

#include <fmt/format.h>

#include "base/random.h"
#include "base/text.h"
#include "crypto/sha256.h"

namespace holdfast::repo {

Result<Id> Id::parse(std::string_view hex) {
  if (hex.size() != 2 * kSize) return Error(ErrorCode::invalid, "an id has 64 hex digits");
  const std::string raw = TRY(from_hex(hex));
  Id id;
  std::memcpy(id.bytes.data(), raw.data(), kSize);
  return id;
}

Id Id::of(std::string_view content) {
  return Id{crypto::sha256(content)};
}

Id Id::random() {
  Id id;
  random_bytes(id.bytes);
  return id;
}

std::string Id::hex() const {
  return to_hex(bytes);
}

std::string_view to_string(BlobType type) {
  return type == BlobType::data ? "data" : "tree";
}

std::string BlobHandle::text() const {
  return fmt::format("{}/{}", to_string(type), id.short_hex());
}

std::string_view folder_of(FileKind kind) {
  switch (kind) {
    case FileKind::config:
      return "config";
    case FileKind::key:
      return "keys";
    case FileKind::snapshot:
      return "snapshots";
    case FileKind::index:
      return "index";
    case FileKind::lock:
      return "locks";
    case FileKind::pack:
      return "data";
  }
  return "";
}

std::string_view to_string(FileKind kind) {
  switch (kind) {
    case FileKind::config:
      return "config";
    case FileKind::key:
      return "key";
    case FileKind::snapshot:
      return "snapshot";
    case FileKind::index:
      return "index";
    case FileKind::lock:
      return "lock";
    case FileKind::pack:
      return "pack";
  }
  return "";
}

std::string key_of(FileKind kind, const Id& id) {
  if (kind == FileKind::config) return "config";
  const std::string hex = id.hex();
  if (kind == FileKind::pack) return fmt::format("data/{}/{}", hex.substr(0, 2), hex);
  return fmt::format("{}/{}", folder_of(kind), hex);
}

}  // namespace holdfast::repo

#include "repo/unpacked.h"

#include <fmt/format.h>

#include "base/text.h"

namespace holdfast::repo {

namespace {

constexpr uint64_t kTextLimit = uint64_t{1} << 30;
constexpr char kZstdMark = 2;

bool is_cached(FileKind kind) {
  return kind == FileKind::index || kind == FileKind::snapshot;
}

}  // namespace

Result<std::string> decode_unpacked(std::string plain) {
  if (plain.empty()) return Error(ErrorCode::corrupt, "the file holds nothing");
  if (plain[0] == '{' || plain[0] == '[') return plain;
  if (plain[0] != kZstdMark) {
    return Error(ErrorCode::unsupported,
                 fmt::format("the encoding {} is not known here", static_cast<uint8_t>(plain[0])),
                 "a newer program may know it");
  }
  return decompress(std::string_view(plain).substr(1), kTextLimit);
}

std::string encode_unpacked(std::string_view text, unsigned version, Compression mode) {
  if (version < 2) return std::string(text);
  std::string out(1, kZstdMark);
  compress_to(text, mode, out);
  return out;
}

RepositoryFiles::RepositoryFiles(std::shared_ptr<objstore::Store> store, crypto::EnvelopeKey key, Config config,
                                 Compression mode, Cache cache, std::shared_ptr<LockSightings> sightings)
    : store_(std::move(store)),
      key_(std::move(key)),
      config_(std::move(config)),
      mode_(mode),
      cache_(std::move(cache)),
      sightings_(sightings ? std::move(sightings) : std::make_shared<LockSightings>()) {}

std::string RepositoryFiles::label(FileKind kind, const Id& id) const {
  return fmt::format("{}: {} {}", name(), to_string(kind), id.hex());
}

Result<std::vector<ListedFile>> RepositoryFiles::list(FileKind kind, std::stop_token stop) {
  CHECK(kind != FileKind::config);
  const std::string prefix = fmt::format("{}/", folder_of(kind));
  const std::vector<objstore::ObjectMeta> objects =
      TRY(objstore::list_all(*store_, prefix, stop).in(fmt::format("{}: list {}", name(), prefix)));
  std::vector<ListedFile> files;
  files.reserve(objects.size());
  for (const objstore::ObjectMeta& object : objects) {
    const Result<Id> id = Id::parse(std::string_view(object.key).substr(object.key.rfind('/') + 1));
    if (id && object.key == key_of(kind, *id)) files.push_back({*id, object.size});
  }
  return files;
}

Result<std::string> RepositoryFiles::load_raw(FileKind kind, const Id& id, std::stop_token stop) {
  if (is_cached(kind)) {
    if (std::optional<std::string> cached = cache_.load(kind, id)) return *std::move(cached);
  }
  for (int attempt = 1;; ++attempt) {
    std::string bytes = TRY(store_->get(key_of(kind, id), {}, stop).in(label(kind, id)));
    if (Id::of(bytes) == id) {
      if (is_cached(kind)) cache_.store(kind, id, bytes);
      return bytes;
    }
    if (attempt == 2) {
      return Error(ErrorCode::corrupt,
                   fmt::format("{}: its {} bytes do not hash to its name", label(kind, id), bytes.size()),
                   "the file is damaged or truncated in the store; run check to see what it concerns");
    }
  }
}

Result<std::string> RepositoryFiles::load(FileKind kind, const Id& id, std::stop_token stop) {
  const std::string sealed = TRY(load_raw(kind, id, std::move(stop)));
  std::string plain = TRY(crypto::open_text(key_, as_bytes(sealed)).in(label(kind, id)));
  return decode_unpacked(std::move(plain)).in(label(kind, id));
}

Result<SealedFile> RepositoryFiles::seal(std::string_view text) const {
  std::string sealed;
  crypto::seal_to(key_, as_bytes(encode_unpacked(text, config_.version, mode_)), sealed);
  std::string again = TRY(crypto::open_text(key_, as_bytes(sealed)).in("verify before upload"));
  const std::string decoded = TRY(decode_unpacked(std::move(again)).in("verify before upload"));
  if (decoded != text) {
    return Error(ErrorCode::internal, fmt::format("{}: a new file does not read back", name()),
                 "this machine's memory or processor may be faulty");
  }
  const Id id = Id::of(sealed);
  return SealedFile{id, std::move(sealed)};
}

Result<Id> RepositoryFiles::save(FileKind kind, std::string_view text, std::stop_token stop) {
  const SealedFile file = TRY(seal(text));
  TRY(put_raw(kind, file.id, file.bytes, std::move(stop)));
  if (is_cached(kind)) cache_.store(kind, file.id, file.bytes);
  return file.id;
}

Status RepositoryFiles::put_raw(FileKind kind, const Id& id, std::string_view bytes, std::stop_token stop) {
  return store_->put(key_of(kind, id), bytes, std::move(stop)).in(label(kind, id));
}

Status RepositoryFiles::remove(FileKind kind, const Id& id, std::stop_token stop) {
  cache_.remove(kind, id);
  return store_->remove(key_of(kind, id), std::move(stop)).in(label(kind, id));
}

Result<std::string> RepositoryFiles::load_pack_part(const Id& pack, uint64_t offset, uint64_t length,
                                                    std::stop_token stop) {
  const std::string what = label(FileKind::pack, pack);
  Result<std::string> got =
      store_->get(key_of(FileKind::pack, pack), objstore::Range{offset, length}, std::move(stop)).in(what);
  if (got.is(ErrorCode::not_found)) {
    return std::move(got).error().hinted("a pack that the index names is missing; run check to see what it held");
  }
  if (got.is(ErrorCode::invalid) || (got && got->size() != length)) {
    return Error(ErrorCode::corrupt, fmt::format("{}: it ends before byte {}", what, offset + length),
                 "the pack is truncated; run check to see what it held");
  }
  return got;
}

Result<std::string> RepositoryFiles::load_cached_pack_part(const Id& pack, uint64_t offset, uint64_t length,
                                                           std::stop_token stop) {
  if (!cache_.enabled()) return load_pack_part(pack, offset, length, std::move(stop));
  std::optional<std::string> whole = cache_.load(FileKind::pack, pack);
  if (!whole) {
    Result<std::string> fetched = load_raw(FileKind::pack, pack, stop);
    // A damaged pack may still have this part whole.
    if (!fetched) return load_pack_part(pack, offset, length, std::move(stop));
    whole = std::move(fetched).value();
    cache_.store(FileKind::pack, pack, *whole);
  }
  if (offset > whole->size() || length > whole->size() - offset) {
    return Error(ErrorCode::corrupt,
                 fmt::format("{}: it ends before byte {}", label(FileKind::pack, pack), offset + length),
                 "the pack and the index disagree; run check");
  }
  return whole->substr(offset, length);
}

Result<std::string> load_sealed_config(objstore::Store& store, std::stop_token stop) {
  Result<std::string> sealed = store.get("config", {}, std::move(stop)).in(fmt::format("{}: config", store.name()));
  if (!sealed.is(ErrorCode::not_found)) return sealed;
  return std::move(sealed).error().hinted("there is no repository here: check the location, or run init");
}

bool opens_config(const crypto::EnvelopeKey& key, std::string_view sealed) {
  return crypto::open_text(key, as_bytes(sealed)).ok();
}

Result<Config> open_config(const crypto::EnvelopeKey& key, std::string_view sealed) {
  return decode_config(TRY(crypto::open_text(key, as_bytes(sealed)).in("config"))).in("config");
}

std::string seal_config(const crypto::EnvelopeKey& key, const Config& config) {
  std::string sealed;
  crypto::seal_to(key, as_bytes(encode_config(config)), sealed);
  return sealed;
}

}  // namespace holdfast::repo

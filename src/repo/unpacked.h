// The files of a repository as texts: list, load, save, remove; and pieces of packs.
//
// Every file but config is named after the SHA-256 of its stored bytes: a load proves it. Index, snapshot and lock
// files are envelopes around JSON, in version 2 around 0x02 and one zstd frame of it. Errors name repository and file.
// Any thread; the store's retries are the store's.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/aes_poly1305.h"
#include "objstore/store.h"
#include "repo/cache.h"
#include "repo/compress.h"
#include "repo/config.h"
#include "repo/ids.h"
#include "repo/lock_sightings.h"

namespace holdfast::repo {

/// The text inside an unpacked file's plaintext. unsupported for encodings of unknown releases.
[[nodiscard]] Result<std::string> decode_unpacked(std::string plain);
/// The plaintext of an unpacked file for a repository of that version.
[[nodiscard]] std::string encode_unpacked(std::string_view text, unsigned version, Compression mode);

struct ListedFile {
  Id id;
  uint64_t size = 0;
};

/// A file ready to be put: its name is known before anything is written.
struct SealedFile {
  Id id;
  std::string bytes;
};

class RepositoryFiles {
 public:
  /// `sightings` of locks; none: its own.
  RepositoryFiles(std::shared_ptr<objstore::Store> store, crypto::EnvelopeKey key, Config config, Compression mode,
                  Cache cache, std::shared_ptr<LockSightings> sightings = {});

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const crypto::EnvelopeKey& key() const { return key_; }
  [[nodiscard]] const Cache& cache() const { return cache_; }
  [[nodiscard]] objstore::Store& store() const { return *store_; }
  [[nodiscard]] std::string name() const { return store_->name(); }
  [[nodiscard]] LockSightings& lock_sightings() const { return *sightings_; }

  /// Every file of the kind; names that are no ids are passed over.
  [[nodiscard]] Result<std::vector<ListedFile>> list(FileKind kind, std::stop_token stop = {});
  /// The stored bytes, proved against the name. corrupt where they do not match (read twice, in case the way was bad).
  [[nodiscard]] Result<std::string> load_raw(FileKind kind, const Id& id, std::stop_token stop = {});
  /// The text of an index, snapshot or lock file.
  [[nodiscard]] Result<std::string> load(FileKind kind, const Id& id, std::stop_token stop = {});
  /// Seals the text and proves that what it sealed opens again.
  [[nodiscard]] Result<SealedFile> seal(std::string_view text) const;
  /// Seals and puts. Where the put fails the file may be there all the same: who must know its name seals first.
  [[nodiscard]] Result<Id> save(FileKind kind, std::string_view text, std::stop_token stop = {});
  /// Puts bytes as they are under their own hash.
  [[nodiscard]] Status put_raw(FileKind kind, const Id& id, std::string_view bytes, std::stop_token stop = {});
  /// Removing what is not there is a success.
  [[nodiscard]] Status remove(FileKind kind, const Id& id, std::stop_token stop = {});
  /// Exactly that part of a pack; corrupt where the pack is shorter.
  [[nodiscard]] Result<std::string> load_pack_part(const Id& pack, uint64_t offset, uint64_t length,
                                                   std::stop_token stop = {});
  /// The same from the cache, which takes the whole pack in first: for packs of trees.
  [[nodiscard]] Result<std::string> load_cached_pack_part(const Id& pack, uint64_t offset, uint64_t length,
                                                          std::stop_token stop = {});
  /// "REPOSITORY: index file 1a2b3c4d...".
  [[nodiscard]] std::string label(FileKind kind, const Id& id) const;

 private:
  const std::shared_ptr<objstore::Store> store_;
  const crypto::EnvelopeKey key_;
  const Config config_;
  const Compression mode_;
  const Cache cache_;
  const std::shared_ptr<LockSightings> sightings_;
};

/// The config of a repository as it is stored. not_found where there is none.
[[nodiscard]] Result<std::string> load_sealed_config(objstore::Store& store, std::stop_token stop = {});
/// True where the config is sealed under that key.
[[nodiscard]] bool opens_config(const crypto::EnvelopeKey& key, std::string_view sealed);
[[nodiscard]] Result<Config> open_config(const crypto::EnvelopeKey& key, std::string_view sealed);
/// The config file's bytes.
[[nodiscard]] std::string seal_config(const crypto::EnvelopeKey& key, const Config& config);

}  // namespace holdfast::repo

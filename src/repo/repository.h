// A restic repository in an object store: blobs in, blobs out, snapshots (the format: docs/formats/repository.md).
//
//   auto repository = TRY(Repository::open(store, password, {}, stop));
//   auto lock = TRY(repository->lock({.mode = LockMode::shared}, stop));
//   TRY(repository->load_index(stop));
//   SavedBlob blob = TRY(repository->save_blob(BlobType::data, bytes, {}, stop));   // from any number of threads
//   TRY(repository->flush(stop));                                                   // packs, then index
//   Id id = TRY(repository->save_snapshot(snapshot, *lock, stop));                  // proved after its put
//
// Order of writes: packs, index, snapshot. A death at any point leaves only bytes that nothing refers to. Every blob is
// decrypted, decompressed and hashed again before its pack leaves. A write that fails poisons the session: every later
// save, flush and save_snapshot fails with the same error, so that no snapshot can refer to a blob that is not there.
// The store is used as given: put retries and limits in front of it. All members may be called from any thread, except
// load_index, flush and save_snapshot: one at a time.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "crypto/scrypt.h"
#include "crypto/secret.h"
#include "objstore/store.h"
#include "repo/blob_reader.h"
#include "repo/blob_writer.h"
#include "repo/chunker.h"
#include "repo/compress.h"
#include "repo/ids.h"
#include "repo/lock.h"
#include "repo/lock_sightings.h"
#include "repo/progress.h"
#include "repo/snapshot.h"

namespace holdfast::repo {

struct RepositoryOptions {
  Compression compression = Compression::automatic;
  uint64_t pack_size = uint64_t{16} << 20;    ///< a pack is closed when its blobs reach this; 4 to 128 MiB
  size_t connections = 5;                     ///< uploads, or downloads, at once
  std::string cache_dir;                      ///< index, snapshots and tree packs are kept there; empty: no cache
  uint64_t cache_limit = kDefaultCacheLimit;  ///< bytes, of all repositories in cache_dir together
  std::string key_hint;                       ///< a key file's id (or its beginning) to try first
  /// Shared by all Repositories of a long-lived process, so that locks of the dead are known sooner; none: its own.
  std::shared_ptr<LockSightings> lock_sightings = {};
  Clock* clock = &system_clock();
};

struct InitOptions {
  unsigned version = 2;                   ///< 1 or 2
  std::optional<uint64_t> polynomial;     ///< of another repository, to share chunk cuts; else a random one
  std::optional<crypto::ScryptCost> kdf;  ///< else calibrated to half a second and 60 MiB
  std::string hostname, username;         ///< in the key file; empty: this machine's
};

class Repository {
 public:
  /// Makes config and first key. exists where there is a repository already (config or keys).
  [[nodiscard]] static Result<std::unique_ptr<Repository>> init(std::shared_ptr<objstore::Store> store,
                                                                const crypto::Secret& password, InitOptions init,
                                                                RepositoryOptions options = {},
                                                                std::stop_token stop = {});
  /// not_found: no repository there; denied: no key fits the password.
  [[nodiscard]] static Result<std::unique_ptr<Repository>> open(std::shared_ptr<objstore::Store> store,
                                                                const crypto::Secret& password,
                                                                RepositoryOptions options = {},
                                                                std::stop_token stop = {});
  ~Repository();
  Repository(const Repository&) = delete;
  Repository& operator=(const Repository&) = delete;

  [[nodiscard]] const Config& config() const;
  /// The store's name, for messages.
  [[nodiscard]] std::string name() const;
  [[nodiscard]] Clock& clock() const;
  /// A chunker for one file, with this repository's polynomial.
  [[nodiscard]] Chunker chunker() const;
  /// The files below the blobs: for locks, keys, checks.
  [[nodiscard]] RepositoryFiles& files();
  /// The blobs' directory. Valid until the Repository goes; grows while blobs are saved.
  [[nodiscard]] const Index& index() const;

  /// Takes a lock with this repository's clock. The Repository outlives it.
  [[nodiscard]] Result<std::unique_ptr<Lock>> lock(LockOptions options, std::stop_token stop = {});
  /// Reads all index files; what was saved in this session stays. Needed before anything that asks for blobs.
  [[nodiscard]] Status load_index(std::stop_token stop = {}, Progress* progress = nullptr);

  /// Stores a blob unless it is there. `known` is its id where the caller has hashed it already. Compresses, seals and
  /// verifies in the calling thread; waits while too many packs wait for upload, or while another thread saves the
  /// same.
  [[nodiscard]] Result<SavedBlob> save_blob(BlobType type, std::string_view bytes, std::optional<Id> known = {},
                                            std::stop_token stop = {});
  /// True where a snapshot may refer to the blob: indexed, or saved in this session.
  [[nodiscard]] bool has_blob(BlobType type, const Id& id) const;
  /// The length of its plaintext.
  [[nodiscard]] std::optional<uint64_t> blob_size(BlobType type, const Id& id) const;
  /// Every stored copy.
  [[nodiscard]] std::vector<BlobLocation> locate(BlobType type, const Id& id) const;
  /// Closes and uploads all packs, then writes the index of what was not indexed yet.
  [[nodiscard]] Status flush(std::stop_token stop = {});

  /// The blob's plaintext, proved against its id; copies in other packs are tried. not_found where it is not indexed.
  [[nodiscard]] Result<std::string> load_blob(BlobType type, const Id& id, std::stop_token stop = {});
  /// Reads several blobs with few requests: neighbours in a pack are fetched together (gaps up to 1 MiB are read and
  /// dropped, at most 16 MiB at once). `take` gets each distinct blob once, from one of several threads; its failure
  /// ends the whole. Fails where one cannot be read from any copy.
  [[nodiscard]] Status load_blobs(std::span<const BlobHandle> blobs, const TakeBlob& take, std::stop_token stop = {});

  /// Writes the snapshot file, then proves it (safety.md 9): the lock is ours and fresh, every pack the snapshot uses
  /// is still listed. Where not, and where its put was not answered, the snapshot is removed again and the call fails
  /// (conflict; the put's error). Call flush first.
  [[nodiscard]] Result<Id> save_snapshot(const Snapshot& snapshot, const Lock& lock, std::stop_token stop = {});
  /// All snapshots, oldest first. A file that cannot be read fails the call; with `damaged` given it is told there.
  [[nodiscard]] Result<std::vector<Snapshot>> snapshots(std::stop_token stop = {},
                                                        std::vector<Error>* damaged = nullptr);
  [[nodiscard]] Status remove_snapshot(const Id& id, std::stop_token stop = {});

 private:
  Repository(std::shared_ptr<objstore::Store> store, crypto::EnvelopeKey key, Config config, RepositoryOptions options);
  [[nodiscard]] Status prove(const Snapshot& snapshot, const Lock& lock, std::stop_token stop);
  /// Keys that the password opens and that are nobody's; call after a proof, under a lock, with the index loaded.
  [[nodiscard]] Status remove_stray_keys(std::stop_token stop);
  [[nodiscard]] Status check_packs_of(const Snapshot& snapshot, const std::vector<Id>& missing, std::stop_token stop);

  const RepositoryOptions options_;
  RepositoryFiles files_;
  Index index_;
  std::atomic<bool> index_loaded_ = false;
  std::shared_ptr<const ChunkTables> chunk_tables_;
  BlobWriter writer_;
  std::vector<Id> stray_keys_;  ///< found by open, see repository_open.cc
};

}  // namespace holdfast::repo

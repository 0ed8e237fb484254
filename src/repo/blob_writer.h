// The way of blobs into packs, of packs into the store, and of both into index files.
//
// Callers' threads compress, seal and verify; then a blob joins one of two open packs of its type, picked at random (a
// store that sees pack sizes learns less about chunk sizes). Full packs wait in a short queue for the upload threads.
// An index file is written once 50,000 blobs, or ten minutes, are in the store without one. The first failure poisons:
// everything later fails with it. Any thread; flush one at a time.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "repo/index.h"
#include "repo/unpacked.h"
#include "sync/queue.h"

namespace holdfast::repo {

struct SavedBlob {
  Id id;
  bool added = false;         ///< false: it was there (or on its way) already
  uint64_t stored_bytes = 0;  ///< bytes added to a pack; 0 where nothing was
};

struct BlobWriterOptions {
  Compression compression = Compression::automatic;
  uint64_t pack_size = uint64_t{16} << 20;
  size_t connections = 5;
};

class BlobWriter {
 public:
  /// `files`, `index` and `clock` outlive the writer. Threads start with the first full pack.
  BlobWriter(RepositoryFiles& files, Index& index, BlobWriterOptions options, Clock& clock);
  /// Stops and joins; what was not flushed is lost.
  ~BlobWriter();
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  [[nodiscard]] Result<SavedBlob> save(BlobType type, std::string_view bytes, std::optional<Id> known,
                                       std::stop_token stop);
  /// The plaintext's length of a blob that was saved and is not in the index yet.
  [[nodiscard]] std::optional<uint64_t> pending_size(const BlobHandle& blob) const;
  [[nodiscard]] Status flush(std::stop_token stop);
  /// The failure that poisoned the session, if any.
  [[nodiscard]] Status health() const;
  /// True where everything that was saved is in the store and in an index file.
  [[nodiscard]] bool clean() const;
  /// Packs that are in the store, but in no index file yet.
  [[nodiscard]] std::vector<PackContents> unindexed() const;

 private:
  struct Pending {
    bool packed = false;  ///< false: a thread compresses and seals it
    uint64_t size = 0;
  };
  [[nodiscard]] Result<bool> claim(const BlobHandle& blob, uint64_t size, std::stop_token stop);
  void release(const BlobHandle& blob);
  [[nodiscard]] Status pack(const BlobHandle& blob, std::string_view sealed, uint32_t uncompressed_length,
                            std::stop_token stop);
  [[nodiscard]] Status send_all(std::vector<PackBuilder> builders, std::stop_token stop);
  void upload_packs(std::stop_token stop);
  [[nodiscard]] Status upload(PackBuilder::Finished pack, std::stop_token stop);
  [[nodiscard]] Status write_index(std::stop_token stop);
  [[nodiscard]] bool index_is_due() const;
  [[nodiscard]] std::vector<PackBuilder> take_open_packs();
  void fail(Error error);
  void start_threads();

  RepositoryFiles& files_;
  Index& index_;
  const BlobWriterOptions options_;
  Clock& clock_;

  mutable std::mutex mutex_;  ///< all below but the queue
  std::condition_variable_any changed_;
  std::unordered_map<BlobHandle, Pending, IdHash> pending_;
  std::vector<PackBuilder> open_[2];
  std::vector<PackContents> unindexed_;
  size_t unindexed_blobs_ = 0;
  BootTime oldest_unindexed_;
  size_t in_flight_ = 0;
  std::optional<Error> failure_;
  std::mutex index_mutex_;  ///< one index file at a time

  sync::Queue<PackBuilder::Finished> uploads_;
  std::vector<std::jthread> threads_;
};

}  // namespace holdfast::repo

#include "repo/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "repo/index_file.h"
#include "repo/tree_references.h"
#include "sync/workers.h"

namespace holdfast::repo {

namespace {

BlobWriterOptions writer_options(const RepositoryOptions& options) {
  return {options.compression, std::clamp(options.pack_size, uint64_t{1} << 16, uint64_t{128} << 20),
          options.connections};
}

}  // namespace

Repository::Repository(std::shared_ptr<objstore::Store> store, crypto::EnvelopeKey key, Config config,
                       RepositoryOptions options)
    : options_(std::move(options)),
      files_(std::move(store), std::move(key), config, options_.compression,
             Cache(options_.cache_dir, config.id, options_.cache_limit), options_.lock_sightings),
      chunk_tables_(std::make_shared<ChunkTables>(config.polynomial)),
      writer_(files_, index_, writer_options(options_), *options_.clock) {}

Repository::~Repository() = default;

const Config& Repository::config() const {
  return files_.config();
}
std::string Repository::name() const {
  return files_.name();
}
Clock& Repository::clock() const {
  return *options_.clock;
}
Chunker Repository::chunker() const {
  return Chunker(chunk_tables_);
}
RepositoryFiles& Repository::files() {
  return files_;
}
const Index& Repository::index() const {
  return index_;
}

Result<std::unique_ptr<Lock>> Repository::lock(LockOptions options, std::stop_token stop) {
  return Lock::acquire(files_, std::move(options), *options_.clock, std::move(stop));
}

Status Repository::load_index(std::stop_token stop, Progress* progress) {
  const std::vector<ListedFile> listed = TRY(files_.list(FileKind::index, stop));
  if (progress != nullptr) progress->stage("load index", listed.size(), 0);
  index_loaded_ = false;
  index_.clear();
  if (!listed.empty()) {
    sync::WorkerGroup group(std::min(options_.connections, listed.size()), stop);
    for (const ListedFile& file : listed) {
      group.add([&, id = file.id](std::stop_token own) -> Status {
        const std::string text = TRY(files_.load(FileKind::index, id, std::move(own)));
        index_.add(TRY(decode_index(text).in(files_.label(FileKind::index, id))));
        if (progress != nullptr) progress->done(1, text.size());
        return {};
      });
    }
    TRY(group.finish());
  }
  index_.add(writer_.unindexed());
  std::vector<Id> ids;
  for (const ListedFile& file : listed) ids.push_back(file.id);
  files_.cache().keep_only(FileKind::index, ids);
  // Packs too live no longer than they are known.
  files_.cache().keep_only(FileKind::pack, index_.packs());
  index_loaded_ = true;
  return {};
}

Result<SavedBlob> Repository::save_blob(BlobType type, std::string_view bytes, std::optional<Id> known,
                                        std::stop_token stop) {
  if (!index_loaded_) return Error(ErrorCode::internal, "a blob is saved before the index was loaded");
  return writer_.save(type, bytes, known, std::move(stop));
}

bool Repository::has_blob(BlobType type, const Id& id) const {
  // In the order in which a blob moves: one that moves meanwhile is seen in one of the two.
  return writer_.pending_size({type, id}).has_value() || index_.contains({type, id});
}

std::optional<uint64_t> Repository::blob_size(BlobType type, const Id& id) const {
  if (const std::optional<uint64_t> pending = writer_.pending_size({type, id})) return pending;
  if (const std::optional<BlobLocation> place = index_.find_one({type, id})) return place->plain_length();
  return std::nullopt;
}

std::vector<BlobLocation> Repository::locate(BlobType type, const Id& id) const {
  return index_.find({type, id});
}

Status Repository::flush(std::stop_token stop) {
  return writer_.flush(std::move(stop));
}

Result<std::string> Repository::load_blob(BlobType type, const Id& id, std::stop_token stop) {
  return repo::load_blob(files_, index_, {type, id}, std::move(stop));
}

Status Repository::load_blobs(std::span<const BlobHandle> blobs, const TakeBlob& take, std::stop_token stop) {
  return repo::load_blobs(files_, index_, blobs, take, options_.connections, std::move(stop));
}

Result<Id> Repository::save_snapshot(const Snapshot& snapshot, const Lock& lock, std::stop_token stop) {
  TRY(writer_.health());
  if (!writer_.clean()) return Error(ErrorCode::internal, "a snapshot is saved before its blobs were flushed");
  TRY(lock.verify(stop));
  const SealedFile file = TRY(files_.seal(encode_snapshot(snapshot)));
  const Id id = file.id;
  const Status put = files_.put_raw(FileKind::snapshot, id, file.bytes, stop);
  const Status proof = put ? prove(snapshot, lock, stop) : put;
  if (proof) {
    // Best effort: a stray key costs a little time at every open, and the next writer finds it again.
    [[maybe_unused]] const Status removed = remove_stray_keys(std::move(stop));
    files_.cache().store(FileKind::snapshot, id, file.bytes);
    return id;
  }
  // A put that was not answered may have happened. Without the stop token: a stop may be why it failed.
  const Status removed = files_.remove(FileKind::snapshot, id);
  const std::string_view outcome = removed ? "it was removed again" : "and it could not be removed";
  return proof.error().in(fmt::format("snapshot {} is not {}, {}", id.short_hex(), put ? "proved" : "saved", outcome));
}

Status Repository::prove(const Snapshot& snapshot, const Lock& lock, std::stop_token stop) {
  std::vector<Id> listed;
  for (const ListedFile& file : TRY(files_.list(FileKind::pack, stop))) listed.push_back(file.id);
  std::sort(listed.begin(), listed.end());
  std::vector<Id> missing;
  for (const Id& pack : index_.packs()) {
    if (!std::binary_search(listed.begin(), listed.end(), pack)) missing.push_back(pack);
  }
  // The usual case: everything that the index knows is there. Else the snapshot's own packs decide.
  if (!missing.empty()) {
    std::sort(missing.begin(), missing.end());
    TRY(check_packs_of(snapshot, missing, stop));
  }
  // Last: a prune that began after the listing would have had to wait for this lock.
  return lock.verify(std::move(stop));
}

Status Repository::check_packs_of(const Snapshot& snapshot, const std::vector<Id>& missing, std::stop_token stop) {
  const auto check = [&](const BlobHandle& blob) -> Status {
    const std::vector<BlobLocation> places = index_.find(blob);
    for (const BlobLocation& place : places) {
      if (!std::binary_search(missing.begin(), missing.end(), place.pack)) return {};
    }
    const std::string pack = places.empty() ? "no pack" : "pack " + places.front().pack.short_hex();
    return Error(ErrorCode::conflict, fmt::format("{}: {} is in {}, which is gone", name(), blob.text(), pack),
                 "packs were removed while the snapshot was made; run the backup again");
  };
  TRY(check({BlobType::tree, snapshot.tree}));
  return walk_trees(
      *this, {snapshot.tree}, options_.connections,
      [&](const Id&, const Result<TreeReferences>& references) -> Status {
        if (!references) return references.error();
        for (const Id& id : references->content) TRY(check({BlobType::data, id}));
        for (const Id& id : references->subtrees) TRY(check({BlobType::tree, id}));
        return {};
      },
      std::move(stop));
}

Result<std::vector<Snapshot>> Repository::snapshots(std::stop_token stop, std::vector<Error>* damaged) {
  const std::vector<ListedFile> listed = TRY(files_.list(FileKind::snapshot, stop));
  std::vector<Id> ids;
  for (const ListedFile& file : listed) ids.push_back(file.id);
  files_.cache().keep_only(FileKind::snapshot, ids);
  std::vector<Snapshot> found;
  if (listed.empty()) return found;
  std::mutex mutex;
  sync::WorkerGroup group(std::min(options_.connections, listed.size()), std::move(stop));
  for (const ListedFile& file : listed) {
    group.add([&, id = file.id](std::stop_token own) -> Status {
      const Result<std::string> text = files_.load(FileKind::snapshot, id, std::move(own));
      // Forgotten since it was listed.
      if (text.is(ErrorCode::not_found)) return {};
      Result<Snapshot> snapshot = text ? decode_snapshot(*text).in(files_.label(FileKind::snapshot, id)) : text.error();
      std::lock_guard lock(mutex);
      if (snapshot) {
        snapshot->id = id;
        found.push_back(std::move(snapshot).value());
        return {};
      }
      if (damaged == nullptr || snapshot.is(ErrorCode::cancelled)) return std::move(snapshot).error();
      damaged->push_back(std::move(snapshot).error());
      return {};
    });
  }
  TRY(group.finish());
  return select(std::move(found), {});
}

Status Repository::remove_snapshot(const Id& id, std::stop_token stop) {
  return files_.remove(FileKind::snapshot, id, std::move(stop));
}

}  // namespace holdfast::repo

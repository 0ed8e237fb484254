#include "repo/blob_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "repo/blob_codec.h"
#include "repo/index_file.h"

namespace holdfast::repo {

namespace {

constexpr size_t kOpenPacks = 2;
constexpr Duration kIndexAge = std::chrono::minutes(10);

size_t pick_one_of(size_t count) {
  std::byte byte{};
  random_bytes({&byte, 1});
  return std::to_integer<size_t>(byte) % count;
}

Error stopped() {
  return Error(ErrorCode::cancelled, "stopped while saving blobs");
}

}  // namespace

BlobWriter::BlobWriter(RepositoryFiles& files, Index& index, BlobWriterOptions options, Clock& clock)
    : files_(files), index_(index), options_(options), clock_(clock), uploads_(1) {}

BlobWriter::~BlobWriter() {
  uploads_.close();
  for (std::jthread& thread : threads_) thread.request_stop();
}

Result<SavedBlob> BlobWriter::save(BlobType type, std::string_view bytes, std::optional<Id> known,
                                   std::stop_token stop) {
  const BlobHandle blob{type, known ? *known : Id::of(bytes)};
  if (!TRY(claim(blob, bytes.size(), stop))) return SavedBlob{blob.id};

  Result<SealedBlob> sealed = seal_blob(files_.key(), type, bytes, files_.config().version, options_.compression);
  Status proof;
  if (sealed) {
    const Result<std::string> again = open_blob(files_.key(), blob, sealed->uncompressed_length, sealed->bytes);
    if (!again) {
      proof = Error(ErrorCode::internal, fmt::format("verify before upload: {}", again.error().message()),
                    "this machine's memory or processor may be faulty; nothing damaged was stored");
    }
  } else {
    proof = std::move(sealed).error();
  }
  if (!proof) {
    release(blob);
    return std::move(proof).error();
  }
  TRY(pack(blob, sealed->bytes, sealed->uncompressed_length, std::move(stop)));
  return SavedBlob{blob.id, true, sealed->bytes.size()};
}

Result<bool> BlobWriter::claim(const BlobHandle& blob, uint64_t size, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const auto being_sealed = [&] {
    const auto at = pending_.find(blob);
    return at != pending_.end() && !at->second.packed;
  };
  if (!changed_.wait(lock, stop, [&] { return failure_ || !being_sealed(); })) return stopped();
  if (stop.stop_requested()) return stopped();
  if (failure_) return *failure_;
  if (pending_.contains(blob) || index_.contains(blob)) return false;
  pending_[blob] = {false, size};
  return true;
}

void BlobWriter::release(const BlobHandle& blob) {
  {
    std::lock_guard lock(mutex_);
    pending_.erase(blob);
  }
  changed_.notify_all();
}

Status BlobWriter::pack(const BlobHandle& blob, std::string_view sealed, uint32_t uncompressed_length,
                        std::stop_token stop) {
  std::vector<PackBuilder> full;
  {
    std::lock_guard lock(mutex_);
    std::vector<PackBuilder>& open = open_[static_cast<size_t>(blob.type)];
    while (open.size() < kOpenPacks) open.emplace_back(options_.pack_size + (size_t{1} << 20));
    const auto replace = [&](PackBuilder& builder) {
      full.push_back(std::move(builder));
      builder = PackBuilder(options_.pack_size + (size_t{1} << 20));
    };
    if (sealed.size() >= options_.pack_size) {
      full.emplace_back(sealed.size() + 1024).add(blob, sealed, uncompressed_length);
    } else {
      PackBuilder& builder = open[pick_one_of(open.size())];
      if (builder.full_for(sealed.size())) replace(builder);
      builder.add(blob, sealed, uncompressed_length);
      if (builder.size() >= options_.pack_size) replace(builder);
    }
    pending_[blob].packed = true;
    in_flight_ += full.size();
  }
  changed_.notify_all();
  return send_all(std::move(full), std::move(stop));
}

// The packs are counted in in_flight_ already.
Status BlobWriter::send_all(std::vector<PackBuilder> builders, std::stop_token stop) {
  if (builders.empty()) return {};
  start_threads();
  for (size_t sent = 0; sent < builders.size(); ++sent) {
    if (uploads_.push(std::move(builders[sent]).finish(files_.key()), stop)) continue;
    {
      std::lock_guard lock(mutex_);
      in_flight_ -= builders.size() - sent;
    }
    // Blobs of these packs were told to be saved: nothing that relies on them may succeed.
    fail(stopped());
    return stopped();
  }
  return {};
}

void BlobWriter::start_threads() {
  std::lock_guard lock(mutex_);
  while (threads_.size() < std::max<size_t>(1, options_.connections)) {
    threads_.emplace_back([this](std::stop_token stop) { upload_packs(std::move(stop)); });
  }
}

void BlobWriter::upload_packs(std::stop_token stop) {
  while (std::optional<PackBuilder::Finished> pack = uploads_.pop(stop)) {
    if (health()) {
      Status uploaded = upload(*std::move(pack), stop);
      if (!uploaded) fail(std::move(uploaded).error());
    }
    {
      std::lock_guard lock(mutex_);
      --in_flight_;
    }
    changed_.notify_all();
  }
}

Status BlobWriter::upload(PackBuilder::Finished pack, std::stop_token stop) {
  TRY(files_.put_raw(FileKind::pack, pack.contents.pack, pack.bytes, stop));
  index_.add({pack.contents});
  bool due = false;
  {
    std::lock_guard lock(mutex_);
    for (const PackedBlob& blob : pack.contents.blobs) pending_.erase(blob.blob);
    if (unindexed_.empty()) oldest_unindexed_ = clock_.boottime();
    unindexed_blobs_ += pack.contents.blobs.size();
    unindexed_.push_back(std::move(pack.contents));
    due = index_is_due();
  }
  if (due) return write_index(std::move(stop));
  return {};
}

bool BlobWriter::index_is_due() const {
  if (unindexed_.empty()) return false;
  return unindexed_blobs_ >= kIndexFileBlobs || clock_.boottime() - oldest_unindexed_ >= kIndexAge;
}

Status BlobWriter::write_index(std::stop_token stop) {
  std::lock_guard one_at_a_time(index_mutex_);
  std::vector<PackContents> packs;
  {
    std::lock_guard lock(mutex_);
    packs.swap(unindexed_);
    unindexed_blobs_ = 0;
  }
  if (packs.empty()) return {};
  const Result<Id> saved = files_.save(FileKind::index, encode_index(packs), std::move(stop));
  if (saved) return {};
  {
    std::lock_guard lock(mutex_);
    for (PackContents& pack : packs) {
      unindexed_blobs_ += pack.blobs.size();
      unindexed_.push_back(std::move(pack));
    }
  }
  return saved.error();
}

// The two rests of a type become one pack where they fit into one.
std::vector<PackBuilder> BlobWriter::take_open_packs() {
  std::vector<PackBuilder> taken;
  std::lock_guard lock(mutex_);
  for (std::vector<PackBuilder>& open : open_) {
    std::erase_if(open, [](const PackBuilder& builder) { return builder.empty(); });
    if (open.size() == 2 && open[0].size() + open[1].size() <= options_.pack_size) {
      std::move(open[1]).move_into(open[0]);
      open.pop_back();
    }
    for (PackBuilder& builder : open) taken.push_back(std::move(builder));
    open.clear();
  }
  in_flight_ += taken.size();
  return taken;
}

Status BlobWriter::flush(std::stop_token stop) {
  TRY(send_all(take_open_packs(), stop));
  {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [&] { return in_flight_ == 0; })) return stopped();
    if (failure_) return *failure_;
  }
  Status indexed = write_index(std::move(stop));
  if (!indexed) fail(indexed.error());
  return indexed;
}

std::optional<uint64_t> BlobWriter::pending_size(const BlobHandle& blob) const {
  std::lock_guard lock(mutex_);
  const auto at = pending_.find(blob);
  if (at == pending_.end() || !at->second.packed) return std::nullopt;
  return at->second.size;
}

Status BlobWriter::health() const {
  std::lock_guard lock(mutex_);
  if (failure_) return *failure_;
  return {};
}

bool BlobWriter::clean() const {
  std::lock_guard lock(mutex_);
  return !failure_ && pending_.empty() && unindexed_.empty() && in_flight_ == 0;
}

std::vector<PackContents> BlobWriter::unindexed() const {
  std::lock_guard lock(mutex_);
  return unindexed_;
}

void BlobWriter::fail(Error error) {
  {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
  }
  changed_.notify_all();
}

}  // namespace holdfast::repo

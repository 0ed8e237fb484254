#include "repo/archive_file.h"

#include <cstring>

#include "repo/config.h"

namespace holdfast::repo {
namespace {

constexpr size_t kReadSize = 1 << 20;

/// The bytes of the chunk in progress, and what was read behind it.
class ChunkBuffer {
 public:
  [[nodiscard]] std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  /// Room for one more read, at the end.
  [[nodiscard]] std::span<char> room() {
    if (capacity_ - end_ < kReadSize) make_room();
    return {bytes_.get() + end_, kReadSize};
  }
  void grow(size_t count) { end_ += count; }
  void drop(size_t count) { begin_ += count; }

 private:
  void make_room() {
    const size_t used = end_ - begin_;
    if (used + kReadSize > capacity_) {
      const size_t larger = std::max(2 * kReadSize, 2 * capacity_);
      std::unique_ptr<char[]> fresh(new char[larger]);
      if (used > 0) std::memcpy(fresh.get(), bytes_.get() + begin_, used);
      bytes_ = std::move(fresh);
      capacity_ = larger;
    } else {
      std::memmove(bytes_.get(), bytes_.get() + begin_, used);
    }
    begin_ = 0;
    end_ = used;
  }
  std::unique_ptr<char[]> bytes_;  // not zeroed: every byte is read into before it is used
  size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace

void AddedBlobs::add(const SavedBlob& saved, uint64_t plain_bytes) {
  if (!saved.added) return;
  ++blobs;
  bytes += plain_bytes;
  stored_bytes += saved.stored_bytes;
}

void AddedBlobs::add(const AddedBlobs& other) {
  blobs += other.blobs;
  bytes += other.bytes;
  stored_bytes += other.stored_bytes;
}

FileSaver::FileSaver(Repository& repository, Progress& progress, bool dry_run)
    : repository_(repository),
      progress_(progress),
      dry_run_(dry_run),
      tables_(std::make_shared<const ChunkTables>(repository.config().polynomial)),
      zeros_(tables_->limits().smallest, '\0'),
      zeros_id_(Id::of(zeros_)) {}

Result<SavedBlob> FileSaver::save_blob(BlobType type, std::string_view bytes, std::optional<Id> known,
                                       std::stop_token stop) const {
  if (!dry_run_) return repository_.save_blob(type, bytes, known, stop);
  const Id id = known ? *known : Id::of(bytes);
  return SavedBlob{id, !repository_.has_blob(type, id), 0};
}

Status FileSaver::save_chunk(std::string_view bytes, std::optional<Id> known, SavedContent& out,
                             std::stop_token stop) const {
  const SavedBlob saved = TRY(save_blob(BlobType::data, bytes, known, stop));
  out.content.push_back(saved.id);
  out.size += bytes.size();
  out.added.add(saved, bytes.size());
  progress_.done(0, bytes.size());
  return {};
}

/// A run of zeros is cut at the smallest length every time, so a hole's chunks are known without reading it.
Status FileSaver::save_zero_chunks(FileReader& reader, SavedContent& out, std::stop_token stop) const {
  while (reader.hole_ahead() >= zeros_.size()) {
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    TRY(save_chunk(zeros_, zeros_id_, out, stop));
    reader.skip(zeros_.size());
  }
  return {};
}

Result<SavedContent> FileSaver::save(FileReader& reader, Status& read_error, std::stop_token stop) const {
  SavedContent out;
  Chunker chunker(tables_);
  ChunkBuffer buffer;
  bool at_end = false;
  while (true) {
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    if (buffer.view().empty()) {
      if (at_end) return out;
      TRY(save_zero_chunks(reader, out, stop));
    }
    if (const std::optional<size_t> length = chunker.next(buffer.view(), at_end)) {
      TRY(save_chunk(buffer.view().substr(0, *length), {}, out, stop));
      buffer.drop(*length);
      continue;
    }
    if (at_end) return out;
    const Result<size_t> count = reader.read(buffer.room());
    if (!count) {
      read_error = count.error();
      return out;
    }
    buffer.grow(*count);
    at_end = *count == 0;
  }
}

}  // namespace holdfast::repo

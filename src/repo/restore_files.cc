#include "repo/restore_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace holdfast::repo {
namespace {

constexpr size_t kGroupFiles = 256;
constexpr uint64_t kGroupBytes = uint64_t{256} << 20;
constexpr size_t kDescriptorsOfTask = 2;  // the file, and the directory it is in

}  // namespace

bool ends_restore(const Error& error) {
  return error.code() == ErrorCode::exhausted || error.code() == ErrorCode::cancelled;
}

Result<uint64_t> FileRestorer::content_size(const Node& node) const {
  uint64_t size = 0;
  if (!node.content) return size;
  for (const Id& id : *node.content) {
    const std::optional<uint64_t> blob = repository_.blob_size(BlobType::data, id);
    if (!blob) return Error(ErrorCode::corrupt, fmt::format("data blob {} is in no index", id.short_hex()));
    size += *blob;
  }
  if (size != node.size) {
    return Error(ErrorCode::corrupt, fmt::format("its blobs have {} bytes where it should have {}", size, node.size));
  }
  return size;
}

Status FileRestorer::add(const SharedFd& parent, Node node, const std::string& path, RestoreResult& result,
                         std::stop_token stop) {
  const Result<uint64_t> size = content_size(node);
  if (!size) {
    result.errors.push_back({path, size.error()});
    return {};
  }
  DescriptorBudget::Share share = descriptors_.take(kDescriptorsOfTask);
  if (!share.granted() && !tasks_.empty()) {
    TRY(flush(result, stop));
    share = descriptors_.take(kDescriptorsOfTask);
  }
  const bool alone = !share.granted();
  Result<UniqueFd> file = create_file_at(parent->get(), node.name, *size, write_);
  if (!file) {
    if (ends_restore(file.error())) return file.error().in(path);
    if (file.is(ErrorCode::exists) && options_.overwrite == Overwrite::never) {
      ++result.skipped;
    } else {
      result.errors.push_back({path, file.error()});
    }
    return {};
  }
  tasks_.push_back({parent, std::move(node), path, std::move(file).value(), *size, {}, std::move(share)});
  bytes_ += *size;
  if (!alone && tasks_.size() < kGroupFiles && bytes_ < kGroupBytes) return {};
  return flush(result, stop);
}

void FileRestorer::fail(size_t task, const Error& error) {
  std::lock_guard lock(mutex_);
  if (!tasks_[task].failure) tasks_[task].failure = error;
}

/// Writes a blob to every place that wants it. Only what ends the restore is returned.
Status FileRestorer::write_blob(const std::vector<Want>& wants, std::string_view bytes) {
  for (const Want& want : wants) {
    Task& task = tasks_[want.task];
    const Status written = write_at(task.file.get(), bytes, want.offset, options_.sparse ? Holes::skip : Holes::write);
    if (!written) {
      if (ends_restore(written.error())) return written.error().in(task.path);
      fail(want.task, written.error());
    }
    progress_.done(0, bytes.size());
  }
  return {};
}

/// After a failure of the whole: each blob that is missing alone, so that only its files suffer.
Status FileRestorer::fetch_one_by_one(const Wants& wants, std::stop_token stop) {
  for (const auto& [blob, places] : wants) {
    if (done_.contains(blob)) continue;
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    const Result<std::string> bytes = repository_.load_blob(blob.type, blob.id, stop);
    if (bytes) {
      TRY(write_blob(places, *bytes));
      continue;
    }
    if (bytes.is(ErrorCode::cancelled)) return bytes.error();
    for (const Want& want : places) fail(want.task, bytes.error());
  }
  return {};
}

Status FileRestorer::verify(const Task& task) const {
  if (!task.node.content) return {};
  FileReader reader = TRY(FileReader::open_at(task.parent->get(), task.node.name));
  std::string buffer;
  for (const Id& id : *task.node.content) {
    buffer.resize(repository_.blob_size(BlobType::data, id).value_or(0));
    for (size_t at = 0; at < buffer.size();) {
      const size_t count = TRY(reader.read(std::span(buffer).subspan(at)));
      if (count == 0) return Error(ErrorCode::corrupt, "the restored file is too short");
      at += count;
    }
    if (Id::of(buffer) != id) {
      return Error(ErrorCode::corrupt, fmt::format("the restored file differs in blob {}", id.short_hex()));
    }
  }
  return {};
}

void FileRestorer::complete(Task& task, RestoreResult& result) {
  task.file.reset();
  if (task.failure) {
    // A file with wrong content must not look like a restored one.
    ::unlinkat(task.parent->get(), task.node.name.c_str(), 0);
    result.errors.push_back({task.path, *task.failure});
    return;
  }
  if (options_.verify) {
    const Status verified = verify(task);
    if (!verified) {
      result.errors.push_back({task.path, verified.error()});
      return;
    }
    ++result.verified;
  }
  const Status applied = apply_metadata_at(task.parent->get(), task.node.name, task.node, write_);
  if (!applied) result.errors.push_back({task.path, applied.error()});
  ++result.files;
  result.bytes += task.size;
  progress_.done(1, 0);
}

Status FileRestorer::flush(RestoreResult& result, std::stop_token stop) {
  Wants wants;
  std::vector<BlobHandle> blobs;
  for (size_t task = 0; task < tasks_.size(); ++task) {
    if (!tasks_[task].node.content) continue;
    uint64_t offset = 0;
    for (const Id& id : *tasks_[task].node.content) {
      const BlobHandle blob{BlobType::data, id};
      const auto [place, fresh] = wants.try_emplace(blob);
      if (fresh) blobs.push_back(blob);
      place->second.push_back({task, offset});
      offset += repository_.blob_size(BlobType::data, id).value_or(0);
    }
  }
  done_.clear();
  if (!blobs.empty()) {
    const Status fetched = repository_.load_blobs(
        blobs,
        [&](const BlobHandle& blob, std::string_view bytes) -> Status {
          TRY(write_blob(wants.at(blob), bytes));
          std::lock_guard lock(mutex_);
          done_[blob] = true;
          return {};
        },
        stop);
    if (!fetched) {
      if (ends_restore(fetched.error())) return fetched;
      TRY(fetch_one_by_one(wants, stop));
    }
  }
  for (Task& task : tasks_) complete(task, result);
  tasks_.clear();
  bytes_ = 0;
  return {};
}

}  // namespace holdfast::repo

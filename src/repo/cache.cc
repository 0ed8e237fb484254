#include "repo/cache.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"

namespace holdfast::repo {

namespace {

namespace fs = std::filesystem;

/// A repository's folder is named after its id; what else lies in the directory is not ours.
bool is_repository(const fs::path& path) {
  return Id::parse(path.filename().string()).ok();
}

struct KeptFile {
  fs::file_time_type used;
  uint64_t size = 0;
  fs::path path;
};

/// Every file of every repository; what vanishes meanwhile is passed over.
std::vector<KeptFile> kept_files(const std::string& directory) {
  std::vector<KeptFile> out;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (!is_repository(at->path())) continue;
    std::error_code inner;
    fs::recursive_directory_iterator file(at->path(), inner), last;
    for (; !inner && file != last; file.increment(inner)) {
      std::error_code gone;
      if (!file->is_regular_file(gone)) continue;
      const fs::file_time_type used = file->last_write_time(gone);
      const uint64_t size = gone ? 0 : file->file_size(gone);
      if (!gone) out.push_back({used, size, file->path()});
    }
  }
  return out;
}

}  // namespace

Cache::Cache(const std::string& directory, const std::string& repository_id, uint64_t limit)
    : directory_(directory),
      root_(directory.empty() ? "" : directory + "/" + repository_id),
      limit_(limit),
      usage_(std::make_shared<Usage>()) {}

std::string Cache::path_of(FileKind kind, const Id& id) const {
  return root_ + "/" + key_of(kind, id);
}

std::optional<std::string> Cache::load(FileKind kind, const Id& id) const {
  if (!enabled()) return std::nullopt;
  Result<std::string> bytes = read_file(path_of(kind, id));
  if (!bytes || Id::of(*bytes) != id) return std::nullopt;
  // The time of the last change tells when it was last used.
  std::error_code ignored;
  fs::last_write_time(path_of(kind, id), fs::file_time_type::clock::now(), ignored);
  return std::move(bytes).value();
}

void Cache::store(FileKind kind, const Id& id, std::string_view bytes) const {
  if (!enabled()) return;
  const std::string path = path_of(kind, id);
  const Status made = make_directories(path.substr(0, path.rfind('/')), 0700);
  // A cache that cannot be written costs time, never correctness: the outcome does not matter.
  if (made) [[maybe_unused]]
    const Status written = write_file_atomically(path, bytes, 0600);
  std::lock_guard guard(usage_->mutex);
  usage_->unseen += bytes.size();
  if (usage_->counted && usage_->unseen < limit_ / 8) return;
  usage_->counted = true;
  usage_->unseen = 0;
  evict();
}

/// Down to seven eighths, so that not every file that comes costs a count.
void Cache::evict() const {
  std::vector<KeptFile> files = kept_files(directory_);
  uint64_t total = 0;
  for (const KeptFile& file : files) total += file.size;
  if (total <= limit_ / 8 * 7) return;
  std::ranges::sort(files, {}, &KeptFile::used);
  for (const KeptFile& file : files) {
    if (total <= limit_ / 8 * 7) return;
    std::error_code ignored;
    fs::remove(file.path, ignored);
    total -= file.size;
  }
}

void Cache::remove(FileKind kind, const Id& id) const {
  if (enabled()) ::unlink(path_of(kind, id).c_str());
}

void Cache::keep_only(FileKind kind, const std::vector<Id>& ids) const {
  if (!enabled()) return;
  std::vector<Id> sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  std::error_code error;
  std::filesystem::recursive_directory_iterator at(root_ + "/" + std::string(folder_of(kind)), error), end;
  for (; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    const Result<Id> id = Id::parse(at->path().filename().string());
    if (id && !std::binary_search(sorted.begin(), sorted.end(), *id)) std::filesystem::remove(at->path(), ignored);
  }
}

}  // namespace holdfast::repo

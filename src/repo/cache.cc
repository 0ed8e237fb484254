#include "repo/cache.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"

namespace holdfast::repo {

Cache::Cache(const std::string& directory, const std::string& repository_id)
    : root_(directory.empty() ? "" : directory + "/" + repository_id) {}

std::string Cache::path_of(FileKind kind, const Id& id) const {
  return root_ + "/" + key_of(kind, id);
}

std::optional<std::string> Cache::load(FileKind kind, const Id& id) const {
  if (!enabled()) return std::nullopt;
  Result<std::string> bytes = read_file(path_of(kind, id));
  if (!bytes || Id::of(*bytes) != id) return std::nullopt;
  return std::move(bytes).value();
}

void Cache::store(FileKind kind, const Id& id, std::string_view bytes) const {
  if (!enabled()) return;
  const std::string path = path_of(kind, id);
  const Status made = make_directories(path.substr(0, path.rfind('/')), 0700);
  // A cache that cannot be written costs time, never correctness: the outcome does not matter.
  if (made) [[maybe_unused]]
    const Status written = write_file_atomically(path, bytes, 0600);
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

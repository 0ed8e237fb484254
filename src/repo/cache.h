// Files of a repository kept on this machine: DIR/<repository id>/index/<id>, snapshots/<id>, data/ab/<id>.
//
// A cache may be deleted at any time and shared by several processes. Nothing in it is trusted: a file that does not
// hash to its name is ignored. A full disk or missing rights only make things slower. All repositories below DIR
// together keep to a limit: beyond it, what was not used for longest goes. Several writers may pass it for a while,
// each by an eighth. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "repo/ids.h"

namespace holdfast::repo {

inline constexpr uint64_t kDefaultCacheLimit = uint64_t{1} << 30;

class Cache {
 public:
  /// No cache: every lookup misses.
  Cache() = default;
  Cache(const std::string& directory, const std::string& repository_id, uint64_t limit = kDefaultCacheLimit);

  [[nodiscard]] bool enabled() const { return !root_.empty(); }
  /// The file's bytes, proved against its name; empty where it is not there or not whole. Counts as a use.
  [[nodiscard]] std::optional<std::string> load(FileKind kind, const Id& id) const;
  /// Best effort.
  void store(FileKind kind, const Id& id, std::string_view bytes) const;
  void remove(FileKind kind, const Id& id) const;
  /// Removes what is not in the list any more.
  void keep_only(FileKind kind, const std::vector<Id>& ids) const;

 private:
  [[nodiscard]] std::string path_of(FileKind kind, const Id& id) const;
  void evict() const;

  /// Of all copies of this Cache.
  struct Usage {
    std::mutex mutex;
    uint64_t unseen = 0;  ///< bytes stored since the files were last counted
    bool counted = false;
  };
  std::string directory_, root_;
  uint64_t limit_ = kDefaultCacheLimit;
  std::shared_ptr<Usage> usage_;
};

}  // namespace holdfast::repo

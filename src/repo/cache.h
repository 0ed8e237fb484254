// Files of a repository kept on this machine: DIR/<repository id>/index/<id>, snapshots/<id>, data/ab/<id>.
//
// A cache may be deleted at any time and shared by several processes. Nothing in it is trusted: a file that does not
// hash to its name is ignored. A full disk or missing rights only make things slower.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "repo/ids.h"

namespace holdfast::repo {

class Cache {
 public:
  /// No cache: every lookup misses.
  Cache() = default;
  Cache(const std::string& directory, const std::string& repository_id);

  [[nodiscard]] bool enabled() const { return !root_.empty(); }
  /// The file's bytes, proved against its name; empty where it is not there or not whole.
  [[nodiscard]] std::optional<std::string> load(FileKind kind, const Id& id) const;
  /// Best effort.
  void store(FileKind kind, const Id& id, std::string_view bytes) const;
  void remove(FileKind kind, const Id& id) const;
  /// Removes what is not in the list any more.
  void keep_only(FileKind kind, const std::vector<Id>& ids) const;

 private:
  [[nodiscard]] std::string path_of(FileKind kind, const Id& id) const;
  std::string root_;
};

}  // namespace holdfast::repo

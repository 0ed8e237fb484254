// The paths of a backup as one tree: what its root directory holds. Internal to repo.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::repo {

/// A directory that holds only the named parts, or a leaf: whatever is at `path`, whole.
struct ArchiveTarget {
  std::string path;  ///< to open it with, from the working directory
  bool leaf = false;
  std::map<std::string, ArchiveTarget> parts;  ///< in raw byte order
};

/// The root of all paths. A root that is itself a leaf stands for "." alone: its content is the root tree. invalid
/// where two paths want the same name for different things, or a path leads above the working directory's "..".
[[nodiscard]] Result<ArchiveTarget> plan_targets(const std::vector<std::string>& paths);

/// Absolute, without ".", ".." and double slashes, links not resolved.
[[nodiscard]] std::string clean_path(const std::string& base, const std::string& path);

}  // namespace holdfast::repo

// A manifest: what a directory tree holds, so that a restored copy can be held against it.
//
// For every path: type, mode, owner, modification time in nanoseconds, size, SHA-256 of the content, link target,
// extended attributes, which paths are one inode, and whether the file has holes. Directory times are compared too,
// except the root's: writing the manifest there changes it. JSON with one entry a path; names are bytes, so they stand
// in hex where they are not UTF-8.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace holdfast::ledger {

struct ManifestEntry {
  char type = 'f';  ///< f, d, l, p (fifo), s (socket), b, c
  unsigned mode = 0;
  unsigned uid = 0, gid = 0;
  int64_t mtime_ns = 0;
  uint64_t size = 0;          ///< files only
  bool has_holes = false;     ///< files only: less than 7/8 of the size is allocated
  std::string sha256;         ///< files only, hex
  std::string target;         ///< symbolic links only
  std::string same_inode_as;  ///< hard links: the first path of the inode, in order of names
  std::map<std::string, std::string> attributes;

  bool operator==(const ManifestEntry&) const = default;
};

/// By path relative to the root, without a leading "./".
using Manifest = std::map<std::string, ManifestEntry>;

/// Knows the hashes of files that have not changed since the last look (size, times, inode), so that a manifest of a
/// mostly quiet volume is quick.
class ManifestReader {
 public:
  /// Reads the tree; top-level names in `skip` and what is below them are left out. Sockets are left out: no backup
  /// holds them.
  [[nodiscard]] Result<Manifest> read(const std::string& root, const std::set<std::string>& skip);

 private:
  struct Known {
    uint64_t size = 0;
    int64_t mtime_ns = 0, ctime_ns = 0;
    std::string sha256;
  };
  std::map<std::pair<uint64_t, uint64_t>, Known> known_;  ///< by device and inode
};

[[nodiscard]] json::value to_json(const Manifest& manifest);
[[nodiscard]] Result<Manifest> manifest_from_json(const json::value& v);

enum class Owners { compare, ignore };  ///< ignore: an unprivileged restore cannot give files away
/// One line for each difference, at most 100; empty: equal.
[[nodiscard]] std::vector<std::string> differences(const Manifest& wanted, const Manifest& found, Owners owners);

}  // namespace holdfast::ledger

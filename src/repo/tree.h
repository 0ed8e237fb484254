// Trees and nodes: the directories of a snapshot, as restic stores them.
//
// A tree blob is `{"nodes":[...]}` and a newline; its id is the SHA-256 of those bytes, so what is written here equals
// restic's output to the byte. Two spellings exist, the profiles; they differ in Go's table of printable runes, in \b
// and \f, in linktarget_raw and in extended attributes of symlinks. Fields that are unknown here survive. Values
// without threads; what they refer to (the blob of a TreeReader) must outlive them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repo/go_quote.h"
#include "repo/ids.h"
#include "repo/node_time.h"

namespace holdfast::repo {

enum class TreeProfile { restic_0_14, restic_0_19 };
inline constexpr TreeProfile kDefaultTreeProfile = TreeProfile::restic_0_19;

/// "restic-0.14", "restic-0.19".
[[nodiscard]] std::string_view to_string(TreeProfile profile);
[[nodiscard]] Result<TreeProfile> parse_tree_profile(std::string_view text);
/// The profile to go on with after a snapshot: the one it recorded, else by its program_version (missing or older than
/// "restic 0.16": restic-0.14).
[[nodiscard]] TreeProfile tree_profile_of(std::string_view recorded, std::string_view program_version);
[[nodiscard]] GoRelease go_release(TreeProfile profile);

enum class NodeType { file, dir, symlink, dev, chardev, fifo, socket, irregular, other };
[[nodiscard]] std::string_view to_string(NodeType type);

struct ExtendedAttribute {
  std::string name;
  std::optional<std::string> value;  ///< missing: JSON null
  bool operator==(const ExtendedAttribute&) const = default;
};

/// Bits of a node's mode above the permissions (Go's os.FileMode).
inline constexpr uint32_t kModeDir = 1u << 31, kModeSymlink = 1u << 27, kModeDevice = 1u << 26, kModeFifo = 1u << 25,
                          kModeSocket = 1u << 24, kModeSetuid = 1u << 23, kModeSetgid = 1u << 22,
                          kModeCharDevice = 1u << 21, kModeSticky = 1u << 20, kModeIrregular = 1u << 19;
/// Go's mode of an st_mode, and the permission part (with setuid, setgid, sticky) of st_mode of a node's mode.
[[nodiscard]] uint32_t go_mode(uint32_t st_mode);
[[nodiscard]] uint32_t permission_bits(uint32_t go_mode);

/// One entry of a directory. Strings are raw bytes; names may hold anything but '/' and NUL (check_node_name).
struct Node {
  std::string name;
  NodeType type = NodeType::file;
  std::string other_type;  ///< the stored text where type is `other`
  uint32_t mode = 0;
  NodeTime mtime, atime, ctime;
  uint32_t uid = 0, gid = 0;
  std::string user, group;
  uint64_t inode = 0, device_id = 0;
  uint64_t size = 0;  ///< of files: bytes of content
  uint64_t links = 0;
  std::string linktarget;            ///< raw bytes
  bool linktarget_replaced = false;  ///< stored with \ufffd in place of bytes that are lost
  std::vector<ExtendedAttribute> extended_attributes;
  std::string generic_attributes;  ///< raw JSON object, or empty
  uint64_t device = 0;
  std::optional<std::vector<Id>> content;  ///< missing: null
  std::optional<Id> subtree;
  std::string error;
  std::string unknown;  ///< `,"key":value` of every field that is not above, as stored
};

/// Directories in directories, at most: more is somebody's trap. Ours to choose; file systems have no limit.
inline constexpr size_t kDeepestTree = 10'000;
/// What is said of a directory below that.
[[nodiscard]] Error too_deep();

/// invalid for a name that is no single path element: empty, ".", "..", with '/' or NUL, above 4096 bytes.
[[nodiscard]] Status check_node_name(std::string_view name);

/// The JSON of one node.
void append_node(std::string& out, const Node& node, TreeProfile profile);
/// Reads one node. corrupt where a field has another type than it must.
[[nodiscard]] Result<Node> parse_node(std::string_view json);

/// Makes a tree blob from nodes in ascending order of their raw names.
class TreeWriter {
 public:
  explicit TreeWriter(TreeProfile profile) : profile_(profile) {}
  /// invalid where the name is not above the one before (duplicates too).
  [[nodiscard]] Status add(const Node& node);
  /// The blob; the writer is empty afterwards.
  [[nodiscard]] std::string finish();

 private:
  TreeProfile profile_;
  std::string blob_ = "{\"nodes\":[";
  std::optional<std::string> last_name_;
};

/// Reads a tree blob node by node; the blob is never held as objects at once.
class TreeReader {
 public:
  explicit TreeReader(std::string_view blob) : rest_(blob) {}
  /// The next node, or nothing at the end. corrupt for anything that is no tree; the position is then lost.
  [[nodiscard]] Result<std::optional<Node>> next();

 private:
  Status enter();
  Status leave();
  std::string_view rest_;
  enum class At { start, first, middle, end } at_ = At::start;
};

}  // namespace holdfast::repo

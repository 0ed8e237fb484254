#include "repo/tree.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/text.h"

namespace holdfast::repo {
namespace {

constexpr std::array<std::string_view, 8> kTypeNames = {"file",    "dir",  "symlink", "dev",
                                                        "chardev", "fifo", "socket",  "irregular"};

/// Writes the members of one object: a comma before each but the first.
class MemberWriter {
 public:
  MemberWriter(std::string& out, GoRelease release) : out_(out), release_(release) {}

  void key(std::string_view name) {
    out_ += first_ ? "{\"" : ",\"";
    first_ = false;
    out_ += name;
    out_ += "\":";
  }
  void number(std::string_view name, uint64_t value) {
    key(name);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void number_if(std::string_view name, uint64_t value) {
    if (value != 0) number(name, value);
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    append_go_json(out_, value, release_);
  }
  void text_if(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  void time(std::string_view name, const NodeTime& value) {
    key(name);
    out_ += '"';
    append_node_time(out_, value);
    out_ += '"';
  }
  void raw(std::string_view name, std::string_view json) {
    key(name);
    out_ += json;
  }

 private:
  std::string& out_;
  GoRelease release_;
  bool first_ = true;
};

void append_attributes(std::string& out, const std::vector<ExtendedAttribute>& attributes, GoRelease release) {
  out += '[';
  bool first = true;
  for (const ExtendedAttribute& attribute : attributes) {
    if (!first) out += ',';
    first = false;
    MemberWriter member(out, release);
    member.text("name", attribute.name);
    if (attribute.value) {
      member.text("value", to_base64(*attribute.value));
    } else {
      member.raw("value", "null");
    }
    out += '}';
  }
  out += ']';
}

void append_content(std::string& out, const std::optional<std::vector<Id>>& content) {
  if (!content) {
    out += "null";
    return;
  }
  out += '[';
  bool first = true;
  for (const Id& id : *content) {
    if (!first) out += ',';
    first = false;
    out += '"';
    out += id.hex();
    out += '"';
  }
  out += ']';
}

void append_target(std::string& out, const Node& node, GoRelease release) {
  const size_t start = out.size();
  append_go_json(out, node.linktarget, release);
  if (!node.linktarget_replaced) return;
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  for (size_t at = start; (at = out.find(kReplacement, at)) != std::string::npos;) {
    out.replace(at, kReplacement.size(), "\\ufffd");
  }
}

}  // namespace

std::string_view to_string(TreeProfile profile) {
  return profile == TreeProfile::restic_0_14 ? "restic-0.14" : "restic-0.19";
}

Result<TreeProfile> parse_tree_profile(std::string_view text) {
  for (const TreeProfile profile : {TreeProfile::restic_0_14, TreeProfile::restic_0_19}) {
    if (text == to_string(profile)) return profile;
  }
  return Error(ErrorCode::invalid, fmt::format("\"{}\" is no tree profile", text), "take restic-0.14 or restic-0.19");
}

TreeProfile tree_profile_of(std::string_view recorded, std::string_view program_version) {
  if (const Result<TreeProfile> known = parse_tree_profile(recorded)) return *known;
  constexpr std::string_view kProgram = "restic ";
  if (!program_version.starts_with(kProgram)) return TreeProfile::restic_0_14;
  const std::vector<std::string> parts = split(program_version.substr(kProgram.size()), '.');
  if (parts.size() < 2) return TreeProfile::restic_0_14;
  const int64_t major = parse_int(parts[0]).value_or(0), minor = parse_int(parts[1]).value_or(0);
  return major > 0 || minor >= 16 ? TreeProfile::restic_0_19 : TreeProfile::restic_0_14;
}

GoRelease go_release(TreeProfile profile) {
  return profile == TreeProfile::restic_0_14 ? GoRelease::go1_19 : GoRelease::go1_26;
}

std::string_view to_string(NodeType type) {
  const auto index = static_cast<size_t>(type);
  return index < kTypeNames.size() ? kTypeNames[index] : "";
}

uint32_t go_mode(uint32_t st_mode) {
  uint32_t mode = st_mode & 0777;
  switch (st_mode & S_IFMT) {
    case S_IFDIR:
      mode |= kModeDir;
      break;
    case S_IFLNK:
      mode |= kModeSymlink;
      break;
    case S_IFBLK:
      mode |= kModeDevice;
      break;
    case S_IFCHR:
      mode |= kModeDevice | kModeCharDevice;
      break;
    case S_IFIFO:
      mode |= kModeFifo;
      break;
    case S_IFSOCK:
      mode |= kModeSocket;
      break;
    default:
      break;
  }
  if (st_mode & S_ISUID) mode |= kModeSetuid;
  if (st_mode & S_ISGID) mode |= kModeSetgid;
  if (st_mode & S_ISVTX) mode |= kModeSticky;
  return mode;
}

uint32_t permission_bits(uint32_t mode) {
  return (mode & 0777) | (mode & kModeSetuid ? S_ISUID : 0u) | (mode & kModeSetgid ? S_ISGID : 0u) |
         (mode & kModeSticky ? S_ISVTX : 0u);
}

Error too_deep() {
  return Error(ErrorCode::unsupported, fmt::format("directories are nested more than {} deep", kDeepestTree),
               "what is below was left out; nothing sensible lies so deep");
}

Status check_node_name(std::string_view name) {
  constexpr std::string_view kForbidden("/\0", 2);
  if (name.empty() || name == "." || name == ".." || name.size() > 4096 ||
      name.find_first_of(kForbidden) != std::string_view::npos) {
    return Error(ErrorCode::invalid, fmt::format("\"{}\" is no name of a file in a directory",
                                                 go_quote(name.substr(0, 256), GoRelease::go1_26)));
  }
  return {};
}

void append_node(std::string& out, const Node& node, TreeProfile profile) {
  const GoRelease release = go_release(profile);
  MemberWriter member(out, release);
  member.text("name", go_quote(node.name, release));
  member.text("type", node.type == NodeType::other ? node.other_type : to_string(node.type));
  member.number_if("mode", node.mode);
  member.time("mtime", node.mtime);
  member.time("atime", node.atime);
  member.time("ctime", node.ctime);
  member.number("uid", node.uid);
  member.number("gid", node.gid);
  member.text_if("user", node.user);
  member.text_if("group", node.group);
  member.number_if("inode", node.inode);
  member.number_if("device_id", node.device_id);
  member.number_if("size", node.size);
  member.number_if("links", node.links);
  if (!node.linktarget.empty()) {
    member.key("linktarget");
    append_target(out, node, release);
  }
  if (profile != TreeProfile::restic_0_14 && !is_utf8(node.linktarget)) {
    member.text("linktarget_raw", to_base64(node.linktarget));
  }
  if (!node.extended_attributes.empty()) {
    member.key("extended_attributes");
    append_attributes(out, node.extended_attributes, release);
  }
  if (!node.generic_attributes.empty()) member.raw("generic_attributes", node.generic_attributes);
  member.number_if("device", node.device);
  member.key("content");
  append_content(out, node.content);
  if (node.subtree) member.text("subtree", node.subtree->hex());
  member.text_if("error", node.error);
  out += node.unknown;
  out += '}';
}

Status TreeWriter::add(const Node& node) {
  if (last_name_ && node.name <= *last_name_) {
    return Error(ErrorCode::invalid,
                 fmt::format("\"{}\" after \"{}\" is out of order in a tree", go_quote(node.name, GoRelease::go1_26),
                             go_quote(*last_name_, GoRelease::go1_26)));
  }
  if (last_name_) blob_ += ',';
  last_name_ = node.name;
  append_node(blob_, node, profile_);
  return {};
}

std::string TreeWriter::finish() {
  std::string blob = std::move(blob_);
  blob += "]}\n";
  *this = TreeWriter(profile_);
  return blob;
}

}  // namespace holdfast::repo

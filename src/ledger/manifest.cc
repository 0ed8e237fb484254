#include "ledger/manifest.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "base/text.h"
#include "crypto/sha256.h"

namespace holdfast::ledger {

namespace {

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

char type_letter(mode_t mode) {
  if (S_ISREG(mode)) return 'f';
  if (S_ISDIR(mode)) return 'd';
  if (S_ISLNK(mode)) return 'l';
  if (S_ISFIFO(mode)) return 'p';
  if (S_ISSOCK(mode)) return 's';
  return S_ISBLK(mode) ? 'b' : 'c';
}

Result<std::string> hash_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno_error(errno, "open " + path);
  crypto::Sha256 hash;
  std::vector<char> buffer(size_t{1} << 20);
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n == 0) return to_hex(hash.finish());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error(errno, "read " + path);
    }
    hash.update(as_bytes({buffer.data(), static_cast<size_t>(n)}));
  }
}

/// Extended attributes of the path itself; a file system without them has none.
Result<std::map<std::string, std::string>> attributes_of(const std::string& path) {
  std::map<std::string, std::string> out;
  std::vector<char> names(64 * 1024);
  const ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
  if (length < 0) {
    if (errno == ENOTSUP) return out;
    return errno_error(errno, "list attributes of " + path);
  }
  std::vector<char> value(64 * 1024);
  for (ssize_t at = 0; at < length;) {
    const std::string name(names.data() + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (size < 0) return errno_error(errno, fmt::format("read attribute {} of {}", name, path));
    out[name] = std::string(value.data(), static_cast<size_t>(size));
  }
  return out;
}

Result<std::vector<std::string>> names_in(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return errno_error(errno, "open " + path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int error = errno;
  ::closedir(directory);
  if (error != 0) return errno_error(error, "read " + path);
  std::sort(names.begin(), names.end());
  return names;
}

/// Hex for names that are not plain text, so that JSON can hold them.
std::string encode_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c < 0x7f && c != '\\'; });
  return plain ? name : "\\x" + to_hex(as_bytes(name));
}

Result<std::string> decode_name(std::string_view text) {
  if (text.starts_with("\\x")) return from_hex(text.substr(2));
  return std::string(text);
}

}  // namespace

Result<Manifest> ManifestReader::read(const std::string& root, const std::set<std::string>& skip) {
  Manifest out;
  std::map<std::pair<uint64_t, uint64_t>, std::string> first_path;
  std::map<std::pair<uint64_t, uint64_t>, Known> seen;
  std::vector<std::string> pending = {""};
  while (!pending.empty()) {
    const std::string directory = std::move(pending.back());
    pending.pop_back();
    for (const std::string& name : TRY(names_in(root + "/" + directory))) {
      if (directory.empty() && skip.contains(name)) continue;
      const std::string relative = directory.empty() ? name : directory + "/" + name;
      const std::string path = root + "/" + relative;
      struct stat status {};
      if (::lstat(path.c_str(), &status) != 0) return errno_error(errno, "stat " + path);
      if (S_ISSOCK(status.st_mode)) continue;
      ManifestEntry entry;
      entry.type = type_letter(status.st_mode);
      entry.mode = status.st_mode & 07777U;
      entry.uid = status.st_uid;
      entry.gid = status.st_gid;
      entry.mtime_ns = nanoseconds(status.st_mtim);
      entry.attributes = TRY(attributes_of(path));
      if (entry.type == 'd') pending.push_back(relative);
      if (entry.type == 'l') {
        std::string target(static_cast<size_t>(status.st_size) + 1, '\0');
        const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
        if (length < 0) return errno_error(errno, "read link " + path);
        entry.target = target.substr(0, static_cast<size_t>(length));
      }
      const std::pair<uint64_t, uint64_t> inode(status.st_dev, status.st_ino);
      if (entry.type == 'f') {
        entry.size = static_cast<uint64_t>(status.st_size);
        entry.has_holes = static_cast<uint64_t>(status.st_blocks) * 512 < entry.size / 8 * 7;
        Known known{entry.size, entry.mtime_ns, nanoseconds(status.st_ctim), {}};
        const auto before = known_.find(inode);
        const bool same = before != known_.end() && before->second.size == known.size &&
                          before->second.mtime_ns == known.mtime_ns && before->second.ctime_ns == known.ctime_ns;
        known.sha256 = same ? before->second.sha256 : TRY(hash_file(path));
        entry.sha256 = known.sha256;
        seen[inode] = std::move(known);
      }
      if (entry.type != 'd' && status.st_nlink > 1) {
        const auto [place, fresh] = first_path.emplace(inode, relative);
        if (!fresh) entry.same_inode_as = place->second;
      }
      out.emplace(relative, std::move(entry));
    }
  }
  // The first path of an inode must not hang on the order in which directories were read.
  std::map<std::string, std::string> smallest;
  for (const auto& [path, entry] : out) {
    if (entry.same_inode_as.empty()) continue;
    auto& least = smallest.emplace(entry.same_inode_as, entry.same_inode_as).first->second;
    least = std::min(least, path);
  }
  for (auto& [path, entry] : out) {
    const auto own = smallest.find(path);
    const auto group = own != smallest.end() ? own : smallest.find(entry.same_inode_as);
    if (group != smallest.end()) entry.same_inode_as = group->second == path ? "" : group->second;
  }
  known_ = std::move(seen);
  return out;
}

json::value to_json(const Manifest& manifest) {
  json::array entries;
  for (const auto& [path, entry] : manifest) {
    json::object o{{"path", encode_name(path)}, {"type", std::string(1, entry.type)},
                   {"mode", entry.mode},        {"uid", entry.uid},
                   {"gid", entry.gid},          {"mtime_ns", entry.mtime_ns}};
    if (entry.type == 'f') {
      o["size"] = entry.size;
      o["sha256"] = entry.sha256;
      if (entry.has_holes) o["has_holes"] = true;
    }
    if (entry.type == 'l') o["target"] = encode_name(entry.target);
    if (!entry.same_inode_as.empty()) o["same_inode_as"] = encode_name(entry.same_inode_as);
    if (!entry.attributes.empty()) {
      json::object attributes;
      for (const auto& [name, value] : entry.attributes) attributes[encode_name(name)] = to_base64(value);
      o["attributes"] = std::move(attributes);
    }
    entries.push_back(std::move(o));
  }
  return json::object{{"format", 1}, {"entries", std::move(entries)}};
}

Result<Manifest> manifest_from_json(const json::value& v) {
  if (json::int_at(v, {"format"}) != 1) {
    return Error(ErrorCode::unsupported, "a manifest of another format than 1", "use the ledger that wrote it");
  }
  Manifest out;
  for (const json::value& o : json::array_at(v, {"entries"})) {
    ManifestEntry entry;
    const std::string type = json::string_at(o, {"type"});
    if (type.size() != 1) return Error(ErrorCode::corrupt, "a manifest entry without a type");
    entry.type = type[0];
    entry.mode = static_cast<unsigned>(json::int_at(o, {"mode"}));
    entry.uid = static_cast<unsigned>(json::int_at(o, {"uid"}));
    entry.gid = static_cast<unsigned>(json::int_at(o, {"gid"}));
    entry.mtime_ns = json::int_at(o, {"mtime_ns"});
    entry.size = static_cast<uint64_t>(json::int_at(o, {"size"}));
    entry.has_holes = json::bool_at(o, {"has_holes"});
    entry.sha256 = json::string_at(o, {"sha256"});
    entry.target = TRY(decode_name(json::string_at(o, {"target"})));
    entry.same_inode_as = TRY(decode_name(json::string_at(o, {"same_inode_as"})));
    for (const auto& [name, value] : json::object_at(o, {"attributes"})) {
      if (!value.is_string()) return Error(ErrorCode::corrupt, "a manifest attribute that is not text");
      const std::string key = TRY(decode_name(name));
      entry.attributes[key] = TRY(from_base64(value.get_string()));
    }
    const std::string path = TRY(decode_name(json::string_at(o, {"path"})));
    if (path.empty()) return Error(ErrorCode::corrupt, "a manifest entry without a path");
    out.emplace(path, std::move(entry));
  }
  return out;
}

namespace {

std::string compare_entry(const ManifestEntry& wanted, const ManifestEntry& found, Owners owners) {
  std::string text;
  const auto differ = [&](std::string_view name, const auto& a, const auto& b) {
    if (a != b) text += fmt::format("{}{} {} instead of {}", text.empty() ? "" : ", ", name, b, a);
  };
  differ("type", wanted.type, found.type);
  differ("mode", fmt::format("{:o}", wanted.mode), fmt::format("{:o}", found.mode));
  if (owners == Owners::compare) {
    differ("uid", wanted.uid, found.uid);
    differ("gid", wanted.gid, found.gid);
  }
  differ("mtime", wanted.mtime_ns, found.mtime_ns);
  differ("size", wanted.size, found.size);
  differ("content", wanted.sha256, found.sha256);
  differ("link target", encode_name(wanted.target), encode_name(found.target));
  differ("linked to", encode_name(wanted.same_inode_as), encode_name(found.same_inode_as));
  if (wanted.has_holes && !found.has_holes) text += fmt::format("{}its holes are filled", text.empty() ? "" : ", ");
  if (wanted.attributes != found.attributes) text += fmt::format("{}other attributes", text.empty() ? "" : ", ");
  return text;
}

}  // namespace

std::vector<std::string> differences(const Manifest& wanted, const Manifest& found, Owners owners) {
  constexpr size_t kLinesMax = 100;
  std::vector<std::string> out;
  for (const auto& [path, entry] : wanted) {
    if (out.size() >= kLinesMax) return out;
    const auto other = found.find(path);
    if (other == found.end()) {
      out.push_back(encode_name(path) + ": missing");
      continue;
    }
    const std::string text = compare_entry(entry, other->second, owners);
    if (!text.empty()) out.push_back(encode_name(path) + ": " + text);
  }
  for (const auto& [path, entry] : found) {
    if (out.size() >= kLinesMax) return out;
    if (!wanted.contains(path)) out.push_back(encode_name(path) + ": not in the manifest");
  }
  return out;
}

}  // namespace holdfast::ledger

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "backup/spill_file.h"
#include "backup/tarball.h"
#include "base/text.h"

namespace holdfast::backup {
namespace {

constexpr std::string_view kPreferred = "-preferredversion";

struct FreeReader {
  void operator()(archive* a) const { archive_read_free(a); }
};

Error bad(std::string_view path, std::string_view why) {
  return Error(ErrorCode::corrupt, fmt::format("tarball entry {}: {}", path, why));
}

Status check_path(std::string_view path) {
  if (path.empty() || path.front() == '/') return bad(path, "not a relative path");
  if (path.size() > 1024) return bad(path.substr(0, 64), "the path is too long");
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") return bad(path, "leads outside");
  }
  return {};
}

/// The item of resources/...; nothing for paths that hold no object.
std::optional<TarballItem> parse_path(std::string_view path) {
  std::vector<std::string> parts = split(path, '/');
  if (parts.size() < 4 || parts[0] != "resources" || !parts.back().ends_with(".json")) return std::nullopt;
  TarballItem item;
  item.key.group_resource = parts[1];
  size_t at = 2;
  const bool scope_here =
      (parts.size() == 4 && parts[2] == "cluster") || (parts.size() == 5 && parts[2] == "namespaces");
  if (!scope_here) {
    item.version = parts[2];
    item.preferred = item.version.ends_with(kPreferred);
    if (item.preferred) item.version.resize(item.version.size() - kPreferred.size());
    if (item.version.empty()) return std::nullopt;
    at = 3;
  }
  if (parts.size() == at + 3 && parts[at] == "namespaces") {
    item.key.ns = parts[at + 1];
  } else if (!(parts.size() == at + 2 && parts[at] == "cluster")) {
    return std::nullopt;
  }
  item.key.name = parts.back().substr(0, parts.back().size() - 5);
  if (item.key.name.empty()) return std::nullopt;
  return item;
}

}  // namespace

struct Tarball::State {
  explicit State(SpillFile file) : spill(std::move(file)) {}
  SpillFile spill;
  std::string format;
  std::vector<Entry> entries;
};

Tarball::Tarball(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tarball::Tarball(Tarball&&) noexcept = default;
Tarball& Tarball::operator=(Tarball&&) noexcept = default;
Tarball::~Tarball() = default;
const std::string& Tarball::format() const {
  return state_->format;
}
const std::vector<Tarball::Entry>& Tarball::entries() const {
  return state_->entries;
}

namespace {

/// Feeds libarchive from a source and collects what it yields.
class Unpacker {
 public:
  Unpacker(const ByteSource& packed, const Tarball::Limits& limits, SpillFile& spill, std::stop_token stop)
      : source_(gunzip_source(packed, limits.total_bytes)),
        limits_(limits),
        spill_(spill),
        stop_(std::move(stop)),
        tar_(archive_read_new()) {}

  Status run() {
    archive* tar = tar_.get();
    if (tar == nullptr) return Error(ErrorCode::exhausted, "no memory for the tarball");
    if (archive_read_support_format_tar(tar) != ARCHIVE_OK ||
        archive_read_open(tar, this, nullptr, &Unpacker::read_more, nullptr) != ARCHIVE_OK) {
      return error();
    }
    while (true) {
      if (stop_.stop_requested()) return Error(ErrorCode::cancelled, "stopped while reading the tarball");
      archive_entry* entry = nullptr;
      const int got = archive_read_next_header(tar, &entry);
      if (got == ARCHIVE_EOF) break;
      if (got != ARCHIVE_OK && got != ARCHIVE_WARN) return error();
      if (++count_ > limits_.entries) return Error(ErrorCode::exhausted, "tarball has too many entries");
      TRY(take(entry));
    }
    TRY(drain());
    if (format_.empty()) return Error(ErrorCode::corrupt, "tarball has no metadata/version");
    return {};
  }

  std::string format_;
  std::map<std::pair<ItemKey, std::string>, Tarball::Entry> index_;  ///< by object and version, "" for the preferred

 private:
  static la_ssize_t read_more(archive* tar, void* self, const void** bytes) {
    auto* unpacker = static_cast<Unpacker*>(self);
    Result<std::string> piece = unpacker->source_();
    if (!piece) {
      unpacker->failure_ = std::move(piece).error();
      archive_set_error(tar, EIO, "source failed");
      return -1;
    }
    unpacker->piece_ = std::move(piece).value();
    *bytes = unpacker->piece_.data();
    return static_cast<la_ssize_t>(unpacker->piece_.size());
  }

  Error error() const {
    if (failure_) return *failure_;
    const char* text = archive_error_string(tar_.get());
    return Error(ErrorCode::corrupt, fmt::format("tarball: {}", text == nullptr ? "cannot be read" : text));
  }

  /// The gzip checksum lies behind the end mark of the tar: reading on proves that the stream is whole.
  Status drain() {
    while (true) {
      const std::string piece = TRY(source_());
      if (piece.empty()) return {};
    }
  }

  Status take(archive_entry* entry) {
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr) name = archive_entry_pathname_utf8(entry);  // not spelled in this locale
    if (name == nullptr) return Error(ErrorCode::corrupt, "tarball entry without a name");
    std::string path = name;
    if (path.starts_with("./")) path.erase(0, 2);
    const mode_t type = archive_entry_filetype(entry);
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr) {
      return bad(path, "is a link");
    }
    if (type == AE_IFDIR) {
      while (path.ends_with('/')) path.pop_back();
      return path.empty() || path == "." ? Status() : check_path(path);
    }
    if (type != AE_IFREG) return bad(path, "is no plain file");
    TRY(check_path(path));
    const std::string body = TRY(read_body(path));
    if (path == "metadata/version") return take_version(body);
    std::optional<TarballItem> item = parse_path(path);
    if (!item) return {};
    return take_item(std::move(*item), path, body);
  }

  Result<std::string> read_body(const std::string& path) {
    std::string body;
    char buffer[65536];
    while (true) {
      const la_ssize_t got = archive_read_data(tar_.get(), buffer, sizeof buffer);
      if (got < 0) return error().in(path);
      if (got == 0) break;
      total_ += static_cast<uint64_t>(got);
      if (body.size() + static_cast<size_t>(got) > limits_.object_bytes || total_ > limits_.total_bytes) {
        return Error(ErrorCode::exhausted, fmt::format("tarball entry {}: larger than allowed", path));
      }
      body.append(buffer, static_cast<size_t>(got));
    }
    return body;
  }

  Status take_version(std::string_view body) {
    const std::string version(trim(body));
    if (version != "1" && version != "1.1.0") {
      if (version.size() > 32) return Error(ErrorCode::corrupt, "metadata/version holds no version");
      return Error(ErrorCode::unsupported, fmt::format("tarball of format \"{}\"", version),
                   "this release reads formats 1 and 1.1.0");
    }
    if (!format_.empty() && format_ != version) return bad("metadata/version", "is there twice and differs");
    format_ = version;
    return {};
  }

  Status take_item(TarballItem item, const std::string& path, const std::string& body) {
    std::pair<ItemKey, std::string> key(item.key, item.preferred ? std::string() : item.version);
    auto found = index_.find(key);
    if (found == index_.end()) {
      const uint64_t offset = spill_.size();
      TRY(spill_.append(body));
      index_.emplace(std::move(key), Tarball::Entry{std::move(item), offset, body.size()});
      return {};
    }
    Tarball::Entry& known = found->second;
    const std::string before = TRY(spill_.read(known.offset, known.size));
    if (before != body) return bad(path, "is there twice and differs");
    if (known.item.version.empty()) known.item.version = item.version;
    if (!item.version.empty() && known.item.version != item.version) return bad(path, "has two preferred versions");
    return {};
  }

  ByteSource source_;
  const Tarball::Limits& limits_;
  SpillFile& spill_;
  std::stop_token stop_;
  std::unique_ptr<archive, FreeReader> tar_;
  std::string piece_;
  std::optional<Error> failure_;
  uint64_t count_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

Result<Tarball> Tarball::read(const ByteSource& source, const Limits& limits, std::stop_token stop) {
  SpillFile spill = TRY(SpillFile::create(limits.spill_directory));
  auto state = std::make_unique<State>(std::move(spill));
  Unpacker unpacker(source, limits, state->spill, std::move(stop));
  TRY(unpacker.run());
  state->format = unpacker.format_;
  state->entries.reserve(unpacker.index_.size());
  while (!unpacker.index_.empty()) {
    auto node = unpacker.index_.extract(unpacker.index_.begin());
    state->entries.push_back(std::move(node.mapped()));
  }
  return Tarball(std::move(state));
}

Result<json::object> Tarball::object(const Entry& entry) const {
  const std::string body = TRY(state_->spill.read(entry.offset, entry.size));
  const std::string what = "tarball: " + entry.item.key.to_string();
  Result<json::object> object = json::parse_object(body);
  if (!object) return Error(ErrorCode::corrupt, object.error().message()).in(what);
  if (json::string_at(*object, {"metadata", "name"}) != entry.item.key.name ||
      json::string_at(*object, {"metadata", "namespace"}) != entry.item.key.ns) {
    return Error(ErrorCode::corrupt, "the object inside has another name").in(what);
  }
  return object;
}

const Tarball::Entry* Tarball::find(const ItemKey& key) const {
  const std::vector<Entry>& all = state_->entries;
  auto found = std::lower_bound(all.begin(), all.end(), key,
                                [](const Entry& entry, const ItemKey& wanted) { return entry.item.key < wanted; });
  if (found == all.end() || found->item.key != key) return nullptr;
  return &*found;
}

}  // namespace holdfast::backup

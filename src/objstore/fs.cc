#include "objstore/fs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "objstore/fs_tree.h"
#include "objstore/keys.h"

namespace holdfast::objstore {

namespace {

constexpr size_t kPiece = size_t{4} << 20;
constexpr int kRacesMax = 16;

class FsStore;

class FsUpload final : public Upload {
 public:
  FsUpload(FsStore& store, std::string key, std::unique_ptr<TemporaryFile> file, std::stop_token stop)
      : store_(store), key_(std::move(key)), file_(std::move(file)), stop_(std::move(stop)) {}
  Status write(std::string_view bytes) override;
  Status finish() override;

 private:
  FsStore& store_;
  const std::string key_;
  std::unique_ptr<TemporaryFile> file_;
  const std::stop_token stop_;
};

class FsStore final : public Store {
 public:
  FsStore(FsOptions options, UniqueFd root) : options_(std::move(options)), root_(std::move(root)) {}

  std::set<Capability> capabilities() const override { return {Capability::conditional_put, Capability::multipart}; }
  std::string name() const override { return "file://" + options_.path; }

  Result<std::string> get(const std::string& key, std::optional<Range> range, std::stop_token stop) override {
    TRY(check("get", key, stop));
    return read(key, range, stop).in(described("get", key));
  }

  Result<ObjectMeta> head(const std::string& key, std::stop_token stop) override {
    TRY(check("head", key, stop));
    struct stat status {};
    TRY(open_object(key, status).in(described("head", key)));
    return meta_of_file(key, status);
  }

  Status put(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    TRY(check("put", key, stop));
    return write_whole(key, bytes, TemporaryFile::Naming::replace, stop).in(described("put", key));
  }

  Status put_if_absent(const std::string& key, std::string_view bytes, std::stop_token stop) override {
    TRY(check("put_if_absent", key, stop));
    return write_whole(key, bytes, TemporaryFile::Naming::only_new, stop).in(described("put_if_absent", key));
  }

  Result<ListPage> list(const ListRequest& request, std::stop_token stop) override {
    TRY(check_list(request).in(name()));
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, described("list", request.prefix) + ": stopped");
    PageBuilder page(request);
    TreeVisitor visitor;
    visitor.file = [&](ObjectMeta meta) { return page.offer(std::move(meta)); };
    visitor.skip = [&](const std::string& directory) { return page.is_past(directory); };
    if (!request.delimiter.empty()) {
      visitor.directory = [&](const std::string& directory) { return page.offer_prefix(directory); };
    }
    TRY(walk_tree(root_.get(), request.prefix, visitor, stop).in(described("list", request.prefix)));
    return page.take();
  }

  Status remove(const std::string& key, std::stop_token stop) override {
    TRY(check("remove", key, stop));
    const KeyPath path = path_of(key);
    const Result<UniqueFd> parent = open_parent(root_.get(), path, MissingDirectory::fail, 0);
    // Below a missing directory, or below a file, there is no object to remove.
    if (parent.is(ErrorCode::not_found) || parent.is(ErrorCode::invalid)) return {};
    if (!parent) return parent.error().in(described("remove", key));
    if (::unlinkat(parent->get(), path.name.c_str(), 0) != 0) {
      if (errno == ENOENT || errno == EISDIR) return {};
      return errno_error(errno, described("remove", key));
    }
    prune_empty(root_.get(), path);
    return {};
  }

  Result<std::unique_ptr<Upload>> start_upload(const std::string& key, std::stop_token stop) override {
    TRY(check("upload", key, stop));
    std::unique_ptr<TemporaryFile> file = TRY(temporary().in(described("upload", key)));
    return std::unique_ptr<Upload>(std::make_unique<FsUpload>(*this, key, std::move(file), std::move(stop)));
  }

  Result<std::string> presign_get(const std::string& key, Duration) override {
    return Error(ErrorCode::unsupported, described("presign", key) + ": files have no URL to hand out");
  }

  Status check(std::string_view act, const std::string& key, const std::stop_token& stop) const {
    TRY(check_key(key).in(fmt::format("{} {}", act, name())));
    if (path_of(key).directories.empty() ? key == kTemporaryFolder
                                         : path_of(key).directories.front() == kTemporaryFolder) {
      return Error(ErrorCode::invalid, described(act, key) + ": that place is kept for temporary files");
    }
    if (stop.stop_requested()) return Error(ErrorCode::cancelled, described(act, key) + ": stopped");
    return {};
  }

  std::string described(std::string_view act, const std::string& key) const {
    return fmt::format("{} {}/{}", act, name(), key);
  }

  /// Syncs the file and gives it the key's name. A directory on the way may go with its last object meanwhile.
  Status publish(TemporaryFile& file, const std::string& key, TemporaryFile::Naming naming) {
    TRY(file.sync());
    const KeyPath path = path_of(key);
    for (int race = 1;; ++race) {
      Status status = [&]() -> Status {
        const UniqueFd parent = TRY(open_parent(root_.get(), path, MissingDirectory::create, options_.directory_mode));
        return file.name_as(parent.get(), path.name, naming);
      }();
      if (!status.is(ErrorCode::not_found) || race == kRacesMax) return status;
    }
  }

 private:
  Result<std::unique_ptr<TemporaryFile>> temporary() const {
    return TemporaryFile::create(root_.get(), options_.file_mode, options_.directory_mode);
  }

  Status write_whole(const std::string& key, std::string_view bytes, TemporaryFile::Naming naming,
                     const std::stop_token& stop) {
    const std::unique_ptr<TemporaryFile> file = TRY(temporary());
    for (size_t at = 0; at < bytes.size(); at += kPiece) {
      if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
      TRY(file->write(bytes.substr(at, kPiece)));
    }
    return publish(*file, key, naming);
  }

  Result<UniqueFd> open_object(const std::string& key, struct stat& status) const {
    const auto no_such = [] { return Error(ErrorCode::not_found, "there is no such object"); };
    const KeyPath path = path_of(key);
    Result<UniqueFd> parent = open_parent(root_.get(), path, MissingDirectory::fail, 0);
    if (parent.is(ErrorCode::not_found) || parent.is(ErrorCode::invalid)) return no_such();
    if (!parent) return std::move(parent).error();
    UniqueFd file(::openat(parent->get(), path.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file.valid() && errno == ENOENT) return no_such();
    if (!file.valid() && errno == ELOOP) {
      return Error(ErrorCode::denied, "it is a symbolic link, which the store does not follow");
    }
    if (!file.valid()) return errno_error(errno, "open");
    if (::fstat(file.get(), &status) != 0) return errno_error(errno, "stat");
    if (!S_ISREG(status.st_mode)) return no_such();
    return file;
  }

  Result<std::string> read(const std::string& key, const std::optional<Range>& range,
                           const std::stop_token& stop) const {
    struct stat status {};
    const UniqueFd file = TRY(open_object(key, status));
    const Window window = TRY(window_of(range, static_cast<uint64_t>(status.st_size)));
    std::string bytes(window.length, '\0');
    for (size_t done = 0; done < bytes.size();) {
      if (stop.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
      const size_t want = std::min(kPiece, bytes.size() - done);
      const ssize_t n = ::pread(file.get(), bytes.data() + done, want, static_cast<off_t>(window.offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error(errno, "read");
      if (n == 0) return Error(ErrorCode::corrupt, "the file became shorter while it was read");
      done += static_cast<size_t>(n);
    }
    return bytes;
  }

  const FsOptions options_;
  const UniqueFd root_;
};

Status FsUpload::write(std::string_view bytes) {
  if (!file_) return Error(ErrorCode::invalid, store_.described("upload", key_) + ": it is finished");
  if (stop_.stop_requested()) return Error(ErrorCode::cancelled, store_.described("upload", key_) + ": stopped");
  return file_->write(bytes).in(store_.described("upload", key_));
}

Status FsUpload::finish() {
  TRY(write({}));
  Status status = store_.publish(*file_, key_, TemporaryFile::Naming::replace);
  file_.reset();
  return std::move(status).in(store_.described("upload", key_));
}

}  // namespace

Result<std::shared_ptr<Store>> open_directory(FsOptions options) {
  while (options.path.size() > 1 && options.path.ends_with('/')) options.path.pop_back();
  const std::string what = "open file://" + options.path;
  if (!options.path.starts_with('/')) return Error(ErrorCode::invalid, what + ": the path is not absolute");
  if (options.missing == FsOptions::Missing::create) {
    TRY(make_directories(options.path, options.directory_mode).in(what));
  }
  UniqueFd root(::open(options.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) {
    const int reason = errno;
    if (reason == ENOTDIR) return Error(ErrorCode::invalid, what + ": it is no directory");
    return errno_error(reason, what)
        .hinted(reason == ENOENT ? "make the directory, or mount what should be there" : "");
  }
  remove_leftovers(root.get());
  return std::shared_ptr<Store>(std::make_shared<FsStore>(std::move(options), std::move(root)));
}

}  // namespace holdfast::objstore

// The walk: directories in order, entries compared with the parent's, changed files handed to workers. A directory is
// kept open and in memory until its last entry is done; the bounded queue of the workers bounds how many there are.
#include "repo/archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "base/text.h"
#include "repo/archive_file.h"
#include "repo/archive_targets.h"
#include "repo/filesystem.h"
#include "repo/local_identity.h"
#include "sync/workers.h"

namespace holdfast::repo {
namespace {

constexpr std::string_view kProgram = "holdfast 0.1.0";

/// A directory whose entries are not all done.
struct OpenDirectory {
  std::shared_ptr<OpenDirectory> parent;  ///< none: the root of the snapshot
  size_t slot = 0;                        ///< our place among the parent's entries
  Node node;
  std::optional<Node> previous;
  std::vector<std::optional<Node>> entries;  ///< empty ones were left out
  std::atomic<size_t> open_entries{1};       ///< one more while the walk is inside
};
using OpenDirectoryPtr = std::shared_ptr<OpenDirectory>;

/// The nodes of a directory in the parent snapshot, asked in ascending order of names.
class PreviousNodes {
 public:
  PreviousNodes(Repository& repository, const std::optional<Id>& tree, std::stop_token stop) {
    if (!tree) return;
    // A tree that cannot be read only means that its files are read again.
    Result<std::string> blob = repository.load_blob(BlobType::tree, *tree, stop);
    if (!blob) return;
    blob_ = std::move(blob).value();
    reader_.emplace(blob_);
    advance();
  }
  PreviousNodes(const PreviousNodes&) = delete;
  PreviousNodes& operator=(const PreviousNodes&) = delete;

  [[nodiscard]] std::optional<Node> take(const std::string& name) {
    while (next_ && next_->name < name) advance();
    if (!next_ || next_->name != name) return std::nullopt;
    std::optional<Node> found = std::move(next_);
    advance();
    return found;
  }

 private:
  void advance() {
    Result<std::optional<Node>> node = reader_->next();
    next_ = node ? std::move(node).value() : std::nullopt;
  }
  std::string blob_;
  std::optional<TreeReader> reader_;
  std::optional<Node> next_;
};

bool same_node(const Node& a, const Node& b) {
  std::string left, right;
  append_node(left, a, TreeProfile::restic_0_19);
  append_node(right, b, TreeProfile::restic_0_19);
  return left == right;
}

/// Equal instants keep the text they had: another zone must not give an unchanged directory another id.
void keep_time_texts(Node& node, const Node& previous) {
  const auto keep = [](NodeTime& fresh, const NodeTime& old) {
    if (fresh.same_instant(old)) fresh.text = old.text;
  };
  keep(node.mtime, previous.mtime);
  keep(node.atime, previous.atime);
  keep(node.ctime, previous.ctime);
}

class Archiver {
 public:
  Archiver(Repository& repository, const ArchiveOptions& options, TreeProfile profile, Progress& progress,
           std::stop_token stop)
      : repository_(repository),
        options_(options),
        progress_(progress),
        saver_(repository, progress, options.dry_run),
        read_options_{profile, options.with_atime},
        profile_(profile),
        group_(options.readers ? options.readers : std::max(1u, std::thread::hardware_concurrency()), stop) {}

  Result<ArchiveResult> run(const ArchiveTarget& root);

 private:
  struct Place {
    OpenDirectoryPtr directory;
    size_t slot;
  };

  std::stop_token stop() const { return group_.stop_token(); }
  void note(const std::string& path, Error error);
  Place add_entry(const OpenDirectoryPtr& directory);
  Status finish_entry(const Place& place, std::optional<Node> node);
  Status leave(OpenDirectoryPtr directory);
  Status finish_directory(OpenDirectory& directory);
  void count_file(const Node& node, const std::optional<Node>& previous);

  Status walk_targets(const ArchiveTarget& target, int base, const OpenDirectoryPtr& into,
                      const std::optional<Id>& previous_tree);
  Status save_target(const ArchiveTarget& target, int base, const OpenDirectoryPtr& into, const std::string& name,
                     std::optional<Node> previous);
  Status walk_directory(const SharedFd& directory, const OpenDirectoryPtr& into, const std::string& path,
                        const std::optional<Id>& previous_tree, dev_t device);
  Status save_entry(const SharedFd& parent, const std::string& name, const std::string& path,
                    const OpenDirectoryPtr& into, std::optional<Node> previous, std::optional<dev_t> device);
  Status save_subdirectory(const SharedFd& parent, Node node, const std::string& path, const Place& place,
                           std::optional<Node> previous, const struct stat& status, std::optional<dev_t> device);
  void save_file(const SharedFd& parent, Node node, const std::string& path, const Place& place,
                 std::optional<Node> previous);
  Status read_file_content(const SharedFd& parent, Node node, const std::string& path, const Place& place,
                           const std::optional<Node>& previous, std::stop_token stop);
  bool unchanged(const Node& node, const Node& previous) const;
  Result<bool> is_emptied(int directory) const;

  Repository& repository_;
  const ArchiveOptions& options_;
  Progress& progress_;
  const FileSaver saver_;
  const ReadOptions read_options_;
  const TreeProfile profile_;
  OwnerNames owners_;
  size_t named_paths_ = 0, missing_paths_ = 0;  ///< of the walk's thread

  std::mutex mutex_;  ///< guards what follows
  SnapshotSummary summary_;
  AddedBlobs trees_;
  std::vector<ItemError> errors_;
  std::set<Id> dry_trees_;
  std::optional<Id> root_;

  sync::WorkerGroup group_;  ///< last: its threads end before the rest goes
};

void Archiver::note(const std::string& path, Error error) {
  std::lock_guard lock(mutex_);
  errors_.push_back({path, std::move(error)});
}

Archiver::Place Archiver::add_entry(const OpenDirectoryPtr& directory) {
  ++directory->open_entries;
  std::lock_guard lock(mutex_);  // workers write into the list that grows here
  directory->entries.emplace_back();
  return {directory, directory->entries.size() - 1};
}

/// Puts a node into its place, or leaves the place empty.
Status Archiver::finish_entry(const Place& place, std::optional<Node> node) {
  {
    std::lock_guard lock(mutex_);
    place.directory->entries[place.slot] = std::move(node);
  }
  return leave(place.directory);
}

/// One entry less is open; directories that are complete by that are saved, up to the root.
Status Archiver::leave(OpenDirectoryPtr directory) {
  while (--directory->open_entries == 0) {
    TRY(finish_directory(*directory));
    OpenDirectoryPtr parent = directory->parent;
    if (!parent) return {};
    {
      std::lock_guard lock(mutex_);
      parent->entries[directory->slot] = std::move(directory->node);
    }
    directory = std::move(parent);
  }
  return {};
}

Status Archiver::finish_directory(OpenDirectory& directory) {
  TreeWriter writer(profile_);
  for (std::optional<Node>& entry : directory.entries) {
    if (entry) TRY(writer.add(*entry));
    entry.reset();
  }
  const std::string blob = writer.finish();
  const SavedBlob saved = TRY(saver_.save_blob(BlobType::tree, blob, {}, stop()));
  std::lock_guard lock(mutex_);
  const bool first = !options_.dry_run || dry_trees_.insert(saved.id).second;
  if (first) trees_.add(saved, blob.size());
  if (!directory.parent) {
    root_ = saved.id;
    return {};
  }
  directory.node.subtree = saved.id;
  if (!directory.previous) {
    ++summary_.dirs_new;
  } else if (same_node(directory.node, *directory.previous)) {
    ++summary_.dirs_unmodified;
  } else {
    ++summary_.dirs_changed;
  }
  return {};
}

void Archiver::count_file(const Node& node, const std::optional<Node>& previous) {
  progress_.done(1, 0);
  std::lock_guard lock(mutex_);
  ++summary_.total_files_processed;
  summary_.total_bytes_processed += node.size;
  if (!previous) {
    ++summary_.files_new;
  } else if (same_node(node, *previous)) {
    ++summary_.files_unmodified;
  } else {
    ++summary_.files_changed;
  }
}

bool Archiver::unchanged(const Node& node, const Node& previous) const {
  if (previous.type != NodeType::file || previous.size != node.size || !previous.mtime.same_instant(node.mtime) ||
      !previous.content) {
    return false;
  }
  const bool check_inode = !options_.ignore_inode;
  const bool check_ctime = check_inode && !options_.ignore_ctime;
  if (check_ctime && !previous.ctime.same_instant(node.ctime)) return false;
  if (check_inode && previous.inode != node.inode) return false;
  // A blob that was lost since is healed by reading the file again.
  return std::ranges::all_of(*previous.content, [&](const Id& id) { return repository_.has_blob(BlobType::data, id); });
}

/// True where the directory holds one of the files that say "nothing here is worth saving".
Result<bool> Archiver::is_emptied(int directory) const {
  for (const std::string& rule : options_.exclude_if_present) {
    const size_t colon = rule.find(':');
    const std::string name = rule.substr(0, colon);
    if (colon == std::string::npos) {
      if (::faccessat(directory, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
      continue;
    }
    const std::string beginning = rule.substr(colon + 1);
    Result<FileReader> reader = FileReader::open_at(directory, name);
    if (!reader) continue;
    std::string found(beginning.size(), '\0');
    if (beginning.empty() || (TRY(reader->read(found)) == beginning.size() && found == beginning)) return true;
  }
  return false;
}

/// The file's own entry that made its directory empty stays, as restic keeps it.
bool is_mark(const std::vector<std::string>& rules, const std::string& name) {
  return std::ranges::any_of(rules, [&](const std::string& rule) { return rule.substr(0, rule.find(':')) == name; });
}

Status Archiver::walk_directory(const SharedFd& directory, const OpenDirectoryPtr& into, const std::string& path,
                                const std::optional<Id>& previous_tree, dev_t device) {
  Result<std::vector<std::string>> names = directory_names(directory->get());
  if (!names) {
    note(path, names.error());
    return {};
  }
  const bool emptied = TRY(is_emptied(directory->get()));
  PreviousNodes previous(repository_, previous_tree, stop());
  for (const std::string& name : *names) {
    if (stop().stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    if (emptied && !is_mark(options_.exclude_if_present, name)) continue;
    const std::string child = path == "/" ? "/" + name : path + "/" + name;
    TRY(save_entry(directory, name, child, into, previous.take(name), device));
  }
  return {};
}

Status Archiver::save_entry(const SharedFd& parent, const std::string& name, const std::string& path,
                            const OpenDirectoryPtr& into, std::optional<Node> previous, std::optional<dev_t> device) {
  if (options_.filter.matches(path)) return {};
  struct stat status {};
  Result<Node> read = read_node_at(parent->get(), name, owners_, read_options_, &status);
  if (!read) {
    note(path, read.error());
    return {};
  }
  Node node = std::move(read).value();
  if (node.type == NodeType::socket || node.type == NodeType::irregular) return {};
  const bool file = node.type == NodeType::file;
  if (file && options_.exclude_larger_than && node.size > *options_.exclude_larger_than) return {};
  if (options_.one_file_system && device && status.st_dev != *device && node.type != NodeType::dir) return {};
  if (previous) keep_time_texts(node, *previous);
  const Place place = add_entry(into);
  if (node.type == NodeType::dir) {
    return save_subdirectory(parent, std::move(node), path, place, std::move(previous), status, device);
  }
  if (!file) return finish_entry(place, std::move(node));
  if (previous && unchanged(node, *previous)) {
    node.content = previous->content;
    progress_.done(0, node.size);
    count_file(node, previous);
    return finish_entry(place, std::move(node));
  }
  save_file(parent, std::move(node), path, place, std::move(previous));
  return {};
}

Status Archiver::save_subdirectory(const SharedFd& parent, Node node, const std::string& path, const Place& place,
                                   std::optional<Node> previous, const struct stat& status,
                                   std::optional<dev_t> device) {
  auto open = std::make_shared<OpenDirectory>();
  open->parent = place.directory;
  open->slot = place.slot;
  const bool mount_point = options_.one_file_system && device && status.st_dev != *device;
  Result<SharedFd> directory = open_directory_at(parent->get(), node.name);
  if (!directory && !mount_point) {
    note(path, directory.error());
    return finish_entry(place, std::nullopt);
  }
  std::optional<Id> previous_tree;
  if (previous && previous->type == NodeType::dir) previous_tree = previous->subtree;
  open->node = std::move(node);
  open->previous = std::move(previous);
  if (!mount_point) TRY(walk_directory(*directory, open, path, previous_tree, device.value_or(status.st_dev)));
  return leave(open);
}

void Archiver::save_file(const SharedFd& parent, Node node, const std::string& path, const Place& place,
                         std::optional<Node> previous) {
  group_.add([this, parent, node = std::move(node), path, place,
              previous = std::move(previous)](std::stop_token job_stop) mutable -> Status {
    return read_file_content(parent, std::move(node), path, place, previous, job_stop);
  });
}

Status Archiver::read_file_content(const SharedFd& parent, Node node, const std::string& path, const Place& place,
                                   const std::optional<Node>& previous, std::stop_token job_stop) {
  Result<FileReader> reader = FileReader::open_at(parent->get(), node.name);
  if (!reader) {
    note(path, reader.error());
    return finish_entry(place, std::nullopt);
  }
  const struct stat& status = reader->status();
  if (status.st_ino != node.inode || !node.ctime.same_instant(NodeTime::from(status.st_ctim))) {
    // It changed between the look and the opening: the entry tells of the file that is read.
    Result<Node> fresh = read_node_at(parent->get(), node.name, owners_, read_options_);
    if (!fresh) {
      note(path, fresh.error());
      return finish_entry(place, std::nullopt);
    }
    node = std::move(fresh).value();
    if (previous) keep_time_texts(node, *previous);
  }
  Status read_error;
  SavedContent saved = TRY(saver_.save(*reader, read_error, job_stop).in(path));
  {
    std::lock_guard lock(mutex_);
    summary_.data_blobs += saved.added.blobs;
    summary_.data_added += saved.added.bytes;
    summary_.data_added_packed += saved.added.stored_bytes;
  }
  if (!read_error) {
    note(path, read_error.error());
    return finish_entry(place, std::nullopt);
  }
  node.type = NodeType::file;
  node.size = saved.size;
  node.content = std::move(saved.content);
  count_file(node, previous);
  return finish_entry(place, std::move(node));
}

std::string absolute_path(const ArchiveOptions& options, const std::string& path) {
  std::error_code ignored;
  const std::string here =
      options.working_directory.empty() ? std::filesystem::current_path(ignored).string() : options.working_directory;
  return clean_path(clean_path(std::filesystem::current_path(ignored).string(), here), path);
}

/// A named path: opened through its directory, so that a link at its end is saved as a link.
Status Archiver::save_target(const ArchiveTarget& target, int base, const OpenDirectoryPtr& into,
                             const std::string& name, std::optional<Node> previous) {
  const std::string path = absolute_path(options_, target.path);
  const size_t slash = target.path.rfind('/');
  const std::string parent_path = slash == std::string::npos ? "." : slash == 0 ? "/" : target.path.substr(0, slash);
  if (target.leaf) {
    ++named_paths_;
    const Result<SharedFd> parent = open_directory(base, parent_path);
    if (!parent || ::faccessat((*parent)->get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
      note(path, parent ? errno_error(errno, name) : parent.error());
      ++missing_paths_;
      return {};
    }
    return save_entry(*parent, name, path, into, std::move(previous), std::nullopt);
  }
  const Result<SharedFd> directory = open_directory(base, target.path);
  Result<Node> node =
      directory ? read_node_at((*directory)->get(), ".", owners_, read_options_) : Result<Node>(directory.error());
  if (!node) {
    note(path, node.error());
    return {};
  }
  node->name = name;
  if (previous) keep_time_texts(*node, *previous);
  auto open = std::make_shared<OpenDirectory>();
  const Place place = add_entry(into);
  open->parent = into;
  open->slot = place.slot;
  open->node = std::move(node).value();
  std::optional<Id> previous_tree;
  if (previous && previous->type == NodeType::dir) previous_tree = previous->subtree;
  open->previous = std::move(previous);
  TRY(walk_targets(target, base, open, previous_tree));
  return leave(open);
}

Status Archiver::walk_targets(const ArchiveTarget& target, int base, const OpenDirectoryPtr& into,
                              const std::optional<Id>& previous_tree) {
  PreviousNodes previous(repository_, previous_tree, stop());
  for (const auto& [name, part] : target.parts) TRY(save_target(part, base, into, name, previous.take(name)));
  return {};
}

Result<ArchiveResult> Archiver::run(const ArchiveTarget& root) {
  const std::string here = options_.working_directory.empty() ? "." : options_.working_directory;
  const SharedFd base = TRY(open_directory(AT_FDCWD, here));
  auto open = std::make_shared<OpenDirectory>();
  std::optional<Id> previous_tree;
  if (options_.parent) previous_tree = options_.parent->tree;
  summary_.backup_start = RecordTime::at(repository_.clock().now());
  progress_.stage("backup", 0, 0);
  const Status walked = [&]() -> Status {
    if (!root.leaf) {
      TRY(walk_targets(root, base->get(), open, previous_tree));
      if (missing_paths_ == named_paths_) {
        std::lock_guard lock(mutex_);
        return Error(ErrorCode::not_found, "none of the paths can be read: " + errors_.front().error.message());
      }
    } else {
      const SharedFd directory = TRY(open_directory(base->get(), root.path));
      struct stat status {};
      if (::fstat(directory->get(), &status) != 0) return errno_error(errno, root.path);
      TRY(walk_directory(directory, open, absolute_path(options_, root.path), previous_tree, status.st_dev));
    }
    return leave(open);
  }();
  // A failed walk ends like a failed job: the first failure of all wins.
  if (!walked) group_.add([error = walked.error()](std::stop_token) -> Status { return error; });
  TRY(group_.finish());
  CHECK(root_.has_value());
  ArchiveResult result;
  result.tree = *root_;
  summary_.tree_blobs = trees_.blobs;
  summary_.data_added += trees_.bytes;
  summary_.data_added_packed += trees_.stored_bytes;
  result.summary = summary_;
  std::ranges::sort(errors_, {}, &ItemError::path);
  result.errors = std::move(errors_);
  return result;
}

Snapshot describe(const ArchiveOptions& options, const ArchiveResult& result, std::vector<std::string> paths,
                  TreeProfile profile) {
  const LocalIdentity me = local_identity();
  Snapshot snapshot;
  snapshot.time = options.time ? RecordTime::at(*options.time) : result.summary.backup_start;
  if (options.parent) snapshot.parent = options.parent->id;
  snapshot.tree = result.tree;
  snapshot.paths = std::move(paths);
  snapshot.hostname = options.hostname.empty() ? me.hostname : options.hostname;
  snapshot.username = options.username.empty() ? me.username : options.username;
  snapshot.uid = me.uid;
  snapshot.gid = me.gid;
  snapshot.excludes = options.excludes;
  snapshot.tags = options.tags;
  snapshot.program_version = kProgram;
  snapshot.tree_profile = std::string(to_string(profile));
  snapshot.summary = result.summary;
  return snapshot;
}

}  // namespace

Result<std::vector<std::string>> snapshot_paths(const ArchiveOptions& options) {
  std::vector<std::string> paths;
  for (const std::string& path : options.paths) {
    if (path.empty()) return Error(ErrorCode::invalid, "an empty path cannot be backed up");
    paths.push_back(absolute_path(options, path));
  }
  std::ranges::sort(paths);
  return paths;
}

std::optional<Snapshot> find_parent(const std::vector<Snapshot>& snapshots, const std::string& hostname,
                                    const std::vector<std::string>& paths, Time not_after) {
  std::vector<std::string> wanted = paths;
  std::ranges::sort(wanted);
  const Snapshot* newest = nullptr;
  for (const Snapshot& snapshot : snapshots) {
    std::vector<std::string> own = snapshot.paths;
    std::ranges::sort(own);
    if (snapshot.hostname != hostname || own != wanted || snapshot.time.instant > not_after) continue;
    if (!newest || snapshot.time.instant >= newest->time.instant) newest = &snapshot;
  }
  return newest ? std::optional<Snapshot>(*newest) : std::nullopt;
}

TreeProfile choose_tree_profile(const std::vector<Snapshot>& snapshots) {
  if (snapshots.empty()) return kDefaultTreeProfile;
  const auto newest = std::ranges::max_element(snapshots, {}, [](const Snapshot& s) { return s.time.instant; });
  return tree_profile_of(newest->tree_profile, newest->program_version);
}

Result<ArchiveResult> archive(Repository& repository, const Lock& lock, const ArchiveOptions& options,
                              Progress& progress, std::stop_token stop) {
  std::vector<std::string> paths = TRY(snapshot_paths(options));
  const ArchiveTarget root = TRY(plan_targets(options.paths));
  TreeProfile profile = kDefaultTreeProfile;
  if (options.profile) {
    profile = *options.profile;
  } else {
    profile = choose_tree_profile(TRY(repository.snapshots(stop)));
  }
  // One token for everything that may end this backup: the caller, and the loss of the lock.
  std::stop_source ended;
  const auto end = [&ended] { ended.request_stop(); };
  const std::stop_callback on_stop(stop, end);
  const std::stop_callback on_loss(lock.lost(), end);
  Result<ArchiveResult> result = Archiver(repository, options, profile, progress, ended.get_token()).run(root);
  if (!result && lock.lost().stop_requested()) {
    return Error(ErrorCode::conflict, "the repository's lock was lost: " + result.error().message(),
                 "start the backup again; what was uploaded is used");
  }
  if (!result || options.dry_run) return result;
  TRY(repository.flush(ended.get_token()));
  result->summary.backup_end = RecordTime::at(repository.clock().now());
  if (options.skip_if_unchanged && options.parent && options.parent->tree == result->tree) return result;
  if (options.before_snapshot) TRY(options.before_snapshot(*result));
  Snapshot snapshot = describe(options, *result, std::move(paths), profile);
  snapshot.id = TRY(repository.save_snapshot(snapshot, lock, ended.get_token()));
  result->snapshot = std::move(snapshot);
  return result;
}

}  // namespace holdfast::repo

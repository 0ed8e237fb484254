// The walk: directories in order, entries compared with the parent's, changed files handed to workers. A directory is
// kept open and in memory until its last entry is done; the bounded queue of the workers bounds how many there are.
#include "repo/archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/text.h"
#include "repo/archive_file.h"
#include "repo/archive_parent.h"
#include "repo/archive_targets.h"
#include "repo/archive_tree.h"
#include "repo/directory_trail.h"
#include "repo/filesystem.h"
#include "repo/local_identity.h"
#include "sync/workers.h"

namespace holdfast::repo {
namespace {

constexpr std::string_view kProgram = "holdfast 0.1.0";

class Archiver {
 public:
  Archiver(Repository& repository, const ArchiveOptions& options, TreeProfile profile, Progress& progress,
           std::stop_token stop)
      : repository_(repository),
        options_(options),
        progress_(progress),
        saver_(repository, progress, options.dry_run),
        read_options_{profile, options.with_atime},
        rule_(repository, options),
        tree_(saver_, profile, options.dry_run),
        group_(options.readers ? options.readers : std::max(1u, std::thread::hardware_concurrency()), stop) {}

  Result<ArchiveResult> run(const ArchiveTarget& root);

 private:
  using Place = ArchiveTree::Place;
  /// A directory that the walk has to go into.
  struct Descent {
    std::string name;
    SharedFd directory;
    OpenDirectoryPtr into;
    std::optional<Id> previous_tree;
    dev_t device = 0;
  };
  /// A directory that the walk is in.
  struct Level {
    OpenDirectoryPtr into;
    std::vector<std::string> names;
    size_t next = 0;
    bool emptied = false;
    std::unique_ptr<PreviousNodes> previous;
    size_t path_length = 0;
    dev_t device = 0;
  };

  std::stop_token stop() const { return group_.stop_token(); }
  void note(const std::string& path, Error error);

  Status walk_targets(const ArchiveTarget& target, int base, const OpenDirectoryPtr& into,
                      const std::optional<Id>& previous_tree);
  Status save_target(const ArchiveTarget& target, int base, const OpenDirectoryPtr& into, const std::string& name,
                     std::optional<Node> previous);
  Status walk_directory(const Descent& descent, std::string path);
  Result<Level> enter(const Descent& descent, const std::string& path);
  Result<std::optional<Descent>> save_entry(const SharedFd& parent, const std::string& name, const std::string& path,
                                            const OpenDirectoryPtr& into, std::optional<Node> previous,
                                            std::optional<dev_t> device);
  Result<std::optional<Descent>> open_subdirectory(const SharedFd& parent, Node node, const std::string& path,
                                                   const Place& place, std::optional<Node> previous,
                                                   const struct stat& status, std::optional<dev_t> device);
  void save_file(const SharedFd& parent, Node node, const std::string& path, const Place& place,
                 std::optional<Node> previous);
  Status read_file_content(const SharedFd& parent, Node node, const std::string& path, const Place& place,
                           const std::optional<Node>& previous, std::stop_token stop);
  Result<bool> is_emptied(int directory) const;

  Repository& repository_;
  const ArchiveOptions& options_;
  Progress& progress_;
  const FileSaver saver_;
  const ReadOptions read_options_;
  UnchangedRule rule_;  ///< of the walk's thread
  OwnerNames owners_;
  ArchiveTree tree_;
  size_t named_paths_ = 0, missing_paths_ = 0;  ///< of the walk's thread

  std::mutex mutex_;
  std::vector<ItemError> errors_;

  sync::WorkerGroup group_;  ///< last: its threads end before the rest goes
};

void Archiver::note(const std::string& path, Error error) {
  std::lock_guard lock(mutex_);
  errors_.push_back({path, std::move(error)});
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

/// Reads the directory's names. One that cannot be read is noted and stays empty.
Result<Archiver::Level> Archiver::enter(const Descent& descent, const std::string& path) {
  Level level;
  level.into = descent.into;
  level.path_length = path.size();
  level.device = descent.device;
  Result<std::vector<std::string>> names = directory_names(descent.directory->get());
  if (!names) {
    note(path, names.error());
    return level;
  }
  level.names = std::move(names).value();
  level.emptied = TRY(is_emptied(descent.directory->get()));
  level.previous = std::make_unique<PreviousNodes>(repository_, descent.previous_tree, stop());
  return level;
}

/// The directory and all below it, with a stack of our own: how deep a tree is, its owner decides.
Status Archiver::walk_directory(const Descent& descent, std::string path) {
  DirectoryTrail trail(descent.directory);
  std::vector<Level> levels;
  levels.push_back(TRY(enter(descent, path)));
  while (true) {
    if (stop().stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    Level& level = levels.back();
    path.resize(level.path_length);
    if (level.next == level.names.size()) {
      TRY(tree_.leave(std::move(level.into), stop()));
      levels.pop_back();
      if (levels.empty()) return {};
      trail.leave();
      continue;
    }
    const std::string& name = level.names[level.next++];
    if (level.emptied && !is_mark(options_.exclude_if_present, name)) continue;
    const Result<SharedFd> directory = trail.top();
    if (!directory) {
      note(path, directory.error());
      level.next = level.names.size();
      continue;
    }
    if (path != "/") path += '/';
    path += name;
    std::optional<Descent> below =
        TRY(save_entry(*directory, name, path, level.into, level.previous->take(name), level.device));
    if (!below) continue;
    trail.enter(name, below->directory);
    levels.push_back(TRY(enter(*below, path)));
    if (levels.size() > kDeepestTree) {
      note(path, too_deep());
      levels.back().names.clear();
    }
  }
}

/// Saves an entry, or gives back the directory to go into.
Result<std::optional<Archiver::Descent>> Archiver::save_entry(const SharedFd& parent, const std::string& name,
                                                              const std::string& path, const OpenDirectoryPtr& into,
                                                              std::optional<Node> previous,
                                                              std::optional<dev_t> device) {
  const std::optional<Descent> nothing_below;
  if (options_.filter.matches(path)) return nothing_below;
  struct stat status {};
  Result<Node> read = read_node_at(parent->get(), name, owners_, read_options_, &status);
  if (!read) {
    note(path, read.error());
    return nothing_below;
  }
  Node node = std::move(read).value();
  if (node.type == NodeType::socket || node.type == NodeType::irregular) return nothing_below;
  const bool file = node.type == NodeType::file;
  if (file && options_.exclude_larger_than && node.size > *options_.exclude_larger_than) return nothing_below;
  if (options_.one_file_system && device && status.st_dev != *device && node.type != NodeType::dir) {
    return nothing_below;
  }
  if (previous) keep_time_texts(node, *previous);
  const Place place = tree_.add_entry(into);
  if (node.type == NodeType::dir) {
    return open_subdirectory(parent, std::move(node), path, place, std::move(previous), status, device);
  }
  if (file && !(previous && rule_.unchanged(node, *previous, parent->get()))) {
    save_file(parent, std::move(node), path, place, std::move(previous));
    return nothing_below;
  }
  if (file) {
    node.content = previous->content;
    progress_.done(1, node.size);
    tree_.count_file(node, previous);
  }
  TRY(tree_.finish_entry(place, std::move(node), stop()));
  return nothing_below;
}

Result<std::optional<Archiver::Descent>> Archiver::open_subdirectory(const SharedFd& parent, Node node,
                                                                     const std::string& path, const Place& place,
                                                                     std::optional<Node> previous,
                                                                     const struct stat& status,
                                                                     std::optional<dev_t> device) {
  const bool mount_point = options_.one_file_system && device && status.st_dev != *device;
  Result<SharedFd> directory = open_directory_at(parent->get(), node.name);
  if (!directory && !mount_point) {
    note(path, directory.error());
    TRY(tree_.finish_entry(place, std::nullopt, stop()));
    return std::optional<Descent>();
  }
  Descent below;
  below.name = node.name;
  below.device = device.value_or(status.st_dev);
  if (previous && previous->type == NodeType::dir) below.previous_tree = previous->subtree;
  below.into = tree_.open(place, std::move(node), std::move(previous));
  if (mount_point) {
    TRY(tree_.leave(std::move(below.into), stop()));
    return std::optional<Descent>();
  }
  below.directory = std::move(directory).value();
  return std::optional<Descent>(std::move(below));
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
    return tree_.finish_entry(place, std::nullopt, job_stop);
  }
  const struct stat& status = reader->status();
  if (status.st_ino != node.inode || !node.ctime.same_instant(NodeTime::from(status.st_ctim))) {
    // It changed between the look and the opening: the entry tells of the file that is read.
    Result<Node> fresh = read_node_at(parent->get(), node.name, owners_, read_options_);
    if (!fresh) {
      note(path, fresh.error());
      return tree_.finish_entry(place, std::nullopt, job_stop);
    }
    node = std::move(fresh).value();
    if (previous) keep_time_texts(node, *previous);
  }
  Status read_error;
  SavedContent saved = TRY(saver_.save(*reader, read_error, job_stop).in(path));
  tree_.count_content(saved.added);
  if (!read_error) {
    note(path, read_error.error());
    return tree_.finish_entry(place, std::nullopt, job_stop);
  }
  node.type = NodeType::file;
  node.size = saved.size;
  node.content = std::move(saved.content);
  progress_.done(1, 0);
  tree_.count_file(node, previous);
  return tree_.finish_entry(place, std::move(node), job_stop);
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
    const std::optional<Descent> below = TRY(save_entry(*parent, name, path, into, std::move(previous), std::nullopt));
    return below ? walk_directory(*below, path) : Status();
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
  std::optional<Id> previous_tree;
  if (previous && previous->type == NodeType::dir) previous_tree = previous->subtree;
  OpenDirectoryPtr open = tree_.open(tree_.add_entry(into), std::move(node).value(), std::move(previous));
  TRY(walk_targets(target, base, open, previous_tree));
  return tree_.leave(std::move(open), stop());
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
  OpenDirectoryPtr open = std::make_shared<OpenDirectory>();
  std::optional<Id> previous_tree;
  if (options_.parent) previous_tree = options_.parent->tree;
  const RecordTime began = RecordTime::at(repository_.clock().now());
  progress_.stage("backup", 0, 0);
  const Status walked = [&]() -> Status {
    if (!root.leaf) {
      TRY(walk_targets(root, base->get(), open, previous_tree));
      if (missing_paths_ == named_paths_) {
        std::lock_guard lock(mutex_);
        return Error(ErrorCode::not_found, "none of the paths can be read: " + errors_.front().error.message());
      }
      return tree_.leave(std::move(open), stop());
    }
    const SharedFd directory = TRY(open_directory(base->get(), root.path));
    struct stat status {};
    if (::fstat(directory->get(), &status) != 0) return errno_error(errno, root.path);
    return walk_directory({"", directory, std::move(open), previous_tree, status.st_dev},
                          absolute_path(options_, root.path));
  }();
  // A failed walk ends like a failed job: the first failure of all wins.
  if (!walked) group_.add([error = walked.error()](std::stop_token) -> Status { return error; });
  TRY(group_.finish());
  const std::optional<Id> saved = tree_.root();
  CHECK(saved.has_value());
  ArchiveResult result;
  result.tree = *saved;
  result.summary = tree_.summary();
  result.summary.backup_start = began;
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

#include "repo/restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>

#include "repo/ls.h"
#include "repo/restore_files.h"
#include "repo/target_directories.h"

namespace holdfast::repo {
namespace {

class Restorer {
 public:
  Restorer(Repository& repository, const RestoreOptions& options, Progress& progress, const SharedFd& target,
           std::stop_token stop)
      : repository_(repository),
        options_(options),
        progress_(progress),
        stop_(std::move(stop)),
        write_{.owners = options.owners && ::geteuid() == 0,
               .xattrs = options.xattrs,
               .replace = options.overwrite == Overwrite::always},
        files_(repository, options_, write_, progress,
               options.descriptors != nullptr ? *options.descriptors : process_descriptors()),
        directories_(target, write_) {}

  Result<RestoreResult> run(const Id& tree);

 private:
  struct LinkTask {
    size_t first_directory = 0;
    std::string first_name;
    size_t directory = 0;
    Node node;
  };
  /// A directory of the snapshot that the walk has to go into.
  struct Descent {
    Id tree;
    size_t directory = 0;
  };
  /// A directory of the snapshot that the walk is in.
  struct Level {
    Level(std::string text, size_t number, size_t length)
        : blob(std::move(text)), reader(blob), directory(number), path_length(length) {}
    const std::string blob;
    TreeReader reader;
    size_t directory, path_length;
  };
  enum class Choice { restore, look_below, leave };

  void note(const std::string& path, const Error& error) {
    result_.errors.push_back({path.empty() ? "/" : path, error});
  }
  Choice choose(const std::string& path, const Node& node) const;
  Status walk(const Id& tree);
  Status enter(const Descent& descent, const std::string& path);
  Result<std::optional<Descent>> restore_node(Node node, size_t directory, const std::string& path);
  Result<std::optional<Descent>> restore_directory(Node node, size_t parent, const std::string& path, Choice choice);
  Status restore_file(Node node, size_t directory, const SharedFd& open, const std::string& path);
  Status restore_special(const Node& node, const SharedFd& open, const std::string& path);
  Status restore_link(const LinkTask& link);
  void restore_links();

  Repository& repository_;
  const RestoreOptions& options_;
  Progress& progress_;
  const std::stop_token stop_;
  const WriteOptions write_;
  FileRestorer files_;
  TargetDirectories directories_;
  RestoreResult result_;
  std::vector<std::unique_ptr<Level>> levels_;
  /// By device and inode: the directory and the name under which the file was restored.
  std::map<std::pair<uint64_t, uint64_t>, std::pair<size_t, std::string>> first_names_;
  std::vector<LinkTask> links_;
};

Restorer::Choice Restorer::choose(const std::string& path, const Node& node) const {
  if (options_.exclude.matches(path)) return Choice::leave;
  if (options_.include.empty() || options_.include.matches(path)) return Choice::restore;
  return node.type == NodeType::dir && options_.include.may_match_below(path) ? Choice::look_below : Choice::leave;
}

/// Goes into a directory; one that cannot be read is noted.
Status Restorer::enter(const Descent& descent, const std::string& path) {
  if (levels_.size() > kDeepestTree) {
    note(path, too_deep());
    return {};
  }
  Result<std::string> blob = repository_.load_blob(BlobType::tree, descent.tree, stop_);
  if (!blob) {
    if (blob.is(ErrorCode::cancelled)) return blob.error();
    note(path, blob.error());
    return {};
  }
  levels_.push_back(std::make_unique<Level>(std::move(blob).value(), descent.directory, path.size()));
  return {};
}

/// With a stack of our own: how deep a tree is, the snapshot's writer decides.
Status Restorer::walk(const Id& tree) {
  std::string path;
  TRY(enter({tree, TargetDirectories::kRoot}, path));
  while (!levels_.empty()) {
    if (stop_.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    Level& level = *levels_.back();
    path.resize(level.path_length);
    Result<std::optional<Node>> node = level.reader.next();
    if (!node) note(path, node.error());
    if (!node || !*node) {
      directories_.leave(level.directory);
      levels_.pop_back();
      continue;
    }
    path += '/';
    path += (*node)->name;
    if (const Status good = check_node_name((*node)->name); !good) {
      note(path, good.error());
      continue;
    }
    const std::optional<Descent> below = TRY(restore_node(std::move(**node), level.directory, path));
    if (below) TRY(enter(*below, path));
  }
  return {};
}

/// Restores an entry, or gives back the directory to go into.
Result<std::optional<Restorer::Descent>> Restorer::restore_node(Node node, size_t directory, const std::string& path) {
  const std::optional<Descent> nothing_below;
  const Choice choice = choose(path, node);
  if (choice == Choice::leave) return nothing_below;
  if (node.type == NodeType::dir) return restore_directory(std::move(node), directory, path, choice);
  const Result<SharedFd> open = directories_.open(directory);
  if (!open) {
    if (ends_restore(open.error())) return open.error();
    note(path, open.error());
    return nothing_below;
  }
  if (node.type == NodeType::file) {
    TRY(restore_file(std::move(node), directory, *open, path));
  } else {
    TRY(restore_special(node, *open, path));
  }
  return nothing_below;
}

Result<std::optional<Restorer::Descent>> Restorer::restore_directory(Node node, size_t parent, const std::string& path,
                                                                     Choice choice) {
  const std::optional<Id> subtree = node.subtree;
  const size_t own = directories_.declare(parent, std::move(node));
  if (choice == Choice::restore) {
    if (const Result<SharedFd> made = directories_.open(own); !made) {
      directories_.leave(own);
      if (ends_restore(made.error())) return made.error();
      note(path, made.error());
      return std::optional<Descent>();
    }
  }
  if (subtree) return std::optional<Descent>(Descent{*subtree, own});
  note(path, Error(ErrorCode::corrupt, "the directory has no tree"));
  directories_.leave(own);
  return std::optional<Descent>();
}

Status Restorer::restore_file(Node node, size_t directory, const SharedFd& open, const std::string& path) {
  if (node.links > 1) {
    const auto [first, fresh] = first_names_.try_emplace({node.device_id, node.inode}, directory, node.name);
    if (!fresh) {
      node.content.reset();
      links_.push_back({first->second.first, first->second.second, directory, std::move(node)});
      return {};
    }
  }
  return files_.add(open, std::move(node), path, result_, stop_);
}

Status Restorer::restore_special(const Node& node, const SharedFd& open, const std::string& path) {
  if (node.type == NodeType::socket || node.type == NodeType::irregular) return {};  // nothing to bring back
  Status made = create_special_at(open->get(), node, write_);
  if (made) made = apply_metadata_at(open->get(), node.name, node, write_);
  if (made) {
    ++result_.others;
    return {};
  }
  if (ends_restore(made.error())) return made.error().in(path);
  if (made.is(ErrorCode::exists) && options_.overwrite == Overwrite::never) {
    ++result_.skipped;
  } else {
    note(path, made.error());
  }
  return {};
}

Status Restorer::restore_link(const LinkTask& link) {
  const SharedFd from = TRY(directories_.open(link.first_directory));
  const SharedFd into = TRY(directories_.open(link.directory));
  return create_link_at(from->get(), link.first_name, into->get(), link.node.name, write_);
}

void Restorer::restore_links() {
  for (const LinkTask& link : links_) {
    const Status linked = restore_link(link);
    if (linked) {
      ++result_.links;
      progress_.done(1, 0);
    } else if (linked.is(ErrorCode::exists) && options_.overwrite == Overwrite::never) {
      ++result_.skipped;
    } else {
      note(directories_.path(link.directory) + "/" + link.node.name, linked.error());
    }
  }
}

Result<RestoreResult> Restorer::run(const Id& tree) {
  TRY(walk(tree));
  TRY(files_.flush(result_, stop_));
  restore_links();
  directories_.finish([this](const std::string& path, const Error& error) { note(path, error); });
  result_.directories = directories_.made();
  std::ranges::stable_sort(result_.errors, {}, &ItemError::path);
  return std::move(result_);
}

/// The tree that is restored: the snapshot's, or the one at a path of it.
Result<Id> find_tree(Repository& repository, const Snapshot& snapshot, const std::string& subfolder,
                     std::stop_token stop) {
  const std::optional<Node> node = TRY(find_node(repository, snapshot.tree, subfolder, stop));
  if (!node) return snapshot.tree;
  if (node->type != NodeType::dir || !node->subtree) {
    return Error(ErrorCode::invalid, fmt::format("{} is no directory in the snapshot", subfolder),
                 "restore its directory with --include");
  }
  return *node->subtree;
}

}  // namespace

Result<RestoreResult> restore(Repository& repository, const Snapshot& snapshot, const RestoreOptions& options,
                              Progress& progress, std::stop_token stop) {
  // The root is read first: a restore that can bring back nothing must not look like one with an error.
  const Id tree = TRY(
      find_tree(repository, snapshot, options.subfolder, stop).in(fmt::format("snapshot {}", snapshot.id.short_hex())));
  TRY(repository.load_blob(BlobType::tree, tree, stop).in(fmt::format("snapshot {}", snapshot.id.short_hex())));
  TRY(make_directories(options.target, 0700));
  const SharedFd target = TRY(open_directory(AT_FDCWD, options.target));
  const bool whole = options.subfolder.empty() && options.include.empty() && options.exclude.empty();
  const bool known = whole && snapshot.summary.has_value();
  progress.stage("restore", known ? snapshot.summary->total_files_processed : 0,
                 known ? snapshot.summary->total_bytes_processed : 0);
  return Restorer(repository, options, progress, target, std::move(stop)).run(tree);
}

}  // namespace holdfast::repo

#include "repo/restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <ranges>

#include "repo/ls.h"
#include "repo/restore_files.h"

namespace holdfast::repo {
namespace {

/// A directory of the target, made when the first entry in it is.
struct Place {
  Place* parent = nullptr;
  const Node* node = nullptr;  ///< none: the target itself
  std::string path;            ///< below the target, without a leading '/'
  SharedFd directory;
};

std::string join(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "/" + name;
}

class Restorer {
 public:
  Restorer(Repository& repository, const RestoreOptions& options, Progress& progress, std::stop_token stop)
      : repository_(repository),
        options_(options),
        progress_(progress),
        stop_(std::move(stop)),
        write_{.owners = options.owners && ::geteuid() == 0,
               .xattrs = options.xattrs,
               .replace = options.overwrite == Overwrite::always},
        files_(repository, options_, write_, progress) {}

  Result<RestoreResult> run(const Id& tree, const SharedFd& target);

 private:
  struct LinkTask {
    std::string first, directory;
    Node node;
    std::string path;
  };
  struct DirectoryTask {
    std::string parent;
    Node node;
    std::string path;
  };
  enum class Choice { restore, look_below, leave };

  void note(const std::string& path, const Error& error) { result_.errors.push_back({path, error}); }
  Choice choose(const std::string& path, const Node& node) const;
  Status make(Place& place);
  Status walk(const Id& tree, Place& place, const std::string& path);
  Status restore_node(Node node, Place& place, const std::string& path);
  Status restore_directory(const Node& node, Place& place, const std::string& path, Choice choice);
  Status restore_file(Node node, Place& place, const std::string& path);
  Status restore_special(const Node& node, Place& place, const std::string& path);
  void restore_links();
  void finish_directories();

  Repository& repository_;
  const RestoreOptions& options_;
  Progress& progress_;
  const std::stop_token stop_;
  const WriteOptions write_;
  FileRestorer files_;
  RestoreResult result_;
  SharedFd target_;
  std::map<std::pair<uint64_t, uint64_t>, std::string> first_names_;  ///< by device and inode
  std::vector<LinkTask> links_;
  std::vector<DirectoryTask> directories_;
};

Restorer::Choice Restorer::choose(const std::string& path, const Node& node) const {
  if (options_.exclude.matches(path)) return Choice::leave;
  if (options_.include.empty() || options_.include.matches(path)) return Choice::restore;
  return node.type == NodeType::dir && options_.include.may_match_below(path) ? Choice::look_below : Choice::leave;
}

/// Makes the directory and those above it.
Status Restorer::make(Place& place) {
  if (place.directory) return {};
  TRY(make(*place.parent));
  place.directory = TRY(make_directory_at(place.parent->directory->get(), place.node->name, write_));
  Node metadata = *place.node;
  metadata.content.reset();
  directories_.push_back({place.parent->path, std::move(metadata), "/" + place.path});
  ++result_.directories;
  return {};
}

Status Restorer::walk(const Id& tree, Place& place, const std::string& path) {
  const Result<std::string> blob = repository_.load_blob(BlobType::tree, tree, stop_);
  if (!blob) {
    if (blob.is(ErrorCode::cancelled)) return blob.error();
    note(path.empty() ? "/" : path, blob.error());
    return {};
  }
  TreeReader reader(*blob);
  while (true) {
    if (stop_.stop_requested()) return Error(ErrorCode::cancelled, "stopped");
    Result<std::optional<Node>> node = reader.next();
    if (!node) {
      note(path.empty() ? "/" : path, node.error());
      return {};
    }
    if (!*node) return {};
    const std::string child = path + "/" + (*node)->name;
    if (const Status good = check_node_name((*node)->name); !good) {
      note(child, good.error());
      continue;
    }
    TRY(restore_node(std::move(**node), place, child));
  }
}

Status Restorer::restore_node(Node node, Place& place, const std::string& path) {
  const Choice choice = choose(path, node);
  if (choice == Choice::leave) return {};
  if (node.type == NodeType::dir) return restore_directory(node, place, path, choice);
  if (const Status made = make(place); !made) {
    if (ends_restore(made.error())) return made;
    note(path, made.error());
    return {};
  }
  return node.type == NodeType::file ? restore_file(std::move(node), place, path) : restore_special(node, place, path);
}

Status Restorer::restore_directory(const Node& node, Place& place, const std::string& path, Choice choice) {
  Place own{&place, &node, join(place.path, node.name), {}};
  if (choice == Choice::restore) {
    if (const Status made = make(own); !made) {
      if (ends_restore(made.error())) return made;
      note(path, made.error());
      return {};
    }
  }
  if (!node.subtree) {
    note(path, Error(ErrorCode::corrupt, "the directory has no tree"));
    return {};
  }
  return walk(*node.subtree, own, path);
}

Status Restorer::restore_file(Node node, Place& place, const std::string& path) {
  if (node.links > 1) {
    const auto [first, fresh] = first_names_.try_emplace({node.device_id, node.inode}, join(place.path, node.name));
    if (!fresh) {
      node.content.reset();
      links_.push_back({first->second, place.path, std::move(node), path});
      return {};
    }
  }
  return files_.add(place.directory, std::move(node), path, result_, stop_);
}

Status Restorer::restore_special(const Node& node, Place& place, const std::string& path) {
  if (node.type == NodeType::socket || node.type == NodeType::irregular) return {};  // nothing to bring back
  Status made = create_special_at(place.directory->get(), node, write_);
  if (made) made = apply_metadata_at(place.directory->get(), node.name, node, write_);
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

void Restorer::restore_links() {
  for (const LinkTask& link : links_) {
    const Status linked = [&]() -> Status {
      const size_t slash = link.first.rfind('/');
      const bool top = slash == std::string::npos;
      const SharedFd from = TRY(open_below(target_, top ? "" : link.first.substr(0, slash)));
      const SharedFd into = TRY(open_below(target_, link.directory));
      return create_link_at(from->get(), top ? link.first : link.first.substr(slash + 1), into->get(), link.node.name,
                            write_);
    }();
    if (linked) {
      ++result_.links;
      progress_.done(1, 0);
    } else if (linked.is(ErrorCode::exists) && options_.overwrite == Overwrite::never) {
      ++result_.skipped;
    } else {
      note(link.path, linked.error());
    }
  }
}

/// Last, and from the inside out: an entry that is made changes its directory's times, a mode may close it.
void Restorer::finish_directories() {
  for (const DirectoryTask& task : std::ranges::reverse_view(directories_)) {
    const Result<SharedFd> parent = open_below(target_, task.parent);
    const Status applied =
        parent ? apply_metadata_at((*parent)->get(), task.node.name, task.node, write_) : Status(parent.error());
    if (!applied) note(task.path, applied.error());
  }
}

Result<RestoreResult> Restorer::run(const Id& tree, const SharedFd& target) {
  target_ = target;
  Place root{nullptr, nullptr, "", target};
  TRY(walk(tree, root, ""));
  TRY(files_.flush(result_, stop_));
  restore_links();
  finish_directories();
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
  return Restorer(repository, options, progress, std::move(stop)).run(tree, target);
}

}  // namespace holdfast::repo

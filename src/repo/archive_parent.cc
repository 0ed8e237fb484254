#include "repo/archive_parent.h"

#include <sys/vfs.h>

#include <algorithm>
#include <iterator>

namespace holdfast::repo {
namespace {

constexpr Duration kTick = std::chrono::seconds(2);
constexpr Duration kTickAndSkew = std::chrono::minutes(5);

/// How close to the beginning of a backup a change may have been missed on the directory's file system.
Duration margin_of(int directory) {
  // ext, xfs, btrfs, tmpfs, ramfs, f2fs, zfs, bcachefs, overlay: the kernel's own clock stamps them.
  constexpr uint32_t kOwnClock[] = {0xef53,     0x58465342, 0x9123683e, 0x01021994, 0x858458f6,
                                    0xf2f52010, 0x2fc12fc1, 0xca451a4e, 0x794c7630};
  struct statfs system {};
  if (::fstatfs(directory, &system) != 0) return kTickAndSkew;
  return std::ranges::find(kOwnClock, static_cast<uint32_t>(system.f_type)) != std::end(kOwnClock) ? kTick
                                                                                                   : kTickAndSkew;
}

bool is_before(const NodeTime& at, const NodeTime& instant) {
  return at.seconds != instant.seconds ? at.seconds < instant.seconds : at.nanoseconds < instant.nanoseconds;
}

}  // namespace

PreviousNodes::PreviousNodes(Repository& repository, const std::optional<Id>& tree, std::stop_token stop) {
  if (!tree) return;
  Result<std::string> blob = repository.load_blob(BlobType::tree, *tree, std::move(stop));
  if (!blob) return;
  blob_ = std::move(blob).value();
  reader_.emplace(blob_);
  advance();
}

std::optional<Node> PreviousNodes::take(const std::string& name) {
  while (next_ && next_->name < name) advance();
  if (!next_ || next_->name != name) return std::nullopt;
  std::optional<Node> found = std::move(next_);
  advance();
  return found;
}

void PreviousNodes::advance() {
  Result<std::optional<Node>> node = reader_->next();
  next_ = node ? std::move(node).value() : std::nullopt;
}

void keep_time_texts(Node& node, const Node& previous) {
  const auto keep = [](NodeTime& fresh, const NodeTime& old) {
    if (fresh.same_instant(old)) fresh.text = old.text;
  };
  keep(node.mtime, previous.mtime);
  keep(node.atime, previous.atime);
  keep(node.ctime, previous.ctime);
}

UnchangedRule::UnchangedRule(const Repository& repository, const ArchiveOptions& options)
    : repository_(repository),
      check_inode_(!options.ignore_inode),
      check_ctime_(check_inode_ && !options.ignore_ctime) {
  if (!options.parent) return;
  Time began = options.parent->time.instant;  // which the user may have chosen
  if (options.parent->summary) began = std::min(began, options.parent->summary->backup_start.instant);
  parent_began_ = began;
}

bool UnchangedRule::settled(const Node& node, int directory) {
  if (!parent_began_) return true;
  const auto known = margins_.find(node.device_id);
  const Duration margin =
      known != margins_.end() ? known->second : margins_.emplace(node.device_id, margin_of(directory)).first->second;
  // Who ignores the ctime has a file system that does not keep it: what is left is the mtime.
  return is_before(check_ctime_ ? node.ctime : node.mtime, NodeTime::from(*parent_began_ - margin));
}

bool UnchangedRule::unchanged(const Node& node, const Node& previous, int directory) {
  if (previous.type != NodeType::file || previous.size != node.size || !previous.mtime.same_instant(node.mtime) ||
      !previous.content) {
    return false;
  }
  if (check_ctime_ && !previous.ctime.same_instant(node.ctime)) return false;
  if (check_inode_ && previous.inode != node.inode) return false;
  if (!settled(node, directory)) return false;
  // A blob that was lost since is healed by reading the file again.
  return std::ranges::all_of(*previous.content, [&](const Id& id) { return repository_.has_blob(BlobType::data, id); });
}

}  // namespace holdfast::repo

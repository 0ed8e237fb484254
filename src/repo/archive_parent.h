// What a backup compares with: the parent snapshot's nodes, and when a file may be taken as unchanged. Internal to
// repo.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "repo/archive.h"
#include "repo/tree.h"

namespace holdfast::repo {

/// The nodes of a directory in the parent snapshot, asked in ascending order of names. One thread.
class PreviousNodes {
 public:
  /// No tree, or one that cannot be read: there are none, and every file is read.
  PreviousNodes(Repository& repository, const std::optional<Id>& tree, std::stop_token stop);
  PreviousNodes(const PreviousNodes&) = delete;
  PreviousNodes& operator=(const PreviousNodes&) = delete;
  [[nodiscard]] std::optional<Node> take(const std::string& name);

 private:
  void advance();
  std::string blob_;
  std::optional<TreeReader> reader_;
  std::optional<Node> next_;
};

/// Equal instants keep the text they had: another zone must not give an unchanged directory another id.
void keep_time_texts(Node& node, const Node& previous);

/// Says of files whether the parent's content may be taken over. One thread.
///
/// A file that was written again within the tick of its last change, after the parent's backup had read it, shows the
/// same size and times for ever. So what changed shortly before the parent's backup began, or after, is read once more
/// (as git does with its index); a backup later it is old enough. Shortly: 2 s (the coarsest tick) on file systems that
/// take their times from this machine's kernel, as the parent's did; 5 minutes on others, whose clock is a server's.
class UnchangedRule {
 public:
  UnchangedRule(const Repository& repository, const ArchiveOptions& options);
  /// `directory`: the open directory that the node is in.
  [[nodiscard]] bool unchanged(const Node& node, const Node& previous, int directory);

 private:
  bool settled(const Node& node, int directory);

  const Repository& repository_;
  const bool check_inode_, check_ctime_;
  std::optional<Time> parent_began_;
  std::map<uint64_t, Duration> margins_;  ///< by device
};

}  // namespace holdfast::repo
